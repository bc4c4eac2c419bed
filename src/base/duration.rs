//! Durations as people write them: `90s`, `15m`, `2h`, `1d`.

use std::time::Duration;

/// What is accepted, for messages.
pub const EXPECTED: &str = "a duration like `90s`, `15m`, `2h` or `1d`";

/// The units, smallest first, in seconds.
const UNITS: [(char, u64); 4] = [('s', 1), ('m', 60), ('h', 60 * 60), ('d', 24 * 60 * 60)];

/// The duration that a whole number and its unit mean; `None` for everything else.
pub fn parse(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let (_, seconds) = UNITS.into_iter().find(|(name, _)| unit.starts_with(*name))?;
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = if digits { number.parse().ok()? } else { return None };
    Some(Duration::from_secs(number.checked_mul(seconds)?))
}

/// The shortest text that [`parse`] reads as this duration; parts of a second, which no text has, as a decimal number.
pub fn show(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if duration.subsec_nanos() > 0 {
        return format!("{}s", duration.as_secs_f64());
    }
    let (name, unit) =
        UNITS.into_iter().rev().find(|(_, unit)| seconds > 0 && seconds.is_multiple_of(*unit)).unwrap_or(('s', 1));
    format!("{}{name}", seconds / unit)
}

#[cfg(test)]
mod tests {
    use super::{parse, show};
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn a_number_and_a_unit() {
        for (text, seconds) in [("0s", 0), ("90s", 90), ("15m", 900), ("2h", 7200), ("1d", 86400)] {
            assert_eq!(parse(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in
            ["", "s", "90", "2 h", "2 hours", "-1s", "+1s", "1.5h", "2H", "1h30m", "٣s", "2µ", "99999999999999999999h"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(show(Duration::from_secs(5400)), "90m");
        assert_eq!(show(Duration::from_millis(1500)), "1.5s");
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(seconds in 0u64..1 << 40) {
            let duration = Duration::from_secs(seconds);
            prop_assert_eq!(parse(&show(duration)), Some(duration));
        }
    }
}
