//! How figures go over time, by method *and version*: a better method finds more, and that is no change of the world.
//!
//! Figures of two methods are never subtracted from each other. Where a source changes its method, what the new one finds is told
//! apart by what the old one had last said of the same servers.

use crate::count::{Figures, Method, Said, Whose, Word, figures};
use crate::standing::Claim;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// How long a period is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    Day,
    Week,
}

const DAY: i64 = 86_400_000_000;

/// 1970-01-05 was a Monday.
const FIRST_MONDAY: i64 = 4 * DAY;

/// Points that make a plateau, and how much of its height it may fall over them, in hundredths.
const PLATEAU_POINTS: usize = 3;
const PLATEAU_PERCENT: usize = 5;

impl Period {
    /// The begin of the period that a time is in.
    pub fn begin(self, time: i64) -> i64 {
        match self {
            Self::Day => time.div_euclid(DAY) * DAY,
            Self::Week => {
                let since = time - FIRST_MONDAY;
                since.div_euclid(7 * DAY) * 7 * DAY + FIRST_MONDAY
            }
        }
    }
}

/// What one method found in one period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Point {
    /// Begin of the period, in microseconds since 1970.
    pub period: i64,
    #[serde(flatten)]
    pub method: Method,
    pub figures: Figures,
    /// Servers of which it said anything in the period.
    pub servers_looked_at: usize,
}

/// Between two points of one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "step")]
pub enum Step {
    /// By the same method and version: a change of the world, as far as the same was looked at.
    World {
        period: i64,
        #[serde(flatten)]
        method: Method,
        servers_before: usize,
        servers: usize,
    },
    /// By another method or version: the two figures cannot be compared.
    Method {
        period: i64,
        before: Method,
        now: Method,
        servers_before: usize,
        servers: usize,
        /// Of the servers found now: what the method before had said of them in its last period.
        found_before_too: usize,
        denied_before: usize,
        undetermined_before: usize,
        not_seen_before: usize,
    },
}

/// A figure that has stopped falling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plateau {
    #[serde(flatten)]
    pub method: Method,
    /// Begins of its first and last period.
    pub since: i64,
    pub until: i64,
    pub servers_first: usize,
    pub servers_last: usize,
    /// The reasons behind those that are left, each server once.
    pub tail: Vec<Reason>,
}

/// Why servers are still there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    pub why: &'static str,
    pub organisations: usize,
    pub servers: usize,
}

/// What became of telling an organisation, the furthest it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Told {
    Waiting,
    Bounced,
    Sent,
    Refuted,
    Answered,
    Acted,
}

/// What is known of the organisations beside what lists say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// Those that somebody can be told of: by a contact of their own.
    pub contacted: Option<&'a BTreeSet<String>>,
    /// Notices to them; absent where nobody looked.
    pub told: Option<&'a BTreeMap<String, Told>>,
}

/// Figures over time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trend {
    pub claim: &'static str,
    pub period: Period,
    pub points: Vec<Point>,
    pub steps: Vec<Step>,
    pub plateaus: Vec<Plateau>,
    /// Rows that do not say when; they are on no point.
    pub rows_without_time: usize,
}

/// How servers with this claim went over time.
pub fn trend(said: &Said, claim: Claim, period: Period, known: Known<'_>) -> Trend {
    let mut parts: BTreeMap<(&Method, i64), Vec<Word>> = BTreeMap::new();
    let mut rows_without_time = 0;
    let asks: BTreeSet<u32> = said
        .words
        .iter()
        .filter(|word| word.claim == claim)
        .map(|word| word.method)
        .collect();
    for word in said.words.iter().filter(|word| asks.contains(&word.method)) {
        let (Some(method), Some(seen)) = (said.methods.get(word.method as usize), word.seen) else {
            rows_without_time += 1;
            continue;
        };
        let key = (method, period.begin(seen));
        parts.entry(key).or_default().push(*word);
    }
    let mut points: Vec<Point> = parts
        .iter()
        .map(|((method, begin), words)| Point {
            period: *begin,
            method: (*method).clone(),
            figures: figures(words.iter().filter(|word| word.claim == claim)),
            servers_looked_at: figures(words.iter()).servers,
        })
        .collect();
    points.sort_by(|a, b| {
        (&a.method.source, a.period, &a.method).cmp(&(&b.method.source, b.period, &b.method))
    });
    let steps = steps(&points, &parts, claim);
    let plateaus = plateaus(&points)
        .into_iter()
        .map(|mut plateau| {
            let words = parts.get(&(&plateau.method, plateau.until));
            plateau.tail = tail(said, words.map_or(&[][..], Vec::as_slice), claim, known);
            plateau
        })
        .collect();
    points.sort_by(|a, b| (a.period, &a.method).cmp(&(b.period, &b.method)));
    Trend {
        claim: claim.name(),
        period,
        points,
        steps,
        plateaus,
        rows_without_time,
    }
}

fn words_of<'a>(parts: &'a BTreeMap<(&'a Method, i64), Vec<Word>>, point: &'a Point) -> &'a [Word] {
    let words = parts.get(&(&point.method, point.period));
    words.map_or(&[], Vec::as_slice)
}

/// What each server was called, the worst where it was called several things.
fn called(words: &[Word], claim: Claim) -> BTreeMap<u32, bool> {
    let mut called = BTreeMap::new();
    for word in words
        .iter()
        .filter(|word| word.claim != Claim::Undetermined)
    {
        let found = called.entry(word.server).or_insert(false);
        *found |= word.claim == claim;
    }
    called
}

