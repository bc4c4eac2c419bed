//! Records of several results in one file, which has a name for each of them.
//!
//! A file is far more work for a disk than a short record or a further name is, and a run may publish thousands. So what one
//! process publishes one after the other is written into one file, a line for each result, and the file gets each of the names
//! that files of their own would have: those of the record and of the note of its instance's latest result. Names are removed,
//! replaced and set aside one by one, as files are.
//!
//! Only the process that made a bundle writes to it, and a name is given when the line is whole. So what a name leads to
//! is whole, and a line that was torn has no name. What the file system says of the file is said of all that stands
//! in it; when a result was last used does not stand here ([`super::usage`]).
//!
//! A large record is a file of its own, as all are where files can't have several names, and in caches that
//! were begun by an earlier program.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::NamedTempFile;

use super::memo::Stat;
use super::{Store, unflushed};
use crate::base::{Digest, files};

/// A record of so many bytes, of a result with many files, has a file of its own: readers of others would read it.
const LARGE: usize = 4 << 10;
/// So many records stand in one bundle: one more file for each 16 results, and little to read for who wants one of them.
const MOST: usize = 16;

/// How many digits a digest has.
const DIGITS: usize = 64;
/// Where in a line the note's name begins, of which a digest stands there, after the key.
const NOTE: usize = DIGITS + 1;
/// Where the record begins.
const RECORD: usize = 2 * (DIGITS + 1);

/// The bundles that this process has made.
#[derive(Debug, Default)]
pub(super) struct Bundles(Mutex<State>);

/// What the file system says of a file that this process has given names, or taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    /// What it said before the first of these changes; nothing ([`Stat::unsettled`]) of a bundle that this process has written.
    pub before: Stat,
    /// What it says since the last one.
    pub now: Stat,
}

#[derive(Debug, Default)]
struct State {
    open: Option<Bundle>,
    /// By inode.
    changes: HashMap<u64, Change>,
    /// Whether bundles can't be written or named here.
    failed: bool,
}

/// The bundle that is written to.
#[derive(Debug)]
struct Bundle {
    /// Under a private name, which tells others that its writer lives, and from which it gets its names.
    file: NamedTempFile,
    inode: u64,
    records: usize,
    bytes: u64,
    /// The path of its last record.
    name: PathBuf,
}

/// A record that is to be added.
pub(super) struct Entry<'a> {
    /// The stage key.
    pub key: &'a Digest,
    /// The record, in one line.
    pub record: &'a [u8],
    pub pipeline: &'a str,
    /// Of the instance in it.
    pub identity: &'a Digest,
    /// The path of the record.
    pub path: &'a Path,
    /// The path of the note.
    pub note: &'a Path,
}

impl Bundles {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Adds a record to the open bundle, and gives that its two names; what had these names before loses them. Returns the
    /// inode of the bundle, of which more is known when it is closed.
    ///
    /// # Errors
    /// When that can't be done here, or not any more: then the record may stand in a file of its own.
    pub(super) fn bundle(&self, entry: &Entry<'_>) -> io::Result<u64> {
        if !self.layout.has_bundles {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let folder = self.root.join(unflushed::FOLDER);
        let names = self.known_names(entry);
        self.bundles.state().watching(&names, |state| {
            if state.failed {
                return Err(io::ErrorKind::Unsupported.into());
            }
            // Somebody may have cleared its private name away.
            let added = state.add(&folder, entry).or_else(|_| state.add(&folder, entry));
            state.failed = added.is_err();
            added
        })
    }

    /// Does something that may take the names of a record and its note from files in which other records are known to stand.
    pub(super) fn replacing<T>(&self, entry: &Entry<'_>, replace: impl FnOnce() -> T) -> T {
        let names = self.known_names(entry);
        self.bundles.state().watching(&names, |_| replace())
    }

    /// The names of an entry, if an earlier run has seen the instance: then they may be those of other files.
    fn known_names<'a>(&self, entry: &Entry<'a>) -> Vec<&'a Path> {
        if self.has_seen(entry.pipeline, entry.identity) { vec![entry.path, entry.note] } else { Vec::new() }
    }

    /// What is to be remembered of a file of which this is said: nothing yet, if it is the open bundle.
    pub(super) fn settling(&self, stat: Stat) -> Stat {
        let is_open = self.bundles.state().open.as_ref().is_some_and(|bundle| bundle.inode == stat.inode);
        if is_open { Stat::unsettled(stat.inode) } else { stat }
    }

    /// Closes the open bundle; the next record begins another one.
    pub(super) fn close_bundle(&self) {
        self.bundles.state().close();
    }

    /// What is said of the files that this process has given names, or taken, by inode.
    pub(super) fn changes(&self) -> HashMap<u64, Change> {
        self.bundles.state().changes.clone()
    }
}

impl State {
    fn add(&mut self, folder: &Path, entry: &Entry<'_>) -> io::Result<u64> {
        if self.open.as_ref().is_some_and(|bundle| bundle.records == MOST || !bundle.is_as_written()) {
            self.close();
        }
        let bundle = match &mut self.open {
            Some(bundle) => bundle,
            none => none.insert(Bundle::new(folder)?),
        };
        let added = bundle.add(entry).map(|()| bundle.inode);
        if added.is_err() {
            // A line that is torn would be in the way of the next one.
            self.close();
        }
        added
    }

