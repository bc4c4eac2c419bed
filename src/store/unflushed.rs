//! Results that may not be on the disk yet.
//!
//! Publishing does not wait for the disk: what the kernel has taken, no killed process can lose, only a machine that goes
//! down. So a store leaves a note in `unflushed/` before the first result that it publishes, and takes it away when the
//! file system was flushed as a whole: once a run, not ten times a stage. A note of an earlier boot of this machine says
//! that it went down in between. Then the cache is read through once, as `compt fsck` does, before anything in it is used.
//! Beside the notes lie, under private names, the files of records that somebody writes ([`super::bundle`]).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::fsck::{Checkup, Depth};
use super::{Store, StoreError};
use crate::base::locked::LockedFile;
use crate::base::{disk, files, holder};

/// The folder of the notes.
pub(super) const FOLDER: &str = "unflushed";

/// Who publishes without waiting, since which start of which machine; without the latter nothing is sure to be kept.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    host: String,
    boot: Option<String>,
}

/// The note of a store; absent as long as it has published nothing since the last flush.
#[derive(Debug, Default)]
pub(super) struct Unflushed {
    note: Mutex<Option<Held>>,
    /// What went wrong when a part was brought to the disk: the system tells each fault once.
    fault: Mutex<Option<io::Error>>,
}

/// A note on the disk, locked as long as its writer lives.
#[derive(Debug)]
struct Held {
    path: PathBuf,
    _lock: LockedFile,
}

/// What became of the writer of a note.
enum Writer {
    /// It lives, or has taken its note away.
    Lives,
    /// It died; the machine still has all that it wrote.
    Died(Held),
    /// Its machine went down, or could not bring to the disk what it wrote.
    Lost(Held),
}

impl Store {
    /// Notes, before the first result is published, that results may not be on the disk.
    pub(super) fn note_unflushed(&self) -> io::Result<()> {
        let mut note = locked(&self.unflushed.note);
        if note.is_none() {
            *note = Some(self.write_note(&self.unique("run"), disk::boot())?);
        }
        Ok(())
    }

    /// Waits until all that was published is on the disk; a store that has published nothing has nothing to wait for.
    ///
    /// # Errors
    /// When something could not be brought to the disk. Then the next one who opens the cache checks all of it.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.put_away_program_folders();
        let mut own = locked(&self.unflushed.note);
        let Some(note) = own.take() else { return Ok(()) };
        self.close_bundle();
        // Guesses are not worth an error.
        let _ = self.durations.settle();
        let fault = locked(&self.unflushed.fault).take();
        if let Err(error) = fault.map_or_else(|| disk::flush_file_system(&self.root), Err) {
            // Without a boot it is taken for lost.
            drop(self.write_note(&note.name(), None));
            return Err(self.fail(error));
        }
        fs::remove_file(&note.path).map_err(|error| self.fail(error))
    }

    /// Brings to the disk what was published so far, so that less is left for [`Store::flush`], which tells of faults.
    pub fn flush_ahead(&self) {
        if let Err(error) = disk::flush_file_system(&self.root) {
            *locked(&self.unflushed.fault) = Some(error);
        }
    }

    /// What was found when the cache was opened and checked, because a machine went down while it was written.
    pub fn recovered(&self) -> Option<&Checkup> {
        self.recovered.as_ref()
    }

    /// Looks for notes of those who came to no flush. When a machine went down meanwhile, the whole cache is checked, and
    /// what is not whole is set aside.
    pub(super) fn recover(&self) -> Result<Option<Checkup>, StoreError> {
        let folder = self.root.join(FOLDER);
        files::clear_unfinished(&folder);
        let (mut left, mut lost) = (Vec::new(), false);
        for path in self.entries(&folder)?.into_iter().filter(|path| !files::is_hidden(path)) {
            match writer(&path).map_err(|error| self.fail(error))? {
                Writer::Lives => {}
                Writer::Died(note) => left.push(note),
                Writer::Lost(note) => {
                    lost = true;
                    left.push(note);
                }
            }
        }
        if left.is_empty() {
            return Ok(None);
        }
        let found = if lost { Some(self.check(Depth::Deep)?) } else { None };
        disk::flush_file_system(&self.root).map_err(|error| self.fail(error))?;
        for note in left {
            fs::remove_file(&note.path).map_err(|error| self.fail(error))?;
        }
        Ok(found)
    }

    /// Writes a note that a loss of power leaves. It is locked before it has its name, so that nobody takes its writer for
    /// dead.
    fn write_note(&self, name: &str, boot: Option<String>) -> io::Result<Held> {
        let path = self.root.join(FOLDER).join(name);
        let text = serde_json::to_vec(&Note { host: holder::host(), boot })?;
        // Where there are no locks, every writer seems dead; flushing for one that lives only takes time.
        let file = files::write_locked(&path, &text)?;
        files::sync_folder(&self.root)?;
        Ok(Held { _lock: LockedFile::new(fs::File::from_parts(file, &path)), path })
    }
}

impl Held {
    fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn writer(path: &Path) -> io::Result<Writer> {
    let file = match files::open_to_lock(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Writer::Lives),
        Err(error) => return Err(error),
    };
    let boot = disk::boot();
    let note = fs::read(path).ok().and_then(|bytes| serde_json::from_slice::<Note>(&bytes).ok());
    let lost = note.as_ref().is_none_or(|note| note.boot.is_none() || note.boot != boot);
    if file.try_lock().is_ok() {
        let held = Held { path: path.to_owned(), _lock: LockedFile::new(file) };
        return Ok(match (held.path.exists(), lost) {
            (false, _) => Writer::Lives,
            (true, false) => Writer::Died(held),
            (true, true) => Writer::Lost(held),
        });
    }
    // Nobody lives here since before this boot: who holds such a note checks the cache just now.
    if lost && boot.is_some() && note.is_some_and(|note| note.host == holder::host()) {
        file.lock()?;
        drop(LockedFile::new(file));
        return writer(path);
    }
    Ok(Writer::Lives)
}

