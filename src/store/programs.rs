//! The folders in which programs run. One that has nothing in it when its program has ended is handed on to the next program: to
//! make a folder is more work for a disk than most of those programs are.
//!
//! It is handed on only if nobody can tell: nothing that any program has started lives on, and it is as new ones are. It is looked
//! into when it gets its new name. What a program asks somebody to do there later who runs without us, nobody knows.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use fs_err as fs;
use rustix::fs::{Mode, OFlags, RawMode};
use rustix::io::Errno;

use super::{Store, Work, tree};
use crate::base::{Digest, orphans};

/// What stands between the key and the rest in the name of a folder that waits for the next program.
const SPARE: &str = ".spare";

/// Whether this is the name of a folder that waits for the next program.
pub(super) fn is_spare(name: &OsStr) -> bool {
    // Of a key there are 64 digits.
    name.as_encoded_bytes().get(64..).is_some_and(|rest| rest.starts_with(SPARE.as_bytes()))
}

/// Attributes that the system gives to files of its own accord begin so.
const OF_THE_SYSTEM: &[u8] = b"security.";

/// Folders for the next programs.
#[derive(Debug, Default)]
pub(super) struct ProgramFolders {
    spare: Mutex<Vec<PathBuf>>,
    /// What a new folder is like.
    usual: OnceLock<Option<Likeness>>,
}

/// What one program could change for the next one in an empty folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Likeness {
    mode: RawMode,
    owner: (u32, u32),
    /// On some disks that of all names that there ever were.
    length: i64,
    flags: u32,
}

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
            if given.is_ok() && fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_none()) {
                return Ok(folder);
            }
        }
        tree::remove(&folder)?;
        fs::create_dir(&folder)?;
        if self.programs.usual.get().is_none() {
            self.programs.usual.get_or_init(|| likeness(&folder));
        }
        Ok(folder)
    }

    /// Keeps the folder of a program that has ended for the next one, if nobody could tell; nothing is left in it, and nothing lives
    /// on that a program has started. Returns whether it is kept.
    pub(super) fn hand_on(&self, work: &Work) -> bool {
        let folder = work.folder();
        let usual = self.programs.usual.get().and_then(Option::as_ref);
        if usual.is_none() || likeness(folder).as_ref() != usual {
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

/// What a folder is like; nothing if it has an access list, which its files would inherit, or something else that somebody has
/// attached to it.
pub(super) fn likeness(folder: &Path) -> Option<Likeness> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = rustix::fs::open(folder, flags, Mode::empty()).ok()?;
    let mut names = [0; 1024];
    let length = match rustix::fs::flistxattr(&opened, &mut names) {
        Ok(length) => length,
        Err(Errno::NOTSUP) => 0,
        Err(_) => return None,
    };
    let mut names = names[..length].split(|byte| *byte == 0);
    if names.any(|name| !(name.is_empty() || name.starts_with(OF_THE_SYSTEM))) {
        return None;
    }
    let stat = rustix::fs::fstat(&opened).ok()?;
    Some(Likeness {
        mode: stat.st_mode,
        owner: (stat.st_uid, stat.st_gid),
        length: stat.st_size,
        flags: file_flags(&opened),
    })
}

/// What `chattr` gives to a file, and a file to those in it; 0 where there is no such thing.
#[cfg(target_os = "linux")]
fn file_flags(opened: &OwnedFd) -> u32 {
    rustix::fs::ioctl_getflags(opened).map_or(0, |flags| flags.bits())
}

/// Elsewhere no folder is handed on.
#[cfg(not(target_os = "linux"))]
fn file_flags(_: &OwnedFd) -> u32 {
    0
}
