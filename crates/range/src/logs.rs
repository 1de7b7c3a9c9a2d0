//! Writes the server's logs: requests and entries become rows, rows become files, as the products rotate them.
//!
//! Everything is drawn first and withheld afterwards, so that leaving something out changes nothing else.

use crate::Options;
use crate::events::{Channel, Logged};
use crate::formats::Guid;
use crate::formats::dns::Question;
use crate::formats::evtx::{CHUNK_BYTES, EvtxWriter};
use crate::formats::exchange::{
    AUTODISCOVER_FIELDS, CMDLET_FIELDS, ECP_FIELDS, EWS_FIELDS, EcpEntry, HTTP_PROXY_FIELDS,
    OAB_FIELDS, head, row,
};
use crate::formats::iis::{self, Column, DEFAULT_COLUMNS};
use crate::moment::{DAY, HOUR, MINUTE, Moment, SECOND};
use crate::random::Random;
use crate::server::{Server, internet};
use crate::sink::Sink;
use crate::source::{Filter, Source};
use crate::story::{Traces, WebServiceCall};
use crate::traffic::{Protocol, Request};
use std::collections::BTreeMap;
use std::io;

/// Exchange begins a new log file at this size.
const LOG_FILE_BYTES_MAX: usize = 10 << 20;

/// What a request costs in text logs on average, all logs together; measured on default servers.
const BYTES_PER_REQUEST: u64 = 1_330;

/// What the heads of an hour's log files cost on average; measured likewise.
const BYTES_PER_HOUR: u64 = 11_500;

/// The number of Exchange's web site that takes what the front end relays.
const BACK_END: u32 = 2;

/// Logs of web sites by their numbers.
type Sites = BTreeMap<u32, LogFile>;

/// Monitoring probes most protocols, and writes to the components' logs, at every turn of this number only.
const RARE_TURN: i64 = 8;

/// Writes what the filter lets through.
pub(crate) struct LogWriter<'a> {
    server: &'a Server,
    filter: &'a Filter,
    out: &'a mut dyn Sink,
}

/// A text log file being filled: rows are added in the order of their times.
#[derive(Debug, Default)]
struct LogFile {
    head: String,
    rows: String,
    /// The last row's time, withheld or not.
    last: Option<Moment>,
    /// Bytes of all rows, withheld or not, so that withholding does not move the place where a new file begins.
    bytes: usize,
    /// Whether any row was written.
    holds_rows: bool,
}

impl LogFile {
    /// Whether nothing, not even a withheld row, has come to it yet.
    fn is_new(&self) -> bool {
        self.last.is_none()
    }

    /// Adds the row that `write` appends, or only counts it where it is not kept.
    fn row(&mut self, time: Moment, kept: bool, write: impl FnOnce(&mut String)) {
        let start = self.rows.len();
        write(&mut self.rows);
        self.bytes += self.rows.len() - start;
        if kept {
            self.holds_rows = true;
        } else {
            self.rows.truncate(start);
        }
        self.last = Some(time);
    }

    /// Begins a web site's log, or begins it anew after a restart.
    fn begin_site(&mut self, server: &Server, time: Moment, columns: &[Column]) {
        let Some(last) = self.last else {
            self.head = iis::head(time, columns);
            return;
        };
        if server.restarted_between(last, time) {
            self.rows.push_str(&iis::head(time, columns));
        }
    }
}

/// A log of one day or hour whose rows are known before its file is begun.
struct WholeLog<'a> {
    source: Source,
    path: String,
    /// The head, by the time of the first row.
    head: &'a dyn Fn(Moment) -> String,
    rows: Vec<(Moment, String)>,
}

impl<'a> LogWriter<'a> {
    pub(crate) fn new(server: &'a Server, filter: &'a Filter, out: &'a mut dyn Sink) -> Self {
        Self {
            server,
            filter,
            out,
        }
    }

    /// All event logs, each whole.
    pub(crate) fn event_logs(&mut self, mut events: Vec<Logged>) -> io::Result<()> {
        events.sort_by_key(|logged| (logged.channel, logged.time));
        for channel in Channel::ALL {
            let logged = events
                .iter()
                .filter(|logged| logged.channel == channel)
                .collect::<Vec<_>>();
            if !logged.is_empty() {
                self.event_log(channel, &logged)?;
            }
        }
        Ok(())
    }

