//! The task of a drill, in words, with the hash of the sealed truth.

use super::answers::quoted;
use super::{campaigns, hosts_by_name};
use crate::truth::FleetTruth;
use jiff::Timestamp;
use std::fmt::Write;

/// The line of a brief that holds the hash.
const HASH_LINE: &str = "SHA-256 of truth.sealed: ";

/// Minutes that a practised team takes for a server, more or less.
const MINUTES_EACH_HOST: usize = 20;

/// Nobody drills for longer than a working day.
const MINUTES_MAX: usize = 8 * 60;

/// The task for the team, in Markdown. It tells of the truth only what the evidence shows at a glance: how many servers
/// there are, and when they were collected.
pub fn brief(truth: &FleetTruth, commitment: &str) -> String {
    let hosts = hosts_by_name(truth);
    let taken = hosts.iter().flat_map(|host| &host.collections);
    let taken: Vec<Timestamp> = taken.map(|collection| collection.taken).collect();
    let minutes = (hosts.len() * MINUTES_EACH_HOST).min(MINUTES_MAX);
    let campaigns = campaigns(truth).into_iter().collect::<Vec<_>>().join(", ");
    let mut text = String::new();
    let _ = write!(
        text,
        "# Drill: {} servers\n\n\
         Servers of several owners may have been broken into. Collectors have brought what `evidence/` holds. Tell for each\n\
         server what happened, and be right about it: its owner will act on what you say.\n\n\
         Everything here is synthetic. No server, user, or organisation of these names exists; addresses are of the ranges\n\
         kept for documentation.\n\n",
        hosts.len()
    );
    if let (Some(first), Some(last)) = (taken.iter().min(), taken.iter().max()) {
        let day = |time: &Timestamp| time.strftime("%Y-%m-%d").to_string();
        let _ = writeln!(
            text,
            "- Evidence was taken between {} and {}.",
            day(first),
            day(last)
        );
    }
    let _ = write!(
        text,
        "- Campaigns asked about: {campaigns}.\n\
         - `known-files.csv`: the files that this synthetic product ships (build, path below its folder, SHA-256).\n\
         - `attestations.csv`, where it is there: what named persons state about their servers. Statements may be wrong.\n\
         - Time: {minutes} minutes are enough for a practised team. Whoever leads the drill may set another time.\n\n"
    );
    text.push_str(RULES);
    for (verdict, meaning) in VERDICTS {
        let _ = writeln!(text, "| `{verdict}` | {meaning} |");
    }
    text.push_str(SCORING);
    let _ = writeln!(text, "    {HASH_LINE}{commitment}");
    text
}

/// The hash that a brief states, if it states one.
pub fn commitment_in(brief: &str) -> Option<&str> {
    let mut lines = brief.lines().map(str::trim);
    let hash = lines.find_map(|line| line.strip_prefix(HASH_LINE.trim_end()))?;
    let hash = hash.trim();
    let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then_some(hash)
}

/// Who owns which host, by host; without ids, which count in the order in which organisations were drawn.
pub fn organisations(truth: &FleetTruth) -> String {
    let mut rows = Vec::new();
    for organisation in &truth.organisations {
        for host in &organisation.hosts {
            let employees = organisation.employees.to_string();
            let cells = [
                host.as_str(),
                &organisation.name,
                &organisation.sector,
                &organisation.country,
                &employees,
            ];
            rows.push(cells.map(quoted).join(","));
        }
    }
    rows.sort();
    rows.insert(0, "host,organisation,sector,country,employees".to_owned());
    rows.push(String::new());
    rows.join("\n")
}

/// The same table with its rows sorted below its head: what was written in the order of the fleet tells that order.
///
/// # Errors
/// When it is no table.
pub fn sorted_rows(table: &str) -> Result<String, csv::Error> {
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let head = reader.headers()?.clone();
    let mut rows = reader
        .records()
        .collect::<Result<Vec<csv::StringRecord>, _>>()?;
    rows.sort_by(|one, other| one.iter().cmp(other.iter()));
    let lines = std::iter::once(&head).chain(&rows);
    Ok(lines
        .map(|line| line.iter().map(quoted).collect::<Vec<_>>().join(",") + "\n")
        .collect())
}

const RULES: &str = "\
## Rules

- Any tool is allowed, Allclear too. Work on copies: evidence is not changed.
- Programs in the evidence are not run, and addresses in it are not visited. Scripts in it are real web shells: an
  antivirus may remove them, so work where it leaves them alone.
- Less evidence never means more certainty. Some servers cannot be cleared by what was brought; say so.

## How to answer

Fill in `answers.csv`, a row for each server and campaign. Leave a row's answers empty where you have none: it counts as
unanswered, not as wrong.

| column | holds |
| --- | --- |
| `host`, `campaign` | leave them as they are |
| `verdict` | one word of the table below |
| `first_effect` | when the intruder first achieved something, in UTC: `2021-03-02T04:15:32Z`, or only the day |
| `footholds` | what lets the intruder come back, or did: paths as on the server, separated by a vertical bar |
| `patched` | when the server ran a fixed build, in UTC, or only the day; `never` |
| `notes` | whatever you like; it is not scored |

| verdict | means |
| --- | --- |
";

const VERDICTS: [(&str, &str); 7] = [
    (
        "compromised",
        "an intruder got in, and it is not proven that they are out",
    ),
    (
        "reinfected",
        "an intruder got in again after an eviction that had been accepted",
    ),
    (
        "evicted",
        "was compromised; later evidence and every gate show that they are out",
    ),
    (
        "exposed",
        "nothing beyond probes, but the latest build is vulnerable or only mitigated",
    ),
    (
        "unproven",
        "nothing beyond probes, but the evidence cannot show that the server is clear",
    ),
    (
        "clear",
        "patched, nothing beyond probes, and everything needed was seen",
    ),
    ("not_affected", "the product is proven absent"),
];

const SCORING: &str = "
## How you are scored

1. Grave errors first: `clear`, `evicted` or `not_affected` where that is not so. One of them outweighs everything else.
2. Intrusions that the evidence shows and you did not name.
3. False alarms, and clean servers that you did not dare to call `clear`.
4. Footholds found and made up, the time of the first effect, the day of the patch.

## The sealed truth

`truth.sealed` holds what really happened, encrypted. Its hash below shows afterwards that nobody changed it. Keep this file.

";
