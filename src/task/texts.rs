//! The files that training and evaluation read: a task's card and its examples, as texts.

use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::protocol::StageError;
use crate::task::dataset::{Dataset, Kind, Metric, Split};

/// File name of the card.
pub const CARD: &str = "task.json";

/// What a task is, for those who train on it and score it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskCard {
    /// The task's name.
    pub name: String,
    /// What its targets are.
    pub kind: Kind,
    /// The label words, in label order; empty for a regression.
    pub labels: Vec<String>,
    /// What evaluation reports: `accuracy`, `f1`, `matthews`, `pearson`, `spearman`.
    pub metrics: Vec<String>,
    /// The metric that the paper calls the score (METHODS 4.3).
    pub score: String,
}

impl TaskCard {
    /// The card of a data set under a label set's words.
    pub fn new(dataset: &Dataset, labels: Vec<String>) -> Self {
        Self {
            name: dataset.name.clone(),
            kind: dataset.kind,
            labels,
            metrics: dataset.metrics.iter().map(|metric: &Metric| metric.name().to_owned()).collect(),
            score: dataset.score.name().to_owned(),
        }
    }
}

/// One example.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// Made from the row's content: the same row has the same id in every draw.
    pub id: String,
    /// What the model reads, without the end-of-sequence token.
    pub source: String,
    /// What it should answer.
    pub target: String,
}

/// A task's card and examples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskTexts {
    /// What the task is.
    pub card: TaskCard,
    /// Examples to learn from.
    pub train: Vec<Example>,
    /// Examples to choose a checkpoint with; may be empty.
    pub validation: Vec<Example>,
    /// Examples that scores are computed on.
    pub test: Vec<Example>,
}

/// Reads the card alone.
///
/// # Errors
/// A file that is missing or not ours.
pub fn read_card(folder: &Path) -> Result<TaskCard, StageError> {
    read_json(&folder.join(CARD))
}

/// Reads the results of `format`.
///
/// # Errors
/// A file that is missing or not what `format` writes.
pub fn read(folder: &Path) -> Result<TaskTexts, StageError> {
    let lines = |split: Split| read_lines(&folder.join(file_name(split)));
    Ok(TaskTexts {
        card: read_card(folder)?,
        train: lines(Split::Train)?,
        validation: lines(Split::Validation)?,
        test: lines(Split::Test)?,
    })
}

/// Writes `texts` to `folder`; equal texts make equal bytes.
///
/// # Errors
/// What writing returns.
pub fn write(folder: &Path, texts: &TaskTexts) -> Result<(), StageError> {
    write_json(&folder.join(CARD), &texts.card)?;
    write_lines(&folder.join(file_name(Split::Train)), &texts.train)?;
    write_lines(&folder.join(file_name(Split::Validation)), &texts.validation)?;
    write_lines(&folder.join(file_name(Split::Test)), &texts.test)
}

/// `train.jsonl`, `validation.jsonl`, `test.jsonl`.
pub(crate) fn file_name(split: Split) -> String {
    format!("{}.jsonl", split.name())
}

/// Reads a JSON file that an operation of ours wrote.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, StageError> {
    let bytes = fs_err::read(path)?;
    serde_json::from_slice(&bytes).map_err(|error| damaged(path, &error))
}

/// Writes a JSON file with one trailing line break.
pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), StageError> {
    let mut text = serde_json::to_string_pretty(value).map_err(|error| StageError::bug(error.to_string()))?;
    text.push('\n');
    Ok(fs_err::write(path, text)?)
}

/// Reads JSON lines that an operation of ours wrote.
pub(crate) fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, StageError> {
    let file = fs_err::File::open(path)?;
    let mut values = Vec::new();
    for line in BufReader::new(file).lines() {
        values.push(serde_json::from_str(&line?).map_err(|error| damaged(path, &error))?);
    }
    Ok(values)
}

/// Writes one JSON value a line.
pub(crate) fn write_lines<T: Serialize>(path: &Path, values: &[T]) -> Result<(), StageError> {
    let mut bytes = Vec::new();
    for value in values {
        serde_json::to_writer(&mut bytes, value).map_err(|error| StageError::bug(error.to_string()))?;
        bytes.push(b'\n');
    }
    Ok(fs_err::write(path, bytes)?)
}

fn damaged(path: &Path, error: &serde_json::Error) -> StageError {
    StageError::environment(format!("`{}` is not what an earlier stage wrote: {error}", path.display()))
        .with_hint("run the same command again: a damaged result is found and made again")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn card() -> TaskCard {
        TaskCard {
            name: "rte".into(),
            kind: Kind::Classification,
            labels: vec!["entailment".into(), "not_entailment".into()],
            metrics: vec!["accuracy".into()],
            score: "accuracy".into(),
        }
    }

    #[test]
    fn a_damaged_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let texts = TaskTexts { card: card(), train: vec![], validation: vec![], test: vec![] };
        write(folder.path(), &texts).unwrap();
        fs_err::write(folder.path().join("test.jsonl"), "{\"id\": 1}\n").unwrap();
        let error = read(folder.path()).unwrap_err();
        assert!(error.message.contains("test.jsonl"), "{error}");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(texts in prop::collection::vec(("\\PC{0,8}", "(?s).{0,20}", "[a-z_]{1,8}"), 0..6)) {
            let folder = tempfile::tempdir().unwrap();
            let train: Vec<Example> =
                texts.into_iter().map(|(id, source, target)| Example { id, source, target }).collect();
            let texts = TaskTexts { card: card(), test: train.clone(), validation: vec![], train };
            write(folder.path(), &texts).unwrap();
            prop_assert_eq!(read(folder.path()).unwrap(), texts);
        }
    }
}
