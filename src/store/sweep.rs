//! Removing what [`super::gc`] chose.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::path::Path;

use fs_err as fs;

use super::census::Census;
use super::gc::Choice;
use super::{Store, StoreError, durations, fsck, memo, object, tree};
use crate::base::{Digest, files};

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
        let mut folders = BTreeSet::new();
        for result in choice.results.iter().filter_map(|position| census.results.get(*position)) {
            let path = self.record_path(&result.key);
            remove_file(&path).map_err(fail)?;
            folders.extend(path.parent().map(Path::to_owned));
        }
        for folder in folders {
            files::sync_folder(&folder).map_err(fail)?;
        }
        let goes: BTreeSet<&String> = choice.objects.iter().collect();
        for path in self.fanned_entries("objects")? {
            if object::name(&path).is_some_and(|name| goes.contains(&name)) {
                remove(&path).map_err(fail)?;
            }
        }
        let kept: HashSet<Digest> = census
            .objects
            .keys()
            .filter(|name| !goes.contains(name))
            .filter_map(|name| fsck::key_of(name.as_ref()))
            .collect();
        self.uses.keep(|output| kept.contains(output));
        for rest in choice.rests.iter().filter_map(|position| census.rests.get(*position)) {
            remove(&rest.path).map_err(fail)?;
        }
        // While nobody appends to them, lines that a crash has torn can go too.
        self.journal_of("memo")
            .mend::<memo::Line>()
            .and_then(|()| self.durations.mend::<durations::Line>())
            .map_err(fail)
    }
}

fn remove(path: &Path) -> io::Result<()> {
    if path.is_dir() { tree::remove(path) } else { remove_file(path) }
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
