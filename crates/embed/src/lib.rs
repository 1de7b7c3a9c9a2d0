//! Files that come inside the program, in a form that no antivirus takes for what they quote.
//!
//! Packs and scenarios quote what intruders write, and antivirus engines search executables for such text. So the files of
//! a folder become one compressed blob whose bytes are flipped: build scripts [`encode`] them, the program [`decode`]s
//! them. The same files give the same blob, whatever the machine.
//!
//! This crate must not know what the files mean.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Contents by path, with forward slashes.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Flips every byte of a blob.
const FLIP: u8 = 0xA5;

/// What stands in a folder, by name, but for hidden files.
///
/// # Errors
/// When the folder cannot be listed.
pub fn children(folder: &Path) -> io::Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            found.insert(name, entry.path());
        }
    }
    Ok(found)
}

/// Makes a blob of files: path and content one after the other, each behind its length (32 bits, little endian).
///
/// # Errors
/// When a file is larger than such a length can tell.
pub fn encode(files: &Files) -> io::Result<Vec<u8>> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    for piece in files
        .iter()
        .flat_map(|(path, content)| [path.as_bytes(), content])
    {
        let length = u32::try_from(piece.len()).map_err(io::Error::other)?;
        encoder.write_all(&length.to_le_bytes())?;
        encoder.write_all(piece)?;
    }
    let mut blob = encoder.finish()?;
    for byte in &mut blob {
        *byte ^= FLIP;
    }
    Ok(blob)
}

/// The files of a blob; `None` where it does not have that form.
pub fn decode(blob: &[u8]) -> Option<Files> {
    let flipped: Vec<u8> = blob.iter().map(|byte| byte ^ FLIP).collect();
    let mut bytes = Vec::new();
    flate2::read::DeflateDecoder::new(flipped.as_slice())
        .read_to_end(&mut bytes)
        .ok()?;
    let mut rest = bytes.as_slice();
    let mut files = Files::new();
    while !rest.is_empty() {
        let path = split_piece(&mut rest)?;
        let content = split_piece(&mut rest)?;
        files.insert(String::from_utf8(path.to_vec()).ok()?, content.to_vec());
    }
    Some(files)
}

/// Takes a length and that many bytes off the front.
fn split_piece<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (piece, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_back_as_they_were_and_cannot_be_read_in_the_blob() {
        let text = b"<script runat>".repeat(20);
        let files = Files::from([
            ("a/b.txt".to_owned(), text),
            ("empty".to_owned(), Vec::new()),
        ]);
        let blob = encode(&files).unwrap();
        assert!(!blob.windows(7).any(|window| window == b"<script"));
        assert_eq!(decode(&blob), Some(files));
    }

    #[test]
    fn cut_blobs_are_refused() {
        let files = Files::from([("a".to_owned(), (0..=255).collect())]);
        let blob = encode(&files).unwrap();
        assert_eq!(decode(&blob[..blob.len() / 2]), None);
        assert!(decode(b"").is_none_or(|files| files.is_empty()));
    }
}
