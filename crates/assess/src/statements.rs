//! What was done, as statements: those that somebody who was broken into is asked for, and whether the evidence lets
//! anybody make them.
//!
//! A statement is *contradicted* where a finding or a change shows that it is untrue; *supported* only where everything
//! in which a contradiction could stand was seen over the whole time, and nothing in it does; else nobody can answer.
//! The time runs from the first possible entry, not from the first that was seen: a log that is withheld would else move
//! the beginning behind its own hole.

use crate::exposure::latest_taken;
use crate::words::{self, PLACES_MAX};
use crate::{Judged, Knowledge, coverage, derive};
use model::report::{
    MissingEvidence, NeedReport, Reason, Sent, Share, Statement, StatementOutcome, Statements,
};
use model::{Fact, FactAt, Finding, Observed, Persistence, Place, SentTo, Span, Stage, Timestamp};
use pack::{Contradiction, Need, NeedSpan, Pack, Question};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// What speaks against a statement and is told one by one; the findings hold the rest.
const AGAINST_MAX: usize = 5;

/// Gaps of one need that are told.
const GAPS_MAX: usize = 3;

/// Clients whose figures are told one by one.
const CLIENTS_MAX: usize = 24;

/// Judges every statement that is asked of this host by this campaign.
pub(crate) fn statements(
    pack: &Pack,
    knowledge: &Knowledge<'_>,
    observed: &Observed,
    judged: &Judged,
) -> Statements {
    if !judged.compromise.report.stage.proves_effect() {
        return Statements {
            about: format!(
                "not asked: nothing shows that anybody came in by {}; whether nobody did is the verdict's question",
                pack.manifest.title
            ),
            ..Statements::default()
        };
    }
    let products = derive::products_seen(observed);
    let asked: Vec<&Question> = knowledge
        .questions
        .iter()
        .filter(|asked| {
            let of = &asked.products;
            of.is_empty()
                || of.iter().any(|id| {
                    pack.manifest.products.contains(id)
                        && (products.is_empty() || products.contains(id.as_str()))
                })
        })
        .collect();
    let span = span(pack, observed, judged);
    let evidence = Evidence::new(pack, &asked, span, observed, judged);
    let mut told: Vec<Statement> = Vec::new();
    for question in &asked {
        let statement = if question.parts.is_empty() {
            evidence.statement(question)
        } else {
            composed(question, &told)
        };
        told.push(statement);
    }
    let about = match span {
        Some(span) => format!(
            "asked over the time from the first possible entry to the latest collection, {}",
            words::span(&span)
        ),
        None => "asked over a time that nothing dates".to_owned(),
    };
    Statements {
        about,
        from: span.map(|span| span.from),
        until: span.map(|span| span.until),
        statements: told,
    }
}

/// From the first possible entry to the latest collection.
fn span(pack: &Pack, observed: &Observed, judged: &Judged) -> Option<Span> {
    let from = judged
        .exposure
        .entry
        .map_or(pack.manifest.window.from, |entry| entry.from);
    Span::new(from, latest_taken(observed)?)
}

/// What was observed, as statements are held against it.
struct Evidence<'a> {
    observed: &'a Observed,
    span: Option<Span>,
    /// What each need shows, by its id.
    needs: BTreeMap<&'a str, NeedReport>,
    /// Findings that speak for the campaign and prove an effect.
    effects: Vec<&'a Finding>,
    /// Findings that somebody must look at, and that belong to no effect.
    leads: Vec<&'a Finding>,
    /// What keeps every statement from being supported.
    unsure: Vec<MissingEvidence>,
}

