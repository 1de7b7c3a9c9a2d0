//! Whom to tell: the way to an organisation that is most likely to be read, and how much goes that way.
//!
//! The order is that of the field: a contact that a person entered, the national CERT, the sector's CERT, the abuse contact,
//! the provider, a letter. How much is told depends on who reads it, never on who asks.

use crate::registry::{AssetKind, Organisation};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use store::response::{ContactRow, SuppressionRow};

/// How an organisation is reached, the best way first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Route {
    /// Its own contact, entered by a person.
    Manual,
    /// Its own contact, imported and verified.
    Own,
    NationalCert,
    SectorCert,
    /// What it published itself, what registries name, or an imported contact that nobody verified.
    Abuse,
    /// Who runs its servers or its network.
    Provider,
    Letter,
}

impl Route {
    pub const ALL: [Self; 7] = [
        Self::Manual,
        Self::Own,
        Self::NationalCert,
        Self::SectorCert,
        Self::Abuse,
        Self::Provider,
        Self::Letter,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Own => "own",
            Self::NationalCert => "national_cert",
            Self::SectorCert => "sector_cert",
            Self::Abuse => "abuse",
            Self::Provider => "provider",
            Self::Letter => "letter",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Manual => "a contact of its own that a person entered",
            Self::Own => "a contact of its own that was verified",
            Self::NationalCert => "the national CERT",
            Self::SectorCert => "the CERT of its sector",
            Self::Abuse => "an abuse contact",
            Self::Provider => "its provider",
            Self::Letter => "a postal address",
        }
    }
}

/// How much a notice tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// That there is something, and how to learn it: the reader may be anybody.
    Bare,
    /// The addresses that are the reader's to look after, and nothing of who is behind them.
    Minimum,
    /// Organisations and servers, for a CERT; no addresses of shells.
    Servers,
    /// Everything, for a verified owner.
    Full,
}

impl Level {
    pub const ALL: [Self; 4] = [Self::Bare, Self::Minimum, Self::Servers, Self::Full];

    pub fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Minimum => "minimum",
            Self::Servers => "servers",
            Self::Full => "full",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    /// FIRST's Traffic Light Protocol, version 2.0.
    pub fn tlp(self) -> &'static str {
        match self {
            Self::Full | Self::Servers => "TLP:AMBER",
            Self::Minimum => "TLP:AMBER+STRICT",
            Self::Bare => "TLP:GREEN",
        }
    }

    /// How much whoever a contact is may learn.
    pub fn of(contact: &ContactRow) -> Self {
        match contact.role.as_str() {
            "owner" if contact.verified => Self::Full,
            "national_cert" | "sector_cert" if contact.verified => Self::Servers,
            "abuse" | "provider" => Self::Minimum,
            _ => Self::Bare,
        }
    }
}

/// The contacts of a case, by whom they speak for.
#[derive(Debug, Default)]
pub struct Contacts {
    by_subject: BTreeMap<(String, String), Vec<ContactRow>>,
    /// Lengths of prefix of the networks that have a contact, the longest first.
    prefixes: BTreeSet<std::cmp::Reverse<u8>>,
}

impl Contacts {
    /// Contacts with an empty address, or an e-mail address that is none, are left out.
    pub fn of(rows: Vec<ContactRow>) -> Self {
        let mut contacts = Self::default();
        for row in rows {
            if row.address.trim().is_empty()
                || row.channel == "email" && !is_address(row.address.trim())
            {
                continue;
            }
            let subject = match row.scope.as_str() {
                "network" => {
                    let Some(network) = AssetKind::Network.normalise(&row.subject) else {
                        continue;
                    };
                    if let Ok(parsed) = network.parse::<IpNet>() {
                        contacts
                            .prefixes
                            .insert(std::cmp::Reverse(parsed.prefix_len()));
                    }
                    network
                }
                _ => key(&row.scope, &row.subject),
            };
            let at = contacts.by_subject.entry((row.scope.clone(), subject));
            at.or_default().push(row);
        }
        contacts
    }

    fn about(&self, scope: &str, subject: &str) -> &[ContactRow] {
        let at = self
            .by_subject
            .get(&(scope.to_owned(), key(scope, subject)));
        at.map_or(&[], Vec::as_slice)
    }

