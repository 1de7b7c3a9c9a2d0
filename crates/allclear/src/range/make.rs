//! `allclear range make`: synthetic servers and fleets with known truth.

use super::args::RangeMake;
use crate::Outcome;
use crate::exit::Failure;
use crate::output::say;
use indicatif::{ProgressBar, ProgressStyle};
use range::{ContainerKind, FleetError, FleetOptions, FleetScenario, Withheld};
use std::io::{self, IsTerminal};
use std::num::NonZero;
use std::process::ExitCode;
use std::time::Duration;

/// Draws what befell each host of a fleet.
const CAMPAIGN: &str = "campaign";

/// Takes each scenario in turn.
const EVERY: &str = "every";

/// Takes every kind of container in turn.
const MIXED: &str = "mixed";

/// Names that differ by no more letters than this may have been meant.
const NEAR_LETTERS_MAX: usize = 3;

pub(crate) fn make(arguments: &RangeMake) -> Outcome {
    if is_fleet(arguments) {
        fleet(arguments)
    } else {
        server(arguments)
    }
}

fn is_fleet(arguments: &RangeMake) -> bool {
    let drawn = matches!(arguments.scenario.as_deref(), Some(CAMPAIGN | EVERY));
    drawn || arguments.hosts.is_some_and(|hosts| hosts > 1)
}

