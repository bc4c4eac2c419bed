//! Locks in a folder, held while a guard lives, with the holder's name inside.
//!
//! Each process that locks has one file there, its sign, which says who it is and on which it holds the kernel's lock
//! (`flock`): when it dies in whatever way, the sign is free. A lock is one more name of its holder's sign. A name can be given
//! once, so there is one holder; and it costs a disk a line in a folder and no file, which counts where thousands of short
//! stages are locked one after the other. A lock whose sign is free was left by a process that died: the next one puts its
//! own sign in its place, and knows who that was. Where files can't have several names, or are not locked under all of them,
//! each lock is a file of its own, which says and is locked the same.

use std::fs::{Metadata, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fs_err::{DirEntry, File, OpenOptions};

use super::holder::Holder;
use super::{files, moment};

/// What the names of signs begin with.
const SIGN: &str = "runner-";
/// The ending of another name of a sign, by which it is tried out.
const PROBE: &str = "probe";
/// How often it is tried again when another process has come between.
const ATTEMPTS: u32 = 20;

/// The locks of a folder, as one process takes them.
#[derive(Debug)]
pub struct Locks {
    folder: PathBuf,
    way: Mutex<Way>,
}

/// How a process locks.
#[derive(Debug, Default)]
enum Way {
    /// Nothing was locked yet, or somebody has removed the sign.
    #[default]
    Unknown,
    /// With the names of its sign.
    Sign(Arc<Sign>),
    /// With a file for each lock.
    Files,
}

/// The file of a process that stands behind its locks; dropping it removes it.
#[derive(Debug)]
struct Sign {
    path: PathBuf,
    file: File,
    /// The paths of its locks.
    held: Mutex<Vec<PathBuf>>,
}

/// A lock that is held; dropping it frees it.
#[derive(Debug)]
pub struct FileLock {
    path: PathBuf,
    by: By,
    left_by: Option<Holder>,
}

/// What a lock is.
#[derive(Debug)]
enum By {
    /// A name of this sign.
    Sign(Arc<Sign>),
    /// A file of its own.
    File(File),
}

/// What came of trying to take a lock.
#[derive(Debug)]
pub enum Attempt {
    /// It is ours.
    Taken(FileLock),
    /// Someone else has it; `None` in the moment before the holder has written its name.
    Held(Option<Holder>),
}

impl Locks {
    /// Those in this folder, which must exist when the first one is taken.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, way: Mutex::default() }
    }

    /// Where the lock with this name is, if anybody holds it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Takes the lock with this name if it is free.
    ///
    /// # Errors
    /// When nothing can be written in the folder, or the file system has no locks.
    pub fn try_take(&self, name: &str) -> io::Result<Attempt> {
        let path = self.path(name);
        for _ in 0..ATTEMPTS {
            let Some(sign) = self.sign()? else { return FileLock::of_its_own(&path) };
            match sign.give(&path) {
                Ok(()) => return Ok(Attempt::Taken(FileLock { path, by: By::Sign(sign), left_by: None })),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if let Some(attempt) = self.replace(&path, sign)? {
                        return Ok(attempt);
                    }
                }
                // Somebody has removed the sign: another one will do.
                Err(error) if error.kind() == io::ErrorKind::NotFound => *self.way() = Way::Unknown,
                // Whatever it is, it is in the way of a file, too; but for too many names.
                Err(_) => return FileLock::of_its_own(&path),
            }
        }
        // It came and went each time.
        Ok(Attempt::Held(None))
    }

    /// Tries to take a lock that there is already: it may have been left. `None` when it is gone meanwhile.
    fn replace(&self, path: &Path, sign: Arc<Sign>) -> io::Result<Option<Attempt>> {
        let mut there = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match there.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Some(Attempt::Held(read_holder(&mut there)))),
            Err(TryLockError::Error(error)) => return Err(files::with_path(error, "lock", path)),
        }
        // Only who holds the kernel's lock of what is there may replace it; before we had it, somebody else may have.
        if !is_named(&there, path)? {
            unlock(&there);
            return Ok(None);
        }
        let left_by = read_holder(&mut there);
        sign.give_instead(path)?;
        self.forget(&there.metadata()?);
        unlock(&there);
        Ok(Some(Attempt::Taken(FileLock { path: path.to_owned(), by: By::Sign(sign), left_by })))
    }

    /// The sign of this process, if it locks with one.
    fn sign(&self) -> io::Result<Option<Arc<Sign>>> {
        let mut way = self.way();
        if let Way::Unknown = *way {
            self.clear_signs();
            let sign = Sign::make(&self.folder)?;
            *way = if sign.is_locked_under_every_name() { Way::Sign(Arc::new(sign)) } else { Way::Files };
        }
        Ok(match &*way {
            Way::Sign(sign) => Some(Arc::clone(sign)),
            Way::Unknown | Way::Files => None,
        })
    }

    fn way(&self) -> MutexGuard<'_, Way> {
        self.way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes the signs of dead processes behind which there are no locks; best effort, since they harm nobody.
    fn clear_signs(&self) {
        for entry in self.signs() {
            let Ok(file) = OpenOptions::new().read(true).write(true).open(entry.path()) else { continue };
            if file.try_lock().is_err() {
                continue;
            }
            if is_probe(&entry.path()) || file.metadata().is_ok_and(|metadata| metadata.nlink() == 1) {
                let _ = fs_err::remove_file(entry.path());
            }
            unlock(&file);
        }
    }

    /// Removes the sign of a dead process when its last lock has been replaced. Call it under the kernel's lock of it.
    fn forget(&self, dead: &Metadata) {
        use std::os::unix::fs::DirEntryExt;

        if dead.nlink() == 1 {
            let its_own = self.signs().find(|entry| entry.ino() == dead.ino());
            drop(its_own.map(|entry| fs_err::remove_file(entry.path())));
        }
    }

    fn signs(&self) -> impl Iterator<Item = DirEntry> {
        let entries = fs_err::read_dir(&self.folder).into_iter().flatten().flatten();
        entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(SIGN))
    }
}

