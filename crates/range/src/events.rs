//! Windows events: who writes which event with which fields, and what an ordinary server logs day by day.
//!
//! Field names and order are those of the providers' manifests, as event logs of real servers show them.

use crate::formats::Guid;
use crate::formats::evtx::{Body, Event, Provider, Value};
use crate::moment::{DAY, HOUR, MINUTE, Moment, SECOND};
use crate::random::Random;
use crate::server::{Outage, Server};
use crate::source::Source;

/// Event logs that the simulated server keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Channel {
    Management,
    Application,
    System,
    Security,
    Defender,
    TaskScheduler,
    WindowsPowerShell,
    PowerShellOperational,
    Sysmon,
}

impl Channel {
    pub(crate) const ALL: [Self; 9] = [
        Self::Management,
        Self::Application,
        Self::System,
        Self::Security,
        Self::Defender,
        Self::TaskScheduler,
        Self::WindowsPowerShell,
        Self::PowerShellOperational,
        Self::Sysmon,
    ];

    /// The channel's name, as its events give it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Management => "MSExchange Management",
            Self::Application => "Application",
            Self::System => "System",
            Self::Security => "Security",
            Self::Defender => "Microsoft-Windows-Windows Defender/Operational",
            Self::TaskScheduler => "Microsoft-Windows-TaskScheduler/Operational",
            Self::WindowsPowerShell => "Windows PowerShell",
            Self::PowerShellOperational => "Microsoft-Windows-PowerShell/Operational",
            Self::Sysmon => "Microsoft-Windows-Sysmon/Operational",
        }
    }

    /// Its file's name; a slash is written as `%4`.
    pub(crate) fn file_name(self) -> String {
        format!("{}.evtx", self.name().replace('/', "%4"))
    }

    pub(crate) fn source(self) -> Source {
        match self {
            Self::Management => Source::Management,
            Self::Application => Source::Application,
            Self::System => Source::System,
            Self::Security => Source::Security,
            Self::Defender => Source::Defender,
            Self::TaskScheduler => Source::TaskScheduler,
            Self::WindowsPowerShell | Self::PowerShellOperational => Source::PowerShell,
            Self::Sysmon => Source::Sysmon,
        }
    }
}

/// An event and the log it goes to.
#[derive(Clone, Debug)]
pub(crate) struct Logged {
    pub(crate) channel: Channel,
    pub(crate) time: Moment,
    pub(crate) event: Event,
}

/// A process that was created, for the logs that record it.
#[derive(Clone, Debug)]
pub(crate) struct Process<'a> {
    pub(crate) image: &'a str,
    pub(crate) command_line: &'a str,
    pub(crate) parent_image: &'a str,
    pub(crate) parent_command_line: &'a str,
    pub(crate) id: u32,
    pub(crate) parent_id: u32,
}

const SYSTEM_SID: &str = "S-1-5-18";
const AUDIT_SUCCESS: u64 = 0x8020_0000_0000_0000;
const CLASSIC: u64 = 0x0080_0000_0000_0000;

/// An event of a provider with a manifest.
fn manifest(
    time: Moment,
    (name, guid): (&str, &str),
    (id, version, level, task): (u16, u8, u8, u16),
    keywords: u64,
    fields: Vec<(&str, Value)>,
) -> Event {
    Event {
        provider: Provider {
            name: name.to_owned(),
            guid: Guid::parse(guid),
            event_source_name: None,
        },
        id,
        qualifiers: None,
        version,
        level,
        task,
        opcode: 0,
        keywords,
        time: time.timestamp(),
        process_id: 4,
        thread_id: 68,
        user: None,
        body: Body::Named(
            fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        ),
    }
}

/// An event of a classic source.
fn classic(time: Moment, source: &str, id: u16, level: u8, task: u16, texts: Vec<String>) -> Event {
    Event {
        provider: Provider {
            name: source.to_owned(),
            ..Provider::default()
        },
        id,
        qualifiers: Some(16_384),
        version: 0,
        level,
        task,
        opcode: 0,
        keywords: CLASSIC,
        time: time.timestamp(),
        process_id: 0,
        thread_id: 0,
        user: None,
        body: Body::Unnamed(texts),
    }
}

