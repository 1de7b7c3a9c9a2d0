//! One value of an answer as text or JSON.

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array,
    Int64Array, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::{Map, Value};

/// The value as text; `None` where it is absent. Times are RFC 3339; lists and maps are JSON.
pub(crate) fn text(column: &ArrayRef, row: usize) -> Option<String> {
    match json_value(column, row) {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

/// The value as JSON. What JSON has no form for (times, decimals, numbers without end) is text.
pub(crate) fn json_value(column: &ArrayRef, row: usize) -> Value {
    if column.is_null(row) || row >= column.len() {
        return Value::Null;
    }
    macro_rules! number {
        ($array:ty) => {
            column
                .as_any()
                .downcast_ref::<$array>()
                .map_or(Value::Null, |values| Value::from(values.value(row)))
        };
    }
    macro_rules! float {
        ($array:ty) => {
            match column
                .as_any()
                .downcast_ref::<$array>()
                .map(|values| f64::from(values.value(row)))
            {
                Some(number) if number.is_finite() => Value::from(number),
                Some(number) => Value::from(number.to_string()),
                None => Value::Null,
            }
        };
    }
    match column.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => Value::Bool(column.as_boolean().value(row)),
        DataType::Int8 => number!(Int8Array),
        DataType::Int16 => number!(Int16Array),
        DataType::Int32 => number!(Int32Array),
        DataType::Int64 => number!(Int64Array),
        DataType::UInt8 => number!(UInt8Array),
        DataType::UInt16 => number!(UInt16Array),
        DataType::UInt32 => number!(UInt32Array),
        DataType::UInt64 => number!(UInt64Array),
        DataType::Float32 => float!(Float32Array),
        DataType::Float64 => float!(Float64Array),
        DataType::Utf8 => column.as_string::<i32>().value(row).into(),
        DataType::LargeUtf8 => column.as_string::<i64>().value(row).into(),
        DataType::Utf8View => column.as_string_view().value(row).into(),
        DataType::List(_) => list(&column.as_list::<i32>().value(row)),
        DataType::LargeList(_) => list(&column.as_list::<i64>().value(row)),
        DataType::FixedSizeList(..) => list(&column.as_fixed_size_list().value(row)),
        DataType::Map(..) => {
            let entries = column.as_map().value(row);
            map(entries.column(0), entries.column(1))
        }
        DataType::Struct(fields) => {
            let values = column.as_struct();
            let of = |at: usize| json_value(values.column(at), row);
            fields
                .iter()
                .enumerate()
                .map(|(at, field)| (field.name().clone(), of(at)))
                .collect()
        }
        _ => ArrayFormatter::try_new(column.as_ref(), &FormatOptions::default())
            .and_then(|formatter| formatter.value(row).try_to_string())
            .map_or(Value::Null, Value::String),
    }
}

fn list(values: &ArrayRef) -> Value {
    (0..values.len()).map(|at| json_value(values, at)).collect()
}

/// An object; a key that comes several times has the list of its values, so that nothing is lost.
fn map(keys: &ArrayRef, values: &ArrayRef) -> Value {
    let mut object: Map<String, Value> = Map::new();
    let mut repeated: Vec<String> = Vec::new();
    for at in 0..keys.len() {
        let key = text(keys, at).unwrap_or_default();
        let value = json_value(values, at);
        match object.get_mut(&key) {
            None => {
                object.insert(key, value);
            }
            Some(Value::Array(known)) if repeated.contains(&key) => known.push(value),
            Some(known) => {
                *known = Value::Array(vec![known.take(), value]);
                repeated.push(key);
            }
        }
    }
    Value::Object(object)
}
