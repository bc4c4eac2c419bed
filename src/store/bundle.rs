//! Records of several results in one file, which has a name for each of them.
//!
//! A file is far more work for a disk than a short record or a further name is, and a run may publish thousands. So what one
//! process publishes one after the other is written into one file, a line for each result, and the file gets each of the names
//! that files of their own would have: those of the record and of the note of its instance's latest result. Names are removed,
//! replaced and set aside one by one, as files are.
//!
//! Only the process that made a bundle writes to it, and a name is given when the line is whole. So what a name leads to
//! is whole, and a line that was torn has no name. What the file system says of the file (its times above all) is said of all
//! that stands in it.
//!
//! The record of a long stage is a file of its own, and so is a large record, as all are where files can't have several names, and in caches that
//! were begun by an earlier program.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::NamedTempFile;

use super::memo::Stat;
use super::{Store, unflushed};
use crate::base::{Digest, files};

/// The record of a stage that took so many seconds has a file of its own, and with it a time of last use: such a result is worth
/// a file.
const LONG: f64 = 1.0;
/// A record of so many bytes, of a result with many files, has one too: readers of others would read it.
const LARGE: usize = 16 << 10;
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
pub(super) struct Bundles(Mutex<Made>);

#[derive(Debug, Default)]
struct Made {
    open: Option<Bundle>,
    /// What the file system says of those that are not written to any more, by inode.
    closed: HashMap<u64, Stat>,
    /// Whether there was one that could not be written, or named.
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
    fn made(&self) -> MutexGuard<'_, Made> {
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
        let mut made = self.bundles.made();
        if !self.layout.has_bundles || made.failed {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let added = made.add(&self.root.join(unflushed::FOLDER), entry);
        if added.is_err() {
            // A line that is torn would be in the way of the next one.
            made.failed = true;
            made.close();
        }
        added
    }

    /// Closes the open bundle; the next record begins another one.
    pub(super) fn close_bundle(&self) {
        self.bundles.made().close();
    }

    /// What the file system says of the bundles that are closed, by inode.
    pub(super) fn closed_bundles(&self) -> HashMap<u64, Stat> {
        self.bundles.made().closed.clone()
    }
}

impl Made {
    fn add(&mut self, folder: &Path, entry: &Entry<'_>) -> io::Result<u64> {
        if self.open.as_ref().is_some_and(|bundle| bundle.records == MOST || !bundle.is_as_written()) {
            self.close();
        }
        let bundle = match &mut self.open {
            Some(bundle) => bundle,
            none => none.insert(Bundle::new(folder)?),
        };
        bundle.add(entry)?;
        Ok(bundle.inode)
    }

    fn close(&mut self) {
        // The private name goes first: that changes what the file system says.
        let Some(Bundle { file, .. }) = self.open.take() else { return };
        let (file, private) = file.into_parts();
        drop(private);
        if let Ok(metadata) = file.metadata() {
            let stat = Stat::of(&metadata);
            self.closed.insert(stat.inode, stat);
        }
    }
}

impl Bundle {
    /// An empty one, in the folder of what may not be on the disk yet, from which the next run removes what the dead have left.
    fn new(folder: &Path) -> io::Result<Self> {
        let file = files::private(folder)?;
        let inode = Stat::of(&file.as_file().metadata()?).inode;
        Ok(Self { file, inode, records: 0, bytes: 0 })
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
        files::name_again(self.file.path(), entry.note)
    }
}

/// Whether a record is one for a bundle.
pub(super) fn takes(record: &[u8], seconds: f64) -> bool {
    record.len() < LARGE && seconds < LONG
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
    if bytes.starts_with(b"{") {
        return bytes;
    }
    let digits = digest.to_string();
    // After the end of the last line there is nothing, or another one that is being written.
    let mut lines = bytes.rsplit(|byte| *byte == b'\n').skip(1);
    let line = lines.find(|line| line.get(place..place + DIGITS) == Some(digits.as_bytes()));
    line.and_then(|line| line.get(RECORD..)).unwrap_or_default()
}

/// Of the name below `names/`: instances of two pipelines may be called the same.
fn digest_of_note(pipeline: &str, identity: &Digest) -> Digest {
    Digest::of(format!("{pipeline}/{identity}").as_bytes())
}

#[cfg(test)]
pub(super) mod tests;
