//! What the sources of a pipeline contain: revisions and file digests, kept in the lock file `pipelines/NAME.lock`.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::catalog::SourceRef;
use crate::base::{Digest, canonical, files};

/// The number of the lock file's format.
const FORMAT: u32 = 1;

/// One file of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedFile {
    /// Its length in bytes.
    pub size: u64,
    /// The digest of its content.
    pub digest: Digest,
}

/// A source as it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// What was asked of the hub when this was pinned: repository, revision and files. An entry that was made for another
    /// request says nothing about this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The hub's commit id; absent for what comes from a folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Its files by their path inside the source.
    pub files: BTreeMap<String, PinnedFile>,
}

impl Pin {
    /// The digest of the files' contents and of their paths inside the source. The revision doesn't count: two revisions
    /// with equal files are the same source.
    pub fn digest(&self) -> Digest {
        let files: serde_json::Map<String, Value> =
            self.files.iter().map(|(path, file)| (path.clone(), Value::from(file.digest.to_string()))).collect();
        canonical::digest("compt source", &Value::Object(files))
    }
}

/// The sources of a pipeline, as far as they are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins {
    sources: BTreeMap<SourceRef, Pin>,
}

impl Pins {
    /// What is known of `source`.
    pub fn get(&self, source: &SourceRef) -> Option<&Pin> {
        self.sources.get(source)
    }

    /// Notes what `source` contains; what was known of it before is forgotten.
    pub fn insert(&mut self, source: SourceRef, pin: Pin) {
        self.sources.insert(source, pin);
    }

    /// Takes over all that `found` knows; sources that only `self` knows stay (another profile may need them).
    pub fn merge(&mut self, found: &Self) {
        self.sources.extend(found.sources.iter().map(|(source, pin)| (source.clone(), pin.clone())));
    }

    /// The sources in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&SourceRef, &Pin)> {
        self.sources.iter()
    }

    /// What `found` says otherwise than these pins. Sources that only these pins know are no difference.
    pub fn differences(&self, found: &Self) -> Vec<Difference> {
        found.sources.iter().flat_map(|(source, pin)| Difference::between(source, self.get(source), pin)).collect()
    }

    /// For `--locked`: refuses sources that aren't as these pins say.
    ///
    /// # Errors
    /// Every difference, by name.
    pub fn require(&self, found: &Self, lock_file: &Path) -> Result<(), LockedError> {
        let differences = self.differences(found);
        if differences.is_empty() { Ok(()) } else { Err(LockedError { path: lock_file.to_owned(), differences }) }
    }

    /// Reads a lock file; one that doesn't exist pins nothing.
    ///
    /// # Errors
    /// When it can't be read, or isn't a lock file of a format known here.
    pub fn read(path: &Path) -> Result<Self, PinsError> {
        let text = match fs_err::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(PinsError::Io(error)),
        };
        let unreadable = |message: String| PinsError::Unreadable { path: path.to_owned(), message };
        let file: LockFile = serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
        if file.format != FORMAT {
            return Err(unreadable(format!("its format is {}, this program reads {FORMAT}", file.format)));
        }
        Ok(file.into())
    }

    /// Writes the lock file, whole or not at all; nothing is written when it already says the same.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&self, path: &Path) -> Result<(), PinsError> {
        let mut text = serde_json::to_string_pretty(&LockFile::from(self)).expect("pins are plain data with text keys");
        text.push('\n');
        if fs_err::read_to_string(path).is_ok_and(|present| present == text) {
            return Ok(());
        }
        files::write_atomically(path, text.as_bytes()).map_err(PinsError::Io)
    }
}

impl FromIterator<(SourceRef, Pin)> for Pins {
    fn from_iter<T: IntoIterator<Item = (SourceRef, Pin)>>(pins: T) -> Self {
        Self { sources: pins.into_iter().collect() }
    }
}

/// The lock file's layout.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LockFile {
    format: u32,
    #[serde(default)]
    datasets: BTreeMap<String, Pin>,
    #[serde(default)]
    models: BTreeMap<String, Pin>,
    #[serde(default)]
    files: BTreeMap<String, Pin>,
}

