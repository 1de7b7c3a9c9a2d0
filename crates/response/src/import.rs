//! What a list of organisations, names, assets, contacts or responders changes in a registry, and why a row is refused.
//!
//! A row says what its cells say: an empty cell changes nothing. Rows that a person vouches for are manual; an imported row
//! never changes a manual one. Lists that do not contradict each other give the same registry in any order; where they do,
//! the later one counts. Nothing is written here: [`Planned`] holds the rows that differ.

mod kinds;
mod parse;

use crate::registry::folded;
use crate::table::{Refused, Table};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use store::response::{
    AliasRow, AssetRow, ContactRow, MergeRow, OrganisationRow, Record, ResponderRow,
};
use store::{Case, CaseError};

/// What a list holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Organisations,
    Aliases,
    Assets,
    Contacts,
    Responders,
}

impl Kind {
    /// In the order in which they must come, as each names those before.
    pub const ALL: [Self; 5] = [
        Self::Organisations,
        Self::Aliases,
        Self::Assets,
        Self::Contacts,
        Self::Responders,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Organisations => "organisations",
            Self::Aliases => "aliases",
            Self::Assets => "assets",
            Self::Contacts => "contacts",
            Self::Responders => "responders",
        }
    }

    /// Columns without which a list is none of this kind; `a|b`: one of them.
    pub fn needs(self) -> &'static [&'static str] {
        match self {
            Self::Organisations => &["name"],
            Self::Aliases => &["alias", "organisation"],
            Self::Assets => &["kind", "value", "organisation"],
            Self::Contacts => &["address", "organisation|subject"],
            Self::Responders => &["name", "hours"],
        }
    }

    /// What a table with these columns holds, the narrowest kind first.
    pub fn of(table: &Table) -> Option<Self> {
        let order = [
            Self::Aliases,
            Self::Assets,
            Self::Contacts,
            Self::Responders,
            Self::Organisations,
        ];
        order.into_iter().find(|kind| kind.missing(table).is_none())
    }

    /// The first column that the table would need to have.
    pub fn missing(self, table: &Table) -> Option<&'static str> {
        let has = |names: &&str| names.split('|').any(|name| table.column(name).is_some());
        self.needs().iter().find(|names| !has(names)).copied()
    }
}

/// How a list is taken.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    pub kind: Kind,
    /// A person vouches for it.
    pub manual: bool,
    /// Id of the import.
    pub import: &'a str,
    /// In microseconds since 1970.
    pub now: i64,
}

/// What becomes of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    Added,
    Changed {
        fields: Vec<Field>,
    },
    Unchanged,
    /// It says otherwise than a manual row, which stands.
    ManualStands,
    Refused {
        why: &'static str,
    },
}

/// A field that is different now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    pub field: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// One row of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    pub line: u64,
    /// Whom or what it is about.
    pub what: String,
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What a list would change.
#[derive(Clone, Debug, Default)]
pub struct Planned {
    pub lines: Vec<Line>,
    pub organisations: Vec<OrganisationRow>,
    pub aliases: Vec<AliasRow>,
    pub assets: Vec<AssetRow>,
    pub contacts: Vec<ContactRow>,
    pub responders: Vec<ResponderRow>,
}

/// How many rows came to what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub rows_in: usize,
    pub accepted: usize,
    pub added: usize,
    pub changed: usize,
    pub unchanged: usize,
    pub manual_stands: usize,
    /// By reason.
    pub refused: BTreeMap<&'static str, usize>,
}

impl Counts {
    pub fn refusals(&self) -> usize {
        self.refused.values().sum()
    }
}

impl Planned {
    pub fn counts(&self) -> Counts {
        let mut counts = Counts {
            rows_in: self.lines.len(),
            ..Counts::default()
        };
        for line in &self.lines {
            match &line.outcome {
                Outcome::Added => counts.added += 1,
                Outcome::Changed { .. } => counts.changed += 1,
                Outcome::Unchanged => counts.unchanged += 1,
                Outcome::ManualStands => counts.manual_stands += 1,
                Outcome::Refused { why } => *counts.refused.entry(why).or_default() += 1,
            }
        }
        counts.accepted = counts.rows_in - counts.refusals();
        counts
    }

