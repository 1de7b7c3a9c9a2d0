//! Reads contacts out of what is published about a domain or a network: `security.txt` (RFC 9116), RDAP answers (RFC 9083)
//! and the texts of whois servers. All of it was written by strangers: none of it makes a contact verified.

use super::route::is_address;
use crate::registry::AssetKind;
use ipnet::IpNet;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use store::response::ContactRow;

/// More than any published contact file holds.
pub const BYTES_MAX: usize = 1 << 20;
/// More contacts than any one file names in earnest.
const CONTACTS_MAX: usize = 32;
/// Entities within entities that are followed.
const DEPTH_MAX: usize = 6;

/// What a file was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Published {
    SecurityText,
    Rdap,
    Whois,
}

impl Published {
    pub fn name(self) -> &'static str {
        match self {
            Self::SecurityText => "security.txt",
            Self::Rdap => "rdap",
            Self::Whois => "whois",
        }
    }

    /// By content: JSON is RDAP, `Contact:` lines with a URI are `security.txt`, everything else a whois text.
    pub fn recognise(text: &str) -> Self {
        if text.trim_start().starts_with('{') {
            return Self::Rdap;
        }
        let is_field = |line: &str| {
            let (name, value) = line.split_once(':').unwrap_or_default();
            name.eq_ignore_ascii_case("contact")
                && ["mailto:", "https:", "tel:"]
                    .iter()
                    .any(|scheme| value.trim().to_ascii_lowercase().starts_with(scheme))
        };
        if text.lines().any(is_field) {
            Self::SecurityText
        } else {
            Self::Whois
        }
    }
}

/// What came of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Read {
    pub contacts: Vec<ContactRow>,
    /// Entries that make no contact, by a fixed reason.
    pub refused: BTreeMap<&'static str, u64>,
}

/// The contacts in a file. `about` is the domain or network it was asked for; without one it must name its own, which
/// `security.txt` does only by its canonical address.
pub fn read(
    bytes: &[u8],
    kind: Option<Published>,
    about: Option<&str>,
    now: i64,
) -> Result<Read, String> {
    if bytes.len() > BYTES_MAX {
        return Err(format!("it is larger than {BYTES_MAX} bytes"));
    }
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}');
    let about = about
        .map(|about| scope(about).ok_or_else(|| format!("`{about}` is no domain and no network")));
    let about = about.transpose()?;
    let kind = kind.unwrap_or_else(|| Published::recognise(text));
    let mut found = Found {
        about,
        addresses: Vec::new(),
        refused: BTreeMap::new(),
    };
    match kind {
        Published::SecurityText => found.security_text(text, now),
        Published::Rdap => found.rdap(text)?,
        Published::Whois => found.whois(text),
    }
    found.rows(kind, now)
}

/// A domain, network or address as a contact's scope and subject.
fn scope(text: &str) -> Option<(&'static str, String)> {
    if let Some(network) = AssetKind::Network.normalise(text) {
        return Some(("network", network));
    }
    if let Ok(address) = text.trim().parse::<IpAddr>() {
        return Some(("network", IpNet::from(address.to_canonical()).to_string()));
    }
    let domain = AssetKind::Domain.normalise(text)?;
    domain.contains('.').then_some(("domain", domain))
}

