//! The main path: options in, evidence and truth out.

use crate::events::{Channel, Logged};
use crate::files::DiskFile;
use crate::formats::evtx::EvtxWriter;
use crate::formats::exchange::{
    AUTODISCOVER_FIELDS, CMDLET_FIELDS, ECP_FIELDS, EWS_FIELDS, EcpEntry, HTTP_PROXY_FIELDS,
    OAB_FIELDS, cell, head,
};
use crate::formats::iis;
use crate::moment::{DAY, HOUR, MINUTE, Moment, SECOND};
use crate::random::Random;
use crate::server::Server;
use crate::sink::{Collection, Folder, Layout, Sink, Taken};
use crate::source::{Filter, Source};
use crate::story::{Scenario, Traces, WebServiceCall, happen};
use crate::traffic::{Protocol, Request};
use crate::truth::{BuildSpan, KnownFile, Truth, known_files_csv};
use crate::{Error, Options, Patching};
use std::fs;
use std::io;
use std::path::Path;

/// Exchange begins a new log file at this size.
const LOG_FILE_BYTES_MAX: usize = 10 << 20;

/// What a request costs in text logs on average, all logs together; measured on default servers.
const BYTES_PER_REQUEST: u64 = 1_330;

/// What the heads of an hour's log files cost on average.
const BYTES_PER_HOUR: u64 = 11_500;

/// What [`make`] gives besides the evidence itself.
#[derive(Clone, Debug)]
pub struct Made {
    pub truth: Truth,
    /// The product's own files, for the builds before and after the patch.
    pub known_files: Vec<KnownFile>,
}

/// Writes the evidence of one simulated server into `out`, and tells the truth about it.
///
/// The same options give the same bytes.
///
/// # Errors
/// When the options name no known scenario or a malformed build, when the story does not fit into the time, or when the
/// evidence cannot be written.
pub fn make(options: &Options, out: &mut dyn Sink) -> Result<Made, Error> {
    let scenario = Scenario::named(&options.scenario)?;
    let patch = match options.patching {
        Patching::AsInScenario => scenario.patch(options),
        Patching::At(time) => Some(time.into()),
        Patching::Never => None,
    };
    let server = Server::new(options, patch, scenario.has_exchange)?;
    let mut retention = scenario.retention_days.clone();
    retention.extend(&options.retention_days);
    let mut traces = happen(&scenario, &server)?;
    let (mut files, known_files) = server.disk()?;
    files.append(&mut traces.files);
    let mut events = server.background_events(scenario.process_auditing);
    events.append(&mut traces.events);

    let mut writer = Writer {
        server: &server,
        filter: Filter::new(&options.withhold, &retention, server.end),
        out,
    };
    writer.text_logs(options, &traces)?;
    writer.event_logs(events)?;
    writer.files(&files)?;
    writer.out.finish(&Taken {
        host: server.host.clone(),
        host_full: server.full_name.clone(),
        time: server.end.timestamp(),
    })?;
    Ok(Made {
        truth: truth(options, &scenario, &server, traces),
        known_files,
    })
}

/// Makes a server in `folder`: its evidence in `HOST/`, and beside it `truth.json` and `known-files.csv`.
pub fn make_in_folder(options: &Options, folder: &Path) -> Result<Made, Error> {
    let scenario = Scenario::named(&options.scenario)?;
    // The host's name is drawn with the rest of the server; the logs need not be written for that.
    let host = Server::new(options, None, scenario.has_exchange)?.host;
    let mut sink = Collection::new(Folder::new(&folder.join(host)), Layout::Drives);
    let made = make(options, &mut sink)?;
    let mut truth = serde_json::to_string_pretty(&made.truth)?;
    truth.push('\n');
    fs::write(folder.join("truth.json"), truth)?;
    fs::write(
        folder.join("known-files.csv"),
        known_files_csv(&made.known_files),
    )?;
    Ok(made)
}

