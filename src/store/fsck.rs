//! Checking the cache as a whole.
//!
//! Looking changes nothing. What is damaged is then moved to `quarantine/`, so that it counts as not there and is made
//! again: under the lock of its key and after a second look, since a run may have mended it meanwhile. What is whole is
//! never touched, and what another process is making is left to it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err as fs;
use rayon::prelude::*;
use serde::Serialize;

use super::durations;
use super::memo;
use super::record::{Latest, Record};
use super::seen;
use super::tree;
use super::{Access, KeyAttempt, KeyLock, Store, StoreError, bundle, find, object, unflushed, usage};
use crate::base::{Digest, files, lock};
use crate::plan::key;

/// How often a lock is asked for that somebody else has, and after which pause.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(10);

/// How closely files are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// They are there, and have the length that they were published with.
    Quick,
    /// They are read, and have the digest that they were published with.
    Deep,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Checkup {
    /// Records looked at.
    pub records: usize,
    /// Results looked at.
    pub objects: usize,
    /// Files in them.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// What is not as it should be, worst first.
    pub findings: Vec<Finding>,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is.
    pub kind: Kind,
    /// Where it is.
    pub path: PathBuf,
    /// What is wrong.
    pub what: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// What can be wrong in a cache; the first three are damage, the others are leftovers that harm nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A record can't be read or does not belong where it is.
    Record,
    /// The files of a result are not what was published.
    Object,
    /// A note of an instance's latest result can't be read.
    Name,
    /// A record has the format of another version of the program.
    Foreign,
    /// No record names this result.
    Orphan,
    /// A result that a process was making when it died.
    Work,
    /// A file that a process was writing when it died.
    Unfinished,
    /// The lock of a process that died.
    Lock,
    /// Lines of `memo`, `durations` or `uses` that a crash has torn; they are read past.
    Torn,
}

/// What was done about a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing: it was only looked for, or `compt gc` is the one who removes it.
    Told,
    /// It is here now, in `quarantine/`.
    Moved(PathBuf),
    /// It is gone.
    Removed,
    /// Nothing: this process is making the result anew.
    Held(String),
    /// Nothing: it was made again or removed meanwhile.
    Mended,
}

impl Kind {
    /// Whether something was lost.
    pub fn is_damage(self) -> bool {
        matches!(self, Self::Record | Self::Object | Self::Name)
    }
}

impl Checkup {
    /// How many of the findings are damage.
    pub fn damaged(&self) -> usize {
        self.findings.iter().filter(|finding| finding.kind.is_damage()).count()
    }
}

/// A file in `records/`, looked at.
enum Examined {
    Whole(Box<Record>),
    Foreign,
    Damaged(String),
    Gone,
}

/// Everything that one look at the cache gives.
#[derive(Default)]
struct Look {
    checkup: Checkup,
    /// The records that name each result, by where that is.
    readers: BTreeMap<PathBuf, Vec<Record>>,
}

impl Store {
    /// Looks at everything in the cache. A store that may be written then moves damage to `quarantine/` and removes what
    /// dead processes have left locked or half made.
    ///
    /// # Errors
    /// When a folder of the cache can't be read, or damage can't be moved.
    pub fn check(&self, depth: Depth) -> Result<Checkup, StoreError> {
        let mut look = Look::default();
        self.look_at_records(&mut look)?;
        self.look_at_objects(&mut look, depth)?;
        self.look_at_names(&mut look)?;
        self.look_at_leftovers(&mut look)?;
        let Look { mut checkup, readers } = look;
        if self.access == Access::Write {
            for finding in &mut checkup.findings {
                finding.outcome = self.mend(finding, depth, &readers)?;
            }
        }
        checkup.findings.sort_by(|a, b| (a.kind, &a.path).cmp(&(b.kind, &b.path)));
        Ok(checkup)
    }

