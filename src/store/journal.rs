//! Files to which several processes append one line at a time. They hold only what can be had again or is hardly missed, so
//! what can't be read in them is passed over.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::files;

/// A journal longer than this is written anew when it is read, or in the end.
const LONG: usize = 1 << 20;

/// So many lines are kept back at most.
const KEPT_BACK: usize = 64;

/// One file of JSON lines.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    kept_back: Mutex<Vec<String>>,
}

impl Journal {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, kept_back: Mutex::default() }
    }

    /// Every line that can be read, oldest first, and whether the file has grown long.
    pub(super) fn read<T: DeserializeOwned>(&self) -> (Vec<T>, bool) {
        let bytes = fs_err::read(&self.path).unwrap_or_default();
        let lines = bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
        (lines.collect(), bytes.len() > LONG)
    }

    /// Whether the file has grown long.
    pub(super) fn is_long(&self) -> bool {
        fs_err::metadata(&self.path).is_ok_and(|file| file.len() > LONG as u64)
    }

    /// How many lines can't be read.
    pub(super) fn torn<T: DeserializeOwned>(&self) -> usize {
        let bytes = fs_err::read(&self.path).unwrap_or_default();
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.filter(|line| serde_json::from_slice::<T>(line).is_err()).count()
    }

    /// Adds one line, and those that were kept back before.
    pub(super) fn append<T: Serialize>(&self, entry: &T) -> io::Result<()> {
        self.kept_back().push(serde_json::to_string(entry)?);
        self.settle()
    }

    /// Adds one line, but not at once: a process that is killed takes the last few with it.
    pub(super) fn append_later<T: Serialize>(&self, entry: &T) -> io::Result<()> {
        let mut kept_back = self.kept_back();
        kept_back.push(serde_json::to_string(entry)?);
        let are_many = kept_back.len() >= KEPT_BACK;
        drop(kept_back);
        if are_many { self.settle() } else { Ok(()) }
    }

    /// Writes what was kept back. It begins with a line break too, so that a line torn by a crash spoils no other.
    pub(super) fn settle(&self) -> io::Result<()> {
        let lines = std::mem::take(&mut *self.kept_back());
        if lines.is_empty() {
            return Ok(());
        }
        let mut file = fs_err::OpenOptions::new().create(true).append(true).open(&self.path)?;
        file.write_all(format!("\n{}\n", lines.join("\n")).as_bytes())
    }

    fn kept_back(&self) -> MutexGuard<'_, Vec<String>> {
        self.kept_back.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the file by these lines. What another process appends meanwhile is lost: it is computed again, or hardly missed.
    pub(super) fn rewrite<T: Serialize>(&self, entries: &[T]) -> io::Result<()> {
        let mut text = String::new();
        for entry in entries {
            text.push_str(&serde_json::to_string(entry)?);
            text.push('\n');
        }
        files::write_atomically(self.path(), text.as_bytes())
    }

    /// Writes the file anew without the lines that can't be read, if there are any; a file that isn't there stays so.
    pub(super) fn mend<T: DeserializeOwned + Serialize>(&self) -> io::Result<()> {
        if self.torn::<T>() == 0 { Ok(()) } else { self.rewrite(&self.read::<T>().0) }
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // What is lost can be had again, or is hardly missed.
        let _ = self.settle();
    }
}

#[cfg(test)]
mod tests {
    use super::{Journal, KEPT_BACK};
    use std::io::Write;

    #[test]
    fn a_torn_line_spoils_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let journal = Journal::new(path.clone());
        assert_eq!(journal.read::<(String, u32)>(), (vec![], false));
        journal.append(&("a", 1)).unwrap();
        fs_err::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"[\"torn\", \xff").unwrap();
        journal.append(&("b", 2)).unwrap();
        assert_eq!(journal.read::<(String, u32)>().0, [("a".to_owned(), 1), ("b".to_owned(), 2)]);
        assert_eq!(journal.torn::<(String, u32)>(), 1);
        journal.mend::<(String, u32)>().unwrap();
        assert_eq!((journal.torn::<(String, u32)>(), journal.read::<(String, u32)>().0.len()), (0, 2));
        journal.rewrite(&[("c", 3)]).unwrap();
        assert_eq!(journal.read::<(String, u32)>().0, [("c".to_owned(), 3)]);
    }

    #[test]
    fn what_is_kept_back_comes_with_the_next_line_or_in_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let read = || Journal::new(path.clone()).read::<usize>().0;
        let journal = Journal::new(path.clone());
        (0..KEPT_BACK - 1).for_each(|line| journal.append_later(&line).unwrap());
        assert_eq!(read(), [0; 0]);
        journal.append_later(&0).unwrap();
        assert_eq!(read().len(), KEPT_BACK);
        journal.append_later(&1).unwrap();
        journal.append(&2).unwrap();
        journal.append_later(&3).unwrap();
        assert_eq!(read()[KEPT_BACK..], [1, 2]);
        drop(journal);
        assert_eq!(read()[KEPT_BACK..], [1, 2, 3]);
    }
}
