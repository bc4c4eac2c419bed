//! The cache of results: knows keys and folders, and nothing of what is in them.
//!
//! ```text
//! .compt/
//!   layout                       number of this layout
//!   records/a/KEY.json           one record per stage key: what was made, of what, when, by whom; by the first digit of the key.
//!                                Up to 16 of these are names of one file, with a line for each
//!   objects/a/OUTPUT/            the files of a result, read-only; equal results share it
//!   objects/a/OUTPUT.NAME        the file NAME that a program wrote, if that is the whole result
//!   names/PIPELINE/IDENTITY.json the latest key of each instance and its preimage, for `compt why`: mostly one more name of
//!                                the file with its record, which outlives that
//!   work/                        results in the making; moved to objects/ when they are whole
//!   scratch/KEY/                 checkpoints of a stage; removed when it has succeeded
//!   scratch/KEY.folder/          where a program runs; becomes its result, or the folder of the next one
//!   scratch/KEY.spare-*/         the empty folder of a program that has ended, for the next one
//!   scratch/KEY.*.inputs/        what a program has read, for the next one; in KEY.kept/ outputs are gathered
//!   logs/KEY.log                 the log of the first attempt; logs/KEY/N.log that of the N-th
//!   runs/RUN.jsonl               what happened in each run, line by line
//!   locks/KEY.lock               who is building this key: one more name of locks/runner-*; readers never lock
//!   quarantine/                  what did not verify
//!   unflushed/                   who has published results that may not be on the disk yet, and the files of records that are
//!                                being written
//!   memo, durations              digests of files, seconds of earlier runs: may be deleted at any time
//!   uses                         when results without a folder were used; without it, they were when they were made
//!   seen/PIPELINE                results as the last run saw them: may be deleted at any time
//!   in-use                       locked by all who use the cache, so that nothing is removed under their hands
//! ```
//!
//! A result is published by writing it into a private folder and renaming that, or the only file in it; its record comes
//! last. So whatever is killed, what a record names is whole, and what is not whole has no record. The disk is flushed once a run,
//! and after a loss of power the cache is checked before it is used ([`Store::flush`]). [`fsck`] checks the cache as a whole;
//! [`gc`] removes what is not wanted any more, oldest use first (`usage.rs`).

mod adopt;
mod briefs;
mod building;
mod bundle;
pub mod census;
mod durations;
mod error;
mod find;
pub mod fsck;
pub mod gc;
mod journal;
mod keys;
mod layout;
mod made;
mod memo;
mod object;
mod programs;
mod publish;
mod record;
mod runs;
mod seen;
mod sweep;
mod tree;
mod unflushed;
mod usage;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fs_err as fs;

use crate::base::holder::Holder;
use crate::base::lock::{self, FileLock, Locks};
use crate::base::presence::Presence;
use crate::base::{Digest, files, moment};
use briefs::Briefs;
use bundle::Bundles;
use fsck::Checkup;
use journal::Journal;
use layout::Layout;
use memo::Memo;
use programs::ProgramFolders;
use seen::Seen;
use unflushed::Unflushed;
use usage::Uses;

pub use durations::Durations;
pub use error::StoreError;
pub use find::{Damage, Found, Sought};
pub use memo::Stat;
pub use publish::{Finished, Work};
pub use record::{Brief, Latest, Maker, Record};
pub use runs::{PastRun, RunJournal};
pub use tree::StoredFile;

/// The file that all who use the cache hold a lock on.
const IN_USE: &str = "in-use";

/// What a program does with the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

/// The cache folder.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    layout: Layout,
    access: Access,
    memo: Memo,
    durations: Journal,
    counter: AtomicU64,
    locks: Locks,
    /// Absent where only reading is possible and no writer was ever there.
    presence: Option<Arc<Presence>>,
    briefs: Briefs,
    bundles: Bundles,
    programs: ProgramFolders,
    seen: Seen,
    uses: Uses,
    unflushed: Unflushed,
    recovered: Option<Checkup>,
}

/// The right to build one key; dropping it lets the next one in.
#[derive(Debug)]
pub struct KeyLock {
    key: Digest,
    lock: FileLock,
}

/// What came of asking for a [`KeyLock`].
#[derive(Debug)]
pub enum KeyAttempt {
    /// It is ours.
    Taken(KeyLock),
    /// Another process builds this key; `None` in the moment before it has written its name.
    Held(Option<Holder>),
}

