//! Counts matches rule by rule, and compares two engines' counts.

use super::loads::events::LogSources;
use super::loads::grouped;
use super::loads::rules::{Sigma, rule_files};
use super::results::{Goal, Table};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// Differing rules that the page shows; the file beside the results has all.
const SHOWN_MAX: usize = 60;

/// Matches by rule.
pub(super) type Counts = BTreeMap<String, u64>;

/// What one line of `allclear hunt --format ndjson` says of its rule.
#[derive(Deserialize)]
struct Ours {
    rule_id: String,
    #[serde(default)]
    host: String,
    #[serde(default)]
    place: Value,
}

/// Matches by rule in the output of `allclear hunt --format ndjson`.
pub(super) fn ours(path: &Path) -> Option<Counts> {
    let mut counts = Counts::new();
    for_each_line(path, &mut |line| {
        if let Ok(matched) = serde_json::from_str::<Ours>(line) {
            *counts.entry(matched.rule_id).or_default() += 1;
        }
    })?;
    Some(counts)
}

/// Records in which any of these indicators was seen, in the same output; a pack may hold some of them too.
pub(super) fn records_with(path: &Path, indicators: &BTreeSet<String>) -> Option<u64> {
    let mut records = BTreeSet::new();
    for_each_line(path, &mut |line| {
        if let Ok(matched) = serde_json::from_str::<Ours>(line)
            && indicators.contains(&matched.rule_id)
        {
            records.insert((matched.host, matched.place.to_string()));
        }
    })?;
    Some(records.len() as u64)
}

/// Ids of the indicators of a table `type,value,…`, as Allclear names them: agents with the spaces that IIS writes as
/// plus signs.
pub(super) fn indicator_ids(table: &Path) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    let read = for_each_line(table, &mut |line| {
        let mut cells = line.split(',');
        if let (Some(kind), Some(value)) = (cells.next(), cells.next()) {
            let value = value.to_lowercase();
            ids.insert(format!("indicator/{kind}/{}", value.replace('+', " ")));
            ids.insert(format!("indicator/{kind}/{value}"));
        }
    });
    debug_assert!(read.is_some(), "the table was just made");
    ids
}

/// Matches by rule in the output of `rsigma engine eval --output-format ndjson`.
pub(super) fn rsigma(path: &Path) -> Option<Counts> {
    let mut counts = Counts::new();
    for_each_line(path, &mut |line| {
        let id = serde_json::from_str::<Value>(line)
            .ok()
            .and_then(|matched| Some(matched.get("rule_id")?.as_str()?.to_owned()));
        if let Some(id) = id {
            *counts.entry(id).or_default() += 1;
        }
    })?;
    Some(counts)
}

/// Matches of these rules among the findings of `allclear check --format ndjson`.
pub(super) fn findings(path: &Path, rules: &BTreeSet<String>) -> Option<u64> {
    let mut count = 0;
    for_each_line(path, &mut |line| {
        let finding = serde_json::from_str::<Value>(line).unwrap_or_default();
        let rule = finding["rule"].as_str().unwrap_or_default();
        if finding["record"] == "finding" && rules.contains(rule) {
            count += finding["count"].as_u64().unwrap_or(1);
        }
    })?;
    Some(count)
}

/// Lines that begin with the name of one of these rules, as YARA's programs print matches.
pub(super) fn yara_lines(path: &Path, rules: &BTreeSet<String>) -> Option<u64> {
    let mut count = 0;
    for_each_line(path, &mut |line| {
        let rule = line.split([' ', '\t']).next().unwrap_or_default();
        count += u64::from(rules.contains(rule));
    })?;
    Some(count)
}

pub(super) fn lines(path: &Path) -> Option<u64> {
    let mut count = 0;
    for_each_line(path, &mut |line| count += u64::from(!line.is_empty()))?;
    Some(count)
}

/// The number that a program printed last, alone on its line.
pub(super) fn number(path: &Path) -> Option<u64> {
    let mut number = None;
    for_each_line(path, &mut |line| {
        number = line.trim().parse().ok().or(number);
    })?;
    number
}

/// Sum of what stands behind the last colon of each line, as `rg --count` prints.
pub(super) fn counts_at_ends(path: &Path) -> Option<u64> {
    let mut sum = 0;
    for_each_line(path, &mut |line| {
        let count = line.rsplit_once(':').map_or(line, |(_, count)| count);
        sum += count.trim().parse::<u64>().unwrap_or(0);
    })?;
    Some(sum)
}

