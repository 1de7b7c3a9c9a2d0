//! Files that belong to others: a hive's transaction logs.

use crate::support::{folder, tar, zip};
use evidence::{Content, Decision, Digest, Entry, Options, Visitor, walk, walk_bytes};

const MEMBERS: [(&str, &[u8]); 3] = [
    ("C/Windows/System32/config/SYSTEM", b"hive"),
    ("C/Windows/System32/config/SYSTEM.LOG1", b"first"),
    ("C/Windows/System32/config/system.log2", b"second"),
];

/// The companions of every entry whose name is `SYSTEM`.
#[derive(Default)]
struct Beside(Vec<Option<Vec<u8>>>);

impl Visitor for Beside {
    fn begin(&mut self, _entry: &Entry) -> Decision {
        Decision::Read
    }

    fn content(&mut self, entry: &Entry, content: &mut dyn Content) {
        if entry.path.ends_with("SYSTEM") {
            self.0.push(content.companion(".LOG1"));
            self.0.push(content.companion(".LOG2"));
        }
    }

    fn end(&mut self, _entry: &Entry, _digest: &Digest) {}

    fn gap(&mut self, path: &str, _kind: model::GapKind, detail: &str) {
        panic!("{path}: {detail}");
    }
}

#[test]
fn members_of_zips_come_with_what_belongs_to_them() {
    let mut beside = Beside::default();
    walk_bytes("x.zip", zip(&MEMBERS), &Options::default(), &mut beside);
    assert_eq!(
        beside.0,
        [Some(b"first".to_vec()), Some(b"second".to_vec())]
    );
    let mut beside = Beside::default();
    walk_bytes("x.tar", tar(&MEMBERS), &Options::default(), &mut beside);
    assert_eq!(beside.0, [None, None], "a tar is read once and in order");
}

#[test]
fn files_of_folders_come_with_what_belongs_to_them() {
    let place = tempfile::tempdir().unwrap();
    for (name, bytes) in &MEMBERS[..2] {
        let path = place.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let mut beside = Beside::default();
    walk(&folder(place.path()), &Options::default(), &mut beside);
    assert_eq!(beside.0, [Some(b"first".to_vec()), None]);
}
