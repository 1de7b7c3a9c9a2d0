//! Brings an event in JSON to a flat list of fields, whichever program wrote it.
//!
//! Shapes: the tree of the event's XML (`{"Event":{"System":…}}`, as `evtx_dump` and the crate `evtx` write it), the same
//! without its root (Velociraptor), winlogbeat 7 and 6 (<https://www.elastic.co/guide/en/beats/winlogbeat/current/exported-fields-winlog.html>),
//! and flat ones (nxlog's `im_msvistalog`, <https://docs.nxlog.co/refman/current/im/msvistalog.html>, and the Mordor data sets).

use model::Value;
use serde::Deserializer as _;
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// More than any event has; stops an object of a million names.
const FIELDS_MAX: usize = 10_000;

/// Names of the `System` part. A value of an event's own data that has such a name gets the name of its part before it.
const SYSTEM_NAMES: [&str; 10] = [
    "EventID",
    "Version",
    "Level",
    "Task",
    "Opcode",
    "Keywords",
    "EventRecordID",
    "Channel",
    "Computer",
    "Provider_Name",
];

/// Names that exporters give to the fields of `System`, at the top of their objects.
const RENAMED_AT_TOP: [(&str, &str); 15] = [
    // winlogbeat 6
    ("event_id", "EventID"),
    ("log_name", "Channel"),
    ("source_name", "Provider_Name"),
    ("computer_name", "Computer"),
    ("record_number", "EventRecordID"),
    ("level", "Level"),
    ("message", "Message"),
    // NXLog
    ("Hostname", "Computer"),
    ("SourceName", "Provider_Name"),
    ("RecordNumber", "EventRecordID"),
    ("ProviderGuid", "Provider_Guid"),
    ("UserID", "Security_UserID"),
    ("ProcessID", "Execution_ProcessID"),
    ("ThreadID", "Execution_ThreadID"),
    ("ActivityID", "Correlation_ActivityID"),
];

/// The same below `winlog` of winlogbeat 7 and later.
const RENAMED_IN_WINLOG: [(&str, &str); 14] = [
    ("event_id", "EventID"),
    ("channel", "Channel"),
    ("provider_name", "Provider_Name"),
    ("provider_guid", "Provider_Guid"),
    ("computer_name", "Computer"),
    ("record_id", "EventRecordID"),
    ("version", "Version"),
    ("opcode", "Opcode"),
    ("task", "Task"),
    ("keywords", "Keywords"),
    ("activity_id", "Correlation_ActivityID"),
    ("process.pid", "Execution_ProcessID"),
    ("process.thread.id", "Execution_ThreadID"),
    ("user.identifier", "Security_UserID"),
];

/// One event as a flat list of fields.
#[derive(Debug, Default)]
pub(crate) struct Event<'j> {
    pub(crate) fields: Vec<(Cow<'j, str>, Value<'j>)>,
}

impl<'j> Event<'j> {
    /// Reads one JSON object; the error is a fixed phrase for the count of rejected records.
    pub(crate) fn parse(json: &'j str) -> Result<Self, &'static str> {
        let mut flattener = Flattener::default();
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let read = deserializer
            .deserialize_map(Node {
                flattener: &mut flattener,
                list: None,
            })
            .and_then(|()| deserializer.end());
        if flattener.overflow {
            return Err("too many fields");
        }
        if read.is_err() {
            return Err("not a JSON object");
        }
        Ok(flattener.finish())
    }

    /// The value of the field of exactly this name; several of one name are a list.
    pub(crate) fn exact(&self, name: &str) -> Option<Value<'_>> {
        let mut named = self.fields.iter().filter(|(known, _)| known == name);
        let (_, first) = named.next()?;
        let Some((_, second)) = named.next() else {
            return Some(borrowed(first));
        };
        let mut all = vec![borrowed(first), borrowed(second)];
        all.extend(named.map(|(_, value)| borrowed(value)));
        Some(Value::List(all))
    }

