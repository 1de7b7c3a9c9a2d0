//! What is done with the bytes of a file: hashes against indicators, YARA rules, and the web-shell analysis.

use crate::engine::{Engine, ItemDetection};
use crate::indicators::{base, kind_of_file};
use crate::table::shortened;
use crate::yara::YaraMatch;
use model::{
    At, EVIDENCE_BYTES_MAX, Finding, Foothold, FootholdKind, FootholdState, GapKind, Place, Stage,
    extension,
};
use pack::shipped_files::is_script;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Pages are looked at up to this size; a longer one is padded against tools such as this one.
const PAGE_BYTES_MAX: u64 = 16 << 20;

/// Programs are looked at up to this size; web shells in compiled form are small.
const PROGRAM_BYTES_MAX: u64 = 4 << 20;

/// Kinds of items, or beginnings of them, whose records are looked at one by one. Whatever text of a page they quote,
/// they are no pages; only rules that a user brings for them look at their bytes.
const RECORD_KINDS: [&str; 19] = [
    "exchange.",
    "iis.w3c",
    "iis.failed_request",
    "http.err",
    "windows.evtx",
    "windows.event_json",
    "windows.registry",
    "windows.task",
    "windows.prefetch",
    "windows.firewall",
    "windows.powershell",
    "windows.defender",
    "windows.wer",
    "windows.wmi",
    "ntfs.",
    "prior.",
    "files.listing",
    "dns.",
    "m365.audit",
];

/// Files that only a user's YARA rules ask for.
const USER_BYTES_MAX: u64 = 32 << 20;

/// Signs of server code, in lower case, by which a script is known under any name.
const SCRIPT_HEADS: [&[u8]; 6] = [b"<%@", b"<%", b"<?php", b"runat=", b"<jsp:", b"!bdn"];

/// Endings of scripts that are no server pages but are run by other means.
const OTHER_SCRIPTS: [&str; 9] = [
    "ps1", "psm1", "bat", "cmd", "vbs", "js", "hta", "wsf", "config",
];

/// Whether items of this kind are looked at record by record, and not as files.
pub fn holds_records(kind: &str) -> bool {
    RECORD_KINDS.iter().any(|known| kind.starts_with(known))
}

