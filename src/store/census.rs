//! What there is in the cache, how large it is and when it was last used: what [`super::gc`] chooses from.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err as fs;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Store, StoreError, bundle, fsck, object, programs, runs, usage};
use crate::base::{Digest, files};

/// Everything in the cache that can be removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Results, by their records.
    pub results: Vec<Kept>,
    /// Bytes of the files of each result, by the name of its folder, or of its file if it has none; several records may name one.
    pub objects: BTreeMap<String, u64>,
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
    /// The name of its folder, or of its file if it has none.
    #[serde(skip)]
    pub object: String,
    /// Bytes of the record itself; its share of a file with several names.
    pub bytes: u64,
    /// That file.
    #[serde(skip)]
    pub shared: Option<Shared>,
    /// When it, or one with equal files, was last made or found, in seconds since 1970, to the minute.
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
    /// Its bytes, with everything below it; its share of a file with several names.
    pub bytes: u64,
    /// That file.
    #[serde(skip)]
    pub shared: Option<Shared>,
    /// When it was last written, in seconds since 1970.
    pub used: u64,
}

/// A file with several names: its bytes are free when the last of them is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared {
    /// The number of its disk, and its number there.
    pub file: (u64, u64),
    /// All its bytes.
    pub bytes: u64,
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
        let mut names = self.names();
        let results = self.results.iter().map(|result| (result.bytes, result.shared));
        let all = results.chain(self.rests.iter().map(|rest| (rest.bytes, rest.shared)));
        let files: u64 = all.map(|(bytes, shared)| names.free(bytes, shared)).sum();
        files + self.objects.values().sum::<u64>()
    }

    /// The files that have several names.
    pub fn names(&self) -> Names {
        let mut names = Names::default();
        let results = self.results.iter().filter_map(|result| result.shared);
        for Shared { file, bytes } in results.chain(self.rests.iter().filter_map(|rest| rest.shared)) {
            // While somebody writes to it, its names may have been looked at with different lengths.
            names.0.entry(file).or_insert((bytes, 0)).1 += 1;
        }
        names
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

/// Files that have several names: the bytes of each, and how many of its names are left.
#[derive(Clone, Debug, Default)]
pub struct Names(BTreeMap<(u64, u64), (u64, usize)>);

impl Names {
    /// How many bytes are free when this name goes: those of its own, or of its file if it is the last one of that.
    pub fn free(&mut self, own: u64, shared: Option<Shared>) -> u64 {
        let Some((bytes, left)) = shared.and_then(|shared| self.0.get_mut(&shared.file)) else { return own };
        *left = left.saturating_sub(1);
        if *left == 0 { *bytes } else { 0 }
    }
}

/// What a record of any format says of itself.
#[derive(Deserialize)]
struct Label {
    key: Digest,
    output: Digest,
    #[serde(default)]
    bare: Value,
    #[serde(default)]
    files: Value,
    #[serde(default)]
    started: Value,
    #[serde(default)]
    seconds: Value,
    #[serde(default)]
    pipeline: String,
    #[serde(default)]
    name: String,
}

impl Label {
    /// The name of the only file, if that is kept without a folder.
    fn bare(&self) -> Option<&str> {
        let name = self.files.as_object()?.keys().next()?;
        (self.bare == Value::Bool(true)).then_some(name)
    }

    /// When the result was made, in seconds since 1970.
    fn made(&self) -> u64 {
        let seconds = Duration::try_from_secs_f64(self.seconds.as_f64().unwrap_or(0.0)).unwrap_or_default();
        self.started.as_u64().unwrap_or(0).saturating_add(seconds.as_secs())
    }
}

impl Store {
    /// Counts everything. What can't be read of a record is passed over: `compt fsck` is for that.
    ///
    /// # Errors
    /// When a folder of the cache can't be read.
    pub fn census(&self) -> Result<Census, StoreError> {
        let records = self.fanned_entries("records")?;
        let uses = self.uses.latest();
        let mut results: Vec<Kept> = records.par_iter().filter_map(|path| self.kept(path, &uses)).collect();
        results.sort_by_key(|result| result.key);
        let objects = self.fanned_entries("objects")?;
        let objects = objects.par_iter().filter_map(|path| Some((object::name(path)?, extent(path).bytes))).collect();
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
            census.rests.extend(paths.map(|path| {
                let is_spare = kind == Kind::Checkpoint && path.file_name().is_some_and(programs::is_spare);
                rest(if is_spare { Kind::Work } else { kind }, path)
            }));
        }
        let names = self.fanned_entries("names")?;
        census.rests.extend(names.into_iter().map(|path| {
            let key = fsck::read_note(&path).ok().and_then(|note| Some(note.ok()?.key));
            Rest { key, ..rest(Kind::Name, path) }
        }));
        Ok(census)
    }

    fn kept(&self, path: &Path, uses: &HashMap<Digest, u64>) -> Option<Kept> {
        let named = fsck::key_of(path)?;
        let read = fs::read(path).ok()?;
        let label: Label = serde_json::from_slice(bundle::record(&read, &named)).ok()?;
        let (place, made) = (self.place(&label.output, label.bare()), label.made());
        let Label { key, output, pipeline, name, .. } = label;
        let Extent { bytes, used: written, shared } = extent(path);
        let used = match place.name() {
            Some(_) => uses.get(&output).map_or(made, |used| made.max(*used)),
            None => usage::of_folder(&place),
        };
        // Earlier programs note it at the record, which has a file of its own then.
        let used = if bundle::is_one(&read) { used } else { used.max(written) };
        let object = object::name(&place.whole())?;
        (key == named).then_some(Kept { key, pipeline, name, output, object, bytes, used, shared })
    }

    fn unfinished_rests(&self) -> Result<Vec<Rest>, StoreError> {
        let left = self.unfinished()?.into_iter().filter(|path| !files::is_being_written(path));
        Ok(left.map(|path| rest(Kind::Unfinished, path)).collect())
    }

    /// The keys of the latest results of a pipeline's instances, whether or not they are up to date.
    ///
    /// # Errors
    /// When the cache can't be read.
    pub fn latest_keys(&self, pipeline: &str) -> Result<BTreeSet<Digest>, StoreError> {
        let mut keys = BTreeSet::new();
        for path in self.entries(&self.root.join("names").join(pipeline))? {
            keys.extend(fsck::read_note(&path).ok().and_then(|note| Some(note.ok()?.key)));
        }
        Ok(keys)
    }
}

