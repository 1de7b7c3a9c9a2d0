//! The modifiers of the specification's appendix, and pySigma's long names of them.

/// What stands behind `|` in the key of a detection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is named as the specification names it")]
pub enum Modifier {
    All,
    StartsWith,
    EndsWith,
    Contains,
    Exists,
    Cased,
    NotEqual,
    WinDash,
    Regex,
    IgnoreCase,
    MultiLine,
    DotAll,
    Base64,
    Base64Offset,
    Utf16Little,
    Utf16Big,
    Utf16,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
    Cidr,
    Expand,
    FieldReference,
}

/// Every name, its modifier, the specification's name first.
const NAMES: &[(&str, Modifier)] = &[
    ("contains", Modifier::Contains),
    ("endswith", Modifier::EndsWith),
    ("startswith", Modifier::StartsWith),
    ("all", Modifier::All),
    ("re", Modifier::Regex),
    ("windash", Modifier::WinDash),
    ("cidr", Modifier::Cidr),
    ("exists", Modifier::Exists),
    ("cased", Modifier::Cased),
    ("neq", Modifier::NotEqual),
    ("i", Modifier::IgnoreCase),
    ("ignorecase", Modifier::IgnoreCase),
    ("m", Modifier::MultiLine),
    ("multiline", Modifier::MultiLine),
    ("s", Modifier::DotAll),
    ("dotall", Modifier::DotAll),
    ("base64", Modifier::Base64),
    ("base64offset", Modifier::Base64Offset),
    ("utf16le", Modifier::Utf16Little),
    ("wide", Modifier::Utf16Little),
    ("utf16be", Modifier::Utf16Big),
    ("utf16", Modifier::Utf16),
    ("lt", Modifier::Less),
    ("lte", Modifier::LessOrEqual),
    ("gt", Modifier::Greater),
    ("gte", Modifier::GreaterOrEqual),
    ("minute", Modifier::Minute),
    ("hour", Modifier::Hour),
    ("day", Modifier::Day),
    ("week", Modifier::Week),
    ("month", Modifier::Month),
    ("year", Modifier::Year),
    ("expand", Modifier::Expand),
    ("fieldref", Modifier::FieldReference),
];

impl Modifier {
    /// Reads a modifier's name, short or long.
    pub fn parse(name: &str) -> Option<Self> {
        NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, modifier)| *modifier)
    }

    /// Its first name in the table above.
    pub fn as_str(self) -> &'static str {
        NAMES
            .iter()
            .find(|(_, modifier)| *modifier == self)
            .map_or("", |(name, _)| name)
    }
}
