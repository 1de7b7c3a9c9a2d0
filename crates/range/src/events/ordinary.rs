//! What a server logs by itself: its days, and its restarts.

use super::{
    AUDIT_SUCCESS, AUDITING, Caller, Channel, DEFENDER, Logged, Process, classic, manifest,
};
use crate::formats::evtx::Value;
use crate::moment::{DAY, HOUR, MINUTE, Moment, SECOND};
use crate::random::Random;
use crate::server::{Outage, Server};

const KERNEL_GENERAL: (&str, &str) = (
    "Microsoft-Windows-Kernel-General",
    "a68ca8b7-004f-d7b6-a698-07e2de0f1f5d",
);
const TASK_SCHEDULER: (&str, &str) = (
    "Microsoft-Windows-TaskScheduler",
    "de7b24ea-73c8-4a09-985d-5bdadcfa9017",
);
const POWERSHELL: (&str, &str) = (
    "Microsoft-Windows-PowerShell",
    "a0c1853b-5c40-4b15-8766-3cf1c58f985a",
);
const INFORMATION: u8 = 4;
const NO_KEYWORDS: u64 = 0x8000_0000_0000_0000;

/// Of a hundred cmdlets of administrators, so many are rare ones. Some of them look like an intruder's.
const RARE_CMDLET_PERCENT: u64 = 6;

/// In the order in which they stop.
const SERVICES: [&str; 7] = [
    "World Wide Web Publishing Service",
    "Microsoft Exchange Health Manager",
    "Microsoft Exchange Frontend Transport",
    "Microsoft Exchange Transport",
    "Microsoft Exchange Mailbox Assistants",
    "Microsoft Exchange Information Store",
    "Microsoft Exchange Active Directory Topology",
];

impl Server {
    /// What the server logs by itself from start to end.
    pub(crate) fn ordinary_events(&self) -> Vec<Logged> {
        let mut events = Vec::new();
        let mut day = self.start.day_start();
        while day < self.end {
            let mut today = Day {
                server: self,
                begin: day,
                random: self.random("events", day),
                events: Vec::new(),
            };
            today.pass();
            events.append(&mut today.events);
            day = day.after(DAY);
        }
        events.retain(|logged| {
            self.start <= logged.time && logged.time < self.end && self.is_up(logged.time)
        });
        let mut random = Random::new(self.seed, "restarts", 0);
        for outage in &self.outages {
            self.restart(*outage, &mut random, &mut events);
        }
        events
    }

    /// What Windows and Exchange log when the server goes down and comes back.
    fn restart(&self, outage: Outage, random: &mut Random, out: &mut Vec<Logged>) {
        let services = if self.has_exchange {
            &SERVICES[..]
        } else {
            &SERVICES[..1]
        };
        let mut time = outage.stop;
        for service in services {
            out.push(service_state(time, service, "stopped"));
            time = time.after(random.between(1, 9) * SECOND);
        }
        if outage.patch && !self.cumulative_update {
            self.update(outage, time.after(20 * SECOND), out);
        }
        self.shutdown(outage, out);
        startup(outage.boot, out);
        let mut time = outage.boot.after(40 * SECOND);
        for service in services {
            out.push(service_state(time, service, "running"));
            time = time.after(random.between(2, 12) * SECOND);
        }
    }

    /// What the installer logs of the security update.
    fn update(&self, outage: Outage, begin: Moment, out: &mut Vec<Logged>) {
        let number = &self.world.security_update;
        let product = &self.product.name;
        let update = format!(
            "Security Update for {} {} ({number}) {}",
            product.trim_start_matches("Microsoft "),
            self.product.update,
            self.after
        );
        let file = format!(r"C:\Temp\Exchange-{number}.msp");
        let transaction = [file, "6120".to_owned()];
        let reconfigured = [
            product.clone(),
            self.before.cumulative(),
            "1033".to_owned(),
            update.clone(),
            "0".to_owned(),
            "Microsoft Corporation".to_owned(),
        ];
        let done = outage.boot.after(-3 * MINUTE);
        for (time, id, texts) in [
            (begin, 1_040, transaction.to_vec()),
            (done, 1_022, vec![product.clone(), update]),
            (done.after(700), 1_036, reconfigured.to_vec()),
            (done.after(1_600), 1_042, transaction.to_vec()),
        ] {
            let event = classic(time, "MsiInstaller", id, INFORMATION, 0, texts);
            out.push(Logged::new(Channel::Application, time, event));
        }
    }

