//! What differs between servers of the same product by the habits of those who run them: what stands in front of it,
//! who watches it, what its web sites log.

use crate::formats::iis::{Column, DEFAULT_COLUMNS};
use crate::random::Random;

/// Of a hundred servers, so many stand behind a load balancer.
const BALANCED_PERCENT: u64 = 40;

/// Of a hundred load balancers, so many show their own address to the server, and the client's in a header.
const HIDING_PERCENT: u64 = 45;

/// Of a hundred servers, so many exchange calendars with another organisation's.
const FEDERATED_PERCENT: u64 = 25;

/// Of a hundred servers, so many are asked for a page by a monitoring program of their owner.
const MONITORED_PERCENT: u64 = 50;

/// Of a hundred servers, so many have their mail archived by another machine.
const ARCHIVED_PERCENT: u64 = 30;

/// Of a hundred servers, so many begin a web log every hour rather than every day.
const HOURLY_SITES_PERCENT: u64 = 15;

/// Something that stands in front of the server and hands it requests.
#[derive(Clone, Debug)]
pub(crate) struct Balancer {
    pub(crate) address: String,
    /// Whether the web site sees the balancer's address instead of the client's. Exchange knows the client's from the
    /// header `X-Forwarded-For` all the same.
    pub(crate) hides_clients: bool,
    pub(crate) agent: &'static str,
}

#[derive(Clone, Debug)]
pub(crate) struct Habits {
    /// How busy people are, in percent of the usual.
    pub(crate) activity_percent: u64,
    /// How many telephones keep a request open through day and night.
    pub(crate) awake_devices: usize,
    pub(crate) balancer: Option<Balancer>,
    /// Address and agent of the owner's monitoring program.
    pub(crate) monitor: Option<(String, &'static str)>,
    /// Address of a machine that archives mail every night.
    pub(crate) archive: Option<String>,
    pub(crate) federated: bool,
    /// What the front-end web site logs, in this order.
    pub(crate) site_columns: Vec<Column>,
    pub(crate) hourly_sites: bool,
}

impl Habits {
    /// The habits at a server of that address.
    pub(crate) fn new(seed: u64, address: &str) -> Self {
        let mut random = Random::new(seed, "habits", 0);
        let network = address
            .rsplit_once('.')
            .map_or(address, |(network, _)| network);
        let neighbour = |random: &mut Random| format!("{network}.{}", random.between(61, 99));
        let balancer = Balancer {
            address: neighbour(&mut random),
            hides_clients: random.chance(HIDING_PERCENT),
            agent: random.pick::<&str>(&[
                "",
                "HAProxy",
                "KEMP-HealthCheck/1.0",
                "F5-HealthMonitor",
            ]),
        };
        let balancer = random.chance(BALANCED_PERCENT).then_some(balancer);
        let monitor = (
            neighbour(&mut random),
            *random.pick(&[
                "check_http/v2.2 (monitoring-plugins 2.2)",
                "Mozilla/5.0 (compatible; PRTG Network Monitor (www.paessler.com); Windows)",
                "Zabbix",
            ]),
        );
        let monitor = random.chance(MONITORED_PERCENT).then_some(monitor);
        let archive = neighbour(&mut random);
        let archive = random.chance(ARCHIVED_PERCENT).then_some(archive);
        let mut site_columns = match random.below(10) {
            0..7 => DEFAULT_COLUMNS.to_vec(),
            7 | 8 => Column::ALL.to_vec(),
            _ => REORDERED_COLUMNS.to_vec(),
        };
        if balancer.is_some() {
            site_columns.push(Column::ForwardedFor);
        }
        Self {
            activity_percent: u64::try_from(random.between(55, 130)).unwrap_or(100),
            awake_devices: *random.pick(&[0, 1, 1, 2]),
            balancer,
            monitor,
            archive,
            federated: random.chance(FEDERATED_PERCENT),
            site_columns,
            hourly_sites: random.chance(HOURLY_SITES_PERCENT),
        }
    }
}

/// As logging modules of other makers order them.
const REORDERED_COLUMNS: [Column; 17] = [
    Column::Date,
    Column::Time,
    Column::ClientAddress,
    Column::UserName,
    Column::ServerAddress,
    Column::ServerPort,
    Column::Method,
    Column::UriStem,
    Column::UriQuery,
    Column::Status,
    Column::Substatus,
    Column::Win32Status,
    Column::BytesSent,
    Column::BytesReceived,
    Column::TimeTaken,
    Column::UserAgent,
    Column::Referer,
];
