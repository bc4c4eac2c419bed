//! The files of a result: listed, digested, made read-only.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::StoreError;
use super::memo::Stat;
use crate::base::{Digest, canonical};

/// One file of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredFile {
    /// Its length in bytes.
    pub size: u64,
    /// The digest of its content.
    pub digest: Digest,
    /// What the file system said of it when it was published; while that stands, the content isn't read again.
    pub stat: Stat,
}

/// The digest of a result: of its files' paths and contents.
pub(super) fn digest<'a>(files: impl Iterator<Item = (&'a str, Digest)>) -> Digest {
    let files: serde_json::Map<String, Value> =
        files.map(|(path, digest)| (path.to_owned(), Value::from(digest.to_string()))).collect();
    canonical::digest("compt output", &Value::Object(files))
}

/// The files and folders below a folder.
pub(super) struct Listing {
    /// Files by their path inside, with `/`.
    pub files: BTreeMap<String, PathBuf>,
    /// Folders, each after what it contains; the folder itself is the last.
    pub folders: Vec<PathBuf>,
}

impl Listing {
    /// The name and the path of the file that is all there is.
    pub(super) fn only_file(&self) -> Option<(&str, &Path)> {
        let mut files = self.files.iter().filter(|_| self.folders.len() == 1);
        let only = files.next()?;
        files.next().is_none().then_some((only.0.as_str(), only.1.as_path()))
    }
}

/// Lists a result.
///
/// # Errors
/// When a folder can't be read, or holds what can't be kept: links, devices, names that aren't UTF-8.
pub(super) fn list(root: &Path, folder: &Path) -> Result<Listing, StoreError> {
    let mut listing = Listing { files: BTreeMap::new(), folders: Vec::new() };
    descend(root, folder, "", &mut listing)?;
    Ok(listing)
}

fn descend(root: &Path, folder: &Path, prefix: &str, listing: &mut Listing) -> Result<(), StoreError> {
    let fail = |error| StoreError::io(root, error);
    for entry in fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let kind = entry.file_type().map_err(fail)?;
        let Ok(name) = entry.file_name().into_string() else {
            return Err(StoreError::Strange { path: entry.path(), what: "has a name that is not UTF-8" });
        };
        let inside = format!("{prefix}{name}");
        if kind.is_dir() {
            descend(root, &entry.path(), &format!("{inside}/"), listing)?;
        } else if kind.is_file() {
            listing.files.insert(inside, entry.path());
        } else {
            return Err(StoreError::Strange { path: entry.path(), what: "is no plain file" });
        }
    }
    listing.folders.push(folder.to_owned());
    Ok(())
}

/// Makes every file read-only and digests it. One after the other: results are small, and waking threads for them takes
/// longer.
pub(super) fn seal(listing: &Listing) -> io::Result<BTreeMap<String, StoredFile>> {
    let sealed = listing.files.iter().map(|(inside, path)| Ok((inside.clone(), seal_file(path)?.0)));
    sealed.collect()
}

/// The same with one file, which stays open.
pub(super) fn seal_file(path: &Path) -> io::Result<(StoredFile, fs::File)> {
    let mut file = fs::File::open(path)?;
    file.set_permissions(PermissionsExt::from_mode(0o444))?;
    // In this order: whoever writes to it meanwhile is found out by that.
    let stat = Stat::of(&file.metadata()?);
    Ok((StoredFile { size: stat.size, digest: Digest::of_reader(&mut file)?, stat }, file))
}

/// Makes the folders of a published result read-only, so that nobody writes into it by mistake.
pub(super) fn close(listing: &Listing, moved_to: &Path) -> io::Result<()> {
    let Some(root) = listing.folders.last() else { return Ok(()) };
    for folder in &listing.folders {
        let inside = folder.strip_prefix(root).unwrap_or(Path::new(""));
        fs::set_permissions(moved_to.join(inside), PermissionsExt::from_mode(0o555))?;
    }
    Ok(())
}

/// Removes a folder whose folders may be read-only; one that isn't there is removed already.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    // Most are empty, and then nobody has to look into them.
    let removed = fs::remove_dir(folder).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => fs::remove_dir_all(folder),
    });
    match removed {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(_) => {
            open_folders(folder)?;
            fs::remove_dir_all(folder)
        }
    }
}

/// Makes a folder and those below it writable.
fn open_folders(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, PermissionsExt::from_mode(0o755))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_folders(&entry.path())?;
        }
    }
    Ok(())
}

/// Moves a folder or file; a read-only folder can't change its parent, so it is made writable before.
pub(super) fn move_away(from: &Path, to: &Path) -> io::Result<()> {
    if fs::symlink_metadata(from)?.is_dir() {
        fs::set_permissions(from, PermissionsExt::from_mode(0o755))?;
    }
    fs::rename(from, to)
}
