//! Who the simulated server is: names, users, builds, clock, and when it was down.

use crate::calendar::{Calendar, Cause, DayKind, Outage};
use crate::campaign::{Campaign, Release};
use crate::events::Everyday;
use crate::formats::Guid;
use crate::formats::dns::DnsLog;
use crate::habits::Habits;
use crate::moment::{DAY, Moment};
use crate::people::{User, people};
use crate::product::Described;
use crate::random::Random;
use crate::source::Source;
use crate::story::Scenario;
use crate::traffic::Protocol;
use crate::{Error, Options};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// Names and programs that servers are made of.
pub(crate) const WORLD: &str = include_str!("../data/world.json");

/// Addresses on the internet, of the ranges that RFC 5737 keeps for documentation. No part is used twice, so that an
/// address tells what its holder is.
pub(crate) mod internet {
    use crate::random::Random;

    /// Where users are at home.
    pub(crate) fn home(random: &mut Random) -> String {
        format!("192.0.2.{}", random.between(1, 254))
    }

    /// Whoever looks at every address there is.
    pub(crate) fn passer_by(random: &mut Random) -> String {
        format!("203.0.113.{}", random.between(128, 254))
    }

    /// Whoever looks for the campaign's weakness.
    pub(crate) fn scanner(random: &mut Random) -> String {
        format!("198.51.100.{}", random.between(1, 99))
    }

    /// Whoever breaks in.
    pub(crate) fn intruder(random: &mut Random) -> String {
        format!("203.0.113.{}", random.between(1, 127))
    }

    /// Whoever uses what the intruder left.
    pub(crate) fn visitor(random: &mut Random) -> String {
        format!("198.51.100.{}", random.between(100, 254))
    }
}

/// The product whose logs and events the simulator knows by itself.
const EXCHANGE: &str = "exchange";

/// Of a hundred servers that audit processes, so many run Sysmon too.
const SYSMON_PERCENT: u64 = 40;

/// A build of the product, four parts. Displays as `15.1.2176.2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Build(pub(crate) [u16; 4]);

impl Build {
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let parts = text
            .split('.')
            .map(|part| part.parse().ok())
            .collect::<Option<Vec<u16>>>();
        parts
            .and_then(|parts| parts.try_into().ok())
            .map(Self)
            .ok_or_else(|| Error::Build(text.to_owned()))
    }

    /// `15.01.2176.002`, as the heads of Exchange's logs and its version resources write it.
    pub(crate) fn padded(self) -> String {
        let [major, minor, build, revision] = self.0;
        format!("{major:02}.{minor:02}.{build:04}.{revision:03}")
    }

    /// `15.1.2176`, the part that names the cumulative update.
    pub(crate) fn cumulative(self) -> String {
        let [major, minor, build, _] = self.0;
        format!("{major}.{minor}.{build}")
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, build, revision] = self.0;
        write!(f, "{major}.{minor}.{build}.{revision}")
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct World {
    organisations: Vec<(String, String)>,
    host_prefixes: Vec<String>,
    pub(crate) first_names: Vec<String>,
    pub(crate) last_names: Vec<String>,
    pub(crate) browsers: Vec<String>,
    pub(crate) phones: Vec<String>,
    pub(crate) outlooks: Vec<String>,
    pub(crate) mac_outlook: String,
    /// Method, path, status and agent of what any address on the internet receives.
    pub(crate) noise: Vec<(String, String, u16, String)>,
    /// The same, but only since a day.
    pub(crate) later_noise: Vec<(String, String, String, u16, String)>,
    /// Seconds after the start, and the line.
    pub(crate) setup_log: Vec<(i64, String)>,
    /// Protocol, method, path, query and status of pages that need no session.
    pub(crate) pages: Vec<(Protocol, String, String, String, u16)>,
    /// Names that anybody asks of the DNS, and their addresses.
    pub(crate) common_names: Vec<(String, String)>,
    /// What administrators do often, and what they do a few times a year.
    pub(crate) cmdlets: Vec<(String, String)>,
    pub(crate) rare_cmdlets: Vec<(String, String)>,
}

