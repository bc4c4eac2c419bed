//! Locks on files, held while a guard lives, with the holder's name inside.
//!
//! The lock is the kernel's (`flock`): when its holder dies in whatever way, it is free. What is written in the file
//! only tells people who holds it, and tells the next holder that the one before did not end properly.

use std::fs::TryLockError;
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use fs_err::File;
use serde::{Deserialize, Serialize};

/// A process that holds a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The machine.
    pub host: String,
    /// The process there.
    pub pid: u32,
    /// When it took the lock, in seconds since 1970.
    pub started: u64,
}

impl Holder {
    /// This process, now.
    fn here() -> Self {
        Self { host: host(), pid: std::process::id(), started: now() }
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} on `{}`", self.pid, self.host)
    }
}

/// A lock that is held; dropping it removes the file and frees the lock.
#[derive(Debug)]
pub struct FileLock {
    file: File,
    path: PathBuf,
    left_by: Option<Holder>,
}

/// What came of trying to take a lock.
#[derive(Debug)]
pub enum Attempt {
    /// It is ours.
    Taken(FileLock),
    /// Someone else has it; `None` in the moment before the holder has written its name.
    Held(Option<Holder>),
}

impl FileLock {
    /// Takes the lock at `path` if it is free; the folder must exist.
    ///
    /// # Errors
    /// When the file can't be created or written, or the file system has no locks.
    pub fn try_take(path: &Path) -> io::Result<Attempt> {
        loop {
            let mut file = open(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(Attempt::Held(read_holder(&mut file))),
                Err(TryLockError::Error(error)) => {
                    return Err(super::files::with_path(error, "lock", path));
                }
            }
            if let Some(lock) = Self::claim(file, path)? {
                return Ok(Attempt::Taken(lock));
            }
        }
    }

    /// Takes the lock at `path`, waiting for its holder to end.
    ///
    /// # Errors
    /// As [`FileLock::try_take`].
    pub fn take(path: &Path) -> io::Result<Self> {
        loop {
            let file = open(path)?;
            file.lock()?;
            if let Some(lock) = Self::claim(file, path)? {
                return Ok(lock);
            }
        }
    }

    /// The process that died with this lock in its hands, if the last one did.
    pub fn left_by(&self) -> Option<&Holder> {
        self.left_by.as_ref()
    }

    /// Writes our name into the locked file; `None` when the file was removed by its last holder before we locked it,
    /// so that what we hold guards nothing.
    fn claim(mut file: File, path: &Path) -> io::Result<Option<Self>> {
        let ours = file.metadata()?;
        match fs_err::metadata(path) {
            Ok(current) if current.ino() == ours.ino() && current.dev() == ours.dev() => {}
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
        let mut left_by = None;
        // A file that is cut to nothing is written to the disk when it is closed, so one that is new is left as it is.
        if ours.len() > 0 {
            left_by = read_holder(&mut file);
            file.set_len(0)?;
            file.rewind()?;
        }
        // In one write: a reader sees the whole name or none.
        file.write_all(&serde_json::to_vec(&Holder::here())?)?;
        Ok(Some(Self { file, path: path.to_owned(), left_by }))
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Removed while still locked: whoever waits for this file sees in `claim` that it is gone and starts again.
        // When it can't be removed, an empty file says that the holder ended properly.
        if fs_err::remove_file(&self.path).is_err() {
            let _ = self.file.set_len(0);
        }
    }
}

/// A sign that a folder is used, on a file in it: any number of processes show it at once, or one has the folder for
/// itself. It goes with the process, however that ends.
#[derive(Debug)]
pub struct Presence {
    _file: File,
}

impl Presence {
    /// Shows that the folder is used; waits while another process has it for itself.
    ///
    /// # Errors
    /// When the file can't be created, or the file system has no locks.
    pub fn among_others(path: &Path) -> io::Result<Self> {
        let file = open(path)?;
        file.lock_shared()?;
        Ok(Self { _file: file })
    }

    /// The same where nothing may be written; `None` when there is no such file, or it can't be locked.
    pub fn to_read(path: &Path) -> Option<Self> {
        let file = File::open(path).ok()?;
        file.lock_shared().ok()?;
        Some(Self { _file: file })
    }

    /// Takes the folder for this process alone; `None` when another one uses it.
    ///
    /// # Errors
    /// As [`Presence::among_others`].
    pub fn alone(path: &Path) -> io::Result<Option<Self>> {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(super::files::with_path(error, "lock", path)),
        }
    }
}

/// The process whose name stands in the lock file at `path` and who holds it now; `None` when nobody does.
///
/// Nobody is disturbed by the question: a file without a name, which someone may be about to lock, is not touched.
pub fn holder(path: &Path) -> Option<Holder> {
    let mut file = File::open(path).ok()?;
    let named = read_holder(&mut file)?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Some(named),
        _ => None,
    }
}

fn open(path: &Path) -> io::Result<File> {
    fs_err::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

fn read_holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// This machine's name, as far as it can be told.
pub fn host() -> String {
    static HOST: OnceLock<String> = OnceLock::new();
    let ask = || {
        fs_err::read_to_string("/proc/sys/kernel/hostname")
            .ok()
            .or_else(|| std::env::var("HOSTNAME").ok())
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "unknown".to_owned())
    };
    HOST.get_or_init(ask).clone()
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::{Attempt, FileLock, Holder, Presence, holder};
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn taken(attempt: Attempt) -> Option<FileLock> {
        match attempt {
            Attempt::Taken(lock) => Some(lock),
            Attempt::Held(_) => None,
        }
    }

    #[test]
    fn a_second_try_learns_who_holds_it_and_gets_it_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let first = taken(FileLock::try_take(&path).unwrap()).unwrap();
        match FileLock::try_take(&path).unwrap() {
            Attempt::Held(Some(holder)) => assert_eq!(holder.pid, std::process::id()),
            other => panic!("expected a holder, got {other:?}"),
        }
        drop(first);
        assert!(!path.exists());
        let second = taken(FileLock::try_take(&path).unwrap()).unwrap();
        assert_eq!(second.left_by(), None);
    }

    #[test]
    fn a_lock_whose_holder_died_is_free_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let dead = Holder { host: "elsewhere".into(), pid: 7, started: 1 };
        fs_err::write(&path, serde_json::to_vec(&dead).unwrap()).unwrap();
        let lock = taken(FileLock::try_take(&path).unwrap()).unwrap();
        assert_eq!(lock.left_by(), Some(&dead));
    }

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

    #[test]
    fn only_a_living_holder_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        assert_eq!(holder(&path), None);
        let lock = taken(FileLock::try_take(&path).unwrap()).unwrap();
        assert_eq!(holder(&path).unwrap().pid, std::process::id());
        let text = fs_err::read(&path).unwrap();
        drop(lock);
        fs_err::write(&path, text).unwrap();
        assert_eq!(holder(&path), None);
    }

    #[test]
    fn never_two_holders_even_though_files_come_and_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let inside = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let lock = FileLock::take(&path).unwrap();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
                        drop(lock);
                    }
                });
            }
        });
    }
}
