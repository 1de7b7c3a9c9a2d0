//! `allclear range drill`: evidence for a team, with the truth sealed, and the score of its answers.

use super::score::ScoreFormat;
use super::{make, score};
use crate::Outcome;
use crate::exit::{ASSURED, Failure, NOT_ASSURED};
use crate::output::{self, say};
use clap::{Args, Subcommand};
use range::drill::{self, ANSWERS, BRIEF, Key, SEALED, SealError};
use range::{FleetOptions, FleetTruth};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

#[derive(Debug, Subcommand)]
pub(crate) enum DrillCommand {
    /// Write evidence with its task, and the truth sealed.
    Make(DrillMake),
    /// Score a team's answers against the sealed truth.
    Score(DrillScore),
}

#[derive(Debug, Args)]
pub(crate) struct DrillMake {
    /// Folder for the team; must not exist, or be empty.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// File for the key that opens the truth; must not exist, nor lie in the folder for the team.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,

    /// How many servers.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    hosts: u32,

    /// Decides everything that is drawn; whoever knows it can make the truth again [default: drawn by the system].
    #[arg(long)]
    seed: Option<u64>,

    /// What happened; see `allclear range scenarios`. `every` takes each scenario in turn [default: drawn as in the real
    /// campaign]
    #[arg(long, value_name = "NAME[+NAME…]")]
    scenario: Option<String>,

    /// How the evidence of a host is packed, such as folder, zip, tar.gz or velociraptor [default: zip].
    #[arg(long, value_name = "KIND")]
    container: Option<String>,

    /// Add requests until the text logs of a server have about this size: 200MB, 1GB.
    #[arg(long, value_name = "SIZE")]
    scale: Option<String>,

    /// Leave out evidence: source, source:instance, and either with @from..until; may be given several times.
    #[arg(long, value_name = "SPEC")]
    withhold: Vec<String>,

    /// How many hosts are made at once; it changes no byte [default: the machine's processors].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=512))]
    jobs: Option<u32>,

