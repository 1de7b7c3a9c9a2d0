//! The formats in which Windows, IIS and Exchange keep what they record, each written from its public description.

pub(crate) mod dns;
pub mod evtx;
pub mod exchange;
pub mod iis;
pub mod pe;
pub mod registry;

use std::fmt;

/// A GUID in Windows byte order. Displays in lower case without braces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    /// Reads `54849625-5478-4994-a5ba-3e3b0328c30d`, with or without braces.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
        let number = u128::from_str_radix(&digits, 16).ok()?;
        if digits.len() != 32 {
            return None;
        }
        let mut bytes = number.to_be_bytes();
        bytes[..4].reverse();
        bytes[4..6].reverse();
        bytes[6..8].reverse();
        Some(Self(bytes))
    }

    /// Another one that goes with it.
    pub(crate) fn next(self) -> Self {
        let mut bytes = self.0;
        bytes[15] = bytes[15].wrapping_add(1);
        Self(bytes)
    }

    /// `{54849625-5478-4994-A5BA-3E3B0328C30D}`, as event logs and registry paths write it.
    pub fn braced(&self) -> String {
        format!("{{{}}}", self.to_string().to_uppercase())
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
        for (position, index) in ORDER.into_iter().enumerate() {
            if matches!(position, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{:02x}", self.0[index])?;
        }
        Ok(())
    }
}

/// UTF-16, little endian, without a terminator.
pub(crate) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// UTF-16, little endian, with a terminator.
pub(crate) fn utf16z(text: &str) -> Vec<u8> {
    let mut bytes = utf16(text);
    bytes.extend([0, 0]);
    bytes
}

/// A length or offset as the 32 bits that a format gives it. Simulated files are far smaller.
pub(crate) fn u32_of(length: usize) -> u32 {
    u32::try_from(length).expect("simulated structures stay below 4 GiB")
}

/// A length as the 16 bits that a format gives it.
pub(crate) fn u16_of(length: usize) -> u16 {
    u16::try_from(length).expect("simulated names and values stay below 64 KiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_is_printed_as_it_was_read() {
        let text = "54849625-5478-4994-a5ba-3e3b0328c30d";
        let guid = Guid::parse(text).unwrap();
        assert_eq!(guid.to_string(), text);
        assert_eq!(guid.0[..4], [0x25, 0x96, 0x84, 0x54]);
        assert_eq!(Guid::parse("54849625"), None);
    }
}
