//! What there is in the cache, how large it is and when it was last used: what [`super::gc`] chooses from.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use fs_err as fs;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::record::Latest;
use super::{Store, StoreError, fsck, runs};
use crate::base::{Digest, files};

/// Everything in the cache that can be removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Results, by their records.
    pub results: Vec<Kept>,
    /// Bytes of the files of each result; several records may name one.
    pub objects: BTreeMap<Digest, u64>,
    /// Everything else.
    pub rests: Vec<Rest>,
}

/// A record, and what it names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// The stage key.
    pub key: Digest,
    /// The pipeline that asked for it first.
    pub pipeline: String,
    /// The instance there.
    pub name: String,
    /// The digest of its files.
    pub output: Digest,
    /// Bytes of the record itself.
    pub bytes: u64,
    /// When it was last made or found, in seconds since 1970, to the minute.
    pub used: u64,
}

/// Something that is no result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rest {
    /// What it is.
    pub kind: Kind,
    /// The stage key that it belongs to, where it belongs to one.
    pub key: Option<Digest>,
    /// Where it is.
    pub path: PathBuf,
    /// Its bytes, with everything below it.
    pub bytes: u64,
    /// When it was last written, in seconds since 1970.
    pub used: u64,
}

/// What is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A result in the making.
    Work,
    /// A file in the writing.
    Unfinished,
    /// A lock.
    Lock,
    /// The checkpoints of a stage.
    Checkpoint,
    /// The logs of a stage.
    Log,
    /// What was set aside because it was damaged.
    Quarantine,
    /// The note of an instance's latest result.
    Name,
    /// The journal of a run.
    Run,
}

impl Census {
    /// Bytes of everything.
    pub fn bytes(&self) -> u64 {
        let results = self.results.iter().map(|result| result.bytes);
        results.chain(self.objects.values().copied()).chain(self.rests.iter().map(|rest| rest.bytes)).sum()
    }

    /// Whether a record has this key.
    pub(super) fn has_record(&self, key: Option<&Digest>) -> bool {
        key.is_some_and(|key| self.results.binary_search_by(|result| result.key.cmp(key)).is_ok())
    }

    /// What belongs to each key, by position among the rests.
    pub(super) fn rests_by_key(&self) -> BTreeMap<Digest, Vec<usize>> {
        let mut rests: BTreeMap<Digest, Vec<usize>> = BTreeMap::new();
        for (position, rest) in self.rests.iter().enumerate() {
            if let Some(key) = rest.key {
                rests.entry(key).or_default().push(position);
            }
        }
        rests
    }
}

/// What a record of any format says of itself.
#[derive(Deserialize)]
struct Label {
    key: Digest,
    output: Digest,
    #[serde(default)]
    pipeline: String,
    #[serde(default)]
    name: String,
}

impl Store {
    /// Counts everything. What can't be read of a record is passed over: `compt fsck` is for that.
    ///
    /// # Errors
    /// When a folder of the cache can't be read.
    pub fn census(&self) -> Result<Census, StoreError> {
        let records = self.fanned_entries("records")?;
        let mut results: Vec<Kept> = records.par_iter().filter_map(|path| label(path)).collect();
        results.sort_by_key(|result| result.key);
        let objects = self.fanned_entries("objects")?;
        let objects = objects.par_iter().filter_map(|path| Some((fsck::key_of(path)?, extent(path).0))).collect();
        let mut census = Census { results, objects, rests: self.unfinished_rests()? };
        for (folder, kind) in [
            ("work", Kind::Work),
            ("locks", Kind::Lock),
            ("scratch", Kind::Checkpoint),
            ("logs", Kind::Log),
            ("quarantine", Kind::Quarantine),
            (runs::FOLDER, Kind::Run),
        ] {
            let paths = self.entries(&self.root.join(folder))?;
            let paths = paths.into_iter().filter(|path| !files::is_unfinished(path));
            census.rests.extend(paths.map(|path| rest(kind, path)));
        }
        let names = self.fanned_entries("names")?;
        census.rests.extend(names.into_iter().map(|path| {
            let latest = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Latest>(&bytes).ok());
            Rest { key: latest.map(|latest| latest.key), ..rest(Kind::Name, path) }
        }));
        Ok(census)
    }

    fn unfinished_rests(&self) -> Result<Vec<Rest>, StoreError> {
        Ok(self.unfinished()?.into_iter().map(|path| rest(Kind::Unfinished, path)).collect())
    }

    /// The keys of the latest results of a pipeline's instances, whether or not they are up to date.
    ///
    /// # Errors
    /// When the cache can't be read.
    pub fn latest_keys(&self, pipeline: &str) -> Result<BTreeSet<Digest>, StoreError> {
        let mut keys = BTreeSet::new();
        for path in self.entries(&self.root.join("names").join(pipeline))? {
            let latest = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Latest>(&bytes).ok());
            keys.extend(latest.map(|latest| latest.key));
        }
        Ok(keys)
    }
}

fn label(path: &Path) -> Option<Kept> {
    let label: Label = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    let (bytes, used) = extent(path);
    let Label { key, output, pipeline, name } = label;
    (fsck::key_of(path) == Some(key)).then_some(Kept { key, pipeline, name, output, bytes, used })
}

fn rest(kind: Kind, path: PathBuf) -> Rest {
    let (bytes, used) = extent(&path);
    let key = if kind == Kind::Quarantine { None } else { fsck::key_of(&path) };
    Rest { kind, key, path, bytes, used }
}

/// The bytes that a file or folder takes on the disk, and when anything in it was last written, in seconds since 1970. Each
/// name of a file (a record is mostly its instance's note, too) has an equal share of it.
fn extent(path: &Path) -> (u64, u64) {
    let Ok(metadata) = fs::symlink_metadata(path) else { return (0, 0) };
    let names = if metadata.is_dir() { 1 } else { metadata.nlink().max(1) };
    // `blocks` counts in 512 bytes, whatever the file system's blocks are.
    let own = (metadata.blocks() * 512 / names, u64::try_from(metadata.mtime()).unwrap_or(0));
    if !metadata.is_dir() {
        return own;
    }
    let inside = fs::read_dir(path).into_iter().flatten().filter_map(io::Result::ok);
    inside.map(|entry| extent(&entry.path())).fold(own, |(bytes, used), (more, later)| (bytes + more, used.max(later)))
}
