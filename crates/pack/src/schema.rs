//! The forms of a pack's files as schemas for editors, made from the types that read them: `docs/schema/pack/`.
//!
//! YAML files have a [JSON Schema](https://json-schema.org/draft/2020-12), tables a description of their columns in the form of
//! [CSV on the Web](https://www.w3.org/TR/tabular-metadata/). `UPDATE_EXPECT=1` writes them anew.

use crate::examples::ExampleFile;
use crate::files::PackFiles;
use crate::indicators::{INDICATOR_COLUMNS, INDICATOR_TYPES};
use crate::load::VULNERABILITY_COLUMNS;
use crate::types::{AnalysisRule, Indicator, Manifest, Need, Remediation, Vulnerability};
use expect_test::expect_file;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema, schema_for};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

/// A build of three or four parts.
const BUILD: &str = r"^\d+\.\d+\.\d+(\.\d+)?$";

/// A point in time with its offset.
pub(crate) fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "date-time"})
}

/// A build.
pub(crate) fn build(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": BUILD})
}

/// Values of a record: what YAML writes without brackets.
pub(crate) fn plain_values(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
    })
}

fn yaml_schema<T: JsonSchema>(title: &str) -> Json {
    let mut schema = schema_for!(T);
    schema.insert("title".to_owned(), title.into());
    schema.to_value()
}

fn schemas() -> [(&'static str, Json); 5] {
    [
        (
            "pack",
            yaml_schema::<Manifest>("pack.yaml of an Allclear pack"),
        ),
        (
            "needs",
            yaml_schema::<Vec<Need>>("needs.yaml of an Allclear pack"),
        ),
        (
            "remediation",
            yaml_schema::<Remediation>("remediation.yaml of an Allclear pack"),
        ),
        (
            "analyses",
            yaml_schema::<Vec<AnalysisRule>>("analyses.yaml of an Allclear pack"),
        ),
        (
            "example",
            yaml_schema::<ExampleFile>("a document in examples/ of an Allclear pack"),
        ),
    ]
}

/// The columns of a table, in order, with what the type of its rows says about each.
fn table<Row: JsonSchema>(url: &str, columns: &[&str], formats: &[(&str, Json)]) -> Json {
    let schema = schema_for!(Row).to_value();
    let about = schema.get("description").cloned().unwrap_or_default();
    let columns: Vec<Json> = columns
        .iter()
        .map(|name| {
            let description = schema.pointer(&format!("/properties/{name}/description"));
            let description =
                description.unwrap_or_else(|| panic!("{url}: `{name}` is not described"));
            let mut column = Map::new();
            column.insert("name".to_owned(), json!(name));
            column.insert("titles".to_owned(), json!(name));
            column.insert("dc:description".to_owned(), description.clone());
            let format = formats.iter().find(|(of, _)| of == name);
            let datatype = format.map_or(json!("string"), |(_, format)| format.clone());
            column.insert("datatype".to_owned(), datatype);
            Json::Object(column)
        })
        .collect();
    json!({
        "@context": "http://www.w3.org/ns/csvw",
        "url": url,
        "dc:description": about,
        "tableSchema": {"columns": columns},
    })
}

fn tables() -> [(&'static str, Json); 2] {
    let types: Vec<&str> = INDICATOR_TYPES.iter().map(|(name, _)| *name).collect();
    [
        (
            "vulnerabilities",
            table::<Vulnerability>(
                "vulnerabilities.csv",
                VULNERABILITY_COLUMNS,
                &[
                    ("fixed", json!({"base": "string", "format": BUILD})),
                    (
                        "and_later_updates",
                        json!({"base": "string", "format": "yes|no"}),
                    ),
                    ("released", json!("date")),
                ],
            ),
        ),
        (
            "indicators",
            table::<Indicator>(
                "indicators.csv",
                INDICATOR_COLUMNS,
                &[
                    ("type", json!({"base": "string", "format": types.join("|")})),
                    (
                        "confidence",
                        json!({"base": "integer", "minimum": 1, "maximum": 10}),
                    ),
                    ("first_seen", json!("date")),
                ],
            ),
        ),
    ]
}

fn check(name: &str, schema: &Json) {
    let path = format!(
        "{}/../../docs/schema/pack/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = serde_json::to_string_pretty(schema).unwrap() + "\n";
    expect_file![path].assert_eq(&text);
}

#[test]
fn schemas_are_those_of_the_types() {
    for (name, schema) in schemas() {
        check(&format!("{name}.schema.json"), &schema);
    }
    for (name, table) in tables() {
        check(&format!("{name}.csv-metadata.json"), &table);
    }
}

/// The documents of a YAML file as JSON.
fn documents(bytes: &[u8]) -> Vec<Json> {
    let text = std::str::from_utf8(bytes).unwrap();
    let documents = serde_yaml_ng::Deserializer::from_str(text);
    documents
        .map(|document| Json::deserialize(document).unwrap())
        .filter(|document| !document.is_null())
        .collect()
}

#[test]
fn every_built_in_pack_is_valid_by_its_schemas() {
    for (name, schema) in schemas() {
        let validator = jsonschema::validator_for(&schema).unwrap();
        for pack in PackFiles::builtin() {
            let is_meant = |path: &str| match name {
                "example" => path.starts_with("examples/"),
                name => path == format!("{name}.yaml"),
            };
            for (path, bytes) in pack.files.iter().filter(|(path, _)| is_meant(path)) {
                for document in documents(bytes) {
                    let told: Vec<String> = validator
                        .iter_errors(&document)
                        .map(|error| error.to_string())
                        .collect();
                    assert!(told.is_empty(), "{}/{path}: {told:?}", pack.name);
                }
            }
        }
        let mut unknown = Map::new();
        unknown.insert("nosuch".to_owned(), json!(1));
        assert!(!validator.is_valid(&Json::Object(unknown)), "{name}");
    }
}