    fn event_log(&mut self, channel: Channel, events: &[&Logged]) -> io::Result<()> {
        let source = channel.source();
        // The log has been there for longer than is kept of it.
        let mut random = Random::new(self.server.seed, channel.name(), 0);
        let first_id = random.between(900, 90_000).unsigned_abs();
        let begin = |first_id| {
            let file = io::Cursor::new(Vec::new());
            EvtxWriter::new(file, channel.name(), &self.server.full_name, first_id)
        };
        // What is overwritten must not depend on what is withheld, so it is found by writing all.
        let overwritten = match self.server.event_log_bytes.get(&source) {
            Some(bytes) => overwritten(begin(first_id)?, events, *bytes)?,
            None => 0,
        };
        let next_id = u64::try_from(overwritten).expect("a number of events fits 64 bits");
        let mut log = begin(first_id + next_id)?;
        let mut written = false;
        for logged in &events[overwritten..] {
            let kept = self.filter.keeps_record(source, "", logged.time)
                && self.filter.retains(source, logged.time);
            if kept {
                log.push(&logged.event)?;
                written = true;
            } else {
                log.skip();
            }
        }
        if written {
            let path = format!(r"C:\Windows\System32\winevt\Logs\{}", channel.file_name());
            let bytes = log.finish()?.into_inner();
            self.out.file(&path, self.server.end.timestamp(), &bytes)?;
        }
        Ok(())
    }

    /// All logs of lines, hour by hour and day by day, so that memory does not grow with the time simulated.
    pub(crate) fn text_logs(&mut self, options: &Options, traces: &Traces) -> io::Result<()> {
        let server = self.server;
        let probe_minutes = i64::from(options.probe_minutes.max(1));
        let mut extra = Extra::new(server, options);
        let mut day = server.start.day_start();
        while day < server.end {
            let mut sites = Sites::new();
            let mut panel = Vec::new();
            let mut hour = day;
            while hour < day.after(DAY) {
                let count = extra.in_hour(server, hour);
                let mut requests = server.background(hour, probe_minutes, count);
                let components = Components::of(server, &requests);
                panel.extend(
                    requests
                        .iter()
                        .filter_map(|request| options_page(server, request)),
                );
                let told = traces
                    .requests
                    .iter()
                    .filter(|request| request.time.hour_start() == hour);
                requests.extend(told.cloned());
                requests.sort_by_key(|request| request.time);
                self.proxy_logs(hour, &requests)?;
                self.site_rows(&requests, &mut sites);
                if server.habits.hourly_sites {
                    self.site_logs(&hour.compact_hour(), &mut sites)?;
                }
                if server.has_exchange {
                    self.component_logs(hour, probe_minutes, components, &traces.web_service)?;
                }
                hour = hour.after(HOUR);
            }
            self.site_logs(&day.compact_day(), &mut sites)?;
            if server.has_exchange {
                self.control_panel_log(day, probe_minutes, panel, &traces.control_panel)?;
                self.address_book_log(day, &traces.address_book)?;
            }
            self.resolver_log(day, &traces.questions)?;
            day = day.after(DAY);
        }
        self.kernel_error_log()
    }

    /// Writes the logs of the web sites that are begun, and begins them anew.
    fn site_logs(&mut self, name: &str, sites: &mut Sites) -> io::Result<()> {
        for (site, log) in std::mem::take(sites) {
            let name = &name[2..];
            let path = format!(r"C:\inetpub\logs\LogFiles\W3SVC{site}\u_ex{name}.log");
            self.log_file(Source::Iis, &path, &log)?;
        }
        Ok(())
    }

