//! What `cargo xtask bench` is asked to do.

use std::path::PathBuf;

/// Scale whose figures are published.
const PUBLISHED_SCALE: &str = "1GB";

/// A peer that took longer than this is not run again in further rounds.
const ONCE_OVER_SECONDS: f64 = 60.0;

/// The options, checked.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Options {
    /// As it was typed: `1GB`, `200MB`.
    pub(super) scale: String,
    /// The same in bytes.
    pub(super) bytes: u64,
    pub(super) rounds: usize,
    /// Names of workloads; empty for all.
    pub(super) only: Vec<String>,
    /// Names of peers that are left out.
    pub(super) without: Vec<String>,
    pub(super) out: Option<PathBuf>,
    pub(super) once_over_seconds: f64,
    /// Make every load again.
    pub(super) fresh: bool,
    /// The program to measure, where it is not to be built from this tree.
    pub(super) program: Option<PathBuf>,
    /// Folder of real event logs.
    pub(super) evtx: Option<PathBuf>,
    /// Program that packs them densely.
    pub(super) dense_tool: Option<PathBuf>,
    /// Sigma rules as SigmaHQ publishes them.
    pub(super) sigma: Option<PathBuf>,
    /// Further YARA rules.
    pub(super) yara: Option<PathBuf>,
    pub(super) hayabusa: Option<PathBuf>,
    pub(super) chainsaw: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            scale: PUBLISHED_SCALE.to_owned(),
            bytes: 1_000_000_000,
            rounds: 3,
            only: Vec::new(),
            without: Vec::new(),
            out: None,
            once_over_seconds: ONCE_OVER_SECONDS,
            fresh: false,
            program: None,
            evtx: None,
            dense_tool: None,
            sigma: None,
            yara: None,
            hayabusa: None,
            chainsaw: None,
        }
    }
}

impl Options {
    /// Reads the words behind `cargo xtask bench`; `workloads` are the names that `--only` may give.
    pub(super) fn from_arguments(arguments: &[String], workloads: &[&str]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(name) = arguments.next() {
            if name == "--fresh" {
                options.fresh = true;
                continue;
            }
            let value = arguments
                .next()
                .ok_or_else(|| format!("{name} needs a value"))?;
            options.set(name, value, workloads)?;
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str, workloads: &[&str]) -> Result<(), String> {
        let path = || Some(PathBuf::from(value));
        match name {
            "--scale" => {
                self.bytes = size(value)?;
                value.clone_into(&mut self.scale);
            }
            "--rounds" => {
                self.rounds = number(name, value)?;
                if self.rounds == 0 {
                    return Err("--rounds must be 1 or more".to_owned());
                }
            }
            "--once-over" => self.once_over_seconds = number(name, value)?,
            "--only" => {
                for workload in value.split(',') {
                    if !workloads.contains(&workload) {
                        let known = workloads.join(", ");
                        return Err(format!("no workload {workload}; there are {known}"));
                    }
                    self.only.push(workload.to_owned());
                }
            }
            "--without" => self.without.extend(value.split(',').map(str::to_owned)),
            "--out" => self.out = path(),
            "--program" => self.program = path(),
            "--evtx" => self.evtx = path(),
            "--dense-tool" => self.dense_tool = path(),
            "--sigma" => self.sigma = path(),
            "--yara" => self.yara = path(),
            "--hayabusa" => self.hayabusa = path(),
            "--chainsaw" => self.chainsaw = path(),
            _ => return Err(format!("unknown option {name}\n{}", crate::USAGE)),
        }
        Ok(())
    }

    /// Whether this workload is to be run.
    pub(super) fn wants(&self, workload: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == workload)
    }

    /// Whether these figures are those that the project publishes.
    pub(super) fn is_published(&self) -> bool {
        self.scale == PUBLISHED_SCALE
    }
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    value
        .parse()
        .map_err(|source| format!("{name} {value}: {source}"))
}

/// Bytes of `1GB`, `200MB`, `64kB`; decimal units, as everywhere in the benchmarks.
fn size(text: &str) -> Result<u64, String> {
    let upper = text.to_ascii_uppercase();
    let units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000)];
    let found = units
        .iter()
        .find_map(|(unit, bytes)| Some((upper.strip_suffix(unit)?, *bytes)));
    let (digits, unit) = found.unwrap_or((&upper, 1));
    let count: u64 = number("--scale", digits)?;
    match count.checked_mul(unit) {
        Some(bytes @ 1..) => Ok(bytes),
        _ => Err(format!("--scale {text} is no size")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Options, String> {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        Options::from_arguments(&words, &["evtx-hunt", "iis"])
    }

    #[test]
    fn settings_are_read_and_nonsense_is_refused() {
        let options = parse("--scale 200MB --rounds 1 --only iis --fresh --once-over 5").unwrap();
        assert_eq!((options.bytes, options.rounds), (200_000_000, 1));
        assert!(options.fresh && !options.is_published());
        assert!(options.wants("iis") && !options.wants("evtx-hunt"));
        assert_eq!(parse(""), Ok(Options::default()));
        for nonsense in [
            "--rounds 0",
            "--scale",
            "--scale 0GB",
            "--scale much",
            "--scale 99999999999999GB",
            "--only other",
            "--fast yes",
        ] {
            assert!(parse(nonsense).is_err(), "{nonsense}");
        }
    }
}
