//! Plays whole responses over a made-up world with a seed: how long it takes and how much risk stands meanwhile, by policy.

use super::flow::{Groups, bottlenecks};
use super::{Job, Needs, Responder, minutes};
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

/// Sizes of a world.
pub const ORGANISATIONS_MAX: usize = 1_000_000;

/// Minutes of the calendar in a week.
const WEEK: i64 = 7 * 24 * 60;

/// How responders choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// Who was told of first.
    FirstCome,
    /// Who is at the greatest risk, however long it takes.
    RiskFirst,
    /// By risk per hour; responders whom some work depends on are kept for it.
    Ours,
}

impl Policy {
    pub const ALL: [Self; 3] = [Self::FirstCome, Self::RiskFirst, Self::Ours];

    pub fn name(self) -> &'static str {
        match self {
            Self::FirstCome => "first come",
            Self::RiskFirst => "risk first",
            Self::Ours => "ours",
        }
    }
}

/// What came of a policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    pub policy: Policy,
    /// Weeks until the last job that anybody can do is done.
    pub weeks: f64,
    /// Points of risk times the weeks that each stood.
    pub harm: f64,
    /// Points of risk at the end of each week, from week 0.
    pub left: Vec<f64>,
    pub jobs_done: usize,
    /// Of which nobody has the skill, the region or the language.
    pub impossible: usize,
}

