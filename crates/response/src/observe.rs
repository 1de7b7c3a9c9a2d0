//! Lists of observations read into rows: which column is what stands in `knowledge/observations.yaml`, or in a mapping file of the
//! same form.
//!
//! A row becomes one observation or is refused with a fixed reason. Nothing is guessed: an unknown time is absent, a row that says
//! nothing of the question is `undetermined`.

use crate::import::derived;
use crate::registry::AssetKind;
use crate::standing::Claim;
use crate::table::{Refused, Row, Table};
use model::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::response::ObservationRow;

const FORMS: &str = include_str!("../../../knowledge/observations.yaml");

/// A scanner's clock may go a little wrong.
const AHEAD_MICROS: i64 = 86_400_000_000;

/// Longer texts are no names of methods or sources.
const NAME_BYTES_MAX: usize = 256;

/// How a list is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    pub name: String,
    #[serde(default)]
    pub family: String,
    #[serde(default)]
    pub about: String,
    #[serde(default)]
    pub reference: String,
    /// Columns by which the form is recognised.
    #[serde(default)]
    pub needs: Vec<String>,
    #[serde(default)]
    pub source: Option<String>,
    #[serde(default)]
    pub method: Option<String>,
    #[serde(default)]
    pub method_version: Option<String>,
    #[serde(default)]
    pub campaign: Option<String>,
    pub columns: Columns,
    #[serde(default)]
    pub claims: Vec<Rule>,
}

/// For each part of an observation the columns that may hold it; the first that is filled counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Columns {
    pub address: Vec<String>,
    pub host: Vec<String>,
    pub reverse: Vec<String>,
    pub url: Vec<String>,
    pub organisation: Vec<String>,
    pub seen: Vec<String>,
    pub claim: Vec<String>,
    pub method: Vec<String>,
    pub method_version: Vec<String>,
    pub source: Vec<String>,
    pub campaign: Vec<String>,
}

/// What a row claims where its condition holds; without one it always does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    #[serde(default)]
    pub column: Option<String>,
    #[serde(default)]
    pub is: Vec<String>,
    #[serde(default)]
    pub contains: Vec<String>,
    #[serde(default)]
    pub names_vulnerability: bool,
    pub claim: String,
}

/// Why a mapping file is none.
#[derive(Debug, thiserror::Error)]
pub enum FormError {
    #[error("it cannot be read: {0}")]
    Yaml(#[from] serde_yaml_ng::Error),
    #[error("`{0}` is no claim")]
    Claim(String),
    #[error("it names no column for address, host or url")]
    NoAsset,
    #[error("it has neither a column for the claim nor a rule")]
    NoClaim,
    #[error("a rule has a condition but names no column")]
    NoColumn,
}

/// The built-in forms.
pub fn forms() -> Vec<Form> {
    serde_yaml_ng::from_str(FORMS).expect("the built-in forms are well formed; a test reads them")
}

impl Form {
    /// Reads a mapping file.
    pub fn from_yaml(text: &str) -> Result<Self, FormError> {
        let mut form: Self = serde_yaml_ng::from_str(text)?;
        let columns = &mut form.columns;
        let lists = [
            &mut columns.address,
            &mut columns.host,
            &mut columns.reverse,
            &mut columns.url,
            &mut columns.organisation,
            &mut columns.seen,
            &mut columns.claim,
            &mut columns.method,
            &mut columns.method_version,
            &mut columns.source,
            &mut columns.campaign,
            &mut form.needs,
        ];
        let names = lists.into_iter().flatten();
        let ruled = form
            .claims
            .iter_mut()
            .filter_map(|rule| rule.column.as_mut());
        for name in names.chain(ruled) {
            *name = name.trim().to_lowercase();
        }
        form.checked()
    }

