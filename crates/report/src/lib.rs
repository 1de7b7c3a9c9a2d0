//! Renders a [`model::report::Report`] as text, Markdown, HTML, JSON and NDJSON.
//!
//! Everything that comes from evidence is hostile, so each way out makes it harmless at one choke point: characters
//! that steer a terminal, reorder text or cannot be seen become visible escapes such as `<U+001B>`; HTML and Markdown
//! are escaped on top of that. In JSON they become `\u` escapes, so that nothing is lost.
//!
//! The same report gives the same bytes. This crate does not know where a report came from, and reads no clock.
//!
//! ```
//! # let report = model::report::Report {
//! #     schema: model::report::SCHEMA.into(), as_of: None, packs: vec![], hosts: vec![], findings: vec![],
//! #     gaps: vec![], accounting: model::Accounting::default(), not_looked_at: vec![],
//! # };
//! let mut page = Vec::new();
//! report::text(&report, &report::TextOptions::default(), &mut page)?;
//! assert!(String::from_utf8(page).expect("text is UTF-8").contains("NOTHING WAS EXAMINED"));
//! # Ok::<(), std::io::Error>(())
//! ```

mod escape;
mod html;
mod json;
mod lane;
mod markdown;
mod sheet;
mod text;
mod view;
mod width;
mod words;

pub use escape::{spreadsheet_cell, visible};
pub use html::{html, page};
pub use json::{json, json_line, json_value, ndjson};
pub use markdown::markdown;
pub use sheet::{Block, Sheet, sheet_html, sheet_pdf};
pub use text::{TextOptions, diff, text};
