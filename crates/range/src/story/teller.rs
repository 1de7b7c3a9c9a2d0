//! Tells an act: step by step, each record as all logs and folders that would show it.

use super::cast::{
    AssemblyRecord, BackendRecord, By, Chapter, FileRecord, Names, Record, RequestRecord, Step,
    Writer, joined,
};
use super::traces::{Change, Setting, Traces, WebServiceCall};
use crate::Error;
use crate::calendar::Outage;
use crate::events::{Caller, Channel, Logged, Process, defender};
use crate::files::{DiskFile, hex};
use crate::formats::dns::Question;
use crate::formats::exchange::EcpEntry;
use crate::formats::pe::{Assembly, Image};
use crate::formats::{Guid, utf16};
use crate::moment::{DAY, MINUTE, Moment, SECOND};
use crate::names::{Message, Names as VictimNames};
use crate::product::random_port;
use crate::random::Random;
use crate::server::Server;
use crate::source::Source;
use crate::traffic::{Backend, Protocol};
use crate::truth::{Foothold, Step as TrueStep};
use crate::windows::task_xml;
use crate::witness::{Look, Mark};
use serde_json::Value;
use sha2::{Digest, Sha256};

const WORKER_PROCESS: &str = r"C:\Windows\System32\inetsrv\w3wp.exe";
const SYSTEM_HIVE: &str = r"C:\Windows\System32\config\SYSTEM";
const IIS_CONFIG: &str = r"C:\Windows\System32\inetsrv\config\applicationHost.config";

