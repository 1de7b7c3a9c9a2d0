//! Collections built in code, opened, and compared with what went in.

mod containers;
mod hostile;
mod support;
