//! Windows paths as text. Evidence paths are never used as paths of this machine.

/// Brings a path to Allclear's form: backslashes, drive letter in upper case, no `\\?\` prefix. Case is kept.
pub fn windows_path(path: &str) -> String {
    let mut text = path.replace('/', "\\");
    for prefix in ["\\\\?\\", "\\\\.\\", "\\??\\"] {
        if let Some(rest) = text.strip_prefix(prefix) {
            text = rest.to_owned();
        }
    }
    let mut bytes = text.bytes();
    if let (Some(letter), Some(b':')) = (bytes.next(), bytes.next())
        && letter.is_ascii_lowercase()
    {
        text.replace_range(0..1, &char::from(letter.to_ascii_uppercase()).to_string());
    }
    text
}

/// Whether two Windows paths name the same file: case and slash direction do not count.
pub fn same_path(a: &str, b: &str) -> bool {
    windows_path(a).to_lowercase() == windows_path(b).to_lowercase()
}

/// The last component, after the last slash, backslash or `!` (archive member).
pub fn file_name(path: &str) -> &str {
    path.rsplit(['\\', '/', '!']).next().unwrap_or(path)
}

/// Everything before the last component, without the separator.
pub fn parent(path: &str) -> &str {
    path.rfind(['\\', '/', '!']).map_or("", |at| &path[..at])
}

/// The extension in lower case, without the dot.
pub fn extension(path: &str) -> String {
    match file_name(path).rsplit_once('.') {
        Some((_, extension)) => extension.to_lowercase(),
        None => String::new(),
    }
}
