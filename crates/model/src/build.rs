//! Product builds such as 15.1.2176.9.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A product build of three or four parts. With three parts the update level is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Build {
    pub major: u32,
    pub minor: u32,
    pub build: u32,
    /// `None` in a three-part version, which names a cumulative update but not its security update.
    pub revision: Option<u32>,
}

/// Why a text is no build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError(String);

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a build of three or four numbers", self.0)
    }
}

impl std::error::Error for BuildError {}

impl Build {
    pub const fn new(major: u32, minor: u32, build: u32, revision: u32) -> Self {
        Self {
            major,
            minor,
            build,
            revision: Some(revision),
        }
    }

    /// The first three parts, which name the cumulative update.
    pub fn cumulative_update(&self) -> (u32, u32, u32) {
        (self.major, self.minor, self.build)
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.build)?;
        match self.revision {
            Some(revision) => write!(f, ".{revision}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Build {
    type Err = BuildError;

    /// Reads `15.1.2176.9`, zero-padded forms such as `15.01.2176.009`, and three parts.
    fn from_str(text: &str) -> Result<Self, BuildError> {
        let fail = || BuildError(text.chars().take(40).collect());
        let text = text.trim();
        let mut parts = text.split('.').map(|part| {
            if part.is_empty() || part.len() > 9 || !part.bytes().all(|b| b.is_ascii_digit()) {
                return Err(fail());
            }
            part.parse::<u32>().map_err(|_e| fail())
        });
        let mut next = || parts.next().transpose();
        let (Some(major), Some(minor), Some(build)) = (next()?, next()?, next()?) else {
            return Err(fail());
        };
        let revision = next()?;
        if next()?.is_some() {
            return Err(fail());
        }
        Ok(Self {
            major,
            minor,
            build,
            revision,
        })
    }
}

impl Serialize for Build {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Build {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padded_builds_equal_plain_ones() {
        let padded: Build = "15.01.2176.009".parse().unwrap();
        assert_eq!(padded, Build::new(15, 1, 2176, 9));
        assert_eq!(padded.to_string(), "15.1.2176.9");
    }

    #[test]
    fn three_parts_leave_the_update_unknown() {
        let build: Build = "15.1.2176".parse().unwrap();
        assert_eq!(build.revision, None);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "15",
            "15.1",
            "15.1.x.2",
            "1.2.3.4.5",
            "15..1.2",
            "15.1.99999999999.2",
        ] {
            assert!(text.parse::<Build>().is_err(), "{text}");
        }
    }
}
