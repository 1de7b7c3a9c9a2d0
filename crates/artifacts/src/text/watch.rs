//! What the rows of one log show of their host together: its names, the product's builds, requests for scripts.

use super::head::{Normal, percent_decoded};
use super::names::log_name;
use super::table::{Row, Watch};
use crate::Sink;
use model::{
    At, Build, BuildSeen, Fact, GapKind, HostNameSeen, Record, SourceName, Timestamp, WebAccess,
};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Names told per item; a log that names more hosts is no log of one host.
const NAMES_TOLD_MAX: usize = 16;

/// Names counted per item.
const NAMES_COUNTED_MAX: usize = 64;

/// Runs of rows with the same build per item; a server changes its build a few times a year.
const BUILD_RUNS_MAX: usize = 1_000;

/// Pairs of path and answer per item.
const ACCESSES_MAX: usize = 20_000;

/// Extensions of files that a web server executes.
const SCRIPT_EXTENSIONS: [&str; 12] = [
    "aspx", "ashx", "asmx", "ascx", "asax", "asp", "cshtml", "vbhtml", "php", "jsp", "jspx", "svc",
];

/// Counts the names that rows give their host.
pub(crate) struct HostNames {
    rule: &'static str,
    rank: u8,
    names: Vec<(Vec<u8>, u64, At)>,
    overflow: bool,
}

impl HostNames {
    pub(crate) fn new(rule: &'static str, rank: u8) -> Self {
        Self {
            rule,
            rank,
            names: Vec::new(),
            overflow: false,
        }
    }

    pub(crate) fn see(&mut self, name: &[u8], at: At) {
        if name.is_empty() {
            return;
        }
        let known = self
            .names
            .iter_mut()
            .find(|(known, ..)| known.eq_ignore_ascii_case(name));
        if let Some((_, count, _)) = known {
            *count += 1;
        } else if self.names.len() < NAMES_COUNTED_MAX {
            self.names.push((name.to_vec(), 1, at));
        } else {
            self.overflow = true;
        }
    }

    /// Tells the names, the most frequent first.
    pub(crate) fn finish(&mut self, sink: &mut dyn Sink) {
        self.names.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        for (name, _, at) in self.names.iter().take(NAMES_TOLD_MAX) {
            let seen = HostNameSeen {
                name: String::from_utf8_lossy(name).into_owned(),
                rule: self.rule.to_owned(),
                rank: self.rank,
            };
            sink.fact(*at, Fact::HostName(seen));
        }
        if self.names.len() > NAMES_TOLD_MAX || self.overflow {
            let detail = "more computer names than one host has; only the most frequent were kept";
            sink.gap(GapKind::Limit, At::Item, (None, None), detail);
        }
    }
}

/// Runs of rows that show the same build.
pub(crate) struct Builds {
    rule: &'static str,
    runs: Vec<Run>,
    /// The build of the last row as it was written, so that most rows need no parsing.
    text: Vec<u8>,
    overflow: bool,
}

struct Run {
    build: Build,
    first: Timestamp,
    last: Timestamp,
    count: u64,
    at: At,
}

impl Builds {
    pub(crate) fn new(rule: &'static str) -> Self {
        Self {
            rule,
            runs: Vec::new(),
            text: Vec::new(),
            overflow: false,
        }
    }

    /// A build whose parts stand in up to four texts; what is no build does not count.
    pub(crate) fn see(&mut self, parts: &[&[u8]], time: Timestamp, at: At) {
        if let Some(run) = self.runs.last_mut()
            && joined_equals(&self.text, parts)
        {
            run.count += 1;
            run.first = run.first.min(time);
            run.last = run.last.max(time);
            return;
        }
        let text = parts.join(&b'.');
        let Some(build) = std::str::from_utf8(&text)
            .ok()
            .and_then(|text| text.parse::<Build>().ok())
        else {
            return;
        };
        // Written differently, `15.01.2176.002` and `15.1.2176.2` are one build.
        if let Some(run) = self.runs.last_mut()
            && run.build == build
        {
            run.count += 1;
            run.first = run.first.min(time);
            run.last = run.last.max(time);
        } else if self.runs.len() < BUILD_RUNS_MAX {
            self.runs.push(Run {
                build,
                first: time,
                last: time,
                count: 1,
                at,
            });
        } else {
            self.overflow = true;
            return;
        }
        self.text = text;
    }

    pub(crate) fn finish(&mut self, sink: &mut dyn Sink) {
        for run in &self.runs {
            let seen = BuildSeen {
                product: "exchange".to_owned(),
                build: run.build,
                first: Some(run.first),
                last: Some(run.last),
                count: run.count,
                rule: self.rule.to_owned(),
            };
            sink.fact(run.at, Fact::Build(seen));
        }
        if self.overflow {
            let from = self.runs.last().map(|run| run.last);
            let detail =
                "the build changes more often than any server's; later changes were not kept";
            sink.gap(GapKind::Limit, At::Item, (from, None), detail);
        }
    }
}

fn joined_equals(text: &[u8], parts: &[&[u8]]) -> bool {
    let mut rest = text;
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            let Some(after) = rest.strip_prefix(b".") else {
                return false;
            };
            rest = after;
        }
        let Some(after) = rest.strip_prefix(*part) else {
            return false;
        };
        rest = after;
    }
    rest.is_empty()
}

/// Watches the logs of Exchange.
pub(crate) struct ExchangeRows {
    hosts: HostNames,
    builds: Builds,
}

impl ExchangeRows {
    pub(crate) fn new(host_rule: &'static str, build_rule: &'static str) -> Self {
        Self {
            hosts: HostNames::new(host_rule, model::host_name_rank::PRODUCT_LOG),
            builds: Builds::new(build_rule),
        }
    }
}

