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
use super::{Access, Store, object};
use crate::base::{Digest, files};
use crate::plan::{Instance, Plan};
use file::{Head, Sight};

/// The folder of these files.
pub(super) const FOLDER: &str = "seen";

/// What was seen, by pipeline.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<HashMap<String, Arc<Sights>>>);

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
    /// When the use was last noted, in seconds since 1970.
    pub used: u64,
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

impl New {
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
        let stat = |path: PathBuf| Some(Stat::of(&fs::metadata(path).ok()?));
        let is_as_seen =
            stat(self.record_path(key))? == sight.record && stat(self.name_path(pipeline, &identity))? == sight.note;
        if !is_as_seen {
            return None;
        }
        let bare = sight.files().next().filter(|_| sight.is_bare).map(|(name, _)| name);
        let place = self.place(&sight.output, bare);
        let is_whole = |(inside, stat): (&str, Stat)| {
            object::metadata(&place, inside).is_ok_and(|file| file.is_file() && Stat::of(&file) == stat)
        };
        if !sight.files().all(is_whole) || (sight.has_no_files() && !place.whole().exists()) {
            return None;
        }
        let maker = sights.before.head.makers.get(usize::try_from(sight.maker).ok()?)?;
        let facts = if sight.facts == "{}" { BTreeMap::new() } else { serde_json::from_str(sight.facts).ok()? };
        let (bare, maker) = (bare.map(str::to_owned), Arc::clone(maker));
        let brief = Brief { output: sight.output, bare, facts, seconds: sight.seconds, maker };
        if self.access == Access::Write {
            let used = self.renew_use(&sight.output, &place, sight.used);
            if used != sight.used {
                sights.note(identity, &Sight { used, ..sight });
            }
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
            used: look.used,
            is_bare: look.brief.bare.is_some(),
            seconds: look.brief.seconds,
            maker,
            facts: &facts,
            files: &of_files,
        };
        sights.note(instance.identity(), &sight);
    }

    /// Whether an earlier run has seen a result of this instance.
    pub(super) fn has_seen(&self, pipeline: &str, identity: &Digest) -> bool {
        self.sights(pipeline).before.bytes(identity).is_some()
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
        let now = sights.now();
        if self.access == Access::Read || (now.sights.is_empty() && !now.more) {
            return;
        }
        self.close_bundle();
        self.uses.settle();
        let changes = self.changes();
        let identities = plan.instances.iter().map(Instance::identity);
        let all = identities.filter_map(|identity| {
            let sight = now.sights.get(&identity).map(Vec::as_slice).or_else(|| sights.before.bytes(&identity))?;
            Some((identity, file::settled(sight, &changes)))
        });
        let Ok(bytes) = file::written(&now.head, all) else { return };
        let _: io::Result<Metadata> = files::replace(&self.seen_path(&plan.pipeline), &bytes);
    }

    fn sights(&self, pipeline: &str) -> Arc<Sights> {
        let mut all = self.seen.0.lock().unwrap_or_else(PoisonError::into_inner);
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
