//! The other tools: installed from their registries into `target/bench/tools`, at pinned versions, or named by a path.
//!
//! The registries' clients check what they download. A tool is installed when a workload first asks for it; one that
//! cannot be had is told with the reason, and left out.

use super::options::Options;
use crate::process::{command, installed, output, run as run_command, say};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where a tool comes from.
#[derive(Clone, Copy, Debug)]
enum Origin {
    /// crates.io: name, version, further arguments of `cargo install`.
    Crates(&'static str, &'static str, &'static [&'static str]),
    /// Debian's packages: name.
    Debian(&'static str),
    /// PyPI: what `pip install` is told; the tool is the Python that has it.
    Python(&'static [&'static str]),
    /// No registry holds it.
    Path,
}

/// Every tool: its name, its program, and its origin.
const TOOLS: &[(&str, &str, Origin)] = &[
    (
        "evtx_dump",
        "evtx_dump",
        Origin::Crates("evtx", "0.15.1", &["--bin", "evtx_dump"]),
    ),
    (
        "rsigma",
        "rsigma",
        // It does not build without its default features, although the server mode is not needed here.
        Origin::Crates("rsigma", "0.23.0", &[]),
    ),
    (
        "yr",
        "yr",
        Origin::Crates("yara-x-cli", "1.22.1", &["--bin", "yr"]),
    ),
    ("ripgrep", "rg", Origin::Debian("ripgrep")),
    ("yara", "yara", Origin::Debian("yara")),
    ("grep", "grep", Origin::Debian("grep")),
    (
        "duckdb",
        "python/bin/python",
        Origin::Python(&["duckdb==2.0.0"]),
    ),
    (
        "yara-x",
        "python/bin/python",
        Origin::Python(&["yara-x==1.22.1"]),
    ),
    (
        "pysigma",
        "python/bin/python",
        Origin::Python(&[
            "pysigma==1.5.1",
            "pysigma-pipeline-windows==2.0.1",
            "pysigma-pipeline-sysmon==2.0.0",
        ]),
    ),
    ("hayabusa", "hayabusa", Origin::Path),
    ("chainsaw", "chainsaw", Origin::Path),
];

/// A tool that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tool {
    pub(super) program: PathBuf,
    /// Name and version, as it says itself or as it was installed.
    pub(super) version: String,
}

/// The tools that were asked for so far.
pub(super) struct Tools {
    folder: PathBuf,
    paths: BTreeMap<&'static str, PathBuf>,
    /// Names of tools that are not wanted.
    without: Vec<String>,
    known: BTreeMap<&'static str, Result<Tool, String>>,
}

impl Tools {
    pub(super) fn new(folder: PathBuf, options: &Options) -> Self {
        let named = [
            ("hayabusa", &options.hayabusa),
            ("chainsaw", &options.chainsaw),
        ];
        Self {
            folder,
            paths: named
                .into_iter()
                .filter_map(|(name, path)| Some((name, path.clone()?)))
                .collect(),
            without: options.without.clone(),
            known: BTreeMap::new(),
        }
    }

    /// The tool of that name, installed if need be, or why there is none.
    pub(super) fn tool(&mut self, name: &'static str) -> Result<Tool, String> {
        if let Some(known) = self.known.get(name) {
            return known.clone();
        }
        let found = self.find(name);
        if let Err(problem) = &found {
            say(&format!("{name}: {problem}"));
        }
        self.known.insert(name, found.clone());
        found
    }

    /// Versions of all that took part.
    pub(super) fn versions(&self) -> BTreeMap<String, String> {
        let there = self.known.iter();
        there
            .filter_map(|(name, found)| {
                let tool = found.as_ref().ok()?;
                Some(((*name).to_owned(), tool.version.clone()))
            })
            .collect()
    }

    fn find(&self, name: &'static str) -> Result<Tool, String> {
        if self.without.iter().any(|other| other == name) {
            return Err("left out by --without".to_owned());
        }
        let (_, program, origin) = TOOLS
            .iter()
            .find(|(known, _, _)| *known == name)
            .ok_or_else(|| format!("no tool is called {name}"))?;
        match *origin {
            Origin::Crates(package, version, more) => self.by_crates(
                &self.folder.join("bin").join(program),
                package,
                version,
                more,
            ),
            Origin::Debian(package) => by_debian(program, package),
            Origin::Python(packages) => self.by_python(&self.folder.join(program), packages),
            Origin::Path => self.by_path(name),
        }
    }

