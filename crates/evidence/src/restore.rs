//! Original Windows paths from the names that collectors and archivers store.
//!
//! Layouts are told by one thing only: where the drive stands. KAPE and `CyLR` store `C/…` (KAPE perhaps below the
//! host's name), Velociraptor `uploads/auto/C%3A/…` and `uploads/ntfs/%5C%5C.%5CC%3A/…`, acquire `fs/C:/…` or
//! `sysvol/…`, UAC `[root]/…`. What stands before the drive belongs to the container and is left out; without a
//! drive the path stays relative.

use std::fmt::Write as _;

/// Components that are looked through for the drive. Velociraptor's server export has eight before it.
const DRIVE_COMPONENTS_MAX: usize = 12;

/// A bare letter is a drive only this near to the top: `export/EX01/C/…`.
const LETTER_COMPONENTS_MAX: usize = 4;

/// Windows' own bound on a path, in characters.
const PATH_CHARS_MAX: usize = 32_767;

/// A path as it stood on the host, and what had to be changed to show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Restored {
    pub(crate) path: String,
    /// One phrase, where the stored name was hostile.
    pub(crate) altered: Option<&'static str>,
}

/// Brings a stored name to its Windows form. The result is for showing and comparing, never for opening.
pub(crate) fn restore(stored: &str) -> Restored {
    let mut altered = None;
    let components = split(stored, &mut altered);
    let (prefix, rest, encoded) = match find_drive(&components) {
        Some(drive) => (
            drive.prefix,
            &components[drive.at.saturating_add(1)..],
            drive.encoded,
        ),
        None => relative(&components),
    };
    let mut path = prefix;
    for component in rest {
        if encoded && component.contains('%') {
            // Decoding can bring back separators and `..`, so the parts are split again.
            for part in split(&percent_decode(component), &mut altered) {
                push(&mut path, &part, &mut altered);
            }
        } else {
            push(&mut path, component, &mut altered);
        }
    }
    if let Some((end, _)) = path.char_indices().nth(PATH_CHARS_MAX) {
        path.truncate(end);
        altered = Some("is longer than any Windows path and was cut");
    }
    if path.is_empty() {
        path.push_str("(no name)");
    }
    Restored { path, altered }
}

/// Whether a folder of this name holds a drive: `C`, `C:`, `c$`, `C_`, `C%3A`, `%43`, `\\.\C:`.
pub(crate) fn names_drive(component: &str) -> bool {
    drive_letter(component).is_some()
}

/// The components of a stored name without empty ones, `.` and `..`.
fn split(stored: &str, altered: &mut Option<&'static str>) -> Vec<String> {
    let mut components = Vec::new();
    for component in stored.split(['/', '\\']) {
        match component {
            "" | "." => {}
            ".." => *altered = Some("climbs out of its container with `..`, which was left out"),
            name => components.push(name.to_owned()),
        }
    }
    components
}

struct Drive {
    at: usize,
    prefix: String,
    /// Whether the components after it are percent-encoded.
    encoded: bool,
}

fn find_drive(components: &[String]) -> Option<Drive> {
    let folders = components.len().saturating_sub(1);
    for (at, component) in components
        .iter()
        .enumerate()
        .take(folders.min(DRIVE_COMPONENTS_MAX))
    {
        if let Some(snapshot) = shadow_copy(component) {
            return Some(Drive {
                at,
                prefix: snapshot,
                encoded: true,
            });
        }
        if let Some(letter) = drive_letter(component)
            && (letter.certain || at < LETTER_COMPONENTS_MAX)
        {
            return Some(Drive {
                at,
                prefix: format!("{}:", letter.upper),
                encoded: letter.encoded || components.first().is_some_and(|top| is_uploads(top)),
            });
        }
        // Below a folder of Windows' own a bare letter is just a folder.
        if belongs_to_windows(component) {
            return None;
        }
    }
    None
}

fn is_uploads(component: &str) -> bool {
    component.eq_ignore_ascii_case("uploads")
}

/// Path without a drive: only the folders that collectors put around everything are left out.
fn relative(components: &[String]) -> (String, &[String], bool) {
    let starts = |names: &[&str]| {
        components.len() > names.len()
            && names
                .iter()
                .zip(components)
                .all(|(name, component)| component.eq_ignore_ascii_case(name))
    };
    if starts(&["sysvol"]) {
        return ("C:".to_owned(), &components[1..], false);
    }
    if starts(&["fs", "sysvol"]) {
        return ("C:".to_owned(), &components[2..], false);
    }
    if starts(&["[root]"]) {
        return (String::new(), &components[1..], false);
    }
    if starts(&["uploads", "auto"])
        || starts(&["uploads", "ntfs"])
        || starts(&["uploads", "file"])
        || starts(&["uploads", "mft"])
    {
        return (String::new(), &components[2..], true);
    }
    (String::new(), components, false)
}

