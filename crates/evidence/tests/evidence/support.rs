//! A visitor that writes everything down, and archives built in code.

use evidence::{Content, Decision, Digest, Entry, Options, Visitor, walk, walk_bytes};
use model::GapKind;
use sha2::Digest as _;
use std::fmt::Write as _;
use std::io::{Cursor, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// What was seen of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) entry: Entry,
    pub(crate) bytes: Vec<u8>,
    pub(crate) digest: Option<Digest>,
}

/// How a visitor looks at content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Reads everything, twice in different ways, and compares.
    Twice,
    /// Reads only the head.
    Head,
    /// Leaves everything to the hash.
    Not,
}

pub(crate) struct Recorder {
    pub(crate) look: Look,
    pub(crate) seen: Vec<Seen>,
    pub(crate) gaps: Vec<String>,
    pub(crate) skip: Box<dyn Fn(&Entry) -> bool>,
    /// Entries begun, skipped ones too.
    pub(crate) begun: Vec<Entry>,
    /// Bytes kept of one item.
    pub(crate) keep_max: u64,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            look: Look::Twice,
            seen: Vec::new(),
            gaps: Vec::new(),
            skip: Box::new(|_| false),
            begun: Vec::new(),
            keep_max: 1 << 20,
        }
    }
}

impl Recorder {
    pub(crate) fn looking(look: Look) -> Self {
        Self {
            look,
            ..Self::default()
        }
    }

    /// `path = content` for every entry, then the gaps; a hash that does not fit its bytes is told.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for seen in &self.seen {
            let content: String = String::from_utf8_lossy(&seen.bytes)
                .chars()
                .take(60)
                .map(|c| if c.is_control() { '.' } else { c })
                .collect();
            let complete = seen.digest.as_ref().is_some_and(|digest| digest.complete);
            let mark = if complete { "=" } else { "~" };
            writeln!(text, "{} {mark} {content}", seen.entry.path).unwrap();
        }
        for gap in &self.gaps {
            writeln!(text, "gap {gap}").unwrap();
        }
        text
    }

    pub(crate) fn paths(&self) -> Vec<&str> {
        self.seen
            .iter()
            .map(|seen| seen.entry.path.as_str())
            .collect()
    }

    /// Every complete hash is that of the bytes that were offered.
    pub(crate) fn check_hashes(&self) {
        for seen in &self.seen {
            let digest = seen.digest.as_ref().expect("end follows content");
            if u64::try_from(seen.bytes.len()).unwrap() == digest.size {
                assert_eq!(digest.sha256, sha256(&seen.bytes), "{}", seen.entry.path);
            }
        }
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    let mut hex = String::new();
    for byte in sha2::Sha256::digest(bytes) {
        write!(hex, "{byte:02x}").unwrap();
    }
    hex
}

impl Visitor for Recorder {
    fn begin(&mut self, entry: &Entry) -> Decision {
        self.begun.push(entry.clone());
        if (self.skip)(entry) {
            Decision::Skip
        } else {
            Decision::Read
        }
    }

    fn content(&mut self, entry: &Entry, content: &mut dyn Content) {
        let mut bytes = Vec::new();
        match self.look {
            Look::Not => {}
            Look::Head => bytes = content.head().to_vec(),
            Look::Twice => {
                let head = content.head().to_vec();
                let _read = content.stream().take(self.keep_max).read_to_end(&mut bytes);
                assert!(bytes.starts_with(&head) || self.keep_max < 65_536);
                let mut again = Vec::new();
                let mut seekable = content.seekable().unwrap();
                if bytes.len() > 4 {
                    // Jumps to the end and back, so that order does not matter.
                    seekable.seek(SeekFrom::Start(4)).unwrap();
                    let mut rest = Vec::new();
                    let _read = (&mut seekable).take(self.keep_max).read_to_end(&mut rest);
                    assert!(rest.starts_with(&bytes[4..]));
                }
                seekable.seek(SeekFrom::Start(0)).unwrap();
                let _read = (&mut seekable).take(self.keep_max).read_to_end(&mut again);
                assert_eq!(again, bytes);
            }
        }
        self.seen.push(Seen {
            entry: entry.clone(),
            bytes,
            digest: None,
        });
    }

