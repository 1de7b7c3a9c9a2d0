//! How collectors lay out what they take, and what they write about their own run.

use crate::moment::Moment;
use crate::sink::{Container, Sink, Taken};
use jiff::Timestamp;
use sha1::{Digest, Sha1};
use std::fmt::Write;
use std::io;

/// How a collector names what it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// `C/inetpub/…`, as `CyLR` and hand-made copies have it.
    #[default]
    Drives,
    /// `C/inetpub/…` with a console log, a copy log and a skip log, as KAPE has it
    /// (<https://ericzimmerman.github.io/KapeDocs/#!Pages%5C2.1-Targets.md>).
    Kape,
    /// `uploads/auto/C%3A/inetpub/…` with `uploads.json`, as Velociraptor's offline collector has it
    /// (<https://github.com/Velocidex/velociraptor/blob/master/reporting/container.go>).
    Velociraptor,
    /// `fs/C:/inetpub/…` with a report and a log, as Fox-IT's acquire has it (<https://github.com/fox-it/acquire>).
    Acquire,
}

/// A container filled in the layout of a collector.
#[derive(Debug)]
pub struct Collection<C> {
    pub container: C,
    layout: Layout,
    files: u64,
    bytes: u64,
    /// What the collector notes for each file, a line each.
    noted: String,
}

impl<C: Container> Collection<C> {
    pub fn new(container: C, layout: Layout) -> Self {
        Self {
            container,
            layout,
            files: 0,
            bytes: 0,
            noted: String::new(),
        }
    }

    /// Notes a file as the collector does, and gives its name in the container.
    fn name(&mut self, path: &str, modified: Timestamp, contents: &[u8]) -> String {
        match self.layout {
            Layout::Drives => drive_name(path),
            Layout::Kape => {
                let name = drive_name(path);
                self.note_copied(path, &name, modified, contents);
                name
            }
            Layout::Velociraptor => {
                self.note_uploaded(path, modified, contents.len());
                let mut name = "uploads/auto".to_owned();
                for part in path.split('\\') {
                    name.push('/');
                    escape(part, &mut name);
                }
                name
            }
            Layout::Acquire => {
                let name = format!("fs/{}", path.replace('\\', "/"));
                writeln!(self.noted, "- Collecting file {path}: OK")
                    .expect("writing to a string succeeds");
                name
            }
        }
    }

    /// A row of KAPE's copy log, but for the time of copying, which is known at the end only.
    fn note_copied(&mut self, path: &str, name: &str, modified: Timestamp, contents: &[u8]) {
        let copy = name.replace('/', "\\");
        let modified = fine_time(modified);
        let size = contents.len();
        write!(self.noted, r"{path},D:\out\{copy},{size},").expect("writing to a string succeeds");
        for byte in Sha1::digest(contents) {
            write!(self.noted, "{byte:02X}").expect("writing to a string succeeds");
        }
        write!(
            self.noted,
            ",False,{modified},{modified},{modified},00:00:00.0010000\r\n"
        )
        .expect("writing to a string succeeds");
    }

    fn note_uploaded(&mut self, path: &str, modified: Timestamp, size: usize) {
        let components = ["uploads", "auto"].into_iter().chain(path.split('\\'));
        let upload = serde_json::json!({
            "Timestamp": modified.to_string(),
            "started": modified.to_string(),
            "vfs_path": path,
            "_Components": components.collect::<Vec<_>>(),
            "file_size": size,
            "uploaded_size": size,
            "Type": "",
        });
        writeln!(self.noted, "{upload}").expect("writing to a string succeeds");
    }

    fn put_text(&mut self, name: &str, taken: &Taken, text: &str) -> io::Result<()> {
        self.container.put(name, taken.time, text.as_bytes())
    }

    fn finish_kape(&mut self, taken: &Taken) -> io::Result<()> {
        let time = fine_time(taken.time);
        let stamp = time.replace(' ', "T").replace([':', '.'], "_");
        let host = &taken.host;
        let files = self.files;
        let lines = [
            r"KAPE directory: C:\kape".to_owned(),
            format!(r"Command line:   --tsource C: --tdest D:\out --target Exchange --zip {host}"),
            format!(
                "System info: Machine name: {host}, 64-bit: true, User: Administrator OS: Windows10 (10.0.14393)"
            ),
            "Using Target operations".to_owned(),
            format!("Found {files} files in 4.2001 seconds. Beginning copy..."),
            format!(
                "Copied {files} out of {files} files in 61.7512 seconds. See '*_CopyLog.csv' in the VHD(X)/Zip located in 'D:\\out' for copy details"
            ),
        ];
        let mut console = String::new();
        for line in lines {
            write!(console, "[{time} | INF] {line}\r\n").expect("writing to a string succeeds");
        }
        let mut copies = "CopiedTimestamp,SourceFile,DestinationFile,FileSize,SourceFileSha1,DeferredCopy,CreatedOnUtc,ModifiedOnUtc,LastAccessedOnUtc,CopyDuration\r\n".to_owned();
        for row in self.noted.lines() {
            write!(copies, "{time},{row}\r\n").expect("writing to a string succeeds");
        }
        self.put_text(&format!("{stamp}_ConsoleLog.txt"), taken, &console)?;
        self.put_text(&format!("{stamp}_CopyLog.csv"), taken, &copies)?;
        let skipped = "SourceFile,SourceFileSha1,Reason\r\n";
        self.put_text(&format!("{stamp}_SkipLog.csv"), taken, skipped)
    }