    /// Everybody who speaks for an organisation, in whatever role.
    fn of_organisation(&self, organisation: &Organisation) -> Vec<&ContactRow> {
        let mut found: Vec<&ContactRow> = Vec::new();
        let ids = [&organisation.row.id]
            .into_iter()
            .chain(&organisation.merged);
        for id in ids {
            found.extend(self.about("organisation", id));
        }
        let mut domains = BTreeSet::new();
        let mut networks = BTreeSet::new();
        for (kind, value) in &organisation.assets {
            match kind {
                AssetKind::Domain | AssetKind::Host => {
                    let mut rest = value.as_str();
                    loop {
                        domains.insert(rest);
                        match rest.split_once('.') {
                            // A registry's own contact answers for nobody below it.
                            Some((_, parent)) if parent.contains('.') => rest = parent,
                            _ => break,
                        }
                    }
                }
                AssetKind::Address | AssetKind::Network => {
                    let address = match kind {
                        AssetKind::Address => value.parse::<IpAddr>().ok(),
                        _ => value.parse::<IpNet>().ok().map(|net| net.network()),
                    };
                    let length = match kind {
                        AssetKind::Address => u8::MAX,
                        _ => value.parse::<IpNet>().map_or(0, |net| net.prefix_len()),
                    };
                    for std::cmp::Reverse(prefix) in &self.prefixes {
                        if let Some(address) = address
                            && *prefix <= length
                            && let Ok(network) = IpNet::new(address, *prefix)
                        {
                            networks.insert(network.trunc().to_string());
                        }
                    }
                }
                AssetKind::Certificate => {}
            }
        }
        for domain in domains {
            found.extend(self.about("domain", domain));
        }
        // The nearest network speaks first.
        let mut networks: Vec<String> = networks.into_iter().collect();
        networks.sort_by_key(|network| {
            std::cmp::Reverse(network.parse::<IpNet>().map_or(0, |net| net.prefix_len()))
        });
        for network in &networks {
            found.extend(self.about("network", network));
        }
        if let Some(supplier) = &organisation.row.supplier {
            found.extend(self.about("provider", supplier));
        }
        if let Some(country) = &organisation.row.country {
            if let Some(sector) = &organisation.row.sector {
                found.extend(self.about("sector", &format!("{country}/{sector}")));
            }
            found.extend(self.about("country", country));
        }
        found
    }
}

fn key(scope: &str, subject: &str) -> String {
    match scope {
        "organisation" => subject.to_owned(),
        _ => subject.trim().trim_end_matches('.').to_lowercase(),
    }
}

/// Whether a text can be the address of a mail: one `@`, no blanks, nothing that steers a header or a command.
pub fn is_address(text: &str) -> bool {
    text.len() <= 254 && text.parse::<lettre::Address>().is_ok()
}

/// Who is not to be written to, while it holds.
#[derive(Debug, Default)]
pub struct Suppressions {
    rows: BTreeMap<(String, String), String>,
}

impl Suppressions {
    pub fn of(rows: Vec<SuppressionRow>) -> Self {
        let held = rows.into_iter().filter(|row| row.lifted.is_none());
        Self {
            rows: held.map(|row| ((row.kind, row.value), row.why)).collect(),
        }
    }

    /// Why nothing goes to this address, if so.
    pub fn of_address(&self, address: &str) -> Option<&str> {
        let address = address.to_lowercase();
        let whole = ("address".to_owned(), address.clone());
        if let Some(why) = self.rows.get(&whole) {
            return Some(why);
        }
        let mut domain = address.rsplit_once('@')?.1;
        loop {
            if let Some(why) = self.rows.get(&("domain".to_owned(), domain.to_owned())) {
                return Some(why);
            }
            domain = domain.split_once('.')?.1;
        }
    }

    /// Why nothing is said about this organisation, if so.
    pub fn of_organisation(&self, id: &str) -> Option<&str> {
        let key = ("organisation".to_owned(), id.to_owned());
        self.rows.get(&key).map(String::as_str)
    }
}

/// Whom to tell about an organisation, and why them.
#[derive(Clone, Debug)]
pub struct Choice {
    pub route: Route,
    /// One for each audience that the way has: an administrator and a manager may both be told.
    pub contacts: Vec<ContactRow>,
    /// In words: why this way, and why none that goes before it.
    pub reason: String,
}