/// Responders at work, until nothing is left that anybody can do. Jobs came in the order in which they are given.
pub fn play(jobs: &[Job], responders: &[Responder], policy: Policy) -> Course {
    let groups = Groups::of(jobs, responders);
    let mut work = vec![0; groups.able.len()];
    for (job, kind) in jobs.iter().zip(&groups.kind_of) {
        work[*kind] += job.minutes;
    }
    let a_week: Vec<i64> = groups
        .members
        .iter()
        .map(|members| {
            members
                .iter()
                .map(|at| responders[*at].minutes_a_week)
                .sum()
        })
        .collect();
    let (kind_step, class_step) = bottlenecks(&work, &groups, &a_week);
    let mut kinds_of: Vec<Vec<usize>> = vec![Vec::new(); groups.members.len()];
    for (kind, classes) in groups.able.iter().enumerate() {
        for class in classes {
            kinds_of[*class].push(kind);
        }
    }
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    match policy {
        Policy::FirstCome => {}
        Policy::RiskFirst => order.sort_by_key(|at| Reverse(jobs[*at].risk)),
        Policy::Ours => order.sort_by(|a, b| jobs[*a].by_density(&jobs[*b])),
    }
    // By kind: rank in the policy's order, and by length for the end of the work.
    let mut waiting: Vec<BTreeSet<(usize, usize)>> = vec![BTreeSet::new(); groups.able.len()];
    let mut lengths: Vec<BTreeSet<(i64, usize)>> = vec![BTreeSet::new(); groups.able.len()];
    let mut impossible = 0;
    for (rank, at) in order.iter().copied().enumerate() {
        let kind = groups.kind_of[at];
        if groups.able[kind].iter().any(|class| a_week[*class] > 0) {
            waiting[kind].insert((rank, at));
            lengths[kind].insert((jobs[at].minutes, rank));
        } else {
            impossible += 1;
        }
    }
    // Of each step what is left, and what its responders do in a week.
    let steps = kind_step.iter().flatten().max().map_or(0, |most| most + 1);
    let mut left_of_step = vec![0_i64; steps];
    let mut pace_of_step = vec![0_i64; steps];
    // The most hours that anybody has who is kept for a kind.
    let fastest_of_kind: Vec<i64> = (groups.able.iter().zip(&kind_step))
        .map(|(classes, step)| {
            let kept = classes.iter().filter(|class| class_step[**class] == *step);
            let members = kept.flat_map(|class| &groups.members[*class]);
            members
                .map(|at| responders[*at].minutes_a_week)
                .max()
                .unwrap_or_default()
        })
        .collect();
    let mut slowest_of_step = vec![i64::MAX; steps];
    for (kind, step) in kind_step.iter().enumerate() {
        if let Some(step) = step {
            left_of_step[*step] += work[kind];
        }
    }
    for (class, step) in class_step.iter().enumerate() {
        if let Some(step) = step {
            pace_of_step[*step] += a_week[class];
            let hours = groups.members[class]
                .iter()
                .map(|at| responders[*at].minutes_a_week);
            let slowest = hours.filter(|minutes| *minutes > 0).min();
            slowest_of_step[*step] = slowest_of_step[*step].min(slowest.unwrap_or(i64::MAX));
        }
    }
    let mut free: BinaryHeap<Reverse<(i64, &str, usize)>> = responders
        .iter()
        .enumerate()
        .filter(|(_, responder)| responder.minutes_a_week > 0)
        .map(|(at, responder)| Reverse((0, responder.id.as_str(), at)))
        .collect();
    let mut ends: Vec<(i64, usize)> = Vec::new();
    while let Some(Reverse((now, id, responder))) = free.pop() {
        let class = groups.class_of[responder];
        let first = |kinds: &mut dyn Iterator<Item = usize>| {
            kinds
                .filter_map(|kind| waiting[kind].first())
                .min()
                .copied()
        };
        let every = kinds_of[class].iter().copied();
        let chosen = if policy == Policy::Ours {
            let step = class_step[class];
            let mine = || every.clone().filter(|kind| kind_step[*kind] == step);
            // Near the end each takes the longest that it still ends with all others, so that nobody waits for a long one
            // that was begun last, or by somebody with few hours.
            let longest = mine().filter_map(|kind| lengths[kind].last()).max();
            let ending = longest.zip(step).is_some_and(|((minutes, _), step)| {
                left_of_step[step].saturating_mul(slowest_of_step[step])
                    < minutes.saturating_mul(pace_of_step[step])
            });
            let own = match step {
                Some(step) if ending => {
                    let a_week = responders[responder].minutes_a_week;
                    let fits =
                        left_of_step[step].saturating_mul(a_week) / pace_of_step[step].max(1);
                    let longest = mine()
                        .filter_map(|kind| lengths[kind].range(..=(fits, usize::MAX)).next_back())
                        .max_by_key(|(minutes, rank)| (*minutes, Reverse(*rank)));
                    // What none ends in time is left to those with many hours.
                    let shortest = || {
                        let kinds = mine().filter(|kind| 2 * a_week >= fastest_of_kind[*kind]);
                        kinds.filter_map(|kind| lengths[kind].first()).min()
                    };
                    let chosen = longest.or_else(shortest);
                    chosen.map(|(_, rank)| (*rank, order[*rank]))
                }
                _ => first(&mut mine()),
            };
            // Help for others' work, where it does not make that end later.
            own.or_else(|| {
                let fits = |kind: &usize| {
                    let (Some(step), Some((_, at))) = (kind_step[*kind], waiting[*kind].first())
                    else {
                        return true;
                    };
                    let a_week = i128::from(responders[responder].minutes_a_week);
                    i128::from(jobs[*at].minutes) * i128::from(pace_of_step[step])
                        <= i128::from(left_of_step[step]) * a_week
                };
                first(&mut every.clone().filter(fits))
            })
        } else {
            first(&mut every.clone())
        };
        let Some((rank, at)) = chosen else {
            continue;
        };
        let job = &jobs[at];
        let kind = groups.kind_of[at];
        waiting[kind].remove(&(rank, at));
        lengths[kind].remove(&(job.minutes, rank));
        if let Some(step) = kind_step[kind] {
            left_of_step[step] -= job.minutes;
        }
        let a_week = responders[responder].minutes_a_week;
        let takes = (job.minutes.saturating_mul(WEEK) + a_week - 1) / a_week;
        let end = now.saturating_add(takes);
        ends.push((end, at));
        free.push(Reverse((end, id, responder)));
    }
    ends.sort_unstable();
    course(jobs, policy, &ends, impossible)
}

fn course(jobs: &[Job], policy: Policy, ends: &[(i64, usize)], impossible: usize) -> Course {
    let weeks = |minutes: i64| minutes as f64 / WEEK as f64;
    let points = |at: usize| jobs[at].risk as f64 / 1000.0;
    let harm = ends.iter().map(|(end, at)| weeks(*end) * points(*at)).sum();
    let mut standing: f64 = ends.iter().map(|(_, at)| points(*at)).sum();
    let mut left = vec![standing];
    let mut next = WEEK;
    for (end, at) in ends {
        while *end > next {
            left.push(standing);
            next += WEEK;
        }
        standing -= points(*at);
    }
    left.push(standing.max(0.0));
    Course {
        policy,
        weeks: ends.last().map_or(0.0, |(end, _)| weeks(*end)),
        harm,
        left,
        jobs_done: ends.len(),
        impossible,
    }
}

