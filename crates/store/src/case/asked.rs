//! What `query` reads of a case: rows of any table, and the store in which the objects lie.

use super::Case;
use crate::CaseError;
use futures_util::TryStreamExt;
use object_store::ObjectStore;
use sqlx::any::{AnyRow, AnyTypeInfoKind};
use sqlx::{AssertSqlSafe, Row, ValueRef};
use std::sync::Arc;

/// One value of a row of any table.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Text(String),
    Whole(i64),
    Real(f64),
}

impl Case {
    /// Gives these columns of every row of a table to `visit`, until that says `false`. The names are the caller's own text,
    /// of small letters, digits and underscores.
    pub fn each_row(
        &self,
        table: &str,
        columns: &[&str],
        visit: &mut dyn FnMut(&[Value]) -> bool,
    ) -> Result<(), CaseError> {
        let plain = |name: &str| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        if let Some(name) = columns.iter().chain([&table]).find(|name| !plain(name)) {
            return Err(CaseError::Unknown {
                what: "table or column",
                name: (*name).to_owned(),
            });
        }
        // Also where only the number of rows is asked for, every row must be one.
        let asked = if columns.is_empty() {
            "1".to_owned()
        } else {
            columns.join(", ")
        };
        let sql = format!("SELECT {asked} FROM {table}");
        self.ledger.read(async |connection| {
            let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(connection);
            while let Some(row) = rows.try_next().await? {
                let values: Vec<Value> = (0..columns.len())
                    .map(|at| value(&row, at))
                    .collect::<Result<_, _>>()?;
                if !visit(&values) {
                    break;
                }
            }
            Ok(())
        })
    }

    /// The store in which the objects lie, under the names that the ledger gives them.
    pub fn object_store(&self) -> Result<Arc<dyn ObjectStore>, CaseError> {
        self.objects.object_store()
    }
}

fn value(row: &AnyRow, at: usize) -> Result<Value, sqlx::Error> {
    let raw = row.try_get_raw(at)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let kind = raw.type_info().kind();
    Ok(match kind {
        AnyTypeInfoKind::Text => Value::Text(row.try_get(at)?),
        AnyTypeInfoKind::Real | AnyTypeInfoKind::Double => Value::Real(row.try_get(at)?),
        AnyTypeInfoKind::Bool => Value::Whole(i64::from(row.try_get::<bool, _>(at)?)),
        AnyTypeInfoKind::Null => Value::Null,
        AnyTypeInfoKind::SmallInt | AnyTypeInfoKind::Integer | AnyTypeInfoKind::BigInt => {
            Value::Whole(row.try_get(at)?)
        }
        AnyTypeInfoKind::Blob => {
            return Err(sqlx::Error::Decode(
                "a value is neither text nor number".into(),
            ));
        }
    })
}