#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says of its own what the server has; none excludes another"
)]
pub(crate) struct Server {
    pub(crate) seed: u64,
    pub(crate) host: String,
    pub(crate) domain: String,
    pub(crate) netbios: String,
    pub(crate) full_name: String,
    /// The name under which the internet knows it.
    pub(crate) public: String,
    pub(crate) address: String,
    pub(crate) domain_sid: String,
    pub(crate) users: Vec<User>,
    pub(crate) health_mailbox: String,
    pub(crate) health_sid: String,
    pub(crate) database: Guid,
    pub(crate) oab: Guid,
    /// Install folder without a trailing backslash.
    pub(crate) install: String,
    pub(crate) calendar: Calendar,
    pub(crate) habits: Habits,
    pub(crate) everyday: Everyday,
    /// Logons of a day beyond the usual, where the evidence is to be large.
    pub(crate) more_logons: u64,
    /// How large the file of an event log may become.
    pub(crate) event_log_bytes: BTreeMap<Source, u64>,
    /// What is installed, where the product is: its release and builds.
    pub(crate) release: Release,
    /// What the installer calls the update by which it is patched.
    pub(crate) security_update: String,
    pub(crate) before: Build,
    pub(crate) after: Build,
    pub(crate) start: Moment,
    pub(crate) end: Moment,
    pub(crate) outages: Vec<Outage>,
    /// Whether the product of the scenario's campaign is installed.
    pub(crate) has_product: bool,
    /// Whether that is Exchange.
    pub(crate) has_exchange: bool,
    /// Whether Windows records processes and share access.
    pub(crate) process_auditing: bool,
    /// Whether the update that closes the weakness is a cumulative update.
    pub(crate) cumulative_update: bool,
    /// Whether Sysmon is installed.
    pub(crate) sysmon: bool,
    /// The product, where data describe it; nothing for Exchange, and where it is not installed.
    pub(crate) described: Option<Described>,
    /// The log of the network's resolver, where it lies with the evidence.
    pub(crate) dns_log: Option<DnsLog>,
    /// The name of the scenario's campaign.
    pub(crate) campaign: String,
    pub(crate) world: World,
}

impl Server {
    /// The server of these options on which the scenario happens. `patch` is when the update was begun, if it was.
    pub(crate) fn new(
        options: &Options,
        scenario: &Scenario,
        patch: Option<Moment>,
    ) -> Result<Self, Error> {
        let world: World = serde_json::from_str(WORLD)?;
        let campaign = Campaign::named(&scenario.campaign)?;
        let traits = &scenario.host;
        let mut random = Random::new(options.seed, "server", 0);
        let drawn_organisation = random.pick(&world.organisations).clone();
        let (organisation, netbios) = options.organisation.clone().unwrap_or(drawn_organisation);
        let prefix = random.pick(&world.host_prefixes).clone();
        let number = random.between(1, 9);
        let described = if traits.has_product() && campaign.product != EXCHANGE {
            Some(Described::of(&campaign)?)
        } else {
            None
        };
        let prefix = match &described {
            Some(product) => Random::new(options.seed, "host prefix", 0)
                .pick(&product.host_prefixes)
                .clone(),
            None => prefix,
        };
        let drawn_host = format!("{prefix}0{number}");
        let host = options.host.clone().unwrap_or(drawn_host);
        let domain = format!("{organisation}.example");
        let mut release = random.pick(&campaign.builds).clone();
        let address = format!(
            "10.{}.{}.{}",
            random.between(1, 250),
            random.between(0, 250),
            random.between(5, 60)
        );
        let domain_sid = format!(
            "S-1-5-21-{}-{}-{}",
            random.between(100_000_000, 2_147_483_647),
            random.between(100_000_000, 2_147_483_647),
            random.between(100_000_000, 2_147_483_647)
        );
        let users = people(options.seed, &world, &netbios, &domain_sid, &address);
        let habits = Habits::new(options.seed, &address);
        let health_mailbox = format!("HealthMailbox{}", random.text("0123456789abcdef", 7));
        let health_sid = format!("{domain_sid}-{}", random.between(1_130, 1_160));
        let (database, oab) = (random.guid(), random.guid());
        if !traits.builds.is_empty() {
            let mut random = Random::new(options.seed, "builds", 0);
            let (before, after) = random.pick(&traits.builds);
            release = campaign.release_of(before).unwrap_or(release);
            release.before.clone_from(before);
            release.after.clone_from(after);
        }
        if let Some(build) = &options.build_before {
            release.before.clone_from(build);
        }
        if let Some(build) = &options.build_after {
            release.after.clone_from(build);
        }
        let (before, after) = (
            Build::parse(&release.before)?,
            Build::parse(&release.after)?,
        );
        let (start, end) = (Moment::from(options.start), Moment::from(options.end));
        let calendar = Calendar::new(options.seed, options.country.as_deref(), start, end)?;
        Ok(Self {
            seed: options.seed,
            full_name: format!("{host}.{domain}").to_lowercase(),
            public: format!("mail.{domain}"),
            install: options
                .install
                .clone()
                .or_else(|| traits.install.clone())
                .or_else(|| described.as_ref().map(|product| product.install.clone()))
                .unwrap_or_else(|| r"C:\Program Files\Microsoft\Exchange Server\V15".to_owned()),
            outages: calendar.outages(options.seed, (start, end), patch, traits.cumulative_update),
            host: host.to_uppercase(),
            domain,
            netbios,
            address,
            domain_sid,
            users,
            health_mailbox,
            health_sid,
            database,
            oab,
            habits,
            everyday: Everyday::new()?,
            more_logons: more_logons(options),
            event_log_bytes: options.event_log_bytes.clone(),
            calendar,
            security_update: release
                .security_update
                .clone()
                .unwrap_or(campaign.security_update),
            release,
            before,
            after,
            start,
            end,
            has_product: traits.has_product(),
            has_exchange: traits.has_product() && campaign.product == EXCHANGE,
            process_auditing: traits.process_auditing,
            cumulative_update: traits.cumulative_update,
            sysmon: traits
                .sysmon
                .unwrap_or(traits.process_auditing && random.chance(SYSMON_PERCENT)),
            described,
            dns_log: traits.dns_log,
            campaign: scenario.campaign.clone(),
            world,
        })
    }

