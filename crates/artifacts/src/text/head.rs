//! The head of a delimited log: its columns by name, and the normalised names beside them.

use super::align::Shape;
use super::table::Format;
use model::Value;
use std::borrow::Cow;

/// Most columns a head may name; real heads have about eighty.
const COLUMNS_MAX: usize = 512;

/// Columns of a log as its head names them.
#[derive(Debug)]
pub(crate) struct Head {
    names: Vec<Box<str>>,
    normal: Vec<(&'static str, Normal)>,
    table: Vec<Option<Slot>>,
    shapes: Vec<Shape>,
    /// Columns with text that strangers choose.
    free: Vec<usize>,
    /// How many of the columns stand before the first that repeats an earlier one. A head that was damaged by being
    /// written twice has more names than its rows have fields; such rows are read by the columns before the repetition.
    before_repetition: Option<usize>,
    /// Columns that reading a row itself needs.
    pub(crate) marks: Marks,
}

/// Columns that reading a row itself needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marks {
    /// Date and time in one.
    pub(crate) time: Option<usize>,
    pub(crate) date: Option<usize>,
    pub(crate) clock: Option<usize>,
    pub(crate) parts: Option<usize>,
    /// What the normalised names of these values stand for; `path` as a record is asked for it, where a column may bear
    /// the name itself, and `web_path` by its normalised name alone.
    pub(crate) server: Option<Normal>,
    pub(crate) build: Option<Normal>,
    pub(crate) path: Option<Normal>,
    pub(crate) web_path: Option<Normal>,
    pub(crate) status: Option<Normal>,
    pub(crate) method: Option<Normal>,
    pub(crate) client: Option<Normal>,
    pub(crate) user_agent: Option<Normal>,
    /// The page that led to the request.
    pub(crate) referrer: Option<usize>,
}

/// What a name resolves to.
#[derive(Clone, Copy, Debug)]
enum Slot {
    Column(usize),
    Normal(usize),
}

/// How a normalised value comes from columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Normal {
    /// As it stands.
    Text(usize),
    /// With `+` for blanks, as IIS writes user agents.
    PlusText(usize),
    /// An address without its port.
    Address(usize),
    /// A URL path, per cent signs decoded once.
    Path(usize),
    /// The path of a URL with query, decoded once.
    UrlPath(usize),
    /// A query, without the question mark that Exchange keeps before it.
    Query(usize),
    /// The query of a URL.
    UrlQuery(usize),
    Number(usize),
    /// Major, minor, build and revision.
    Build([usize; 4]),
    /// Two columns with a blank between: a command and its parameters.
    Joined(usize, usize),
}

impl Normal {
    /// The columns that the value is made of.
    pub(crate) fn columns(self) -> Vec<usize> {
        match self {
            Self::Build(columns) => columns.to_vec(),
            Self::Joined(first, second) => vec![first, second],
            other => other.column().into_iter().collect(),
        }
    }

    /// The only column that the value is made of.
    pub(crate) fn column(self) -> Option<usize> {
        match self {
            Self::Text(column)
            | Self::PlusText(column)
            | Self::Address(column)
            | Self::Path(column)
            | Self::UrlPath(column)
            | Self::Query(column)
            | Self::UrlQuery(column)
            | Self::Number(column) => Some(column),
            Self::Build(_) | Self::Joined(..) => None,
        }
    }
}

