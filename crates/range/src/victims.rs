//! A world of organisations and the lists that tell of them, with known truth: for counting who was hit.
//!
//! What is drawn follows what is published of 2021: several shells on one server, several lists of the same victims, scans of
//! which a later version sees more, addresses that several organisations share, names that a provider gave, organisations that
//! nobody registered. Names are made up; addresses are of the ranges kept for benchmarks and documentation (RFC 2544, RFC 3849).
//!
//! Lists are written in the forms of their publishers: reports of Shadowserver, events of `IntelMQ`, a scan's table, a table of names.

use crate::Error;
use crate::random::Random;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Form of the truth.
pub const VICTIMS_SCHEMA: &str = "allclear/victims-truth/1";

/// What there is of each kind of address does not reach further.
pub const ORGANISATIONS_MAX: u32 = 60_000;

/// What to draw.
#[derive(Clone, Debug)]
pub struct VictimsOptions {
    pub organisations: u32,
    pub seed: u64,
    /// A vulnerability of the campaign, as scans name it.
    pub vulnerability: String,
}

/// What is true of the world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VictimsTruth {
    pub schema: String,
    pub campaign: String,
    pub seed: u64,
    /// Every organisation, in the registry or not.
    pub organisations: u32,
    /// Ids of those that were broken into, in order.
    pub victims: Vec<String>,
    /// Of these: those that some list tells of, and whom the registry knows.
    pub told: Vec<String>,
    /// Rows of lists that say somebody was broken into: what adding the lists gives.
    pub rows_of_compromise: u64,
    pub rows: u64,
}

/// The campaign that the lists tell of.
pub const VICTIMS_CAMPAIGN: &str = "proxylogon";

const COUNTRIES: [&str; 8] = ["NL", "DE", "BE", "FR", "GB", "IT", "ES", "PL"];
const SECTORS: [&str; 10] = [
    "health",
    "energy",
    "education",
    "finance",
    "local-government",
    "manufacturing",
    "retail",
    "transport",
    "legal",
    "water",
];
const SIZES: [&str; 4] = ["micro", "small", "medium", "large"];
const FIRST: [&str; 40] = [
    "Amber", "Ash", "Aspen", "Birch", "Blue", "Bright", "Cedar", "Clear", "Copper", "Coral",
    "Crane", "Dawn", "Deep", "East", "Elm", "Fair", "Fern", "Flint", "Glen", "Golden", "Green",
    "Hazel", "High", "Iron", "Ivy", "Juniper", "Lark", "Linden", "Maple", "North", "Oak", "Pine",
    "Quiet", "Red", "River", "Silver", "South", "Stone", "West", "Willow",
];
const SECOND: [&str; 40] = [
    "bank", "barn", "bridge", "brook", "cliff", "cove", "crest", "dale", "dene", "falls", "farm",
    "field", "fold", "ford", "gate", "grove", "haven", "heath", "hill", "holm", "lake", "lea",
    "marsh", "mead", "mere", "mill", "moor", "mount", "park", "point", "port", "ridge", "shore",
    "side", "spring", "strand", "vale", "view", "water", "wood",
];
const THIRD: [&str; 40] = [
    "Academy",
    "Advisers",
    "Bakery",
    "Boats",
    "Breweries",
    "Builders",
    "Cargo",
    "Chemicals",
    "Clinic",
    "College",
    "Council",
    "Credit",
    "Dairy",
    "Dental",
    "Designs",
    "Estates",
    "Fabrics",
    "Foods",
    "Foundation",
    "Freight",
    "Furniture",
    "Gardens",
    "Glass",
    "Hospital",
    "Hotels",
    "Insurance",
    "Labs",
    "Law",
    "Logistics",
    "Media",
    "Metals",
    "Motors",
    "Museum",
    "Optics",
    "Paper",
    "Pharmacy",
    "Power",
    "Schools",
    "Tools",
    "Works",
];
const FORMS: [&str; 4] = ["Ltd", "GmbH", "BV", "SA"];

/// Provider networks are /20, of which 198.18.0.0/15 has 32.
const PROVIDERS: u32 = 32;

/// Days after 2021-03-01 on which the scan ran, and its version: the third is the first that asks actively.
const SCANS: [(u32, &str); 9] = [
    (2, "1"),
    (8, "1"),
    (15, "2"),
    (29, "2"),
    (43, "2"),
    (57, "2"),
    (71, "2"),
    (78, "2"),
    (85, "2"),
];

