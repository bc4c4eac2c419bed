//! `pretrain`: a T5 of any shape from seeded numbers, by span corruption and a supervised mixture. Its body runs in a
//! worker.
//!
//! Reads texts of `format`, a task perhaps in several wordings; without any, it learns from the built-in world's corpus alone. Writes a backbone in the hub's
//! layout (`config.json`, `tokenizer.json`, `model.safetensors`), and `curve.csv`, `scores.csv`, `summary.json`.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Operation, parameters};
use crate::plan::catalog::{ParameterError, Place, Resolved};
use crate::task::world;

/// The operation.
pub struct Pretrain;

/// Bumped when equal inputs and parameters give other results.
const VERSION: u32 = 5;

/// What workers that pre-train have in common, where others have a backbone: they load none.
const AFFINITY: &str = "pretrain";

/// How a backbone is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PretrainParameters {
    /// Training steps.
    #[schemars(required)]
    pub steps: u64,
    /// The architecture.
    pub shape: Shape,
    /// The plain text, and how it is masked.
    pub corpus: Corpus,
    /// Tasks that are read and scored, but not learned.
    pub held_out: Vec<String>,
    /// What stands before task examples and means nothing.
    pub distraction: Distraction,
    /// Examples in a batch, of texts and tasks together.
    pub batch: usize,
    /// Learning rate of the matrices at the top of its schedule (linear rise, linear fall).
    pub learning_rate: f64,
    /// The same for the tables: the word embeddings, whose numbers are some 20 times as large (METHODS 1.1), and the
    /// relative positions, of which few are looked up often.
    pub embedding_rate: f64,
    /// The part of all steps in which the learning rates rise.
    pub warmup: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// The largest global norm of a gradient; `null` for no limit.
    pub clip: Option<f64>,
    /// Dropout rate while training.
    pub dropout: f64,
    /// Tokens kept of a task's source text, its end mark included.
    pub max_source_tokens: usize,
    /// Seeds the first numbers, the order of examples, the masks and dropout.
    pub seed: u64,
}

/// A T5 v1.0 (METHODS 1.1): ReLU, tied embeddings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Shape {
    /// Width of the residual stream.
    pub d_model: usize,
    /// Width of an attention head.
    pub d_kv: usize,
    /// Width inside the feed-forward layer.
    pub d_ff: usize,
    /// Encoder blocks.
    pub layers: usize,
    /// Decoder blocks.
    pub decoder_layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Rows of the relative position table.
    pub buckets: usize,
    /// Distance from which all positions share the last bucket.
    pub max_distance: usize,
    /// The most pieces of the vocabulary, special ones and sentinels included.
    pub vocabulary: usize,
    /// Sentinels of span corruption among them.
    pub sentinels: usize,
}

/// Plain text for span corruption.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Corpus {
    /// Where texts come from.
    pub from: CorpusOrigin,
    /// With `from: world`: how many texts are made.
    pub texts: usize,
    /// With `from: world`: the seed that they are made from.
    pub seed: u64,
    /// Tokens of one example: consecutive texts are joined until there are so many.
    pub length: usize,
    /// The part of the tokens that is masked.
    pub noise: f64,
    /// The mean length of a masked span, in tokens.
    pub span: f64,
    /// Steps at the beginning that see plain text only.
    pub alone: u64,
    /// The part of a later batch that is plain text.
    pub share: f64,
}

/// Random pieces before a task's text. Whoever learns to read on is not put off by a prompt that has just been drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Distraction {
    /// The part of task examples that have any.
    pub share: f64,
    /// The most pieces, on top of `max_source_tokens`; each number from 1 to this is as likely.
    pub longest: usize,
}

/// Where plain text comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CorpusOrigin {
    /// The built-in world.
    World,
    /// The source texts of the training examples that the stage reads.
    Sources,
}

impl Default for PretrainParameters {
    fn default() -> Self {
        Self {
            steps: 0,
            shape: Shape::default(),
            corpus: Corpus::default(),
            held_out: Vec::new(),
            distraction: Distraction::default(),
            batch: 64,
            learning_rate: 4e-4,
            embedding_rate: 1e-2,
            warmup: 0.03,
            weight_decay: 0.0,
            clip: Some(1.0),
            dropout: 0.0,
            max_source_tokens: 128,
            seed: 0,
        }
    }
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            d_model: 128,
            d_kv: 32,
            d_ff: 384,
            layers: 3,
            decoder_layers: 2,
            heads: 4,
            buckets: 32,
            max_distance: 128,
            vocabulary: 1000,
            sentinels: 100,
        }
    }
}

impl Default for Corpus {
    fn default() -> Self {
        Self {
            from: CorpusOrigin::World,
            texts: 20_000,
            seed: 0,
            length: 64,
            noise: 0.15,
            span: 3.0,
            alone: 0,
            share: 0.25,
        }
    }
}

impl Default for Distraction {
    fn default() -> Self {
        Self { share: 0.0, longest: 20 }
    }
}

/// What the key and the body see.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    /// The settings, complete.
    pub settings: PretrainParameters,
    /// [`world::VERSION`] where the world's texts are read.
    pub world: Option<u32>,
}

