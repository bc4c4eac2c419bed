//! The stage key: what decides whether a result can be used again.
//!
//! | in the key | why |
//! | --- | --- |
//! | the operation's name and its `VERSION` | a mended operation rebuilds what used it, and nothing else |
//! | its parameters, after defaults and substitution | they are what the stage does |
//! | the output digests of what it reads, not their keys | early cut-off: equal bytes rebuild nothing |
//! | for operations that read coordinates: stage and axis values of what they read | they are written into the table |
//! | digests of the data sets, models and files it reads | another content is another result |
//! | in a worker: dtype, device kind, libtorch, threads, deterministic flag | sums in another order round otherwise |
//! | **left out** | **why** |
//! | revisions, hub, mirror, folders | where equal bytes came from changes no result |
//! | the stage's name and title, the names of axes | an operation that doesn't read coordinates can't see them |
//! | the order of what is read, unless coordinates are read | see [`Preimage::order`]: the job gets the key's order |
//! | times, host, user, log level, `--jobs`, partition, output folder | they change no result |
//! | `policy` (retries, timeout, priority), resources other than `cpu` of a stage in a worker | they decide where and when it runs |
//! | comments, key order, spelling of numbers | the same pipeline |

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::catalog::{Place, SourceRef};
use super::instance::Instance;
use super::parameters::Parameters;
use super::pins::Pins;
use crate::base::Digest;
use crate::base::canonical::Encoder;
use crate::protocol::Coordinates;

/// The number of this key format. A change of [`Preimage`] or of its encoding takes the next one, with a line here:
///
/// * 1 (2026-08): the first.
pub const SCHEMA: u32 = 1;

/// Everything that decides a stage's result; its digest is the stage key. Kept as JSON beside the result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preimage {
    /// [`SCHEMA`] of the program that made it.
    pub schema: u32,
    /// The operation's name.
    pub operation: String,
    /// The operation's code version.
    pub version: u32,
    /// Complete parameters.
    pub parameters: Value,
    /// The results it reads, in the order in which the operation gets them.
    pub inputs: Vec<InputKey>,
    /// The contents of the sources that the parameters name, in the operation's order.
    pub sources: Vec<SourceKey>,
    /// Settings that change rounding; absent for an operation that runs on a thread of the runner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numeric: Option<Numeric>,
}

/// One result that a stage reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputKey {
    /// The operation that made it.
    pub operation: String,
    /// The digest of its files.
    pub output: Digest,
    /// Who made it, if the reader can see that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell: Option<Cell>,
}

/// The stage and axis values of a result, as a table shows them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// The stage's name.
    pub stage: String,
    /// Its axis values.
    pub coordinates: Coordinates,
}

impl Cell {
    /// What `reader` sees of who made what it reads: nothing, for most operations.
    pub(super) fn of(reader: &Instance, read: &Instance) -> Option<Self> {
        let see = || Self { stage: reader.name_of(read).to_owned(), coordinates: read.coordinates.clone() };
        reader.reads_coordinates.then(see)
    }
}

/// One source that a stage reads. Its name isn't here: what counts of it is among the parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceKey {
    /// `dataset`, `model` or `file`.
    pub kind: String,
    /// The digest of its files and of their paths inside the source.
    pub digest: Digest,
}

/// Settings of a worker that can change the last bits of a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numeric {
    /// `f32`, `bf16`.
    pub dtype: String,
    /// The kind of device, without its number: `cpu`, `cuda`.
    pub device: String,
    /// The version of libtorch.
    pub libtorch: String,
    /// Threads of one operator.
    pub threads: usize,
    /// Whether only deterministic algorithms are allowed.
    pub deterministic: bool,
}

impl Numeric {
    /// The settings for one stage: `resources: { cpu: N }` sets its threads.
    #[must_use]
    pub fn of(&self, instance: &Instance) -> Self {
        let cpu = instance.resources.get("cpu").and_then(|cpu| usize::try_from(*cpu).ok());
        Self { threads: cpu.unwrap_or(self.threads).max(1), ..self.clone() }
    }
}

