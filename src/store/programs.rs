//! The folders in which programs run. One that has nothing in it when its program has ended is handed on to the next program: to
//! make a folder is more work for a disk than most of those programs are.
//!
//! It is handed on only if nobody can tell: nothing that any program has started lives on, and it is as new ones are, as far as its
//! mode, owner, length and attributes go. It is looked into when it gets its new name, in case that somebody else put something there.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use fs_err as fs;

use super::{Store, Work, tree};
use crate::base::{Digest, orphans};

/// What stands between the key and the rest in the name of a folder that waits for the next program.
pub(super) const SPARE: &str = ".spare";

/// Attributes that the system gives to files of its own accord begin so.
const OF_THE_SYSTEM: &[u8] = b"security.";

/// Folders for the next programs.
#[derive(Debug, Default)]
pub(super) struct ProgramFolders {
    spare: Mutex<Vec<PathBuf>>,
    /// What a new folder is like.
    usual: OnceLock<Likeness>,
}

/// What one program could change for the next one in an empty folder: its mode, its owner and group, its length, which on some disks
/// is that of all names that there ever were.
type Likeness = (u32, u32, u32, u64);

impl ProgramFolders {
    fn spare(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// An empty folder for the program of this key, called the same each time. What an attempt left there that failed is removed.
    pub(super) fn program_folder(&self, key: &Digest) -> io::Result<PathBuf> {
        if self.layout.has_bare_files {
            // Before the first one starts.
            orphans::gather();
        }
        let folder = self.scratch_path(key).with_extension("folder");
        if let Some(spare) = self.programs.spare().pop() {
            // A folder that is there and not empty is not replaced.
            let given = fs::rename(&spare, &folder);
            let given = given.or_else(|_| tree::remove(&folder).and_then(|()| fs::rename(&spare, &folder)));
            if given.is_ok() && fs::read_dir(&folder)?.next().is_none() {
                return Ok(folder);
            }
        }
        tree::remove(&folder)?;
        fs::create_dir(&folder)?;
        if self.programs.usual.get().is_none() {
            self.programs.usual.get_or_init(|| likeness(&folder).unwrap_or_default());
        }
        Ok(folder)
    }

    /// Keeps the folder of a program that has ended for the next one, if nobody could tell; nothing is left in it, and nothing lives
    /// on that a program has started. Returns whether it is kept.
    pub(super) fn hand_on(&self, work: &Work) -> bool {
        let folder = work.folder();
        let is_usual = likeness(folder).is_ok_and(|found| self.programs.usual.get() == Some(&found));
        if !(is_usual && has_no_attributes(folder)) {
            return false;
        }
        // Under its old name it may be asked for again.
        let spare = self.root.join("scratch").join(self.unique(&format!("{}{SPARE}", work.key())));
        let is_moved = fs::rename(folder, &spare).is_ok();
        if is_moved {
            self.programs.spare().push(spare);
        }
        is_moved
    }

    /// Removes the folders that are kept for programs: there are no more.
    pub(super) fn put_away_program_folders(&self) {
        for spare in std::mem::take(&mut *self.programs.spare()) {
            // What is left of it, `gc` removes.
            let _ = tree::remove(&spare);
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.put_away_program_folders();
    }
}

fn likeness(folder: &Path) -> io::Result<Likeness> {
    let metadata = fs::symlink_metadata(folder)?;
    Ok((metadata.mode(), metadata.uid(), metadata.gid(), metadata.len()))
}

/// Whether a folder has no access list, which its files would inherit, nor anything else that somebody has attached to it.
fn has_no_attributes(folder: &Path) -> bool {
    let mut names = [0; 1024];
    match rustix::fs::llistxattr(folder, &mut names) {
        Ok(length) => {
            names[..length].split(|byte| *byte == 0).all(|name| name.is_empty() || name.starts_with(OF_THE_SYSTEM))
        }
        // There are none on this file system, or too many.
        Err(error) => error == rustix::io::Errno::NOTSUP,
    }
}