    fn end(&mut self, entry: &Entry, digest: &Digest) {
        let seen = self
            .seen
            .iter_mut()
            .rev()
            .find(|seen| seen.entry.ordinal == entry.ordinal)
            .expect("content comes before end");
        assert!(seen.digest.is_none(), "end comes once");
        seen.digest = Some(digest.clone());
    }

    fn gap(&mut self, path: &str, kind: GapKind, detail: &str) {
        self.gaps.push(format!("{} {path}: {detail}", kind.name()));
    }
}

pub(crate) fn read_bytes(name: &str, bytes: &[u8], options: &Options) -> Recorder {
    let mut recorder = Recorder::default();
    walk_bytes(name, bytes.to_vec(), options, &mut recorder);
    recorder.check_hashes();
    recorder
}

pub(crate) fn read_folder(path: &Path) -> Recorder {
    let mut recorder = Recorder::default();
    walk(&folder(path), &Options::default(), &mut recorder);
    recorder.check_hashes();
    recorder
}

pub(crate) fn folder(path: &Path) -> evidence::Collection {
    evidence::Collection {
        location: path.to_owned(),
        label: path.to_string_lossy().into_owned(),
        container: "folder".to_owned(),
    }
}

pub(crate) fn with_password(password: &str) -> Options {
    Options {
        password: Some(password.to_owned()),
        ..Options::default()
    }
}

pub(crate) fn zip_with(
    members: &[(&str, &[u8])],
    options: zip::write::SimpleFileOptions,
) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        if name.ends_with('/') {
            writer.add_directory(*name, options).unwrap();
        } else {
            writer.start_file(*name, options).unwrap();
            writer.write_all(bytes).unwrap();
        }
    }
    writer.finish().unwrap().into_inner()
}

pub(crate) fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated);
    zip_with(members, options)
}

pub(crate) fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        if name.ends_with('/') {
            header.set_entry_type(tar::EntryType::Directory);
        }
        // Names that the crate would refuse to write are what is to be tested.
        if name.len() < 100 {
            let field = &mut header.as_old_mut().name;
            field[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            builder.append(&header, *bytes).unwrap();
        } else {
            builder.append_data(&mut header, name, *bytes).unwrap();
        }
    }
    builder.into_inner().unwrap()
}

pub(crate) fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

pub(crate) fn xz(bytes: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::with_preset(1);
    let mut writer = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

pub(crate) fn sevenz(members: &[(&str, &[u8])], password: Option<&str>, solid: bool) -> Vec<u8> {
    use sevenz_rust2::{ArchiveEntry, ArchiveWriter, EncoderMethod, SourceReader};
    let mut writer = ArchiveWriter::new(Cursor::new(Vec::new())).unwrap();
    if let Some(password) = password {
        writer.set_content_methods(vec![
            sevenz_rust2::encoder_options::AesEncoderOptions::new(password.into()).into(),
            EncoderMethod::LZMA2.into(),
        ]);
    }
    if solid {
        let entries = members
            .iter()
            .map(|(name, _)| ArchiveEntry::new_file(name))
            .collect();
        let readers: Vec<SourceReader<Cursor<Vec<u8>>>> = members
            .iter()
            .map(|(_, bytes)| SourceReader::new(Cursor::new(bytes.to_vec())))
            .collect();
        writer.push_archive_entries(entries, readers).unwrap();
    } else {
        for (name, bytes) in members {
            writer
                .push_archive_entry(
                    ArchiveEntry::new_file(name),
                    Some(Cursor::new(bytes.to_vec())),
                )
                .unwrap();
        }
    }
    writer.finish().unwrap().into_inner()
}