const AUDITING: (&str, &str) = (
    "Microsoft-Windows-Security-Auditing",
    "54849625-5478-4994-a5ba-3e3b0328c30d",
);
const DEFENDER: (&str, &str) = (
    "Microsoft-Windows-Windows Defender",
    "11cd958a-c507-4ef3-b3f2-5fd9dfbd2c78",
);
const KERNEL_GENERAL: (&str, &str) = (
    "Microsoft-Windows-Kernel-General",
    "a68ca8b7-004f-d7b6-a698-07e2de0f1f5d",
);
const SERVICE_CONTROL: (&str, &str) = (
    "Service Control Manager",
    "555908d1-a6d7-4695-8e1e-26931d2012f4",
);
const TASK_SCHEDULER: (&str, &str) = (
    "Microsoft-Windows-TaskScheduler",
    "de7b24ea-73c8-4a09-985d-5bdadcfa9017",
);
const SYSMON: (&str, &str) = (
    "Microsoft-Windows-Sysmon",
    "5770385f-c22a-43e0-bf4c-06f5698ffbd9",
);

impl Server {
    /// A cmdlet that ran, as `MSExchange CmdletLogs` writes it. `error` is empty where it succeeded.
    pub(crate) fn cmdlet(
        &self,
        time: Moment,
        cmdlet: &str,
        parameters: &str,
        by: Caller,
        error: &str,
        random: &mut Random,
    ) -> Logged {
        let (user, sid, host, process) = match by {
            Caller::Administrator => (
                format!("{}/Users/Administrator", self.domain),
                format!("{}-500", self.domain_sid),
                "Remote-ManagementShell-Unknown",
                format!(
                    "{} w3wp#MSExchangePowerShellAppPool",
                    random.between(4_000, 12_000)
                ),
            ),
            Caller::ControlPanel => (
                format!("{}/Users/Administrator", self.domain),
                format!("{}-500", self.domain_sid),
                "ECP",
                format!(
                    "{} w3wp#MSExchangeECPAppPool",
                    random.between(4_000, 12_000)
                ),
            ),
            Caller::HealthManager => (
                r"NT AUTHORITY\SYSTEM (MSExchangeHMWorker)".to_owned(),
                SYSTEM_SID.to_owned(),
                "",
                format!("{} MSExchangeHMWorker", random.between(4_000, 12_000)),
            ),
        };
        let controller = format!("dc01.{}", self.domain);
        let texts = vec![
            cmdlet.to_owned(),
            parameters.to_owned(),
            user,
            sid.clone(),
            sid,
            host.to_owned(),
            process,
            random.between(5, 90).to_string(),
            format!(
                "00:00:0{}.{:07}",
                random.between(0, 3),
                random.below(10_000_000)
            ),
            format!(
                "View Entire Forest: 'False', Default Scope: '{}', Configuration Domain Controller: '{controller}', Preferred Global Catalog: '{controller}', Preferred Domain Controllers: '{{ {controller} }}'",
                self.domain
            ),
            error.to_owned(),
            String::new(),
            String::new(),
            "False".to_owned(),
            String::new(),
            "0 objects execution has been proxied to remote server.".to_owned(),
            String::new(),
            String::new(),
            format!("ActivityId: {}", random.guid()),
            "ServicePlan:;IsAdmin:True;".to_owned(),
            String::new(),
            "en-US".to_owned(),
        ];
        let (id, level) = if error.is_empty() { (1, 4) } else { (6, 2) };
        let event = classic(time, "MSExchange CmdletLogs", id, level, 1, texts);
        Logged {
            channel: Channel::Management,
            time,
            event,
        }
    }

    /// A process creation as the security log records it where auditing and command lines are on.
    pub(crate) fn process_created(&self, time: Moment, process: &Process<'_>) -> Logged {
        let fields = vec![
            ("SubjectUserSid", Value::Sid(SYSTEM_SID.into())),
            ("SubjectUserName", format!("{}$", self.host).into()),
            ("SubjectDomainName", self.netbios.clone().into()),
            ("SubjectLogonId", Value::Hex64(0x3e7)),
            ("NewProcessId", Value::Hex64(process.id.into())),
            ("NewProcessName", process.image.into()),
            ("TokenElevationType", "%%1936".into()),
            ("ProcessId", Value::Hex64(process.parent_id.into())),
            ("CommandLine", process.command_line.into()),
            ("TargetUserSid", Value::Sid("S-1-0-0".into())),
            ("TargetUserName", "-".into()),
            ("TargetDomainName", "-".into()),
            ("TargetLogonId", Value::Hex64(0)),
            ("ParentProcessName", process.parent_image.into()),
            ("MandatoryLabel", Value::Sid("S-1-16-16384".into())),
        ];
        Logged {
            channel: Channel::Security,
            time,
            event: manifest(time, AUDITING, (4_688, 2, 0, 13_312), AUDIT_SUCCESS, fields),
        }
    }

