//! Rules: SigmaHQ's, unpacked and sorted by what they are for, and YARA rules made up besides those of the packs.

use super::{Bench, made, walk, write};
use crate::draw::Draw;
use crate::process::{command, run as run_command};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// Where SigmaHQ's rules stand unless an option says otherwise, from the project's folder.
const SIGMA_FOLDER: &str = "../shared/evidence/sigma";

/// Made YARA rules: as many as a mid-sized public collection has.
const YARA_RULES: u64 = 500;

/// Folders of Sigma rules.
pub(in crate::bench) struct SigmaRules {
    pub(in crate::bench) all: RuleFolder,
    /// Those for Windows.
    pub(in crate::bench) windows: RuleFolder,
    /// Those for web servers and proxies.
    pub(in crate::bench) web: RuleFolder,
}

pub(in crate::bench) struct RuleFolder {
    pub(in crate::bench) folder: PathBuf,
    pub(in crate::bench) count: u64,
}

/// What of a Sigma rule is needed here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::bench) struct Sigma {
    pub(in crate::bench) id: String,
    pub(in crate::bench) title: String,
    pub(in crate::bench) product: String,
    pub(in crate::bench) category: String,
    pub(in crate::bench) service: String,
}

/// Unpacks and sorts SigmaHQ's rules, or says why there are none.
pub(in crate::bench) fn sigma(bench: &Bench) -> Result<SigmaRules, String> {
    let source = match &bench.options.sigma {
        Some(given) => given.clone(),
        None => archive_in(&bench.root.join(SIGMA_FOLDER))?,
    };
    let folder = bench.folder.join("loads").join("sigma");
    let name = source.file_name().unwrap_or_default().to_string_lossy();
    let bytes = fs::metadata(&source).map_or(0, |metadata| metadata.len());
    made(&folder, &format!("{name}, {bytes} bytes"), |folder| {
        let all = folder.join("all");
        unpack(&source, &all)?;
        sort(&all, folder)
    })?;
    let count = |name: &str| {
        let folder = folder.join(name);
        let count = rule_files(&folder).len() as u64;
        RuleFolder { folder, count }
    };
    Ok(SigmaRules {
        all: count("all"),
        windows: count("windows"),
        web: count("web"),
    })
}

fn archive_in(folder: &Path) -> Result<PathBuf, String> {
    let mut archives = walk(folder).into_iter();
    archives
        .rfind(|path| path.to_string_lossy().ends_with(".tar.gz"))
        .ok_or_else(|| {
            "SigmaHQ's rules are not here; name a folder or archive of them by --sigma".to_owned()
        })
}

fn unpack(source: &Path, into: &Path) -> Result<(), String> {
    fs::create_dir_all(into).map_err(|error| format!("cannot make {}: {error}", into.display()))?;
    if source.is_dir() {
        for file in rule_files(source) {
            copy(&file, source, into)?;
        }
        return Ok(());
    }
    let (archive, folder) = (Bench::text(source), Bench::text(into));
    run_command(command("tar", &["-xzf", &archive, "-C", &folder]))
}

fn copy(file: &Path, from: &Path, into: &Path) -> Result<(), String> {
    let target = into.join(file.strip_prefix(from).unwrap_or(file));
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder)
            .map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    }
    fs::copy(file, &target)
        .map(|_bytes| ())
        .map_err(|error| format!("cannot write {}: {error}", target.display()))
}

/// Copies rules for Windows and for the web beside all of them.
fn sort(all: &Path, beside: &Path) -> Result<String, String> {
    for name in ["windows", "web"] {
        fs::create_dir_all(beside.join(name))
            .map_err(|error| format!("cannot make {name}: {error}"))?;
    }
    for file in rule_files(all) {
        let rule = Sigma::of(&fs::read_to_string(&file).unwrap_or_default());
        if rule.product == "windows" {
            copy(&file, all, &beside.join("windows"))?;
        }
        if matches!(rule.category.as_str(), "webserver" | "proxy") {
            copy(&file, all, &beside.join("web"))?;
        }
    }
    Ok(String::new())
}

/// Files of Sigma rules below a folder.
pub(in crate::bench) fn rule_files(folder: &Path) -> Vec<PathBuf> {
    let is_rule = |path: &PathBuf| {
        path.extension()
            .is_some_and(|ending| ending == "yml" || ending == "yaml")
    };
    walk(folder).into_iter().filter(is_rule).collect()
}

