//! What is known of files beside their bytes: their times, and that a web server compiled them.

use crate::Timestamp;
use serde::{Deserialize, Serialize};

/// The times of one script file. File times alone never date an intrusion: whoever writes a file can set them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileTimes {
    /// Original Windows path.
    pub path: String,
    /// When the file was made, as programs see it and may set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// When its content changed, as programs see it and may set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
    /// When the file got its name, as only the file system writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<Timestamp>,
    /// Whether only its record is left.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
}

/// An event log's record that a web server compiled something: it started a compiler, or wrote the description of a
/// compiled page.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Compilation {
    pub time: Timestamp,
    /// Folder of the application below `Temporary ASP.NET Files`, in lower case; empty where the record does not say.
    pub application: String,
    /// File name of the page, in lower case, where the record names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
}