impl Store {
    /// Opens the cache at `root` to add results; makes it if it isn't there.
    ///
    /// # Errors
    /// When it can't be made, read or written, or has another layout.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        Self::open_for(root, Access::Write, |in_use| Presence::among_others(in_use).map(Some))
    }

    /// Opens the cache at `root` while no other process uses it, to remove from it. Others wait until this store is gone.
    ///
    /// # Errors
    /// As [`Store::open`], and when it is in use.
    pub fn open_alone(root: &Path) -> Result<Self, StoreError> {
        let store = Self::open_for(root, Access::Write, Presence::alone)?;
        match store.presence {
            Some(_) => Ok(store),
            None => Err(StoreError::InUse { root: root.to_owned(), by: store.builders() }),
        }
    }

    /// Opens the cache at `root` to look at it: nothing is written, damaged results stay where they are. A folder that
    /// isn't there is an empty cache.
    ///
    /// # Errors
    /// When it can't be read, or has another layout.
    pub fn open_to_read(root: &Path) -> Result<Self, StoreError> {
        Self::open_for(root, Access::Read, |in_use| Ok(Presence::to_read(in_use)))
    }

    /// Sees whether results could be added to the cache at `root`, without a trace: it may not even be there.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn probe(root: &Path) -> Result<(), StoreError> {
        Self::open_to_read(root)?;
        // A folder that isn't there would be made in the nearest one that is.
        let work = root.join("work");
        let is_there = |folder: &&Path| folder.as_os_str().is_empty() || folder.exists();
        let nearest = work.ancestors().find(is_there).filter(|folder| !folder.as_os_str().is_empty());
        let nearest = nearest.unwrap_or(Path::new("."));
        let probe = tempfile::tempfile_in(nearest).map(drop);
        probe.map_err(|error| StoreError::io(root, files::with_path(error, "create a file in", nearest)))
    }

    /// The same cache once more, to look at it, under the protection of this one.
    pub fn reader(&self) -> Self {
        Self::with(&self.root, self.layout, Access::Read, self.presence.clone())
    }

    fn open_for(
        root: &Path,
        access: Access,
        presence: impl FnOnce(&Path) -> io::Result<Option<Presence>>,
    ) -> Result<Self, StoreError> {
        let fail = |error| StoreError::io(root, error);
        let layout = match Layout::read(root)? {
            Some(layout) => layout,
            None => {
                if let Some(found) = Layout::foreign(root) {
                    return Err(StoreError::Foreign { root: root.to_owned(), found });
                }
                let layout = Layout::guessed(root);
                if access == Access::Write {
                    layout.write(root).map_err(fail)?;
                }
                layout
            }
        };
        if access == Access::Write {
            for name in
                ["records", "objects", "names", "work", "scratch", "logs", "locks", "quarantine", unflushed::FOLDER]
            {
                fs::create_dir_all(root.join(name)).map_err(fail)?;
            }
            // Folders that exist already say nothing about being writable.
            let probe = tempfile::tempfile_in(root.join("work"));
            probe.map_err(|error| fail(files::with_path(error, "create a file in", &root.join("work"))))?;
        }
        let presence = presence(&root.join(IN_USE)).map_err(fail)?;
        let mut store = Self::with(root, layout, access, presence.map(Arc::new));
        if access == Access::Write && store.presence.is_some() {
            store.recovered = store.recover()?;
        }
        Ok(store)
    }

    fn with(root: &Path, layout: Layout, access: Access, presence: Option<Arc<Presence>>) -> Self {
        Self {
            root: root.to_owned(),
            layout,
            access,
            memo: Memo::new(root.join("memo"), access == Access::Write),
            durations: Journal::new(root.join("durations")),
            counter: AtomicU64::new(0),
            locks: Locks::new(root.join("locks")),
            presence,
            briefs: Briefs::default(),
            bundles: Bundles::default(),
            programs: ProgramFolders::default(),
            seen: Seen::default(),
            uses: Uses::new(root.join(usage::FILE)),
            unflushed: Unflushed::default(),
            recovered: None,
        }
    }

    /// The processes that are making results now, as far as their locks tell.
    fn builders(&self) -> Vec<Holder> {
        let mut holders: Vec<Holder> = self.building().into_values().collect();
        holders.sort_by_key(|holder| holder.pid);
        holders.dedup_by_key(|holder| holder.pid);
        holders
    }

    /// The cache folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder for the checkpoints of a stage; made if it isn't there, removed when the stage is published.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn scratch(&self, key: &Digest) -> Result<PathBuf, StoreError> {
        let folder = self.scratch_path(key);
        fs::create_dir_all(&folder).map_err(|error| self.fail(error))?;
        Ok(folder)
    }

    /// Whether an attempt has left checkpoints there.
    pub fn has_checkpoints(&self, key: &Digest) -> bool {
        fs::read_dir(self.scratch_path(key)).is_ok_and(|mut entries| entries.next().is_some())
    }

    /// The number of the next attempt at `key`, from 1, and the path for its log.
    ///
    /// # Errors
    /// When the logs of this key can't be read, or a folder for further ones can't be made.
    pub fn next_log(&self, key: &Digest) -> Result<(u32, PathBuf), StoreError> {
        let attempt = self.logs(key)?.last().map_or(1, |(last, _)| last + 1);
        // Nearly all stages have one attempt, for which a folder would be more work than the log.
        if attempt == 1 {
            return Ok((1, self.first_log(key)));
        }
        let folder = self.log_folder(key);
        fs::create_dir_all(&folder).map_err(|error| self.fail(error))?;
        Ok((attempt, folder.join(format!("{attempt}.log"))))
    }

    /// The logs of the attempts at `key`, oldest first, with their numbers.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn logs(&self, key: &Digest) -> Result<Vec<(u32, PathBuf)>, StoreError> {
        let first = self.first_log(key);
        let mut logs: Vec<(u32, PathBuf)> = first.exists().then_some((1, first)).into_iter().collect();
        let entries = match fs::read_dir(self.log_folder(key)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(logs),
            Err(error) => return Err(self.fail(error)),
        };
        for entry in entries {
            let path = entry.map_err(|error| self.fail(error))?.path();
            if let Some(attempt) = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok()) {
                logs.push((attempt, path));
            }
        }
        logs.sort();
        Ok(logs)
    }

    /// Asks for the right to build `key`.
    ///
    /// # Errors
    /// When nothing can be written there, or the file system has no locks.
    pub fn try_lock(&self, key: &Digest) -> Result<KeyAttempt, StoreError> {
        Ok(match self.locks.try_take(&lock_name(key)).map_err(|error| self.fail(error))? {
            lock::Attempt::Taken(lock) => KeyAttempt::Taken(KeyLock { key: *key, lock }),
            lock::Attempt::Held(holder) => KeyAttempt::Held(holder),
        })
    }

    /// The digest of a file anywhere, from memory if the file has not been touched since it was last read.
    ///
    /// # Errors
    /// What reading the file returns, with its path.
    pub fn digest_of(&self, path: &Path) -> io::Result<Digest> {
        self.memo.digest_of(path)
    }

    /// How long stages took before.
    pub fn durations(&self) -> Durations {
        Durations::load(&self.durations, self.access == Access::Write)
    }

    fn journal_of(&self, name: &str) -> Journal {
        Journal::new(self.root.join(name))
    }

    fn fanned(&self, kind: &str, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        self.root.join(kind).join(&name[..self.layout.digits]).join(name)
    }

    fn record_path(&self, key: &Digest) -> PathBuf {
        self.fanned("records", key).with_extension("json")
    }

    /// Where that folder is, if anybody has made it.
    pub(crate) fn scratch_path(&self, key: &Digest) -> PathBuf {
        self.root.join("scratch").join(key.to_string())
    }

    fn first_log(&self, key: &Digest) -> PathBuf {
        self.root.join("logs").join(format!("{key}.log"))
    }

    /// Where the logs of all further attempts are.
    fn log_folder(&self, key: &Digest) -> PathBuf {
        self.root.join("logs").join(key.to_string())
    }

    fn lock_path(&self, key: &Digest) -> PathBuf {
        self.locks.path(&lock_name(key))
    }

    /// `name` with an ending that nobody else uses.
    fn unique(&self, name: &str) -> String {
        let count = self.counter.fetch_add(1, Ordering::Relaxed);
        // The process is another one's, too, where each container has numbers of its own.
        let now = moment::since_1970();
        format!("{name}-{}-{}-{count}", std::process::id(), now.as_nanos())
    }

    fn fail(&self, error: io::Error) -> StoreError {
        StoreError::io(&self.root, error)
    }
}

fn lock_name(key: &Digest) -> String {
    format!("{key}.lock")
}

impl KeyLock {
    /// The key that may be built.
    pub fn key(&self) -> &Digest {
        &self.key
    }

    /// The process that died while it was building this key, if the last one did.
    pub fn left_by(&self) -> Option<&Holder> {
        self.lock.left_by()
    }
}

#[cfg(test)]
mod bare_test;
#[cfg(test)]
mod fsck_test;
#[cfg(test)]
mod gc_test;
#[cfg(test)]
mod store_test;
