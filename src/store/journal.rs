//! Files to which several processes append one line at a time. They hold only what can be had again, so what can't be
//! read in them is passed over.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::files;

/// A journal longer than this is written anew when it is read.
const LONG: usize = 1 << 20;

/// One file of JSON lines.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
}

impl Journal {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Every line that can be read, oldest first, and whether the file has grown long.
    pub(super) fn read<T: DeserializeOwned>(&self) -> (Vec<T>, bool) {
        let bytes = fs_err::read(&self.path).unwrap_or_default();
        let lines = bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
        (lines.collect(), bytes.len() > LONG)
    }

    /// How many lines can't be read.
    pub(super) fn torn<T: DeserializeOwned>(&self) -> usize {
        let bytes = fs_err::read(&self.path).unwrap_or_default();
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.filter(|line| serde_json::from_slice::<T>(line).is_err()).count()
    }

    /// Adds one line. It begins with a line break too, so that a line torn by a crash spoils no other.
    pub(super) fn append<T: Serialize>(&self, entry: &T) -> io::Result<()> {
        let line = format!("\n{}\n", serde_json::to_string(entry)?);
        let mut file = fs_err::OpenOptions::new().create(true).append(true).open(&self.path)?;
        file.write_all(line.as_bytes())
    }

    /// Replaces the file by these lines. What another process appends meanwhile is lost, and computed again.
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

#[cfg(test)]
mod tests {
    use super::Journal;
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
}
