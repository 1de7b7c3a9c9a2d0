//! Our decoder against the crate `evtx`: record for record and value for value, on real, made and damaged logs.
#![expect(
    clippy::needless_raw_string_hashes,
    reason = "written so by expect-test"
)]

use super::chunk::{CHUNK_BYTES, CHUNK_HEADER_BYTES, ChunkHeader};
use super::decoder::Decoder;
use super::made::{Made, Typed, utf16};
use super::record::BinaryEvent;
use super::walk::{Step, Walk};
use super::{ChunkDecoder, EventLog, FILE_HEADER_BYTES, known_time, written};
use crate::testing::read_with;
use crate::windows_event::{Event, EventRecord};
use evtx::{EvtxChunkData, ParserSettings};
use expect_test::expect;
use model::{At, Record, SourceName};
use proptest::prelude::*;
use range::{Collection, Layout as Tree, Memory, Options, make};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Everything a record offers, as text.
fn shown(record: &dyn Record) -> Vec<String> {
    let mut fields = Vec::new();
    record.each_field(&mut |name, value| {
        // An empty `<EventData/>` gives JSON a null without a name.
        if !name.is_empty() {
            fields.push(format!("{name} = {value:?}"));
        }
    });
    fields.push(format!("time = {:?}", record.time()));
    fields
}

/// What each reader makes of one chunk: records by number.
#[derive(Default)]
struct Readings {
    ours: BTreeMap<u64, Vec<String>>,
    theirs: BTreeMap<u64, Vec<String>>,
    /// Numbers of records that only the fallback reads.
    undecoded: BTreeSet<u64>,
    /// Kinds of records without a layout.
    without_layout: BTreeMap<String, usize>,
}

impl Readings {
    fn of(chunk: &[u8], decoder: &mut Decoder) -> Self {
        let mut readings = Self::default();
        readings.read_ours(chunk, decoder);
        readings.read_theirs(chunk);
        readings
    }

    fn read_ours(&mut self, chunk: &[u8], decoder: &mut Decoder) {
        let source = SourceName::new("test");
        decoder.begin_chunk();
        let Some(header) = ChunkHeader::read(chunk) else {
            return;
        };
        for step in Walk::new(chunk, header) {
            let Step::Record(found) = step else { continue };
            let Ok(plan) = decoder.decode(chunk, found.content.start, found.content.end) else {
                self.undecoded.insert(found.id);
                continue;
            };
            let filled = decoder.filled(&plan, chunk);
            let time = filled.time(plan.system.time).and_then(known_time);
            let record = BinaryEvent {
                source: &source,
                time: time.or_else(|| written(&found)),
                at: At::Record(found.id),
                filled,
                recovered: false,
            };
            if record.layout().is_none() {
                let kind = ["Provider_Name", "EventID"].map(|name| {
                    let value = record.get(name);
                    value.map_or(String::new(), |value| value.to_text().into_owned())
                });
                *self.without_layout.entry(kind.join(" ")).or_default() += 1;
            }
            assert_layout_agrees(&record);
            self.ours.insert(found.id, shown(&record));
        }
    }

    fn read_theirs(&mut self, chunk: &[u8]) {
        let source = SourceName::new("test");
        let settings = Arc::new(ParserSettings::new().indent(false));
        let Ok(mut data) = EvtxChunkData::new(chunk.to_vec(), false) else {
            return;
        };
        if data.parse(Arc::clone(&settings)).is_err() {
            data.data[128..384].fill(0);
            data = EvtxChunkData::new(data.data, false).unwrap();
        }
        let Ok(mut parsed) = data.parse(settings) else {
            return;
        };
        for record in parsed.iter().flatten() {
            let (id, written) = (record.event_record_id, record.timestamp);
            let Ok(json) = record.into_json() else {
                continue;
            };
            let Ok(event) = Event::parse(&json.data) else {
                continue;
            };
            let time = super::time_of(&event).or_else(|| known_time(written));
            let record = EventRecord {
                source: &source,
                time,
                at: At::Record(id),
                event: &event,
                text: None,
            };
            self.theirs.insert(id, shown(&record));
        }
    }

