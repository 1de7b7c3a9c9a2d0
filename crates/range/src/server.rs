//! Who the simulated server is: names, users, builds, clock, and when it was down.

use crate::formats::Guid;
use crate::moment::{DAY, HOUR, MINUTE, Moment, SECOND};
use crate::random::Random;
use crate::story::Traits;
use crate::traffic::Protocol;
use crate::{Error, Options};
use serde::Deserialize;
use std::fmt;

/// Names and programs that servers are made of.
pub(crate) const WORLD: &str = include_str!("../data/world.json");

/// Time zones of countries, by the names that Windows gives them.
const COUNTRIES: &str = include_str!("../data/countries.csv");

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
    first_names: Vec<String>,
    last_names: Vec<String>,
    zones: Vec<(String, String, i64)>,
    products: Vec<Product>,
    pub(crate) security_update: String,
    pub(crate) browsers: Vec<String>,
    pub(crate) phones: Vec<String>,
    pub(crate) outlook: String,
    pub(crate) mac_outlook: String,
    /// Method, path, status and agent of what any address on the internet receives.
    pub(crate) noise: Vec<(String, String, u16, String)>,
    /// Seconds after the start, and the line.
    pub(crate) setup_log: Vec<(i64, String)>,
    /// Protocol, method, path, query and status of pages that need no session.
    pub(crate) pages: Vec<(Protocol, String, String, String, u16)>,
    /// What administrators do often, and what they do a few times a year.
    pub(crate) cmdlets: Vec<(String, String)>,
    pub(crate) rare_cmdlets: Vec<(String, String)>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Product {
    pub(crate) name: String,
    pub(crate) update: String,
    /// The build that was installed first, years ago.
    pub(crate) first: String,
    before: String,
    after: String,
}

#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) sid: String,
    /// The address the user works from when away.
    pub(crate) home: String,
    pub(crate) desk: String,
    pub(crate) browser: String,
    pub(crate) phone: String,
    pub(crate) device: String,
}

/// A time during which the server answered nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outage {
    /// When services began to stop.
    pub(crate) stop: Moment,
    /// When Windows had started again.
    pub(crate) boot: Moment,
    /// When Exchange answered again.
    pub(crate) ready: Moment,
    pub(crate) patch: bool,
}

#[derive(Debug)]
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
    pub(crate) zone: (String, String, i64),
    pub(crate) product: Product,
    pub(crate) before: Build,
    pub(crate) after: Build,
    pub(crate) start: Moment,
    pub(crate) end: Moment,
    pub(crate) outages: Vec<Outage>,
    pub(crate) has_exchange: bool,
    /// Whether Windows records processes and share access.
    pub(crate) process_auditing: bool,
    /// Whether the update that closes the weakness is a cumulative update.
    pub(crate) cumulative_update: bool,
    /// Whether Sysmon is installed.
    pub(crate) sysmon: bool,
    pub(crate) world: World,
}

