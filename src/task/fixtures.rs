//! Data sets and rows for this module's tests.

use std::path::{Path, PathBuf};

use crate::task::dataset::{self, Dataset};
use crate::task::rows::{Label, Rows};

/// One of the project's own data sets.
pub(crate) fn dataset(name: &str) -> Dataset {
    dataset::read(root(), name).unwrap_or_else(|error| panic!("{error}"))
}

/// The project folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The mirror of real data; prints why and returns nothing where it is missing.
pub(crate) fn mirror() -> Option<PathBuf> {
    let shared = std::env::var_os("COMPT_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    let mirror = shared.join("hub");
    if mirror.is_dir() {
        return Some(mirror);
    }
    println!("skipped: the mirror `{}` is missing; set COMPT_SHARED to the folder that holds it", mirror.display());
    None
}

/// Rows of one text column with these texts and labels.
pub(crate) fn rows(cells: &[(&str, u32)]) -> Rows {
    Rows {
        columns: vec!["text".to_owned()],
        cells: cells.iter().map(|(text, _)| vec![(*text).to_owned()]).collect(),
        labels: cells.iter().map(|(_, label)| Label::Class(*label)).collect(),
    }
}