    /// The log of the network's resolver, where it lies with the evidence.
    fn resolver_log(&mut self, day: Moment, told: &[Question]) -> io::Result<()> {
        let server = self.server;
        let Some(form) = server.dns_log else {
            return Ok(());
        };
        let mut questions = server.questions(day);
        let today = told.iter().filter(|asked| asked.time.day_start() == day);
        questions.extend(today.cloned());
        questions.sort_by_key(|asked| asked.time);
        let resolver = server.resolver();
        let mut log = LogFile::default();
        for asked in &questions {
            if log.is_new() {
                log.head = form.head(asked.time);
            }
            let kept = self
                .filter
                .keeps_record(Source::Dns, form.name(), asked.time);
            log.row(asked.time, kept, |rows| form.write(asked, &resolver, rows));
        }
        let path = format!(r"C:\Resolver\DnsLogs\{}", form.file_name(day));
        self.log_file(Source::Dns, &path, &log)
    }

    /// Writes a log file, unless every row of it was withheld or its writer has deleted it.
    fn log_file(&mut self, source: Source, path: &str, log: &LogFile) -> io::Result<()> {
        match log.last {
            Some(last) if log.holds_rows && self.filter.retains(source, last) => {
                let bytes = [log.head.as_bytes(), log.rows.as_bytes()].concat();
                self.out.file(path, last.timestamp(), &bytes)
            }
            _ => Ok(()),
        }
    }

    /// Writes a log whose rows are all known.
    fn whole_log(&mut self, whole: &WholeLog<'_>) -> io::Result<()> {
        let mut log = LogFile::default();
        for (time, row) in &whole.rows {
            if log.is_new() {
                log.head = (whole.head)(*time);
            }
            let kept = self.filter.keeps_record(whole.source, "", *time);
            log.row(*time, kept, |out| out.push_str(row));
        }
        self.log_file(whole.source, &whole.path, &log)
    }

    /// The front-end proxy's logs of one hour, a file for each protocol; a new one after a restart or at a size.
    fn proxy_logs(&mut self, hour: Moment, requests: &[Request]) -> io::Result<()> {
        const SOURCE: Source = Source::HttpProxy;
        let server = self.server;
        for protocol in Protocol::ALL {
            let instance = protocol.name();
            let path = |number: u32| {
                let hour = hour.compact_hour();
                format!(
                    r"{}\Logging\HttpProxy\{instance}\HttpProxy_{hour}-{number}.LOG",
                    server.install
                )
            };
            let mut number = 1;
            let mut build = server.build_at(hour);
            let mut log = LogFile::default();
            let proxied = requests
                .iter()
                .filter(|request| request.protocol == Some(protocol));
            for request in proxied {
                let time = request.time;
                let now = server.build_at(time);
                let restarted = log
                    .last
                    .is_some_and(|last| server.restarted_between(last, time));
                if restarted || now != build || log.bytes > LOG_FILE_BYTES_MAX {
                    self.log_file(SOURCE, &path(number), &log)?;
                    number += u32::from(!log.is_new());
                    log = LogFile::default();
                    build = now;
                }
                if log.is_new() {
                    let (version, begun) = (build.padded(), time.to_string());
                    log.head = head(&version, "HttpProxy Logs", &begun, HTTP_PROXY_FIELDS);
                }
                let kept = self.filter.keeps_record(SOURCE, instance, time);
                log.row(time, kept, |rows| {
                    request.write_proxy(server, protocol, rows);
                });
            }
            self.log_file(SOURCE, &path(number), &log)?;
        }
        Ok(())
    }

    /// Adds an hour's requests to the day's logs of the web sites.
    fn site_rows(&self, requests: &[Request], sites: &mut Sites) {
        let server = self.server;
        let columns = &server.habits.site_columns;
        let mut more_columns = columns.clone();
        if !columns.contains(&Column::Host) {
            more_columns.push(Column::Host);
        }
        for request in requests {
            let time = request.time;
            // With the patch the administrator began to log the host header too.
            let patched = server.patch().is_some_and(|patch| time >= patch.boot);
            let columns = if patched { &more_columns } else { columns };
            let front = sites.entry(request.site).or_default();
            front.begin_site(server, time, columns);
            let instance = request.site.to_string();
            let kept = self.filter.keeps_record(Source::Iis, &instance, time);
            front.row(time, kept, |rows| {
                request.write_front(server, columns, rows);
            });
            if let Some(backend) = &request.backend {
                let back = sites.entry(BACK_END).or_default();
                back.begin_site(server, time, &DEFAULT_COLUMNS);
                let instance = BACK_END.to_string();
                let kept = self.filter.keeps_record(Source::Iis, &instance, time);
                back.row(time, kept, |rows| {
                    request.write_back(server, backend, &DEFAULT_COLUMNS, rows);
                });
            }
        }
    }

