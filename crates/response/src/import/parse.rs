//! Cells of a list, checked: what is not well formed refuses its row with a fixed reason.

use crate::registry::AssetKind;
use crate::table::{Row, Table};

/// Longer names are no names.
const NAME_BYTES_MAX: usize = 512;

/// The cells of one row.
#[derive(Clone, Copy)]
pub(super) struct Cells<'a> {
    pub(super) table: &'a Table,
    pub(super) row: &'a Row,
}

impl<'a> Cells<'a> {
    /// What stands below this name; nothing where it is empty.
    pub(super) fn get(self, name: &str) -> Option<&'a str> {
        Some(self.table.cell(self.row, name)).filter(|text| !text.is_empty())
    }

    /// A name in one line.
    pub(super) fn name(self, column: &str) -> Result<Option<String>, &'static str> {
        let Some(text) = self.get(column) else {
            return Ok(None);
        };
        if text.len() > NAME_BYTES_MAX {
            return Err("a name is longer than 512 bytes");
        }
        if text.contains(['\n', '\r', '\t']) {
            return Err("a name has several lines");
        }
        Ok(Some(text.to_owned()))
    }

    /// A word of a list, in small letters.
    pub(super) fn word(self, column: &str) -> Result<Option<String>, &'static str> {
        Ok(self.name(column)?.map(|word| word.to_lowercase()))
    }

    pub(super) fn one_of(
        self,
        column: &str,
        known: &[&'static str],
        why: &'static str,
    ) -> Result<Option<&'static str>, &'static str> {
        let Some(word) = self.word(column)? else {
            return Ok(None);
        };
        let found = known.iter().find(|known| **known == word);
        found.map(|known| Some(*known)).ok_or(why)
    }

    pub(super) fn country(self) -> Result<Option<String>, &'static str> {
        let Some(text) = self.get("country") else {
            return Ok(None);
        };
        country(text).map(Some)
    }

    pub(super) fn id(self) -> Result<Option<String>, &'static str> {
        let Some(id) = self.get("id") else {
            return Ok(None);
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "._:@-".contains(c);
        if id.len() > 64 || !id.chars().all(plain) || id.starts_with(['-', '@', '.']) {
            return Err("the id is not 1 to 64 letters, digits and ._:@-");
        }
        Ok(Some(id.to_owned()))
    }

    /// Several values in one cell.
    pub(super) fn list(self, column: &str) -> impl Iterator<Item = &'a str> {
        let parts = self.get(column).unwrap_or_default().split([';', '\n', '|']);
        parts.map(str::trim).filter(|part| !part.is_empty())
    }
}

pub(super) fn country(text: &str) -> Result<String, &'static str> {
    let code = text.to_ascii_uppercase();
    if code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase()) {
        Ok(code)
    } else {
        Err("the country is no code of two letters")
    }
}

pub(super) fn asset(kind: AssetKind, value: &str) -> Result<String, &'static str> {
    let why = match kind {
        AssetKind::Host => "a host name is not well formed",
        AssetKind::Address => "an address is not well formed",
        AssetKind::Network => "a network is not well formed",
        AssetKind::Domain => "a domain is not well formed",
        AssetKind::Certificate => "a certificate is no SHA-256",
    };
    kind.normalise(value).ok_or(why)
}

/// An e-mail address, its domain in small letters.
pub(super) fn email(text: &str) -> Result<String, &'static str> {
    const WHY: &str = "an e-mail address is not well formed";
    let (local, domain) = text.rsplit_once('@').ok_or(WHY)?;
    let plain = |c: char| c.is_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(c);
    let domain = AssetKind::Domain.normalise(domain).ok_or(WHY)?;
    if local.is_empty() || text.len() > 254 || !local.chars().all(plain) || !domain.contains('.') {
        return Err(WHY);
    }
    Ok(format!("{local}@{domain}"))
}

/// A tag of BCP 47, such as `de` or `pt-BR`.
pub(super) fn language(text: &str) -> Result<String, &'static str> {
    let parts = || text.split('-');
    let fits = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let first = parts().next().unwrap_or_default();
    if parts().all(fits)
        && (2..=3).contains(&first.len())
        && first.bytes().all(|byte| byte.is_ascii_alphabetic())
    {
        Ok(text.to_owned())
    } else {
        Err("a language is no tag such as de or pt-BR")
    }
}

pub(super) fn truth(text: &str) -> Result<bool, &'static str> {
    match text.to_lowercase().as_str() {
        "yes" | "true" | "1" => Ok(true),
        "no" | "false" | "0" => Ok(false),
        _ => Err("what must be yes or no is neither"),
    }
}
