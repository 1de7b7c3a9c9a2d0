//! How much each thing that visits share weighs: `knowledge/actors.yaml`.

use super::actors::FeatureKind;
use serde::Deserialize;
use std::collections::BTreeMap;

/// More than any weight that makes sense; keeps sums finite.
const WEIGHT_MAX: f64 = 100.0;

/// Weights as their file gives them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    pub threshold: f64,
    pub common_hosts_min: usize,
    pub window_minutes: u32,
    pub kinds: BTreeMap<FeatureKind, KindWeight>,
}

/// What sharing one kind of thing says.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KindWeight {
    pub weight: f64,
    #[serde(default)]
    pub group: Option<String>,
    pub share_max: f64,
    pub reason: String,
}

/// What is wrong with a file of weights.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    #[error("weights of actors cannot be read")]
    Yaml(#[from] serde_yaml_ng::Error),
    #[error("weights of actors: {0}")]
    Value(String),
}

/// The weights that Allclear comes with.
const BUILT_IN: &str = include_str!("../../../../knowledge/actors.yaml");

impl Weights {
    /// The weights that Allclear comes with.
    pub fn built_in() -> Result<Self, WeightsError> {
        Self::parse(BUILT_IN)
    }

    /// Reads and checks the file.
    pub fn parse(yaml: &str) -> Result<Self, WeightsError> {
        let weights: Self = serde_yaml_ng::from_str(yaml)?;
        let wrong = |what: String| Err(WeightsError::Value(what));
        if !(weights.threshold > 0.0 && weights.threshold <= WEIGHT_MAX) {
            return wrong("the threshold lies between 0 and 100".into());
        }
        if weights.window_minutes < 2 {
            return wrong("the window is at least two minutes".into());
        }
        for (kind, of) in &weights.kinds {
            let name = kind.name();
            if !(0.0..=WEIGHT_MAX).contains(&of.weight) {
                return wrong(format!("the weight of {name} lies between 0 and 100"));
            }
            if !(0.0..=1.0).contains(&of.share_max) {
                return wrong(format!("share_max of {name} lies between 0 and 1"));
            }
            if of.reason.trim().is_empty() {
                return wrong(format!("{name} has no reason"));
            }
        }
        Ok(weights)
    }

    /// What sharing all of these kinds weighs: of each group the weightiest.
    pub(super) fn of(&self, kinds: &[FeatureKind]) -> f64 {
        let mut alone = 0.0;
        let mut groups: BTreeMap<&str, f64> = BTreeMap::new();
        for of in kinds.iter().filter_map(|kind| self.kinds.get(kind)) {
            match &of.group {
                None => alone += of.weight,
                Some(group) => {
                    let most = groups.entry(group).or_default();
                    *most = most.max(of.weight);
                }
            }
        }
        alone + groups.values().sum::<f64>()
    }

    /// Whether a weight is enough; sums of decimal fractions miss by a hair.
    fn suffices(&self, weight: f64) -> bool {
        weight + 1e-9 >= self.threshold
    }

    /// The sets of kinds that are enough, and of which none can be left out.
    pub(super) fn sufficient_sets(&self) -> Vec<Vec<FeatureKind>> {
        let kinds: Vec<FeatureKind> = self.kinds.keys().copied().collect();
        let subset = |bits: u32| -> Vec<FeatureKind> {
            let of = kinds.iter().enumerate();
            of.filter(|(at, _)| bits & (1 << at) != 0)
                .map(|(_, &kind)| kind)
                .collect()
        };
        let enough = |bits: u32| self.suffices(self.of(&subset(bits)));
        let mut sets: Vec<Vec<FeatureKind>> = (1..1_u32 << kinds.len())
            .filter(|&bits| enough(bits))
            .filter(|&bits| {
                (0..kinds.len()).all(|at| bits & (1 << at) == 0 || !enough(bits & !(1 << at)))
            })
            .map(subset)
            .collect();
        // What few things explain comes first, the weightier before the lighter.
        sets.sort_by(|a, b| {
            let weight = self.of(b).total_cmp(&self.of(a));
            a.len().cmp(&b.len()).then(weight).then_with(|| a.cmp(b))
        });
        sets
    }
}
