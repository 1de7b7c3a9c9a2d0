//! Logs of one kind alone, taken out of a synthetic server that is large enough for each.

use super::{Bench, made, server, walk};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Part of a server's logs that the scarcer kind makes up, with room to spare: IIS writes two fifths of them.
const SERVER_TIMES_TENTHS: u64 = 27;

/// A kind of text log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bench) enum Kind {
    Iis,
    HttpProxy,
}

/// A folder that holds logs of one kind.
pub(in crate::bench) struct TextLoad {
    pub(in crate::bench) folder: PathBuf,
    pub(in crate::bench) files: Vec<PathBuf>,
    pub(in crate::bench) bytes: u64,
    pub(in crate::bench) lines: u64,
}

impl Kind {
    /// As workloads and folders are named.
    pub(in crate::bench) fn name(self) -> &'static str {
        match self {
            Self::Iis => "iis",
            Self::HttpProxy => "httpproxy",
        }
    }

    /// Columns of client address, path and user agent.
    pub(in crate::bench) fn columns(self) -> [&'static str; 3] {
        match self {
            Self::Iis => ["c-ip", "cs-uri-stem", "cs(User-Agent)"],
            Self::HttpProxy => ["ClientIpAddress", "UrlStem", "UserAgent"],
        }
    }

    /// What stands between the columns.
    pub(in crate::bench) fn separator(self) -> char {
        match self {
            Self::Iis => ' ',
            Self::HttpProxy => ',',
        }
    }

    fn holds(self, path: &str) -> bool {
        let part = match self {
            Self::Iis => "/inetpub/logs/",
            Self::HttpProxy => "/Logging/HttpProxy/",
        };
        path.contains(part)
    }
}

/// The logs of this kind, about as many bytes as the run's scale says.
pub(in crate::bench) fn text(bench: &Bench, kind: Kind) -> Result<TextLoad, String> {
    let folder = bench.load(kind.name());
    let said = made(&folder, &server::stamp(), |folder| {
        let whole = bench.load("text-server");
        made(&whole, &server::stamp(), |whole| {
            server::make(bench, bench.options.bytes * SERVER_TIMES_TENTHS / 10, whole)?;
            Ok(String::new())
        })?;
        let evidence = whole.join("evidence");
        take(kind, &evidence, folder, bench.options.bytes)?;
        let lines: u64 = walk(folder).iter().map(|path| lines_of(path)).sum();
        Ok(lines.to_string())
    })?;
    let files = walk(&folder);
    let bytes = files
        .iter()
        .filter_map(|path| path.metadata().ok())
        .map(|metadata| metadata.len())
        .sum();
    Ok(TextLoad {
        folder,
        files,
        bytes,
        lines: said.trim().parse().unwrap_or(0),
    })
}

/// Links logs of the kind, the earliest first, until there are enough; links cost no room.
fn take(kind: Kind, evidence: &Path, into: &Path, bytes: u64) -> Result<(), String> {
    let mut logs: Vec<PathBuf> = walk(evidence)
        .into_iter()
        .filter(|path| kind.holds(&path.to_string_lossy()))
        .collect();
    // Names of logs begin alike and end in the time, so that this mixes protocols and sites.
    logs.sort_by_key(|path| (path.file_name().map(ToOwned::to_owned), path.clone()));
    let mut taken = 0;
    for log in logs {
        if taken >= bytes {
            break;
        }
        let target = into.join(log.strip_prefix(evidence).unwrap_or(&log));
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)
                .map_err(|source| format!("cannot make {}: {source}", folder.display()))?;
        }
        fs::hard_link(&log, &target)
            .map_err(|source| format!("cannot link {}: {source}", target.display()))?;
        taken += log.metadata().map_or(0, |metadata| metadata.len());
    }
    if taken == 0 {
        return Err(format!("the server has no {} logs", kind.name()));
    }
    Ok(())
}

fn lines_of(path: &Path) -> u64 {
    let bytes = fs::read(path).unwrap_or_default();
    bytes.split(|byte| *byte == b'\n').count().saturating_sub(1) as u64
}

/// Looks up a row's cell by the name of its column.
pub(in crate::bench) type Cell<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// Rows of a log as their columns, under the names that its `#Fields:` line gives. Quoted cells are not looked for: the
/// values that are wanted here have no separators in them.
pub(in crate::bench) fn for_each_row(kind: Kind, path: &Path, row: &mut dyn FnMut(&Cell<'_>)) {
    let Ok(file) = fs::File::open(path) else {
        return;
    };
    let mut names: Vec<String> = Vec::new();
    for line in BufReader::new(file).lines().map_while(Result::ok) {
        let line = line.trim_start_matches('\u{feff}').trim_end();
        if let Some(fields) = line.strip_prefix("#Fields:") {
            let fields = fields.trim().split(kind.separator());
            names = fields.map(str::to_owned).collect();
        } else if !line.starts_with('#') && !line.is_empty() {
            let cells: Vec<&str> = line.split(kind.separator()).collect();
            row(&|name| {
                let at = names.iter().position(|known| known == name)?;
                cells.get(at).map(|cell| (*cell).to_owned())
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_of_one_kind_are_taken_earliest_first() {
        let home = tempfile::tempdir().unwrap();
        let evidence = home.path().join("evidence");
        let log = |name: &str| {
            let path = evidence.join("EX/C/inetpub/logs/LogFiles").join(name);
            super::super::write(&path, b"#Fields: date c-ip\n2021-03-02 192.0.2.7\n").unwrap();
        };
        log("W3SVC2/u_ex210101.log");
        log("W3SVC1/u_ex210102.log");
        log("W3SVC1/u_ex210103.log");
        let into = home.path().join("into");
        take(Kind::Iis, &evidence, &into, 50).unwrap();
        let taken: Vec<String> = walk(&into)
            .iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(taken, ["u_ex210102.log", "u_ex210101.log"]);
        assert!(take(Kind::HttpProxy, &evidence, &into, 50).is_err());
        let mut clients = Vec::new();
        for_each_row(Kind::Iis, &walk(&into)[0], &mut |cell| {
            clients.extend(cell("c-ip"));
        });
        assert_eq!(clients, ["192.0.2.7"]);
    }
}
