//! When a result was last used, for [`super::gc`]: the time of its folder, which nothing else reads.
//!
//! Results with equal files share a folder, and grow old when none of them is used any more.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use fs_err as fs;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};

use crate::base::lock;

/// A use is noted again when the last note is older than so many seconds: a run that finds everything writes nothing twice.
const NOTED: u64 = 60;

/// When the use of the result in this folder was last noted, in seconds since 1970; it has just been noted if that was due.
pub(super) fn note(folder: &Path) -> u64 {
    renew(folder, of(folder).unwrap_or(0))
}

/// The same where it is known when the use was last noted.
pub(super) fn renew(folder: &Path, last: u64) -> u64 {
    let now = lock::now();
    if now.abs_diff(last) < NOTED {
        return last;
    }
    let [last_access, last_modification] = [UTIME_OMIT, UTIME_NOW].map(|tv_nsec| Timespec { tv_sec: 0, tv_nsec });
    // A use that can't be noted is none of the user's business. A link leads to the cache of somebody who is only read.
    let _ =
        rustix::fs::utimensat(CWD, folder, &Timestamps { last_access, last_modification }, AtFlags::SYMLINK_NOFOLLOW);
    now
}

/// When the use of the result in this folder was last noted, in seconds since 1970.
pub(super) fn of(folder: &Path) -> Option<u64> {
    u64::try_from(fs::symlink_metadata(folder).ok()?.mtime()).ok()
}