    fn shutdown(&self, outage: Outage, out: &mut Vec<Logged>) {
        let begin = outage.boot.after(-80 * SECOND);
        let reason = if outage.patch {
            "Application: Maintenance (Planned)"
        } else {
            "Operating System: Service pack (Planned)"
        };
        let restart = [
            r"C:\Windows\System32\svchost.exe",
            &self.host,
            reason,
            "0x80020010",
            "restart",
            "",
            r"NT AUTHORITY\SYSTEM",
        ];
        let event = classic(begin, "User32", 1_074, INFORMATION, 0, texts(&restart));
        out.push(Logged::new(Channel::System, begin, event));
        let stop = begin.after(25 * SECOND);
        let event = classic(stop, "EventLog", 6_006, INFORMATION, 0, texts(&[""]));
        out.push(Logged::new(Channel::System, stop, event));
        let off = stop.after(4 * SECOND);
        let fields = vec![("StopTime", Value::Time(off.timestamp()))];
        let event = manifest(off, KERNEL_GENERAL, (13, 0, INFORMATION, 2), 0x80, fields);
        out.push(Logged::new(Channel::System, off, event));
    }
}

fn startup(boot: Moment, out: &mut Vec<Logged>) {
    let fields = vec![
        ("MajorVersion", Value::U32(10)),
        ("MinorVersion", Value::U32(0)),
        ("BuildVersion", Value::U32(14_393)),
        ("QfeVersion", Value::U32(4_225)),
        ("ServiceVersion", Value::U32(0)),
        ("BootMode", Value::U32(0)),
        ("StartTime", Value::Time(boot.timestamp())),
    ];
    let event = manifest(boot, KERNEL_GENERAL, (12, 0, INFORMATION, 1), 0x80, fields);
    out.push(Logged::new(Channel::System, boot, event));
    let begin = boot.after(11 * SECOND);
    let version = ["10.00.", "14393", "", "Multiprocessor Free", "0"];
    for (id, values) in [(6_009, texts(&version)), (6_005, texts(&[""]))] {
        let event = classic(begin, "EventLog", id, INFORMATION, 0, values);
        out.push(Logged::new(Channel::System, begin, event));
    }
}

/// One day of a server's life.
struct Day<'a> {
    server: &'a Server,
    begin: Moment,
    random: Random,
    events: Vec<Logged>,
}

