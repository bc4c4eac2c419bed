//! A pipeline file as it is written: the types that serde reads and that the JSON Schema is generated from.
//!
//! No tagged, flattened or untagged types: where a value may have several shapes, a visitor of ours says so, and the
//! place of an error stays exact.

use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::policy::{Amount, RawPolicy};
use super::read::Fields;

/// A pipeline: a graph of stages, each of which runs one operation for every combination of its axes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "compt pipeline")]
pub(super) struct RawPipeline {
    /// The pipeline's name, in lower-case letters, digits and `_`; also the name of its output folder.
    #[schemars(regex(pattern = r"^[a-z0-9_]+$"))]
    pub name: String,
    /// What it is about, for people.
    #[serde(default)]
    pub title: Option<String>,
    /// Parameters with their defaults, used as `${name}`, set with `--set name=value`.
    #[serde(default)]
    pub params: Option<BTreeMap<String, Param>>,
    /// Named sets of other values for parameters and axes, chosen with `--profile`.
    #[serde(default)]
    pub profiles: Option<BTreeMap<String, BTreeMap<String, Param>>>,
    /// Other pipeline files whose stages become part of this one, as `PIPELINE.STAGE`.
    #[serde(default)]
    pub include: Option<Vec<RawInclude>>,
    /// Axes with their values, used in a matrix as `axes.name` or `...axes.name`.
    #[serde(default)]
    pub axes: Option<BTreeMap<String, Values>>,
    /// The stages by name; a file that includes others needs none of its own.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, RawStage>")]
    pub stages: BTreeMap<String, Fields<RawStage>>,
}

/// An included file: its path, or a map with what it is given.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RawInclude {
    /// Relative to the including file.
    pub file: String,
    /// Parameters and axes of the included file that get another value.
    pub set: Option<BTreeMap<String, Param>>,
}

/// [`RawInclude`] in its long form.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Include")]
struct LongInclude {
    /// The pipeline file, relative to this one.
    file: String,
    /// Values for parameters and axes of the included file; `${name}` is a parameter of this one.
    #[serde(default)]
    set: Option<BTreeMap<String, Param>>,
}

/// A stage: one operation, run once for every combination of its axes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Stage")]
pub(super) struct RawStage {
    /// What it does, for people.
    #[serde(default)]
    pub title: Option<String>,
    /// The stage's axes and their values; without it, the stage has the axes of what it reads.
    #[serde(default)]
    pub matrix: Option<BTreeMap<String, Values>>,
    /// Combinations to leave out: those that agree with every entry.
    #[serde(default)]
    pub exclude: Option<Vec<BTreeMap<String, Scalar>>>,
    /// What one instance occupies while it runs: `gpu: 1`; a list has one amount for each attempt: `mem_gb: [8, 16]`. Names are
    /// free, but for `worker` and `light`, which a run counts itself.
    #[serde(default)]
    pub resources: Option<BTreeMap<String, Amount>>,
    /// When it is tried again, how long it may take, and what goes first; changes no result.
    #[serde(default)]
    #[schemars(with = "Option<RawPolicy>")]
    pub policy: Option<Fields<RawPolicy>>,
    /// The operation: a map with one entry, whose value is the operation's parameters.
    pub run: BTreeMap<String, Value>,
}

/// The entries of an operation's map that belong to the pipeline and not to the operation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawReads {
    #[serde(default)]
    pub from: Option<Names>,
    #[serde(default)]
    pub only: Option<BTreeMap<String, Values>>,
}

/// A number, a truth value or a text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scalar(pub Value);

/// A scalar, or a list of scalars.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Param(pub Value);

/// A list of scalars, or a text that stands for one.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Values {
    /// `axes.seed` or `${seeds}`
    Text(String),
    /// `[imdb, ...axes.task]`
    List(Vec<Value>),
}

/// One name, or a list of names.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Names {
    pub names: Vec<String>,
    /// Whether it was written as a list.
    pub is_list: bool,
}

