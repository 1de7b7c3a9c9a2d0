//! `allclear range make`: synthetic servers with known truth.

use crate::Outcome;
use crate::args::RangeMake;
use crate::exit::Failure;
use crate::output::say;
use std::process::ExitCode;

pub(crate) fn make(arguments: &RangeMake) -> Outcome {
    let occupied = arguments
        .out
        .read_dir()
        .is_ok_and(|mut entries| entries.next().is_some());
    if occupied {
        return Err(Failure::usage(
            format!("{} is not empty", arguments.out.display()),
            "name a folder that does not exist yet",
        ));
    }
    let mut options = range::Options::new(&arguments.scenario, arguments.seed);
    options.text_bytes = arguments.scale.as_deref().map(size).transpose()?;
    let made = range::make_in_folder(&options, &arguments.out)
        .map_err(|error| Failure::usage(error, "see `allclear range scenarios`"))?;
    let out = arguments.out.display();
    say(&format!(
        "{out}/evidence          what a collector would have brought of {}\n\
         {out}/known-files.csv   the files that this synthetic product ships, for --known\n\
         {out}/truth.json        what really happened",
        made.truth.host
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// `200MB`, `1GB`: powers of ten.
fn size(text: &str) -> Result<u64, Failure> {
    let upper = text.trim().to_uppercase();
    let units = [
        ("GB", 1_000_000_000),
        ("MB", 1_000_000),
        ("KB", 1_000),
        ("B", 1),
        ("", 1),
    ];
    units
        .iter()
        .find_map(|(unit, factor)| {
            let number: u64 = upper.strip_suffix(unit)?.trim().parse().ok()?;
            number.checked_mul(*factor)
        })
        .ok_or_else(|| Failure::usage(format!("`{text}` is not a size"), "write 200MB or 1GB"))
}
