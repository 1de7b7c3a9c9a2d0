//! Names by which a backdoor tells its operators, through DNS, on whose host it runs and how far it has come.
//!
//! Each name is `label.service.region.parent`. The label holds, in base 32 with an alphabet of the backdoor's own, five
//! bits a letter and the lowest first, a key byte and then bytes that are combined with it by exclusive or. The highest
//! bit of the key tells two forms apart:
//!
//! - set: 8 bytes of the victim's id, in 15 letters; a letter that tells which piece follows; and a piece, up to 16 letters,
//!   of the domain that the host is joined to. Pieces are put together first and decoded then: a name that begins `00` is in the same
//!   base 32, any other has each letter moved along a second alphabet, with `0` before a letter that stands for a sign. A
//!   `0` that ends a piece begins the next one again.
//! - clear: 8 bytes of the id, combined once more with the last two of the three bytes behind them; these three hold a
//!   kind (4 bits), a count of half hours (19 bits) and whether the backdoor was accepted for its second stage (1 bit).
//!   Kind 2 is followed by two bits for each of some security products: running, stopped.
//!
//! The region follows from the first byte of the id, so that made-up names are told from true ones three times of four,
//! and the kind, the length and the time of asking tell most of the others.
//!
//! Sources, whose pages the pack names: Mandiant, additional technical details of 24 December 2020 (forms, answers by
//! address); NETRESEC, on the fragments of victims' domains, on the bit of the second stage and on the status of security
//! products, December 2020 to January 2021; Prevasio, on the generation of the names. The order of the pieces was
//! worked out from public passive DNS. Alphabets, labels and all else that is of one campaign are parameters.

use super::{Analysis, Input, Run, Summary, Told};
use model::Timestamp;
use serde::Deserialize;
use serde_yaml_ng::Value as Parameters;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What may come of a record, as in [`pack::ANALYSES`].
#[cfg(test)]
pub(super) const OUTCOMES: [&str; 5] = [REPORTED, ACCEPTED, CONTROLLED, LATE, UNDECODED];

/// What is taken from a record.
#[cfg(test)]
pub(super) const INPUTS: [&str; 4] = ["name", "client", "answer", "local_time"];

/// The backdoor told of its host.
const REPORTED: &str = "reported";
/// It was accepted for its second stage: by its own word, or by the answer it got.
const ACCEPTED: &str = "accepted";
/// A server was looked up by which accepted hosts are commanded.
const CONTROLLED: &str = "controlled";
/// The name was asked for when no backdoor would have: somebody looks into the campaign.
const LATE: &str = "late";
/// A name below the backdoor's own domain that tells nothing.
const UNDECODED: &str = "undecoded";

/// Letters of a label that hold key and id: 9 bytes.
const ID_LETTERS: usize = 15;

/// Bit of the key that tells that a piece of the domain follows.
const PIECE_BIT: u8 = 0x80;

/// Bytes of a report behind the key: the id, and kind with time.
const REPORT_BYTES: usize = 11;

/// Pieces that are kept: a domain's name has 253 letters at most, of which a piece holds 16.
const PIECES_MAX: u8 = 16;

/// Letters of each piece but the last.
const PIECE_LETTERS: usize = 16;

/// Hosts of which one item may tell; the whole campaign had some 18,000, behind as many resolvers.
const HOSTS_MAX: usize = 8_192;

/// Clients that are named with one victim.
const CLIENTS_MAX: usize = 16;

/// Longest name that is decoded; DNS has none longer.
const NAME_BYTES_MAX: usize = 255;

/// A clock without a zone may be off by this many seconds.
const ZONE_SECONDS_MAX: i64 = 14 * 3_600;

/// The parameters, as a pack writes them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// Domains of the backdoor's own, below which the names stand.
    parents: Vec<String>,
    /// The label behind the one that tells.
    service: String,
    /// The label behind that; chosen by the id's first byte modulo their number.
    regions: Vec<String>,
    /// 32 letters of the base 32.
    alphabet: String,
    /// The alphabet along which letters of plain domains are moved, and by how many places.
    moved_alphabet: String,
    moved_by: usize,
    /// Signs that `0` announces; the letter behind it tells by its place modulo their number.
    signs: String,
    /// Letters that number the pieces.
    numbers: String,
    /// From when half hours are counted.
    epoch: Timestamp,
    step_minutes: u32,
    /// Security products, in the order of their bits.
    products: Vec<String>,
    /// Answers by which a backdoor is accepted.
    accepting: Vec<String>,
    /// Domains of servers that command accepted hosts.
    control_domains: Vec<String>,
    /// When all this was published: from then on others ask for these names too.
    published: Timestamp,
    /// How far the time in a name may lie from that of its record.
    tolerance_hours: u32,
}

