//! Reads lists of indicators as responders receive them.
//!
//! Understood: CSV with a head (our own columns, `value,type,notes`, or columns named for what they hold), plain
//! lists with one value on a line, STIX 2.1 bundles (<https://docs.oasis-open.org/cti/stix/v2.1/>), MISP events in
//! JSON (<https://www.misp-standard.org/rfc/misp-standard-core.html>) and indicator files of CHIRP in YAML. Values may be
//! defanged. Whatever is not understood comes back with its reason.

use super::{Indicator, Kind};
use serde::Deserialize;
use serde_json::Value as Json;
use serde_yaml_ng::Value as Yaml;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Entries of one file; more are refused as one.
const ENTRIES_MAX: usize = 1_000_000;

/// Reasons that are told one by one.
const REFUSED_MAX: usize = 1_000;

/// What one file held.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) indicators: Vec<Indicator>,
    pub(crate) yara: Vec<YaraPart>,
    /// Value or name, and why it is not used.
    pub(crate) refused: Vec<(String, String)>,
    pub(crate) about: About,
}

/// What a file says besides what can be looked for.
#[derive(Debug, Default)]
pub(crate) struct About {
    /// The first title, as a campaign's or report's.
    pub(crate) title: String,
    /// Who published it.
    pub(crate) publisher: String,
    pub(crate) references: BTreeSet<String>,
    /// CVE ids.
    pub(crate) vulnerabilities: BTreeSet<String>,
    /// Kinds of entries that say nothing to look for, and how many there are.
    pub(crate) unused: BTreeMap<String, usize>,
}

impl About {
    fn add_title(&mut self, title: &str) {
        if self.title.is_empty() {
            title.clone_into(&mut self.title);
        }
    }

    fn add_unused(&mut self, kind: &str) {
        let kind = kind.chars().take(200).collect();
        *self.unused.entry(kind).or_default() += 1;
    }

    /// Notes an id of a vulnerability; whether it is one.
    fn add_vulnerability(&mut self, id: &str) -> bool {
        let id = id.trim().to_uppercase();
        let rest = id.strip_prefix("CVE-").unwrap_or_default();
        let is_one = !rest.is_empty() && rest.chars().all(|c| c.is_ascii_digit() || c == '-');
        if is_one {
            self.vulnerabilities.insert(id);
        }
        is_one
    }

    /// Notes the web addresses in a text.
    fn add_references(&mut self, text: &str) {
        let words = text.split(|c: char| c.is_whitespace() || "\"'<>()[]{},".contains(c));
        let urls = words.filter(|word| word.starts_with("https://") || word.starts_with("http://"));
        self.references.extend(urls.map(str::to_owned));
    }
}

/// YARA rules inside a list of indicators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct YaraPart {
    pub(crate) path: String,
    pub(crate) text: String,
    /// Pattern of the paths they are for, with `*`; `None` for all.
    pub(crate) files: Option<String>,
}

/// Reads a file; `path` names it in findings.
pub(crate) fn read(path: &str, bytes: &[u8]) -> Read {
    let mut reader = Reader {
        path,
        read: Read::default(),
        first_seen: None,
    };
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}');
    let start = text.trim_start();
    let ending = model::extension(path);
    if start.starts_with(['{', '[']) && !start.starts_with("[.]") {
        reader.json(text);
    } else if ending == "yaml" || ending == "yml" || text.contains("\nioc_type:") {
        reader.chirp(text);
    } else if let Some(columns) = Columns::of(text) {
        reader.csv(text, &columns);
    } else {
        reader.list(text);
    }
    let read = &mut reader.read;
    if read.indicators.is_empty() && read.yara.is_empty() && read.refused.is_empty() {
        let why = "holds no indicator".to_owned();
        read.refused.push((String::new(), why));
    }
    reader.read
}

struct Reader<'a> {
    path: &'a str,
    read: Read,
    /// Of the entry at hand.
    first_seen: Option<Box<str>>,
}

