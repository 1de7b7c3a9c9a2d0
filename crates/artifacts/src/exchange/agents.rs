//! Transport agents of Exchange (`TransportRoles\Shared\agents.config`): libraries that are run for every mail.
//!
//! <https://learn.microsoft.com/en-us/exchange/mail-flow/transport-agents/transport-agents>. XML with an element `agent`
//! for each, its library and class as attributes.

use crate::simple_record::SimpleRecord;
use crate::xml::{self, Element};
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::{At, Fact, GapKind, Persistence, PersistenceKind, SourceName};

/// Agents of one configuration; Exchange installs some twenty.
const AGENTS_MAX: usize = 10_000;

#[derive(Debug)]
pub(crate) struct TransportAgents;

impl Artifact for TransportAgents {
    fn kind(&self) -> &'static str {
        "exchange.transport_agents"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        let name = model::file_name(probe.path).to_ascii_lowercase();
        let named = name == "agents.config" || name == "fetagents.config";
        let head = &probe.head[..probe.head.len().min(4_096)];
        let signed = memchr::memmem::find(head, b"<mexRuntime").is_some();
        match (signed, named) {
            (true, _) => Match::Content,
            (false, true) => Match::Path,
            (false, false) => Match::No,
        }
    }

    fn source(&self, _probe: &Probe<'_>) -> Option<SourceName> {
        Some(SourceName::new(self.kind()))
    }

    fn read(&self, _item: &Item<'_>, content: &mut dyn Content, sink: &mut dyn Sink) {
        let document = match xml::read(content) {
            Ok(document) => document,
            Err(reason) => {
                sink.rejected(At::Item, "not a list of transport agents");
                let detail = format!("the list of transport agents cannot be read: {reason}");
                return sink.gap(GapKind::NotUnderstood, At::Item, (None, None), &detail);
            }
        };
        if let Some(fault) = document.fault {
            let detail = format!("the list of transport agents is read only in part: {fault}");
            sink.gap(GapKind::Partial, At::Item, (None, None), &detail);
        }
        let source = SourceName::new(self.kind());
        let mut waiting = vec![&document.root];
        let mut told = 0;
        while let Some(element) = waiting.pop() {
            waiting.extend(element.children.iter().rev());
            if element.name == "agent" && told < AGENTS_MAX {
                told += 1;
                tell(element, &source, sink);
            }
        }
    }
}

fn tell(agent: &Element, source: &SourceName, sink: &mut dyn Sink) {
    let attribute = |name: &str| agent.attribute(name).unwrap_or_default();
    let record = SimpleRecord::new(source, At::Line(agent.line.max(1)))
        .with("name", attribute("name"))
        .with("base", attribute("baseType"))
        .with("class", attribute("classFactory"))
        .with("process", attribute("assemblyPath"))
        .with("ImageLoaded", attribute("assemblyPath"))
        .with("enabled", attribute("enabled"));
    sink.record(&record);
    sink.fact(
        At::Line(agent.line.max(1)),
        Fact::Persistence(Persistence {
            kind: PersistenceKind::TransportAgent,
            name: attribute("name").to_owned(),
            command: attribute("assemblyPath").to_owned(),
            changed: None,
            clock: String::new(),
            author: String::new(),
        }),
    );
}
