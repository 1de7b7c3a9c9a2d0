//! Addresses, names, paths and hashes that are known from elsewhere, looked for in records and files.
//!
//! What an indicator can show is bounded: an address, an agent, a path or a file name alone is at most a probe. Only
//! the hash of a file that is there, and a script page of a known name that the web server answered with success and
//! that the product does not ship, convict.

mod list;
mod read;

pub use list::{IndicatorList, ListedIndicator, ListedRule};
pub(crate) use read::{Read, YaraPart, read};

use crate::engine::{ProblemKind, RuleProblem};
use crate::event::url_decoded;
use crate::table::{Table, shortened};
use crate::words::{Need, Words};
use model::{
    EVIDENCE_BYTES_MAX, Finding, Foothold, FootholdKind, FootholdState, Place, Record, Stage,
    extension, file_name, windows_path,
};
use pack::Pack;
use pack::shipped_files::is_script;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;

/// Longest form of an address as text: IPv6 with an IPv4 address at its end.
const ADDRESS_BYTES_MAX: usize = 48;

/// What the ids of findings by an indicator begin with.
const ID_PREFIX: &str = "indicator/";

/// Whether a finding's rule is an indicator.
pub fn is_indicator(rule: &str) -> bool {
    rule.starts_with(ID_PREFIX)
}

/// What kind of thing an indicator names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Address,
    Domain,
    UrlPath,
    UserAgent,
    Sha256,
    Sha1,
    Md5,
    FilePath,
    FileName,
}

/// One indicator.
#[derive(Clone, Debug)]
pub(crate) struct Indicator {
    /// `indicator/<type>/<value>`.
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) kind: Kind,
    /// In lower case; a path with backslashes, an address in its shortest form.
    pub(crate) value: String,
    pub(crate) meaning: String,
    /// 1 to 10.
    pub(crate) confidence: u8,
    pub(crate) author: String,
    pub(crate) source: String,
    /// A day, where a list names one.
    pub(crate) first_seen: Option<Box<str>>,
    /// Name of the pack; `None` for a user's list.
    pub(crate) campaign: Option<String>,
}

/// All indicators of a run.
#[derive(Debug, Default)]
pub(crate) struct Indicators {
    all: Vec<Indicator>,
    by_hash: BTreeMap<String, usize>,
    /// Numbers of those that name files or their paths: every item is compared with them.
    of_files: Vec<usize>,
    /// Values of all indicators of web paths.
    url_paths: BTreeSet<String>,
    /// Values by kind, looked up only.
    values: BTreeMap<Kind, HashSet<String>>,
    yara: Vec<YaraPart>,
}

/// An indicator that a record shows, and how far that goes.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) number: usize,
    stage: Option<Stage>,
    foothold: Option<Foothold>,
}

impl Kind {
    /// The stable name, as in a pack's `indicators.csv`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Address => "ip",
            Self::Domain => "domain",
            Self::UrlPath => "url_path",
            Self::UserAgent => "user_agent",
            Self::Sha256 => "sha256",
            Self::Sha1 => "sha1",
            Self::Md5 => "md5",
            Self::FilePath => "file_path",
            Self::FileName => "file_name",
        }
    }

    /// The kind of a pack's type.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let all = [
            Self::Address,
            Self::Domain,
            Self::UrlPath,
            Self::UserAgent,
            Self::Sha256,
            Self::Sha1,
            Self::Md5,
            Self::FilePath,
            Self::FileName,
        ];
        all.into_iter().find(|kind| kind.name() == name)
    }

    fn words(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Domain => "domain",
            Self::UrlPath => "web path",
            Self::UserAgent => "user agent",
            Self::Sha256 | Self::Sha1 | Self::Md5 => "file hash",
            Self::FilePath => "file path",
            Self::FileName => "file name",
        }
    }

    fn is_hash(self) -> bool {
        matches!(self, Self::Sha256 | Self::Sha1 | Self::Md5)
    }
}

