//! `allclear rules test`: rules on the logs that are published with them.

use super::args::RulesTest;
use super::{code, compile, line, print};
use crate::exit::Failure;
use crate::{Outcome, settings};
use detect::{Engine, RegressionPair, RuleState, RuleStatus, regression_pairs};
use evidence::Options;
use serde::Serialize;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The file that names rules and logs.
const INFO: &str = "info.yml";

#[derive(Serialize)]
struct Tested {
    counts: Counts,
    pairs: Vec<Tried>,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Counts {
    pairs: usize,
    passed: usize,
    /// Of those that passed: with more matches than told.
    with_more: usize,
    failed: usize,
    not_run: usize,
}

/// A rule, a log, and how they got on.
#[derive(Serialize)]
struct Tried {
    rule: String,
    title: String,
    /// The file that names the pair.
    info: String,
    log: String,
    #[serde(flatten)]
    outcome: TestOutcome,
}

#[derive(Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum TestOutcome {
    /// More matches than told are no failure, as in SigmaHQ's own runner: logs hold more of what the rule is for.
    Pass {
        /// None where any number will do but 0.
        expected: Option<u64>,
        found: u64,
        records: u64,
    },
    Fail {
        expected: Option<u64>,
        found: u64,
        records: u64,
        /// The first of what could not be read.
        gap: Option<String>,
    },
    NotRun {
        why: String,
    },
}

pub(super) fn run(arguments: &RulesTest) -> Outcome {
    let folder = &arguments.folder;
    let advice = "give the folder that holds the rules and their regression data";
    if !folder.is_dir() {
        let error = format!("{} is not a folder", folder.display());
        return Err(Failure::usage(error, advice));
    }
    let root = folder.canonicalize()?;
    let files = settings::sigma_files(std::slice::from_ref(folder))?;
    let (infos, rules): (Vec<_>, Vec<_>) = files
        .into_iter()
        .partition(|(path, _)| Path::new(path).file_name().is_some_and(|name| name == INFO));
    let engine = compile(&[], rules)?;
    let bench = Bench {
        root,
        states: engine.rule_states(),
        engine,
    };
    let mut pairs = Vec::new();
    for (info, text) in &infos {
        match regression_pairs(text) {
            Ok(named) => pairs.extend(named.into_iter().map(|pair| bench.tried(info, pair))),
            Err(error) => pairs.push(unreadable(info, &error.to_string())),
        }
    }
    if pairs.is_empty() {
        let error = format!("no {INFO} below {} names a log", folder.display());
        return Err(Failure::usage(error, advice));
    }
    let tested = Tested {
        counts: Counts::of(&pairs),
        pairs,
    };
    print(arguments.format, &tested, &|out| tested.text(out))?;
    Ok(code(tested.counts.passed == tested.counts.pairs))
}

fn unreadable(info: &str, why: &str) -> Tried {
    Tried {
        rule: String::new(),
        title: String::new(),
        info: info.to_owned(),
        log: String::new(),
        outcome: TestOutcome::NotRun {
            why: format!("{info} cannot be read: {why}"),
        },
    }
}

/// Everything that pairs are tried with.
struct Bench {
    engine: Engine,
    states: Vec<RuleStatus>,
    /// The folder that no log may lie outside of, with links resolved.
    root: PathBuf,
}

impl Bench {
    fn tried(&self, info: &str, pair: RegressionPair) -> Tried {
        let outcome = match self.not_run(&pair.rule) {
            Some(why) => TestOutcome::NotRun { why },
            None => self
                .outcome(&pair)
                .unwrap_or_else(|why| TestOutcome::NotRun { why }),
        };
        Tried {
            rule: pair.rule,
            title: pair.title,
            info: info.to_owned(),
            log: pair.log,
            outcome,
        }
    }

    /// Why the rule of this id does not run, if it does not.
    fn not_run(&self, id: &str) -> Option<String> {
        let mut own = self.states.iter();
        let own = own.find(|status| {
            let is_taken = !matches!(status.state, RuleState::Duplicate { .. });
            is_taken && status.rule.eq_ignore_ascii_case(id)
        });
        match own.map(|status| &status.state) {
            None => Some(format!("no rule has the id {id}")),
            Some(RuleState::Undetectable { reasons }) => Some(reasons.join("; ")),
            Some(RuleState::Rejected(fault)) => {
                Some(format!("the rule is rejected: {}", fault.message))
            }
            Some(_) => None,
        }
    }

