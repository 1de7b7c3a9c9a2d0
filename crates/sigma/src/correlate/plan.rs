//! Which rule feeds which correlation, and with which fields.

use crate::compile::state::RuleState;
use crate::problem::Problem;
use crate::rule::{
    Comparison, Condition, Correlation, CorrelationCondition, CorrelationKind, Header, Rule,
};
use std::collections::BTreeMap;

/// The whole of it. Rules and correlations are numbered together, correlations behind all rules.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// By number: names of the fields that correlations need of a match, in their order there.
    inputs: Vec<Vec<String>>,
    /// By number: whether a match is told by itself.
    alone: Vec<bool>,
    /// By number: the correlations it feeds.
    pub(crate) feeds: Vec<Vec<Feed>>,
    /// By place of the correlation.
    pub(crate) judged: Vec<Option<Judged>>,
    /// By place of the correlation: why it cannot be used.
    refused: Vec<Option<Problem>>,
    /// By place of the correlation: numbers of the rules it refers to, in its order.
    pub(crate) members: Vec<Vec<u32>>,
}

/// A correlation that looks at a rule's matches.
#[derive(Clone, Debug)]
pub(crate) struct Feed {
    /// The place of the correlation.
    pub(crate) correlation: u32,
    /// Which of its rules this is.
    pub(crate) member: u16,
    /// Places of the fields to group by among the rule's inputs.
    pub(crate) group: Vec<usize>,
    /// Places of the fields that are counted or summed.
    pub(crate) values: Vec<usize>,
}

/// What is judged, in the form it is judged in.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) kind: CorrelationKind,
    pub(crate) span_micros: i64,
    pub(crate) condition: Judge,
    pub(crate) percentile: f64,
    pub(crate) members: usize,
    /// Judged at each match, rather than when the span is over.
    pub(crate) at_once: bool,
    /// The largest number that is compared with, which tells how many matches need be kept.
    pub(crate) largest: f64,
}

/// When it matches.
#[derive(Clone, Debug)]
pub(crate) enum Judge {
    Number(Vec<(Comparison, f64)>),
    /// A condition over rules, by their place in the list.
    Rules(RuleLogic),
}

/// A condition over the rules of a correlation.
#[derive(Clone, Debug)]
pub(crate) enum RuleLogic {
    Member(usize),
    Not(Box<RuleLogic>),
    And(Vec<RuleLogic>),
    Or(Vec<RuleLogic>),
}

