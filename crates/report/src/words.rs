//! The words in which reports speak to people, the same in every format.

use jiff::Timestamp;
use model::report::{
    CampaignReport, ExposureSpan, ExposureState, GateState, Lead, Leads, PersistenceEntry,
    PersistenceReview, SeenState, Sent, Share, StatementOutcome, Statements, StoryStep,
    VerdictName,
};
use model::{Accounting, FootholdKind, FootholdState, GapKind, PersistenceKind, Stage};

/// What one says where nothing could be examined; must never look like a clearance.
pub(crate) const NOTHING_EXAMINED: &str = "Nothing was examined. This report says nothing about whether anyone was \
    hacked: it holds no evidence that could be read.";

/// A sentence that says what the verdict means.
pub(crate) fn meaning(verdict: VerdictName) -> &'static str {
    match verdict {
        VerdictName::Compromised => "An intruder got in, and it is not proven that they are out.",
        VerdictName::Reinfected => "An intruder is back after an eviction that had been accepted.",
        VerdictName::Evicted => {
            "An intruder was in. Later evidence and every gate of the campaign show that they are out."
        }
        VerdictName::Exposed => "Nothing beyond probes was found, but the way in is still open.",
        VerdictName::Unproven => {
            "Nothing beyond probes was found, but the evidence cannot show that this host is clear."
        }
        VerdictName::Clear => {
            "Patched, nothing beyond probes was found, and everything that this verdict needs was seen."
        }
        VerdictName::NotAffected => "The product that this campaign goes for is proven absent.",
    }
}

/// The verdict as people read it.
pub(crate) fn verdict(verdict: VerdictName) -> &'static str {
    match verdict {
        VerdictName::NotAffected => "not affected",
        other => other.name(),
    }
}

pub(crate) fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::NoneSeen => "none seen",
        Stage::HandsOn => "hands-on",
        other => other.name(),
    }
}

/// What the stage means, as half a sentence.
pub(crate) fn stage_meaning(stage: Stage) -> &'static str {
    match stage {
        Stage::NoneSeen => "no trace of an attempt in what was seen",
        Stage::Probed => "tried without success",
        Stage::Exploited => "the weakness was used with success",
        Stage::Foothold => "a way to come back was left behind",
        Stage::HandsOn => "commands were run",
        Stage::Impact => "data was taken, or damage done",
    }
}

pub(crate) fn exposure(state: ExposureState) -> &'static str {
    match state {
        ExposureState::NotAffected => "not affected",
        other => other.name(),
    }
}

pub(crate) fn gate(state: GateState) -> &'static str {
    match state {
        GateState::Pass => "pass",
        GateState::Fail => "fail",
        GateState::CannotTell => "cannot tell",
        GateState::NotApplicable => "not applicable",
    }
}

pub(crate) fn foothold_kind(kind: FootholdKind) -> String {
    match kind {
        FootholdKind::IisModule => "IIS module".to_owned(),
        FootholdKind::RunKey => "Run key".to_owned(),
        other => other.name().replace('_', " "),
    }
}

pub(crate) fn foothold_state(state: FootholdState) -> &'static str {
    match state {
        FootholdState::Present => "present",
        FootholdState::AbsentVerified => "absent, verified",
        FootholdState::Unknown => "unknown",
    }
}

/// What starts by itself, as people read it.
pub(crate) fn persistence_kind(kind: PersistenceKind) -> String {
    match kind {
        PersistenceKind::RunKey => "registry start".to_owned(),
        PersistenceKind::IisModule => "IIS module".to_owned(),
        PersistenceKind::WmiSubscription => "WMI subscription".to_owned(),
        PersistenceKind::GroupMembership => "group".to_owned(),
        other => other.name().replace('_', " "),
    }
}

pub(crate) fn seen_state(state: SeenState) -> &'static str {
    match state {
        SeenState::Seen => "seen",
        SeenState::Partial => "seen in part",
        SeenState::NotCollected => "not collected",
    }
}

pub(crate) fn outcome(outcome: StatementOutcome) -> &'static str {
    match outcome {
        StatementOutcome::Contradicted => "contradicted",
        StatementOutcome::NotAnswerable => "not answerable",
        StatementOutcome::Supported => "supported",
    }
}

/// `1 contradicted, 6 not answerable`; empty where nothing was asked.
pub(crate) fn outcomes(statements: &Statements) -> String {
    let outcomes = [
        StatementOutcome::Contradicted,
        StatementOutcome::NotAnswerable,
        StatementOutcome::Supported,
    ];
    let counts = outcomes.into_iter().filter_map(|of| {
        let all = statements.statements.iter();
        let count = all.filter(|one| one.outcome == of).count();
        (count > 0).then(|| format!("{count} {}", outcome(of)))
    });
    counts.collect::<Vec<_>>().join(", ")
}

