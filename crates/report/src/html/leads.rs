//! Leads: what is worth a look on each host, with every sign and its weight.

use super::parts::{Shown, places};
use crate::words;
use maud::{Markup, html as markup};
use model::report::{HostReport, Lead};

/// Leads shown of one host; the JSON report holds all that were kept.
const LEADS_MAX: usize = 20;

pub(super) fn section(host: &HostReport) -> Markup {
    let leads = &host.leads;
    let shown: Vec<&Lead> = leads.shown().collect();
    if shown.is_empty() {
        return markup! {};
    }
    let more = words::more_leads(leads, shown.len().min(LEADS_MAX));
    markup! {
        section.plain {
            h2 { "Leads on " (Shown(&host.host)) " " span.count { (shown.len()) } }
            p.note { strong { (Shown(&leads.note)) } }
            ol.steps {
                @for lead in shown.into_iter().take(LEADS_MAX) { (one(lead)) }
            }
            @if let Some(more) = more { p.note { (more) } }
            @for notice in &leads.notices { p.note { (Shown(&notice.text)) } (places(&notice.places)) }
        }
    }
}

fn one(lead: &Lead) -> Markup {
    let about = words::lead_about(lead);
    markup! {
        li {
            span.kind { "score " (lead.score) } " "
            code.place { (Shown(&lead.subject)) } " " (words::lead_kind(&lead.kind))
            @if let Some(file) = lead.file.as_deref().filter(|file| *file != lead.subject) {
                " " code.place { (Shown(file)) }
            }
            ul {
                @for signal in &lead.signals { li { "+" (signal.points) ": " (Shown(&signal.text)) } }
            }
            @if !about.is_empty() { p.details { (Shown(&about)) } }
            (places(&lead.places))
        }
    }
}