    fn control_panel_log(
        &mut self,
        day: Moment,
        probe_minutes: i64,
        people: Vec<EcpEntry>,
        told: &[EcpEntry],
    ) -> io::Result<()> {
        const CANARY: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let server = self.server;
        let mut random = server.random("control panel", day);
        let session = random.guid();
        let mut entries = people;
        let mut slot = day.after(3 * MINUTE);
        while slot < day.after(DAY) {
            let canary = random.text(CANARY, 40);
            entries.push(EcpEntry {
                time: slot.after(random.between(0, 20 * SECOND)),
                command: "Get-InboxRule".to_owned(),
                url: format!("/ecp/RulesEditor/InboxRules.svc/GetList?msExchEcpCanary={canary}."),
                error: String::new(),
                duration_ms: u32::try_from(random.between(8, 60)).unwrap_or(8),
                activity: random.guid(),
                session,
            });
            slot = slot.after(probe_minutes * MINUTE);
        }
        entries.retain(|entry| self.is_simulated(entry.time));
        let today = |entry: &&EcpEntry| entry.time.day_start() == day;
        entries.extend(told.iter().filter(today).cloned());
        entries.sort_by_key(|entry| entry.time);
        let build = |time| server.build_at(time).to_string();
        let server_rows = entries.iter().map(|entry| {
            let mut row = String::new();
            entry.write(&server.host, &build(entry.time), &mut row);
            (entry.time, row)
        });
        let activity_rows = entries.iter().map(|entry| {
            let time = entry.time.after(3);
            let mut row = String::new();
            entry.write_activity(time, &server.host, &build(time), &mut row);
            (time, row)
        });
        let (name, folder) = (
            day.compact_day(),
            format!(r"{}\Logging\ECP", server.install),
        );
        // The number in the name is the worker process's.
        let worker = Random::new(server.seed, "control panel worker", 0).between(1_000, 3_000) * 4;
        self.whole_log(&WholeLog {
            source: Source::EcpServer,
            path: format!(r"{folder}\Server\ECPServer{name}-1.LOG"),
            head: &|begun| ecp_head("ECP Server Log", begun),
            rows: server_rows.collect(),
        })?;
        self.whole_log(&WholeLog {
            source: Source::EcpActivity,
            path: format!(r"{folder}\Activity\ECPActivity_{worker}_{name}-1.LOG"),
            head: &|begun| ecp_head("ECP Activity Context Log", begun),
            rows: activity_rows.collect(),
        })
    }

    /// The generation of the offline address book, every eight hours.
    fn address_book_log(&mut self, day: Moment, told: &[(Moment, String)]) -> io::Result<()> {
        const MESSAGES: [&str; 4] = [
            r"Generation of offline address book \Default Offline Address Book begins.",
            r"Reading recipients of address list \Default Global Address List.",
            "Writing compressed full file and differences.",
            r"Generation of offline address book \Default Offline Address Book is complete.",
        ];
        let server = self.server;
        let mut random = server.random("address book", day);
        let list = Random::new(server.seed, "address list", 0).guid();
        let mut rows = Vec::new();
        for run in 0..3 {
            let trace = random.between(1_000, 60_000);
            let due = day.after(run * 8 * HOUR + random.between(2 * MINUTE, 9 * MINUTE));
            let mut time = self.due_or_after_outage(due);
            for message in MESSAGES {
                time = time.after(random.between(300, 14_000));
                let oab = server.oab;
                let row = format!("{time},DebugTrace,{trace},{oab},{list},{message}\r\n");
                rows.push((time, row));
            }
        }
        let today = told.iter().filter(|(time, _)| time.day_start() == day);
        rows.extend(today.map(|(time, message)| {
            let trace = random.between(1_000, 60_000);
            let row = format!("{time},Error,{trace},{},{list},{message}\r\n", server.oab);
            (*time, row)
        }));
        rows.sort_by_key(|(time, _)| *time);
        rows.retain(|(time, _)| self.is_simulated(*time));
        let name = day.compact_day();
        self.whole_log(&WholeLog {
            source: Source::OabGenerator,
            path: format!(
                r"{}\Logging\OABGeneratorLog\oabgen{name}-1.LOG",
                server.install
            ),
            head: &|begun| {
                head(
                    "15.0.0.0",
                    "OAB Generator Log",
                    &begun.to_string(),
                    OAB_FIELDS,
                )
            },
            rows,
        })
    }