    /// The same process creation as Sysmon records it.
    pub(crate) fn sysmon_process(
        time: Moment,
        process: &Process<'_>,
        random: &mut Random,
    ) -> Logged {
        let folder = process
            .parent_image
            .rsplit_once('\\')
            .map_or("", |(folder, _)| folder);
        let fields = vec![
            ("RuleName", "-".into()),
            ("UtcTime", sysmon_time(time).into()),
            ("ProcessGuid", Value::Guid(random.guid())),
            ("ProcessId", Value::U32(process.id)),
            ("Image", process.image.into()),
            (
                "FileVersion",
                "10.0.14393.0 (rs1_release.160715-1616)".into(),
            ),
            ("CommandLine", process.command_line.into()),
            ("CurrentDirectory", format!("{folder}\\").into()),
            ("User", r"NT AUTHORITY\SYSTEM".into()),
            ("LogonId", Value::Hex64(0x3e7)),
            ("IntegrityLevel", "System".into()),
            ("ParentProcessGuid", Value::Guid(random.guid())),
            ("ParentProcessId", Value::U32(process.parent_id)),
            ("ParentImage", process.parent_image.into()),
            ("ParentCommandLine", process.parent_command_line.into()),
        ];
        sysmon(time, (1, 5), fields)
    }

    /// A file creation as Sysmon records it.
    pub(crate) fn sysmon_file(
        time: Moment,
        image: &str,
        path: &str,
        random: &mut Random,
    ) -> Logged {
        let fields = vec![
            ("RuleName", "-".into()),
            ("UtcTime", sysmon_time(time).into()),
            ("ProcessGuid", Value::Guid(random.guid())),
            (
                "ProcessId",
                Value::U32(if image == "System" { 4 } else { 7_212 }),
            ),
            ("Image", image.into()),
            ("TargetFilename", path.into()),
            ("CreationUtcTime", sysmon_time(time).into()),
        ];
        sysmon(time, (11, 2), fields)
    }

