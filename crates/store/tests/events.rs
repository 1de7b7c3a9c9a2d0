//! Events come back value for value, whatever wrote them and however its writer ended.

use model::{At, Record, SourceName, Timestamp, Value};
use proptest::prelude::*;
use std::borrow::Cow;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use store::events::{self, Columns, EventsError, ItemRows, Staged, Staging};

const TABLE: &str = include_str!("../../../knowledge/events.yaml");

/// More than any test needs, so that nothing goes to files.
const PLENTY: usize = 64 << 20;

/// A record as it was, or as it came back.
#[derive(Clone, Debug, PartialEq)]
struct Plain {
    source: SourceName,
    time: Option<Timestamp>,
    at: At,
    fields: Vec<(String, Value<'static>)>,
}

impl Record for Plain {
    fn source(&self) -> &SourceName {
        &self.source
    }

    fn time(&self) -> Option<Timestamp> {
        self.time
    }

    fn at(&self) -> At {
        self.at
    }

    fn get(&self, field: &str) -> Option<Value<'_>> {
        let mut all: Vec<_> = self
            .fields
            .iter()
            .filter(|(name, _)| name == field)
            .map(|(_, value)| value.clone())
            .collect();
        match all.len() {
            0 => None,
            1 => all.pop(),
            _ => Some(Value::List(all)),
        }
    }

    fn each_field(&self, visit: &mut dyn FnMut(&str, Value<'_>)) {
        for (name, value) in &self.fields {
            visit(name, value.clone());
        }
    }

    fn raw(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }
}

fn plain(line: u64, time: &str, fields: &[(&str, &str)]) -> Plain {
    Plain {
        source: SourceName::of("iis.site", "1"),
        time: time.parse().ok(),
        at: At::Line(line),
        fields: fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Value::text((*value).to_owned())))
            .collect(),
    }
}

fn owned(value: Value<'_>) -> Value<'static> {
    match value {
        Value::Text(text) => Value::text(text.into_owned()),
        Value::Integer(number) => Value::Integer(number),
        Value::Unsigned(number) => Value::Unsigned(number),
        Value::Float(number) => Value::Float(number),
        Value::Boolean(value) => Value::Boolean(value),
        Value::Null => Value::Null,
        Value::List(values) => Value::List(values.into_iter().map(owned).collect()),
    }
}

fn staging(path: &Path) -> Staging {
    Staging::create(path, Columns::parse(TABLE).unwrap()).unwrap()
}

/// Writes items (ordinal, path, records), each accepted, of one host.
fn stage(path: &Path, items: &[(u64, &str, &[Plain])]) -> Vec<Staged> {
    let mut staging = staging(path);
    let mut staged = Vec::new();
    for (ordinal, item, records) in items {
        for record in *records {
            staging.record(*ordinal, record);
        }
        staged.push(Staged {
            file: path.to_owned(),
            ordinal: *ordinal,
            rows: staging.end_item().unwrap().rows,
            item: (*item).to_owned(),
            host: "EX01".to_owned(),
        });
    }
    staged
}

fn read_back(file: &Path, scratch: &Path, bytes_max: usize) -> Vec<(String, Plain)> {
    let mut found = Vec::new();
    events::read(file, scratch, bytes_max, &mut |record| {
        let mut fields = Vec::new();
        record.each_field(&mut |name, value| fields.push((name.to_owned(), owned(value))));
        let plain = Plain {
            source: record.source().clone(),
            time: record.time(),
            at: record.at(),
            fields,
        };
        found.push((record.item().to_owned(), plain));
        ControlFlow::Continue(())
    })
    .unwrap();
    found
}

/// Everything in a folder but what it began with.
fn files_of(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn values() -> impl Strategy<Value = Value<'static>> {
    let leaf = prop_oneof![
        4 => ".{0,20}".prop_map(Value::text),
        1 => any::<i64>().prop_map(Value::Integer),
        1 => any::<u64>().prop_map(Value::Unsigned),
        1 => (-1e300..1e300).prop_map(Value::Float),
        1 => any::<bool>().prop_map(Value::Boolean),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop::collection::vec(inner, 0..4).prop_map(Value::List)
    })
}

