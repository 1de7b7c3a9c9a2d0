//! Where the evidence goes: folders, tar and zip archives, memory; laid out as collectors lay it out.

use crate::formats::{u16_of, u32_of};
use crate::moment::Moment;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Takes the files of one collection, one after the other.
pub trait Sink {
    /// Takes a file by its original path, such as `C:\inetpub\wwwroot\iisstart.htm`.
    fn file(&mut self, path: &str, modified: Timestamp, contents: &[u8]) -> io::Result<()>;

    /// Is called once, after the last file.
    fn finish(&mut self, taken: &Taken) -> io::Result<()>;
}

/// What a collector notes about its own run.
#[derive(Clone, Debug)]
pub struct Taken {
    pub host: String,
    /// The host's full name, with its domain.
    pub host_full: String,
    pub time: Timestamp,
}

/// How a collector names what it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// `C/inetpub/…`, as KAPE and hand-made copies have it.
    #[default]
    Drives,
    /// `uploads/auto/C%3A/inetpub/…` with `uploads.json`, as Velociraptor's offline collector has it.
    Velociraptor,
}

/// Something that holds files by name: a folder, an archive, memory.
pub trait Container {
    /// Adds a file. `name` has forward slashes.
    fn put(&mut self, name: &str, modified: Timestamp, contents: &[u8]) -> io::Result<()>;

    /// Completes what has been written.
    fn close(&mut self) -> io::Result<()>;
}

/// A container filled in the layout of a collector.
#[derive(Debug)]
pub struct Collection<C> {
    pub container: C,
    layout: Layout,
    uploads: Vec<String>,
}

impl<C: Container> Collection<C> {
    pub fn new(container: C, layout: Layout) -> Self {
        Self {
            container,
            layout,
            uploads: Vec::new(),
        }
    }
}

impl<C: Container> Sink for Collection<C> {
    fn file(&mut self, path: &str, modified: Timestamp, contents: &[u8]) -> io::Result<()> {
        let parts = path.split('\\').collect::<Vec<_>>();
        let name = match self.layout {
            Layout::Drives => format!(
                "{}/{}",
                parts[0].trim_end_matches(':'),
                parts[1..].join("/")
            ),
            Layout::Velociraptor => {
                let components = ["uploads", "auto"].iter().chain(&parts).collect::<Vec<_>>();
                self.uploads.push(
                    serde_json::json!({
                        "Timestamp": modified.to_string(),
                        "started": modified.to_string(),
                        "vfs_path": path,
                        "_Components": components,
                        "file_size": contents.len(),
                        "uploaded_size": contents.len(),
                        "Type": "",
                    })
                    .to_string(),
                );
                let escaped = parts.iter().map(|part| escape(part)).collect::<Vec<_>>();
                format!("uploads/auto/{}", escaped.join("/"))
            }
        };
        self.container.put(&name, modified, contents)
    }

    fn finish(&mut self, taken: &Taken) -> io::Result<()> {
        if self.layout == Layout::Velociraptor {
            let mut uploads = self.uploads.join("\n");
            uploads.push('\n');
            self.container
                .put("uploads.json", taken.time, uploads.as_bytes())?;
            let client = serde_json::json!({
                "client_id": "server",
                "hostname": taken.host,
                "fqdn": taken.host_full,
                "os": "windows",
                "architecture": "amd64",
            });
            self.container.put(
                "client_info.json",
                taken.time,
                client.to_string().as_bytes(),
            )?;
            let context = serde_json::json!({
                "client_id": "server",
                "create_time": Moment::from(taken.time).0 * 1_000,
                "start_time": Moment::from(taken.time).0 * 1_000,
                "state": "FINISHED",
                "total_uploaded_files": self.uploads.len(),
            });
            self.container.put(
                "collection_context.json",
                taken.time,
                context.to_string().as_bytes(),
            )?;
        }
        self.container.close()
    }
}

/// A path component as Velociraptor writes it into archives.
fn escape(component: &str) -> String {
    component
        .chars()
        .map(|character| match character {
            '%' | ':' | '"' | '/' | '|' | '?' | '*' | '<' | '>' => {
                format!("%{:02X}", u32::from(character))
            }
            character => character.to_string(),
        })
        .collect()
}

/// A folder. Files get the modification times that they had on the server.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    last_parent: PathBuf,
}

impl Folder {
    /// Fills `root`, which is made when the first file comes.
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            last_parent: PathBuf::new(),
        }
    }
}

impl Container for Folder {
    fn put(&mut self, name: &str, modified: Timestamp, contents: &[u8]) -> io::Result<()> {
        let path = self.root.join(name);
        if let Some(parent) = path.parent()
            && parent != self.last_parent
        {
            fs::create_dir_all(parent)?;
            parent.clone_into(&mut self.last_parent);
        }
        let mut file = fs::File::create(path)?;
        file.write_all(contents)?;
        file.set_modified(modified.into())
    }

