//! Tells a story: step by step, each record as all logs and folders that would show it.

use super::{Record, RequestRecord, Step, Traces, WebServiceCall, joined};
use crate::Error;
use crate::events::{Caller, Logged, Process, defender};
use crate::files::{DiskFile, hex};
use crate::formats::Guid;
use crate::formats::exchange::EcpEntry;
use crate::moment::{MINUTE, Moment, SECOND};
use crate::random::Random;
use crate::server::Server;
use crate::source::Source;
use crate::traffic::{Backend, Protocol};
use crate::truth::{Foothold, Step as TrueStep};
use crate::witness::{Look, Mark};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Names within names are replaced this deep.
const NAME_DEPTH: usize = 5;

const WORKER_PROCESS: &str = r"C:\Windows\System32\inetsrv\w3wp.exe";

pub(super) struct Teller<'a> {
    server: &'a Server,
    actor: String,
    names: BTreeMap<String, String>,
    /// The id under which the antivirus files its detection.
    detection: Guid,
    /// The intruder's session in the control panel.
    session: Guid,
    /// The process id of the web server's worker.
    worker: u32,
    random: Random,
    step_begun: Moment,
    now: Moment,
    /// Footholds that the records of the current step show.
    shown: Vec<String>,
    traces: Traces,
}

impl<'a> Teller<'a> {
    pub(super) fn new(
        server: &'a Server,
        actor: &str,
        names: BTreeMap<String, String>,
        begin: Moment,
        mut random: Random,
    ) -> Self {
        Self {
            server,
            actor: actor.to_owned(),
            names,
            detection: random.guid(),
            session: random.guid(),
            worker: process_id(&mut random),
            random,
            step_begun: begin,
            now: begin,
            shown: Vec::new(),
            traces: Traces::default(),
        }
    }

    /// When the last thing happened, and all that is left of the story.
    pub(super) fn finish(self) -> (Moment, Traces) {
        (self.now, self.traces)
    }

    pub(super) fn step(&mut self, step: &Step) -> Result<(), Error> {
        for _ in 0..step.repeat {
            self.wait(step.wait);
            self.traces.steps.push(TrueStep {
                time: self.now.timestamp(),
                stage: step.stage.clone(),
                title: step.title.clone(),
                actor: self.actor.clone(),
                left_in: Vec::new(),
            });
            self.shown = self.footholds_of(step);
            for record in &step.records {
                self.record(record)?;
            }
        }
        Ok(())
    }

    /// The footholds that a step's records name: what it writes, compiles, removes or has removed.
    fn footholds_of(&self, step: &Step) -> Vec<String> {
        let paths = step.records.iter().filter_map(|record| match record {
            Record::File { path, .. } | Record::Remove { path } | Record::Defender { path, .. } => {
                Some(path)
            }
            Record::Compiled { source, .. } => Some(source),
            _ => None,
        });
        paths.map(|path| self.fill(path)).collect()
    }

    fn wait(&mut self, (least, most): (i64, i64)) {
        let wait = self.random.between(least * SECOND, most * SECOND);
        self.now = self.now.after(wait);
        // Whoever gets no answer tries again when the server is back.
        let outages = &self.server.outages;
        let down =
            |outage: &&crate::server::Outage| outage.stop <= self.now && self.now < outage.ready;
        if let Some(outage) = outages.iter().find(down) {
            self.now = outage.ready.after(9 * MINUTE);
        }
        self.step_begun = self.now;
    }

    /// A time some milliseconds after all records so far.
    fn slightly_later(&mut self, least: i64, most: i64) -> Moment {
        self.now = self.now.after(self.random.between(least, most));
        self.now
    }

    /// Notes how the record that the current step just left can be recognised.
    fn mark(&mut self, source: Source, is_hint: bool, look: Look) {
        self.traces.marks.push(Mark {
            step: self.traces.steps.len().saturating_sub(1),
            source,
            is_hint,
            footholds: self.shown.clone(),
            look,
        });
    }

    fn mark_line(&mut self, source: Source, is_hint: bool, time: Moment, texts: &[&str]) {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        self.mark(source, is_hint, Look::Line { time, texts });
    }

    fn event(&mut self, event: Logged) {
        let (channel, time) = (event.channel, event.time);
        self.mark(channel.source(), false, Look::Event { channel, time });
        self.traces.events.push(event);
    }

    /// Replaces the names in braces. What is not a name stays, as scripts have braces of their own.
    fn fill(&self, template: &str) -> String {
        let mut text = template.to_owned();
        for _ in 0..NAME_DEPTH {
            let filled = self.fill_once(&text);
            if filled == text {
                break;
            }
            text = filled;
        }
        text
    }

