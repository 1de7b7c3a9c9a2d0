//! A host's way out: the steps of the campaign's pack in its order, how far each is, and who says so.

use model::report::{CampaignReport, GateState, HostReport, VerdictName};
use model::{Answer, Attestation, FootholdState, Place, Timestamp};
use pack::{Pack, Step};
use serde::Serialize;
use store::response::AttestationRow;

/// What is known of a step. What evidence shows and what persons state are never one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum StepState {
    /// Evidence shows that it is done.
    Verified { reason: String },
    /// A named person states it; no machine can tell.
    Attested {
        by: String,
        role: String,
        time: Timestamp,
        statement: String,
    },
    /// It does not apply, for a reason.
    NotApplicable { reason: String },
    /// Evidence, or a person, says that it is not done.
    Open { reason: String },
    /// Neither is known.
    CannotTell { reason: String },
    /// No gate shows it: it is done or not by whoever does it.
    NotShown,
}

impl StepState {
    /// The stable name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Verified { .. } => "verified",
            Self::Attested { .. } => "attested",
            Self::NotApplicable { .. } => "not_applicable",
            Self::Open { .. } => "open",
            Self::CannotTell { .. } => "cannot_tell",
            Self::NotShown => "not_shown",
        }
    }
}

/// A step of the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedStep {
    /// `contain` or `evict`.
    pub part: &'static str,
    pub id: String,
    pub text: String,
    pub who: String,
    pub how_long: String,
    pub verified_by: String,
    pub breaks: String,
    pub source: String,
    /// Ids of CISA's COUN7ER, where the pack names any.
    pub coun7er: Vec<String>,
    pub gate: Option<String>,
    #[serde(flatten)]
    pub state: StepState,
}

/// A foothold as the latest collections show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedFoothold {
    pub path: String,
    pub title: String,
    /// `present`, `absent_verified` or `unknown`.
    pub state: String,
}

/// The way out of one host from one campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    pub host: String,
    pub campaign: String,
    pub verdict: VerdictName,
    /// Whether somebody is known to have come in: without that there is nobody to evict.
    pub needed: bool,
    pub footholds: Vec<PlannedFoothold>,
    pub steps: Vec<PlannedStep>,
}

/// The way out, from what the case holds of the host.
pub fn plan(host: &HostReport, campaign: &CampaignReport, pack: &Pack) -> Plan {
    let needed = !campaign.eviction.gates.is_empty();
    let remediation = &pack.remediation;
    let contain = remediation.contain.iter().map(|step| ("contain", step));
    let evict = remediation.evict.iter().map(|step| ("evict", step));
    let steps = contain
        .chain(evict)
        .map(|(part, step)| planned(part, step, campaign))
        .collect();
    let footholds = campaign
        .compromise
        .footholds
        .iter()
        .map(|foothold| PlannedFoothold {
            path: foothold.path.clone(),
            title: foothold.kind.name().to_owned(),
            state: match foothold.state {
                FootholdState::Present => "present",
                FootholdState::AbsentVerified => "absent_verified",
                FootholdState::Unknown => "unknown",
            }
            .to_owned(),
        })
        .collect();
    Plan {
        host: host.host.clone(),
        campaign: campaign.campaign.clone(),
        verdict: campaign.verdict,
        needed,
        footholds,
        steps: if needed { steps } else { Vec::new() },
    }
}

fn planned(part: &'static str, step: &Step, campaign: &CampaignReport) -> PlannedStep {
    let gate = step
        .gate
        .as_ref()
        .and_then(|id| campaign.eviction.gates.iter().find(|gate| gate.id == *id));
    let state = match gate {
        None => StepState::NotShown,
        Some(gate) => {
            let reason = gate.reason.clone();
            match (gate.state, &gate.attested) {
                (GateState::Pass, Some(attested)) => StepState::Attested {
                    by: attested.by.clone(),
                    role: attested.role.clone(),
                    time: attested.time,
                    statement: attested.statement.clone(),
                },
                (GateState::Pass, None) => StepState::Verified { reason },
                (GateState::NotApplicable, _) => StepState::NotApplicable { reason },
                (GateState::Fail, _) => StepState::Open { reason },
                (GateState::CannotTell, _) => StepState::CannotTell { reason },
            }
        }
    };
    PlannedStep {
        part,
        id: step.id.clone(),
        text: step.text.trim().to_owned(),
        who: step.who.clone(),
        how_long: step.how_long.clone(),
        verified_by: step.verified_by.clone(),
        breaks: step.breaks.clone(),
        source: step.source.clone(),
        coun7er: step.coun7er.clone(),
        gate: step.gate.clone(),
        state,
    }
}

/// A statement as the case keeps it. `added` is in microseconds since 1970.
pub fn row(attestation: &Attestation, added: i64) -> AttestationRow {
    let mut row = AttestationRow {
        id: String::new(),
        host: attestation.host.clone(),
        campaign: attestation.campaign.clone(),
        gate: attestation.gate.clone(),
        answer: attestation.answer.name().to_owned(),
        person: attestation.by.clone(),
        role: attestation.role.clone(),
        stated: attestation.time.as_microsecond(),
        statement: attestation.statement.clone(),
        label: attestation.place.item.clone(),
        line: attestation
            .place
            .line
            .and_then(|line| i64::try_from(line).ok()),
        added,
    };
    row.id = crate::import::derived(
        "t",
        &[
            "attestation",
            &row.host.to_lowercase(),
            &row.campaign,
            &row.gate,
            &row.answer,
            &row.person,
            &row.role,
            &row.stated.to_string(),
            &row.statement,
        ],
    );
    row
}

/// The statement of a row; none where it is of a form that this version does not know.
pub fn attestation(row: &AttestationRow) -> Option<Attestation> {
    Some(Attestation {
        host: row.host.clone(),
        campaign: row.campaign.clone(),
        gate: row.gate.clone(),
        answer: Answer::ALL
            .into_iter()
            .find(|answer| answer.name() == row.answer)?,
        by: row.person.clone(),
        role: row.role.clone(),
        time: Timestamp::from_microsecond(row.stated).ok()?,
        statement: row.statement.clone(),
        place: Place {
            item: row.label.clone(),
            line: row.line.and_then(|line| u64::try_from(line).ok()),
            ..Place::default()
        },
    })
}
