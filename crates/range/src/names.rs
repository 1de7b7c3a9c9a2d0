//! Makes the names by which a backdoor tells its operators, through DNS, on whose host it runs and how far it has come.
//!
//! The scheme is that of the analysis `victim_names`, written once more from the same public descriptions (Mandiant,
//! additional technical details of 24 December 2020; NETRESEC on fragments of domains and the bit of the second stage,
//! December 2020 to January 2021; Prevasio on the generation of the names), and not from the decoder: where one of the two
//! misreads them, the other shows it. Alphabets and labels are a campaign's own, in `names.json` of its folder.

use crate::Error;
use crate::library::library;
use crate::moment::{MINUTE, Moment};
use jiff::Timestamp;
use serde::Deserialize;

const FILE: &str = "names.json";

/// Set in the key of a name that holds a piece of the domain.
const PIECE_BIT: u8 = 0x80;

/// Letters of each piece but the last.
const PIECE_LETTERS: usize = 16;

/// The scheme of one backdoor.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Names {
    #[serde(rename = "about")]
    _about: String,
    /// The domain below which the names stand.
    parent: String,
    service: String,
    /// One is chosen by the first byte of the victim's id.
    regions: Vec<String>,
    /// 32 letters, five bits each.
    alphabet: String,
    /// Letters of plain domains are moved along this one, by so many places.
    moved_alphabet: String,
    moved_by: usize,
    /// A sign is written as `0` and any letter whose place, divided by their number, leaves the sign's own.
    signs: String,
    /// Letters that number the pieces.
    numbers: String,
    /// From when half hours are counted.
    epoch: Timestamp,
    step_minutes: i64,
}

/// What the backdoor says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Message {
    /// The domain that the host is joined to, in as many names as that takes.
    Domain,
    /// That it runs.
    Running,
    /// That it runs, and which security products do.
    Products,
    /// That it was accepted for the second stage.
    Accepted,
}

impl Names {
    /// The scheme of a campaign's backdoor.
    ///
    /// # Errors
    /// When the campaign has none, or its file is wrong.
    pub(crate) fn of_campaign(campaign: &str) -> Result<Self, Error> {
        let text = library()
            .of_campaign(campaign, FILE)
            .ok_or_else(|| Error::Choice(format!("{campaign}/{FILE}")))?;
        Ok(serde_json::from_str(text)?)
    }

    /// The names that say `message` of the victim at that time. `key` is any byte.
    pub(crate) fn say(
        &self,
        message: Message,
        (victim, domain): ([u8; 8], &str),
        time: Moment,
        key: u8,
    ) -> Vec<String> {
        let labels = match message {
            Message::Domain => self.pieces(victim, domain, key),
            Message::Running => vec![self.report(victim, time, false, &[], key)],
            // The first product, its service running: two bits a product, the lowest in the last byte.
            Message::Products => vec![self.report(victim, time, false, &[0, 1], key)],
            Message::Accepted => vec![self.report(victim, time, true, &[], key)],
        };
        let region = &self.regions[usize::from(victim[0]) % self.regions.len()];
        let name = |label| format!("{label}.{}.{region}.{}", self.service, self.parent);
        labels.into_iter().map(name).collect()
    }

    /// The labels that tell the domain, piece by piece. Its end has a number of its own.
    fn pieces(&self, victim: [u8; 8], domain: &str, key: u8) -> Vec<String> {
        let encoded = self.domain(domain);
        let letters: Vec<char> = encoded.chars().collect();
        let mut pieces: Vec<String> = letters
            .chunks(PIECE_LETTERS)
            .map(|piece| piece.iter().collect())
            .collect();
        let last = pieces.pop().unwrap_or_default();
        let key = key | PIECE_BIT;
        let masked = victim.map(|byte| byte ^ key);
        let head = self.packed(&[&[key], masked.as_slice()].concat());
        let numbers = self.numbers.as_bytes();
        let first = usize::from(head.as_bytes()[0]);
        let label = |number: usize, piece: &str| {
            let letter = numbers[(first + number) % numbers.len()];
            format!("{head}{}{piece}", char::from(letter))
        };
        let mut labels: Vec<String> = pieces
            .iter()
            .enumerate()
            .map(|(number, piece)| label(number, piece))
            .collect();
        labels.push(label(numbers.len() - 1, &last));
        labels
    }

