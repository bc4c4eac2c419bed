//! Results of one cache that another one reads, without copying them.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;

use fs_err as fs;

use super::memo::Stat;
use super::record::{self, Record};
use super::tree::{self, StoredFile};
use super::{Store, StoreError};
use crate::base::{Digest, files, holder};
use crate::plan::Instance;
use crate::plan::key::Preimage;
use crate::protocol::Files;

impl Store {
    /// Makes a result of another cache a result of this one too, under the key of `preimage`. Its folder here, or its file without
    /// one, is a link to the one there, of which nothing is changed; `names` are those of files that may be it. Says why it can't
    /// be used, if it isn't as it was published.
    ///
    /// # Errors
    /// When something can't be written here.
    pub fn adopt(
        &self,
        owner: &Self,
        (output, names): (&Digest, &[String]),
        instance: &Instance,
        preimage: Preimage,
    ) -> Result<Result<(), String>, StoreError> {
        let in_folder = owner.whole(&owner.place(output, None), output).map(|files| (None, files));
        let whole = names.iter().fold(in_folder, |found, name| {
            found.or_else(|_| {
                owner.whole(&owner.place(output, Some(name)), output).map(|files| (Some(name.as_str()), files))
            })
        });
        let (bare, files) = match whole {
            Ok(found) => found,
            Err(why) => return Ok(Err(why)),
        };
        let there = owner.place(output, bare).whole();
        let there = std::path::absolute(there).map_err(|error| self.fail(error))?;
        let here = self.place(output, bare).whole();
        if fs::symlink_metadata(&here).is_err() {
            fs::create_dir_all(here.parent().unwrap_or(&self.root)).map_err(|error| self.fail(error))?;
            symlink(&there, &here).map_err(|error| self.fail(files::with_path(error, "make the link", &here)))?;
        }
        let key = preimage.key();
        let record = Record {
            schema: record::SCHEMA,
            key,
            preimage,
            output: *output,
            files,
            bare: bare.is_some(),
            facts: BTreeMap::new(),
            pipeline: String::new(),
            stage: instance.stage.clone(),
            name: instance.label.clone(),
            started: 0,
            seconds: 0.0,
            host: holder::host(),
            versions: BTreeMap::new(),
        };
        let text = serde_json::to_vec(&record).map_err(|error| self.fail(error.into()))?;
        files::replace(&self.record_path(&key), &text).map_err(|error| self.fail(error))?;
        Ok(Ok(()))
    }

    /// The files that are kept there, if together they have this digest.
    fn whole(&self, place: &Files, output: &Digest) -> Result<BTreeMap<String, StoredFile>, String> {
        let there = match place.name() {
            Some(name) => BTreeMap::from([(name.to_owned(), place.whole())]),
            None if !place.folder().is_dir() => return Err("its files are not in the cache any more".to_owned()),
            None => tree::list(&self.root, place.folder()).map_err(|error| error.to_string())?.files,
        };
        let mut files = BTreeMap::new();
        for (inside, path) in &there {
            let file = self.digest_of(path).and_then(|digest| {
                let stat = Stat::of(&fs::metadata(path)?);
                Ok(StoredFile { size: stat.size, digest, stat })
            });
            files.insert(inside.clone(), file.map_err(|error| format!("`{inside}` can't be read: {error}"))?);
        }
        if tree::digest(files.iter().map(|(inside, file)| (inside.as_str(), file.digest))) == *output {
            Ok(files)
        } else {
            Err("its files are not what was published; `compt fsck` says more".to_owned())
        }
    }

    /// Removes the whole cache: for one that was only made to look at what comes of something.
    ///
    /// # Errors
    /// When something can't be removed.
    pub fn discard(self) -> Result<(), StoreError> {
        tree::remove(&self.root).map_err(|error| self.fail(error))
    }
}