    /// Whether the registry is different after it.
    pub fn changes(&self) -> bool {
        let lengths = [
            self.organisations.len(),
            self.aliases.len(),
            self.assets.len(),
            self.contacts.len(),
            self.responders.len(),
        ];
        lengths.iter().any(|length| *length > 0)
    }
}

/// A registry as its tables hold it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    organisations: BTreeMap<String, OrganisationRow>,
    aliases: BTreeMap<(String, String), AliasRow>,
    assets: BTreeMap<(String, String, String), AssetRow>,
    contacts: BTreeMap<String, ContactRow>,
    responders: BTreeMap<String, ResponderRow>,
    /// From a merged organisation to the one that was kept.
    into: BTreeMap<String, String>,
    /// Ids by folded name.
    names: BTreeMap<String, BTreeSet<String>>,
}

/// The tables of a registry, each as it is read.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    pub organisations: Vec<OrganisationRow>,
    pub aliases: Vec<AliasRow>,
    pub assets: Vec<AssetRow>,
    pub contacts: Vec<ContactRow>,
    pub responders: Vec<ResponderRow>,
    pub merges: Vec<MergeRow>,
}

impl Tables {
    pub fn load(case: &Case) -> Result<Self, CaseError> {
        Ok(Self {
            organisations: case.rows()?,
            aliases: case.rows()?,
            assets: case.rows()?,
            contacts: case.rows()?,
            responders: case.rows()?,
            merges: case.rows()?,
        })
    }
}

impl Rows {
    pub fn of(tables: Tables) -> Self {
        let mut rows = Self::default();
        for merge in tables.merges {
            if merge.undone.is_none() {
                rows.into.insert(merge.merged, merge.kept);
            }
        }
        for row in tables.organisations {
            rows.name(&row.name, &row.id);
            rows.organisations.insert(row.id.clone(), row);
        }
        for row in tables.aliases {
            rows.name(&row.name, &row.organisation);
            rows.aliases
                .insert((row.name.clone(), row.organisation.clone()), row);
        }
        for row in tables.assets {
            rows.assets.insert(asset_key(&row), row);
        }
        let contacts = tables.contacts.into_iter();
        rows.contacts = contacts.map(|row| (row.id.clone(), row)).collect();
        let responders = tables.responders.into_iter();
        rows.responders = responders.map(|row| (row.id.clone(), row)).collect();
        rows
    }

    fn name(&mut self, name: &str, id: &str) {
        let ids = self.names.entry(folded(name)).or_default();
        ids.insert(id.to_owned());
    }

    /// The id of the organisation that a list means.
    fn organisation(&self, named: &str) -> Result<String, &'static str> {
        if self.organisations.contains_key(named) {
            return Ok(named.to_owned());
        }
        let ids = self.names.get(&folded(named)).into_iter().flatten();
        let kept: BTreeSet<&str> = ids.map(|id| self.kept(id)).collect();
        let mut kept = kept.into_iter();
        match (kept.next(), kept.next()) {
            (Some(one), None) => Ok(one.to_owned()),
            (None, _) => Err("no such organisation is known"),
            (Some(_), Some(_)) => Err("several organisations have this name"),
        }
    }

    fn kept<'a>(&'a self, id: &'a str) -> &'a str {
        let mut id = id;
        for _ in 0..64 {
            match self.into.get(id) {
                Some(next) => id = next,
                None => break,
            }
        }
        id
    }
}

fn asset_key(row: &AssetRow) -> (String, String, String) {
    (
        row.kind.clone(),
        row.value.clone(),
        row.organisation.clone(),
    )
}