impl Operation for Pretrain {
    fn name(&self) -> &'static str {
        "pretrain"
    }

    fn about(&self) -> &'static str {
        "Makes a T5 of any shape from plain text and the tasks it reads"
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(PretrainParameters)
    }

    fn resolve(&self, written: &Value, _: &Path) -> Result<Resolved, Vec<ParameterError>> {
        let planned = resolve(written)?;
        Ok(Resolved {
            version: VERSION,
            parameters: parameters::complete(&planned),
            accepts: &["format"],
            sources: Vec::new(),
            reads_coordinates: false,
            place: Place::Worker { affinity: AFFINITY.to_owned() },
            publishes: true,
        })
    }
}

/// Completes and checks what was written.
///
/// # Errors
/// Every parameter that can't be accepted.
pub fn resolve(written: &Value) -> Result<Planned, Vec<ParameterError>> {
    let settings: PretrainParameters = parameters::read(written)?;
    let faults = faults(&settings);
    if !faults.is_empty() {
        return Err(faults);
    }
    let world = (settings.corpus.from == CorpusOrigin::World).then_some(world::VERSION);
    Ok(Planned { settings, world })
}

fn faults(settings: &PretrainParameters) -> Vec<ParameterError> {
    let PretrainParameters { shape, corpus, .. } = settings;
    let mut faults = Vec::new();
    let least = [
        ("steps", settings.steps as usize, 1),
        ("batch", settings.batch, 1),
        ("max_source_tokens", settings.max_source_tokens, 2),
        ("shape.d_model", shape.d_model, 1),
        ("shape.d_kv", shape.d_kv, 1),
        ("shape.d_ff", shape.d_ff, 1),
        ("shape.layers", shape.layers, 1),
        ("shape.decoder_layers", shape.decoder_layers, 1),
        ("shape.heads", shape.heads, 1),
        ("shape.buckets", shape.buckets, 4),
        ("shape.max_distance", shape.max_distance, shape.buckets / 2 + 1),
        ("shape.sentinels", shape.sentinels, 1),
        // All printable characters, the special pieces, and something to learn.
        ("shape.vocabulary", shape.vocabulary, shape.sentinels + 128),
        ("corpus.texts", corpus.texts, 1),
        ("corpus.length", corpus.length, 8),
        ("distraction.longest", settings.distraction.longest, 1),
    ];
    for (path, value, least) in least {
        if value < least {
            faults.push(parameters::fault(path, format!("`{value}` is too small, expected at least {least}")));
        }
    }
    if !shape.buckets.is_multiple_of(2) {
        faults.push(parameters::fault("shape.buckets", format!("`{}` is odd, expected an even number", shape.buckets)));
    }
    let ranges = [
        ("learning_rate", settings.learning_rate, 0.0..=1.0),
        ("embedding_rate", settings.embedding_rate, 0.0..=1.0),
        ("warmup", settings.warmup, 0.0..=1.0),
        ("weight_decay", settings.weight_decay, 0.0..=1.0),
        ("dropout", settings.dropout, 0.0..=0.9),
        ("corpus.noise", corpus.noise, 0.01..=0.9),
        ("corpus.span", corpus.span, 1.0..=32.0),
        ("corpus.share", corpus.share, 0.0..=1.0),
        ("distraction.share", settings.distraction.share, 0.0..=1.0),
    ];
    for (path, value, range) in ranges {
        if !range.contains(&value) {
            let message = format!("`{value}` is out of range, expected {} to {}", range.start(), range.end());
            faults.push(parameters::fault(path, message));
        }
    }
    // Every span has a sentinel of its own.
    let spans = (corpus.length as f64 * corpus.noise / corpus.span).ceil() as usize;
    if spans > shape.sentinels {
        let message = format!("texts of {} tokens get up to {spans} masked spans, more than sentinels", corpus.length);
        faults.push(parameters::fault("shape.sentinels", message));
    }
    if settings.clip.is_some_and(|clip| clip <= 0.0) {
        faults.push(parameters::fault("clip", "expected a number above 0, or `null` for no limit"));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::resolve;
    use serde_json::json;

    #[test]
    fn what_is_left_out_is_completed() {
        let planned = resolve(&json!({"steps": 10, "corpus": {"share": 0.5}})).unwrap();
        assert_eq!((planned.settings.shape.d_model, planned.settings.corpus.noise), (128, 0.15));
        assert!(planned.world.is_some());
        assert!(resolve(&json!({"steps": 1, "corpus": {"from": "sources"}})).unwrap().world.is_none());
    }

    #[test]
    fn all_faults_at_once() {
        let given = json!({
            "shape": {"layers": 0, "buckets": 7, "sentinels": 2}, "corpus": {"noise": 1.5},
            "distraction": {"share": -0.1, "longest": 0},
        });
        let mut paths: Vec<String> = resolve(&given).unwrap_err().into_iter().map(|fault| fault.path).collect();
        paths.sort();
        paths.dedup();
        let corpus_and_prefix = ["corpus.noise", "distraction.longest", "distraction.share"];
        let shape_and_steps = ["shape.buckets", "shape.layers", "shape.sentinels", "steps"];
        assert_eq!(paths, [&corpus_and_prefix[..], &shape_and_steps].concat());
    }
}
