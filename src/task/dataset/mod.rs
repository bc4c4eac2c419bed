//! A data set's description, `datasets/NAME.yaml`: where its files are, which columns matter, how they become text.

mod builtin;
mod check;
mod label;
mod read;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use builtin::names as builtin_names;
pub use label::{LabelValue, LabelWord};
pub use read::{DatasetError, FOLDER, describe, names, read, read_file, schema};

/// One file of `datasets/`, as written. Its name without `.yaml` is the task's name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatasetFile {
    /// The data set's full name, for people.
    #[serde(default)]
    pub title: String,
    /// Where the files are.
    pub source: DatasetSource,
    /// For each split the files that hold it, by path inside the source; `*` stands for any characters but `/`.
    pub files: SplitFiles,
    /// How the splits of the source become the program's training, validation and test rows.
    pub splits: SplitPolicy,
    /// How many training rows become validation rows under `splits: hold_out_train`.
    #[serde(default = "default_hold_out")]
    pub hold_out: usize,
    /// The text columns that the template uses.
    pub columns: Vec<String>,
    /// The source text: `{column}` stands for a column's text, `{{` and `}}` for braces.
    pub template: String,
    /// Cuts of single columns, in characters, made only where `format` asks for them with `cut_columns`.
    #[serde(default)]
    pub column_chars: BTreeMap<String, usize>,
    /// What the target is.
    pub kind: Kind,
    /// Where the label is and what it means.
    pub label: Label,
    /// Other words for the same labels, by the name that `format` gives as `label_set`; one word a label, in order.
    #[serde(default)]
    pub label_sets: BTreeMap<String, Vec<String>>,
    /// What evaluation reports.
    pub metrics: Vec<Metric>,
    /// The one of `metrics` that tables show and averages use.
    pub score: Metric,
    /// What its licence allows, in a few words.
    #[serde(default)]
    pub licence: String,
    /// Whom to cite.
    #[serde(default)]
    pub citation: String,
}

fn default_hold_out() -> usize {
    1000
}

/// Where a data set's files are: on the hub, or in a local folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatasetSource {
    /// The data set's id on the Hugging Face Hub: `nyu-mll/glue`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hub: Option<String>,
    /// A branch, tag or commit of the hub's repository.
    #[serde(default = "default_revision")]
    pub revision: String,
    /// A local file or folder, relative to the project folder, in place of `hub`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<String>,
    /// The folder inside the source that holds the files, on the hub mostly the name of the configuration.
    #[serde(default)]
    pub folder: String,
}

fn default_revision() -> String {
    "main".to_owned()
}

/// Files of each split.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SplitFiles {
    /// Files with training rows.
    pub train: Vec<String>,
    /// Files with validation rows.
    #[serde(default)]
    pub validation: Vec<String>,
    /// Files with test rows; they must have labels.
    #[serde(default)]
    pub test: Vec<String>,
}

impl SplitFiles {
    /// The splits that have files, in the order train, validation, test.
    pub fn present(&self) -> impl Iterator<Item = (Split, &[String])> {
        [(Split::Train, &self.train), (Split::Validation, &self.validation), (Split::Test, &self.test)]
            .into_iter()
            .filter(|(_, patterns)| !patterns.is_empty())
            .map(|(split, patterns)| (split, patterns.as_slice()))
    }
}

/// A split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Split {
    /// Rows to learn from.
    Train,
    /// Rows to choose a checkpoint with.
    Validation,
    /// Rows that scores are computed on.
    Test,
}

impl Split {
    /// `train`, `validation` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// How the splits of the source become training, validation and test rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SplitPolicy {
    /// As `files` names them.
    AsNamed,
    /// For small sets: one half of the validation rows validates, the other half tests.
    HalveValidation,
    /// For large sets: `hold_out` training rows validate instead of training; `files.test` tests.
    HoldOutTrain,
}

/// What the target of a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One of several label words.
    Classification,
    /// A number, written as text.
    Regression,
}

/// The label column and its meaning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The column that holds it.
    pub column: String,
    /// For a classification: every value and its word. The order is the labels' order in tables and in
    /// `label_set: number`; for F1, the second is the positive class.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<LabelWord>,
    /// For a regression: the smallest score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    /// For a regression: the largest score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
}

/// A number that evaluation reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Share of exactly right label words.
    Accuracy,
    /// F1 of the second label.
    F1,
    /// Matthews' correlation.
    Matthews,
    /// Pearson's correlation.
    Pearson,
    /// Spearman's rank correlation.
    Spearman,
}

impl Metric {
    /// As files and tables spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::F1 => "f1",
            Self::Matthews => "matthews",
            Self::Pearson => "pearson",
            Self::Spearman => "spearman",
        }
    }

    /// Whether it can be computed for such targets.
    fn suits(self, kind: Kind) -> bool {
        matches!(self, Self::Pearson | Self::Spearman) == (kind == Kind::Regression)
    }
}

/// A checked data set: what the file says, with its name, without what is for people only (title, licence,
/// citation). It is part of a stage's key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// The task's name.
    pub name: String,
    /// Where the files are.
    pub source: DatasetSource,
    /// Files of each split.
    pub files: SplitFiles,
    /// How they are split.
    pub splits: SplitPolicy,
    /// Rows held out of the training split.
    pub hold_out: usize,
    /// Text columns.
    pub columns: Vec<String>,
    /// Source text.
    pub template: String,
    /// Cuts of single columns.
    pub column_chars: BTreeMap<String, usize>,
    /// What the target is.
    pub kind: Kind,
    /// The label.
    pub label: Label,
    /// Other words for the labels.
    pub label_sets: BTreeMap<String, Vec<String>>,
    /// What evaluation reports.
    pub metrics: Vec<Metric>,
    /// The one that tables show.
    pub score: Metric,
}

impl Dataset {
    /// The path inside the source of a pattern of `files`.
    pub fn path(&self, pattern: &str) -> String {
        match self.source.folder.trim_matches('/') {
            "" => pattern.to_owned(),
            folder => format!("{folder}/{pattern}"),
        }
    }

    /// The label words, in label order; empty for a regression.
    pub fn words(&self) -> Vec<String> {
        self.label.words.iter().map(|entry| entry.word.clone()).collect()
    }
}
