//! `cargo xtask conformance`: what our readers make of files that other people's tools are tested with, beside what those
//! tools make of them. Writes `docs/conformance.md`.
//!
//! Tools and files come from source archives of the Python package registry, at fixed versions, and stay in a cache outside
//! of the project: nothing of them is kept in it.

use crate::process::{command, output, run as run_command, tell};
use crate::root;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

const PAGE: &str = "docs/conformance.md";

/// The tools that are held against ours.
const PEERS: [&str; 2] = ["regipy==6.5.0", "dissect.ntfs==3.16"];

/// Whose source archives hold files of real systems.
const ARCHIVES: [&str; 2] = ["dissect.ntfs==3.16", "dissect.regf==3.14"];

/// Files that are read, and the paths that they are taken to have had.
const INPUTS: [(&str, &str); 3] = [
    ("SYSTEM", "C:\\Windows\\System32\\config\\SYSTEM"),
    ("mft.bin", "C:\\$MFT"),
    ("table.bin", "C:\\$MFT"),
];

/// `[--cache DIR]`
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let cache = match arguments {
        [] => default_cache()?,
        [option, folder] if option == "--cache" => PathBuf::from(folder),
        _ => return Err("usage: cargo xtask conformance [--cache DIR]".to_owned()),
    };
    let [tools, archives, inputs, said] =
        ["tools", "archives", "inputs", "said"].map(|name| cache.join(name));
    for folder in [&archives, &inputs, &said] {
        fs::create_dir_all(folder)
            .map_err(|source| format!("cannot make {}: {source}", folder.display()))?;
    }
    let python = install(&tools)?;
    let script = root().join("xtask/src/conformance/peers.py");
    if !inputs.join("table.bin").exists() {
        download(&python, &archives)?;
        run_command(command(
            &shown(&python),
            &[
                &shown(&script),
                "prepare",
                &shown(&archives),
                &shown(&inputs),
            ],
        ))?;
    }
    run_command(command(
        "cargo",
        &["build", "--workspace", "--examples", "--locked"],
    ))?;
    for (name, path) in INPUTS {
        let told = output(command(
            &shown(&reader()),
            &[&shown(&inputs.join(name)), path],
        ))
        .ok_or_else(|| format!("our reader failed on {name}"))?;
        let file = said.join(format!("{name}.jsonl"));
        fs::write(&file, told)
            .map_err(|source| format!("cannot write {}: {source}", file.display()))?;
    }
    let rows = output(command(
        &shown(&python),
        &[&shown(&script), &shown(&inputs), &shown(&said)],
    ))
    .ok_or("the other tools failed")?;
    let page = page(&rows);
    let file = root().join(PAGE);
    fs::write(&file, &page).map_err(|source| format!("cannot write {PAGE}: {source}"))?;
    tell(&page);
    Ok(())
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The example that prints what a reader says.
fn reader() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("debug/examples/records")
}

fn default_cache() -> Result<PathBuf, String> {
    if let Some(cache) = std::env::var_os("XDG_CACHE_HOME") {
        return Ok(PathBuf::from(cache).join("allclear-conformance"));
    }
    let home = std::env::var_os("HOME").ok_or("name a folder: --cache DIR")?;
    Ok(PathBuf::from(home).join(".cache/allclear-conformance"))
}

/// Installs the other tools in an environment of their own; gives its Python.
fn install(tools: &Path) -> Result<PathBuf, String> {
    let python = tools.join("bin/python");
    if !python.exists() {
        run_command(command("python3", &["-m", "venv", &shown(tools)]))?;
    }
    let mut arguments = vec!["-m", "pip", "install", "--quiet"];
    arguments.extend(PEERS);
    run_command(command(&shown(&python), &arguments))?;
    Ok(python)
}

fn download(python: &Path, archives: &Path) -> Result<(), String> {
    let folder = shown(archives);
    let mut arguments = vec![
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--no-binary",
        ":all:",
        "--dest",
        &folder,
    ];
    arguments.extend(ARCHIVES);
    run_command(command(&shown(python), &arguments))
}

fn page(rows: &str) -> String {
    let mut page = "# Conformance\n\n\
        What Allclear's readers and other tools make of the same files. Written by `cargo xtask conformance`; do not edit.\n\n\
        Peers: "
        .to_owned();
    let _infallible = write!(
        page,
        "{}",
        PEERS.map(|peer| peer.replace("==", " ")).join(", ")
    );
    page.push_str(
        ". Files: the test data in the source archives of dissect.ntfs (`mft.bin`; `ntfs.bin`, whose table of files lies in \
         pieces) and dissect.regf (`SYSTEM`), fetched when the command runs; none of them is part of this \
         project. *Differing* counts entries that only one of the two names, or that they tell differently.\n\n\
         | what | file | peer | peer's count | ours | differing |\n\
         | --- | --- | --- | ---: | ---: | ---: |\n",
    );
    page.push_str(rows.trim_end());
    page.push_str(
        "\n\nNot compared, for want of real files: hives of accounts, of programs taken stock of \
         and of tasks, transaction logs, prefetch files, the journal of changes, Defender's and error reports. Their readers \
         are tested with files made by the project's own writers after the published formats; the decompression of prefetch \
         files also with the examples of its specification.\n",
    );
    page
}
