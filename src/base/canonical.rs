//! An injective byte encoding of JSON values, so that two different values never share a digest.
//!
//! Every value is a tag byte followed by its content; strings, lists and maps carry their length; map keys come in
//! byte order; a number is an integer or the bits of its `f64`, with `-0.0` read as `0.0` and a whole float equal to
//! the integer of the same value (`1.0` and `1` are the same parameter to a person who writes YAML).

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::Digest;

/// The digest of `value` under a domain string, which keeps digests of different purposes apart.
pub fn digest(domain: &str, value: &Value) -> Digest {
    let mut encoder = Encoder::new(domain);
    encoder.value(value);
    encoder.digest()
}

/// Writes the encoding of a value piece by piece, for what would have to be copied to become a [`Value`]. The caller sees to
/// it that lists and maps get as many items as was said, and maps their keys in byte order.
pub struct Encoder(Vec<u8>);

impl Encoder {
    /// Nothing yet, under a domain string.
    pub fn new(domain: &str) -> Self {
        let mut encoder = Self(Vec::with_capacity(1024));
        encoder.text(domain);
        encoder
    }

    /// The digest of what was written.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }

    /// A whole value.
    pub fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.0.push(b'n'),
            Value::Bool(flag) => self.flag(*flag),
            Value::Number(number) => self.number(number),
            Value::String(text) => self.string(text),
            Value::Array(items) => {
                self.list(items.len());
                items.iter().for_each(|item| self.value(item));
            }
            Value::Object(map) => {
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_by_key(|(key, _)| *key);
                self.map(entries.len());
                for (key, item) in entries {
                    self.key(key);
                    self.value(item);
                }
            }
        }
    }

    /// A value that stands in a text as `serde_json` writes it, which has the keys of maps in byte order.
    ///
    /// # Errors
    /// The text is no JSON. What was written of it stays.
    pub fn json(&mut self, text: &str) -> serde_json::Result<()> {
        Writing(self).deserialize(&mut serde_json::Deserializer::from_str(text))
    }

    /// A truth value.
    pub fn flag(&mut self, flag: bool) {
        self.0.push(if flag { b't' } else { b'f' });
    }

    /// A whole number.
    pub fn whole(&mut self, integer: i128) {
        self.0.push(b'i');
        self.0.extend_from_slice(&integer.to_le_bytes());
    }

    /// A text.
    pub fn string(&mut self, text: &str) {
        self.0.push(b's');
        self.text(text);
    }

    /// The head of a list of so many items, which follow.
    pub fn list(&mut self, length: usize) {
        self.0.push(b'l');
        self.length(length);
    }

    /// The head of a map of so many entries, which follow: each its key and its value.
    pub fn map(&mut self, length: usize) {
        self.0.push(b'm');
        self.length(length);
    }

    /// The key of a map's next entry.
    pub fn key(&mut self, key: &str) {
        self.text(key);
    }

    fn number(&mut self, number: &serde_json::Number) {
        match number.as_i128() {
            Some(integer) => self.whole(integer),
            None => self.float(number.as_f64().expect("a JSON number is an integer or a float")),
        }
    }

    fn float(&mut self, float: f64) {
        // Every f64 of magnitude below 2^53 that is whole is exactly an integer.
        if float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0 {
            return self.whole(float as i128);
        }
        self.0.push(b'd');
        self.0.extend_from_slice(&float.to_bits().to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.length(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    fn length(&mut self, length: usize) {
        self.0.extend_from_slice(&(length as u64).to_le_bytes());
    }

    /// Corrects the length of a list or map whose head was written with its end here, before its items were counted.
    fn correct(&mut self, head: usize, length: usize) {
        self.0[head - 8..head].copy_from_slice(&(length as u64).to_le_bytes());
    }
}

/// Writes a value while it is read, so that no tree of it is made.
struct Writing<'a>(&'a mut Encoder);

impl<'de> DeserializeSeed<'de> for Writing<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Writing<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.0.0.push(b'n');
        Ok(())
    }

    fn visit_bool<E>(self, flag: bool) -> Result<(), E> {
        self.0.flag(flag);
        Ok(())
    }

    fn visit_i64<E>(self, integer: i64) -> Result<(), E> {
        self.0.whole(integer.into());
        Ok(())
    }

    fn visit_u64<E>(self, integer: u64) -> Result<(), E> {
        self.0.whole(integer.into());
        Ok(())
    }

    fn visit_f64<E>(self, float: f64) -> Result<(), E> {
        self.0.float(float);
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.string(text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.0.list(0);
        let (head, mut count) = (self.0.0.len(), 0);
        while items.next_element_seed(Writing(self.0))?.is_some() {
            count += 1;
        }
        self.0.correct(head, count);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        self.0.map(0);
        let (head, mut count) = (self.0.0.len(), 0);
        while entries.next_key_seed(Key(self.0))?.is_some() {
            entries.next_value_seed(Writing(self.0))?;
            count += 1;
        }
        self.0.correct(head, count);
        Ok(())
    }
}

/// Writes the key of an entry while it is read.
struct Key<'a>(&'a mut Encoder);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the key of a map")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.key(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Encoder, digest};
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
        fn a_text_is_written_as_its_value_is(value in values(), number in any::<f64>(), text in ".*") {
            let value = json!({"text": text, "number": number, "whole": u64::MAX, "z": value, "least": i64::MIN});
            let mut written = Encoder::new("t");
            written.json(&serde_json::to_string(&value).unwrap()).unwrap();
            prop_assert_eq!(written.digest(), digest("t", &value));
        }

        #[test]
        fn equal_digests_mean_equal_values(a in values(), b in values()) {
            prop_assert_eq!(digest("t", &a) == digest("t", &b), same(&a, &b));
        }
    }
}