/// The way to an organisation. `used_up` holds addresses that led nowhere; a contact that is not `useful` can do nothing
/// with what it may know. The error says why there is no way.
pub fn choose(
    organisation: &Organisation,
    contacts: &Contacts,
    suppressions: &Suppressions,
    used_up: &BTreeSet<String>,
    useful: &dyn Fn(&ContactRow) -> bool,
) -> Result<Choice, String> {
    let mut ways: BTreeMap<Route, Vec<&ContactRow>> = BTreeMap::new();
    let mut left_out: Vec<String> = Vec::new();
    for contact in contacts.of_organisation(organisation) {
        let Some(route) = route_of(contact) else {
            continue;
        };
        if used_up.contains(&contact.address) {
            left_out.push(format!("{} led nowhere before", contact.address));
        } else if !useful(contact) {
            left_out.push(format!(
                "{} looks after none of its servers",
                contact.address
            ));
        } else if contact.channel == "email"
            && let Some(why) = suppressions.of_address(&contact.address)
        {
            left_out.push(format!("{} is suppressed ({why})", contact.address));
        } else {
            ways.entry(route).or_default().push(contact);
        }
    }
    left_out.sort();
    left_out.dedup();
    let Some((route, found)) = ways.into_iter().next() else {
        let why = if left_out.is_empty() {
            "nobody is known to speak for it".to_owned()
        } else {
            left_out.join("; ")
        };
        return Err(why);
    };
    let mut by_audience: BTreeMap<&str, &ContactRow> = BTreeMap::new();
    for contact in found {
        let audience = audience(contact);
        let best = by_audience.entry(audience).or_insert(contact);
        // Of several the verified one, then one with a key, then the order in which they speak for it.
        if rank(contact) < rank(best) {
            *best = contact;
        }
    }
    let before: Vec<&str> = Route::ALL
        .into_iter()
        .filter(|other| *other < route)
        .map(Route::words)
        .collect();
    let mut reason = route.words().to_owned();
    if !before.is_empty() {
        reason.push_str("; there is not ");
        reason.push_str(&before.join(", nor "));
    }
    for note in &left_out {
        reason.push_str("; ");
        reason.push_str(note);
    }
    Ok(Choice {
        route,
        contacts: by_audience.into_values().cloned().collect(),
        reason,
    })
}

/// For whom a notice to this contact is written.
pub fn audience(contact: &ContactRow) -> &'static str {
    match contact.audience.as_deref() {
        Some("manager") => "manager",
        _ => "administrator",
    }
}

/// Better contacts of one way have lower ranks.
fn rank(contact: &ContactRow) -> (bool, bool, bool) {
    (
        contact.origin != "manual",
        !contact.verified,
        contact.pgp_key.is_none(),
    )
}

fn route_of(contact: &ContactRow) -> Option<Route> {
    let is_manual = contact.origin == "manual";
    Some(match (contact.role.as_str(), contact.channel.as_str()) {
        ("owner", "email") if is_manual => Route::Manual,
        ("owner", "email") if contact.verified => Route::Own,
        ("national_cert", "email") => Route::NationalCert,
        ("sector_cert", "email") => Route::SectorCert,
        ("owner" | "abuse", "email") => Route::Abuse,
        ("provider", "email") => Route::Provider,
        (_, "letter") => Route::Letter,
        _ => return None,
    })
}

/// Which of an organisation's servers a recipient at the level [`Level::Minimum`] looks after: what lies in the network or
/// domain that the contact speaks for, else its addresses.
pub fn looks_after(contact: &ContactRow, kind: AssetKind, value: &str) -> bool {
    match contact.scope.as_str() {
        "network" => {
            let (Ok(network), Ok(address)) =
                (contact.subject.parse::<IpNet>(), value.parse::<IpAddr>())
            else {
                return false;
            };
            network.contains(&address)
        }
        "domain" => {
            let domain = key("domain", &contact.subject);
            matches!(kind, AssetKind::Host | AssetKind::Domain)
                && (value == domain || value.ends_with(&format!(".{domain}")))
        }
        _ => kind == AssetKind::Address,
    }
}