    fn checked(self) -> Result<Self, FormError> {
        let columns = &self.columns;
        if columns.address.is_empty() && columns.host.is_empty() && columns.url.is_empty() {
            return Err(FormError::NoAsset);
        }
        if columns.claim.is_empty() && self.claims.is_empty() {
            return Err(FormError::NoClaim);
        }
        for rule in &self.claims {
            if Claim::parse(&rule.claim).is_none() {
                return Err(FormError::Claim(rule.claim.clone()));
            }
            let conditional =
                rule.names_vulnerability || !rule.is.is_empty() || !rule.contains.is_empty();
            if conditional && rule.column.is_none() {
                return Err(FormError::NoColumn);
            }
        }
        Ok(self)
    }

    /// Whether a table has the columns by which the form is recognised.
    pub fn fits(&self, table: &Table) -> bool {
        self.needs.iter().all(|name| table.column(name).is_some())
    }
}

/// The form of a family that a table has; the one that needs most, where several fit.
pub fn recognise(family: &str, table: &Table) -> Option<Form> {
    let fitting = forms()
        .into_iter()
        .filter(|form| form.family == family && form.fits(table));
    fitting.max_by_key(|form| form.needs.len())
}

/// What a list does not say of itself.
#[derive(Clone, Debug, Default)]
pub struct Context {
    pub campaign: Option<String>,
    pub method: Option<String>,
    pub method_version: Option<String>,
    pub source: Option<String>,
    /// Vulnerabilities by campaign.
    pub vulnerabilities: BTreeMap<String, Vec<String>>,
    /// In microseconds since 1970.
    pub now: i64,
}

/// A list as it was read.
#[derive(Clone, Debug, Default)]
pub struct Read {
    pub observations: Vec<ObservationRow>,
    pub refused: Vec<Refused>,
}

impl Read {
    /// Refused rows by reason.
    pub fn reasons(&self) -> BTreeMap<&'static str, usize> {
        let mut reasons = BTreeMap::new();
        for refused in &self.refused {
            *reasons.entry(refused.why).or_default() += 1;
        }
        reasons
    }
}

/// The id of an import: the same bytes in the same way are the same import.
pub fn import_id(form: &Form, context: &Context, sha256: &str) -> String {
    let way = serde_json::to_string(form).unwrap_or_default();
    let said = |text: &Option<String>| text.clone().unwrap_or_default();
    derived(
        "i",
        &[
            "observations",
            &way,
            &said(&context.campaign),
            &said(&context.method),
            &said(&context.method_version),
            &said(&context.source),
            sha256,
        ],
    )
}

/// Every row of a list.
pub fn read(table: &Table, form: &Form, context: &Context, import: &str) -> Read {
    let reader = Reader::new(table, form, context, import);
    let mut read = Read {
        refused: table.refused.clone(),
        ..Read::default()
    };
    for row in &table.rows {
        match reader.row(row) {
            Ok(observation) => read.observations.push(observation),
            Err(why) => read.refused.push(Refused {
                line: row.line,
                why,
            }),
        }
    }
    read.refused.sort_by_key(|refused| refused.line);
    read
}

/// The numbers of the columns, looked up once.
struct Reader<'a> {
    table: &'a Table,
    form: &'a Form,
    context: &'a Context,
    import: &'a str,
    parts: [Vec<usize>; 11],
    rules: Vec<(Option<usize>, Claim, &'a Rule)>,
    /// Columns whose text stands in the observation itself.
    used: Vec<usize>,
}

const ADDRESS: usize = 0;
const HOST: usize = 1;
const REVERSE: usize = 2;
const URL: usize = 3;
const ORGANISATION: usize = 4;
const SEEN: usize = 5;
const CLAIM: usize = 6;
const METHOD: usize = 7;
const METHOD_VERSION: usize = 8;
const SOURCE: usize = 9;
const CAMPAIGN: usize = 10;