impl Indicator {
    /// Brings a value to the form it is compared in; `None` where it is not of its kind.
    pub(crate) fn new(kind: Kind, value: &str) -> Option<Self> {
        let value = match kind {
            Kind::Address => value.parse::<IpAddr>().ok()?.to_string(),
            Kind::FilePath => windows_path(value).to_lowercase(),
            Kind::UserAgent => spaced(value),
            _ => value.to_lowercase(),
        };
        let value = value.trim().to_owned();
        (!value.is_empty()).then(|| Self {
            id: format!("{ID_PREFIX}{}/{value}", kind.name()),
            title: format!("Known {}: {value}", kind.words()),
            kind,
            value,
            meaning: String::new(),
            confidence: 5,
            author: String::new(),
            source: String::new(),
            first_seen: None,
            campaign: None,
        })
    }

    fn need(&self, words: &Words<'_>) -> Need {
        match words.of_text([&*self.value].into_iter()) {
            // A path of one short word is looked for in no record rather than in every one.
            Need::Nothing => Need::OneOf([self.value.clone()].into()),
            need @ Need::OneOf(_) => need,
        }
    }

    /// The level of a finding, as in Sigma.
    pub(crate) fn level(&self) -> &'static str {
        match (self.kind.is_hash(), self.confidence) {
            (true, 8..) => "critical",
            (true, _) | (false, 8..) => "high",
            (false, 4..=7) => "medium",
            (false, _) => "low",
        }
    }
}

impl Indicators {
    /// The indicators of packs and of a user's files; what is not understood is told in `problems`.
    pub(crate) fn new(
        packs: &[Pack],
        files: &[(String, Vec<u8>)],
        problems: &mut Vec<RuleProblem>,
    ) -> Self {
        let mut all = Vec::new();
        let mut yara = Vec::new();
        for pack in packs {
            for row in &pack.indicators {
                match of_pack(pack, row) {
                    Some(indicator) => all.push(indicator),
                    None => problems.push(RuleProblem {
                        path: format!("{}/indicators.csv", pack.manifest.name),
                        rule: row.value.clone(),
                        why: format!("is not a value of the type `{}`", row.r#type),
                        kind: ProblemKind::NotUnderstood,
                    }),
                }
            }
        }
        for (path, bytes) in files {
            let Read {
                indicators,
                yara: parts,
                refused,
                about: _,
            } = read(path, bytes);
            all.extend(indicators);
            yara.extend(parts);
            problems.extend(refused.into_iter().map(|(rule, why)| RuleProblem {
                path: path.clone(),
                rule,
                why,
                kind: ProblemKind::NotUnderstood,
            }));
        }
        // A pack's own indicator comes first and wins over the same one in a user's list.
        let mut ids = BTreeSet::new();
        all.retain(|indicator| ids.insert((indicator.campaign.clone(), indicator.id.clone())));
        let in_packs: BTreeSet<String> = all
            .iter()
            .filter(|indicator| indicator.campaign.is_some())
            .map(|indicator| indicator.id.clone())
            .collect();
        all.retain(|indicator| indicator.campaign.is_some() || !in_packs.contains(&indicator.id));
        let by_hash = all
            .iter()
            .enumerate()
            .filter(|(_, indicator)| indicator.kind.is_hash())
            .map(|(number, indicator)| (indicator.value.clone(), number))
            .collect();
        let of_files = all
            .iter()
            .enumerate()
            .filter(|(_, indicator)| matches!(indicator.kind, Kind::FileName | Kind::FilePath))
            .map(|(number, _)| number)
            .collect();
        let url_paths = all
            .iter()
            .filter(|indicator| indicator.kind == Kind::UrlPath)
            .map(|indicator| indicator.value.clone())
            .collect();
        let mut values: BTreeMap<Kind, HashSet<String>> = BTreeMap::new();
        for indicator in &all {
            let known = values.entry(indicator.kind).or_default();
            known.insert(indicator.value.clone());
        }
        Self {
            all,
            by_hash,
            of_files,
            url_paths,
            values,
            yara,
        }
    }

    /// Whether there is any indicator of these kinds.
    pub(crate) fn has_any(&self, kinds: &[Kind]) -> bool {
        kinds.iter().any(|kind| self.values.contains_key(kind))
    }

    fn has(&self, kind: Kind, value: &str) -> bool {
        self.values
            .get(&kind)
            .is_some_and(|values| values.contains(value))
    }

    /// Whether the value of a field may show an indicator of these kinds; never `false` where [`Self::seen`] finds one in
    /// this field.
    pub(crate) fn may_show(&self, kinds: &[Kind], text: &str) -> bool {
        kinds.iter().any(|kind| match kind {
            Kind::Address => address_of(text).is_some_and(|address| self.has(*kind, &address)),
            Kind::UserAgent => self.has(*kind, &spaced(text)),
            Kind::UrlPath => {
                self.has(*kind, &text.to_lowercase())
                    || self.has(*kind, &url_decoded(text).to_lowercase())
            }
            Kind::FileName => self.has(*kind, file_name(&windows_path(text).to_lowercase())),
            Kind::FilePath => {
                let path = windows_path(text).to_lowercase();
                let rests = path
                    .match_indices([':', '!'])
                    .map(|(at, _)| &path[at + 1..]);
                self.has(*kind, &path) || rests.into_iter().any(|rest| self.has(*kind, rest))
            }
            Kind::Sha256 | Kind::Sha1 | Kind::Md5 => text
                .to_lowercase()
                .split(|c: char| !is_hex(c))
                .any(|word| self.has(*kind, word)),
            Kind::Domain => true,
        })
    }

    /// Whether an address that is an indicator stands at the beginning of this text, as it does behind the `//` of a URL
    /// or of a share's name.
    pub(crate) fn address_leads(&self, text: &[u8]) -> bool {
        let is_of_address = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':');
        let bytes = text
            .iter()
            .take(ADDRESS_BYTES_MAX)
            .take_while(|byte| is_of_address(byte))
            .count();
        let Some(Ok(run)) = text.get(..bytes).map(std::str::from_utf8) else {
            return false;
        };
        // The address may end before a port.
        let ends = run.match_indices(':').map(|(at, _)| at);
        std::iter::once(run.len())
            .chain(ends)
            .any(|end| self.has(Kind::Address, &run[..end].to_ascii_lowercase()))
    }

