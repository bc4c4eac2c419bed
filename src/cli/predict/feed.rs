//! The rows to answer, in batches: from a file in full ones, from a pipe as they arrive.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use super::typed;
use crate::cli::arguments::PredictArguments;
use crate::cli::failure::Failure;
use crate::protocol::StageError;
use crate::task::dataset::Dataset;
use crate::task::stream::{CSV, Reader, Row, Shape};

/// How long a batch from a pipe waits for its next row.
const PATIENCE: Duration = Duration::from_millis(20);
/// Rows that are read ahead: enough for the next batch, few enough for any memory.
const AHEAD: usize = 256;

/// Rows as they come.
pub struct Feed {
    /// The input's name, for messages.
    pub name: String,
    /// How its rows are written down.
    pub shape: Shape,
    /// The columns that every row has, where there is a header.
    pub columns: Option<Vec<String>>,
    rows: Receiver<Result<Row, StageError>>,
    /// Set where rows may be slow to come; without it batches are full, so that equal files make equal batches.
    patience: Option<Duration>,
}

/// Some rows.
pub struct Batch {
    /// In their order.
    pub rows: Vec<Row>,
    /// Set when no row comes after these: all were read, or one has a fault.
    pub end: Option<Result<(), StageError>>,
}

/// Opens what the arguments name.
///
/// # Errors
/// Nothing was named, or it can't be read.
pub fn open(arguments: &PredictArguments, dataset: &Dataset) -> Result<Feed, Failure> {
    if let Some(rows) = typed::rows(arguments, dataset)? {
        let (sender, receiver) = mpsc::channel();
        for row in rows {
            // The receiver is still here.
            let _ = sender.send(Ok(row));
        }
        let columns = Some(dataset.columns.clone());
        return Ok(Feed { name: "the texts".to_owned(), shape: CSV, columns, rows: receiver, patience: None });
    }
    let told = arguments.input_format.map(Shape::from);
    match arguments.input.as_deref().filter(|path| *path != Path::new("-")) {
        Some(path) => {
            let file = fs_err::File::open(path).map_err(|error| StageError::input(error.to_string()))?;
            let told = told.or_else(|| Shape::of_name(&path.to_string_lossy()));
            read(Box::new(file), told, format!("`{}`", path.display()), None)
        }
        None if io::stdin().is_terminal() && arguments.input.is_none() => Err(Failure::usage(
            "there is nothing to answer",
            "give `--text TEXT`, `--input FILE`, or rows on standard input",
        )),
        None => {
            let stdin = File::from(io::stdin().as_fd().try_clone_to_owned()?);
            let is_file = stdin.metadata().is_ok_and(|metadata| metadata.is_file());
            read(Box::new(stdin), told, "standard input".to_owned(), (!is_file).then_some(PATIENCE))
        }
    }
}

/// Reads on a thread of its own; it ends with the input, or when nobody wants its rows any more.
fn read(
    input: Box<dyn Read + Send>,
    told: Option<Shape>,
    name: String,
    patience: Option<Duration>,
) -> Result<Feed, Failure> {
    let mut input: Box<dyn BufRead + Send> = Box::new(BufReader::new(input));
    let unreadable = |error: io::Error| StageError::input(format!("{name} can't be read: {error}"));
    let shape = match told {
        Some(shape) => shape,
        None => Shape::sniff(&mut *input).map_err(unreadable)?,
    };
    let reader = Reader::open(input, shape, &name)?;
    let columns = reader.columns().map(<[String]>::to_vec);
    let (sender, rows) = mpsc::sync_channel(AHEAD);
    std::thread::spawn(move || {
        for row in reader {
            let last = row.is_err();
            if sender.send(row).is_err() || last {
                return;
            }
        }
    });
    Ok(Feed { name, shape, columns, rows, patience })
}

impl Feed {
    /// The next rows, at most `size`; waits for the first one.
    pub fn next(&self, size: usize) -> Batch {
        let mut rows = Vec::new();
        while rows.len() < size {
            let next = match self.patience.filter(|_| !rows.is_empty()) {
                Some(patience) => self.rows.recv_timeout(patience),
                None => self.rows.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match next {
                Ok(Ok(row)) => rows.push(row),
                Ok(Err(error)) => return Batch { rows, end: Some(Err(error)) },
                Err(RecvTimeoutError::Disconnected) => return Batch { rows, end: Some(Ok(())) },
                Err(RecvTimeoutError::Timeout) => break,
            }
        }
        Batch { rows, end: None }
    }
}
