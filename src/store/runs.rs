//! The journals of runs: one file of JSON lines for each run, in the order in which things happened.
//!
//! A line is handed to the kernel in one write before the next thing happens, so that of a run that is killed nothing is
//! missing but, at worst, the end of the last line. Only lines that can wait go with the next one that can't: of thousands
//! of results that are all there, a write each would be most of the run. What a line says is not known here.

use std::fs::TryLockError;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::Serialize;
use serde_json::Value;

use super::{Store, StoreError};
use crate::base::locked::{LockedFile, lock_own};
use crate::base::moment;

/// The folder in the cache.
pub(super) const FOLDER: &str = "runs";
/// Bytes of all journals together, beyond which the oldest go.
const MOST: u64 = 64 << 20;
/// Bytes of lines that may wait for the next one.
const WAITING: usize = 64 << 10;
/// What the names of journals end with.
const ENDING: &str = "jsonl";

/// The journal of a run that goes on; its lock ends with it, however that comes about.
#[derive(Debug)]
pub struct RunJournal {
    id: String,
    file: LockedFile,
    /// Lines that are not written yet.
    waiting: Vec<u8>,
}

impl RunJournal {
    /// The run's name: when it began, and the process.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Adds a line, after those that waited.
    ///
    /// # Errors
    /// What the file system returns, with the path.
    pub fn append(&mut self, line: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.waiting, line)?;
        self.waiting.push(b'\n');
        self.file.write_all(&std::mem::take(&mut self.waiting))
    }

    /// Adds a line that may wait for the next one; a run that is killed before that loses it.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn append_later(&mut self, line: &impl Serialize) -> io::Result<()> {
        if self.waiting.len() >= WAITING {
            return self.append(line);
        }
        serde_json::to_writer(&mut self.waiting, line)?;
        self.waiting.push(b'\n');
        Ok(())
    }
}

/// A journal, to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastRun {
    /// The run's name.
    pub id: String,
    /// The file.
    pub path: PathBuf,
    /// Whether the run goes on.
    pub lives: bool,
}

impl PastRun {
    fn at(path: PathBuf) -> Option<Self> {
        let id = path.file_stem()?.to_str()?.to_owned();
        let is_journal = path.extension().is_some_and(|ending| ending == ENDING);
        is_journal.then(|| Self { lives: is_locked(&path), id, path })
    }

    /// Every whole line, in order; one that can't be read is passed over.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn lines(&self) -> io::Result<Vec<Value>> {
        let bytes = fs::read(&self.path)?;
        Ok(bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
    }
}

/// Removes the oldest journals until those that are left have not more than `most` bytes, but never the last one, nor one
/// of a run that goes on. They are for people, so what can't be removed is no fault.
fn prune(runs: &[PastRun], most: u64) {
    let sizes: Vec<u64> = runs.iter().map(|run| fs::metadata(&run.path).map_or(0, |file| file.len())).collect();
    let mut all: u64 = sizes.iter().sum();
    let but_last = runs.len().saturating_sub(1);
    for (run, size) in runs.iter().zip(sizes).take(but_last).filter(|(run, _)| !run.lives) {
        if all <= most {
            return;
        }
        if fs::remove_file(&run.path).is_ok() {
            all -= size;
        }
    }
}

fn is_locked(path: &Path) -> bool {
    let Ok(file) = fs::File::open(path) else { return false };
    let file = LockedFile::new(file);
    matches!(file.file().try_lock_shared(), Err(TryLockError::WouldBlock))
}

impl Store {
    /// Begins the journal of a run; old ones go when there is too much of them.
    ///
    /// # Errors
    /// When its file can't be made.
    pub fn begin_run(&self) -> Result<RunJournal, StoreError> {
        let folder = self.root.join(FOLDER);
        fs::create_dir_all(&folder).map_err(|error| self.fail(error))?;
        prune(&self.runs()?, MOST);
        let name = format!("{}-{}", moment::compact(moment::since_1970()), std::process::id());
        let mut id = name.clone();
        let mut count = 1;
        let file = loop {
            let path = folder.join(format!("{id}.{ENDING}"));
            match fs::OpenOptions::new().append(true).create_new(true).open(path) {
                Ok(file) => break file,
                // A second run of this process in this moment, or a process of another machine with our number.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    count += 1;
                    id = format!("{name}-{count}");
                }
                Err(error) => return Err(self.fail(error)),
            }
        };
        // Where there are no locks, a run that goes on looks like one that died.
        lock_own(file.file());
        Ok(RunJournal { id, file: LockedFile::new(file), waiting: Vec::new() })
    }

    /// The journals that are there, oldest first.
    ///
    /// # Errors
    /// When their folder can't be read.
    pub fn runs(&self) -> Result<Vec<PastRun>, StoreError> {
        let mut runs: Vec<PastRun> =
            self.entries(&self.root.join(FOLDER))?.into_iter().filter_map(PastRun::at).collect();
        runs.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(runs)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use serde_json::{Value, json};

    use super::{PastRun, prune};
    use crate::store::Store;

    #[test]
    fn the_oldest_go_when_there_is_too_much() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        drop(store.begin_run().unwrap());
        let runs = folder.path().join("runs");
        for entry in fs_err::read_dir(&runs).unwrap() {
            fs_err::remove_file(entry.unwrap().path()).unwrap();
        }
        for name in ["1", "2", "3", "4"] {
            fs_err::write(runs.join(format!("{name}.jsonl")), "0123456789").unwrap();
        }
        fs_err::write(runs.join("other"), "0123456789").unwrap();
        let lives = std::fs::File::open(runs.join("2.jsonl")).unwrap();
        lives.lock().unwrap();
        let left = |most: u64| {
            prune(&store.runs().unwrap(), most);
            store.runs().unwrap().into_iter().map(|run| run.id).collect::<Vec<_>>().concat()
        };
        assert_eq!(left(40), "1234");
        assert_eq!(left(39), "234");
        assert_eq!(left(20), "24");
        assert_eq!(left(0), "24");
        // Another test may be starting a program, which has it open until it begins.
        lives.unlock().unwrap();
        assert_eq!(left(0), "4");
        assert!(runs.join("other").exists());
    }

    #[test]
    fn a_journal_keeps_whole_lines_whatever_its_writer_came_to() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("cache")).unwrap();
        assert!(store.runs().unwrap().is_empty());
        let mut first = store.begin_run().unwrap();
        let second = store.begin_run().unwrap();
        assert_ne!(first.id(), second.id());
        first.append_later(&json!({"event": "one"})).unwrap();
        let count = |run: &PastRun| run.lines().unwrap().len();
        assert_eq!(store.runs().unwrap().iter().map(count).sum::<usize>(), 0);
        first.append(&json!({"event": "two\nlines"})).unwrap();
        assert_eq!(store.runs().unwrap().iter().map(count).sum::<usize>(), 2);
        let lives = |store: &Store| store.runs().unwrap().iter().map(|run| run.lives).collect::<Vec<_>>();
        assert_eq!(lives(&store), [true, true]);
        // As a kill in the middle of a write leaves it.
        first.file.write_all(b"{\"event\": \"thr").unwrap();
        drop((first, second));
        assert_eq!(lives(&store), [false, false]);
        let mut lines: Vec<Vec<Value>> = store.runs().unwrap().iter().map(|run| run.lines().unwrap()).collect();
        lines.sort_by_key(Vec::len);
        assert_eq!(lines, [vec![], vec![json!({"event": "one"}), json!({"event": "two\nlines"})]]);
    }
}