/// Accepts scalars, and lists of them where `list` says so.
struct Shape {
    expected: &'static str,
    scalar: fn(&Value) -> bool,
    list: bool,
}

impl<'de> Visitor<'de> for Shape {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Value, E> {
        self.one(Value::from(flag), serde::de::Unexpected::Bool(flag))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        self.one(Value::from(number), serde::de::Unexpected::Signed(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        self.one(Value::from(number), serde::de::Unexpected::Unsigned(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        self.one(Value::from(number), serde::de::Unexpected::Float(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.one(Value::from(text), serde::de::Unexpected::Str(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        if !self.list {
            return Err(Error::invalid_type(serde::de::Unexpected::Seq, &self));
        }
        let mut items = Vec::new();
        while let Some(Scalar(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }
}

impl Shape {
    fn one<E: Error>(self, value: Value, found: serde::de::Unexpected<'_>) -> Result<Value, E> {
        if (self.scalar)(&value) { Ok(value) } else { Err(Error::invalid_type(found, &self)) }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "a text, a number, `true` or `false`";
        deserializer.deserialize_any(Shape { expected, scalar: |_| true, list: false }).map(Self)
    }
}

impl<'de> Deserialize<'de> for Param {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "a text, a number, `true`, `false` or a list of these";
        deserializer.deserialize_any(Shape { expected, scalar: |_| true, list: true }).map(Self)
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "a list like `[1, 2]`, or `axes.NAME`";
        match deserializer.deserialize_any(Shape { expected, scalar: Value::is_string, list: true })? {
            Value::Array(items) => Ok(Self::List(items)),
            Value::String(text) => Ok(Self::Text(text)),
            other => Err(Error::custom(format!("expected {expected}, not `{other}`"))),
        }
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NamesVisitor;
        impl<'de> Visitor<'de> for NamesVisitor {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a stage, or a list of names")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Names, E> {
                Ok(Names { names: vec![text.to_owned()], is_list: false })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = seq.next_element()? {
                    names.push(name);
                }
                Ok(Names { names, is_list: true })
            }
        }
        deserializer.deserialize_any(NamesVisitor)
    }
}

impl<'de> Deserialize<'de> for RawInclude {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IncludeVisitor;
        impl<'de> Visitor<'de> for IncludeVisitor {
            type Value = RawInclude;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a pipeline file, or a map with `file` and `set`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<RawInclude, E> {
                Ok(RawInclude { file: text.to_owned(), set: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawInclude, A::Error> {
                let LongInclude { file, set } = LongInclude::deserialize(MapAccessDeserializer::new(map))?;
                Ok(RawInclude { file, set })
            }
        }
        deserializer.deserialize_any(IncludeVisitor)
    }
}

impl JsonSchema for RawInclude {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "IncludeEntry".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let long = generator.subschema_for::<LongInclude>();
        json_schema!({
            "description": "A pipeline file, or a map with the file and what it is given.",
            "anyOf": [{ "type": "string" }, long],
        })
    }
}

impl JsonSchema for Scalar {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"], "description": "A text, a number, true or false." })
    }
}

impl JsonSchema for Param {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Param".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let scalar = generator.subschema_for::<Scalar>();
        json_schema!({ "anyOf": [scalar, { "type": "array", "items": scalar }], "description": "A scalar, or a list of scalars." })
    }
}

impl JsonSchema for Values {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Values".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let scalar = generator.subschema_for::<Scalar>();
        json_schema!({
            "description": "A list whose entries are values or `...axes.NAME`; or `axes.NAME`; or `${NAME}` of a list.",
            "anyOf": [
                { "type": "array", "items": scalar },
                { "type": "string", "pattern": "^(axes\\.[a-z0-9_]+|\\$\\{[a-z0-9_]+\\})$" },
            ],
        })
    }
}

impl JsonSchema for Names {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StageNames".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The stage that is read, or a list of stages.",
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" }, "minItems": 1 }],
        })
    }
}
