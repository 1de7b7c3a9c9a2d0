//! Puts the packs of `packs/` and the tables of builds in `knowledge/` into the library, so that a lone binary knows every
//! campaign.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Folders inside a pack that are looked into.
const FOLDERS: [&str; 3] = ["rules", "examples", "notices"];

fn main() {
    if let Err(error) = embed_packs().and_then(|()| list_builds()) {
        println!("cargo::error=cannot embed the packs: {error}");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a build script learns its folders from the environment and reads the packs it embeds"
)]
fn embed_packs() -> io::Result<()> {
    let variable = |name| env::var(name).map_err(io::Error::other);
    let packs = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("../../packs");
    let out = PathBuf::from(variable("OUT_DIR")?);
    println!("cargo::rerun-if-changed={}", packs.display());
    println!("cargo::rerun-if-changed=build.rs");

    let mut table = String::from("&[\n");
    for (name, folder) in embed::children(&packs)? {
        if !folder.join("pack.yaml").is_file() {
            continue;
        }
        let mut files = files_of(&folder, "")?;
        for inner in FOLDERS {
            files.extend(files_of(&folder.join(inner), &format!("{inner}/"))?);
        }
        let blob_name = format!("{name}.pack");
        fs::write(out.join(&blob_name), embed::encode(&files)?)?;
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
    for (product, folder) in embed::children(&knowledge)? {
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

/// The files of one folder, by path inside the pack; none where there is no such folder.
#[expect(
    clippy::disallowed_methods,
    reason = "a build script reads the packs it embeds"
)]
fn files_of(folder: &Path, prefix: &str) -> io::Result<embed::Files> {
    let mut files = embed::Files::new();
    if !folder.is_dir() {
        return Ok(files);
    }
    for (name, path) in embed::children(folder)? {
        if path.is_file() {
            files.insert(format!("{prefix}{name}"), fs::read(path)?);
        }
    }
    Ok(files)
}
