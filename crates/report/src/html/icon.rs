//! Small drawings that go with words, in the colour of the text around them.

use maud::{Markup, PreEscaped};
use model::report::{GateState, VerdictName};

const CROSS: &str = r#"<path d="M5 5l10 10M15 5L5 15"/>"#;
const CHECK: &str = r#"<path d="M4 10.5l4 4 8-9"/>"#;
const AGAIN: &str = r#"<path d="M16 10a6 6 0 1 1-2-4.5M16 2.5v4h-4"/>"#;
const TRIANGLE: &str = r#"<path d="M10 3l8 14H2zM10 8v4M10 14.4v.2"/>"#;
const QUESTION: &str = r#"<path d="M6.5 7.5a3.5 3.5 0 1 1 5 3.2c-1 .5-1.5 1-1.5 2.3M10 16v.2"/>"#;
const DOOR: &str = r#"<path d="M9 3H4v14h5M8 10h9M13.5 6.5L17 10l-3.5 3.5"/>"#;
const DASH: &str = r#"<path d="M5 10h10"/>"#;

pub(super) fn verdict(verdict: VerdictName) -> Markup {
    icon(match verdict {
        VerdictName::Compromised => CROSS,
        VerdictName::Reinfected => AGAIN,
        VerdictName::Exposed => TRIANGLE,
        VerdictName::Unproven => QUESTION,
        VerdictName::Evicted => DOOR,
        VerdictName::Clear => CHECK,
        VerdictName::NotAffected => DASH,
    })
}

pub(super) fn gate(state: GateState) -> Markup {
    icon(match state {
        GateState::Pass => CHECK,
        GateState::Fail => CROSS,
        GateState::CannotTell => QUESTION,
        GateState::NotApplicable => DASH,
    })
}

pub(super) fn unknown() -> Markup {
    icon(QUESTION)
}

fn icon(path: &str) -> Markup {
    PreEscaped(format!(
        r#"<svg class="icon" viewBox="0 0 20 20" width="20" height="20" aria-hidden="true">{path}</svg>"#
    ))
}
