//! Who may release what: beyond a number, somebody else than who queued it.

use store::response::NoticeRow;

/// Notices of a campaign that a person may release alone although they queued them, unless the case says otherwise.
pub const ALONE_DEFAULT: u64 = 10;

/// Whether two names are one person's: as far as names can tell.
pub fn same_person(a: &str, b: &str) -> bool {
    let plain = |name: &str| {
        let words: Vec<String> = name.split_whitespace().map(str::to_lowercase).collect();
        words.join(" ")
    };
    plain(a) == plain(b)
}

/// Why this person may not release these notices, if so. What they released alone before counts as well, so that many
/// are not released a few at a time.
pub fn refusal(
    all: &[NoticeRow],
    to_release: &[&NoticeRow],
    person: &str,
    alone_max: u64,
) -> Option<String> {
    let mut campaigns: Vec<&str> = to_release.iter().map(|row| row.campaign.as_str()).collect();
    campaigns.sort_unstable();
    campaigns.dedup();
    for campaign in campaigns {
        let own =
            |row: &&NoticeRow| row.campaign == campaign && same_person(&row.queued_by, person);
        let now = to_release.iter().copied().filter(own).count();
        let before = all.iter().filter(own).filter(|row| {
            let by = row.released_by.as_deref();
            by.is_some_and(|by| same_person(by, person))
        });
        let before = before.count();
        let total = u64::try_from(now.saturating_add(before)).unwrap_or(u64::MAX);
        if now > 0 && total > alone_max {
            return Some(format!(
                "{person} queued {now} of these for {campaign}{} and may release {alone_max} of their own",
                match before {
                    0 => String::new(),
                    before => format!(", released {before} of their own before,"),
                }
            ));
        }
    }
    None
}
