//! Who takes part in a workload, and the rounds in which all take turns.

use super::measure::{Cost, Step, measure, median};
use super::results::Row;
use crate::process::say;
use std::path::Path;

/// Counts what a contestant found, once it has run.
pub(super) type Count = Box<dyn Fn() -> Option<u64>>;

/// One tool and how it is called.
pub(super) struct Contestant {
    pub(super) name: String,
    /// What it does of the workload's question.
    pub(super) does: String,
    pub(super) ours: bool,
    /// How many cores it may use.
    pub(super) cores: u32,
    pub(super) steps: Vec<Step>,
    /// How a person would type it, where the steps are many.
    pub(super) typed: Option<String>,
    pub(super) hits: Option<Count>,
    /// How many rules it says it runs.
    pub(super) rules: Option<u64>,
    /// Bytes of the form of the load that it reads, where that differs from the load's.
    pub(super) bytes: Option<u64>,
}

impl Contestant {
    pub(super) fn ours(name: &str, does: &str, cores: u32, steps: Vec<Step>) -> Self {
        Self {
            ours: true,
            ..Self::peer(name, does, cores, steps)
        }
    }

    pub(super) fn peer(name: &str, does: &str, cores: u32, steps: Vec<Step>) -> Self {
        Self {
            name: name.to_owned(),
            does: does.to_owned(),
            ours: false,
            cores,
            steps,
            typed: None,
            hits: None,
            rules: None,
            bytes: None,
        }
    }

    pub(super) fn typed(mut self, typed: &str) -> Self {
        self.typed = Some(typed.to_owned());
        self
    }

    pub(super) fn hits(mut self, count: impl Fn() -> Option<u64> + 'static) -> Self {
        self.hits = Some(Box::new(count));
        self
    }

    pub(super) fn rules(mut self, rules: u64) -> Self {
        self.rules = Some(rules);
        self
    }

    pub(super) fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = Some(bytes);
        self
    }

    /// The command as it is told: without the names of folders outside of the project.
    fn shown(&self, root: &Path) -> String {
        if let Some(typed) = &self.typed {
            return typed.clone();
        }
        let lines: Vec<String> = self.steps.iter().map(|step| shown(step, root)).collect();
        lines.join("\n")
    }
}

/// One step as a person would type it in the project's folder.
fn shown(step: &Step, root: &Path) -> String {
    let mut words = vec![word(&step.program, root)];
    words.extend(step.arguments.iter().map(|argument| word(argument, root)));
    if let Some(output) = &step.output {
        words.extend([">".to_owned(), word(&output.to_string_lossy(), root)]);
    }
    words.join(" ")
}

/// A path inside the project from there on, any other by its name alone; quoted where a shell needs it.
fn word(word: &str, root: &Path) -> String {
    let path = Path::new(word.strip_prefix('@').unwrap_or(word));
    let at = if word.starts_with('@') { "@" } else { "" };
    let short = match path.strip_prefix(root) {
        Ok(inside) => format!("{at}{}", inside.display()),
        Err(_) if path.is_absolute() => path.file_name().map_or_else(
            || word.to_owned(),
            |name| format!("{at}{}", name.to_string_lossy()),
        ),
        Err(_) => word.to_owned(),
    };
    let plain = |letter: char| letter.is_alphanumeric() || "-_./=@:~%+,".contains(letter);
    if short.chars().all(plain) && !short.is_empty() {
        short
    } else {
        format!("'{}'", short.replace('\'', "'\\''"))
    }
}

/// How the rounds are run.
pub(super) struct Rounds<'a> {
    pub(super) count: usize,
    pub(super) once_over_seconds: f64,
    /// Where standard error of whoever runs goes.
    pub(super) errors: &'a Path,
    pub(super) root: &'a Path,
    /// Bytes of the load.
    pub(super) bytes: u64,
}

