//! From the names that parameters give to files on this machine: what the planner needs to know of a source (its digests)
//! and what a stage needs (its paths).

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::base::Digest;
use crate::plan::catalog::SourceRef;
use crate::plan::pins::{Pin, PinnedFile, Pins};
use crate::protocol::{ResolvedSource, StageError};
use crate::task::dataset;
use crate::task::source::{self, Located, Origin, SourceRequest, SourceSettings, Wanted, Watch};

/// Finds sources.
#[derive(Clone, Debug)]
pub struct Sourcing {
    /// The project folder, against which paths are read.
    pub root: PathBuf,
    /// Where to look.
    pub settings: SourceSettings,
    /// Where built-in backbones are unpacked: a folder of the cache.
    pub builtin: PathBuf,
}

/// How a file's digest is found; the store remembers those of unchanged files.
pub type DigestOf<'a> = &'a (dyn Fn(&Path) -> io::Result<Digest> + Sync);

impl Sourcing {
    /// Whether the source has revisions, so that a lock file can pin it: hub repositories that are asked from the hub.
    ///
    /// # Errors
    /// A name that can't be a source, or a data set file that can't be read.
    pub fn is_from_hub(&self, source: &SourceRef) -> Result<bool, StageError> {
        if builtin(source).is_some() {
            return Ok(false);
        }
        Ok(self.settings.mirror.is_none() && matches!(self.request(source)?.origin, Origin::Hub(_)))
    }

    /// What is asked of the hub for this source, in words: a lock entry counts only for the request it was made for.
    ///
    /// # Errors
    /// A name that can't be a source, or a data set file that can't be read.
    pub fn request_text(&self, source: &SourceRef) -> Result<Option<String>, StageError> {
        if builtin(source).is_some() {
            return Ok(None);
        }
        let request = self.request(source)?;
        let Origin::Hub(repository) = &request.origin else { return Ok(None) };
        let files = match &request.wanted {
            Wanted::Matching(patterns) => patterns.join(", "),
            Wanted::Exactly(files) => files.join(", "),
            Wanted::Model => "model".to_owned(),
        };
        Ok(Some(format!("{}@{}: {files}", repository.id, repository.revision)))
    }

    /// Finds a source (and downloads it, if it must) and says what it contains.
    ///
    /// # Errors
    /// What locating or reading it returns.
    pub fn pin(&self, source: &SourceRef, digest_of: DigestOf<'_>, watch: &mut dyn Watch) -> Result<Pin, StageError> {
        if let Some(files) = builtin(source) {
            let pinned = |(name, bytes): (&str, &[u8])| {
                (name.to_owned(), PinnedFile { size: bytes.len() as u64, digest: Digest::of(bytes) })
            };
            return Ok(Pin { request: None, revision: None, files: files.map(pinned).collect() });
        }
        let located = source::locate(&self.request(source)?, &self.settings, watch)?;
        let files = located.files.iter().map(|(name, path)| {
            let size = fs_err::metadata(path)?.len();
            Ok((name.clone(), PinnedFile { size, digest: digest_of(path)? }))
        });
        let request = self.request_text(source)?;
        Ok(Pin { request, revision: located.revision.clone(), files: files.collect::<io::Result<_>>()? })
    }

    /// Finds a source that was pinned, and checks that it still is what the plan was made with.
    ///
    /// # Errors
    /// What locating it returns, or that it changed.
    pub fn resolve(
        &self,
        source: &SourceRef,
        pins: &Pins,
        digest_of: DigestOf<'_>,
        watch: &mut dyn Watch,
    ) -> Result<ResolvedSource, StageError> {
        let mut request = self.request(source)?;
        let pin = pins.get(source);
        if let Some(pin) = pin.filter(|_| matches!(request.origin, Origin::Hub(_))) {
            request = request.pinned(pin.revision.as_deref(), pin.files.keys().cloned());
        }
        let located = source::locate(&request, &self.settings, watch)?;
        if let Some(pin) = pin {
            check(source, pin, &located, digest_of)?;
        }
        Ok(ResolvedSource { name: name(source).to_owned(), files: located.files })
    }

    fn request(&self, source: &SourceRef) -> Result<SourceRequest, StageError> {
        Ok(match source {
            SourceRef::Dataset(name) => source::dataset_request(&dataset::read(&self.root, name)?, &self.root),
            SourceRef::Model(name) => match source::builtin_request(name, &self.builtin) {
                Some(request) => request?,
                None => source::model_request(name, &self.root)?,
            },
            SourceRef::File(path) => source::file_request(path, &self.root),
        })
    }
}

/// What a built-in backbone contains. It is not unpacked to be known, so that a plan leaves no trace.
fn builtin(source: &SourceRef) -> Option<impl Iterator<Item = (&'static str, &'static [u8])>> {
    match source {
        SourceRef::Model(name) => source::builtin_files(name),
        SourceRef::Dataset(_) | SourceRef::File(_) => None,
    }
}

fn name(source: &SourceRef) -> &str {
    match source {
        SourceRef::Dataset(name) | SourceRef::Model(name) | SourceRef::File(name) => name,
    }
}

/// A file that is not what was pinned would give a result under the wrong key.
fn check(source: &SourceRef, pin: &Pin, located: &Located, digest_of: DigestOf<'_>) -> Result<(), StageError> {
    let mut digests = BTreeMap::new();
    for (name, path) in &located.files {
        digests.insert(name.as_str(), digest_of(path)?);
    }
    let pinned: BTreeMap<&str, Digest> = pin.files.iter().map(|(name, file)| (name.as_str(), file.digest)).collect();
    if digests == pinned {
        return Ok(());
    }
    let changed =
        pinned.iter().find(|(name, digest)| digests.get(*name) != Some(digest)).map_or("a file", |(name, _)| name);
    Err(StageError::input(format!("{source} is not what was pinned: `{changed}` has other bytes")).with_hint(
        "run the same command again to use what is there now; delete the lock file's entry if it is pinned there",
    ))
}
