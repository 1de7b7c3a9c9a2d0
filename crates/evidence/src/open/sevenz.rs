//! 7z archives.
use crate::content::ReadSeek;
use crate::walk::{Scope, Walker};
pub(crate) fn walk(_walker: &mut Walker<'_>, _scope: &Scope, _source: &mut dyn ReadSeek) {}
