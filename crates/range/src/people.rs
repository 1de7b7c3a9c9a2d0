//! Who has a mailbox on the simulated server, and with which programs and devices they read it.

use crate::formats::Guid;
use crate::random::Random;
use crate::server::{World, internet};

/// How many people use a host, one of these.
const POPULATIONS: [i64; 8] = [5, 9, 16, 24, 24, 36, 60, 110];

/// Of a hundred people, so many have at home an address of IPv6 (RFC 3849's for documentation).
const IPV6_PERCENT: u64 = 15;

/// With which programs somebody reads mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// Outlook for Windows, over MAPI.
    Outlook,
    /// An old Outlook for Windows, over RPC.
    OldOutlook,
    /// Outlook for Mac, over Exchange Web Services.
    MacOutlook,
    Browser,
    Phone,
}

/// A telephone or tablet.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    /// As it names itself, 26 to 32 characters.
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    pub(crate) agent: String,
}

#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) name: String,
    /// `DOMAIN%5Cname`, with what a query must not hold percent-encoded.
    pub(crate) query_name: String,
    pub(crate) sid: String,
    /// The address the user works from when away.
    pub(crate) home: String,
    pub(crate) desk: String,
    pub(crate) browser: String,
    pub(crate) outlook: String,
    pub(crate) mailbox: Guid,
    /// One at least; those used more often stand twice.
    pub(crate) clients: Vec<Client>,
    pub(crate) devices: Vec<Device>,
}

/// Everybody who has a mailbox; the first administers the server.
pub(crate) fn people(
    seed: u64,
    world: &World,
    netbios: &str,
    domain_sid: &str,
    address: &str,
) -> Vec<User> {
    let mut random = Random::new(seed, "people", 0);
    let network = address
        .rsplit_once('.')
        .map_or(address, |(network, _)| network);
    let count = *random.pick(&POPULATIONS);
    (0..count)
        .map(|index| {
            let first = random.pick(&world.first_names);
            let last = random.pick(&world.last_names);
            let name = format!("{first}.{last}");
            let home = if random.chance(IPV6_PERCENT) {
                let site = random.between(1, 0xffff);
                format!("2001:db8:{site:x}::{:x}", random.between(1, 0xffff))
            } else {
                internet::home(&mut random)
            };
            User {
                query_name: format!("{netbios}%5C{}", percent_encoded(&name)),
                name,
                sid: format!("{domain_sid}-{}", 1_200 + index),
                home,
                desk: format!("{network}.{}", random.between(100, 250)),
                browser: random.pick(&world.browsers).clone(),
                outlook: random.pick(&world.outlooks).clone(),
                mailbox: random.guid(),
                clients: clients(&mut random),
                devices: (0..random.between(0, 3))
                    .map(|_| device(world, &mut random))
                    .collect(),
            }
        })
        .collect()
}

fn clients(random: &mut Random) -> Vec<Client> {
    let desk = *random.pick(&[
        Client::Outlook,
        Client::Outlook,
        Client::Outlook,
        Client::Outlook,
        Client::OldOutlook,
        Client::MacOutlook,
        Client::Browser,
    ]);
    let mut clients = vec![desk, desk, desk];
    if random.chance(60) {
        clients.extend([Client::Phone, Client::Phone]);
    }
    if random.chance(50) {
        clients.push(Client::Browser);
    }
    clients
}

fn device(world: &World, random: &mut Random) -> Device {
    let agent = random.pick(&world.phones).clone();
    let (kind, alphabet, length) = if agent.starts_with("Apple-iPad") {
        ("iPad", "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ", 26)
    } else if agent.starts_with("Apple") {
        ("iPhone", "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ", 26)
    } else if agent.starts_with("Outlook") {
        ("Outlook", "0123456789ABCDEF", 32)
    } else {
        ("Android", "0123456789abcdef", 32)
    };
    Device {
        id: random.text(alphabet, length),
        kind,
        agent,
    }
}

/// A text as it may stand in a query: letters, digits and `-._~` as they are (RFC 3986), all else by its bytes.
fn percent_encoded(text: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("writing to a string succeeds");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_language_fit_into_a_query() {
        assert_eq!(percent_encoded("zoë.o'neill"), "zo%C3%AB.o%27neill");
    }
}
