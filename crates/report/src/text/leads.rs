//! Leads: a short list of what is worth a look on each host.

use super::page::{Indent, Page, Style};
use super::place_list;
use crate::words;
use model::report::{HostReport, Lead};
use std::io;

/// Leads shown of one host: as many as somebody looks at before they look elsewhere.
const LEADS_MAX: usize = 5;

pub(super) fn section(page: &mut Page<'_, '_>, host: &HostReport) -> io::Result<()> {
    let leads = &host.leads;
    let shown: Vec<&Lead> = leads.shown().collect();
    if shown.is_empty() {
        return Ok(());
    }
    page.heading("Leads", &host.host)?;
    page.flow(Indent::all("  "), &[(Style::Warning, &leads.note)])?;
    for one in shown.iter().take(LEADS_MAX) {
        lead(page, one)?;
    }
    let more = words::more_leads(leads, shown.len().min(LEADS_MAX));
    if let Some(more) = more {
        page.flow(Indent::all("  "), &[(Style::Faint, &more)])?;
    }
    for notice in &leads.notices {
        page.flow(Indent::all("  "), &[(Style::Faint, &notice.text)])?;
    }
    Ok(())
}

fn lead(page: &mut Page<'_, '_>, lead: &Lead) -> io::Result<()> {
    let first = format!("  {:>3} ", lead.score);
    let file = lead.file.as_deref().filter(|file| *file != lead.subject);
    let file = file.map(|file| format!("({file})")).unwrap_or_default();
    page.flow(
        Indent {
            first: &first,
            rest: "      ",
        },
        &[
            (Style::Strong, &lead.subject),
            (Style::Plain, words::lead_kind(&lead.kind)),
            (Style::Faint, &file),
        ],
    )?;
    for signal in &lead.signals {
        let first = format!("      +{:<3} ", signal.points);
        page.flow(
            Indent {
                first: &first,
                rest: "           ",
            },
            &[(Style::Plain, &signal.text)],
        )?;
    }
    let about = words::lead_about(lead);
    if !about.is_empty() {
        page.flow(Indent::all("      "), &[(Style::Faint, &about)])?;
    }
    place_list(page, &lead.places)
}
