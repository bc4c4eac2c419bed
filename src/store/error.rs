//! What can go wrong with the cache itself, with what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use crate::base::Digest;
use crate::base::holder::Holder;

/// A fault of the cache folder. A damaged result is none: that is a miss with a warning ([`super::Found::Damaged`]).
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk or the quota is full.
    #[error("no space is left for the cache `{}`: {source}", root.display())]
    Full {
        /// The cache folder.
        root: PathBuf,
        /// What the file system said, with the path.
        source: io::Error,
    },
    /// The cache can't be written.
    #[error("the cache `{}` can't be written: {source}", root.display())]
    ReadOnly {
        /// The cache folder.
        root: PathBuf,
        /// What the file system said, with the path.
        source: io::Error,
    },
    /// The cache can't be read.
    #[error("the cache `{}` can't be read: {source}", root.display())]
    Unreadable {
        /// The cache folder.
        root: PathBuf,
        /// What the file system said, with the path.
        source: io::Error,
    },
    /// Something is to be removed, but other processes use the cache.
    #[error("the cache `{}` is in use by {}", root.display(), users(by))]
    InUse {
        /// The cache folder.
        root: PathBuf,
        /// Those that are making results now.
        by: Vec<Holder>,
    },
    /// The folder belongs to another version of the program.
    #[error("the cache `{}` has layout `{found}`, this program uses layout {known}", root.display())]
    Layout {
        /// The cache folder.
        root: PathBuf,
        /// What is written there.
        found: String,
        /// What this program writes.
        known: &'static str,
    },
    /// The folder is somebody's, and no cache.
    #[error("the folder `{}` is no cache: `{found}` is in it", root.display())]
    Foreign {
        /// The folder.
        root: PathBuf,
        /// Something there that no cache has.
        found: String,
    },
    /// A result holds something that can't be kept.
    #[error("the result `{}` {what}; a result is made of plain files with UTF-8 names", path.display())]
    Strange {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A fault of ours: results were to be published under a key that isn't theirs.
    #[error("the results of `{name}` were made under key {begun}, but their key is {actual}: this is a bug of compt")]
    WrongKey {
        /// The instance.
        name: String,
        /// The key under which the work began.
        begun: Digest,
        /// The key of the preimage.
        actual: Digest,
    },
    /// Anything else that the file system returns, with the path.
    #[error("the cache `{}` can't be used: {source}", root.display())]
    Io {
        /// The cache folder.
        root: PathBuf,
        /// What the file system said, with the path.
        source: io::Error,
    },
}

/// Whether we may not even look into a folder.
fn is_unreadable(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

fn users(by: &[Holder]) -> String {
    match by {
        [] => "another process".to_owned(),
        some => some.iter().map(Holder::to_string).collect::<Vec<_>>().join(" and "),
    }
}

impl StoreError {
    /// `source` sorted by what the user can do about it.
    pub(super) fn io(root: &Path, source: io::Error) -> Self {
        let root = root.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { root, source },
            io::ErrorKind::PermissionDenied if is_unreadable(&root) => Self::Unreadable { root, source },
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Self::ReadOnly { root, source },
            _ => Self::Io { root, source },
        }
    }

    /// What to do next.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Full { .. } => {
                "free some space, then run the same command again: finished stages and checkpoints are kept".to_owned()
            }
            Self::ReadOnly { root, .. } => format!(
                "make `{}` writable, or name another cache folder; `compt plan`, `show`, `verify`, `fsck --dry-run` and \
                 `gc` without `--delete` only read",
                root.display()
            ),
            Self::Unreadable { root, .. } => {
                format!(
                    "`{}` belongs to somebody else; have it made readable, or name another cache with `--cache DIR`",
                    root.display()
                )
            }
            Self::InUse { .. } => {
                "wait until it has ended, then type the same again; nothing was removed, and nothing needs unlocking"
                    .to_owned()
            }
            Self::Layout { root, found, .. } => {
                let help = format!("use the version of compt that made it, or move `{}` away", root.display());
                // A number is that of a later version, and this one would take what that has written for damaged.
                match found.parse::<u32>() {
                    Ok(_) => help,
                    Err(_) => help + "; if only its file `layout` is spoilt, delete that",
                }
            }
            Self::Foreign { .. } => {
                "name a folder with `--cache DIR` (or `COMPT_CACHE`) that is empty, or that is not there yet".to_owned()
            }
            Self::Strange { .. } | Self::WrongKey { .. } => return None,
            Self::Io { root, .. } => format!("check that `{}` is a folder on a working disk", root.display()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::StoreError;
    use std::io;
    use std::path::Path;

    #[test]
    fn a_full_disk_and_a_quota_say_what_to_do() {
        // ENOSPC and EDQUOT of errno(3) on Linux.
        for code in [28, 122] {
            let error = StoreError::io(Path::new("/cache"), io::Error::from_raw_os_error(code));
            assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
            assert!(error.to_string().contains("`/cache`") && error.help().unwrap().contains("free some space"));
        }
    }

    #[test]
    fn a_read_only_cache_names_what_still_works() {
        // EROFS and EACCES.
        for code in [30, 13] {
            let error = StoreError::io(Path::new("/cache"), io::Error::from_raw_os_error(code));
            assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
            assert!(error.help().unwrap().contains("compt plan"));
        }
    }
}