    fn fill_once(&self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            filled.push_str(&rest[..open]);
            rest = &rest[open..];
            let value = rest
                .find('}')
                .and_then(|close| Some((close, self.names.get(&rest[1..close])?)));
            if let Some((close, value)) = value {
                filled.push_str(value);
                rest = &rest[close + 1..];
            } else {
                filled.push('{');
                rest = &rest[1..];
            }
        }
        filled.push_str(rest);
        filled
    }

    fn record(&mut self, record: &Record) -> Result<(), Error> {
        match record {
            Record::Request(request) => self.request(request)?,
            Record::ControlPanel { command, url } => self.control_panel(command, url),
            Record::Cmdlet { cmdlet, parameters } => self.cmdlet(cmdlet, parameters),
            Record::File {
                path,
                text,
                foothold,
            } => self.file(path, text, foothold),
            Record::Remove { path } => self.remove(path),
            Record::Compiled {
                page,
                application,
                source,
                names,
                literals,
            } => self.compiled(page, application, source, names, literals),
            Record::Process {
                image,
                command_line,
                pool,
            } => self.process(image, command_line, pool),
            Record::Defender { id, threat, path } => self.defender(*id, threat, path),
            Record::WebService {
                action,
                response_bytes,
            } => self.web_service(action, *response_bytes),
        }
        Ok(())
    }

    fn request(&mut self, record: &RequestRecord) -> Result<(), Error> {
        // A request is logged when it ends, after all that it caused.
        let now = self.slightly_later(15, 300);
        let mut request = self.server.request(now, &mut self.random);
        request.duration_ms = u32::try_from(now.0 - self.step_begun.0).unwrap_or(u32::MAX);
        let protocol = self.fill(&record.protocol);
        request.protocol = Protocol::ALL
            .into_iter()
            .find(|known| known.name() == protocol);
        let status = self.fill(&joined(&record.status));
        request.status = status.parse().ok().ok_or(Error::Status(status))?;
        request.method.clone_from(&record.method);
        request.stem = self.fill(&record.stem);
        request.query = self.fill(&record.query);
        request.user = self.fill(&record.user);
        request.anchor = self.fill(&record.anchor);
        request.routing_hint.clone_from(&record.hint);
        request.user_agent = self.fill(&record.agent);
        request.client = self.fill(&record.client);
        request.error.clone_from(&record.error);
        request.target = record.target.as_ref().map(|target| self.fill(target));
        request.backend_status = request.target.as_ref().map(|_| request.status);
        if request.protocol.is_some() {
            "FBA".clone_into(&mut request.authentication);
        }
        if let Some(bytes) = record.response_bytes {
            request.bytes_out = bytes;
        }
        request.backend = record.backend.as_ref().map(|backend| Backend {
            stem: self.fill(&backend.stem),
            query: self.fill(&backend.query),
            // What nobody signed in for, the front end asks in its own name.
            user: if record.user.is_empty() {
                self.server.machine_account()
            } else {
                self.fill(&record.user)
            },
            client: self.server.address.clone(),
            status: backend.status,
        });
        let id = request.id.to_string();
        let (stem, at) = (request.stem.clone(), request.time.w3c());
        let protocol = request.protocol;
        let has_backend = request.backend.is_some();
        self.traces.requests.push(request);
        // A relayed request looks at the front end's web site like a request for some file.
        let relayed = record.backend.is_some() && record.user.is_empty();
        if protocol.is_some() {
            self.mark_line(Source::HttpProxy, record.is_hint, now, &[&id]);
            let is_hint = record.is_hint || relayed;
            self.mark_line(Source::Iis, is_hint, now, &[&id, " 443 "]);
        } else {
            let stem = format!(" {} ", stem.replace(' ', "+"));
            self.mark_line(Source::Iis, record.is_hint, now, &[&at, &stem]);
        }
        if has_backend {
            self.mark_line(Source::Iis, record.is_hint, now, &[&id, " 444 "]);
        }
        Ok(())
    }

    fn control_panel(&mut self, command: &str, url: &str) {
        let entry = EcpEntry {
            time: self.slightly_later(20, 400),
            command: self.fill(command),
            url: self.fill(url),
            error: String::new(),
            duration_ms: u32::try_from(self.random.between(15, 600)).unwrap_or(0),
            activity: self.random.guid(),
            session: self.session,
        };
        let (time, activity) = (entry.time, entry.activity.to_string());
        self.traces.control_panel.push(entry);
        self.mark_line(Source::EcpServer, false, time, &[&activity]);
        self.mark_line(Source::EcpActivity, true, time, &[&activity]);
    }

    fn cmdlet(&mut self, cmdlet: &str, parameters: &str) {
        let time = self.slightly_later(10, 90);
        let parameters = self.fill(parameters);
        let caller = Caller::ControlPanel;
        let random = &mut self.random;
        let event = self
            .server
            .cmdlet(time, cmdlet, &parameters, caller, random);
        self.event(event);
    }

    fn file(&mut self, path: &str, text: &str, foothold: &str) {
        let path = self.fill(path);
        let bytes = self.fill(text).into_bytes();
        let time = self.slightly_later(30, 120);
        // The product writes through its own administrative share, so the share's audit names the file.
        if self.server.process_auditing {
            let events = self.server.share_access(time, &path, &mut self.random);
            for event in events {
                self.event(event);
            }
        }
        self.sysmon_file(time, "System", &path);
        self.traces.footholds.push(Foothold {
            kind: foothold.to_owned(),
            path: path.clone(),
            sha256: hex(&Sha256::digest(&bytes)),
            present: true,
            compiled: Vec::new(),
            left_in: Vec::new(),
        });
        self.mark(Source::WebRoots, false, Look::File { path: path.clone() });
        self.traces.files.push(DiskFile {
            source: Source::WebRoots,
            path,
            modified: time,
            bytes,
        });
    }

    fn sysmon_file(&mut self, time: Moment, image: &str, path: &str) {
        if self.server.sysmon {
            let event = Server::sysmon_file(time, image, path, &mut self.random);
            self.event(event);
        }
    }

    fn remove(&mut self, path: &str) {
        let path = self.fill(path);
        self.traces.files.retain(|file| file.path != path);
        for foothold in &mut self.traces.footholds {
            if foothold.path == path {
                foothold.present = false;
            }
        }
    }

    fn compiled(
        &mut self,
        page: &str,
        application: &str,
        source: &str,
        names: &[Value],
        literals: &[String],
    ) {
        let (page, application) = (self.fill(page), self.fill(application));
        let source = self.fill(source);
        let names = names.iter().map(joined).collect::<Vec<_>>();
        let literals = literals
            .iter()
            .map(|literal| self.fill(literal))
            .collect::<Vec<_>>();
        let time = self.slightly_later(200, 900);
        let random = &mut self.random;
        let files = self
            .server
            .compiled(time, &application, &page, (&names, &literals), random);
        for file in &files {
            self.sysmon_file(time, WORKER_PROCESS, &file.path);
        }
        for foothold in &mut self.traces.footholds {
            if foothold.path == source {
                foothold.compiled = files.iter().map(|file| file.path.clone()).collect();
            }
        }
        for file in &files {
            let path = file.path.clone();
            self.mark(Source::TemporaryAspnet, false, Look::File { path });
        }
        self.traces.files.extend(files);
    }

    fn process(&mut self, image: &str, command_line: &str, pool: &str) {
        let time = self.slightly_later(20, 150);
        let command_line = self.fill(command_line);
        let parent_command_line = format!(
            r#"c:\windows\system32\inetsrv\w3wp.exe -ap "{}" -v "v4.0""#,
            self.fill(pool)
        );
        let process = Process {
            image,
            command_line: &command_line,
            parent_image: WORKER_PROCESS,
            parent_command_line: &parent_command_line,
            id: process_id(&mut self.random),
            parent_id: self.worker,
        };
        if self.server.process_auditing {
            let event = self.server.process_created(time, &process);
            self.event(event);
        }
        if self.server.sysmon {
            let event = Server::sysmon_process(time, &process, &mut self.random);
            self.event(event);
        }
    }

    fn defender(&mut self, id: u16, threat: &str, path: &str) {
        let (threat, path) = (self.fill(threat), self.fill(path));
        let event = defender(self.now, id, &threat, &path, self.detection, self.now);
        self.event(event);
    }

    fn web_service(&mut self, action: &str, response_bytes: u32) {
        let call = WebServiceCall {
            time: self.slightly_later(20, 200),
            action: action.to_owned(),
            user: self.server.machine_account(),
            user_agent: self.fill("{tool}"),
            client: self.server.address.clone(),
            response_bytes,
            id: self.random.guid(),
        };
        let (time, id) = (call.time, call.id.to_string());
        self.traces.web_service.push(call);
        self.mark_line(Source::Ews, true, time, &[&id]);
    }
}

/// Process ids of Windows are multiples of four.
fn process_id(random: &mut Random) -> u32 {
    u32::try_from(random.between(900, 3_500) * 4).expect("a small number")
}
