//! The engine from outside: rules in, matches out.

mod correlations;
mod event;
mod hostile;
mod pipelines;
mod semantics;
mod sources;
