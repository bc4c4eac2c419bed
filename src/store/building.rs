//! Who is making which result now.

use std::collections::HashMap;
use std::time::UNIX_EPOCH;

use fs_err as fs;

use super::Store;
use crate::base::Digest;
use crate::base::holder::Holder;
use crate::base::{lock, moment};

impl Store {
    /// The keys that are being made, by whom, and since when (`started` is the attempt's here, not the process's), as far as locks
    /// and logs tell. Disturbs nobody, and writes nothing.
    pub fn building(&self) -> HashMap<Digest, Holder> {
        let locks = fs::read_dir(self.root.join("locks")).into_iter().flatten().flatten();
        let holder = |entry: fs::DirEntry| {
            let path = entry.path();
            let key = Digest::parse(path.file_stem()?.to_str()?)?;
            let holder = lock::holder(&path)?;
            Some((key, Holder { started: self.begun(&key, &holder), ..holder }))
        };
        locks.filter_map(holder).collect()
    }

    /// When `holder` began to make `key`, in seconds since 1970; where the file system does not say when a file was made, since
    /// when it has been locking here.
    fn begun(&self, key: &Digest, holder: &Holder) -> u64 {
        let Ok(mut logs) = self.logs(key) else { return holder.started };
        // A program has none in its first moment, and its runner may be hours old.
        let Some((_, log)) = logs.pop() else { return moment::now() };
        let made = fs::metadata(log).and_then(|log| log.created());
        let made = made.ok().and_then(|made| made.duration_since(UNIX_EPOCH).ok());
        // An earlier attempt was that of somebody else.
        made.map_or(holder.started, |made| made.as_secs().max(holder.started))
    }
}

#[cfg(test)]
mod tests {
    use crate::base::Digest;
    use crate::base::holder::Holder;
    use crate::base::moment::now;
    use crate::store::{KeyAttempt, Store};

    /// The one key that is being made in there, and since when.
    fn since(store: &Store) -> u64 {
        let building = store.building();
        assert_eq!(building.len(), 1);
        building.into_values().next().unwrap().started
    }

    #[test]
    fn a_key_is_made_since_its_attempt_began_and_not_since_its_runner_did() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let key = Digest::of(b"key");
        let KeyAttempt::Taken(_lock) = store.try_lock(&key).unwrap() else { panic!("it is free") };
        let before = now();
        // A runner of 1970; its lock is the file's, whatever is written in it.
        let runner = Holder { host: "here".to_owned(), pid: std::process::id(), started: 1 };
        fs_err::write(store.lock_path(&key), serde_json::to_vec(&runner).unwrap()).unwrap();
        assert!(since(&store) >= before, "as long as there is no log");
        let log = store.next_log(&key).unwrap().1;
        fs_err::write(&log, "begun").unwrap();
        let made = fs_err::metadata(&log).unwrap().created();
        let begun = made.map_or(1, |made| made.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs());
        assert_eq!(since(&store), begun, "1 where the file system does not say when a file was made");
        // The log of somebody else's attempt.
        let runner = Holder { started: begun + 10, ..runner };
        fs_err::write(store.lock_path(&key), serde_json::to_vec(&runner).unwrap()).unwrap();
        assert_eq!(since(&store), runner.started);
    }
}