impl From<&Pins> for LockFile {
    fn from(pins: &Pins) -> Self {
        let mut file = Self { format: FORMAT, ..Self::default() };
        for (source, pin) in pins.iter() {
            let (map, name) = match source {
                SourceRef::Dataset(name) => (&mut file.datasets, name),
                SourceRef::Model(name) => (&mut file.models, name),
                SourceRef::File(name) => (&mut file.files, name),
            };
            map.insert(name.clone(), pin.clone());
        }
        file
    }
}

impl From<LockFile> for Pins {
    fn from(file: LockFile) -> Self {
        let datasets = file.datasets.into_iter().map(|(name, pin)| (SourceRef::Dataset(name), pin));
        let models = file.models.into_iter().map(|(name, pin)| (SourceRef::Model(name), pin));
        let files = file.files.into_iter().map(|(name, pin)| (SourceRef::File(name), pin));
        datasets.chain(models).chain(files).collect()
    }
}

/// A lock file that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PinsError {
    /// It can't be read or written.
    #[error(transparent)]
    Io(io::Error),
    /// It is no lock file.
    #[error("the lock file `{}` can't be read: {message}; restore it, or delete it to pin the sources anew", path.display())]
    Unreadable {
        /// Where it is.
        path: PathBuf,
        /// Why.
        message: String,
    },
}

/// One way in which a source isn't as the lock file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The source.
    pub source: SourceRef,
    /// What differs.
    pub what: Changed,
}

/// What differs between a source and its pin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Changed {
    /// The lock file doesn't know it.
    NotPinned,
    /// Asked for in another way, old and new: repository, revision or files.
    Request(Option<String>, Option<String>),
    /// Another revision, old and new.
    Revision(Option<String>, Option<String>),
    /// A file that the lock file doesn't know.
    FileAdded(String),
    /// A file that isn't there any more.
    FileRemoved(String),
    /// Another content, old and new.
    FileChanged(String, PinnedFile, PinnedFile),
}

impl Difference {
    /// What `new` says otherwise than `old` about content and revision.
    pub(super) fn between(source: &SourceRef, old: Option<&Pin>, new: &Pin) -> Vec<Self> {
        let mut found = Vec::new();
        let mut note = |what| found.push(Self { source: source.clone(), what });
        let Some(old) = old else {
            note(Changed::NotPinned);
            return found;
        };
        if old.revision != new.revision {
            note(Changed::Revision(old.revision.clone(), new.revision.clone()));
        }
        for (path, file) in &new.files {
            match old.files.get(path) {
                None => note(Changed::FileAdded(path.clone())),
                Some(before) if before != file => note(Changed::FileChanged(path.clone(), *before, *file)),
                Some(_) => {}
            }
        }
        for path in old.files.keys().filter(|path| !new.files.contains_key(*path)) {
            note(Changed::FileRemoved(path.clone()));
        }
        found
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let revision = |revision: &Option<String>| revision.clone().unwrap_or_else(|| "none".to_owned());
        write!(f, "{}: ", self.source)?;
        match &self.what {
            Changed::NotPinned => f.write_str("it is not in the lock file"),
            Changed::Request(old, new) => {
                write!(f, "it was asked for as {}, and now as {}", revision(old), revision(new))
            }
            Changed::Revision(old, new) => write!(f, "revision {} -> {}", revision(old), revision(new)),
            Changed::FileAdded(path) => write!(f, "file `{path}` is new"),
            Changed::FileRemoved(path) => write!(f, "file `{path}` is gone"),
            Changed::FileChanged(path, old, new) => write!(
                f,
                "file `{path}` changed: {} bytes, digest {} -> {} bytes, digest {}",
                old.size,
                old.digest.short(),
                new.size,
                new.digest.short()
            ),
        }
    }
}

/// `--locked`, but a source isn't as the lock file says.
#[derive(Debug)]
pub struct LockedError {
    /// The lock file.
    pub path: PathBuf,
    /// Every difference.
    pub differences: Vec<Difference>,
}

impl fmt::Display for LockedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`--locked` forbids to change `{}`, but the sources differ from it:", self.path.display())?;
        for difference in &self.differences {
            write!(f, "\n  {difference}")?;
        }
        f.write_str("\nrun once without `--locked` to accept them, then commit the lock file")
    }
}

