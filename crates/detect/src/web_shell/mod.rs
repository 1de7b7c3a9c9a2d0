//! Tells whether a file that a web server may run is a web shell, from its content alone.
//!
//! Pages are cut into pieces of server code, each piece is read by a tolerant lexer and parser of its language, and a
//! flow analysis follows what the client sends from where it is read to where it is executed. Strings that are built
//! or encoded to hide a name are put together first. Nothing is run, and the work is bounded by the size of the input.
//!
//! Beside pages this reads property dumps of virtual directories, mailbox and certificate files under a script's
//! name, compiled pages, and `web.config`.

mod assembly;
mod basic;
mod catalog;
mod compiled;
mod config;
mod dump;
mod flow;
mod fold;
mod lexer;
mod parser;
mod program;
mod source;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use compiled::compiled_page;

/// Bytes of one file that are looked at; a longer page is padded against tools such as this one.
pub const BYTES_MAX: usize = 16 << 20;

/// Signs that are kept for one file; more say nothing new.
const SIGNS_MAX: usize = 64;

/// Characters of the excerpt that a sign shows.
const EXCERPT_BYTES: usize = 240;

/// What a sign shows; the names are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// What the client sends is evaluated as script.
    RequestIsEvaluated,
    /// What the client sends becomes a command or process.
    RequestStartsProcess,
    /// What the client sends is loaded or compiled as code.
    RequestLoadsCode,
    /// What the client sends chooses the function or class that is used.
    RequestNamesFunction,
    /// What the client sends chooses the script that is included.
    RequestIsIncluded,
    /// What the client sends is written to a file.
    RequestWritesFile,
    /// What the client sends chooses a host to connect to and is relayed there.
    RequestOpensTunnel,
    /// What the client sends chooses a file that is sent back.
    RequestReadsFile,
    /// What the client sends is turned into objects.
    RequestIsDeserialized,
    /// A page that starts processes.
    StartsProcess,
    /// A page that evaluates or loads text which it builds or decodes.
    HiddenCode,
    /// Script inside the text dump of a virtual directory's properties.
    ScriptInPropertyDump,
    /// A mailbox file (PST) under a script's name.
    MailStoreAsScript,
    /// A certificate or other DER file under a script's name.
    CertificateAsScript,
    /// A compiled page that holds the calls of a web shell.
    CompiledShell,
    /// Server code inside `web.config`.
    CodeInConfiguration,
    /// A configuration that lets files of another kind run as scripts.
    OddScriptMapping,
    /// A configuration that holds machine keys in clear text.
    FixedMachineKey,
}

impl Kind {
    /// The stable name of this kind.
    pub fn name(self) -> &'static str {
        match self {
            Self::RequestIsEvaluated => "request_is_evaluated",
            Self::RequestStartsProcess => "request_starts_process",
            Self::RequestLoadsCode => "request_loads_code",
            Self::RequestNamesFunction => "request_names_function",
            Self::RequestIsIncluded => "request_is_included",
            Self::RequestWritesFile => "request_writes_file",
            Self::RequestOpensTunnel => "request_opens_tunnel",
            Self::RequestReadsFile => "request_reads_file",
            Self::RequestIsDeserialized => "request_is_deserialized",
            Self::StartsProcess => "starts_process",
            Self::HiddenCode => "hidden_code",
            Self::ScriptInPropertyDump => "script_in_property_dump",
            Self::MailStoreAsScript => "mail_store_as_script",
            Self::CertificateAsScript => "certificate_as_script",
            Self::CompiledShell => "compiled_shell",
            Self::CodeInConfiguration => "code_in_configuration",
            Self::OddScriptMapping => "odd_script_mapping",
            Self::FixedMachineKey => "fixed_machine_key",
        }
    }

    /// The ATT&CK techniques that this kind shows.
    pub fn techniques(self) -> &'static [&'static str] {
        match self {
            Self::RequestIsEvaluated
            | Self::RequestNamesFunction
            | Self::RequestIsIncluded
            | Self::ScriptInPropertyDump
            | Self::CompiledShell
            | Self::RequestIsDeserialized => &["T1505.003"],
            Self::RequestStartsProcess | Self::StartsProcess => &["T1505.003", "T1059"],
            Self::RequestLoadsCode => &["T1505.003", "T1620"],
            Self::RequestWritesFile => &["T1505.003", "T1105"],
            Self::RequestOpensTunnel => &["T1505.003", "T1090"],
            Self::RequestReadsFile => &["T1505.003", "T1005"],
            Self::HiddenCode => &["T1505.003", "T1027"],
            Self::MailStoreAsScript | Self::CertificateAsScript => &["T1505.003", "T1036.008"],
            Self::CodeInConfiguration | Self::OddScriptMapping => &["T1505.004", "T1505.003"],
            Self::FixedMachineKey => &["T1552.001"],
        }
    }
}

/// The language of the code that a sign stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    CSharp,
    /// VB.NET and VBScript: one grammar is enough for both.
    VisualBasic,
    /// JScript, and JScript .NET.
    JScript,
    Php,
    Java,
    /// XML configuration.
    Configuration,
    /// Compiled .NET code.
    DotNet,
    /// No code at all.
    None,
}

impl Language {
    /// The stable name of this language.
    pub fn name(self) -> &'static str {
        match self {
            Self::CSharp => "csharp",
            Self::VisualBasic => "visual_basic",
            Self::JScript => "jscript",
            Self::Php => "php",
            Self::Java => "java",
            Self::Configuration => "configuration",
            Self::DotNet => "dotnet",
            Self::None => "none",
        }
    }
}