    fn close(&mut self) {
        let Some(Bundle { file, inode, name, .. }) = self.open.take() else { return };
        // The private name goes before one looks, since that changes what the file system says; and after the file was closed,
        // since some network file systems keep a name for a file that is open.
        let (file, private) = file.into_parts();
        drop(file);
        drop(private);
        if let Ok(metadata) = fs_err::metadata(name)
            && Stat::of(&metadata).inode == inode
        {
            self.changes.insert(inode, Change { before: Stat::unsettled(inode), now: Stat::of(&metadata) });
        }
    }

    /// Keeps what is said of the files with these names before and after a change that takes the names from them. (A file stays open
    /// meanwhile; where that leaves it another name, it is not known again and read once more.)
    fn watching<T>(&mut self, names: &[&Path], change: impl FnOnce(&mut Self) -> T) -> T {
        let look = |file: &std::fs::File| Some(Stat::of(&file.metadata().ok()?));
        let files = names.iter().filter_map(|name| std::fs::File::open(name).ok());
        let mut before: Vec<_> = files.filter_map(|file| Some((look(&file)?, file))).collect();
        before.dedup_by_key(|(before, _)| before.inode);
        let done = change(self);
        for (before, file) in before {
            let Some(now) = look(&file) else { continue };
            if (before.size, before.modified) == (now.size, now.modified) {
                let known = self.changes.get(&now.inode).filter(|change| change.now == before);
                let before = known.map_or(before, |change| change.before);
                self.changes.insert(now.inode, Change { before, now });
            }
        }
        done
    }
}

impl Bundle {
    /// An empty one, in the folder of what may not be on the disk yet, from which the next run removes what the dead have left.
    fn new(folder: &Path) -> io::Result<Self> {
        let file = files::private(folder)?;
        let inode = Stat::of(&file.as_file().metadata()?).inode;
        Ok(Self { file, inode, records: 0, bytes: 0, name: PathBuf::new() })
    }

    /// Whether nobody else has written to it, as whoever damages a record does.
    fn is_as_written(&self) -> bool {
        self.file.as_file().metadata().is_ok_and(|file| file.len() == self.bytes)
    }

    fn add(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        let head = format!("{} {} ", entry.key, digest_of_note(entry.pipeline, entry.identity));
        let line = [head.as_bytes(), entry.record, b"\n"].concat();
        self.file.write_all(&line)?;
        // On a network file system, others see what was written when somebody closes the file: this gives them the line before
        // the name. On a disk it does nothing.
        drop(self.file.as_file().try_clone()?);
        self.records += 1;
        self.bytes += line.len() as u64;
        files::name_again(self.file.path(), entry.path)?;
        entry.path.clone_into(&mut self.name);
        files::name_again(self.file.path(), entry.note)
    }
}

/// Whether a file of records is a bundle.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    !bytes.starts_with(b"{")
}

/// Whether a file begins as a bundle does: with a key.
pub(super) fn has_head(bytes: &[u8]) -> bool {
    let digits = bytes.get(..DIGITS).and_then(|digits| std::str::from_utf8(digits).ok());
    digits.is_some_and(|digits| Digest::parse(digits).is_some())
}

/// Whether a record is one for a bundle.
pub(super) fn takes(record: &[u8]) -> bool {
    record.len() < LARGE
}

/// The record with this key in a file of records; nothing if it isn't there.
pub(super) fn record<'a>(bytes: &'a [u8], key: &Digest) -> &'a [u8] {
    find(bytes, 0, key)
}

/// The record of an instance's latest result in a file of records; nothing if it isn't there.
pub(super) fn note<'a>(bytes: &'a [u8], pipeline: &str, identity: &Digest) -> &'a [u8] {
    find(bytes, NOTE, &digest_of_note(pipeline, identity))
}

/// The latest record in whose line this digest begins at this place. A record in a file of its own is what is looked for, by the
/// name of the file.
fn find<'a>(bytes: &'a [u8], place: usize, digest: &Digest) -> &'a [u8] {
    if !is_one(bytes) {
        return bytes;
    }
    let digits = digest.to_string();
    // After the end of the last line there is nothing, or another one that is being written.
    let whole = memchr::memrchr(b'\n', bytes).map_or(&[][..], |end| &bytes[..=end]);
    let mut found = &[][..];
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', whole) {
        let line = &whole[start..end];
        if line.get(place..place + DIGITS) == Some(digits.as_bytes()) {
            found = line.get(RECORD..).unwrap_or_default();
        }
        start = end + 1;
    }
    found
}

/// Of the name below `names/`: instances of two pipelines may be called the same.
fn digest_of_note(pipeline: &str, identity: &Digest) -> Digest {
    Digest::of(format!("{pipeline}/{identity}").as_bytes())
}

#[cfg(test)]
pub(super) mod tests;
