//! Puts what campaigns play into the library: every file of `packs/NAME/range`, and those that campaigns share.
//!
//! They quote what intruders write, and antivirus engines search executables for such text. So each campaign becomes one
//! compressed blob whose bytes are flipped; `src/library.rs` undoes it at run time. The order of files is that of their
//! names, and the result depends on nothing but their contents.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Flips every byte of a blob. `src/library.rs` holds the same number.
const FLIP: u8 = 0xA5;

fn main() {
    if let Err(error) = embed() {
        println!("cargo::error=cannot embed the scenarios: {error}");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a build script learns its folders from the environment and reads the scenarios it embeds"
)]
fn embed() -> io::Result<()> {
    let variable = |name| env::var(name).map_err(io::Error::other);
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(variable("OUT_DIR")?);
    let packs = root.join("../../packs");
    let shared = root.join("scenarios/common");
    println!("cargo::rerun-if-changed={}", packs.display());
    println!("cargo::rerun-if-changed={}", shared.display());
    println!("cargo::rerun-if-changed=build.rs");

    let mut folders = vec![(String::new(), shared)];
    for (name, pack) in children(&packs)? {
        if pack.join("range").is_dir() {
            folders.push((name, pack.join("range")));
        }
    }
    let mut table = String::from("&[\n");
    for (number, (name, folder)) in folders.iter().enumerate() {
        let mut blob = Vec::new();
        for (path, file) in files_below(folder, "")? {
            append(&mut blob, path.as_bytes())?;
            append(&mut blob, &fs::read(file)?)?;
        }
        let blob_name = format!("{number}.scenarios");
        fs::write(out.join(&blob_name), encode(&blob)?)?;
        writeln!(table, "    ({name:?}, include_bytes!({blob_name:?})),")
            .map_err(io::Error::other)?;
    }
    table.push(']');
    fs::write(out.join("library.rs"), table)
}

/// What stands in a folder, by name.
fn children(folder: &Path) -> io::Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            found.insert(name, entry.path());
        }
    }
    Ok(found)
}

/// All JSON files of a folder and those below it, by path with forward slashes.
fn files_below(folder: &Path, prefix: &str) -> io::Result<BTreeMap<String, PathBuf>> {
    let mut files = BTreeMap::new();
    for (name, path) in children(folder)? {
        let inside = format!("{prefix}{name}");
        if path.is_dir() {
            files.extend(files_below(&path, &format!("{inside}/"))?);
        } else if path.extension().is_some_and(|end| end == "json") {
            files.insert(inside, path);
        }
    }
    Ok(files)
}

/// Adds a length (32 bits, little endian) and the bytes.
fn append(blob: &mut Vec<u8>, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    blob.extend(length.to_le_bytes());
    blob.extend(bytes);
    Ok(())
}

fn encode(blob: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(blob)?;
    let mut encoded = encoder.finish()?;
    for byte in &mut encoded {
        *byte ^= FLIP;
    }
    Ok(encoded)
}
