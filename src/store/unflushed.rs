//! Results that may not be on the disk yet.
//!
//! Publishing does not wait for the disk: what the kernel has taken, no killed process can lose, only a machine that goes
//! down. So a store leaves a note in `unflushed/` before the first result that it publishes, and takes it away when the
//! file system was flushed as a whole: once a run, not ten times a stage. A note of an earlier boot of this machine says
//! that it went down in between. Then the cache is read through once, as `compt fsck` does, before anything in it is used.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use fs_err::{self as fs, File};
use serde::{Deserialize, Serialize};

use super::fsck::{Checkup, Depth};
use super::{Store, StoreError};
use crate::base::{disk, files, lock};

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
pub(super) struct Unflushed(Mutex<Option<Held>>);

/// A note on the disk, locked as long as its writer lives.
#[derive(Debug)]
struct Held {
    path: PathBuf,
    _lock: File,
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
        let mut note = self.unflushed.0.lock().unwrap_or_else(PoisonError::into_inner);
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
        let mut own = self.unflushed.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(note) = own.take() else { return Ok(()) };
        if let Err(error) = disk::flush_file_system(&self.root) {
            // Without a boot it is taken for lost.
            drop(self.write_note(&note.name(), None));
            return Err(self.fail(error));
        }
        fs::remove_file(&note.path).map_err(|error| self.fail(error))
    }

    /// What was found when the cache was opened and checked, because a machine went down while it was written.
    pub fn recovered(&self) -> Option<&Checkup> {
        self.recovered.as_ref()
    }

    /// Looks for notes of those who came to no flush. When a machine went down meanwhile, the whole cache is checked, and
    /// what is not whole is set aside.
    pub(super) fn recover(&self) -> Result<Option<Checkup>, StoreError> {
        let folder = self.root.join(FOLDER);
        let (mut left, mut lost) = (Vec::new(), false);
        for path in self.entries(&folder)?.into_iter().filter(|path| !files::is_unfinished(path)) {
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
        files::clear_unfinished(&folder);
        Ok(found)
    }

    /// Writes a note that a loss of power leaves. It is locked before it has its name, so that nobody takes its writer for
    /// dead.
    fn write_note(&self, name: &str, boot: Option<String>) -> io::Result<Held> {
        let folder = self.root.join(FOLDER);
        let (private, path) = (folder.join(files::unfinished_name(name)), folder.join(name));
        let mut file = File::create(&private)?;
        // Where there are no locks, every writer seems dead; flushing for one that lives only takes time.
        let _ = file.try_lock();
        file.write_all(&serde_json::to_vec(&Note { host: lock::host(), boot })?)?;
        file.sync_all()?;
        fs::rename(&private, &path)?;
        files::sync_folder(&folder)?;
        files::sync_folder(&self.root)?;
        Ok(Held { path, _lock: file })
    }
}

impl Held {
    fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

fn writer(path: &Path) -> io::Result<Writer> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Writer::Lives),
        Err(error) => return Err(error),
    };
    let boot = disk::boot();
    let note = fs::read(path).ok().and_then(|bytes| serde_json::from_slice::<Note>(&bytes).ok());
    let lost = note.as_ref().is_none_or(|note| note.boot.is_none() || note.boot != boot);
    if file.try_lock().is_ok() {
        let held = Held { path: path.to_owned(), _lock: file };
        return Ok(match (held.path.exists(), lost) {
            (false, _) => Writer::Lives,
            (true, false) => Writer::Died(held),
            (true, true) => Writer::Lost(held),
        });
    }
    // Nobody lives here since before this boot: who holds such a note checks the cache just now.
    if lost && boot.is_some() && note.is_some_and(|note| note.host == lock::host()) {
        file.lock()?;
        drop(file);
        return writer(path);
    }
    Ok(Writer::Lives)
}
