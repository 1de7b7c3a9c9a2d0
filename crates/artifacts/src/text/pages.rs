//! The pages of a web site, as the requests of one log show them: which there are, and who asked for each.
//!
//! Requests are summed up by path, answer and method first ([`super::watch::WebRows`]), so that a busy page costs a few
//! comparisons a row. Each class of requests has a bound of its own: whoever asks for ten million paths that are not
//! there fills the class of refused requests, and no page that answered is left out for it.

use super::head::{Normal, to_text, without_port};
use super::table::Row;
use crate::Sink;
use model::{
    AGENTS_NAMED_MAX, At, CLIENTS_NAMED_MAX, Fact, Named, Timestamp, WebPage, WebPagesLeftOut,
};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Extensions of files that a web server executes.
const SCRIPT_EXTENSIONS: [&str; 12] = [
    "aspx", "ashx", "asmx", "ascx", "asax", "asp", "cshtml", "vbhtml", "php", "jsp", "jspx", "svc",
];

/// Methods that ask for something and hand nothing over.
const ASKING: [&str; 7] = [
    "GET", "HEAD", "OPTIONS", "PROPFIND", "TRACE", "CONNECT", "-",
];

/// Bytes of a user agent that are kept; the longest of browsers have some 300.
const AGENT_BYTES_MAX: usize = 512;

/// What a request to a web site can show of its pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// A script answered, or failed.
    Answered,
    /// The server redirected or refused a request for a script: nobody knows whether there is one.
    Refused,
    /// Something without the name of a script took what was handed over.
    Handler,
}

impl Class {
    pub(crate) const COUNT: usize = 3;

    /// The class of a request; `None` where it shows nothing.
    pub(crate) fn of(is_script: bool, method: &[u8], status: &[u8]) -> Option<Self> {
        let answered = matches!(status.first(), Some(b'2' | b'5'));
        if is_script {
            return Some(if answered {
                Self::Answered
            } else {
                Self::Refused
            });
        }
        (answered && hands_over(method)).then_some(Self::Handler)
    }

    pub(crate) fn is_answered(self) -> bool {
        self != Self::Refused
    }

    /// Triples of path, answer and method of this class that are kept of one item.
    pub(crate) fn accesses_max(self) -> usize {
        match self {
            // A server of Exchange has some 200 in a day; those of a large application some thousands.
            Self::Answered => 20_000,
            // Only what a scanner asked for before it was there is of use.
            Self::Refused => 10_000,
            // Interfaces that put names into paths have any number; they are no single pages then.
            Self::Handler => 2_000,
        }
    }
}

fn hands_over(method: &[u8]) -> bool {
    !method.is_empty()
        && !ASKING
            .iter()
            .any(|asking| method.eq_ignore_ascii_case(asking.as_bytes()))
}

/// Who asked, as the log writes it.
#[derive(Debug, Default)]
pub(crate) struct Askers {
    clients: Few<CLIENTS_NAMED_MAX>,
    agents: Few<AGENTS_NAMED_MAX>,
    referred: u64,
}

/// At most `MAX` different texts; of more, only that there are more.
#[derive(Debug, Default)]
struct Few<const MAX: usize> {
    texts: Vec<Box<[u8]>>,
    more: bool,
}

impl<const MAX: usize> Few<MAX> {
    fn add(&mut self, text: &[u8]) {
        // Most pages have more clients than are named: one comparison a row.
        if self.more || self.texts.iter().any(|known| **known == *text) {
            return;
        }
        if self.texts.len() >= MAX {
            self.more = true;
            self.texts = Vec::new();
        } else {
            self.texts.push(text.into());
        }
    }

    fn take(&mut self, later: &Self) {
        if later.more {
            self.more = true;
            self.texts = Vec::new();
        }
        for text in &later.texts {
            self.add(text);
        }
    }

    fn add_to(&self, named: &mut Named, read: fn(&[u8]) -> String) {
        if self.more {
            named.more = true;
            named.texts.clear();
        }
        for text in &self.texts {
            named.add(&read(text), MAX);
        }
    }
}

impl Askers {
    pub(crate) fn of(row: &Row<'_>) -> Self {
        let mut askers = Self::default();
        askers.add(row);
        askers
    }

    /// Counts one more row.
    pub(crate) fn add(&mut self, row: &Row<'_>) {
        let marks = &row.head.marks;
        let bytes = |normal: Option<Normal>| normal?.column().and_then(|at| row.raw_bytes(at));
        if !self.clients.more
            && let Some(client) = bytes(marks.client).filter(|text| is_there(text))
        {
            self.clients.add(address(client, marks.client));
        }
        if !self.agents.more
            && let Some(agent) = bytes(marks.user_agent)
        {
            self.agents
                .add(agent.get(..AGENT_BYTES_MAX).unwrap_or(agent));
        }
        let referrer = marks.referrer.and_then(|column| row.raw_bytes(column));
        self.referred += u64::from(referrer.is_some_and(is_there));
    }