fn truth(options: &Options, scenario: &Scenario, server: &Server, traces: Traces) -> Truth {
    let (start, end) = (server.start.timestamp(), server.end.timestamp());
    let span = |build: &dyn ToString, from, until| BuildSpan {
        build: build.to_string(),
        from,
        until,
    };
    let builds = match server.patch() {
        _ if !server.has_exchange => Vec::new(),
        Some(patch) => vec![
            span(&server.before, start, patch.stop.timestamp()),
            span(&server.after, patch.ready.timestamp(), end),
        ],
        None => vec![span(&server.before, start, end)],
    };
    let unpatched_verdict = scenario.expected.verdict == "clear" && server.patch().is_none();
    Truth {
        host: server.host.clone(),
        scenario: scenario.name.clone(),
        seed: options.seed,
        summary: scenario.story.clone(),
        campaign: "proxylogon".to_owned(),
        verdict: if unpatched_verdict {
            "exposed".to_owned()
        } else {
            scenario.expected.verdict.clone()
        },
        stages: scenario.expected.stages.clone(),
        footholds: traces.footholds,
        story: traces.steps,
        patched: server.patch().map(|patch| patch.boot.timestamp()),
        builds,
        log_start: start,
        collected: end,
        withheld: options.withhold.clone(),
    }
}

/// Writes what the filter lets through.
struct Writer<'a> {
    server: &'a Server,
    filter: Filter,
    out: &'a mut dyn Sink,
}

/// A text log file being filled: rows are added in the order of their times.
#[derive(Debug, Default)]
struct LogFile {
    head: String,
    rows: String,
    last: Option<Moment>,
}

impl LogFile {
    /// Whether nothing, not even a withheld row, has come to it yet.
    fn is_new(&self) -> bool {
        self.last.is_none()
    }
}

