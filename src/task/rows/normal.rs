//! The parquet files that `fetch` writes: the data set's text columns and `label`, nothing else.

use std::path::Path;

use polars::prelude::{Column, DataFrame, DataType, ParquetReader, ParquetWriter, PolarsError, SerReader};

use super::{LABEL, Label, Rows};
use crate::protocol::StageError;
use crate::task::dataset::{Dataset, Kind};

/// Writes rows; equal rows make equal bytes.
///
/// # Errors
/// What writing returns; rows that don't make a table are a fault of ours.
pub fn write_normal(path: &Path, rows: &Rows) -> Result<(), StageError> {
    let failed = |error: PolarsError| StageError::bug(format!("failed to encode `{}`: {error}", path.display()));
    let mut columns: Vec<Column> = rows
        .columns
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let texts: Vec<&str> = rows.cells.iter().map(|cells| cells[at].as_str()).collect();
            Column::new(name.as_str().into(), texts)
        })
        .collect();
    columns.push(match rows.labels.first() {
        Some(Label::Score(_)) => Column::new(
            LABEL.into(),
            numbers(rows, |label| match label {
                Label::Score(score) => score,
                Label::Class(index) => f64::from(index),
            }),
        ),
        _ => Column::new(
            LABEL.into(),
            numbers(rows, |label| match label {
                Label::Class(index) => index,
                Label::Score(_) => 0,
            }),
        ),
    });
    let mut frame = DataFrame::new(rows.len(), columns).map_err(failed)?;
    // Into memory: what is wrong with a disk would come back as a text, which does not say whether there is no room.
    let mut bytes = Vec::new();
    // One thread, fixed row groups: the bytes must not depend on the machine.
    ParquetWriter::new(&mut bytes)
        .set_parallel(false)
        .with_row_group_size(Some(65_536))
        .finish(&mut frame)
        .map_err(failed)?;
    Ok(fs_err::write(path, bytes)?)
}

fn numbers<T>(rows: &Rows, number: impl Fn(Label) -> T) -> Vec<T> {
    rows.labels.iter().map(|label| number(*label)).collect()
}

/// Reads what [`write_normal`] wrote.
///
/// # Errors
/// A file that is missing or damaged.
pub fn read_normal(path: &Path, dataset: &Dataset) -> Result<Rows, StageError> {
    let failed = |error: PolarsError| {
        StageError::environment(format!("`{}` is not what an earlier stage wrote: {error}", path.display()))
            .with_hint("run the same command again: a damaged result is found and made again")
    };
    let frame = ParquetReader::new(fs_err::File::open(path)?.into_file()).finish().map_err(failed)?;
    let mut cells = vec![Vec::with_capacity(dataset.columns.len()); frame.height()];
    for name in &dataset.columns {
        let column = frame.column(name).map_err(failed)?;
        for (into, text) in cells.iter_mut().zip(column.str().map_err(failed)?.iter()) {
            into.push(text.unwrap_or_default().to_owned());
        }
    }
    let column = frame.column(LABEL).and_then(|column| match dataset.kind {
        Kind::Classification => column.cast(&DataType::UInt32),
        Kind::Regression => column.cast(&DataType::Float64),
    });
    let column = column.map_err(failed)?;
    let labels = match dataset.kind {
        Kind::Classification => {
            column.u32().map_err(failed)?.iter().map(|label| Label::Class(label.unwrap_or_default())).collect()
        }
        Kind::Regression => {
            column.f64().map_err(failed)?.iter().map(|label| Label::Score(label.unwrap_or_default())).collect()
        }
    };
    Ok(Rows { columns: dataset.columns.clone(), cells, labels })
}

#[cfg(test)]
mod tests {
    use super::{read_normal, write_normal};
    use crate::task::fixtures;
    use crate::task::rows::{Label, Rows};

    #[test]
    fn what_is_written_is_read_and_bytes_are_stable() {
        let folder = tempfile::tempdir().unwrap();
        for (task, labels) in
            [("mrpc", vec![Label::Class(1), Label::Class(0)]), ("stsb", vec![Label::Score(0.1), Label::Score(5.0)])]
        {
            let cells = vec![vec!["a\n".to_owned(), String::new()], vec!["é".to_owned(), "b".to_owned()]];
            let rows = Rows { columns: vec!["sentence1".into(), "sentence2".into()], cells, labels };
            let (one, two) = (folder.path().join("one.parquet"), folder.path().join("two.parquet"));
            write_normal(&one, &rows).unwrap();
            write_normal(&two, &rows).unwrap();
            assert_eq!(fs_err::read(&one).unwrap(), fs_err::read(&two).unwrap());
            assert_eq!(read_normal(&one, &fixtures::dataset(task)).unwrap(), rows);
        }
    }

    #[test]
    fn of_a_full_disk_is_said_what_to_do() {
        let full = std::path::Path::new("/dev/full");
        if !full.exists() {
            println!("skipped: this system has no /dev/full");
            return;
        }
        let rows = Rows { columns: vec!["text".into()], cells: vec![vec!["a".into()]], labels: vec![Label::Class(0)] };
        let error = write_normal(full, &rows).unwrap_err();
        assert!(error.message.contains("No space left on device"), "{error}");
        assert!(error.hint.as_ref().is_some_and(|hint| hint.contains("free some space")), "{error:?}");
    }
}