    fn look_at_records(&self, look: &mut Look) -> Result<(), StoreError> {
        let paths = self.fanned_entries("records")?;
        let examined: Vec<(PathBuf, Examined)> =
            paths.into_par_iter().map(|path| (path.clone(), self.examine_record(&path))).collect();
        for (path, examined) in examined {
            match examined {
                Examined::Whole(record) => {
                    look.checkup.records += 1;
                    look.readers.entry(self.files(&record).whole()).or_default().push(*record);
                }
                Examined::Foreign => {
                    look.checkup.records += 1;
                    look.note(Kind::Foreign, path, "it has the format of another version of compt");
                }
                Examined::Damaged(what) => look.note(Kind::Record, path, what),
                Examined::Gone => {}
            }
        }
        Ok(())
    }

    fn examine_record(&self, path: &Path) -> Examined {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Examined::Gone,
            Err(error) => return Examined::Damaged(format!("its record can't be read: {error}")),
        };
        let text = key_of(path).map_or(bytes.as_slice(), |key| bundle::record(&bytes, &key));
        let record = match find::parse(text) {
            Ok(Some(record)) => record,
            Ok(None) => return Examined::Foreign,
            Err(error) => return Examined::Damaged(find::unreadable(&bytes, text, &error)),
        };
        if self.record_path(&record.key) != path {
            return Examined::Damaged(format!("its record is the one of key {}", record.key.short()));
        }
        // Another version of the program computes keys in another way.
        if record.preimage.schema == key::SCHEMA && record.preimage.key() != record.key {
            return Examined::Damaged("its key is not the digest of what it says it was made of".to_owned());
        }
        if tree::digest(record.files.iter().map(|(inside, file)| (inside.as_str(), file.digest))) != record.output {
            return Examined::Damaged("its files do not make up its output digest".to_owned());
        }
        Examined::Whole(Box::new(record))
    }

    fn look_at_objects(&self, look: &mut Look, depth: Depth) -> Result<(), StoreError> {
        let named: Vec<(&PathBuf, &Record)> = look.readers.iter().map(|(path, records)| (path, &records[0])).collect();
        let faults: Vec<(PathBuf, String)> = named
            .par_iter()
            .filter_map(|(path, record)| Some(((*path).clone(), self.fault_of_object(record, depth)?)))
            .collect();
        let (count, files) = (named.len(), named.iter().map(|(_, record)| record.files.len()).sum::<usize>());
        let bytes = named.iter().flat_map(|(_, record)| record.files.values()).map(|file| file.size).sum::<u64>();
        drop(named);
        look.checkup.objects = count;
        look.checkup.files = files;
        look.checkup.bytes = bytes;
        for (path, what) in faults {
            let names: Vec<&str> = look.readers[&path].iter().map(|record| record.name.as_str()).collect();
            let what = format!("{what} (the result of {})", some_of(&names));
            look.note(Kind::Object, path, what);
        }
        for path in self.fanned_entries("objects")? {
            if !look.readers.contains_key(&path) {
                look.note(Kind::Orphan, path, "no record names it; `compt gc` removes it");
            }
        }
        Ok(())
    }

    /// What is wrong with the files of a result.
    fn fault_of_object(&self, record: &Record, depth: Depth) -> Option<String> {
        let (place, files) = (self.files(record), &record.files);
        let there = match place.name() {
            Some(name) => BTreeMap::from([(name.to_owned(), place.whole())]),
            None if !place.folder().is_dir() => return Some("its files are gone".to_owned()),
            None => match tree::list(&self.root, place.folder()) {
                Ok(listing) => listing.files,
                Err(error) => return Some(error.to_string()),
            },
        };
        if let Some(extra) = there.keys().find(|inside| !files.contains_key(*inside)) {
            return Some(format!("`{extra}` was not published with it"));
        }
        files.iter().find_map(|(inside, file)| {
            let Some(path) = there.get(inside) else { return Some(format!("`{inside}` is gone")) };
            let size = match object::metadata(&place, inside) {
                Ok(metadata) if metadata.is_file() => metadata.len(),
                Ok(_) => return Some(format!("`{inside}` is no plain file")),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Some(format!("`{inside}` is gone")),
                Err(error) => return Some(format!("`{inside}` can't be read: {error}")),
            };
            if size != file.size {
                return Some(format!("`{inside}` has {size} bytes instead of {}", file.size));
            }
            if depth == Depth::Quick {
                return None;
            }
            // Read, not remembered: a disk that forgets leaves times as they were.
            match Digest::of_file(path) {
                Ok(digest) if digest == file.digest => None,
                Ok(_) => Some(format!("`{inside}` has another content than it was written with")),
                Err(error) => Some(format!("`{inside}` can't be read: {error}")),
            }
        })
    }

    fn look_at_names(&self, look: &mut Look) -> Result<(), StoreError> {
        for path in self.fanned_entries("names")? {
            // A note whose record is gone is none: it outlives the record, so that `compt why` can name what changed.
            if let Ok(Err(error)) = read_note(&path) {
                look.note(Kind::Name, path, format!("it can't be read: {error}"));
            }
        }
        Ok(())
    }

    fn look_at_leftovers(&self, look: &mut Look) -> Result<(), StoreError> {
        for path in self.unfinished()?.into_iter().filter(|path| !files::is_being_written(path)) {
            look.note(Kind::Unfinished, path, "a process died while it was writing it");
        }
        for (folder, kind, what) in [
            ("work", Kind::Work, "a process died while it was making this result"),
            ("locks", Kind::Lock, "the process that held it died"),
        ] {
            for path in self.entries(&self.root.join(folder))? {
                let dead = key_of(&path).is_some_and(|key| self.is_free(&key));
                if dead && path.exists() {
                    look.note(kind, path, what);
                }
            }
        }
        for (name, torn) in [
            ("memo", self.journal_of("memo").torn::<memo::Line>()),
            ("durations", self.durations.torn::<durations::Line>()),
            (usage::FILE, self.uses.torn()),
        ] {
            if torn > 0 {
                let lines = if torn == 1 { "line is" } else { "lines are" };
                look.note(Kind::Torn, self.root.join(name), format!("{torn} {lines} torn and read past"));
            }
        }
        Ok(())
    }

    /// Whether nobody is building `key`, told without leaving a trace.
    fn is_free(&self, key: &Digest) -> bool {
        !self.lock_path(key).exists() || lock::holder(&self.lock_path(key)).is_none()
    }

    /// Does what can be done about a finding.
    fn mend(
        &self,
        finding: &Finding,
        depth: Depth,
        readers: &BTreeMap<PathBuf, Vec<Record>>,
    ) -> Result<Outcome, StoreError> {
        match finding.kind {
            Kind::Record => {
                let Some(key) = key_of(&finding.path) else { return self.quarantined(&finding.path) };
                let _lock = match self.locks_of([&key])? {
                    Ok(locks) => locks,
                    Err(holder) => return Ok(Outcome::Held(holder)),
                };
                match self.examine_record(&finding.path) {
                    Examined::Damaged(_) => self.quarantined(&finding.path),
                    _ => Ok(Outcome::Mended),
                }
            }
            Kind::Object => {
                let records = readers.get(&finding.path).map(Vec::as_slice).unwrap_or_default();
                let keys: BTreeSet<&Digest> = records.iter().map(|record| &record.key).collect();
                let _locks = match self.locks_of(keys.iter().copied())? {
                    Ok(locks) => locks,
                    Err(holder) => return Ok(Outcome::Held(holder)),
                };
                if records.first().and_then(|record| self.fault_of_object(record, depth)).is_none() {
                    return Ok(Outcome::Mended);
                }
                let mut moved = None;
                for key in keys {
                    moved = self.set_aside(&self.record_path(key))?.or(moved);
                }
                // A record that can't be found again is of no use without its files, and the other way round.
                match finding.path.exists() {
                    true => self.quarantined(&finding.path),
                    false => Ok(moved.map_or(Outcome::Mended, Outcome::Moved)),
                }
            }
            Kind::Name => self.quarantined(&finding.path),
            Kind::Work | Kind::Lock => {
                let Some(key) = key_of(&finding.path) else { return Ok(Outcome::Told) };
                // Taking a lock and giving it back removes its file.
                let _lock = match self.locks_of([&key])? {
                    Ok(locks) => locks,
                    Err(holder) => return Ok(Outcome::Held(holder)),
                };
                if finding.kind == Kind::Work {
                    tree::remove(&finding.path).map_err(|error| self.fail(error))?;
                }
                Ok(Outcome::Removed)
            }
            Kind::Unfinished => {
                finding.path.parent().into_iter().for_each(files::clear_unfinished);
                Ok(Outcome::Removed)
            }
            Kind::Foreign | Kind::Orphan | Kind::Torn => Ok(Outcome::Told),
        }
    }

    fn quarantined(&self, path: &Path) -> Result<Outcome, StoreError> {
        Ok(self.set_aside(path)?.map_or(Outcome::Mended, Outcome::Moved))
    }

    /// The right to build all of these keys, or who has one of them.
    fn locks_of<'a>(
        &self,
        keys: impl IntoIterator<Item = &'a Digest>,
    ) -> Result<Result<Vec<KeyLock>, String>, StoreError> {
        let mut locks = Vec::new();
        for key in keys {
            // While somebody takes over another lock of a dead process, it seems to live for a moment.
            let mut tries = 0;
            let attempt = loop {
                tries += 1;
                match self.try_lock(key)? {
                    KeyAttempt::Held(_) if tries < TRIES => std::thread::sleep(PAUSE),
                    attempt => break attempt,
                }
            };
            match attempt {
                KeyAttempt::Taken(lock) => locks.push(lock),
                KeyAttempt::Held(Some(holder)) => return Ok(Err(holder.to_string())),
                KeyAttempt::Held(None) => return Ok(Err("another process".to_owned())),
            }
        }
        Ok(Ok(locks))
    }

    /// What is in the folders of `records/`, `objects/` or `names/`, sorted; without files that are being written.
    pub(super) fn fanned_entries(&self, kind: &str) -> Result<Vec<PathBuf>, StoreError> {
        let mut all = Vec::new();
        for folder in self.entries(&self.root.join(kind))? {
            if folder.is_dir() {
                all.extend(self.entries(&folder)?.into_iter().filter(|path| !files::is_hidden(path)));
            }
        }
        Ok(all)
    }

    /// Files that were being written when this was asked, or when a process died.
    pub(super) fn unfinished(&self) -> Result<Vec<PathBuf>, StoreError> {
        let mut folders = vec![self.root.clone()];
        folders.extend([seen::FOLDER, "locks", unflushed::FOLDER].map(|name| self.root.join(name)));
        for kind in ["records", "names"] {
            folders.extend(self.entries(&self.root.join(kind))?.into_iter().filter(|path| path.is_dir()));
        }
        let mut all = Vec::new();
        for folder in folders {
            all.extend(self.entries(&folder)?.into_iter().filter(|path| files::is_unfinished(path)));
        }
        Ok(all)
    }

    /// What is in a folder, sorted; nothing if it isn't there.
    pub(super) fn entries(&self, folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.fail(error)),
        };
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<_>>()
            .map_err(|e| self.fail(e))?;
        paths.sort();
        Ok(paths)
    }
}

impl Look {
    fn note(&mut self, kind: Kind, path: PathBuf, what: impl Into<String>) {
        self.checkup.findings.push(Finding { kind, path, what: what.into(), outcome: Outcome::Told });
    }
}

/// The key that the name of a file or folder begins with.
pub(super) fn key_of(path: &Path) -> Option<Digest> {
    path.file_name()?.to_str()?.get(..64).and_then(Digest::parse)
}

/// What a file in the folder of a pipeline's notes says: the outer error is that it can't be read, the inner one that it makes no
/// sense.
pub(super) fn read_note(path: &Path) -> io::Result<serde_json::Result<Latest>> {
    let bytes = fs::read(path)?;
    let pipeline = path.parent().and_then(|folder| folder.file_name()?.to_str());
    let text = match (pipeline, key_of(path)) {
        (Some(pipeline), Some(identity)) => bundle::note(&bytes, pipeline, &identity),
        _ => &bytes,
    };
    Ok(serde_json::from_slice(text))
}

fn some_of(names: &[&str]) -> String {
    match names {
        [] => "nothing".to_owned(),
        [one] => format!("`{one}`"),
        [first, rest @ ..] => format!("`{first}` and {} more", rest.len()),
    }
}
