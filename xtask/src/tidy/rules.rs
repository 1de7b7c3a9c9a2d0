//! Rules about the text of the project's files.

use super::project::{Project, ends_with, is_test_file};
use std::collections::{BTreeMap, BTreeSet};

/// Words of campaigns; the names of packs are added to them. What an examiner of a pack would want to see stands in
/// the pack.
const CAMPAIGN_WORDS: &[&str] = &[
    "proxylogon",
    "proxyshell",
    "proxynotshell",
    "owassrf",
    "hafnium",
    "sunburst",
    "solarwinds",
    "solorigate",
    "chinachopper",
    "dearcry",
    "pydomer",
];

/// Names of file formats that contain such a word: the tables and logs that a tool of this name leaves behind.
const FORMAT_NAMES: &[&str] = &["test-proxylogon", "test_proxylogon", "testproxylogon"];

/// Places that may use a campaign's name all the same, and why.
const CAMPAIGN_EXEMPTIONS: &[(&str, &str)] = &[
    ("crates/range/", "the simulator names its scenarios"),
    (
        "crates/allclear/src/args.rs",
        "the default scenario of the simulator",
    ),
];

/// Readers without records, so that no input of theirs is damaged.
const READERS_OF_NO_RECORDS: &[&str] = &["web"];

/// Words in the name of a test that feeds damaged input.
const DAMAGE_WORDS: &[&str] = &["damaged", "cut_off", "broken", "truncated"];

/// Everything that is wrong with the project's files.
pub(super) fn problems(project: &Project) -> Vec<String> {
    let rules: &[fn(&Project) -> Vec<String>] = &[
        crates_are_described,
        sources_say_what_they_are_for,
        knowledge_is_data,
        readers_are_tested,
        parsers_are_fuzzed,
        pack_rules_have_examples,
        nothing_is_left_to_do,
        nothing_outside_is_needed,
    ];
    rules.iter().flat_map(|rule| rule(project)).collect()
}

/// Each crate has a line in ARCHITECTURE.md, a page of documentation, and the workspace's lints.
fn crates_are_described(project: &Project) -> Vec<String> {
    let map = project.text("ARCHITECTURE.md");
    let mut problems = Vec::new();
    for name in project.crates() {
        if !map.contains(&format!("`{name}`")) {
            problems.push(format!("ARCHITECTURE.md: no line about `{name}`"));
        }
        let manifest = format!("crates/{name}/Cargo.toml");
        if !project
            .text(&manifest)
            .contains("[lints]\nworkspace = true")
        {
            problems.push(format!(
                "{manifest}: needs `[lints]` with `workspace = true`"
            ));
        }
        let roots = [
            format!("crates/{name}/src/lib.rs"),
            format!("crates/{name}/src/main.rs"),
        ];
        if !roots
            .iter()
            .any(|root| project.text(root).starts_with("//! "))
        {
            problems.push(format!(
                "crates/{name}: its lib.rs or main.rs needs a page of `//!`"
            ));
        }
    }
    problems
}

/// Each source file opens with a sentence that says what it is for.
fn sources_say_what_they_are_for(project: &Project) -> Vec<String> {
    let sources = ["crates/", "xtask/", "fuzz/"]
        .into_iter()
        .flat_map(|folder| project.matching(folder, ".rs"));
    sources
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(path, _)| format!("{path}: must open with a `//!` line that says what it is for"))
        .collect()
}

/// No vulnerability and no campaign is named in the product's code.
fn knowledge_is_data(project: &Project) -> Vec<String> {
    let packs = project.matching("packs/", "/pack.yaml");
    let packs = packs.filter_map(|(path, _)| path.split('/').nth(1));
    let words: BTreeSet<&str> = CAMPAIGN_WORDS.iter().copied().chain(packs).collect();
    let mut problems = Vec::new();
    for (path, text) in project.product_sources() {
        let exempt = CAMPAIGN_EXEMPTIONS
            .iter()
            .any(|(exempt, _)| path.starts_with(exempt));
        for (index, line) in text.lines().enumerate() {
            let mut line = line.to_lowercase();
            if holds_vulnerability(&line) {
                problems.push(format!(
                    "{path}:{}: vulnerabilities are named in packs, not in code",
                    index + 1
                ));
            }
            for name in FORMAT_NAMES {
                line = line.replace(name, "");
            }
            let named = words
                .iter()
                .find(|word| line.contains(**word))
                .filter(|_| !exempt);
            if let Some(word) = named {
                problems.push(format!(
                    "{path}:{}: `{word}` belongs into a pack, not into code",
                    index + 1
                ));
            }
        }
    }
    problems
}

