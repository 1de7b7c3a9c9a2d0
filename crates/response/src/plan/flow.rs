//! How much can be done at all: hours of kinds of work against hours of kinds of responders.
//!
//! Jobs that ask for the same are one kind, responders that may do the same are one class, so that millions of pairs become
//! a few thousand. The hours that can be served together form a polymatroid (Edmonds 1970), so taking jobs by risk per hour,
//! each as far as augmenting paths allow, solves the linear relaxation exactly, without a general solver: its value is the
//! bound. A property test compares it with one.

use super::{Job, Needs, Responder};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Jobs and responders, grouped.
#[derive(Clone, Debug)]
pub struct Groups {
    /// Of each job, its kind.
    pub kind_of: Vec<usize>,
    /// Of each responder, its class.
    pub class_of: Vec<usize>,
    /// Of each kind, the classes that may do it, in order.
    pub able: Vec<Vec<usize>>,
    /// Responders of each class.
    pub members: Vec<Vec<usize>>,
}

impl Groups {
    pub fn of(jobs: &[Job], responders: &[Responder]) -> Self {
        let mut kinds: BTreeMap<&Needs, usize> = BTreeMap::new();
        for job in jobs {
            kinds.entry(&job.needs).or_default();
        }
        for (number, kind) in kinds.values_mut().enumerate() {
            *kind = number;
        }
        let kind_of = jobs.iter().map(|job| kinds[&job.needs]).collect();
        // What a responder may do is all that tells it from others here.
        let able_of: Vec<Vec<usize>> = responders
            .iter()
            .map(|responder| {
                let able = kinds.iter().filter(|(needs, _)| responder.can(needs));
                able.map(|(_, kind)| *kind).collect()
            })
            .collect();
        let distinct: BTreeSet<&Vec<usize>> = able_of.iter().collect();
        let classes: BTreeMap<&Vec<usize>, usize> = distinct
            .into_iter()
            .enumerate()
            .map(|(n, able)| (able, n))
            .collect();
        let mut groups = Self {
            kind_of,
            class_of: able_of.iter().map(|able| classes[able]).collect(),
            able: vec![Vec::new(); kinds.len()],
            members: vec![Vec::new(); classes.len()],
        };
        for (able, class) in &classes {
            for kind in *able {
                groups.able[*kind].push(*class);
            }
        }
        for able in &mut groups.able {
            able.sort_unstable();
        }
        for (responder, class) in groups.class_of.iter().enumerate() {
            groups.members[*class].push(responder);
        }
        groups
    }
}

/// Minutes of kinds that classes serve.
#[derive(Clone, Debug)]
pub struct Flow<'a> {
    able: &'a [Vec<usize>],
    /// Minutes left of each class.
    pub left: Vec<i64>,
    /// By class, minutes of each kind.
    pub served: Vec<BTreeMap<usize, i64>>,
    /// Kinds of which nothing more can be served, ever.
    pub full: Vec<bool>,
}

impl<'a> Flow<'a> {
    pub fn new(able: &'a [Vec<usize>], capacity: Vec<i64>) -> Self {
        Self {
            able,
            served: vec![BTreeMap::new(); capacity.len()],
            left: capacity,
            full: vec![false; able.len()],
        }
    }

    /// Serves up to so many minutes more of a kind, moving other kinds to other classes where that makes room. Gives the
    /// minutes that were served.
    pub fn push(&mut self, kind: usize, minutes: i64) -> i64 {
        let mut done = 0;
        while done < minutes && !self.full[kind] {
            let step = self.augment(kind, minutes - done);
            done += step;
        }
        done
    }

    fn augment(&mut self, from: usize, most: i64) -> i64 {
        // Breadth first over kinds; `came` of a class is the kind that reached it, of a kind the class that gives it up.
        let mut came_class: Vec<Option<usize>> = vec![None; self.left.len()];
        let mut came_kind: Vec<Option<usize>> = vec![None; self.able.len()];
        let mut seen = vec![false; self.able.len()];
        let mut queue = VecDeque::from([from]);
        seen[from] = true;
        while let Some(kind) = queue.pop_front() {
            for &class in &self.able[kind] {
                if came_class[class].is_some() {
                    continue;
                }
                came_class[class] = Some(kind);
                if self.left[class] > 0 {
                    return self.apply(class, from, most, &came_class, &came_kind);
                }
                for &other in self.served[class].keys() {
                    if !seen[other] {
                        seen[other] = true;
                        came_kind[other] = Some(class);
                        queue.push_back(other);
                    }
                }
            }
        }
        // Whatever was reached is tight now and stays so.
        for (kind, seen) in seen.into_iter().enumerate() {
            self.full[kind] |= seen;
        }
        0
    }

