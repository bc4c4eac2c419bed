//! The value of `dropout`: the word `model` or a number.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The backbone's dropout rate during training (METHODS 1.4).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Dropout {
    /// The rate in the backbone's configuration.
    Model,
    /// This rate.
    Rate(f64),
}

impl Dropout {
    /// The rate to train with, given the backbone's own.
    pub fn rate(self, of_the_model: f64) -> f64 {
        match self {
            Self::Model => of_the_model,
            Self::Rate(rate) => rate,
        }
    }
}

impl Serialize for Dropout {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Model => serializer.serialize_str("model"),
            Self::Rate(rate) => serializer.serialize_f64(*rate),
        }
    }
}

impl<'de> Deserialize<'de> for Dropout {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Dropout;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`model` or a number from 0 up to, but not including, 1")
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<Dropout, E> {
                if word == "model" {
                    Ok(Dropout::Model)
                } else {
                    Err(E::invalid_value(serde::de::Unexpected::Str(word), &self))
                }
            }

            fn visit_f64<E: Error>(self, rate: f64) -> Result<Dropout, E> {
                if (0.0..1.0).contains(&rate) {
                    Ok(Dropout::Rate(rate))
                } else {
                    Err(E::invalid_value(serde::de::Unexpected::Float(rate), &self))
                }
            }

            fn visit_u64<E: Error>(self, rate: u64) -> Result<Dropout, E> {
                self.visit_f64(rate as f64)
            }

            fn visit_i64<E: Error>(self, rate: i64) -> Result<Dropout, E> {
                self.visit_f64(rate as f64)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for Dropout {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Dropout".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "oneOf": [
                { "const": "model" },
                { "type": "number", "minimum": 0, "exclusiveMaximum": 1 },
            ]
        })
    }
}