impl<'a> Reader<'a> {
    fn new(table: &'a Table, form: &'a Form, context: &'a Context, import: &'a str) -> Self {
        let columns = &form.columns;
        let lists = [
            &columns.address,
            &columns.host,
            &columns.reverse,
            &columns.url,
            &columns.organisation,
            &columns.seen,
            &columns.claim,
            &columns.method,
            &columns.method_version,
            &columns.source,
            &columns.campaign,
        ];
        let parts = lists.map(|names| {
            let numbers = names.iter().filter_map(|name| table.column(name));
            numbers.collect::<Vec<usize>>()
        });
        let rules = form.claims.iter().filter_map(|rule| {
            let claim = Claim::parse(&rule.claim)?;
            let column = rule.column.as_deref().and_then(|name| table.column(name));
            Some((column, claim, rule))
        });
        let [
            address,
            _,
            _,
            _,
            organisation,
            _,
            claim,
            method,
            version,
            source,
            campaign,
        ] = &parts;
        let used = [
            address,
            organisation,
            claim,
            method,
            version,
            source,
            campaign,
        ];
        Self {
            table,
            form,
            context,
            import,
            used: used.into_iter().flatten().copied().collect(),
            rules: rules.collect(),
            parts,
        }
    }

    fn part<'r>(&self, row: &'r Row, part: usize) -> Option<&'r str> {
        let columns = self.parts.get(part)?;
        let mut texts = columns.iter().map(|column| row.at(*column));
        texts.find(|text| !text.is_empty())
    }

    fn named(
        &self,
        row: &Row,
        part: usize,
        given: Option<&String>,
        usual: Option<&String>,
    ) -> Result<Option<String>, &'static str> {
        // What the user says of the whole list goes before what the form says of such lists, not before the row.
        let said = self.part(row, part).map(str::to_owned);
        let said = said.or_else(|| given.cloned()).or_else(|| usual.cloned());
        match said {
            Some(name) if name.len() > NAME_BYTES_MAX => Err("a name is longer than 256 bytes"),
            said => Ok(said),
        }
    }

    fn row(&self, row: &Row) -> Result<ObservationRow, &'static str> {
        let context = self.context;
        let campaign = self.named(
            row,
            CAMPAIGN,
            context.campaign.as_ref(),
            self.form.campaign.as_ref(),
        )?;
        let campaign = campaign.ok_or("the campaign is missing")?;
        let url = self.part(row, URL).map(host_of_url).transpose()?;
        let address = match (self.part(row, ADDRESS), &url) {
            (Some(text), _) => Some(
                AssetKind::Address
                    .normalise(text)
                    .ok_or("the address is not well formed")?,
            ),
            (None, Some(host)) => AssetKind::Address.normalise(host),
            (None, None) => None,
        };
        let host = match self.part(row, HOST) {
            // Some write the port, or the whole address of a page.
            Some(text) => Some(host_of_url(text)?),
            None => url,
        };
        // Some lists fill the column of the name with the address.
        let host = host.filter(|text| AssetKind::Address.normalise(text).is_none());
        let host = host
            .map(|text| {
                AssetKind::Host
                    .normalise(&text)
                    .ok_or("a host name is not well formed")
            })
            .transpose()?;
        let reverse = self.part(row, REVERSE);
        let reverse = reverse.and_then(|text| AssetKind::Host.normalise(text));
        let (kind, asset) = match (&address, &host) {
            (Some(address), _) => (AssetKind::Address, address.clone()),
            (None, Some(host)) => (AssetKind::Host, host.clone()),
            (None, None) => return Err("the row names neither address nor host"),
        };
        let seen = self.part(row, SEEN).map(time).transpose()?;
        if seen.is_some_and(|seen| seen > context.now.saturating_add(AHEAD_MICROS)) {
            return Err("the time lies in the future");
        }
        let claim = self.claim(row, &campaign)?;
        let method = self.named(
            row,
            METHOD,
            context.method.as_ref(),
            self.form.method.as_ref(),
        )?;
        let version = self.named(
            row,
            METHOD_VERSION,
            context.method_version.as_ref(),
            self.form.method_version.as_ref(),
        )?;
        let source = self.named(
            row,
            SOURCE,
            context.source.as_ref(),
            self.form.source.as_ref(),
        )?;
        Ok(ObservationRow {
            id: derived("b", &[self.import, &row.line.to_string()]),
            import: self.import.to_owned(),
            line: i64::try_from(row.line).unwrap_or(i64::MAX),
            campaign,
            asset_kind: kind.name().to_owned(),
            asset,
            address,
            host,
            reverse,
            organisation: self.part(row, ORGANISATION).map(str::to_owned),
            claim: claim.name().to_owned(),
            method: method.unwrap_or_default(),
            method_version: version.unwrap_or_default(),
            source: source.unwrap_or_default(),
            seen,
            detail: self.detail(row),
        })
    }

    fn claim(&self, row: &Row, campaign: &str) -> Result<Claim, &'static str> {
        if let Some(text) = self.part(row, CLAIM) {
            return Claim::parse(&text.to_lowercase()).ok_or("the claim is not known");
        }
        for (column, claim, rule) in &self.rules {
            if rule.column.is_none() {
                return Ok(*claim);
            }
            let Some(column) = column else { continue };
            let cell = row.at(*column).to_lowercase();
            if cell.is_empty() {
                continue;
            }
            let is = |text: &String| cell == text.to_lowercase();
            let holds = |text: &String| cell.contains(&text.to_lowercase());
            let known = self.context.vulnerabilities.get(campaign);
            let names = |id: &String| cell.contains(&id.to_lowercase());
            if rule.is.iter().any(is)
                || rule.contains.iter().any(holds)
                || rule.names_vulnerability && known.into_iter().flatten().any(names)
            {
                return Ok(*claim);
            }
        }
        Err("nothing says what the row claims")
    }

    fn detail(&self, row: &Row) -> String {
        let mut rest = BTreeMap::new();
        for (number, name) in self.table.columns.iter().enumerate() {
            let text = row.at(number);
            if !text.is_empty() && !self.used.contains(&number) {
                rest.insert(name, text);
            }
        }
        serde_json::to_string(&rest).unwrap_or_else(|_error| "{}".to_owned())
    }
}