/// When an entry of the review was made or changed, and by which clock.
pub(crate) fn changed(entry: &PersistenceEntry) -> String {
    match entry.changed {
        Some(changed) => format!("{} ({})", time(changed), entry.clock),
        None => format!("time not known ({})", entry.clock),
    }
}

/// How many entries the review lists of all that it saw.
pub(crate) fn reviewed(review: &PersistenceReview) -> String {
    let listed = review.entries.len() as u64 + review.left_out;
    format!(
        "{} to look at, of {} seen",
        thousands(listed),
        thousands(review.seen)
    )
}

/// What the web server sent to the clients that findings name.
pub(crate) fn sent(sent: &Sent) -> String {
    let mut sentence = format!(
        "{} in {} to addresses that findings name",
        bytes(sent.bytes),
        counted(sent.rows, "row")
    );
    if sent.rows_without_size > 0 {
        let share = Share::of(sent.rows_without_size, sent.rows);
        sentence = format!(
            "{sentence}; {} of these rows tell no size ({})",
            thousands(sent.rows_without_size),
            self::share(share)
        );
    }
    sentence
}

pub(crate) fn gap_kind(kind: GapKind) -> String {
    kind.name().replace('_', " ")
}

/// `2021-03-03 04:05:11 UTC`.
pub(crate) fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `2021-03-03 04:05`, where a heading says that all times are UTC.
pub(crate) fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M").to_string()
}

pub(crate) fn date(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}

/// A span whose ends may be unknown.
pub(crate) fn span(from: Option<Timestamp>, until: Option<Timestamp>) -> Option<String> {
    match (from, until) {
        (None, None) => None,
        (Some(from), None) => Some(format!("from {}", minute(from))),
        (None, Some(until)) => Some(format!("until {}", minute(until))),
        (Some(from), Some(until)) if from == until => Some(format!("at {}", minute(from))),
        (Some(from), Some(until)) => Some(format!("{} to {}", minute(from), minute(until))),
    }
}

/// When a step that went on for a while ended, if that is another minute than its beginning.
pub(crate) fn until_later(step: &StoryStep) -> Option<String> {
    let until = minute(step.until?);
    (step.time.map(minute).as_ref() != Some(&until)).then_some(until)
}

/// One stretch of the build history: `vulnerable until 2021-03-10 08:00 (build 15.1.2176.2)`.
pub(crate) fn exposure_span(stretch: &ExposureSpan) -> String {
    let state = exposure(stretch.state);
    let span = span(stretch.from, stretch.until).unwrap_or_else(|| "throughout".to_owned());
    match stretch.build {
        Some(build) => format!("{state} {span} (build {build})"),
        None => format!("{state} {span}"),
    }
}

/// Product and build as far as they are known.
pub(crate) fn product(campaign: &CampaignReport) -> String {
    match (&campaign.exposure.product, campaign.exposure.build) {
        (Some(product), Some(build)) => format!("{product}, build {build}"),
        (Some(product), None) => format!("{product}, build unknown"),
        (None, Some(build)) => format!("build {build}"),
        (None, None) => "product and build unknown".to_owned(),
    }
}

/// How many needs were seen whole, and whether that suffices.
pub(crate) fn coverage(campaign: &CampaignReport) -> String {
    let met = needs_met(campaign);
    if campaign.coverage.sufficient {
        format!("{met}: all that a clear verdict needs was seen")
    } else {
        format!("{met}: not all that a clear verdict needs was seen")
    }
}

/// `5 of 8 needs met`.
pub(crate) fn needs_met(campaign: &CampaignReport) -> String {
    let needs = &campaign.coverage.needs;
    let met = needs
        .iter()
        .filter(|need| need.seen == Share::WHOLE)
        .count();
    match needs.len() {
        0 => "no need applies".to_owned(),
        total => format!("{met} of {} met", counted(total as u64, "need")),
    }
}

/// `5/8`, for narrow columns.
pub(crate) fn coverage_short(campaign: &CampaignReport) -> String {
    let needs = &campaign.coverage.needs;
    let met = needs
        .iter()
        .filter(|need| need.seen == Share::WHOLE)
        .count();
    format!("{met}/{}", needs.len())
}

/// `61.2 %`, exact as the share is.
pub(crate) fn share(share: Share) -> String {
    let thousandths = share.thousandths();
    match thousandths % 10 {
        0 => format!("{} %", thousandths / 10),
        tenths => format!("{}.{tenths} %", thousandths / 10),
    }
}

