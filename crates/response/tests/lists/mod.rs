//! Lists as tests write them.

use response::import::{Kind, Options, Planned, Rows, Tables, plan};
use response::registry::Registry;
use response::table::Table;

/// A list of a registry.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) kind: Kind,
    pub(crate) manual: bool,
    pub(crate) text: String,
}

impl Given {
    pub(crate) fn plan(&self, rows: &mut Rows) -> Planned {
        let table = Table::read(self.text.as_bytes()).expect("a table");
        let options = Options {
            kind: self.kind,
            manual: self.manual,
            import: "i",
            now: super::NOW,
        };
        plan(rows, &table, options)
    }
}

/// The rows that these lists bring to an empty registry.
pub(crate) fn tables<'a>(lists: impl Iterator<Item = &'a Given>) -> Tables {
    let mut rows = Rows::default();
    let mut tables = Tables::default();
    for list in lists {
        let planned = list.plan(&mut rows);
        tables.organisations.extend(planned.organisations);
        tables.aliases.extend(planned.aliases);
        tables.assets.extend(planned.assets);
        tables.contacts.extend(planned.contacts);
        tables.responders.extend(planned.responders);
    }
    tables
}

pub(crate) fn registry(tables: &Tables) -> Registry {
    Registry::of(
        tables.organisations.clone(),
        &tables.aliases,
        &tables.assets,
        &tables.merges,
    )
}
