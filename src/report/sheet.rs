//! CSV files as polars frames of text, with errors that name file, line and column.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use polars::prelude::*;

use super::{ReportError, quoted};
use crate::base::{files, suggest};

/// A CSV file with a header, every value as text; an empty value is the empty text.
#[derive(Debug)]
pub struct Sheet {
    path: PathBuf,
    frame: DataFrame,
}

impl Sheet {
    /// Reads a whole file.
    ///
    /// # Errors
    /// The file can't be read, is empty, or is not CSV.
    pub fn read(path: &Path) -> Result<Self, ReportError> {
        let bytes = fs_err::read(path)?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(ReportError::file(path, None, "the file is empty; expected CSV with a header"));
        }
        if let Err(error) = std::str::from_utf8(&bytes) {
            let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
            return Err(ReportError::file(path, Some(line), "this is not UTF-8 text; expected CSV with a header"));
        }
        // What follows the first line of an error speaks of options that nobody can set here.
        let refused = |error: polars::error::PolarsError| {
            let text = error.to_string();
            let reason = text.lines().next().unwrap_or_default().trim_end();
            ReportError::file(path, None, format!("this is not CSV with a header: {reason}"))
        };
        let frame = CsvReadOptions::default()
            .with_has_header(true)
            .with_infer_schema_length(Some(0))
            .into_reader_with_file_handle(Cursor::new(bytes))
            .finish()
            .map_err(refused)?;
        Ok(Self { path: path.to_owned(), frame })
    }

    /// Where it was read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names of the columns, in order.
    pub fn columns(&self) -> Vec<String> {
        self.frame.get_column_names().into_iter().map(ToString::to_string).collect()
    }

    /// Count of rows.
    pub fn height(&self) -> usize {
        self.frame.height()
    }

    /// The values of one column, empty ones as empty text.
    ///
    /// # Errors
    /// There is no such column.
    pub fn texts(&self, column: &str) -> Result<Vec<String>, ReportError> {
        self.optional_texts(column)?.ok_or_else(|| {
            let columns = self.columns();
            let nearest = suggest::nearest(column, columns.iter().map(String::as_str));
            ReportError::File {
                path: self.path.clone(),
                line: Some(1),
                message: format!("there is no column `{column}`; there are {}", quoted(&columns)),
                hint: nearest.map(|name| format!("rename the column `{name}` to `{column}`")),
            }
        })
    }

    /// As [`Self::texts`]; `None` where the file has no such column.
    ///
    /// # Errors
    /// The column is not text, which is a fault of ours.
    pub fn optional_texts(&self, column: &str) -> Result<Option<Vec<String>>, ReportError> {
        let Ok(values) = self.frame.column(column) else { return Ok(None) };
        let values = values.str()?;
        Ok(Some(values.iter().map(|value: Option<&str>| value.unwrap_or_default().to_owned()).collect()))
    }

    /// The values of one column as numbers; `None` where it is empty.
    ///
    /// # Errors
    /// There is no such column, or a value is no number.
    pub fn numbers<T: std::str::FromStr>(&self, column: &str) -> Result<Vec<Option<T>>, ReportError> {
        let read = |(row, text): (usize, &String)| match text.trim() {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| {
                // Row 0 stands on line 2, below the header.
                ReportError::file(&self.path, Some(row + 2), format!("column `{column}`: `{text}` is not a number"))
            }),
        };
        self.texts(column)?.iter().enumerate().map(read).collect()
    }

    /// An error about one row.
    pub(super) fn fault(&self, row: usize, message: impl Into<String>) -> ReportError {
        ReportError::file(&self.path, Some(row + 2), message)
    }
}

/// A column of text; empty text is written as nothing.
pub fn text_column(name: &str, values: impl IntoIterator<Item = String>) -> Column {
    let values: Vec<Option<String>> = values.into_iter().map(|text| (!text.is_empty()).then_some(text)).collect();
    Column::new(name.into(), values)
}

/// A column of numbers; `None` is written as nothing.
pub fn number_column(name: &str, values: impl IntoIterator<Item = Option<f64>>) -> Column {
    Column::new(name.into(), values.into_iter().collect::<Vec<_>>())
}

/// A column of counts; `None` is written as nothing.
pub fn count_column(name: &str, values: impl IntoIterator<Item = Option<u64>>) -> Column {
    Column::new(name.into(), values.into_iter().collect::<Vec<_>>())
}

/// A frame of columns of equal length.
///
/// # Errors
/// Two columns have one name, or their lengths differ.
pub fn frame(columns: Vec<Column>) -> Result<DataFrame, ReportError> {
    let height = columns.first().map_or(0, Column::len);
    Ok(DataFrame::new(height, columns)?)
}

/// Writes a frame as CSV: comma, line feed, shortest spelling of a number that reads back as the same.
///
/// # Errors
/// The file can't be written.
pub fn write(path: &Path, mut frame: DataFrame) -> Result<(), ReportError> {
    let mut bytes = Vec::new();
    CsvWriter::new(&mut bytes).finish(&mut frame)?;
    Ok(files::write_atomically(path, &bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        let texts = ["plain", "with, comma", "", "with \"quotes\"", "007"].map(str::to_owned);
        let numbers = [Some(0.1 + 0.2), None, Some(75.0), Some(1e-7), Some(-3.25)];
        let counts = [Some(100), Some(0), None, Some(3), Some(4)];
        let columns =
            vec![text_column("text", texts.clone()), number_column("value", numbers), count_column("n", counts)];
        write(&path, frame(columns).unwrap()).unwrap();
        let sheet = Sheet::read(&path).unwrap();
        assert_eq!(sheet.columns(), ["text", "value", "n"]);
        assert_eq!(sheet.texts("text").unwrap(), texts);
        assert_eq!(sheet.numbers::<f64>("value").unwrap(), numbers);
        assert_eq!(sheet.numbers::<u64>("n").unwrap(), counts);
        let text = fs_err::read_to_string(&path).unwrap();
        assert!(text.starts_with("text,value,n\nplain,0.30000000000000004,100\n\"with, comma\",,0\n"), "{text}");
    }

    #[test]
    fn what_is_no_csv_is_said_in_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        let said = |bytes: &[u8]| {
            fs_err::write(&path, bytes).unwrap();
            Sheet::read(&path).unwrap_err().to_string()
        };
        let ragged = said(b"a,b\n1,2,3\n");
        assert!(ragged.contains("this is not CSV with a header") && !ragged.contains('\n'), "{ragged}");
        let binary = said(b"a,b\n1,\xff\n");
        assert!(binary.ends_with(", line 2: this is not UTF-8 text; expected CSV with a header"), "{binary}");
    }

    #[test]
    fn faults_name_file_line_and_column() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scores.csv");
        fs_err::write(&path, "task,valeu\nrte,many\n").unwrap();
        let sheet = Sheet::read(&path).unwrap();
        let error = sheet.texts("value").unwrap_err();
        assert!(
            error.to_string().ends_with("line 1: there is no column `value`; there are `task`, `valeu`"),
            "{error}"
        );
        assert_eq!(error.hint(), Some("rename the column `valeu` to `value`"));
        let error = sheet.numbers::<f64>("valeu").unwrap_err();
        assert!(error.to_string().ends_with("line 2: column `valeu`: `many` is not a number"), "{error}");
        fs_err::write(&path, "\n").unwrap();
        assert!(Sheet::read(&path).unwrap_err().to_string().ends_with("the file is empty; expected CSV with a header"));
    }
}
