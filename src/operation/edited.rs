//! Files in an output folder that are not as the last run left them: somebody has changed them by hand, and should hear of it
//! when they are replaced.
//!
//! What the last run left is told by its `run.json` and by the records that this names. Where either is gone nobody can
//! tell, and nothing is said.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::base::Digest;
use crate::store::Store;

/// What the last run left in a folder; looked up only when a file is not what it should be now.
pub(super) struct LastRun<'a> {
    store: &'a Store,
    /// The note of what it ran.
    note: &'a Path,
    keys: OnceCell<BTreeMap<String, Digest>>,
}

/// What of a note says which results there were.
#[derive(Deserialize)]
struct Note {
    stages: Vec<Stage>,
}

#[derive(Deserialize)]
struct Stage {
    stage: String,
    key: Option<Digest>,
}

impl<'a> LastRun<'a> {
    pub fn new(store: &'a Store, note: &'a Path) -> Self {
        Self { store, note, keys: OnceCell::new() }
    }

    /// Whether a file of this instance, published under the name `inside`, has another content than the last run has given it.
    pub fn left_otherwise(&self, instance: &str, inside: &str, bytes: &[u8]) -> bool {
        let keys = self.keys.get_or_init(|| self.read().unwrap_or_default());
        let Some(Ok(Some(record))) = keys.get(instance).map(|key| self.store.record(key)) else { return false };
        record.files.get(inside).is_some_and(|file| file.digest != Digest::of(bytes))
    }

    fn read(&self) -> Option<BTreeMap<String, Digest>> {
        let note: Note = serde_json::from_slice(&fs_err::read(self.note).ok()?).ok()?;
        Some(note.stages.into_iter().filter_map(|stage| Some((stage.stage, stage.key?))).collect())
    }
}
