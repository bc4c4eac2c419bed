//! Making a result visible: whole, or not at all.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde_json::Value;

use super::bundle::{self, Entry};
use super::durations::Durations;
use super::memo::Stat;
use super::record::{self, Brief, Record};
use super::seen::Look;
use super::tree::{self, StoredFile};
use super::{KeyLock, Store, StoreError, object, usage};
use crate::base::{Digest, files, holder, moment, orphans};
use crate::plan::Instance;
use crate::plan::key::Preimage;

/// A result in the making; dropping it throws it away, except for what a program has left.
#[derive(Debug)]
pub struct Work {
    key: Digest,
    folder: PathBuf,
    is_programs: bool,
}

/// What is to be written down about a finished result.
#[derive(Clone, Debug)]
pub struct Finished<'a> {
    /// The pipeline that ran.
    pub pipeline: &'a str,
    /// The instance that ran.
    pub instance: &'a Instance,
    /// What its key is the digest of.
    pub preimage: Preimage,
    /// What the body reported.
    pub facts: BTreeMap<String, Value>,
    /// When it was started, in seconds since 1970.
    pub started: u64,
    /// How long it took.
    pub seconds: f64,
    /// The versions of the programs that made it.
    pub versions: BTreeMap<String, String>,
}

impl Work {
    /// The folder for the result's files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The stage key.
    pub fn key(&self) -> &Digest {
        &self.key
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // What stays behind is removed by the next one who begins this key.
        if !self.is_programs {
            let _ = tree::remove(&self.folder);
        } else if self.folder.exists() {
            // Nor does what a failed program has left behind stay in the kernel's tables when it has ended.
            orphans::are_none();
        }
    }
}

