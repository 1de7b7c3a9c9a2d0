//! One plan over a horizon: the linear relaxation says who is better kept for what, and jobs are packed after it.

use super::flow::{Groups, relax};
use super::{Job, Responder};
use std::collections::{BTreeMap, BTreeSet};

/// Jobs of each kind that are tried in the place of one that is assigned.
const TRIED_MAX: usize = 64;
/// Rounds of replacing, each over all assignments.
const ROUNDS: usize = 3;

const WEEK_MICROS: i64 = 7 * 86_400_000_000;

/// A plan, in the order of the jobs that were given.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub weeks: i64,
    pub assignments: Vec<Assignment>,
    pub undone: Vec<Undone>,
    /// Points of risk that it removes.
    pub removed: f64,
    /// The same of the plan that takes jobs by risk per hour and gives each to who has the least time left.
    pub greedy: f64,
    /// What no plan exceeds.
    pub bound: f64,
    /// Kinds of jobs, classes of responders, pairs of a job and a responder that may do it.
    pub kinds: usize,
    pub classes: usize,
    pub pairs: u64,
}

impl Plan {
    /// How far the plan is from the bound, as a share of it.
    pub fn gap(&self) -> f64 {
        if self.bound > 0.0 {
            ((self.bound - self.removed) / self.bound).max(0.0)
        } else {
            0.0
        }
    }
}

/// What one responder does.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// Index of the job, of the responder.
    pub job: usize,
    pub responder: usize,
    /// In the responder's order, from 1.
    pub position: usize,
    /// Minutes of this responder's time until it is done, from the start.
    pub until: i64,
    /// Whether it will be done after it was due.
    pub late: bool,
    /// What else these hours would do: the best job that is left undone and that this responder could take.
    pub instead: Option<Alternative>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Alternative {
    pub job: usize,
    /// Points of risk that the same hours would remove there, at most those of the job.
    pub points: f64,
}

/// A job that nobody takes within the horizon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undone {
    pub job: usize,
    pub reason: Reason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Nobody has the skill; of these nobody works there; of these nobody speaks the language.
    Skill,
    Region,
    Language,
    /// No one who may do it has so many hours in the horizon.
    Long,
    /// All who may do it have more urgent work.
    Hours,
}

impl Reason {
    pub const ALL: [Self; 5] = [
        Self::Skill,
        Self::Region,
        Self::Language,
        Self::Long,
        Self::Hours,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Skill => "no_skill",
            Self::Region => "no_region",
            Self::Language => "no_language",
            Self::Long => "too_long",
            Self::Hours => "no_hours",
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Skill => "no responder has the skill",
            Self::Region => "none with the skill works there",
            Self::Language => "none of these speaks the language",
            Self::Long => "it takes more hours than any of these has",
            Self::Hours => "all who could do it have work that removes more",
        }
    }
}

/// Assigns jobs to responders for so many weeks from `as_of` (microseconds since 1970).
pub fn solve(jobs: &[Job], responders: &[Responder], weeks: i64, as_of: i64) -> Plan {
    let groups = Groups::of(jobs, responders);
    let capacity: Vec<i64> = responders
        .iter()
        .map(|responder| responder.minutes_a_week.saturating_mul(weeks))
        .collect();
    let longest: Vec<i64> = (groups.able.iter())
        .map(|classes| {
            let members = classes.iter().flat_map(|class| &groups.members[*class]);
            members.map(|at| capacity[*at]).max().unwrap_or_default()
        })
        .collect();
    let fits = |at: usize| jobs[at].minutes <= longest[groups.kind_of[at]];
    let mut order: Vec<usize> = (0..jobs.len()).filter(|at| fits(*at)).collect();
    order.sort_by(|a, b| jobs[*a].by_density(&jobs[*b]));
    let together = groups
        .members
        .iter()
        .map(|members| members.iter().map(|at| capacity[*at]).sum())
        .collect();
    let (bound, flow) = relax(jobs, &order, &groups, together);

    let packing = |quota: Option<Vec<BTreeMap<usize, i64>>>| {
        let mut packing = Packing {
            jobs,
            groups: &groups,
            left: capacity.clone(),
            taken: vec![None; jobs.len()],
            by_id: by_id(responders),
        };
        if let Some(quota) = quota {
            packing.guided(&order, quota);
        }
        packing.fill(&order);
        packing
    };
    let greedy = packing(None);
    let greedy_value = greedy.value();
    let mut best = [packing(Some(flow.served)), greedy]
        .into_iter()
        .map(|mut packing| {
            for _ in 0..ROUNDS {
                if !packing.replace(&order) {
                    break;
                }
                packing.fill(&order);
            }
            packing
        })
        .collect::<Vec<_>>();
    // The first of two that remove the same.
    best.sort_by_key(|packing| std::cmp::Reverse(packing.value()));
    let taken = best.swap_remove(0).taken;
    let removed: i64 = (0..jobs.len())
        .filter(|at| taken[*at].is_some())
        .map(|at| jobs[at].risk)
        .sum();
    let pairs = groups.kind_of.iter().map(|kind| {
        let classes = groups.able[*kind].iter();
        classes
            .map(|class| groups.members[*class].len() as u64)
            .sum::<u64>()
    });
    Plan {
        weeks,
        assignments: schedule(jobs, responders, &groups, &taken, &order, as_of),
        undone: undone(jobs, responders, &taken, fits),
        removed: removed as f64 / 1000.0,
        greedy: greedy_value as f64 / 1000.0,
        bound: bound / 1000.0,
        kinds: groups.able.len(),
        classes: groups.members.len(),
        pairs: pairs.sum(),
    }
}

