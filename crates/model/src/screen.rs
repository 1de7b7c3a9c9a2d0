//! Screening a text log block by block: rows in which nothing can be of interest are counted together, and only the
//! others are shown one by one.
//!
//! A reader knows the columns of its log, detection knows what it looks for; these traits are what they tell each
//! other. A screen may let too much pass, never too little.

use crate::{Record, SourceName, Timestamp};
use std::fmt::Debug;

/// The columns of a text log, as its head names them.
pub trait Columns: Debug + Send + Sync {
    /// Names of the columns in their order.
    fn names(&self) -> Vec<&str>;

    /// The columns that the value of a field is made of; empty where rows have no field of this name.
    fn of_field(&self, field: &str) -> Vec<usize>;

    /// Whether nearly every row has another text in this column, so that nothing is gained by remembering texts.
    fn varies(&self, column: usize) -> bool;

    /// A record of which only this column is known, or none. Fields that are made of other columns have no meaning
    /// in it.
    fn lone<'a>(&'a self, column: Option<usize>, raw: &'a [u8]) -> Box<dyn Record + 'a>;
}

/// What looks through the rows of a log with certain columns; one for all items with these columns.
pub trait Screen: Debug + Send + Sync {
    /// The last column that [`Screening::row`] looks at; `None` where it looks at none.
    fn last_column(&self) -> Option<usize>;

    /// Takes up what one thread works with; give it back with [`end`](Self::end), as it remembers what it saw.
    fn begin(&self) -> Box<dyn Screening>;

    /// Gives back what [`begin`](Self::begin) gave.
    fn end(&self, screening: Box<dyn Screening>);
}

/// What a screen makes of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Nothing that is looked for can stand in it.
    No,
    /// Nothing but these can, numbered as detection numbers what it looks for.
    Only(Vec<u32>),
    /// Anything can.
    Any,
}

/// The work of one thread on one block after the other.
pub trait Screening: Debug + Send {
    /// Takes up the next block: whole lines, each with its line end.
    fn block(&mut self, block: &[u8]);

    /// Whether a row of the block may be of interest, and for what. Rows are asked in their order. `start` is where its line begins
    /// in the block; `fields` are start and end of each of its fields in the line, at least up to the last column that
    /// the screen looks at, as far as the row has them.
    fn row(&mut self, start: usize, line: &[u8], fields: &[(usize, usize)]) -> Interest;
}

/// Rows of a text log that stand one behind the other, counted together.
#[derive(Debug)]
pub struct Rows<'a> {
    pub source: &'a SourceName,
    pub count: u64,
    /// Time of the earliest and the latest row.
    pub span: (Timestamp, Timestamp),
    /// Runs of rows of the same minute, in their order: minutes since 1970-01-01, and rows.
    pub minutes: &'a [(i64, u32)],
    /// First segments of the URL paths that were asked for, each once, in the order in which they came; empty for
    /// sources that are no web logs.
    pub segments: &'a [String],
}