impl ItemDetection<'_> {
    /// How many bytes of this file are worth reading: `head` is its beginning, `size` its size where known. `None`:
    /// the file is not interesting. Hash indicators need no bytes: call [`Self::file`] with the digest alone.
    pub fn wants_file(&self, path: &str, head: &[u8], size: Option<u64>) -> Option<u64> {
        let ending = extension(path);
        if !self.engine.looks_for_shells {
            // The same bound whatever the file is: a user's rules are for any.
            let wanted = self.engine.yara.user_wants(path)
                || self.engine.indicators.has_hashes_of(40)
                || self.engine.indicators.has_hashes_of(32);
            return wanted.then(|| size.map_or(USER_BYTES_MAX, |size| size.min(USER_BYTES_MAX)));
        }
        let bytes_max = if is_page(path, &ending, head) {
            PAGE_BYTES_MAX
        } else if self.is_program_to_look_at(path, head)
            && size.is_none_or(|size| size <= PROGRAM_BYTES_MAX)
        {
            PROGRAM_BYTES_MAX
        } else if self.engine.yara.user_wants(path) {
            USER_BYTES_MAX
        } else if OTHER_SCRIPTS.contains(&ending.as_str()) && self.is_in_scanned_folder(path) {
            PROGRAM_BYTES_MAX
        } else {
            return None;
        };
        Some(size.map_or(bytes_max, |size| size.min(bytes_max)))
    }

    /// Looks at the bytes of the item. `sha256` is its digest in hexadecimal digits where the caller knows it;
    /// `complete` says whether these are all bytes of the item. Bytes may be empty where only the digest counts.
    pub fn file(&mut self, kind: &str, sha256: Option<&str>, bytes: &[u8], complete: bool) {
        let digest = sha256.map(str::to_lowercase).or_else(|| {
            (complete && !bytes.is_empty()).then(|| hexadecimal(&Sha256::digest(bytes)))
        });
        self.hash_indicators(digest.as_deref(), bytes, complete);
        let holds_records = holds_records(kind);
        if bytes.is_empty() || (holds_records && !self.engine.yara.user_wants(&self.path)) {
            return;
        }
        if !complete {
            let detail = format!("Only the first {} bytes were looked at.", bytes.len());
            self.gaps.push((GapKind::Limit, At::Item, detail));
        }
        self.yara(digest.as_deref(), bytes);
        if !holds_records && self.engine.looks_for_shells {
            self.web_shell(digest.as_deref(), bytes);
        }
    }

    fn is_in_scanned_folder(&self, path: &str) -> bool {
        let path = path.replace('/', "\\").to_lowercase();
        let folders = &self.engine.table.scanned_folders;
        folders.iter().any(|folder| path.contains(folder))
    }

    fn is_program_to_look_at(&self, path: &str, head: &[u8]) -> bool {
        head.starts_with(b"MZ") && self.is_in_scanned_folder(path)
    }

    fn hash_indicators(&mut self, sha256: Option<&str>, bytes: &[u8], complete: bool) {
        let known = &self.engine.indicators;
        let mut digests: Vec<String> = sha256.map(str::to_owned).into_iter().collect();
        if complete && !bytes.is_empty() {
            if known.has_hashes_of(40) {
                digests.push(hexadecimal(&sha1::Sha1::digest(bytes)));
            }
            if known.has_hashes_of(32) {
                digests.push(hexadecimal(&md5::Md5::digest(bytes)));
            }
        }
        let Some(indicator) = digests.iter().find_map(|digest| known.by_hash(digest)) else {
            return;
        };
        if sha256.is_some_and(|digest| self.engine.ships_content(digest)) {
            return;
        }
        let mut finding = base(indicator, Place::item("", &self.path));
        finding.stage = Some(Stage::Foothold);
        let kind = kind_of_file(&self.path);
        match kind {
            FootholdKind::WebShell => "shell_written",
            FootholdKind::CompiledShell => "page_compiled",
            _ => "persistence",
        }
        .clone_into(&mut finding.step);
        finding.evidence = shortened(
            &String::from_utf8_lossy(&bytes[..bytes.len().min(EVIDENCE_BYTES_MAX)]),
            EVIDENCE_BYTES_MAX,
        );
        finding.details = self.file_details(sha256);
        finding.foothold = Some(self.foothold(kind, sha256));
        self.collected.add(finding);
    }

    /// Indicators of paths and names that the item's own path meets: probes at most, and nothing where the product
    /// ships a page of that name.
    pub(crate) fn path_indicators(&mut self) {
        let engine = self.engine;
        let path = self.path.clone();
        for indicator in engine.indicators.of_path(&path) {
            if engine.is_shipped_file(&path) {
                continue;
            }
            let mut finding = base(indicator, Place::item("", &path));
            finding.stage = Some(Stage::Probed);
            finding.evidence = shortened(&path, EVIDENCE_BYTES_MAX);
            finding.details = self.file_details(None);
            self.collected.add(finding);
        }
    }

    fn yara(&mut self, sha256: Option<&str>, bytes: &[u8]) {
        let scanner = &mut self.scratch.scanner;
        match self.engine.yara.scan(&self.path, bytes, scanner) {
            Ok(matches) => {
                for found in matches {
                    let finding = self.of_yara(found, sha256, bytes);
                    self.collected.add(finding);
                }
            }
            Err(stopped) => {
                let detail = format!("The file was not looked at to its end: {}.", stopped.0);
                self.gaps.push((GapKind::Limit, At::Item, detail));
            }
        }
    }

    fn of_yara(&self, found: YaraMatch, sha256: Option<&str>, bytes: &[u8]) -> Finding {
        let place = Place::item("", &self.path);
        // Under a name that the server does not run, the text of a shell is a note about it, or a copy set aside.
        let runs = found.foothold != Some(FootholdKind::WebShell) || is_run(&self.path);
        let offset = found.offset.unwrap_or(0).min(bytes.len());
        let end = bytes.len().min(offset + 240);
        Finding {
            id: String::new(),
            rule: found.name,
            title: found.title,
            stage: found
                .stage
                .filter(|stage| runs && *stage != Stage::NoneSeen),
            campaign: found.campaign,
            level: if runs {
                found.level
            } else {
                "medium".to_owned()
            },
            techniques: found.techniques,
            time: None,
            last: None,
            count: 1,
            place: match found.offset {
                Some(offset) => place.at(At::Offset(offset as u64)),
                None => place,
            },
            author: found.author,
            reference: found.reference,
            evidence: String::from_utf8_lossy(&bytes[offset..end]).into_owned(),
            meaning: found.meaning,
            step: found.step,
            details: self.file_details(sha256),
            foothold: found
                .foothold
                .filter(|_| runs)
                .map(|kind| self.foothold(kind, sha256)),
        }
    }

    pub(crate) fn foothold(&self, kind: FootholdKind, sha256: Option<&str>) -> Foothold {
        Foothold {
            kind,
            path: self.path.clone(),
            sha256: sha256.map(str::to_owned),
            state: FootholdState::Present,
        }
    }

    pub(crate) fn file_details(&self, sha256: Option<&str>) -> BTreeMap<String, String> {
        let mut details = BTreeMap::from([("path".to_owned(), self.path.clone())]);
        if let Some(sha256) = sha256 {
            details.insert("sha256".to_owned(), sha256.to_owned());
        }
        details
    }
}

