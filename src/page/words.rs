//! How the page says durations, sizes, moments and axis values.

use std::collections::BTreeMap;

use crate::report::{fixed, shown};

/// The axis whose values are repetitions of the same thing.
pub const RUNS: &str = "seed";

/// Seconds as a person says them: `0.04 s`, `12.3 s`, `4 min 05 s`, `2 h 07 min`.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    match seconds.round() as u64 {
        0..60 if seconds < 1.0 => format!("{seconds:.2} s"),
        0..60 => format!("{seconds:.1} s"),
        whole @ 60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        whole => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// A difference with its sign: `+7.0`, `−33.0`, `0.0`.
pub fn signed(value: f64, digits: usize) -> String {
    let text = fixed(value, digits);
    let nothing = text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    if value > 0.0 && !nothing { format!("+{text}") } else { text.replace('-', "\u{2212}") }
}

/// Bytes with a unit of a thousand: `512 bytes`, `3.1 MB`.
pub fn size(bytes: u64) -> String {
    let units = [(1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    match units.iter().find(|(unit, _)| bytes as f64 >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / unit),
        None => count(bytes as usize, "byte"),
    }
}

/// `1 stage`, `3 stages`.
pub fn count(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Seconds since 1970 as people read them: `2026-08-01 14:05 UTC`.
pub fn moment(seconds: u64) -> String {
    let (year, month, day) = date(seconds / 86_400);
    let minutes = seconds / 60 % 1440;
    format!("{year}-{month:02}-{day:02} {:02}:{:02} UTC", minutes / 60, minutes % 60)
}

/// Seconds since 1970 as machines read them: `2026-08-01T14:05Z`.
pub fn machine_time(seconds: u64) -> String {
    moment(seconds).replace(" UTC", "Z").replace(' ', "T")
}

/// The Gregorian date of a day since 1970-01-01, counted in years that begin in March, so that the leap day is the last.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// Axis values as a title: `method spp, include none`; empty without axes.
pub fn place<'a>(axes: impl IntoIterator<Item = (&'a String, &'a String)>) -> String {
    let parts: Vec<String> = axes.into_iter().map(|(axis, value)| format!("{axis} {}", shown(value))).collect();
    parts.join(", ")
}

/// Axis values without the axis of repetitions.
pub fn without_runs(coordinates: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    coordinates.iter().filter(|(axis, _)| *axis != RUNS).map(|(a, v)| (a.clone(), v.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_date() {
        // `date -u -d @N '+%F %H:%M'`
        for (seconds, text) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (1_785_593_159, "2026-08-01 14:05 UTC"),
            (4_107_542_399, "2100-02-28 23:59 UTC"),
        ] {
            assert_eq!(moment(seconds), text);
        }
        assert_eq!(machine_time(1_785_593_159), "2026-08-01T14:05Z");
    }

    #[test]
    fn durations_and_sizes() {
        assert_eq!(duration(0.042), "0.04 s");
        assert_eq!(duration(245.2), "4 min 05 s");
        assert_eq!(duration(7623.0), "2 h 07 min");
        assert_eq!(size(1), "1 byte");
        assert_eq!(size(3_140_000), "3.1 MB");
        assert_eq!(count(2, "stage"), "2 stages");
        assert_eq!([7.04, -33.0, -0.04, 0.04].map(|value| signed(value, 1)), ["+7.0", "\u{2212}33.0", "0.0", "0.0"]);
    }
}