/// A result as its reader finds it.
#[derive(Clone, Copy, Debug)]
pub struct Read<'a> {
    /// The instance that made it.
    pub instance: &'a Instance,
    /// The digest of its files.
    pub output: Digest,
}

/// What a stage's result depends on beside the stage itself.
struct Content {
    inputs: Vec<InputKey>,
    sources: Vec<SourceKey>,
    numeric: Option<Numeric>,
}

impl Content {
    fn new<'a>(
        instance: &'a Instance,
        inputs: &[Read<'_>],
        pins: &Pins,
        numeric: &Numeric,
    ) -> Result<Self, &'a SourceRef> {
        let sources = instance.sources.iter().map(|source| {
            let pin = pins.get(source).ok_or(source)?;
            Ok(SourceKey { kind: source.kind().to_owned(), digest: pin.digest() })
        });
        let input = |position: usize| {
            let read = inputs[position].instance;
            let cell = Cell::of(instance, read);
            InputKey { operation: read.operation.clone(), output: inputs[position].output, cell }
        };
        Ok(Self {
            inputs: Preimage::order(instance, inputs).into_iter().map(input).collect(),
            sources: sources.collect::<Result<_, _>>()?,
            numeric: matches!(instance.place, Place::Worker { .. }).then(|| numeric.of(instance)),
        })
    }
}

/// The key of `instance` when it reads `inputs` (in plan order): that of its preimage, which is not made for it.
///
/// # Errors
/// As [`Preimage::new`].
pub fn key<'a>(
    instance: &'a Instance,
    inputs: &[Read<'_>],
    pins: &Pins,
    numeric: &Numeric,
) -> Result<Digest, &'a SourceRef> {
    let content = Content::new(instance, inputs, pins, numeric)?;
    let fields = Fields {
        schema: SCHEMA,
        operation: &instance.operation,
        version: instance.version,
        parameters: Given::Text(&instance.parameters),
        inputs: &content.inputs,
        sources: &content.sources,
        numeric: content.numeric.as_ref(),
    };
    Ok(fields.key())
}

impl Preimage {
    /// The preimage of `instance` when it reads `inputs` (in plan order).
    ///
    /// # Errors
    /// The source whose content isn't known yet.
    pub fn new<'a>(
        instance: &'a Instance,
        inputs: &[Read<'_>],
        pins: &Pins,
        numeric: &Numeric,
    ) -> Result<Self, &'a SourceRef> {
        let Content { inputs, sources, numeric } = Content::new(instance, inputs, pins, numeric)?;
        Ok(Self {
            schema: SCHEMA,
            operation: instance.operation.clone(),
            version: instance.version,
            parameters: instance.parameters.value(),
            inputs,
            sources,
            numeric,
        })
    }

    /// What is known of the preimage of `instance` without its inputs and sources.
    pub fn bare(instance: &Instance, numeric: &Numeric) -> Self {
        Self {
            schema: SCHEMA,
            operation: instance.operation.clone(),
            version: instance.version,
            parameters: instance.parameters.value(),
            inputs: Vec::new(),
            sources: Vec::new(),
            numeric: matches!(instance.place, Place::Worker { .. }).then(|| numeric.of(instance)),
        }
    }

    /// The order in which an operation must be given what it reads, as positions in `inputs`.
    ///
    /// Plan order for operations that read coordinates. For the others the order of operation and digest, in the key
    /// and in the job alike: so neither renaming an axis nor reordering its values changes what they compute.
    pub fn order(instance: &Instance, inputs: &[Read<'_>]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..inputs.len()).collect();
        if !instance.reads_coordinates {
            order.sort_by_key(|&position| (&inputs[position].instance.operation, inputs[position].output));
        }
        order
    }

    /// The stage key.
    pub fn key(&self) -> Digest {
        let Self { schema, operation, version, parameters, inputs, sources, numeric } = self;
        let (schema, version, numeric) = (*schema, *version, numeric.as_ref());
        let parameters = Given::Value(parameters);
        Fields { schema, operation, version, parameters, inputs, sources, numeric }.key()
    }
}

