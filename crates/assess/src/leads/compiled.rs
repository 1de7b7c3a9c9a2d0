//! What the web server compiled: pages whose source nobody ships or that are gone, and compilations that stand alone.

use super::{Draft, Drafts, Ground};
use crate::derive;
use crate::words;
use model::{Compilation, CompiledPage, Fact, Place, Timestamp};
use pack::LeadSignal;

/// Adds what compiled pages and compilers show.
pub(super) fn find(ground: &Ground<'_>, drafts: &mut Drafts) {
    let facts = &ground.observed.facts;
    let has_logs = facts
        .iter()
        .any(|known| matches!(known.fact, Fact::WebPage(_)));
    for known in facts {
        if let Fact::CompiledPage(page) = &known.fact {
            compiled_page(ground, has_logs, page, &known.place, drafts);
        }
    }
    let mut events: Vec<(&Compilation, &Place)> = facts
        .iter()
        .filter_map(|known| match &known.fact {
            Fact::Compilation(compilation) => Some((compilation, &known.place)),
            _ => None,
        })
        .collect();
    events.sort_by_key(|(event, place)| (event.time, *place));
    for (number, (event, place)) in events.iter().enumerate() {
        if stands_alone(ground, &events, number) {
            alone(ground, event, place, drafts);
        }
    }
}

/// A page that was compiled, so it was there and was asked for.
fn compiled_page(
    ground: &Ground<'_>,
    has_logs: bool,
    page: &CompiledPage,
    place: &Place,
    drafts: &mut Drafts,
) {
    if ground.ships_page(&page.virtual_path) {
        return;
    }
    let mut candidates = ground.site.physical_paths(&page.virtual_path);
    candidates.extend(
        page.sources
            .iter()
            .map(|source| derive::expand(source).to_lowercase())
            .filter(|source| source.get(1..2) == Some(":")),
    );
    let there = candidates.iter().find(|path| ground.site.holds(path));
    let known = candidates
        .iter()
        .find(|path| drafts.0.contains_key(path.as_str()));
    let path = known.or(there).or(candidates.first()).cloned();
    let is_gone = there.is_none()
        && candidates
            .iter()
            .any(|candidate| ground.site.looked_near(candidate));
    let key = path
        .clone()
        .unwrap_or_else(|| format!("compiled {}", page.virtual_path));
    let draft = drafts.of(&key, "compiled", &page.virtual_path);
    if let Some(path) = &path {
        draft.file.get_or_insert_with(|| ground.spelled(path));
        ground.judge_shipped(path, draft);
        ground.judge_folder(path, draft);
    }
    draft.place(place);
    if is_gone {
        let text = format!(
            "ASP.NET compiled it into {}, and the collection holds its folder but not the page",
            page.assembly
        );
        draft.add(LeadSignal::CompiledWithoutSource, text);
    }
    if has_logs && draft.requests == 0 {
        let text = "ASP.NET compiled it, so it was asked for, and no web log shows an answer";
        draft.add(LeadSignal::CompiledUnlogged, text.to_owned());
    }
}

/// Whether nothing else was compiled around this event. Records of one compilation come within a few seconds.
fn stands_alone(ground: &Ground<'_>, events: &[(&Compilation, &Place)], number: usize) -> bool {
    let limits = &ground.table.limits;
    let (own, around) = (
        i64::from(limits.compile_match_seconds.value),
        i64::from(limits.compile_minutes.value) * 60,
    );
    let Some((event, _)) = events.get(number) else {
        return false;
    };
    let apart = |other: &(&Compilation, &Place)| seconds_between(event.time, other.0.time);
    let (before, after) = (events.iter().take(number), events.iter().skip(number + 1));
    let is_other = |other: &(&Compilation, &Place)| apart(other) > own;
    let near = |other: &&(&Compilation, &Place)| apart(other) <= around;
    !before.rev().take_while(near).any(is_other) && !after.take_while(near).any(is_other)
}

fn seconds_between(a: Timestamp, b: Timestamp) -> i64 {
    (a.as_second() - b.as_second()).abs()
}

/// Joins a lone compilation to the page that it is of.
fn alone(ground: &Ground<'_>, event: &Compilation, place: &Place, drafts: &mut Drafts) {
    let limits = &ground.table.limits;
    let close = i64::from(limits.compile_match_seconds.value);
    let is_named = |draft: &Draft| {
        let name = event.page.as_deref();
        name.is_some_and(|name| draft.subject.to_lowercase().ends_with(&format!("/{name}")))
    };
    let is_close = |draft: &Draft| {
        draft
            .first
            .is_some_and(|first| seconds_between(first, event.time) <= close)
    };
    let text = format!(
        "the web server compiled something of `{}` at {}, and nothing else within {} minutes",
        event.application,
        words::minute(event.time),
        limits.compile_minutes.value
    );
    let mut joined = false;
    for draft in drafts.0.values_mut() {
        if is_named(draft) || (event.page.is_none() && is_close(draft)) {
            draft.add(LeadSignal::CompiledAlone, text.clone());
            draft.place(place);
            joined = true;
        }
    }
    let Some(name) = event.page.as_ref().filter(|_| !joined) else {
        return;
    };
    // The folder of its application and its own name are all that the record says.
    let url = match event.application.as_str() {
        "" | "root" => format!("/{name}"),
        application => format!("/{application}/{name}"),
    };
    if ground.ships_page(&url) {
        return;
    }
    let draft = drafts.of(&format!("compiled {url}"), "compiled", &url);
    draft.first = draft.first.or(Some(event.time));
    draft.last = draft.last.max(Some(event.time));
    draft.add(LeadSignal::CompiledAlone, text);
    draft.place(place);
}