    pub(crate) fn count(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn get(&self, number: usize) -> &Indicator {
        &self.all[number]
    }

    /// YARA rules that came with lists of indicators.
    pub(crate) fn yara(&self) -> &[YaraPart] {
        &self.yara
    }

    /// The indicator of this hash, in lower-case hexadecimal digits.
    pub(crate) fn by_hash(&self, digest: &str) -> Option<&Indicator> {
        self.by_hash.get(digest).map(|number| &self.all[*number])
    }

    /// Whether any hash is known of a kind that has this many hexadecimal digits.
    pub(crate) fn has_hashes_of(&self, digits: usize) -> bool {
        self.by_hash.keys().any(|digest| digest.len() == digits)
    }

    /// Indicators of paths and file names that this path meets.
    pub(crate) fn of_path<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a Indicator> {
        let path = windows_path(path).to_lowercase();
        self.of_files
            .iter()
            .map(|number| &self.all[*number])
            .filter(move |indicator| meets_path(indicator, &path))
    }

    /// What the prefilter is to look for, one need for each indicator.
    pub(crate) fn needs(&self, words: &Words<'_>) -> Vec<Need> {
        let all = self.all.iter();
        all.map(|indicator| indicator.need(words)).collect()
    }

    /// The same for indicators of these kinds alone.
    pub(crate) fn needs_of<'a>(
        &'a self,
        kinds: &'a [Kind],
        words: &'a Words<'_>,
    ) -> impl Iterator<Item = Need> + 'a {
        let of_kinds = self
            .all
            .iter()
            .filter(|indicator| kinds.contains(&indicator.kind));
        of_kinds.map(|indicator| indicator.need(words))
    }

    /// Compares the fields of a record with an indicator whose words stand in it.
    pub(crate) fn seen(
        &self,
        number: usize,
        record: &dyn Record,
        table: &Table,
        is_shipped_page: &dyn Fn(&str) -> bool,
    ) -> Option<Seen> {
        let indicator = &self.all[number];
        let look = Look { record, table };
        let stage_only = |stage: Option<Stage>| Seen {
            number,
            stage,
            foothold: None,
        };
        match indicator.kind {
            Kind::Address => look
                .has_address(&indicator.value)
                .then(|| stage_only(Some(Stage::Probed))),
            Kind::Domain => look
                .has_domain(&indicator.value)
                .then(|| stage_only(Some(Stage::Probed))),
            // Crawlers and scripts of all kinds carry these names: a lead, not even a probe.
            Kind::UserAgent => look
                .has_user_agent(&indicator.value)
                .then(|| stage_only(None)),
            Kind::UrlPath => {
                let path = look.url_path(&indicator.value)?;
                let is_own = indicator.campaign.is_none();
                look.page_seen(&path, number, is_own, is_shipped_page)
            }
            Kind::FilePath | Kind::FileName => {
                let named = |text: &str| meets_path(indicator, &windows_path(text).to_lowercase());
                let in_file = look.first_of(&table.indicator_fields.file, named);
                let in_url = || look.first_of(&table.indicator_fields.url_path, named);
                let path = in_file.or_else(in_url)?;
                // The indicator of the whole address says more, and a shipped page says nothing.
                let is_told = self.url_paths.contains(&path.to_lowercase());
                (!is_told && !is_shipped_page(&path)).then(|| stage_only(Some(Stage::Probed)))
            }
            Kind::Sha256 | Kind::Sha1 | Kind::Md5 => {
                look.first_of(&table.indicator_fields.hash, |text| {
                    has_word(&text.to_lowercase(), &indicator.value, is_hex)
                })?;
                Some(Seen {
                    number,
                    stage: Some(Stage::Foothold),
                    foothold: look.file_of_hash(indicator),
                })
            }
        }
    }

    /// Whether rules of the same campaign, named in `told`, already tell what this record is about, so that a mere name
    /// in it adds nothing.
    pub(crate) fn is_told(&self, seen: &Seen, told: &[Option<&str>]) -> bool {
        let indicator = &self.all[seen.number];
        let is_name = matches!(
            indicator.kind,
            Kind::UserAgent | Kind::UrlPath | Kind::FileName | Kind::FilePath
        );
        let convicts = seen.stage.is_some_and(Stage::proves_effect);
        is_name
            && !convicts
            && indicator.campaign.is_some()
            && told.contains(&indicator.campaign.as_deref())
    }

    /// Whether an analysis of the same campaign tells what is behind a domain in this record, so that the domain alone adds
    /// nothing.
    pub(crate) fn is_analysed(&self, seen: &Seen, campaigns: &[&str]) -> bool {
        let indicator = &self.all[seen.number];
        let campaign = indicator.campaign.as_deref();
        indicator.kind == Kind::Domain
            && campaign.is_some_and(|campaign| campaigns.contains(&campaign))
    }

    /// The finding for a record that shows an indicator.
    pub(crate) fn finding(
        &self,
        seen: &Seen,
        table: &Table,
        record: &dyn Record,
        place: Place,
    ) -> Finding {
        let mut finding = base(&self.all[seen.number], place);
        finding.stage = seen.stage;
        finding.foothold.clone_from(&seen.foothold);
        finding.time = record.time();
        finding.evidence = shortened(&record.raw(), EVIDENCE_BYTES_MAX);
        finding.details = table.details_of(record);
        if finding.foothold.is_some() {
            "shell_request".clone_into(&mut finding.step);
        }
        finding
    }
}