/// Makes the normalised names from a look-up of columns by name.
pub(crate) type Normalise = fn(&dyn Fn(&str) -> Option<usize>) -> Vec<(&'static str, Normal)>;

impl Head {
    /// Reads the names of a `#Fields:` line. `None` where it names nothing that could be columns.
    pub(crate) fn parse(text: &[u8], format: &Format) -> Option<Self> {
        let delimiter = format.delimiter;
        let text = std::str::from_utf8(text).ok()?;
        // A head written twice into one line has its own keyword in the middle.
        let text = text
            .split("#Fields:")
            .find(|part| !part.trim().is_empty())?;
        let mut names: Vec<Box<str>> = text
            .trim()
            .split(char::from(delimiter))
            .map(|name| name.trim().trim_matches('"').into())
            .collect();
        // Blanks come in runs.
        names.retain(|name| delimiter != b' ' || !name.is_empty());
        while names.last().is_some_and(|name| name.is_empty()) {
            names.pop();
        }
        let plausible = (2..=COLUMNS_MAX).contains(&names.len())
            && names.iter().all(|name| is_column_name(name));
        if !plausible {
            return None;
        }
        let before_repetition = first_repetition(&names);
        if let Some(before) = before_repetition {
            cut_joined_name(&mut names, before);
        }
        let column = |wanted: &str| {
            names
                .iter()
                .position(|name| name.eq_ignore_ascii_case(wanted))
        };
        let marks = Marks {
            time: ["DateTime", "TimeStamp", "date-time", "MyTimeStamp"]
                .into_iter()
                .find_map(column),
            date: column("date"),
            clock: column("time"),
            parts: column("EventData"),
            server: None,
            build: None,
            path: None,
            web_path: None,
            status: None,
            method: None,
            client: None,
            user_agent: None,
            referrer: column("cs(Referer)"),
        };
        let mut normal = (format.normalise)(&column);
        // A column that bears a normalised name itself comes first.
        normal.retain(|(name, _)| !names.iter().any(|column| **column == **name));
        let table = name_table(&names, &normal);
        let shapes = names.iter().map(|name| Shape::of(name)).collect();
        let is_free = |name: &str| {
            format
                .free
                .iter()
                .any(|free| free.eq_ignore_ascii_case(name))
        };
        let free = (0..names.len())
            .filter(|index| names.get(*index).is_some_and(|name| is_free(name)))
            .collect();
        let mut head = Self {
            names,
            normal,
            table,
            shapes,
            free,
            before_repetition,
            marks,
        };
        head.marks = Marks {
            server: head.normal("server"),
            build: head.normal("build"),
            path: head.resolve("path"),
            web_path: head.normal("path"),
            status: head.normal("status"),
            method: head.normal("method"),
            client: head.normal("client"),
            user_agent: head.normal("user_agent"),
            ..marks
        };
        Some(head)
    }

    pub(crate) fn names(&self) -> &[Box<str>] {
        &self.names
    }

    pub(crate) fn normal_names(&self) -> &[(&'static str, Normal)] {
        &self.normal
    }

    pub(crate) fn shapes(&self) -> &[Shape] {
        &self.shapes
    }

    pub(crate) fn free_columns(&self) -> &[usize] {
        &self.free
    }

    /// Whether a row of `fields` fields is one of this head's.
    pub(crate) fn fits(&self, fields: usize) -> bool {
        fields == self.names.len() || Some(fields) == self.before_repetition
    }

    /// Where the value of `name` comes from.
    pub(crate) fn resolve(&self, name: &str) -> Option<Normal> {
        let mut at = bucket(name, self.table.len());
        loop {
            let slot = (*self.table.get(at)?)?;
            match slot {
                Slot::Column(index)
                    if self.names.get(index).is_some_and(|known| **known == *name) =>
                {
                    return Some(Normal::Text(index));
                }
                Slot::Normal(index) => {
                    if let Some((known, normal)) = self.normal.get(index)
                        && *known == name
                    {
                        return Some(*normal);
                    }
                }
                Slot::Column(_) => {}
            }
            at = (at + 1) % self.table.len();
        }
    }

    /// How the normalised `name` comes from columns; never the column itself.
    pub(crate) fn normal(&self, name: &str) -> Option<Normal> {
        self.normal
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, normal)| *normal)
    }
}

/// The value of a field, from the bytes of its columns. `bytes` gives a column without its quotes; `None` where the
/// row marks it as absent.
pub(crate) fn value<'a>(
    normal: Normal,
    bytes: &dyn Fn(usize) -> Option<Cow<'a, [u8]>>,
) -> Option<Value<'a>> {
    let text = |column| bytes(column).map(to_text);
    match normal {
        Normal::Text(column) => text(column).map(Value::Text),
        Normal::PlusText(column) => {
            let text = text(column)?;
            Some(Value::Text(if text.contains('+') {
                Cow::Owned(text.replace('+', " "))
            } else {
                text
            }))
        }
        Normal::Address(column) => text(column).map(|text| Value::Text(without_port(text))),
        Normal::Path(column) => text(column).map(|text| Value::Text(percent_decoded(text))),
        Normal::UrlPath(column) => {
            let text = text(column)?;
            let end = text.find('?').unwrap_or(text.len());
            Some(Value::Text(percent_decoded(part(text, 0, end))))
        }
        Normal::Query(column) => {
            let text = text(column)?;
            let start = usize::from(text.starts_with('?'));
            let end = text.len();
            Some(Value::Text(part(text, start, end)))
        }
        Normal::UrlQuery(column) => {
            let text = text(column)?;
            let start = text.find('?')? + 1;
            let end = text.len();
            Some(Value::Text(part(text, start, end)))
        }
        Normal::Number(column) => text(column)?.trim().parse().ok().map(Value::Unsigned),
        Normal::Build(columns) => {
            let mut build = String::new();
            for column in columns {
                let number: u32 = text(column)?.trim().parse().ok()?;
                if !build.is_empty() {
                    build.push('.');
                }
                build.push_str(&number.to_string());
            }
            Some(Value::text(build))
        }
        Normal::Joined(first, second) => {
            let (first, second) = (text(first)?, text(second).unwrap_or_default());
            Some(Value::Text(if second.is_empty() {
                first
            } else {
                Cow::Owned(format!("{first} {second}"))
            }))
        }
    }
}

