//! A score as text for a terminal: grave errors first, at most 80 columns, and a word where there is nothing.

use super::footholds::FootholdSeen;
use super::pairs::ABSENT;
use super::rate::{Rate, Spread};
use super::thresholds::{Regression, percent};
use super::verdicts::{Difference, Matrix, Outcome, VERDICTS};
use super::{CoverageScore, CoverageWrong, Score, StageScore, StateWrong, StoryScore, TimeScore};
use model::report::VerdictName;
use std::collections::BTreeMap;
use std::fmt::Write;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns that every terminal has.
const WIDTH: usize = 80;

/// So many entries of a list are shown; the JSON holds all. Grave errors are never left out.
const ENTRIES_MAX: usize = 20;

/// No line of text from evidence is told beyond this; paths are shorter.
const TEXT_CHARACTERS_MAX: usize = 2_000;

/// A reason of the report is cut after so many characters.
const REASON_CHARACTERS_MAX: usize = 240;

/// Renders a score. `visible` makes text from evidence harmless to look at, in one line; `regressions` stand below the
/// grave errors.
pub fn text(score: &Score, regressions: &[Regression], visible: &dyn Fn(&str) -> String) -> String {
    let mut page = Page::new(visible);
    let hosts = &score.hosts;
    page.line(&format!(
        "Score: verdicts {}, hosts of the truth {}, of them in the report {}",
        hosts.verdicts, hosts.in_truth, hosts.matched
    ));
    page.grave_errors(&score.grave_errors);
    page.regressions(regressions);
    page.headlines(score);
    for matrix in &score.campaigns {
        page.matrix(matrix);
    }
    page.differences("MISSED: compromised, and not called so", &score.missed);
    page.differences(
        "FALSE ALARMS: called compromised, and never was",
        &score.false_alarms,
    );
    page.differences(
        "HIDING: clean and fully covered, not called clear",
        &score.hiding,
    );
    page.differences("OTHER WRONG VERDICTS", &score.others);
    page.names("HOSTS MISSING IN THE REPORT", &hosts.missing);
    page.names("HOSTS THAT THE TRUTH DOES NOT KNOW", &hosts.unknown);
    page.names(
        "CAMPAIGNS THAT THE TRUTH SAYS NOTHING OF",
        &hosts.campaigns_not_in_truth,
    );
    page.unprovable(score);
    if let Some(stages) = &score.stages {
        page.stages(stages);
    }
    page.footholds(score);
    if let Some(story) = &score.story {
        page.story(story);
    }
    page.dates(score);
    if let Some(exposure) = &score.exposure {
        page.exposure(&exposure.wrong);
    }
    if let Some(coverage) = &score.coverage {
        page.coverage(coverage);
    }
    page.scenarios(score);
    page.out
}

/// Text that grows downwards.
pub(crate) struct Page<'a> {
    pub(crate) out: String,
    visible: &'a dyn Fn(&str) -> String,
}

impl<'a> Page<'a> {
    pub(crate) fn new(visible: &'a dyn Fn(&str) -> String) -> Self {
        Self {
            out: String::new(),
            visible,
        }
    }

    pub(crate) fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    /// A heading, after an empty line.
    pub(crate) fn heading(&mut self, text: &str) {
        self.out.push('\n');
        self.line(text);
    }

    /// A section without entries: its heading and a word.
    pub(crate) fn none(&mut self, heading: &str) {
        self.heading(&format!("{heading}: none"));
    }

    /// Text of whatever length and origin, made visible and broken into lines of the width.
    pub(crate) fn wrapped(&mut self, indent: usize, text: &str) {
        let room = WIDTH - indent;
        let text: String = text.chars().take(TEXT_CHARACTERS_MAX).collect();
        for line in broken(&(self.visible)(&text), room) {
            self.line(&format!("{}{line}", " ".repeat(indent)));
        }
    }

    pub(crate) fn grave_errors(&mut self, errors: &[Difference]) {
        if errors.is_empty() {
            self.none("GRAVE ERRORS");
            return;
        }
        self.heading(&format!("GRAVE ERRORS: {}", errors.len()));
        for error in errors {
            self.difference(error);
        }
    }