/// Whether a line in lower case holds something like `cve-2021-1`.
fn holds_vulnerability(line: &str) -> bool {
    line.match_indices("cve-").any(|(at, _)| {
        let rest = &line.as_bytes()[at + 4..];
        rest.len() > 5
            && rest[..4].iter().all(u8::is_ascii_digit)
            && rest[4] == b'-'
            && rest[5].is_ascii_digit()
    })
}

/// Each folder of readers has a golden case and a damaged one: a pair of files, or a test that says so by its name.
fn readers_are_tested(project: &Project) -> Vec<String> {
    const READERS: &str = "crates/artifacts/src/";
    let mut folders: BTreeMap<&str, (bool, bool)> = BTreeMap::new();
    let files = || {
        project.matching(READERS, "").filter_map(|(path, text)| {
            let (folder, rest) = path.strip_prefix(READERS)?.split_once('/')?;
            Some((folder, rest, text))
        })
    };
    for (folder, _, text) in files() {
        if text.contains("\nimpl Artifact for ") {
            folders.entry(folder).or_default();
        }
    }
    for (folder, rest, text) in files() {
        let Some((golden, damaged)) = folders.get_mut(folder) else {
            continue;
        };
        let name = rest.rsplit('/').next().unwrap_or(rest);
        let is_case = rest.starts_with("tests/") && ends_with(name, &[".in", ".in.b64"]);
        let names_of_tests = test_names(text);
        let says_damage = |name: &str| DAMAGE_WORDS.iter().any(|word| name.contains(word));
        *golden |=
            is_case && !says_damage(name) || names_of_tests.iter().any(|name| !says_damage(name));
        *damaged |=
            is_case && says_damage(name) || names_of_tests.iter().any(|name| says_damage(name));
    }
    let mut problems = Vec::new();
    for (folder, (golden, damaged)) in folders {
        if !golden {
            problems.push(format!("{READERS}{folder}: no golden case"));
        }
        if !damaged && !READERS_OF_NO_RECORDS.contains(&folder) {
            problems.push(format!("{READERS}{folder}: no case with damaged input"));
        }
    }
    problems
}

/// Names of the functions below `#[test]`.
fn test_names(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim_start) {
        if line == "#[test]" {
            is_test = true;
        } else if let Some(rest) = line.strip_prefix("fn ") {
            if is_test {
                names.extend(rest.split('(').next());
            }
            is_test = false;
        }
    }
    names
}

/// Each kind of artifact and each container has a fuzz target, listed in the manifest.
fn parsers_are_fuzzed(project: &Project) -> Vec<String> {
    let kinds = artifact_kinds(project);
    let kinds = kinds
        .iter()
        .map(|kind| format!("artifact_{}", kind.replace('.', "_")));
    let opened = project.matching("crates/evidence/src/open/", ".rs");
    let opened = opened.filter_map(|(path, _)| path.rsplit('/').next()?.strip_suffix(".rs"));
    // A folder has no bytes to fuzz.
    let containers = opened.filter(|name| !matches!(*name, "mod" | "folder" | "tests"));
    let wanted = containers
        .map(|name| format!("container_{name}"))
        .chain(kinds);
    let manifest = project.text("fuzz/Cargo.toml");
    let mut problems = Vec::new();
    for target in wanted {
        let path = format!("fuzz/fuzz_targets/{target}.rs");
        if !project.files.contains_key(&path) {
            problems.push(format!("{path}: this parser has no fuzz target"));
        } else if !manifest.contains(&format!("name = \"{target}\"")) {
            problems.push(format!("fuzz/Cargo.toml: `{target}` is not listed"));
        }
    }
    problems
}

/// Kinds of artifact, as readers name them in `fn kind` or in a field of that name. Read from the text, so that tidy
/// works while a reader does not compile.
fn artifact_kinds(project: &Project) -> BTreeSet<String> {
    let sources = project.product_sources();
    let readers = sources.filter(|(path, _)| path.starts_with("crates/artifacts/src/"));
    let mut kinds = BTreeSet::new();
    for (_, text) in readers {
        let mut named_here = false;
        for line in text.lines().map(str::trim) {
            let literal = if named_here {
                Some(line)
            } else {
                line.strip_prefix("kind: ")
            };
            named_here = line.starts_with("fn kind(&self) -> &'static str {");
            let kind = literal.and_then(|literal| literal.strip_prefix('"')?.split('"').next());
            kinds.extend(kind.map(str::to_owned));
        }
    }
    kinds
}

