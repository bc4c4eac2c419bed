//! The files between `fetch`, `sample` and `format`: the data set's description, and drawn rows as JSON lines.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::protocol::StageError;
use crate::task::dataset::{Dataset, Split};
use crate::task::draw::{Member, Pool};
use crate::task::fetched::Fetched;
use crate::task::rows::{self, Label};
use crate::task::texts::{self, TaskCard};

/// File name of the description.
pub const DATASET: &str = "dataset.json";

/// A drawn row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampledRow {
    /// Made from the row's content.
    pub id: String,
    /// Its label.
    pub label: Label,
    /// Its texts, in the order of the data set's columns.
    pub cells: Vec<String>,
}

impl SampledRow {
    /// The row that `member` of `pool` stands for.
    pub fn new(pool: &Pool<'_>, member: &Member) -> Self {
        let (cells, label) = pool.row(member);
        Self { id: member.id(), label, cells: cells.to_vec() }
    }
}

/// Writes the description, and the card with the data set's own words.
///
/// # Errors
/// What writing returns.
pub fn write_dataset(folder: &Path, dataset: &Dataset) -> Result<(), StageError> {
    texts::write_json(&folder.join(texts::CARD), &TaskCard::new(dataset, dataset.words()))?;
    texts::write_json(&folder.join(DATASET), dataset)
}

/// Reads the description.
///
/// # Errors
/// A file that is missing or not ours.
pub fn read_dataset(folder: &Path) -> Result<Dataset, StageError> {
    texts::read_json(&folder.join(DATASET))
}

/// Reads the rows that `fetch` wrote.
///
/// # Errors
/// A file that is missing or damaged.
pub fn read_fetched(folder: &Path, dataset: &Dataset) -> Result<Fetched, StageError> {
    let mut fetched = Fetched::default();
    for (split, _) in dataset.files.present() {
        *fetched.get_mut(split) = rows::read_normal(&folder.join(parquet_name(split)), dataset)?;
    }
    Ok(fetched)
}

/// The file of a split that `fetch` writes.
pub fn parquet_name(split: Split) -> String {
    format!("{}.parquet", split.name())
}

/// Writes the drawn rows of a split.
///
/// # Errors
/// What writing returns.
pub fn write_rows(folder: &Path, split: Split, rows: &[SampledRow]) -> Result<(), StageError> {
    texts::write_lines(&folder.join(texts::file_name(split)), rows)
}

/// Reads the drawn rows of a split.
///
/// # Errors
/// A file that is missing or damaged.
pub fn read_rows(folder: &Path, split: Split) -> Result<Vec<SampledRow>, StageError> {
    texts::read_lines(&folder.join(texts::file_name(split)))
}
