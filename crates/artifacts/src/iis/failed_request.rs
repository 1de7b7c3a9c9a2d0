//! Traces of failed requests (`FailedReqLogFiles\W3SVC1\fr000001.xml`): one request a file.
//!
//! Format: <https://learn.microsoft.com/iis/troubleshoot/using-failed-request-tracing/troubleshooting-failed-requests-using-tracing-in-iis>.
//! The element `failedRequest` bears the request; the events below it bear its time, client and headers.

use super::w3c::beginning;
use crate::text::head::{percent_decoded, without_port};
use crate::text::plain::TextRecord;
use crate::text::time::iso_time;
use crate::xml::{self, Element};
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use model::{At, GapKind, SourceName};
use std::borrow::Cow;

#[derive(Debug)]
pub(crate) struct FailedRequest;

impl Artifact for FailedRequest {
    fn kind(&self) -> &'static str {
        "iis.failed_request"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        if beginning(probe).contains("<failedRequest") {
            return Match::Content;
        }
        let placed = crate::text::names::folders(probe.path)
            .iter()
            .any(|folder| folder == "failedreqlogfiles");
        if placed && model::extension(probe.path) == "xml" {
            Match::Path
        } else {
            Match::No
        }
    }

    fn source(&self, _probe: &Probe<'_>) -> Option<SourceName> {
        Some(SourceName::new(self.kind()))
    }

    fn read(&self, _item: &Item<'_>, content: &mut dyn Content, sink: &mut dyn Sink) {
        let source = SourceName::new(self.kind());
        let document = match xml::read(content) {
            Ok(document) => document,
            Err(why) => {
                sink.rejected(At::Record(1), "not readable as XML");
                sink.gap(GapKind::Unreadable, At::Item, (None, None), why);
                return;
            }
        };
        if let Some(fault) = document.fault {
            sink.gap(GapKind::Partial, At::Item, (None, None), fault);
        }
        if document.root.name == "failedRequest" {
            tell_request(&source, &document.root, sink);
        } else {
            sink.rejected(At::Line(document.root.line), "no failed request");
        }
    }
}

fn tell_request(source: &SourceName, request: &Element, sink: &mut dyn Sink) {
    let url = request.attribute("url").unwrap_or_default();
    let mut record = TextRecord::new(source, request.line, url);
    record.time = request
        .children_named("Event")
        .find_map(|event| {
            event
                .child("System")?
                .child("TimeCreated")?
                .attribute("SystemTime")
        })
        .and_then(|time| iso_time(time.as_bytes()));
    for (name, attribute) in [
        ("url", "url"),
        ("method", "verb"),
        ("status", "statusCode"),
        ("siteId", "siteId"),
        ("appPoolId", "appPoolId"),
        ("processId", "processId"),
        ("user", "userName"),
        ("tokenUserName", "tokenUserName"),
        ("failureReason", "failureReason"),
        ("triggerStatusCode", "triggerStatusCode"),
        ("timeTaken", "timeTaken"),
    ] {
        record.add(name, request.attribute(attribute).unwrap_or_default());
    }
    let (path, query) = path_and_query(url);
    record.add("path", percent_decoded(Cow::Borrowed(path)));
    record.add("query", query);
    if let Some(address) = data(request, "RemoteAddress") {
        record.add("client", without_port(Cow::Borrowed(address)));
    }
    if let Some(headers) = data(request, "Headers") {
        let header = |name: &str| {
            headers.lines().find_map(|line| {
                let (known, value) = line.split_once(':')?;
                known
                    .trim()
                    .eq_ignore_ascii_case(name)
                    .then(|| value.trim())
            })
        };
        record.add("user_agent", header("User-Agent").unwrap_or_default());
        record.add("host_header", header("Host").unwrap_or_default());
        record.add("cookie", header("Cookie").unwrap_or_default());
    }
    if record.time.is_none() {
        let detail = "the trace holds no event that dates the request";
        sink.gap(
            GapKind::Partial,
            At::Line(request.line),
            (None, None),
            detail,
        );
    }
    sink.record(&record);
}

/// The first value of this name in the data of any event.
fn data<'a>(request: &'a Element, name: &str) -> Option<&'a str> {
    request
        .children_named("Event")
        .filter_map(|event| event.child("EventData"))
        .flat_map(|data| data.children_named("Data"))
        .find(|data| data.attribute("Name") == Some(name))
        .map(|data| data.text.as_str())
}

/// Path and query of a URL without scheme and host.
fn path_and_query(url: &str) -> (&str, &str) {
    let rest = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
        None => url,
    };
    rest.split_once('?').unwrap_or((rest, ""))
}