    /// The text of a field, where it has one that is not empty.
    pub(crate) fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        let (_, value) = self.fields.iter().find(|(known, _)| known == name)?;
        let text = value.to_text();
        (!text.is_empty()).then_some(text)
    }

    /// The number in a field.
    pub(crate) fn unsigned(&self, name: &str) -> Option<u64> {
        let (_, value) = self.fields.iter().find(|(known, _)| known == name)?;
        value.to_unsigned()
    }

    /// All fields as one JSON object.
    pub(crate) fn to_json(&self) -> String {
        let mut object = serde_json::Map::new();
        for (name, _) in &self.fields {
            if !object.contains_key(name.as_ref())
                && let Some(value) = self.exact(name)
            {
                object.insert(name.to_string(), json_of(&value));
            }
        }
        serde_json::Value::Object(object).to_string()
    }
}

/// The same value without its text copied.
pub(crate) fn borrowed<'a>(value: &'a Value<'_>) -> Value<'a> {
    match value {
        Value::Text(text) => Value::Text(Cow::Borrowed(text)),
        Value::Integer(number) => Value::Integer(*number),
        Value::Unsigned(number) => Value::Unsigned(*number),
        Value::Float(number) => Value::Float(*number),
        Value::Boolean(value) => Value::Boolean(*value),
        Value::Null => Value::Null,
        Value::List(values) => Value::List(values.iter().map(borrowed).collect()),
    }
}

pub(crate) fn json_of(value: &Value<'_>) -> serde_json::Value {
    match value {
        Value::Text(text) => serde_json::Value::String(text.to_string()),
        Value::Integer(number) => (*number).into(),
        Value::Unsigned(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::Boolean(value) => (*value).into(),
        Value::Null => serde_json::Value::Null,
        Value::List(values) => values.iter().map(json_of).collect(),
    }
}

/// What the name of a leaf of the tree says about it.
pub(crate) enum Naming<'j> {
    Field(Cow<'j, str>),
    /// A `<Data>` without a name.
    Unnamed,
    /// A namespace or other part of the notation.
    Notation,
}

/// Collects the leaves of one event.
#[derive(Default)]
struct Flattener<'j> {
    /// Keys from the root to the value at hand.
    path: Vec<Cow<'j, str>>,
    fields: Vec<(Cow<'j, str>, Value<'j>)>,
    /// Values of `<Data>` without a name, in order.
    unnamed: Vec<Value<'j>>,
    /// List elements and fields so far.
    values: usize,
    overflow: bool,
}

impl<'j> Flattener<'j> {
    /// Counts a value; false where there are too many.
    fn admit(&mut self) -> bool {
        self.values += 1;
        self.overflow |= self.values > FIELDS_MAX;
        !self.overflow
    }

    fn leaf(&mut self, value: Value<'j>) {
        // `<Correlation/>` and `<Security/>` say nothing.
        if value == Value::Null && self.path.iter().any(|part| part == "System") {
            return;
        }
        match naming(&self.path) {
            Naming::Field(name) => self.fields.push((name, value)),
            Naming::Unnamed => match value {
                Value::List(values) => self.unnamed.extend(values),
                value => self.unnamed.push(value),
            },
            Naming::Notation => {}
        }
    }

    /// Whether the value at hand is the `Data` of an event's own data, whose objects may carry their names inside.
    fn in_data(&self) -> bool {
        matches!(self.path.as_slice(), [.., part, data] if data == "Data" && part == "EventData")
    }

