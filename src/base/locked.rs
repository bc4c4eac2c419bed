//! A file on which this process has the kernel's lock (`flock`), until it is dropped.

use std::fs::TryLockError;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use fs_err::File;

/// How often, and after which pauses, a file is locked at which somebody looks.
const ATTEMPTS: usize = 20;
const PAUSE: Duration = Duration::from_millis(5);

/// Such a file. Dropping it frees the lock at once: to close the file would free it only when a program has begun that
/// another thread starts in this moment, for until then that one has the file open as well.
#[derive(Debug)]
pub struct LockedFile(File);

impl LockedFile {
    /// A file that was locked, or that is to be used as if it were, where there are no locks.
    pub fn new(file: File) -> Self {
        Self(file)
    }
}

/// Locks a file that this process has just made: that says that its writer lives. Who looks whether it does holds the lock
/// for a moment; where there are no locks, nothing is said.
pub fn lock_own(file: &std::fs::File) {
    for _ in 0..ATTEMPTS {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            _ => return,
        }
    }
}

impl Deref for LockedFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0
    }
}

impl DerefMut for LockedFile {
    fn deref_mut(&mut self) -> &mut File {
        &mut self.0
    }
}

impl Drop for LockedFile {
    fn drop(&mut self) {
        // Closing follows.
        let _ = self.0.file().unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::{LockedFile, lock_own};
    use fs_err::File;

    #[test]
    fn the_lock_goes_though_another_process_has_the_file_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let file = File::create(&path).unwrap();
        file.try_lock().unwrap();
        // As the process that will be a program has it, in its first moment.
        let inherited = file.file().try_clone().unwrap();
        let other = File::open(&path).unwrap();
        let locked = LockedFile::new(file);
        assert!(other.try_lock().is_err());
        drop(locked);
        other.try_lock().unwrap();
        drop(inherited);
    }

    #[test]
    fn who_looks_at_a_new_file_does_not_keep_it_from_being_locked() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let looks = File::open(file.path()).unwrap();
        looks.file().try_lock_shared().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| lock_own(file.as_file()));
            std::thread::sleep(super::PAUSE);
            looks.file().unlock().unwrap();
        });
        assert!(looks.file().try_lock_shared().is_err());
    }
}
