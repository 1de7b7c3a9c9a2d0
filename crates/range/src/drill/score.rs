//! Scores a team's answers in the words in which reports are scored, and a report beside them.

use super::answers::Answer;
use crate::score::{Page, Rate, Score, Speaks, host_key, percent, score, score_part};
use crate::truth::FleetTruth;
use model::report::{
    CampaignReport, Compromise, CoverageReport, Eviction, Exposure, ExposureSpan, ExposureState,
    FootholdReport, HostReport, PersistenceReview, Report, Statements,
};
use model::{Accounting, FootholdKind, FootholdState, Stage};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The value of [`DrillScore::schema`].
pub const DRILL_SCORE_SCHEMA: &str = "allclear/range-drill-score/1";

/// How a team did, and how a report did on the same evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillScore {
    pub schema: String,
    /// Hosts and campaigns that were asked about.
    pub rows: u64,
    pub answered: u64,
    /// Rows left empty. They are in no other number of the team.
    pub unanswered: Vec<Unanswered>,
    /// The team, on the rows that it answered.
    pub team: Score,
    /// The report, on all rows; absent where none was given.
    pub report: Option<Score>,
}

/// A row without a verdict.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unanswered {
    pub host: String,
    pub campaign: String,
}

/// Scores answers; where a report is given, it stands beside them.
pub fn score_answers(
    answers: &[Answer],
    truth: &FleetTruth,
    report: Option<&Report>,
) -> DrillScore {
    let (asked, unanswered) = split(answers, truth);
    DrillScore {
        schema: DRILL_SCORE_SCHEMA.to_owned(),
        rows: truth
            .hosts
            .iter()
            .map(|host| host.campaigns.len() as u64)
            .sum(),
        answered: asked
            .hosts
            .iter()
            .map(|host| host.campaigns.len() as u64)
            .sum(),
        unanswered,
        team: score_part(&as_report(answers), &asked, Speaks::OfAnswers),
        report: report.map(|report| score(report, truth)),
    }
}

/// The truth about the rows that were answered, and the rows that were not.
fn split(answers: &[Answer], truth: &FleetTruth) -> (FleetTruth, Vec<Unanswered>) {
    let mut asked = truth.clone();
    let mut unanswered = Vec::new();
    for host in &mut asked.hosts {
        let (name, key) = (host.host.clone(), host_key(&host.host));
        host.campaigns.retain(|campaign| {
            let answered = answers.iter().any(|answer| {
                host_key(&answer.host) == key && answer.campaign == campaign.campaign
            });
            if !answered {
                unanswered.push(Unanswered {
                    host: name.clone(),
                    campaign: campaign.campaign.clone(),
                });
            }
            answered
        });
    }
    asked.hosts.retain(|host| !host.campaigns.is_empty());
    unanswered.sort();
    (asked, unanswered)
}

/// Answers in the form of a report, so that both are scored alike. What a team is not asked stays empty.
fn as_report(answers: &[Answer]) -> Report {
    let mut hosts: BTreeMap<&str, HostReport> = BTreeMap::new();
    for answer in answers {
        let host = hosts.entry(&answer.host).or_insert_with(|| HostReport {
            leads: model::report::Leads::default(),
            host: answer.host.clone(),
            host_rule: String::new(),
            collections: Vec::new(),
            persistence: PersistenceReview::default(),
            campaigns: Vec::new(),
        });
        host.campaigns.push(as_campaign(answer));
    }
    Report {
        schema: model::report::SCHEMA.to_owned(),
        as_of: None,
        packs: Vec::new(),
        hosts: hosts.into_values().collect(),
        findings: Vec::new(),
        gaps: Vec::new(),
        accounting: Accounting::default(),
        not_looked_at: Vec::new(),
    }
}

fn as_campaign(answer: &Answer) -> CampaignReport {
    let fixed = ExposureSpan {
        state: ExposureState::Patched,
        build: None,
        from: answer.patched,
        until: None,
    };
    let foothold = |path: &String| FootholdReport {
        kind: FootholdKind::Other,
        path: path.clone(),
        sha256: None,
        state: FootholdState::Unknown,
        first: None,
        reason: String::new(),
        findings: Vec::new(),
    };
    CampaignReport {
        campaign: answer.campaign.clone(),
        verdict: answer.verdict,
        exposure: Exposure {
            state: ExposureState::Unknown,
            product: None,
            build: None,
            spans: answer.patched.map(|_| fixed).into_iter().collect(),
            basis: Vec::new(),
        },
        compromise: Compromise {
            stage: Stage::NoneSeen,
            stages: Vec::new(),
            first: answer.first_effect,
            last: None,
            footholds: answer.footholds.iter().map(foothold).collect(),
            story: Vec::new(),
        },
        coverage: CoverageReport {
            sufficient: false,
            needs: Vec::new(),
        },
        eviction: Eviction {
            accepted: None,
            gates: Vec::new(),
            steps: Vec::new(),
        },
        reasons: Vec::new(),
        grounds: Vec::new(),
        next: Vec::new(),
        next_steps: Vec::new(),
        findings: Vec::new(),
        statements: Statements::default(),
    }
}

/// Renders a drill's score. `visible` makes text from evidence and answers harmless to look at, in one line.
pub fn drill_text(drill: &DrillScore, visible: &dyn Fn(&str) -> String) -> String {
    let mut page = Page::new(visible);
    let team = &drill.team;
    page.line(&format!(
        "Drill: {} of {} rows answered",
        drill.answered, drill.rows
    ));
    page.grave_errors(&team.grave_errors);
    beside(&mut page, drill);
    for matrix in &team.campaigns {
        page.matrix(matrix);
    }
    page.differences("MISSED: compromised, and not called so", &team.missed);
    page.differences(
        "FALSE ALARMS: called compromised, and never was",
        &team.false_alarms,
    );
    page.differences(
        "HIDING: clean and fully covered, not called clear",
        &team.hiding,
    );
    page.differences("OTHER WRONG VERDICTS", &team.others);
    let unanswered: Vec<String> = drill
        .unanswered
        .iter()
        .map(|row| format!("{} ({})", row.host, row.campaign))
        .collect();
    page.names("UNANSWERED", &unanswered);
    page.footholds(team);
    page.dates(team);
    if let Some(report) = &drill.report {
        page.heading("THE REPORT, ON ALL ROWS");
        page.line(&format!(
            "  grave errors {}, missed {}, false alarms {}, hiding {}, others {}",
            report.grave_errors.len(),
            report.missed.len(),
            report.false_alarms.len(),
            report.hiding.len(),
            report.others.len()
        ));
        for matrix in &report.campaigns {
            page.matrix(matrix);
        }
    }
    page.out
}

/// The team's numbers, and the report's beside them.
fn beside(page: &mut Page<'_>, drill: &DrillScore) {
    page.heading("HEADLINES");
    let head = if drill.report.is_some() { "report" } else { "" };
    page.line(&format!("  {:<28}{:<24}{head}", "", "team"));
    let shown = |rate: Rate| {
        let counts = format!("{} of {}", rate.right, rate.of);
        format!("{:>8}  {counts:<14}", percent(rate.share()))
    };
    for headline in &drill.team.headlines {
        let report = drill.report.as_ref();
        let report = report.and_then(|report| report.headline(&headline.name));
        let report = report.map_or_else(String::new, shown);
        page.line(&format!(
            "  {:<28}{}{report}",
            headline.name,
            shown(headline.rate)
        ));
    }
}
