//! Moments in UTC, as names of files and people have them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The time since 1970; none before.
pub fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Seconds since 1970.
pub fn now() -> u64 {
    since_1970().as_secs()
}

/// `20261123T125500.042Z`, of the time since 1970: sorts as the moments do, and is a plain file name.
pub fn compact(since: Duration) -> String {
    let [year, month, day, hour, minute, second] = parts(since.as_secs());
    let millisecond = since.subsec_millis();
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}.{millisecond:03}Z")
}

/// `2026-11-23 12:55:00`.
pub fn words(seconds: u64) -> String {
    let [year, month, day, hour, minute, second] = parts(seconds);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// Year, month, day, hour, minute and second of a number of seconds since 1970.
fn parts(seconds: u64) -> [u64; 6] {
    // Years that begin with March have their leap day at the end; 400 of them have always the same number of days.
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let (month, next) = if month_from_march < 10 { (month_from_march + 3, 0) } else { (month_from_march - 9, 1) };
    [era * 400 + year_of_era + next, month, day, rest / 3_600, rest % 3_600 / 60, rest % 60]
}

#[cfg(test)]
mod tests {
    use super::{compact, words};
    use std::time::Duration;

    /// The expected values are those of `date -u -d @SECONDS`.
    #[test]
    fn moments_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_399, "2000-02-28 23:59:59"),
            (951_868_799, "2000-02-29 23:59:59"),
            (951_868_800, "2000-03-01 00:00:00"),
            (1_709_164_800, "2024-02-29 00:00:00"),
            (1_767_225_599, "2025-12-31 23:59:59"),
            (1_767_225_600, "2026-01-01 00:00:00"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ] {
            assert_eq!(words(seconds), expected);
        }
        assert_eq!(compact(Duration::from_micros(1_767_225_599_042_999)), "20251231T235959.042Z");
    }
}
