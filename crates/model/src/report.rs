//! The report: schema `allclear/report/1`, documented in `docs/schema/`.

use crate::{Accounting, Attestation, Build, FootholdState, Gap, Place, Stage, Timestamp};
use serde::{Deserialize, Serialize};

/// Name and version of the schema; a change that breaks readers raises the number.
pub const SCHEMA: &str = "allclear/report/1";

/// What one run says about every host it saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub schema: String,
    /// The time the judgement speaks of; absent where no collection says when it was taken.
    pub as_of: Option<Timestamp>,
    pub packs: Vec<PackUsed>,
    pub hosts: Vec<HostReport>,
    pub findings: Vec<crate::Finding>,
    pub gaps: Vec<Gap>,
    pub accounting: Accounting,
    /// Kinds of source that could convict and that were not looked at, one sentence each.
    pub not_looked_at: Vec<String>,
}

impl Report {
    /// Whether anything could be examined: some record was understood, a need was met in part, or something was found.
    pub fn examined_anything(&self) -> bool {
        let mut campaigns = self.hosts.iter().flat_map(|host| &host.campaigns);
        let judged = campaigns.any(|campaign| {
            let needs = &campaign.coverage.needs;
            !campaign.findings.is_empty() || needs.iter().any(|need| !need.sources.is_empty())
        });
        self.accounting.items > 0 && (self.accounting.events > 0 || judged)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PackUsed {
    pub name: String,
    pub version: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostReport {
    pub host: String,
    pub host_rule: String,
    pub collections: Vec<CollectionReport>,
    /// What starts by itself, what may sign in, and what deserves a look first.
    #[serde(default)]
    pub persistence: PersistenceReview,
    pub campaigns: Vec<CampaignReport>,
    /// What is worth a look although no rule convicts it. No verdict rests on it.
    #[serde(default, skip_serializing_if = "Leads::is_empty")]
    pub leads: Leads,
}

/// Pages and files of one host that are worth a look, the likeliest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leads {
    /// What a lead is not, for whoever reads nothing but this.
    pub note: String,
    /// Leads from this score on are shown to people; the others are kept for whoever looks further.
    pub shown_score: u8,
    pub list: Vec<Lead>,
    /// Further leads, none of a higher score than those listed.
    pub left_out: u64,
    /// What kept leads from being seen.
    pub notices: Vec<Reason>,
}

impl Leads {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty() && self.notices.is_empty()
    }

    /// The leads that are shown to people.
    pub fn shown(&self) -> impl Iterator<Item = &Lead> {
        let list = self.list.iter();
        list.filter(|lead| lead.score >= self.shown_score)
    }
}

/// Something worth a look, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lead {
    /// `page`: a page of a web site; `compiled`: what ASP.NET compiled; `file`: a file.
    pub kind: String,
    /// URL path of a page, else Windows path.
    pub subject: String,
    /// Where the page lies on disk, where the configuration tells.
    pub file: Option<String>,
    /// 0 to 100: the points of its signals, added up and bounded.
    pub score: u8,
    /// Why, the weightiest first. Never empty.
    pub signals: Vec<LeadSignal>,
    /// First and last request or compilation; never a file's time.
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    /// Answered requests.
    pub requests: u64,
    /// Addresses that asked; empty where more asked than are named.
    pub clients: Vec<String>,
    /// Places of the first and the last request, and of whatever else the signals rest on.
    pub places: Vec<Place>,
    /// Ids of findings about the same page or file.
    pub findings: Vec<String>,
}

/// One reason why something is worth a look.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LeadSignal {
    /// A word of `knowledge/detection/leads.yaml`.
    pub signal: String,
    pub points: u8,
    /// What was seen, with its numbers.
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionReport {
    pub id: String,
    pub path: String,
    pub sha256: String,
    pub taken: Option<Timestamp>,
    pub taken_rule: String,
    pub container: String,
    /// Where the manifest was written (`--manifest`, a case); absent where it was not kept.
    pub manifest: Option<String>,
    pub accounting: Accounting,
}

/// One host and one campaign: four facts and the verdict derived from them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignReport {
    pub campaign: String,
    pub verdict: VerdictName,
    pub exposure: Exposure,
    pub compromise: Compromise,
    pub coverage: CoverageReport,
    pub eviction: Eviction,
    /// Never empty.
    pub reasons: Vec<String>,
    /// The same reasons, each with the places it rests on.
    pub grounds: Vec<Reason>,
    /// What to do next, most urgent first.
    pub next: Vec<String>,
    /// The same steps with kind, details and places.
    pub next_steps: Vec<NextStep>,
    /// Ids of the findings that speak for this campaign.
    pub findings: Vec<String>,
    /// Statements that somebody who was broken into is asked for, and whether the evidence lets anybody make them.
    #[serde(default)]
    pub statements: Statements,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictName {
    Compromised,
    Reinfected,
    Evicted,
    Exposed,
    Unproven,
    Clear,
    NotAffected,
}

