//! The kinds of evidence that a simulated server leaves, and how some of it can be withheld.

use crate::Error;
use crate::moment::{DAY, Moment};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
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
}

impl Source {
    pub const ALL: [Self; 25] = [
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
    ];

    /// The name used in JSON and on the command line.
    pub fn name(self) -> String {
        serde_json::to_value(self)
            .ok()
            .and_then(|value| value.as_str().map(str::to_owned))
            .expect("a unit variant serializes as its name")
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

/// Decides which records and files are written.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    withheld: Vec<Withheld>,
    /// Whole log files that end before this time have been deleted by their writer.
    retained_since: BTreeMap<Source, Moment>,
}

impl Filter {
    pub(crate) fn new(
        withheld: &[Withheld],
        retention_days: &BTreeMap<Source, u32>,
        end: Moment,
    ) -> Self {
        Self {
            withheld: withheld.to_vec(),
            retained_since: retention_days
                .iter()
                .map(|(source, days)| (*source, end.after(-i64::from(*days) * DAY)))
                .collect(),
        }
    }

    /// Whether a record of that time is written.
    pub(crate) fn keeps_record(&self, source: Source, instance: &str, time: Moment) -> bool {
        !self.withheld.iter().any(|withheld| {
            withheld.concerns(source, instance)
                && withheld.span.is_none_or(|(from, until)| {
                    Moment::from(from) <= time && time < Moment::from(until)
                })
        })
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
        self.retained_since
            .get(&source)
            .is_none_or(|since| *since <= last)
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
