//! What administrators, updates and the antivirus do on a server that nobody attacked.

use super::ordinary::Day;
use super::restarts::SERVICE_CONTROL;
use super::{
    AUDITING, Caller, Channel, Detection, INFORMATION, Logged, NO_KEYWORDS, POWERSHELL,
    TASK_SCHEDULER, classic, defender_event, manifest, texts,
};
use crate::formats::evtx::Value;
use crate::moment::{HOUR, MINUTE, Moment, SECOND};
use crate::server::Server;
use serde::Deserialize;

const BACKGROUND: &str = include_str!("../../data/background.json");

/// Of a hundred cmdlets of administrators, so many are rare ones. Some of them look like an intruder's.
const RARE_CMDLET_PERCENT: u64 = 7;

/// On so many of a hundred days the antivirus finds something.
const FINDING_PERCENT: u64 = 2;

/// On so many of a hundred days an update brings a service, or a program a task.
const SERVICE_PERCENT: u64 = 4;
const TASK_PERCENT: u64 = 3;

/// On so many of a hundred working days an administrator tries a script in the shell.
const SCRIPT_PERCENT: u64 = 12;

const AUDIT_FAILURE: u64 = 0x8010_0000_0000_0000;

const WEB_ACTIVATION: (&str, &str) = (
    "Microsoft-Windows-WAS",
    "524b5d04-133c-4a62-8362-64e8edb9ce40",
);

/// The tables of what may happen on any day.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Everyday {
    #[serde(rename = "about")]
    _about: String,
    findings: Vec<Finding>,
    /// Name, file, type, start and account of a service.
    services: Vec<(String, String, String, String, String)>,
    /// Path and owner of a task.
    tasks: Vec<(String, String)>,
    /// Application pools that stop when nobody asks for them.
    pools: Vec<String>,
    scripts: Vec<String>,
}

/// What the antivirus may find.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Finding {
    threat: String,
    category: String,
    path: String,
}

impl Everyday {
    pub(crate) fn new() -> Result<Self, serde_json::Error> {
        serde_json::from_str(BACKGROUND)
    }
}