impl VerdictName {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Compromised => "compromised",
            Self::Reinfected => "reinfected",
            Self::Evicted => "evicted",
            Self::Exposed => "exposed",
            Self::Unproven => "unproven",
            Self::Clear => "clear",
            Self::NotAffected => "not_affected",
        }
    }

    /// Whether this verdict assures that nothing is left to do (exit code 0).
    pub fn assures(self) -> bool {
        matches!(self, Self::Clear | Self::Evicted | Self::NotAffected)
    }
}

/// A sentence and the places it rests on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reason {
    pub text: String,
    /// At most a handful; the findings hold the rest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<Place>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exposure {
    pub state: ExposureState,
    /// Product name as shown, such as `Exchange Server 2016 CU19`.
    pub product: Option<String>,
    pub build: Option<Build>,
    pub spans: Vec<ExposureSpan>,
    /// How each build was learned.
    pub basis: Vec<Reason>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExposureState {
    NotAffected,
    Vulnerable,
    Mitigated,
    Patched,
    Unknown,
}

impl ExposureState {
    pub fn name(self) -> &'static str {
        match self {
            Self::NotAffected => "not_affected",
            Self::Vulnerable => "vulnerable",
            Self::Mitigated => "mitigated",
            Self::Patched => "patched",
            Self::Unknown => "unknown",
        }
    }
}

/// One stretch of the build history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExposureSpan {
    pub state: ExposureState,
    pub build: Option<Build>,
    /// Absent: as far back as nobody saw.
    pub from: Option<Timestamp>,
    /// Absent: until the collection.
    pub until: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compromise {
    pub stage: Stage,
    /// Every stage reached, lowest first.
    pub stages: Vec<Stage>,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    pub footholds: Vec<FootholdReport>,
    pub story: Vec<StoryStep>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FootholdReport {
    pub kind: crate::FootholdKind,
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    pub state: FootholdState,
    /// First time that anything shows it at work.
    pub first: Option<Timestamp>,
    /// Why the state is what it is.
    pub reason: String,
    pub findings: Vec<String>,
}

/// One step of the intrusion, joined from one or more findings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoryStep {
    /// Absent where nothing dates it.
    pub time: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub stage: Stage,
    /// The pack's word for the step.
    pub step: String,
    pub text: String,
    /// Sources that show it.
    pub sources: Vec<String>,
    pub findings: Vec<String>,
    pub techniques: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoverageReport {
    pub sufficient: bool,
    pub needs: Vec<NeedReport>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeedReport {
    pub need: String,
    pub title: String,
    /// Span over which the need runs; absent for what is judged at the latest collection.
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// Share of the need that was seen, 0 to 1, rounded down to thousandths.
    pub seen: Share,
    /// Seconds of its span that were not seen. With less evidence the span itself may grow, as nothing dates the patch
    /// any more, and the share of it that was seen with it; this figure never falls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen_seconds: Option<u64>,
    /// Which sources satisfied it, or came nearest.
    pub sources: Vec<String>,
    pub gaps: Vec<Gap>,
}

/// A share between 0 and 1 in thousandths, so that reports compare and print exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u16);

impl Share {
    pub const NONE: Self = Self(0);
    pub const WHOLE: Self = Self(1000);

    /// `part` of `whole`, rounded down, so that only the whole is 1.
    pub fn of(part: u64, whole: u64) -> Self {
        if whole == 0 || part >= whole {
            return Self::WHOLE;
        }
        let thousandths = u128::from(part) * 1000 / u128::from(whole);
        Self(u16::try_from(thousandths).unwrap_or(999))
    }

    pub fn thousandths(self) -> u16 {
        self.0
    }
}

impl Serialize for Share {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from(self.0) / 1000.0)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let share = f64::deserialize(deserializer)?;
        if !(0.0..=1.0).contains(&share) {
            return Err(serde::de::Error::custom("a share lies between 0 and 1"));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked to lie between 0 and 1 above"
        )]
        let thousandths = (share * 1000.0).round() as u16;
        Ok(Self(thousandths))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Eviction {
    pub gates: Vec<Gate>,
    pub steps: Vec<NextStep>,
    /// The last eviction that an earlier collection and the statements of its time had proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<AcceptedEviction>,
}

/// An eviction that had been accepted before the latest collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedEviction {
    /// When the last thing that it rests on was seen or stated.
    pub at: Timestamp,
    /// The collection that it rests on.
    pub collection: String,
    pub state: AcceptedState,
}

