//! The results that this process has found or made, in short, so that their records are not read twice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::record::{Brief, Maker};
use super::{Store, StoreError, bundle, find};
use crate::base::Digest;

/// What is known of results, by key.
#[derive(Debug, Default)]
pub(super) struct Briefs(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    briefs: HashMap<Digest, Brief>,
    /// A cache knows few of them.
    makers: Vec<Arc<Maker>>,
}

impl Briefs {
    /// Remembers a result, and returns it as it is remembered.
    pub(super) fn note(&self, key: &Digest, mut brief: Brief) -> Brief {
        let mut known = self.known();
        match known.makers.iter().find(|maker| **maker == brief.maker) {
            Some(maker) => brief.maker = Arc::clone(maker),
            None => known.makers.push(Arc::clone(&brief.maker)),
        }
        known.briefs.insert(*key, brief.clone());
        brief
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// The result with this key in short, its files not verified unless this process has found or made it.
    ///
    /// # Errors
    /// When the cache can't be read.
    pub fn brief(&self, key: &Digest) -> Result<Option<Brief>, StoreError> {
        if let Some(brief) = self.briefs.known().briefs.get(key) {
            return Ok(Some(brief.clone()));
        }
        let Some(read) = self.read(&self.record_path(key))? else { return Ok(None) };
        let outline = find::outline(bundle::record(&read.bytes, key)).ok().flatten();
        Ok(outline.map(|outline| self.briefs.note(key, outline.into())))
    }
}