fn for_each_line(path: &Path, each: &mut dyn FnMut(&str)) -> Option<()> {
    let mut file = BufReader::with_capacity(1 << 20, File::open(path).ok()?);
    let mut line = Vec::new();
    while file.read_until(b'\n', &mut line).ok()? > 0 {
        each(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']));
        line.clear();
    }
    Some(())
}

/// A rule that two engines count differently.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Difference {
    id: String,
    title: String,
    ours: u64,
    theirs: u64,
    why: String,
}

/// The outcome of a comparison.
pub(super) struct Comparison {
    pub(super) table: Table,
    pub(super) goal: Goal,
    pub(super) note: String,
    /// All differences as CSV.
    pub(super) csv: String,
}

/// What is known of the rules and of differences that were argued.
pub(super) struct Known<'a> {
    pub(super) rules: BTreeMap<String, Sigma>,
    /// Reasons by rule's id.
    pub(super) argued: BTreeMap<String, String>,
    pub(super) tables: &'a LogSources,
}

impl Known<'_> {
    /// Why a difference was to be expected; empty where nobody knows.
    fn why(&self, id: &str, ours: u64) -> String {
        if let Some(reason) = self.argued.get(id) {
            return reason.clone();
        }
        let Some(rule) = self.rules.get(id) else {
            return String::new();
        };
        let bound = if rule.service.is_empty() {
            rule.category.is_empty() || self.tables.binds_category(&rule.category)
        } else {
            self.tables.binds_service(&rule.service)
        };
        if !bound && ours == 0 {
            let source = if rule.service.is_empty() {
                &rule.category
            } else {
                &rule.service
            };
            return format!(
                "pySigma's tables do not bind `{source}`, so rsigma runs it on every log"
            );
        }
        String::new()
    }
}

/// Heads of rules by id, from a folder of them.
pub(super) fn heads(folder: &Path) -> BTreeMap<String, Sigma> {
    let files = rule_files(folder).into_iter();
    files
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .map(|text| Sigma::of(&text))
        .map(|rule| (rule.id.clone(), rule))
        .collect()
}

/// Reasons from a table `rule_id,reason`; a reason may hold commas.
pub(super) fn argued(text: &str) -> BTreeMap<String, String> {
    let rows = text.lines().skip(1).filter_map(|line| line.split_once(','));
    rows.map(|(id, reason)| {
        (
            id.trim().to_owned(),
            reason.trim().trim_matches('"').to_owned(),
        )
    })
    .collect()
}

/// Sets our counts beside the oracle's.
pub(super) fn compare(ours: &Counts, theirs: &Counts, known: &Known<'_>) -> Comparison {
    let ids: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let count = |counts: &Counts, id: &str| counts.get(id).copied().unwrap_or(0);
    let equal = ids
        .iter()
        .filter(|id| count(ours, id) == count(theirs, id))
        .count();
    let mut differences: Vec<Difference> = ids
        .iter()
        .filter(|id| count(ours, id) != count(theirs, id))
        .map(|id| Difference {
            id: (**id).clone(),
            title: known
                .rules
                .get(*id)
                .map_or_else(String::new, |rule| rule.title.clone()),
            ours: count(ours, id),
            theirs: count(theirs, id),
            why: known.why(id, count(ours, id)),
        })
        .collect();
    // What nobody has argued stands first, the largest differences before the others.
    differences.sort_by_key(|one| {
        (
            !one.why.is_empty(),
            std::cmp::Reverse(one.ours.abs_diff(one.theirs)),
            one.id.clone(),
        )
    });
    let open = differences.iter().filter(|one| one.why.is_empty()).count();
    Comparison {
        table: table(&differences),
        goal: Goal {
            what: "matches per rule equal to the oracle's but for argued differences".to_owned(),
            measured: format!(
                "{equal} of {} rules equal, {} differences argued, {open} open",
                ids.len(),
                differences.len() - open
            ),
            holds: open == 0 && !ids.is_empty(),
        },
        note: format!(
            "Matches: {} of ours by {} rules, {} of rsigma's by {} rules; {equal} rules count the same.",
            grouped(ours.values().sum()),
            ours.len(),
            grouped(theirs.values().sum()),
            theirs.len(),
        ),
        csv: csv(&differences),
    }
}

