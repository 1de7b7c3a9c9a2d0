//! What the names and folders of rotated logs say: when a file was begun, and how long it runs.

use super::time::{days, pair, timestamp};
use model::{Timestamp, file_name, windows_path};

/// The file name without folders and without the `.gz` that a compressed copy keeps.
pub(crate) fn log_name(path: &str) -> &str {
    let name = file_name(path);
    match name.split_at_checked(name.len().saturating_sub(3)) {
        Some((stem, end)) if end.eq_ignore_ascii_case(".gz") => stem,
        _ => name,
    }
}

/// Folders of a path in lower case, the innermost last, without the file name.
pub(crate) fn folders(path: &str) -> Vec<String> {
    let path = windows_path(path).to_lowercase();
    let mut folders: Vec<String> = path.split(['\\', '!']).map(str::to_owned).collect();
    folders.pop();
    folders
}

/// Whether `parent\child` stands one right below the other among the folders of a path.
pub(crate) fn is_below(path: &str, parent: &str, child: &str) -> bool {
    folders(path)
        .windows(2)
        .any(|pair| matches!(pair, [a, b] if a == parent && b == child))
}

/// Start and period that a log's name shows: `HttpProxy_2021030306-1.LOG` began at 06:00 and runs an hour,
/// `ECPServer20210303-1.LOG` and `u_ex210303.log` run a day, `u_ex21030306.log` an hour. Times in names are UTC,
/// except in IIS logs that roll over by local time, which the name does not tell.
pub(crate) fn begun_by_name(path: &str) -> Option<(Timestamp, u32)> {
    const HOUR: u32 = 3_600;
    const DAY: u32 = 86_400;
    let name = log_name(path).to_ascii_lowercase();
    if let Some(rest) = name
        .strip_prefix("u_ex")
        .or_else(|| name.strip_prefix("ex"))
    {
        let digits = leading_digits(rest);
        let stamp = format!("20{digits}");
        return match digits.len() {
            6 => Some((stamp_time(stamp.as_bytes())?, DAY)),
            8 => Some((stamp_time(stamp.as_bytes())?, HOUR)),
            _ => None,
        };
    }
    // The date is the last run of 8 or 10 digits: a process id may come before it (`ECPActivity_11500_20230111-1.LOG`).
    let stamp = name
        .split(|c: char| !c.is_ascii_digit())
        .rfind(|digits| matches!(digits.len(), 8 | 10) && digits.starts_with("20"))?;
    let period = if stamp.len() == 10 { HOUR } else { DAY };
    Some((stamp_time(stamp.as_bytes())?, period))
}

fn leading_digits(text: &str) -> &str {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    &text[..end]
}

/// The time of `YYYYMMDD` or `YYYYMMDDHH`.
fn stamp_time(stamp: &[u8]) -> Option<Timestamp> {
    let digits = |at: usize| pair(*stamp.get(at)?, *stamp.get(at + 1)?);
    let day = days(
        i64::from(digits(0)?) * 100 + i64::from(digits(2)?),
        digits(4)?,
        digits(6)?,
    )?;
    let hour = if stamp.len() >= 10 { digits(8)? } else { 0 };
    (hour < 24)
        .then(|| timestamp(day, i64::from(hour) * 3600, 0))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_start_and_period() {
        for (name, expected) in [
            ("HttpProxy_2021030306-1.LOG", "2021-03-03T06:00:00Z 3600"),
            (
                "C:\\x\\HttpProxy_2021030306-1.LOG.gz",
                "2021-03-03T06:00:00Z 3600",
            ),
            ("ECPServer20210303-1.LOG", "2021-03-03T00:00:00Z 86400"),
            (
                "ECPActivity_11500_20230111-1.LOG",
                "2023-01-11T00:00:00Z 86400",
            ),
            ("u_ex210303.log", "2021-03-03T00:00:00Z 86400"),
            ("u_ex21030306.log", "2021-03-03T06:00:00Z 3600"),
            ("u_ex210303_x2.log", "2021-03-03T00:00:00Z 86400"),
            ("httperr1.log", "-"),
            ("HttpProxy_2021133306-1.LOG", "-"),
            ("HttpProxy.LOG", "-"),
        ] {
            let shown = begun_by_name(name).map_or_else(
                || "-".to_owned(),
                |(begun, period)| format!("{begun} {period}"),
            );
            assert_eq!(shown, expected, "{name}");
        }
    }
}