    fn outcome(&self, pair: &RegressionPair) -> Result<TestOutcome, String> {
        let options = Options::default();
        let log = log_below(&self.root, &pair.log)?;
        let collections =
            evidence::discover(&[log], &options).map_err(|error| error.to_string())?;
        let counted = pipeline::count_matches(&self.engine, &pair.rule, &collections, &options);
        let (found, looked) = (counted.matches, counted.looked);
        if looked.records == 0 {
            return Err(match looked.first_gap {
                Some(gap) => format!("no record can be read: {}", gap.detail),
                None => "no reader finds a record in it".to_owned(),
            });
        }
        let records = looked.records;
        let expected = pair.expected;
        Ok(if found >= expected.unwrap_or(1) {
            TestOutcome::Pass {
                expected,
                found,
                records,
            }
        } else {
            TestOutcome::Fail {
                expected,
                found,
                records,
                gap: looked.first_gap.map(|gap| gap.detail),
            }
        })
    }
}

/// The log that is named there; a path may never leave the folder, by its parts or by a link.
fn log_below(root: &Path, written: &str) -> Result<PathBuf, String> {
    let outside = || "its path leaves the folder".to_owned();
    if written.starts_with(['/', '\\']) {
        return Err(outside());
    }
    let mut path = root.to_owned();
    for part in written.split(['/', '\\']) {
        match part {
            "" | "." => {}
            // A colon begins a drive or a stream on Windows.
            part if part == ".." || part.contains(':') => return Err(outside()),
            part => path.push(part),
        }
    }
    let real = path
        .canonicalize()
        .map_err(|error| format!("its log cannot be opened: {error}"))?;
    if !real.starts_with(root) {
        return Err(outside());
    }
    if !real.is_file() {
        return Err("its log is no file".to_owned());
    }
    Ok(real)
}

impl Counts {
    fn of(pairs: &[Tried]) -> Self {
        let mut counts = Self {
            pairs: pairs.len(),
            ..Self::default()
        };
        for pair in pairs {
            let count = match pair.outcome {
                TestOutcome::Pass {
                    expected, found, ..
                } => {
                    counts.with_more += usize::from(expected.is_some_and(|told| found > told));
                    &mut counts.passed
                }
                TestOutcome::Fail { .. } => &mut counts.failed,
                TestOutcome::NotRun { .. } => &mut counts.not_run,
            };
            *count += 1;
        }
        counts
    }
}

impl Tested {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        for pair in &self.pairs {
            let title = match (pair.title.as_str(), pair.rule.as_str()) {
                ("", "") => "-",
                ("", rule) => rule,
                (title, _) => title,
            };
            let log = if pair.log.is_empty() {
                &pair.info
            } else {
                &pair.log
            };
            let name = pair.outcome.name();
            line(out, 0, &format!("{name:<7}  {title}  {log}"))?;
            if let Some(why) = pair.outcome.why() {
                line(out, 2, &why)?;
            }
        }
        let counts = self.counts;
        writeln!(
            out,
            "{} pairs: {} passed ({} with more matches than told), {} failed, {} not run",
            counts.pairs, counts.passed, counts.with_more, counts.failed, counts.not_run
        )
    }
}

impl TestOutcome {
    fn name(&self) -> &'static str {
        match self {
            Self::Pass { .. } => "pass",
            Self::Fail { .. } => "fail",
            Self::NotRun { .. } => "not run",
        }
    }

    fn why(&self) -> Option<String> {
        let (expected, found, records, gap) = match self {
            Self::NotRun { why } => return Some(why.clone()),
            Self::Pass {
                expected, found, ..
            } if expected.is_none_or(|told| told == *found) => return None,
            Self::Pass {
                expected,
                found,
                records,
            } => (expected, found, records, None),
            Self::Fail {
                expected,
                found,
                records,
                gap,
            } => (expected, found, records, gap.as_deref()),
        };
        let gap = gap.map_or_else(String::new, |gap| format!("; not all could be read: {gap}"));
        let expected = expected.map_or_else(|| "any".to_owned(), |told| told.to_string());
        Some(format!(
            "expected {expected} matches, found {found} in {records} records{gap}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_log_lies_below_the_folder_or_is_not_opened() {
        let folder = tempfile::TempDir::new().unwrap();
        let root = folder.path().canonicalize().unwrap().join("root");
        fs::create_dir_all(root.join("logs")).unwrap();
        for name in ["root/logs/a.json", "secret"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(folder.path().join("secret"), root.join("link")).unwrap();
        for written in ["logs/a.json", "./logs//a.json", "logs\\a.json"] {
            let found = log_below(&root, written);
            assert_eq!(found, Ok(root.join("logs").join("a.json")), "{written}");
        }
        let secret = folder.path().join("secret").display().to_string();
        let elsewhere = [
            &secret,
            "../secret",
            "logs/../../secret",
            "C:\\secret",
            "\\\\x\\y",
        ];
        let elsewhere = elsewhere.into_iter().chain(cfg!(unix).then_some("link"));
        for written in elsewhere {
            let why = log_below(&root, written).unwrap_err();
            assert_eq!(why, "its path leaves the folder", "{written}");
        }
        for written in ["", "logs"] {
            assert_eq!(
                log_below(&root, written),
                Err("its log is no file".to_owned())
            );
        }
        assert!(log_below(&root, "nosuch").is_err());
    }
}
