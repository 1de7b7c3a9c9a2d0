//! Collects the findings of one item within bounds that hold whatever the item holds.
//!
//! Of each rule the first matches become findings of their own; all further ones are summed up, one finding for each
//! foothold or named server that they show, so that a flood of one kind cannot bury another. What is no more than a
//! name seen somewhere (a user agent) is summed up from the first match on.

use crate::indicators::is_indicator;
use model::{At, Finding, GapKind};
use std::collections::BTreeMap;

/// Findings of one rule in one item that stand alone.
pub(crate) const SINGLES_PER_RULE_MAX: usize = 64;

/// Summed-up findings of one rule in one item.
const SUMS_PER_RULE_MAX: usize = 256;

/// Findings of all rules in one item, whatever kind; beyond, matches of rules already seen are still counted.
const FINDINGS_PER_ITEM_MAX: usize = 8_192;

/// Findings of one item so far.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    rules: BTreeMap<String, OfRule>,
    count: usize,
    /// Matches that no finding tells of any more.
    untold: u64,
}

#[derive(Debug, Default)]
struct OfRule {
    singles: Vec<Finding>,
    sums: BTreeMap<String, Finding>,
}

impl Collected {
    /// Takes one match, in the order of the item.
    pub(crate) fn add(&mut self, finding: Finding) {
        let has_room = self.count < FINDINGS_PER_ITEM_MAX;
        let known = self.rules.contains_key(&finding.rule);
        if !known && !has_room {
            self.untold = self.untold.saturating_add(1);
            return;
        }
        let is_mere_name = finding.stage.is_none() && is_indicator(&finding.rule);
        let singles_max = if is_mere_name {
            0
        } else {
            SINGLES_PER_RULE_MAX
        };
        let of_rule = self.rules.entry(finding.rule.clone()).or_default();
        if of_rule.singles.len() < singles_max && has_room {
            of_rule.singles.push(finding);
            self.count += 1;
            return;
        }
        let key = what_it_shows(&finding);
        if let Some(sum) = of_rule.sums.get_mut(&key) {
            add_to(sum, &finding);
        } else if of_rule.sums.len() < SUMS_PER_RULE_MAX && (has_room || of_rule.sums.is_empty()) {
            of_rule.sums.insert(key, finding);
            self.count += 1;
        } else {
            self.untold = self.untold.saturating_add(1);
        }
    }

    /// Everything collected, ordered by place and rule, and what the bounds cut off.
    pub(crate) fn finish(self) -> (Vec<Finding>, Vec<(GapKind, At, String)>) {
        let mut findings = Vec::with_capacity(self.count);
        for of_rule in self.rules.into_values() {
            findings.extend(of_rule.singles);
            findings.extend(of_rule.sums.into_values());
        }
        findings.sort_by(|a, b| (&a.place, &a.rule, a).cmp(&(&b.place, &b.rule, b)));
        let mut gaps = Vec::new();
        if self.untold > 0 {
            let detail = format!(
                "{} more matches of detection rules are neither shown nor summed up, as the item holds too many different ones.",
                self.untold
            );
            gaps.push((GapKind::Limit, At::Item, detail));
        }
        (findings, gaps)
    }
}

/// What sets two matches of one rule apart for a responder.
fn what_it_shows(finding: &Finding) -> String {
    let detail = |name: &str| finding.details.get(name).cloned().unwrap_or_default();
    let foothold = finding
        .foothold
        .as_ref()
        .map(|foothold| foothold.path.as_str());
    format!(
        "{}\n{}",
        foothold.unwrap_or_default().to_lowercase(),
        detail("target_host").to_lowercase()
    )
}

fn add_to(sum: &mut Finding, other: &Finding) {
    sum.count = sum.count.saturating_add(other.count);
    let times = [sum.time, sum.last, other.time, other.last];
    let first = times.iter().flatten().min().copied();
    let last = times.iter().flatten().max().copied();
    sum.time = first;
    sum.last = last;
}
