//! Figures: how long rules take to load, and how long events take to be evaluated.
//!
//! `cargo run --release -p sigma --example scan -- RULES [EVTX_FOLDER [ROUNDS]]`, where RULES is a folder or a `.tar.gz`:
//! without a folder of event logs the rules are loaded only, with one only evaluated.

#![expect(clippy::print_stdout, reason = "an example prints its figures")]

#[path = "support/bound.rs"]
mod bound;
mod support;

use sigma::{Engine, Matcher, Options, Parsed, RuleState, SourceKey, Taxonomy};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

const TAXONOMY: &str = include_str!("../../../knowledge/sigma/taxonomy.yaml");

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, rules, rest @ ..] = arguments.as_slice() else {
        println!("scan RULES [EVTX_FOLDER [ROUNDS]]");
        return;
    };
    let all = support::rule_texts(Path::new(rules), |_, _| true);
    let Some(logs) = rest.first() else {
        load(&all);
        return;
    };
    let rounds: usize = rest
        .get(1)
        .map_or(20, |text| text.parse().expect("a number"));
    let windows: Vec<&str> = all
        .iter()
        .map(String::as_str)
        .filter(|text| text.contains("product: windows"))
        .collect();
    let engine = compile(&windows, 2);
    println!("{} windows rules", windows.len());
    scan(&engine, Path::new(logs), rounds);
}

fn compile(texts: &[&str], workers: usize) -> Engine {
    let mut parsed = Parsed::default();
    for file in sigma::parse_all(texts, workers) {
        parsed.append(file);
    }
    let taxonomy = Taxonomy::parse(TAXONOMY).expect("the table that comes with Allclear");
    Engine::compile(parsed, taxonomy, Options { workers })
}

fn load(texts: &[String]) {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for workers in [1, 2] {
        let mut best = [f64::MAX; 3];
        for _ in 0..7 {
            let start = Instant::now();
            let mut parsed = Parsed::default();
            for file in sigma::parse_all(&texts, workers) {
                parsed.append(file);
            }
            let read = start.elapsed().as_secs_f64() * 1e3;
            let taxonomy = Taxonomy::parse(TAXONOMY).expect("a table");
            let engine = Engine::compile(parsed, taxonomy, Options { workers });
            let all = start.elapsed().as_secs_f64() * 1e3;
            for (best, now) in best.iter_mut().zip([read, all - read, all]) {
                *best = best.min(now);
            }
            drop(engine);
        }
        println!(
            "load {} rules, {workers} threads: parse {:.1} ms, compile {:.1} ms, together {:.1} ms",
            texts.len(),
            best[0],
            best[1],
            best[2]
        );
    }
    let engine = compile(&texts, 2);
    let mut counts = BTreeMap::<&str, usize>::new();
    for (rule, state) in engine.states() {
        let name = match state {
            RuleState::Ready { limits, .. } if limits.is_empty() => "ready",
            RuleState::Ready { .. } => "ready with limits",
            RuleState::Undetectable { .. } => "undetectable",
            RuleState::Rejected(problem) => {
                println!("rejected: {problem}");
                "rejected"
            }
        };
        *counts.entry(name).or_default() += 1;
        let _ = rule;
    }
    println!("{counts:?}; {} problems", engine.problems().len());
}

fn scan(engine: &Engine, folder: &Path, rounds: usize) {
    let mut shapes = bound::Shapes::default();
    let mut events = Vec::new();
    let mut partitions = BTreeMap::new();
    let start = Instant::now();
    for file in support::files_below(folder, "evtx") {
        for event in support::flat_events(&file) {
            let key: SourceKey = support::key_of(&event);
            let partition = *partitions
                .entry(key)
                .or_insert_with_key(|key| engine.partition(key));
            events.push((partition, shapes.bind(engine, &event)));
        }
    }
    println!(
        "{} events, {} kinds, read and bound in {:.1} s",
        events.len(),
        partitions.len(),
        start.elapsed().as_secs_f64()
    );
    let start = Instant::now();
    let fresh: std::collections::BTreeSet<_> = partitions.values().copied().collect();
    println!(
        "{} partitions, mean rules an event {:.1}, none for {:.1} % ({:.0} ms)",
        fresh.len(),
        events
            .iter()
            .map(|(partition, _)| engine.rules_in(*partition))
            .sum::<usize>() as f64
            / events.len().max(1) as f64,
        events
            .iter()
            .filter(|(partition, _)| engine.rules_in(*partition) == 0)
            .count() as f64
            * 100.0
            / events.len().max(1) as f64,
        start.elapsed().as_secs_f64() * 1e3
    );
    let mut matcher = Matcher::new(engine);
    let mut found = 0_usize;
    let mut best = f64::MAX;
    for _ in 0..rounds {
        found = 0;
        let start = Instant::now();
        for (partition, event) in &events {
            matcher.evaluate(*partition, event, &mut |_| found += 1);
        }
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!(
        "{found} matches; from memory, best of {rounds}: {:.1} ms, {:.3} us an event",
        best * 1e3,
        best * 1e6 / events.len().max(1) as f64
    );
    // A reader hands an event over right after decoding it: then it lies in the cache.
    let mut best = f64::MAX;
    for _ in 0..rounds.div_ceil(8) {
        let mut total = 0.0;
        for block in events.chunks(64) {
            let start = Instant::now();
            for _ in 0..8 {
                for (partition, event) in block {
                    matcher.evaluate(*partition, event, &mut |_| found += 1);
                }
            }
            total += start.elapsed().as_secs_f64() / 8.0;
        }
        best = best.min(total);
    }
    println!(
        "from cache: {:.1} ms, {:.3} us an event",
        best * 1e3,
        best * 1e6 / events.len().max(1) as f64
    );
}