/// How the registry knows where an organisation's servers stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seat {
    /// In a network of its own.
    Network,
    /// By their addresses.
    Address,
    /// Not at all: only its domain is known.
    Domain,
    /// On an address that several share.
    Shared,
    /// The registry does not have the organisation.
    Unregistered,
}

struct Server {
    address: String,
    host: String,
    /// The name that whoever runs the network gave the address.
    reverse: String,
    shells: u32,
}

struct Organisation {
    id: String,
    name: String,
    domain: String,
    seat: Seat,
    servers: Vec<Server>,
    /// Day from which it is patched; never, where absent.
    patched: Option<u32>,
    affected: bool,
    compromised: bool,
}

/// Writes the registry, the lists and the truth of a world.
pub fn make_victims(folder: &Path, options: &VictimsOptions) -> Result<VictimsTruth, Error> {
    let world = draw(options);
    let mut text = Files::default();
    registry(&world, options.seed, &mut text);
    let mut told = Told::default();
    for organisation in &world {
        lists(organisation, options, &mut text, &mut told);
    }
    let ids = |wanted: &dyn Fn(&Organisation) -> bool| {
        let all = world.iter().filter(|one| wanted(one));
        all.map(|one| one.id.clone()).collect::<Vec<_>>()
    };
    let truth = VictimsTruth {
        schema: VICTIMS_SCHEMA.to_owned(),
        campaign: VICTIMS_CAMPAIGN.to_owned(),
        seed: options.seed,
        organisations: options.organisations,
        victims: ids(&|one| one.compromised),
        told: ids(&|one| {
            one.compromised && one.seat != Seat::Unregistered && told.victims.contains(&one.id)
        }),
        rows_of_compromise: told.rows_of_compromise,
        rows: told.rows,
    };
    for (name, text) in text.0 {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, text)?;
    }
    fs::write(
        folder.join("truth.json"),
        serde_json::to_vec_pretty(&truth)?,
    )?;
    Ok(truth)
}

fn draw(options: &VictimsOptions) -> Vec<Organisation> {
    let mut next = 0_u32;
    let mut shared: Option<(String, u32)> = None;
    let mut world = Vec::new();
    for number in 0..options.organisations {
        let mut random = Random::new(options.seed, "victims", u64::from(number));
        let name = name(number);
        let domain = format!("{}.example", slug(&name));
        let seat = match random.below(100) {
            0..20 => Seat::Network,
            20..60 => Seat::Address,
            60..85 => Seat::Domain,
            85..95 => Seat::Shared,
            _ => Seat::Unregistered,
        };
        let count = match random.below(100) {
            78..94 if seat != Seat::Shared => 2,
            94.. if seat != Seat::Shared => 3,
            _ => 1,
        };
        let affected = random.chance(80);
        let compromised = affected && random.chance(28);
        let patched = match random.below(100) {
            0..30 => Some(random.between(2, 8)),
            30..75 => Some(random.between(8, 25)),
            75..92 => Some(random.between(25, 70)),
            _ => None,
        };
        let mut servers = Vec::new();
        for index in 1..=count {
            let host = if index == 1 {
                format!("mail.{domain}")
            } else {
                format!("mail{index}.{domain}")
            };
            let address = match seat {
                Seat::Network => format!("2001:db8:{number:x}::{index:x}"),
                Seat::Shared => match &mut shared {
                    Some((address, left)) if *left > 0 => {
                        *left -= 1;
                        address.clone()
                    }
                    _ => {
                        let address = ipv4(&mut next);
                        shared = Some((address.clone(), 3));
                        address
                    }
                },
                _ => ipv4(&mut next),
            };
            // Half of those that sit with a provider have a name of the provider's.
            let own = seat == Seat::Network || random.chance(50) && seat != Seat::Shared;
            let reverse = if own {
                host.clone()
            } else {
                provider_name(&address)
            };
            let shells = if compromised && (index == 1 || random.chance(40)) {
                // One to eight; two on average.
                1 + u32::from(random.chance(55))
                    + u32::from(random.chance(30)) * u32::try_from(random.below(6)).unwrap_or(0)
            } else {
                0
            };
            servers.push(Server {
                address,
                host,
                reverse,
                shells,
            });
        }
        world.push(Organisation {
            id: format!("o{number:05}"),
            name,
            domain,
            seat,
            servers,
            patched: patched.and_then(|day| u32::try_from(day).ok()),
            affected,
            compromised,
        });
    }
    world
}

fn choice<'a>(list: &[&'a str], index: u32) -> &'a str {
    let at = usize::try_from(index).unwrap_or(0) % list.len();
    list.get(at).copied().unwrap_or_default()
}