/// How long between two times, in the two largest units that matter.
pub(crate) fn elapsed(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours) {
        (0, 0) => counted(minutes, "minute"),
        (0, _) => counted(hours, "hour"),
        (1..=3, 1..) => format!("{} {}", counted(days, "day"), counted(hours, "hour")),
        _ => counted(days, "day"),
    }
}

/// `1 host`, `2 hosts`, `1,204 items`.
pub(crate) fn counted(count: impl Into<i128>, noun: &str) -> String {
    let count: i128 = count.into();
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", thousands(count))
}

/// `4,102,332`.
pub(crate) fn thousands(number: impl Into<i128>) -> String {
    let digits = number.into().to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Decimal units, one place: `3.2 GB`.
pub(crate) fn bytes(size_bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if size_bytes < 1000 {
        return counted(size_bytes, "byte");
    }
    let mut tenths = u128::from(size_bytes) * 10 / 1000;
    let mut unit = 0;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1000;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// The first of a list of ids, and how many more there are.
pub(crate) fn some_ids(ids: &[String]) -> String {
    const IDS_MAX: usize = 3;
    match ids.len().checked_sub(IDS_MAX) {
        None | Some(0) => ids.join(", "),
        Some(more) => format!("{} and {more} more", ids[..IDS_MAX].join(", ")),
    }
}

/// What a lead is about.
pub(crate) fn lead_kind(kind: &str) -> &'static str {
    match kind {
        "page" => "page",
        "compiled" => "compiled page",
        _ => "file",
    }
}

/// When a lead's page was asked for, how often and by whom; empty where nothing is known.
pub(crate) fn lead_about(lead: &Lead) -> String {
    let mut about = Vec::new();
    about.extend(span(lead.first, lead.last).map(|span| format!("{span} UTC")));
    if lead.requests > 0 {
        about.push(counted(lead.requests, "request"));
    }
    if !lead.clients.is_empty() {
        about.push(format!("from {}", lead.clients.join(", ")));
    }
    if !lead.findings.is_empty() {
        about.push(format!("also told by {}", some_ids(&lead.findings)));
    }
    about.join(", ")
}

/// What is left where so many leads are shown.
pub(crate) fn more_leads(leads: &Leads, shown: usize) -> Option<String> {
    let kept = leads.list.len().saturating_sub(shown) as u64;
    let more = kept.saturating_add(leads.left_out);
    (more > 0).then(|| {
        format!(
            "And {}, of this score or a lower one; the JSON report holds {}.",
            counted(more, "more lead"),
            thousands(kept)
        )
    })
}

/// What was read: `12 items, 3.2 MB: 40 records in = 38 events + 2 rejected`.
pub(crate) fn accounting(total: &Accounting) -> String {
    let read = format!("{}, {}", counted(total.items, "item"), bytes(total.bytes));
    let rejected: u64 = total
        .rejected
        .iter()
        .fold(0, |sum, rejected| sum.saturating_add(rejected.count));
    let mut sentence = format!(
        "{read}: {} in = {} + {} rejected",
        counted(total.records_in, "record"),
        counted(total.events, "event"),
        thousands(rejected)
    );
    if total.records_in != total.events.saturating_add(rejected) {
        sentence
            .push_str(" (these figures do not add up: please report this as a fault of Allclear)");
    }
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well_and_never_round_up() {
        assert_eq!(thousands(4_102_332_u64), "4,102,332");
        assert_eq!(thousands(12_u64), "12");
        assert_eq!(bytes(999), "999 bytes");
        assert_eq!(bytes(3_299_999_999), "3.2 GB");
        assert_eq!(bytes(1_000_000), "1.0 MB");
        assert_eq!(bytes(u64::MAX), "18.4 EB");
        assert_eq!(share(Share::of(9_999, 10_000)), "99.9 %");
        assert_eq!(share(Share::WHOLE), "100 %");
    }

    #[test]
    fn time_between_steps_is_told_in_units_that_matter() {
        for (seconds, expected) in [
            (-5, "0 minutes"),
            (61, "1 minute"),
            (7_300, "2 hours"),
            (90_000, "1 day 1 hour"),
            (4 * 86_400 + 7_200, "4 days"),
        ] {
            assert_eq!(elapsed(seconds), expected);
        }
    }

    #[test]
    fn figures_that_do_not_add_up_are_called_out() {
        let total = Accounting {
            records_in: 3,
            events: 1,
            ..Accounting::default()
        };
        assert!(accounting(&total).contains("do not add up"));
    }
}