impl Plan {
    pub(crate) fn inputs_of(&self, number: u32) -> &[String] {
        self.inputs.get(number as usize).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn is_told_alone(&self, number: u32) -> bool {
        self.alone.get(number as usize).copied().unwrap_or(true)
    }
}

fn number(length: usize) -> u32 {
    u32::try_from(length).expect("documents are limited in number and size")
}

/// Works the plan out.
pub(crate) fn plan(rules: &[Rule], correlations: &[Correlation]) -> Plan {
    let headers: Vec<&Header> = rules
        .iter()
        .map(|rule| &rule.header)
        .chain(correlations.iter().map(|correlation| &correlation.header))
        .collect();
    let mut plan = Plan {
        inputs: vec![Vec::new(); headers.len()],
        alone: vec![true; headers.len()],
        feeds: vec![Vec::new(); headers.len()],
        judged: Vec::new(),
        refused: Vec::new(),
        members: Vec::new(),
    };
    for correlation in correlations {
        let (members, refused) = match members_of(correlation, &headers) {
            Ok(members) => (members, None),
            Err(problem) => (Vec::new(), Some(problem)),
        };
        plan.members.push(members);
        plan.refused.push(refused);
    }
    refuse_rings(rules.len(), correlations, &mut plan);
    let mut asked_alone: BTreeMap<u32, bool> = BTreeMap::new();
    for (place, correlation) in correlations.iter().enumerate() {
        if plan.refused[place].is_some() {
            plan.judged.push(None);
            continue;
        }
        for (member, fed_by) in plan.members[place].clone().into_iter().enumerate() {
            let feed = feed_of(correlation, place, member, fed_by, &mut plan);
            plan.feeds[fed_by as usize].push(feed);
            *asked_alone.entry(fed_by).or_default() |= correlation.generate;
        }
        plan.judged.push(Some(judged(correlation)));
    }
    for (fed_by, alone) in asked_alone {
        plan.alone[fed_by as usize] = alone;
    }
    plan
}

fn members_of(correlation: &Correlation, headers: &[&Header]) -> Result<Vec<u32>, Problem> {
    let mut members = Vec::new();
    for reference in &correlation.rules {
        let mut called = headers
            .iter()
            .enumerate()
            .filter(|(_, header)| header.is_called(reference));
        let Some((index, _)) = called.next() else {
            return Err(Problem::error(
                "correlation.rules",
                format!("there is no rule called `{reference}`"),
                "load the rule too, or correct the reference",
            ));
        };
        if called.next().is_some() {
            return Err(Problem::error(
                "correlation.rules",
                format!("several rules are called `{reference}`"),
                "give each rule its own id and name",
            ));
        }
        members.push(number(index));
    }
    Ok(members)
}

/// A correlation that feeds itself, by however many others, can never be judged.
fn refuse_rings(rules: usize, correlations: &[Correlation], plan: &mut Plan) {
    // Correlations whose members are all settled are settled, until nothing changes.
    let mut settled = vec![false; correlations.len()];
    loop {
        let mut changed = false;
        for place in 0..correlations.len() {
            let ready = plan.members[place].iter().all(|member| {
                (*member as usize)
                    .checked_sub(rules)
                    .is_none_or(|place| settled[place])
            });
            if ready && !settled[place] {
                settled[place] = true;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    for (place, settled) in settled.into_iter().enumerate() {
        if !settled {
            plan.refused[place] = Some(Problem::error(
                "correlation.rules",
                "the correlation refers to itself, by way of the rules it names",
                "break the ring",
            ));
        }
    }
}

fn feed_of(
    correlation: &Correlation,
    place: usize,
    member: usize,
    fed_by: u32,
    plan: &mut Plan,
) -> Feed {
    let reference = &correlation.rules[member];
    let mut input = |name: &String| {
        let alias = correlation.aliases.iter().find(|(alias, _)| alias == name);
        let field = match alias {
            Some((_, fields)) => fields
                .iter()
                .find(|(rule, _)| rule == reference)
                .map_or(name, |(_, field)| field),
            None => name,
        };
        let inputs = &mut plan.inputs[fed_by as usize];
        inputs
            .iter()
            .position(|known| known == field)
            .unwrap_or_else(|| {
                inputs.push(field.clone());
                inputs.len() - 1
            })
    };
    let values = match &correlation.condition {
        CorrelationCondition::Threshold { fields, .. } => fields.as_slice(),
        _ => &[],
    };
    Feed {
        group: correlation.group_by.iter().map(&mut input).collect(),
        values: values.iter().map(&mut input).collect(),
        correlation: number(place),
        member: u16::try_from(member).expect("a correlation has at most a thousand rules"),
    }
}

fn judged(correlation: &Correlation) -> Judged {
    let temporal = matches!(
        correlation.kind,
        CorrelationKind::Temporal | CorrelationKind::TemporalOrdered
    );
    let members = correlation.rules.len();
    #[expect(clippy::cast_precision_loss, reason = "at most a thousand rules")]
    let every = members as f64;
    let (condition, percentile) = match &correlation.condition {
        CorrelationCondition::AllRules => (
            Judge::Number(vec![(Comparison::GreaterOrEqual, every)]),
            0.0,
        ),
        CorrelationCondition::Threshold {
            comparisons,
            percentile,
            ..
        } => (
            Judge::Number(comparisons.clone()),
            percentile.unwrap_or_default(),
        ),
        CorrelationCondition::Rules(condition) => {
            (Judge::Rules(logic(condition, &correlation.rules)), 0.0)
        }
    };
    let grows = match correlation.kind {
        CorrelationKind::EventCount
        | CorrelationKind::ValueCount
        | CorrelationKind::ValueSum
        | CorrelationKind::Temporal
        | CorrelationKind::TemporalOrdered => true,
        CorrelationKind::ValueAverage
        | CorrelationKind::ValuePercentile
        | CorrelationKind::ValueMedian => false,
    };
    let (at_once, largest) = match &condition {
        Judge::Number(comparisons) => {
            let upwards = comparisons.iter().all(|(comparison, _)| {
                matches!(comparison, Comparison::Greater | Comparison::GreaterOrEqual)
            });
            let largest = comparisons
                .iter()
                .fold(0.0_f64, |most, (_, number)| most.max(*number));
            (grows && upwards, largest)
        }
        Judge::Rules(logic) => (temporal && !has_not(logic), every),
    };
    Judged {
        kind: correlation.kind,
        span_micros: i64::try_from(correlation.timespan.as_micros())
            .expect("spans are read with a bound"),
        condition,
        percentile,
        members,
        at_once,
        largest,
    }
}

fn logic(condition: &Condition, rules: &[String]) -> RuleLogic {
    match condition {
        Condition::Name(name) => RuleLogic::Or(
            (0..rules.len())
                .filter(|member| rules[*member] == *name)
                .map(RuleLogic::Member)
                .collect(),
        ),
        Condition::Of { all, names } => {
            let members = (0..rules.len())
                .filter(|member| names.include(&rules[*member]))
                .map(RuleLogic::Member)
                .collect();
            if *all {
                RuleLogic::And(members)
            } else {
                RuleLogic::Or(members)
            }
        }
        Condition::Not(below) => RuleLogic::Not(Box::new(logic(below, rules))),
        Condition::And(parts) => {
            RuleLogic::And(parts.iter().map(|part| logic(part, rules)).collect())
        }
        Condition::Or(parts) => {
            RuleLogic::Or(parts.iter().map(|part| logic(part, rules)).collect())
        }
    }
}

fn has_not(logic: &RuleLogic) -> bool {
    match logic {
        RuleLogic::Member(_) => false,
        RuleLogic::Not(_) => true,
        RuleLogic::And(parts) | RuleLogic::Or(parts) => parts.iter().any(has_not),
    }
}

impl RuleLogic {
    pub(crate) fn holds(&self, seen: &impl Fn(usize) -> bool) -> bool {
        match self {
            Self::Member(member) => seen(*member),
            Self::Not(below) => !below.holds(seen),
            Self::And(parts) => parts.iter().all(|part| part.holds(seen)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(seen)),
        }
    }
}

/// Appends the states of the correlations to those of the rules.
pub(crate) fn states(
    rules: &[Rule],
    correlations: &[Correlation],
    plan: &Plan,
    states: &mut Vec<RuleState>,
) {
    let mut own: Vec<Option<RuleState>> = vec![None; correlations.len()];
    // Members may be correlations that come later: as there are no rings, this ends within as many rounds.
    for _round in 0..=correlations.len() {
        for place in 0..correlations.len() {
            if own[place].is_some() {
                continue;
            }
            if let Some(problem) = &plan.refused[place] {
                let mut problem = problem.clone();
                correlations[place]
                    .header
                    .handle()
                    .clone_into(&mut problem.rule);
                own[place] = Some(RuleState::Rejected(problem));
                continue;
            }
            let members: Option<Vec<(&str, &RuleState)>> = plan.members[place]
                .iter()
                .map(|member| {
                    let member = *member as usize;
                    match member.checked_sub(rules.len()) {
                        None => Some((rules[member].header.handle(), &states[member])),
                        Some(place) => {
                            let handle = correlations[place].header.handle();
                            own[place].as_ref().map(|state| (handle, state))
                        }
                    }
                })
                .collect();
            if let Some(members) = members {
                own[place] = Some(state_of(&correlations[place], &members));
            }
        }
    }
    states.extend(own.into_iter().map(|state| {
        state.unwrap_or(RuleState::Undetectable {
            reasons: vec!["the rules it refers to cannot be used".to_owned()],
        })
    }));
}

fn state_of(correlation: &Correlation, members: &[(&str, &RuleState)]) -> RuleState {
    let mut sources = std::collections::BTreeSet::new();
    let mut silent = Vec::new();
    for (handle, state) in members {
        match state {
            RuleState::Ready { sources: own, .. } => sources.extend(own.iter().cloned()),
            _ => silent.push(format!("its rule `{handle}` cannot match anything")),
        }
    }
    let needs_all = matches!(correlation.condition, CorrelationCondition::AllRules);
    if silent.len() == members.len() || (needs_all && !silent.is_empty()) {
        return RuleState::Undetectable { reasons: silent };
    }
    RuleState::Ready {
        sources: sources.into_iter().collect(),
        limits: silent,
    }
}