/// The fields of a preimage, wherever they are kept.
struct Fields<'a> {
    schema: u32,
    operation: &'a str,
    version: u32,
    parameters: Given<'a>,
    inputs: &'a [InputKey],
    sources: &'a [SourceKey],
    numeric: Option<&'a Numeric>,
}

/// Parameters, as they are kept.
enum Given<'a> {
    Value(&'a Value),
    Text(&'a Parameters),
}

impl Fields<'_> {
    /// The digest of the preimage as JSON, encoded without making that: every map has its keys in byte order.
    fn key(&self) -> Digest {
        let mut out = Encoder::new("compt stage key");
        out.map(if self.numeric.is_some() { 7 } else { 6 });
        out.key("inputs");
        out.list(self.inputs.len());
        self.inputs.iter().for_each(|input| input.encode(&mut out));
        if let Some(numeric) = self.numeric {
            out.key("numeric");
            numeric.encode(&mut out);
        }
        out.key("operation");
        out.string(self.operation);
        out.key("parameters");
        match self.parameters {
            Given::Value(value) => out.value(value),
            Given::Text(parameters) => parameters.encode(&mut out),
        }
        out.key("schema");
        out.whole(self.schema.into());
        out.key("sources");
        out.list(self.sources.len());
        for source in self.sources {
            out.map(2);
            out.key("digest");
            out.string(&source.digest.to_string());
            out.key("kind");
            out.string(&source.kind);
        }
        out.key("version");
        out.whole(self.version.into());
        out.digest()
    }
}

impl InputKey {
    fn encode(&self, out: &mut Encoder) {
        out.map(if self.cell.is_some() { 3 } else { 2 });
        if let Some(cell) = &self.cell {
            out.key("cell");
            out.map(2);
            out.key("coordinates");
            out.map(cell.coordinates.len());
            for (axis, text) in &cell.coordinates {
                out.key(axis);
                out.string(text);
            }
            out.key("stage");
            out.string(&cell.stage);
        }
        out.key("operation");
        out.string(&self.operation);
        out.key("output");
        out.string(&self.output.to_string());
    }
}