    /// Adds what other rows show.
    pub(crate) fn take(&mut self, later: &Self) {
        self.clients.take(&later.clients);
        self.agents.take(&later.agents);
        self.referred += later.referred;
    }
}

fn is_there(text: &[u8]) -> bool {
    !matches!(text, b"" | b"-")
}

/// An address without the port that some logs add to it, so that one client is counted once.
fn address(text: &[u8], normal: Option<Normal>) -> &[u8] {
    let one_colon = |text: &[u8]| {
        let first = memchr::memchr(b':', text)?;
        (memchr::memrchr(b':', text) == Some(first)).then_some(first)
    };
    match (normal, one_colon(text)) {
        (Some(Normal::Address(_)), Some(colon)) => text.get(..colon).unwrap_or(text),
        _ => text,
    }
}

fn client_text(bytes: &[u8]) -> String {
    without_port(to_text(Cow::Borrowed(bytes))).into_owned()
}

/// IIS writes `+` for blanks, and `-` where the client sent none.
fn agent_text(bytes: &[u8]) -> String {
    match &*to_text(Cow::Borrowed(bytes)) {
        "-" => String::new(),
        agent => agent.replace('+', " "),
    }
}

/// Requests with the same path, answer and method.
pub(crate) struct PageRequests<'a> {
    /// In lower case.
    pub(crate) path: &'a str,
    pub(crate) status: u16,
    pub(crate) method: &'a str,
    pub(crate) count: u64,
    pub(crate) span: (Timestamp, Timestamp),
    /// Places of the first and the last in the order of the log.
    pub(crate) at: (At, At),
    pub(crate) class: Class,
    pub(crate) askers: Option<&'a Askers>,
}

/// The pages of one log.
#[derive(Default)]
pub(crate) struct Pages(BTreeMap<(bool, String), Page>);

#[derive(Default)]
struct Page {
    answered: u64,
    failed: u64,
    posted: u64,
    referred: u64,
    first: Option<(Timestamp, At)>,
    last: Option<(Timestamp, At)>,
    clients: Named,
    agents: Named,
    missed: u64,
    missed_span: Option<(Timestamp, Timestamp)>,
}

impl Pages {
    pub(crate) fn add(&mut self, requests: &PageRequests<'_>) {
        let is_script = requests.class != Class::Handler;
        let name = if is_script {
            page_of(requests.path)
        } else {
            requests.path
        };
        let page = match self.0.entry((is_script, name.to_owned())) {
            Entry::Occupied(page) => page.into_mut(),
            Entry::Vacant(place) => place.insert(Page::default()),
        };
        let (first, last) = requests.span;
        if requests.status == 404 {
            page.missed += requests.count;
            let (from, until) = page.missed_span.unwrap_or(requests.span);
            page.missed_span = Some((from.min(first), until.max(last)));
        }
        let Some(askers) = requests.askers else {
            return;
        };
        if requests.status < 300 {
            page.answered += requests.count;
        } else {
            page.failed += requests.count;
        }
        if hands_over(requests.method.as_bytes()) {
            page.posted += requests.count;
        }
        page.referred += askers.referred;
        let first = (first, requests.at.0);
        page.first = Some(page.first.map_or(first, |known| known.min(first)));
        let last = (last, requests.at.1);
        page.last = Some(page.last.map_or(last, |known| known.max(last)));
        askers.clients.add_to(&mut page.clients, client_text);
        askers.agents.add_to(&mut page.agents, agent_text);
    }

    /// Tells every page that answered or failed, and how many requests were left out.
    pub(crate) fn finish(self, source: &model::SourceName, left_out: u64, sink: &mut dyn Sink) {
        for ((script, path), page) in self.0 {
            let (Some((first, at)), Some((last, last_at))) = (page.first, page.last) else {
                continue;
            };
            let told = WebPage {
                source: source.clone(),
                path,
                script,
                answered: page.answered,
                failed: page.failed,
                posted: page.posted,
                referred: page.referred,
                first,
                last,
                last_line: match last_at {
                    At::Line(line) => Some(line),
                    _ => None,
                },
                clients: page.clients,
                agents: page.agents,
                missed: page.missed,
                missed_first: page.missed_span.map(|(from, _)| from),
                missed_last: page.missed_span.map(|(_, until)| until),
            };
            sink.fact(at, Fact::WebPage(told));
        }
        if left_out > 0 {
            let told = WebPagesLeftOut {
                source: source.clone(),
                requests: left_out,
            };
            sink.fact(At::Item, Fact::WebPagesLeftOut(told));
        }
    }
}

/// The path as far as the name of its first script: what follows is handed to it.
fn page_of(path: &str) -> &str {
    let mut end = 0;
    for component in path.split_inclusive(['/', ';']) {
        end += component.len();
        if is_script_name(component.trim_end_matches(['/', ';']).as_bytes()) {
            return path
                .get(..end)
                .map_or(path, |page| page.trim_end_matches(['/', ';']));
        }
    }
    path
}

