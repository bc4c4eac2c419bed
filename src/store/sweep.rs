//! Removing what [`super::gc`] chose.

use std::io;
use std::path::Path;

use fs_err as fs;

use super::census::Census;
use super::gc::Choice;
use super::{Store, StoreError, durations, memo, tree};
use crate::base::files;

impl Store {
    /// Removes what was chosen. Records go first, and for good, so that a crash in the middle leaves results without
    /// records, which the next time removes, and never a record without its result.
    ///
    /// Call it on a store that was opened with [`Store::open_alone`].
    ///
    /// # Errors
    /// When something can't be removed; what was removed before stays so.
    pub fn remove(&self, census: &Census, choice: &Choice) -> Result<(), StoreError> {
        let fail = |error| self.fail(error);
        let mut folders = std::collections::BTreeSet::new();
        for result in choice.results.iter().filter_map(|position| census.results.get(*position)) {
            let path = self.record_path(&result.key);
            remove_file(&path).map_err(fail)?;
            folders.extend(path.parent().map(Path::to_owned));
        }
        for folder in folders {
            files::sync_folder(&folder).map_err(fail)?;
        }
        for output in &choice.objects {
            tree::remove(&self.object_folder(output)).map_err(fail)?;
        }
        for rest in choice.rests.iter().filter_map(|position| census.rests.get(*position)) {
            if rest.path.is_dir() {
                tree::remove(&rest.path).map_err(fail)?;
            } else {
                remove_file(&rest.path).map_err(fail)?;
            }
        }
        // While nobody appends to them, lines that a crash has torn can go too.
        self.journal_of("memo")
            .mend::<memo::Line>()
            .and_then(|()| self.durations.mend::<durations::Line>())
            .map_err(fail)
    }
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