/// The scheme of one backdoor.
#[derive(Debug)]
struct Scheme {
    written: Written,
    accepting: Vec<Network>,
}

#[derive(Debug)]
struct Network {
    address: IpAddr,
    bits: u32,
}

/// What one name tells.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Message {
    victim: [u8; 8],
    content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    /// A piece of the encoded domain; `None` numbers the last.
    Piece { number: Option<u8>, text: String },
    Report {
        time: Timestamp,
        accepted: bool,
        /// Two bits a product, the first product's lowest in the last byte.
        products: Option<Vec<u8>>,
    },
}

/// Reads the parameters of a pack.
pub(super) fn compile(parameters: &Parameters) -> Result<Box<dyn Analysis>, String> {
    Ok(Box::new(Scheme::new(parameters)?))
}

impl Scheme {
    fn new(parameters: &Parameters) -> Result<Self, String> {
        let written: Written =
            serde_yaml_ng::from_value(parameters.clone()).map_err(|error| error.to_string())?;
        let distinct = |text: &str| {
            let letters: BTreeSet<u8> = text.bytes().collect();
            text.is_ascii() && letters.len() == text.len()
        };
        for (name, text, is_right) in [
            ("alphabet", &written.alphabet, written.alphabet.len() == 32),
            (
                "moved_alphabet",
                &written.moved_alphabet,
                written.moved_by < written.moved_alphabet.len(),
            ),
            ("signs", &written.signs, !written.signs.is_empty()),
            (
                "numbers",
                &written.numbers,
                written.numbers.len() > usize::from(PIECES_MAX),
            ),
        ] {
            if !is_right || !distinct(text) {
                return Err(format!(
                    "`{name}` has too few letters, too many, or one of them twice"
                ));
            }
        }
        if written.parents.is_empty() || written.regions.is_empty() || written.step_minutes == 0 {
            return Err("`parents`, `regions` and `step_minutes` must not be empty".to_owned());
        }
        let accepting = written
            .accepting
            .iter()
            .map(|text| Network::parse(text).ok_or_else(|| format!("`{text}` is not a network")))
            .collect::<Result<_, _>>()?;
        Ok(Self { written, accepting })
    }

