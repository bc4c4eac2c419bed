//! The parameters of an instance, kept small.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::base::canonical::Encoder;

/// Complete parameters as JSON text, shared by the instances that have the same. As a tree of maps they take five times the
/// room, which is most of what a plan of a hundred thousand instances needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters(Arc<str>);

impl Parameters {
    /// The parameters themselves.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.0).expect("it was written from a value")
    }

    /// Writes them for a digest, as [`Encoder::value`] would write [`Self::value`].
    pub(super) fn encode(&self, out: &mut Encoder) {
        out.json(&self.0).expect("it was written from a value");
    }

    /// Their text: equal parameters have equal texts.
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// A value as JSON text; quicker than by its `Display`.
pub(super) fn spelled(value: &Value) -> String {
    serde_json::to_string(value).expect("a value has text keys")
}

impl From<&Value> for Parameters {
    fn from(value: &Value) -> Self {
        Self(spelled(value).into())
    }
}

impl From<Value> for Parameters {
    fn from(value: Value) -> Self {
        Self::from(&value)
    }
}

impl Serialize for Parameters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::Parameters;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[test]
    fn every_number_keeps_its_type() {
        for value in [json!(1), json!(1.0), json!(u64::MAX), json!(i64::MIN), json!(5e-324), json!(-0.0)] {
            assert_eq!(Parameters::from(&value).value(), value);
            assert_eq!(Parameters::from(&value).value().to_string(), value.to_string());
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost(number in any::<f64>().prop_filter("JSON has no others", |x| x.is_finite()), text in ".*") {
            let value = json!({"number": number, "text": text, "list": [number, text, null, true]});
            let parameters = Parameters::from(&value);
            prop_assert_eq!(parameters.value(), value.clone());
            prop_assert_eq!(serde_json::to_value(&parameters).unwrap(), value);
        }

        #[test]
        fn equal_texts_mean_equal_values(a in 0..3, b in 0..3) {
            let (a, b): (Value, Value) = (json!({"x": a, "y": 1}), json!({"y": 1, "x": b}));
            prop_assert_eq!(Parameters::from(&a) == Parameters::from(&b), a == b);
        }
    }
}
