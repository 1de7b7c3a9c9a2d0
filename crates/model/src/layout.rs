//! The field names that records of one shape share: the columns of a log, the values of one template of events.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// Layouts kept in one process; a thousand event logs have a few thousand shapes. Hostile logs could name a new shape in
/// every record, and whoever binds to a layout keeps something for each.
const LAYOUTS_MAX: usize = 8_192;

/// Bytes of all their names.
const NAME_BYTES_MAX: usize = 8 << 20;

/// Every layout of the process.
static KNOWN: Mutex<Known> = Mutex::new(Known {
    layouts: BTreeMap::new(),
    name_bytes: 0,
});

/// An ordered list of field names. Two records with the same names have the same layout, whichever reader made them, so
/// that what is worked out for a layout once holds for the whole process.
#[derive(Debug)]
pub struct Layout {
    id: u32,
    names: Vec<String>,
    /// Looked up only, never walked.
    indexes: HashMap<String, usize>,
}

impl Layout {
    /// The layout of records with these names, in their order. A name that comes twice is found at its first place.
    /// Synonyms are further names under which the value at an index is found; a name goes before a synonym.
    ///
    /// `None` where the process knows too many layouts already; then records are read by name.
    pub fn of(names: &[String], synonyms: &[(String, usize)]) -> Option<Arc<Self>> {
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        known.layout(names, synonyms)
    }

    /// A number that no other layout of this process has. Layouts are numbered from 0 as they are met.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The names in their order, without synonyms.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Where the value of this name stands.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.indexes.get(name).copied()
    }

    fn new(id: u32, names: &[String], synonyms: &[(String, usize)]) -> Self {
        let mut indexes = HashMap::with_capacity(names.len() + synonyms.len());
        for (index, name) in names.iter().enumerate() {
            indexes.entry(name.clone()).or_insert(index);
        }
        for (name, index) in synonyms {
            indexes.entry(name.clone()).or_insert(*index);
        }
        Self {
            id,
            names: names.to_vec(),
            indexes,
        }
    }
}

type Key = (Vec<String>, Vec<(String, usize)>);

struct Known {
    layouts: BTreeMap<Key, Arc<Layout>>,
    name_bytes: usize,
}

impl Known {
    fn layout(&mut self, names: &[String], synonyms: &[(String, usize)]) -> Option<Arc<Layout>> {
        let key = (names.to_vec(), synonyms.to_vec());
        if let Some(layout) = self.layouts.get(&key) {
            return Some(Arc::clone(layout));
        }
        let texts = names
            .iter()
            .chain(synonyms.iter().map(|(synonym, _)| synonym));
        let name_bytes = self.name_bytes + texts.map(String::len).sum::<usize>();
        if self.layouts.len() >= LAYOUTS_MAX || name_bytes > NAME_BYTES_MAX {
            return None;
        }
        let id = u32::try_from(self.layouts.len()).ok()?;
        let layout = Arc::new(Layout::new(id, names, synonyms));
        self.name_bytes = name_bytes;
        self.layouts.insert(key, Arc::clone(&layout));
        Some(layout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn same_names_have_the_same_layout() {
        let names = texts(&["date", "cs-uri-stem", "date"]);
        let synonyms = [("uri".to_owned(), 1), ("date".to_owned(), 1)];
        let layout = Layout::of(&names, &synonyms).unwrap();
        let again = Layout::of(&names, &synonyms).unwrap();
        let other = Layout::of(&names, &[]).unwrap();
        assert_eq!(layout.id(), again.id());
        assert_ne!(layout.id(), other.id());
        assert_eq!(layout.names(), names);
        assert_eq!(layout.index_of("date"), Some(0));
        assert_eq!(layout.index_of("uri"), Some(1));
        assert_eq!(layout.index_of("cs-uri-query"), None);
    }

    #[test]
    fn layouts_are_bounded() {
        let mut known = Known {
            layouts: BTreeMap::new(),
            name_bytes: 0,
        };
        for number in 0..LAYOUTS_MAX {
            assert!(known.layout(&[number.to_string()], &[]).is_some());
        }
        assert!(known.layout(&texts(&["one more"]), &[]).is_none());
        assert!(known.layout(&texts(&["0"]), &[]).is_some());
        known.layouts.clear();
        let large = "x".repeat(NAME_BYTES_MAX);
        assert!(known.layout(&[large], &[]).is_none());
    }
}
