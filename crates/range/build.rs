//! Puts what campaigns play into the library: every file of `packs/NAME/range`, and those that campaigns share.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() {
    if let Err(error) = embed_scenarios() {
        println!("cargo::error=cannot embed the scenarios: {error}");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a build script learns its folders from the environment and reads the scenarios it embeds"
)]
fn embed_scenarios() -> io::Result<()> {
    let variable = |name| env::var(name).map_err(io::Error::other);
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(variable("OUT_DIR")?);
    let packs = root.join("../../packs");
    let shared = root.join("scenarios/common");
    println!("cargo::rerun-if-changed={}", packs.display());
    println!("cargo::rerun-if-changed={}", shared.display());
    println!("cargo::rerun-if-changed=build.rs");

    let mut folders = vec![(String::new(), shared)];
    for (name, pack) in embed::children(&packs)? {
        if pack.join("range").is_dir() {
            folders.push((name, pack.join("range")));
        }
    }
    let mut table = String::from("&[\n");
    for (number, (name, folder)) in folders.iter().enumerate() {
        let blob_name = format!("{number}.scenarios");
        let blob = embed::encode(&files_below(folder, "")?)?;
        fs::write(out.join(&blob_name), blob)?;
        writeln!(table, "    ({name:?}, include_bytes!({blob_name:?})),")
            .map_err(io::Error::other)?;
    }
    table.push(']');
    fs::write(out.join("library.rs"), table)
}

/// All JSON files of a folder and those below it, by path with forward slashes.
#[expect(
    clippy::disallowed_methods,
    reason = "a build script reads the scenarios it embeds"
)]
fn files_below(folder: &Path, prefix: &str) -> io::Result<embed::Files> {
    let mut files = embed::Files::new();
    for (name, path) in embed::children(folder)? {
        let inside = format!("{prefix}{name}");
        if path.is_dir() {
            files.extend(files_below(&path, &format!("{inside}/"))?);
        } else if path.extension().is_some_and(|end| end == "json") {
            files.insert(inside, fs::read(path)?);
        }
    }
    Ok(files)
}