impl Reader<'_> {
    fn refuse(&mut self, what: &str, why: &str) {
        match self.read.refused.len() {
            ..REFUSED_MAX => {
                let what = what.chars().take(200).collect();
                self.read.refused.push((what, why.to_owned()));
            }
            REFUSED_MAX => {
                let why = "holds more entries that are not understood".to_owned();
                self.read.refused.push((String::new(), why));
            }
            _ => {}
        }
    }

    fn add(&mut self, kind: Kind, value: &str, meaning: &str, confidence: Option<u8>) {
        if self.read.indicators.len() >= ENTRIES_MAX {
            self.refuse("", "is too long; its end is not used");
            return;
        }
        let Some(mut indicator) = Indicator::new(kind, value) else {
            let why = format!("is not a value of the type `{}`", kind.name());
            self.refuse(value, &why);
            return;
        };
        meaning.clone_into(&mut indicator.meaning);
        indicator.confidence = confidence.unwrap_or(5);
        self.path.clone_into(&mut indicator.author);
        self.path.clone_into(&mut indicator.source);
        indicator.first_seen.clone_from(&self.first_seen);
        self.read.indicators.push(indicator);
    }

    /// Adds a value of a type that a list names in its own way, or of no named type.
    fn add_typed(
        &mut self,
        r#type: Option<&str>,
        value: &str,
        meaning: &str,
        confidence: Option<u8>,
    ) {
        let value = refanged(value);
        if let Some(name) = r#type {
            if let Some((kind, value)) = named_kind(name, &value) {
                self.add(kind, &value, meaning, confidence);
            } else {
                let why = format!("is of the type `{name}`, which is not supported");
                self.refuse(&value, &why);
            }
            return;
        }
        match guessed_kind(&value) {
            Some((kind, value)) => self.add(kind, &value, meaning, confidence),
            None => self.refuse(&value, "is of no kind that can be told"),
        }
    }

    fn list(&mut self, text: &str) {
        for line in text.lines() {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) || line.starts_with("//") {
                continue;
            }
            // Hash lists of common tools write the file's name behind the digest.
            let value = match line.split_once(char::is_whitespace) {
                Some((digest, _)) if kind_of_digest(digest).is_some() => digest,
                _ => line,
            };
            self.add_typed(None, value, "", None);
        }
    }

    fn csv(&mut self, text: &str, columns: &Columns) {
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .comment(Some(b'#'))
            .from_reader(text.as_bytes());
        for row in reader.records() {
            let row = match row {
                Ok(row) => row,
                Err(error) => {
                    self.refuse("", &format!("has a row that cannot be read: {error}"));
                    continue;
                }
            };
            let cell =
                |column: Option<usize>| column.and_then(|at| row.get(at)).unwrap_or("").trim();
            let meaning = cell(columns.meaning).to_owned();
            if columns
                .verdict
                .iter()
                .any(|at| is_called_benign(cell(Some(*at))))
            {
                self.refuse(
                    cell(columns.named(&row)),
                    "is called benign by the list itself",
                );
                continue;
            }
            let confidence = cell(columns.confidence).parse().ok();
            self.first_seen = day(cell(columns.first_seen));
            if columns.value.is_some() {
                let value = cell(columns.value).to_owned();
                if value.is_empty() {
                    continue;
                }
                let r#type = cell(columns.r#type);
                let r#type = (!r#type.is_empty()).then(|| r#type.to_owned());
                self.add_typed(r#type.as_deref(), &value, &meaning, confidence);
            } else {
                for (at, name) in &columns.kinds {
                    let value = cell(Some(*at)).to_owned();
                    if !value.is_empty() {
                        self.add_typed(Some(name), &value, &meaning, confidence);
                    }
                }
            }
        }
    }

    fn json(&mut self, text: &str) {
        // Nesting is bounded by the parser itself (128 levels).
        let json: Json = match serde_json::from_str(text) {
            Ok(json) => json,
            Err(error) => {
                self.refuse("", &format!("is not JSON: {error}"));
                return;
            }
        };
        if let Some(objects) = json.get("objects").and_then(Json::as_array) {
            self.about_stix(objects);
            for object in objects {
                self.stix(object);
            }
            return;
        }
        if text_of(&json, "type") == "indicator" {
            self.stix(&json);
            return;
        }
        let events = match json.get("response") {
            Some(Json::Array(events)) => events.iter().collect(),
            _ => match &json {
                Json::Array(events) => events.iter().collect(),
                one => vec![one],
            },
        };
        for event in events {
            match event.get("Event") {
                Some(event) => self.misp(event),
                None => self.refuse("", "is neither a STIX 2.1 bundle nor a MISP event"),
            }
        }
    }

    /// What a bundle tells besides its indicators: what it is about, who published it, where to read on.
    fn about_stix(&mut self, objects: &[Json]) {
        let about = &mut self.read.about;
        for object in objects {
            let (r#type, name) = (text_of(object, "type"), text_of(object, "name"));
            let references = object.get("external_references").and_then(Json::as_array);
            let references = references.map_or(&[][..], Vec::as_slice);
            match r#type {
                "indicator" => {}
                "report" | "campaign" | "grouping" => about.add_title(name),
                "identity" if about.publisher.is_empty() => name.clone_into(&mut about.publisher),
                "vulnerability" => {
                    let ids = references.iter().map(|one| text_of(one, "external_id"));
                    let named = ids.chain([name]).filter(|id| about.add_vulnerability(id));
                    if named.count() == 0 {
                        about.add_unused(r#type);
                    }
                }
                other => about.add_unused(other),
            }
            for reference in references {
                about.add_references(text_of(reference, "url"));
            }
        }
    }

    fn stix(&mut self, object: &Json) {
        let r#type = text_of(object, "type");
        if r#type != "indicator" {
            return;
        }
        let pattern = text_of(object, "pattern");
        let pattern_type = text_of(object, "pattern_type");
        let meaning = [text_of(object, "name"), text_of(object, "description")]
            .into_iter()
            .find(|text| !text.is_empty())
            .unwrap_or_default();
        if pattern_type == "yara" {
            self.read.yara.push(YaraPart {
                path: self.path.to_owned(),
                text: pattern.to_owned(),
                files: None,
            });
            return;
        }
        // STIX counts confidence from 0 to 100.
        let confidence = object.get("confidence").and_then(Json::as_u64);
        let confidence =
            confidence.map(|of_100| u8::try_from(of_100 / 10).unwrap_or(10).clamp(1, 10));
        match stix_pattern(pattern) {
            Ok(comparisons) => {
                for (object_path, value) in comparisons {
                    self.add_typed(Some(&object_path), &value, meaning, confidence);
                }
            }
            Err(why) => self.refuse(pattern, why),
        }
    }

    fn misp(&mut self, event: &Json) {
        let info = text_of(event, "info").to_owned();
        self.read.about.add_title(&info);
        if let Some(publisher) = event.get("Orgc").or_else(|| event.get("Org")) {
            text_of(publisher, "name").clone_into(&mut self.read.about.publisher);
        }
        let none = Vec::new();
        let attributes = |of: &Json| of.get("Attribute").and_then(Json::as_array).cloned();
        let mut all = attributes(event).unwrap_or_default();
        for object in event
            .get("Object")
            .and_then(Json::as_array)
            .unwrap_or(&none)
        {
            all.extend(attributes(object).unwrap_or_default());
        }
        for attribute in &all {
            let (r#type, value) = (text_of(attribute, "type"), text_of(attribute, "value"));
            if r#type == "vulnerability" && self.read.about.add_vulnerability(value) {
                continue;
            }
            // Attributes that are not meant for detection only describe.
            if attribute.get("to_ids").and_then(Json::as_bool) == Some(false) {
                match r#type {
                    "link" => self.read.about.add_references(value),
                    other => {
                        let kind = format!("{other}, which is not meant for detection");
                        self.read.about.add_unused(&kind);
                    }
                }
                continue;
            }
            self.first_seen = day(text_of(attribute, "first_seen"));
            let comment = text_of(attribute, "comment");
            let meaning = if comment.is_empty() { &info } else { comment };
            if r#type == "yara" {
                self.read.yara.push(YaraPart {
                    path: self.path.to_owned(),
                    text: value.to_owned(),
                    files: None,
                });
                continue;
            }
            // `filename|sha256` and `ip-dst|port` join two values by a bar; a hash says more than its name.
            match (r#type.split_once('|'), value.split_once('|')) {
                (Some((first, second)), Some((one, other))) => {
                    let (r#type, value) = match second {
                        "port" => (first, one),
                        "ip" => {
                            self.add_typed(Some(second), other, meaning, None);
                            (first, one)
                        }
                        _ => (second, other),
                    };
                    self.add_typed(Some(r#type), value, meaning, None);
                }
                _ => self.add_typed(Some(r#type), value, meaning, None),
            }
        }
    }

    fn chirp(&mut self, text: &str) {
        for document in serde_yaml_ng::Deserializer::from_str(text) {
            match Yaml::deserialize(document) {
                Ok(Yaml::Null) => {}
                Ok(document) => self.chirp_document(&document),
                Err(error) => {
                    // After an error the parser may not come to an end.
                    self.refuse("", &format!("is not YAML: {error}"));
                    return;
                }
            }
        }
    }

    fn chirp_document(&mut self, document: &Yaml) {
        let text = |of: &Yaml, key: &str| {
            let value = of.get(key).and_then(Yaml::as_str);
            value.unwrap_or_default().to_owned()
        };
        let name = text(document, "name");
        let description = text(document, "description");
        self.read.about.add_references(&description);
        let Some(indicator) = document.get("indicator") else {
            self.refuse(&name, "has no key `indicator`");
            return;
        };
        let confidence = document.get("confidence").and_then(Yaml::as_u64);
        let confidence = confidence.and_then(|number| u8::try_from(number).ok());
        match text(document, "ioc_type").as_str() {
            "network" | "hash" | "hashes" => {
                let values = indicator.as_mapping().into_iter().flatten();
                for value in values.flat_map(|(_, value)| lines_of(value)) {
                    self.add_typed(None, &value, &name, confidence);
                }
            }
            "yara" => {
                let files = text(indicator, "files");
                self.read.yara.push(YaraPart {
                    path: format!("{} ({name})", self.path),
                    text: text(indicator, "rule"),
                    files: (!files.is_empty() && files != "\\**").then_some(files),
                });
            }
            other => {
                let why = format!("is of the type `{other}`, which is not supported");
                self.refuse(&name, &why);
            }
        }
    }
}

/// Which columns of a CSV hold what.
struct Columns {
    value: Option<usize>,
    r#type: Option<usize>,
    meaning: Option<usize>,
    confidence: Option<usize>,
    first_seen: Option<usize>,
    /// Columns that say what a row is: family, role.
    verdict: Vec<usize>,
    /// Columns named for what they hold.
    kinds: Vec<(usize, String)>,
}

impl Columns {
    /// The columns that the first line names; `None` where it is no head.
    fn of(text: &str) -> Option<Self> {
        let head = text
            .lines()
            .find(|line| !line.trim().is_empty() && !line.starts_with('#'))?;
        let names: Vec<String> = head
            .split(',')
            .map(|name| {
                name.trim()
                    .trim_matches('"')
                    .to_lowercase()
                    .replace([' ', '-'], "_")
            })
            .collect();
        let position = |of: &[&str]| names.iter().position(|name| of.contains(&name.as_str()));
        let kinds: Vec<(usize, String)> = names
            .iter()
            .enumerate()
            .filter(|(_, name)| {
                matches!(
                    name.as_str(),
                    "sha256"
                        | "sha1"
                        | "md5"
                        | "ip"
                        | "ipv4"
                        | "ip_address"
                        | "fqdn"
                        | "domain"
                        | "hostname"
                        | "url"
                        | "user_agent"
                        | "target"
                )
            })
            .map(|(at, name)| (at, name.clone()))
            .collect();
        let value = position(&["value", "indicator", "ioc", "indicator_value", "observable"]);
        if value.is_none() && kinds.is_empty() {
            return None;
        }
        let verdict = ["malware_family", "family", "role", "classification"];
        Some(Self {
            value,
            r#type: position(&["type", "indicatortype", "indicator_type", "ioc_type"]),
            meaning: position(&[
                "meaning",
                "notes",
                "description",
                "comment",
                "associated_malware",
                "malware_family",
            ]),
            confidence: position(&["confidence"]),
            first_seen: position(&["first_seen"]),
            verdict: (0..names.len())
                .filter(|at| verdict.contains(&names[*at].as_str()))
                .collect(),
            kinds,
        })
    }

    /// The column that names a row best in a message.
    fn named(&self, row: &csv::StringRecord) -> Option<usize> {
        let filled = |at: &usize| row.get(*at).is_some_and(|cell| !cell.is_empty());
        self.value
            .or_else(|| self.kinds.iter().map(|(at, _)| *at).find(filled))
    }
}

fn is_called_benign(cell: &str) -> bool {
    let cell = cell.to_lowercase();
    cell == "benign" || cell == "clean" || cell.starts_with("legitimate")
}

/// The day of a time that begins with one: `2021-03-02 08:00:00`.
fn day(time: &str) -> Option<Box<str>> {
    let day = time.get(..10)?;
    let is_digit = |at: usize, c: char| {
        if matches!(at, 4 | 7) {
            c == '-'
        } else {
            c.is_ascii_digit()
        }
    };
    let mut parts = day.char_indices();
    parts.all(|(at, c)| is_digit(at, c)).then(|| day.into())
}

/// The kind that a list's own word names, and the value as that kind has it.
fn named_kind(name: &str, value: &str) -> Option<(Kind, String)> {
    let name = name.to_lowercase().replace(['_', ' '], "-");
    let kind = match name.as_str() {
        "ip" | "ipaddress" | "ip-address" | "ipv4" | "ipv6" | "ipv4-addr:value"
        | "ipv6-addr:value" | "ip-dst" | "ip-src" | "ipv4-addr" | "ipv6-addr" => Kind::Address,
        "domain" | "hostname" | "host" | "fqdn" | "domain-name:value" | "domain-name"
        | "target" => {
            // Some lists write addresses into columns of names.
            if value.parse::<IpAddr>().is_ok() {
                Kind::Address
            } else {
                Kind::Domain
            }
        }
        "url" | "uri" | "url:value" | "link" => return of_url(value),
        "url-path" | "urlpath" | "uri-path" => Kind::UrlPath,
        "user-agent" | "useragent" | "http-user-agent" => Kind::UserAgent,
        "sha256" | "sha-256" | "sha1" | "sha-1" | "md5" | "hash" | "filehash"
        | "filehash-sha256" | "filehash-sha1" | "filehash-md5" => kind_of_digest(value)?,
        "filepath" | "file-path" | "path" => Kind::FilePath,
        "filename" | "file-name" | "file:name" => Kind::FileName,
        _ if name.starts_with("file:hashes") => kind_of_digest(value)?,
        _ => return None,
    };
    Some((kind, value.to_owned()))
}

/// The kind that a value looks like.
fn guessed_kind(value: &str) -> Option<(Kind, String)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let kind = if value.parse::<IpAddr>().is_ok() {
        Kind::Address
    } else if let Some(kind) = kind_of_digest(value) {
        kind
    } else if value.contains("://") {
        return of_url(value);
    } else if value.starts_with('/') && !value.contains(' ') {
        Kind::UrlPath
    } else if value.contains('\\') {
        Kind::FilePath
    } else if !value.contains('.') || value.starts_with('.') || !value.chars().all(is_name) {
        return None;
    } else {
        let ending = model::extension(value);
        let of_file = matches!(
            ending.as_str(),
            "exe"
                | "dll"
                | "aspx"
                | "ashx"
                | "asmx"
                | "asp"
                | "php"
                | "jsp"
                | "ps1"
                | "bat"
                | "vbs"
                | "js"
                | "txt"
                | "zip"
                | "7z"
                | "rar"
                | "log"
                | "tmp"
                | "dmp"
        );
        if of_file {
            Kind::FileName
        } else {
            Kind::Domain
        }
    };
    Some((kind, value.to_owned()))
}

/// The host of a URL: what of it stands in the logs of other hosts.
fn of_url(url: &str) -> Option<(Kind, String)> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let host = match host.rsplit_once(':') {
        Some((host, port)) if port.chars().all(|c| c.is_ascii_digit()) => host,
        _ => host,
    };
    if host.is_empty() {
        return (rest.len() > 1).then(|| (Kind::UrlPath, rest.to_owned()));
    }
    let host = host.trim_matches(['[', ']']);
    let kind = if host.parse::<IpAddr>().is_ok() {
        Kind::Address
    } else {
        Kind::Domain
    };
    Some((kind, host.to_owned()))
}

