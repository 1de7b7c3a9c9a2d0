//! Compiled pages: the assemblies `App_Web_*.dll` that ASP.NET makes of pages, and that intruders place ready-made.
//!
//! Only the metadata is read: the names that the code uses and the texts in it (ECMA-335, partition II, section 24.2).
//! It shows which calls are there, not how data flows between them, so only combinations that no ordinary page has
//! are decisive.

use std::collections::BTreeSet;

use super::{Kind, Language, Notes};

/// What opens the metadata of a .NET assembly.
const SIGNATURE: &[u8] = b"BSJB";

/// Streams of an assembly's metadata; there are five.
const STREAMS_MAX: u16 = 16;

/// Names that are read from one assembly.
const NAMES_MAX: usize = 100_000;

/// Members of the request that carry what the client sends.
const INPUT: &[&str] = &[
    "get_request",
    "get_querystring",
    "get_form",
    "get_headers",
    "get_cookies",
    "get_params",
    "get_inputstream",
    "binaryread",
    "get_files",
];

/// What turns sent text into bytes of code.
const DECODERS: &[&str] = &[
    "frombase64string",
    "transformfinalblock",
    "binaryread",
    "createdecryptor",
];

pub(super) fn analyse(path: &str, bytes: &[u8], notes: &mut Notes<'_>) {
    let name = model::file_name(path).to_lowercase();
    if !name.starts_with("app_web_")
        && !name.starts_with("app_global.asax")
        && !name.starts_with("app_code.")
    {
        return;
    }
    let Some(metadata) = Metadata::read(bytes) else {
        notes.skip("the compiled page is no .NET assembly that can be read");
        return;
    };
    if let Some((words, decisive)) = judge(&metadata) {
        notes.add(
            Kind::CompiledShell,
            decisive,
            &words,
            metadata.offset,
            Language::DotNet,
        );
    }
}

/// The sentence for a responder, and whether it is decisive.
fn judge(metadata: &Metadata) -> Option<(String, bool)> {
    let has = |name: &str| metadata.names.contains(name);
    let input = INPUT.iter().find(|name| has(name));
    let because = |what: &str, input: &str| {
        format!(
            "This compiled page reads what the client sends ({input}) and {what}: it was made from a web shell."
        )
    };
    if has("jscriptevaluate") {
        let input = *input.unwrap_or(&"no member of the request is named");
        return Some((
            because("runs text as script (JScriptEvaluate)", input),
            true,
        ));
    }
    let input = *input?;
    if has("compileassemblyfromsource") {
        return Some((
            because("compiles text as code (CompileAssemblyFromSource)", input),
            true,
        ));
    }
    let loads = has("assembly") && has("load");
    if loads && DECODERS.iter().any(|name| has(name)) {
        return Some((
            because("loads decoded bytes as code (Assembly.Load)", input),
            true,
        ));
    }
    let starts = has("process") && has("start") || has("processstartinfo");
    if starts {
        let shell = ["cmd.exe", "cmd", "/c ", "powershell"].iter().find(|text| {
            metadata
                .texts
                .iter()
                .any(|found| found.trim_start().starts_with(*text))
        });
        return Some(match shell {
            Some(shell) => (
                because(
                    &format!("starts processes (its texts name `{}`)", shell.trim()),
                    input,
                ),
                true,
            ),
            None => (
                format!(
                    "This compiled page reads what the client sends ({input}) and starts processes; an ordinary page does not."
                ),
                false,
            ),
        });
    }
    None
}

struct Metadata {
    offset: usize,
    /// In lower case.
    names: BTreeSet<String>,
    /// In lower case.
    texts: BTreeSet<String>,
}

impl Metadata {
    /// Reads the names and texts; nothing if the bytes hold no metadata.
    fn read(bytes: &[u8]) -> Option<Self> {
        if !bytes.starts_with(b"MZ") {
            return None;
        }
        let offset = memchr::memmem::find(bytes, SIGNATURE)?;
        let root = bytes.get(offset..)?;
        let version_length = usize::try_from(u32_at(root, 12)?).ok()?;
        let mut at = 16_usize.checked_add(version_length)?.checked_add(2)?;
        let count = u16_at(root, at)?.min(STREAMS_MAX);
        at = at.checked_add(2)?;
        let mut metadata = Self {
            offset,
            names: BTreeSet::new(),
            texts: BTreeSet::new(),
        };
        for _ in 0..count {
            let (start, size) = (u32_at(root, at)?, u32_at(root, at.checked_add(4)?)?);
            let name_at = at.checked_add(8)?;
            let name: Vec<u8> = root
                .get(name_at..)?
                .iter()
                .copied()
                .take(32)
                .take_while(|byte| *byte != 0)
                .collect();
            // The name and its zero are filled up to a multiple of four.
            at = name_at.checked_add(name.len().checked_add(4)? & !3)?;
            let start = usize::try_from(start).ok()?;
            let end = start
                .saturating_add(usize::try_from(size).ok()?)
                .min(root.len());
            let stream = root.get(start..end).unwrap_or(&[]);
            match name.as_slice() {
                b"#Strings" => metadata.names = names(stream),
                b"#US" => metadata.texts = texts(stream),
                _ => {}
            }
        }
        Some(metadata)
    }
}

fn names(stream: &[u8]) -> BTreeSet<String> {
    stream
        .split(|byte| *byte == 0)
        .take(NAMES_MAX)
        .filter(|name| !name.is_empty() && name.len() < 128)
        .map(|name| String::from_utf8_lossy(name).to_lowercase())
        .collect()
}

/// The user strings: each with its length in front, UTF-16, and a flag byte behind.
fn texts(stream: &[u8]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut at = 1;
    while at < stream.len() && found.len() < NAMES_MAX {
        let Some((length, head)) = compressed_length(&stream[at..]) else {
            break;
        };
        let start = at + head;
        let end = start.saturating_add(length).min(stream.len());
        let units = stream[start.min(end)..end]
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        let text: String = char::decode_utf16(units.take(256))
            .map(|unit| unit.unwrap_or('?'))
            .collect();
        if !text.is_empty() {
            found.insert(text.to_lowercase());
        }
        at = end.max(at + 1);
    }
    found
}

fn compressed_length(bytes: &[u8]) -> Option<(usize, usize)> {
    match *bytes {
        [a, ..] if a & 0x80 == 0 => Some((usize::from(a), 1)),
        [a, b, ..] if a & 0xc0 == 0x80 => Some((usize::from(a & 0x3f) << 8 | usize::from(b), 2)),
        [a, b, c, d, ..] if a & 0xe0 == 0xc0 => {
            let length = u32::from_be_bytes([a & 0x1f, b, c, d]);
            Some((usize::try_from(length).ok()?, 4))
        }
        _ => None,
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let pair = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes([pair[0], pair[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes([four[0], four[1], four[2], four[3]]))
}
