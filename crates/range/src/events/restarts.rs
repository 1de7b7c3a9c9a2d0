//! What Windows and Exchange log when the server goes down and comes back.

use super::{Channel, INFORMATION, Logged, classic, manifest, texts};
use crate::calendar::{Cause, Outage};
use crate::formats::Guid;
use crate::formats::evtx::Value;
use crate::moment::{HOUR, MINUTE, Moment, SECOND};
use crate::random::Random;
use crate::server::Server;

const CRITICAL: u8 = 1;
const ERROR: u8 = 2;
const KERNEL_POWER: (&str, &str) = (
    "Microsoft-Windows-Kernel-Power",
    "331c3b3a-2005-44c2-ac5e-77220c37d6b4",
);
const UPDATE_CLIENT: (&str, &str) = (
    "Microsoft-Windows-WindowsUpdateClient",
    "945a8954-c147-4acd-923f-40c45405a658",
);
pub(super) const SERVICE_CONTROL: (&str, &str) = (
    "Service Control Manager",
    "555908d1-a6d7-4695-8e1e-26931d2012f4",
);
const KERNEL_GENERAL: (&str, &str) = (
    "Microsoft-Windows-Kernel-General",
    "a68ca8b7-004f-d7b6-a698-07e2de0f1f5d",
);
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
    /// What Windows and Exchange log of every time the server was down.
    pub(super) fn restarts(&self, out: &mut Vec<Logged>) {
        let mut random = Random::new(self.seed, "restarts", 0);
        for outage in &self.outages {
            self.restart(*outage, &mut random, out);
        }
    }

    fn restart(&self, outage: Outage, random: &mut Random, out: &mut Vec<Logged>) {
        let mut services = if self.has_exchange {
            SERVICES.to_vec()
        } else {
            SERVICES[..1].to_vec()
        };
        let described = self.described.iter().flat_map(|product| &product.services);
        services.extend(described.map(|(_, title, _)| title.as_str()));
        if outage.is_crash() {
            crash(outage, random, out);
        } else {
            let mut time = outage.stop;
            for service in &services {
                out.push(service_state(time, service, "stopped"));
                time = time.after(random.between(1, 9) * SECOND);
            }
            match outage.cause {
                Cause::SecurityUpdate if !self.cumulative_update => {
                    self.update(outage, time.after(20 * SECOND), out);
                }
                Cause::WindowsUpdate => self.windows_update(outage, random, out),
                _ => {}
            }
            self.shutdown(outage, out);
        }
        startup(outage.boot, out);
        let mut time = outage.boot.after(40 * SECOND);
        for service in &services {
            out.push(service_state(time, service, "running"));
            time = time.after(random.between(2, 12) * SECOND);
        }
    }

    /// What the update client logs of the month's update: it was downloaded hours before, and is installed now.
    fn windows_update(&self, outage: Outage, random: &mut Random, out: &mut Vec<Logged>) {
        let title = self.calendar.windows_update(outage.stop);
        let id = random.guid();
        let begin = outage.stop.after(-random.between(20, 90) * MINUTE);
        let times = [
            (44, begin.after(-3 * HOUR)),
            (43, begin),
            (19, outage.stop.after(-2 * MINUTE)),
        ];
        for (event, time) in times {
            let mut fields = vec![
                ("updateTitle", title.as_str().into()),
                ("updateGuid", Value::Guid(id)),
                ("updateRevisionNumber", Value::U32(200)),
            ];
            if event == 19 {
                fields.push((
                    "serviceGuid",
                    Value::Guid(Guid([
                        0x85, 0x36, 0x4b, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                    ])),
                ));
            }
            let kind = (event, 1, INFORMATION, 1);
            let event = manifest(time, UPDATE_CLIENT, kind, 0x8000_0000_0000_0018, fields);
            if self.start <= time && self.is_up(time) {
                out.push(Logged::new(Channel::System, time, event));
            }
        }
    }

    /// What the installer logs of the security update.
    fn update(&self, outage: Outage, begin: Moment, out: &mut Vec<Logged>) {
        let number = &self.security_update;
        let product = &self.release.name;
        let update = format!(
            "Security Update for {} {} ({number}) {}",
            product.trim_start_matches("Microsoft "),
            self.release.update,
            self.after
        );
        let file = if self.has_exchange {
            format!(r"C:\Temp\Exchange-{number}.msp")
        } else {
            format!(r"C:\Temp\{number}.msp")
        };
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
        let administrator = format!(r"{}\administrator", self.netbios);
        let (process, reason, code, user) = match outage.cause {
            Cause::SecurityUpdate => (
                r"C:\Windows\System32\svchost.exe",
                "Application: Maintenance (Planned)",
                "0x80040001",
                r"NT AUTHORITY\SYSTEM",
            ),
            Cause::WindowsUpdate => (
                r"C:\Windows\System32\svchost.exe",
                "Operating System: Service pack (Planned)",
                "0x80020010",
                r"NT AUTHORITY\SYSTEM",
            ),
            _ => (
                r"C:\Windows\Explorer.EXE",
                "Other (Planned)",
                "0x85000000",
                administrator.as_str(),
            ),
        };
        let restart = [process, &self.host, reason, code, "restart", "", user];
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

/// What is known only afterwards: the log was not closed, and Windows was not shut down.
fn crash(outage: Outage, random: &mut Random, out: &mut Vec<Logged>) {
    let code = match outage.cause {
        Cause::BugCheck => *random.pick(&[0xd1, 0x9f, 0x133]),
        _ => 0,
    };
    let fields = vec![
        ("BugcheckCode", Value::U32(code)),
        ("BugcheckParameter1", Value::Hex64(0)),
        ("BugcheckParameter2", Value::Hex64(0)),
        ("BugcheckParameter3", Value::Hex64(0)),
        ("BugcheckParameter4", Value::Hex64(0)),
        ("SleepInProgress", Value::U32(0)),
        ("PowerButtonTimestamp", Value::U64(0)),
        ("BootAppStatus", Value::U32(0)),
    ];
    let time = outage.boot.after(2 * SECOND);
    let event = manifest(
        time,
        KERNEL_POWER,
        (41, 6, CRITICAL, 63),
        0x8000_4000_0000_0002,
        fields,
    );
    out.push(Logged::new(Channel::System, time, event));
    let stopped = outage.stop.civil();
    let at = format!(
        "{}:{:02}:{:02}",
        stopped.hour, stopped.minute, stopped.second
    );
    let on = format!("{}/{}/{}", stopped.month, stopped.day, stopped.year);
    let time = outage.boot.after(11 * SECOND);
    let values = texts(&[&at, &on, "", "", "86400"]);
    let event = classic(time, "EventLog", 6_008, ERROR, 0, values);
    out.push(Logged::new(Channel::System, time, event));
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

pub(super) fn service_state(time: Moment, service: &str, state: &str) -> Logged {
    let fields = vec![("param1", service.into()), ("param2", state.into())];
    let kind = (7_036, 0, INFORMATION, 0);
    let mut event = manifest(time, SERVICE_CONTROL, kind, 0x8080_0000_0000_0000, fields);
    event.provider.event_source_name = Some("Service Control Manager".into());
    event.qualifiers = Some(16_384);
    Logged::new(Channel::System, time, event)
}
