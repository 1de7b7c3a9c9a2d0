//! What is kept of a host's report: the rows that questions are asked of.

use crate::rows::{CoverageRow, FindingRow, GapRow, VerdictRow};
use model::report::{ExposureState, HostReport, Report};
use model::{At, Finding, Gap, Place, Timestamp};

/// A judgement of one host, as it goes into the case.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    pub host: String,
    pub host_rule: String,
    pub as_of: Option<i64>,
    /// The report's bytes, in whatever form the caller reads them again.
    pub report: Vec<u8>,
    /// `seq`, `judged`, `why` and `current` are set by the case.
    pub verdicts: Vec<VerdictRow>,
    pub coverage: Vec<CoverageRow>,
    pub findings: Vec<FindingRow>,
    pub gaps: Vec<GapRow>,
    /// What caused this judgement: a new collection, another version of a pack.
    pub why: String,
    /// [`HostRow::dirty`](crate::HostRow::dirty) as it was when what is known of the host was gathered.
    pub dirty: i64,
}

impl Judged {
    /// The rows of a report of one host; `None` where it is about no host or several.
    pub fn of(report: &Report, bytes: Vec<u8>, why: &str, dirty: i64) -> Option<Self> {
        let [host] = report.hosts.as_slice() else {
            return None;
        };
        let name = &host.host;
        let gaps = (1_i64..).zip(&report.gaps);
        Some(Self {
            host: name.clone(),
            host_rule: host.host_rule.clone(),
            as_of: report.as_of.map(micros),
            report: bytes,
            verdicts: verdicts(report, host),
            coverage: coverage(host),
            findings: report
                .findings
                .iter()
                .map(|finding| FindingRow::of(name, finding))
                .collect(),
            gaps: gaps
                .map(|(number, gap)| GapRow::of(name, number, gap))
                .collect(),
            why: why.to_owned(),
            dirty,
        })
    }
}

/// Microseconds since 1970.
pub fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

/// A count as the ledger holds it.
pub(crate) fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn verdicts(report: &Report, host: &HostReport) -> Vec<VerdictRow> {
    let rows = host.campaigns.iter().map(|campaign| {
        let pack = report
            .packs
            .iter()
            .find(|pack| pack.name == campaign.campaign);
        let exposure = &campaign.exposure;
        let patched = exposure
            .spans
            .iter()
            .filter(|span| span.state == ExposureState::Patched);
        let patched = patched.filter_map(|span| span.from).min();
        VerdictRow {
            host: host.host.clone(),
            campaign: campaign.campaign.clone(),
            pack_version: pack.map_or_else(String::new, |pack| pack.version.clone()),
            verdict: campaign.verdict.name().to_owned(),
            stage: Some(campaign.compromise.stage.name().to_owned()),
            exposure: exposure.state.name().to_owned(),
            build: exposure.build.as_ref().map(ToString::to_string),
            first: campaign.compromise.first.map(micros),
            last: campaign.compromise.last.map(micros),
            patched: patched.map(micros),
            sufficient: campaign.coverage.sufficient,
            as_of: report.as_of.map(micros),
            reasons: serde_json::Value::from(campaign.reasons.clone()).to_string(),
            ..VerdictRow::default()
        }
    });
    rows.collect()
}

fn coverage(host: &HostReport) -> Vec<CoverageRow> {
    let needs = host.campaigns.iter().flat_map(|campaign| {
        let needs = campaign.coverage.needs.iter();
        needs.map(|need| (campaign.campaign.clone(), need))
    });
    let rows = needs.map(|(campaign, need)| CoverageRow {
        host: host.host.clone(),
        campaign,
        need: need.need.clone(),
        seen: f64::from(need.seen.thousandths()) / 1000.0,
        missing_seconds: need.unseen_seconds.map(whole),
        gaps: whole(need.gaps.len() as u64),
        from_time: need.from.map(micros),
        until_time: need.until.map(micros),
    });
    rows.collect()
}

/// Line, record and byte of a place.
fn position(place: &Place) -> (Option<i64>, Option<i64>, Option<i64>) {
    match place.position() {
        At::Item => (None, None, None),
        At::Line(line) => (Some(whole(line)), None, None),
        At::Record(record) => (None, Some(whole(record)), None),
        At::Offset(byte) => (None, None, Some(whole(byte))),
    }
}

impl FindingRow {
    /// The row of a finding of this host.
    pub fn of(host: &str, finding: &Finding) -> Self {
        let (line, record, byte) = position(&finding.place);
        let detail = |name: &str| finding.details.get(name).cloned();
        let foothold = finding.foothold.as_ref();
        let details = finding.details.iter();
        let details = details.map(|(name, text)| (name.clone(), text.clone().into()));
        Self {
            host: host.to_owned(),
            id: finding.id.clone(),
            campaign: finding.campaign.clone(),
            rule: finding.rule.clone(),
            title: finding.title.clone(),
            level: finding.level.clone(),
            stage: finding.stage.map(|stage| stage.name().to_owned()),
            techniques: serde_json::Value::from(finding.techniques.clone()).to_string(),
            time: finding.time.map(micros),
            last: finding.last.map(micros),
            count: whole(finding.count),
            collection: finding.place.collection.clone(),
            item: finding.place.item.clone(),
            line,
            record,
            byte,
            client: detail("client"),
            user_name: detail("user"),
            user_agent: detail("user_agent"),
            path: detail("path"),
            sha256: foothold
                .and_then(|foothold| foothold.sha256.clone())
                .or_else(|| detail("sha256")),
            foothold_kind: foothold.map(|foothold| foothold.kind.name().to_owned()),
            foothold_path: foothold.map(|foothold| foothold.path.clone()),
            parameter: detail("parameter"),
            evidence: finding.evidence.clone(),
            details: serde_json::Value::Object(details.collect()).to_string(),
        }
    }
}

impl GapRow {
    /// The row of a gap of this host; `number` is its place among them.
    pub fn of(host: &str, number: i64, gap: &Gap) -> Self {
        let (line, record, byte) = position(&gap.place);
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Self {
            host: host.to_owned(),
            number,
            kind: gap.kind.name().to_owned(),
            source: gap.source.as_ref().map(ToString::to_string),
            from_time: gap.from.map(micros),
            until_time: gap.until.map(micros),
            collection: text(&gap.place.collection),
            item: text(&gap.place.item),
            line,
            record,
            byte,
            detail: gap.detail.clone(),
        }
    }
}
