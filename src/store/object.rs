//! Where the files of results are: below `objects/`, in a folder that is called as their digest, or, of a program that wrote one
//! file, that file with its name after the digest. For a disk, a folder is as much work as a file, and there are thousands of
//! programs that write a number.

use std::collections::HashMap;
use std::fs::Metadata;
use std::io;
use std::path::PathBuf;

use fs_err as fs;

use super::record::Record;
use super::{Store, StoreError};
use crate::base::Digest;
use crate::protocol::Files;

/// The longest name of a file without a folder: with the digest before it, most disks take no longer one.
const LONGEST: usize = 255 - 65;

impl Store {
    /// The folder with the files of a result that no program made.
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

    /// The names of all files that are kept without a folder, by the digests of the results.
    ///
    /// # Errors
    /// When a folder of the cache can't be read.
    pub fn bare_names(&self) -> Result<HashMap<Digest, String>, StoreError> {
        let named = |path: PathBuf| {
            let (digest, name) = path.file_name()?.to_str()?.split_once('.')?;
            Some((Digest::parse(digest)?, name.to_owned()))
        };
        Ok(self.fanned_entries("objects")?.into_iter().filter_map(named).collect())
    }

    /// Whether a program's only file can be kept without a folder, if it has this name.
    pub(super) fn can_be_bare(&self, name: &str) -> bool {
        self.layout.has_bare_files && name.len() <= LONGEST
    }
}

/// What the file system says of a file of a result.
pub(super) fn metadata(place: &Files, inside: &str) -> io::Result<Metadata> {
    let path = place.file(inside);
    // In place of a folder or of a file without one, there may be a link to it, in the cache of somebody who is only read.
    if place.name().is_some() { fs::metadata(path) } else { fs::symlink_metadata(path) }
}
