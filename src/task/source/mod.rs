//! Where data sets and models come from: the hub, its cache, a mirror folder in hub layout, a plain folder, or the
//! executable itself.
//!
//! [`dataset_request`] and [`model_request`] say what is needed, [`locate`] finds it and, when needed, downloads it.
//! With a mirror nothing else is asked; without one, the hub's own cache is used and filled as Python users know it.

mod builtin;
mod download;
mod error;
mod folder;
pub mod glob;
mod http;
mod hub;
mod settings;
mod wanted;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use builtin::{builtin_files, builtin_request};
pub use error::SourceError;
pub use hub::Hub;
pub use settings::{SourceSettings, Token};
pub use wanted::Wanted;

use super::dataset::Dataset;

/// What kind of repository of the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RepositoryKind {
    /// A data set.
    Dataset,
    /// A model.
    Model,
}

impl RepositoryKind {
    /// `dataset` or `model`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dataset => "dataset",
            Self::Model => "model",
        }
    }

    /// The folder of a mirror and the part of an address: `datasets` or `models`.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Dataset => "datasets",
            Self::Model => "models",
        }
    }
}

/// A repository of the hub at a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Data set or model.
    pub kind: RepositoryKind,
    /// `owner/name`.
    pub id: String,
    /// A branch, tag or commit.
    pub revision: String,
}

/// Where to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The hub, or its copy in the mirror.
    Hub(Repository),
    /// A file or folder of this machine.
    Local(PathBuf),
}

/// What must be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRequest {
    /// Where.
    pub origin: Origin,
    /// Which files.
    pub wanted: Wanted,
}

impl SourceRequest {
    /// The same request for exactly these files at this commit: what a lock file has pinned. If all of them are in the
    /// hub's cache, [`locate`] needs no network.
    #[must_use]
    pub fn pinned(mut self, revision: Option<&str>, files: impl IntoIterator<Item = String>) -> Self {
        if let (Origin::Hub(repository), Some(revision)) = (&mut self.origin, revision) {
            repository.revision = revision.to_owned();
        }
        self.wanted = Wanted::Exactly(files.into_iter().collect());
        self
    }
}

/// Files that were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The hub's commit; `None` for folders and mirrors, which have no revisions.
    pub revision: Option<String>,
    /// Files by their path inside the source, with where they lie.
    pub files: BTreeMap<String, PathBuf>,
}

/// Told how downloads go.
pub trait Watch {
    /// `done` of `total` bytes of `file` are here.
    fn received(&mut self, file: &str, done: u64, total: u64) {
        let _ = (file, done, total);
    }

    /// The next attempt waits, because of `reason`.
    fn waiting(&mut self, reason: &str, pause: Duration) {
        let _ = (reason, pause);
    }
}

/// Nobody watches.
impl Watch for () {}

/// What a data set needs. `root` is the project folder, against which local paths are read.
pub fn dataset_request(dataset: &Dataset, root: &Path) -> SourceRequest {
    let patterns =
        dataset.files.present().flat_map(|(_, patterns)| patterns).map(|pattern| dataset.path(pattern)).collect();
    let origin = match (&dataset.source.local, &dataset.source.hub) {
        (Some(local), _) => Origin::Local(root.join(local)),
        (None, id) => Origin::Hub(Repository {
            kind: RepositoryKind::Dataset,
            id: id.clone().unwrap_or_default(),
            revision: dataset.source.revision.clone(),
        }),
    };
    SourceRequest { origin, wanted: Wanted::Matching(patterns) }
}

/// What a backbone needs: `owner/name`, `owner/name@revision`, or a folder, written `./folder`, `../folder` or `/folder`.
///
/// # Errors
/// A name that is neither.
pub fn model_request(name: &str, root: &Path) -> Result<SourceRequest, SourceError> {
    if name.starts_with(['.', '/']) {
        return Ok(SourceRequest { origin: Origin::Local(root.join(name)), wanted: Wanted::Model });
    }
    let (id, revision) = name.split_once('@').unwrap_or((name, "main"));
    if !is_hub_id(id) || revision.is_empty() {
        return Err(SourceError::BadName { name: name.to_owned() });
    }
    let repository = Repository { kind: RepositoryKind::Model, id: id.to_owned(), revision: revision.to_owned() };
    Ok(SourceRequest { origin: Origin::Hub(repository), wanted: Wanted::Model })
}

/// A file or folder of the project.
pub fn file_request(path: &str, root: &Path) -> SourceRequest {
    SourceRequest { origin: Origin::Local(root.join(path)), wanted: Wanted::Matching(vec!["**".to_owned()]) }
}

/// Whether `id` is spelled as the hub spells ids: `owner/name`, or the `name` alone of an old repository.
pub fn is_hub_id(id: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['.', '-'])
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    match id.split_once('/') {
        Some((owner, name)) => part(owner) && part(name),
        None => part(id),
    }
}

/// Finds what is requested; downloads what is not here yet.
///
/// # Errors
/// Something is missing, or the network, the hub or the file system fails; see [`SourceError::hint`].
pub fn locate(
    request: &SourceRequest,
    settings: &SourceSettings,
    watch: &mut dyn Watch,
) -> Result<Located, SourceError> {
    match (&request.origin, &settings.mirror) {
        (Origin::Local(path), _) => folder::local(path, &request.wanted),
        (Origin::Hub(repository), Some(mirror)) => folder::mirror(mirror, repository, &request.wanted),
        (Origin::Hub(repository), None) => Hub::new(settings)?.locate(repository, &request.wanted, watch),
    }
}