    fn finish(mut self) -> Event<'j> {
        self.add_unnamed();
        self.add_level();
        Event {
            fields: self.fields,
        }
    }

    /// `Data` holds all values without a name; `Data_1` and so on hold each.
    fn add_unnamed(&mut self) {
        for (position, value) in self.unnamed.iter().enumerate() {
            let name = format!("Data_{}", position + 1);
            self.fields.push((name.into(), value.clone()));
        }
        let all = match self.unnamed.len() {
            0 => return,
            1 => self.unnamed.remove(0),
            _ => Value::List(std::mem::take(&mut self.unnamed)),
        };
        self.fields.push(("Data".into(), all));
    }

    /// Exporters write the level as a word, or only nxlog's `EventType`.
    fn add_level(&mut self) {
        if let Some((_, value)) = self.fields.iter_mut().find(|(name, _)| name == "Level") {
            if let Some(level) = level_of_word(&value.to_text()) {
                *value = Value::Unsigned(level);
            }
            return;
        }
        let event_type = self.fields.iter().find(|(name, _)| name == "EventType");
        if let Some(level) = event_type.and_then(|(_, value)| level_of_word(&value.to_text())) {
            self.fields.push(("Level".into(), Value::Unsigned(level)));
        }
    }
}

/// Windows' number for a level's name; audits are written with level 0.
fn level_of_word(word: &str) -> Option<u64> {
    Some(match word.to_ascii_lowercase().as_str() {
        "audit_success" | "audit_failure" | "log always" => 0,
        "critical" => 1,
        "error" => 2,
        "warning" => 3,
        "information" | "info" => 4,
        "verbose" => 5,
        _ => return None,
    })
}

/// The field's name for a leaf at `path`.
pub(crate) fn naming<'j>(path: &[Cow<'j, str>]) -> Naming<'j> {
    let Some((root, below)) = path.split_first() else {
        return Naming::Notation;
    };
    match (root.as_ref(), below) {
        // As Elasticsearch gives documents back.
        ("_source", [_, ..]) => naming(below),
        ("Event", [part, below @ ..]) => match part.as_ref() {
            "System" => system(below),
            "EventData" => data("EventData", below),
            "UserData" => user_data(below),
            "RenderingInfo" => rendering(below),
            "#attributes" => Naming::Notation,
            part if part.ends_with("_attributes") || part.contains("xmlns") => Naming::Notation,
            _ => Naming::Field(joined(&path[1..], "_")),
        },
        ("System", [_, ..]) => system(below),
        ("EventData" | "event_data", [_, ..]) => data("EventData", below),
        ("UserData", [_, ..]) => user_data(below),
        ("user_data", [_, ..]) => data("UserData", below),
        ("winlog", [part, below @ ..]) => match part.as_ref() {
            "event_data" if !below.is_empty() => data("EventData", below),
            "user_data" if !below.is_empty() => data("UserData", below),
            _ => winlog(&path[1..]),
        },
        ("log", [part]) if part == "level" => Naming::Field("Level".into()),
        (_, []) => Naming::Field(renamed(&RENAMED_AT_TOP, root.clone())),
        _ => Naming::Field(joined(path, ".")),
    }
}

fn system<'j>(below: &[Cow<'j, str>]) -> Naming<'j> {
    match below {
        [name] => Naming::Field(name.clone()),
        [name, text] if text == "#text" || text == "Value" => Naming::Field(name.clone()),
        [name, attribute] => Naming::Field(attribute_name(name, attribute)),
        [name, attributes, attribute] if attributes == "#attributes" => {
            Naming::Field(attribute_name(name, attribute))
        }
        _ => Naming::Field(joined(below, "_")),
    }
}

/// `Provider` and `Name` are `Provider_Name`; the crate `evtx` can also write `Provider_attributes`.
fn attribute_name<'j>(name: &str, attribute: &str) -> Cow<'j, str> {
    let name = name.strip_suffix("_attributes").unwrap_or(name);
    let attribute = attribute.strip_prefix('@').unwrap_or(attribute);
    format!("{name}_{attribute}").into()
}

fn data<'j>(part: &str, below: &[Cow<'j, str>]) -> Naming<'j> {
    match below {
        [attributes, attribute] if attributes == "#attributes" => {
            if attribute.contains("xmlns") {
                return Naming::Notation;
            }
            Naming::Field(format!("{part}_{attribute}").into())
        }
        [text] if text == "#text" => Naming::Unnamed,
        [name] | [name, _] if name == "Data" && is_text(below) => Naming::Unnamed,
        [name] if is_positional(name) => Naming::Unnamed,
        [name] => Naming::Field(own_name(part, name)),
        [name, text] if text == "#text" => Naming::Field(own_name(part, name)),
        _ => Naming::Field(joined(below, "_")),
    }
}

