//! A catalogue of vulnerabilities that are known to be exploited, as CISA publishes it (KEV): JSON or CSV.

use serde::Deserialize;
use std::collections::BTreeMap;
use store::response::KnownExploitedRow;

/// Many times what the catalogue holds.
const ROWS_MAX: usize = 1_000_000;

/// What a file holds.
#[derive(Debug, Default)]
pub struct Catalogue {
    /// Which edition, as it says itself.
    pub version: Option<String>,
    pub rows: Vec<KnownExploitedRow>,
    pub rows_in: usize,
    pub refused: BTreeMap<&'static str, usize>,
}

#[derive(Deserialize)]
struct File {
    #[serde(rename = "catalogVersion")]
    version: Option<String>,
    vulnerabilities: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "cveID")]
    cve: String,
    #[serde(rename = "dateAdded")]
    added: String,
    #[serde(rename = "dueDate")]
    due: Option<String>,
    #[serde(rename = "knownRansomwareCampaignUse")]
    ransomware: Option<String>,
}

/// Reads a catalogue, of which `import` is the id. The error says what it is not.
pub fn read(bytes: &[u8], import: &str) -> Result<Catalogue, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut catalogue = Catalogue::default();
    let mut rows = BTreeMap::new();
    let mut take = |entry: Option<Entry>, catalogue: &mut Catalogue| {
        catalogue.rows_in += 1;
        let reason = match entry {
            None => "columns are missing",
            Some(entry) if !is_cve(&entry.cve) => "no CVE id",
            Some(entry) if !is_date(&entry.added) => "no date",
            Some(entry) if rows.contains_key(&entry.cve) => "stands twice",
            Some(entry) => {
                let row = KnownExploitedRow {
                    cve: entry.cve.clone(),
                    added: entry.added,
                    due: entry.due.filter(|due| is_date(due)),
                    ransomware: entry.ransomware.filter(|word| word.len() <= 64),
                    import: import.to_owned(),
                };
                rows.insert(entry.cve, row);
                return;
            }
        };
        *catalogue.refused.entry(reason).or_default() += 1;
    };
    if bytes.trim_ascii_start().first() == Some(&b'{') {
        let file: File = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        catalogue.version = file.version;
        for value in file.vulnerabilities.into_iter().take(ROWS_MAX) {
            take(serde_json::from_value(value).ok(), &mut catalogue);
        }
    } else {
        let mut reader = csv::Reader::from_reader(bytes);
        let heads = reader.headers().map_err(|error| error.to_string())?;
        for column in ["cveID", "dateAdded"] {
            if !heads.iter().any(|head| head == column) {
                return Err(format!("the column {column} is missing"));
            }
        }
        for row in reader.deserialize().take(ROWS_MAX) {
            take(row.ok(), &mut catalogue);
        }
    }
    catalogue.rows = rows.into_values().collect();
    Ok(catalogue)
}

fn is_cve(id: &str) -> bool {
    let Some((year, number)) = id
        .strip_prefix("CVE-")
        .and_then(|rest| rest.split_once('-'))
    else {
        return false;
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    year.len() == 4 && digits(year) && (4..=12).contains(&number.len()) && digits(number)
}

fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (dashes, digits): (Vec<_>, Vec<_>) = bytes
        .iter()
        .enumerate()
        .partition(|(at, _)| matches!(at, 4 | 7));
    bytes.len() == 10
        && dashes.iter().all(|(_, byte)| **byte == b'-')
        && digits.iter().all(|(_, byte)| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same_and_every_row_is_accounted_for() {
        let json = br#"{"catalogVersion":"2025.08.25","vulnerabilities":[
            {"cveID":"CVE-2021-26855","dateAdded":"2021-11-03","dueDate":"2021-04-16","knownRansomwareCampaignUse":"Known"},
            {"cveID":"CVE-2021-26855","dateAdded":"2021-11-03"},
            {"cveID":"=1+1","dateAdded":"2021-11-03"}, {"cveID":"CVE-2021-1234","dateAdded":"soon"}, 7]}"#;
        let csv = b"cveID,dateAdded,dueDate,knownRansomwareCampaignUse\nCVE-2021-26855,2021-11-03,2021-04-16,Known\n";
        let of_json = read(json, "i").expect("reads");
        assert_eq!(of_json.rows, read(csv, "i").expect("reads").rows);
        assert_eq!(of_json.rows_in, 5);
        assert_eq!(of_json.refused.values().sum::<usize>(), 4);
        assert!(read(b"a,b\n1,2\n", "i").is_err());
        assert!(read(b"{}", "i").is_err());
    }
}
