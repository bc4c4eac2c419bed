//! `pretrain`: a T5 of any shape from seeded numbers, by span corruption and a supervised mixture. Its body runs in a
//! worker.
//!
//! Reads texts of `format`, which are tasks, each perhaps in several wordings, and rows of `fetch`, which are plain
//! text; plain text can also be files of the project or the built-in world. Writes a backbone in the hub's layout
//! (`config.json`, `tokenizer.json`, `model.safetensors`), and `curve.csv`, `scores.csv`, `summary.json`.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::command::check::{faults_of_files, misplaced_in};
use super::{Operation, parameters};
use crate::plan::catalog::{NOTHING, ParameterError, Place, Resolved, SourceRef};
use crate::task::world;

/// The operation.
pub struct Pretrain;

/// Bumped when equal inputs and parameters give other results.
const VERSION: u32 = 6;

/// What workers that pre-train have in common, where others have a backbone: they load none.
const AFFINITY: &str = "pretrain";

/// Stands for `fetch` among what is accepted where no rows are read. No operation has this name, so no stage is
/// accepted for it; messages show it between backticks and so say what to write.
const FETCH_ELSEWHERE: &str = "fetch` with `corpus: { from: rows }";

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
    /// The same for the tables: the word embeddings and a head of its own, whose numbers start some 20 times as large,
    /// and the relative positions, of which few are looked up often.
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
    /// Steps between checkpoints; `null` writes one every ten seconds of work. No result depends on it.
    pub checkpoint_every: Option<u64>,
}

/// A T5: v1.0 as it is, v1.1 with `feed_forward: gated_gelu` and `tied: false`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Shape {
    /// Width of the residual stream.
    pub d_model: usize,
    /// Width of an attention head.
    pub d_kv: usize,
    /// Width inside the feed-forward layer.
    pub d_ff: usize,
    /// What the feed-forward layer does.
    pub feed_forward: FeedForward,
    /// Whether the head, which says the next piece, is the table of word embeddings (scaled) or one of its own.
    pub tied: bool,
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

/// What a feed-forward layer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FeedForward {
    /// T5 v1.0: a map, what is above zero, a map.
    Relu,
    /// T5 v1.1: the product of two maps, one of them through a GELU, and a map.
    GatedGelu,
}

/// Plain text for span corruption.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Corpus {
    /// Where texts come from. Without it: `files` and `rows` where the names of files or of a column say so, else
    /// `sources`.
    pub from: Option<CorpusOrigin>,
    /// With `from: rows` or `files`: the column that holds the texts; needed where there are several.
    pub column: Option<String>,
    /// With `from: files`: files or folders of the project: tables (.parquet, .csv, .tsv, .jsonl, .json), or .txt with
    /// a text in each line.
    pub files: Vec<String>,
    /// With `from: world`: how many texts are made. Default 20000.
    pub texts: Option<usize>,
    /// With `from: world`: the seed that they are made from. Default 0.
    pub seed: Option<u64>,
    /// Tokens of one example: consecutive texts are joined until there are so many.
    pub length: usize,
    /// What becomes of the tokens that are too many for an example.
    pub long: Long,
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
    /// The training rows of the `fetch` stages that the stage reads: one column, without their labels.
    Rows,
    /// Files of the project.
    Files,
}

/// What becomes of the tokens that are too many for an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Long {
    /// They begin the next example: every token is read.
    Split,
    /// They are left out: every example begins with the beginning of a text.
    Cut,
}

impl Corpus {
    /// Where texts come from, said or not.
    #[must_use]
    pub fn origin(&self) -> CorpusOrigin {
        match self.from {
            Some(origin) => origin,
            None if !self.files.is_empty() => CorpusOrigin::Files,
            None if self.column.is_some() => CorpusOrigin::Rows,
            None => CorpusOrigin::Sources,
        }
    }

