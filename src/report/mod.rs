//! From scores to tables: tidy results, the paper-shaped table, the gain over untrained prompts, the comparison with
//! published numbers, the claims, and how they look as CSV, Markdown and on a terminal.

use std::io;
use std::path::{Path, PathBuf};

pub mod claims;
pub mod comparison;
pub mod frame;
pub mod gains;
pub mod published;
pub mod sheet;
pub mod statistics;
pub mod table;
pub mod terminal;

/// The axis that every score has, whatever the pipeline calls its other axes.
pub const TASK: &str = "task";

/// How the mean over the tasks is called in tables.
pub const AVERAGE: &str = "average";

/// Why a report can't be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The file system.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A file does not say what it should.
    #[error("`{}`{}: {message}", path.display(), line.map(|line| format!(", line {line}")).unwrap_or_default())]
    File {
        /// The file.
        path: PathBuf,
        /// Where in it, counted from 1.
        line: Option<usize>,
        /// What is wrong.
        message: String,
        /// What to change.
        hint: Option<String>,
    },
    /// The layout that was asked for does not fit the scores.
    #[error("{message}")]
    Layout {
        /// What does not fit.
        message: String,
        /// What to change.
        hint: Option<String>,
    },
    /// A frame that we built is not well-formed.
    #[error("a table could not be built: {0}")]
    Frame(#[from] polars::error::PolarsError),
}

impl ReportError {
    pub(crate) fn file(path: &Path, line: Option<usize>, message: impl Into<String>) -> Self {
        Self::File { path: path.to_owned(), line, message: message.into(), hint: None }
    }

    pub(crate) fn layout(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Layout { message: message.into(), hint: Some(hint.into()) }
    }

    /// What to change, when that is known.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::File { hint, .. } | Self::Layout { hint, .. } => hint.as_deref(),
            Self::Io(_) | Self::Frame(_) => None,
        }
    }
}

/// A number with a fixed count of decimals, and without the sign of a zero.
pub fn fixed(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    match text.strip_prefix('-') {
        Some(rest) if rest.bytes().all(|byte| matches!(byte, b'0' | b'.')) => rest.to_owned(),
        _ => text,
    }
}

/// A name as reports print it: with hyphens, as the paper does (METHODS 4.1).
pub fn shown(name: &str) -> String {
    name.replace('_', "-")
}

/// Two spellings of one name have the same canonical form: case, and `-` or `_`, do not matter.
pub fn canonical(name: &str) -> String {
    name.trim().to_lowercase().replace('_', "-")
}

/// Names as a message lists them.
pub(crate) fn quoted<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    names.into_iter().map(|name| format!("`{}`", name.as_ref())).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::{canonical, fixed};

    #[test]
    fn numbers_and_names() {
        assert_eq!(fixed(72.666, 1), "72.7");
        assert_eq!(fixed(-0.04, 1), "0.0");
        assert_eq!(fixed(-0.06, 1), "-0.1");
        assert_eq!(fixed(71.0, 0), "71");
        assert_eq!(canonical("Yelp_Polarity "), canonical("yelp-polarity"));
    }
}
