//! Networks in CIDR notation, and whether an address lies in one.

use std::net::{IpAddr, Ipv6Addr};

/// A network of version 4 or 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// Reads `10.0.0.0/8`; an address alone is a network of one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.trim().split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().ok()?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => all,
            // A sign or space is no part of the notation.
            Some(bits) if bits.bytes().all(|digit| digit.is_ascii_digit()) => bits.parse().ok()?,
            Some(_) => return None,
        };
        (bits <= all).then_some(Self { address, bits })
    }

    /// Whether an address lies in it. Logs of Windows write addresses of version 4 in the form of version 6
    /// (`::ffff:10.0.0.1`) and may add a zone (`fe80::1%4`): both are understood.
    pub(crate) fn holds(&self, text: &str) -> bool {
        let text = text.split_once('%').map_or(text, |(address, _)| address);
        let Ok(address) = text.trim().parse::<IpAddr>() else {
            return false;
        };
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                same_beginning(own.to_bits().into(), other.to_bits().into(), 32, self.bits)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => self.holds_version_6(own, other),
            (IpAddr::V6(own), IpAddr::V4(_)) => match address {
                IpAddr::V6(as_written) => self.holds_version_6(own, as_written),
                IpAddr::V4(_) => false,
            },
            (IpAddr::V4(_), IpAddr::V6(_)) => false,
        }
    }

    fn holds_version_6(&self, own: Ipv6Addr, other: Ipv6Addr) -> bool {
        same_beginning(own.to_bits(), other.to_bits(), 128, self.bits)
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

fn same_beginning(one: u128, other: u128, width: u32, bits: u32) -> bool {
    bits == 0 || (one ^ other) >> (width - bits) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lie_in_networks() {
        let holds = |network: &str, address| Network::parse(network).unwrap().holds(address);
        assert!(holds("10.0.0.0/8", "10.255.0.1"));
        assert!(!holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("0.0.0.0/0", "1.2.3.4"));
        assert!(holds("192.168.1.1", "192.168.1.1"));
        assert!(holds("10.0.0.0/8", "::ffff:10.0.0.1"));
        assert!(holds("::ffff:0:0/96", "::ffff:10.0.0.1"));
        assert!(holds("fe80::/10", "fe80::1%4"));
        assert!(!holds("fe80::/10", "10.0.0.1"));
        assert!(!holds("10.0.0.0/8", "10.0.0"));
        assert!(holds("::1/128", "::1"));
        for wrong in ["10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/+8", "x"] {
            assert!(Network::parse(wrong).is_none(), "{wrong}");
        }
    }
}