struct Found {
    about: Option<(&'static str, String)>,
    /// Role, address, name.
    addresses: Vec<(&'static str, String, Option<String>)>,
    refused: BTreeMap<&'static str, u64>,
}

impl Found {
    fn refuse(&mut self, reason: &'static str) {
        *self.refused.entry(reason).or_default() += 1;
    }

    fn add(&mut self, role: &'static str, address: &str, name: Option<String>) {
        let address = address.trim().trim_matches(['<', '>']).to_lowercase();
        if !is_address(&address) {
            self.refuse("not an e-mail address");
        } else if self.addresses.len() >= CONTACTS_MAX {
            self.refuse("more contacts than a file may have");
        } else {
            self.addresses.push((role, address, name));
        }
    }

    /// RFC 9116: `Contact` in order of preference, `Expires`, `Canonical`, `Preferred-Languages`.
    fn security_text(&mut self, text: &str, now: i64) {
        let mut contacts = Vec::new();
        for line in text.lines() {
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.trim();
            match name.trim().to_ascii_lowercase().as_str() {
                "contact" => contacts.push(value),
                "expires" => {
                    let expires = value.parse::<jiff::Timestamp>();
                    if expires.is_ok_and(|time| time.as_microsecond() < now) {
                        self.refuse("the file has expired");
                        return;
                    }
                }
                "canonical" if self.about.is_none() => {
                    let rest = value.split_once("://").map_or(value, |(_, rest)| rest);
                    let host = rest.split(['/', ':']).next().unwrap_or_default();
                    self.about = scope(host);
                }
                _ => {}
            }
        }
        for contact in contacts {
            match contact.get(..7) {
                Some(scheme) if scheme.eq_ignore_ascii_case("mailto:") => {
                    let address = contact.get(7..).unwrap_or_default();
                    let address = address.split('?').next().unwrap_or_default();
                    self.add("abuse", &decoded(address), None);
                }
                _ => self.refuse("not an e-mail address"),
            }
        }
    }

    /// RFC 9083: entities with roles, whose e-mail addresses stand in a jCard (RFC 7095).
    fn rdap(&mut self, text: &str) -> Result<(), String> {
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?;
        if self.about.is_none() {
            self.about = rdap_subject(&value);
        }
        self.entities(&value, 0);
        Ok(())
    }

    fn entities(&mut self, value: &serde_json::Value, depth: usize) {
        if depth > DEPTH_MAX {
            self.refuse("entities too deep");
            return;
        }
        let entities = value.get("entities").and_then(|list| list.as_array());
        for entity in entities.into_iter().flatten() {
            let roles: BTreeSet<&str> = entity
                .get("roles")
                .and_then(|roles| roles.as_array())
                .into_iter()
                .flatten()
                .filter_map(|role| role.as_str())
                .collect();
            let mut name = None;
            let mut mails = Vec::new();
            let card = entity.pointer("/vcardArray/1").and_then(|c| c.as_array());
            for property in card.into_iter().flatten() {
                let text = property.get(3).and_then(|text| text.as_str());
                match (property.get(0).and_then(|kind| kind.as_str()), text) {
                    (Some("fn"), Some(text)) => name = Some(text.to_owned()),
                    (Some("email"), Some(text)) => mails.push(text.to_owned()),
                    _ => {}
                }
            }
            for mail in mails {
                if roles.contains("abuse") {
                    self.add("abuse", &mail, name.clone());
                } else if roles.contains("technical") || roles.contains("noc") {
                    self.add("provider", &mail, name.clone());
                } else {
                    self.refuse("neither an abuse nor a technical contact");
                }
            }
            self.entities(entity, depth + 1);
        }
    }

    /// No form of whois is a standard: RIPE's `abuse-mailbox` and its comment about abuse, ARIN's `OrgAbuseEmail`, the
    /// registrars' `Registrar Abuse Contact Email`.
    fn whois(&mut self, text: &str) {
        let mut own = None;
        for line in text.lines() {
            let line = line.trim();
            if let Some(comment) = line.strip_prefix('%') {
                // `% Abuse contact for '192.0.2.0 - 192.0.2.255' is 'abuse@example.net'`
                if comment.trim_start().starts_with("Abuse contact for")
                    && let Some(address) = comment.rsplit('\'').nth(1)
                {
                    self.add("abuse", address, None);
                }
                continue;
            }
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.trim();
            match name.trim().to_ascii_lowercase().as_str() {
                "abuse-mailbox"
                | "orgabuseemail"
                | "registrar abuse contact email"
                | "abuse-contact"
                | "e-mail-abuse" => self.add("abuse", value, None),
                "orgtechemail" | "orgnocemail" | "tech email" => self.add("provider", value, None),
                "route" | "route6" | "cidr" | "inetnum" | "inet6num" | "netrange"
                | "domain name" | "domain"
                    if own.is_none() =>
                {
                    own =
                        scope(value.split(',').next().unwrap_or_default()).or_else(|| range(value));
                }
                _ => {}
            }
        }
        if self.about.is_none() {
            self.about = own;
        }
    }

    fn rows(self, kind: Published, now: i64) -> Result<Read, String> {
        let Some((scope, subject)) = self.about else {
            return Err("it does not say which domain or network it is about".to_owned());
        };
        let mut contacts: BTreeMap<String, ContactRow> = BTreeMap::new();
        for (role, address, name) in self.addresses {
            let mut hash = Sha256::new();
            for part in [scope, &subject, role, &address] {
                hash.update(part.as_bytes());
                hash.update([0]);
            }
            let id = super::hex(&hash.finalize());
            let id = format!("contact-{}", id.get(..16).unwrap_or_default());
            contacts.entry(id.clone()).or_insert(ContactRow {
                id,
                scope: scope.to_owned(),
                subject: subject.clone(),
                role: role.to_owned(),
                channel: "email".to_owned(),
                address,
                name: name.or_else(|| Some(format!("by {}", kind.name()))),
                origin: "imported".to_owned(),
                added: now,
                ..ContactRow::default()
            });
        }
        Ok(Read {
            contacts: contacts.into_values().collect(),
            refused: self.refused,
        })
    }
}

/// What an RDAP answer is about: a domain's name, or a network's first prefix.
fn rdap_subject(value: &serde_json::Value) -> Option<(&'static str, String)> {
    if let Some(name) = value.get("ldhName").and_then(|name| name.as_str()) {
        return scope(name);
    }
    if let Some(block) = value.pointer("/cidr0_cidrs/0") {
        let prefix = block.get("v4prefix").or_else(|| block.get("v6prefix"))?;
        return scope(&format!(
            "{}/{}",
            prefix.as_str()?,
            block.get("length")?.as_u64()?
        ));
    }
    let first = value.get("startAddress")?.as_str()?;
    let last = value.get("endAddress")?.as_str()?;
    range(&format!("{first} - {last}"))
}

/// A range of addresses as the one network that is it, or the largest at its beginning.
fn range(text: &str) -> Option<(&'static str, String)> {
    let (first, last) = text.split_once('-')?;
    let subnets = match (first.trim().parse().ok()?, last.trim().parse().ok()?) {
        (IpAddr::V4(first), IpAddr::V4(last)) => ipnet::Ipv4Subnets::new(first, last, 0)
            .map(IpNet::V4)
            .next(),
        (IpAddr::V6(first), IpAddr::V6(last)) => ipnet::Ipv6Subnets::new(first, last, 0)
            .map(IpNet::V6)
            .next(),
        _ => None,
    };
    Some(("network", subnets?.to_string()))
}

/// Percent-decoding of the address in a `mailto:`.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let hex = rest.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match (byte, hex.and_then(|two| u8::from_str_radix(two, 16).ok())) {
            (b'%', Some(value)) => {
                bytes.push(value);
                rest = rest.get(2..).unwrap_or_default();
            }
            _ => bytes.push(*byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    const NOW: i64 = 1_614_643_200_000_000;

    fn check(text: &str, about: Option<&str>) -> String {
        match read(text.as_bytes(), None, about, NOW) {
            Err(problem) => problem,
            Ok(read) => {
                let rows = read.contacts.iter();
                let mut lines: Vec<String> = rows
                    .map(|row| {
                        format!(
                            "{} {} {}: {}",
                            row.scope, row.subject, row.role, row.address
                        )
                    })
                    .collect();
                lines.sort();
                for (reason, count) in read.refused {
                    lines.push(format!("{count} {reason}"));
                }
                lines.join("\n")
            }
        }
    }

    #[test]
    fn each_form_of_published_contacts_is_read() {
        let security = "# us\nContact: mailto:security%2Bweb@example.org?subject=x\nContact: https://example.org/report\n\
                        Expires: 2021-12-31T00:00:00Z\nCanonical: https://example.org/.well-known/security.txt\n";
        assert_eq!(
            check(security, None),
            "domain example.org abuse: security+web@example.org\n1 not an e-mail address"
        );
        let rdap = r#"{"objectClassName":"ip network","startAddress":"192.0.2.0","endAddress":"192.0.2.255","entities":[
            {"roles":["registrant"],"vcardArray":["vcard",[["fn",{},"text","Net"],["email",{},"text","info@net.example"]]],
             "entities":[{"roles":["abuse"],"vcardArray":["vcard",[["email",{},"text","abuse@net.example"]]]}]}]}"#;
        assert_eq!(
            check(rdap, None),
            "network 192.0.2.0/24 abuse: abuse@net.example\n1 neither an abuse nor a technical contact"
        );
        let ripe = "% Abuse contact for '198.51.100.0 - 198.51.100.255' is 'abuse@isp.example'\n\n\
                    inetnum: 198.51.100.0 - 198.51.100.255\nabuse-mailbox: abuse@isp.example\n";
        assert_eq!(
            check(ripe, None),
            "network 198.51.100.0/24 abuse: abuse@isp.example"
        );
        let arin = "CIDR: 203.0.113.0/24\nOrgAbuseEmail:  ABUSE@host.example\nOrgTechEmail: noc@host.example\n";
        assert_eq!(
            check(arin, None),
            "network 203.0.113.0/24 abuse: abuse@host.example\nnetwork 203.0.113.0/24 provider: noc@host.example"
        );
    }

    #[test]
    fn damaged_and_hostile_files_are_refused_with_a_reason() {
        assert_eq!(
            check("Contact: mailto:a@example.org\n", None),
            "it does not say which domain or network it is about"
        );
        assert_eq!(
            check(
                "Contact: mailto:a@example.org\nExpires: 2020-01-01T00:00:00Z",
                Some("example.org")
            ),
            "1 the file has expired"
        );
        assert_eq!(
            check(
                "abuse-mailbox: a@b.example\r\nBcc: x@y.example",
                Some("example.org")
            ),
            "domain example.org abuse: a@b.example"
        );
        assert_eq!(
            check(
                "abuse-mailbox: a@b.example>\nabuse-mailbox: no address, b@c",
                Some("nonsense")
            ),
            "`nonsense` is no domain and no network"
        );
        assert!(check("{\"entities\": [", None).starts_with("it is no JSON"));
        let mut many = String::new();
        for n in 0..100 {
            writeln!(many, "abuse-mailbox: a{n}@b.example").expect("a string takes all");
        }
        assert!(
            check(&many, Some("example.org")).ends_with("68 more contacts than a file may have")
        );
    }
}
