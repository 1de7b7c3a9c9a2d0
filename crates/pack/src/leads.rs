//! `knowledge/detection/leads.yaml`: what makes a page or a file worth a look, and how much each sign weighs.

use crate::tables::read_yaml;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const LEADS: &str = include_str!("../../../knowledge/detection/leads.yaml");

/// Bounds and weights of leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeadTable {
    pub limits: LeadLimits,
    pub signals: BTreeMap<LeadSignal, LeadWeight>,
}

/// Bounds, each with its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeadLimits {
    /// Score from which a lead is shown to people.
    pub shown_score: LeadLimit,
    /// Score from which a lead is kept in the report at all.
    pub kept_score: LeadLimit,
    /// Leads kept for one host.
    pub kept_leads: LeadLimit,
    /// Clients of a page that are few.
    pub few_clients: LeadLimit,
    /// Clients of a site below which the number of a page's clients says nothing.
    pub site_clients: LeadLimit,
    /// Days that a log must cover before anything is late in it.
    pub log_days: LeadLimit,
    /// Days after the beginning of a log from which a first request is late.
    pub late_days: LeadLimit,
    /// Days that a log must cover before an update.
    pub before_update_days: LeadLimit,
    /// Files of a log below which being in few of them says nothing.
    pub log_files: LeadLimit,
    /// Percent of the files of a log that are few.
    pub rare_file_percent: LeadLimit,
    /// Paths without script of one application above which none of them is looked at.
    pub handlers_of_application: LeadLimit,
    /// The highest score of a page that the vendor ships.
    pub shipped_cap: LeadLimit,
    /// Files of a folder that give an age to compare with.
    pub neighbours: LeadLimit,
    /// Days by which a file is clearly younger.
    pub younger_days: LeadLimit,
    /// Minutes around a compilation without another one.
    pub compile_minutes: LeadLimit,
    /// Seconds between a compilation and the first answer of the page.
    pub compile_match_seconds: LeadLimit,
}

/// A bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeadLimit {
    pub value: u32,
    pub why: String,
}

/// What a sign adds to a score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeadWeight {
    pub points: u8,
    pub why: String,
}

/// The signs; what each means stands in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeadSignal {
    NotShipped,
    ChangedContent,
    OneClient,
    FewClients,
    PostedByOne,
    NoReferrer,
    OneAgent,
    OnlySuccess,
    LateInLog,
    AfterUpdate,
    FewLogFiles,
    MissedBefore,
    Gone,
    LoneScript,
    Disguised,
    CompiledWithoutSource,
    CompiledAlone,
    CompiledUnlogged,
    YoungerThanNeighbours,
    YoungerThanUpdate,
    TimesSet,
    DeletedScript,
}

impl LeadSignal {
    /// Every sign, in the order of the table.
    pub const ALL: [Self; 22] = [
        Self::NotShipped,
        Self::ChangedContent,
        Self::OneClient,
        Self::FewClients,
        Self::PostedByOne,
        Self::NoReferrer,
        Self::OneAgent,
        Self::OnlySuccess,
        Self::LateInLog,
        Self::AfterUpdate,
        Self::FewLogFiles,
        Self::MissedBefore,
        Self::Gone,
        Self::LoneScript,
        Self::Disguised,
        Self::CompiledWithoutSource,
        Self::CompiledAlone,
        Self::CompiledUnlogged,
        Self::YoungerThanNeighbours,
        Self::YoungerThanUpdate,
        Self::TimesSet,
        Self::DeletedScript,
    ];

    /// The stable name used in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotShipped => "not_shipped",
            Self::ChangedContent => "changed_content",
            Self::OneClient => "one_client",
            Self::FewClients => "few_clients",
            Self::PostedByOne => "posted_by_one",
            Self::NoReferrer => "no_referrer",
            Self::OneAgent => "one_agent",
            Self::OnlySuccess => "only_success",
            Self::LateInLog => "late_in_log",
            Self::AfterUpdate => "after_update",
            Self::FewLogFiles => "few_log_files",
            Self::MissedBefore => "missed_before",
            Self::Gone => "gone",
            Self::LoneScript => "lone_script",
            Self::Disguised => "disguised",
            Self::CompiledWithoutSource => "compiled_without_source",
            Self::CompiledAlone => "compiled_alone",
            Self::CompiledUnlogged => "compiled_unlogged",
            Self::YoungerThanNeighbours => "younger_than_neighbours",
            Self::YoungerThanUpdate => "younger_than_update",
            Self::TimesSet => "times_set",
            Self::DeletedScript => "deleted_script",
        }
    }
}

impl LeadTable {
    /// The table that comes with Allclear.
    pub fn builtin() -> Self {
        let mut problems = Vec::new();
        read_yaml("leads.yaml", LEADS, &mut problems)
            .expect("a test reads the checked-in table of leads")
    }

    /// What a sign adds; nothing where the table does not weigh it.
    pub fn points(&self, signal: LeadSignal) -> u8 {
        self.signals.get(&signal).map_or(0, |weight| weight.points)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sign_is_weighed_with_a_reason_and_none_is_shown_by_itself() {
        let table = LeadTable::builtin();
        let weighed: Vec<LeadSignal> = table.signals.keys().copied().collect();
        assert_eq!(weighed, LeadSignal::ALL);
        for (signal, weight) in &table.signals {
            assert!(weight.points > 0, "{}", signal.name());
            assert!(
                u32::from(weight.points) < table.limits.shown_score.value,
                "{} alone would be shown",
                signal.name()
            );
            assert!(weight.why.len() > 20, "{}", signal.name());
            assert_eq!(
                serde_json::to_value(signal).unwrap(),
                serde_json::json!(signal.name())
            );
        }
        assert!(table.limits.kept_score.value <= table.limits.shown_score.value);
        assert!(table.limits.shipped_cap.value < table.limits.shown_score.value);
        let few = table.limits.few_clients.value as usize;
        assert!(few <= model::CLIENTS_NAMED_MAX, "readers name no more");
    }
}