    /// What was due while the server was down is done when it is back.
    fn due_or_after_outage(&self, due: Moment) -> Moment {
        let end = due.after(MINUTE);
        let outages = &self.server.outages;
        outages
            .iter()
            .find(|outage| outage.stop <= end && due < outage.ready)
            .map_or(due, |outage| outage.ready.after(4 * MINUTE))
    }

    /// Logs of Exchange's components: web services, Autodiscover, remote cmdlets.
    fn component_logs(
        &mut self,
        hour: Moment,
        probe_minutes: i64,
        people: Components,
        told: &[WebServiceCall],
    ) -> io::Result<()> {
        let server = self.server;
        let interval = probe_minutes * RARE_TURN * MINUTE;
        let mut random = server.random("components", hour);
        let mut probes = Vec::new();
        let mut slot = (hour.0 + interval - 1).div_euclid(interval) * interval;
        while slot < hour.0 + HOUR {
            let time = Moment(slot + random.between(5 * SECOND, 25 * SECOND));
            probes.push((time, random.guid(), random.guid()));
            slot += interval;
        }
        probes.retain(|(time, _, _)| self.is_simulated(*time));

        let mut calls = told
            .iter()
            .filter(|call| call.time.hour_start() == hour)
            .cloned()
            .collect::<Vec<_>>();
        calls.extend(people.web_service);
        calls.extend(probes.iter().map(|(time, id, _)| WebServiceCall {
            time: *time,
            action: "GetFolder".to_owned(),
            user: format!("{}@{}", server.health_mailbox, server.domain),
            user_agent: "Ews_AM_Probe/Local (ExchangeServicesClient/15.01.0000.000)".to_owned(),
            client: "::1".to_owned(),
            response_bytes: 666,
            id: *id,
        }));
        calls.sort_by_key(|call| call.time);
        let web_service = calls
            .iter()
            .map(|call| (call.time, self.web_service_row(call)))
            .collect();
        let mut autodiscover = people.autodiscover;
        let mut cmdlets = people.cmdlets;
        for (time, id, cmdlet) in &probes {
            let probe = ComponentCall {
                time: *time,
                id: *id,
                unique_id: *cmdlet,
                user: server.health_mailbox.clone(),
                sid: server.health_sid.clone(),
                agent: "AMProbe/Local/ClientAccess".to_owned(),
                client: "::1".to_owned(),
            };
            autodiscover.push(probe.clone());
            cmdlets.push(probe);
        }
        autodiscover.sort_by_key(|call| call.time);
        cmdlets.sort_by_key(|call| call.time);
        let autodiscover = autodiscover
            .iter()
            .map(|call| (call.time, self.autodiscover_row(call)))
            .collect();
        let cmdlets = cmdlets
            .iter()
            .map(|call| (call.time, self.cmdlet_row(call)))
            .collect();
        for (source, log_type, fields, prefix, rows) in [
            (
                Source::Ews,
                "EWS Logs",
                EWS_FIELDS,
                r"Ews\Ews_",
                web_service,
            ),
            (
                Source::Autodiscover,
                "Autodiscover Logs",
                AUTODISCOVER_FIELDS,
                r"Autodiscover\Autodiscover_",
                autodiscover,
            ),
            (
                Source::CmdletInfra,
                "Rps Cmdlet Logs",
                CMDLET_FIELDS,
                r"CmdletInfra\Powershell-Proxy\Cmdlet\Rps_Cmdlet_",
                cmdlets,
            ),
        ] {
            let name = hour.compact_hour();
            self.whole_log(&WholeLog {
                source,
                path: format!(r"{}\Logging\{prefix}{name}-1.LOG", server.install),
                head: &|begun| {
                    let version = server.build_at(begun).padded();
                    head(&version, log_type, &begun.to_string(), fields)
                },
                rows,
            })?;
        }
        Ok(())
    }