    fn by_crates(
        &self,
        program: &Path,
        package: &str,
        version: &str,
        more: &[&str],
    ) -> Result<Tool, String> {
        let root = self.folder.to_string_lossy().into_owned();
        let exact = format!("={version}");
        let there = said_version(program).is_some_and(|said| said.contains(version));
        if !there {
            let mut arguments = vec![
                "install",
                "--locked",
                "--root",
                &root,
                package,
                "--version",
                &exact,
            ];
            arguments.extend(more);
            run_command(command("cargo", &arguments))
                .map_err(|_told| format!("crates.io's {package} {version} cannot be installed"))?;
        }
        Ok(Tool {
            program: program.to_owned(),
            version: format!("{package} {version} (crates.io)"),
        })
    }

    fn by_python(&self, python: &Path, packages: &[&str]) -> Result<Tool, String> {
        let failed = |_told| format!("PyPI's {} cannot be installed", packages.join(", "));
        let program = python.to_string_lossy().into_owned();
        if !python.exists() {
            let environment = self.folder.join("python").to_string_lossy().into_owned();
            run_command(command("python3", &["-m", "venv", &environment])).map_err(failed)?;
        }
        let mut arguments = vec!["-m", "pip", "install", "--quiet"];
        arguments.extend(packages);
        // pip leaves alone what is there at these versions, without asking its registry.
        run_command(command(&program, &arguments)).map_err(failed)?;
        Ok(Tool {
            program: python.to_owned(),
            version: format!("{} (PyPI)", packages.join(", ").replace("==", " ")),
        })
    }

    fn by_path(&self, name: &'static str) -> Result<Tool, String> {
        let path = self.paths.get(name).ok_or_else(|| {
            format!("not run: no registry holds it, and no --{name} PATH was given")
        })?;
        let program = path
            .canonicalize()
            .map_err(|source| format!("--{name} {}: {source}", path.display()))?;
        let version =
            said_version(&program).unwrap_or_else(|| format!("{name}, of unknown version"));
        Ok(Tool { program, version })
    }
}

fn by_debian(program: &str, package: &str) -> Result<Tool, String> {
    if !installed(program, &["--version"]) {
        run_command(command("apt-get", &["install", "-y", "-q", package])).map_err(|_told| {
            format!("Debian's package {package} is not there and cannot be installed")
        })?;
    }
    let version = said_version(Path::new(program))
        .ok_or_else(|| format!("{program} does not say its version"))?;
    // Some say their version alone.
    let named = if version.starts_with(|first: char| first.is_ascii_digit()) {
        format!("{package} {version}")
    } else {
        version
    };
    Ok(Tool {
        program: PathBuf::from(program),
        version: format!("{named} (Debian)"),
    })
}

/// First line of what a program says to `--version`.
fn said_version(program: &Path) -> Option<String> {
    let said = output(command(&program.to_string_lossy(), &["--version"]))?;
    let line = said.lines().find(|line| !line.trim().is_empty())?;
    Some(line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_registry_holds_is_named_by_a_path_or_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut tools = Tools::new(folder.path().to_owned(), &Options::default());
        let problem = tools.tool("hayabusa").unwrap_err();
        assert!(problem.contains("--hayabusa PATH"), "{problem}");
        let options = Options {
            without: vec!["rsigma".to_owned()],
            chainsaw: Some(folder.path().join("nothing")),
            ..Options::default()
        };
        let mut tools = Tools::new(folder.path().to_owned(), &options);
        assert!(tools.tool("chainsaw").is_err());
        assert!(tools.tool("rsigma").unwrap_err().contains("--without"));
        assert!(tools.versions().is_empty());
    }

    #[test]
    fn a_program_that_is_there_is_not_installed_again() {
        let tool = by_debian("cargo", "cargo").unwrap();
        assert!(tool.version.starts_with("cargo "), "{}", tool.version);
        assert!(said_version(Path::new("surely-no-such-program")).is_none());
    }
}