/// Makes one server, whose evidence carries its name only.
fn server(arguments: &RangeMake) -> Outcome {
    let scenario = arguments.scenario.as_deref().unwrap_or(range::showcase());
    known_scenario(scenario)?;
    let kinds = containers(arguments.container.as_deref(), ContainerKind::Folder)?;
    let [kind] = kinds[..] else {
        return Err(Failure::usage(
            "one server has one container",
            format!("name one of {}, or make several servers", container_names()),
        ));
    };
    let options = range::Options {
        text_bytes: arguments.scale.as_deref().map(size).transpose()?,
        withhold: withheld(&arguments.withhold)?,
        probe_minutes: arguments.probe_minutes,
        ..range::Options::new(scenario, arguments.seed)
    };
    let made = range::make_server(&options, kind, &arguments.out).map_err(failure)?;
    let out = arguments.out.display();
    say(&format!(
        "{out}/evidence          what a collector would have brought of {}\n\
         {out}/known-files.csv   the files that this synthetic product ships, for --known\n\
         {out}/truth.json        what really happened",
        made.truth.host
    ))?;
    if !made.attestations.is_empty() {
        say(&format!(
            "{out}/attestations.csv  what named persons state, for --attest"
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn fleet(arguments: &RangeMake) -> Outcome {
    let scenario = fleet_scenario(arguments.scenario.as_deref())?;
    let each_once = usize::from(scenario == FleetScenario::Every) * range::scenarios().len();
    let hosts = match arguments.hosts {
        Some(hosts) => usize::try_from(hosts).map_err(Failure::fault)?,
        None => each_once.max(1),
    };
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let jobs = arguments.jobs.and_then(|jobs| usize::try_from(jobs).ok());
    let options = FleetOptions {
        scenario,
        containers: containers(arguments.container.as_deref(), ContainerKind::Zip)?,
        text_bytes: arguments.scale.as_deref().map(size).transpose()?,
        withhold: withheld(&arguments.withhold)?,
        probe_minutes: arguments.probe_minutes,
        jobs: jobs.unwrap_or(processors),
        ..FleetOptions::new(arguments.seed, hosts)
    };
    let bar = progress_bar(arguments.quiet, hosts);
    let made = range::make_fleet(&options, &arguments.out, &|progress| {
        bar.set_message(progress.host.to_owned());
        bar.inc(1);
    });
    bar.finish_and_clear();
    let truth = made.map_err(failure)?;
    let out = arguments.out.display();
    let hosts = counted(truth.hosts.len(), "host");
    let organisations = counted(truth.organisations.len(), "organisation");
    say(&format!(
        "{out}/evidence           what collectors would have brought of {hosts} of {organisations}\n\
         {out}/organisations.csv  who owns which host\n\
         {out}/known-files.csv    the files that this synthetic product ships, for --known\n\
         {out}/truth.json         what really happened"
    ))?;
    if arguments.out.join("attestations.csv").exists() {
        say(&format!(
            "{out}/attestations.csv   what named persons state, for --attest"
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What befalls the hosts of a fleet.
pub(super) fn fleet_scenario(name: Option<&str>) -> Result<FleetScenario, Failure> {
    match name {
        None | Some(CAMPAIGN) => Ok(FleetScenario::Campaign),
        Some(EVERY) => Ok(FleetScenario::Every),
        Some(name) => {
            known_scenario(name)?;
            Ok(FleetScenario::Named(name.to_owned()))
        }
    }
}

/// `1 host`, `2 hosts`.
fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// A bar on a terminal, nothing elsewhere.
pub(super) fn progress_bar(quiet: bool, hosts: usize) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(u64::try_from(hosts).unwrap_or(u64::MAX));
    let style = ProgressStyle::with_template("{elapsed} {bar:20} {pos} of {len} hosts {wide_msg}")
        .unwrap_or_else(|_error| ProgressStyle::default_bar());
    bar.set_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Whose turn it is: a full disk is nobody's choice, all else the caller can change.
pub(super) fn failure(error: FleetError) -> Failure {
    match error {
        FleetError::NotEmpty(_) => Failure::usage(error, "name a folder that does not exist yet"),
        FleetError::Write { .. } => Failure::usage(error, "name a folder that you may write to"),
        FleetError::Host {
            source: range::Error::Io(_),
            ..
        } => Failure::fault(error).with_advice("what was written so far is no whole fleet"),
        _ => Failure::usage(error, "see `allclear range make --help`"),
    }
}

/// Refuses a scenario that does not exist, and names those that may have been meant.
fn known_scenario(names: &str) -> Result<(), Failure> {
    let all = range::scenarios();
    let Some(unknown) = names.split('+').find(|name| !all.contains(name)) else {
        return Ok(());
    };
    let near: Vec<&str> = all
        .into_iter()
        .filter(|name| is_near(unknown, name))
        .collect();
    let advice = if near.is_empty() {
        "`allclear range scenarios` lists them".to_owned()
    } else {
        format!(
            "perhaps {}? `allclear range scenarios` lists all",
            near.join(" or ")
        )
    };
    Err(Failure::usage(
        format!("no scenario is named {unknown}"),
        advice,
    ))
}

/// Whether somebody who wrote one of the names may have meant the other.
fn is_near(written: &str, name: &str) -> bool {
    let written = written.to_lowercase();
    strsim::damerau_levenshtein(&written, name) <= NEAR_LETTERS_MAX.min(written.len() / 2)
        || (written.len() > 3 && (name.contains(&written) || written.contains(name)))
}

/// The kinds that `--container` names.
pub(super) fn containers(
    name: Option<&str>,
    default: ContainerKind,
) -> Result<Vec<ContainerKind>, Failure> {
    match name {
        None => Ok(vec![default]),
        Some(MIXED) => Ok(ContainerKind::ALL.to_vec()),
        Some(name) => match name.parse() {
            Ok(kind) => Ok(vec![kind]),
            Err(_error) => Err(Failure::usage(
                format!("no container is named {name}"),
                format!("there are {} and {MIXED}", container_names()),
            )),
        },
    }
}

fn container_names() -> String {
    ContainerKind::ALL.map(ContainerKind::name).join(", ")
}

pub(super) fn withheld(specs: &[String]) -> Result<Vec<Withheld>, Failure> {
    let read = |spec: &String| {
        spec.parse().map_err(|error| {
            Failure::usage(
                error,
                "for instance httpproxy:ecp@2021-02-01T00:00:00Z..2021-02-03T00:00:00Z",
            )
        })
    };
    specs.iter().map(read).collect()
}

/// `200MB`, `1GB`: powers of ten.
pub(super) fn size(text: &str) -> Result<u64, Failure> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        assert_eq!(size("200MB").ok(), Some(200_000_000));
        assert_eq!(size(" 3 gb").ok(), Some(3_000_000_000));
        assert_eq!(size("17").ok(), Some(17));
        assert!(size("much").is_err() && size("99999999999GB").is_err());
    }

    #[test]
    fn a_slip_of_the_finger_is_near_and_another_word_is_not() {
        assert!(is_near("proxilogon", "proxylogon"));
        assert!(is_near("Theft", "mail-theft"));
        assert!(is_near("claen", "clean"));
        assert!(!is_near("nosuch", "probed"));
        assert!(!is_near("x", "clean"));
    }
}