/// The rank of each responder by id, so that the order of the input decides nothing.
fn by_id(responders: &[Responder]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..responders.len()).collect();
    order.sort_by(|a, b| responders[*a].id.cmp(&responders[*b].id));
    let mut ranks = vec![0; responders.len()];
    for (rank, at) in order.into_iter().enumerate() {
        ranks[at] = rank;
    }
    ranks
}

struct Packing<'a> {
    jobs: &'a [Job],
    groups: &'a Groups,
    /// Minutes left of each responder.
    left: Vec<i64>,
    /// Who takes each job.
    taken: Vec<Option<usize>>,
    by_id: Vec<usize>,
}

impl Packing<'_> {
    fn value(&self) -> i64 {
        let taken = self.jobs.iter().zip(&self.taken);
        taken
            .filter(|(_, taken)| taken.is_some())
            .map(|(job, _)| job.risk)
            .sum()
    }

    /// Who of these classes has the least time that is enough.
    fn tightest(&self, classes: &[usize], minutes: i64) -> Option<usize> {
        let members = classes
            .iter()
            .flat_map(|class| &self.groups.members[*class]);
        members
            .copied()
            .filter(|at| self.left[*at] >= minutes)
            .min_by_key(|at| (self.left[*at], self.by_id[*at]))
    }

    fn give(&mut self, job: usize, responder: usize) {
        self.left[responder] -= self.jobs[job].minutes;
        self.taken[job] = Some(responder);
    }

    /// Packs after the relaxation: each class does of each kind what it does there.
    fn guided(&mut self, order: &[usize], mut quota: Vec<BTreeMap<usize, i64>>) {
        for &at in order {
            let kind = self.groups.kind_of[at];
            let minutes = self.jobs[at].minutes;
            let mut classes: Vec<(i64, usize)> = self.groups.able[kind]
                .iter()
                .filter_map(|class| Some((*quota[*class].get(&kind)?, *class)))
                .filter(|(left, _)| *left > 0)
                .collect();
            classes.sort_by_key(|(left, class)| (std::cmp::Reverse(*left), *class));
            for (_, class) in classes {
                if let Some(responder) = self.tightest(&[class], minutes) {
                    self.give(at, responder);
                    *quota[class].entry(kind).or_default() -= minutes;
                    break;
                }
            }
        }
    }

    /// Gives what is left to whoever has time.
    fn fill(&mut self, order: &[usize]) {
        let groups = self.groups;
        for &at in order {
            if self.taken[at].is_some() {
                continue;
            }
            let classes = &groups.able[groups.kind_of[at]];
            if let Some(responder) = self.tightest(classes, self.jobs[at].minutes) {
                self.give(at, responder);
            }
        }
    }

    /// Puts jobs that remove more in the place of jobs that remove less, where the hours suffice. Gives whether any was.
    fn replace(&mut self, order: &[usize]) -> bool {
        let mut waiting: Vec<Vec<usize>> = vec![Vec::new(); self.groups.able.len()];
        for &at in order {
            let of = &mut waiting[self.groups.kind_of[at]];
            if self.taken[at].is_none() && of.len() < TRIED_MAX {
                of.push(at);
            }
        }
        let mut kinds_of: Vec<Vec<usize>> = vec![Vec::new(); self.groups.members.len()];
        for (kind, classes) in self.groups.able.iter().enumerate() {
            for class in classes {
                kinds_of[*class].push(kind);
            }
        }
        let mut changed = false;
        for &old in order.iter().rev() {
            let Some(responder) = self.taken[old] else {
                continue;
            };
            if self.left[responder] == 0 {
                continue;
            }
            let room = self.left[responder] + self.jobs[old].minutes;
            let class = self.groups.class_of[responder];
            let candidates = kinds_of[class].iter().flat_map(|kind| &waiting[*kind]);
            let better = candidates
                .copied()
                .filter(|at| self.taken[*at].is_none())
                .filter(|at| {
                    self.jobs[*at].minutes <= room && self.jobs[*at].risk > self.jobs[old].risk
                })
                .max_by(|a, b| {
                    let (a, b) = (&self.jobs[*a], &self.jobs[*b]);
                    a.risk.cmp(&b.risk).then_with(|| b.key().cmp(&a.key()))
                });
            if let Some(new) = better {
                self.taken[old] = None;
                self.left[responder] += self.jobs[old].minutes;
                self.give(new, responder);
                changed = true;
            }
        }
        changed
    }
}