    /// The part of a name before one of the parents; `None` for names elsewhere. Names are in lower case here.
    fn below_parent<'n>(&self, name: &'n str) -> Option<&'n str> {
        let mut parents = self.written.parents.iter();
        parents.find_map(|parent| below(name, parent))
    }

    fn control_domain(&self, name: &str) -> Option<&str> {
        let mut domains = self.written.control_domains.iter();
        let domain = domains.find(|domain| below(name, domain).is_some())?;
        Some(domain)
    }

    /// What the part of a name before its parent tells.
    fn decode(&self, rest: &str) -> Option<Message> {
        let mut labels = rest.split('.');
        let (label, service, region) = (labels.next()?, labels.next()?, labels.next()?);
        if labels.next().is_some() || service != self.written.service {
            return None;
        }
        let head = self.unpack(label.get(..ID_LETTERS)?)?;
        let message = if head.first()? & PIECE_BIT == 0 {
            self.report(label)?
        } else {
            self.piece(label, &head)?
        };
        let regions = &self.written.regions;
        let of_victim = regions.get(usize::from(message.victim[0]) % regions.len())?;
        (of_victim == region).then_some(message)
    }

    fn piece(&self, label: &str, head: &[u8]) -> Option<Message> {
        let (key, masked) = head.split_first()?;
        let mut victim = [0; 8];
        for (plain, byte) in victim.iter_mut().zip(masked.get(..8)?) {
            *plain = byte ^ key;
        }
        let numbers = self.written.numbers.as_bytes();
        let first = usize::from(*label.as_bytes().first()?);
        let told = place_of(numbers, *label.as_bytes().get(ID_LETTERS)?)?;
        // The number was added to the code of the first letter; the last piece has the number before 0.
        let number = (told + numbers.len() - first % numbers.len()) % numbers.len();
        let number = if number == numbers.len() - 1 {
            None
        } else {
            let number = u8::try_from(number).ok()?;
            Some(number).filter(|number| *number < PIECES_MAX)?.into()
        };
        let text = label.get(ID_LETTERS + 1..)?;
        let is_right = match number {
            Some(_) => text.len() == PIECE_LETTERS,
            None => (1..=PIECE_LETTERS).contains(&text.len()),
        };
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        (is_right && text.bytes().all(is_plain)).then(|| Message {
            victim,
            content: Content::Piece {
                number,
                text: text.to_owned(),
            },
        })
    }

    fn report(&self, label: &str) -> Option<Message> {
        let bytes = self.unpack(label)?;
        let (key, masked) = bytes.split_first()?;
        let plain: Vec<u8> = masked.iter().map(|byte| byte ^ key).collect();
        let (report, products) = plain.split_at_checked(REPORT_BYTES)?;
        let &[ref masked @ .., high, middle, low] = report else {
            return None;
        };
        let mut victim = [0; 8];
        for (at, (plain, byte)) in victim.iter_mut().zip(masked).enumerate() {
            *plain = byte ^ if at % 2 == 0 { low } else { middle };
        }
        let products_bytes = (2 * self.written.products.len()).div_ceil(8);
        let products = match (high >> 4, products.len()) {
            (1, 0) => None,
            (2, bytes) if bytes == products_bytes => Some(products.to_vec()),
            _ => return None,
        };
        let value = u32::from_be_bytes([0, high & 0x0F, middle, low]);
        let minutes = i64::from(value >> 1) * i64::from(self.written.step_minutes);
        let seconds = self.written.epoch.as_second().checked_add(minutes * 60)?;
        Some(Message {
            victim,
            content: Content::Report {
                time: Timestamp::from_second(seconds).ok()?,
                accepted: value & 1 == 1,
                products,
            },
        })
    }

    /// Five bits a letter, the lowest first; bits that make no whole byte are filling.
    fn unpack(&self, letters: &str) -> Option<Vec<u8>> {
        self.unpack_behind(0, letters)
    }

    /// The same, where letters that are not known have left some bits of the first byte.
    fn unpack_behind(&self, left: u32, letters: &str) -> Option<Vec<u8>> {
        let (mut bits, mut held) = (0_u32, left);
        let mut bytes = Vec::with_capacity(letters.len());
        for letter in letters.bytes() {
            let digit = place_of(self.written.alphabet.as_bytes(), letter)?;
            bits |= u32::try_from(digit).ok()? << held;
            held += 5;
            if held >= 8 {
                bytes.push(bits.to_le_bytes()[0]);
                bits >>= 8;
                held -= 8;
            }
        }
        Some(bytes)
    }

    /// The domain that pieces put together stand for. One that breaks off in the middle of a sign loses it.
    fn domain(&self, encoded: &str) -> Option<String> {
        if let Some(packed) = encoded.strip_prefix("00") {
            let bytes = self.unpack(packed)?;
            return Some(String::from_utf8_lossy(&bytes).into_owned());
        }
        let alphabet = self.written.moved_alphabet.as_bytes();
        let signs = self.written.signs.as_bytes();
        let mut domain = String::new();
        let mut letters = encoded.bytes();
        while let Some(letter) = letters.next() {
            if letter == b'0' {
                let Some(letter) = letters.next() else {
                    break;
                };
                let sign = signs.get(place_of(alphabet, letter)? % signs.len())?;
                domain.push(char::from(*sign));
            } else {
                let place = place_of(alphabet, letter)? + alphabet.len() - self.written.moved_by;
                let plain = alphabet.get(place % alphabet.len())?;
                domain.push(char::from(*plain));
            }
        }
        Some(domain)
    }

    /// The end of a domain whose beginning is not known, so that neither is which of the two codes it is in.
    fn end_of_domain(&self, encoded: &str) -> Option<String> {
        if let Some(domain) = self.domain(encoded) {
            return Some(domain);
        }
        // Whole pieces of 16 letters, two of which tell of the code, end 6 bits behind the border of a byte.
        let bytes = self.unpack_behind(6, encoded)?;
        let known = bytes.get(1..)?;
        let is_text = known.iter().all(u8::is_ascii_graphic);
        (is_text && !known.is_empty()).then(|| String::from_utf8_lossy(known).into_owned())
    }

    fn products(&self, bits: &[u8]) -> String {
        let mut told = Vec::new();
        for (number, product) in self.written.products.iter().enumerate() {
            let byte = bits.iter().rev().nth(number / 4).copied().unwrap_or(0);
            let state = (byte >> (2 * (number % 4))) & 3;
            if state & 1 != 0 {
                told.push(format!("{product} running"));
            }
            if state & 2 != 0 {
                told.push(format!("{product} stopped"));
            }
        }
        told.join(", ")
    }

    /// Whether an answer accepts the backdoor, and which server it names, where it names one.
    fn acceptance(&self, name: &str, answer: &str) -> Option<String> {
        let separators = |c: char| c.is_whitespace() || ",;\"'[]()|".contains(c);
        for word in answer.split(separators) {
            let word = word.trim_end_matches('.').to_ascii_lowercase();
            if let Ok(address) = word.parse::<IpAddr>() {
                let address = address.to_canonical();
                if self.accepting.iter().any(|network| network.holds(address)) {
                    return Some(String::new());
                }
            } else if word == "<cname>" {
                return Some(String::new());
            } else if is_domain(&word) && word != name && self.below_parent(&word).is_none() {
                return Some(word);
            }
        }
        None
    }

    fn is_late(&self, message: &Message, when: Option<When>) -> bool {
        let Some(when) = when else {
            return false;
        };
        match &message.content {
            Content::Piece { .. } => when.is_surely_after(self.written.published),
            Content::Report { time, .. } => {
                let tolerance = i64::from(self.written.tolerance_hours) * 3_600;
                let apart = when.time.as_second().abs_diff(time.as_second());
                apart > tolerance.saturating_add(when.slack_seconds).unsigned_abs()
            }
        }
    }
}