    fn finish_velociraptor(&mut self, taken: &Taken) -> io::Result<()> {
        let uploads = std::mem::take(&mut self.noted);
        self.put_text("uploads.json", taken, &uploads)?;
        let client = serde_json::json!({
            "client_id": "server",
            "hostname": taken.host,
            "fqdn": taken.host_full,
            "os": "windows",
            "architecture": "amd64",
        });
        self.put_text("client_info.json", taken, &client.to_string())?;
        let microseconds = Moment::from(taken.time).0 * 1_000;
        let context = serde_json::json!({
            "client_id": "server",
            "create_time": microseconds,
            "start_time": microseconds,
            "state": "FINISHED",
            "total_uploaded_files": self.files,
            "total_uploaded_bytes": self.bytes,
        });
        self.put_text("collection_context.json", taken, &context.to_string())?;
        let mut log = String::new();
        for message in ["Starting collection.", "Collection is done."] {
            let line = serde_json::json!({
                "_ts": taken.time.as_second(),
                "client_time": taken.time.as_second(),
                "level": "INFO",
                "message": message,
            });
            writeln!(log, "{line}").expect("writing to a string succeeds");
        }
        self.put_text("log.json", taken, &log)
    }

    fn finish_acquire(&mut self, taken: &Taken) -> io::Result<()> {
        let time = Moment::from(taken.time);
        let at = time.w3c();
        let name = format!(
            "{}_{}{}",
            taken.host,
            time.compact_day(),
            &at[11..].replace(':', "")
        );
        let mut log = String::new();
        let host = &taken.host;
        let begun = [
            format!("Target name: {host}"),
            format!("Hostname: {host}"),
            "OS version: Windows Server 2016 (10.0.14393)".to_owned(),
        ];
        for line in begun.iter().map(String::as_str).chain(self.noted.lines()) {
            writeln!(log, "[{at},000] [INFO ] {line}").expect("writing to a string succeeds");
        }
        let report = serde_json::json!({
            "target": "<Target local>",
            "name": host,
            "timestamp": taken.time.to_string(),
            "modules-failed": {},
        });
        self.put_text(&format!("{name}.log"), taken, &log)?;
        self.put_text(&format!("{name}.report.json"), taken, &report.to_string())
    }
}

impl<C: Container> Sink for Collection<C> {
    fn file(&mut self, path: &str, modified: Timestamp, contents: &[u8]) -> io::Result<()> {
        let name = self.name(path, modified, contents);
        self.files += 1;
        self.bytes += u64::try_from(contents.len()).expect("a file's length fits 64 bits");
        self.container.put(&name, modified, contents)
    }

    fn finish(&mut self, taken: &Taken) -> io::Result<()> {
        match self.layout {
            Layout::Drives => {}
            Layout::Kape => self.finish_kape(taken)?,
            Layout::Velociraptor => self.finish_velociraptor(taken)?,
            Layout::Acquire => self.finish_acquire(taken)?,
        }
        self.container.close()
    }
}

/// `C/inetpub/…` for `C:\inetpub\…`.
fn drive_name(path: &str) -> String {
    path.replacen(':', "", 1).replace('\\', "/")
}

/// A path component as Velociraptor writes it into archives.
fn escape(component: &str, out: &mut String) {
    for character in component.chars() {
        match character {
            '%' | ':' | '"' | '/' | '|' | '?' | '*' | '<' | '>' => {
                write!(out, "%{:02X}", u32::from(character)).expect("writing to a string succeeds");
            }
            character => out.push(character),
        }
    }
}

/// `2021-03-20 00:00:00.0000000`, as KAPE writes times.
fn fine_time(time: Timestamp) -> String {
    let time = Moment::from(time);
    format!("{}.{:03}0000", time.w3c(), time.civil().millisecond)
}
