//! The kinds of evidence that a simulated server leaves, and how some of it can be withheld.

use crate::Error;
use crate::events::Channel;
use crate::moment::{DAY, Moment};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

/// A kind of evidence. In JSON and on the command line the names are in snake case: `httpproxy`, `ecp_server`, …
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Exchange's front-end proxy logs; instances are the protocols in lower case: `ecp`, `owa`, …
    #[serde(rename = "httpproxy")]
    HttpProxy,
    EcpServer,
    EcpActivity,
    OabGenerator,
    CmdletInfra,
    Ews,
    Autodiscover,
    /// IIS access logs; instances are the sites `1` (front end) and `2` (back end).
    Iis,
    #[serde(rename = "httperr")]
    HttpErr,
    /// The event log `MSExchange Management`.
    Management,
    Application,
    System,
    Security,
    Defender,
    TaskScheduler,
    /// The event logs `Windows PowerShell` and `Microsoft-Windows-PowerShell/Operational`.
    #[serde(rename = "powershell")]
    PowerShell,
    Sysmon,
    SystemHive,
    SoftwareHive,
    /// The product's web folders and `inetpub\wwwroot`, with their scripts, static files and configuration.
    WebRoots,
    /// `applicationHost.config`.
    IisConfig,
    /// Scheduled task files.
    Tasks,
    /// *Temporary ASP.NET Files*.
    TemporaryAspnet,
    SetupLog,
    /// The product's programs outside its web folders.
    ProductFiles,
    /// The log of the network's resolver, where it lies with the evidence; instances are `zeek`, `bind` and
    /// `windows_debug`.
    Dns,
}

impl Source {
    pub const ALL: [Self; 26] = [
        Self::HttpProxy,
        Self::EcpServer,
        Self::EcpActivity,
        Self::OabGenerator,
        Self::CmdletInfra,
        Self::Ews,
        Self::Autodiscover,
        Self::Iis,
        Self::HttpErr,
        Self::Management,
        Self::Application,
        Self::System,
        Self::Security,
        Self::Defender,
        Self::TaskScheduler,
        Self::PowerShell,
        Self::Sysmon,
        Self::SystemHive,
        Self::SoftwareHive,
        Self::WebRoots,
        Self::IisConfig,
        Self::Tasks,
        Self::TemporaryAspnet,
        Self::SetupLog,
        Self::ProductFiles,
        Self::Dns,
    ];

    /// The name used in JSON and on the command line.
    pub fn name(self) -> String {
        serde_json::to_value(self)
            .ok()
            .and_then(|value| value.as_str().map(str::to_owned))
            .expect("a unit variant serializes as its name")
    }

    /// The file's name of the event log that the source is, where it is one.
    pub(crate) fn event_log(self) -> Option<String> {
        Channel::ALL
            .into_iter()
            .find(|channel| channel.source() == self)
            .map(Channel::file_name)
    }

