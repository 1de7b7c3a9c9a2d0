//! One file for each container: its layout as entries for the walk.

pub(crate) mod compressed;
pub(crate) mod disk;
pub(crate) mod folder;
pub(crate) mod sevenz;
pub(crate) mod tar;
pub(crate) mod zip;
