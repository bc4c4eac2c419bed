//! All rows of a data set, read from the files of its source.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::protocol::StageError;
use crate::task::dataset::{Dataset, Split};
use crate::task::rows::{self, Rows};
use crate::task::source::glob;

/// All rows of a data set, by the split of its files.
#[derive(Clone, Debug, Default)]
pub struct Fetched {
    /// From `files.train`.
    pub train: Rows,
    /// From `files.validation`.
    pub validation: Rows,
    /// From `files.test`.
    pub test: Rows,
}

impl Fetched {
    /// The rows of a split.
    pub fn get(&self, split: Split) -> &Rows {
        match split {
            Split::Train => &self.train,
            Split::Validation => &self.validation,
            Split::Test => &self.test,
        }
    }

    /// The rows of a split, to fill.
    pub fn get_mut(&mut self, split: Split) -> &mut Rows {
        match split {
            Split::Train => &mut self.train,
            Split::Validation => &mut self.validation,
            Split::Test => &mut self.test,
        }
    }
}

/// Reads every split of a data set from the files of its source.
///
/// # Errors
/// A pattern without a file, a file that can't be read, a row that can't be used.
pub fn read(dataset: &Dataset, files: &BTreeMap<String, PathBuf>) -> Result<Fetched, StageError> {
    let mut fetched = Fetched::default();
    for (split, patterns) in dataset.files.present() {
        read_split(dataset, split, patterns, files, &mut fetched)?;
    }
    Ok(fetched)
}

fn read_split(
    dataset: &Dataset,
    split: Split,
    patterns: &[String],
    files: &BTreeMap<String, PathBuf>,
    into: &mut Fetched,
) -> Result<(), StageError> {
    for pattern in patterns {
        let pattern = dataset.path(pattern);
        let mut matched = false;
        for (name, path) in files.iter().filter(|(name, _)| glob::matches(&pattern, name)) {
            matched = true;
            into.get_mut(split).append(rows::read_source(dataset, name, path)?);
        }
        if !matched {
            return Err(StageError::input(format!("`{}` has no file `{pattern}`", dataset.name)));
        }
    }
    Ok(())
}
