//! `cargo xtask builds MICROSOFT-SCRIPT.csv PUBLIC-DOCS.psv`: makes `knowledge/exchange/builds.csv`.
//!
//! No single public table of Exchange builds is complete, and where both list a build they often name it differently.
//! So the two are united, and each row keeps which of them list it:
//!
//! - `product,update level,update,build`, taken from Microsoft's CSS-Exchange scripts. Regular names, no dates.
//! - `build|name|date|kb`, the table of Microsoft's documentation as righel/ms-exchange-version-nse carries it. It also
//!   holds Exchange 2010, the first releases, and interim updates; some of its names have slips (a 2016 build under
//!   2019), so a name of the first table wins.
//!
//! Dates are ISO 8601; where the documentation gives no day, the month alone is kept.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Read;
use std::path::Path;

const OUTPUT: &str = "knowledge/exchange/builds.csv";

const SCRIPT: &str = "microsoft/CSS-Exchange Shared/Get-ExchangeBuildVersionInformation.ps1";
const DOCUMENTATION: &str =
    "Microsoft documentation of Exchange build numbers by righel/ms-exchange-version-nse";

type Build = [u32; 4];

#[derive(Default)]
struct Row {
    /// The name in Microsoft's script, and other updates that have the same build.
    script: Vec<String>,
    documentation: Option<String>,
    released: String,
}

/// Reads the two tables and writes the united one.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let [script, documentation] = args else {
        return Err("usage: cargo xtask builds MICROSOFT-SCRIPT.csv PUBLIC-DOCS.psv".into());
    };
    let mut rows = BTreeMap::new();
    add_script(&read(script)?, &mut rows)?;
    add_documentation(&read(documentation)?, &mut rows)?;
    let output = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(OUTPUT);
    std::fs::write(&output, to_csv(&rows))
        .map_err(|source| format!("cannot write {}: {source}", output.display()))
}

fn read(path: &str) -> Result<String, String> {
    let mut text = String::new();
    OpenOptions::new()
        .read(true)
        .open(path)
        .and_then(|mut file| file.read_to_string(&mut text))
        .map_err(|source| format!("cannot read {path}: {source}"))?;
    Ok(text)
}

/// `Exchange2016,CU19,Mar21SU,15.1.2176.9`
fn add_script(text: &str, rows: &mut BTreeMap<Build, Row>) -> Result<(), String> {
    for line in text.lines() {
        let [product, level, update, build] = fields(line, ',')?;
        let product = product.replace("Exchange", "Exchange Server ");
        let row: &mut Row = rows.entry(parse_build(build)?).or_default();
        row.script
            .push(format!("{product} {level} {update}").trim().to_owned());
    }
    Ok(())
}

/// `15.1.2176.9|Exchange Server 2016 CU19 Mar21SU|March 2, 2021|5000871`
fn add_documentation(text: &str, rows: &mut BTreeMap<Build, Row>) -> Result<(), String> {
    for line in text.lines().skip(1) {
        let [build, name, date, _knowledge_base] = fields(line, '|')?;
        let row = rows.entry(parse_build(build)?).or_default();
        row.documentation = Some(plain_name(name));
        row.released = iso_date(date)?;
    }
    Ok(())
}

fn to_csv(rows: &BTreeMap<Build, Row>) -> String {
    let mut lines = vec!["product,build,name,released,source".to_owned()];
    for (build, row) in rows {
        let [major, minor, third, revision] = build;
        let mut sources = Vec::new();
        if !row.script.is_empty() {
            sources.push(SCRIPT);
        }
        if row.documentation.is_some() {
            sources.push(DOCUMENTATION);
        }
        lines.push(format!(
            "exchange,{major}.{minor}.{third}.{revision},{},{},{}",
            row.name(),
            row.released,
            sources.join(";")
        ));
    }
    lines.join("\n") + "\n"
}

impl Row {
    fn name(&self) -> String {
        match self.script.as_slice() {
            [] => self.documentation.clone().unwrap_or_default(),
            [only] => only.clone(),
            [first, others @ ..] => {
                let updates: Vec<&str> = others
                    .iter()
                    .map(|other| other.rsplit(' ').next().unwrap_or_default())
                    .collect();
                format!("{first} (also {})", updates.join(" "))
            }
        }
    }
}

