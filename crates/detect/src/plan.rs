//! What is to be run on the records of one source: which rules, under which of its log sources, and the prefilter.

use crate::indicators::Indicators;
use crate::logsources::{LogSources, RawForm};
use crate::prefilter::{Candidates, Prefilter};
use crate::sigma::{Rule, Words};
use crate::view::View;
use model::Record;
use std::cell::OnceCell;

/// The plan for one kind of source.
#[derive(Debug)]
pub(crate) struct Plan {
    form: RawForm,
    url_decoded: bool,
    bindings: Vec<Binding>,
    prefilter: Prefilter,
}

/// A rule, and the log sources of this source that it asks for.
#[derive(Debug)]
pub(crate) struct Binding {
    pub(crate) rule: usize,
    /// (entry of the table, log source of the entry).
    pub(crate) log_sources: Vec<(usize, usize)>,
}

/// Something that matches a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hit {
    /// Number of a Sigma rule.
    Rule(usize),
    /// Number of an indicator that may match: the words are there, the fields are not compared yet.
    MayBeIndicator(usize),
}

impl Plan {
    /// The plan for sources with these entries of the table (ascending, maybe none).
    pub(crate) fn new<'r>(
        entries: &[usize],
        table: &LogSources,
        rules: impl Iterator<Item = &'r Rule> + Clone,
        indicators: &Indicators,
    ) -> Self {
        let first = entries.first().map(|index| table.entry(*index));
        let form = first.map_or(RawForm::Line, |entry| entry.raw);
        let url_decoded = entries.iter().any(|index| table.entry(*index).url_decoded);
        let mut bindings = Vec::new();
        let mut needs = Vec::new();
        for (number, rule) in rules.enumerate() {
            let log_sources = log_sources_of(rule, entries, table);
            if log_sources.is_empty() {
                continue;
            }
            let in_raw = |field: Option<&str>| stands_in_raw(field, &log_sources, table);
            needs.push(rule.needs(&Words {
                form,
                common: &table.common_words,
                in_raw: &in_raw,
            }));
            bindings.push(Binding {
                rule: number,
                log_sources,
            });
        }
        let words = Words {
            form,
            common: &table.common_words,
            in_raw: &|_field| true,
        };
        needs.extend(indicators.needs(&words));
        Self {
            form,
            url_decoded,
            bindings,
            prefilter: Prefilter::new(needs),
        }
    }

    /// The rules that are run on these records.
    pub(crate) fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// Whether values are also looked at with their percent signs decoded.
    pub(crate) fn is_url_decoded(&self) -> bool {
        self.url_decoded
    }

    /// How words are cut and chosen for these records.
    pub(crate) fn words<'w>(
        &self,
        table: &'w LogSources,
        in_raw: &'w dyn Fn(Option<&str>) -> bool,
    ) -> Words<'w> {
        Words {
            form: self.form,
            common: &table.common_words,
            in_raw,
        }
    }

    /// What matches this record, in the order of rules and indicators. `candidates` is scratch space.
    pub(crate) fn hits<'r>(
        &self,
        record: &dyn Record,
        table: &LogSources,
        rules: &dyn Fn(usize) -> &'r Rule,
        candidates: &mut Candidates,
        visit: &mut dyn FnMut(Hit),
    ) {
        let raw = record.raw();
        self.prefilter
            .candidates(&raw, self.url_decoded, self.form, candidates);
        let worth_decoding = self.url_decoded && (raw.contains('%') || raw.contains('+'));
        let look = Look {
            record,
            table,
            worth_decoding,
            event_id: OnceCell::new(),
        };
        for target in &candidates.found {
            let target = *target as usize;
            match self.bindings.get(target) {
                Some(binding) => {
                    if look.meets(binding, rules(binding.rule)) {
                        visit(Hit::Rule(binding.rule));
                    }
                }
                None => visit(Hit::MayBeIndicator(target - self.bindings.len())),
            }
        }
    }

    /// The same without the prefilter; for the test that both agree.
    #[cfg(test)]
    pub(crate) fn hits_unfiltered<'r>(
        &self,
        record: &dyn Record,
        table: &LogSources,
        rules: &dyn Fn(usize) -> &'r Rule,
    ) -> Vec<Hit> {
        let look = Look {
            record,
            table,
            worth_decoding: self.url_decoded,
            event_id: OnceCell::new(),
        };
        let met = |binding: &&Binding| look.meets(binding, rules(binding.rule));
        let met = self.bindings.iter().filter(met);
        met.map(|binding| Hit::Rule(binding.rule)).collect()
    }
}

/// One record under all its candidates.
struct Look<'a> {
    record: &'a dyn Record,
    table: &'a LogSources,
    /// Whether its values may differ once they are URL-decoded.
    worth_decoding: bool,
    /// Read when the first rule asks for it.
    event_id: OnceCell<Option<u64>>,
}

impl Look<'_> {
    fn meets(&self, binding: &Binding, rule: &Rule) -> bool {
        binding.log_sources.iter().any(|(entry, log_source)| {
            let entry = &self.table.entry(*entry).logsources[*log_source];
            if !entry.events.is_empty() && !self.is_one_of(&entry.events) {
                return false;
            }
            let meets_as = |url_decoded: bool| {
                rule.matches(&View {
                    record: self.record,
                    entry,
                    url_decoded,
                })
            };
            meets_as(false) || (self.worth_decoding && meets_as(true))
        })
    }

    fn is_one_of(&self, ids: &[u64]) -> bool {
        let id = self.event_id.get_or_init(|| {
            let id = self.record.get("EventID");
            let id = id.or_else(|| self.record.get("event_id"));
            id.and_then(|id| id.to_unsigned())
        });
        id.is_some_and(|id| ids.contains(&id))
    }
}

fn log_sources_of(rule: &Rule, entries: &[usize], table: &LogSources) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for entry in entries {
        for (number, offered) in table.entry(*entry).logsources.iter().enumerate() {
            if rule.log_source.is_met_by(offered) {
                found.push((*entry, number));
            }
        }
    }
    found
}

/// Whether the values of a rule's field, or of all fields, stand in the raw text, under every log source that the rule
/// is bound to.
pub(crate) fn stands_in_raw(
    field: Option<&str>,
    log_sources: &[(usize, usize)],
    table: &LogSources,
) -> bool {
    log_sources.iter().all(|(entry, number)| {
        let Some(field) = field else {
            return !table.entry(*entry).carries_over;
        };
        let offered = &table.entry(*entry).logsources[*number];
        match offered.fields.get(field) {
            None => !table.derived_fields.contains(field),
            Some(source) => {
                let names = source.names();
                !names
                    .iter()
                    .any(|name| table.derived_fields.contains(*name))
            }
        }
    })
}
