//! Rows of named texts with a label, as read from the files of a data set.

mod file;
mod normal;
mod synthetic;

use serde::{Deserialize, Serialize};

use crate::protocol::StageError;
use crate::task::dataset::{Dataset, Kind};

pub use file::{is_supported, read_source, read_texts};
pub use normal::{read_normal, write_normal};
pub use synthetic::from_world;

/// The label's column in the files that `fetch` writes.
pub const LABEL: &str = "label";

/// A row's label, understood.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// The index of the label in the data set's file.
    Class(u32),
    /// The score of a regression.
    Score(f64),
}

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Class(index) => write!(f, "{index}"),
            Self::Score(score) => write!(f, "{score}"),
        }
    }
}

/// Rows in file order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// The names of the text columns.
    pub columns: Vec<String>,
    /// One entry a row, its texts in the order of `columns`.
    pub cells: Vec<Vec<String>>,
    /// One label a row.
    pub labels: Vec<Label>,
}

impl Rows {
    /// The number of rows.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Adds the rows of another file with the same columns.
    pub fn append(&mut self, mut other: Self) {
        self.cells.append(&mut other.cells);
        self.labels.append(&mut other.labels);
        self.columns = other.columns;
    }
}

/// What a label column's cell holds, before it is understood.
#[derive(Clone, Debug, PartialEq)]
enum RawLabel {
    Missing,
    Text(String),
    Number(f64),
}

impl RawLabel {
    fn shown(&self) -> String {
        match self {
            Self::Missing => "nothing".to_owned(),
            Self::Text(text) => format!("`{text}`"),
            Self::Number(number) => format!("`{number}`"),
        }
    }
}

/// The label of row `row` (counted from 1) of `file`.
fn understand(dataset: &Dataset, raw: &RawLabel, file: &str, row: usize) -> Result<Label, StageError> {
    let refuse = |accepted: String| {
        StageError::input(format!(
            "row {row} of `{file}` has the label {} in column `{}`, which `{}` does not know; accepted: {accepted}",
            raw.shown(),
            dataset.label.column,
            dataset.name,
        ))
    };
    if dataset.kind == Kind::Regression {
        let (low, high) = (dataset.label.minimum.unwrap_or(f64::MIN), dataset.label.maximum.unwrap_or(f64::MAX));
        let score = match raw {
            RawLabel::Number(number) => Some(*number),
            RawLabel::Text(text) => text.trim().parse().ok(),
            RawLabel::Missing => None,
        };
        return match score {
            Some(score) if (low..=high).contains(&score) => Ok(Label::Score(score)),
            _ => Err(refuse(format!("numbers from {low} to {high}"))),
        };
    }
    let text = match raw {
        RawLabel::Text(text) => Some(text.clone()),
        // A whole float prints as an integer: `1.0` is the label `1`.
        RawLabel::Number(number) => Some(number.to_string()),
        RawLabel::Missing => None,
    };
    let index =
        text.and_then(|text| dataset.label.words.iter().position(|entry| entry.values().any(|value| value.0 == text)));
    match index {
        Some(index) => Ok(Label::Class(index as u32)),
        None => {
            let values = dataset.label.words.iter().flat_map(|entry| entry.values());
            let accepted: Vec<String> = values.map(|value| format!("`{}`", value.0)).collect();
            Err(refuse(accepted.join(", "))
                .with_hint(format!("correct `label.words` in `datasets/{}.yaml`, or the files it names", dataset.name)))
        }
    }
}