/// `Data` itself, or its text.
fn is_text(below: &[Cow<'_, str>]) -> bool {
    matches!(below, [_]) || matches!(below, [_, text] if text == "#text")
}

/// winlogbeat calls values without a name `param1`, `param2`, ….
fn is_positional(name: &str) -> bool {
    name.strip_prefix("param")
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// The name of a value of an event's own data, kept apart from the names of `System`.
fn own_name<'j>(part: &str, name: &Cow<'j, str>) -> Cow<'j, str> {
    if SYSTEM_NAMES.contains(&name.as_ref()) {
        format!("{part}_{name}").into()
    } else {
        name.clone()
    }
}

/// Below `UserData` stands one element of the provider's choice, whose children are the values.
fn user_data<'j>(below: &[Cow<'j, str>]) -> Naming<'j> {
    match below {
        [] => Naming::Notation,
        [name] => {
            if name == "#attributes" || name.contains("xmlns") {
                return Naming::Notation;
            }
            Naming::Field(own_name("UserData", name))
        }
        [_, below @ ..] => match below {
            [attributes, attribute]
                if attributes == "#attributes" && attribute.contains("xmlns") =>
            {
                Naming::Notation
            }
            [name] if name.contains("xmlns") => Naming::Notation,
            _ => data("UserData", below),
        },
    }
}

fn rendering<'j>(below: &[Cow<'j, str>]) -> Naming<'j> {
    match below {
        [message] if message == "Message" => Naming::Field(message.clone()),
        [] => Naming::Notation,
        [attributes, ..] if attributes == "#attributes" => Naming::Notation,
        _ => Naming::Field(format!("RenderingInfo_{}", joined(below, "_")).into()),
    }
}

fn winlog<'j>(below: &[Cow<'j, str>]) -> Naming<'j> {
    let name = joined(below, ".");
    let known = RENAMED_IN_WINLOG.iter().find(|(theirs, _)| *theirs == name);
    Naming::Field(match known {
        Some((_, ours)) => Cow::Borrowed(*ours),
        None => format!("winlog.{name}").into(),
    })
}

fn renamed<'j>(table: &[(&str, &'static str)], name: Cow<'j, str>) -> Cow<'j, str> {
    let known = table.iter().find(|(theirs, _)| *theirs == name);
    known.map_or(name, |(_, ours)| Cow::Borrowed(*ours))
}

fn joined<'j>(path: &[Cow<'j, str>], separator: &str) -> Cow<'j, str> {
    match path {
        [only] => only.clone(),
        _ => path
            .iter()
            .map(|part| part.trim_start_matches(['@', '#']))
            .collect::<Vec<_>>()
            .join(separator)
            .into(),
    }
}

/// One value of the tree: a leaf of the event or, with `list`, an element of an array.
struct Node<'a, 'j> {
    flattener: &'a mut Flattener<'j>,
    list: Option<&'a mut Vec<Value<'j>>>,
}

impl<'j> Node<'_, 'j> {
    fn take<E: de::Error>(self, value: Value<'j>) -> Result<(), E> {
        if !self.flattener.admit() {
            return Err(E::custom("too many fields"));
        }
        match self.list {
            Some(list) => list.push(value),
            None => self.flattener.leaf(value),
        }
        Ok(())
    }
}