/// Decodes `%41` once; what is no such sequence stays as it is.
pub(crate) fn percent_decoded(text: Cow<'_, str>) -> Cow<'_, str> {
    if !text.contains('%') {
        return text;
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let digits = match bytes.get(at + 1..at + 3) {
            Some([high, low]) if byte == b'%' => hex(*high).zip(hex(*low)),
            _ => None,
        };
        if let Some((high, low)) = digits {
            decoded.push(high * 16 + low);
            at += 3;
        } else {
            decoded.push(byte);
            at += 1;
        }
    }
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

/// `192.0.2.1:443` and `[2001:db8::1]:443` without port and brackets.
pub(crate) fn without_port(text: Cow<'_, str>) -> Cow<'_, str> {
    if let Some(rest) = text.strip_prefix('[')
        && let Some(end) = rest.find(']')
    {
        return part(text, 1, end + 1);
    }
    match text.find(':') {
        Some(colon) if text.rfind(':') == Some(colon) => part(text, 0, colon),
        _ => text,
    }
}

/// Bytes as text, damaged characters replaced.
pub(crate) fn to_text(bytes: Cow<'_, [u8]>) -> Cow<'_, str> {
    match bytes {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// A part of a text that stays borrowed where the text is.
fn part(text: Cow<'_, str>, start: usize, end: usize) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(start..end).unwrap_or_default()),
        Cow::Owned(text) => Cow::Owned(text.get(start..end).unwrap_or_default().to_owned()),
    }
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Letters, digits and the few signs that heads of IIS, HTTP.sys and Exchange use: `cs(User-Agent)`, `date-time`.
fn is_column_name(name: &str) -> bool {
    name.len() <= 128
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_()./: ".contains(&byte))
        && name.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// The first column whose name stood before.
fn first_repetition(names: &[Box<str>]) -> Option<usize> {
    let mut seen = std::collections::BTreeSet::new();
    names.iter().position(|name| !seen.insert(name))
}

/// Where a head starts again in the middle of a name (`schema-versionmessage-id`), the first half is the true name.
fn cut_joined_name(names: &mut [Box<str>], before: usize) {
    let (kept, _repeated) = names.split_at_mut(before);
    let Some((last, earlier)) = kept.split_last_mut() else {
        return;
    };
    let joined = earlier
        .iter()
        .filter(|name| last.len() > name.len() && last.ends_with(&***name))
        .max_by_key(|name| name.len());
    if let Some(joined) = joined {
        *last = last[..last.len() - joined.len()].into();
    }
}

fn name_table(names: &[Box<str>], normal: &[(&'static str, Normal)]) -> Vec<Option<Slot>> {
    // At most a quarter full, so that a look-up of an unknown name ends at once.
    let size = ((names.len() + normal.len()) * 4).next_power_of_two();
    let mut table = vec![None; size];
    let mut put = |name: &str, slot| {
        let mut at = bucket(name, size);
        while table.get(at).is_some_and(Option::is_some) {
            at = (at + 1) % size;
        }
        if let Some(place) = table.get_mut(at) {
            *place = Some(slot);
        }
    };
    for (index, name) in names.iter().enumerate() {
        put(name, Slot::Column(index));
    }
    for (index, (name, _)) in normal.iter().enumerate() {
        put(name, Slot::Normal(index));
    }
    table
}

/// FNV-1a over the name.
fn bucket(name: &str, size: usize) -> usize {
    let hash = name.bytes().fold(0x811C_9DC5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    (hash as usize) & (size - 1)
}