pub(super) struct Teller<'a> {
    server: &'a Server,
    actor: String,
    names: Names,
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
        names: Names,
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

    /// When the last thing happened.
    pub(super) fn now(&self) -> Moment {
        self.now
    }

    /// All that is left of the act.
    pub(super) fn finish(self) -> Traces {
        self.traces
    }

    pub(super) fn chapter(&mut self, chapter: &Chapter) -> Result<(), Error> {
        chapter.steps.iter().try_for_each(|step| self.step(step))
    }

    pub(super) fn step(&mut self, step: &Step) -> Result<(), Error> {
        let (least, most) = step.repeat;
        for _ in 0..self.random.between(least.into(), most.into()) {
            self.wait(step.wait);
            self.traces.steps.push(TrueStep {
                time: self.now.timestamp(),
                stage: step.stage.clone(),
                title: self.names.fill(&step.title),
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
            Record::File(file) => Some(&file.path),
            Record::Remove { path } | Record::Defender { path, .. } | Record::Undo { path } => {
                Some(path)
            }
            Record::Compiled { source, .. } => Some(source),
            _ => None,
        });
        paths.map(|path| self.names.fill(path)).collect()
    }

    fn wait(&mut self, (least, most): (i64, i64)) {
        let wait = self.random.between(least * SECOND, most * SECOND);
        self.now = self.now.after(wait);
        // Whoever gets no answer tries again when the server is back.
        let outages = &self.server.outages;
        let down = |outage: &&Outage| outage.stop <= self.now && self.now < outage.ready;
        if let Some(outage) = outages.iter().find(down) {
            self.now = outage.ready.after(9 * MINUTE);
        }
        self.step_begun = self.now;
        // A text that is to be another one in each step.
        let fresh = self.random.text("abcdefghijklmnopqrstuvwxyz0123456789", 6);
        self.names.set("fresh", fresh);
        self.names.set("time", self.now.to_string());
    }

    /// A time some milliseconds after all records so far.
    fn slightly_later(&mut self, least: i64, most: i64) -> Moment {
        self.now = self.now.after(self.random.between(least, most));
        self.now
    }

    fn fill(&self, template: &str) -> String {
        self.names.fill(template)
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

    fn event(&mut self, event: Logged, is_hint: bool) {
        let (channel, time) = (event.channel, event.time);
        self.mark(channel.source(), is_hint, Look::Event { channel, time });
        self.traces.events.push(event);
    }

    fn record(&mut self, record: &Record) -> Result<(), Error> {
        match record {
            Record::Request(request) => self.request(request)?,
            Record::Relay {
                to,
                query,
                status,
                response_bytes,
            } => self.request(&relay([to, query], *status, *response_bytes))?,
            Record::ControlPanel {
                command,
                url,
                error,
                is_hint,
            } => self.control_panel([command, url, error], *is_hint),
            Record::Cmdlet {
                cmdlet,
                parameters,
                by,
                is_hint,
            } => self.cmdlet(cmdlet, parameters, *by, *is_hint),
            Record::File(file) => self.file(file),
            Record::Remove { path } => {
                let path = self.fill(path);
                self.change(Change::Remove { path });
            }
            Record::RemoveCompiled { source } => {
                let source = self.fill(source);
                self.change(Change::RemoveCompiled { source });
            }
            Record::Compiled {
                page,
                application,
                source,
                names,
                literals,
            } => self.compiled([page, application, source], names, literals),
            Record::Process {
                image,
                command_line,
                pool,
                parent,
                is_hint,
            } => self.process([image, command_line, pool, parent], *is_hint),
            Record::Defender { id, threat, path } => self.defender(*id, threat, path),
            Record::WebService {
                action,
                response_bytes,
            } => self.web_service(action, *response_bytes),
            Record::AddressBook { message } => self.address_book(message),
            Record::NameAsked {
                name,
                answers,
                image,
            } => {
                let name = self.fill(name);
                self.name_asked(&name, answers, image);
            }
            Record::VictimName {
                message,
                answers,
                image,
            } => self.victim_name(*message, answers, image)?,
            Record::UnifiedMessaging { message } => {
                let time = self.slightly_later(5, 60);
                let message = self.fill(message);
                self.event(Server::unified_messaging_error(time, &message), false);
            }
            Record::Service { name, title, image } => self.service([name, title, image]),
            Record::Task {
                name,
                author,
                command,
                arguments,
            } => self.task([name, author, command, arguments]),
            Record::Module { name, image } => self.module(name, image),
            Record::VirtualDirectory { path, folder } => self.virtual_directory(path, folder),
            Record::Account { name } => self.account(name),
            Record::Undo { path } => {
                let path = self.fill(path);
                self.change(Change::Undo { path });
            }
            Record::LogCleared { source } => self.log_cleared(*source),
        }
        Ok(())
    }

    fn change(&mut self, change: Change) {
        self.traces.changes.push((self.now, change));
    }

    fn request(&mut self, record: &RequestRecord) -> Result<(), Error> {
        // A request is logged when it ends, after all that it caused.
        let now = self.slightly_later(15, 300);
        let mut request = self.server.request(now, &mut self.random);
        let described = self.server.described.as_ref();
        let usual = described.map_or(1, |product| product.site);
        request.site = record.site.unwrap_or(usual);
        request.duration_ms = u32::try_from(now.0 - self.step_begun.0).unwrap_or(u32::MAX);
        let protocol = self.fill(&record.protocol);
        request.protocol = Protocol::ALL
            .into_iter()
            .find(|known| known.name() == protocol);
        let status = self.fill(&joined(&record.status));
        request.status = status.parse().ok().ok_or(Error::Status(status))?;
        request.method = self.fill(&record.method);
        request.stem = self.fill(&record.stem);
        request.query = self.fill(&record.query);
        request.user = self.fill(&record.user);
        request.anchor = self.fill(&record.anchor);
        request.routing_hint = self.fill(&record.hint);
        request.user_agent = self.fill(&record.agent);
        request.client = self.fill(&record.client);
        request.error.clone_from(&record.error);
        request.target = record.target.as_ref().map(|target| self.fill(target));
        request.backend_status = request.target.as_ref().map(|_| request.status);
        if request.protocol.is_some() {
            "FBA".clone_into(&mut request.authentication);
        }
        if let Some((least, most)) = record.response_bytes {
            request.bytes_out = small(&mut self.random, least, most);
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
        let is_hint = record.is_hint;
        if request.protocol.is_some() {
            // A relayed request looks at the front end's web site like a request for some file.
            let relayed = record.backend.is_some() && record.user.is_empty();
            self.mark_line(Source::HttpProxy, is_hint, now, &[&id]);
            self.mark_line(Source::Iis, is_hint || relayed, now, &[&id, " 443 "]);
        } else {
            let stem = format!(" {} ", request.stem.replace(' ', "+"));
            self.mark_line(Source::Iis, is_hint, now, &[&now.w3c(), &stem]);
        }
        if request.backend.is_some() {
            self.mark_line(Source::Iis, is_hint, now, &[&id, " 444 "]);
        }
        self.traces.requests.push(request);
        Ok(())
    }

    fn control_panel(&mut self, [command, url, error]: [&str; 3], is_hint: bool) {
        let entry = EcpEntry {
            time: self.slightly_later(20, 400),
            command: self.fill(command),
            url: self.fill(url),
            error: self.fill(error),
            duration_ms: small(&mut self.random, 15, 600),
            activity: self.random.guid(),
            session: self.session,
        };
        let (time, activity) = (entry.time, entry.activity.to_string());
        self.traces.control_panel.push(entry);
        self.mark_line(Source::EcpServer, is_hint, time, &[&activity]);
        self.mark_line(Source::EcpActivity, true, time, &[&activity]);
    }

    fn cmdlet(&mut self, cmdlet: &str, parameters: &str, by: By, is_hint: bool) {
        let time = self.slightly_later(10, 90);
        let (cmdlet, parameters) = (self.fill(cmdlet), self.fill(parameters));
        let caller = match by {
            By::ControlPanel => Caller::ControlPanel,
            By::Administrator => Caller::Administrator,
        };
        let random = &mut self.random;
        let event = self
            .server
            .cmdlet(time, &cmdlet, &parameters, caller, random);
        self.event(event, is_hint);
    }

    fn file(&mut self, record: &FileRecord) {
        let path = self.fill(&record.path);
        let mut bytes = match &record.assembly {
            None => self.fill(&joined(&record.text)).into_bytes(),
            Some(assembly) => self.assembly(&path, assembly),
        };
        let (least, most) = record.noise_bytes;
        for _ in 0..self.random.between(least, most) / 8 {
            bytes.extend(self.random.next_u64().to_le_bytes());
        }
        let time = self.slightly_later(30, 120);
        self.file_events(time, &path, record);
        let sha256 = hex(&Sha256::digest(&bytes));
        let (least, most) = record.older_days;
        let foothold = (!record.foothold.is_empty()).then(|| Foothold {
            kind: record.foothold.clone(),
            path: path.clone(),
            sha256: sha256.clone(),
            present: true,
            compiled: Vec::new(),
            left_in: Vec::new(),
        });
        let look = Look::File {
            path: path.clone(),
            sha256: Some(sha256),
        };
        self.mark(record.source, record.is_hint, look);
        let file = DiskFile {
            source: record.source,
            path,
            modified: time.after(-self.random.between(least * DAY, most * DAY)),
            bytes,
        };
        let is_unexplained = record.is_unexplained;
        self.change(Change::Write {
            file,
            foothold,
            is_unexplained,
        });
    }

    /// What records the writing of a file.
    fn file_events(&mut self, time: Moment, path: &str, record: &FileRecord) {
        let image = match record.writer {
            Writer::Share | Writer::Remote => "System",
            Writer::Worker => WORKER_PROCESS,
            Writer::Command => r"C:\Windows\System32\cmd.exe",
            Writer::Explorer => r"C:\Windows\explorer.exe",
        };
        if self.server.process_auditing {
            let events = match record.writer {
                Writer::Share => self.server.share_access(time, path, &mut self.random),
                Writer::Remote => {
                    let client = self.fill("{admin_desk}");
                    let random = &mut self.random;
                    self.server.remote_share_access(time, path, &client, random)
                }
                _ => Vec::new(),
            };
            for event in events {
                self.event(event, record.is_hint);
            }
        }
        let own = self.fill(&record.image);
        let image = if own.is_empty() { image } else { &own };
        self.sysmon_file(time, image, path, record.is_hint);
    }

    /// A program that cannot run.
    fn assembly(&self, path: &str, record: &AssemblyRecord) -> Vec<u8> {
        let name = path.rsplit('\\').next().unwrap_or(path);
        let names = self.fill(&joined(&record.names));
        let literals = record.literals.iter();
        Image {
            dll: true,
            version: None,
            version_text: String::new(),
            company: String::new(),
            product: String::new(),
            description: String::new(),
            original_name: name.to_owned(),
            linked: self.now.timestamp(),
            assembly: Some(Assembly {
                names: names.split_whitespace().map(str::to_owned).collect(),
                literals: literals.map(|text| self.fill(&joined(text))).collect(),
            }),
            padding_bytes: 0,
        }
        .to_bytes()
    }

    /// A name that a program asks for: in the log of Sysmon, and in that of the resolver, which knows the server by its
    /// address only.
    fn name_asked(&mut self, name: &str, answers: &[String], image: &str) {
        let question = Question {
            time: self.slightly_later(20, 900),
            client: self.server.address.clone(),
            port: random_port(&mut self.random),
            name: name.to_owned(),
            answers: answers.iter().map(|answer| self.fill(answer)).collect(),
        };
        if self.server.sysmon {
            let image = self.fill(image);
            let event = Server::sysmon_name(&question, &image, &mut self.random);
            self.event(event, false);
        }
        if self.server.dns_log.is_some() {
            let label = name.split('.').next().unwrap_or(name).to_owned();
            let client = question.client.clone();
            self.mark_line(Source::Dns, true, question.time, &[&label, &client]);
        }
        self.traces.questions.push(question);
    }

    fn victim_name(
        &mut self,
        message: Message,
        answers: &[String],
        image: &str,
    ) -> Result<(), Error> {
        let scheme = VictimNames::of_campaign(&self.server.campaign)?;
        let victim = Random::new(self.server.seed, "victim", 0).next_u64();
        let domain = self.server.domain.clone();
        let key = self.random.next_u64().to_le_bytes()[0];
        let host = (victim.to_be_bytes(), domain.as_str());
        for name in scheme.say(message, host, self.now, key) {
            self.name_asked(&name, answers, image);
        }
        Ok(())
    }

    fn sysmon_file(&mut self, time: Moment, image: &str, path: &str, is_hint: bool) {
        if self.server.sysmon {
            let event = Server::sysmon_file(time, image, path, &mut self.random);
            self.event(event, is_hint);
        }
    }

    fn compiled(
        &mut self,
        [page, application, source]: [&str; 3],
        names: &Value,
        literals: &[String],
    ) {
        let (page, application) = (self.fill(page), self.fill(application));
        let source = self.fill(source);
        let names = self.fill(&joined(names));
        let names = names
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>();
        let literals = literals
            .iter()
            .map(|literal| self.fill(literal))
            .filter(|literal| !literal.is_empty())
            .collect::<Vec<_>>();
        let time = self.slightly_later(200, 900);
        let random = &mut self.random;
        let files = self
            .server
            .compiled(time, &application, &page, (&names, &literals), random);
        for file in &files {
            self.sysmon_file(time, WORKER_PROCESS, &file.path, false);
        }
        for file in &files {
            let path = file.path.clone();
            let look = Look::File { path, sha256: None };
            self.mark(Source::TemporaryAspnet, false, look);
        }
        self.change(Change::Compile { source, files });
    }

    fn process(&mut self, [image, command_line, pool, parent]: [&str; 4], is_hint: bool) {
        let time = self.slightly_later(20, 150);
        let (image, command_line) = (self.fill(image), self.fill(command_line));
        let parent = self.fill(parent);
        let (parent, parent_command_line) = if parent.is_empty() {
            let pool = self.fill(pool);
            let line = format!(r#"c:\windows\system32\inetsrv\w3wp.exe -ap "{pool}" -v "v4.0""#);
            (WORKER_PROCESS.to_owned(), line)
        } else {
            let line = format!("\"{parent}\"");
            (parent, line)
        };
        let process = Process {
            image: &image,
            command_line: &command_line,
            parent_image: &parent,
            parent_command_line: &parent_command_line,
            id: process_id(&mut self.random),
            parent_id: self.worker,
        };
        if self.server.process_auditing {
            let event = self.server.process_created(time, &process);
            self.event(event, is_hint);
        }
        if self.server.sysmon {
            let event = Server::sysmon_process(time, &process, &mut self.random);
            self.event(event, is_hint);
        }
    }

    fn defender(&mut self, id: u16, threat: &str, path: &str) {
        let (threat, path) = (self.fill(threat), self.fill(path));
        let event = defender(self.now, id, &threat, &path, self.detection, self.now);
        self.event(event, false);
    }

    fn web_service(&mut self, action: &str, (least, most): (i64, i64)) {
        let call = WebServiceCall {
            time: self.slightly_later(20, 200),
            action: self.fill(action),
            user: self.server.machine_account(),
            user_agent: self.fill("{tool}"),
            client: self.server.address.clone(),
            response_bytes: small(&mut self.random, least, most),
            id: self.random.guid(),
        };
        let (time, id) = (call.time, call.id.to_string());
        self.traces.web_service.push(call);
        self.mark_line(Source::Ews, true, time, &[&id]);
    }

    fn address_book(&mut self, message: &str) {
        let time = self.slightly_later(20, 200);
        let message = self.fill(message);
        self.mark_line(Source::OabGenerator, false, time, &[&time.to_string()]);
        self.traces.address_book.push((time, message));
    }

    fn service(&mut self, texts: [&str; 3]) {
        let [name, title, image] = texts.map(|text| self.fill(text));
        let time = self.slightly_later(20, 200);
        let path = format!(r"HKLM\SYSTEM\CurrentControlSet\Services\{name}");
        self.shown.push(path.clone());
        self.event(Server::service_installed(time, &name, &image), true);
        let look = Look::Bytes {
            path: SYSTEM_HIVE.to_owned(),
            bytes: name.clone().into_bytes(),
        };
        self.mark(Source::SystemHive, true, look);
        let written = time;
        let setting = Setting::Service {
            name,
            title,
            image,
            written,
        };
        self.set_up("service", path, setting);
    }

    fn task(&mut self, texts: [&str; 4]) {
        let [name, author, command, arguments] = texts.map(|text| self.fill(text));
        let time = self.slightly_later(20, 200);
        let path = format!(r"C:\Windows\System32\Tasks\{name}");
        self.shown.push(path.clone());
        let xml = task_xml(time, [&name, &author, &command, &arguments]);
        self.event(self.server.task_registered(time, &name), true);
        if self.server.process_auditing {
            self.event(self.server.task_audited(time, &name, &xml), true);
        }
        let mut bytes = vec![0xff, 0xfe];
        bytes.extend(utf16(&xml));
        let sha256 = hex(&Sha256::digest(&bytes));
        let look = Look::File {
            path: path.clone(),
            sha256: Some(sha256.clone()),
        };
        self.mark(Source::Tasks, true, look);
        let foothold = Foothold {
            kind: "scheduled_task".to_owned(),
            path: path.clone(),
            sha256,
            present: true,
            compiled: Vec::new(),
            left_in: Vec::new(),
        };
        let file = DiskFile {
            source: Source::Tasks,
            path,
            modified: time,
            bytes,
        };
        self.change(Change::Write {
            file,
            foothold: Some(foothold),
            is_unexplained: false,
        });
    }

    fn module(&mut self, name: &str, image: &str) {
        let (name, image) = (self.fill(name), self.fill(image));
        self.shown.push(image.clone());
        self.mark_config(&image);
        let setting = Setting::Module {
            name,
            image: image.clone(),
        };
        self.set_up("iis_module", image, setting);
    }

    fn virtual_directory(&mut self, path: &str, folder: &str) {
        let (path, folder) = (self.fill(path), self.fill(folder));
        self.shown.push(folder.clone());
        self.mark_config(&folder);
        let setting = Setting::VirtualDirectory {
            path,
            folder: folder.clone(),
        };
        self.set_up("virtual_directory", folder, setting);
    }

    fn mark_config(&mut self, text: &str) {
        let look = Look::Bytes {
            path: IIS_CONFIG.to_owned(),
            bytes: text.as_bytes().to_vec(),
        };
        self.mark(Source::IisConfig, true, look);
    }

    fn account(&mut self, name: &str) {
        let name = self.fill(name);
        let time = self.slightly_later(20, 200);
        let path = format!(r"{}\{name}", self.server.host);
        self.shown.push(path.clone());
        let number = self.random.between(100_000_000, 2_147_483_647);
        for event in self.server.account_made(time, &name, number) {
            self.event(event, true);
        }
        self.set_up("account", path, Setting::Account { name });
    }

    fn set_up(&mut self, kind: &str, path: String, setting: Setting) {
        let foothold = Foothold {
            kind: kind.to_owned(),
            path,
            sha256: String::new(),
            present: true,
            compiled: Vec::new(),
            left_in: Vec::new(),
        };
        self.change(Change::SetUp { setting, foothold });
    }

    fn log_cleared(&mut self, source: Source) {
        let time = self.slightly_later(50, 500);
        self.traces.cleared.insert(source, time);
        for channel in Channel::ALL {
            if channel.source() == source {
                self.event(Server::log_cleared(time, channel), true);
            }
        }
    }
}

/// A request that carries the campaign's cookie: whom it is relayed to stands in its anchor.
fn relay([to, query]: [&str; 2], status: u16, response_bytes: Option<(i64, i64)>) -> RequestRecord {
    let text = str::to_owned;
    let tail = if query.is_empty() { "{tail}" } else { "#" };
    RequestRecord {
        site: None,
        protocol: text("{stem.protocol}"),
        method: text("POST"),
        stem: text("{stem.path}"),
        query: String::new(),
        user: String::new(),
        anchor: format!("{{anchor}}{to}{query}{tail}"),
        hint: text("{stem.hint}"),
        agent: text("{tool}"),
        client: text("{actor}"),
        status: Value::from(status),
        error: String::new(),
        response_bytes,
        target: Some(text("{relay}{backend_name}:444")),
        backend: Some(BackendRecord {
            stem: text(to),
            query: text(query),
            status,
        }),
        is_hint: false,
    }
}

fn small(random: &mut Random, least: i64, most: i64) -> u32 {
    u32::try_from(random.between(least, most)).unwrap_or(u32::MAX)
}

/// Process ids of Windows are multiples of four.
fn process_id(random: &mut Random) -> u32 {
    u32::try_from(random.between(900, 3_500) * 4).expect("a small number")
}
