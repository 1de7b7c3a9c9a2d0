//! A world with known truth: who is counted, who was hit, and what adding the lists would have said.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where its own files cannot be written"
)]

mod support;

use serde_json::Value;
use std::path::Path;
use support::allclear;

fn run(folder: &Path, line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let run = allclear(folder, &words);
    assert_eq!(run.code, 0, "{line}: {}{}", run.stdout, run.stderr);
    run.stdout
}

fn json(folder: &Path, line: &str) -> Value {
    serde_json::from_str(&run(folder, line)).unwrap()
}

const REGISTRY: &str = "world/registry/organisations.csv world/registry/aliases.csv world/registry/assets.csv \
                        world/registry/contacts.csv world/registry/responders.csv";
const SCANS: &str = "world/lists/scan-2021-03-03.csv world/lists/scan-2021-03-09.csv world/lists/scan-2021-03-16.csv";
const REPORTS: &str = "world/lists/2021-03-11-special.csv world/lists/2021-03-12-compromised_website.csv \
                       world/lists/2021-03-14-scan_exchange.csv world/lists/2021-04-11-scan_exchange.csv";

#[test]
fn victims_are_counted_once_whatever_the_order_of_lists_and_the_sum_of_lists_is_far_too_high() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    run(folder, "range victims world --organisations 600 --seed 7");
    let imports = [
        format!("registry import CASE {REGISTRY}"),
        format!("observe import CASE {SCANS} --as divd --campaign proxylogon"),
        format!("observe import CASE {REPORTS} --as shadowserver --campaign proxylogon"),
        "observe import CASE world/lists/events.json --as intelmq --campaign proxylogon".to_owned(),
        "observe import CASE world/lists/partner.csv --as csv --campaign proxylogon".to_owned(),
    ];
    for import in &imports {
        run(folder, &import.replace("CASE", "straight"));
    }
    // The other way round, and every list twice.
    for import in imports.iter().rev().chain(&imports) {
        run(folder, &import.replace("CASE", "reversed"));
    }
    let score = "range count-victims CASE --truth world/truth.json --json";
    let straight = json(folder, &score.replace("CASE", "straight"));
    assert_eq!(straight, json(folder, &score.replace("CASE", "reversed")));
    let figure = |name: &str| straight[name].as_f64().unwrap();
    assert!(figure("precision") > 0.94, "{straight}");
    assert!(figure("recall_of_told") > 0.94, "{straight}");
    assert!(figure("over_count") > 2.5, "{straight}");
    let count = "observe count CASE --json";
    assert_eq!(
        json(folder, &count.replace("CASE", "straight")),
        json(folder, &count.replace("CASE", "reversed"))
    );

    // The third scan is by a version that sees more: no figure calls that a change of the world.
    let course = json(folder, "observe trend straight --json");
    let steps = course["campaigns"][0]["trend"]["steps"].as_array().unwrap();
    let kinds: Vec<(&str, &str)> = steps
        .iter()
        .filter(|step| step["source"] == "DIVD" || step["now"]["source"] == "DIVD")
        .map(|step| {
            (
                step["step"].as_str().unwrap(),
                step["version"].as_str().unwrap_or("-"),
            )
        })
        .collect();
    assert_eq!(kinds, [("world", "1"), ("method", "-")]);
    let changed = steps.iter().find(|step| step["step"] == "method").unwrap();
    assert!(
        changed["servers"].as_u64() > changed["servers_before"].as_u64(),
        "{changed}"
    );
    assert_eq!(
        run(folder, "case verify straight").lines().last(),
        Some("the case is whole")
    );
}
