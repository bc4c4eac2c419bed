//! A folder that is used by many processes at once, or by one alone. As a lock it is the kernel's (`flock`).

use std::fs::TryLockError;
use std::io;
use std::path::Path;

use fs_err::File;

use super::files;
use super::lock::open;
use super::locked::LockedFile;

/// A sign that a folder is used, on a file in it: any number of processes show it at once, or one has the folder for
/// itself. It goes with the process, however that ends.
#[derive(Debug)]
pub struct Presence {
    _file: LockedFile,
}

impl Presence {
    /// Shows that the folder is used; waits while another process has it for itself.
    ///
    /// # Errors
    /// When the file can't be created, or the file system has no locks.
    pub fn among_others(path: &Path) -> io::Result<Self> {
        let file = open(path)?;
        file.lock_shared()?;
        Ok(Self { _file: LockedFile::new(file) })
    }

    /// The same where nothing may be written; `None` when there is no such file, or it can't be locked.
    pub fn to_read(path: &Path) -> Option<Self> {
        let file = File::open(path).ok()?;
        file.lock_shared().ok()?;
        Some(Self { _file: LockedFile::new(file) })
    }

    /// Takes the folder for this process alone; `None` when another one uses it.
    ///
    /// # Errors
    /// As [`Presence::among_others`].
    pub fn alone(path: &Path) -> io::Result<Option<Self>> {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: LockedFile::new(file) })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(files::with_path(error, "lock", path)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Presence;

    #[test]
    fn a_folder_is_used_by_many_or_held_by_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in-use");
        assert!(Presence::to_read(&path).is_none() && !path.exists());
        let one = Presence::among_others(&path).unwrap();
        let two = Presence::to_read(&path).unwrap();
        assert!(Presence::alone(&path).unwrap().is_none());
        drop(one);
        assert!(Presence::alone(&path).unwrap().is_none());
        drop(two);
        let alone = Presence::alone(&path).unwrap().unwrap();
        assert!(Presence::alone(&path).unwrap().is_none());
        drop(alone);
        Presence::among_others(&path).unwrap();
    }
}