impl Sigma {
    /// Reads the lines that matter: SigmaHQ writes each on a line of its own, so no parser is needed.
    pub(in crate::bench) fn of(text: &str) -> Self {
        let mut rule = Self::default();
        let mut in_source = false;
        for line in text.lines() {
            let (indented, line) = (line.starts_with(' '), line.trim());
            if !indented && !line.is_empty() && !line.starts_with('#') {
                in_source = line.starts_with("logsource:");
            }
            let Some((key, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.split(" #").next().unwrap_or_default();
            let value = value.trim().trim_matches(['\'', '"']).to_owned();
            match key {
                "id" if !indented => rule.id = value,
                "title" if !indented => rule.title = value,
                "product" if in_source => rule.product = value,
                "category" if in_source => rule.category = value,
                "service" if in_source => rule.service = value,
                _ => {}
            }
        }
        rule
    }
}

/// YARA rules in files.
pub(in crate::bench) struct YaraRules {
    /// All, for peers.
    pub(in crate::bench) file: PathBuf,
    /// Those that Allclear does not bring along itself.
    pub(in crate::bench) without_packs: PathBuf,
    /// Their names.
    pub(in crate::bench) names: Vec<String>,
}

/// The packs' rules, the user's own, and made ones.
pub(in crate::bench) fn yara(bench: &Bench) -> Result<YaraRules, String> {
    let folder = bench.folder.join("loads").join("yara");
    let packs = walk(&bench.root.join("packs"));
    let own = match &bench.options.yara {
        Some(own) if own.is_dir() => walk(own),
        Some(own) => vec![own.clone()],
        None => Vec::new(),
    };
    let without_packs = yara_of(&own)? + &made_yara();
    let all = yara_of(&packs)? + &without_packs;
    let rules = YaraRules {
        file: folder.join("rules.yar"),
        without_packs: folder.join("without-packs.yar"),
        names: all.lines().filter_map(rule_name).collect(),
    };
    write(&rules.without_packs, without_packs.as_bytes())?;
    write(&rules.file, all.as_bytes())?;
    Ok(rules)
}

/// The text of those files that hold YARA rules.
fn yara_of(files: &[PathBuf]) -> Result<String, String> {
    let mut text = String::new();
    for file in files {
        if file
            .extension()
            .is_some_and(|ending| ending == "yar" || ending == "yara")
        {
            let rules = fs::read_to_string(file)
                .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
            text.push_str(&rules);
            text.push('\n');
        }
    }
    Ok(text)
}

/// The name, where a rule that can be told begins on this line.
fn rule_name(line: &str) -> Option<String> {
    let rest = line.strip_prefix("global ").unwrap_or(line);
    let name = rest.strip_prefix("rule ")?.split([' ', ':', '{']).next()?;
    Some(name.to_owned())
}

/// The word that a made rule looks for, and that a few files of the made web root hold.
pub(super) fn marker(number: u64) -> String {
    format!("bench-marker-{number:04}-{}", Draw::seeded(number).word(6))
}

/// Rules of the usual shapes: plain, wide and caseless texts, bytes with gaps, and a regular expression.
fn made_yara() -> String {
    let mut draw = Draw::seeded(500);
    let mut text = String::new();
    for number in 0..YARA_RULES {
        let marker = marker(number);
        let (word, other, name) = (draw.word(10), draw.word(7), draw.word(5));
        let (head, tail) = (draw.hex(8), draw.hex(8));
        // Writing to a text cannot fail.
        let _ = write!(
            text,
            "rule bench_{number:04} {{\n  strings:\n    $a = \"{marker}\" ascii wide\n    $b = \"{word}.{other}(\" nocase\n    \
             $c = {{ {head} ?? ?? [2-6] {tail} }}\n    $d = /{name}\\s*=\\s*[a-z0-9]{{12,40}};/\n  \
             condition:\n    $a or ($b and $d) or $c\n}}\n"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "title: Web Shell # one\nid: 11111111-2222\nlogsource:\n    category: webserver\n    product: 'windows'\n\
                        detection:\n    selection:\n        product: x\n        service: y\n";

    #[test]
    fn the_log_source_of_a_rule_is_read() {
        let rule = Sigma::of(RULE);
        assert_eq!(
            (rule.id.as_str(), rule.title.as_str()),
            ("11111111-2222", "Web Shell")
        );
        assert_eq!(
            (rule.product.as_str(), rule.category.as_str()),
            ("windows", "webserver")
        );
        assert_eq!(rule.service, "");
    }

    #[test]
    fn rules_are_sorted_by_what_they_are_for() {
        let home = tempfile::tempdir().unwrap();
        let all = home.path().join("all");
        write(&all.join("a/web.yml"), RULE.as_bytes()).unwrap();
        write(&all.join("b.yml"), b"logsource:\n  product: linux\n").unwrap();
        write(&all.join("README.md"), b"no rule").unwrap();
        sort(&all, home.path()).unwrap();
        let counts =
            ["all", "windows", "web"].map(|name| rule_files(&home.path().join(name)).len());
        assert_eq!(counts, [2, 1, 1]);
    }

    #[test]
    fn made_rules_are_as_many_as_told_and_always_the_same() {
        let made = made_yara();
        assert_eq!(made.lines().filter_map(rule_name).count(), 500);
        assert_eq!(made, made_yara());
        assert!(made.contains(&marker(499)));
    }
}
