//! Scalars and their canonical spelling, by which axis values are compared and named.

use serde_json::{Number, Value};

use super::yaml::parse_scalar_or_list;

/// One value of an axis. Two values of an axis are the same cell when their texts are equal.
#[derive(Clone, Debug, PartialEq)]
pub struct AxisValue {
    /// The canonical spelling, as it stands in coordinates: `1e-5`, `123`, `true`, `rte`.
    pub text: String,
    /// The value with its type, as `${axis}` gives it to a parameter.
    pub value: Value,
}

impl AxisValue {
    /// The scalar `value` with its spelling; `None` for null, lists and maps.
    pub fn new(value: Value) -> Option<Self> {
        Some(Self { text: canonical(&value)?, value })
    }
}

/// The one spelling of a scalar; `None` for null, lists and maps.
///
/// Text stands for itself. A number is spelled by its value, so `1e-5` and `0.00001` are one spelling, as are `1` and
/// `1.0`: whole numbers from -2^63 to below 2^64 in digits, all others in the fewest digits that give the same `f64`.
pub(super) fn canonical(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number_text(number)),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn number_text(number: &Number) -> String {
    // What YAML reads as a whole number.
    const WHOLE: std::ops::Range<f64> = -9_223_372_036_854_775_808.0..18_446_744_073_709_551_616.0;
    match number.as_f64() {
        Some(float) if number.is_f64() && (float.fract() != 0.0 || !WHOLE.contains(&float)) => format!("{float:?}"),
        Some(float) if number.is_f64() => (float as i128).to_string(),
        _ => number.to_string(),
    }
}

/// The spelling of a value as it is typed on a command line: `0.00001` is `1e-5`. `None` for what is no scalar.
pub fn spelling(text: &str) -> Option<String> {
    canonical(&parse_scalar_or_list(text).ok()?)
}

#[cfg(test)]
mod tests {
    use super::canonical;
    use crate::spec::yaml::parse_scalar_or_list;
    use proptest::prelude::*;

    fn spelled(text: &str) -> String {
        canonical(&parse_scalar_or_list(text).unwrap()).unwrap()
    }

    #[test]
    fn spellings_of_one_number_are_one() {
        // Each line is one number by the rules of YAML 1.2 section 10.3 and of IEEE 754.
        for same in [
            &["1e-5", "0.00001", "1.0e-05", "1E-5", "10e-6", "+1e-5", ".00001"][..],
            &["1000", "1e3", "1.0e3", "1000.0", "0x3E8", "0o1750", "+1000"],
            &["0", "0.0", "-0.0", "0e7"],
            &["-2.5", "-25e-1"],
            &["18446744073709551615"],
            &["1e20", "100000000000000000000.0"],
            &["-9223372036854775808", "-9223372036854775808.0"],
            &["-1.25e19", "-12500000000000000000.0"],
        ] {
            for text in same {
                assert_eq!(spelled(text), same[0], "{text}");
            }
        }
    }

    #[test]
    fn text_stands_for_itself() {
        for text in ["no", "on", "yes", "rte", "1_000", "0123", "1.2.3", "12:30:45", "google-t5/t5-base"] {
            assert_eq!(spelled(text), text);
            assert!(parse_scalar_or_list(text).unwrap().is_string(), "{text}");
        }
        assert_eq!(spelled("'1e3'"), "1e3");
        assert_eq!(spelled("True"), "true");
    }

    proptest! {
        #[test]
        fn decimal_and_exponent_agree(digits in 1u64..1_000_000_000, shift in 0usize..12) {
            let exponent = format!("{digits}e-{shift}");
            let padded = format!("{digits:0>width$}", width = shift + 1);
            let (whole, fraction) = padded.split_at(padded.len() - shift);
            let decimal = if shift == 0 { format!("{whole}.0") } else { format!("{whole}.{fraction}") };
            prop_assert_eq!(spelled(&exponent), spelled(&decimal));
        }

        #[test]
        fn the_spelling_reads_back_as_the_same_value(float in any::<f64>().prop_filter("finite", |f| f.is_finite())) {
            let text = canonical(&serde_json::json!(float)).unwrap();
            let back = parse_scalar_or_list(&text).unwrap();
            prop_assert_eq!(back.as_f64(), Some(float), "{}", text);
            prop_assert_eq!(canonical(&back).unwrap(), text);
        }

        #[test]
        fn different_integers_stay_different(a in any::<i64>(), b in any::<i64>()) {
            prop_assert_eq!(spelled(&a.to_string()) == spelled(&b.to_string()), a == b);
        }
    }
}
