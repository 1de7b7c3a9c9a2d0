//! What the rows of one log show of their host together: its names, the product's builds, requests for scripts.

use super::head::{Normal, percent_decoded};
use super::names::log_name;
use super::pages::{Askers, Class, PageRequests, Pages, is_script};
use super::table::{Row, Watch};
use crate::Sink;
use model::{
    At, Build, BuildSeen, Fact, GapKind, HostNameSeen, Record, SourceName, Timestamp, WebAccess,
};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

/// Names told per item; a log that names more hosts is no log of one host.
const NAMES_TOLD_MAX: usize = 16;

/// Names counted per item.
const NAMES_COUNTED_MAX: usize = 64;

/// Runs of rows with the same build per item; a server changes its build a few times a year.
const BUILD_RUNS_MAX: usize = 1_000;

/// Requests that are remembered as they are written.
const RECENT_MAX: usize = 4_096;

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

    /// Adds what was counted in rows that follow, whose lines are counted from the line after `lines`.
    fn take(&mut self, later: Self, lines: u64) {
        self.overflow |= later.overflow;
        for (name, count, at) in later.names {
            let known = self
                .names
                .iter_mut()
                .find(|(known, ..)| known.eq_ignore_ascii_case(&name));
            if let Some((_, known, _)) = known {
                *known += count;
            } else if self.names.len() < NAMES_COUNTED_MAX {
                self.names.push((name, count, moved(at, lines)));
            } else {
                self.overflow = true;
            }
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
    /// The build of the last run as a row wrote it, so that most rows need no parsing.
    text: Option<Vec<u8>>,
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
            text: None,
            overflow: false,
        }
    }

    /// A build whose parts stand in up to four texts; what is no build does not count.
    pub(crate) fn see(&mut self, parts: &[&[u8]], time: Timestamp, at: At) {
        if let Some(run) = self.runs.last_mut()
            && let Some(text) = &self.text
            && joined_equals(text, parts)
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
        self.text = Some(text);
    }

    /// Adds what was seen in rows that follow, whose lines are counted from the line after `lines`.
    fn take(&mut self, later: Self, lines: u64) {
        for run in later.runs {
            if let Some(last) = self.runs.last_mut()
                && last.build == run.build
            {
                last.count += run.count;
                last.first = last.first.min(run.first);
                last.last = last.last.max(run.last);
            } else if self.runs.len() < BUILD_RUNS_MAX {
                self.runs.push(Run {
                    at: moved(run.at, lines),
                    ..run
                });
                self.text = None;
            } else {
                self.overflow = true;
            }
        }
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

impl ExchangeRows {
    fn fresh(&self) -> Self {
        Self {
            hosts: HostNames::new(self.hosts.rule, self.hosts.rank),
            builds: Builds::new(self.builds.rule),
        }
    }

    fn see(&mut self, row: &Row<'_>) {
        if let Some(Normal::Text(column)) = row.head.marks.server
            && let Some(name) = row.bytes(column)
        {
            self.hosts.see(&name, row.at());
        }
        let Some(time) = row.time() else {
            return;
        };
        if let Some(Normal::Build(columns)) = row.head.marks.build {
            let parts = columns.map(|column| row.raw_bytes(column).unwrap_or_default());
            self.builds.see(&parts, time, row.at());
        } else if let Some(parts) = row.parts()
            && let Some(build) = super::parts::get(&parts, "build")
        {
            self.builds.see(&[build.as_bytes()], time, row.at());
        }
    }
}

impl Watch for ExchangeRows {
    fn row(&mut self, row: &Row<'_>) {
        self.see(row);
    }

    fn apart(&self) -> Option<Apart> {
        Some(Apart::Exchange(self.fresh()))
    }

    fn take(&mut self, later: Apart, lines: u64) -> bool {
        let Apart::Exchange(later) = later else {
            return false;
        };
        if later.hosts.overflow || later.builds.overflow {
            return false;
        }
        self.hosts.take(later.hosts, lines);
        self.builds.take(later.builds, lines);
        true
    }

    fn finish(&mut self, _source: &SourceName, sink: &mut dyn Sink) {
        self.hosts.finish(sink);
        self.builds.finish(sink);
    }
}

/// Watches the logs of IIS: computer names, and requests for scripts summed up by path and answer.
pub(crate) struct WebRows {
    hosts: HostNames,
    accesses: Vec<Access>,
    /// How many accesses there are of each class.
    counts: [usize; Class::COUNT],
    /// Requests that the bounds of their classes kept out, where nothing rests on them.
    left_out: u64,
    /// Number of an access by its key. Looked up only.
    by_key: HashMap<Vec<u8>, usize>,
    /// Requests as they are written, and their access where they are for a script. Looked up only.
    recent: HashMap<Vec<u8>, Option<usize>>,
    key: Vec<u8>,
    overflow_from: Option<Timestamp>,
    /// First segments of paths, in the order in which they came; kept only of rows apart.
    segments: Option<(Vec<String>, BTreeSet<String>)>,
}

struct Access {
    /// Path, status and method in lower case.
    key: Vec<u8>,
    path: String,
    status: u16,
    method: String,
    first: Timestamp,
    last: Timestamp,
    count: u64,
    client: String,
    user_agent: String,
    at: At,
    last_at: At,
    class: Class,
    /// Who asked, where the server answered.
    askers: Option<Box<Askers>>,
}

impl WebRows {
    pub(crate) fn new() -> Self {
        Self {
            hosts: HostNames::new("IIS s-computername", model::host_name_rank::WEB_LOG),
            accesses: Vec::new(),
            counts: [0; Class::COUNT],
            left_out: 0,
            by_key: HashMap::new(),
            recent: HashMap::new(),
            key: Vec::new(),
            overflow_from: None,
            segments: None,
        }
    }

    /// For rows that are seen apart from others.
    fn apart() -> Self {
        Self {
            segments: Some((Vec::new(), BTreeSet::new())),
            ..Self::new()
        }
    }

    fn see(&mut self, row: &Row<'_>) {
        if let Some(Normal::Text(column)) = row.head.marks.server
            && let Some(name) = row.bytes(column)
        {
            self.hosts.see(&name, row.at());
        }
        let Some(path) = row.head.marks.path.and_then(Normal::column) else {
            return;
        };
        let marks = &row.head.marks;
        self.key.clear();
        // Another head may give the same texts another meaning.
        self.key.push(match marks.web_path {
            None => 0,
            Some(Normal::Text(_)) => 1,
            Some(Normal::Path(_)) => 2,
            Some(_) => 3,
        });
        let columns = [
            Some(path),
            marks.status.and_then(Normal::column),
            marks.method.and_then(Normal::column),
        ];
        for column in columns.into_iter().flatten() {
            self.key
                .extend_from_slice(row.raw_bytes(column).unwrap_or_default());
            self.key.push(b'\n');
        }
        if let Some(known) = self.recent.get(&self.key) {
            if let Some((access, time)) = known
                .and_then(|number| self.accesses.get_mut(number))
                .zip(row.time())
            {
                access.add(row, time);
            }
            return;
        }
        self.note_segment(row);
        let written = self.key.clone();
        let number = match self.access(row) {
            Known::Script(number) => Some(number),
            Known::NoScript => None,
            Known::Open => return,
        };
        if self.recent.len() >= RECENT_MAX {
            self.recent.clear();
        }
        self.recent.insert(written, number);
    }

    /// Counts a row for its access.
    fn access(&mut self, row: &Row<'_>) -> Known {
        let column = |name| match name? {
            Normal::Text(column) | Normal::Path(column) | Normal::Number(column) => {
                row.raw_bytes(column)
            }
            _ => None,
        };
        let marks = &row.head.marks;
        let Some(path) = column(marks.web_path).map(decoded) else {
            return Known::Open;
        };
        let method = column(marks.method).unwrap_or_default();
        let answer = column(marks.status).unwrap_or_default();
        let Some(class) = Class::of(is_script(&path), method, answer) else {
            return Known::NoScript;
        };
        let (Some(time), Some(status)) = (row.time(), column(marks.status)) else {
            return Known::Open;
        };
        self.key.clear();
        for part in [&*path, status, method] {
            self.key.extend(part.iter().map(u8::to_ascii_lowercase));
            self.key.push(0);
        }
        if let Some(number) = self.by_key.get(&self.key)
            && let Some(access) = self.accesses.get_mut(*number)
        {
            access.add(row, time);
            return Known::Script(*number);
        }
        if self.is_full(class) {
            if class == Class::Answered {
                self.overflow_from = self.overflow_from.or(Some(time));
            } else {
                self.left_out += 1;
            }
            return Known::Open;
        }
        let (Some(path), Some(Ok(status))) = (
            row.normal_text("path"),
            row.normal_text("status").map(|status| status.parse()),
        ) else {
            return Known::Open;
        };
        let number = self.accesses.len();
        self.accesses.push(Access {
            key: self.key.clone(),
            path: path.to_lowercase(),
            status,
            method: String::from_utf8_lossy(method).into_owned(),
            first: time,
            last: time,
            count: 1,
            client: row.normal_text("client").unwrap_or_default(),
            user_agent: row.normal_text("user_agent").unwrap_or_default(),
            at: row.at(),
            last_at: row.at(),
            class,
            askers: class.is_answered().then(|| Box::new(Askers::of(row))),
        });
        self.by_key.insert(self.key.clone(), number);
        self.count(class);
        Known::Script(number)
    }

    fn is_full(&self, class: Class) -> bool {
        let counts = self.counts.get(class as usize);
        counts.is_some_and(|count| *count >= class.accesses_max())
    }

    fn count(&mut self, class: Class) {
        if let Some(count) = self.counts.get_mut(class as usize) {
            *count += 1;
        }
    }

    fn note_segment(&mut self, row: &Row<'_>) {
        let Some((segments, known)) = &mut self.segments else {
            return;
        };
        let Some(path) = row.get("path") else {
            return;
        };
        let path = path.to_text();
        let segment = path.trim_start_matches('/').split('/').next().unwrap_or("");
        if !segment.is_empty() && !known.contains(segment) {
            known.insert(segment.to_owned());
            segments.push(segment.to_owned());
        }
    }

    /// First segments of the paths of rows apart.
    pub(crate) fn segments(&self) -> &[String] {
        self.segments.as_ref().map_or(&[], |(segments, _)| segments)
    }
}

/// What is known of a request once it was looked at.
enum Known {
    Script(usize),
    NoScript,
    /// The next one like it has to be looked at again.
    Open,
}

impl Access {
    /// Counts one more row.
    fn add(&mut self, row: &Row<'_>, time: Timestamp) {
        self.count += 1;
        if time >= self.last {
            self.last = time;
            self.last_at = row.at();
        }
        if let Some(askers) = &mut self.askers {
            askers.add(row);
        }
        if time < self.first {
            self.first = time;
            self.client = row.normal_text("client").unwrap_or_default();
            self.user_agent = row.normal_text("user_agent").unwrap_or_default();
        }
    }

    /// Adds what was counted in rows that follow, whose lines are counted from the line after `lines`.
    fn take(&mut self, later: Self, lines: u64) {
        self.count += later.count;
        if later.last >= self.last {
            self.last = later.last;
            self.last_at = moved(later.last_at, lines);
        }
        if let (Some(askers), Some(later)) = (&mut self.askers, &later.askers) {
            askers.take(later);
        }
        if later.first < self.first {
            self.first = later.first;
            self.client = later.client;
            self.user_agent = later.user_agent;
        }
    }
}

impl Watch for WebRows {
    fn row(&mut self, row: &Row<'_>) {
        self.see(row);
    }

    fn apart(&self) -> Option<Apart> {
        Some(Apart::Web(Box::new(Self::apart())))
    }

    fn take(&mut self, later: Apart, lines: u64) -> bool {
        let Apart::Web(later) = later else {
            return false;
        };
        let answered = Class::Answered as usize;
        let counts = [self.counts.get(answered), later.counts.get(answered)];
        let fits = counts.into_iter().flatten().sum::<usize>() <= Class::Answered.accesses_max();
        let is_whole = later.overflow_from.is_none() && later.left_out == 0;
        if later.hosts.overflow || !is_whole || !fits {
            return false;
        }
        self.hosts.take(later.hosts, lines);
        for access in later.accesses {
            if let Some(number) = self.by_key.get(&access.key)
                && let Some(known) = self.accesses.get_mut(*number)
            {
                known.take(access, lines);
            } else if self.is_full(access.class) {
                self.left_out += access.count;
            } else {
                self.count(access.class);
                self.by_key.insert(access.key.clone(), self.accesses.len());
                self.accesses.push(Access {
                    at: moved(access.at, lines),
                    last_at: moved(access.last_at, lines),
                    ..access
                });
            }
        }
        true
    }

    fn finish(&mut self, source: &SourceName, sink: &mut dyn Sink) {
        self.hosts.finish(sink);
        self.recent.clear();
        self.by_key.clear();
        let mut accesses = std::mem::take(&mut self.accesses);
        accesses.sort_by(|a, b| a.key.cmp(&b.key));
        let mut pages = Pages::default();
        for access in accesses {
            pages.add(&PageRequests {
                path: &access.path,
                status: access.status,
                method: &access.method,
                count: access.count,
                span: (access.first, access.last),
                at: (access.at, access.last_at),
                class: access.class,
                askers: access.askers.as_deref(),
            });
            if access.class == Class::Handler {
                continue;
            }
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
        pages.finish(source, self.left_out, sink);
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

    fn apart(&self) -> Option<Apart> {
        Some(Apart::Nothing)
    }

    fn take(&mut self, _later: Apart, _lines: u64) -> bool {
        true
    }

    fn finish(&mut self, _source: &SourceName, _sink: &mut dyn Sink) {}
}

/// What a block of rows shows by itself, before it is added to what the rows before it showed. Its lines are counted
/// from 1.
pub(crate) enum Apart {
    Nothing,
    Exchange(ExchangeRows),
    Web(Box<WebRows>),
}

impl Apart {
    /// The same for other rows, still empty.
    pub(crate) fn fresh(&self) -> Self {
        match self {
            Self::Nothing => Self::Nothing,
            Self::Exchange(rows) => Self::Exchange(rows.fresh()),
            Self::Web(_) => Self::Web(Box::new(WebRows::apart())),
        }
    }

    pub(crate) fn row(&mut self, row: &Row<'_>) {
        match self {
            Self::Nothing => {}
            Self::Exchange(rows) => rows.see(row),
            Self::Web(rows) => rows.see(row),
        }
    }

    /// First segments of URL paths; empty where the log is none of a web server.
    pub(crate) fn segments(&self) -> &[String] {
        match self {
            Self::Web(rows) => rows.segments(),
            Self::Nothing | Self::Exchange(_) => &[],
        }
    }
}

/// A place in lines that are counted from the line after `lines`.
fn moved(at: At, lines: u64) -> At {
    match at {
        At::Line(number) => At::Line(number + lines),
        other => other,
    }
}

/// A path with its per cent signs decoded; IIS mostly logs it decoded already.
fn decoded(path: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'%', path).is_none() {
        return Cow::Borrowed(path);
    }
    let text = percent_decoded(String::from_utf8_lossy(path));
    Cow::Owned(text.into_owned().into_bytes())
}

/// Whether a file is named like a log.
pub(crate) fn is_log_name(path: &str) -> bool {
    model::extension(log_name(path)) == "log"
}