/// Each rule of a pack has a matching and a clear example. That they hold is proven by `allclear pack lint`.
fn pack_rules_have_examples(project: &Project) -> Vec<String> {
    let packs: BTreeSet<&str> = project
        .matching("packs/", "/pack.yaml")
        .filter_map(|(path, _)| path.strip_suffix("pack.yaml"))
        .collect();
    let mut problems = Vec::new();
    for pack in packs {
        let examples = format!("{pack}examples/");
        let examples: Vec<&str> = project
            .matching(&examples, ".yaml")
            .flat_map(|(_, text)| text.split("\n---"))
            .collect();
        for rule in pack_rules(project, &format!("{pack}rules/")) {
            let of_rule = |matches: &str| {
                examples.iter().any(|example| {
                    has_line(example, "rule:", &rule) && has_line(example, "matches:", matches)
                })
            };
            if !of_rule("true") {
                problems.push(format!(
                    "{pack}: the rule {rule} has no example that it must match"
                ));
            }
            if !of_rule("false") {
                problems.push(format!(
                    "{pack}: the rule {rule} has no example that it must leave alone"
                ));
            }
        }
    }
    problems
}

/// Ids of Sigma rules and names of YARA rules in a folder.
fn pack_rules(project: &Project, folder: &str) -> Vec<String> {
    let mut rules = Vec::new();
    for (path, text) in project.matching(folder, "") {
        let is_sigma = ends_with(path, &[".yml", ".yaml"]);
        for line in text.lines() {
            let rule = if is_sigma {
                line.strip_prefix("id:")
            } else {
                line.strip_prefix("rule ")
                    .or_else(|| line.strip_prefix("private rule "))
            };
            let name = rule.and_then(|rule| rule.trim().split([' ', ':', '{', '#']).next());
            rules.extend(name.map(str::to_owned));
        }
    }
    rules
}

/// Whether an example has the line `key value`; a comment may follow, and quotes may stand around it.
fn has_line(example: &str, key: &str, value: &str) -> bool {
    example
        .lines()
        .filter_map(|line| line.strip_prefix(key))
        .any(|rest| {
            let rest = rest.split(" #").next().unwrap_or(rest).trim();
            rest.trim_matches(['"', '\'']) == value
        })
}

/// Work that is left is an issue, not a comment.
fn nothing_is_left_to_do(project: &Project) -> Vec<String> {
    let words = [["TO", "DO"].concat(), ["FIX", "ME"].concat()];
    let mut problems = Vec::new();
    for (path, text) in ours(project) {
        for (index, line) in text.lines().enumerate() {
            if let Some(word) = words.iter().find(|word| line.contains(word.as_str())) {
                problems.push(format!(
                    "{path}:{}: {word} belongs into an issue",
                    index + 1
                ));
            }
        }
    }
    problems
}

/// Nothing but tests and docs may speak of files outside the repository.
fn nothing_outside_is_needed(project: &Project) -> Vec<String> {
    let outside = ["../", "shared"].concat();
    let sources = project
        .product_sources()
        .filter(|(_, text)| text.contains(&outside));
    let mut problems: Vec<String> = sources.map(|(path, _)| path.to_owned()).collect();
    let others = ours(project).filter(|(path, text)| {
        !ends_with(path, &[".rs", ".md"]) && !path.starts_with("docs/") && text.contains(&outside)
    });
    problems.extend(
        others
            .filter(|(path, _)| !is_test_file(path))
            .map(|(path, _)| path.to_owned()),
    );
    problems
        .into_iter()
        .map(|path| format!("{path}: needs a file outside the repository"))
        .collect()
}

/// Files that we write by hand.
fn ours(project: &Project) -> impl Iterator<Item = (&str, &str)> {
    let folders = [
        "crates/",
        "xtask/",
        "packs/",
        "docs/",
        "fuzz/",
        ".github/",
        ".ci/",
        "knowledge/",
    ];
    let files = folders
        .into_iter()
        .flat_map(|folder| project.matching(folder, ""));
    let written = &[".rs", ".md", ".toml", ".yaml", ".yml", ".json", "/run"];
    files.filter(|(path, _)| ends_with(path, written))
}

#[cfg(test)]
mod tests {
    use super::super::project::tests::project;
    use super::*;

    #[test]
    fn a_crate_without_map_line_lints_or_page_is_told() {
        let bad = project(&[
            ("crates/a/Cargo.toml", "[package]"),
            ("crates/a/src/lib.rs", "mod x;"),
        ]);
        assert_eq!(crates_are_described(&bad).len(), 3);
        let good = project(&[
            ("ARCHITECTURE.md", "| 0 | `a` | it |"),
            (
                "crates/a/Cargo.toml",
                "[package]\n\n[lints]\nworkspace = true\n",
            ),
            ("crates/a/src/lib.rs", "//! A.\n"),
        ]);
        assert!(crates_are_described(&good).is_empty());
    }

    #[test]
    fn sources_without_a_first_sentence_are_told() {
        let project = project(&[
            ("crates/a/src/x.rs", "use y;\n"),
            ("xtask/src/z.rs", "//! Z.\n"),
            ("crates/a/tests/t.rs", ""),
        ]);
        let problems = sources_say_what_they_are_for(&project);
        assert_eq!(problems.len(), 2, "{problems:?}");
    }