impl Analysis for Scheme {
    fn begin<'a>(&'a self) -> Box<dyn Run + 'a> {
        Box::new(Names {
            scheme: self,
            victims: BTreeMap::new(),
            told: BTreeMap::new(),
            untold: 0,
        })
    }
}

/// When a record was made, as far as it says.
#[derive(Clone, Copy)]
struct When {
    time: Timestamp,
    slack_seconds: i64,
}

impl When {
    fn of(input: &Input<'_>) -> Option<Self> {
        if let Some(time) = input.record.time() {
            return Some(Self {
                time,
                slack_seconds: 0,
            });
        }
        let text = input.text("local_time")?.trim().replace(' ', "T");
        Some(Self {
            time: format!("{text}Z").parse().ok()?,
            slack_seconds: ZONE_SECONDS_MAX,
        })
    }

    fn is_surely_after(self, time: Timestamp) -> bool {
        self.time.as_second().saturating_sub(self.slack_seconds) >= time.as_second()
    }

    fn is_surely_before(self, time: Timestamp) -> bool {
        self.time.as_second().saturating_add(self.slack_seconds) < time.as_second()
    }
}

/// Whom a result is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Whom {
    Victim([u8; 8]),
    /// By its address; empty where records do not say.
    Client(String),
}

/// What the names of one victim tell together.
#[derive(Debug, Default)]
struct Victim {
    pieces: BTreeMap<u8, String>,
    last_piece: Option<String>,
    /// Clients that asked, in the order of the log.
    clients: Vec<String>,
    asked_for_others: bool,
    /// The latest status of security products, and when it was told.
    products: Option<(Timestamp, Vec<u8>)>,
    /// First and last time that a name tells.
    span: Option<(Timestamp, Timestamp)>,
    control_server: Option<String>,
}

/// The names of one item.
struct Names<'a> {
    scheme: &'a Scheme,
    victims: BTreeMap<[u8; 8], Victim>,
    told: BTreeMap<(Whom, &'static str), Told>,
    untold: u64,
}