impl Writer<'_> {
    fn files(&mut self, files: &[DiskFile]) -> io::Result<()> {
        for file in files {
            if self.filter.keeps_file(file.source) {
                let modified = file.modified.timestamp();
                self.out.file(&file.path, modified, &file.bytes)?;
            }
        }
        Ok(())
    }

    fn event_logs(&mut self, mut events: Vec<Logged>) -> io::Result<()> {
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
        let first_id = Random::new(self.server.seed, channel.name(), 0).between(900, 90_000);
        let first_id = first_id.unsigned_abs();
        let mut log = EvtxWriter::new(
            io::Cursor::new(Vec::new()),
            channel.name(),
            &self.server.full_name,
            first_id,
        )?;
        let mut written = false;
        for logged in events {
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
    fn text_logs(&mut self, options: &Options, traces: &Traces) -> io::Result<()> {
        let server = self.server;
        let probe_minutes = i64::from(options.probe_minutes.max(1));
        let mut extra = Extra::new(server, options);
        let mut day = server.start.day_start();
        while day < server.end {
            let mut sites = [LogFile::default(), LogFile::default()];
            let mut hour = day;
            while hour < day.after(DAY) {
                let count = extra.in_hour(server, hour);
                let mut requests = server.background(hour, probe_minutes, count);
                let told = traces
                    .requests
                    .iter()
                    .filter(|request| request.time.hour_start() == hour);
                requests.extend(told.cloned());
                requests.sort_by_key(|request| request.time);
                self.proxy_logs(hour, &requests)?;
                self.site_rows(&requests, &mut sites);
                self.component_logs(hour, probe_minutes, &traces.web_service)?;
                hour = hour.after(HOUR);
            }
            for (number, log) in sites.into_iter().enumerate() {
                let name = &day.compact_day()[2..];
                let path = format!(
                    r"C:\inetpub\logs\LogFiles\W3SVC{}\u_ex{name}.log",
                    number + 1
                );
                self.log_file(Source::Iis, &path, &log)?;
            }
            self.control_panel_log(day, probe_minutes, &traces.control_panel)?;
            self.address_book_log(day)?;
            day = day.after(DAY);
        }
        self.kernel_error_log()
    }

    /// Writes a log file, unless every row of it was withheld or its writer has deleted it.
    fn log_file(&mut self, source: Source, path: &str, log: &LogFile) -> io::Result<()> {
        let Some(last) = log.last else {
            return Ok(());
        };
        if log.rows.is_empty() || !self.filter.retains(source, last) {
            return Ok(());
        }
        let bytes = [log.head.as_bytes(), log.rows.as_bytes()].concat();
        self.out.file(path, last.timestamp(), &bytes)
    }

    /// The front-end proxy's logs of one hour, a file for each protocol; a new one after a restart or at a size.
    fn proxy_logs(&mut self, hour: Moment, requests: &[Request]) -> io::Result<()> {
        let server = self.server;
        for protocol in Protocol::ALL {
            let instance = protocol.name().to_lowercase();
            let mut number = 1;
            let mut build = server.build_at(hour);
            let mut log = LogFile::default();
            let path = |number: u32| {
                format!(
                    r"{}\Logging\HttpProxy\{}\HttpProxy_{}-{number}.LOG",
                    server.install,
                    protocol.name(),
                    hour.compact_hour()
                )
            };
            let proxied = requests
                .iter()
                .filter(|request| request.protocol == Some(protocol));
            for request in proxied {
                let now = server.build_at(request.time);
                if now != build || log.rows.len() > LOG_FILE_BYTES_MAX {
                    self.log_file(Source::HttpProxy, &path(number), &log)?;
                    number += u32::from(!log.is_new());
                    log = LogFile::default();
                    build = now;
                }
                if log.is_new() {
                    let begun = request.time.to_string();
                    log.head = head(&build.padded(), "HttpProxy Logs", &begun, HTTP_PROXY_FIELDS);
                }
                log.last = Some(request.time);
                if self
                    .filter
                    .keeps_record(Source::HttpProxy, &instance, request.time)
                {
                    request.write_proxy(server, protocol, &mut log.rows);
                }
            }
            self.log_file(Source::HttpProxy, &path(number), &log)?;
        }
        Ok(())
    }

    /// Adds an hour's requests to the day's logs of both web sites.
    fn site_rows(&self, requests: &[Request], sites: &mut [LogFile; 2]) {
        let server = self.server;
        for request in requests {
            let [front, back] = &mut *sites;
            // With the patch the administrator began to log the host header too.
            let extra = server
                .patch()
                .is_some_and(|patch| request.time >= patch.boot);
            if begin_site(server, front, request.time, extra.then_some("cs-host"))
                && self.filter.keeps_record(Source::Iis, "1", request.time)
            {
                request.write_front(server, extra, &mut front.rows);
            }
            if let Some(backend) = &request.backend
                && begin_site(server, back, request.time, None)
                && self.filter.keeps_record(Source::Iis, "2", request.time)
            {
                request.write_back(server, backend, &mut back.rows);
            }
        }
    }

    fn control_panel_log(
        &mut self,
        day: Moment,
        probe_minutes: i64,
        told: &[EcpEntry],
    ) -> io::Result<()> {
        let server = self.server;
        if !server.has_exchange {
            return Ok(());
        }
        let mut random = server.random("control panel", day);
        let session = random.guid();
        let mut entries = Vec::new();
        let mut time = day.after(3 * MINUTE + random.between(0, 20 * SECOND));
        while time < day.after(DAY) {
            entries.push(EcpEntry {
                time: time.after(random.between(0, 20 * SECOND)),
                command: "Get-InboxRule".to_owned(),
                url: format!(
                    "/ecp/RulesEditor/InboxRules.svc/GetList?msExchEcpCanary={}.",
                    random.text(
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
                        40
                    )
                ),
                error: String::new(),
                duration_ms: u32::try_from(random.between(8, 60)).unwrap_or(8),
                activity: random.guid(),
                session,
            });
            time = time.after(probe_minutes * MINUTE);
        }
        entries.retain(|entry| self.is_simulated(entry.time));
        entries.extend(
            told.iter()
                .filter(|entry| entry.time.day_start() == day)
                .cloned(),
        );
        entries.sort_by_key(|entry| entry.time);
        let mut log = LogFile::default();
        for entry in &entries {
            if log.is_new() {
                log.head = head(
                    "15.0.0.0",
                    "ECP Server Log",
                    &entry.time.to_string(),
                    ECP_FIELDS,
                );
            }
            log.last = Some(entry.time);
            if self.filter.keeps_record(Source::EcpServer, "", entry.time) {
                let build = server.build_at(entry.time).to_string();
                entry.write(&server.host, &build, &mut log.rows);
            }
        }
        let path = format!(
            r"{}\Logging\ECP\Server\ECPServer{}-1.LOG",
            server.install,
            day.compact_day()
        );
        self.log_file(Source::EcpServer, &path, &log)
    }

    /// The generation of the offline address book, every eight hours.
    fn address_book_log(&mut self, day: Moment) -> io::Result<()> {
        let server = self.server;
        if !server.has_exchange {
            return Ok(());
        }
        let mut random = server.random("address book", day);
        let list = Random::new(server.seed, "address list", 0).guid();
        let mut log = LogFile::default();
        for run in 0..3 {
            let trace = random.between(1_000, 60_000);
            let mut time = day.after(run * 8 * HOUR + random.between(2 * MINUTE, 9 * MINUTE));
            for message in [
                "Generation of offline address book \\Default Offline Address Book begins.",
                "Reading recipients of address list \\Default Global Address List.",
                "Writing compressed full file and differences.",
                "Generation of offline address book \\Default Offline Address Book is complete.",
            ] {
                time = time.after(random.between(300, 14_000));
                if !self.is_simulated(time) {
                    continue;
                }
                if log.is_new() {
                    log.head = head(
                        "15.0.0.0",
                        "OAB Generator Log",
                        &time.to_string(),
                        OAB_FIELDS,
                    );
                }
                log.last = Some(time);
                if self.filter.keeps_record(Source::OabGenerator, "", time) {
                    let row = format!(
                        "{time},DebugTrace,{trace},{},{list},{message}\r\n",
                        server.oab
                    );
                    log.rows.push_str(&row);
                }
            }
        }
        let path = format!(
            r"{}\Logging\OABGeneratorLog\oabgen{}-1.LOG",
            server.install,
            day.compact_day()
        );
        self.log_file(Source::OabGenerator, &path, &log)
    }

    /// Logs of Exchange's components: web services, Autodiscover, remote cmdlets; a row at every eighth turn of the probes.
    fn component_logs(
        &mut self,
        hour: Moment,
        probe_minutes: i64,
        told: &[WebServiceCall],
    ) -> io::Result<()> {
        let server = self.server;
        if !server.has_exchange {
            return Ok(());
        }
        let interval = probe_minutes * 8 * MINUTE;
        let mut random = server.random("components", hour);
        let mut calls = told
            .iter()
            .filter(|call| call.time.hour_start() == hour)
            .cloned()
            .collect::<Vec<_>>();
        let mut slots = Vec::new();
        let mut slot = (hour.0 + interval - 1).div_euclid(interval) * interval;
        while slot < hour.0 + HOUR {
            let time = Moment(slot + random.between(5 * SECOND, 25 * SECOND));
            slots.push((time, random.guid(), random.guid()));
            slot += interval;
        }
        slots.retain(|(time, _, _)| self.is_simulated(*time));
        for (time, id, _) in &slots {
            calls.push(WebServiceCall {
                time: *time,
                action: "GetFolder".to_owned(),
                user: format!("{}@{}", server.health_mailbox, server.domain),
                user_agent: "Ews_AM_Probe/Local (ExchangeServicesClient/15.01.0000.000)".to_owned(),
                client: "::1".to_owned(),
                response_bytes: 666,
                id: *id,
            });
        }
        calls.sort_by_key(|call| call.time);
        let rows = calls
            .iter()
            .map(|call| (call.time, self.web_service_row(call)))
            .collect::<Vec<_>>();
        self.component_log(
            hour,
            Source::Ews,
            "EWS Logs",
            EWS_FIELDS,
            r"Ews\Ews_",
            &rows,
        )?;

        let rows = slots
            .iter()
            .map(|(time, id, _)| (*time, self.autodiscover_row(*time, &id.to_string())))
            .collect::<Vec<_>>();
        self.component_log(
            hour,
            Source::Autodiscover,
            "Autodiscover Logs",
            AUTODISCOVER_FIELDS,
            r"Autodiscover\Autodiscover_",
            &rows,
        )?;

        let rows = slots
            .iter()
            .map(|(time, id, cmdlet)| {
                let row = self.cmdlet_row(*time, &id.to_string(), &cmdlet.to_string());
                (*time, row)
            })
            .collect::<Vec<_>>();
        self.component_log(
            hour,
            Source::CmdletInfra,
            "Rps Cmdlet Logs",
            CMDLET_FIELDS,
            r"CmdletInfra\Powershell-Proxy\Cmdlet\Rps_Cmdlet_",
            &rows,
        )
    }

    fn component_log(
        &mut self,
        hour: Moment,
        source: Source,
        log_type: &str,
        fields: &str,
        prefix: &str,
        rows: &[(Moment, String)],
    ) -> io::Result<()> {
        let server = self.server;
        let mut log = LogFile::default();
        for (time, row) in rows {
            if log.is_new() {
                let version = server.build_at(*time).padded();
                log.head = head(&version, log_type, &time.to_string(), fields);
            }
            log.last = Some(*time);
            if self.filter.keeps_record(source, "", *time) {
                log.rows.push_str(row);
            }
        }
        let path = format!(
            r"{}\Logging\{prefix}{}-1.LOG",
            server.install,
            hour.compact_hour()
        );
        self.log_file(source, &path, &log)
    }

    fn web_service_row(&self, call: &WebServiceCall) -> String {
        let server = self.server;
        let [major, minor, build, revision] = server.build_at(call.time).0;
        format!(
            "{},{},{major},{minor},{build},{revision},Unknown,,Logon,true,{},{},{},Target=None;Req=Exchange2010_SP1/Exchange2010_SP1;,{},{},,{},200,666,{},,,{},,,,{},PrimaryServer,LocalTask,0,1,0,1,0,17,MessageId_0={};SoapAction_0={};,,,,{},9716\r\n",
            call.time,
            call.id,
            call.user,
            server.domain,
            cell(&call.user_agent.replace(',', " ")),
            call.client,
            server.host,
            call.action,
            call.response_bytes,
            call.user,
            call.id,
            call.id,
            call.action,
            call.time,
        )
    }

    fn autodiscover_row(&self, time: Moment, id: &str) -> String {
        let server = self.server;
        let [major, minor, build, revision] = server.build_at(time).0;
        let mailbox = format!("{}@{}", server.health_mailbox, server.domain);
        format!(
            "{time},{id},{major},{minor},{build},{revision},,Negotiate,true,{mailbox},{},AMProbe/Local/ClientAccess,::1,{},,POX,200,,{mailbox},11,ServiceCommandBegin=1;ServiceCommandEnd=9;,\r\n",
            server.domain, server.host
        )
    }

    fn cmdlet_row(&self, time: Moment, id: &str, cmdlet: &str) -> String {
        let server = self.server;
        let [major, minor, build, revision] = server.build_at(time).0;
        format!(
            "{time},{},{id},,{major},{minor},{build},{revision},{},15756,w3wp#MSExchangePowerShellAppPool,85,,,{},{},,,False,ActiveMonitor,Get-Mailbox,\"-ResultSize \"\"1\"\"\",{cmdlet},15,,Success,Dispose={time};,\r\n",
            time.after(-16),
            server.host,
            server.health_mailbox,
            server.health_sid,
        )
    }

    /// The error log of HTTP.sys: connections that idled, and now and then a malformed request.
    fn kernel_error_log(&mut self) -> io::Result<()> {
        let server = self.server;
        let mut log = LogFile::default();
        let mut day = server.start.day_start();
        while day < server.end {
            let mut random = server.random("http.sys", day);
            for hour in [2, 9, 15, 20] {
                let time = day.after(hour * HOUR + random.between(0, HOUR - 1));
                let client = format!("203.0.113.{}", random.between(1, 254));
                let port = random.between(1_024, 65_000);
                let malformed = random.chance(20);
                if !self.is_simulated(time) {
                    continue;
                }
                if log.is_new() {
                    log.head = iis::error_head(time);
                }
                log.last = Some(time);
                if self.filter.keeps_record(Source::HttpErr, "", time) {
                    let rest = if malformed {
                        "HTTP/1.1 GET / - 400 - Hostname -"
                    } else {
                        "- - - - - - Timer_ConnectionIdle -"
                    };
                    let row = format!(
                        "{} {client} {port} {} 443 {rest}\r\n",
                        time.w3c(),
                        server.address
                    );
                    log.rows.push_str(&row);
                }
            }
            day = day.after(DAY);
        }
        let path = r"C:\Windows\System32\LogFiles\HTTPERR\httperr1.log";
        self.log_file(Source::HttpErr, path, &log)
    }

    fn is_simulated(&self, time: Moment) -> bool {
        self.server.start <= time && time < self.server.end && self.server.is_up(time)
    }
}

/// Begins a web site's log, or begins it anew after a restart; always true, so that it chains.
fn begin_site(server: &Server, log: &mut LogFile, time: Moment, extra: Option<&str>) -> bool {
    match log.last {
        None => log.head = iis::head(time, extra),
        Some(last) => {
            let restarted = server
                .outages
                .iter()
                .any(|outage| last < outage.boot && outage.boot <= time);
            if restarted {
                log.rows.push_str(&iis::head(time, extra));
            }
        }
    }
    log.last = Some(time);
    true
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
