//! Permanent event subscriptions in the repository of WMI (`System32\wbem\Repository\OBJECTS.DATA`): programs and scripts
//! that Windows starts when something happens.
//!
//! The repository's pages are not followed. The file is searched for instances of the classes that make a subscription,
//! which also finds deleted ones until they are written over; that is told in the field `found`. In an instance, texts
//! stand as a byte of zero, one byte for each character, and a zero. Classes and their properties:
//! <https://learn.microsoft.com/en-us/windows/win32/wmisdk/monitoring-and-responding-to-events-with-standard-consumers>.
//! Instances name their class only by a hash; but a binding names its filter and its consumer in full, and what they hold
//! stands beside their names.

use crate::simple_record::SimpleRecord;
use crate::{Artifact, Item, Match, Probe, Sink};
use evidence::Content;
use memchr::memmem;
use model::{At, Fact, GapKind, Persistence, PersistenceKind, SourceName};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

/// Bytes looked at together, and how far they overlap: an instance is shorter.
const WINDOW_BYTES: usize = 4 << 20;
const OVERLAP_BYTES: usize = 64 << 10;

/// How far from a consumer's name the filter of the same binding stands.
const BINDING_BYTES: usize = 1_024;

/// How far around a name the texts of its instance are looked for.
const INSTANCE_BYTES: usize = 16 << 10;

/// Names are cut by WMI at 255 characters or less.
const NAME_BYTES_MAX: usize = 256;

/// Bindings that are told; a host has a handful.
const BINDINGS_MAX: usize = 1_000;

/// Texts of one instance that are told.
const TEXTS_MAX: usize = 16;

const CONSUMER: &[u8] = b"EventConsumer.Name=\"";
const FILTER: &[u8] = b"__EventFilter.Name=\"";

/// The repository of WMI.
#[derive(Debug)]
pub(crate) struct WmiRepository;

impl Artifact for WmiRepository {
    fn kind(&self) -> &'static str {
        "windows.wmi"
    }

    fn recognise(&self, probe: &Probe<'_>) -> Match {
        let name = model::file_name(probe.path).to_ascii_lowercase();
        if name == "objects.data" {
            Match::Path
        } else {
            Match::No
        }
    }

    fn source(&self, _probe: &Probe<'_>) -> Option<SourceName> {
        Some(SourceName::new(self.kind()))
    }

    fn keeps_rhythm(&self) -> bool {
        false
    }

    fn read(&self, _item: &Item<'_>, content: &mut dyn Content, sink: &mut dyn Sink) {
        let mut bindings: BTreeMap<Binding, u64> = BTreeMap::new();
        let whole = windows(content, &mut |offset, window| {
            collect_bindings(offset, window, &mut bindings);
        });
        if !whole {
            let detail = "the repository cannot be read to its end";
            sink.gap(GapKind::Partial, At::Item, (None, None), detail);
        }
        if bindings.len() >= BINDINGS_MAX {
            let detail = "more subscriptions than are told";
            sink.gap(GapKind::Limit, At::Item, (None, None), detail);
        }
        let names: BTreeSet<String> = bindings
            .keys()
            .flat_map(|binding| [binding.consumer.clone(), binding.filter.clone()])
            .collect();
        let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        if !names.is_empty() {
            windows(content, &mut |_, window| {
                collect_texts(window, &names, &mut texts);
            });
        }
        let source = SourceName::new(self.kind());
        for (binding, offset) in &bindings {
            let of = |name: &str| texts.get(name).cloned().unwrap_or_default();
            let queries: Vec<String> = of(&binding.filter)
                .into_iter()
                .filter(|text| is_query(text))
                .collect();
            let actions: Vec<String> = of(&binding.consumer)
                .into_iter()
                .filter(|text| !is_query(text) && *text != binding.filter)
                .collect();
            let record = SimpleRecord::new(&source, At::Offset(*offset))
                .with("name", binding.consumer.as_str())
                .with("consumer", binding.class.as_str())
                .with("filter", binding.filter.as_str())
                .with("query", queries.join("; "))
                .with("command", actions.join("; "))
                .with("Destination", actions.join("; "))
                .with("found", "by its text, in use or deleted");
            sink.record(&record);
            sink.fact(
                At::Offset(*offset),
                Fact::Persistence(Persistence {
                    kind: PersistenceKind::WmiSubscription,
                    name: format!("{} {}", binding.class, binding.consumer),
                    command: actions.join("; "),
                    changed: None,
                    clock: String::new(),
                    author: String::new(),
                }),
            );
        }
    }
}