impl<'j> DeserializeSeed<'j> for Node<'_, 'j> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'j>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'j> Visitor<'j> for Node<'_, 'j> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.take(Value::Boolean(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.take(Value::Integer(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.take(Value::Unsigned(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        self.take(Value::Float(value))
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.take(Value::Null)
    }

    fn visit_borrowed_str<E: de::Error>(self, value: &'j str) -> Result<(), E> {
        self.take(Value::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<(), E> {
        self.take(Value::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'j>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { flattener, list } = self;
        let mut own = Vec::new();
        let into = match list {
            Some(list) => list,
            None => &mut own,
        };
        while seq
            .next_element_seed(Node {
                flattener: &mut *flattener,
                list: Some(&mut *into),
            })?
            .is_some()
        {}
        if !own.is_empty() {
            flattener.leaf(Value::List(own));
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'j>>(self, mut map: A) -> Result<(), A::Error> {
        let flattener = self.flattener;
        if flattener.in_data() {
            return named_data(flattener, map);
        }
        while let Some(key) = map.next_key_seed(Key)? {
            flattener.path.push(key);
            map.next_value_seed(Node {
                flattener: &mut *flattener,
                list: None,
            })?;
            flattener.path.pop();
        }
        Ok(())
    }
}

/// `{"@Name": "TargetUserName", "#text": "bob"}` below `Data`, as programs write that only know XML.
fn named_data<'j, A: MapAccess<'j>>(
    flattener: &mut Flattener<'j>,
    mut map: A,
) -> Result<(), A::Error> {
    let mut name = None;
    let mut values = Vec::new();
    while let Some(key) = map.next_key_seed(Key)? {
        let mut found = Vec::new();
        // Objects inside (`#attributes`) come out as fields of their own; take the name back from there.
        let fields_before = flattener.fields.len();
        flattener.path.push(key.clone());
        map.next_value_seed(Node {
            flattener: &mut *flattener,
            list: Some(&mut found),
        })?;
        flattener.path.pop();
        for (inner, value) in flattener
            .fields
            .split_off(fields_before.min(flattener.fields.len()))
        {
            if inner.ends_with("Name") {
                name = Some(value.to_text().into_owned());
            }
        }
        match key.as_ref() {
            "@Name" | "Name" => {
                name = found.first().map(|value| value.to_text().into_owned());
            }
            _ => values.append(&mut found),
        }
    }
    let Some(name) = name else {
        flattener.unnamed.append(&mut values);
        return Ok(());
    };
    let value = match values.len() {
        0 => Value::Null,
        1 => values.remove(0),
        _ => Value::List(values),
    };
    let name = own_name("EventData", &Cow::Owned(name));
    flattener.fields.push((name, value));
    Ok(())
}

/// A key, borrowed where it has no escapes.
struct Key;

impl<'j> DeserializeSeed<'j> for Key {
    type Value = Cow<'j, str>;

    fn deserialize<D: de::Deserializer<'j>>(
        self,
        deserializer: D,
    ) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'j> Visitor<'j> for Key {
    type Value = Cow<'j, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E: de::Error>(self, value: &'j str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(value.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    #[expect(clippy::needless_pass_by_value, reason = "expect! makes a value")]
    fn check(json: &str, expected: Expect) {
        let text = match Event::parse(json) {
            Ok(event) => event.to_json(),
            Err(reason) => reason.to_owned(),
        };
        expected.assert_eq(&text);
    }

    #[test]
    fn the_tree_of_the_xml_becomes_flat() {
        check(
            r##"{"Event":{"#attributes":{"xmlns":"http://x"},"System":{"Provider":{"#attributes":{"Name":"P","Guid":"{G}"}},
            "EventID":{"#attributes":{"Qualifiers":16384},"#text":7},"Level":4,"Correlation":null,
            "TimeCreated":{"#attributes":{"SystemTime":"2021-03-03T06:49:00Z"}},"Channel":"System"},
            "EventData":{"#attributes":{"Name":"Template"},"Data":{"#text":["a","b"]},"Binary":"00","Level":"high"}}}"##,
            expect![[
                r#"{"Provider_Name":"P","Provider_Guid":"{G}","EventID_Qualifiers":16384,"EventID":7,"Level":4,"TimeCreated_SystemTime":"2021-03-03T06:49:00Z","Channel":"System","EventData_Name":"Template","Binary":"00","EventData_Level":"high","Data_1":"a","Data_2":"b","Data":["a","b"]}"#
            ]],
        );
    }

    #[test]
    fn user_data_loses_the_element_that_wraps_it() {
        check(
            r##"{"Event":{"System":{"EventID":104,"Channel":"System"},"UserData":{"LogFileCleared":{"#attributes":{"xmlns":"http://x"},
            "SubjectUserName":"bob","Channel":"Application","Deep":{"Part":1}}}}}"##,
            expect![[
                r#"{"EventID":104,"Channel":"System","SubjectUserName":"bob","UserData_Channel":"Application","Deep_Part":1}"#
            ]],
        );
    }

    #[test]
    fn winlogbeat_old_and_new_give_the_same_names() {
        check(
            r#"{"@timestamp":"2021-03-14T01:40:12.987Z","winlog":{"channel":"Security","event_id":4688,"record_id":7,"computer_name":"MX",
            "event_data":{"CommandLine":"whoami","param1":"x"},"process":{"pid":4}},"log":{"level":"information"},"host":{"name":"mx"},"message":"text"}"#,
            expect![[
                r#"{"@timestamp":"2021-03-14T01:40:12.987Z","Channel":"Security","EventID":4688,"EventRecordID":7,"Computer":"MX","CommandLine":"whoami","Execution_ProcessID":4,"Level":4,"host.name":"mx","Message":"text","Data_1":"x","Data":"x"}"#
            ]],
        );
        check(
            r#"{"log_name":"Security","event_id":4688,"record_number":"7","computer_name":"MX","level":"Information","event_data":{"CommandLine":"whoami"}}"#,
            expect![[
                r#"{"Channel":"Security","EventID":4688,"EventRecordID":"7","Computer":"MX","Level":4,"CommandLine":"whoami"}"#
            ]],
        );
    }

    #[test]
    fn flat_exports_and_bare_trees_give_the_same_names() {
        check(
            r#"{"EventTime":"2021-03-14 01:40:12","Hostname":"MX","EventType":"ERROR","EventID":4,"SourceName":"P","Channel":"Application","RecordNumber":9}"#,
            expect![[
                r#"{"EventTime":"2021-03-14 01:40:12","Computer":"MX","EventType":"ERROR","EventID":4,"Provider_Name":"P","Channel":"Application","EventRecordID":9,"Level":2}"#
            ]],
        );
        check(
            r#"{"System":{"Provider":{"Name":"P"},"EventID":{"Value":1},"TimeCreated":{"SystemTime":1615685852.5}},"EventData":{"Image":"c"},"Message":"m"}"#,
            expect![[
                r#"{"Provider_Name":"P","EventID":1,"TimeCreated_SystemTime":1615685852.5,"Image":"c","Message":"m"}"#
            ]],
        );
    }

    #[test]
    fn data_may_carry_its_name_inside() {
        check(
            r##"{"Event":{"System":{"EventID":"4688"},"EventData":{"Data":[{"@Name":"CommandLine","#text":"whoami"},
            {"#text":"v","#attributes":{"Name":"NewProcessName"}},{"@Name":"Empty"},"plain"]}}}"##,
            expect![[
                r#"{"EventID":"4688","CommandLine":"whoami","NewProcessName":"v","Empty":null,"Data_1":"plain","Data":"plain"}"#
            ]],
        );
    }

    #[test]
    fn names_that_come_twice_are_a_list() {
        check(
            r#"{"EventID":1,"Image":"a","Image":"b"}"#,
            expect![[r#"{"EventID":1,"Image":["a","b"]}"#]],
        );
    }

    #[test]
    fn hostile_objects_are_refused() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(5_000), "]".repeat(5_000));
        check(&deep, expect!["not a JSON object"]);
        let many = format!("{{\"a\":[{}1]}}", "1,".repeat(FIELDS_MAX));
        check(&many, expect!["too many fields"]);
        check("[1]", expect!["not a JSON object"]);
        check("{\"a\":1} x", expect!["not a JSON object"]);
        check("{\"a\":", expect!["not a JSON object"]);
    }
}