    /// Grave errors stand above already.
    fn regressions(&mut self, regressions: &[Regression]) {
        let is_grave = |one: &&Regression| matches!(one, Regression::GraveErrors { .. });
        let regressions: Vec<&Regression> =
            regressions.iter().filter(|one| !is_grave(one)).collect();
        if regressions.is_empty() {
            return;
        }
        self.heading(&format!("WORSE THAN THE THRESHOLDS: {}", regressions.len()));
        for regression in regressions {
            self.wrapped(2, &regression.to_string());
        }
    }

    fn headlines(&mut self, score: &Score) {
        self.heading("HEADLINES");
        for headline in &score.headlines {
            self.rate(&headline.name, headline.rate);
            self.wrapped(4, &headline.counts);
        }
    }

    /// A name, its share, and what it is a share of.
    pub(crate) fn rate(&mut self, name: &str, rate: Rate) {
        let share = percent(rate.share());
        self.line(&format!(
            "  {name:<44}{share:>9}   {} of {}",
            rate.right, rate.of
        ));
    }

    pub(crate) fn matrix(&mut self, matrix: &Matrix) {
        let said: Vec<&str> = VERDICTS
            .map(VerdictName::name)
            .into_iter()
            .chain([ABSENT])
            .filter(|name| matrix.cells.iter().any(|cell| cell.said == *name))
            .collect();
        let mut rows: Vec<&str> = matrix
            .cells
            .iter()
            .map(|cell| cell.truth.as_str())
            .collect();
        rows.dedup();
        self.heading("VERDICTS: truth downwards, said across; + is accepted");
        self.wrapped(2, &matrix.campaign);
        let mut head = format!("  {:<14}", "");
        for name in &said {
            let _ = write!(head, "{:>8}", column_head(name));
        }
        self.line(&head);
        for truth in rows {
            let mut row = format!("  {truth:<14}");
            for name in &said {
                let mut cells = matrix.cells.iter();
                let cell = cells.find(|cell| cell.truth == truth && cell.said == *name);
                let shown = cell.map_or_else(
                    || ".".to_owned(),
                    |cell| {
                        let accepted = truth != *name && cell.right > 0;
                        format!("{}{}", cell.hosts, if accepted { "+" } else { "" })
                    },
                );
                let _ = write!(row, "{shown:>8}");
            }
            self.line(&row);
        }
        self.rate("called compromised that are (precision)", matrix.precision);
        self.rate("compromised that are called so (recall)", matrix.recall);
    }

    pub(crate) fn differences(&mut self, heading: &str, differences: &[Difference]) {
        if differences.is_empty() {
            self.none(heading);
            return;
        }
        self.heading(&format!("{heading}: {}", differences.len()));
        for difference in differences.iter().take(ENTRIES_MAX) {
            self.difference(difference);
        }
        self.left_out(differences.len());
    }

    fn difference(&mut self, difference: &Difference) {
        let said = match difference.outcome {
            Outcome::Grave(grave) => grave.words(),
            _ => &difference.said,
        };
        self.wrapped(
            2,
            &format!("{} ({}): {said}", difference.host, difference.campaign),
        );
        let mut truth = difference.truth.clone();
        for accepted in &difference.accepted {
            let _ = write!(truth, " or {accepted}");
        }
        self.wrapped(
            4,
            &format!(
                "truth: {truth}; scenario {}, seed {}",
                difference.scenario, difference.seed
            ),
        );
        if !difference.withheld.is_empty() {
            self.wrapped(4, &format!("withheld: {}", difference.withheld.join(", ")));
        }
        for reason in &difference.reasons {
            let mut shown: String = reason.chars().take(REASON_CHARACTERS_MAX).collect();
            if shown.len() < reason.len() {
                shown.push('…');
            }
            self.wrapped(4, &format!("- {shown}"));
        }
    }

    fn left_out(&mut self, count: usize) {
        if count > ENTRIES_MAX {
            let more = count - ENTRIES_MAX;
            self.line(&format!("  and {more} more, which the JSON form lists"));
        }
    }

    pub(crate) fn names(&mut self, heading: &str, names: &[String]) {
        if names.is_empty() {
            self.none(heading);
            return;
        }
        self.heading(&format!("{heading}: {}", names.len()));
        let shown: Vec<&str> = names.iter().take(ENTRIES_MAX).map(String::as_str).collect();
        self.wrapped(2, &shown.join(", "));
        self.left_out(names.len());
    }

