//! From rules to what is evaluated.

pub(crate) mod bind;
pub(crate) mod engine;
mod expressions;
pub(crate) mod lower;
mod necessary;
mod network;
pub(crate) mod partition;
pub(crate) mod parts;
pub(crate) mod program;
mod rarity;
pub(crate) mod state;
pub(crate) mod test;
pub(crate) mod text;
mod trie;
