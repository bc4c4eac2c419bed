//! Rows of the built-in world as rows of the data set that they stand for.

use super::{RawLabel, Rows, understand};
use crate::protocol::StageError;
use crate::task::dataset::Dataset;
use crate::task::world;

/// The world's rows of a split (`name`, for messages) with the texts in the order of the data set's columns, and the
/// labels understood as those of real files are.
///
/// # Errors
/// A column that the world's rows do not have, or a label that the data set's file does not know.
pub fn from_world(dataset: &Dataset, name: &str, rows: &[world::Row]) -> Result<Rows, StageError> {
    let mut result = Rows { columns: dataset.columns.clone(), ..Rows::default() };
    for (index, row) in rows.iter().enumerate() {
        let cells = dataset.columns.iter().map(|column| {
            row.columns.get(column).cloned().ok_or_else(|| {
                let present: Vec<&str> = row.columns.keys().map(String::as_str).collect();
                StageError::input(format!(
                    "the synthetic rows of `{}` have no column `{column}`, only {}",
                    dataset.name,
                    present.join(", ")
                ))
            })
        });
        result.cells.push(cells.collect::<Result<_, _>>()?);
        result.labels.push(understand(dataset, &RawLabel::Text(row.label.clone()), name, index + 1)?);
    }
    Ok(result)
}
