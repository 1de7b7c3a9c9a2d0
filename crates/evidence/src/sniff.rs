//! Tells archives and compressed logs by their first bytes, never by their names alone.

use crate::content::HEAD_BYTES;
use crate::open::disk::is_disk;

/// What an item's bytes are, as far as opening them goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Plain,
    /// Something that may hold more but is not opened; why, as a sentence.
    Foreign(&'static str),
    Zip,
    Tar,
    SevenZip,
    /// A disk or a volume, byte by byte.
    Disk,
    /// A compressed stream: a tar or a single log.
    Compressed(Codec),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    Gzip,
    Zstd,
    Xz,
}

impl Codec {
    /// The suffix of the container's name: `tar.gz`.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Gzip => "gz",
            Self::Zstd => "zst",
            Self::Xz => "xz",
        }
    }
}

/// Bytes of a tar header.
pub(crate) const TAR_BLOCK_BYTES: usize = 512;

/// The form of an item that begins with `head`. `name` only keeps documents and packages that are zips inside closed.
pub(crate) fn form(head: &[u8], name: &str) -> Form {
    debug_assert!(head.len() <= HEAD_BYTES);
    match head {
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 7, 8, b'P', b'K', 3, 4, ..] => {
            if is_package(head, name) {
                Form::Plain
            } else {
                Form::Zip
            }
        }
        // An empty archive.
        [b'P', b'K', 5, 6, ..] => Form::Zip,
        [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, ..] => Form::SevenZip,
        [0x1f, 0x8b, 8, ..] => Form::Compressed(Codec::Gzip),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Form::Compressed(Codec::Zstd),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Form::Compressed(Codec::Xz),
        _ if is_tar_header(head) => Form::Tar,
        _ if is_disk(head) => Form::Disk,
        _ => foreign(head, name).map_or(Form::Plain, Form::Foreign),
    }
}

/// Containers that hold evidence and are not opened, so that the report can say so.
fn foreign(head: &[u8], name: &str) -> Option<&'static str> {
    const FOREIGN: [(&[u8], &str); 8] = [
        (
            b"Rar!\x1a\x07",
            "a RAR archive, which is not opened; pack it as zip or 7z",
        ),
        (b"BZh", "compressed by bzip2, which is not opened"),
        (
            b"vhdxfile",
            "a disk image (VHDX), which is not opened; make it raw with `qemu-img convert -O raw` and give that",
        ),
        (
            b"conectix",
            "a disk image (VHD), which is not opened; make it raw with `qemu-img convert -O raw` and give that",
        ),
        (
            b"QFI\xfb",
            "a disk image (QCOW), which is not opened; make it raw with `qemu-img convert -O raw` and give that",
        ),
        (
            b"KDMV",
            "a disk image (VMDK), which is not opened; make it raw with `qemu-img convert -O raw` and give that",
        ),
        (
            b"EVF\x09\x0d\x0a\xff\0",
            "a disk image (E01), which is not opened; make it raw with `ewfexport -f raw` and give that",
        ),
        (
            b"AFF10",
            "a disk image (AFF), which is not opened; make it raw with `affconvert -r` and give that",
        ),
    ];
    const ARCHIVE_NAMES: [&str; 8] = ["zip", "7z", "tar", "tgz", "gz", "zst", "xz", "txz"];
    if let Some((_, why)) = FOREIGN.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(why);
    }
    let named_archive = ARCHIVE_NAMES.contains(&model::extension(name).as_str());
    named_archive.then_some("named like an archive, but its bytes are not those of one")
}

/// Whether this block is a tar header: the sum over its bytes stands in it.
pub(crate) fn is_tar_header(block: &[u8]) -> bool {
    let Some(block) = block.get(..TAR_BLOCK_BYTES) else {
        return false;
    };
    let mut sum: u32 = 0;
    for (at, byte) in block.iter().enumerate() {
        let in_checksum = (148..156).contains(&at);
        sum = sum.saturating_add(u32::from(if in_checksum { b' ' } else { *byte }));
    }
    octal(&block[148..156]) == Some(sum)
}

/// A number in octal digits, blanks and NULs around it.
fn octal(field: &[u8]) -> Option<u32> {
    let digits: Vec<u8> = field
        .iter()
        .copied()
        .skip_while(|byte| *byte == b' ')
        .take_while(|byte| !matches!(byte, 0 | b' '))
        .collect();
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u32, |value, digit| {
        let digit = char::from(*digit).to_digit(8)?;
        value.checked_mul(8)?.checked_add(digit)
    })
}

/// Whether an item that begins with `head` is an archive whose members a walk offers as entries of their own. An archive
/// of stored members begins as its first member does, to whoever looks for text.
pub fn is_archive(head: &[u8], name: &str) -> bool {
    matches!(
        form(head, name),
        Form::Zip | Form::Tar | Form::SevenZip | Form::Disk
    )
}

/// Office documents, Java archives and installers are zips too, but items to everyone who looks at them.
fn is_package(head: &[u8], name: &str) -> bool {
    const FIRST_MEMBERS: [&[u8]; 6] = [
        b"[Content_Types].xml",
        b"_rels/",
        b"mimetype",
        b"META-INF/",
        b"AndroidManifest.xml",
        b"extension.vsixmanifest",
    ];
    const EXTENSIONS: [&str; 29] = [
        "docx", "docm", "dotx", "dotm", "xlsx", "xlsm", "xlsb", "xltx", "pptx", "pptm", "potx",
        "ppsx", "vsdx", "odt", "ods", "odp", "epub", "xps", "jar", "war", "ear", "apk", "nupkg",
        "vsix", "appx", "msix", "whl", "xpi", "crx",
    ];
    // The first member's name follows the 30 bytes of its header.
    let first_member = head.get(30..).unwrap_or_default();
    FIRST_MEMBERS
        .iter()
        .any(|member| first_member.starts_with(member))
        || EXTENSIONS.contains(&model::extension(name).as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_told_by_their_first_bytes() {
        let mut document = b"PK\x03\x04".to_vec();
        document.resize(30, 0);
        document.extend_from_slice(b"[Content_Types].xml");
        let mut tar = tar::Header::new_gnu();
        tar.set_cksum();
        let not_an_archive =
            Form::Foreign("named like an archive, but its bytes are not those of one");
        let table: [(&[u8], &str, Form); 11] = [
            (b"PK\x03\x04", "x.log", Form::Zip),
            (b"PK\x05\x06", "x", Form::Zip),
            (b"PK\x03\x04", "x.DOCX", Form::Plain),
            (&document, "x.zip", Form::Plain),
            (b"7z\xbc\xaf\x27\x1c", "x", Form::SevenZip),
            (b"\x1f\x8b\x08", "x", Form::Compressed(Codec::Gzip)),
            (b"\xfd7zXZ\0", "x", Form::Compressed(Codec::Xz)),
            (tar.as_bytes(), "x", Form::Tar),
            (&[0; 1024], "x.tar", not_an_archive),
            (b"#Software: Microsoft", "x.zip", not_an_archive),
            (b"#Software: Microsoft", "x.log", Form::Plain),
        ];
        for (head, name, expected) in table {
            assert_eq!(form(head, name), expected, "{name}");
        }
    }
}