impl Run for Names<'_> {
    fn look(&mut self, input: &Input<'_>) -> Option<&'static str> {
        let name = input.text("name")?;
        let name = name.trim().trim_end_matches('.').to_ascii_lowercase();
        if name.len() > NAME_BYTES_MAX {
            return None;
        }
        let scheme = self.scheme;
        let Some(rest) = scheme.below_parent(&name) else {
            let domain = scheme.control_domain(&name)?;
            return self.control(domain, input);
        };
        let Some(message) = scheme.decode(rest) else {
            let mut details = BTreeMap::new();
            details.insert("name".to_owned(), name);
            return self.of_client(UNDECODED, input, details);
        };
        let when = When::of(input);
        if scheme.is_late(&message, when) {
            let mut details = BTreeMap::new();
            details.insert("victim".to_owned(), id_text(message.victim));
            details.insert("name".to_owned(), name);
            return self.of_client(LATE, input, details);
        }
        let whom = Whom::Victim(message.victim);
        if !self.has_room(&whom) {
            return None;
        }
        let acceptance = input
            .text("answer")
            .and_then(|answer| scheme.acceptance(&name, &answer));
        let is_accepted = acceptance.is_some()
            || matches!(message.content, Content::Report { accepted: true, .. });
        let victim = self.victims.entry(message.victim).or_default();
        victim.add(message.content);
        victim.asked_for_others |= input.is_about_asking_host();
        if let Some(client) = input.text("client") {
            let client = client.trim().to_owned();
            if victim.clients.len() < CLIENTS_MAX && !victim.clients.contains(&client) {
                victim.clients.push(client);
            }
        }
        if let Some(server) = acceptance.filter(|server| !server.is_empty()) {
            victim.control_server = Some(server);
        }
        let outcome = if is_accepted { ACCEPTED } else { REPORTED };
        self.count(whom, outcome, input, || {
            BTreeMap::from([("name".to_owned(), name)])
        });
        Some(outcome)
    }

    fn finish(self: Box<Self>) -> Summary {
        let mut told = Vec::new();
        for ((whom, _), mut one) in self.told {
            if let Whom::Victim(id) = &whom
                && let Some(victim) = self.victims.get(id)
            {
                victim.describe(self.scheme, *id, &mut one);
            }
            told.push(one);
        }
        Summary {
            told,
            untold: self.untold,
        }
    }
}

impl Names<'_> {
    fn has_room(&mut self, whom: &Whom) -> bool {
        let known = match whom {
            Whom::Victim(id) => self.victims.contains_key(id),
            Whom::Client(_) => false,
        };
        if known || self.told.len() < HOSTS_MAX {
            return true;
        }
        self.untold = self.untold.saturating_add(1);
        false
    }

    fn control(&mut self, domain: &str, input: &Input<'_>) -> Option<&'static str> {
        let published = self.scheme.written.published;
        let in_time = When::of(input).is_some_and(|when| when.is_surely_before(published));
        let details = BTreeMap::from([("control_server".to_owned(), domain.to_owned())]);
        self.of_client(if in_time { CONTROLLED } else { LATE }, input, details)
    }

    /// Tells something of the client that asked. Records that speak of others and name none tell of nobody.
    fn of_client(
        &mut self,
        outcome: &'static str,
        input: &Input<'_>,
        mut details: BTreeMap<String, String>,
    ) -> Option<&'static str> {
        let client = input.text("client").map(|client| client.trim().to_owned());
        if client.is_none() && input.is_about_asking_host() && outcome == CONTROLLED {
            return None;
        }
        let whom = Whom::Client(client.clone().unwrap_or_default());
        let key = (whom, outcome);
        if !self.told.contains_key(&key) && !self.has_room(&key.0) {
            return None;
        }
        if let Some(client) = &client {
            details.insert("client".to_owned(), client.clone());
        }
        let subject = client.filter(|_| input.is_about_asking_host());
        self.count(key.0, outcome, input, || details);
        if let Some(one) = self
            .told
            .get_mut(&(Whom::Client(subject.clone().unwrap_or_default()), outcome))
        {
            one.subject = subject;
        }
        Some(outcome)
    }

    fn count(
        &mut self,
        whom: Whom,
        outcome: &'static str,
        input: &Input<'_>,
        details: impl FnOnce() -> BTreeMap<String, String>,
    ) {
        let time = input.record.time();
        self.told
            .entry((whom, outcome))
            .and_modify(|one| one.add(time))
            .or_insert_with(|| Told {
                details: details(),
                ..Told::new(outcome, input.record)
            });
    }
}