    /// A file on an administrative share, opened from the server itself: share access, then the file.
    pub(crate) fn share_access(
        &self,
        time: Moment,
        path: &str,
        random: &mut Random,
    ) -> Vec<Logged> {
        let logon = Value::Hex64(random.below(0x0100_0000) + 0x10_0000);
        let port = random.between(49_200, 65_000).to_string();
        let common = vec![
            ("SubjectUserSid", Value::Sid(SYSTEM_SID.into())),
            ("SubjectUserName", format!("{}$", self.host).into()),
            ("SubjectDomainName", self.netbios.clone().into()),
            ("SubjectLogonId", logon),
            ("ObjectType", "File".into()),
            ("IpAddress", "127.0.0.1".into()),
            ("IpPort", port.into()),
            ("ShareName", r"\\*\C$".into()),
            ("ShareLocalPath", r"\??\C:\".into()),
        ];
        let mut share = common.clone();
        share.push(("AccessMask", Value::Hex32(1)));
        share.push(("AccessList", "%%4416".into()));
        let mut file = common;
        let relative = path.split_once('\\').map_or(path, |(_, rest)| rest);
        file.push(("RelativeTargetName", relative.into()));
        file.push(("AccessMask", Value::Hex32(0x0012_0196)));
        file.push(("AccessList", "%%1538 %%1541 %%4417 %%4418".into()));
        file.push(("AccessReason", "-".into()));
        [(5_140, 1, 12_808, share), (5_145, 0, 12_811, file)]
            .into_iter()
            .map(|(id, version, task, fields)| Logged {
                channel: Channel::Security,
                time,
                event: manifest(
                    time,
                    AUDITING,
                    (id, version, 0, task),
                    AUDIT_SUCCESS,
                    fields,
                ),
            })
            .collect()
    }

    fn logon(&self, time: Moment, user: &str, sid: &str, random: &mut Random) -> Logged {
        let logon_id = random.below(0x0100_0000) + 0x10_0000;
        let fields = vec![
            ("SubjectUserSid", Value::Sid(SYSTEM_SID.into())),
            ("SubjectUserName", format!("{}$", self.host).into()),
            ("SubjectDomainName", self.netbios.clone().into()),
            ("SubjectLogonId", Value::Hex64(0x3e7)),
            ("TargetUserSid", Value::Sid(sid.into())),
            ("TargetUserName", user.into()),
            ("TargetDomainName", self.netbios.clone().into()),
            ("TargetLogonId", Value::Hex64(logon_id)),
            ("LogonType", Value::U32(8)),
            ("LogonProcessName", "Advapi  ".into()),
            ("AuthenticationPackageName", "Negotiate".into()),
            ("WorkstationName", self.host.clone().into()),
            ("LogonGuid", Value::Guid(random.guid())),
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
        Logged {
            channel: Channel::Security,
            time,
            event: manifest(time, AUDITING, (4_624, 2, 0, 12_544), AUDIT_SUCCESS, fields),
        }
    }

    fn service_state(time: Moment, service: &str, state: &str) -> Logged {
        let fields = vec![("param1", service.into()), ("param2", state.into())];
        let mut event = manifest(
            time,
            SERVICE_CONTROL,
            (7_036, 0, 4, 0),
            0x8080_0000_0000_0000,
            fields,
        );
        event.provider.event_source_name = Some("Service Control Manager".into());
        event.qualifiers = Some(16_384);
        Logged {
            channel: Channel::System,
            time,
            event,
        }
    }

    /// What Windows and Exchange log when the server goes down and comes back.
    fn outage_events(&self, outage: Outage, random: &mut Random, out: &mut Vec<Logged>) {
        let system = |time: Moment, event: Event| Logged {
            channel: Channel::System,
            time,
            event,
        };
        let application = |time: Moment, event: Event| Logged {
            channel: Channel::Application,
            time,
            event,
        };
        let services = if self.has_exchange {
            EXCHANGE_SERVICES
        } else {
            &EXCHANGE_SERVICES[..1]
        };
        let mut time = outage.stop;
        for service in services {
            out.push(Self::service_state(time, service, "stopped"));
            time = time.after(random.between(1, 9) * SECOND);
        }
        if outage.patch {
            let update = format!(
                "Security Update for {} {} ({}) {}",
                self.product.name.trim_start_matches("Microsoft "),
                self.product.update,
                self.world.security_update,
                self.after
            );
            let product = self.product.name.clone();
            let file = format!(r"C:\Temp\Exchange-{}.msp", self.world.security_update);
            let begin = time.after(20 * SECOND);
            let done = outage.boot.after(-3 * MINUTE);
            out.push(application(
                begin,
                classic(
                    begin,
                    "MsiInstaller",
                    1_040,
                    4,
                    0,
                    vec![file.clone(), "6120".into()],
                ),
            ));
            out.push(application(
                done,
                classic(
                    done,
                    "MsiInstaller",
                    1_022,
                    4,
                    0,
                    vec![product.clone(), update.clone()],
                ),
            ));
            let texts = vec![
                product,
                self.before.cumulative(),
                "1033".into(),
                update,
                "0".into(),
                "Microsoft Corporation".into(),
            ];
            let done = done.after(700);
            out.push(application(
                done,
                classic(done, "MsiInstaller", 1_036, 4, 0, texts),
            ));
            let done = done.after(900);
            out.push(application(
                done,
                classic(done, "MsiInstaller", 1_042, 4, 0, vec![file, "6120".into()]),
            ));
        }
        let down = outage.boot.after(-80 * SECOND);
        let reason = if outage.patch {
            "Application: Maintenance (Planned)"
        } else {
            "Operating System: Service pack (Planned)"
        };
        let restart = vec![
            format!(r"C:\Windows\System32\svchost.exe ({})", self.host),
            self.host.clone(),
            reason.to_owned(),
            "0x80020010".to_owned(),
            "restart".to_owned(),
            String::new(),
            r"NT AUTHORITY\SYSTEM".to_owned(),
        ];
        out.push(system(down, classic(down, "User32", 1_074, 4, 0, restart)));
        let stop = down.after(25 * SECOND);
        out.push(system(
            stop,
            classic(stop, "EventLog", 6_006, 4, 0, vec![String::new()]),
        ));
        let off = stop.after(4 * SECOND);
        let fields = vec![("StopTime", Value::Time(off.timestamp()))];
        out.push(system(
            off,
            manifest(
                off,
                KERNEL_GENERAL,
                (13, 0, 4, 2),
                0x8000_0000_0000_0080,
                fields,
            ),
        ));
        let boot = outage.boot;
        let fields = vec![
            ("MajorVersion", Value::U32(10)),
            ("MinorVersion", Value::U32(0)),
            ("BuildVersion", Value::U32(14_393)),
            ("QfeVersion", Value::U32(4_225)),
            ("ServiceVersion", Value::U32(0)),
            ("BootMode", Value::U32(0)),
            ("StartTime", Value::Time(boot.timestamp())),
        ];
        out.push(system(
            boot,
            manifest(
                boot,
                KERNEL_GENERAL,
                (12, 0, 4, 1),
                0x8000_0000_0000_0080,
                fields,
            ),
        ));
        let version = ["10.00.", "14393", "", "Multiprocessor Free", "0"].map(str::to_owned);
        let begin = boot.after(11 * SECOND);
        out.push(system(
            begin,
            classic(begin, "EventLog", 6_009, 4, 0, version.to_vec()),
        ));
        out.push(system(
            begin,
            classic(begin, "EventLog", 6_005, 4, 0, vec![String::new()]),
        ));
        let mut time = boot.after(40 * SECOND);
        for service in services {
            out.push(Self::service_state(time, service, "running"));
            time = time.after(random.between(2, 12) * SECOND);
        }
    }

    /// What the server logs by itself from start to end.
    pub(crate) fn background_events(&self, process_auditing: bool) -> Vec<Logged> {
        let mut out = Vec::new();
        let mut random = Random::new(self.seed, "outage events", 0);
        for outage in &self.outages {
            self.outage_events(*outage, &mut random, &mut out);
        }
        let mut day = self.start.day_start();
        while day < self.end {
            let mut random = self.random("events", day);
            let mut today = Vec::new();
            self.day_of_events(day, process_auditing, &mut random, &mut today);
            out.extend(
                today
                    .into_iter()
                    .filter(|logged| self.start <= logged.time && logged.time < self.end)
                    .filter(|logged| {
                        self.outages
                            .iter()
                            .all(|outage| logged.time < outage.stop || outage.ready <= logged.time)
                    }),
            );
            day = day.after(DAY);
        }
        out
    }

    fn day_of_events(
        &self,
        day: Moment,
        process_auditing: bool,
        random: &mut Random,
        out: &mut Vec<Logged>,
    ) {
        let jitter =
            |random: &mut Random, hour: i64| day.after(hour * HOUR + random.between(0, HOUR - 1));
        for hour in 0..24 {
            let time = jitter(random, hour);
            if hour % 3 == 0 && self.has_exchange {
                let text = format!("dc01.{}\tCDG 1 7 7 1 0 1 1 7 1\r\n", self.domain);
                out.push(Logged {
                    channel: Channel::Application,
                    time,
                    event: classic(
                        time,
                        "MSExchange ADAccess",
                        2_080,
                        4,
                        3,
                        vec![
                            "MSExchangeHMWorker.exe".into(),
                            random.between(2_000, 9_000).to_string(),
                            text,
                        ],
                    ),
                });
            }
            if hour % 4 == 1 {
                let time = time.after(17);
                let service = random.pick(&[
                    "WinHTTP Web Proxy Auto-Discovery Service",
                    "Windows Modules Installer",
                    "Software Protection",
                ]);
                out.push(Self::service_state(time, service, "running"));
                let later = time.after(random.between(60, 900) * SECOND);
                out.push(Self::service_state(later, service, "stopped"));
            }
            if hour % 2 == 0 {
                let time = time.after(29);
                let logged = if self.has_exchange {
                    self.logon(time, &self.health_mailbox, &self.health_sid, random)
                } else {
                    self.logon(
                        time,
                        "svc-backup",
                        &format!("{}-1104", self.domain_sid),
                        random,
                    )
                };
                out.push(logged);
            }
            if hour % 6 == 2 {
                let time = time.after(31);
                let instance = random.guid();
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
                let later = time.after(4 * SECOND);
                for (time, id, task, fields) in
                    [(time, 200, 200, started), (later, 201, 201, ended)]
                {
                    out.push(Logged {
                        channel: Channel::TaskScheduler,
                        time,
                        event: manifest(
                            time,
                            TASK_SCHEDULER,
                            (id, 1, 4, task),
                            0x8000_0000_0000_0001,
                            fields,
                        ),
                    });
                }
            }
            if hour % 6 == 4 && process_auditing && self.has_exchange {
                let time = time.after(37);
                out.push(self.process_created(
                    time,
                    &Process {
                        image: r"C:\Windows\System32\netsh.exe",
                        command_line: r#""netsh.exe" http show servicestate"#,
                        parent_image: &format!(r"{}\Bin\MSExchangeHMWorker.exe", self.install),
                        parent_command_line: "MSExchangeHMWorker.exe",
                        id: u32::try_from(random.between(2_000, 9_000)).unwrap_or(0) * 4,
                        parent_id: 7_112,
                    },
                ));
            }
        }
        let uptime = day.after(11 * HOUR);
        let texts = ["", "", "", "", "86400", "60", "0 UTC"].map(str::to_owned);
        out.push(Logged {
            channel: Channel::System,
            time: uptime,
            event: classic(uptime, "EventLog", 6_013, 4, 0, texts.to_vec()),
        });
        let signatures = jitter(random, 4);
        let number = 1_300 + day.0 / DAY % 300;
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
        out.push(Logged {
            channel: Channel::Defender,
            time: signatures,
            event: manifest(
                signatures,
                DEFENDER,
                (2_000, 0, 4, 0),
                0x8000_0000_0000_0000,
                fields,
            ),
        });
        let shell = jitter(random, 5);
        let texts = vec![
            "Available".to_owned(),
            "None".to_owned(),
            format!(
                "\tNewEngineState=Available\r\n\tPreviousEngineState=None\r\n\r\n\tHostName=ConsoleHost\r\n\tHostId={}\r\n\tHostApplication=powershell.exe -File C:\\Scripts\\backup.ps1",
                random.guid()
            ),
        ];
        out.push(Logged {
            channel: Channel::WindowsPowerShell,
            time: shell,
            event: classic(shell, "PowerShell", 400, 4, 4, texts),
        });
        let fields = vec![
            ("MessageNumber", Value::U32(1)),
            ("MessageTotal", Value::U32(1)),
            (
                "ScriptBlockText",
                "Get-WBSummary | Out-File C:\\Scripts\\backup.log".into(),
            ),
            ("ScriptBlockId", random.guid().to_string().into()),
            ("Path", r"C:\Scripts\backup.ps1".into()),
        ];
        let later = shell.after(2 * SECOND);
        out.push(Logged {
            channel: Channel::PowerShellOperational,
            time: later,
            event: manifest(
                later,
                (
                    "Microsoft-Windows-PowerShell",
                    "a0c1853b-5c40-4b15-8766-3cf1c58f985a",
                ),
                (4_104, 1, 5, 2),
                0,
                fields,
            ),
        });
        if self.has_exchange {
            self.day_of_cmdlets(day, random, out);
        }
    }

    fn day_of_cmdlets(&self, day: Moment, random: &mut Random, out: &mut Vec<Logged>) {
        for hour in [1, 13] {
            let time = day.after(hour * HOUR + random.between(0, HOUR - 1));
            let parameters = format!(
                "-Identity \"{}/Microsoft Exchange System Objects/Monitoring Mailboxes/{}\" -Password \"System.Security.SecureString\"",
                self.domain, self.health_mailbox
            );
            out.push(self.cmdlet(
                time,
                "Set-Mailbox",
                &parameters,
                Caller::HealthManager,
                "",
                random,
            ));
        }
        let (_, working_day) = self.local_hour(day.after(12 * HOUR));
        if working_day {
            for _ in 0..random.below(4) {
                let time = day.after(random.between(8, 15) * HOUR + random.between(0, HOUR - 1));
                let (cmdlet, parameters) = random.pick(&self.world.cmdlets);
                let user = &random.pick(&self.users).name;
                let parameters = parameters.replace("{user}", user);
                out.push(self.cmdlet(time, cmdlet, &parameters, Caller::Administrator, "", random));
            }
        }
    }
}

/// Who ran a cmdlet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// An administrator in the management shell.
    Administrator,
    /// The control panel, for whoever uses it.
    ControlPanel,
    /// Exchange's own monitoring.
    HealthManager,
}

/// A detection by Windows Defender (1116) or what it then did (1117).
pub(crate) fn defender(
    time: Moment,
    id: u16,
    threat: &str,
    path: &str,
    detection: Guid,
    detected: Moment,
) -> Logged {
    let removed = id == 1_117;
    let action = if removed {
        ("2", "%%809")
    } else {
        ("9", "%%887")
    };
    let fields = vec![
        ("Product Name", "%%827".into()),
        ("Product Version", "4.18.2101.9".into()),
        ("Detection ID", detection.braced().into()),
        ("Detection Time", detected.to_string().into()),
        ("Unused", "".into()),
        ("Unused2", "".into()),
        ("Threat ID", "2147776107".into()),
        ("Threat Name", threat.into()),
        ("Severity ID", "5".into()),
        ("Severity Name", "Severe".into()),
        ("Category ID", "6".into()),
        ("Category Name", "Backdoor".into()),
        (
            "FWLink",
            "https://go.microsoft.com/fwlink/?linkid=37020".into(),
        ),
        ("Status Code", if removed { "3" } else { "1" }.into()),
        ("Status Description", "".into()),
        ("State", if removed { "2" } else { "1" }.into()),
        ("Source ID", "3".into()),
        ("Source Name", "%%818".into()),
        (
            "Process Name",
            r"C:\Windows\System32\inetsrv\w3wp.exe".into(),
        ),
        ("Detection User", r"NT AUTHORITY\SYSTEM".into()),
        ("Unused3", "".into()),
        ("Path", format!("file:_{path}").into()),
        ("Origin ID", "1".into()),
        ("Origin Name", "%%845".into()),
        ("Execution ID", "1".into()),
        ("Execution Name", "%%813".into()),
        ("Type ID", "0".into()),
        ("Type Name", "%%822".into()),
        ("Pre Execution Status", "0".into()),
        ("Action ID", action.0.into()),
        ("Action Name", action.1.into()),
        ("Unused4", "".into()),
        ("Error Code", "0x00000000".into()),
        (
            "Error Description",
            "The operation completed successfully. ".into(),
        ),
        ("Unused5", "".into()),
        ("Post Clean Status", "0".into()),
        ("Additional Actions ID", "0".into()),
        (
            "Additional Actions String",
            "No additional actions required".into(),
        ),
        (
            "Remediation User",
            if removed { r"NT AUTHORITY\SYSTEM" } else { "" }.into(),
        ),
        ("Unused6", "".into()),
        (
            "Signature Version",
            "AV: 1.331.1420.0, AS: 1.331.1420.0, NIS: 1.331.1420.0".into(),
        ),
        ("Engine Version", "AM: 1.1.17800.5, NIS: 1.1.17800.5".into()),
    ];
    let level = if removed { 4 } else { 3 };
    let mut event = manifest(
        time,
        DEFENDER,
        (id, 0, level, 0),
        0x8000_0000_0000_0000,
        fields,
    );
    event.user = Some(SYSTEM_SID.into());
    Logged {
        channel: Channel::Defender,
        time,
        event,
    }
}

const EXCHANGE_SERVICES: &[&str] = &[
    "World Wide Web Publishing Service",
    "Microsoft Exchange Health Manager",
    "Microsoft Exchange Frontend Transport",
    "Microsoft Exchange Transport",
    "Microsoft Exchange Mailbox Assistants",
    "Microsoft Exchange Information Store",
    "Microsoft Exchange Active Directory Topology",
];

fn sysmon(time: Moment, (id, version): (u16, u8), fields: Vec<(&str, Value)>) -> Logged {
    let mut event = manifest(
        time,
        SYSMON,
        (id, version, 4, id),
        0x8000_0000_0000_0000,
        fields,
    );
    event.user = Some(SYSTEM_SID.into());
    Logged {
        channel: Channel::Sysmon,
        time,
        event,
    }
}

/// `2021-03-03 06:49:42.162`, as Sysmon writes times.
fn sysmon_time(time: Moment) -> String {
    time.to_string().replace('T', " ").replace('Z', "")
}