struct DriveLetter {
    upper: char,
    /// Whether the form leaves no doubt; a bare letter does.
    certain: bool,
    encoded: bool,
}

fn drive_letter(component: &str) -> Option<DriveLetter> {
    let decoded = percent_decode(component);
    let encoded = decoded != component;
    let name = ["\\\\.\\", "\\\\?\\"]
        .iter()
        .find_map(|prefix| decoded.strip_prefix(prefix))
        .unwrap_or(&decoded);
    let mut chars = name.chars();
    let letter = chars.next().filter(char::is_ascii_alphabetic)?;
    let certain = match chars.as_str() {
        "" if encoded => true,
        // Floppy letters as bare folder names are far more often just folders.
        "" if !matches!(letter, 'a' | 'b' | 'A' | 'B') => false,
        ":" | "$" => true,
        "_" => false,
        _ => return None,
    };
    Some(DriveLetter {
        upper: letter.to_ascii_uppercase(),
        certain,
        encoded,
    })
}

/// A volume shadow copy holds older states of the same paths, so it stays part of the path.
fn shadow_copy(component: &str) -> Option<String> {
    let decoded = percent_decode(component);
    let name = ["\\\\?\\", "\\\\.\\"]
        .iter()
        .find_map(|prefix| decoded.strip_prefix(prefix))?;
    name.to_ascii_lowercase()
        .contains("harddiskvolumeshadowcopy")
        .then(|| name.to_owned())
}

fn belongs_to_windows(component: &str) -> bool {
    const FOLDERS: [&str; 10] = [
        "windows",
        "inetpub",
        "program files",
        "program files (x86)",
        "programdata",
        "users",
        "exchangesetuplogs",
        "logging",
        "logfiles",
        "httperr",
    ];
    FOLDERS
        .iter()
        .any(|folder| component.eq_ignore_ascii_case(folder))
}