/// No two numbers below 64,000 have one name.
fn name(number: u32) -> String {
    // Neighbours get different first words.
    let mixed = number.wrapping_mul(7919) % 64_000;
    let (first, rest) = (mixed % 40, mixed / 40);
    let second = choice(&SECOND, rest % 40);
    let third = choice(&THIRD, rest / 40);
    let form = choice(&FORMS, number);
    format!("{}{second} {third} {form}", choice(&FIRST, first))
}

fn slug(name: &str) -> String {
    let words: Vec<String> = name.split(' ').take(2).map(str::to_lowercase).collect();
    words.join("-")
}

/// The next address of 198.18.0.0/15.
fn ipv4(next: &mut u32) -> String {
    let at = *next % (1 << 17);
    *next += 1;
    format!("198.{}.{}.{}", 18 + (at >> 16), (at >> 8) & 255, at & 255)
}

/// Number of the provider in whose network an address is.
fn provider_of(address: &str) -> u32 {
    let mut parts = address
        .split('.')
        .skip(1)
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let (second, third) = (parts.next().unwrap_or(18), parts.next().unwrap_or(0));
    (second.saturating_sub(18) * 16 + third / 16) % PROVIDERS
}

fn provider_name(address: &str) -> String {
    format!(
        "ip-{}.net{}.example",
        address.replace('.', "-"),
        provider_of(address)
    )
}

/// Files by name, each begun with its head.
#[derive(Default)]
struct Files(std::collections::BTreeMap<String, String>);

impl Files {
    fn of(&mut self, name: &str, head: &str) -> &mut String {
        self.0.entry(name.to_owned()).or_insert_with(|| {
            if head.is_empty() {
                String::new()
            } else {
                format!("{head}\n")
            }
        })
    }
}

macro_rules! put {
    ($files:expr, $name:expr, $head:expr, $($text:tt)*) => {
        writeln!($files.of($name, $head), $($text)*).expect("a string takes all")
    };
}

fn registry(world: &[Organisation], seed: u64, files: &mut Files) {
    const ORGANISATIONS: &str = "id,name,sector,country,size,supplier";
    const ALIASES: &str = "alias,organisation";
    const ASSETS: &str = "kind,value,organisation";
    const CONTACTS: &str = "scope,subject,role,channel,address,language";
    const RESPONDERS: &str = "id,name,skills,hours,region,languages";
    for (number, one) in (0_u64..).zip(world) {
        if one.seat == Seat::Unregistered {
            continue;
        }
        let mut random = Random::new(seed, "registry", number);
        let (id, name, domain) = (&one.id, &one.name, &one.domain);
        let country = *random.pick(&COUNTRIES);
        let supplier = match one.servers.first() {
            Some(server) if one.seat != Seat::Network && random.chance(40) => {
                format!("Net {}", provider_of(&server.address))
            }
            _ => String::new(),
        };
        put!(
            files,
            "registry/organisations.csv",
            ORGANISATIONS,
            "{id},{name},{},{country},{},{supplier}",
            random.pick(&SECTORS),
            random.pick(&SIZES)
        );
        let bare = name
            .rsplit_once(' ')
            .map_or(name.as_str(), |(bare, _)| bare);
        put!(files, "registry/aliases.csv", ALIASES, "{bare},{id}");
        put!(files, "registry/assets.csv", ASSETS, "domain,{domain},{id}");
        if one.seat == Seat::Network {
            let server = one
                .servers
                .first()
                .map_or("", |server| server.address.as_str());
            let net = server.split("::").next().unwrap_or_default();
            put!(
                files,
                "registry/assets.csv",
                ASSETS,
                "network,{net}::/48,{id}"
            );
        }
        for server in &one.servers {
            if matches!(one.seat, Seat::Address | Seat::Shared) {
                put!(
                    files,
                    "registry/assets.csv",
                    ASSETS,
                    "address,{},{id}",
                    server.address
                );
            }
            if random.chance(50) {
                put!(
                    files,
                    "registry/assets.csv",
                    ASSETS,
                    "host,{},{id}",
                    server.host
                );
            }
        }
        if random.chance(70) {
            put!(
                files,
                "registry/contacts.csv",
                CONTACTS,
                "organisation,{id},owner,email,it@{domain},{}",
                if country == "GB" { "en" } else { "de" }
            );
        }
    }
    for number in 0..PROVIDERS {
        let network = format!("198.{}.{}.0/20", 18 + number / 16, (number % 16) * 16);
        let domain = format!("net{number}.example");
        // A provider is an organisation as well, and has what its customers sit in.
        put!(
            files,
            "registry/organisations.csv",
            ORGANISATIONS,
            "p{number:02},Net {number},telecommunications,NL,large,"
        );
        put!(
            files,
            "registry/assets.csv",
            ASSETS,
            "network,{network},p{number:02}"
        );
        put!(
            files,
            "registry/assets.csv",
            ASSETS,
            "domain,{domain},p{number:02}"
        );
        put!(
            files,
            "registry/contacts.csv",
            CONTACTS,
            "network,{network},provider,email,abuse@{domain},en"
        );
        put!(
            files,
            "registry/contacts.csv",
            CONTACTS,
            "domain,{domain},provider,email,abuse@{domain},en"
        );
    }
    for country in COUNTRIES {
        let low = country.to_lowercase();
        put!(
            files,
            "registry/contacts.csv",
            CONTACTS,
            "country,{country},national_cert,email,cert@{low}.example,en"
        );
    }
    for number in 0..200_u64 {
        let mut random = Random::new(seed, "responders", number);
        let skills = ["exchange", "windows", "forensics", "network", "identity"];
        let (one, other) = (*random.pick(&skills), *random.pick(&skills));
        put!(
            files,
            "registry/responders.csv",
            RESPONDERS,
            "r{number:03},Team {number},{one};{other},{},{},en;de",
            random.between(8, 40),
            random.pick(&COUNTRIES)
        );
    }
}

