//! Events that an intruder's doings leave, and an administrator's too: services, tasks, accounts, emptied logs.

use super::{AUDIT_SUCCESS, AUDITING, Channel, Logged, classic, manifest};
use crate::formats::Guid;
use crate::formats::evtx::{Body, Event, Provider, Value};
use crate::moment::Moment;
use crate::random::Random;
use crate::server::Server;

const CONTROL: (&str, &str) = (
    "Service Control Manager",
    "555908d1-a6d7-4695-8e1e-26931d2012f4",
);
const TASK_SCHEDULER: (&str, &str) = (
    "Microsoft-Windows-TaskScheduler",
    "de7b24ea-73c8-4a09-985d-5bdadcfa9017",
);
const EVENT_LOG: (&str, &str) = (
    "Microsoft-Windows-Eventlog",
    "fc65ddd8-d6ef-4962-83d5-6e5cfe9ce148",
);
const EVENT_LOG_NAMESPACE: &str = "http://manifests.microsoft.com/win/2004/08/windows/eventlog";
const ERROR: u8 = 2;
const INFORMATION: u8 = 4;
const SYSTEM_SID: &str = "S-1-5-18";

impl Server {
    /// A service that was installed: event 7045 of the system log.
    pub(crate) fn service_installed(time: Moment, name: &str, image: &str) -> Logged {
        let fields = vec![
            ("ServiceName", name.into()),
            ("ImagePath", image.into()),
            ("ServiceType", "user mode service".into()),
            ("StartType", "auto start".into()),
            ("AccountName", "LocalSystem".into()),
        ];
        let kind = (7_045, 0, INFORMATION, 0);
        let mut event = manifest(time, CONTROL, kind, 0x8080_0000_0000_0000, fields);
        event.provider.event_source_name = Some("Service Control Manager".into());
        event.qualifiers = Some(16_384);
        Logged::new(Channel::System, time, event)
    }

    /// A task that was registered, as the task scheduler's own log records it: event 106.
    pub(crate) fn task_registered(&self, time: Moment, name: &str) -> Logged {
        let fields = vec![
            ("TaskName", format!(r"\{name}").into()),
            (
                "UserContext",
                format!(r"{}\{}$", self.netbios, self.host).into(),
            ),
        ];
        let kind = (106, 0, INFORMATION, 106);
        let event = manifest(time, TASK_SCHEDULER, kind, 0x8000_0000_0000_0000, fields);
        Logged::new(Channel::TaskScheduler, time, event)
    }

    /// The same in the security log, where object access is audited: event 4698.
    pub(crate) fn task_audited(&self, time: Moment, name: &str, xml: &str) -> Logged {
        let mut fields = self.subject();
        fields.push(("TaskName", format!(r"\{name}").into()));
        fields.push(("TaskContent", xml.into()));
        Self::audited(time, (4_698, 0, 12_804), fields)
    }

    /// A local account that was made, and became a member of the administrators: events 4720 and 4732.
    pub(crate) fn account_made(&self, time: Moment, name: &str, number: i64) -> Vec<Logged> {
        let sid = format!("S-1-5-21-{number}-{}-{}-1003", number / 3, number / 7);
        let made = [
            vec![
                ("TargetUserName", name.into()),
                ("TargetDomainName", self.host.clone().into()),
                ("TargetSid", Value::Sid(sid.clone())),
            ],
            self.subject(),
            vec![
                ("PrivilegeList", "-".into()),
                ("SamAccountName", name.into()),
                ("DisplayName", "%%1793".into()),
                ("UserPrincipalName", "-".into()),
                ("HomeDirectory", "%%1793".into()),
                ("HomePath", "%%1793".into()),
                ("ScriptPath", "%%1793".into()),
                ("ProfilePath", "%%1793".into()),
                ("UserWorkstations", "%%1793".into()),
                ("PasswordLastSet", "%%1794".into()),
                ("AccountExpires", "%%1794".into()),
                ("PrimaryGroupId", "513".into()),
                ("AllowedToDelegateTo", "-".into()),
                ("OldUacValue", "0x0".into()),
                ("NewUacValue", "0x15".into()),
                (
                    "UserAccountControl",
                    "\r\n\t\t%%2080\r\n\t\t%%2082\r\n\t\t%%2084".into(),
                ),
                ("UserParameters", "%%1793".into()),
                ("SidHistory", "-".into()),
                ("LogonHours", "%%1797".into()),
            ],
        ];
        let added = [
            vec![
                ("MemberName", "-".into()),
                ("MemberSid", Value::Sid(sid)),
                ("TargetUserName", "Administrators".into()),
                ("TargetDomainName", "Builtin".into()),
                ("TargetSid", Value::Sid("S-1-5-32-544".into())),
            ],
            self.subject(),
            vec![("PrivilegeList", "-".into())],
        ];
        vec![
            Self::audited(time, (4_720, 0, 13_824), made.concat()),
            Self::audited(time.after(620), (4_732, 0, 13_826), added.concat()),
        ]
    }