    /// A part of the path of every file of the source, where it is a log of lines.
    pub(crate) fn log_folder(self) -> Option<&'static str> {
        match self {
            Self::HttpProxy => Some(r"\Logging\HttpProxy\"),
            Self::EcpServer => Some(r"\Logging\ECP\Server\"),
            Self::EcpActivity => Some(r"\Logging\ECP\Activity\"),
            Self::OabGenerator => Some(r"\Logging\OABGeneratorLog\"),
            Self::CmdletInfra => Some(r"\Logging\CmdletInfra\"),
            Self::Ews => Some(r"\Logging\Ews\"),
            Self::Autodiscover => Some(r"\Logging\Autodiscover\"),
            Self::Iis => Some(r"\LogFiles\W3SVC"),
            Self::HttpErr => Some(r"\LogFiles\HTTPERR\"),
            Self::Dns => Some(r"\DnsLogs\"),
            _ => None,
        }
    }
}

/// Evidence to leave out: a whole source, or its records of one span. What remains stays the same to the byte, except
/// that event logs are packed anew around the records taken out; record ids stay, so that the jump shows.
///
/// A span does not apply to sources that have no records with times (hives, files, configuration): those go as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withheld {
    pub source: Source,
    /// Only this instance of the source, such as `ecp` of `httpproxy` or `2` of `iis`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// From the first time, included, to the second, excluded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<(Timestamp, Timestamp)>,
}

impl FromStr for Source {
    type Err = Error;

    /// Reads a name such as `ecp_server`.
    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|source| source.name() == name)
            .ok_or_else(|| Error::Source(name.to_owned()))
    }
}

impl FromStr for Withheld {
    type Err = Error;

    /// Reads `source`, `source:instance`, and either with `@from..until`: `httpproxy:ecp@2021-02-01T00:00:00Z..2021-02-02T00:00:00Z`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let malformed = || Error::Withheld(text.to_owned());
        let (what, span) = match text.split_once('@') {
            Some((what, span)) => (what, Some(span)),
            None => (text, None),
        };
        let (source, instance) = match what.split_once(':') {
            Some((source, instance)) => (source, Some(instance.to_owned())),
            None => (what, None),
        };
        let span = match span {
            Some(span) => {
                let (from, until) = span.split_once("..").ok_or_else(malformed)?;
                let time = |text: &str| text.parse::<Timestamp>().ok().ok_or_else(malformed);
                Some((time(from)?, time(until)?))
            }
            None => None,
        };
        Ok(Self {
            source: source.parse()?,
            instance,
            span,
        })
    }
}

impl Withheld {
    /// All of `source`.
    pub fn whole(source: Source) -> Self {
        Self {
            source,
            instance: None,
            span: None,
        }
    }

    /// The records of `source` from `from` (included) to `until` (excluded).
    pub fn span(source: Source, from: Timestamp, until: Timestamp) -> Self {
        Self {
            source,
            instance: None,
            span: Some((from, until)),
        }
    }

    fn concerns(&self, source: Source, instance: &str) -> bool {
        self.source == source
            && self
                .instance
                .as_deref()
                .is_none_or(|wanted| wanted.eq_ignore_ascii_case(instance))
    }
}

/// Decides which records and files of one collection are written, and remembers what it left out.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    withheld: Vec<Withheld>,
    /// Whole log files that end before this time have been deleted by their writer.
    retained_since: BTreeMap<Source, Moment>,
    /// Event logs that somebody emptied at this time.
    cleared: BTreeMap<Source, Moment>,
    left_out: RefCell<Vec<LeftOut>>,
    /// Sources and instances of which there were records at all.
    offered: RefCell<BTreeSet<(Source, String)>>,
}

/// Records of one log that were left out for one reason.
#[derive(Clone, Debug)]
struct LeftOut {
    reason: Reason,
    source: Source,
    /// Empty where the reason concerns all instances of the source.
    instance: String,
    /// The times of the first and the last of them.
    span: (Moment, Moment),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// By this number of the list of what is to be withheld.
    Withheld(usize),
    Retention,
    Cleared,
}

impl Filter {
    pub(crate) fn new(
        withheld: &[Withheld],
        retention_days: &BTreeMap<Source, u32>,
        cleared: BTreeMap<Source, Moment>,
        end: Moment,
    ) -> Self {
        Self {
            withheld: withheld.to_vec(),
            retained_since: retention_days
                .iter()
                .map(|(source, days)| (*source, end.after(-i64::from(*days) * DAY)))
                .collect(),
            cleared,
            left_out: RefCell::default(),
            offered: RefCell::default(),
        }
    }

    /// Whether a record of that time is written.
    pub(crate) fn keeps_record(&self, source: Source, instance: &str, time: Moment) -> bool {
        self.offer(source, instance);
        let withheld = self.withheld.iter().position(|withheld| {
            withheld.concerns(source, instance)
                && withheld.span.is_none_or(|(from, until)| {
                    Moment::from(from) <= time && time < Moment::from(until)
                })
        });
        let cleared = self.cleared.get(&source).is_some_and(|at| time < *at);
        let reason = match (withheld, cleared) {
            (Some(number), _) => Reason::Withheld(number),
            (None, true) => Reason::Cleared,
            (None, false) => return true,
        };
        self.leave_out(reason, source, instance, time);
        false
    }

    fn offer(&self, source: Source, instance: &str) {
        let mut offered = self.offered.borrow_mut();
        let instance = instance.to_lowercase();
        let known = offered
            .last()
            .is_some_and(|(last, of)| *last == source && *of == instance);
        if !known {
            offered.insert((source, instance));
        }
    }

    /// Whether the source, and its instance where one is named, has any records, written or not.
    pub(crate) fn has_any(&self, source: Source, instance: &str) -> bool {
        let offered = self.offered.borrow();
        offered
            .iter()
            .any(|(known, of)| *known == source && (instance.is_empty() || of == instance))
    }

    /// Whether a file without records is written.
    pub(crate) fn keeps_file(&self, source: Source) -> bool {
        !self
            .withheld
            .iter()
            .any(|withheld| withheld.concerns(source, ""))
    }

    /// Whether a log file whose last record is of that time has not been deleted for its age.
    pub(crate) fn retains(&self, source: Source, last: Moment) -> bool {
        let retained = self
            .retained_since
            .get(&source)
            .is_none_or(|since| *since <= last);
        if !retained {
            self.leave_out(Reason::Retention, source, "", last);
        }
        retained
    }

    /// Whether a record of the source's instance, of a time from `from` to `until`, was left out.
    pub(crate) fn left_out(
        &self,
        source: Source,
        instance: &str,
        from: Moment,
        until: Moment,
    ) -> bool {
        self.left_out.borrow().iter().any(|left_out| {
            left_out.source == source
                && (left_out.instance.is_empty()
                    || left_out.instance.eq_ignore_ascii_case(instance))
                && left_out.span.0 < until
                && from <= left_out.span.1
        })
    }

    fn leave_out(&self, reason: Reason, source: Source, instance: &str, time: Moment) {
        let mut all = self.left_out.borrow_mut();
        let known = all.iter_mut().find(|known| {
            known.reason == reason && known.source == source && known.instance == instance
        });
        if let Some(known) = known {
            known.span = (known.span.0.min(time), known.span.1.max(time));
        } else {
            all.push(LeftOut {
                reason,
                source,
                instance: instance.to_owned(),
                span: (time, time),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_withheld_can_be_written_in_a_word() {
        let read = |text: &str| text.parse::<Withheld>();
        assert_eq!(read("iis").unwrap(), Withheld::whole(Source::Iis));
        let part = read("httpproxy:ecp@2021-02-01T00:00:00Z..2021-02-02T12:00:00Z").unwrap();
        assert_eq!(part.source, Source::HttpProxy);
        assert_eq!(part.instance.as_deref(), Some("ecp"));
        let (from, until) = part.span.unwrap();
        assert_eq!(until.duration_since(from).as_hours(), 36);
        assert!(matches!(read("mailboxes"), Err(Error::Source(_))));
        assert!(matches!(read("iis@yesterday"), Err(Error::Withheld(_))));
        for source in Source::ALL {
            assert_eq!(source.name().parse::<Source>().unwrap(), source);
        }
    }
}