    fn close(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Files in memory by name, for tests.
#[derive(Debug, Default)]
pub struct Memory {
    pub files: BTreeMap<String, (Timestamp, Vec<u8>)>,
}

impl Container for Memory {
    fn put(&mut self, name: &str, modified: Timestamp, contents: &[u8]) -> io::Result<()> {
        self.files
            .insert(name.to_owned(), (modified, contents.to_owned()));
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A tar archive with pax headers for long names (POSIX.1-2001).
#[derive(Debug)]
pub struct Tar<W> {
    out: W,
}

impl<W: Write> Tar<W> {
    pub fn new(out: W) -> Self {
        Self { out }
    }

    /// What the archive was written to.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn entry(&mut self, kind: u8, name: &[u8], modified: i64, contents: &[u8]) -> io::Result<()> {
        let mut header = [0_u8; 512];
        let kept = name.len().min(100);
        header[..kept].copy_from_slice(&name[..kept]);
        let mut octal = |position: usize, digits: usize, value: u64| {
            let text = format!("{value:0digits$o}");
            header[position..position + digits].copy_from_slice(text.as_bytes());
        };
        octal(100, 7, 0o644);
        octal(108, 7, 0);
        octal(116, 7, 0);
        octal(124, 11, u64::from(u32_of(contents.len())));
        octal(136, 11, u64::try_from(modified).unwrap_or(0));
        header[156] = kind;
        header[257..265].copy_from_slice(b"ustar\x0000");
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.out.write_all(&header)?;
        self.out.write_all(contents)?;
        let padding = contents.len().next_multiple_of(512) - contents.len();
        self.out.write_all(&[0; 512][..padding])
    }
}

impl<W: Write> Container for Tar<W> {
    fn put(&mut self, name: &str, modified: Timestamp, contents: &[u8]) -> io::Result<()> {
        let second = modified.as_second();
        if name.len() > 100 {
            let record = pax_record("path", name);
            self.entry(b'x', b"pax", second, record.as_bytes())?;
        }
        self.entry(b'0', name.as_bytes(), second, contents)
    }

    fn close(&mut self) -> io::Result<()> {
        self.out.write_all(&[0; 1024])?;
        self.out.flush()
    }
}

/// `length key=value\n`, where the length counts itself.
fn pax_record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len() + 1;
    while length.to_string().len() + rest.len() != length {
        length = length.to_string().len() + rest.len();
    }
    format!("{length}{rest}")
}

/// A zip archive of stored members (APPNOTE 6.3, with ZIP64 where the number of members or an offset needs it).
#[derive(Debug)]
pub struct Zip<W> {
    out: W,
    offset: u64,
    directory: Vec<u8>,
    members: u64,
}

impl<W: Write> Zip<W> {
    pub fn new(out: W) -> Self {
        Self {
            out,
            offset: 0,
            directory: Vec::new(),
            members: 0,
        }
    }

    /// What the archive was written to.
    pub fn into_inner(self) -> W {
        self.out
    }
}

impl<W: Write> Container for Zip<W> {
    fn put(&mut self, name: &str, modified: Timestamp, contents: &[u8]) -> io::Result<()> {
        let at = Moment::from(modified).civil();
        let bits = |value: i64| u16::try_from(value.max(0)).unwrap_or(0);
        let time = bits(at.hour) << 11 | bits(at.minute) << 5 | bits(at.second / 2);
        let day = bits(at.year - 1980) << 9 | bits(at.month) << 5 | bits(at.day);
        let size = u32_of(contents.len());
        let mut common = Vec::new();
        common.extend(0x0800_u16.to_le_bytes()); // names are UTF-8
        common.extend(0_u16.to_le_bytes());
        common.extend(time.to_le_bytes());
        common.extend(day.to_le_bytes());
        common.extend(crc32fast::hash(contents).to_le_bytes());
        common.extend(size.to_le_bytes());
        common.extend(size.to_le_bytes());
        common.extend(u16_of(name.len()).to_le_bytes());

        let mut local = b"PK\x03\x04\x14\0".to_vec();
        local.extend(&common);
        local.extend(0_u16.to_le_bytes());
        local.extend(name.as_bytes());

        let far = u32::try_from(self.offset).is_err();
        let mut extra = Vec::new();
        if far {
            extra.extend([1, 0, 8, 0]);
            extra.extend(self.offset.to_le_bytes());
        }
        self.directory.extend(b"PK\x01\x02\x2d\0\x2d\0");
        self.directory.extend(&common);
        self.directory.extend(u16_of(extra.len()).to_le_bytes());
        self.directory.extend([0; 10]);
        let offset = u32::try_from(self.offset).unwrap_or(u32::MAX);
        self.directory.extend(offset.to_le_bytes());
        self.directory.extend(name.as_bytes());
        self.directory.extend(extra);

        self.out.write_all(&local)?;
        self.out.write_all(contents)?;
        self.offset += u64::from(u32_of(local.len())) + u64::from(size);
        self.members += 1;
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        let directory_bytes = u64::from(u32_of(self.directory.len()));
        let end = self.offset + directory_bytes;
        let mut tail = Vec::new();
        if self.members >= 0xffff || end > 0xffff_ffff {
            tail.extend(b"PK\x06\x06");
            tail.extend(44_u64.to_le_bytes());
            tail.extend([45, 0, 45, 0]);
            tail.extend([0; 8]);
            tail.extend(self.members.to_le_bytes());
            tail.extend(self.members.to_le_bytes());
            tail.extend(directory_bytes.to_le_bytes());
            tail.extend(self.offset.to_le_bytes());
            tail.extend(b"PK\x06\x07");
            tail.extend(0_u32.to_le_bytes());
            tail.extend(end.to_le_bytes());
            tail.extend(1_u32.to_le_bytes());
        }
        let members = u16::try_from(self.members).unwrap_or(u16::MAX);
        tail.extend(b"PK\x05\x06\0\0\0\0");
        tail.extend(members.to_le_bytes());
        tail.extend(members.to_le_bytes());
        tail.extend(u32_of(self.directory.len()).to_le_bytes());
        tail.extend(u32::try_from(self.offset).unwrap_or(u32::MAX).to_le_bytes());
        tail.extend([0, 0]);
        self.out.write_all(&self.directory)?;
        self.out.write_all(&tail)?;
        self.out.flush()
    }
}
