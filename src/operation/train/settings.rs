//! The parameters of `train`: every choice of METHODS 2, 3 and 8 has its key here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dropout::Dropout;

/// How prompts are trained. What a pipeline leaves out is taken from `preset` and `method`; what it writes wins. The word
/// `preset` in the place of a value leaves it out, so that a pipeline can name the parameter all the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrainParameters {
    /// The prompt method; it decides the defaults of `sources`, `compose`, `gate` and `optim.groups`.
    pub method: Method,
    /// A bundle of defaults: the paper's text, the authors' code, or our recommendation, which is the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// The frozen backbone: a hub id (`google-t5/t5-base`), a folder or `builtin/NAME`.
    #[schemars(required, extend("examples" = ["google-t5/t5-base", "builtin/nano"]))]
    pub backbone: String,
    /// Length, place and start of the prompts.
    pub prompt: PromptSettings,
    /// The network that maps a prompt's table to the prompt.
    pub encoder: EncoderSettings,
    /// The prompts that tasks share.
    pub sources: SourceSettings,
    /// The weights of the sources in a task's mixture.
    pub router: RouterSettings,
    /// The scalars before the private prompt and before the mixture.
    pub gate: GateSettings,
    /// How the mixture and the private prompt become one prompt.
    pub compose: Compose,
    /// The optimizer and its schedule.
    pub optim: OptimizerSettings,
    /// Passes over the training examples; the paper uses 5 when k is 5000.
    pub epochs: u32,
    /// Whether `epochs` is doubled when no task has more than ten training examples.
    pub adjust_epochs: bool,
    /// Examples in a batch.
    pub batch: usize,
    /// How batches are drawn.
    pub sampler: SamplerKind,
    /// Dropout of the frozen backbone during training: `model` (its own rate) or a number.
    pub dropout: Dropout,
    /// Tokens kept of a source text, its end mark included; the prompt is never cut.
    pub max_source_tokens: usize,
    /// Tokens kept of a target text, its end mark included; `null` keeps them all.
    pub max_target_tokens: Option<usize>,
    /// Seed of initialisation, shuffling and dropout (the draw of the examples has its own).
    pub seed: u64,
    /// Which parameters become the result.
    pub select: Select,
    /// Steps between checkpoints; `null` writes one every ten seconds of work. No result depends on it.
    pub checkpoint_every: Option<u64>,
    /// Number format of the frozen backbone; prompts are always trained in float32.
    pub precision: Precision,
}

/// The four methods of the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A private prompt for each task, no sources.
    Pt,
    /// One source prompt that all tasks share.
    Mst,
    /// The sum of the source mixture and a private prompt.
    Spp,
    /// The source mixture, followed by a private prompt.
    Scp,
}

/// Bundles of defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// What we recommend.
    Recommended,
    /// What the paper's text says.
    PaperText,
    /// What the authors' code did.
    PaperCode,
}

/// Length, place and start of the prompts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PromptSettings {
    /// Rows of one prompt; the composed prompt of `scp` has twice as many.
    pub length: usize,
    /// Where the prompt stands in the encoder's input.
    pub position: PromptPosition,
    /// How tables start.
    pub init: Init,
    /// How the tables of private prompts start; `null`: as `init` says.
    pub private_init: Option<Init>,
    /// The words whose embeddings are used by `init: words`, in order; they are repeated to fill the table.
    pub init_words: Vec<String>,
    /// The safetensors file for `init: file`: `learned/TASK` tensors, or one tensor for all prompts.
    pub init_file: Option<String>,
}

/// Where a prompt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PromptPosition {
    /// Before the text.
    Front,
    /// After the text, before its end mark.
    BeforeEos,
    /// After the whole padded row.
    AfterPadding,
}

/// How a prompt's table starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// Uniform in [-0.5, 0.5).
    Uniform,
    /// Rows drawn without replacement from the first 5000 rows of the vocabulary.
    SampledVocab,
    /// Embeddings of the label words, the rest as `sampled_vocab`.
    ClassLabels,
    /// Row i is the embedding of vocabulary id i.
    FirstVocabRows,
    /// Embeddings of `init_words`.
    Words,
    /// Tensors of `init_file`.
    File,
}

/// The network that maps a prompt's table to the prompt, row by row (the paper, section 2.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EncoderSettings {
    /// Its form.
    pub kind: EncoderKind,
    /// Its hidden width; `null`: the backbone's width.
    pub hidden: Option<usize>,
    /// Its activation (`lstm` always has relu).
    pub act: Activation,
}

/// Forms of prompt encoders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EncoderKind {
    /// Two linear maps with an activation between.
    Mlp,
    /// Three linear maps.
    #[serde(rename = "mlp@2")]
    MlpTwo,
    /// Two linear maps, and the table added.
    MlpRes,
    /// The table itself.
    Emb,
    /// A two-layer bidirectional LSTM over the rows, then two linear maps.
    Lstm,
}

/// Activations of prompt encoders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// The exact GELU, by the error function.
    Gelu,
    /// max(x, 0).
    Relu,
    /// The GELU's tanh approximation.
    GeluTanh,
}

/// The prompts that tasks share (the paper, section 2.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SourceSettings {
    /// Sources that belong to no task.
    pub count: usize,
    /// Whether there is one source more for each training task.
    pub per_task: bool,
}