    /// With `from: world`: how many texts are made, and from which seed.
    #[must_use]
    pub fn of_world(&self) -> (usize, u64) {
        (self.texts.unwrap_or(20_000), self.seed.unwrap_or(0))
    }
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
            checkpoint_every: None,
        }
    }
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            d_model: 128,
            d_kv: 32,
            d_ff: 384,
            feed_forward: FeedForward::Relu,
            tied: true,
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
            from: None,
            column: None,
            files: Vec::new(),
            texts: None,
            seed: None,
            length: 64,
            long: Long::Split,
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

    fn resolve(&self, written: &Value, root: &Path) -> Result<Resolved, Vec<ParameterError>> {
        let planned = resolve(written, root)?;
        // Files and the world are text enough to learn from.
        let accepts: &[&str] = match planned.settings.corpus.origin() {
            CorpusOrigin::World | CorpusOrigin::Files => &["format", FETCH_ELSEWHERE, NOTHING],
            CorpusOrigin::Sources => &["format", FETCH_ELSEWHERE],
            CorpusOrigin::Rows => &["format", "fetch"],
        };
        Ok(Resolved {
            version: VERSION,
            parameters: parameters::complete(&planned),
            accepts,
            sources: planned.settings.corpus.files.iter().cloned().map(SourceRef::File).collect(),
            reads_coordinates: false,
            place: Place::Worker { affinity: AFFINITY.to_owned() },
            publishes: true,
        })
    }
}

/// Completes and checks what was written; files are those of the project at `root`.
///
/// # Errors
/// Every parameter that can't be accepted.
pub fn resolve(written: &Value, root: &Path) -> Result<Planned, Vec<ParameterError>> {
    let mut settings: PretrainParameters = parameters::read(written)?;
    let faults = [faults(&settings), faults_of_origin(&settings.corpus, root)].concat();
    if !faults.is_empty() {
        return Err(faults);
    }
    let origin = settings.corpus.origin();
    let corpus = &mut settings.corpus;
    corpus.from = Some(origin);
    let mut version = None;
    if origin == CorpusOrigin::World {
        let (texts, seed) = corpus.of_world();
        (corpus.texts, corpus.seed) = (Some(texts), Some(seed));
        version = Some(world::VERSION);
    }
    Ok(Planned { settings, world: version })
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
        ("corpus.texts", corpus.of_world().0, 1),
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
    if settings.checkpoint_every == Some(0) {
        let message = "expected at least 1, or `null` for one every ten seconds of work";
        faults.push(parameters::fault("checkpoint_every", message));
    }
    if settings.clip.is_some_and(|clip| clip <= 0.0) {
        faults.push(parameters::fault("clip", "expected a number above 0, or `null` for no limit"));
    }
    faults
}

/// What contradicts where texts come from, or is not there.
fn faults_of_origin(corpus: &Corpus, root: &Path) -> Vec<ParameterError> {
    let origin = corpus.origin();
    let mut faults = match origin {
        CorpusOrigin::Files => {
            faults_of_files("corpus.files", &corpus.files, root, |path| misplaced_in("the project", path))
        }
        _ => Vec::new(),
    };
    if origin == CorpusOrigin::Files && corpus.files.is_empty() {
        faults.push(parameters::fault("corpus.files", "`from: files` needs the name of a file or folder"));
    }
    if origin != CorpusOrigin::Files && !corpus.files.is_empty() {
        faults.push(parameters::fault("corpus.files", "files are read with `from: files` only"));
    }
    if matches!(origin, CorpusOrigin::World | CorpusOrigin::Sources) && corpus.column.is_some() {
        faults.push(parameters::fault("corpus.column", "a column is read with `from: rows` and `from: files` only"));
    }
    if origin != CorpusOrigin::World {
        let written = [("texts", corpus.texts.is_some()), ("seed", corpus.seed.is_some())];
        for (name, _) in written.into_iter().filter(|(_, is_written)| *is_written) {
            let message = format!("`{name}` is read with `from: world` only");
            faults.push(parameters::fault(&format!("corpus.{name}"), message));
        }
    }
    faults
}

#[cfg(test)]
mod tests;
