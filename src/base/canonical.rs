//! An injective byte encoding of JSON values, so that two different values never share a digest.
//!
//! Every value is a tag byte followed by its content; strings, lists and maps carry their length; map keys come in
//! byte order; a number is an integer or the bits of its `f64`, with `-0.0` read as `0.0` and a whole float equal to
//! the integer of the same value (`1.0` and `1` are the same parameter to a person who writes YAML).

use serde_json::Value;

use super::Digest;

/// The digest of `value` under a domain string, which keeps digests of different purposes apart.
pub fn digest(domain: &str, value: &Value) -> Digest {
    let mut hasher = blake3::Hasher::new();
    write_text(domain, &mut hasher);
    write(value, &mut hasher);
    hasher.into()
}

fn write(value: &Value, out: &mut blake3::Hasher) {
    match value {
        Value::Null => {
            out.update(b"n");
        }
        Value::Bool(flag) => {
            out.update(if *flag { b"t" } else { b"f" });
        }
        Value::Number(number) => write_number(number, out),
        Value::String(text) => {
            out.update(b"s");
            write_text(text, out);
        }
        Value::Array(items) => {
            out.update(b"l");
            write_length(items.len(), out);
            for item in items {
                write(item, out);
            }
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            out.update(b"m");
            write_length(entries.len(), out);
            for (key, item) in entries {
                write_text(key, out);
                write(item, out);
            }
        }
    }
}

fn write_number(number: &serde_json::Number, out: &mut blake3::Hasher) {
    let whole = number.as_i128().or_else(|| {
        let float = number.as_f64()?;
        // Every f64 of magnitude below 2^53 that is whole is exactly an integer.
        (float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0).then_some(float as i128)
    });
    match whole {
        Some(integer) => {
            out.update(b"i");
            out.update(&integer.to_le_bytes());
        }
        None => {
            let float = number.as_f64().expect("a JSON number is an integer or a float");
            out.update(b"d");
            out.update(&float.to_bits().to_le_bytes());
        }
    }
}

fn write_text(text: &str, out: &mut blake3::Hasher) {
    write_length(text.len(), out);
    out.update(text.as_bytes());
}

fn write_length(length: usize, out: &mut blake3::Hasher) {
    out.update(&(length as u64).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::digest;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[test]
    fn spelling_of_numbers_and_order_of_keys_do_not_matter() {
        assert_eq!(digest("t", &json!({"a": 1, "b": 2.5})), digest("t", &json!({"b": 2.5, "a": 1.0})));
        assert_eq!(digest("t", &json!(0.0)), digest("t", &json!(-0.0)));
        assert_eq!(digest("t", &json!(1e3)), digest("t", &json!(1000)));
    }

    #[test]
    fn neighbours_stay_apart() {
        let values = [
            json!(null),
            json!(false),
            json!(0),
            json!(""),
            json!([]),
            json!({}),
            json!("0"),
            json!(["a", "b"]),
            json!(["ab"]),
            json!(["asb"]),
            json!([["a"], "b"]),
            json!([["a", "b"]]),
            json!([[], "n"]),
            json!([[], null]),
            json!([[null]]),
            json!({"a": "b"}),
            json!(0.1),
            json!(0.1f64.next_up()),
            json!(u64::MAX),
            json!(-1),
        ];
        for (i, a) in values.iter().enumerate() {
            for (j, b) in values.iter().enumerate() {
                assert_eq!(digest("t", a) == digest("t", b), i == j, "{a} and {b}");
            }
        }
        assert_ne!(digest("t", &json!(1)), digest("u", &json!(1)));
    }

    /// From a few lines of Python over the package `blake3`, written after the description at the top: what is stored under
    /// these digests is found again by every later version.
    #[test]
    fn the_bytes_are_those_of_the_description() {
        let value = json!({"b": [1, -0.5, null, true, false], "a": "\u{e9}", "": {}, "z": 2f64.powi(60), "y": 2f64.powi(53) - 1.0});
        let wanted = "c845fa311fba96b25df8b3d43d4f616c706a321fa730adfd5124a0d7fb315ed1";
        assert_eq!(digest("t", &value).to_string(), wanted);
    }

    #[test]
    fn whole_floats_are_integers_below_two_to_the_53() {
        let below = (1i64 << 53) - 1;
        assert_eq!(digest("t", &json!(below as f64)), digest("t", &json!(below)));
        assert_eq!(digest("t", &json!(-(below as f64))), digest("t", &json!(-below)));
        // From here on two integers may share a float, so none of them is taken for it.
        assert_ne!(digest("t", &json!(2f64.powi(53))), digest("t", &json!(1i64 << 53)));
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            (-4i32..4).prop_map(|halves| Value::from(f64::from(halves) / 2.0)),
            "[a-c]{0,3}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-c]{0,2}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// Whether a person takes two values for the same: numbers count by what they are, not by how they are written.
    fn same(a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
            (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
            (Value::Object(a), Value::Object(b)) => {
                a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
            }
            _ => a == b,
        }
    }

    proptest! {
        #[test]
        fn equal_digests_mean_equal_values(a in values(), b in values()) {
            prop_assert_eq!(digest("t", &a) == digest("t", &b), same(&a, &b));
        }
    }
}