    fn web_service_row(&self, call: &WebServiceCall) -> String {
        let server = self.server;
        let build = server.build_at(call.time).0.map(|part| part.to_string());
        let (time, id) = (call.time.to_string(), call.id.to_string());
        let agent = call.user_agent.replace(',', " ");
        let values = [
            ("DateTime", time.as_str()),
            ("RequestId", &id),
            ("MajorVersion", &build[0]),
            ("MinorVersion", &build[1]),
            ("BuildVersion", &build[2]),
            ("RevisionVersion", &build[3]),
            ("Ring", "Unknown"),
            ("AuthenticationType", "Logon"),
            ("IsAuthenticated", "true"),
            ("AuthenticatedUser", &call.user),
            ("Organization", &server.domain),
            ("UserAgent", &agent),
            (
                "VersionInfo",
                "Target=None;Req=Exchange2010_SP1/Exchange2010_SP1;",
            ),
            ("ClientIpAddress", &call.client),
            ("ServerHostName", &server.host),
            ("SoapAction", &call.action),
            ("HttpStatus", "200"),
            ("RequestSize", "666"),
            ("ResponseSize", &call.response_bytes.to_string()),
            ("ImpersonatedUser", &call.user),
            ("CorrelationGuid", &id),
            ("PrimaryOrProxyServer", "PrimaryServer"),
            ("TaskType", "LocalTask"),
            ("LocalMailboxCount", "1"),
            ("LocalIdCount", "1"),
            ("TotalRequestTime", "17"),
            (
                "GenericInfo",
                &format!("RequestHandler=Wcf;SoapAction_0={};", call.action),
            ),
            ("StartTime", &time),
            ("ProcessId", "9716"),
        ];
        row(EWS_FIELDS, &values)
    }

    fn autodiscover_row(&self, call: &ComponentCall) -> String {
        let server = self.server;
        let build = server.build_at(call.time).0.map(|part| part.to_string());
        let mailbox = format!("{}@{}", call.user, server.domain);
        let agent = call.agent.replace(',', " ");
        let (time, id) = (call.time.to_string(), call.id.to_string());
        let values = [
            ("DateTime", time.as_str()),
            ("RequestId", &id),
            ("MajorVersion", &build[0]),
            ("MinorVersion", &build[1]),
            ("BuildVersion", &build[2]),
            ("RevisionVersion", &build[3]),
            ("AuthenticationType", "Negotiate"),
            ("IsAuthenticated", "true"),
            ("AuthenticatedUser", &mailbox),
            ("Organization", &server.domain),
            ("UserAgent", &agent),
            ("ClientIpAddress", &call.client),
            ("ServerHostName", &server.host),
            ("SoapAction", "POX"),
            ("HttpStatus", "200"),
            ("EmailAddress", &mailbox),
            ("TotalRequestTime", "11"),
            ("GenericInfo", "ServiceCommandBegin=1;ServiceCommandEnd=9;"),
        ];
        row(AUTODISCOVER_FIELDS, &values)
    }

