//! Crates depend downwards only.
//!
//! Cargo refuses rings, but not an arrow that points upwards or sideways; the table here does. It is the one in
//! ARCHITECTURE.md, and changes with it.

use crate::process::{command, output};
use serde::Deserialize;

/// Every crate and its layer. A crate may depend on crates of lower layers only.
const LAYERS: &[(u8, &[&str])] = &[
    (0, &["model", "sigma", "embed"]),
    (1, &["evidence", "pack", "store"]),
    (
        2,
        &["artifacts", "detect", "assess", "share", "range", "report"],
    ),
    (3, &["pipeline", "query", "response"]),
    (4, &["cluster", "api"]),
    (5, &["server"]),
    (6, &["allclear"]),
];

/// The test kit: tests of any crate may use it.
const TEST_KIT: &str = "range";

/// One crate of ours that depends on another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dependency {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) for_tests: bool,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<PackageDependency>,
}

#[derive(Deserialize)]
struct PackageDependency {
    name: String,
    kind: Option<String>,
    path: Option<String>,
}

/// Dependencies between crates of the workspace, as `cargo metadata` tells them.
pub(super) fn dependencies() -> Result<Vec<Dependency>, String> {
    let metadata = output(command(
        "cargo",
        &["metadata", "--no-deps", "--format-version", "1"],
    ))
    .ok_or("`cargo metadata` failed")?;
    from_metadata(&metadata)
}

fn from_metadata(metadata: &str) -> Result<Vec<Dependency>, String> {
    let metadata: Metadata = serde_json::from_str(metadata)
        .map_err(|source| format!("cannot read cargo's metadata: {source}"))?;
    let mut dependencies = Vec::new();
    for package in metadata.packages {
        for dependency in package
            .dependencies
            .into_iter()
            .filter(|one| one.path.is_some())
        {
            dependencies.push(Dependency {
                from: package.name.clone(),
                to: dependency.name,
                for_tests: dependency.kind.as_deref() == Some("dev"),
            });
        }
    }
    Ok(dependencies)
}

/// What is wrong with them.
pub(super) fn problems(dependencies: &[Dependency]) -> Vec<String> {
    let mut problems = Vec::new();
    // Tasks stand outside the product and may use any of it.
    for Dependency {
        from,
        to,
        for_tests,
    } in dependencies.iter().filter(|one| one.from != "xtask")
    {
        if *for_tests && to == TEST_KIT {
            continue;
        }
        match (layer(from), layer(to)) {
            (Some(above), Some(below)) if above > below => {}
            (Some(above), Some(below)) => problems.push(format!(
                "crates/{from}/Cargo.toml: `{from}` (layer {above}) must not depend on `{to}` (layer {below})"
            )),
            (None, _) => problems.push(format!("`{from}` has no layer in xtask/src/tidy/layers.rs")),
            (_, None) => problems.push(format!("`{to}` has no layer in xtask/src/tidy/layers.rs")),
        }
    }
    problems
}

fn layer(name: &str) -> Option<u8> {
    let found = LAYERS.iter().find(|(_, crates)| crates.contains(&name));
    found.map(|(layer, _)| *layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dependency(from: &str, to: &str, for_tests: bool) -> Dependency {
        Dependency {
            from: from.to_owned(),
            to: to.to_owned(),
            for_tests,
        }
    }

    #[test]
    fn arrows_that_point_up_or_sideways_are_refused() {
        assert!(problems(&[dependency("assess", "pack", false)]).is_empty());
        assert_eq!(
            problems(&[
                dependency("model", "pack", false),
                dependency("assess", "detect", true)
            ]),
            [
                "crates/model/Cargo.toml: `model` (layer 0) must not depend on `pack` (layer 1)",
                "crates/assess/Cargo.toml: `assess` (layer 2) must not depend on `detect` (layer 2)",
            ]
        );
        assert_eq!(problems(&[dependency("new", "model", false)]).len(), 1);
    }

    #[test]
    fn tests_may_use_the_test_kit_and_tasks_anything() {
        assert!(problems(&[dependency("evidence", "range", true)]).is_empty());
        assert!(problems(&[dependency("xtask", "allclear", false)]).is_empty());
        assert_eq!(problems(&[dependency("evidence", "range", false)]).len(), 1);
    }

    #[test]
    fn metadata_of_cargo_is_understood() {
        let metadata = r#"{"packages":[{"name":"pack","dependencies":[
            {"name":"model","kind":null,"path":"/x"},{"name":"serde","kind":null},{"name":"range","kind":"dev","path":"/y"}]}]}"#;
        assert_eq!(
            from_metadata(metadata).unwrap(),
            [
                dependency("pack", "model", false),
                dependency("pack", "range", true)
            ]
        );
    }
}