    fn unprovable(&mut self, score: &Score) {
        const HEADING: &str = "COMPROMISED, AND NOTHING OF IT IS LEFT TO SEE";
        if score.unprovable.is_empty() {
            self.none(HEADING);
            return;
        }
        self.heading(&format!("{HEADING}: the report says"));
        for tally in &score.unprovable {
            self.line(&format!("  {:<14}{:>8}", tally.said, tally.hosts));
        }
    }

    fn stages(&mut self, stages: &StageScore) {
        self.heading("STAGES: reached and said, over all verdicts");
        self.line("                   found  missed  invented  nothing left");
        for count in &stages.stages {
            self.line(&format!(
                "  {:<14}{:>8}{:>8}{:>10}{:>14}",
                count.stage.name(),
                count.found,
                count.missed,
                count.invented,
                count.left_nothing
            ));
        }
    }

    pub(crate) fn footholds(&mut self, score: &Score) {
        let footholds = &score.footholds;
        self.heading("FOOTHOLDS");
        self.rate("said that are ones", footholds.precision);
        self.rate("found, where something is left", footholds.recall);
        if score.story.is_some() {
            self.rate("found whose state is right", footholds.states);
            self.line(&format!(
                "  found whose state the report cannot tell: {}",
                footholds.states_unknown
            ));
        }
        self.line(&format!(
            "  not found, and nothing left: {}",
            footholds.left_nothing
        ));
        self.footholds_seen("missed", &footholds.missed);
        self.footholds_seen("invented", &footholds.invented);
        if score.story.is_some() {
            self.footholds_seen("state wrong", &footholds.state_wrong);
        }
    }

    fn footholds_seen(&mut self, what: &str, seen: &[FootholdSeen]) {
        if seen.is_empty() {
            self.line(&format!("  {what}: none"));
            return;
        }
        self.line(&format!("  {what}: {}", seen.len()));
        for foothold in seen.iter().take(ENTRIES_MAX) {
            let FootholdSeen {
                host,
                scenario,
                kind,
                path,
                ..
            } = foothold;
            self.wrapped(4, &format!("{host} ({scenario}): {kind} {path}"));
        }
        self.left_out(seen.len());
    }

    fn story(&mut self, story: &StoryScore) {
        self.heading("STEPS OF THE STORY, where something is left: found within 2 minutes");
        self.line("                   found            other stage  nothing left");
        for count in &story.stages {
            self.line(&format!(
                "  {:<14}{:>9}  {:<13}{:>6}{:>14}",
                count.stage.name(),
                percent(count.found.share()),
                format!("{} of {}", count.found.right, count.found.of),
                count.found_as_other_stage,
                count.left_nothing
            ));
        }
        self.spread("steps of effect found", story.error);
    }

    fn spread(&mut self, name: &str, spread: Spread) {
        self.line(&format!(
            "  {name}, off by: median {}, 90th percentile {}, max {}",
            duration(spread.median_milliseconds),
            duration(spread.ninetieth_milliseconds),
            duration(spread.max_milliseconds)
        ));
    }

    pub(crate) fn dates(&mut self, score: &Score) {
        let dates = &score.dates;
        self.heading("TIMES");
        self.time("first effect, within 2 minutes", &dates.first);
        if score.story.is_some() {
            self.time("last effect, within 2 minutes", &dates.last);
        }
        self.time("patch, within 12 hours", &dates.patched);
        self.rate(
            "days from effect to patch, within one",
            dates.days_before_patch,
        );
        self.line(&format!(
            "  first effect truly earlier, but nothing of that left: {}",
            dates.first_left_nothing
        ));
    }

    fn time(&mut self, name: &str, time: &TimeScore) {
        self.rate(name, time.right);
        self.spread("  those said", time.error);
        self.line(&format!("    not said: {}", time.not_said));
    }

    fn exposure(&mut self, wrong: &[StateWrong]) {
        if wrong.is_empty() {
            self.none("WRONG STATE OF EXPOSURE");
            return;
        }
        self.heading(&format!("WRONG STATE OF EXPOSURE: {}", wrong.len()));
        for state in wrong.iter().take(ENTRIES_MAX) {
            let (truth, said) = (state.truth.name(), &state.said);
            self.wrapped(
                2,
                &format!(
                    "{} ({}): {said}, though {truth}",
                    state.host, state.scenario
                ),
            );
        }
        self.left_out(wrong.len());
    }