impl Sign {
    fn make(folder: &Path) -> io::Result<Self> {
        for number in 0..ATTEMPTS {
            let path = folder.join(format!("{SIGN}{}-{}-{number}", std::process::id(), moment::now()));
            let mut file = match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            };
            match file.try_lock() {
                Ok(()) => {}
                // Taken for one that was left, in the moment before it was locked.
                Err(TryLockError::WouldBlock) => continue,
                Err(TryLockError::Error(error)) => {
                    let _ = fs_err::remove_file(&path);
                    return Err(files::with_path(error, "lock", &path));
                }
            }
            if file.metadata()?.nlink() == 0 {
                continue;
            }
            file.write_all(&Holder::written()?)?;
            return Ok(Self { path, file, held: Mutex::default() });
        }
        Err(files::with_path(io::ErrorKind::AlreadyExists.into(), "make a file in", folder))
    }

    /// Whether a file can have several names here, and the lock of one is that of all: some file systems have no such files,
    /// and for some each name is a file of its own to the kernel.
    fn is_locked_under_every_name(&self) -> bool {
        let other = self.path.with_extension(PROBE);
        let is_one = fs_err::hard_link(&self.path, &other).is_ok()
            && is_named(&self.file, &other).unwrap_or(false)
            && OpenOptions::new()
                .read(true)
                .write(true)
                .open(&other)
                .is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)));
        let _ = fs_err::remove_file(&other);
        is_one
    }

    /// Gives the sign this name, if it is free.
    fn give(&self, path: &Path) -> io::Result<()> {
        let mut held = self.held();
        match fs_err::hard_link(&self.path, path) {
            // A server that is asked again, because its answer was lost, says that the name is taken: by this sign.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if held.iter().any(|held| held == path) || !is_named(&self.file, path)? {
                    return Err(error);
                }
            }
            given => given?,
        }
        held.push(path.to_owned());
        Ok(())
    }

    /// Gives the sign this name in place of another file. Call it under the kernel's lock of that one.
    fn give_instead(&self, path: &Path) -> io::Result<()> {
        let mut held = self.held();
        files::name_again(&self.path, path)?;
        held.push(path.to_owned());
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Sign {
    fn drop(&mut self) {
        let _ = fs_err::remove_file(&self.path);
    }
}

impl FileLock {
    /// The process that died with this lock in its hands, if the last one did.
    pub fn left_by(&self) -> Option<&Holder> {
        self.left_by.as_ref()
    }

    /// Tries to take a lock that is a file of its own.
    fn of_its_own(path: &Path) -> io::Result<Attempt> {
        loop {
            let mut file = open(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(Attempt::Held(read_holder(&mut file))),
                Err(TryLockError::Error(error)) => return Err(files::with_path(error, "lock", path)),
            }
            // It may have been removed by its last holder before we locked it: what we hold then guards nothing.
            if !is_named(&file, path)? {
                continue;
            }
            let left_by = read_holder(&mut file);
            file.set_len(0)?;
            file.rewind()?;
            // In one write: a reader sees the whole name or none.
            file.write_all(&Holder::written()?)?;
            return Ok(Attempt::Taken(Self { path: path.to_owned(), by: By::File(file), left_by }));
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        match &self.by {
            By::Sign(sign) => {
                // Nobody else in this process takes it before it is forgotten that it was held.
                let mut held = sign.held();
                let _ = fs_err::remove_file(&self.path);
                held.retain(|held| *held != self.path);
            }
            // Removed while it is locked: whoever has opened this file meanwhile sees that it is gone. When it can't be
            // removed, an empty file says that the holder ended properly.
            By::File(file) => {
                if fs_err::remove_file(&self.path).is_err() {
                    let _ = file.set_len(0);
                    unlock(file);
                }
            }
        }
    }
}

/// Frees a file now. Closing it would do so only when a program has begun that another thread starts in this moment: until
/// then it has the file open as well.
fn unlock(file: &File) {
    let _ = file.file().unlock();
}

fn is_probe(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == PROBE)
}

/// Whether this open file is the one with this name.
fn is_named(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs_err::metadata(path) {
        Ok(named) => Ok((named.ino(), named.dev()) == (ours.ino(), ours.dev())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
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
        _ => {
            unlock(&file);
            None
        }
    }
}

/// A file that is made if it isn't there, and left as it is if it is.
pub(super) fn open(path: &Path) -> io::Result<File> {
    fs_err::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

fn read_holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::{Attempt, By, FileLock, Holder, Locks, PROBE, SIGN, Way, holder};
    use std::path::Path;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn taken(attempt: Attempt) -> Option<FileLock> {
        match attempt {
            Attempt::Taken(lock) => Some(lock),
            Attempt::Held(_) => None,
        }
    }

    fn take(locks: &Locks, name: &str) -> Option<FileLock> {
        taken(locks.try_take(name).unwrap())
    }

    /// Two processes that use one folder; what belongs to the kernel, it keeps apart in one process, too.
    fn two() -> (tempfile::TempDir, Locks, Locks) {
        let folder = tempfile::tempdir().unwrap();
        let locks = || Locks::new(folder.path().to_owned());
        let (one, two) = (locks(), locks());
        (folder, one, two)
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs_err::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// As after `kill -9`: the kernel's locks are gone, and the files are there.
    fn kill(locks: Locks, held: Vec<FileLock>) {
        locks.sign().unwrap().unwrap().file.file().unlock().unwrap();
        std::mem::forget((locks, held));
    }

    #[test]
    fn a_second_try_learns_who_holds_it_and_gets_it_afterwards() {
        let (folder, one, two) = two();
        let first = take(&one, "a.lock").unwrap();
        for locks in [&one, &two] {
            match locks.try_take("a.lock").unwrap() {
                Attempt::Held(Some(holder)) => assert_eq!(holder.pid, std::process::id()),
                other => panic!("expected a holder, got {other:?}"),
            }
        }
        let other = take(&one, "b.lock").unwrap();
        drop(first);
        assert!(!one.path("a.lock").exists() && one.path("b.lock").exists());
        let second = take(&two, "a.lock").unwrap();
        assert_eq!(second.left_by(), None);
        drop((one, two));
        assert_eq!(names(folder.path()).len(), 4, "two locks, and those who hold them");
        drop((second, other));
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[test]
    fn locks_whose_holder_died_are_free_and_say_so() {
        let (folder, dead, living) = two();
        let left = ["a.lock", "b.lock"].map(|name| take(&dead, name).unwrap()).into();
        kill(dead, left);
        assert_eq!(names(folder.path()).len(), 3);
        let a = take(&living, "a.lock").unwrap();
        assert_eq!(a.left_by().unwrap().pid, std::process::id());
        assert_eq!(holder(&living.path("b.lock")), None);
        // Nothing is held up by what else it has left.
        let b = take(&living, "b.lock").unwrap();
        assert!(b.left_by().is_some() && take(&living, "a.lock").is_none());
        assert_eq!(names(folder.path()).len(), 3, "its sign went with its last lock");
        drop((a, b));
        assert_eq!(take(&living, "a.lock").unwrap().left_by(), None);
        drop(living);
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[test]
    fn signs_of_the_dead_are_cleared_away_and_those_of_the_living_are_not() {
        let (folder, dead, living) = two();
        drop(take(&dead, "a.lock"));
        // It died while it tried its sign out, or at any time after that.
        let path = dead.sign().unwrap().unwrap().path.clone();
        fs_err::hard_link(&path, path.with_extension(PROBE)).unwrap();
        kill(dead, Vec::new());
        drop(take(&Locks::new(folder.path().to_owned()), "a.lock").unwrap());
        let lock = take(&living, "b.lock").unwrap();
        let third = Locks::new(folder.path().to_owned());
        drop(take(&third, "c.lock").unwrap());
        assert_eq!(names(folder.path()).iter().filter(|name| name.starts_with(SIGN)).count(), 2);
        // Even if somebody removes it, what is held stays so, and more can be had.
        fs_err::remove_file(&living.sign().unwrap().unwrap().path).unwrap();
        assert!(take(&third, "b.lock").is_none() && take(&living, "d.lock").is_some());
        drop(lock);
    }

    /// What an earlier version left, and what this one leaves where files can't have several names.
    #[test]
    fn a_lock_may_be_a_file_of_its_own() {
        let (_folder, one, two) = two();
        let path = one.path("a.lock");
        let dead = Holder { host: "elsewhere".into(), pid: 7, started: 1 };
        fs_err::write(&path, serde_json::to_vec(&dead).unwrap()).unwrap();
        let lock = taken(FileLock::of_its_own(&path).unwrap()).unwrap();
        assert_eq!(lock.left_by(), Some(&dead));
        assert!(taken(FileLock::of_its_own(&path).unwrap()).is_none() && take(&one, "a.lock").is_none());
        assert_eq!(holder(&path).unwrap().pid, std::process::id());
        drop(lock);
        assert!(!path.exists());
        fs_err::write(&path, serde_json::to_vec(&dead).unwrap()).unwrap();
        let lock = take(&two, "a.lock").unwrap();
        assert!(matches!(lock.by, By::Sign(_)) && lock.left_by() == Some(&dead));
        assert!(taken(FileLock::of_its_own(&path).unwrap()).is_none());
        drop(lock);
        // As where the first sign was found to be of no use.
        let three = Locks::new(one.folder.clone());
        *three.way() = Way::Files;
        fs_err::write(&path, serde_json::to_vec(&dead).unwrap()).unwrap();
        let lock = take(&three, "a.lock").unwrap();
        assert!(matches!(lock.by, By::File(_)) && lock.left_by() == Some(&dead));
        assert!(take(&one, "a.lock").is_none() && take(&three, "a.lock").is_none());
        drop(lock);
        assert!(!path.exists());
    }

    #[test]
    fn an_answer_that_was_lost_on_the_way_is_no_holder() {
        let (_folder, one, two) = two();
        // The server has given the name, and is asked again.
        fs_err::hard_link(&one.sign().unwrap().unwrap().path, one.path("a.lock")).unwrap();
        assert!(take(&two, "a.lock").is_none());
        let lock = take(&one, "a.lock").unwrap();
        assert!(take(&one, "a.lock").is_none());
        drop(lock);
        assert!(take(&two, "a.lock").is_some());
    }

    #[test]
    fn only_a_living_holder_is_one() {
        let (_folder, one, two) = two();
        let path = one.path("a.lock");
        assert_eq!(holder(&path), None);
        let lock = take(&one, "a.lock").unwrap();
        assert_eq!(holder(&path).unwrap().pid, std::process::id());
        kill(one, vec![lock]);
        assert_eq!(holder(&path), None);
        assert!(take(&two, "a.lock").is_some());
    }

    #[test]
    fn never_two_holders_even_though_files_come_and_go() {
        let folder = tempfile::tempdir().unwrap();
        let inside = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let inside = &inside;
                let path = folder.path();
                scope.spawn(move || {
                    // One who comes and goes as a whole, and three who stay; of these, one leaves its locks now and then.
                    let mut locks = Locks::new(path.to_owned());
                    for round in 0..150 {
                        let lock = loop {
                            match take(&locks, "a.lock") {
                                Some(lock) => break lock,
                                None => std::thread::sleep(std::time::Duration::from_micros(50)),
                            }
                        };
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
                        if thread == 1 && round % 10 == 0 {
                            kill(std::mem::replace(&mut locks, Locks::new(path.to_owned())), vec![lock]);
                        } else {
                            drop(lock);
                        }
                        if thread == 0 {
                            locks = Locks::new(path.to_owned());
                        }
                    }
                });
            }
        });
        assert_eq!(names(folder.path()), [""; 0]);
    }
}
