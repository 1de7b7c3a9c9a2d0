//! Puts the packs of `packs/` and the tables of builds in `knowledge/` into the library, so that a lone binary knows every
//! campaign.
//!
//! Rules and examples quote what intruders write, and antivirus engines search executables for such text. So each
//! pack becomes one compressed blob whose bytes are flipped; `src/files.rs` undoes it at run time. The order of files
//! is that of their names, and the result depends on nothing but their contents.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Flips every byte of a blob. `src/files.rs` holds the same number.
const FLIP: u8 = 0xA5;

/// Folders inside a pack that are looked into.
const FOLDERS: [&str; 2] = ["rules", "examples"];

fn main() {
    if let Err(error) = embed().and_then(|()| list_builds()) {
        println!("cargo::error=cannot embed the packs: {error}");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a build script learns its folders from the environment and reads the packs it embeds"
)]
fn embed() -> io::Result<()> {
    let variable = |name| env::var(name).map_err(io::Error::other);
    let packs = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("../../packs");
    let out = PathBuf::from(variable("OUT_DIR")?);
    println!("cargo::rerun-if-changed={}", packs.display());
    println!("cargo::rerun-if-changed=build.rs");

    let mut table = String::from("&[\n");
    for (name, folder) in children(&packs)? {
        if !folder.join("pack.yaml").is_file() {
            continue;
        }
        let mut files = files_of(&folder, "")?;
        for inner in FOLDERS {
            files.extend(files_of(&folder.join(inner), &format!("{inner}/"))?);
        }
        let mut blob = Vec::new();
        for (path, file) in &files {
            append(&mut blob, path.as_bytes())?;
            append(&mut blob, &fs::read(file)?)?;
        }
        let blob_name = format!("{name}.pack");
        fs::write(out.join(&blob_name), encode(&blob)?)?;
        writeln!(table, "    ({name:?}, include_bytes!({blob_name:?})),")
            .map_err(io::Error::other)?;
    }
    table.push(']');
    fs::write(out.join("packs.rs"), table)
}

/// Writes the list of `knowledge/*/builds.csv`: a product's table is there by lying in a folder of its own.
#[expect(
    clippy::disallowed_methods,
    reason = "a build script learns its folders from the environment"
)]
fn list_builds() -> io::Result<()> {
    let variable = |name| env::var(name).map_err(io::Error::other);
    let knowledge = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("../../knowledge");
    println!("cargo::rerun-if-changed={}", knowledge.display());
    let mut list = String::from("&[\n");
    for (product, folder) in children(&knowledge)? {
        let table = folder.join("builds.csv");
        if table.is_file() {
            let name = format!("{product}/builds.csv");
            let path = table.to_string_lossy();
            writeln!(list, "    ({name:?}, include_str!({path:?})),").map_err(io::Error::other)?;
        }
    }
    list.push(']');
    fs::write(PathBuf::from(variable("OUT_DIR")?).join("builds.rs"), list)
}

/// What stands in a folder, by name; nothing where there is no such folder.
fn children(folder: &Path) -> io::Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    if folder.is_dir() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') {
                found.insert(name, entry.path());
            }
        }
    }
    Ok(found)
}

/// The files of one folder, by path inside the pack.
fn files_of(folder: &Path, prefix: &str) -> io::Result<BTreeMap<String, PathBuf>> {
    let files = children(folder)?.into_iter();
    Ok(files
        .filter(|(_, path)| path.is_file())
        .map(|(name, path)| (format!("{prefix}{name}"), path))
        .collect())
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
