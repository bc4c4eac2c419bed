//! Why a source can't be had, in the words that the user reads.

use std::path::PathBuf;

use crate::base::suggest;
use crate::protocol::{StageError, StageErrorKind};

/// Most file names that one message lists.
const MOST_LISTED: usize = 12;

/// Why a source can't be had.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Neither an id of the hub nor a folder.
    #[error(
        "`{name}` names no model, expected `owner/name`, `owner/name@revision`, a folder as `./folder`, or `builtin/nano`"
    )]
    BadName {
        /// What was typed.
        name: String,
    },
    /// No such backbone in this executable.
    #[error("there is no backbone `{name}` in this executable, only {}", known.join(", "))]
    NoBuiltin {
        /// What was typed.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// No such repository, or one that only its friends can see.
    #[error("the hub at {endpoint} has no {what}, or does not show it to {}", if *token { "the owner of this token" } else { "a visitor without a token" })]
    NoRepository {
        /// `dataset `nyu-mll/glue``.
        what: String,
        /// The hub.
        endpoint: String,
        /// Whether a token was sent.
        token: bool,
    },
    /// The repository has no such branch, tag or commit.
    #[error("the {what} has no revision `{revision}`")]
    NoRevision {
        /// The repository.
        what: String,
        /// What was asked for.
        revision: String,
    },
    /// The owner of the repository wants to be asked first.
    #[error("the {what} is gated: its owner lets in only who has accepted its conditions")]
    Gated {
        /// The repository.
        what: String,
        /// The page to accept them on.
        page: String,
        /// Whether a token was sent.
        token: bool,
    },
    /// The hub answers, and says no.
    #[error("the hub at {endpoint} refused access to {what} (HTTP status {status})")]
    Refused {
        /// The repository or file.
        what: String,
        /// The hub.
        endpoint: String,
        /// 401 or 403.
        status: u16,
        /// Whether a token was sent.
        token: bool,
    },
    /// The hub can't be reached, or keeps failing.
    #[error("failed to get {what} from {endpoint}: {reason}{}", if *attempts > 1 { format!(" ({attempts} attempts)") } else { String::new() })]
    Unreachable {
        /// The repository or file.
        what: String,
        /// The hub.
        endpoint: String,
        /// What went wrong last.
        reason: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// An answer that is not the hub's.
    #[error("{endpoint} does not answer as a hub does: {reason}")]
    NoHub {
        /// The hub.
        endpoint: String,
        /// What is strange.
        reason: String,
    },
    /// Offline, and the cache does not have it.
    #[error("the {what} is not in the hub's cache `{}`, and HF_HUB_OFFLINE forbids to fetch it", cache.display())]
    Offline {
        /// The repository or file.
        what: String,
        /// The cache.
        cache: PathBuf,
    },
    /// The mirror lacks a repository.
    #[error("the mirror `{}` has no {what}: there is no folder `{}`", mirror.display(), folder.display())]
    NotMirrored {
        /// The repository.
        what: String,
        /// The mirror.
        mirror: PathBuf,
        /// Where it would be.
        folder: PathBuf,
    },
    /// A local path that does not exist.
    #[error("there is no file or folder `{}`", path.display())]
    NoPath {
        /// The path.
        path: PathBuf,
    },
    /// The source is there, a file is not.
    #[error("{place} has no file `{wanted}`{}", listing(available))]
    NoFile {
        /// The source.
        place: String,
        /// The name or pattern.
        wanted: String,
        /// What it has.
        available: Vec<String>,
    },
    /// The cache or a folder can't be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

fn listing(available: &[String]) -> String {
    match available {
        [] => ", it is empty".to_owned(),
        few if few.len() <= MOST_LISTED => format!(", only {}", few.join(", ")),
        many => format!(", only {} and {} more", many[..MOST_LISTED].join(", "), many.len() - MOST_LISTED),
    }
}

impl SourceError {
    /// What to type or do next.
    pub fn hint(&self) -> Option<String> {
        let token_hint = |token: bool| match token {
            false => "set HF_TOKEN to a token of an account that may read it",
            true => "check that HF_TOKEN belongs to an account that may read it",
        };
        Some(match self {
            Self::BadName { .. } => return None,
            Self::NoBuiltin { name, known } => {
                let near = suggest::nearest(name, known.iter().map(String::as_str))?;
                format!("did you mean `{near}`?")
            }
            Self::NoRepository { token, .. } => {
                format!("check the spelling; if it is private, {}", token_hint(*token))
            }
            Self::NoRevision { .. } => "name a branch, a tag or a commit of it, for instance `main`".to_owned(),
            Self::Gated { page, token: false, .. } => format!("accept them at {page}, then set HF_TOKEN"),
            Self::Gated { page, token: true, .. } => {
                format!("accept them at {page} with the account that HF_TOKEN belongs to")
            }
            Self::Refused { token, .. } => token_hint(*token).to_owned(),
            Self::Unreachable { .. } => {
                "check the network, then run the same command again: what is downloaded is kept; without a network, \
                 use `--mirror DIR`, or HF_HUB_OFFLINE=1 with a filled cache"
                    .to_owned()
            }
            Self::NoHub { .. } => "check HF_ENDPOINT, and the proxy of this network".to_owned(),
            Self::Offline { .. } => {
                "run once with a network and without HF_HUB_OFFLINE, or use `--mirror DIR`".to_owned()
            }
            Self::NotMirrored { .. } => "copy it there, or leave `--mirror` out to use the hub".to_owned(),
            Self::NoPath { .. } => "paths are read against the project folder".to_owned(),
            Self::NoFile { wanted, available, .. } => {
                let near = suggest::nearest(wanted, available.iter().map(String::as_str))?;
                format!("did you mean `{near}`?")
            }
            Self::Io(error) => match error.kind() {
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                    "free some space, or set HF_HOME to a folder on another disk".to_owned()
                }
                std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                    "set HF_HOME to a folder that can be written".to_owned()
                }
                _ => return None,
            },
        })
    }
}

impl From<SourceError> for StageError {
    fn from(error: SourceError) -> Self {
        let kind = match &error {
            SourceError::Unreachable { .. }
            | SourceError::NoHub { .. }
            | SourceError::Offline { .. }
            | SourceError::Refused { .. }
            | SourceError::Gated { .. }
            | SourceError::Io(_) => StageErrorKind::Environment,
            _ => StageErrorKind::Input,
        };
        Self { kind, message: error.to_string(), hint: error.hint() }
    }
}
