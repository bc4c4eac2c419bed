//! Results as the last run saw them, so that the next one need not read their records.
//!
//! For each instance of a pipeline: the key, what its record says in short, and what the file system said of the record, of
//! the note of the latest result and of every file of the result. As long as it says the same of all of them, the result is
//! there and whole, as if they had been read. Where anything differs, or is not known, they are read.
//!
//! One file for each pipeline, written at the end of a run that has seen something new. It only saves work: when it is lost,
//! damaged, out of date or can't be written, everything is read. Of two runs that end at once, the last one's stays.

mod file;

use std::collections::{BTreeMap, HashMap};
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fs_err as fs;

use super::memo::Stat;
use super::record::{Brief, Maker};
use super::tree::StoredFile;
use super::{Access, Store, find};
use crate::base::{Digest, files};
use crate::plan::{Instance, Plan};
use file::{Head, Sight};

/// The folder of these files.
pub(super) const FOLDER: &str = "seen";

/// What was seen, by pipeline.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pipelines: Mutex<HashMap<String, Arc<Sights>>>,
    /// Files of records whose use this process has noted, by inode: what the file system said of each before, and says since. There
    /// may be further records in it.
    touched: Mutex<HashMap<u64, (Stat, Stat)>>,
}

/// What was seen of one pipeline: by earlier runs, as it stands in the file, and by this one.
#[derive(Debug, Default)]
struct Sights {
    before: file::Contents,
    now: Mutex<New>,
}

#[derive(Debug, Default)]
struct New {
    head: Head,
    /// By identity, as they are written.
    sights: HashMap<Digest, Vec<u8>>,
    /// Whether the head says something that the file does not.
    more: bool,
}

/// A result that was looked at in full.
pub(super) struct Look<'a> {
    pub key: &'a Digest,
    pub brief: &'a Brief,
    pub record: Stat,
    pub note: Stat,
    pub files: &'a BTreeMap<String, StoredFile>,
}

impl Sights {
    fn new(before: file::Contents) -> Self {
        let head = before.head.clone();
        Self { before, now: Mutex::new(New { head, ..New::default() }) }
    }

    fn now(&self) -> MutexGuard<'_, New> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, identity: Digest, sight: &Sight<'_>) {
        let mut bytes = Vec::with_capacity(512);
        sight.write(&mut bytes);
        self.now().sights.insert(identity, bytes);
    }
}

impl Seen {
    /// Whether a file is as it was seen, but for a use that this process has noted.
    fn is_still(&self, now: &Stat, seen: &Stat) -> bool {
        now == seen || self.touched().get(&now.inode) == Some(&(*seen, *now))
    }

    /// Notes that a record in a file was used, for [`super::gc`], if the file is still as it was `before`. Returns what the file
    /// system says of it then.
    pub(super) fn touch(&self, file: &fs::File, before: Stat) -> Option<Stat> {
        let looked = || Some(Stat::of(&file.metadata().ok()?));
        let mut touched = self.touched();
        match touched.get(&before.inode) {
            // By another thread, for another record in it.
            Some((seen, after)) if *seen == before => return Some(*after),
            _ if looked()? != before => return None,
            _ => {}
        }
        find::note_use(file);
        let after = looked()?;
        touched.insert(before.inode, (before, after));
        Some(after)
    }

    fn touched(&self) -> MutexGuard<'_, HashMap<u64, (Stat, Stat)>> {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl New {
    /// Writes what the file system says of these files where a record or a note was seen in them.
    fn settle(&mut self, files: &HashMap<u64, Stat>) {
        for sight in self.sights.values_mut() {
            file::settle(sight, files);
        }
    }

    /// The position of a maker in the head.
    fn maker(&mut self, maker: &Arc<Maker>) -> u64 {
        let known = self.head.makers.iter().position(|known| known == maker);
        let position = known.unwrap_or_else(|| {
            self.head.makers.push(Arc::clone(maker));
            self.head.makers.len() - 1
        });
        position as u64
    }
}

