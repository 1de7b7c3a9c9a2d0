//! What a server logs by itself, day after day.

use super::restarts::service_state;
use super::{
    AUDIT_SUCCESS, AUDITING, Channel, DEFENDER, INFORMATION, Logged, NO_KEYWORDS, POWERSHELL,
    Process, TASK_SCHEDULER, classic, manifest, texts,
};
use crate::formats::evtx::Value;
use crate::moment::{DAY, HOUR, Moment, SECOND};
use crate::random::Random;
use crate::server::Server;

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
        self.restarts(&mut events);
        events
    }
}

/// One day of a server's life.
pub(super) struct Day<'a> {
    pub(super) server: &'a Server,
    pub(super) begin: Moment,
    pub(super) random: Random,
    pub(super) events: Vec<Logged>,
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
            self.occasions();
            self.more_logons();
        }
        if let Some(product) = &self.server.described {
            let mut own = self.server.described_day(product, self.begin);
            self.events.append(&mut own);
            self.occasions();
        }
    }

    /// Some time in that hour.
    pub(super) fn time(&mut self, hour: i64) -> Moment {
        let milliseconds = self.random.between(0, HOUR - 1);
        self.begin.after(hour * HOUR + milliseconds)
    }

    pub(super) fn log(
        &mut self,
        channel: Channel,
        time: Moment,
        event: crate::formats::evtx::Event,
    ) {
        self.events.push(Logged::new(channel, time, event));
    }

    fn logon(&mut self, hour: i64) {
        let server = self.server;
        let (user, sid) = if server.has_exchange {
            (server.health_mailbox.clone(), server.health_sid.clone())
        } else {
            (
                "svc-backup".to_owned(),
                format!("{}-1104", server.domain_sid),
            )
        };
        self.logon_of(hour, user, sid);
    }

    /// People who sign in, on a server that is made large.
    fn more_logons(&mut self) {
        let server = self.server;
        for _ in 0..server.more_logons {
            let hour = self.random.between(0, 23);
            let user = self.random.pick(&server.users);
            self.logon_of(hour, user.name.clone(), user.sid.clone());
        }
    }

    fn logon_of(&mut self, hour: i64, user: String, sid: String) {
        let server = self.server;
        let time = self.time(hour);
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
}