/// `mail.example.org` of `https://user@mail.example.org:443/owa`.
fn host_of_url(url: &str) -> Result<String, &'static str> {
    const WHY: &str = "the URL is not well formed";
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = match host.strip_prefix('[') {
        Some(six) => six.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    if host.is_empty() {
        Err(WHY)
    } else {
        Ok(host.to_owned())
    }
}

/// A time as lists write it; UTC where no zone is named.
fn time(text: &str) -> Result<i64, &'static str> {
    const WHY: &str = "the time is not well formed";
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time.as_microsecond());
    }
    let (day, rest) = text.split_at_checked(10).ok_or(WHY)?;
    let clock = rest.trim_start_matches(['T', ' ']).trim_end_matches(" UTC");
    let whole = match clock {
        "" => format!("{day}T00:00:00Z"),
        clock => format!("{day}T{clock}Z"),
    };
    let time: Timestamp = whole.parse().map_err(|_error| WHY)?;
    Ok(time.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_forms_are_well_formed() {
        for form in forms() {
            assert!(
                !form.about.is_empty() && !form.reference.is_empty(),
                "{}",
                form.name
            );
            form.checked().unwrap();
        }
    }

    #[test]
    fn times_without_a_zone_are_utc_and_others_are_refused() {
        for text in [
            "2021-03-09 04:15:00",
            "2021-03-09T04:15:00Z",
            "2021-03-09T05:15:00+01:00",
        ] {
            assert_eq!(time(text), Ok(1_615_263_300_000_000), "{text}");
        }
        assert_eq!(time("2021-03-09"), Ok(1_615_248_000_000_000));
        for text in ["", "yesterday", "2021-13-09", "09.03.2021", "ää-03-09 1"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_url_names_its_host() {
        for (url, host) in [
            ("https://u@mail.a.example:443/owa?x=@b", "mail.a.example"),
            ("192.0.2.1/x", "192.0.2.1"),
            ("http://[2001:db8::1]:80/", "2001:db8::1"),
        ] {
            assert_eq!(host_of_url(url).as_deref(), Ok(host));
        }
        assert!(host_of_url("https:///x").is_err());
    }
}