impl Numeric {
    fn encode(&self, out: &mut Encoder) {
        out.map(5);
        out.key("deterministic");
        out.flag(self.deterministic);
        out.key("device");
        out.string(&self.device);
        out.key("dtype");
        out.string(&self.dtype);
        out.key("libtorch");
        out.string(&self.libtorch);
        out.key("threads");
        out.whole(self.threads as i128);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{Cell, InputKey, Numeric, Preimage, SCHEMA, SourceKey};
    use crate::base::{Digest, canonical};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    /// A preimage with something in every field.
    pub(crate) fn full() -> Preimage {
        let cell = Cell { stage: "fit".into(), coordinates: [("seed".to_owned(), "1".to_owned())].into() };
        Preimage {
            schema: SCHEMA,
            operation: "train".into(),
            version: 3,
            parameters: json!({"k": 16, "gate": {"kind": "learned", "rate": 0.5}, "tasks": ["a", "b"], "none": null}),
            inputs: vec![
                InputKey { operation: "format".into(), output: Digest::of(b"1"), cell: Some(cell) },
                InputKey { operation: "format".into(), output: Digest::of(b"2"), cell: None },
            ],
            sources: vec![SourceKey { kind: "model".into(), digest: Digest::of(b"weights") }],
            numeric: Some(numeric()),
        }
    }

    pub(crate) fn numeric() -> Numeric {
        Numeric {
            dtype: "f32".into(),
            device: "cpu".into(),
            libtorch: "2.11.0".into(),
            threads: 2,
            deterministic: true,
        }
    }

    /// The key by its definition: the digest of the preimage as JSON.
    fn defined(preimage: &Preimage) -> Digest {
        canonical::digest("compt stage key", &serde_json::to_value(preimage).unwrap())
    }

    #[test]
    fn the_key_is_the_digest_of_the_preimage_as_json() {
        assert_eq!(full().key(), defined(&full()));
        let bare = Preimage { numeric: None, inputs: Vec::new(), sources: Vec::new(), ..full() };
        assert_eq!(bare.key(), defined(&bare));
    }

    /// Every value that differs from `value` in one place.
    fn mutations(value: &Value) -> Vec<Value> {
        let mut all = match value {
            Value::Null => vec![json!(1)],
            Value::Bool(flag) => vec![json!(!flag)],
            Value::Number(number) => {
                vec![number.as_u64().map_or_else(|| json!(number.as_f64().unwrap() + 1.0), |whole| json!(whole + 1))]
            }
            Value::String(text) if text.len() == 64 => {
                vec![json!(format!("{}{}", &text[1..], if text.starts_with('0') { "1" } else { "0" }))]
            }
            Value::String(text) => vec![json!(format!("{text}x")), json!("")],
            Value::Array(items) => {
                let reversed: Vec<Value> = items.iter().rev().cloned().collect();
                let mut all = vec![json!(items[1..])];
                all.extend((reversed != *items).then(|| json!(reversed)));
                all
            }
            Value::Object(map) => {
                let without = |name: &String| {
                    let mut map = map.clone();
                    map.remove(name);
                    Value::Object(map)
                };
                map.keys().map(without).collect()
            }
        };
        match value {
            Value::Array(items) => {
                for (position, item) in items.iter().enumerate() {
                    all.extend(mutations(item).into_iter().map(|mutated| {
                        let mut items = items.clone();
                        items[position] = mutated;
                        Value::Array(items)
                    }));
                }
            }
            Value::Object(map) => {
                for (name, item) in map {
                    all.extend(mutations(item).into_iter().map(|mutated| {
                        let mut map = map.clone();
                        map.insert(name.clone(), mutated);
                        Value::Object(map)
                    }));
                }
            }
            _ => {}
        }
        all
    }

    #[test]
    fn every_field_counts() {
        let original = full();
        let mutated = mutations(&serde_json::to_value(&original).unwrap());
        // A mutation that is no preimage any more (a field is missing) can't be mistaken for one.
        let mutated: Vec<Preimage> =
            mutated.into_iter().filter_map(|value| serde_json::from_value(value).ok()).collect();
        for preimage in &mutated {
            assert_ne!(preimage.key(), original.key(), "{preimage:?}");
            assert_eq!(preimage.key(), defined(preimage), "{preimage:?}");
        }
        let paths = ["schema", "operation", "version", "parameters", "inputs", "sources", "numeric"];
        for path in paths {
            let value = |preimage: &Preimage| serde_json::to_value(preimage).unwrap().get(path).cloned();
            assert!(mutated.iter().any(|p| value(p) != value(&original)), "nothing has changed `{path}`");
        }
    }

    /// From a few lines of Python over the package `blake3`, written after the descriptions in this file and in
    /// `base/canonical.rs`. If this changes, every result that anybody has is made again: that takes another [`SCHEMA`].
    #[test]
    fn the_key_stays_what_it_was() {
        assert_eq!(full().key().to_string(), "dedef5b614528d05fc4c5e84e14e36a5683fa2c270160f24be3f6bee126cf3c3");
    }

    #[test]
    fn survives_json() {
        let text = serde_json::to_string(&full()).unwrap();
        let read: Preimage = serde_json::from_str(&text).unwrap();
        assert_eq!(read, full());
        assert_eq!(read.key(), full().key());
    }

    proptest! {
        #[test]
        fn the_order_of_parameters_does_not_count(
            order in Just(vec![("a", 1), ("b", 2), ("c", 3), ("d", 4)]).prop_shuffle()
        ) {
            let fields: Vec<String> = order.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
            let parameters: Value = serde_json::from_str(&format!("{{{}}}", fields.join(", "))).unwrap();
            let key = |parameters| Preimage { parameters, ..full() }.key();
            prop_assert_eq!(key(parameters), key(json!({"a": 1, "b": 2.0, "c": 3, "d": 4})));
        }
    }
}
