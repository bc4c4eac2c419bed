//! Looking for results. What does not verify is set aside and counts as not there.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::Metadata;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs_err as fs;

use super::bundle::Entry;
use super::memo::Stat;
use super::record::{self, Brief, Latest, LatestKey, Maker, Outline, Record};
use super::seen::Look;
use super::tree::{self, StoredFile};
use super::{Access, Store, StoreError, bundle, object, usage};
use crate::base::{Digest, files};
use crate::plan::key::Preimage;
use crate::plan::shape::Shapes;
use crate::plan::{Instance, Lookup, Records};
use crate::protocol::Files;

/// What is found under a key.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// A result that verifies.
    Whole(Brief),
    /// Nothing.
    Missing,
    /// Something that does not verify; it has been set aside if the cache may be written.
    Damaged(Damage),
}

/// What came of looking for an instance's result.
#[derive(Debug)]
pub struct Sought {
    /// What is there.
    pub found: Result<Found, StoreError>,
    /// Whether a result that is there could be noted as the instance's latest.
    pub noted: Result<(), StoreError>,
}

/// What was seen of a whole result.
struct Traits {
    record: Stat,
    /// When its use was last noted, in seconds since 1970.
    used: u64,
    /// By their path inside the result.
    files: BTreeMap<String, StoredFile>,
}

/// Why a result can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The stage key.
    pub key: Digest,
    /// What does not verify.
    pub what: String,
    /// Where the damaged files have been moved, if they have.
    pub moved_to: Option<PathBuf>,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.moved_to {
            Some(path) => write!(f, "; it was moved to `{}`", path.display()),
            None => Ok(()),
        }
    }
}

impl Store {
    /// The result with this key, verified: each file has the length it was published with, and either was not touched
    /// since or still has the digest it had.
    ///
    /// # Errors
    /// When the cache can't be read; a damaged result is no error but [`Found::Damaged`].
    pub fn find(&self, key: &Digest) -> Result<Found, StoreError> {
        self.look(key).map(|(found, _)| found)
    }

    /// The result of an instance under this key, as [`Store::find`] finds it, and noted as the instance's latest if it is
    /// there. The preimage is asked for only when the note is not up to date.
    pub fn find_latest(
        &self,
        pipeline: &str,
        instance: &Instance,
        key: &Digest,
        preimage: impl FnOnce() -> Option<Preimage>,
    ) -> Sought {
        if let Some(brief) = self.recall(pipeline, instance, key) {
            return Sought { found: Ok(Found::Whole(brief)), noted: Ok(()) };
        }
        let (found, seen) = match self.look(key) {
            Ok(looked) => looked,
            Err(error) => return Sought { found: Err(error), noted: Ok(()) },
        };
        let (Found::Whole(brief), Some(traits)) = (&found, seen) else {
            return Sought { found: Ok(found), noted: Ok(()) };
        };
        let noted = self.note(pipeline, instance, key, preimage).map(|note| {
            if let Some(note) = note {
                let Traits { record, used, files } = traits;
                let (record, note) = (self.settling(record), self.settling(note));
                self.remember(pipeline, instance, &Look { key, brief, record, note, used, files: &files });
            }
        });
        Sought { found: Ok(found), noted }
    }

    /// What [`Store::find`] returns; of a whole result also what makes it known again.
    fn look(&self, key: &Digest) -> Result<(Found, Option<Traits>), StoreError> {
        let path = self.record_path(key);
        let Some(read) = self.read(&path)? else { return Ok((Found::Missing, None)) };
        let text = bundle::record(&read.bytes, key);
        let mut record = match outline(text) {
            Ok(Some(record)) if record.key == *key => record,
            Ok(Some(record)) => {
                return self.damaged(key, &path, format!("its record is the one of key {}", record.key.short()));
            }
            Ok(None) => return Ok((Found::Missing, None)),
            Err(error) => return self.damaged(key, &path, unreadable(&read.bytes, text, &error)),
        };
        let place = self.place(&record.output, record.bare());
        let whole = place.whole();
        for (inside, file) in &record.files {
            if let Some(what) = self.fault(&place, inside, file) {
                if whole.exists() {
                    // The record is of no use without its files.
                    self.set_aside(&path)?;
                    return self.damaged(key, &whole, what);
                }
                return self.damaged(key, &path, "its files are gone".to_owned());
            }
        }
        if record.files.is_empty() && !whole.exists() {
            return self.damaged(key, &path, "its folder is gone".to_owned());
        }
        let stat = self.freed(&path, &read, |bytes| bundle::record(bytes, key));
        let used = match self.access {
            Access::Write => self.renew_use(&record.output, &place, usage::of_folder(&place)),
            Access::Read => 0,
        };
        let bare = record.bare().map(str::to_owned);
        let traits = Traits { record: stat, used, files: std::mem::take(&mut record.files) };
        Ok((Found::Whole(self.briefs.note(key, Brief { bare, ..record.into() })), Some(traits)))
    }

