//! The response: which organisations there are, what was said of them from outside and seen in their evidence, who is told,
//! who helps whom, and who is really clear.
//!
//! Start with [`registry::Registry`], which is read from a case, and [`standing`], which joins what lists say with our own
//! verdicts. Everything is a function of the case's rows and the time; only `store` touches a table, and only the caller
//! knows the clock.

pub mod clearance;
pub mod count;
pub mod disclose;
pub mod eviction;
pub mod import;
pub mod notice;
pub mod observe;
pub mod plan;
pub mod priority;
pub mod registry;
pub mod signing;
pub mod standing;
pub mod table;
pub mod trend;