/// Puts each responder's jobs in order: those that can be done when they are due by due time, the others by risk per hour.
fn schedule(
    jobs: &[Job],
    responders: &[Responder],
    groups: &Groups,
    taken: &[Option<usize>],
    order: &[usize],
    as_of: i64,
) -> Vec<Assignment> {
    let mut best: Vec<Option<usize>> = vec![None; groups.members.len()];
    for &at in order.iter().rev() {
        if taken[at].is_none() {
            for class in &groups.able[groups.kind_of[at]] {
                best[*class] = Some(at);
            }
        }
    }
    let mut of: Vec<Vec<usize>> = vec![Vec::new(); responders.len()];
    for &at in order {
        if let Some(responder) = taken[at] {
            of[responder].push(at);
        }
    }
    let mut assignments = Vec::new();
    for (responder, mine) in of.into_iter().enumerate() {
        let a_week = responders[responder].minutes_a_week.max(1);
        // When it will be, after so many minutes of this responder's time.
        let when = |minutes: i64| {
            let micros = i128::from(minutes) * i128::from(WEEK_MICROS) / i128::from(a_week);
            as_of.saturating_add(i64::try_from(micros).unwrap_or(i64::MAX))
        };
        let is_late = |at: usize, until: i64| jobs[at].due.is_some_and(|due| when(until) > due);
        // By Moore and Hodgson: in the order of due times; where one would be late, the longest so far steps back.
        let mut in_time: Vec<usize> = Vec::new();
        let mut back: BTreeSet<usize> = BTreeSet::new();
        let mut by_due = mine.clone();
        by_due.sort_by_key(|at| jobs[*at].due.unwrap_or(i64::MAX));
        let mut sum = 0;
        for at in by_due {
            in_time.push(at);
            sum += jobs[at].minutes;
            if is_late(at, sum) {
                // The one that removes the least an hour.
                let worst = (0..in_time.len()).max_by(|a, b| {
                    let (a, b) = (in_time[*a], in_time[*b]);
                    jobs[a].by_density(&jobs[b])
                });
                if let Some(worst) = worst {
                    let out = in_time.remove(worst);
                    sum -= jobs[out].minutes;
                    back.insert(out);
                }
            }
        }
        let late = mine.iter().copied().filter(|at| back.contains(at));
        let mut until = 0;
        for (position, at) in (1..).zip(in_time.iter().copied().chain(late)) {
            until += jobs[at].minutes;
            let instead = best[groups.class_of[responder]].map(|job| Alternative {
                job,
                // A job removes no more than it has, however many hours are left over.
                points: jobs[job].density() * jobs[at].minutes.min(jobs[job].minutes) as f64 / 60.0,
            });
            assignments.push(Assignment {
                job: at,
                responder,
                position,
                until,
                late: is_late(at, until),
                instead,
            });
        }
    }
    assignments.sort_by(|a, b| {
        let key = |one: &Assignment| (responders[one.responder].id.as_str(), one.position);
        key(a).cmp(&key(b))
    });
    assignments
}

fn undone(
    jobs: &[Job],
    responders: &[Responder],
    taken: &[Option<usize>],
    fits: impl Fn(usize) -> bool,
) -> Vec<Undone> {
    let mut undone: Vec<Undone> = (0..jobs.len())
        .filter(|at| taken[*at].is_none())
        .map(|job| {
            let needs = &jobs[job].needs;
            let any = |can: &dyn Fn(&Responder) -> bool| responders.iter().any(can);
            let reason = match () {
                () if !any(&|one| one.has_skill(needs)) => Reason::Skill,
                () if !any(&|one| one.has_skill(needs) && one.works_there(needs)) => Reason::Region,
                () if !any(&|one| one.can(needs)) => Reason::Language,
                () if !fits(job) => Reason::Long,
                () => Reason::Hours,
            };
            Undone { job, reason }
        })
        .collect();
    undone.sort_by(|a, b| jobs[a.job].key().cmp(&jobs[b.job].key()));
    undone
}
