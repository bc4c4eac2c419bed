//! What the planner must be told about operations; `operation` implements it.

use std::path::Path;

use serde_json::Value;

/// The operations a pipeline may use.
pub trait Catalog: Sync {
    /// Every operation's name, for messages.
    fn names(&self) -> Vec<&'static str>;

    /// Checks the parameters of one stage instance (after substitution, without `from` and `only`) and completes them.
    /// `None` when there is no such operation. `root` is the project folder, against which paths are read.
    fn resolve(
        &self,
        operation: &str,
        parameters: &Value,
        root: &Path,
    ) -> Option<Result<Resolved, Vec<ParameterError>>>;
}

/// What [`Resolved::accepts`] says for an operation that reads whatever it is given, or nothing.
pub const ANY: &[&str] = &["*"];

/// Among the operations of [`Resolved::accepts`]: it may also read no stage at all.
pub const NOTHING: &str = "-";

/// One operation with its parameters, as the planner needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// The operation's code version; part of the key.
    pub version: u32,
    /// Complete parameters, defaults filled in; part of the key.
    pub parameters: Value,
    /// Operations whose results it can read; empty when it reads none, with [`NOTHING`] when it need not read any, [`ANY`]
    /// when it may read all or none.
    pub accepts: &'static [&'static str],
    /// Data sets, models and files that the parameters name.
    pub sources: Vec<SourceRef>,
    /// Whether the axis values of what it reads are part of its result (tables), and so of its key.
    pub reads_coordinates: bool,
    /// Where its body runs.
    pub place: Place,
    /// Whether its files are copied to the pipeline's output folder.
    pub publishes: bool,
}

impl Resolved {
    /// Whether one instance gathers everything where a stage has no matrix: tables do. A program sees coordinates too, but
    /// is run for each cell of what it reads, as other operations are.
    pub fn gathers(&self) -> bool {
        self.reads_coordinates && self.place != Place::Program
    }
}

/// Something outside the pipeline that a stage reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceRef {
    /// Files of a data set: the name of a file in `datasets/`, without `.yaml`.
    Dataset(String),
    /// A backbone: a hub id (`google-t5/t5-base`), a folder, or `builtin/NAME`.
    Model(String),
    /// A file or folder, relative to the project folder.
    File(String),
}

impl SourceRef {
    /// `dataset`, `model` or `file`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Dataset(_) => "dataset",
            Self::Model(_) => "model",
            Self::File(_) => "file",
        }
    }

    /// The name as the parameters give it.
    pub fn name(&self) -> &str {
        match self {
            Self::Dataset(name) | Self::Model(name) | Self::File(name) => name,
        }
    }
}

impl std::fmt::Display for SourceRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} `{}`", self.kind(), self.name())
    }
}

/// Where an operation's body runs.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// On a thread of the runner.
    Thread,
    /// In a program that a thread of the runner starts and waits for.
    Program,
    /// In a worker process; stages with the same affinity like the same worker (it keeps this backbone).
    Worker {
        /// The backbone's name.
        affinity: String,
    },
}

/// A parameter that can't be accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterError {
    /// Path below the operation's map: `gate.kind`; empty for the map itself.
    pub path: String,
    /// What was wrong and what would be accepted.
    pub message: String,
    /// What to type instead.
    pub help: Option<String>,
}