/// A generator of numbers with a seed (`SplitMix64`, Steele and others 2014).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn one_of<'a, T>(&mut self, all: &'a [(T, f64)]) -> &'a T {
        let sum: f64 = all.iter().map(|(_, weight)| weight).sum();
        let mut at = self.share() * sum;
        for (value, weight) in all {
            at -= weight;
            if at < 0.0 {
                return value;
            }
        }
        &all[all.len() - 1].0
    }
}

/// Countries of the made-up world with their share of victims and the language there.
const COUNTRIES: [((&str, &str), f64); 8] = [
    (("AA", "aa"), 30.0),
    (("BB", "bb"), 20.0),
    (("CC", "aa"), 14.0),
    (("DD", "dd"), 12.0),
    (("EE", "bb"), 9.0),
    (("FF", "ff"), 7.0),
    (("GG", "dd"), 5.0),
    (("HH", "aa"), 3.0),
];

/// Situation, skill, hours from and to, risk from and to.
type Kind = (&'static str, &'static str, f64, f64, f64, f64);
const KINDS: [(Kind, f64); 4] = [
    (("foothold", "forensics", 16.0, 60.0, 45.0, 100.0), 12.0),
    (("exploited", "forensics", 8.0, 40.0, 35.0, 95.0), 8.0),
    (("vulnerable", "patching", 3.0, 16.0, 20.0, 80.0), 35.0),
    (("undetermined", "triage", 2.0, 8.0, 8.0, 45.0), 45.0),
];

/// A made-up world: jobs in the order in which they came, and responders. The same numbers give the same world.
pub fn world(organisations: usize, responders: usize, seed: u64) -> (Vec<Job>, Vec<Responder>) {
    let mut dice = Dice(seed);
    let jobs = (0..organisations)
        .map(|number| {
            let (country, language) = *dice.one_of(&COUNTRIES);
            let (situation, skill, short, long, low, high) = *dice.one_of(&KINDS);
            let between = |share: f64, from: f64, to: f64| from + share * (to - from);
            let length = dice.share().powi(2);
            let spread = dice.share();
            Job {
                organisation: format!("o{number:07}"),
                campaign: if dice.share() < 0.8 {
                    "first"
                } else {
                    "second"
                }
                .to_owned(),
                situation: situation.to_owned(),
                needs: Needs {
                    skill: skill.to_owned(),
                    country: Some(country.to_owned()),
                    region: None,
                    language: (dice.share() < 0.7).then(|| language.to_owned()),
                },
                minutes: minutes(between(length, short, long)),
                risk: minutes(between(spread, low, high) / 60.0 * 1000.0),
                due: None,
            }
        })
        .collect();
    let team = |number: usize, dice: &mut Dice| {
        let ((country, language), _) = COUNTRIES[number % COUNTRIES.len()];
        // One in eight is a team of all trades that goes anywhere; the others know one or two.
        if number % 8 == 7 {
            return Responder {
                id: format!("r{number:05}"),
                name: format!("Team {number}"),
                skills: ["forensics", "patching", "triage"]
                    .map(str::to_owned)
                    .into(),
                minutes_a_week: minutes(40.0 + (dice.share() * 4.0).floor() * 20.0),
                region: None,
                languages: ["aa", "bb", "dd", "ff"].map(str::to_owned).into(),
            };
        }
        let mut skills = BTreeSet::new();
        for _ in 0..2 {
            let skill = *dice.one_of(&[("triage", 40.0), ("patching", 35.0), ("forensics", 25.0)]);
            skills.insert(skill.to_owned());
        }
        Responder {
            id: format!("r{number:05}"),
            name: format!("Responder {number}"),
            skills,
            minutes_a_week: minutes(10.0 + (dice.share() * 4.0).floor() * 10.0),
            region: (dice.share() < 0.5).then(|| country.to_owned()),
            languages: [language.to_owned(), "bb".to_owned()].into(),
        }
    };
    let responders = (0..responders)
        .map(|number| team(number, &mut dice))
        .collect();
    (jobs, responders)
}
