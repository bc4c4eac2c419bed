//! Where the files of results are: below `objects/`, in a folder that is called as their digest, or, of a program that wrote one
//! file, that file with its name after the digest. For a disk, a folder is as much work as a file, and there are thousands of
//! programs that write a number.

use std::collections::HashMap;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;

use super::record::Record;
use super::{Store, StoreError, fsck};
use crate::base::Digest;
use crate::protocol::Files;

/// The longest name of a file without a folder. With the digest before it, and with what sets it apart in `quarantine/`, no file
/// system has to take more than 143 bytes, which is all that encrypting ones take.
const LONGEST: usize = 28;

impl Store {
    /// The folder with the files of a result, if they are not kept without one.
    pub fn object_folder(&self, output: &Digest) -> PathBuf {
        self.fanned("objects", output)
    }

    /// Where the files of a result are.
    pub fn files(&self, record: &Record) -> Files {
        self.place(&record.output, record.bare())
    }

    /// The same, of one that this process has found or made.
    pub fn files_of(&self, key: &Digest, output: &Digest) -> Files {
        let brief = self.brief(key).ok().flatten();
        self.place(output, brief.and_then(|brief| brief.bare).as_deref())
    }

    /// Where the files of a result are, given the name of the only one if it is kept without a folder.
    pub(super) fn place(&self, output: &Digest, bare: Option<&str>) -> Files {
        let folder = self.object_folder(output);
        match bare {
            Some(name) => Files::bare(folder, name),
            None => folder.into(),
        }
    }

    /// The names of all files that are kept without a folder, by the digests of the results. Where somebody has put more files
    /// beside one, there are several.
    ///
    /// # Errors
    /// When a folder of the cache can't be read.
    pub fn bare_names(&self) -> Result<HashMap<Digest, Vec<String>>, StoreError> {
        let mut names: HashMap<Digest, Vec<String>> = HashMap::new();
        for name in self.fanned_entries("objects")?.iter().filter_map(|path| name(path)) {
            if let Some((digest, bare)) = name.split_once('.')
                && let Some(digest) = Digest::parse(digest)
            {
                names.entry(digest).or_default().push(bare.to_owned());
            }
        }
        Ok(names)
    }

    /// Whether a program's only file can be kept without a folder, if it has this name.
    pub(super) fn can_be_bare(&self, name: &str) -> bool {
        self.layout.has_bare_files && name.len() <= LONGEST
    }
}

/// The name of a folder or file in a folder of `objects/`; nothing for what compt has not put there.
pub(super) fn name(path: &Path) -> Option<String> {
    fsck::key_of(path)?;
    Some(path.file_name()?.to_str()?.to_owned())
}

/// What the file system says of a file of a result.
pub(super) fn metadata(place: &Files, inside: &str) -> io::Result<Metadata> {
    let path = place.file(inside);
    // In place of a folder or of a file without one, there may be a link to it, in the cache of somebody who is only read.
    if place.name().is_some() { fs::metadata(path) } else { fs::symlink_metadata(path) }
}