impl Watch for ExchangeRows {
    fn row(&mut self, row: &Row<'_>) {
        if let Some(Normal::Text(column)) = row.head.normal("server")
            && let Some(name) = row.bytes(column)
        {
            self.hosts.see(&name, row.at());
        }
        let Some(time) = row.time() else {
            return;
        };
        if let Some(Normal::Build(columns)) = row.head.normal("build") {
            let parts = columns.map(|column| row.raw_bytes(column).unwrap_or_default());
            self.builds.see(&parts, time, row.at());
        } else if let Some(parts) = row.parts()
            && let Some(build) = super::parts::get(&parts, "build")
        {
            self.builds.see(&[build.as_bytes()], time, row.at());
        }
    }

    fn finish(&mut self, _source: &SourceName, sink: &mut dyn Sink) {
        self.hosts.finish(sink);
        self.builds.finish(sink);
    }
}

/// Watches the logs of IIS: computer names, and requests for scripts summed up by path and answer.
pub(crate) struct WebRows {
    hosts: HostNames,
    accesses: BTreeMap<Vec<u8>, Access>,
    key: Vec<u8>,
    overflow_from: Option<Timestamp>,
}

struct Access {
    path: String,
    status: u16,
    method: String,
    first: Timestamp,
    last: Timestamp,
    count: u64,
    client: String,
    user_agent: String,
    at: At,
}

impl WebRows {
    pub(crate) fn new() -> Self {
        Self {
            hosts: HostNames::new("IIS s-computername", model::host_name_rank::WEB_LOG),
            accesses: BTreeMap::new(),
            key: Vec::new(),
            overflow_from: None,
        }
    }

    fn access(&mut self, row: &Row<'_>) -> Option<()> {
        let column = |name| match row.head.normal(name)? {
            Normal::Text(column) | Normal::Path(column) | Normal::Number(column) => {
                row.raw_bytes(column)
            }
            _ => None,
        };
        let path = decoded(column("path")?);
        if !is_script(&path) {
            return None;
        }
        let time = row.time()?;
        let (status, method) = (column("status")?, column("method").unwrap_or_default());
        self.key.clear();
        for part in [&*path, status, method] {
            self.key.extend(part.iter().map(u8::to_ascii_lowercase));
            self.key.push(0);
        }
        if let Some(access) = self.accesses.get_mut(&self.key) {
            access.count += 1;
            access.last = access.last.max(time);
            if time < access.first {
                access.first = time;
                access.client = row.normal_text("client").unwrap_or_default();
                access.user_agent = row.normal_text("user_agent").unwrap_or_default();
            }
            return Some(());
        }
        if self.accesses.len() >= ACCESSES_MAX {
            self.overflow_from = self.overflow_from.or(Some(time));
            return None;
        }
        let access = Access {
            path: row.normal_text("path")?.to_lowercase(),
            status: row.normal_text("status")?.parse().ok()?,
            method: String::from_utf8_lossy(method).into_owned(),
            first: time,
            last: time,
            count: 1,
            client: row.normal_text("client").unwrap_or_default(),
            user_agent: row.normal_text("user_agent").unwrap_or_default(),
            at: row.at(),
        };
        self.accesses.insert(self.key.clone(), access);
        Some(())
    }
}

impl Watch for WebRows {
    fn row(&mut self, row: &Row<'_>) {
        if let Some(Normal::Text(column)) = row.head.normal("server")
            && let Some(name) = row.bytes(column)
        {
            self.hosts.see(&name, row.at());
        }
        let _not_a_script: Option<()> = self.access(row);
    }

    fn finish(&mut self, source: &SourceName, sink: &mut dyn Sink) {
        self.hosts.finish(sink);
        for access in std::mem::take(&mut self.accesses).into_values() {
            let fact = WebAccess {
                source: source.clone(),
                path: access.path,
                status: access.status,
                method: access.method,
                first: access.first,
                last: access.last,
                count: access.count,
                client: access.client,
                user_agent: access.user_agent,
            };
            sink.fact(access.at, Fact::WebAccess(fact));
        }
        if self.overflow_from.is_some() {
            let detail =
                "more pairs of script path and answer than are summed up; later ones were not kept";
            sink.gap(GapKind::Limit, At::Item, (self.overflow_from, None), detail);
        }
    }
}

/// Watches nothing.
pub(crate) struct NoRows;

impl Watch for NoRows {
    fn row(&mut self, _row: &Row<'_>) {}

    fn finish(&mut self, _source: &SourceName, _sink: &mut dyn Sink) {}
}

/// A path with its per cent signs decoded; IIS mostly logs it decoded already.
fn decoded(path: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'%', path).is_none() {
        return Cow::Borrowed(path);
    }
    let text = percent_decoded(String::from_utf8_lossy(path));
    Cow::Owned(text.into_owned().into_bytes())
}

/// Whether any component of a URL path has an extension that the server executes; what follows such a component is
/// handed to the script (`/ecp/DDI/DDIService.svc/SetObject`).
fn is_script(path: &[u8]) -> bool {
    if memchr::memchr(b'.', path).is_none() {
        return false;
    }
    path.split(|byte| matches!(byte, b'/' | b';'))
        .any(|component| {
            let Some(dot) = memchr::memrchr(b'.', component) else {
                return false;
            };
            let extension = component.get(dot + 1..).unwrap_or_default();
            SCRIPT_EXTENSIONS
                .iter()
                .any(|known| extension.eq_ignore_ascii_case(known.as_bytes()))
        })
}

/// Whether a file is named like a log.
pub(crate) fn is_log_name(path: &str) -> bool {
    model::extension(log_name(path)) == "log"
}
