//! Pieces that several parts of the page share, and the one way in which text from evidence enters it.

use crate::escape::{shorten, visible, visible_lines};
use crate::words;
use maud::{Escaper, Markup, Render, html as markup};
use model::report::{ExposureState, GateState, NextStep, SeenState, StatementOutcome, VerdictName};
use model::{Accounting, FootholdState, Gap, Place, Stage};
use std::fmt::Write;

/// Characters of one sentence or path that are shown.
const SENTENCE_CHARACTERS_MAX: usize = 2_000;

/// Characters of one raw record that are shown: all that a finding may carry.
const RECORD_CHARACTERS_MAX: usize = model::EVIDENCE_BYTES_MAX;

/// Text from a report: made visible, shortened and escaped.
pub(super) struct Shown<'a>(pub(super) &'a str);

impl Render for Shown<'_> {
    fn render_to(&self, buffer: &mut String) {
        let text = visible(self.0);
        write!(
            Escaper::new(buffer),
            "{}",
            shorten(&text, SENTENCE_CHARACTERS_MAX)
        )
        .expect("a string takes all");
    }
}

/// The same for a raw record, whose lines and tabs stay.
pub(super) struct Raw<'a>(pub(super) &'a str);

impl Render for Raw<'_> {
    fn render_to(&self, buffer: &mut String) {
        let text = shorten(self.0, RECORD_CHARACTERS_MAX);
        write!(Escaper::new(buffer), "{}", visible_lines(&text)).expect("a string takes all");
    }
}

pub(super) fn place(place: &Place) -> Markup {
    let text = place.to_string();
    markup! {
        @if !text.is_empty() { code.place title={ "in collection " (Shown(&place.collection)) } { (Shown(&text)) } }
    }
}

pub(super) fn places(places: &[Place]) -> Markup {
    markup! {
        @if !places.is_empty() {
            ul.places { @for one in places { li { (place(one)) } } }
        }
    }
}

pub(super) fn steps<'a>(steps: impl IntoIterator<Item = &'a NextStep>) -> Markup {
    markup! {
        ol.steps {
            @for step in steps {
                li {
                    @if !step.kind.is_empty() { span.kind { (Shown(&step.kind)) } " " }
                    (Shown(&step.text))
                    @if !step.details.is_empty() {
                        p.details { @for detail in &step.details { span { (Shown(detail)) } " " } }
                    }
                    (places(&step.places))
                }
            }
        }
    }
}

pub(super) fn gap_list<'a>(gaps: impl IntoIterator<Item = &'a Gap>) -> Markup {
    markup! {
        ul.gaps {
            @for gap in gaps {
                li {
                    span.kind { (words::gap_kind(gap.kind)) } " " (Shown(&gap.detail))
                    @if let Some(span) = words::span(gap.from, gap.until) { span.when { (span) } }
                    " " (place(&gap.place))
                }
            }
        }
    }
}

pub(super) fn accounting_table(total: &Accounting) -> Markup {
    markup! {
        p { (words::accounting(total)) "." }
        @if !total.rejected.is_empty() {
            table.figures {
                thead { tr { th scope="col" { "Rejected because" } th.number scope="col" { "Records" } } }
                tbody {
                    @for rejected in &total.rejected {
                        tr { td { (Shown(&rejected.reason)) } td.number { (words::thousands(rejected.count)) } }
                    }
                }
            }
        }
    }
}

/// Classes that colour; what they colour always says the same in words.
pub(super) fn tone_of_verdict(verdict: VerdictName) -> &'static str {
    match verdict {
        VerdictName::Compromised | VerdictName::Reinfected => "bad",
        VerdictName::Exposed => "warn",
        VerdictName::Unproven => "unsure",
        VerdictName::Evicted | VerdictName::Clear => "good",
        VerdictName::NotAffected => "calm",
    }
}

pub(super) fn tone_of_stage(stage: Stage) -> &'static str {
    match stage {
        Stage::NoneSeen => "quiet",
        Stage::Probed => "warn",
        _ => "bad",
    }
}

pub(super) fn tone_of_exposure(state: ExposureState) -> &'static str {
    match state {
        ExposureState::Vulnerable => "bad",
        ExposureState::Mitigated => "warn",
        ExposureState::Unknown => "unsure",
        ExposureState::Patched => "good",
        ExposureState::NotAffected => "calm",
    }
}

pub(super) fn tone_of_outcome(outcome: StatementOutcome) -> &'static str {
    match outcome {
        StatementOutcome::Contradicted => "bad",
        StatementOutcome::NotAnswerable => "unsure",
        StatementOutcome::Supported => "good",
    }
}

pub(super) fn tone_of_seen(state: SeenState) -> &'static str {
    match state {
        SeenState::Seen => "good",
        SeenState::Partial => "unsure",
        SeenState::NotCollected => "bad",
    }
}

pub(super) fn tone_of_gate(state: GateState) -> &'static str {
    match state {
        GateState::Pass => "good",
        GateState::Fail => "bad",
        GateState::CannotTell => "unsure",
        GateState::NotApplicable => "quiet",
    }
}

pub(super) fn tone_of_foothold(state: FootholdState) -> &'static str {
    match state {
        FootholdState::Present => "bad",
        FootholdState::Unknown => "unsure",
        FootholdState::AbsentVerified => "good",
    }
}