#[derive(Default)]
struct Told {
    victims: std::collections::BTreeSet<String>,
    rows_of_compromise: u64,
    rows: u64,
}

/// `2021-03-09` of the eighth day after 2021-03-01.
fn day(number: u32) -> String {
    match number {
        0..31 => format!("2021-03-{:02}", number + 1),
        31..61 => format!("2021-04-{:02}", number - 30),
        _ => format!("2021-05-{:02}", (number - 60).min(31)),
    }
}

const SCAN_EXCHANGE: &str = "timestamp,severity,ip,protocol,port,hostname,tag,asn,geo,region,city,naics,hostname_source,sector,version,servername,url";
const SPECIAL: &str = "timestamp,ip,port,protocol,asn,geo,region,city,hostname,naics,sector,tag,public_source,status,detail,method,device_vendor,severity,hostname_source,first_seen_time,last_seen_time,potential_exposure_time";
const WEBSITE: &str = "timestamp,severity,ip,protocol,port,hostname,tag,asn,geo,region,city,naics,hostname_source,sector,application,url,http_host,category,system,detected_since,server,redirect_target,cc_url,family,status,account,detail,public_source";
const SCAN: &str = "ip,host,ptr,timestamp,scanner,scanner_version,result";
const PARTNER: &str = "organisation,address,seen,claim,method,method_version,source";

