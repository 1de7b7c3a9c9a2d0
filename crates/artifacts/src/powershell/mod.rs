//! What PowerShell writes by itself besides events: the history of typed commands, and transcripts.

pub(crate) mod history;
pub(crate) mod transcript;

/// The user whose profile an item lies in: `C:\Users\NAME\…`.
fn user_of(path: &str) -> &str {
    let mut parts = path.split(['\\', '/']);
    let is_profiles = |part: &str| {
        part.eq_ignore_ascii_case("users") || part.eq_ignore_ascii_case("documents and settings")
    };
    if parts.any(is_profiles) {
        parts.next().unwrap_or_default()
    } else {
        ""
    }
}
