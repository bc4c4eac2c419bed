//! Rows of a file or a pipe, one at a time, so that a million of them need the memory of a few: CSV or JSON lines in,
//! the same rows with answers out.

mod answered;
pub mod csv;
mod json;
mod row;

use std::io::{self, BufRead};

use crate::protocol::StageError;

pub use answered::Writer;
pub use row::{Row, missing};

/// The longest row in bytes. An open quote would otherwise read the rest of a file into one field.
const LONGEST: u64 = 16 << 20;

/// How rows are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Fields between commas, or another separator, under a header.
    Separated(u8),
    /// One JSON object a line.
    JsonLines,
}

/// Comma-separated values.
pub const CSV: Shape = Shape::Separated(b',');
/// Tab-separated values.
pub const TSV: Shape = Shape::Separated(b'\t');

impl Shape {
    /// The shape that a file's name tells.
    pub fn of_name(name: &str) -> Option<Self> {
        match name.rsplit_once('.')?.1.to_ascii_lowercase().as_str() {
            "csv" => Some(CSV),
            "tsv" => Some(TSV),
            "jsonl" | "ndjson" | "json" => Some(Self::JsonLines),
            _ => None,
        }
    }

    /// The shape that the first bytes tell: JSON begins with a bracket.
    ///
    /// # Errors
    /// What reading returns.
    pub fn sniff(input: &mut dyn BufRead) -> io::Result<Self> {
        let bytes = input.fill_buf()?;
        let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        Ok(if matches!(first, Some(b'{' | b'[')) { Self::JsonLines } else { CSV })
    }
}

/// Reads rows.
pub struct Reader<R> {
    name: String,
    inner: Inner<R>,
}

enum Inner<R> {
    Separated(csv::Records<R>, std::sync::Arc<[String]>),
    JsonLines(json::Lines<R>),
}

impl<R: BufRead> Reader<R> {
    /// Begins to read; `name` is for messages. The header of separated values is read now.
    ///
    /// # Errors
    /// A header that can't be read, is missing, or names a column twice.
    pub fn open(input: R, shape: Shape, name: &str) -> Result<Self, StageError> {
        let name = name.to_owned();
        let inner = match shape {
            Shape::JsonLines => Inner::JsonLines(json::Lines::new(input)),
            Shape::Separated(separator) => {
                let mut records = csv::Records::new(input, separator);
                let header = match records.next() {
                    None => {
                        return Err(StageError::input(format!("{name} is empty: a header with columns is missing")));
                    }
                    Some(record) => record.map_err(|fault| fault.of(&name))?.1,
                };
                if let Some(twice) = (1..header.len()).find(|&place| header[..place].contains(&header[place])) {
                    return Err(StageError::input(format!("{name} has the column `{}` twice", header[twice])));
                }
                Inner::Separated(records, header.into())
            }
        };
        Ok(Self { name, inner })
    }

    /// The columns that every row has; JSON lines have no header, each has its own.
    pub fn columns(&self) -> Option<&[String]> {
        match &self.inner {
            Inner::Separated(_, header) => Some(header),
            Inner::JsonLines(_) => None,
        }
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Row, StageError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = match &mut self.inner {
            Inner::JsonLines(lines) => lines.next()?,
            Inner::Separated(records, header) => {
                records.next()?.and_then(|(line, fields)| Row::separated(line, header.clone(), fields))
            }
        };
        Some(row.map_err(|fault| fault.of(&self.name)))
    }
}

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line where the row begins, from 1.
    pub line: u64,
    /// What is wrong.
    pub message: String,
}

impl Fault {
    fn new(line: u64, message: impl Into<String>) -> Self {
        Self { line, message: message.into() }
    }

    /// As an error about the input called `name`.
    pub fn of(self, name: &str) -> StageError {
        StageError::input(format!("line {} of {name}: {}", self.line, self.message))
    }
}

/// Reads a line with its end into `bytes`; false at the end of the input.
fn read_line(input: &mut impl BufRead, bytes: &mut Vec<u8>, begun: u64) -> Result<bool, Fault> {
    let before = bytes.len() as u64;
    let count = io::Read::take(&mut *input, LONGEST - before + 1)
        .read_until(b'\n', bytes)
        .map_err(|error| Fault::new(begun, format!("can't be read: {error}")))?;
    if bytes.len() as u64 > LONGEST {
        let most = LONGEST >> 20;
        return Err(Fault::new(begun, format!("the row is longer than {most} MiB; perhaps a quote is not closed")));
    }
    Ok(count > 0)
}

#[cfg(test)]
mod tests;
