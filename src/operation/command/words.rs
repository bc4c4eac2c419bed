//! Words of a command line and of an environment, as YAML writes them: texts, numbers and truth values.

use std::collections::BTreeMap;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error};
use serde_json::Value;

use crate::spec::AxisValue;

/// A list of words; a list in it, such as a parameter of the pipeline, gives all its entries.
pub(super) fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let Value::Array(items) = Value::deserialize(deserializer)? else {
        return Err(D::Error::custom(
            "expected a list of words such as `[python3, scripts/fit.py]`; for a line of shell write `[sh, -c, \"...\"]`",
        ));
    };
    let mut words = Vec::with_capacity(items.len());
    for item in items {
        match item {
            Value::Array(items) => words.extend(items.into_iter().map(word).collect::<Result<Vec<_>, D::Error>>()?),
            item => words.push(word(item)?),
        }
    }
    Ok(words)
}

/// A map from names to words.
pub(super) fn map<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let given = BTreeMap::<String, Value>::deserialize(deserializer)?;
    given.into_iter().map(|(name, value)| Ok((name, word(value)?))).collect()
}

/// A number is spelled as in the name of an instance: `1e-5`, `8`.
fn word<E: Error>(value: Value) -> Result<String, E> {
    AxisValue::new(value).map(|value| value.text).ok_or_else(|| {
        E::custom("expected a text, a number, `true` or `false`; put quotes around an empty word: `\"\"`")
    })
}

pub(super) fn list_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "items": { "type": ["string", "number", "boolean"] },
    })
}

pub(super) fn map_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "additionalProperties": { "type": ["string", "number", "boolean"] },
    })
}