    /// No progress on standard error.
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DrillScore {
    /// The folder that was handed to the team, with `brief.md` and `truth.sealed`.
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// The key that `drill make` wrote.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,

    /// The team's answers: `answers.csv`, filled in.
    #[arg(long, value_name = "FILE")]
    answers: PathBuf,

    /// Show beside the team how this report did on the same evidence.
    #[arg(long, value_name = "CASE|REPORT.json")]
    report: Option<PathBuf>,

    /// Form of the score.
    #[arg(long, value_enum, default_value_t = ScoreFormat::Text)]
    format: ScoreFormat,

    /// Write the score to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Names of what a fleet writes beside its evidence.
const TRUTH: &str = "truth.json";
const ORGANISATIONS: &str = "organisations.csv";
const ATTESTATIONS: &str = "attestations.csv";
const KNOWN_FILES: &str = "known-files.csv";

/// No drill's brief, answers or key is longer; a sealed truth may be.
const TEXT_BYTES_MAX: u64 = 16 << 20;

/// Thousands of hosts; stops a wrong file from filling the memory.
const SEALED_BYTES_MAX: u64 = 4 << 30;

/// A line of what is wrong with an answer is cut after so many characters.
const PROBLEM_CHARACTERS_MAX: usize = 300;

pub(crate) fn run(command: &DrillCommand) -> Outcome {
    match command {
        DrillCommand::Make(arguments) => make_drill(arguments),
        DrillCommand::Score(arguments) => score_drill(arguments),
    }
}

fn make_drill(arguments: &DrillMake) -> Outcome {
    key_stays_outside(&arguments.key, &arguments.out)?;
    let options = options(arguments)?;
    let key = Key::new(drawn()?);
    // The key is kept before anything is sealed by it, and never over another one.
    write_key(&arguments.key, &key)?;
    // A key without a drill, and a truth in the open, would only be in the way of the next attempt. What was in the
    // folder before is not ours.
    let truth = evidence(arguments, &options).inspect_err(|_failure| {
        let _ = fs::remove_file(&arguments.key);
    })?;
    seal(&arguments.out, &truth, &key).inspect_err(|_failure| {
        for path in [&arguments.key, &arguments.out.join(TRUTH)] {
            let _ = fs::remove_file(path);
        }
    })?;
    let (out, key) = (arguments.out.display(), arguments.key.display());
    say(&format!(
        "{out}: the evidence of {} servers, {BRIEF} with the task, {ANSWERS} to fill in, and the sealed truth\n\
         {key}: the key. Keep it from the team; without it nobody can score the drill.\n\
         Hand the folder over as an archive: the times at which files were made here are no part of the drill.",
        truth.hosts.len()
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn options(arguments: &DrillMake) -> Result<FleetOptions, Failure> {
    let seed = match arguments.seed {
        Some(seed) => seed,
        None => u64::from_le_bytes(drawn()?),
    };
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let jobs = arguments.jobs.and_then(|jobs| usize::try_from(jobs).ok());
    let hosts = usize::try_from(arguments.hosts).map_err(Failure::fault)?;
    Ok(FleetOptions {
        scenario: make::fleet_scenario(arguments.scenario.as_deref())?,
        containers: make::containers(arguments.container.as_deref(), range::ContainerKind::Zip)?,
        text_bytes: arguments.scale.as_deref().map(make::size).transpose()?,
        withhold: make::withheld(&arguments.withhold)?,
        jobs: jobs.unwrap_or(processors),
        ..FleetOptions::new(seed, hosts)
    })
}

/// Bytes from the operating system's randomness.
fn drawn<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(Failure::fault)?;
    Ok(bytes)
}

fn key_stays_outside(key: &Path, out: &Path) -> Result<(), Failure> {
    if output::absolute(key)?.starts_with(output::absolute(out)?) {
        return Err(Failure::usage(
            format!("{} lies inside of {}", key.display(), out.display()),
            "the team gets that folder: keep the key somewhere else",
        ));
    }
    Ok(())
}

fn write_key(path: &Path, key: &Key) -> Result<(), Failure> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .and_then(|mut file| file.write_all(key.to_text().as_bytes()))
        .map_err(|error| {
            Failure::usage(
                format!("cannot write the key {}: {error}", path.display()),
                "name a file that does not exist yet, in a folder that does",
            )
        })
}

fn evidence(arguments: &DrillMake, options: &FleetOptions) -> Result<FleetTruth, Failure> {
    let bar = make::progress_bar(arguments.quiet, options.hosts);
    let made = range::make_fleet(options, &arguments.out, &|progress| {
        // No name: whoever looks on may be of the team, and hosts are made in the order of the fleet.
        let _ = progress;
        bar.inc(1);
    });
    bar.finish_and_clear();
    made.map(FleetTruth::played).map_err(make::failure)
}

/// Puts the sealed truth in the place of the open one, and takes away whatever else tells in which order hosts were drawn.
fn seal(out: &Path, truth: &FleetTruth, key: &Key) -> Result<(), Failure> {
    let sealed = drill::seal(truth, key).map_err(Failure::fault)?;
    let opened = drill::open(&sealed, key).map_err(Failure::fault)?;
    if opened != *truth {
        return Err(Failure::fault("the sealed truth does not read back"));
    }
    let brief = drill::brief(truth, &drill::commitment(&sealed));
    fs::write(out.join(SEALED), &sealed)?;
    fs::write(out.join(BRIEF), brief)?;
    fs::write(out.join(ANSWERS), drill::template(truth))?;
    fs::write(out.join(ORGANISATIONS), drill::organisations(truth))?;
    let attestations = out.join(ATTESTATIONS);
    if attestations.exists() {
        let text = read_text(&attestations)?;
        fs::write(
            &attestations,
            drill::sorted_rows(&text).map_err(Failure::fault)?,
        )?;
    }
    fs::remove_file(out.join(TRUTH))?;
    same_times(out, truth)
}

/// Gives everything that was made one time: the order in which hosts were made hints at what befell them. Files of
/// evidence inside of a host's folder keep the times that they had on the host.
fn same_times(out: &Path, truth: &FleetTruth) -> Result<(), Failure> {
    let taken = truth.hosts.iter().flat_map(|host| &host.collections);
    let Some(time) = taken.map(|collection| collection.taken).max() else {
        return Ok(());
    };
    let time = SystemTime::from(time);
    let evidence = out.join("evidence");
    for entry in fs::read_dir(&evidence)? {
        let path = entry?.path();
        if path.is_dir() {
            folders_at(&path, time)?;
        } else {
            file_at(&path, time)?;
        }
    }
    for name in [
        SEALED,
        BRIEF,
        ANSWERS,
        ORGANISATIONS,
        ATTESTATIONS,
        KNOWN_FILES,
    ] {
        let path = out.join(name);
        if path.exists() {
            file_at(&path, time)?;
        }
    }
    folder_at(&evidence, time);
    folder_at(out, time);
    Ok(())
}

fn file_at(path: &Path, time: SystemTime) -> Result<(), Failure> {
    let file = File::options().append(true).open(path)?;
    Ok(file.set_modified(time)?)
}

/// The folder and all below it, deepest first.
fn folders_at(folder: &Path, time: SystemTime) -> Result<(), Failure> {
    let mut waiting = vec![folder.to_owned()];
    let mut folders: Vec<PathBuf> = Vec::new();
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                waiting.push(path);
            }
        }
        folders.push(folder);
    }
    for folder in folders.iter().rev() {
        folder_at(folder, time);
    }
    Ok(())
}