    /// How the readings differ, a line for each record and field.
    fn differences(&self) -> Vec<String> {
        let mut differences = Vec::new();
        for (id, theirs) in &self.theirs {
            match self.ours.get(id) {
                None if self.undecoded.contains(id) => {
                    differences.push(format!("{id}: left to the fallback"));
                }
                None => differences.push(format!("{id}: not found")),
                Some(ours) if ours == theirs => {}
                Some(ours) => {
                    let pairs = ours
                        .iter()
                        .zip(theirs)
                        .find(|(ours, theirs)| ours != theirs);
                    differences.push(match pairs {
                        Some((ours, theirs)) => format!("{id}: {ours} here, {theirs} there"),
                        None => format!("{id}: {} fields here, {} there", ours.len(), theirs.len()),
                    });
                }
            }
        }
        differences
    }
}

/// What a layout promises: every value is found by its index as by its name.
fn assert_layout_agrees(record: &BinaryEvent<'_>) {
    let names = match record.layout() {
        Some(layout) => layout.names().to_vec(),
        None => Vec::new(),
    };
    for (index, name) in names.iter().enumerate() {
        assert_eq!(record.value(index), record.get(name), "{name}");
    }
    let mut own = Vec::new();
    record.each_field(&mut |name, _value| own.push(name.to_owned()));
    for name in own {
        assert!(record.get(&name).is_some(), "{name}");
        if let Some(layout) = record.layout() {
            assert!(layout.index_of(&name).is_some(), "{name}");
        }
    }
}

fn chunks(file: &[u8]) -> impl Iterator<Item = &[u8]> {
    file.get(FILE_HEADER_BYTES..)
        .unwrap_or_default()
        .chunks(CHUNK_BYTES)
}

#[expect(clippy::disallowed_methods, reason = "reference data of the test")]
fn real_logs() -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/evidence/evtx");
    let mut files: Vec<PathBuf> = ["attack", "parser"]
        .iter()
        .filter_map(|folder| std::fs::read_dir(root.join(folder)).ok())
        .flat_map(|entries| entries.map(|entry| entry.unwrap().path()))
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(file).unwrap())
        })
        .collect()
}

