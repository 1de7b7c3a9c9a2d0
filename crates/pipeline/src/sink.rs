//! Takes what a reader says of one item: counts it, keeps its rhythm, and shows each record to detection.

use crate::compilation::{COMPILATIONS_MAX, Compilations};
use crate::job::ItemReport;
use artifacts::Sink;
use detect::{ItemDetection, Match};
use model::{
    Activity, At, Columns, Fact, FactAt, Gap, GapKind, Interest, Place, Record, Rejected, Rows,
    Screen, SourceName, Timestamp,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::events::Staging;

/// Gaps of one item that are kept one by one.
const GAPS_MAX: usize = 1_000;

/// Facts of one item. A log of hostile paths must not fill the memory; the readers have closer bounds of their own.
const FACTS_MAX: usize = 100_000;

/// Kinds of rejection that are told apart.
const REASONS_MAX: usize = 64;

/// Sources that one item may speak for: an event log has one, an export of many channels has many.
const SOURCES_MAX: usize = 512;

/// First path segments kept of a web log.
const REQUESTED_MAX: usize = 512;

/// The longest first path segment that is kept; no product has one nearly as long.
const SEGMENT_BYTES_MAX: usize = 64;

/// Takes every match of a hunt.
pub(crate) type Hunt<'a> = &'a mut (dyn FnMut(&Match<'_>) + 'a);

/// Sources whose requests tell which parts of the server were asked for.
const WEB_FAMILY: &str = "iis.site";

/// Collects one item's report.
pub(crate) struct ItemSink<'a, 'd> {
    path: &'a str,
    source: Option<SourceName>,
    /// Whether times of records tell when the host was at work.
    rhythm: bool,
    detection: &'a mut ItemDetection<'d>,
    /// Takes every match by itself instead, for a hunt.
    hunt: Option<Hunt<'a>>,
    /// Takes every record for a case, under the item's number.
    events: Option<(&'a mut Staging, u64)>,
    report: ItemReport,
    activity: BTreeMap<SourceName, Activity>,
    requested: BTreeMap<SourceName, BTreeSet<String>>,
    rejected: BTreeMap<String, (u64, At)>,
    compilations: Compilations,
    compilations_seen: u64,
    gaps_left_out: u64,
    facts_left_out: u64,
}

impl<'a, 'd> ItemSink<'a, 'd> {
    pub(crate) fn new(
        path: &'a str,
        source: Option<SourceName>,
        detection: &'a mut ItemDetection<'d>,
        hunt: Option<Hunt<'a>>,
    ) -> Self {
        Self {
            path,
            source,
            rhythm: true,
            detection,
            hunt,
            events: None,
            report: ItemReport::default(),
            activity: BTreeMap::new(),
            requested: BTreeMap::new(),
            rejected: BTreeMap::new(),
            compilations: Compilations::default(),
            compilations_seen: 0,
            gaps_left_out: 0,
            facts_left_out: 0,
        }
    }

    /// Keeps no minutes: the item's records have times that are no rhythm.
    pub(crate) fn without_rhythm(mut self) -> Self {
        self.rhythm = false;
        self
    }

    /// Puts every record down as well.
    pub(crate) fn with_events(mut self, events: Option<(&'a mut Staging, u64)>) -> Self {
        self.events = events;
        self
    }

    /// What was read, with rejected records as a gap of their own: a record that nobody understood is evidence not seen.
    pub(crate) fn finish(mut self) -> ItemReport {
        let rejected = std::mem::take(&mut self.rejected);
        for (reason, (count, at)) in &rejected {
            self.report.item.rejected.push(Rejected {
                reason: reason.clone(),
                count: *count,
            });
            let detail = format!("{count} records rejected: {reason}");
            self.gap(GapKind::Partial, *at, (None, None), &detail);
        }
        if self.facts_left_out > 0 {
            let detail = format!(
                "{} facts beyond the bound of {FACTS_MAX}",
                self.facts_left_out
            );
            self.gap(GapKind::Limit, At::Item, (None, None), &detail);
        }
        if self.compilations_seen > COMPILATIONS_MAX {
            let detail = format!(
                "{} compilations by the web server beyond the bound were not compared with others",
                self.compilations_seen - COMPILATIONS_MAX
            );
            // Nothing rests on them but leads: no need is less seen for it.
            self.keep_gap(None, GapKind::Limit, At::Item, (None, None), &detail);
        }
        if self.gaps_left_out > 0 {
            let detail = format!("and {} more gaps in this item", self.gaps_left_out);
            let place = Place::item("", self.path);
            self.report.gaps.push(Gap {
                source: self.source.clone(),
                ..Gap::new(GapKind::Limit, place, detail)
            });
        }
        self.report.activity = self.activity.into_iter().collect();
        self.report.requested = self.requested.into_iter().collect();
        self.report
    }

    fn keep_gap(
        &mut self,
        source: Option<SourceName>,
        kind: GapKind,
        at: At,
        span: (Option<Timestamp>, Option<Timestamp>),
        detail: &str,
    ) {
        if self.report.gaps.len() >= GAPS_MAX {
            self.gaps_left_out += 1;
            return;
        }
        let place = Place::item("", self.path).at(at);
        let gap = Gap::new(kind, place, detail).between(span.0, span.1);
        self.report.gaps.push(Gap { source, ..gap });
    }

    fn note_request(&mut self, record: &dyn Record) {
        let Some(path) = record.get("path") else {
            return;
        };
        let path = path.to_text();
        let segment = path.trim_start_matches('/').split('/').next().unwrap_or("");
        self.note_segment(record.source(), segment);
    }

    fn note_segment(&mut self, source: &SourceName, segment: &str) {
        if segment.is_empty() || segment.len() > SEGMENT_BYTES_MAX {
            return;
        }
        // Most rows repeat a segment that is already known: look before building a key.
        if !self.requested.contains_key(source) {
            self.requested.insert(source.clone(), BTreeSet::new());
        }
        let Some(known) = self.requested.get_mut(source) else {
            return;
        };
        let key = format!("/{}", segment.to_lowercase());
        if known.len() < REQUESTED_MAX && !known.contains(&key) {
            known.insert(key);
        }
    }
}

impl Sink for ItemSink<'_, '_> {
    fn record(&mut self, record: &dyn Record) {
        self.report.item.records_in += 1;
        self.report.item.events += 1;
        let source = record.source();
        if let Some(time) = record.time().filter(|_| self.rhythm) {
            if let Some(activity) = self.activity.get_mut(source) {
                activity.add(time);
            } else if self.activity.len() < SOURCES_MAX {
                self.activity.entry(source.clone()).or_default().add(time);
            }
        }
        if source.family() == WEB_FAMILY {
            self.note_request(record);
        }
        if let Some((events, number)) = &mut self.events {
            events.record(*number, record);
        }
        if let Some(compilation) = self.compilations.look(record) {
            self.compilations_seen += 1;
            if self.compilations_seen <= COMPILATIONS_MAX {
                self.fact(record.at(), Fact::Compilation(compilation));
            }
        }
        self.suspect(record, &Interest::Any);
    }

    fn screen(
        &mut self,
        source: &SourceName,
        columns: &Arc<dyn Columns>,
    ) -> Option<Arc<dyn Screen>> {
        if self.events.is_some() {
            // A screen holds rows back, and a case wants all of them.
            return None;
        }
        self.detection.screen(source, columns)
    }

    fn rows(&mut self, rows: &Rows<'_>) {
        self.report.item.records_in += rows.count;
        self.report.item.events += rows.count;
        let known = self.activity.contains_key(rows.source);
        if known || self.activity.len() < SOURCES_MAX {
            let activity = self.activity.entry(rows.source.clone()).or_default();
            let (first, last) = rows.span;
            for (minute, count) in rows.minutes {
                activity.add_minute(*minute, *count, first, last);
            }
        }
        if rows.source.family() == WEB_FAMILY {
            for segment in rows.segments {
                self.note_segment(rows.source, segment);
            }
        }
    }

    fn suspect(&mut self, record: &dyn Record, interest: &Interest) {
        match &mut self.hunt {
            Some(hunt) => self.detection.hunt(record, interest, hunt),
            None => self.detection.record(record, interest),
        }
    }

    fn rhythm(&mut self, source: &SourceName, activity: &Activity) {
        let known = self.activity.contains_key(source);
        if self.rhythm && (known || self.activity.len() < SOURCES_MAX) {
            let own = self.activity.entry(source.clone()).or_default();
            own.merge(activity);
        }
    }

    fn rejected(&mut self, at: At, reason: &str) {
        self.report.item.records_in += 1;
        let known = if self.rejected.len() < REASONS_MAX || self.rejected.contains_key(reason) {
            reason
        } else {
            "other reasons"
        };
        self.rejected.entry(known.to_owned()).or_insert((0, at)).0 += 1;
    }

    fn fact(&mut self, at: At, fact: Fact) {
        if self.report.facts.len() >= FACTS_MAX {
            self.facts_left_out += 1;
            return;
        }
        let place = Place::item("", self.path).at(at);
        self.report.facts.push(FactAt { fact, place });
    }

    fn gap(
        &mut self,
        kind: GapKind,
        at: At,
        span: (Option<Timestamp>, Option<Timestamp>),
        detail: &str,
    ) {
        let source = self.source.clone();
        self.keep_gap(source, kind, at, span, detail);
    }

    fn gap_of_source(
        &mut self,
        source: &SourceName,
        kind: GapKind,
        at: At,
        span: (Option<Timestamp>, Option<Timestamp>),
        detail: &str,
    ) {
        self.keep_gap(Some(source.clone()), kind, at, span, detail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use artifacts::{Item, Probe};
    use detect::{Engine, Extra};
    use evidence::{Bytes, Content};
    use proptest::prelude::*;
    use std::fmt::Write as _;

    /// A sink that is asked for no screen, and so gets every row as a record.
    struct RowByRow<'s, 'a, 'd>(&'s mut ItemSink<'a, 'd>);

    impl Sink for RowByRow<'_, '_, '_> {
        fn record(&mut self, record: &dyn Record) {
            self.0.record(record);
        }

        fn rejected(&mut self, at: At, reason: &str) {
            self.0.rejected(at, reason);
        }

        fn fact(&mut self, at: At, fact: Fact) {
            self.0.fact(at, fact);
        }

        fn gap(
            &mut self,
            kind: GapKind,
            at: At,
            span: (Option<Timestamp>, Option<Timestamp>),
            detail: &str,
        ) {
            self.0.gap(kind, at, span, detail);
        }
    }

    /// All that is reported of an item, and its findings.
    fn reported(engine: &Engine, path: &str, text: &str, screened: bool) -> (String, String) {
        let mut content = Bytes(text.as_bytes().to_vec());
        let head = content.head().to_vec();
        let probe = Probe {
            path,
            head: &head,
            size: content.size(),
        };
        let artifact = artifacts::recognise(&probe).expect("a log by its head");
        let mut detection = engine.item(path);
        let mut sink = ItemSink::new(path, artifact.source(&probe), &mut detection, None);
        let item = Item { path };
        if screened {
            artifact.read(&item, &mut content, &mut sink);
        } else {
            artifact.read(&item, &mut content, &mut RowByRow(&mut sink));
        }
        let report = serde_json::to_string(&sink.finish()).unwrap();
        let findings = serde_json::to_string(&detection.finish().findings).unwrap();
        (report, findings)
    }

    /// Rules of every form that a screen takes apart in its own way.
    const RULES: &str = r"
title: agents
id: agents
logsource: {category: proxy}
detection: {a: {'c-useragent|contains': ['curl', 'Nikto ']}, b: {c-useragent: ''}, condition: 1 of them}
---
title: no such field
id: no-such-field
logsource: {category: proxy}
detection: {a: {c-uri-extension: exe}, condition: a}
---
title: absent
id: absent
logsource: {category: webserver}
detection: {a: {cs-referer: null, 'cs-uri-stem|endswith': '/x.aspx'}, condition: a}
---
title: anything but
id: anything-but
logsource: {category: webserver}
detection: {a: {'c-uri|contains': '.aspx'}, f: {'cs-user-agent|contains': 'Mozilla'}, condition: a and not f}
---
title: both
id: both
logsource: {category: webserver}
detection: {a: {cs-method: POST, sc-status: 200, 'cs-uri-query|contains|all': ['a=', 'cmd']}, condition: a}
---
title: pattern
id: pattern
logsource: {category: webserver}
detection: {a: {'cs-uri-query|re': '(x|y)[0-9]'}, condition: a}
---
title: words
id: words
logsource: {category: webserver}
detection: {keywords: ['${jndi:', '={{', 'union select', '''1''=''1'], condition: keywords}
---
title: own
id: own
logsource: {product: exchange, service: exchange-httpproxy}
detection: {a: {'AnchorMailbox|contains': ']@'}, b: {'UrlStem|re': '^/ecp/.$'}, condition: a or b}
";

    const INDICATORS: &str = "192.0.2.7\n2001:db8::7\nevil.example\n/owa/auth/bad1.aspx\n";

    fn engine() -> Engine {
        let agents = "value,type\nEvil Agent/1.0,user_agent\nbad2.aspx,file_name\n";
        let extra = Extra {
            sigma: vec![("rules.yml".to_owned(), RULES.to_owned())],
            indicators: vec![
                ("list.txt".to_owned(), INDICATORS.as_bytes().to_vec()),
                ("list.csv".to_owned(), agents.as_bytes().to_vec()),
            ],
            ..Extra::default()
        };
        let (engine, problems) = Engine::new(&pack::builtin_packs(), &extra).unwrap();
        assert_eq!(problems, []);
        engine
    }

    fn path() -> impl Strategy<Value = String> {
        prop::sample::select(vec![
            "/owa/",
            "/ecp/x",
            "/ecp/y.js",
            "/x.aspx",
            "/owa/auth/bad1.aspx",
            "/a/BAD2.aspx",
            "/%62ad2.aspx",
            "/",
            "/mapi/emsmdb",
            "/autodiscover/autodiscover.json",
            "/owa%2fauth%2fbad1.aspx",
        ])
        .prop_map(str::to_owned)
    }

    fn query() -> impl Strategy<Value = String> {
        let pieces = vec![
            "a=",
            "cmd",
            "x7",
            "&",
            "${jndi:",
            "%24%7bjndi:",
            "={{",
            "union+select",
            "'1'='1",
            "''1''=''1",
            "%271%27='1",
            "union+\u{17F}elect",
            "evil.example",
            "://192.0.2.7",
            "//192.0.2.7",
            "\\\\192.0.2.7\\c$",
            "://[2001:db8::7]",
            "\u{212A}",
            "&#",
            "@foo.com/mapi",
            "%3a%2f%2f192.0.2.7",
        ];
        prop_oneof![
            Just("-".to_owned()),
            prop::collection::vec(prop::sample::select(pieces), 0..4)
                .prop_map(|pieces| pieces.concat()),
        ]
    }

    fn agent() -> impl Strategy<Value = String> {
        prop::sample::select(vec![
            "Mozilla/5.0+(X)",
            "curl/7.0",
            "-",
            "",
            "evil+agent/1.0",
            "Evil++Agent/1.0",
            "Nikto+2",
        ])
        .prop_map(str::to_owned)
    }

    fn client() -> impl Strategy<Value = String> {
        prop::sample::select(vec![
            "10.0.0.1",
            "192.0.2.7",
            "192.0.2.77",
            "2001:DB8::7",
            "2001:db8:0::7",
            "192.0.2.7:443",
            "-",
        ])
        .prop_map(str::to_owned)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        /// A screen may only hold back rows that nothing matches.
        #[test]
        fn a_screen_changes_nothing_that_is_reported(
            rows in prop::collection::vec((path(), query(), agent(), client(), 0..3_usize, "(-|https://evil\\.example/|http://192\\.0\\.2\\.7/)"), 1..20),
        ) {
            thread_local! {
                static ENGINE: Engine = engine();
            }
            let mut web = "#Software: Microsoft Internet Information Services 10.0\n#Fields: date time cs-method cs-uri-stem cs-uri-query c-ip cs(User-Agent) cs(Referer) sc-status\n".to_owned();
            let mut proxy = "#Software: Microsoft Exchange Server\n#Log-type: HttpProxy Logs\n#Fields: DateTime,Protocol,UrlStem,AnchorMailbox,UserAgent,ClientIpAddress,HttpStatus,Method,RoutingHint,UrlQuery\n".to_owned();
            for (number, (path, query, agent, client, method, referer)) in rows.iter().enumerate() {
                let method = ["GET", "POST", "HEAD"][*method];
                let status = 200 + number % 2 * 204;
                let minute = number % 7;
                writeln!(web, "2021-03-03 06:0{minute}:00 {method} {path} {query} {client} {agent} {referer} {status}").expect("a string");
                let agent = agent.replace('+', " ");
                writeln!(proxy, "2021-03-03T06:0{minute}:00.000Z,Ecp,{path},ServerInfo~a]@{referer},{agent},{client},{status},{method},,?{query}").expect("a string");
            }
            ENGINE.with(|engine| {
                for (path, text) in [("C:\\inetpub\\logs\\LogFiles\\W3SVC1\\u_ex210303.log", &web), ("C:\\Logging\\HttpProxy\\Ecp\\HttpProxy_2021030306-1.LOG", &proxy)] {
                    let screened = reported(engine, path, text, true);
                    let row_by_row = reported(engine, path, text, false);
                    assert_eq!(screened, row_by_row);
                }
            });
        }
    }
}