/// Something in a file that speaks for a web shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sign {
    pub kind: Kind,
    /// Proves by itself that the file is a web shell, or the work of one.
    pub decisive: bool,
    /// One sentence for a responder.
    pub explanation: String,
    /// Byte offset in the file.
    pub offset: u64,
    /// Line in the file, counted from 1.
    pub line: u64,
    /// The bytes around the offset, decoded lossily; not escaped for any output.
    pub excerpt: String,
    pub techniques: &'static [&'static str],
    pub language: Language,
}

/// What the analysis of one file came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Analysis {
    /// In the order of their offsets.
    pub signs: Vec<Sign>,
    /// What was not looked at, in words for a gap; empty if everything was.
    pub not_seen: Vec<String>,
}

impl Analysis {
    /// Whether the whole file was looked at.
    pub fn complete(&self) -> bool {
        self.not_seen.is_empty()
    }

    /// Whether some sign proves a web shell.
    pub fn decisive(&self) -> bool {
        self.signs.iter().any(|sign| sign.decisive)
    }
}

/// Looks for signs of a web shell in the content of one file.
///
/// `original_path` is the path that the file had on its host: its ending says whether, and how, the server runs it.
/// A file whose ending the server does not run can hold suspicious signs but no decisive ones, except where it is a
/// compiled page or a `web.config`.
pub fn analyse(original_path: &str, bytes: &[u8]) -> Analysis {
    let mut notes = Notes::new(bytes);
    let ending = model::extension(original_path);
    let seen = &bytes[..bytes.len().min(BYTES_MAX)];
    if seen.len() < bytes.len() {
        notes.skip(format!(
            "only the first {BYTES_MAX} of {} bytes were looked at",
            bytes.len()
        ));
    }
    if ending == "dll" || ending == "exe" {
        assembly::analyse(original_path, seen, &mut notes);
    } else if ending == "config" {
        config::analyse(original_path, seen, &mut notes);
    } else {
        foreign_head(original_path, seen, &mut notes);
        dump::analyse(original_path, seen, &mut notes);
        source::analyse(original_path, seen, &mut notes);
    }
    notes.finish()
}

/// Mailbox exports and certificate requests written under a script's name; whatever script they carry stands between
/// binary data, so a sign here does not end the search.
fn foreign_head(path: &str, bytes: &[u8], notes: &mut Notes<'_>) {
    if !pack::shipped_files::is_script(path) {
        return;
    }
    if bytes.starts_with(b"!BDN") {
        let words = "This mailbox file (PST) stands under the name of a script: mail was exported here so that the server would run what the mail carries.";
        notes.add(Kind::MailStoreAsScript, true, words, 0, Language::None);
    } else if bytes.starts_with(&[0x30, 0x82]) || is_armoured_certificate(bytes) {
        let words = "This certificate file stands under the name of a script: a certificate request was written here so that the server would run what its fields carry.";
        notes.add(Kind::CertificateAsScript, true, words, 0, Language::None);
    }
}

fn is_armoured_certificate(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(64)];
    let text = String::from_utf8_lossy(start);
    text.trim_start_matches('\u{feff}')
        .trim_start()
        .starts_with("-----BEGIN ")
        && text.contains("CERTIFICATE")
}

/// Collects the signs of one file.
struct Notes<'a> {
    bytes: &'a [u8],
    signs: BTreeMap<(u64, Kind), Sign>,
    not_seen: Vec<String>,
}

impl<'a> Notes<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            signs: BTreeMap::new(),
            not_seen: Vec::new(),
        }
    }

    /// Notes one sign; of one kind and line the first, or a decisive one instead of it.
    fn add(
        &mut self,
        kind: Kind,
        decisive: bool,
        explanation: &str,
        offset: usize,
        language: Language,
    ) {
        if self.signs.len() >= 2 * SIGNS_MAX {
            return;
        }
        let line = line_of(self.bytes, offset);
        let known = self
            .signs
            .iter()
            .find(|((_, known), sign)| *known == kind && sign.line == line);
        if let Some((key, sign)) = known {
            if sign.decisive || !decisive {
                return;
            }
            let key = *key;
            self.signs.remove(&key);
        }
        let sign = Sign {
            kind,
            decisive,
            explanation: explanation.to_owned(),
            offset: offset as u64,
            line,
            excerpt: excerpt(self.bytes, offset),
            techniques: kind.techniques(),
            language,
        };
        self.signs.insert((offset as u64, kind), sign);
    }

    /// Notes that something was not looked at.
    fn skip(&mut self, what: impl Into<String>) {
        let what = what.into();
        if !self.not_seen.contains(&what) {
            self.not_seen.push(what);
        }
    }

    fn finish(self) -> Analysis {
        Analysis {
            signs: self.signs.into_values().collect(),
            not_seen: self.not_seen,
        }
    }
}

fn line_of(bytes: &[u8], offset: usize) -> u64 {
    let before = &bytes[..offset.min(bytes.len())];
    memchr::memchr_iter(b'\n', before).count() as u64 + 1
}

/// The text around `offset`: from the start of its line, but not from far away.
fn excerpt(bytes: &[u8], offset: usize) -> String {
    let offset = offset.min(bytes.len());
    let earliest = offset.saturating_sub(EXCERPT_BYTES / 3);
    let start =
        memchr::memrchr(b'\n', &bytes[earliest..offset]).map_or(earliest, |at| earliest + at + 1);
    let end = bytes.len().min(start + EXCERPT_BYTES);
    let text = String::from_utf8_lossy(&bytes[start..end]);
    text.replace('\0', "").trim().to_owned()
}