/// Not every system lets a folder's time be set; then it is lost as soon as the folder is packed.
fn folder_at(path: &Path, time: SystemTime) {
    #[expect(
        clippy::disallowed_methods,
        reason = "a folder that was just made, for its time"
    )]
    let _ = File::open(path).and_then(|folder| folder.set_modified(time));
}

fn score_drill(arguments: &DrillScore) -> Outcome {
    output::must_be_writable(arguments.output.as_deref())?;
    let truth = opened(&arguments.folder, &arguments.key)?;
    let text = read_text(&arguments.answers)?;
    let answers = drill::read_answers(&text, &truth)
        .map_err(|problems| bad_answers(&arguments.answers, &problems))?;
    let report = arguments.report.as_deref().map(score::read_report);
    let scored = drill::score_answers(&answers, &truth, report.transpose()?.as_ref());
    score::write(
        arguments.output.as_deref(),
        &mut |out| match arguments.format {
            ScoreFormat::Text => {
                out.write_all(drill::drill_text(&scored, &score::visible).as_bytes())
            }
            ScoreFormat::Json => report::json_value(&scored, out),
        },
    )?;
    let code = if scored.team.grave_errors.is_empty() {
        ASSURED
    } else {
        NOT_ASSURED
    };
    Ok(ExitCode::from(code))
}

/// Opens the sealed truth, after the brief's hash of it has been checked.
fn opened(folder: &Path, key: &Path) -> Result<FleetTruth, Failure> {
    let key: Key = read_text(key)?.parse().map_err(|error: SealError| {
        Failure::usage(
            format!("{}: {error}", key.display()),
            "give the file that `allclear range drill make --key` wrote",
        )
    })?;
    let (brief, sealed) = (folder.join(BRIEF), folder.join(SEALED));
    let sealed = read_bytes(&sealed, SEALED_BYTES_MAX)?;
    let text = read_text(&brief)?;
    let stated = drill::commitment_in(&text).ok_or_else(|| {
        Failure::usage(
            format!("{} states no hash of {SEALED}", brief.display()),
            "use the brief that was handed out",
        )
    })?;
    let found = drill::commitment(&sealed);
    if !found.eq_ignore_ascii_case(stated) {
        return Err(Failure::usage(
            format!("{SEALED} has the SHA-256 {found}, but {BRIEF} states {stated}"),
            "one of them was changed after the drill was made: use the copies that were handed out",
        ));
    }
    drill::open(&sealed, &key).map_err(|error| {
        Failure::usage(
            format!("cannot open {}: {error}", folder.join(SEALED).display()),
            "give folder and key of the same drill",
        )
    })
}

fn bad_answers(path: &Path, problems: &[drill::AnswerProblem]) -> Failure {
    let mut text = format!("{} cannot be scored", path.display());
    for problem in problems {
        let problem = score::visible(&problem.to_string());
        let problem: String = problem.chars().take(PROBLEM_CHARACTERS_MAX).collect();
        text.push_str("\n  ");
        text.push_str(&problem);
    }
    Failure::usage(text, "nothing was scored; the other rows may be right")
}

/// Reads a text of ours or of the team.
fn read_text(path: &Path) -> Result<String, Failure> {
    let bytes = read_bytes(path, TEXT_BYTES_MAX)?;
    String::from_utf8(bytes).map_err(|_error| {
        Failure::usage(
            format!("{} is no UTF-8 text", path.display()),
            "save it as \"CSV UTF-8\" or plain UTF-8",
        )
    })
}

fn read_bytes(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| {
        Failure::usage(
            format!("cannot read {}: {error}", path.display()),
            "check the path",
        )
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "a drill's files are ours, not evidence"
    )]
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > bytes_max {
        return Err(Failure::usage(
            format!("{} is larger than {} MiB", path.display(), bytes_max >> 20),
            "check the path",
        ));
    }
    Ok(bytes)
}