/// What a list changes. `rows` is as it would be afterwards, so that a list which names what this one brings comes next.
pub fn plan(rows: &mut Rows, table: &Table, options: Options<'_>) -> Planned {
    let mut planned = Planned::default();
    let mut seen = BTreeSet::new();
    for row in &table.rows {
        let cells = parse::Cells { table, row };
        let done = match options.kind {
            Kind::Organisations => {
                kinds::organisation(rows, cells, options, &mut seen, &mut planned)
            }
            Kind::Aliases => kinds::alias(rows, cells, options, &mut planned),
            Kind::Assets => kinds::asset(rows, cells, options, &mut planned),
            Kind::Contacts => kinds::contact(rows, cells, options, &mut seen, &mut planned),
            Kind::Responders => kinds::responder(rows, cells, options, &mut seen, &mut planned),
        };
        let (what, outcome) = match done {
            Ok(done) => done,
            Err(why) => (String::new(), Outcome::Refused { why }),
        };
        planned.lines.push(Line {
            line: row.line,
            what,
            outcome,
        });
    }
    let refused = table.refused.iter().map(|Refused { line, why }| Line {
        line: *line,
        what: String::new(),
        outcome: Outcome::Refused { why },
    });
    planned.lines.extend(refused);
    planned.lines.sort_by_key(|line| line.line);
    planned
}

/// What rows have that can be imported: where they come from.
trait Imported: Record + Clone + PartialEq + Serialize {
    fn origin(&mut self) -> (&mut String, &mut Option<String>);
}

macro_rules! imported {
    ($($name:ident),+) => {
        $(impl Imported for $name {
            fn origin(&mut self) -> (&mut String, &mut Option<String>) {
                (&mut self.origin, &mut self.import)
            }
        })+
    };
}
imported!(
    OrganisationRow,
    AliasRow,
    AssetRow,
    ContactRow,
    ResponderRow
);

const MANUAL: &str = "manual";
const IMPORTED: &str = "imported";

/// Sets a row against the one that is there, of which it is a copy with other values.
fn settle<T: Imported>(before: Option<&T>, mut after: T, options: Options<'_>) -> (T, Outcome) {
    let Some(before) = before else {
        let (origin, import) = after.origin();
        (if options.manual { MANUAL } else { IMPORTED }).clone_into(origin);
        *import = Some(options.import.to_owned());
        return (after, Outcome::Added);
    };
    let mut was = before.clone();
    let manual_before = was.origin().0 == MANUAL;
    if manual_before && !options.manual {
        let outcome = if after == *before {
            Outcome::Unchanged
        } else {
            Outcome::ManualStands
        };
        return (before.clone(), outcome);
    }
    if after == *before && manual_before == options.manual {
        return (after, Outcome::Unchanged);
    }
    let (origin, import) = after.origin();
    (if options.manual { MANUAL } else { IMPORTED }).clone_into(origin);
    *import = Some(options.import.to_owned());
    let fields = differences(before, &after);
    (after, Outcome::Changed { fields })
}

fn differences<T: Imported>(before: &T, after: &T) -> Vec<Field> {
    let values = |row: &T| match serde_json::to_value(row) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let text = |value: Option<&serde_json::Value>| match value {
        None | Some(serde_json::Value::Null) => None,
        Some(serde_json::Value::String(text)) => Some(text.clone()),
        Some(other) => Some(other.to_string()),
    };
    let (before, after) = (values(before), values(after));
    let changed = after.iter().filter(|(field, _)| *field != "import");
    changed
        .map(|(field, value)| Field {
            field: field.clone(),
            before: text(before.get(field)),
            after: text(Some(value)),
        })
        .filter(|field| field.before != field.after)
        .collect()
}

/// An id that the same content always gets.
pub fn derived(prefix: &str, parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let mut id = format!("{prefix}-");
    for byte in hash.finalize().iter().take(10) {
        write!(id, "{byte:02x}").expect("a string takes all");
    }
    id
}