    /// The first record of an event log that was emptied: event 1102 of the security log, 104 of others' in the system log.
    pub(crate) fn log_cleared(time: Moment, channel: Channel) -> Logged {
        let subject = vec![
            ("SubjectUserSid", Value::Sid(SYSTEM_SID.into())),
            ("SubjectUserName", Value::from("SYSTEM")),
            ("SubjectDomainName", Value::from("NT AUTHORITY")),
            ("SubjectLogonId", Value::Hex64(0x3e7)),
        ];
        let (into, id, task, keywords, fields) = if channel == Channel::Security {
            let keywords = 0x4020_0000_0000_0000;
            (Channel::Security, 1_102, 104, keywords, subject)
        } else {
            let fields = vec![
                ("SubjectUserName", Value::from("SYSTEM")),
                ("SubjectDomainName", Value::from("NT AUTHORITY")),
                ("Channel", Value::from(channel.name())),
                ("BackupPath", Value::from("")),
            ];
            (Channel::System, 104, 104, 0x8000_0000_0000_0000, fields)
        };
        let event = Event {
            provider: Provider {
                name: EVENT_LOG.0.to_owned(),
                guid: Guid::parse(EVENT_LOG.1),
                event_source_name: None,
            },
            id,
            qualifiers: None,
            version: 0,
            level: INFORMATION,
            task,
            opcode: 0,
            keywords,
            time: time.timestamp(),
            process_id: 1_180,
            thread_id: 3_412,
            user: None,
            body: Body::User {
                element: "LogFileCleared".to_owned(),
                namespace: EVENT_LOG_NAMESPACE.to_owned(),
                fields: fields
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect(),
            },
        };
        Logged::new(into, time, event)
    }

    /// An error of the Unified Messaging service, with its message.
    pub(crate) fn unified_messaging_error(time: Moment, message: &str) -> Logged {
        const SOURCE: &str = "MSExchange Unified Messaging";
        let event = classic(time, SOURCE, 1_192, ERROR, 4, vec![message.to_owned()]);
        Logged::new(Channel::Application, time, event)
    }

    /// A file on an administrative share, opened from another computer with an administrator's password.
    pub(crate) fn remote_share_access(
        &self,
        time: Moment,
        path: &str,
        client: &str,
        random: &mut Random,
    ) -> Vec<Logged> {
        let mut events = self.share_access(time, path, random);
        for logged in &mut events {
            let Body::Named(fields) = &mut logged.event.body else {
                continue;
            };
            for (name, value) in fields {
                *value = match name.as_str() {
                    "SubjectUserSid" => Value::Sid(format!("{}-500", self.domain_sid)),
                    "SubjectUserName" => "Administrator".into(),
                    "IpAddress" => client.into(),
                    _ => continue,
                };
            }
        }
        events
    }

    /// The account of the system as subject of an audit event.
    fn subject(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("SubjectUserSid", Value::Sid(SYSTEM_SID.into())),
            ("SubjectUserName", format!("{}$", self.host).into()),
            ("SubjectDomainName", self.netbios.clone().into()),
            ("SubjectLogonId", Value::Hex64(0x3e7)),
        ]
    }

    fn audited(
        time: Moment,
        (id, version, task): (u16, u8, u16),
        fields: Vec<(&str, Value)>,
    ) -> Logged {
        let kind = (id, version, 0, task);
        let event = manifest(time, AUDITING, kind, AUDIT_SUCCESS, fields);
        Logged::new(Channel::Security, time, event)
    }
}