/// A finding that holds what the indicator itself says.
pub(crate) fn base(indicator: &Indicator, place: Place) -> Finding {
    Finding {
        id: String::new(),
        rule: indicator.id.clone(),
        title: indicator.title.clone(),
        stage: None,
        campaign: indicator.campaign.clone(),
        level: indicator.level().to_owned(),
        techniques: Vec::new(),
        time: None,
        last: None,
        count: 1,
        place,
        author: indicator.author.clone(),
        reference: indicator.source.clone(),
        evidence: String::new(),
        meaning: indicator.meaning.clone(),
        step: "probe".to_owned(),
        details: BTreeMap::new(),
        foothold: None,
    }
}

fn of_pack(pack: &Pack, row: &pack::Indicator) -> Option<Indicator> {
    let mut indicator = Indicator::new(Kind::from_name(&row.r#type)?, &row.value)?;
    indicator.meaning.clone_from(&row.meaning);
    indicator.confidence = row.confidence;
    indicator.author.clone_from(&row.source);
    indicator.source.clone_from(&row.source);
    indicator.campaign = Some(pack.manifest.name.clone());
    Some(indicator)
}

/// Whether a Windows path, in lower case, is the one that an indicator names. One without a drive fits any drive.
fn meets_path(indicator: &Indicator, path: &str) -> bool {
    match indicator.kind {
        Kind::FileName => file_name(path) == indicator.value,
        Kind::FilePath => match indicator.value.strip_prefix('\\') {
            Some(_) => {
                let rest = path.strip_suffix(indicator.value.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.ends_with([':', '!']))
            }
            None => path == indicator.value,
        },
        _ => false,
    }
}

/// A record, and the table that says in which of its fields to look.
struct Look<'a> {
    record: &'a dyn Record,
    table: &'a Table,
}

impl Look<'_> {
    /// The first value of these fields that `meets`.
    fn first_of(&self, fields: &[String], meets: impl Fn(&str) -> bool) -> Option<String> {
        fields.iter().find_map(|field| {
            let value = self.record.get(field)?;
            let text = value.to_text();
            meets(&text).then(|| text.into_owned())
        })
    }

    fn any_text(&self, meets: impl Fn(&str) -> bool) -> bool {
        let mut found = false;
        self.record
            .each_field(&mut |_, value| found = found || meets(&value.to_text()));
        found
    }

    fn has_address(&self, address: &str) -> bool {
        let fields = &self.table.indicator_fields.address;
        let is_it = |text: &str| address_of(text).is_some_and(|found| found == address);
        self.first_of(fields, is_it).is_some()
            || self.any_text(|text| {
                let in_url = |prefix: &str| {
                    let whole = format!("{prefix}{address}");
                    has_word(text, &whole, |c| c.is_ascii_alphanumeric() || c == '.')
                };
                in_url("://") || in_url("\\\\")
            })
    }

    fn has_domain(&self, domain: &str) -> bool {
        self.any_text(|text| {
            let text = text.to_lowercase();
            has_word(&text, domain, |c| c.is_ascii_alphanumeric() || c == '-')
        })
    }

    fn has_user_agent(&self, agent: &str) -> bool {
        let fields = &self.table.indicator_fields.user_agent;
        self.first_of(fields, |text| spaced(text) == agent)
            .is_some()
    }

    /// The path as the record writes it, where it is the one asked for.
    fn url_path(&self, path: &str) -> Option<String> {
        let fields = &self.table.indicator_fields.url_path;
        self.first_of(fields, |text| {
            text.to_lowercase() == path || url_decoded(text).to_lowercase() == path
        })
    }

    /// What a request for a known path shows. A page that the product ships is asked for by everybody; a static file
    /// is fetched by everybody and posted to by nobody.
    fn page_seen(
        &self,
        path: &str,
        number: usize,
        is_own: bool,
        is_shipped_page: &dyn Fn(&str) -> bool,
    ) -> Option<Seen> {
        let fields = &self.table.indicator_fields;
        if !is_script(path) {
            let posted = self.first_of(&fields.method, |text| text.eq_ignore_ascii_case("POST"));
            // A pack names pages of the product that everybody fetches. Whoever brings a list of their own wants to
            // know of each: a lead.
            return (posted.is_some() || is_own).then_some(Seen {
                number,
                stage: posted.map(|_| Stage::Probed),
                foothold: None,
            });
        }
        if is_shipped_page(path) {
            return None;
        }
        let succeeded = self
            .first_of(&fields.status, |text| {
                text.len() == 3 && text.starts_with('2')
            })
            .is_some();
        Some(Seen {
            number,
            stage: Some(if succeeded {
                Stage::Foothold
            } else {
                Stage::Probed
            }),
            foothold: succeeded.then(|| Foothold {
                kind: FootholdKind::WebShell,
                path: path.to_owned(),
                sha256: None,
                state: FootholdState::Unknown,
            }),
        })
    }

    /// The file whose hash a record tells.
    fn file_of_hash(&self, indicator: &Indicator) -> Option<Foothold> {
        let path = self.first_of(&self.table.indicator_fields.file, |text| !text.is_empty())?;
        Some(Foothold {
            kind: kind_of_file(&path),
            path,
            sha256: (indicator.kind == Kind::Sha256).then(|| indicator.value.clone()),
            state: FootholdState::Unknown,
        })
    }
}