impl Server {
    /// The server of these options and traits. `patch` is when the update was begun, if it was.
    pub(crate) fn new(
        options: &Options,
        traits: &Traits,
        patch: Option<Moment>,
    ) -> Result<Self, Error> {
        let world: World = serde_json::from_str(WORLD)?;
        let mut random = Random::new(options.seed, "server", 0);
        let drawn_organisation = random.pick(&world.organisations).clone();
        let (organisation, netbios) = options.organisation.clone().unwrap_or(drawn_organisation);
        let prefix = random.pick(&world.host_prefixes).clone();
        let number = random.between(1, 9);
        let drawn_host = format!("{prefix}0{number}");
        let host = options.host.clone().unwrap_or(drawn_host);
        let domain = format!("{organisation}.example");
        let drawn_zone = random.pick(&world.zones).clone();
        let zone = options.country.as_deref().and_then(zone_of);
        let zone = zone.unwrap_or(drawn_zone);
        let mut product = random.pick(&world.products).clone();
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
        let users = (0..24)
            .map(|index| user(&mut random, &world, &domain_sid, &address, index))
            .collect();
        let health_mailbox = format!("HealthMailbox{}", random.text("0123456789abcdef", 7));
        let health_sid = format!("{domain_sid}-{}", random.between(1_130, 1_160));
        let (database, oab) = (random.guid(), random.guid());
        if !traits.builds.is_empty() {
            let mut random = Random::new(options.seed, "builds", 0);
            let (before, after) = random.pick(&traits.builds);
            product = world.product_of(before).unwrap_or(product);
            product.before.clone_from(before);
            product.after.clone_from(after);
        }
        if let Some(build) = &options.build_before {
            product.before.clone_from(build);
        }
        if let Some(build) = &options.build_after {
            product.after.clone_from(build);
        }
        let (before, after) = (
            Build::parse(&product.before)?,
            Build::parse(&product.after)?,
        );
        let (start, end) = (Moment::from(options.start), Moment::from(options.end));
        Ok(Self {
            seed: options.seed,
            full_name: format!("{host}.{domain}").to_lowercase(),
            public: format!("mail.{domain}"),
            install: options
                .install
                .clone()
                .or_else(|| traits.install.clone())
                .unwrap_or_else(|| r"C:\Program Files\Microsoft\Exchange Server\V15".to_owned()),
            outages: outages(
                &mut random,
                (start, end),
                zone.2,
                patch,
                traits.cumulative_update,
            ),
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
            zone,
            product,
            before,
            after,
            start,
            end,
            has_exchange: traits.has_exchange(),
            process_auditing: traits.process_auditing,
            cumulative_update: traits.cumulative_update,
            sysmon: traits.process_auditing && random.chance(SYSMON_PERCENT),
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

    /// The outage in which the server was patched.
    pub(crate) fn patch(&self) -> Option<Outage> {
        self.outages.iter().copied().find(|outage| outage.patch)
    }

    /// Whether services answered at that time.
    pub(crate) fn is_up(&self, time: Moment) -> bool {
        !self
            .outages
            .iter()
            .any(|outage| outage.stop <= time && time < outage.ready)
    }

    /// Hour of the day and whether it is a working day, by the server's clock.
    pub(crate) fn local_hour(&self, time: Moment) -> (i64, bool) {
        let local = time.after(self.zone.2 * MINUTE);
        (local.civil().hour, local.weekday() < 5)
    }

    pub(crate) fn random(&self, label: &str, number: Moment) -> Random {
        Random::new(self.seed, label, number.0.unsigned_abs())
    }

    /// The account of the computer itself.
    pub(crate) fn machine_account(&self) -> String {
        format!("{}\\{}$", self.netbios, self.host)
    }
}

impl World {
    /// The product whose cumulative update is that of `build`.
    fn product_of(&self, build: &str) -> Option<Product> {
        let level = |build: &str| build.rsplit_once('.').map(|(level, _)| level.to_owned());
        self.products
            .iter()
            .find(|product| level(&product.before) == level(build))
            .cloned()
    }
}

/// The time zone of a country, or of its capital: its name, its title, and minutes east of Greenwich in winter.
fn zone_of(country: &str) -> Option<(String, String, i64)> {
    COUNTRIES.lines().skip(1).find_map(|line| {
        let mut cells = line.splitn(4, ';');
        if !cells.next()?.eq_ignore_ascii_case(country) {
            return None;
        }
        let (name, minutes, title) = (cells.next()?, cells.next()?, cells.next()?);
        Some((name.to_owned(), title.to_owned(), minutes.parse().ok()?))
    })
}

fn user(random: &mut Random, world: &World, domain_sid: &str, address: &str, index: i64) -> User {
    let first = random.pick(&world.first_names);
    let last = random.pick(&world.last_names);
    let network = address
        .rsplit_once('.')
        .map_or(address, |(network, _)| network);
    User {
        name: format!("{first}.{last}"),
        sid: format!("{domain_sid}-{}", 1_200 + index),
        home: internet::home(random),
        desk: format!("{network}.{}", random.between(100, 250)),
        browser: random.pick(&world.browsers).clone(),
        phone: random.pick(&world.phones).clone(),
        device: random.text("0123456789ABCDEF", 26),
    }
}

/// One night of Windows updates in the second week of January, and the night of the patch.
fn outages(
    random: &mut Random,
    (start, end): (Moment, Moment),
    zone_minutes: i64,
    patch: Option<Moment>,
    cumulative_update: bool,
) -> Vec<Outage> {
    let mut outages = Vec::new();
    let third_day = start.day_start().after(16 * DAY);
    let midnight = third_day.after(-zone_minutes * MINUTE);
    let stop = midnight.after(2 * HOUR + random.between(10, 50) * MINUTE);
    let restart_minutes = random.between(5, 9);
    let ready_minutes = random.between(3, 5);
    // A cumulative update is a new installation.
    let patch_minutes = random.between(19, 31) + if cumulative_update { 45 } else { 0 };
    outages.push(Outage {
        stop,
        boot: stop.after(restart_minutes * MINUTE + 13 * SECOND),
        ready: stop.after((restart_minutes + ready_minutes) * MINUTE),
        patch: false,
    });
    if let Some(stop) = patch {
        outages.push(Outage {
            stop,
            boot: stop.after(patch_minutes * MINUTE + 29 * SECOND),
            ready: stop.after((patch_minutes + ready_minutes) * MINUTE),
            patch: true,
        });
    }
    outages.retain(|outage| start <= outage.stop && outage.ready < end);
    outages.sort_by_key(|outage| outage.stop);
    outages
}
