//! Who asked a web site for a page, as one log file shows it.

use crate::{SourceName, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Clients of a page that are named. A page that more clients than these ask for is no rare one.
pub const CLIENTS_NAMED_MAX: usize = 4;

/// User agents of a page that are named: what counts is whether there is more than one.
pub const AGENTS_NAMED_MAX: usize = 2;

/// One page of a web site, summed up over one log file. Only requests that the server answered with success (2xx) or
/// failed at (5xx) make a page; where it redirected or refused, nobody knows whether there is one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WebPage {
    pub source: SourceName,
    /// URL path as far as the name of the script, or as a whole where no script is named; decoded once, lower case.
    pub path: String,
    /// Whether it is named like a script. Other pages are known only by what was handed over to them: a handler
    /// without extension, or a script by another name.
    pub script: bool,
    /// Requests answered with success.
    pub answered: u64,
    /// Requests that the server failed at.
    pub failed: u64,
    /// Of both, those that hand something over, as `POST` does.
    pub posted: u64,
    /// Of both, those with a referrer.
    pub referred: u64,
    /// Of both, the first and the last.
    pub first: Timestamp,
    pub last: Timestamp,
    /// Line of the last; the first is the fact's place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_line: Option<u64>,
    /// Addresses that asked; without any where the log does not write them.
    pub clients: Named,
    /// User agents, as far as the log writes them.
    pub agents: Named,
    /// Requests for the same page that found nothing (404), with the first and the last.
    #[serde(default)]
    pub missed: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed_first: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed_last: Option<Timestamp>,
}

/// A few different texts; of more than a few only that there are more. Adding gives the same in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Named {
    /// All of them; empty where there are more.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub texts: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

impl Named {
    /// Adds a text; with more than `max` different ones, none is kept.
    pub fn add(&mut self, text: &str, max: usize) {
        if self.more || self.texts.contains(text) {
            return;
        }
        self.texts.insert(text.to_owned());
        if self.texts.len() > max {
            self.more = true;
            self.texts.clear();
        }
    }

    /// Adds all that `other` holds.
    pub fn merge(&mut self, other: &Self, max: usize) {
        if other.more {
            self.more = true;
            self.texts.clear();
        }
        for text in &other.texts {
            self.add(text, max);
        }
    }

    /// How many there are; `None` where there are more than are named.
    pub fn count(&self) -> Option<usize> {
        (!self.more).then_some(self.texts.len())
    }
}

/// Requests to a web site, for paths beyond those that are told one by one, that prove no page: refused and redirected
/// ones, and what was handed over to paths that name no script.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WebPagesLeftOut {
    pub source: SourceName,
    pub requests: u64,
}

impl WebPage {
    /// Adds what another log file shows of the same page.
    pub fn merge(&mut self, other: &Self) {
        self.answered = self.answered.saturating_add(other.answered);
        self.failed = self.failed.saturating_add(other.failed);
        self.posted = self.posted.saturating_add(other.posted);
        self.referred = self.referred.saturating_add(other.referred);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.clients.merge(&other.clients, CLIENTS_NAMED_MAX);
        self.agents.merge(&other.agents, AGENTS_NAMED_MAX);
        self.missed = self.missed.saturating_add(other.missed);
        let missed = |times: [Option<Timestamp>; 2]| times.into_iter().flatten();
        self.missed_first = missed([self.missed_first, other.missed_first]).min();
        self.missed_last = missed([self.missed_last, other.missed_last]).max();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_texts_are_the_same_in_any_order() {
        let parts: [&[&str]; 4] = [&["a", "b"], &["b", "c"], &["d"], &["e", "a"]];
        let named = |order: &[usize]| {
            let mut all = Named::default();
            for number in order {
                let mut part = Named::default();
                for text in parts[*number] {
                    part.add(text, CLIENTS_NAMED_MAX);
                }
                all.merge(&part, CLIENTS_NAMED_MAX);
            }
            all
        };
        assert_eq!(named(&[0, 1, 2]), named(&[2, 1, 0]));
        assert_eq!(named(&[0, 1, 2]).count(), Some(4));
        assert_eq!(named(&[0, 1, 2, 3]), named(&[3, 2, 0, 1]));
        assert_eq!(named(&[3, 2, 1, 0]).count(), None);
    }
}