/// Undoes `%XX`; anything else stays as it is.
pub(crate) fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        let value = match (first, after) {
            (b'%', [high, low, ..]) => hex_value(*high).zip(hex_value(*low)),
            _ => None,
        };
        if let Some((high, low)) = value {
            decoded.push(high << 4 | low);
            rest = &after[2..];
        } else {
            decoded.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn hex_value(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// Appends one component in a form that is harmless to show.
fn push(path: &mut String, component: &str, altered: &mut Option<&'static str>) {
    if !path.is_empty() {
        path.push('\\');
    }
    let reserved = is_reserved(component);
    let stem = if reserved {
        component.find('.').unwrap_or(component.len())
    } else {
        usize::MAX
    };
    for (at, character) in component.char_indices() {
        if at == stem {
            path.push('_');
        }
        if character.is_control() {
            *altered = Some("holds control characters, which are shown as U+FFFD");
            path.push(char::REPLACEMENT_CHARACTER);
        } else {
            path.push(character);
        }
    }
    if reserved {
        *altered = Some("is the name of a device; an underscore was added");
        if stem >= component.len() {
            path.push('_');
        }
    }
}

/// Names that Windows takes for devices, whatever the extension.
fn is_reserved(component: &str) -> bool {
    let stem = component.split('.').next().unwrap_or(component).trim_end();
    let upper = stem.to_ascii_uppercase();
    if matches!(upper.as_str(), "CON" | "PRN" | "AUX" | "NUL") {
        return true;
    }
    ["COM", "LPT"].iter().any(|port| {
        upper
            .strip_prefix(port)
            .is_some_and(|number| matches!(number.as_bytes(), [b'1'..=b'9']))
    })
}

/// A stored name for messages: control characters are written as escapes.
pub(crate) fn printable(stored: &str) -> String {
    let mut text = String::with_capacity(stored.len());
    for character in stored.chars().take(PATH_CHARS_MAX) {
        if character.is_control() {
            let _infallible = write!(text, "{}", character.escape_default());
        } else {
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layout_gives_the_path_on_the_host() {
        let table = [
            // KAPE, with and without the host's folder, any drive, case kept
            (
                "C/inetpub/logs/LogFiles/W3SVC1/u_ex210303.log",
                "C:\\inetpub\\logs\\LogFiles\\W3SVC1\\u_ex210303.log",
            ),
            (
                "EX01\\C\\Windows\\System32\\config\\SYSTEM",
                "C:\\Windows\\System32\\config\\SYSTEM",
            ),
            (
                "tlist/D/Exchange/Logging/x.LOG",
                "D:\\Exchange\\Logging\\x.LOG",
            ),
            ("d/x.log", "D:\\x.log"),
            // plain folders
            ("C:/x/y.log", "C:\\x\\y.log"),
            ("C_/x/y.log", "C:\\x\\y.log"),
            ("c$/x/y.log", "C:\\x\\y.log"),
            ("%43/x/y.log", "C:\\x\\y.log"),
            ("EX01/e%3A/x/y.log", "E:\\x\\y.log"),
            // Velociraptor
            (
                "uploads/auto/C%3A/Program Files/a%2Bb.log",
                "C:\\Program Files\\a+b.log",
            ),
            (
                "uploads/ntfs/%5C%5C.%5CC%3A/$Extend/$UsnJrnl%3A$J",
                "C:\\$Extend\\$UsnJrnl:$J",
            ),
            ("uploads/file/C%3A/x.log", "C:\\x.log"),
            ("uploads/file/C:/a%20b.log", "C:\\a b.log"),
            (
                "clients/C.1f/collections/F.C2/uploads/auto/C%3A/x.log",
                "C:\\x.log",
            ),
            (
                "uploads/ntfs/%5C%5C%3F%5CGLOBALROOT%5CDevice%5CHarddiskVolumeShadowCopy1/Windows/x",
                "GLOBALROOT\\Device\\HarddiskVolumeShadowCopy1\\Windows\\x",
            ),
            ("uploads/mft/x", "x"),
            (
                "results/Windows.EventLogs.json",
                "results\\Windows.EventLogs.json",
            ),
            ("uploads.json", "uploads.json"),
            // UAC, acquire
            ("[root]/var/log/syslog", "var\\log\\syslog"),
            ("[root]/c:/Windows/win.ini", "C:\\Windows\\win.ini"),
            ("fs/C:/Windows/win.ini", "C:\\Windows\\win.ini"),
            (
                "EX01_20210305/fs/c:/windows/win.ini",
                "C:\\windows\\win.ini",
            ),
            ("sysvol/Windows/win.ini", "C:\\Windows\\win.ini"),
            ("fs/sysvol/Windows/win.ini", "C:\\Windows\\win.ini"),
            // no drive
            ("W3SVC1\\u_ex210303.log", "W3SVC1\\u_ex210303.log"),
            ("./logs/x.log", "logs\\x.log"),
            ("inetpub/wwwroot/c/x.aspx", "inetpub\\wwwroot\\c\\x.aspx"),
            ("a/x.log", "a\\x.log"),
            // a name that merely looks encoded stays
            ("C/x/100%25.log", "C:\\x\\100%25.log"),
            // a Windows folder named like a collector's
            (
                "C/Windows/SYSVOL/domain/x",
                "C:\\Windows\\SYSVOL\\domain\\x",
            ),
        ];
        for (stored, expected) in table {
            let restored = restore(stored);
            assert_eq!(restored.path, expected, "{stored}");
            assert_eq!(restored.altered, None, "{stored}");
        }
    }

    #[test]
    fn hostile_names_become_harmless_and_say_so() {
        let table = [
            ("../../etc/passwd", "etc\\passwd"),
            ("C/../../x.aspx", "C:\\x.aspx"),
            ("uploads/auto/C%3A/%2e%2e%2f%2e%2e/x", "C:\\x"),
            ("C/a\0b\x1b[31m.log", "C:\\a\u{fffd}b\u{fffd}[31m.log"),
            ("C/CON.aspx", "C:\\CON_.aspx"),
            ("C/nul", "C:\\nul_"),
        ];
        for (stored, expected) in table {
            let restored = restore(stored);
            assert_eq!(restored.path, expected, "{stored}");
            assert!(restored.altered.is_some(), "{stored}");
        }
        assert_eq!(restore("..").path, "(no name)");
        assert_eq!(restore(&"x".repeat(70_000)).path.len(), PATH_CHARS_MAX);
    }

    #[test]
    fn stored_names_are_printed_without_control_characters() {
        assert_eq!(printable("a\x1b[0m\n"), "a\\u{1b}[0m\\n");
    }
}
