//! What all results were made of, as [`crate::plan`] asks for it.

use rayon::prelude::*;
use serde::Deserialize;

use super::{Store, bundle, record};
use crate::plan::key::Preimage;
use crate::plan::shape::Shapes;

/// What of a record matters here; the rest is not read.
#[derive(Deserialize)]
struct Head {
    schema: u32,
    preimage: Preimage,
}

impl Store {
    /// What is known of each result's key beforehand. What can't be read is no result.
    pub(super) fn all_shapes(&self) -> Shapes {
        let keys = self.keys("").unwrap_or_default();
        let heads: Vec<Head> = keys
            .par_iter()
            .filter_map(|key| {
                let bytes = fs_err::read(self.record_path(key)).ok()?;
                serde_json::from_slice(bundle::record(&bytes, key)).ok()
            })
            .collect();
        Shapes::of(heads.into_iter().filter(|head| head.schema == record::SCHEMA).map(|head| head.preimage))
    }
}