prop_compose! {
    fn records()(
        source in "[a-z.:]{1,12}",
        // Times of Windows count a tenth of a microsecond, from 1601.
        time in prop::option::of((-11_644_473_600_i64..4_000_000_000, 0..10_000_000_i32)),
        at in prop_oneof![
            Just(At::Item), any::<u64>().prop_map(At::Line), any::<u64>().prop_map(At::Record), any::<u64>().prop_map(At::Offset)
        ],
        fields in prop::collection::btree_map(prop_oneof!["[A-Za-z ()-]{0,8}", Just("c-ip".to_owned()), Just("sc-status".to_owned())], values(), 0..8),
    ) -> Plain {
        Plain {
            source: SourceName::new(&source),
            time: time.map(|(seconds, tenths)| {
                let nanoseconds = i128::from(seconds) * 1_000_000_000 + i128::from(tenths) * 100;
                Timestamp::from_nanosecond(nanoseconds).unwrap()
            }),
            at,
            fields: fields.into_iter().collect(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn records_come_back_value_for_value(records in prop::collection::vec(records(), 0..40), bytes_max in prop_oneof![Just(1), Just(PLENTY)]) {
        let folder = tempfile::tempdir().unwrap();
        let staged = stage(&folder.path().join("w"), &[(3, "C:\\a.log", &records)]);
        let written = events::write(&staged, "c-1", folder.path(), bytes_max).unwrap();
        prop_assert_eq!(written.len(), usize::from(!records.is_empty()));
        for file in written {
            prop_assert_eq!(file.rows, records.len() as u64);
            let found = read_back(&file.file, folder.path(), bytes_max);
            let found: Vec<Plain> = found.into_iter().map(|(_, record)| record).collect();
            prop_assert_eq!(&found, &records);
        }
    }
}

#[test]
fn the_same_items_give_the_same_bytes_however_they_were_shared_out() {
    let folder = tempfile::tempdir().unwrap();
    let one: Vec<Plain> = (0..30_000)
        .map(|line| {
            plain(
                line,
                &format!("2021-03-0{}T00:00:00Z", 1 + line % 7),
                &[("c-ip", "192.0.2.7")],
            )
        })
        .collect();
    let two = [
        plain(1, "", &[("cs-method", "GET")]),
        plain(2, "2021-03-02T00:00:00Z", &[]),
    ];
    let mut all = Vec::new();
    for (name, bytes_max, parts) in [
        (
            "together",
            PLENTY,
            vec![vec![(1, "a", &*one), (2, "b", &two)]],
        ),
        (
            "apart",
            1 << 20,
            vec![vec![(2, "b", &two)], vec![(1, "a", &one)]],
        ),
    ] {
        let folder = folder.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        let mut staged = Vec::new();
        for (number, items) in parts.iter().enumerate() {
            staged.extend(stage(&folder.join(format!("w{number}")), items));
        }
        let written = events::write(&staged, "c-1", &folder, bytes_max).unwrap();
        let left = files_of(&folder);
        assert_eq!(left.len(), parts.len() + 1, "runs are removed: {left:?}");
        let times = (written[0].first, written[0].last);
        assert_eq!(
            times,
            (Some(1_614_556_800_000_000), Some(1_615_075_200_000_000))
        );
        all.push(std::fs::read(&written[0].file).unwrap());
    }
    assert!(all[0] == all[1], "the bytes differ");
}

#[test]
fn what_a_dead_writer_left_is_read_as_far_as_items_were_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w");
    let record = plain(1, "2021-03-02T00:00:00Z", &[("c-ip", "192.0.2.7")]);
    let staged = stage(&path, &[(1, "a", std::slice::from_ref(&record))]);
    let whole = std::fs::read(&path).unwrap();
    let mut torn = staging(&folder.path().join("x"));
    torn.record(1, &record);
    torn.end_item().unwrap();
    for line in 0..9_000 {
        torn.record(2, &plain(line, "", &[("c-ip", "192.0.2.8")]));
    }
    drop(torn);
    let mut longer = std::fs::read(folder.path().join("x")).unwrap();
    for end in [longer.len(), longer.len() - 10, whole.len() + 100] {
        longer.truncate(end);
        std::fs::write(&path, &longer).unwrap();
        let written = events::write(&staged, "c-1", folder.path(), PLENTY).unwrap();
        let found = read_back(&written[0].file, folder.path(), PLENTY);
        assert_eq!(found, [("a".to_owned(), record.clone())]);
    }
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let problem = events::write(&staged, "c-1", folder.path(), PLENTY).unwrap_err();
    assert!(matches!(
        problem,
        EventsError::Incomplete {
            told: 1,
            found: 0,
            ..
        }
    ));
}

#[test]
fn hostile_records_are_cut_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w");
    let mut staging = staging(&path);
    let many = Plain {
        fields: (0..5_000)
            .map(|number| (number.to_string(), Value::Unsigned(number)))
            .collect(),
        ..plain(1, "", &[])
    };
    let long = plain(2, "", &[("x", &"é".repeat(events::VALUE_BYTES_MAX))]);
    let large = Plain {
        fields: (0..40)
            .map(|number| {
                (
                    number.to_string(),
                    Value::text("x".repeat(events::VALUE_BYTES_MAX)),
                )
            })
            .collect(),
        ..plain(3, "", &[])
    };
    for record in [&many, &long, &large, &plain(4, "", &[("x", "y")])] {
        staging.record(0, record);
    }
    assert_eq!(staging.end_item().unwrap(), ItemRows { rows: 4, cut: 3 });
    let staged = [Staged {
        file: path,
        ordinal: 0,
        rows: 4,
        item: "a".to_owned(),
        host: "..".to_owned(),
    }];
    let written = events::write(&staged, "c-1", folder.path(), PLENTY).unwrap();
    let found = read_back(&written[0].file, folder.path(), PLENTY);
    assert_eq!(found[0].1.fields.len(), events::FIELDS_MAX);
    let Some(Value::Text(text)) = found[1].1.get("x") else {
        panic!("no text");
    };
    assert_eq!(text.len(), events::VALUE_BYTES_MAX);
    assert!(found[2].1.fields.len() < 12);
}

#[test]
fn a_stored_record_answers_as_its_reader_did() {
    let folder = tempfile::tempdir().unwrap();
    let record = Plain {
        fields: vec![
            ("Data".to_owned(), Value::text("a")),
            ("Data".to_owned(), Value::Unsigned(2)),
            ("Threat Name".to_owned(), Value::text("x")),
            ("EventID".to_owned(), Value::Unsigned(1116)),
        ],
        ..plain(1, "", &[])
    };
    let staged = stage(&folder.path().join("w"), &[(0, "a", &[record])]);
    let written = events::write(&staged, "c-1", folder.path(), PLENTY).unwrap();
    let mut visited = 0;
    events::read(&written[0].file, folder.path(), PLENTY, &mut |record| {
        visited += 1;
        let both = Value::List(vec![Value::text("a"), Value::Unsigned(2)]);
        assert_eq!(record.get("Data"), Some(both));
        assert_eq!(record.get("Data_2"), Some(Value::Unsigned(2)));
        assert_eq!(record.get("Data_3"), None);
        assert_eq!(record.get("ThreatName"), Some(Value::text("x")));
        assert_eq!(record.get("EventID_1"), None);
        assert_eq!(record.raw(), r#"Data=["a",2] Threat Name=x EventID=1116"#);
        assert_eq!(
            (record.host(), record.collection(), record.row()),
            ("EX01", "c-1", 1)
        );
        ControlFlow::Break(())
    })
    .unwrap();
    assert_eq!(visited, 1);
}