#[test]
fn real_logs_are_read_value_for_value() {
    let logs = real_logs();
    if logs.is_empty() {
        println!("skipped: the reference event logs are not beside this repository");
        return;
    }
    let mut lines = Vec::new();
    let (mut records, mut more) = (0, 0);
    let mut without_layout: BTreeMap<String, usize> = BTreeMap::new();
    for (name, bytes) in &logs {
        let mut decoder = Decoder::default();
        for chunk in chunks(bytes) {
            let readings = Readings::of(chunk, &mut decoder);
            records += readings.ours.len();
            for (kind, count) in &readings.without_layout {
                *without_layout.entry(kind.clone()).or_default() += count;
            }
            let only_here = |id: &&u64| !readings.theirs.contains_key(id);
            more += readings.ours.keys().filter(only_here).count();
            let differences = readings.differences();
            lines.extend(differences.iter().map(|line| format!("{name} {line}")));
        }
    }
    lines.push(format!("{records} records, {more} of them only here"));
    lines.extend(
        without_layout
            .iter()
            .map(|(kind, count)| format!("{count} without a layout: {kind}")),
    );
    expect![[r#"
        23462 records, 0 of them only here
        1 without a layout: Microsoft-Windows-DriverFrameworks-UserMode 10001
        1 without a layout: Microsoft-Windows-DriverFrameworks-UserMode 10002
        3 without a layout: Microsoft-Windows-Eventlog 1108"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn logs_of_a_made_server_are_read_value_for_value() {
    let options = Options {
        start: "2021-03-01T00:00:00Z".parse().unwrap(),
        end: "2021-03-04T00:00:00Z".parse().unwrap(),
        ..Options::new("proxylogon", 7)
    };
    let mut evidence = Collection::new(Memory::default(), Tree::Drives);
    make(&options, &mut evidence).unwrap();
    let mut records = 0;
    for (path, (_modified, bytes)) in &evidence.container.files {
        let mut decoder = Decoder::default();
        if model::extension(path) != "evtx" {
            continue;
        }
        for chunk in chunks(bytes) {
            let readings = Readings::of(chunk, &mut decoder);
            assert_eq!(readings.differences(), Vec::<String>::new(), "{path}");
            assert_eq!(readings.without_layout, BTreeMap::new(), "{path}");
            records += readings.ours.len();
        }
    }
    assert!(records > 100, "{records}");
}

/// A record with its data in elements of a template: one for each value, called `v0` and so on.
fn write_event(made: &mut Made, values: &[Typed]) {
    made.instance(
        |made| {
            made.element("Event", Some(0xffff), &[], |made| {
                made.element("System", Some(0xffff), &[], |made| {
                    made.element("EventID", Some(0xffff), &[], |made| made.text("7"));
                });
                made.element("EventData", Some(0xffff), &[], |made| {
                    for (index, (kind, _)) in values.iter().enumerate() {
                        let name = format!("v{index}");
                        let place = |made: &mut Made| made.text(&name);
                        made.element("Data", Some(0xffff), &[("Name", &place)], |made| {
                            made.place(index, index % 3 == 0, *kind);
                        });
                    }
                });
            });
        },
        values,
    );
}

fn sized(kind: u8, bytes: usize) -> impl Strategy<Value = Typed> {
    proptest::collection::vec(any::<u8>(), bytes).prop_map(move |bytes| (kind, bytes))
}

/// A value of any type, its bytes fitting.
fn typed() -> impl Strategy<Value = Typed> {
    let fixed = prop_oneof![
        Just((0x03_u8, 1_usize)),
        Just((0x04, 1)),
        Just((0x05, 2)),
        Just((0x06, 2)),
        Just((0x07, 4)),
        Just((0x08, 4)),
        Just((0x09, 8)),
        Just((0x0a, 8)),
        Just((0x0d, 4)),
        Just((0x0f, 16)),
        Just((0x10, 4)),
        Just((0x10, 8)),
        Just((0x11, 8)),
        Just((0x12, 16)),
        Just((0x14, 4)),
        Just((0x15, 8)),
    ];
    let scalar = fixed.prop_flat_map(|(kind, bytes)| sized(kind, bytes));
    let array = (
        prop_oneof![
            Just((0x83_u8, 1_usize)),
            Just((0x86, 2)),
            Just((0x87, 4)),
            Just((0x8a, 8)),
            Just((0x8f, 16)),
            Just((0x91, 8)),
            Just((0x94, 4)),
        ],
        0_usize..4,
    )
        .prop_flat_map(|((kind, bytes), items)| sized(kind, bytes * items));
    let text = ".{0,40}".prop_map(|text: String| (0x01, utf16(&text)));
    let texts = proptest::collection::vec("[^\0]{0,9}", 0..4).prop_map(|texts: Vec<String>| {
        let bytes = texts
            .iter()
            .flat_map(|text| [utf16(text), vec![0; 2]].concat());
        (0x81, bytes.collect())
    });
    let truth = (0_i32..3).prop_map(|truth| (0x0d, truth.to_le_bytes().to_vec()));
    let sid = proptest::collection::vec(any::<u32>(), 0..5).prop_map(|subs| {
        let count = u8::try_from(subs.len()).unwrap();
        let subs = subs.iter().flat_map(|sub| sub.to_le_bytes());
        let head = [1, count, 0, 0, 0, 0, 0, 5];
        (0x13, head.into_iter().chain(subs).collect())
    });
    // Dates that are dates, which random bytes never are.
    let date = (1601_u16..3000, 1_u16..14, 1_u16..32, 0_u16..25, 0_u16..61).prop_map(
        |(year, month, day, hour, minute)| {
            let fields = [year, month, 0, day, hour, minute, 59, 999];
            (
                0x12,
                fields.into_iter().flat_map(u16::to_le_bytes).collect(),
            )
        },
    );
    let recent = (100_000_000_000_000_000_u64..200_000_000_000_000_000)
        .prop_map(|ticks| (0x11, ticks.to_le_bytes().to_vec()));
    // As they are written by people: of two shortest texts for one number, either program may choose the other.
    let real = (-999_999_i32..999_999, -25_i32..25, any::<bool>()).prop_map(
        |(digits, exponent, double)| {
            let text = format!("{digits}e{exponent}");
            if double {
                (0x0c, text.parse::<f64>().unwrap().to_le_bytes().to_vec())
            } else {
                (0x0b, text.parse::<f32>().unwrap().to_le_bytes().to_vec())
            }
        },
    );
    let ansi = proptest::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| (0x02, bytes));
    let binary = proptest::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| (0x0e, bytes));
    prop_oneof![
        Just((0x00, Vec::new())),
        scalar,
        array,
        text,
        texts,
        truth,
        sid,
        date,
        recent,
        real,
        ansi,
        binary
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn values_of_every_type_agree(
        values in proptest::collection::vec(typed(), 1..20),
    ) {
        let mut made = Made::new();
        made.record(|made| write_event(made, &values));
        let readings = Readings::of(&made.chunk(), &mut Decoder::default());
        prop_assert_eq!(readings.theirs.len(), 1);
        prop_assert_eq!(readings.differences(), Vec::<String>::new());
    }

    #[test]
    fn arrays_anywhere_agree(first in typed(), second in typed(), named in any::<bool>()) {
        // The crate tells names apart by their values: times that Windows shows alike are two names to it.
        prop_assume!(!named || !matches!(second.0 & 0x7f, 0x11 | 0x12));
        let mut made = Made::new();
        made.record(|made| write_user_event(made, &[first, second], named));
        let readings = Readings::of(&made.chunk(), &mut Decoder::default());
        prop_assert_eq!(readings.theirs.len(), 1);
        prop_assert_eq!(readings.differences(), Vec::<String>::new());
    }

    #[test]
    fn damage_loses_no_record_that_the_crate_reads(
        chosen in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        static CASES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
        let mut bytes = chosen.get(CASES.get_or_init(damaged_cases)).clone();
        for (at, byte) in changes {
            let at = FILE_HEADER_BYTES + at.index(bytes.len() - FILE_HEADER_BYTES);
            bytes[at] = byte;
        }
        let said = read_with(&EventLog, "C:\\Security.evtx", &bytes, &[]);
        let ours: BTreeSet<&str> = said
            .records
            .iter()
            .filter_map(|line| line.split(" | ").nth(1))
            .collect();
        for chunk in chunks(&bytes) {
            let mut readings = Readings::default();
            readings.read_theirs(chunk);
            for id in readings.theirs.keys() {
                let place = format!("record {id}");
                prop_assert!(ours.contains(place.as_str()), "{}", place);
            }
        }
    }
}

/// Values in elements of the provider's own, as attributes, and in text around them; the second may name data.
fn write_user_event(made: &mut Made, values: &[Typed], named: bool) {
    made.instance(
        |made| {
            made.element("Event", Some(0xffff), &[], |made| {
                made.element("System", Some(0xffff), &[], |made| {
                    made.element("EventID", Some(0xffff), &[], |made| made.place(0, true, 6));
                    made.element("Level", Some(1), &[], |made| made.text("4"));
                    let user = |made: &mut Made| made.place(1, true, 0x13);
                    made.element("Security", Some(0xffff), &[("UserID", &user)], |_| {});
                });
                made.element("UserData", Some(0xffff), &[], |made| {
                    made.element("Own", Some(0xffff), &[], |made| {
                        made.element("Part", Some(0xffff), &[], |made| made.place(0, false, 1));
                        let part = |made: &mut Made| made.place(1, false, 1);
                        made.element("Other", Some(0xffff), &[("part", &part)], |made| {
                            made.text("before ");
                            made.place(0, true, 1);
                        });
                        made.element("Deep", Some(0), &[], |made| {
                            made.element("Deeper", Some(0xffff), &[], |made| {
                                made.place(1, true, 1);
                            });
                        });
                    });
                });
                if named {
                    made.element("EventData", Some(0xffff), &[], |made| {
                        let name = |made: &mut Made| made.place(1, false, 1);
                        made.element("Data", Some(0xffff), &[("Name", &name)], |made| {
                            made.place(0, false, 1);
                        });
                        made.element("Data", Some(0xffff), &[], |made| made.text("unnamed"));
                    });
                }
            });
        },
        values,
    );
}

/// Logs whose damage is tried: two real ones where they are at hand, and one of made shapes.
fn damaged_cases() -> Vec<Vec<u8>> {
    let mut made = Made::new();
    for number in 0..20_u32 {
        let values = [
            (0x08, number.to_le_bytes().to_vec()),
            (0x01, utf16("whoami /all")),
            (
                0x81,
                [utf16("a"), vec![0; 2], utf16("b"), vec![0; 2]].concat(),
            ),
        ];
        made.record(|made| match number % 4 {
            0 => write_inline_event(made),
            1 => write_user_event(made, &values, true),
            _ => write_event(made, &values),
        });
    }
    let mut log = vec![0; FILE_HEADER_BYTES];
    log.extend(made.chunk());
    let mut cases = vec![log];
    cases.extend(
        real_logs()
            .into_iter()
            .filter(|(_, bytes)| bytes.len() < 100_000)
            .map(|(_, bytes)| bytes)
            .step_by(40),
    );
    cases
}

/// An event without any template, with elements in a value of another.
fn write_inline_event(made: &mut Made) {
    made.data.extend([0x0f, 1, 1, 0]);
    made.element("Event", None, &[], |made| {
        made.element("System", None, &[], |made| {
            let name = |made: &mut Made| made.text("P");
            made.element("Provider", None, &[("Name", &name)], |_| {});
            made.element("EventID", None, &[], |made| made.text("5"));
        });
        made.element("EventData", None, &[], |made| {
            let name = |made: &mut Made| made.text("CommandLine");
            made.element("Data", None, &[("Name", &name)], |made| {
                made.text("a ");
                made.data.extend([0x08, 0x26, 0]); // &
                made.text(" b");
            });
        });
    });
    made.data.push(0);
}

#[test]
fn elements_without_a_template_are_read() {
    let mut made = Made::new();
    made.record(write_inline_event);
    made.record(|made| {
        made.instance_around(
            |made| {
                made.element("Event", Some(0xffff), &[], |made| {
                    made.element("System", Some(0xffff), &[], |made| {
                        made.element("EventID", Some(0xffff), &[], |made| made.place(0, false, 6));
                    });
                    made.place(1, true, 0x21);
                });
            },
            &[(0x06, vec![9, 0])],
            &mut |made| {
                for (part, text) in [("UserData", "one"), ("RenderingInfo", "two")] {
                    made.element(part, None, &[], |made| {
                        made.element("Message", None, &[], |made| made.text(text));
                    });
                }
                made.data.push(0);
            },
        );
    });
    let chunk = made.chunk();
    let readings = Readings::of(&chunk, &mut Decoder::default());
    assert_eq!(readings.differences(), Vec::<String>::new());
    let shown: Vec<String> = readings
        .ours
        .values()
        .map(|fields| fields.join(" | "))
        .collect();
    expect![[r#"
        Provider_Name = Text("P") | EventID = Text("5") | CommandLine = Text("a & b") | event_id = Text("5") | provider = Text("P") | command = Text("a & b") | time = Some(2021-03-02T23:49:00Z)
        EventID = Unsigned(9) | Message = Text("one") | Message = Text("two") | event_id = Unsigned(9) | time = Some(2021-03-02T23:49:00Z)"#]].assert_eq(&shown.join("\n"));
}

/// Found by changing bytes at random: what a template in a value left behind must go with it, where more follows it.
#[test]
fn elements_behind_a_template_in_a_value_are_read() {
    let mut made = Made::new();
    made.record(|made| {
        made.instance_around(
            |made| {
                made.element("Event", Some(0xffff), &[], |made| {
                    made.element("System", Some(0xffff), &[], |made| {
                        made.element("EventID", Some(0xffff), &[], |made| made.place(0, false, 6));
                    });
                    made.place(1, true, 0x21);
                });
            },
            &[(0x06, vec![9, 0])],
            &mut |made| {
                made.instance_around(
                    |made| {
                        made.element("UserData", Some(0xffff), &[], |made| {
                            made.place(0, false, 0x21);
                        });
                    },
                    &[],
                    &mut |made| {
                        made.element("Own", None, &[], |made| {
                            made.element("Part", None, &[], |made| made.text("one"));
                        });
                        made.data.push(0);
                    },
                );
                made.data.pop(); // the end of the stream
                made.element("RenderingInfo", None, &[], |made| {
                    made.element("Message", None, &[], |made| made.text("two"));
                });
                made.data.push(0);
            },
        );
    });
    let readings = Readings::of(&made.chunk(), &mut Decoder::default());
    assert_eq!(readings.differences(), Vec::<String>::new());
    let shown: Vec<String> = readings.ours.into_values().flatten().collect();
    expect![[r#"EventID = Unsigned(9) | Part = Text("one") | Message = Text("two") | event_id = Unsigned(9) | time = Some(2021-03-02T23:49:00Z)"#]].assert_eq(&shown.join(" | "));
}

#[test]
fn templates_are_compiled_once_and_told_apart_by_their_definition() {
    let value = |text: &str| vec![(0x01, utf16(text))];
    let mut first = Made::new();
    first.record(|made| write_event(made, &value("a")));
    first.record(|made| write_event(made, &value("b")));
    let mut second = Made::new();
    second.record(write_inline_event);
    second.record(|made| write_event(made, &value("c")));
    let mut renamed = Made::new();
    renamed.record(|made| write_event(made, &value("d")));
    // The same GUID, and another name for the value.
    let place = memchr::memmem::find(&renamed.data, &utf16("v0")).unwrap();
    renamed.data[place] = b'w';
    let mut decoder = Decoder::default();
    let mut shown = Vec::new();
    for made in [first, second, renamed] {
        let readings = Readings::of(&made.chunk(), &mut decoder);
        assert_eq!(readings.differences(), Vec::<String>::new());
        shown.extend(readings.ours.values().map(|fields| fields.join(" | ")));
    }
    // Two templates, and the structure of the event without one.
    assert_eq!(decoder.definition_count(), 3);
    expect![[r#"
        EventID = Text("7") | v0 = Text("a") | event_id = Text("7") | time = Some(2021-03-02T23:49:00Z)
        EventID = Text("7") | v0 = Text("b") | event_id = Text("7") | time = Some(2021-03-02T23:49:00Z)
        Provider_Name = Text("P") | EventID = Text("5") | CommandLine = Text("a & b") | event_id = Text("5") | provider = Text("P") | command = Text("a & b") | time = Some(2021-03-02T23:49:00Z)
        EventID = Text("7") | v0 = Text("c") | event_id = Text("7") | time = Some(2021-03-02T23:49:00Z)
        EventID = Text("7") | w0 = Text("d") | event_id = Text("7") | time = Some(2021-03-02T23:49:00Z)"#]].assert_eq(&shown.join("\n"));
}

#[test]
fn template_with_thousands_of_fields_is_bounded() {
    let mut made = Made::new();
    made.record(|made| {
        made.instance(
            |made| {
                made.element("Event", Some(0xffff), &[], |made| {
                    made.element("EventData", Some(0xffff), &[], |made| {
                        for _ in 0..500 {
                            made.element("Data", Some(0xffff), &[], |made| made.text("x"));
                        }
                    });
                });
            },
            &[],
        );
    });
    // Tiny records of the same template.
    let definition = u32::try_from(made.starts[0] + 24 + 4 + 10).unwrap();
    for _ in 0..600 {
        made.record(|made| {
            made.data.extend([0x0f, 1, 1, 0, 0x0c, 1, 1, 2, 3, 4]);
            made.data.extend(definition.to_le_bytes());
            made.data.extend([0; 5]);
        });
    }
    let chunk = made.chunk();
    let mut decoder = ChunkDecoder::default();
    let mut decoded = 0;
    let left = decoder.events(&chunk, &mut |_event| decoded += 1);
    assert_eq!(decoded + left, 601);
    expect!["259"].assert_eq(&decoded.to_string());
    // The crate is asked for the rest, which has bounds of its own.
    assert_eq!(decoder.records(&chunk, &mut |_record| ()), 0);
}

#[test]
fn a_chunk_header_alone_is_no_record() {
    let readings = Readings::of(&vec![0; CHUNK_HEADER_BYTES], &mut Decoder::default());
    assert!(readings.ours.is_empty() && readings.theirs.is_empty());
}