/// Lets all take turns, and gives a row for each that did its work, and a sentence for each that did not.
pub(super) fn run(
    contestants: &[Contestant],
    rounds: &Rounds<'_>,
) -> (Vec<Row>, Vec<String>, Result<(), String>) {
    let mut costs: Vec<Vec<Cost>> = vec![Vec::new(); contestants.len()];
    let mut hits: Vec<Option<u64>> = vec![None; contestants.len()];
    let mut failures: Vec<Option<String>> = vec![None; contestants.len()];
    for round in 1..=rounds.count {
        for (index, contestant) in contestants.iter().enumerate() {
            let slow = costs[index]
                .first()
                .is_some_and(|cost| cost.wall_seconds > rounds.once_over_seconds);
            if failures[index].is_some() || slow && !contestant.ours {
                continue;
            }
            match measure(&contestant.steps, contestant.cores, rounds.errors) {
                Ok(cost) => {
                    say(&format!(
                        "round {round}: {:.2} s  {}",
                        cost.wall_seconds, contestant.name
                    ));
                    costs[index].push(cost);
                    if round == 1 {
                        hits[index] = contestant.hits.as_ref().and_then(|count| count());
                    }
                }
                Err(problem) => {
                    say(&format!("round {round}: {}: {problem}", contestant.name));
                    failures[index] = Some(without_paths(&problem, rounds.root));
                }
            }
        }
    }
    let mut rows = Vec::new();
    let mut failed = Vec::new();
    let mut ours_failed = Ok(());
    for (index, contestant) in contestants.iter().enumerate() {
        if let Some(problem) = failures[index].take() {
            let line = format!("{}: {problem}", contestant.name);
            if contestant.ours {
                ours_failed = Err(line.clone());
            }
            failed.push(line);
        } else if let Some(cost) = median(&costs[index]) {
            rows.push(row(contestant, cost, &costs[index], hits[index], rounds));
        }
    }
    (rows, failed, ours_failed)
}

fn row(
    contestant: &Contestant,
    cost: Cost,
    all: &[Cost],
    hits: Option<u64>,
    rounds: &Rounds<'_>,
) -> Row {
    let walls = || all.iter().map(|cost| cost.wall_seconds);
    Row {
        name: contestant.name.clone(),
        does: contestant.does.clone(),
        ours: contestant.ours,
        cores: contestant.cores,
        command: contestant.shown(rounds.root),
        cost,
        first_seconds: all.first().map_or(0.0, |cost| cost.wall_seconds),
        least_seconds: walls().fold(f64::INFINITY, f64::min),
        most_seconds: walls().fold(0.0, f64::max),
        runs: all.len() as u64,
        bytes: contestant.bytes.unwrap_or(rounds.bytes),
        hits,
        rules: contestant.rules,
    }
}

/// What is told must not carry the folders of this machine.
fn without_paths(problem: &str, root: &Path) -> String {
    let shortened: Vec<String> = problem
        .split(' ')
        .map(|part| {
            if part.starts_with('/') {
                word(part, root)
            } else {
                part.to_owned()
            }
        })
        .collect();
    let first = shortened.join(" ");
    let mut short: String = first.chars().take(300).collect();
    if short.len() < first.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Vec<Step> {
        vec![Step::new(Path::new("sh"), &["-c", script])]
    }

    #[test]
    fn commands_are_told_without_the_machine_s_folders() {
        let root = Path::new("/home/someone/allclear");
        let step = Step::new(
            Path::new("/opt/peers/hayabusa"),
            &[
                "-d",
                "/home/someone/allclear/target/bench/x y",
                "-e",
                "@/home/someone/allclear/target/e",
                "select 1",
                "",
            ],
        );
        let step = step.output("/home/someone/allclear/target/out".into());
        assert_eq!(
            shown(&step, root),
            "hayabusa -d 'target/bench/x y' -e @target/e 'select 1' '' > target/out"
        );
    }

    #[test]
    fn slow_peers_run_once_and_failed_ones_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let errors = folder.path().join("errors");
        let contestants = [
            Contestant::ours("we", "it", 2, shell("exit 0"))
                .hits(|| Some(7))
                .rules(3),
            Contestant::peer("slow", "it", 2, shell("sleep 0.05")).bytes(5),
            Contestant::peer("broken", "it", 2, shell("exit 9")),
        ];
        let rounds = Rounds {
            count: 2,
            once_over_seconds: 0.04,
            errors: &errors,
            root: folder.path(),
            bytes: 10,
        };
        let (rows, failed, ours) = run(&contestants, &rounds);
        let runs: Vec<(&str, u64, Option<u64>, u64)> = rows
            .iter()
            .map(|row| (row.name.as_str(), row.runs, row.hits, row.bytes))
            .collect();
        assert_eq!(runs, [("we", 2, Some(7), 10), ("slow", 1, None, 5)]);
        assert_eq!(failed.len(), 1);
        assert!(failed[0].starts_with("broken: sh -c exit 9 failed"));
        assert!(ours.is_ok());
    }
}
