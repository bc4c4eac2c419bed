//! Who is making which result now.

use std::collections::HashMap;
use std::time::UNIX_EPOCH;

use fs_err as fs;

use super::Store;
use crate::base::Digest;
use crate::base::lock::{self, Holder};

impl Store {
    /// The keys that are being made, by whom, and since when, as far as locks and logs tell. Disturbs nobody, and writes
    /// nothing.
    pub fn building(&self) -> HashMap<Digest, Holder> {
        let locks = fs::read_dir(self.root.join("locks")).into_iter().flatten().flatten();
        let holder = |entry: fs::DirEntry| {
            let path = entry.path();
            let key = Digest::parse(path.file_stem()?.to_str()?)?;
            let holder = lock::holder(&path)?;
            // An earlier attempt was that of somebody else.
            let started = self.begun(&key).map_or(holder.started, |begun| begun.max(holder.started));
            Some((key, Holder { started, ..holder }))
        };
        locks.filter_map(holder).collect()
    }

    /// When the latest attempt at `key` began, in seconds since 1970; `None` where the file system does not say when a file
    /// was made, and for a program's first moment, in which it has no log.
    fn begun(&self, key: &Digest) -> Option<u64> {
        let (_, log) = self.logs(key).ok()?.pop()?;
        let made = fs::metadata(log).ok()?.created().ok()?;
        Some(made.duration_since(UNIX_EPOCH).ok()?.as_secs())
    }
}