impl std::error::Error for LockedError {}

#[cfg(test)]
mod tests {
    use super::{Pin, PinnedFile, Pins, PinsError};
    use crate::base::Digest;
    use crate::plan::catalog::SourceRef;
    use proptest::prelude::*;
    use std::path::Path;

    fn pin(revision: Option<&str>, files: &[(&str, &str)]) -> Pin {
        let file = |text: &str| PinnedFile { size: text.len() as u64, digest: Digest::of(text.as_bytes()) };
        Pin {
            request: None,
            revision: revision.map(str::to_owned),
            files: files.iter().map(|(path, text)| ((*path).to_owned(), file(text))).collect(),
        }
    }

    fn rte() -> SourceRef {
        SourceRef::Dataset("rte".into())
    }

    #[test]
    fn a_revision_with_equal_files_is_the_same_source() {
        let files = [("train", "abc")];
        assert_eq!(pin(Some("1"), &files).digest(), pin(None, &files).digest());
        assert_ne!(pin(None, &files).digest(), pin(None, &[("train", "abd")]).digest());
        assert_ne!(pin(None, &files).digest(), pin(None, &[("test", "abc")]).digest());
    }

    #[test]
    fn a_lock_file_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.lock");
        assert_eq!(Pins::read(&path).unwrap(), Pins::default());
        let pins: Pins = [
            (rte(), pin(Some("abc"), &[("a", "1"), ("b", "2")])),
            (SourceRef::Model("rte".into()), pin(None, &[])),
            (SourceRef::File("x.csv".into()), pin(None, &[("", "3")])),
        ]
        .into_iter()
        .collect();
        pins.write(&path).unwrap();
        let before = fs_err::metadata(&path).unwrap().modified().unwrap();
        pins.write(&path).unwrap();
        assert_eq!(fs_err::metadata(&path).unwrap().modified().unwrap(), before);
        assert_eq!(Pins::read(&path).unwrap(), pins);
    }

    #[test]
    fn a_damaged_lock_file_says_where_and_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.lock");
        for text in ["{\"format\": 2}", "<<<<<<< HEAD", "{}"] {
            fs_err::write(&path, text).unwrap();
            let error = Pins::read(&path).unwrap_err();
            assert!(matches!(error, PinsError::Unreadable { .. }));
            assert!(error.to_string().contains("p.lock") && error.to_string().contains("delete it"), "{error}");
        }
    }

    #[test]
    fn locked_names_each_difference() {
        let old: Pins = [(rte(), pin(Some("r1"), &[("a", "1"), ("b", "2")]))].into_iter().collect();
        let new: Pins = [
            (rte(), pin(Some("r2"), &[("a", "one"), ("c", "3")])),
            (SourceRef::Model("google-t5/t5-small".into()), pin(None, &[])),
        ]
        .into_iter()
        .collect();
        assert!(old.require(&old, Path::new("p.lock")).is_ok());
        let text = old.require(&new, Path::new("p.lock")).unwrap_err().to_string();
        for part in [
            "`p.lock`",
            "dataset `rte`: revision r1 -> r2",
            "dataset `rte`: file `a` changed: 1 bytes",
            "dataset `rte`: file `b` is gone",
            "dataset `rte`: file `c` is new",
            "model `google-t5/t5-small`: it is not in the lock file",
            "run once without `--locked`",
        ] {
            assert!(text.contains(part), "`{part}` is missing in:\n{text}");
        }
    }

    proptest! {
        #[test]
        fn digests_tell_contents_apart(
            a in prop::collection::btree_map("[ab/]{0,3}", "[xy]{0,2}", 0..4),
            b in prop::collection::btree_map("[ab/]{0,3}", "[xy]{0,2}", 0..4),
        ) {
            let of = |files: &std::collections::BTreeMap<String, String>| {
                let files: Vec<(&str, &str)> = files.iter().map(|(p, t)| (p.as_str(), t.as_str())).collect();
                pin(None, &files).digest()
            };
            prop_assert_eq!(of(&a) == of(&b), a == b);
        }
    }
}