fn lists(one: &Organisation, options: &VictimsOptions, files: &mut Files, told: &mut Told) {
    let number: u64 = one
        .id
        .get(1..)
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0);
    let mut random = Random::new(options.seed, "lists", number);
    let vulnerability = options.vulnerability.to_lowercase();
    let before = told.rows_of_compromise;
    let vulnerable = |on: u32| one.affected && one.patched.is_none_or(|patched| patched > on);
    for server in &one.servers {
        let Server {
            address,
            host,
            reverse,
            shells,
        } = server;
        for (on, version) in SCANS {
            let sees = if version == "1" { 60 } else { 97 };
            let result = match (vulnerable(on), random.chance(sees)) {
                (true, true) => "vulnerable",
                // What a scan by three parts of a version cannot tell apart it calls one or the other.
                (true, false) if random.chance(50) => "not vulnerable",
                (false, true) => "not vulnerable",
                _ => "timeout",
            };
            if result == "vulnerable" || random.chance(60) {
                put!(
                    files,
                    &format!("lists/scan-{}.csv", day(on)),
                    SCAN,
                    "{address},,{reverse},{} 03:00:00,nse,{version},{result}",
                    day(on)
                );
                told.rows += 1;
            }
        }
        for on in [13, 41] {
            if vulnerable(on) && random.chance(85) {
                put!(
                    files,
                    &format!("lists/{}-scan_exchange.csv", day(on)),
                    SCAN_EXCHANGE,
                    "{} 04:15:00,critical,{address},tcp,443,{reverse},exchange;{vulnerability},64500,NL,,,0,,,15.1.2106.2,EX01,",
                    day(on)
                );
                told.rows += 1;
            }
        }
        for shell in 0..*shells {
            if random.chance(80) {
                put!(
                    files,
                    "lists/2021-03-12-compromised_website.csv",
                    WEBSITE,
                    "2021-03-12 00:00:00,critical,{address},tcp,443,{reverse},webshell,64500,NL,,,0,,,https,https://{host}/aspnet_client/{shell}.aspx,{host},,,2021-03-0{},,,,,compromised,,,",
                    shell % 9 + 1
                );
                told.rows += 1;
                told.rows_of_compromise += 1;
            }
        }
        if *shells > 0 && random.chance(60) {
            put!(
                files,
                "lists/2021-03-11-special.csv",
                SPECIAL,
                "2021-03-11 00:00:00,{address},443,tcp,64500,NL,,,{reverse},0,,exchange,,compromised,,passive,,critical,,2021-02-27 00:00:00,2021-03-02 00:00:00,"
            );
            told.rows += 1;
            told.rows_of_compromise += 1;
        }
        if *shells > 0 && random.chance(40) {
            let source = if random.chance(50) {
                format!("\"source.ip\":\"{address}\",\"source.fqdn\":\"{host}\"")
            } else {
                format!("\"source.fqdn\":\"{host}\"")
            };
            put!(
                files,
                "lists/events.json",
                "",
                "{{\"classification.type\":\"system-compromise\",{source},\"time.source\":\"2021-03-15T10:00:00+00:00\",\"feed.name\":\"Exchange\",\"feed.provider\":\"Sector\"}}"
            );
            told.rows += 1;
            told.rows_of_compromise += 1;
        }
    }
    // A table of names, as somebody typed them; now and then of somebody who was not hit.
    let named = one.compromised && random.chance(30)
        || one.affected && !one.compromised && random.chance(1);
    if named {
        let typed = match random.below(10) {
            0..5 => one.name.to_uppercase(),
            5..9 => one
                .name
                .rsplit_once(' ')
                .map_or(one.name.clone(), |(bare, _)| bare.to_owned()),
            // As nobody registered it.
            _ => format!("{} Group", one.name.split(' ').next().unwrap_or_default()),
        };
        let address = match one.servers.first() {
            Some(server) if random.chance(50) => server.address.as_str(),
            _ => "",
        };
        let host = if address.is_empty() {
            one.domain.as_str()
        } else {
            ""
        };
        put!(
            files,
            "lists/partner.csv",
            &format!("{PARTNER},host"),
            "{typed},{address},2021-03-20,exploited,interviews,1,Partner,{host}"
        );
        told.rows += 1;
        told.rows_of_compromise += 1;
    }
    if one.compromised && told.rows_of_compromise > before {
        told.victims.insert(one.id.clone());
    }
}

/// How near a count came.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct VictimsScore {
    /// Organisations that were counted, and those of them that were hit.
    pub counted: usize,
    pub right: usize,
    pub victims: usize,
    pub told: usize,
    pub precision: f64,
    /// Of all that were hit.
    pub recall: f64,
    /// Of those that some list tells of and the registry knows: the rest cannot be counted from lists.
    pub recall_of_told: f64,
    /// What adding the lists gives, and how many times too many that is.
    pub rows: usize,
    pub over_count: f64,
}

impl VictimsTruth {
    /// Holds counted organisations against the truth; `rows` is what adding the lists gives.
    pub fn score<'a>(&self, counted: impl Iterator<Item = &'a str>, rows: usize) -> VictimsScore {
        let counted: std::collections::BTreeSet<&str> = counted.collect();
        let among = |ids: &[String]| {
            ids.iter()
                .filter(|id| counted.contains(id.as_str()))
                .count()
        };
        let share = |part: usize, whole: usize| {
            if whole == 0 {
                1.0
            } else {
                part as f64 / whole as f64
            }
        };
        let right = among(&self.victims);
        VictimsScore {
            counted: counted.len(),
            right,
            victims: self.victims.len(),
            told: self.told.len(),
            precision: share(right, counted.len()),
            recall: share(right, self.victims.len()),
            recall_of_told: share(among(&self.told), self.told.len()),
            rows,
            over_count: share(rows, self.victims.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_organisations_have_one_name_or_domain() {
        let names: std::collections::BTreeSet<String> = (0..ORGANISATIONS_MAX).map(name).collect();
        assert_eq!(names.len(), ORGANISATIONS_MAX as usize);
        let slugs: std::collections::BTreeSet<String> =
            names.iter().map(|name| slug(name)).collect();
        assert_eq!(slugs.len(), names.len());
    }
}