impl Store {
    /// The result of an instance under this key, which is noted as its latest one; `None` when only reading can tell.
    pub(super) fn recall(&self, pipeline: &str, instance: &Instance, key: &Digest) -> Option<Brief> {
        let sights = self.sights(pipeline);
        if sights.before.is_empty() {
            return None;
        }
        let identity = instance.identity();
        let sight = sights.before.get(&identity).filter(|sight| sight.key == *key)?;
        let path = self.record_path(key);
        let metadata = fs::metadata(&path).ok()?;
        let note = Stat::of(&fs::metadata(self.name_path(pipeline, &identity)).ok()?);
        let mut record = Stat::of(&metadata);
        if !self.seen.is_still(&record, &sight.record) || !self.seen.is_still(&note, &sight.note) {
            return None;
        }
        let folder = self.object_folder(&sight.output);
        let is_whole = |(inside, stat): (&str, Stat)| {
            fs::symlink_metadata(folder.join(inside)).is_ok_and(|file| file.is_file() && Stat::of(&file) == stat)
        };
        if !sight.files().all(is_whole) || (sight.has_no_files() && !folder.exists()) {
            return None;
        }
        let maker = sights.before.head.makers.get(usize::try_from(sight.maker).ok()?)?;
        let facts = if sight.facts == "{}" { BTreeMap::new() } else { serde_json::from_str(sight.facts).ok()? };
        let brief = Brief { output: sight.output, facts, seconds: sight.seconds, maker: Arc::clone(maker) };
        if self.access == Access::Write && find::is_due(&metadata) {
            record = self.seen.touch(&fs::File::open(&path).ok()?, record)?;
        }
        if record != sight.record || note != sight.note {
            // Mostly the note is the same file under another name.
            let note = if note.inode == record.inode { record } else { note };
            sights.note(identity, &Sight { record, note, ..sight });
        }
        Some(self.briefs.note(key, brief))
    }

    /// Keeps for the next run what was seen of the latest result of an instance.
    pub(super) fn remember(&self, pipeline: &str, instance: &Instance, look: &Look<'_>) {
        if self.access == Access::Read {
            return;
        }
        let Ok(facts) = serde_json::to_string(&look.brief.facts) else { return };
        let sights = self.sights(pipeline);
        let maker = sights.now().maker(&look.brief.maker);
        let mut of_files = Vec::new();
        look.files.iter().for_each(|(inside, file)| file::write_file(&mut of_files, inside, &file.stat));
        let sight = Sight {
            key: *look.key,
            output: look.brief.output,
            record: look.record,
            note: look.note,
            seconds: look.brief.seconds,
            maker,
            facts: &facts,
            files: &of_files,
        };
        sights.note(instance.identity(), &sight);
    }

    /// Whether a file that a run has written for this pipeline still says this, told by what the file system says of it.
    pub fn says(&self, pipeline: &str, path: &Path, said: &Digest) -> bool {
        let Some(path) = whole_path(path) else { return false };
        let (sights, stat) = (self.sights(pipeline), fs::metadata(&path).map(|file| Stat::of(&file)));
        let known = sights.before.head.written.get(&path);
        known.is_some_and(|(known, digest)| digest == said && stat.is_ok_and(|stat| stat == *known))
    }

    /// Keeps for the next run what a file says that this one has written, or found as it should be, for this pipeline.
    pub fn note_said(&self, pipeline: &str, path: &Path, file: &Metadata, said: Digest) {
        let (Some(path), sights) = (whole_path(path), self.sights(pipeline)) else { return };
        let mut now = sights.now();
        now.more = true;
        // Nobody has many output folders at once.
        now.head.written = [(path, (Stat::of(file), said))].into();
    }

    /// Writes down what this run has seen of the instances of a plan, if that is new. Where that can't be written, the next
    /// run reads the records.
    pub fn keep_seen(&self, plan: &Plan) {
        let sights = self.sights(&plan.pipeline);
        let mut now = sights.now();
        if self.access == Access::Read || (now.sights.is_empty() && !now.more) {
            return;
        }
        self.close_bundle();
        now.settle(&self.closed_bundles());
        let identities = plan.instances.iter().map(Instance::identity);
        let all = identities.filter_map(|identity| {
            let sight = now.sights.get(&identity).map(Vec::as_slice).or_else(|| sights.before.bytes(&identity))?;
            Some((identity, sight))
        });
        let Ok(bytes) = file::written(&now.head, all) else { return };
        let _: io::Result<Metadata> = files::replace(&self.seen_path(&plan.pipeline), &bytes);
    }

    fn sights(&self, pipeline: &str) -> Arc<Sights> {
        let mut all = self.seen.pipelines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sights) = all.get(pipeline) {
            return Arc::clone(sights);
        }
        let bytes = fs::read(self.seen_path(pipeline)).unwrap_or_default();
        let sights = Arc::new(Sights::new(file::Contents::read(bytes).unwrap_or_default()));
        all.insert(pipeline.to_owned(), Arc::clone(&sights));
        sights
    }

    fn seen_path(&self, pipeline: &str) -> PathBuf {
        self.root.join(FOLDER).join(pipeline)
    }
}

/// A path that means the same to a run in another folder.
fn whole_path(path: &Path) -> Option<PathBuf> {
    std::path::absolute(path).ok()
}

#[cfg(test)]
mod tests;