fn table(differences: &[Difference]) -> Table {
    let mut rows: Vec<Vec<String>> = differences
        .iter()
        .take(SHOWN_MAX)
        .map(|one| {
            vec![
                one.title.clone(),
                one.id.clone(),
                grouped(one.ours),
                grouped(one.theirs),
                if one.why.is_empty() {
                    "open".to_owned()
                } else {
                    one.why.clone()
                },
            ]
        })
        .collect();
    if differences.len() > SHOWN_MAX {
        let more = format!("and {} more", differences.len() - SHOWN_MAX);
        rows.push(vec![
            more,
            String::new(),
            String::new(),
            String::new(),
            String::new(),
        ]);
    }
    let head = ["rule", "id", "allclear", "rsigma", "why"];
    Table {
        title: "Rules that are not counted the same".to_owned(),
        head: head.map(str::to_owned).to_vec(),
        rows,
    }
}

fn csv(differences: &[Difference]) -> String {
    let mut csv = String::from("rule_id,allclear,rsigma,why,title\n");
    for one in differences {
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        // Writing to a text cannot fail.
        let _ = writeln!(
            csv,
            "{},{},{},{},{}",
            one.id,
            one.ours,
            one.theirs,
            quoted(&one.why),
            quoted(&one.title)
        );
    }
    csv
}

#[cfg(test)]
mod tests {
    use super::super::loads::events::tests::tables;
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn outputs_are_counted() {
        let (_kept, path) = file(
            "{\"rule_id\":\"a\",\"host\":\"H\",\"place\":{\"item\":\"x\",\"at\":1}}\nnot JSON\n\
             {\"rule_id\":\"indicator/ip/1\",\"host\":\"H\",\"place\":{\"item\":\"x\",\"at\":1}}\n\
             {\"rule_id\":\"indicator/ip/2\",\"host\":\"H\",\"place\":{\"item\":\"x\",\"at\":1}}\n\
             {\"rule_id\":\"indicator/ip/3\",\"host\":\"H\",\"place\":{\"item\":\"y\"},\"campaign\":\"pack\"}\n",
        );
        assert_eq!(ours(&path).unwrap()["a"], 1);
        assert_eq!(rsigma(&path).unwrap().len(), 4);
        let (_kept_too, table) = file("type,value\nip,1\nip,2\nuser_agent,A+b\n");
        let ids = indicator_ids(&table);
        assert!(ids.contains("indicator/user_agent/a b"));
        assert_eq!(records_with(&path, &ids), Some(1));
        assert_eq!(lines(&path), Some(5));
        let (_kept, path) = file("a/b.log:3\nc d.log:40\n");
        assert_eq!(counts_at_ends(&path), Some(43));
        let rules: BTreeSet<String> = ["bench_1".to_owned()].into();
        let (_kept, path) = file(
            "{\"record\":\"finding\",\"rule\":\"bench_1\",\"count\":2}\n{\"record\":\"gap\"}\nbench_1 /a\nbench_2 /a\n",
        );
        assert_eq!(findings(&path, &rules), Some(2));
        assert_eq!(yara_lines(&path, &rules), Some(1));
        let (_kept, path) = file("hello\n17\n");
        assert_eq!(number(&path), Some(17));
        assert_eq!(number(Path::new("surely-not-there")), None);
    }

    #[test]
    fn differences_are_open_until_somebody_argues_them() {
        let counts = |pairs: &[(&str, u64)]| -> Counts {
            let pairs = pairs.iter().map(|(id, count)| ((*id).to_owned(), *count));
            pairs.collect()
        };
        let ours = counts(&[("same", 4), ("argued", 2), ("open", 1)]);
        let theirs = counts(&[("same", 4), ("argued", 3), ("unbound", 9)]);
        let rule = |service: &str| Sigma {
            title: "T".to_owned(),
            service: service.to_owned(),
            ..Sigma::default()
        };
        let tables = tables();
        let known = Known {
            rules: [
                ("open".to_owned(), rule("security")),
                ("unbound".to_owned(), rule("dhcp")),
            ]
            .into(),
            argued: argued("rule_id,reason\nargued,\"theirs, wrongly\"\n"),
            tables: &tables,
        };
        let compared = compare(&ours, &theirs, &known);
        assert_eq!(
            compared.goal.measured,
            "1 of 4 rules equal, 2 differences argued, 1 open"
        );
        assert!(!compared.goal.holds);
        let order: Vec<&str> = compared
            .table
            .rows
            .iter()
            .map(|row| row[1].as_str())
            .collect();
        assert_eq!(order, ["open", "unbound", "argued"]);
        assert_eq!(compared.table.rows[2][4], "theirs, wrongly");
        assert!(
            compared
                .csv
                .contains("argued,2,3,\"theirs, wrongly\",\"\"\n")
        );
        assert!(compare(&ours, &ours, &known).goal.holds);
    }
}