fn kind_of_digest(value: &str) -> Option<Kind> {
    if !value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    match value.len() {
        64 => Some(Kind::Sha256),
        40 => Some(Kind::Sha1),
        32 => Some(Kind::Md5),
        _ => None,
    }
}

/// Undoes what keeps values in reports from being clicked.
fn refanged(value: &str) -> String {
    let mut value = value.trim().trim_matches('"').to_owned();
    for (fanged, plain) in [
        ("[.]", "."),
        ("(.)", "."),
        ("{.}", "."),
        ("[dot]", "."),
        ("[:]", ":"),
        ("[://]", "://"),
        ("[@]", "@"),
    ] {
        value = value.replace(fanged, plain);
    }
    for (fanged, plain) in [("hxxp", "http"), ("hXXp", "http")] {
        if let Some(rest) = value.strip_prefix(fanged) {
            value = format!("{plain}{rest}");
        }
    }
    value
}

/// The comparisons of a STIX pattern that are joined by `OR` alone, as (object path, value).
fn stix_pattern(pattern: &str) -> Result<Vec<(String, String)>, &'static str> {
    const JOINED: &str = "is not a STIX pattern of comparisons by `=` that are joined by OR; others are not supported";
    let mut found = Vec::new();
    let mut rest = pattern.trim();
    while !rest.is_empty() {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || "[]()".contains(c));
        if rest.is_empty() {
            break;
        }
        if !found.is_empty() {
            rest = rest.strip_prefix("OR").ok_or(JOINED)?;
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || "[]()".contains(c));
        }
        let (path, behind) = rest.split_once('=').ok_or(JOINED)?;
        let path = path.trim().replace(['\'', '"'], "");
        if path.contains(char::is_whitespace) || path.ends_with('!') {
            return Err(JOINED);
        }
        let behind = behind.trim_start().strip_prefix('\'').ok_or(JOINED)?;
        let (value, after) = quoted(behind).ok_or(JOINED)?;
        found.push((path, value));
        rest = after;
    }
    if found.is_empty() {
        Err(JOINED)
    } else {
        Ok(found)
    }
}

