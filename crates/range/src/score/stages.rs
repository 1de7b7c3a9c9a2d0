//! Stages against the truth: how far an intruder came, and how far the report says that he came.

use super::pairs::{Pair, Pairs, stage};
use super::rate::Rate;
use model::Stage;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Stages above `none_seen`, lowest first.
pub(crate) const STAGES: [Stage; 5] = [
    Stage::Probed,
    Stage::Exploited,
    Stage::Foothold,
    Stage::HandsOn,
    Stage::Impact,
];

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageScore {
    /// Stages said that were reached, of stages said.
    pub precision: Rate,
    /// Stages said, of those that were reached and left something in the evidence.
    pub recall: Rate,
    /// Hosts and campaigns whose highest stage is right: the highest of which something is left, or the highest of all.
    pub headline: Rate,
    pub stages: Vec<StageCount>,
}

/// One stage over all hosts and campaigns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageCount {
    pub stage: Stage,
    /// Reached, and said.
    pub found: u64,
    /// Reached, something of it is left, and not said.
    pub missed: u64,
    /// Said, and not reached.
    pub invented: u64,
    /// Reached, but nothing of it is left, and not said.
    pub left_nothing: u64,
}

pub(crate) fn stages(pairs: &Pairs<'_>) -> StageScore {
    let mut score = StageScore {
        precision: Rate::default(),
        recall: Rate::default(),
        headline: Rate::default(),
        stages: STAGES.map(StageCount::new).to_vec(),
    };
    for pair in pairs
        .all
        .iter()
        .filter(|pair| !pair.is_anothers_intrusion())
    {
        let reached = Reached::of(pair);
        let said = said(pair);
        for count in &mut score.stages {
            count.add(&reached, &said);
        }
        for stage in &said {
            score.precision.add(reached.all.contains(stage));
        }
        for stage in &reached.provable {
            score.recall.add(said.contains(stage));
        }
        let highest = said.last();
        let right = highest == reached.provable.last() || highest == reached.all.last();
        score.headline.add(right && pair.said.is_some());
    }
    score
}

/// Stages that an intruder or a scanner reached.
struct Reached {
    all: BTreeSet<Stage>,
    /// Those of which something is left in the evidence.
    provable: BTreeSet<Stage>,
}

impl Reached {
    fn of(pair: &Pair<'_>) -> Self {
        let story = &pair.truth.story;
        let left = story.iter().filter(|step| pair.is_left(step));
        let told = story.iter().map(|step| &step.stage);
        Self {
            all: told
                .chain(&pair.truth.stages)
                .filter_map(|word| stage(word))
                .collect(),
            provable: left.filter_map(|step| stage(&step.stage)).collect(),
        }
    }
}

fn said(pair: &Pair<'_>) -> BTreeSet<Stage> {
    let Some(said) = pair.said else {
        return BTreeSet::new();
    };
    let compromise = &said.compromise;
    let mut stages: BTreeSet<Stage> = compromise.stages.iter().copied().collect();
    stages.insert(compromise.stage);
    stages.remove(&Stage::NoneSeen);
    stages
}

impl StageCount {
    fn new(stage: Stage) -> Self {
        Self {
            stage,
            found: 0,
            missed: 0,
            invented: 0,
            left_nothing: 0,
        }
    }

    fn add(&mut self, reached: &Reached, said: &BTreeSet<Stage>) {
        let stage = &self.stage;
        match (reached.all.contains(stage), said.contains(stage)) {
            (true, true) => self.found += 1,
            (true, false) if reached.provable.contains(stage) => self.missed += 1,
            (true, false) => self.left_nothing += 1,
            (false, true) => self.invented += 1,
            (false, false) => {}
        }
    }
}
