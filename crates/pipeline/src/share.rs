//! Who reads what: outermost entries are handed out one by one, so that every worker is busy to the end.
//!
//! All workers walk through the same entries in the same order and pass over those that others were given. Who reads an
//! entry is of no consequence: what is told of it is put in its place by its position.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// The answer where a worker has been through all entries of the collection.
pub(crate) const NOTHING_LEFT: u64 = u64::MAX;

/// Entries up to this size are read so quickly that the next one is asked for while they are in hand.
const QUICK_BYTES_MAX: u64 = 1 << 20;

/// What is left of each collection.
#[derive(Debug)]
pub(crate) struct Shares {
    /// By collection: the outermost entry that is handed out next.
    next: Mutex<Vec<u64>>,
}

impl Shares {
    pub(crate) fn new(collections: usize) -> Self {
        Self {
            next: Mutex::new(vec![0; collections]),
        }
    }

    /// Hands out an outermost entry of the collection, each once; the collection may end before it.
    pub(crate) fn claim(&self, collection: usize) -> u64 {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(next) = next.get_mut(collection) else {
            return NOTHING_LEFT;
        };
        let claimed = *next;
        *next = next.saturating_add(1);
        claimed
    }

    /// A worker has been through the whole collection: it has no entries beyond those that were handed out.
    pub(crate) fn close(&self, collection: usize) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(next) = next.get_mut(collection) {
            *next = NOTHING_LEFT;
        }
    }
}

/// What a worker was given of the collection in hand.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    /// Outermost entries that are still to come, and the one in hand.
    held: BTreeSet<u64>,
    /// Whether another was asked for, and the answer not yet taken.
    pub(crate) asked: bool,
}

impl Claims {
    /// `held` is what a dead predecessor was given.
    pub(crate) fn new(held: BTreeSet<u64>) -> Self {
        Self { held, asked: false }
    }

    /// Whether an outermost entry is this worker's; they come in order, an archive's members with the archive. `claim`
    /// gets another one, or takes the answer where one was asked for.
    pub(crate) fn has(&mut self, top: u64, claim: &mut dyn FnMut(bool) -> u64) -> bool {
        while self.held.first().is_some_and(|held| *held < top) {
            self.held.pop_first();
        }
        while self.held.is_empty() {
            let claimed = claim(std::mem::take(&mut self.asked));
            if claimed >= top {
                self.held.insert(claimed);
            }
        }
        self.held.contains(&top)
    }

    /// Whether it is known that nothing more is to come.
    pub(crate) fn is_through(&self) -> bool {
        self.held.first() == Some(&NOTHING_LEFT)
    }

    /// Whether to ask for the next while an entry of this size is in hand.
    pub(crate) fn looks_ahead(&self, size: Option<u64>) -> bool {
        !self.asked && self.held.len() == 1 && size.is_some_and(|size| size <= QUICK_BYTES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    /// A worker on its way through a collection.
    #[derive(Default)]
    struct Walking {
        claims: Claims,
        /// Given, and not gone past yet: what a supervisor notes.
        held: BTreeSet<u64>,
        answers: VecDeque<u64>,
        top: u64,
        through: bool,
    }

    impl Walking {
        /// Goes on by one entry; gives it where it is this worker's.
        fn step(&mut self, entries: u64, shares: &Shares, sizes: &[u64]) -> Option<u64> {
            if self.top >= entries {
                if !self.through {
                    self.through = true;
                    shares.close(0);
                }
                return None;
            }
            let top = self.top;
            self.top += 1;
            let (answers, held) = (&mut self.answers, &mut self.held);
            let has = self.claims.has(top, &mut |asked| {
                if asked {
                    return answers.pop_front().expect("it was asked for");
                }
                let claimed = shares.claim(0);
                if claimed != NOTHING_LEFT {
                    held.insert(claimed);
                }
                claimed
            });
            if !has {
                return None;
            }
            self.held = self.held.split_off(&top);
            let size = sizes[usize::try_from(top).expect("few entries") % sizes.len()];
            if self.claims.looks_ahead(Some(size)) {
                self.claims.asked = true;
                let claimed = shares.claim(0);
                self.answers.push_back(claimed);
                self.held.insert(claimed);
            }
            Some(top)
        }
    }

    proptest! {
        /// Whoever is quick, slow or dies: every entry is read by one worker.
        #[test]
        fn every_entry_is_handed_out_once(
            entries in 0_u64..40,
            steps in prop::collection::vec((0_usize..3, prop::bool::weighted(0.05)), 0..200),
            sizes in prop::collection::vec(prop_oneof![Just(1), Just(QUICK_BYTES_MAX + 1)], 1..5),
        ) {
            let shares = Shares::new(1);
            let mut crew: [Walking; 3] = Default::default();
            let mut read: Vec<(u64, usize)> = Vec::new();
            for (number, dies) in steps {
                let worker = &mut crew[number];
                if let Some(top) = worker.step(entries, &shares, &sizes) {
                    read.push((top, number));
                }
                if dies {
                    let held = std::mem::take(&mut worker.held);
                    let claims = Claims::new(held.clone());
                    *worker = Walking { claims, held, ..Walking::default() };
                }
            }
            for (number, worker) in crew.iter_mut().enumerate() {
                while !worker.through {
                    if let Some(top) = worker.step(entries, &shares, &sizes) {
                        read.push((top, number));
                    }
                }
            }
            read.sort_unstable();
            // A successor is given again what its predecessor had in hand.
            read.dedup();
            let read: Vec<u64> = read.into_iter().map(|(top, _)| top).collect();
            prop_assert_eq!(read, (0..entries).collect::<Vec<_>>());
            prop_assert_eq!(shares.claim(0), NOTHING_LEFT);
        }
    }
}