fn fields<const N: usize>(line: &str, separator: char) -> Result<[&str; N], String> {
    let parts: Vec<&str> = line.split(separator).map(str::trim).collect();
    <[&str; N]>::try_from(parts).map_err(|_parts| format!("`{line}` does not have {N} fields"))
}

fn parse_build(text: &str) -> Result<Build, String> {
    let parts: [&str; 4] = fields(text, '.')?;
    let mut build = [0; 4];
    for (part, digits) in build.iter_mut().zip(parts) {
        *part = digits
            .parse()
            .map_err(|source| format!("`{text}` is not a build: {source}"))?;
    }
    Ok(build)
}

/// One way of writing for the documentation's several: single spaces, no half-year in brackets, and update rollups of
/// 2010 behind their service pack.
fn plain_name(name: &str) -> String {
    let name = name.replace("Exchange Version", "Exchange Server");
    let words: Vec<&str> = name
        .split_whitespace()
        .filter(|word| !(word.starts_with("(20") && word.ends_with("H1)")))
        .collect();
    let name = words.join(" ");
    if let Some((rollup, product)) = name.split_once(" for ") {
        let rollup = rollup.replace("Update Rollup ", "RU");
        return match product.strip_suffix(" (recalled)") {
            Some(product) => format!("{product} {rollup} (recalled)"),
            None => format!("{product} {rollup}"),
        };
    }
    // Service Pack 1 of 2013 is its fourth cumulative update, and Microsoft's script calls it so.
    let name = name
        .replace("Exchange Server 2013 SP1 (CU4)", "Exchange Server 2013 CU4")
        .replace("Exchange Server 2013 SP1", "Exchange Server 2013 CU4");
    // The documentation leaves the level of the first release out.
    name.replace("Exchange Server 2019 + ", "Exchange Server 2019 RTM + ")
}

/// `March 2, 2021` to `2021-03-02`; `March, 2021` to `2021-03`.
fn iso_date(text: &str) -> Result<String, String> {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let wrong = || format!("`{text}` is not a date");
    let (month_and_day, year) = text.split_once(", ").ok_or_else(wrong)?;
    let year: u16 = year.parse().map_err(|_source| wrong())?;
    let (month, day) = match month_and_day.split_once(' ') {
        Some((month, day)) => (month, Some(day)),
        None => (month_and_day, None),
    };
    let month = MONTHS
        .iter()
        .position(|name| *name == month)
        .ok_or_else(wrong)?
        + 1;
    match day {
        None => Ok(format!("{year:04}-{month:02}")),
        Some(day) => {
            let day: u8 = day.parse().map_err(|_source| wrong())?;
            Ok(format!("{year:04}-{month:02}-{day:02}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tables_are_united_and_keep_their_source() {
        let mut rows = BTreeMap::new();
        let script = "Exchange2016,CU12,,15.1.1713.5\nExchange2016,CU12,Feb19SU,15.1.1713.5\n";
        add_script(script, &mut rows).unwrap();
        let documentation = "build|name|date|kb\n\
            14.3.513.0|Update Rollup 32 for Exchange Server 2010 SP3|March 2, 2021|\n\
            15.1.1713.5|Exchange Version 2016  CU12  +  KB1|February, 2019|1\n\
            15.2.221.14|Exchange Version 2019   +  KB4471389|January, 2019|4471389\n\
            15.2.1118.7|Exchange Server 2019 CU12 (2022H1)|April 20, 2022|\n";
        add_documentation(documentation, &mut rows).unwrap();
        let expected = format!(
            "product,build,name,released,source\n\
             exchange,14.3.513.0,Exchange Server 2010 SP3 RU32,2021-03-02,{DOCUMENTATION}\n\
             exchange,15.1.1713.5,Exchange Server 2016 CU12 (also Feb19SU),2019-02,{SCRIPT};{DOCUMENTATION}\n\
             exchange,15.2.221.14,Exchange Server 2019 RTM + KB4471389,2019-01,{DOCUMENTATION}\n\
             exchange,15.2.1118.7,Exchange Server 2019 CU12,2022-04-20,{DOCUMENTATION}\n"
        );
        assert_eq!(to_csv(&rows), expected);
    }

    #[test]
    fn damaged_rows_are_refused() {
        assert!(add_script("Exchange2016,CU12,15.1.1713.5", &mut BTreeMap::new()).is_err());
        assert!(iso_date("Smarch 1, 2021").is_err());
        assert!(parse_build("15.1.1713").is_err());
    }
}