    /// The domain with its letters moved; one with other letters than the alphabet has is packed as it is.
    fn domain(&self, domain: &str) -> String {
        let moved = |letter: char| {
            if let Some(place) = self.moved_alphabet.find(letter) {
                let place = (place + self.moved_by) % self.moved_alphabet.len();
                return self.moved_alphabet.get(place..=place).map(str::to_owned);
            }
            let sign = self.signs.find(letter)?;
            Some(format!("0{}", self.moved_alphabet.get(sign..=sign)?))
        };
        let plain: Option<String> = domain.chars().map(moved).collect();
        plain.unwrap_or_else(|| format!("00{}", self.packed(domain.as_bytes())))
    }

    /// The label of a report: id, kind, half hours since the epoch and whether the second stage was accepted.
    fn report(
        &self,
        victim: [u8; 8],
        time: Moment,
        accepted: bool,
        products: &[u8],
        key: u8,
    ) -> String {
        let steps = (time.0 - Moment::from(self.epoch).0) / (self.step_minutes * MINUTE);
        let value = u32::try_from(steps).unwrap_or(0) << 1 | u32::from(accepted);
        let [_, high, middle, low] = value.to_be_bytes();
        let kind = if products.is_empty() { 1 } else { 2 };
        let tail = [kind << 4 | high & 0x0f, middle, low];
        let mut bytes = Vec::new();
        for (at, byte) in victim.iter().enumerate() {
            bytes.push(byte ^ if at % 2 == 0 { low } else { middle });
        }
        bytes.extend(tail);
        bytes.extend(products);
        let key = key & !PIECE_BIT;
        let masked: Vec<u8> = bytes.iter().map(|byte| byte ^ key).collect();
        self.packed(&[&[key], masked.as_slice()].concat())
    }

    /// Five bits a letter, the lowest first; what is left at the end fills a letter of its own.
    fn packed(&self, bytes: &[u8]) -> String {
        let alphabet = self.alphabet.as_bytes();
        let letter = |bits: u32| char::from(alphabet[(bits & 31) as usize]);
        let (mut bits, mut held) = (0_u32, 0_u32);
        let mut text = String::new();
        for byte in bytes {
            bits |= u32::from(*byte) << held;
            held += 8;
            while held >= 5 {
                text.push(letter(bits));
                bits >>= 5;
                held -= 5;
            }
        }
        if held > 0 {
            text.push(letter(bits));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names::of_campaign("sunburst").unwrap()
    }

    fn at(text: &str) -> Moment {
        Moment::from(text.parse::<Timestamp>().unwrap())
    }

    /// Of victims that the literature names: what their backdoors said is what is made here.
    #[test]
    fn published_names_are_made_again() {
        let names = names();
        let victim = 0xF9A9_387F_7D25_2842_u64.to_be_bytes();
        let made = |message, domain: &str, time: &str| {
            (0..=u8::MAX)
                .flat_map(|key| names.say(message, (victim, domain), at(time), key))
                .collect::<Vec<_>>()
        };
        let holds = |all: &[String], label: &str| {
            all.iter()
                .any(|name| name.starts_with(&format!("{label}.")))
        };
        let running = made(Message::Running, "", "2020-06-17T00:10:00Z");
        assert!(holds(&running, "q94idf4sjbem0rait7gv"));
        // Behind the `0` of a sign stands any letter of a kind, so that whole names differ.
        let domain = made(
            Message::Domain,
            "city.kingston.on.ca",
            "2020-06-17T00:00:00Z",
        );
        let is_begin = |name: &String| {
            name.starts_with("r1qshoj05ji05ac6eoip0")
                && name.ends_with(".appsync-api.us-west-2.avsvmcloud.com")
        };
        assert!(domain.iter().any(is_begin));
        let victim = 0xFC07_EB59_E028_D3EE_u64.to_be_bytes();
        let accepted = (0..=u8::MAX).flat_map(|key| {
            names.say(
                Message::Accepted,
                (victim, ""),
                at("2020-06-13T09:00:00Z"),
                key,
            )
        });
        assert!(holds(&accepted.collect::<Vec<_>>(), "6a57jk2ba1d9keg15cbg"));
    }

    #[test]
    fn a_long_domain_takes_several_names_and_each_is_a_label() {
        let names = names();
        let victim = [7, 1, 2, 3, 4, 5, 6, 7];
        let time = at("2020-07-01T00:00:00Z");
        let all = names.say(
            Message::Domain,
            (victim, "brightwater-schools.example"),
            time,
            0x31,
        );
        assert!(all.len() >= 2, "{all:?}");
        for name in &all {
            let label = name.split('.').next().unwrap();
            assert!((17..=32).contains(&label.len()), "{name}");
        }
        let other = names.say(Message::Domain, (victim, "ÄRGER"), time, 0x31);
        assert_ne!(all, other);
    }
}