/// What joins a filter to a consumer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Binding {
    class: String,
    consumer: String,
    filter: String,
}

/// Shows the item in pieces that overlap; whether all of it could be read.
fn windows(content: &mut dyn Content, look: &mut dyn FnMut(u64, &[u8])) -> bool {
    let mut stream = content.stream();
    let mut window = Vec::new();
    let mut offset = 0;
    loop {
        let room = (WINDOW_BYTES - window.len()) as u64;
        let read = (&mut stream).take(room).read_to_end(&mut window);
        look(offset, &window);
        if read.is_err() {
            return false;
        }
        if window.len() < WINDOW_BYTES {
            return true;
        }
        let passed = window.len() - OVERLAP_BYTES;
        window.drain(..passed);
        offset += passed as u64;
    }
}

fn collect_bindings(offset: u64, window: &[u8], bindings: &mut BTreeMap<Binding, u64>) {
    for at in memmem::find_iter(window, CONSUMER) {
        if bindings.len() >= BINDINGS_MAX {
            return;
        }
        let Some(consumer) = quoted(window, at + CONSUMER.len()) else {
            continue;
        };
        // `CommandLineEventConsumer` and its like: letters before the word.
        let class_at = window[..at]
            .iter()
            .rposition(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')
            .map_or(0, |before| before + 1);
        let class = latin(&window[class_at..at + b"EventConsumer".len()]);
        let from = at.saturating_sub(BINDING_BYTES);
        let until = (at + BINDING_BYTES).min(window.len());
        let around = &window[from..until];
        let nearest = memmem::find_iter(around, FILTER)
            .min_by_key(|found| (from + found).abs_diff(at))
            .and_then(|found| quoted(around, found + FILTER.len()));
        let binding = Binding {
            class,
            consumer,
            filter: nearest.unwrap_or_default(),
        };
        bindings.entry(binding).or_insert(offset + at as u64);
    }
}

/// A name up to its closing quotation mark.
fn quoted(bytes: &[u8], at: usize) -> Option<String> {
    let rest = bytes.get(at..)?;
    let rest = &rest[..rest.len().min(NAME_BYTES_MAX)];
    let end = rest.iter().position(|byte| *byte == b'"')?;
    let name = latin(&rest[..end]);
    (!name.is_empty() && !name.chars().any(char::is_control)).then_some(name)
}

fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// Takes the texts of the instances that have one of these names.
fn collect_texts(
    window: &[u8],
    names: &BTreeSet<String>,
    texts: &mut BTreeMap<String, BTreeSet<String>>,
) {
    for name in names.iter().filter(|name| !name.is_empty()) {
        let Ok(mut wanted) = name
            .chars()
            .map(u8::try_from)
            .collect::<Result<Vec<u8>, _>>()
        else {
            continue;
        };
        wanted.insert(0, 0);
        wanted.push(0);
        for at in memmem::find_iter(window, &wanted) {
            let found = texts.entry(name.clone()).or_default();
            // Within an instance texts follow one another at once, each a zero, its characters and a zero.
            let before = instance_texts_before(window, at);
            let behind = instance_texts_behind(window, at + wanted.len());
            for text in before.into_iter().chain(behind) {
                if found.len() < TEXTS_MAX && text != *name && is_telling(&text) {
                    found.insert(text);
                }
            }
        }
    }
}

/// Texts that stand one behind the other from here on.
fn instance_texts_behind(window: &[u8], at: usize) -> Vec<String> {
    let end = (at + INSTANCE_BYTES).min(window.len());
    let mut texts = Vec::new();
    let mut at = at;
    while let Some(text) = text_at(window, at, end) {
        at += text.len() + 2;
        texts.push(text);
        if texts.len() >= TEXTS_MAX {
            break;
        }
    }
    texts
}

/// Texts that end, one behind the other, where this one begins.
fn instance_texts_before(window: &[u8], at: usize) -> Vec<String> {
    let mut texts = Vec::new();
    let mut end = at;
    while end > 1 && window[end - 1] == 0 && texts.len() < TEXTS_MAX {
        let from = end.saturating_sub(INSTANCE_BYTES);
        let Some(start) = window[from..end - 1].iter().rposition(|byte| *byte == 0) else {
            break;
        };
        let Some(text) = text_at(window, from + start, end) else {
            break;
        };
        texts.push(text);
        end = from + start;
    }
    texts
}

/// A zero, characters, and a zero.
fn text_at(window: &[u8], at: usize, end: usize) -> Option<String> {
    if *window.get(at)? != 0 {
        return None;
    }
    let rest = window.get(at + 1..end)?;
    let length = rest.iter().position(|byte| *byte == 0)?;
    let text = &rest[..length];
    let printable =
        |byte: &u8| (b' '..=0xfe).contains(byte) || matches!(byte, b'\t' | b'\r' | b'\n');
    (length > 0 && text.iter().all(printable)).then(|| latin(text))
}

/// Whether a text may be a query, a command or a script, and not a single mark.
fn is_telling(text: &str) -> bool {
    const CHARS_MIN: usize = 4;
    text.chars().count() >= CHARS_MIN && text != "root\\cimv2" && text != "WQL"
}

fn is_query(text: &str) -> bool {
    text.get(..7)
        .is_some_and(|start| start.eq_ignore_ascii_case("select "))
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::needless_raw_string_hashes,
        reason = "written so by expect-test"
    )]

    use crate::testing::check;
    use expect_test::expect;

    const PATH: &str = "C:\\Windows\\System32\\wbem\\Repository\\OBJECTS.DATA";

    fn repository() -> Vec<u8> {
        let mut bytes = vec![1; 100];
        bytes.extend(
            b"\x02\0Updater\0\0SELECT * FROM __InstanceModificationEvent WITHIN 60\0\0WQL\0\x03",
        );
        bytes.extend([1; 50]);
        bytes.extend(b"\x02\0C:\\ProgramData\\a.exe /x\0\0Runner\0\x03");
        bytes.extend([1; 50]);
        bytes.extend(
            b"\0\0CommandLineEventConsumer.Name=\"Runner\"\0\0__EventFilter.Name=\"Updater\"\0",
        );
        bytes.extend([1; 5_000]);
        bytes.extend(b"\0\0ActiveScriptEventConsumer.Name=\"Alone\"\0");
        bytes
    }

    #[test]
    fn subscriptions_are_told_with_what_they_run() {
        check(
            PATH,
            &repository(),
            &["*"],
            expect![[r#"
                kind: windows.wmi (by path)
                source: windows.wmi
                records: 2
                  - | byte 5389 | name=Alone | consumer=ActiveScriptEventConsumer | found=by its text, in use or deleted
                  - | byte 317 | name=Runner | consumer=CommandLineEventConsumer | filter=Updater | query=SELECT * FROM __InstanceModificationEvent WITHIN 60 | command=C:\\ProgramData\\a.exe /x | Destination=C:\\ProgramData\\a.exe /x | found=by its text, in use or deleted
                rejected: 0
                facts: 2
                  byte 5389 | {"fact":"persistence","kind":"wmi_subscription","name":"ActiveScriptEventConsumer Alone","command":"","changed":null,"author":""}
                  byte 317 | {"fact":"persistence","kind":"wmi_subscription","name":"CommandLineEventConsumer Runner","command":"C:\\ProgramData\\a.exe /x","changed":null,"author":""}
                gaps: 0
            "#]],
        );
    }

    #[test]
    fn damaged_names_are_no_subscriptions() {
        let mut bytes = repository();
        bytes.truncate(300);
        bytes.extend(b"EventConsumer.Name=\"never closed");
        check(
            PATH,
            &bytes,
            &["*"],
            expect![[r#"
            kind: windows.wmi (by path)
            source: windows.wmi
            records: 0
            rejected: 0
            facts: 0
            gaps: 0
        "#]],
        );
    }
}
