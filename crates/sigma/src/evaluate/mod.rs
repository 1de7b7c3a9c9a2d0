//! Running compiled rules over events.

mod matcher;
mod source;
mod test;
mod value;

pub(crate) use matcher::fields_compare;
pub use matcher::{Match, Matcher};
pub(crate) use source::Source;
pub(crate) use test::holds_on_value;
pub use value::{FieldId, Fields, Value};