impl Victim {
    fn add(&mut self, content: Content) {
        match content {
            Content::Piece {
                number: Some(number),
                text,
            } => {
                self.pieces.entry(number).or_insert(text);
            }
            Content::Piece { number: None, text } => {
                self.last_piece.get_or_insert(text);
            }
            Content::Report { time, products, .. } => {
                self.span = Some(match self.span {
                    None => (time, time),
                    Some((first, last)) => (first.min(time), last.max(time)),
                });
                if let Some(products) = products
                    && self
                        .products
                        .as_ref()
                        .is_none_or(|(known, _)| *known <= time)
                {
                    self.products = Some((time, products));
                }
            }
        }
    }

    /// The domain, and how much of it was seen.
    fn domain(&self, scheme: &Scheme) -> Option<(String, &'static str)> {
        let mut encoded = String::new();
        for number in 0..PIECES_MAX {
            let Some(piece) = self.pieces.get(&number) else {
                break;
            };
            join(&mut encoded, piece);
        }
        if encoded.is_empty()
            && let Some(last) = &self.last_piece
        {
            return Some((scheme.end_of_domain(last)?, "whole, or its end"));
        }
        let seen = match (encoded.is_empty(), &self.last_piece) {
            (true, _) => {
                let (_, piece) = self.pieces.first_key_value()?;
                encoded.push_str(piece);
                "a piece from the middle"
            }
            (false, None) => "its beginning",
            // A domain of so many pieces that some are missing shows by their numbers.
            (false, Some(_)) if self.pieces.len() * (PIECE_LETTERS - 1) > encoded.len() => {
                "its beginning"
            }
            (false, Some(last)) => {
                join(&mut encoded, last);
                "whole"
            }
        };
        Some((scheme.domain(&encoded)?, seen))
    }

    fn describe(&self, scheme: &Scheme, id: [u8; 8], one: &mut Told) {
        let mut detail = |name: &str, value: String| {
            if !value.is_empty() {
                one.details.insert(name.to_owned(), value);
            }
        };
        detail("victim", id_text(id));
        if let Some((domain, seen)) = self.domain(scheme) {
            detail("internal_domain", domain);
            detail("internal_domain_seen", seen.to_owned());
        }
        if let Some((_, products)) = &self.products {
            detail("security_products", scheme.products(products));
        }
        if let Some((first, last)) = self.span {
            detail("told_from", first.to_string());
            detail("told_until", last.to_string());
        }
        detail("client", self.clients.first().cloned().unwrap_or_default());
        if self.clients.len() > 1 {
            detail("clients", self.clients.join(", "));
        }
        detail(
            "control_server",
            self.control_server.clone().unwrap_or_default(),
        );
        if self.asked_for_others {
            let named = || format!("VICTIM-{}", id_text(id));
            one.subject = Some(self.clients.first().cloned().unwrap_or_else(named));
        }
    }
}

impl Network {
    /// Reads `18.130.0.0/16`.
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let bits: u32 = bits.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        (bits <= most).then_some(Self { address, bits })
    }

    fn holds(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differing = own.to_bits() ^ other.to_bits();
                differing.leading_zeros() >= self.bits
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differing = own.to_bits() ^ other.to_bits();
                differing.leading_zeros() >= self.bits
            }
            _ => false,
        }
    }
}

/// Puts the next piece of an encoded domain behind the others. A sign's `0` at the end of a piece stands once more at the
/// beginning of the next.
fn join(encoded: &mut String, piece: &str) {
    let is_packed = encoded.starts_with("00");
    if !is_packed && encoded.ends_with('0') && piece.starts_with('0') {
        encoded.pop();
    }
    encoded.push_str(piece);
}

fn place_of(alphabet: &[u8], letter: u8) -> Option<usize> {
    alphabet.iter().position(|known| *known == letter)
}

/// The part of a name before a domain that it stands below; empty where it is the domain itself.
fn below<'n>(name: &'n str, domain: &str) -> Option<&'n str> {
    let rest = name.strip_suffix(domain)?;
    if rest.is_empty() {
        return Some(rest);
    }
    rest.strip_suffix('.')
}

fn is_domain(word: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    word.contains('.')
        && word.len() <= NAME_BYTES_MAX
        && word.bytes().all(inner)
        && word.bytes().any(|byte| byte.is_ascii_alphabetic())
}

fn id_text(id: [u8; 8]) -> String {
    format!("{:016X}", u64::from_be_bytes(id))
}

#[cfg(test)]
mod tests;