    /// The record with this key as it stands, its files not verified.
    ///
    /// # Errors
    /// When the cache can't be read.
    pub fn record(&self, key: &Digest) -> Result<Option<Record>, StoreError> {
        let read = self.read(&self.record_path(key))?;
        Ok(read.and_then(|read| parse(bundle::record(&read.bytes, key)).ok().flatten()))
    }

    /// The latest result of an instance, whether or not it is still there.
    ///
    /// # Errors
    /// When the cache can't be read; a file there that makes no sense is as good as none.
    pub fn latest(&self, pipeline: &str, instance: &Instance) -> Result<Option<Latest>, StoreError> {
        let identity = instance.identity();
        let read = self.read(&self.name_path(pipeline, &identity))?;
        Ok(read.and_then(|read| serde_json::from_slice(bundle::note(&read.bytes, pipeline, &identity)).ok()))
    }

    /// Notes the latest result of an instance, for results that were found and not made. (Publishing notes it too.) The
    /// preimage is asked for only when the note is not up to date.
    ///
    /// # Errors
    /// When the cache can't be written.
    pub fn note_latest(
        &self,
        pipeline: &str,
        instance: &Instance,
        key: &Digest,
        preimage: impl FnOnce() -> Option<Preimage>,
    ) -> Result<(), StoreError> {
        self.note(pipeline, instance, key, preimage).map(drop)
    }

    /// The same; returns what the file system says of the note.
    pub(super) fn note(
        &self,
        pipeline: &str,
        instance: &Instance,
        key: &Digest,
        preimage: impl FnOnce() -> Option<Preimage>,
    ) -> Result<Option<Stat>, StoreError> {
        let identity = instance.identity();
        let path = self.name_path(pipeline, &identity);
        if let Some(read) = self.read(&path)?
            && serde_json::from_slice::<LatestKey>(bundle::note(&read.bytes, pipeline, &identity))
                .is_ok_and(|noted| noted.key == *key)
        {
            return Ok(Some(self.freed(&path, &read, |bytes| bundle::note(bytes, pipeline, &identity))));
        }
        let Some(preimage) = preimage() else { return Ok(None) };
        let latest = Latest { name: instance.label.clone(), key: *key, preimage };
        let text = serde_json::to_vec(&latest).map_err(|error| self.fail(error.into()))?;
        let entry =
            Entry { key, record: &text, pipeline, identity: &identity, path: &self.record_path(key), note: &path };
        let written = self.replacing(&entry, || files::replace(&path, &text)).map_err(|error| self.fail(error))?;
        Ok(Some(Stat::of(&written)))
    }

    /// Replaces a bundle that has no other name by the one record that this name stands for: in a copy of a cache that knows nothing
    /// of names, each has become a file with 16. Returns what the file system says of the file then.
    fn freed(&self, path: &Path, read: &Read, own: impl FnOnce(&[u8]) -> &[u8]) -> Stat {
        let stat = Stat::of(&read.metadata);
        let is_alone = self.access == Access::Write && bundle::is_one(&read.bytes) && read.metadata.nlink() == 1;
        // Somebody may have written a newer one.
        if is_alone && fs::metadata(path).is_ok_and(|metadata| Stat::of(&metadata) == stat) {
            // If that fails, it stays as it is, and is as good.
            return files::replace(path, own(&read.bytes)).map_or(stat, |metadata| Stat::of(&metadata));
        }
        stat
    }