impl Day<'_> {
    /// What happens on some days only.
    pub(super) fn occasions(&mut self) {
        self.wrong_passwords();
        self.idle_pool();
        if self.random.chance(FINDING_PERCENT) {
            self.finding();
        }
        if self.random.chance(SERVICE_PERCENT) {
            self.new_service();
        }
        if self.random.chance(TASK_PERCENT) {
            self.new_task();
        }
        let has_shell = self.server.has_exchange;
        if has_shell && self.is_working_day() && self.random.chance(SCRIPT_PERCENT) {
            self.script();
        }
    }

    fn is_working_day(&self) -> bool {
        let noon = self
            .begin
            .after(12 * HOUR - self.server.calendar.zone.minutes * MINUTE);
        self.server.local_hour(noon).1
    }

    /// Some time of the working day, by local time.
    fn working_time(&mut self) -> Moment {
        let local = self.random.between(8 * HOUR, 17 * HOUR);
        self.begin
            .after(local - self.server.calendar.zone.minutes * MINUTE)
    }

    /// Replaces the names in braces.
    fn filled(&mut self, text: &str) -> String {
        const HEX: &str = "0123456789ABCDEF";
        const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz0123456789";
        let server = self.server;
        let random = &mut self.random;
        let ticket = format!("INC00{}", random.between(10_000, 99_999));
        text.replace("{user}", &random.pick(&server.users).name)
            .replace("{other}", &random.pick(&server.users).name)
            .replace("{host}", &server.host)
            .replace("{public}", &server.public)
            .replace("{domain}", &server.domain)
            .replace("{netbios}", &server.netbios)
            .replace("{ticket}", &ticket)
            .replace("{number}", &random.between(1, 9).to_string())
            .replace("{thumbprint}", &random.text(HEX, 40))
            .replace("{device}", &random.text(HEX, 26))
            .replace("{random8}", &random.text(LETTERS, 8))
            .replace("{guid}", &random.guid().braced())
    }

    /// What monitoring and administrators change in Exchange.
    pub(super) fn cmdlets(&mut self) {
        let server = self.server;
        let parameters = format!(
            "-Identity \"{}/Microsoft Exchange System Objects/Monitoring Mailboxes/{}\" -Password \"System.Security.SecureString\"",
            server.domain, server.health_mailbox
        );
        for hour in [1, 13] {
            let time = self.time(hour);
            let caller = Caller::HealthManager;
            let logged = server.cmdlet(time, "Set-Mailbox", &parameters, caller, &mut self.random);
            self.events.push(logged);
        }
        if !self.is_working_day() {
            return;
        }
        for _ in 0..self.random.below(4) {
            let time = self.working_time();
            let choices = if self.random.chance(RARE_CMDLET_PERCENT) {
                &server.world.rare_cmdlets
            } else {
                &server.world.cmdlets
            };
            let (cmdlet, parameters) = self.random.pick(choices);
            let parameters = self.filled(parameters);
            let caller = Caller::Administrator;
            let logged = server.cmdlet(time, cmdlet, &parameters, caller, &mut self.random);
            self.events.push(logged);
        }
    }

    /// Failed logons: of strangers who guess, and of people who mistype.
    fn wrong_passwords(&mut self) {
        let server = self.server;
        for hour in 0..24 {
            for guess in server.guesses(self.begin.after(hour * HOUR)) {
                let logged = failed_logon(server, guess.time, &guess.user, &guess.address);
                self.events.push(logged);
            }
        }
        if self.is_working_day() && self.random.chance(40) {
            let time = self.working_time();
            let user = self.random.pick(&server.users);
            let logged = failed_logon(server, time, &user.name, &user.desk);
            self.events.push(logged);
        }
    }

    /// A worker process ends because nobody asked for anything.
    fn idle_pool(&mut self) {
        let time = self.time(22);
        let pool = match &self.server.described {
            None => self.random.pick(&self.server.everyday.pools).clone(),
            Some(product) => self.random.pick(&product.sites).pool.clone(),
        };
        let process = self.random.between(900, 3_500) * 4;
        let fields = vec![
            ("AppPoolID", pool.into()),
            ("ProcessID", process.to_string().into()),
            ("Minutes", "20".into()),
        ];
        let kind = (5_186, 0, INFORMATION, 0);
        let event = manifest(time, WEB_ACTIVATION, kind, 0x80_0000_0000_0000, fields);
        self.log(Channel::System, time, event);
    }

    /// The antivirus finds something and removes it: the mail of somebody, an administrator's download.
    fn finding(&mut self) {
        let found = self.working_time();
        let finding = self.random.pick(&self.server.everyday.findings);
        let path = self.filled(&finding.path);
        let file = path.split("->").next().unwrap_or(&path);
        let path = if file == path {
            format!("file:_{path}")
        } else {
            format!("containerfile:_{file}; file:_{path}")
        };
        let id = self.random.guid();
        let removed = found.after(self.random.between(1, 40) * SECOND);
        for (time, event) in [(found, 1_116), (removed, 1_117)] {
            let logged = defender_event(
                time,
                event,
                &Detection {
                    threat: &finding.threat,
                    category: &finding.category,
                    path: &path,
                    process: r"C:\Windows\explorer.exe",
                    user: &format!(r"{}\administrator", self.server.netbios),
                    id,
                    detected: found,
                },
            );
            self.events.push(logged);
        }
    }

    fn new_service(&mut self) {
        let time = self.time(4);
        let services = &self.server.everyday.services;
        let (name, file, kind, start, account) = self.random.pick(services);
        let fields = vec![
            ("ServiceName", self.filled(name).into()),
            ("ImagePath", self.filled(file).into()),
            ("ServiceType", kind.as_str().into()),
            ("StartType", start.as_str().into()),
            ("AccountName", account.as_str().into()),
        ];
        let kind = (7_045, 0, INFORMATION, 0);
        let mut event = manifest(time, SERVICE_CONTROL, kind, 0x8080_0000_0000_0000, fields);
        event.provider.event_source_name = Some("Service Control Manager".into());
        event.qualifiers = Some(16_384);
        self.log(Channel::System, time, event);
    }

    fn new_task(&mut self) {
        let time = self.working_time();
        let (name, owner) = self.random.pick(&self.server.everyday.tasks);
        let fields = vec![
            ("TaskName", self.filled(name).into()),
            ("UserContext", self.filled(owner).into()),
        ];
        let kind = (106, 0, INFORMATION, 106);
        let event = manifest(time, TASK_SCHEDULER, kind, NO_KEYWORDS, fields);
        self.log(Channel::TaskScheduler, time, event);
    }

    /// An administrator types something into a local shell.
    fn script(&mut self) {
        let time = self.working_time();
        let host = format!(
            "\tNewEngineState=Available\r\n\tPreviousEngineState=None\r\n\r\n\tHostName=ConsoleHost\r\n\tHostId={}\r\n\tHostApplication=C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe -noexit -command \". '{}\\bin\\RemoteExchange.ps1'; Connect-ExchangeServer -auto -ClientApplication:ManagementShell\"",
            self.random.guid(),
            self.server.install
        );
        let values = texts(&["Available", "None", &host]);
        let event = classic(time, "PowerShell", 400, INFORMATION, 4, values);
        self.log(Channel::WindowsPowerShell, time, event);
        let script = self.random.pick(&self.server.everyday.scripts).clone();
        let fields = vec![
            ("MessageNumber", Value::U32(1)),
            ("MessageTotal", Value::U32(1)),
            ("ScriptBlockText", script.into()),
            ("ScriptBlockId", self.random.guid().to_string().into()),
            ("Path", "".into()),
        ];
        let later = time.after(40 * SECOND);
        let event = manifest(later, POWERSHELL, (4_104, 1, 5, 2), 0, fields);
        self.log(Channel::PowerShellOperational, later, event);
    }
}

fn failed_logon(server: &Server, time: Moment, user: &str, address: &str) -> Logged {
    let fields = vec![
        ("SubjectUserSid", Value::Sid("S-1-5-18".into())),
        ("SubjectUserName", format!("{}$", server.host).into()),
        ("SubjectDomainName", server.netbios.clone().into()),
        ("SubjectLogonId", Value::Hex64(0x3e7)),
        ("TargetUserSid", Value::Sid("S-1-0-0".into())),
        ("TargetUserName", user.into()),
        ("TargetDomainName", server.netbios.clone().into()),
        ("Status", Value::Hex32(0xc000_006d)),
        ("FailureReason", "%%2313".into()),
        ("SubStatus", Value::Hex32(0xc000_006a)),
        ("LogonType", Value::U32(8)),
        ("LogonProcessName", "Advapi  ".into()),
        ("AuthenticationPackageName", "Negotiate".into()),
        ("WorkstationName", server.host.clone().into()),
        ("TransmittedServices", "-".into()),
        ("LmPackageName", "-".into()),
        ("KeyLength", Value::U32(0)),
        ("ProcessId", Value::Hex64(0x1f4c)),
        (
            "ProcessName",
            r"C:\Windows\System32\inetsrv\w3wp.exe".into(),
        ),
        ("IpAddress", address.into()),
        ("IpPort", "0".into()),
    ];
    let event = manifest(time, AUDITING, (4_625, 0, 0, 12_544), AUDIT_FAILURE, fields);
    Logged::new(Channel::Security, time, event)
}