/// Whether any component of a URL path has an extension that the server executes; what follows such a component is
/// handed to the script (`/ecp/DDI/DDIService.svc/SetObject`).
pub(crate) fn is_script(path: &[u8]) -> bool {
    if memchr::memchr(b'.', path).is_none() {
        return false;
    }
    path.split(|byte| matches!(byte, b'/' | b';'))
        .any(is_script_name)
}

fn is_script_name(component: &[u8]) -> bool {
    let Some(dot) = memchr::memrchr(b'.', component) else {
        return false;
    };
    let extension = component.get(dot + 1..).unwrap_or_default();
    SCRIPT_EXTENSIONS
        .iter()
        .any(|known| extension.eq_ignore_ascii_case(known.as_bytes()))
}

#[cfg(test)]
mod tests {
    use crate::iis::w3c::IisLog;
    use crate::testing::read_with;
    use model::Fact;
    use std::fmt::Write as _;

    const HEAD: &str =
        "#Fields: date time cs-method cs-uri-stem c-ip cs(User-Agent) cs(Referer) sc-status\n";

    /// The pages of a log, one a line.
    fn pages(rows: &str) -> String {
        let said = read_with(
            &IisLog,
            "C:\\inetpub\\logs\\LogFiles\\W3SVC1\\u_ex210303.log",
            format!("{HEAD}{rows}").as_bytes(),
            &[],
        );
        let mut told = String::new();
        for fact in &said.facts {
            let (place, fact) = fact.split_once(" | ").expect("a place and a fact");
            match serde_json::from_str(fact).expect("a fact") {
                Fact::WebPage(page) => {
                    let named = |named: &model::Named| match named.count() {
                        Some(_) => format!("{:?}", named.texts),
                        None => "many".to_owned(),
                    };
                    writeln!(
                        told,
                        "{} {} answered {} failed {} posted {} referred {} missed {} from {place} to {:?} by {} with {}",
                        if page.script { "script" } else { "handler" },
                        page.path,
                        page.answered,
                        page.failed,
                        page.posted,
                        page.referred,
                        page.missed,
                        page.last_line,
                        named(&page.clients),
                        named(&page.agents),
                    )
                }
                Fact::WebPagesLeftOut(left_out) => writeln!(told, "left out {}", left_out.requests),
                _ => Ok(()),
            }
            .unwrap();
        }
        told
    }

    #[test]
    fn a_page_is_summed_up_over_answers_methods_and_path_info() {
        let told = pages(
            "2021-03-03 06:00:00 GET /a/x.aspx 192.0.2.1 A - 404\n\
             2021-03-03 06:00:01 GET /a/X.aspx 192.0.2.1 A - 200\n\
             2021-03-03 06:00:02 POST /a/x.aspx/more 192.0.2.2 A+B https://h/ 500\n\
             2021-03-03 06:00:03 POST /logo.png 192.0.2.2:1024 - - 200\n\
             2021-03-03 06:00:04 POST /logo.png 192.0.2.2:1025 - - 200\n\
             2021-03-03 06:00:05 GET /index.html 192.0.2.2 - - 200\n\
             2021-03-03 06:00:06 GET /b.aspx 192.0.2.2 - - 302\n",
        );
        assert_eq!(
            told,
            "handler /logo.png answered 2 failed 0 posted 2 referred 0 missed 0 from line 5 to Some(6) by {\"192.0.2.2\"} with {\"\"}\n\
             script /a/x.aspx answered 1 failed 1 posted 1 referred 1 missed 1 from line 3 to Some(4) by {\"192.0.2.1\", \"192.0.2.2\"} with {\"A\", \"A B\"}\n"
        );
    }

    #[test]
    fn many_clients_are_not_named() {
        let mut rows = String::new();
        for number in 1..=5 {
            writeln!(
                rows,
                "2021-03-03 06:00:00 GET /x.aspx 192.0.2.{number} A{number} - 200"
            )
            .unwrap();
        }
        assert_eq!(
            pages(&rows),
            "script /x.aspx answered 5 failed 0 posted 0 referred 0 missed 0 from line 2 to Some(6) by many with many\n"
        );
    }

    #[test]
    fn what_a_scanner_asks_for_evicts_no_page_that_answers() {
        let mut rows = String::new();
        for number in 0..30_000 {
            writeln!(
                rows,
                "2021-03-03 06:00:00 GET /scan{number}.aspx 192.0.2.1 A - 404"
            )
            .unwrap();
        }
        rows.push_str("2021-03-03 06:00:01 POST /true.aspx 192.0.2.2 A - 200\n");
        assert_eq!(
            pages(&rows),
            "script /true.aspx answered 1 failed 0 posted 1 referred 0 missed 0 from line 30002 to Some(30002) by {\"192.0.2.2\"} with {\"A\"}\n\
             left out 20000\n"
        );
    }
}
