//! `allclear pack list`: a line for each pack.

use super::{line, open, rules};
use crate::args::PackTrust;
use crate::exit::Failure;
use crate::{Outcome, output};
use pack::Pack;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(super) fn run(paths: &[PathBuf], trust: &PackTrust) -> Outcome {
    let trust = open::Trust::of(trust)?;
    let mut packs: Vec<(Pack, String)> = pack::builtin_packs()
        .into_iter()
        .map(|pack| (pack, String::new()))
        .collect();
    for path in paths {
        for place in places(path)? {
            let files = open::files_at(&place, &trust)?;
            let place = place.display().to_string();
            packs.push((open::loaded(&place, &files)?, place));
        }
    }
    output::to_standard_output(&mut |out| {
        let mut packs = packs.iter();
        packs.try_for_each(|(pack, place)| tell(out, pack, place))
    })?;
    Ok(ExitCode::SUCCESS)
}

fn tell(out: &mut dyn Write, pack: &Pack, place: &str) -> io::Result<()> {
    let place = match place {
        "" => String::new(),
        place => format!("  {place}"),
    };
    let told = format!(
        "{} {}: {} ({} rules, {} indicators, {} needs){place}",
        pack.manifest.name,
        pack.manifest.version,
        pack.manifest.title,
        rules(pack),
        pack.indicators.len(),
        pack.needs.len()
    );
    line(out, 0, &told)
}

/// The packs at a path: the one that it is, or those that lie in it, in order.
fn places(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if open::is_pack(path) {
        return Ok(vec![path.to_owned()]);
    }
    let unreadable = |error: io::Error| {
        Failure::usage(
            format!("cannot list {}: {error}", path.display()),
            "give a pack, or a folder that packs lie in",
        )
    };
    let mut packs = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let inside = entry.map_err(unreadable)?.path();
        if open::is_pack(&inside) {
            packs.push(inside);
        }
    }
    packs.sort();
    if packs.is_empty() {
        return Err(Failure::usage(
            format!("no pack lies in {}", path.display()),
            "a pack is a folder with pack.yaml, or a zip archive of it",
        ));
    }
    Ok(packs)
}