    #[test]
    fn campaigns_and_vulnerabilities_are_refused_outside_tests() {
        let project = project(&[
            ("packs/aurora/pack.yaml", ""),
            (
                "crates/a/src/lib.rs",
                "//! A\n// see CVE-2021-26855\nconst A: &str = \"ProxyLogon\";\nlet aurora = 1;\n",
            ),
            (
                "crates/a/src/b.rs",
                "//! What Test-ProxyLogon writes; CVE- numbers are not named.\n#[cfg(test)]\nconst C: &str = \"CVE-2021-1\";\n",
            ),
            ("crates/a/src/tests.rs", "//! ProxyLogon, CVE-2021-26855\n"),
            (
                "crates/range/src/story.rs",
                "//! S\nconst S: &str = \"proxylogon\";\n",
            ),
        ]);
        assert_eq!(
            knowledge_is_data(&project),
            [
                "crates/a/src/lib.rs:2: vulnerabilities are named in packs, not in code",
                "crates/a/src/lib.rs:3: `proxylogon` belongs into a pack, not into code",
                "crates/a/src/lib.rs:4: `aurora` belongs into a pack, not into code",
            ]
        );
    }

    #[test]
    fn readers_need_a_golden_and_a_damaged_case() {
        let reader = "//! R\n\nimpl Artifact for R {}\n";
        let project = project(&[
            ("crates/artifacts/src/one/mod.rs", reader),
            ("crates/artifacts/src/one/tests/a.in", ""),
            ("crates/artifacts/src/two/mod.rs", reader),
            (
                "crates/artifacts/src/two/tests.rs",
                "#[test]\nfn damaged_input_is_a_gap() {}\n#[test]\nfn reads() {}\n",
            ),
            ("crates/artifacts/src/three/mod.rs", reader),
            ("crates/artifacts/src/helper/mod.rs", "//! H\n"),
        ]);
        assert_eq!(
            readers_are_tested(&project),
            [
                "crates/artifacts/src/one: no case with damaged input",
                "crates/artifacts/src/three: no golden case",
                "crates/artifacts/src/three: no case with damaged input",
            ]
        );
    }

    #[test]
    fn parsers_without_a_fuzz_target_are_told() {
        let reader = "//! R\n    fn kind(&self) -> &'static str {\n        \"iis.w3c\"\n    }\n";
        let project = project(&[
            ("crates/artifacts/src/iis/mod.rs", reader),
            (
                "crates/artifacts/src/log.rs",
                "//! L\n    kind: \"exchange.ews\",\n",
            ),
            ("crates/evidence/src/open/zip.rs", ""),
            ("crates/evidence/src/open/folder.rs", ""),
            ("fuzz/fuzz_targets/container_zip.rs", ""),
            ("fuzz/fuzz_targets/artifact_iis_w3c.rs", ""),
            ("fuzz/Cargo.toml", "name = \"container_zip\""),
        ]);
        assert_eq!(
            parsers_are_fuzzed(&project),
            [
                "fuzz/fuzz_targets/artifact_exchange_ews.rs: this parser has no fuzz target",
                "fuzz/Cargo.toml: `artifact_iis_w3c` is not listed",
            ]
        );
    }

    #[test]
    fn rules_of_packs_need_examples_of_both_kinds() {
        let project = project(&[
            ("packs/p/pack.yaml", ""),
            ("packs/p/rules/a.yml", "title: A\nid: 1-2\n"),
            ("packs/p/rules/b.yar", "rule shell : web {\n}\n"),
            (
                "packs/p/examples/a.yaml",
                "rule: 1-2   # A\nmatches: true\n---\nrule: \"1-2\"\nmatches: false\n",
            ),
            ("packs/p/examples/b.yaml", "rule: shell\nmatches: true\n"),
        ]);
        assert_eq!(
            pack_rules_have_examples(&project),
            ["packs/p/: the rule shell has no example that it must leave alone"]
        );
    }

    #[test]
    fn work_left_and_files_outside_are_told() {
        let note = format!("//! A\n// {}{}: later\n", "TO", "DO");
        let outside = format!("//! A\nconst A: &str = \"..{}\";\n", "/shared/x");
        let project = project(&[
            ("crates/a/src/lib.rs", &note),
            ("crates/a/src/b.rs", &outside),
            ("crates/a/src/tests.rs", &outside),
            ("docs/x.md", &outside),
        ]);
        assert_eq!(nothing_is_left_to_do(&project).len(), 1);
        assert_eq!(
            nothing_outside_is_needed(&project),
            ["crates/a/src/b.rs: needs a file outside the repository"]
        );
    }
}
