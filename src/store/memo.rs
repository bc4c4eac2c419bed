//! Digests of files that were read before, by path, size, times and inode: so that nothing is read twice.
//!
//! The memo only saves work. When it is lost, damaged or can't be written, files are read again.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::journal::Journal;
use crate::base::Digest;

/// A file changed more recently than this may change again within one tick of the file system's clock, so that its
/// times would not tell; it is read each time.
const FRESH: Duration = Duration::from_secs(2);

/// What the file system says of a file: if all of it stands, so does the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stat {
    /// Length in bytes.
    pub size: u64,
    /// Time of the last write, in nanoseconds since 1970.
    pub modified: i64,
    /// Time of the last change of content or attributes, in nanoseconds since 1970.
    pub changed: i64,
    /// The file's number on its disk.
    pub inode: u64,
}

impl Stat {
    /// Of a file's metadata.
    pub fn of(metadata: &std::fs::Metadata) -> Self {
        Self {
            size: metadata.size(),
            modified: Self::nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed: Self::nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
        }
    }

    /// Of a file that is still written to: as no file is found, but for its inode.
    pub(super) fn unsettled(inode: u64) -> Self {
        Self { size: 0, modified: 0, changed: 0, inode }
    }

    /// A time in seconds since 1970 and nanoseconds.
    pub fn nanoseconds(seconds: i64, rest: i64) -> i64 {
        seconds.saturating_mul(1_000_000_000).saturating_add(rest)
    }
}

/// Remembered digests.
#[derive(Debug)]
pub(super) struct Memo {
    journal: Journal,
    writable: bool,
    known: Mutex<Option<HashMap<PathBuf, (Stat, Digest)>>>,
}

/// One file: where it is, what the file system said of it, its digest.
pub(super) type Line = (PathBuf, Stat, Digest);

impl Memo {
    pub(super) fn new(path: PathBuf, writable: bool) -> Self {
        Self { journal: Journal::new(path), writable, known: Mutex::new(None) }
    }

    /// The digest of the file at `path`, from memory if nothing has touched it since.
    pub(super) fn digest_of(&self, path: &Path) -> io::Result<Digest> {
        let path = std::path::absolute(path)?;
        let before = fs::metadata(&path)?;
        let stat = Stat::of(&before);
        if let Some((known, digest)) = self.recall(&path)
            && known == stat
        {
            return Ok(digest);
        }
        let digest = Digest::of_file(&path)?;
        let settled = before
            .modified()
            .is_ok_and(|modified| SystemTime::now().duration_since(modified).is_ok_and(|age| age > FRESH));
        if settled && Stat::of(&fs::metadata(&path)?) == stat {
            self.note(path, stat, digest);
        }
        Ok(digest)
    }

    fn recall(&self, path: &Path) -> Option<(Stat, Digest)> {
        let mut known = self.known.lock().ok()?;
        known.get_or_insert_with(|| self.load()).get(path).copied()
    }

    fn note(&self, path: PathBuf, stat: Stat, digest: Digest) {
        if self.writable {
            // A memo that can't be written only costs time.
            let _ = self.journal.append(&(&path, stat, digest));
        }
        if let Ok(mut known) = self.known.lock() {
            known.get_or_insert_with(HashMap::new).insert(path, (stat, digest));
        }
    }

    fn load(&self) -> HashMap<PathBuf, (Stat, Digest)> {
        let (lines, long) = self.journal.read::<Line>();
        let count = lines.len();
        let known: HashMap<PathBuf, (Stat, Digest)> =
            lines.into_iter().map(|(path, stat, digest)| (path, (stat, digest))).collect();
        // Half of a long file is out of date: the rest is written anew, without files that are gone.
        if long && self.writable && count > 2 * known.len() {
            let mut lines: Vec<Line> = known
                .iter()
                .filter(|(path, _)| path.exists())
                .map(|(path, (stat, digest))| (path.clone(), *stat, *digest))
                .collect();
            lines.sort_by(|a, b| a.0.cmp(&b.0));
            let _ = self.journal.rewrite(&lines);
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use super::{FRESH, Memo};
    use crate::base::Digest;
    use std::time::{Duration, Instant, SystemTime};

    fn age(path: &std::path::Path, seconds: u64) {
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
    }

    #[test]
    fn a_touched_file_is_read_again_and_an_old_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (memo_path, path) = (folder.path().join("memo"), folder.path().join("x"));
        let memo = || Memo::new(memo_path.clone(), true);
        // A file that was just written is not remembered; on a busy machine it may not be so new any more.
        loop {
            let start = Instant::now();
            fs_err::write(&path, "one").unwrap();
            assert_eq!(memo().digest_of(&path).unwrap(), Digest::of(b"one"));
            if !memo_path.exists() {
                break;
            }
            assert!(start.elapsed() > FRESH);
            fs_err::remove_file(&memo_path).unwrap();
        }
        age(&path, 100);
        assert_eq!(memo().digest_of(&path).unwrap(), Digest::of(b"one"));
        // Another digest written into the memo shows that the file isn't read.
        let text = fs_err::read_to_string(&memo_path).unwrap();
        let other = Digest::of(b"other").to_string();
        fs_err::write(&memo_path, text.replace(&Digest::of(b"one").to_string(), &other)).unwrap();
        assert_eq!(memo().digest_of(&path).unwrap(), Digest::of(b"other"));
        // The same length and the same time, but the time of the change betrays it.
        fs_err::write(&path, "two").unwrap();
        age(&path, 100);
        assert_eq!(memo().digest_of(&path).unwrap(), Digest::of(b"two"));
    }

    #[test]
    fn a_damaged_memo_is_no_memo() {
        let folder = tempfile::tempdir().unwrap();
        let (memo_path, path) = (folder.path().join("memo"), folder.path().join("x"));
        fs_err::write(&path, "one").unwrap();
        fs_err::write(&memo_path, b"\xff\xfe{]\n[1,2]\n").unwrap();
        assert_eq!(Memo::new(memo_path, true).digest_of(&path).unwrap(), Digest::of(b"one"));
        assert!(Memo::new(folder.path().join("m2"), true).digest_of(&folder.path().join("absent")).is_err());
    }
}