/// The text up to the closing quote, with backslash escapes undone, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' => return Some((value, &text[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            _ => value.push(c),
        }
    }
    None
}

fn text_of<'a>(json: &'a Json, key: &str) -> &'a str {
    json.get(key).and_then(Json::as_str).unwrap_or_default()
}

/// The lines of a text, or the texts of a list.
fn lines_of(value: &Yaml) -> Vec<String> {
    let texts: Vec<&str> = match value {
        Yaml::String(text) => text.lines().collect(),
        Yaml::Sequence(all) => all.iter().filter_map(Yaml::as_str).collect(),
        _ => Vec::new(),
    };
    let trimmed = texts.iter().map(|text| text.trim());
    trimmed
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use std::fmt::Write as _;

    fn check(path: &str, text: &str, expected: &Expect) {
        let read = read(path, text.as_bytes());
        let mut shown = String::new();
        for indicator in &read.indicators {
            writeln!(
                shown,
                "{} {} {:?}",
                indicator.id, indicator.confidence, indicator.meaning
            )
            .unwrap();
        }
        for part in &read.yara {
            writeln!(shown, "yara {:?} {}", part.files, part.text.trim()).unwrap();
        }
        for (what, why) in &read.refused {
            writeln!(shown, "refused {what:?}: {why}").unwrap();
        }
        expected.assert_eq(&shown);
    }

    #[test]
    fn tables_in_their_several_forms() {
        check(
            "own.csv",
            "type,value,meaning,confidence,first_seen,source\nip,192.0.2.7,scanner,8,2021-03-01,report\nmutex,x,y,1,,z\n",
            &expect![[r#"
                indicator/ip/192.0.2.7 8 "scanner"
                refused "x": is of the type `mutex`, which is not supported
            "#]],
        );
        check(
            "notes.csv",
            "value,type,notes\n192.0.2.7,ipaddress,\"seen, often\"\nexample[.]com,hostname,\n",
            &expect![[r#"
                indicator/ip/192.0.2.7 5 "seen, often"
                indicator/domain/example.com 5 ""
            "#]],
        );
        check(
            "columns.csv",
            "MD5,FILENAME,Malware Family,Role\n0123456789abcdef0123456789abcdef,a.dll,NAME,\n1123456789abcdef0123456789abcdef,b.dll,Benign,\n",
            &expect![[r#"
                indicator/md5/0123456789abcdef0123456789abcdef 5 "NAME"
                refused "1123456789abcdef0123456789abcdef": is called benign by the list itself
            "#]],
        );
    }

    #[test]
    fn plain_lists_may_be_defanged() {
        check(
            "list.txt",
            "# comment\nhxxps://evil[.]example/a?b\n192[.]0[.]2[.]9\n\n/owa/auth/x.aspx\nC:\\x\\y.aspx\ntool.exe\nnot an indicator\n0123456789abcdef0123456789abcdef01234567  name.bin\n",
            &expect![[r#"
                indicator/domain/evil.example 5 ""
                indicator/ip/192.0.2.9 5 ""
                indicator/url_path//owa/auth/x.aspx 5 ""
                indicator/file_path/c:\x\y.aspx 5 ""
                indicator/file_name/tool.exe 5 ""
                indicator/sha1/0123456789abcdef0123456789abcdef01234567 5 ""
                refused "not an indicator": is of no kind that can be told
            "#]],
        );
    }

    #[test]
    fn stix_bundles() {
        let bundle = r#"{"type":"bundle","objects":[
            {"type":"malware","name":"x"},
            {"type":"indicator","name":"two","confidence":85,"pattern":"[ipv4-addr:value = '192.0.2.1' OR domain-name:value = 'a.example']"},
            {"type":"indicator","name":"hash","pattern":"[file:hashes.'SHA-256' = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa']"},
            {"type":"indicator","pattern":"[file:name = 'a' AND file:size = 3]"},
            {"type":"indicator","pattern":"[mutex:name = 'a']"},
            {"type":"indicator","pattern":"[file:name = 'unclosed]"}]}"#;
        check(
            "b.json",
            bundle,
            &expect![[r#"
                indicator/ip/192.0.2.1 8 "two"
                indicator/domain/a.example 8 "two"
                indicator/sha256/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 5 "hash"
                refused "[file:name = 'a' AND file:size = 3]": is not a STIX pattern of comparisons by `=` that are joined by OR; others are not supported
                refused "a": is of the type `mutex:name`, which is not supported
                refused "[file:name = 'unclosed]": is not a STIX pattern of comparisons by `=` that are joined by OR; others are not supported
            "#]],
        );
        check(
            "b.json",
            "{\"type\":",
            &expect![[r#"
                refused "": is not JSON: EOF while parsing a value at line 1 column 8
            "#]],
        );
    }

    #[test]
    fn misp_events() {
        let event = r#"{"Event":{"info":"wave","Attribute":[
            {"type":"ip-dst","value":"192.0.2.1","to_ids":true},
            {"type":"ip-dst","value":"192.0.2.2","to_ids":false},
            {"type":"filename|md5","value":"a.exe|0123456789abcdef0123456789abcdef","comment":"dropper"},
            {"type":"yara","value":"rule a { condition: true }"}],
            "Object":[{"Attribute":[{"type":"domain|ip","value":"b.example|192.0.2.3"},{"type":"btc","value":"1"}]}]}}"#;
        check(
            "m.json",
            event,
            &expect![[r#"
                indicator/ip/192.0.2.1 5 "wave"
                indicator/md5/0123456789abcdef0123456789abcdef 5 "dropper"
                indicator/ip/192.0.2.3 5 "wave"
                indicator/domain/b.example 5 "wave"
                yara None rule a { condition: true }
                refused "1": is of the type `btc`, which is not supported
            "#]],
        );
    }

    #[test]
    fn chirp_files() {
        let text = "---\nname: addresses\nconfidence: 3\nioc_type: network\nindicator:\n  ips: |\n    192.0.2.1\n    192.0.2.2\n---\nname: page\nioc_type: yara\nindicator:\n  files: \"\\\\**\"\n  rule: |\n    rule a { condition: true }\n---\nname: log\nioc_type: events\nindicator:\n  event_type: x\n---\n: [\n";
        check(
            "c.yaml",
            text,
            &expect![[r#"
                indicator/ip/192.0.2.1 3 "addresses"
                indicator/ip/192.0.2.2 3 "addresses"
                yara None rule a { condition: true }
                refused "log": is of the type `events`, which is not supported
                refused "": is not YAML: did not find expected key at line 22 column 1, while parsing a block mapping
            "#]],
        );
    }
}