    /// What is wrong with a file of a result that should be there.
    fn fault(&self, place: &Files, inside: &str, file: &StoredFile) -> Option<String> {
        let metadata = match object::metadata(place, inside) {
            Ok(metadata) if metadata.is_file() => metadata,
            Ok(_) => return Some(format!("`{inside}` is no plain file")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Some(format!("`{inside}` is gone")),
            Err(error) => return Some(format!("`{inside}` can't be read: {error}")),
        };
        if metadata.len() != file.size {
            return Some(format!("`{inside}` has {} bytes instead of {}", metadata.len(), file.size));
        }
        if Stat::of(&metadata) == file.stat {
            return None;
        }
        match self.digest_of(&place.file(inside)) {
            Ok(digest) if digest == file.digest => None,
            Ok(_) => Some(format!("`{inside}` has another content than it was written with")),
            Err(error) => Some(format!("`{inside}` can't be read: {error}")),
        }
    }

    fn damaged<T>(&self, key: &Digest, culprit: &Path, what: String) -> Result<(Found, Option<T>), StoreError> {
        Ok((Found::Damaged(Damage { key: *key, what, moved_to: self.set_aside(culprit)? }), None))
    }

    /// Moves a file or folder into `quarantine/`; `None` when the cache is only read, or another process was faster.
    pub(super) fn set_aside(&self, path: &Path) -> Result<Option<PathBuf>, StoreError> {
        if self.access == Access::Read {
            return Ok(None);
        }
        let name = path.file_name().map_or_else(Default::default, |name| name.to_string_lossy().into_owned());
        let free = self.root.join("quarantine").join(self.unique(&name));
        match tree::move_away(path, &free) {
            Ok(()) => Ok(Some(free)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// A small file of the cache. What is in it when it gets a name does not change; a bundle may get longer.
    pub(super) fn read(&self, path: &Path) -> Result<Option<Read>, StoreError> {
        match Read::from(path) {
            Ok(read) => Ok(Some(read)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.fail(error)),
        }
    }

    pub(super) fn name_path(&self, pipeline: &str, identity: &Digest) -> PathBuf {
        self.root.join("names").join(pipeline).join(format!("{identity}.json"))
    }
}

impl Records for Store {
    fn lookup_latest(&self, pipeline: &str, instance: &Instance, key: &Digest) -> Lookup {
        match self.recall(pipeline, instance, key) {
            Some(brief) => Lookup::Found(brief.output),
            None => self.lookup(key),
        }
    }

    fn lookup(&self, key: &Digest) -> Lookup {
        match self.find(key) {
            Ok(Found::Whole(brief)) => Lookup::Found(brief.output),
            Ok(Found::Missing) => Lookup::Missing,
            Ok(Found::Damaged(damage)) => Lookup::Damaged(damage.to_string()),
            Err(error) => Lookup::Damaged(error.to_string()),
        }
    }

    fn previous(&self, pipeline: &str, instance: &Instance) -> Option<Preimage> {
        Some(self.latest(pipeline, instance).ok()??.preimage)
    }

    fn shapes(&self) -> Shapes {
        self.all_shapes()
    }
}

/// A file that was read.
pub(super) struct Read {
    metadata: Metadata,
    pub bytes: Vec<u8>,
}

impl Read {
    /// With as few system calls as possible: a run without anything to do makes few others.
    fn from(path: &Path) -> io::Result<Self> {
        let mut file = fs::File::open(path)?;
        let metadata = file.metadata()?;
        let mut bytes = vec![0; usize::try_from(metadata.len()).unwrap_or(0)];
        file.read_exact(&mut bytes)?;
        Ok(Self { metadata, bytes })
    }
}

impl From<Outline> for Brief {
    fn from(record: Outline) -> Self {
        let bare = record.bare().map(str::to_owned);
        let maker = Arc::new(Maker { host: record.host, versions: record.versions });
        Self { output: record.output, bare, facts: record.facts, seconds: record.seconds, maker }
    }
}

impl From<&Record> for Brief {
    fn from(record: &Record) -> Self {
        let maker = Arc::new(Maker { host: record.host.clone(), versions: record.versions.clone() });
        let bare = record.bare().map(str::to_owned);
        Self { output: record.output, bare, facts: record.facts.clone(), seconds: record.seconds, maker }
    }
}

/// Why a record can't be read that should stand in a file.
pub(super) fn unreadable(file: &[u8], record: &[u8], error: &serde_json::Error) -> String {
    if record.is_empty() && bundle::has_head(file) {
        return "its record is gone from the file that it should stand in".to_owned();
    }
    format!("its record can't be read: {error}")
}

/// What is needed of a record to find its result; `None` when it has the format of another program version.
pub(super) fn outline(bytes: &[u8]) -> Result<Option<Outline>, serde_json::Error> {
    match serde_json::from_slice::<Outline>(bytes) {
        Ok(outline) if outline.schema == record::SCHEMA => Ok(Some(outline)),
        Ok(_) => Ok(None),
        // What is wrong with it is said in the words of the whole record.
        Err(error) => parse(bytes).map_or_else(Err, |record| if record.is_none() { Ok(None) } else { Err(error) }),
    }
}

/// A record; `None` when it has the format of another program version.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<Record>, serde_json::Error> {
    let of_another_format = || {
        let value: serde_json::Value = serde_json::from_slice(bytes).ok()?;
        Some(value.get("schema")?.as_u64()? != u64::from(record::SCHEMA))
    };
    match serde_json::from_slice::<Record>(bytes) {
        Ok(record) if record.schema == record::SCHEMA => Ok(Some(record)),
        Ok(_) => Ok(None),
        Err(_) if of_another_format() == Some(true) => Ok(None),
        Err(error) => Err(error),
    }
}
