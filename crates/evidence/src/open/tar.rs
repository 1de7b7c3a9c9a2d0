//! Tar archives.
use crate::content::ReadSeek;
use crate::walk::{Scope, Walker};
use std::io::Read;
pub(crate) fn walk_seekable(_walker: &mut Walker<'_>, _scope: &Scope, _source: &mut dyn ReadSeek) {}
pub(crate) fn walk_stream(_walker: &mut Walker<'_>, _scope: &Scope, _source: &mut dyn Read) {}