/// The weights of the sources in a task's mixture (the paper, section 2.3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RouterSettings {
    /// Where the weights come from.
    pub kind: RouterKind,
    /// How logits become weights.
    pub norm: Norm,
    /// The weights of `kind: constant`.
    pub constant: ConstantWeights,
    /// What stands for the sample at evaluation, for `kind: relaxed_bernoulli`.
    pub eval: RouterEvaluation,
    /// Whether the private prompt's weight is one more entry of the row (with `gate.kind: joint_softmax`).
    pub include_private: bool,
    /// The temperature of `kind: relaxed_bernoulli`.
    pub temperature: TemperatureSettings,
    /// Added at the start to the logit of a task's own source (with `sources.per_task`).
    pub bias: f64,
    /// Sources kept for a task, by weight; 0 keeps all.
    pub top_k: usize,
}

/// Kinds of routers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RouterKind {
    /// One free scalar for each task and source.
    Direct,
    /// Relaxed Bernoulli samples around the scalars.
    RelaxedBernoulli,
    /// Nothing is learned.
    Constant,
}

/// Normalisers of a router's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// The paper's rule: one source: sigmoid; up to half as many sources as tasks: softmax; more: sparsemax.
    Auto,
    /// exp(z) divided by its sum.
    Softmax,
    /// The Euclidean projection onto the simplex.
    Sparsemax,
    /// Each entry by itself.
    Sigmoid,
    /// The logits themselves.
    None,
}

/// Constant weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConstantWeights {
    /// One divided by the number of sources.
    Uniform,
    /// One for each source.
    Ones,
}

/// What a stochastic router uses at evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RouterEvaluation {
    /// The mean of the Bernoulli variable, normalised as in training.
    Mean,
    /// The logit, normalised.
    Logit,
    /// One sample at the last temperature.
    Sample,
}

/// The temperature of relaxed Bernoulli samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TemperatureSettings {
    /// At the first step.
    pub start: f64,
    /// The lowest.
    pub min: f64,
    /// How fast it falls with each step; `null` reaches `min` after 60 % of the steps (linear schedule).
    pub rate: Option<f64>,
    /// Its course.
    pub schedule: TemperatureSchedule,
}

/// Courses of the temperature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TemperatureSchedule {
    /// start - rate * step.
    Linear,
    /// start * exp(-rate * step).
    Exponential,
}

/// The scalars before the private prompt (alpha) and before the mixture (beta) (the paper, section 2.3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GateSettings {
    /// Where the scalars come from.
    pub kind: GateKind,
    /// Whether each task has its own.
    pub scope: GateScope,
    /// The logit that learned gates start from.
    pub init: f64,
    /// alpha and beta of `kind: fixed`.
    pub fixed: [f64; 2],
}

/// Kinds of gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateKind {
    /// alpha and beta are sigmoids of two learned logits.
    Learned,
    /// alpha is the sigmoid of one learned logit, beta is 1 - alpha.
    Tied,
    /// The numbers of `gate.fixed`.
    Fixed,
    /// alpha is the private entry of the router's row, beta is 1.
    JointSoftmax,
    /// alpha and beta are 1.
    None,
}

/// Who shares a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateScope {
    /// Each task has its own.
    Task,
    /// All tasks share one.
    Global,
}

/// How the source mixture S and the private prompt Q become one prompt (the paper, section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compose {
    /// beta S + alpha Q.
    Spp,
    /// beta S, then alpha Q.
    Scp,
    /// beta S.
    SourceOnly,
    /// alpha Q.
    PrivateOnly,
    /// All weighted sources, one after the other.
    Cat,
    /// beta S times alpha Q, element by element.
    Prod,
    /// All weighted sources, one after the other, times a private prompt of that length.
    CatProd,
}

/// The optimizer (AdamW) and its schedule (the paper, section 3.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerSettings {
    /// Learning rates by what is learned.
    pub groups: GroupRates,
    /// Decoupled weight decay, of every group.
    pub weight_decay: f64,
    /// Decay rates of the two moments.
    pub betas: [f64; 2],
    /// Added to the root of the second moment.
    pub eps: f64,
    /// The part of all steps in which the learning rate rises.
    pub warmup: f64,
    /// The number of steps that the schedule is laid out for.
    pub total: ScheduleTotal,
    /// The largest global norm of a gradient; `null` for no limit.
    pub clip: Option<f64>,
    /// Whether a private prompt rests while its task is absent from a batch (otherwise decay and momentum go on).
    pub sparse_private: bool,
}

/// Learning rates at the top of the schedule; 0 freezes a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GroupRates {
    /// Source tables and their encoders.
    pub source: f64,
    /// Private tables and their encoders.
    pub private: f64,
    /// Router logits.
    pub router: f64,
    /// Gate logits.
    pub gate: f64,
}

/// What the schedule takes for the number of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleTotal {
    /// The steps that are run.
    Exact,
    /// Examples times epochs divided by the batch, rounded down: the last steps then have a learning rate of 0.
    Floor,
}

/// How batches are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SamplerKind {
    /// All tasks' examples are shuffled together.
    Mixed,
    /// Each batch is of one task, tasks in turn; a task's incomplete last batch is dropped, short tasks are repeated.
    Homogeneous,
}

/// Which parameters become the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Select {
    /// Those of the last step.
    Last,
    /// Those of the epoch with the lowest loss on the validation splits, averaged over tasks.
    BestDev,
}

/// Number formats of the frozen backbone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32 bits.
    Float32,
    /// 16 bits, as wide a range as float32.
    Bfloat16,
}
