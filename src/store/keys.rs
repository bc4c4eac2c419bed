//! Keys by their first digits, as people type them.

use std::io;

use fs_err as fs;

use super::{Store, StoreError};
use crate::base::Digest;

impl Store {
    /// The keys that have a record and begin with these hexadecimal digits, in their order.
    ///
    /// # Errors
    /// When the cache can't be read.
    pub fn keys(&self, prefix: &str) -> Result<Vec<Digest>, StoreError> {
        let prefix = prefix.to_ascii_lowercase();
        let mut keys = Vec::new();
        for folder in self.listed(&self.root.join("records"))? {
            let fan = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !(prefix.starts_with(&fan) || fan.starts_with(&prefix)) {
                continue;
            }
            for record in self.listed(&folder)? {
                let name = record.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                keys.extend(Digest::parse(&name).filter(|_| name.starts_with(&prefix)));
            }
        }
        keys.sort();
        Ok(keys)
    }

    /// What lies in a folder; nothing where there is none.
    fn listed(&self, folder: &std::path::Path) -> Result<Vec<std::path::PathBuf>, StoreError> {
        match fs::read_dir(folder) {
            Ok(entries) => {
                entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>().map_err(|error| self.fail(error))
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(Vec::new())
            }
            Err(error) => Err(self.fail(error)),
        }
    }
}