    fn cmdlet_row(&self, call: &ComponentCall) -> String {
        let server = self.server;
        let build = server.build_at(call.time).0.map(|part| part.to_string());
        let (begun, time) = (call.time.after(-16).to_string(), call.time.to_string());
        let (id, unique_id) = (call.id.to_string(), call.unique_id.to_string());
        let by_person = call.user != server.health_mailbox;
        let (application, cmdlet, parameters) = if by_person {
            let [first, ..] = call.id.0;
            let (cmdlet, parameters) = TYPED[usize::from(first) % TYPED.len()];
            ("ManagementShell", cmdlet, parameters)
        } else {
            ("ActiveMonitor", "Get-Mailbox", "-ResultSize \"1\"")
        };
        let values = [
            ("DateTime", time.as_str()),
            ("StartTime", &begun),
            ("RequestId", &id),
            ("MajorVersion", &build[0]),
            ("MinorVersion", &build[1]),
            ("BuildVersion", &build[2]),
            ("RevisionVersion", &build[3]),
            ("ServerHostName", &server.host),
            ("ProcessId", "15756"),
            ("ProcessName", "w3wp#MSExchangePowerShellAppPool"),
            ("ThreadId", "85"),
            ("AuthenticatedUser", &call.user),
            ("ExecutingUserSid", &call.sid),
            ("IsAdmin", if by_person { "True" } else { "False" }),
            ("ClientApplication", application),
            ("Cmdlet", cmdlet),
            ("Parameters", parameters),
            ("CmdletUniqueId", &unique_id),
            ("TotalTime", "15"),
            ("ExecutionResult", "Success"),
        ];
        row(CMDLET_FIELDS, &values)
    }

    /// The error log of HTTP.sys: connections that idled, and now and then a malformed request.
    fn kernel_error_log(&mut self) -> io::Result<()> {
        let server = self.server;
        let mut rows = Vec::new();
        let mut day = server.start.day_start();
        while day < server.end {
            let mut random = server.random("http.sys", day);
            for hour in [2, 9, 15, 20] {
                let time = day.after(hour * HOUR + random.between(0, HOUR - 1));
                let client = internet::passer_by(&mut random);
                let port = random.between(1_024, 65_000);
                let rest = if random.chance(20) {
                    "HTTP/1.1 GET / - 400 - Hostname -"
                } else {
                    "- - - - - - Timer_ConnectionIdle -"
                };
                let (at, address) = (time.w3c(), &server.address);
                let row = format!("{at} {client} {port} {address} 443 {rest}\r\n");
                rows.push((time, row));
            }
            day = day.after(DAY);
        }
        rows.retain(|(time, _)| self.is_simulated(*time));
        self.whole_log(&WholeLog {
            source: Source::HttpErr,
            path: r"C:\Windows\System32\LogFiles\HTTPERR\httperr1.log".to_owned(),
            head: &iis::error_head,
            rows,
        })
    }

    fn is_simulated(&self, time: Moment) -> bool {
        self.server.start <= time && time < self.server.end && self.server.is_up(time)
    }
}

/// How many events a log that holds at most `bytes` has overwritten, as it drops its oldest chunk for a new one.
fn overwritten<W: io::Write + io::Seek>(
    mut log: EvtxWriter<W>,
    events: &[&Logged],
    bytes: u64,
) -> io::Result<usize> {
    let mut chunk_starts = vec![0];
    for (number, logged) in events.iter().enumerate() {
        log.push(&logged.event)?;
        if log.full_chunks() == chunk_starts.len() {
            chunk_starts.push(number);
        }
    }
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    let chunks_max = bytes / CHUNK_BYTES;
    let dropped = chunk_starts.len().saturating_sub(chunks_max.max(1));
    Ok(chunk_starts[dropped])
}

/// What administrators read in a remote shell.
const TYPED: [(&str, &str); 6] = [
    ("Get-Mailbox", "-ResultSize \"Unlimited\""),
    ("Get-MailboxDatabase", "-Status \"True\""),
    ("Get-Queue", ""),
    ("Get-MailboxStatistics", "-Database \"DB01\""),
    ("Get-OwaVirtualDirectory", "-ADPropertiesOnly \"True\""),
    ("Get-ExchangeCertificate", ""),
];

/// A request as a component of the back end logs it.
#[derive(Clone, Debug)]
struct ComponentCall {
    time: Moment,
    id: Guid,
    unique_id: Guid,
    user: String,
    sid: String,
    agent: String,
    client: String,
}

/// What people's requests of an hour leave in the logs of the components that they reach.
#[derive(Debug, Default)]
struct Components {
    web_service: Vec<WebServiceCall>,
    autodiscover: Vec<ComponentCall>,
    cmdlets: Vec<ComponentCall>,
}

