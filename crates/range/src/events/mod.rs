//! Windows events: who writes which event with which fields.
//!
//! Field names and order are those of the providers' manifests, as event logs of real servers show them.

mod administration;
mod intrusion;
mod ordinary;
mod restarts;

pub(crate) use administration::Everyday;

use crate::formats::Guid;
use crate::formats::dns::Question;
use crate::formats::evtx::{Body, Event, Provider, Value};
use crate::moment::Moment;
use crate::random::Random;
use crate::server::Server;
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

impl Logged {
    fn new(channel: Channel, time: Moment, event: Event) -> Self {
        Self {
            channel,
            time,
            event,
        }
    }
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

const INFORMATION: u8 = 4;
const NO_KEYWORDS: u64 = 0x8000_0000_0000_0000;
const TASK_SCHEDULER: (&str, &str) = (
    "Microsoft-Windows-TaskScheduler",
    "de7b24ea-73c8-4a09-985d-5bdadcfa9017",
);
const POWERSHELL: (&str, &str) = (
    "Microsoft-Windows-PowerShell",
    "a0c1853b-5c40-4b15-8766-3cf1c58f985a",
);

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
const SYSMON: (&str, &str) = (
    "Microsoft-Windows-Sysmon",
    "5770385f-c22a-43e0-bf4c-06f5698ffbd9",
);

impl Server {
    /// A cmdlet that succeeded, as `MSExchange CmdletLogs` writes it.
    pub(crate) fn cmdlet(
        &self,
        time: Moment,
        cmdlet: &str,
        parameters: &str,
        by: Caller,
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
            String::new(),
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
        let event = classic(time, "MSExchange CmdletLogs", 1, 4, 1, texts);
        Logged::new(Channel::Management, time, event)
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
        Logged::new(
            Channel::Security,
            time,
            manifest(time, AUDITING, (4_688, 2, 0, 13_312), AUDIT_SUCCESS, fields),
        )
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

    /// A name asked of the DNS, as Sysmon records it (event 22).
    pub(crate) fn sysmon_name(question: &Question, image: &str, random: &mut Random) -> Logged {
        let mut results = String::new();
        for answer in &question.answers {
            // Names are told with the number of their type.
            if answer.parse::<std::net::IpAddr>().is_err() {
                results.push_str("type:  5 ");
            }
            results.push_str(answer);
            results.push(';');
        }
        let status = if question.answers.is_empty() {
            "9003"
        } else {
            "0"
        };
        let fields = vec![
            ("RuleName", "-".into()),
            ("UtcTime", sysmon_time(question.time).into()),
            ("ProcessGuid", Value::Guid(random.guid())),
            ("ProcessId", Value::U32(7_112)),
            ("QueryName", question.name.as_str().into()),
            ("QueryStatus", status.into()),
            ("QueryResults", results.as_str().into()),
            ("Image", image.into()),
        ];
        sysmon(question.time, (22, 5), fields)
    }

    /// A file on an administrative share, opened from the server itself: share access, then the file.
    pub(crate) fn share_access(
        &self,
        time: Moment,
        path: &str,
        random: &mut Random,
    ) -> Vec<Logged> {
        let (drive, relative) = path.split_once(":\\").unwrap_or(("C", path));
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
            ("ShareName", format!(r"\\*\{drive}$").into()),
            ("ShareLocalPath", format!(r"\??\{drive}:\").into()),
        ];
        let mut share = common.clone();
        share.push(("AccessMask", Value::Hex32(1)));
        share.push(("AccessList", "%%4416".into()));
        let mut file = common;
        file.push(("RelativeTargetName", relative.into()));
        file.push(("AccessMask", Value::Hex32(0x0012_0196)));
        file.push(("AccessList", "%%1538 %%1541 %%4417 %%4418".into()));
        file.push(("AccessReason", "-".into()));
        [(5_140, 1, 12_808, share), (5_145, 0, 12_811, file)]
            .into_iter()
            .map(|(id, version, task, fields)| {
                Logged::new(
                    Channel::Security,
                    time,
                    manifest(
                        time,
                        AUDITING,
                        (id, version, 0, task),
                        AUDIT_SUCCESS,
                        fields,
                    ),
                )
            })
            .collect()
    }
}

/// What a program writes to the application log.
pub(crate) fn application_event(
    time: Moment,
    source: &str,
    id: u16,
    values: Vec<String>,
) -> Logged {
    let event = classic(time, source, id, INFORMATION, 0, values);
    Logged::new(Channel::Application, time, event)
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

/// Something that Windows Defender found.
#[derive(Clone, Debug)]
pub(crate) struct Detection<'a> {
    pub(crate) threat: &'a str,
    pub(crate) category: &'a str,
    /// As Defender writes it: `file:_C:\…`.
    pub(crate) path: &'a str,
    pub(crate) process: &'a str,
    pub(crate) user: &'a str,
    pub(crate) id: Guid,
    pub(crate) detected: Moment,
}

/// A detection of a back door by Windows Defender (1116) or what it then did (1117).
pub(crate) fn defender(
    time: Moment,
    id: u16,
    threat: &str,
    path: &str,
    detection: Guid,
    detected: Moment,
) -> Logged {
    defender_event(
        time,
        id,
        &Detection {
            threat,
            category: "Backdoor",
            path: &format!("file:_{path}"),
            process: r"C:\Windows\System32\inetsrv\w3wp.exe",
            user: r"NT AUTHORITY\SYSTEM",
            id: detection,
            detected,
        },
    )
}

fn defender_event(time: Moment, id: u16, detection: &Detection<'_>) -> Logged {
    let removed = id == 1_117;
    let action = if removed {
        ("2", "%%809")
    } else {
        ("9", "%%887")
    };
    let fields = vec![
        ("Product Name", "%%827".into()),
        ("Product Version", "4.18.2101.9".into()),
        ("Detection ID", detection.id.braced().into()),
        ("Detection Time", detection.detected.to_string().into()),
        ("Unused", "".into()),
        ("Unused2", "".into()),
        ("Threat ID", "2147776107".into()),
        ("Threat Name", detection.threat.into()),
        ("Severity ID", "5".into()),
        ("Severity Name", "Severe".into()),
        ("Category ID", "6".into()),
        ("Category Name", detection.category.into()),
        (
            "FWLink",
            "https://go.microsoft.com/fwlink/?linkid=37020".into(),
        ),
        ("Status Code", if removed { "3" } else { "1" }.into()),
        ("Status Description", "".into()),
        ("State", if removed { "2" } else { "1" }.into()),
        ("Source ID", "3".into()),
        ("Source Name", "%%818".into()),
        ("Process Name", detection.process.into()),
        ("Detection User", detection.user.into()),
        ("Unused3", "".into()),
        ("Path", detection.path.into()),
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
    Logged::new(Channel::Defender, time, event)
}

fn sysmon(time: Moment, (id, version): (u16, u8), fields: Vec<(&str, Value)>) -> Logged {
    let mut event = manifest(
        time,
        SYSMON,
        (id, version, 4, id),
        0x8000_0000_0000_0000,
        fields,
    );
    event.user = Some(SYSTEM_SID.into());
    Logged::new(Channel::Sysmon, time, event)
}

/// `2021-03-03 06:49:42.162`, as Sysmon writes times.
fn sysmon_time(time: Moment) -> String {
    time.to_string().replace('T', " ").replace('Z', "")
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