impl Engine {
    /// Whether the product ships a page that this URL path is served from.
    pub(crate) fn is_shipped_page(&self, url_path: &str) -> bool {
        let below = url_path.replace('/', "\\");
        let folders = &self.table.shipped_page_folders;
        folders.iter().any(|folder| {
            !self
                .shipped()
                .versions(&format!("{folder}{below}"))
                .is_empty()
        })
    }

    /// Whether the product ships a file under this Windows path, wherever it is installed.
    fn is_shipped_file(&self, path: &str) -> bool {
        let path = path.replace('/', "\\").to_lowercase();
        self.table.shipped_page_folders.iter().any(|folder| {
            let at = path.find(&format!("{}\\", folder.to_lowercase()));
            at.is_some_and(|at| !self.shipped().versions(&path[at..]).is_empty())
        })
    }

    /// Whether the product ships a file of this content.
    pub(crate) fn ships_content(&self, sha256: &str) -> bool {
        let mut digest = [0_u8; 32];
        if sha256.len() != 64 || !sha256.is_ascii() {
            return false;
        }
        for (at, byte) in digest.iter_mut().enumerate() {
            match u8::from_str_radix(&sha256[2 * at..2 * at + 2], 16) {
                Ok(value) => *byte = value,
                Err(_not_hex) => return false,
            }
        }
        !self.shipped().places_of(&digest).is_empty()
    }
}

/// Whether a web server runs a file of this name, or takes its settings from it.
fn is_run(path: &str) -> bool {
    is_script(path) || matches!(extension(path).as_str(), "config" | "master" | "skin")
}

/// Whether a file is a page, or server code under another name.
fn is_page(path: &str, ending: &str, head: &[u8]) -> bool {
    is_script(path)
        || matches!(ending, "config" | "master" | "skin" | "browser")
        || SCRIPT_HEADS
            .iter()
            .any(|sign| contains(&head[..head.len().min(4096)].to_ascii_lowercase(), sign))
}

fn contains(text: &[u8], sign: &[u8]) -> bool {
    memchr::memmem::find(text, sign).is_some()
}

fn hexadecimal(digest: &[u8]) -> String {
    let mut text = String::with_capacity(digest.len() * 2);
    for byte in digest {
        let _infallible = write!(text, "{byte:02x}");
    }
    text
}