fn steps(points: &[Point], parts: &BTreeMap<(&Method, i64), Vec<Word>>, claim: Claim) -> Vec<Step> {
    let mut steps = Vec::new();
    for (index, point) in points.iter().enumerate() {
        let before = points.get(..index).unwrap_or_default();
        let mut earlier = before.iter().rev().filter(|other| {
            other.method.source == point.method.source && other.period < point.period
        });
        let same = earlier.clone().find(|other| other.method == point.method);
        if let Some(other) = same {
            steps.push(Step::World {
                period: point.period,
                method: point.method.clone(),
                servers_before: other.figures.servers,
                servers: point.figures.servers,
            });
            continue;
        }
        let Some(other) = earlier.next() else {
            continue;
        };
        let then = words_of(parts, other);
        let now = words_of(parts, point);
        let looked: BTreeSet<u32> = then.iter().map(|word| word.server).collect();
        let then = called(then, claim);
        let (mut too, mut denied, mut undetermined, mut unseen) = (0, 0, 0, 0);
        for (server, _) in called(now, claim).iter().filter(|(_, found)| **found) {
            match then.get(server) {
                Some(true) => too += 1,
                Some(false) => denied += 1,
                None if looked.contains(server) => undetermined += 1,
                None => unseen += 1,
            }
        }
        steps.push(Step::Method {
            period: point.period,
            before: other.method.clone(),
            now: point.method.clone(),
            servers_before: other.figures.servers,
            servers: point.figures.servers,
            found_before_too: too,
            denied_before: denied,
            undetermined_before: undetermined,
            not_seen_before: unseen,
        });
    }
    steps
}

/// The longest end of each method's series that stays about as high as it began.
fn plateaus(points: &[Point]) -> Vec<Plateau> {
    let mut series: BTreeMap<&Method, Vec<&Point>> = BTreeMap::new();
    for point in points {
        series.entry(&point.method).or_default().push(point);
    }
    let mut plateaus = Vec::new();
    for (method, points) in series {
        let Some(last) = points.last() else { continue };
        let level = |point: &&&Point| {
            let (first, now) = (point.figures.servers, last.figures.servers);
            now > 0 && first.abs_diff(now) * 100 <= first * PLATEAU_PERCENT
        };
        let flat = points.iter().rev().take_while(level).count();
        let Some(first) = points.len().checked_sub(flat).and_then(|at| points.get(at)) else {
            continue;
        };
        if flat >= PLATEAU_POINTS {
            plateaus.push(Plateau {
                method: method.clone(),
                since: first.period,
                until: last.period,
                servers_first: first.figures.servers,
                servers_last: last.figures.servers,
                tail: Vec::new(),
            });
        }
    }
    plateaus
}

const REASONS: [&str; 11] = [
    "nobody in the registry has the server",
    "several organisations claim the server",
    "another method calls it otherwise at the same time or later: undetermined",
    "no contact of the organisation is known",
    "never told",
    "told, and the notice waits to go out",
    "told, and the notice came back",
    "told, and no answer",
    "told, and they say it is not so",
    "told and answered, and not done",
    "told, said to be done, and still found",
];

fn tail(said: &Said, words: &[Word], claim: Claim, known: Known<'_>) -> Vec<Reason> {
    let left: BTreeMap<u32, &Word> = words
        .iter()
        .filter(|word| word.claim == claim)
        .map(|word| (word.server, word))
        .collect();
    // What others say of the same servers, not earlier.
    let mut otherwise = BTreeSet::new();
    let opposite = |other: Claim| match claim {
        Claim::Vulnerable => matches!(other, Claim::Patched | Claim::Clear),
        _ => matches!(other, Claim::Clear),
    };
    for word in said.words.iter().filter(|word| opposite(word.claim)) {
        if left
            .get(&word.server)
            .is_some_and(|left| word.seen >= left.seen && word.method != left.method)
        {
            otherwise.insert(word.server);
        }
    }
    let mut counted: BTreeMap<usize, (BTreeSet<Whose>, usize)> = BTreeMap::new();
    for (server, word) in left {
        let why = reason(said, word, otherwise.contains(&server), known);
        let (organisations, servers) = counted.entry(why).or_default();
        if matches!(word.whose, Whose::One(_)) {
            organisations.insert(word.whose);
        }
        *servers += 1;
    }
    let reasons = counted
        .into_iter()
        .map(|(why, (organisations, servers))| Reason {
            why: REASONS
                .get(why)
                .copied()
                .unwrap_or("whether they were told is not known here"),
            organisations: organisations.len(),
            servers,
        });
    reasons.collect()
}

/// Its place among [`REASONS`], or the one behind them.
fn reason(said: &Said, word: &Word, otherwise: bool, known: Known<'_>) -> usize {
    let id = match word.whose {
        Whose::Nobody => return 0,
        Whose::Several => return 1,
        Whose::One(one) => said.organisations.get(one as usize),
    };
    let Some(id) = id else { return REASONS.len() };
    if otherwise {
        return 2;
    }
    let told = known.told.map(|told| told.get(id));
    let contacted = known
        .contacted
        .is_none_or(|contacted| contacted.contains(id));
    match told {
        Some(Some(Told::Waiting)) => 5,
        Some(Some(Told::Bounced)) => 6,
        Some(Some(Told::Sent)) => 7,
        Some(Some(Told::Refuted)) => 8,
        Some(Some(Told::Answered)) => 9,
        Some(Some(Told::Acted)) => 10,
        _ if !contacted => 3,
        Some(None) => 4,
        None => REASONS.len(),
    }
}