    /// The build that ran at that time.
    pub(crate) fn build_at(&self, time: Moment) -> Build {
        match self.patch() {
            Some(patch) if time >= patch.boot => self.after,
            _ => self.before,
        }
    }

    /// The builds that were installed, with their times, up to the end.
    pub(crate) fn history(&self) -> Vec<(Build, Moment, Moment)> {
        let installed = self.installed();
        let mut history = Vec::new();
        if let Ok(first) = Build::parse(&self.release.first) {
            history.push((first, self.first_installed(), installed));
        }
        match self.patch() {
            Some(patch) => history.extend([
                (self.before, installed, patch.stop),
                (self.after, patch.stop, self.end),
            ]),
            None => history.push((self.before, installed, self.end)),
        }
        history
    }

    /// The outage in which the server was patched.
    pub(crate) fn patch(&self) -> Option<Outage> {
        self.outages
            .iter()
            .copied()
            .find(|outage| outage.cause == Cause::SecurityUpdate)
    }

    /// Whether services answered at that time.
    pub(crate) fn is_up(&self, time: Moment) -> bool {
        !self
            .outages
            .iter()
            .any(|outage| outage.stop <= time && time < outage.ready)
    }

    /// Whether services came back after a restart in that time.
    pub(crate) fn restarted_between(&self, earlier: Moment, later: Moment) -> bool {
        self.outages
            .iter()
            .any(|outage| earlier < outage.boot && outage.boot <= later)
    }

    /// Hour of the day and whether it is a working day, by the server's clock.
    pub(crate) fn local_hour(&self, time: Moment) -> (i64, bool) {
        let (hour, kind) = self.calendar.hour(time);
        (hour, kind != DayKind::Free)
    }

    pub(crate) fn random(&self, label: &str, number: Moment) -> Random {
        Random::new(self.seed, label, number.0.unsigned_abs())
    }

    /// The address of the network's resolver.
    pub(crate) fn resolver(&self) -> String {
        let network = self
            .address
            .rsplit_once('.')
            .map_or("10.0.0", |(network, _)| network);
        format!("{network}.3")
    }

    /// The account of the computer itself.
    pub(crate) fn machine_account(&self) -> String {
        format!("{}\\{}$", self.netbios, self.host)
    }
}

/// Logons go with requests: so many a day that the security log of a gigabyte of text logs has 20 MB.
fn more_logons(options: &Options) -> u64 {
    /// Text logs for each logon beyond the usual.
    const BYTES_PER_LOGON: u64 = 26_000;
    /// Events are kept in memory until they are sorted.
    const LOGONS_PER_DAY_MAX: u64 = 2_000;
    /// What a default server has without more of them.
    const USUAL_BYTES: u64 = 60_000_000;
    let (start, end) = (Moment::from(options.start), Moment::from(options.end));
    let days = u64::try_from((end.0 - start.0) / DAY).unwrap_or(0).max(1);
    let bytes = options.text_bytes.unwrap_or(0).saturating_sub(USUAL_BYTES);
    (bytes / BYTES_PER_LOGON / days).min(LOGONS_PER_DAY_MAX)
}
