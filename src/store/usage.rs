//! When a result was last used, for [`super::gc`]: the time of its folder, at which nothing else looks. What is kept without a
//! folder was used when it was made, or later, as a journal says: for files, a time is a sign of their content.
//!
//! Results with equal files share a folder, or a file without one, and grow old when none of them is used any more.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use fs_err as fs;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};

use super::Store;
use super::journal::Journal;
use crate::base::{Digest, moment};
use crate::protocol::Files;

/// The name of the journal.
pub(super) const FILE: &str = "uses";

/// A use is noted again when the last note is older than so many seconds: a run that finds everything writes nothing twice.
const NOTED: u64 = 60;

/// A use in the journal: the digest of the result's files, and when, in seconds since 1970.
pub(super) type Line = (Digest, u64);

/// The uses of results without a folder.
#[derive(Debug)]
pub(super) struct Uses {
    journal: Journal,
    /// What this process has noted, so that what many stages read is not noted for each of them.
    noted: Mutex<HashMap<Digest, u64>>,
}

impl Uses {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { journal: Journal::new(path), noted: Mutex::default() }
    }

    /// The latest use of each result that was used since it was made.
    pub(super) fn latest(&self) -> HashMap<Digest, u64> {
        latest(self.journal.read::<Line>().0)
    }

    /// Writes what was noted, and keeps one line for each result when the journal has grown long.
    pub(super) fn settle(&self) {
        // A use that is not noted is none of the user's business.
        let _ = self.journal.settle();
        if self.journal.is_long() {
            let lines = self.journal.read::<Line>().0;
            let (before, latest) = (lines.len(), latest(lines));
            if latest.len() <= before / 2 {
                self.rewrite(latest);
            }
        }
    }

    /// Forgets what is not kept any more; lines that a crash has torn go too.
    pub(super) fn keep(&self, is_kept: impl Fn(&Digest) -> bool) {
        if self.journal.read::<Line>().0.iter().any(|(output, _)| !is_kept(output)) || self.torn() > 0 {
            self.rewrite(self.latest().into_iter().filter(|(output, _)| is_kept(output)).collect());
        }
    }

    /// How many lines can't be read.
    pub(super) fn torn(&self) -> usize {
        self.journal.torn::<Line>()
    }

    fn rewrite(&self, latest: HashMap<Digest, u64>) {
        let mut lines: Vec<Line> = latest.into_iter().collect();
        lines.sort_unstable();
        let _ = self.journal.rewrite(&lines);
    }

    /// Notes that a result is used now.
    pub(super) fn note(&self, output: &Digest) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let last = noted.entry(*output).or_insert(0);
        if is_old(*last) {
            *last = moment::now();
            let _ = self.journal.append_later(&(output, *last));
        }
    }
}

fn latest(lines: Vec<Line>) -> HashMap<Digest, u64> {
    let mut latest = HashMap::with_capacity(lines.len());
    for (output, used) in lines {
        let last = latest.entry(output).or_insert(used);
        *last = used.max(*last);
    }
    latest
}

impl Store {
    /// Notes that a result is used now, if the last note is not of this minute. Returns the time of the latest note.
    pub(super) fn renew_use(&self, output: &Digest, place: &Files, last: u64) -> u64 {
        match place.name() {
            _ if !is_old(last) => last,
            None => note(place.folder()),
            Some(_) => {
                self.uses.note(output);
                moment::now()
            }
        }
    }
}

fn is_old(last: u64) -> bool {
    moment::now().abs_diff(last) >= NOTED
}

/// Notes that the result in this folder was made or used now. Returns that time, in seconds since 1970, also where it could not be
/// noted (only the folder's owner can): that is none of the user's business, and would be tried in vain again.
pub(super) fn note(folder: &Path) -> u64 {
    let [last_access, last_modification] = [UTIME_OMIT, UTIME_NOW].map(|tv_nsec| Timespec { tv_sec: 0, tv_nsec });
    // A link leads to the cache of somebody who is only read.
    let times = Timestamps { last_access, last_modification };
    let _ = rustix::fs::utimensat(CWD, folder, &times, AtFlags::SYMLINK_NOFOLLOW);
    moment::now()
}

/// When the use of a result with a folder was last noted, in seconds since 1970; 0 for one without.
pub(super) fn of_folder(place: &Files) -> u64 {
    let of = |folder: &Path| u64::try_from(fs::symlink_metadata(folder).ok()?.mtime()).ok();
    if place.name().is_some() { 0 } else { of(place.folder()).unwrap_or(0) }
}