    fn apply(
        &mut self,
        last: usize,
        from: usize,
        most: i64,
        came_class: &[Option<usize>],
        came_kind: &[Option<usize>],
    ) -> i64 {
        // The path from its end: class ← kind ← class ← … ← `from`.
        let mut path = Vec::new();
        let mut class = last;
        let mut amount = most.min(self.left[last]);
        while let Some(kind) = came_class[class] {
            path.push((kind, class));
            if kind == from {
                break;
            }
            let Some(giver) = came_kind[kind] else { break };
            amount = amount.min(self.served[giver][&kind]);
            class = giver;
        }
        self.left[last] -= amount;
        for (kind, class) in path {
            *self.served[class].entry(kind).or_default() += amount;
            if kind != from
                && let Some(giver) = came_kind[kind]
                && let Some(minutes) = self.served[giver].get_mut(&kind)
            {
                *minutes -= amount;
                if *minutes == 0 {
                    self.served[giver].remove(&kind);
                }
            }
        }
        amount
    }
}

/// The value of the linear relaxation, in thousandths of a point, with who serves what: no plan removes more. `order` are jobs
/// by risk per hour.
pub fn relax<'a>(
    jobs: &[Job],
    order: &[usize],
    groups: &'a Groups,
    capacity: Vec<i64>,
) -> (f64, Flow<'a>) {
    let mut flow = Flow::new(&groups.able, capacity);
    let mut value = 0.0;
    for &at in order {
        let job = &jobs[at];
        let served = flow.push(groups.kind_of[at], job.minutes);
        value += job.risk as f64 * (served as f64 / job.minutes as f64);
    }
    (value, flow)
}

/// Of each kind and each class the step of a bottleneck it belongs to: step 0 is the set of kinds that keeps its responders busy
/// the longest, and so on. Kinds that nobody may do have none.
pub fn bottlenecks(
    work: &[i64],
    groups: &Groups,
    a_week: &[i64],
) -> (Vec<Option<usize>>, Vec<Option<usize>>) {
    let mut kinds: Vec<Option<usize>> = vec![None; work.len()];
    let mut classes: Vec<Option<usize>> = vec![None; a_week.len()];
    let mut step = 0;
    loop {
        let open = |kind: usize, classes: &[Option<usize>]| -> Vec<usize> {
            let able = groups.able[kind].iter().copied();
            able.filter(|class| classes[*class].is_none() && a_week[*class] > 0)
                .collect()
        };
        let able: Vec<Vec<usize>> = (0..work.len())
            .map(|kind| match kinds[kind] {
                None => open(kind, &classes),
                Some(_) => Vec::new(),
            })
            .collect();
        let mut set: Vec<usize> = (0..work.len())
            .filter(|kind| work[*kind] > 0 && !able[*kind].is_empty())
            .collect();
        if set.is_empty() {
            break;
        }
        let all = set.clone();
        // Each round finds a set that takes longer, until none is left (Dinkelbach's method over minimum cuts).
        for _ in 0..=all.len() {
            let near: BTreeSet<usize> = set.iter().flat_map(|kind| able[*kind].clone()).collect();
            let minutes: i64 = set.iter().map(|kind| work[*kind]).sum();
            let rate: i64 = near.iter().map(|class| a_week[*class]).sum();
            let weeks = minutes as f64 / rate as f64;
            let capacity = a_week
                .iter()
                .map(|minutes| super::whole((*minutes as f64 * weeks).ceil()))
                .collect();
            let mut flow = Flow::new(&able, capacity);
            let mut short = false;
            for &kind in &all {
                short |= flow.push(kind, work[kind]) < work[kind];
            }
            if !short {
                break;
            }
            let next: Vec<usize> = (all.iter().copied())
                .filter(|kind| flow.full[*kind])
                .collect();
            if next == set || next.is_empty() {
                break;
            }
            set = next;
        }
        for &kind in &set {
            for class in &able[kind] {
                classes[*class] = Some(step);
            }
            kinds[kind] = Some(step);
        }
        // A kind whose every class is taken goes with the last of them.
        for (kind, step_of) in kinds.iter_mut().enumerate() {
            if step_of.is_none() && open(kind, &classes).is_empty() {
                *step_of = groups.able[kind]
                    .iter()
                    .filter_map(|class| classes[*class])
                    .max();
            }
        }
        step += 1;
    }
    (kinds, classes)
}
