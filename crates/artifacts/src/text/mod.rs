//! What the readers of text logs share: decoding and lines, delimited rows under a named head, times, file names.

pub(crate) mod align;
pub(crate) mod blocks;
pub(crate) mod damage;
pub(crate) mod head;
pub(crate) mod lines;
pub(crate) mod names;
pub(crate) mod pages;
pub(crate) mod parts;
pub(crate) mod plain;
pub(crate) mod row;
pub(crate) mod table;
pub(crate) mod time;
pub(crate) mod watch;