    fn coverage(&mut self, coverage: &CoverageScore) {
        self.heading("COVERAGE: what the report says it saw, against what was there");
        self.rate(
            "covered hosts, every need seen wholly",
            coverage.covered_seen_whole,
        );
        self.rate(
            "other hosts, some need not seen wholly",
            coverage.uncovered_seen_in_part,
        );
        self.line("  mean seen                     truly covered        verdict right");
        for bucket in &coverage.reliability {
            self.line(&format!(
                "  from {:>8}          {:>9} {:<12}{:>9} {}",
                percent(Some(bucket.from)),
                percent(bucket.covered.share()),
                format!("of {}", bucket.covered.of),
                percent(bucket.verdicts_right.share()),
                format_args!("of {}", bucket.verdicts_right.of)
            ));
        }
        self.coverage_wrong("sufficient, though not covered", &coverage.overconfident);
        self.coverage_wrong("not sufficient, though covered", &coverage.underconfident);
    }

    fn coverage_wrong(&mut self, what: &str, wrong: &[CoverageWrong]) {
        if wrong.is_empty() {
            self.line(&format!("  {what}: none"));
            return;
        }
        self.line(&format!("  {what}: {}", wrong.len()));
        for host in wrong.iter().take(ENTRIES_MAX) {
            let mut line = format!("{} ({})", host.host, host.scenario);
            for need in &host.not_whole {
                let _ = write!(line, ", {} {}", need.need, percent(Some(need.seen)));
            }
            self.wrapped(4, &line);
        }
        self.left_out(wrong.len());
    }

    fn scenarios(&mut self, score: &Score) {
        self.heading("SCENARIOS: verdicts right, and grave errors");
        if score.scenarios.is_empty() {
            self.line("  none");
        }
        let mut lines = BTreeMap::new();
        for scenario in &score.scenarios {
            let rate = scenario.verdicts_right;
            let counts = format!("{} of {}", rate.right, rate.of);
            let mut line = format!("{:>9}   {counts:<14}", percent(rate.share()));
            if scenario.grave_errors > 0 {
                let _ = write!(line, "{} grave", scenario.grave_errors);
            }
            lines.insert(&scenario.scenario, line);
        }
        for (scenario, line) in lines {
            if scenario.width() > 38 {
                self.wrapped(2, scenario);
                self.line(&format!("  {:<38}{line}", ""));
            } else {
                self.line(&format!("  {:<38}{line}", (self.visible)(scenario)));
            }
        }
    }
}

/// A verdict's name in seven columns.
fn column_head(verdict: &str) -> &str {
    match verdict {
        "compromised" => "comprom",
        "reinfected" => "reinfct",
        "unproven" => "unprovn",
        "not_affected" => "not_aff",
        other => other,
    }
}

/// In the largest unit that it fills, with one decimal; `–` for none.
fn duration(milliseconds: Option<u64>) -> String {
    let Some(milliseconds) = milliseconds else {
        return "–".to_owned();
    };
    let (unit, name) = match milliseconds {
        0..60_000 => (1_000, "s"),
        60_000..3_600_000 => (60_000, "min"),
        3_600_000..172_800_000 => (3_600_000, "h"),
        _ => (86_400_000, "days"),
    };
    let tenths = u128::from(milliseconds) * 10 / unit;
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

/// Breaks text at spaces, and words that are longer than a line wherever they must.
fn broken(text: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.width() + 1 + word.width() > room {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        for character in word.chars() {
            let width = character.width().unwrap_or(0);
            if !line.is_empty() && line.width() + width > room {
                lines.push(std::mem::take(&mut line));
            }
            line.push(character);
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_never_pass_the_room() {
        let lines = broken("a bb サーバー cccccccccccc d", 6);
        assert_eq!(lines, ["a bb", "サーバ", "ー", "cccccc", "cccccc", "d"]);
    }

    #[test]
    fn durations_have_one_decimal_and_a_unit() {
        let told = [None, Some(0), Some(1_990), Some(90_000), Some(u64::MAX)].map(duration);
        assert_eq!(
            told,
            ["–", "0.0 s", "1.9 s", "1.5 min", "213503982334.6 days"]
        );
    }
}