#[cfg(test)]
mod tests {
    use super::super::store_test::{FILES, count, open, preimage, publish, whole};
    use super::super::{Found, Store};
    use super::{FOLDER, Note};
    use crate::base::{disk, files};
    use std::path::Path;

    /// Leaves a note as somebody would who died, in this boot of the machine or in another one.
    fn leave(root: &Path, boot: Option<String>) {
        let note = Note { host: crate::base::holder::host(), boot };
        fs_err::write(root.join(FOLDER).join("run-1"), serde_json::to_vec(&note).unwrap()).unwrap();
    }

    /// Changes a file of a result as a disk does that has lost what was written: its length and its times stay. Times can't
    /// be set back, so it is the record that is made to agree with them.
    fn lose(store: &Store, k: u32) {
        let mut record = whole(store, k).unwrap();
        let path = store.object_folder(&record.output).join("scores.csv");
        let mut permissions = fs_err::metadata(&path).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
        fs_err::set_permissions(&path, permissions).unwrap();
        fs_err::write(&path, vec![0; FILES[0].1.len()]).unwrap();
        record.files.get_mut("scores.csv").unwrap().stat = super::super::Stat::of(&fs_err::metadata(&path).unwrap());
        let text = serde_json::to_vec(&record).unwrap();
        files::replace(&store.record_path(&record.key), &text).unwrap();
    }

    /// How many notes there are, and how many files of records that somebody writes.
    fn notes(store: &Store) -> (usize, usize) {
        let all = store.entries(&store.root().join(FOLDER)).unwrap();
        let written = all.iter().filter(|path| files::is_unfinished(path)).count();
        (all.len() - written, written)
    }

    #[test]
    fn a_note_stands_from_the_first_result_to_the_flush() {
        let (_folder, store) = open();
        let notes = || notes(&store);
        assert_eq!(notes(), (0, 0));
        publish(&store, 1, &FILES).unwrap();
        publish(&store, 2, &FILES).unwrap();
        assert_eq!(notes(), (1, 1));
        // Nobody takes it away while its writer lives.
        assert!(Store::open(store.root()).unwrap().recovered().is_none());
        assert_eq!(notes(), (1, 1));
        store.flush().unwrap();
        assert_eq!(notes(), (0, 0));
        store.flush().unwrap();
        publish(&store, 3, &FILES).unwrap();
        assert_eq!(notes(), (1, 1));
    }

    #[test]
    fn a_flush_before_the_last_one_takes_no_note_away_and_hides_no_fault() {
        let (_folder, store) = open();
        let notes = || notes(&store);
        store.flush_ahead();
        publish(&store, 1, &FILES).unwrap();
        store.flush_ahead();
        assert_eq!(notes(), (1, 1));
        store.flush().unwrap();
        assert_eq!(notes(), (0, 0));
        publish(&store, 2, &FILES).unwrap();
        *super::locked(&store.unflushed.fault) = Some(std::io::Error::other("a bad sector"));
        assert!(store.flush().unwrap_err().to_string().contains("a bad sector"));
        let root = store.root().to_owned();
        drop(store);
        assert!(Store::open(&root).unwrap().recovered().is_some(), "everything is checked");
    }

    #[test]
    fn who_was_killed_has_lost_nothing() {
        let (_folder, store) = open();
        publish(&store, 1, &FILES).unwrap();
        let root = store.root().to_owned();
        drop(store);
        lose(&Store::open_to_read(&root).unwrap(), 1);
        leave(&root, disk::boot());
        let store = Store::open(&root).unwrap();
        assert_eq!(count(&root.join(FOLDER)), 0);
        // Nothing is read again: what the file system says of the file is believed.
        assert!(store.recovered().is_none() && whole(&store, 1).is_some());
    }

    #[test]
    fn after_a_loss_of_power_nothing_is_believed() {
        for boot in [Some("another boot".to_owned()), None] {
            let (_folder, store) = open();
            publish(&store, 1, &FILES).unwrap();
            publish(&store, 2, &[("scores.csv", "whole")]).unwrap();
            lose(&store, 1);
            assert!(whole(&store, 1).is_some(), "its record agrees with the damage");
            store.flush().unwrap();
            leave(store.root(), boot);
            let again = Store::open(store.root()).unwrap();
            let found = again.recovered().unwrap();
            assert_eq!((found.records, found.damaged()), (2, 1));
            assert_eq!(again.find(&preimage(1).key()).unwrap(), Found::Missing);
            assert!(whole(&again, 2).is_some());
            assert_eq!(count(&store.root().join(FOLDER)), 0);
            assert!(Store::open(store.root()).unwrap().recovered().is_none());
        }
    }

    #[test]
    fn under_a_note_that_was_not_finished_nothing_was_published() {
        let (_folder, store) = open();
        fs_err::write(store.root().join(FOLDER).join(".writing-run-2"), "{").unwrap();
        assert!(Store::open(store.root()).unwrap().recovered().is_none());
        assert_eq!(count(&store.root().join(FOLDER)), 0);
        // One that has its name was finished: what is in it now is what a disk has left of it.
        fs_err::write(store.root().join(FOLDER).join("run-2"), "").unwrap();
        assert!(Store::open(store.root()).unwrap().recovered().is_some());
        assert_eq!(count(&store.root().join(FOLDER)), 0);
    }
}
