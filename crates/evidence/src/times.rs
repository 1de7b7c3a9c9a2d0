//! When a member of an archive was changed last, as the archive writes it down. Whoever packed it could set these times,
//! and they date nothing; they only tell which files came together.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Header id of the extra field with times of Unix: `UT`, flags, and 32 bits for each time.
/// <https://libzip.org/specifications/extrafld.txt>
const UNIX_TIMES: u16 = 0x5455;

/// Header id of the extra field with times of NTFS.
const NTFS_TIMES: u16 = 0x000A;

/// Bytes of the NTFS field before its first time: four reserved, a tag, and its size.
const NTFS_TIMES_AT: usize = 8;
const NTFS_TIMES_END: usize = 16;

/// Seconds from 1601 to 1970, and the 100 ns that Windows counts in one.
const WINDOWS_EPOCH_SECONDS: i64 = 11_644_473_600;
const TICKS: i64 = 10_000_000;

/// The time of a member of a ZIP archive: that of an extra field where there is one, else the time and date of MS-DOS,
/// which are of the packer's own zone and are taken for UTC.
pub(crate) fn of_zip(time: [u8; 4], extra: &[u8]) -> Option<Timestamp> {
    let mut rest = extra;
    while let [a, b, c, d, tail @ ..] = rest {
        let (id, size) = (u16::from_le_bytes([*a, *b]), u16::from_le_bytes([*c, *d]));
        let field = tail.get(..usize::from(size))?;
        match id {
            UNIX_TIMES if field.first().is_some_and(|flags| flags & 1 != 0) => {
                let seconds: [u8; 4] = field.get(1..5)?.try_into().ok()?;
                return of_unix(i64::from(i32::from_le_bytes(seconds)));
            }
            NTFS_TIMES => {
                let ticks = field.get(NTFS_TIMES_AT..NTFS_TIMES_END)?;
                return of_windows(u64::from_le_bytes(ticks.try_into().ok()?));
            }
            _ => {}
        }
        rest = tail.get(usize::from(size)..)?;
    }
    let [a, b, c, d] = time;
    let (clock, date) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
    let part = |value: u16| i8::try_from(value).ok();
    let local = DateTime::new(
        i16::try_from(date >> 9).ok()?.saturating_add(1980),
        part((date >> 5) & 15)?,
        part(date & 31)?,
        part(clock >> 11)?,
        part((clock >> 5) & 63)?,
        part((clock & 31) << 1)?,
        0,
    );
    // What writes no time writes the first day that there is.
    let utc = local.ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
    (date != 0x21).then_some(utc)
}

/// Seconds since 1970, of which 0 stands for no time.
pub(crate) fn of_unix(seconds: i64) -> Option<Timestamp> {
    (seconds > 0)
        .then(|| Timestamp::from_second(seconds).ok())
        .flatten()
}

/// 100 ns since 1601.
pub(crate) fn of_windows(ticks: u64) -> Option<Timestamp> {
    let ticks = i64::try_from(ticks).ok()?;
    of_unix((ticks / TICKS).saturating_sub(WINDOWS_EPOCH_SECONDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(time: [u8; 4], extra: &[u8]) -> String {
        of_zip(time, extra).map_or_else(|| "-".to_owned(), |time| time.to_string())
    }

    #[test]
    fn a_zip_archive_tells_times_in_three_ways() {
        // 2021-03-03 06:49:04.
        let dos = [0x22, 0x36, 0x63, 0x52];
        assert_eq!(shown(dos, &[]), "2021-03-03T06:49:04Z");
        let unix = [0x55, 0x54, 5, 0, 1, 0x00, 0x2e, 0x3f, 0x60];
        assert_eq!(shown(dos, &unix), "2021-03-03T06:34:40Z");
        let mut ntfs = vec![0x0A, 0, 32, 0, 0, 0, 0, 0, 1, 0, 24, 0];
        ntfs.extend(132_591_125_440_000_000_u64.to_le_bytes());
        ntfs.extend([0; 16]);
        assert_eq!(shown(dos, &ntfs), "2021-03-01T22:49:04Z");
    }

    #[test]
    fn no_time_is_none() {
        assert_eq!(shown([0, 0, 0x21, 0], &[]), "-");
        assert_eq!(shown([0xff; 4], &[]), "-");
        assert_eq!(shown([0; 4], &[0x55, 0x54, 5, 0, 1]), "-");
        assert_eq!(of_unix(0), None);
        assert_eq!(of_windows(u64::MAX), None);
    }
}