impl Components {
    fn of(server: &Server, requests: &[Request]) -> Self {
        let mut components = Self::default();
        let signed_in = requests
            .iter()
            .filter(|request| request.method == "POST" && request.backend.is_some());
        for request in signed_in {
            let user = request.user.rsplit('\\').next().unwrap_or_default();
            if user.is_empty() || user == server.health_mailbox {
                continue;
            }
            let call = || ComponentCall {
                time: request.time.after(-2),
                id: request.id,
                unique_id: request.id.next(),
                user: user.to_owned(),
                sid: request.anchor.trim_start_matches("Sid~").to_owned(),
                agent: request.user_agent.clone(),
                client: request.client.clone(),
            };
            match request.protocol {
                Some(Protocol::Ews) => {
                    components
                        .web_service
                        .push(web_service_call(server, user, request));
                }
                Some(Protocol::Autodiscover) => components.autodiscover.push(call()),
                Some(Protocol::PowerShell) => components.cmdlets.push(call()),
                _ => {}
            }
        }
        components
    }
}

fn web_service_call(server: &Server, user: &str, request: &Request) -> WebServiceCall {
    const ACTIONS: [&str; 8] = [
        "SyncFolderItems",
        "SyncFolderItems",
        "GetItem",
        "GetItem",
        "FindItem",
        "GetFolder",
        "GetUserAvailability",
        "GetAttachment",
    ];
    let [first, ..] = request.id.0;
    WebServiceCall {
        time: request.time,
        action: ACTIONS[usize::from(first) % ACTIONS.len()].to_owned(),
        user: format!("{user}@{}", server.domain),
        user_agent: request.user_agent.clone(),
        client: request.client.clone(),
        response_bytes: request.bytes_out,
        id: request.id,
    }
}

/// What the control panel logs where somebody opens the options of their mailbox.
fn options_page(server: &Server, request: &Request) -> Option<EcpEntry> {
    let person = request.protocol == Some(Protocol::Ecp)
        && request.backend.is_some()
        && !request.user.ends_with(&server.health_mailbox);
    person.then(|| EcpEntry {
        time: request.time.after(300),
        command: "Get-MailboxRegionalConfiguration.Identity=$null".to_owned(),
        url: format!(
            "/ecp/PersonalSettings/RegionalSettings.svc/GetObject?msExchEcpCanary={}.",
            request.id
        ),
        error: String::new(),
        duration_ms: request.duration_ms,
        activity: request.id,
        session: request.id.next(),
    })
}

/// The head of a log of the control panel.
fn ecp_head(log_type: &str, begun: Moment) -> String {
    head("15.0.0.0", log_type, &begun.to_string(), ECP_FIELDS)
}

/// Requests of people beyond the usual ones, to reach a size.
struct Extra {
    requests: u64,
    weight_total: u64,
    weight_passed: u64,
    given: u64,
}

impl Extra {
    fn new(server: &Server, options: &Options) -> Self {
        let mut weight_total = 0;
        let mut hours = 0;
        let mut hour = server.start.hour_start();
        while hour < server.end {
            weight_total += server.weight(hour);
            hours += 1;
            hour = hour.after(HOUR);
        }
        // Four protocols are probed at every turn, six at every eighth; each probe is one request.
        let probes = hours * 285 / u64::from(options.probe_minutes.max(1));
        let usual = (probes + weight_total) * BYTES_PER_REQUEST + hours * BYTES_PER_HOUR;
        let missing = options.text_bytes.unwrap_or(0).saturating_sub(usual);
        Self {
            requests: if weight_total == 0 {
                0
            } else {
                missing / BYTES_PER_REQUEST
            },
            weight_total,
            weight_passed: 0,
            given: 0,
        }
    }

    /// How many of them fall into the hour.
    fn in_hour(&mut self, server: &Server, hour: Moment) -> u64 {
        if self.requests == 0 || hour < server.start.hour_start() || hour >= server.end {
            return 0;
        }
        self.weight_passed += server.weight(hour);
        let due = self.requests * self.weight_passed / self.weight_total;
        let count = due - self.given;
        self.given = due;
        count
    }
}
