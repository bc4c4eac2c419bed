//! A label's value as a column holds it, and its word.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// A label's value and the word that stands for it in targets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelWord {
    /// The value in the label column: an integer or a text.
    pub value: LabelValue,
    /// Other values that mean the same label, as other editions of the data set spell it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<LabelValue>,
    /// The label word.
    pub word: String,
}

impl LabelWord {
    /// Every value that means this label.
    pub fn values(&self) -> impl Iterator<Item = &LabelValue> {
        std::iter::once(&self.value).chain(&self.also)
    }
}

/// A value of a label column, as text: an integer `1` and a text `"1"` are the same value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct LabelValue(pub String);

impl<'de> Deserialize<'de> for LabelValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scalar;
        impl Visitor<'_> for Scalar {
            type Value = LabelValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer, a text, or true/false")
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<LabelValue, E> {
                Ok(LabelValue(value.to_string()))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<LabelValue, E> {
                Ok(LabelValue(value.to_string()))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<LabelValue, E> {
                Ok(LabelValue(value.to_string()))
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<LabelValue, E> {
                Ok(LabelValue(value.to_owned()))
            }
        }
        deserializer.deserialize_any(Scalar)
    }
}

impl JsonSchema for LabelValue {
    fn schema_name() -> Cow<'static, str> {
        "LabelValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["integer", "string", "boolean"] })
    }
}
