//! Ten thousand typed indicators: half of them addresses, the rest paths, file hashes and user agents.
//!
//! Nearly all are made up, as in life, where lists are long and hits are rare; a few are the rarest values of the load
//! itself, so that there is something to find. Addresses are of 198.18.0.0/15, which is set aside for benchmarks
//! (RFC 2544).

use super::text::{Kind, TextLoad, for_each_row};
use super::{Bench, made, write};
use crate::draw::Draw;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

const ADDRESSES: u64 = 5_000;
const PATHS: u64 = 2_500;
const HASHES: u64 = 1_500;
const AGENTS: u64 = 1_000;

/// Values of the load that are taken up, of each of its three columns.
const REAL_EACH: usize = 5;

/// Only values of fewer than one in so many rows are taken up: lists name what is rare.
const RARE_ONE_IN: u64 = 500;

/// Values are counted in the first files of about so many bytes.
const BYTES_LOOKED_AT: u64 = 40_000_000;

/// A list of indicators in the two forms that are needed.
pub(in crate::bench) struct Indicators {
    /// As Allclear reads them.
    pub(in crate::bench) table: PathBuf,
    /// The values alone, a line each.
    pub(in crate::bench) literals: PathBuf,
    pub(in crate::bench) count: u64,
}

/// The list for this load.
pub(in crate::bench) fn indicators(
    bench: &Bench,
    kind: Kind,
    load: &TextLoad,
) -> Result<Indicators, String> {
    let folder = bench.load(&format!("indicators-{}", kind.name()));
    let stamp = format!("3, {} bytes of {}", load.bytes, kind.name());
    let said = made(&folder, &stamp, |folder| {
        let rows = rows(&real_values(kind, load));
        let mut table = String::from("type,value,meaning,confidence,first_seen,source\n");
        let mut literals = String::new();
        for (kind, value) in &rows {
            // Writing to a text cannot fail.
            let _ = writeln!(table, "{kind},{value},made for a benchmark,5,,made");
            let _ = writeln!(literals, "{value}");
        }
        write(&folder.join("indicators.csv"), table.as_bytes())?;
        write(&folder.join("literals.txt"), literals.as_bytes())?;
        Ok(rows.len().to_string())
    })?;
    Ok(Indicators {
        table: folder.join("indicators.csv"),
        literals: folder.join("literals.txt"),
        count: said.trim().parse().unwrap_or(0),
    })
}

/// The rarest addresses, paths and agents of the load's first files, in that order.
fn real_values(kind: Kind, load: &TextLoad) -> [Vec<String>; 3] {
    let mut counts: [BTreeMap<String, u64>; 3] = Default::default();
    let (mut rows, mut bytes) = (0, 0);
    for path in &load.files {
        if bytes > BYTES_LOOKED_AT {
            break;
        }
        bytes += path.metadata().map_or(0, |metadata| metadata.len());
        for_each_row(kind, path, &mut |cell| {
            rows += 1;
            for (counts, column) in counts.iter_mut().zip(kind.columns()) {
                if let Some(value) = cell(column).filter(|value| is_telling(value)) {
                    *counts.entry(value).or_default() += 1;
                }
            }
        });
    }
    counts.map(|counts| rarest(counts, rows / RARE_ONE_IN))
}

/// Whether a value stands well in a table of one value a cell, and names something. Pages that the product ships are no
/// indicator, and Allclear knows them.
fn is_telling(value: &str) -> bool {
    value.len() > 6
        && !value.contains(['"', ',', ' '])
        && !value.to_ascii_lowercase().ends_with(".aspx")
        && value != "127.0.0.1"
}

/// The rarest values that occur no more often than `most`.
fn rarest(counts: BTreeMap<String, u64>, most: u64) -> Vec<String> {
    let mut values: Vec<(u64, String)> = counts
        .into_iter()
        .map(|(value, count)| (count, value))
        .filter(|(count, _)| *count <= most)
        .collect();
    values.sort();
    let rarest = values.into_iter().map(|(_, value)| value);
    rarest.take(REAL_EACH).collect()
}

/// Type and value of each indicator; the real ones take the place of made ones.
fn rows(real: &[Vec<String>; 3]) -> Vec<(&'static str, String)> {
    const FOLDERS: &[&str] = &["aspnet_client", "owa/auth", "ecp/auth", "api", "upload"];
    const ENDINGS: &[&str] = &["aspx", "ashx", "asmx", "js", "php"];
    let mut draw = Draw::seeded(10_000);
    let [addresses, paths, agents] = real;
    let mut rows: Vec<(&'static str, String)> = Vec::new();
    let mut fill = |kind, count: u64, real: &[String], made: &mut dyn FnMut(u64) -> String| {
        rows.extend(real.iter().map(|value| (kind, value.clone())));
        rows.extend((real.len() as u64..count).map(|number| (kind, made(number))));
    };
    // Every 26th address of the block: distinct, and spread over it.
    fill("ip", ADDRESSES, addresses, &mut |number| {
        let number = number * 26;
        let (high, middle, low) = (number >> 16, (number >> 8) & 0xFF, number & 0xFF);
        format!("198.{}.{middle}.{low}", 18 + high)
    });
    fill("url_path", PATHS, paths, &mut |_number| {
        let (folder, name) = (draw.one_of(FOLDERS), draw.word(9));
        format!("/{folder}/{name}.{}", draw.one_of(ENDINGS))
    });
    let mut draw = Draw::seeded(20_000);
    fill("sha256", HASHES, &[], &mut |_number| draw.hex(64));
    fill("user_agent", AGENTS, agents, &mut |number| {
        format!("Bench-{}/{number}.0", draw.word(6))
    });
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn there_are_ten_thousand_of_them_and_all_differ() {
        let real = [
            vec!["192.0.2.7".to_owned()],
            vec!["/owa/auth/x.aspx".to_owned()],
            vec!["curl/7.1".to_owned()],
        ];
        let made = rows(&real);
        assert_eq!(made.len(), 10_000);
        let values: BTreeSet<&str> = made.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values.len(), 10_000);
        let addresses = made.iter().filter(|(kind, _)| *kind == "ip");
        assert!(
            addresses
                .clone()
                .all(|(_, value)| value.parse::<std::net::Ipv4Addr>().is_ok())
        );
        assert_eq!(addresses.count(), 5_000);
        assert!(values.contains("curl/7.1"));
        assert_eq!(made, rows(&real));
    }

    #[test]
    fn the_rarest_values_are_taken() {
        let counts = [("a", 3), ("b", 1), ("c", 1), ("d", 4)];
        let counts = counts.map(|(value, count)| (value.to_owned(), count));
        assert_eq!(rarest(counts.into_iter().collect(), 3), ["b", "c", "a"]);
    }
}