/// What a bad file is, by its ending.
pub(crate) fn kind_of_file(path: &str) -> FootholdKind {
    if is_script(path) {
        FootholdKind::WebShell
    } else if extension(path) == "dll" && file_name(path).to_lowercase().starts_with("app_web_") {
        FootholdKind::CompiledShell
    } else {
        FootholdKind::Tool
    }
}

/// The address in a value that may carry a port, brackets or a zone, in its shortest form.
fn address_of(text: &str) -> Option<String> {
    let text = text.trim();
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None if text.matches(':').count() == 1 => text.split(':').next().unwrap_or(text),
        None => text,
    };
    let bare = bare.split('%').next().unwrap_or(bare);
    let address: IpAddr = bare.parse().ok()?;
    Some(address.to_canonical().to_string())
}

/// Whether `word` stands in the text with no character around it that would belong to it.
fn has_word(text: &str, word: &str, belongs: impl Fn(char) -> bool) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        let free = |side: Option<char>| !side.is_some_and(&belongs);
        // A word that begins or ends with a sign has its own border there.
        (free(before) || word.starts_with([':', '\\'])) && free(after)
    })
}

fn is_hex(c: char) -> bool {
    c.is_ascii_hexdigit()
}

/// Web logs write spaces of user agents as plus signs, and so do some lists: runs of both are one space.
fn spaced(agent: &str) -> String {
    let words = agent.split(['+', ' ']).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_with_port_zone_and_in_either_family() {
        assert_eq!(address_of("192.0.2.1:443").as_deref(), Some("192.0.2.1"));
        assert_eq!(
            address_of("[2001:db8::1]:443").as_deref(),
            Some("2001:db8::1")
        );
        assert_eq!(address_of("fe80::1%12").as_deref(), Some("fe80::1"));
        assert_eq!(address_of("::ffff:192.0.2.1").as_deref(), Some("192.0.2.1"));
        assert_eq!(address_of("192.0.2"), None);
    }

    #[test]
    fn a_path_without_a_drive_fits_any_drive_but_no_deeper_folder() {
        let indicator = Indicator::new(Kind::FilePath, r"\inetpub\a.aspx").unwrap();
        assert!(meets_path(&indicator, r"d:\inetpub\a.aspx"));
        assert!(!meets_path(&indicator, r"d:\copy\inetpub\a.aspx"));
        let agent = Indicator::new(Kind::UserAgent, "Mozilla/5.0+(compatible;++x)").unwrap();
        assert_eq!(agent.value, "mozilla/5.0 (compatible; x)");
    }
}