fn rest(kind: Kind, path: PathBuf) -> Rest {
    let Extent { bytes, used, shared } = extent(&path);
    let key = if kind == Kind::Quarantine { None } else { fsck::key_of(&path) };
    Rest { kind, key, path, bytes, used, shared }
}

/// What a file or a folder takes on the disk.
#[derive(Default)]
struct Extent {
    /// Each name of a file has an equal share of it.
    bytes: u64,
    /// When anything in it was last written, in seconds since 1970.
    used: u64,
    shared: Option<Shared>,
}

fn extent(path: &Path) -> Extent {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Extent::default() };
    // It counts in 512 bytes, whatever the file system's blocks are.
    let bytes = metadata.blocks() * 512;
    let used = u64::try_from(metadata.mtime()).unwrap_or(0);
    if !metadata.is_dir() {
        let names = metadata.nlink().max(1);
        let shared = (names > 1).then_some(Shared { file: (metadata.dev(), metadata.ino()), bytes });
        return Extent { bytes: bytes / names, used, shared };
    }
    let inside = fs::read_dir(path).into_iter().flatten().filter_map(io::Result::ok);
    inside.map(|entry| extent(&entry.path())).fold(Extent { bytes, used, shared: None }, |all, one| Extent {
        bytes: all.bytes + one.bytes,
        used: all.used.max(one.used),
        shared: None,
    })
}