impl Store {
    /// Begins a result: an empty, private folder. What attempts that died have left of this key is removed, except for
    /// their checkpoints.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub fn begin(&self, lock: &KeyLock) -> Result<Work, StoreError> {
        let all = self.root.join("work");
        let prefix = lock.key().to_string();
        if lock.left_by().is_some() {
            self.clear_work(&all, &prefix).map_err(|error| self.fail(error))?;
        }
        let work = Work { key: *lock.key(), folder: all.join(self.unique(&prefix)), is_programs: false };
        fs::create_dir(&work.folder).map_err(|error| self.fail(error))?;
        Ok(work)
    }

    /// The same for a program: its folder is called the same each time, so that what it writes does not depend on that. Unless it
    /// is published it stays, for people to look into.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub fn begin_program(&self, lock: &KeyLock) -> Result<Work, StoreError> {
        let folder = self.program_folder(lock.key()).map_err(|error| self.fail(error))?;
        Ok(Work { key: *lock.key(), folder, is_programs: true })
    }

    fn clear_work(&self, all: &Path, prefix: &str) -> io::Result<()> {
        for entry in fs::read_dir(all)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                tree::remove(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Publishes the files in the work folder as the result of its key, and removes the checkpoints. Files that are
    /// there already, from this or another key, are shared.
    ///
    /// # Errors
    /// When something can't be written or kept; then nothing is published and the work is thrown away.
    pub fn publish(&self, work: Work, finished: Finished<'_>) -> Result<Record, StoreError> {
        let key = finished.preimage.key();
        if key != work.key {
            let name = finished.instance.label.clone();
            return Err(StoreError::WrongKey { name, begun: work.key, actual: key });
        }
        self.note_unflushed().map_err(|error| self.fail(error))?;
        let Kept { output, files, bare } = self.keep(&work)?;
        // What has no folder was used when its record says that it was made.
        let used = if bare { moment::now() } else { usage::note(&self.object_folder(&output)) };
        let record = Record {
            schema: record::SCHEMA,
            key,
            preimage: finished.preimage,
            output,
            files,
            bare,
            facts: finished.facts,
            pipeline: finished.pipeline.to_owned(),
            stage: finished.instance.stage.clone(),
            name: finished.instance.label.clone(),
            started: finished.started,
            seconds: finished.seconds,
            host: holder::host(),
            versions: finished.versions,
        };
        let text = serde_json::to_vec(&record).map_err(|error| self.fail(error.into()))?;
        let (written, note) = self.write_down(&record, &text, finished.pipeline, finished.instance)?;
        Durations::note(&self.durations, finished.pipeline, finished.instance, &key, finished.seconds);
        let scratch = self.scratch_path(&key);
        if scratch.exists() {
            tree::remove(&scratch).map_err(|error| self.fail(error))?;
        }
        let brief = self.briefs.note(&key, Brief::from(&record));
        if let Some(note) = note {
            let look = Look { key: &key, brief: &brief, record: written, note, used, files: &record.files };
            self.remember(finished.pipeline, finished.instance, &look);
        }
        Ok(record)
    }

    /// Writes a record, and notes it as the latest of its instance. Returns what the file system says of both, as far as that is
    /// known already.
    fn write_down(
        &self,
        record: &Record,
        text: &[u8],
        pipeline: &str,
        instance: &Instance,
    ) -> Result<(Stat, Option<Stat>), StoreError> {
        let (path, identity) = (self.record_path(&record.key), instance.identity());
        let note = self.name_path(pipeline, &identity);
        let entry = Entry { key: &record.key, record: text, pipeline, identity: &identity, path: &path, note: &note };
        if bundle::takes(text)
            && let Ok(inode) = self.bundle(&entry)
        {
            let stat = Stat::unsettled(inode);
            return Ok((stat, Some(stat)));
        }
        let written = self.replacing(&entry, || {
            let written = files::replace(&path, text)?;
            let named = files::name_again(&path, &note).is_ok();
            // The new name has changed what the file system says of it.
            Ok((if named { fs::metadata(&path).unwrap_or(written) } else { written }, named))
        });
        let (written, named) = written.map_err(|error: io::Error| self.fail(error))?;
        let written = Stat::of(&written);
        if named {
            return Ok((written, Some(written)));
        }
        Ok((written, self.note(pipeline, instance, &record.key, || Some(record.preimage.clone()))?))
    }

    /// Moves the files of the work folder to where results are kept.
    fn keep(&self, work: &Work) -> Result<Kept, StoreError> {
        // Asked for each program, so that what it has left behind does not stay in the kernel's tables when it has ended, too.
        let is_alone = work.is_programs && orphans::are_none();
        let listing = tree::list(&self.root, &work.folder)?;
        if work.is_programs
            && let Some((name, path)) = listing.only_file()
            && self.can_be_bare(name)
        {
            let kept = self.keep_bare(name, path, is_alone)?;
            if !(is_alone && self.hand_on(work)) {
                // Where somebody still writes there, the next program of this key, or `gc`, removes it.
                let _ = tree::remove(&work.folder);
            }
            return Ok(kept);
        }
        let sealed = tree::seal(&listing).map_err(|error| self.fail(error))?;
        let output = tree::digest(sealed.iter().map(|(path, file)| (path.as_str(), file.digest)));
        let target = self.object_folder(&output);
        let mut named = name(&work.folder, &target);
        if named.as_ref().is_err_and(is_taken) {
            if let Some(shared) = self.shared(&target, &sealed) {
                tree::remove(&work.folder).map_err(|error| self.fail(error))?;
                return Ok(Kept { output, files: shared, bare: false });
            }
            self.set_aside(&target)?;
            named = name(&work.folder, &target);
        }
        if let Err(error) = named {
            // Another process has published the same files in this moment.
            let shared = if is_taken(&error) { self.shared(&target, &sealed) } else { None };
            let shared = shared.ok_or_else(|| self.fail(error))?;
            tree::remove(&work.folder).map_err(|error| self.fail(error))?;
            return Ok(Kept { output, files: shared, bare: false });
        }
        tree::close(&listing, &target).map_err(|error| self.fail(error))?;
        Ok(Kept { output, files: sealed, bare: false })
    }

    /// Moves a program's only file to where results without a folder are kept. `is_alone` says that nobody can write to it meanwhile.
    fn keep_bare(&self, inside: &str, path: &Path, is_alone: bool) -> Result<Kept, StoreError> {
        let (sealed, file) = tree::seal_file(path).map_err(|error| self.fail(error))?;
        let digest = sealed.digest;
        let output = tree::digest(std::iter::once((inside, digest)));
        let place = self.place(&output, Some(inside));
        let target = place.whole();
        let kept = |file: StoredFile| Kept { output, files: BTreeMap::from([(inside.to_owned(), file)]), bare: true };
        let mut damaged = 0;
        // What is there is not replaced: others read it by now.
        while let Err(error) = files::move_to(path, &target) {
            let look = || object::metadata(&place, inside).ok();
            let there = look();
            if let Some(there) = &there
                && there.is_file()
                && self.digest_of(&target).is_ok_and(|of_target| of_target == digest)
            {
                fs::remove_file(path).map_err(|error| self.fail(error))?;
                self.uses.note(&output);
                return Ok(kept(StoredFile { size: there.len(), digest, stat: Stat::of(there) }));
            }
            damaged += 1;
            if !is_taken(&error) || damaged > 3 {
                return Err(self.fail(error));
            }
            // Somebody else may have put a whole one there by now.
            if there.map(|there| there.ino()) == look().map(|now| now.ino()) {
                self.set_aside(&target)?;
            }
        }
        // Another name has changed what the file system says of it. What somebody writes to it from now on is seen; what was written
        // since it was read, would not be seen by its times alone.
        let now = Stat::of(&file.metadata().map_err(|error| self.fail(error))?);
        let is_same = Stat { changed: sealed.stat.changed, ..now } == sealed.stat
            && (is_alone || Digest::of_file(&target).is_ok_and(|again| again == digest));
        Ok(kept(StoredFile { stat: if is_same { now } else { sealed.stat }, ..sealed }))
    }

    /// The files of a published folder, if they are exactly these.
    fn shared(&self, folder: &Path, wanted: &BTreeMap<String, StoredFile>) -> Option<BTreeMap<String, StoredFile>> {
        let listing = tree::list(&self.root, folder).ok()?;
        if !listing.files.keys().eq(wanted.keys()) {
            return None;
        }
        let there = listing.files.iter().map(|(inside, path)| {
            let digest = self.digest_of(path).ok()?;
            let stat = Stat::of(&fs::metadata(path).ok()?);
            let file = StoredFile { size: stat.size, digest, stat };
            (digest == wanted[inside].digest).then(|| (inside.clone(), file))
        });
        there.collect()
    }
}

/// The files of a result where they are kept.
struct Kept {
    output: Digest,
    files: BTreeMap<String, StoredFile>,
    /// Whether the only one has no folder.
    bare: bool,
}

/// Gives a folder its name; that of its parent may be new.
fn name(folder: &Path, name: &Path) -> io::Result<()> {
    match (fs::rename(folder, name), name.parent()) {
        (Err(error), Some(parent)) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(parent)?;
            fs::rename(folder, name)
        }
        (renamed, _) => renamed,
    }
}

/// Whether a name is that of something else; an empty folder would have been replaced.
fn is_taken(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, NotADirectory};

    matches!(error.kind(), AlreadyExists | DirectoryNotEmpty | NotADirectory)
}
