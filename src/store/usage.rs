//! When a result was last used, for [`super::gc`]: the time of its folder, at which nothing else looks.
//!
//! Results with equal files share a folder, and grow old when none of them is used any more.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use fs_err as fs;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};

use crate::base::lock;

/// A use is noted again when the last note is older than so many seconds: a run that finds everything writes nothing twice.
const NOTED: u64 = 60;

/// Notes that the result in this folder was made or used now. Returns that time, in seconds since 1970, also where it could not be
/// noted (only the folder's owner can): that is none of the user's business, and would be tried in vain again.
pub(super) fn note(folder: &Path) -> u64 {
    let [last_access, last_modification] = [UTIME_OMIT, UTIME_NOW].map(|tv_nsec| Timespec { tv_sec: 0, tv_nsec });
    // A link leads to the cache of somebody who is only read.
    let times = Timestamps { last_access, last_modification };
    let _ = rustix::fs::utimensat(CWD, folder, &times, AtFlags::SYMLINK_NOFOLLOW);
    lock::now()
}

/// The same, if the last note is not of this minute. Returns the time of the latest note.
pub(super) fn renew(folder: &Path, last: u64) -> u64 {
    if lock::now().abs_diff(last) < NOTED { last } else { note(folder) }
}

/// When the use of the result in this folder was last noted, in seconds since 1970.
pub(super) fn of(folder: &Path) -> Option<u64> {
    u64::try_from(fs::symlink_metadata(folder).ok()?.mtime()).ok()
}