impl<'a> Evidence<'a> {
    fn new(
        pack: &Pack,
        asked: &[&'a Question],
        span: Option<Span>,
        observed: &'a Observed,
        judged: &Judged,
    ) -> Self {
        let mut wanted: BTreeMap<&str, &Need> = BTreeMap::new();
        for need in asked.iter().flat_map(|asked| &asked.rests_on) {
            wanted.insert(&need.id, need);
        }
        let list: Vec<&Need> = wanted.values().copied().collect();
        let reports = coverage::asked(&list, span, observed, &judged.exposure);
        let speaking: BTreeSet<&str> = judged
            .compromise
            .findings
            .iter()
            .map(String::as_str)
            .collect();
        let (effects, others): (Vec<&Finding>, Vec<&Finding>) = observed
            .findings
            .iter()
            .filter(|finding| finding.stage != Some(Stage::Probed))
            // Leads of other campaigns are no question of this one; their effects keep its statements open.
            .filter(|finding| {
                let own = finding.campaign.as_deref();
                own.is_none_or(|own| own == pack.manifest.name)
                    || finding.stage.is_some_and(Stage::proves_effect)
            })
            .partition(|finding| {
                speaking.contains(finding.id.as_str())
                    && finding.stage.is_some_and(Stage::proves_effect)
            });
        // What another campaign's rules say of an effect is that campaign's, and open here.
        Self {
            observed,
            span,
            needs: wanted.into_keys().zip(reports).collect(),
            effects,
            leads: others,
            unsure: unsure(observed, judged),
        }
    }

    fn statement(&self, question: &Question) -> Statement {
        let denied = &question.contradicted_by;
        let (mut contradictions, mut open) = (Vec::new(), Vec::new());
        let mut findings: Vec<String> = Vec::new();
        for finding in self.effects.iter().filter(|one| self.is_about(denied, one)) {
            contradictions.push(told(finding));
            findings.push(finding.id.clone());
        }
        for finding in self.leads.iter().filter(|one| self.is_about(denied, one)) {
            open.push(told(finding));
            findings.push(finding.id.clone());
        }
        self.changes(denied, &mut contradictions, &mut open);
        let mut missing = self.missing(question);
        let sent = denied
            .sent_bytes_max
            .map(|bytes_max| self.sent(bytes_max, &mut contradictions, &mut missing));
        missing.extend(self.unsure.iter().cloned());
        let outcome = if !contradictions.is_empty() {
            StatementOutcome::Contradicted
        } else if !open.is_empty() || !missing.is_empty() {
            StatementOutcome::NotAnswerable
        } else {
            StatementOutcome::Supported
        };
        let reason = match outcome {
            StatementOutcome::Contradicted => format!(
                "{} it, the first: {}",
                speaks(contradictions.len(), "contradicts", "contradict"),
                contradictions[0].text
            ),
            StatementOutcome::NotAnswerable => unanswered(&open, &missing),
            StatementOutcome::Supported => format!(
                "everything in which the contrary would show was seen ({}), and does not show it",
                words::counted(question.rests_on.len(), "source")
            ),
        };
        let mut against = contradictions;
        against.append(&mut open);
        Statement {
            missing,
            sent,
            ..answer(question, outcome, reason, against, findings)
        }
    }

    fn is_about(&self, denied: &Contradiction, finding: &Finding) -> bool {
        denied.is_about(&finding.techniques, &finding.step)
            || (denied.other_hosts && self.names_another_host(finding))
    }

    fn names_another_host(&self, finding: &Finding) -> bool {
        finding.details.get("target_host").is_some_and(|target| {
            self.observed
                .other_hosts
                .contains_key(&target.to_lowercase())
        })
    }

    /// Accounts and the like that were made or changed in the time asked for. What nothing dates may have been.
    fn changes(
        &self,
        denied: &Contradiction,
        contradictions: &mut Vec<Reason>,
        open: &mut Vec<Reason>,
    ) {
        let mut seen: BTreeSet<(Option<Timestamp>, String, String)> = BTreeSet::new();
        for FactAt { fact, place } in &self.observed.facts {
            let Fact::Persistence(changed) = fact else {
                continue;
            };
            let key = (changed.changed, changed.name.clone(), changed.clock.clone());
            // The same log in two collections tells the same thing twice.
            if !denied.changes.contains(&changed.kind) || !seen.insert(key) {
                continue;
            }
            let within = |time: Timestamp| self.span.is_none_or(|span| span.from <= time);
            match changed.changed {
                Some(time) if within(time) => contradictions.push(told_change(changed, place)),
                Some(_) => {}
                // Where no log tells of it and its key bears no time, it may be as old as the host.
                None => open.push(told_change(changed, place)),
            }
        }
        contradictions.sort();
        open.sort();
    }

    /// What of the evidence that the statement rests on was not seen whole.
    fn missing(&self, question: &Question) -> Vec<MissingEvidence> {
        question
            .rests_on
            .iter()
            .filter_map(|need| {
                let report = self.needs.get(need.id.as_str())?;
                let whole = report.seen == Share::WHOLE && report.gaps.is_empty();
                (!whole || self.is_undated(need)).then(|| missing_need(need, report))
            })
            .collect()
    }

    fn is_undated(&self, need: &Need) -> bool {
        need.span != NeedSpan::Latest && self.span.is_none()
    }

    /// What the web server sent to the clients that findings name.
    fn sent(
        &self,
        bytes_max: u64,
        contradictions: &mut Vec<Reason>,
        missing: &mut Vec<MissingEvidence>,
    ) -> Sent {
        let mut clients: Vec<SentTo> = self.observed.sent.clone();
        // The front end, the proxy behind it and the back end tell of the same answers: the log that tells most counts.
        let mut by_log: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for client in &self.observed.sent {
            let log = client.source.family();
            // Protocols of the proxy are logs of one, web sites are not.
            let instance = if log == "iis.site" {
                client.source.as_str()
            } else {
                ""
            };
            let sum = by_log.entry((log, instance)).or_default();
            *sum = sum.saturating_add(client.bytes);
        }
        let bytes = by_log.into_values().max().unwrap_or_default();
        let rows = sum(&clients, |client| client.rows);
        let rows_without_size = sum(&clients, |client| client.rows_without_size);
        if bytes > bytes_max {
            let text = format!(
                "the web server's logs sum up to {bytes} bytes sent to {} ({rows} rows)",
                words::counted(distinct(&clients), "client")
            );
            let places = clients
                .iter()
                .take(PLACES_MAX)
                .map(|client| client.place.clone())
                .collect();
            contradictions.push(Reason { text, places });
        }
        if clients.is_empty() {
            missing.push(MissingEvidence {
                title: "Addresses of the intruder".to_owned(),
                gaps: vec![
                    "no web log holds a request of an address that a finding of an effect names"
                        .to_owned(),
                ],
                collect: "Collect the logs that name the intruder's addresses: the proxy's and the web server's."
                    .to_owned(),
            });
        } else if rows_without_size > 0 {
            let share = Share::of(rows_without_size, rows);
            let percent = share.thousandths() / 10;
            missing.push(MissingEvidence {
                title: "Sizes of the answers".to_owned(),
                gaps: vec![format!(
                    "{rows_without_size} of {rows} rows of these addresses ({percent} %) tell no size"
                )],
                collect: "Ask firewalls, proxies and load balancers in front of the server for bytes by address; have IIS log \
                          sc-bytes from now on."
                    .to_owned(),
            });
        }
        clients.sort_by_key(|client| {
            (
                Reverse(client.bytes),
                client.client.clone(),
                client.source.clone(),
            )
        });
        clients.truncate(CLIENTS_MAX);
        Sent {
            bytes_max,
            bytes,
            rows,
            rows_without_size,
            clients,
        }
    }
}

fn sum(clients: &[SentTo], of: impl Fn(&SentTo) -> u64) -> u64 {
    clients
        .iter()
        .fold(0, |sum: u64, client| sum.saturating_add(of(client)))
}

fn distinct(clients: &[SentTo]) -> usize {
    let names: BTreeSet<&str> = clients
        .iter()
        .map(|client| client.client.as_str())
        .collect();
    names.len()
}

/// What of the collection as a whole keeps anybody from supporting anything.
fn unsure(observed: &Observed, judged: &Judged) -> Vec<MissingEvidence> {
    let mut unsure = Vec::new();
    let latest = observed.collections.last();
    let stated = observed.facts.iter().any(|known| {
        matches!(known.fact, Fact::Taken(_))
            && latest.is_some_and(|latest| latest.id == known.place.collection)
    });
    if !stated {
        // Its newest record would else be the end of the time asked for: with the newest logs withheld, a log that ends
        // early would seem to reach to the end.
        unsure.push(MissingEvidence {
            title: "The time of the latest collection".to_owned(),
            gaps: vec!["no record of a collector states when the evidence was taken".to_owned()],
            collect:
                "Collect with a tool that writes down when it ran, such as KAPE or Velociraptor."
                    .to_owned(),
        });
    }
    let blocking = judged.coverage.blocking();
    if !blocking.is_empty() {
        unsure.push(MissingEvidence {
            title: "Evidence that could not be read".to_owned(),
            gaps: blocking
                .iter()
                .take(GAPS_MAX)
                .map(|gap| format!("{}: {}", gap.place, gap.detail))
                .collect(),
            collect: "Collect these items again.".to_owned(),
        });
    }
    unsure
}

fn missing_need(need: &Need, report: &NeedReport) -> MissingEvidence {
    let mut gaps: Vec<String> = report
        .gaps
        .iter()
        .take(GAPS_MAX)
        .map(|gap| match (gap.from, gap.until) {
            (Some(from), Some(until)) => format!(
                "{} ({} to {})",
                gap.detail,
                words::minute(from),
                words::minute(until)
            ),
            _ => gap.detail.clone(),
        })
        .collect();
    let more = report.gaps.len().saturating_sub(GAPS_MAX);
    if more > 0 {
        gaps.push(format!("and {} more", words::counted(more, "gap")));
    }
    if gaps.is_empty() {
        gaps.push("nothing dates it".to_owned());
    }
    MissingEvidence {
        title: need.title.clone(),
        gaps,
        collect: need.collect.clone(),
    }
}

fn told(finding: &Finding) -> Reason {
    let when = finding
        .time
        .map_or_else(|| "undated".to_owned(), words::minute);
    Reason {
        text: format!("{when}: {}", finding.title),
        places: vec![finding.place.clone()],
    }
}

fn told_change(changed: &Persistence, place: &Place) -> Reason {
    let when = changed
        .changed
        .map_or_else(|| "undated".to_owned(), words::minute);
    let kind = changed.kind.name().replace('_', " ");
    let by = if changed.author.is_empty() {
        String::new()
    } else {
        format!(", by {}", changed.author)
    };
    Reason {
        text: format!("{when}: {kind} {} ({}{by})", changed.name, changed.clock),
        places: vec![place.clone()],
    }
}

fn speaks(count: usize, one: &str, many: &str) -> String {
    match count {
        1 => format!("one trace {one}"),
        count => format!("{count} traces {many}"),
    }
}

fn unanswered(open: &[Reason], missing: &[MissingEvidence]) -> String {
    let mut parts = Vec::new();
    if let Some(first) = open.first() {
        parts.push(format!(
            "{} open, the first: {}",
            speaks(open.len(), "keeps it", "keep it"),
            first.text
        ));
    }
    if let Some(first) = missing.first() {
        let titles: Vec<&str> = missing.iter().map(|one| one.title.as_str()).collect();
        parts.push(match titles.len() {
            1 => format!("what would show otherwise was not seen whole: {}", first.title),
            count => format!(
                "{count} kinds of evidence that would show otherwise were not seen whole, the first: {}",
                first.title
            ),
        });
    }
    parts.join("; ")
}

/// A statement that is made of others, which stand before it.
fn composed(question: &Question, told: &[Statement]) -> Statement {
    let parts: Vec<&Statement> = question
        .parts
        .iter()
        .filter_map(|id| told.iter().find(|statement| statement.id == *id))
        .collect();
    let of = |outcome: StatementOutcome| {
        parts
            .iter()
            .filter(|part| part.outcome == outcome)
            .copied()
            .collect::<Vec<&Statement>>()
    };
    let contradicted = of(StatementOutcome::Contradicted);
    let open = of(StatementOutcome::NotAnswerable);
    // A part that was not asked was not answered either.
    let unasked = question.parts.len().saturating_sub(parts.len());
    let outcome = if !contradicted.is_empty() {
        StatementOutcome::Contradicted
    } else if !open.is_empty() || unasked > 0 {
        StatementOutcome::NotAnswerable
    } else {
        StatementOutcome::Supported
    };
    let list = |parts: &[&Statement]| {
        let sentences: Vec<String> = parts
            .iter()
            .map(|part| format!("`{}`", part.statement))
            .collect();
        sentences.join(", ")
    };
    let reason = match outcome {
        StatementOutcome::Contradicted => format!(
            "{} of its {} parts {} contradicted: {}",
            contradicted.len(),
            question.parts.len(),
            if contradicted.len() == 1 { "is" } else { "are" },
            list(&contradicted)
        ),
        StatementOutcome::NotAnswerable => format!(
            "{} of its {} parts cannot be answered: {}",
            open.len() + unasked,
            question.parts.len(),
            list(&open)
        ),
        StatementOutcome::Supported => "every part of it is supported".to_owned(),
    };
    let against = contradicted
        .iter()
        .filter_map(|part| {
            let first = part.against.first()?;
            Some(Reason {
                text: format!("`{}`: {}", part.statement, first.text),
                places: first.places.clone(),
            })
        })
        .collect();
    let findings = contradicted
        .iter()
        .flat_map(|part| part.findings.iter().cloned())
        .collect();
    answer(question, outcome, reason, against, findings)
}

/// What is said of a question, as far as every statement says it.
fn answer(
    question: &Question,
    outcome: StatementOutcome,
    reason: String,
    mut against: Vec<Reason>,
    mut findings: Vec<String>,
) -> Statement {
    against.truncate(AGAINST_MAX);
    findings.sort();
    findings.dedup();
    Statement {
        id: question.id.clone(),
        statement: question.statement.clone(),
        outcome,
        reason,
        against,
        findings,
        missing: Vec::new(),
        sent: None,
        parts: question.parts.clone(),
        limits: question.limits.clone(),
        source: question.source.clone(),
    }
}