impl Day<'_> {
    fn pass(&mut self) {
        let has_exchange = self.server.has_exchange;
        for hour in 0..24 {
            if hour % 2 == 0 {
                self.logon(hour);
            }
            if hour % 3 == 0 && has_exchange {
                self.directory_topology(hour);
            }
            if hour % 4 == 1 {
                self.service_on_demand(hour);
            }
            if hour % 6 == 2 {
                self.scheduled_task(hour);
            }
            if hour % 6 == 4 && has_exchange {
                self.health_worker(hour);
            }
        }
        self.uptime();
        self.signatures();
        self.backup_script();
        if has_exchange {
            self.cmdlets();
        }
    }

    /// Some time in that hour.
    fn time(&mut self, hour: i64) -> Moment {
        let milliseconds = self.random.between(0, HOUR - 1);
        self.begin.after(hour * HOUR + milliseconds)
    }

    fn log(&mut self, channel: Channel, time: Moment, event: crate::formats::evtx::Event) {
        self.events.push(Logged::new(channel, time, event));
    }

    fn logon(&mut self, hour: i64) {
        let time = self.time(hour);
        let server = self.server;
        let (user, sid) = if server.has_exchange {
            (server.health_mailbox.clone(), server.health_sid.clone())
        } else {
            (
                "svc-backup".to_owned(),
                format!("{}-1104", server.domain_sid),
            )
        };
        let id = self.random.below(0x0100_0000) + 0x10_0000;
        let fields = vec![
            ("SubjectUserSid", Value::Sid("S-1-5-18".into())),
            ("SubjectUserName", format!("{}$", server.host).into()),
            ("SubjectDomainName", server.netbios.clone().into()),
            ("SubjectLogonId", Value::Hex64(0x3e7)),
            ("TargetUserSid", Value::Sid(sid)),
            ("TargetUserName", user.into()),
            ("TargetDomainName", server.netbios.clone().into()),
            ("TargetLogonId", Value::Hex64(id)),
            ("LogonType", Value::U32(8)),
            ("LogonProcessName", "Advapi  ".into()),
            ("AuthenticationPackageName", "Negotiate".into()),
            ("WorkstationName", server.host.clone().into()),
            ("LogonGuid", Value::Guid(self.random.guid())),
            ("TransmittedServices", "-".into()),
            ("LmPackageName", "-".into()),
            ("KeyLength", Value::U32(0)),
            ("ProcessId", Value::Hex64(0x1f4c)),
            (
                "ProcessName",
                r"C:\Windows\System32\inetsrv\w3wp.exe".into(),
            ),
            ("IpAddress", "127.0.0.1".into()),
            ("IpPort", "0".into()),
            ("ImpersonationLevel", "%%1833".into()),
            ("RestrictedAdminMode", "-".into()),
            ("TargetOutboundUserName", "-".into()),
            ("TargetOutboundDomainName", "-".into()),
            ("VirtualAccount", "%%1843".into()),
            ("TargetLinkedLogonId", Value::Hex64(0)),
            ("ElevatedToken", "%%1843".into()),
        ];
        let event = manifest(time, AUDITING, (4_624, 2, 0, 12_544), AUDIT_SUCCESS, fields);
        self.log(Channel::Security, time, event);
    }

    /// Exchange lists the domain controllers that it sees.
    fn directory_topology(&mut self, hour: i64) {
        let time = self.time(hour);
        let process = self.random.between(2_000, 9_000).to_string();
        let controllers = format!("dc01.{}\tCDG 1 7 7 1 0 1 1 7 1\r\n", self.server.domain);
        let values = texts(&["MSExchangeHMWorker.exe", &process, &controllers]);
        let event = classic(time, "MSExchange ADAccess", 2_080, INFORMATION, 3, values);
        self.log(Channel::Application, time, event);
    }

    fn service_on_demand(&mut self, hour: i64) {
        let time = self.time(hour);
        let later = time.after(self.random.between(60, 900) * SECOND);
        let service = self.random.pick(&[
            "WinHTTP Web Proxy Auto-Discovery Service",
            "Windows Modules Installer",
            "Software Protection",
        ]);
        self.events.push(service_state(time, service, "running"));
        self.events.push(service_state(later, service, "stopped"));
    }

    fn scheduled_task(&mut self, hour: i64) {
        let time = self.time(hour);
        let instance = self.random.guid();
        let name = r"\Microsoft\Windows\UpdateOrchestrator\Schedule Scan";
        let action = r"%systemroot%\system32\usoclient.exe";
        let started = vec![
            ("TaskName", name.into()),
            ("ActionName", action.into()),
            ("TaskInstanceId", Value::Guid(instance)),
            ("EnginePID", Value::U32(1_204)),
        ];
        let ended = vec![
            ("TaskName", name.into()),
            ("TaskInstanceId", Value::Guid(instance)),
            ("ActionName", action.into()),
            ("ResultCode", Value::U32(0)),
            ("EnginePID", Value::U32(1_204)),
        ];
        for (time, id, fields) in [(time, 200, started), (time.after(4 * SECOND), 201, ended)] {
            let kind = (id, 1, INFORMATION, id);
            let event = manifest(time, TASK_SCHEDULER, kind, 0x8000_0000_0000_0001, fields);
            self.log(Channel::TaskScheduler, time, event);
        }
    }

    /// Exchange's monitoring starts a program of Windows.
    fn health_worker(&mut self, hour: i64) {
        let time = self.time(hour);
        let parent = format!(r"{}\Bin\MSExchangeHMWorker.exe", self.server.install);
        let id = self.random.between(2_000, 9_000) * 4;
        let process = Process {
            image: r"C:\Windows\System32\netsh.exe",
            command_line: r#""netsh.exe" http show servicestate"#,
            parent_image: &parent,
            parent_command_line: "MSExchangeHMWorker.exe",
            id: u32::try_from(id).unwrap_or(0),
            parent_id: 7_112,
        };
        if self.server.process_auditing {
            let logged = self.server.process_created(time, &process);
            self.events.push(logged);
        }
        if self.server.sysmon {
            let logged = Server::sysmon_process(time, &process, &mut self.random);
            self.events.push(logged);
        }
    }

    fn uptime(&mut self) {
        let time = self.begin.after(11 * HOUR);
        let values = texts(&["", "", "", "", "86400", "60", "0 UTC"]);
        let event = classic(time, "EventLog", 6_013, INFORMATION, 0, values);
        self.log(Channel::System, time, event);
    }

    /// The antivirus gets new signatures.
    fn signatures(&mut self) {
        let time = self.time(4);
        let number = 1_300 + self.begin.0 / DAY % 300;
        let fields = vec![
            ("Product Name", "%%827".into()),
            ("Product Version", "4.18.2101.9".into()),
            (
                "Current Signature Version",
                format!("1.331.{number}.0").into(),
            ),
            (
                "Previous Signature Version",
                format!("1.331.{}.0", number - 1).into(),
            ),
            ("Update Source", "%%859".into()),
            ("Signature Type", "%%800".into()),
            ("Update Type", "%%803".into()),
            ("Current Engine Version", "1.1.17800.5".into()),
            ("Previous Engine Version", "1.1.17800.5".into()),
        ];
        let event = manifest(
            time,
            DEFENDER,
            (2_000, 0, INFORMATION, 0),
            NO_KEYWORDS,
            fields,
        );
        self.log(Channel::Defender, time, event);
    }

    /// The administrator's nightly script.
    fn backup_script(&mut self) {
        let time = self.time(5);
        let host = format!(
            "\tNewEngineState=Available\r\n\tPreviousEngineState=None\r\n\r\n\tHostName=ConsoleHost\r\n\tHostId={}\r\n\tHostApplication=powershell.exe -NoProfile -File C:\\Scripts\\backup.ps1",
            self.random.guid()
        );
        let values = texts(&["Available", "None", &host]);
        let event = classic(time, "PowerShell", 400, INFORMATION, 4, values);
        self.log(Channel::WindowsPowerShell, time, event);
        let script = r"Get-WBSummary | Out-File C:\Scripts\backup.log";
        let fields = vec![
            ("MessageNumber", Value::U32(1)),
            ("MessageTotal", Value::U32(1)),
            ("ScriptBlockText", script.into()),
            ("ScriptBlockId", self.random.guid().to_string().into()),
            ("Path", r"C:\Scripts\backup.ps1".into()),
        ];
        let later = time.after(2 * SECOND);
        let event = manifest(later, POWERSHELL, (4_104, 1, 5, 2), 0, fields);
        self.log(Channel::PowerShellOperational, later, event);
    }

    /// What monitoring and administrators change in Exchange.
    fn cmdlets(&mut self) {
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
        let (_, working_day) = server.local_hour(self.begin.after(12 * HOUR));
        if !working_day {
            return;
        }
        for _ in 0..self.random.below(4) {
            let hour = self.random.between(8, 15);
            let time = self.time(hour);
            let choices = if self.random.chance(RARE_CMDLET_PERCENT) {
                &server.world.rare_cmdlets
            } else {
                &server.world.cmdlets
            };
            let (cmdlet, parameters) = self.random.pick(choices);
            let parameters = parameters
                .replace("{user}", &self.random.pick(&server.users).name)
                .replace("{host}", &server.host)
                .replace("{public}", &server.public);
            let caller = Caller::Administrator;
            let logged = server.cmdlet(time, cmdlet, &parameters, caller, &mut self.random);
            self.events.push(logged);
        }
    }
}

fn service_state(time: Moment, service: &str, state: &str) -> Logged {
    const CONTROL: (&str, &str) = (
        "Service Control Manager",
        "555908d1-a6d7-4695-8e1e-26931d2012f4",
    );
    let fields = vec![("param1", service.into()), ("param2", state.into())];
    let kind = (7_036, 0, INFORMATION, 0);
    let mut event = manifest(time, CONTROL, kind, 0x8080_0000_0000_0000, fields);
    event.provider.event_source_name = Some("Service Control Manager".into());
    event.qualifiers = Some(16_384);
    Logged::new(Channel::System, time, event)
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
