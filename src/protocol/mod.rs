//! The messages between `compt` and whoever runs a stage: a thread of its own, or a `compt-worker` process.
//!
//! A worker process reads one [`ToWorker`] a line on standard input and writes one [`FromWorker`] a line on standard
//! output; standard error goes to the stage's log. The same [`Job`] is handed to light operations on a thread.

mod files;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use files::Files;

/// Bumped when a message changes; a worker of another number is refused with a hint to rebuild it.
pub const PROTOCOL: u32 = 3;

/// The libtorch that the worker links to; part of the key of what it computes.
pub const LIBTORCH: &str = "2.11.0";

/// Axis names and the values they have in one stage instance.
pub type Coordinates = BTreeMap<String, String>;

/// One stage to run. Everything it may read is named here; it writes below `output` only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Tells the messages of this job apart from others.
    pub id: u64,
    /// The instance's name, for people: `fit[method=spp,seed=123]`.
    pub stage: String,
    /// The operation's name.
    pub operation: String,
    /// The operation's parameters, complete: after substitution and with every default filled in.
    pub parameters: Value,
    /// What it reads, in plan order (by stage, then by coordinates).
    pub inputs: Vec<Input>,
    /// Where the sources that its parameters name are found on this machine.
    pub sources: Vec<ResolvedSource>,
    /// An empty folder for the results.
    pub output: PathBuf,
    /// A folder that outlives a killed attempt: checkpoints go here.
    pub scratch: PathBuf,
    /// How to compute.
    pub compute: Compute,
}

/// The results of one stage instance, as another one reads them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The stage's name in the pipeline.
    pub stage: String,
    /// The operation that made it: tells what files to expect.
    pub operation: String,
    /// Its axis values.
    pub coordinates: Coordinates,
    /// Where its files are.
    pub files: Files,
}

/// A data set or model that a stage's parameters name, found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResolvedSource {
    /// The name as the parameters give it (`google-t5/t5-base`, `rte`).
    pub name: String,
    /// Files by their path inside the source, with where they lie.
    pub files: BTreeMap<String, PathBuf>,
}

/// Numeric settings of a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compute {
    /// `cpu` or `cuda:N`; for a program, whose job it is to choose, all that it may use: `cuda:0,2`.
    pub device: String,
    /// Threads of one operator.
    pub threads: usize,
}

/// What the runner says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToWorker {
    /// Run this.
    Run(Box<Job>),
    /// Load the backbone and the prompt that this `evaluate` job would use, and answer what [`ToWorker::Ask`] brings. Of
    /// its texts only the task's card and the targets are read; nothing is written.
    Prepare(Box<Job>),
    /// Answer these source texts with what was prepared last.
    Ask {
        /// Tells the answers to this question apart from others.
        id: u64,
        /// Source texts as `format` makes them.
        texts: Vec<String>,
        /// Whether every label's log-likelihood is wanted.
        scores: bool,
    },
    /// No more work; leave.
    Leave,
}

/// What a worker says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromWorker {
    /// First line: who is here.
    Hello(Hello),
    /// How far the job is.
    Progress(Progress),
    /// A remark for the stage's log.
    Log {
        /// The job.
        id: u64,
        /// One line or more.
        text: String,
    },
    /// The job's results are complete in its output folder.
    Done {
        /// The job.
        id: u64,
        /// Facts for the record that may differ between two equal runs (seconds, memory), never part of an output.
        facts: BTreeMap<String, Value>,
    },
    /// What [`ToWorker::Prepare`] asked for is loaded.
    Prepared {
        /// The job.
        id: u64,
    },
    /// The answers to [`ToWorker::Ask`], in the order of its texts.
    Answers {
        /// The question.
        id: u64,
        /// One a text.
        answers: Vec<Answer>,
    },
    /// The job failed; the worker lives on.
    Failed {
        /// The job.
        id: u64,
        /// Why.
        error: StageError,
    },
}

/// What the backbone answers to one text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The answer.
    pub text: String,
    /// The log-likelihood of each label in the order of the task's card; empty when it was not asked for.
    pub scores: Vec<f64>,
}

/// A worker's introduction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// [`PROTOCOL`] of the worker.
    pub protocol: u32,
    /// The worker's package version.
    pub version: String,
    /// The libtorch it is linked to.
    pub libtorch: String,
    /// Devices it can use: `cpu`, `cuda:0`, ...
    pub devices: Vec<String>,
}

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// The job.
    pub id: u64,
    /// Units done.
    pub done: u64,
    /// Units in all.
    pub total: u64,
    /// What a unit is: `steps`, `examples`, `bytes`.
    pub unit: String,
    /// A short remark: `loss 0.412`.
    pub remark: String,
}

/// Why a stage failed, in the words that the user reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
#[serde(deny_unknown_fields)]
pub struct StageError {
    /// Whose fault it is; decides the exit code.
    pub kind: StageErrorKind,
    /// What was wrong, where, and what would be accepted. No closing period when it is one sentence.
    pub message: String,
    /// What to type or change next.
    pub hint: Option<String>,
}

/// Classes of stage failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageErrorKind {
    /// The data or the parameters are at fault.
    Input,
    /// The machine lacks something: disk, memory, network, device.
    Environment,
    /// A fault of ours.
    Bug,
}

impl StageError {
    /// The data or the parameters are at fault.
    pub fn input(message: impl Into<String>) -> Self {
        Self { kind: StageErrorKind::Input, message: message.into(), hint: None }
    }

    /// The machine lacks something.
    pub fn environment(message: impl Into<String>) -> Self {
        Self { kind: StageErrorKind::Environment, message: message.into(), hint: None }
    }

    /// A fault of ours.
    pub fn bug(message: impl Into<String>) -> Self {
        Self { kind: StageErrorKind::Bug, message: message.into(), hint: None }
    }

    /// The same error with advice.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<std::io::Error> for StageError {
    fn from(error: std::io::Error) -> Self {
        let full = matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded);
        let failed = Self::environment(error.to_string());
        if full { failed.with_hint("free some space, then run the same command again") } else { failed }
    }
}

/// Where an operation's body reports to while it runs.
pub trait Reporter {
    /// How far it is; `remark` is short (`loss 0.412`).
    fn progress(&mut self, done: u64, total: u64, unit: &str, remark: &str);
    /// A line for the stage's log.
    fn log(&mut self, text: &str);
    /// Something that the user should know and that stops nothing.
    fn warn(&mut self, text: &str) {
        self.log(text);
    }
    /// A body that waits calls this often: when the stage is to stop, it does not return.
    fn still_wanted(&mut self) {}
    /// The body computes no more, all that it still does is with files: others may have its cores and GPUs. It may still fail.
    fn computed(&mut self) {}
    /// A fact for the record that may differ between two equal runs (seconds, memory).
    fn fact(&mut self, name: &str, value: Value);
}