/// What became of an accepted eviction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AcceptedState {
    /// Later evidence shows it still.
    Holds,
    /// The latest evidence is not enough to show it again.
    NotShown,
    /// Something older came to light that it had missed.
    Revoked,
    /// Somebody came in after it.
    Reinfected,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    pub id: String,
    pub title: String,
    pub state: GateState,
    pub reason: String,
    /// The statement that decided it, where a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attested: Option<Attestation>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateState {
    Pass,
    Fail,
    CannotTell,
    NotApplicable,
}

impl GateState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::CannotTell => "cannot_tell",
            Self::NotApplicable => "not_applicable",
        }
    }
}

/// Something to do, most urgent first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NextStep {
    /// `contain`, `preserve`, `patch`, `collect`, `evict`, `lead`.
    pub kind: String,
    pub text: String,
    /// How it is verified, what it breaks, when it is too late: one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<Place>,
}

/// Everything on a host that starts by itself or lets somebody in, as far as it was seen; the same whatever the campaign.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersistenceReview {
    /// When each campaign could have come in.
    pub windows: Vec<ReviewWindow>,
    /// What deserves a look, the most striking first; at most a few hundred.
    pub entries: Vec<PersistenceEntry>,
    /// Entries that deserve a look and are beyond that bound.
    pub left_out: u64,
    /// Everything seen, entries that have nothing striking among it.
    pub seen: u64,
    /// How far each kind was seen; what was not may hide anything.
    pub coverage: Vec<ReviewCoverage>,
}

/// The time in which a campaign could have come in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReviewWindow {
    pub campaign: String,
    pub from: Timestamp,
    pub until: Timestamp,
}

/// Something that starts by itself, or an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersistenceEntry {
    pub kind: crate::PersistenceKind,
    pub name: String,
    /// The command line, library or members as configured; empty where nothing is run.
    pub runs: String,
    /// The last time that it was made or changed; absent where nothing dates it.
    pub changed: Option<Timestamp>,
    /// Which clock says so, or why no clock does.
    pub clock: String,
    /// Who made it, where that is stated.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// Whether a table lists it as shipped, under this name and running this.
    pub shipped: bool,
    /// Campaigns in or after whose time it was made or changed.
    pub campaigns: Vec<String>,
    /// Why it stands where it stands; never empty.
    pub why: Vec<String>,
    /// Findings that name it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
    pub places: Vec<Place>,
}

/// How far one kind of persistence was seen in the latest collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewCoverage {
    pub kind: crate::PersistenceKind,
    pub title: String,
    pub seen: SeenState,
    /// How many of this kind were seen.
    pub entries: u64,
    /// What was not seen, or not wholly, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// How to collect it.
    pub collect: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeenState {
    Seen,
    Partial,
    NotCollected,
}

impl SeenState {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Partial => "partial",
            Self::NotCollected => "not_collected",
        }
    }
}

/// What a responder is asked to state after an intrusion, by one campaign.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statements {
    /// One sentence: over which time they are asked, or why they are not.
    pub about: String,
    /// From the first possible entry to the latest collection; absent where nothing is asked.
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub statements: Vec<Statement>,
}

/// One statement and what the evidence makes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    pub id: String,
    /// As it would be given to others: `No mailbox was exported`.
    pub statement: String,
    pub outcome: StatementOutcome,
    /// Why, in one sentence.
    pub reason: String,
    /// What contradicts it, or keeps it open: one sentence each, at most a handful.
    pub against: Vec<Reason>,
    /// The findings among that.
    pub findings: Vec<String>,
    /// Evidence that would have to be seen and was not.
    pub missing: Vec<MissingEvidence>,
    /// What was sent to clients that the findings name, where the statement is about that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Sent>,
    /// Ids of the statements that it is made of, where it is made of others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<String>,
    /// What it does not say even where it is supported.
    pub limits: String,
    /// Where the rule comes from by which it is judged.
    pub source: String,
}

/// What the evidence makes of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatementOutcome {
    /// Something shows that it is untrue.
    Contradicted,
    /// Nobody can say from this evidence.
    NotAnswerable,
    /// Everything that would show otherwise was seen over the whole time, and nothing does.
    Supported,
}

impl StatementOutcome {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Contradicted => "contradicted",
            Self::NotAnswerable => "not_answerable",
            Self::Supported => "supported",
        }
    }
}

/// Evidence without which a statement cannot be supported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingEvidence {
    /// What it would show.
    pub title: String,
    /// What is missing of it, one sentence each, at most a handful.
    pub gaps: Vec<String>,
    /// How to collect it.
    pub collect: String,
}

/// Bytes that the web server sent to the clients that findings of the campaign name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// More than this contradicts the statement.
    pub bytes_max: u64,
    /// The most that one kind of log says for all clients together: front end and proxy tell of the same answers.
    pub bytes: u64,
    pub rows: u64,
    /// Rows that tell no size.
    pub rows_without_size: u64,
    /// By client and log; at most a few dozen, the largest first.
    pub clients: Vec<crate::SentTo>,
}
