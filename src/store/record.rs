//! What is written down about a result.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::tree::StoredFile;
use crate::base::Digest;
use crate::plan::key::Preimage;

/// The number of the record format. A record of another number is no result for this program:
///
/// * 1 (2026-08): the first.
pub(super) const SCHEMA: u32 = 1;

/// One result: what was made, of what, when and by whom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The number of this format.
    pub schema: u32,
    /// The stage key.
    pub key: Digest,
    /// What the key is the digest of.
    pub preimage: Preimage,
    /// The digest of the files: what its folder or its file in `objects/` is called by.
    pub output: Digest,
    /// The files by their path inside the result.
    pub files: BTreeMap<String, StoredFile>,
    /// Whether its only file is kept without a folder.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bare: bool,
    /// What the body reported and may differ between two equal runs.
    pub facts: BTreeMap<String, Value>,
    /// The pipeline that asked for it first.
    pub pipeline: String,
    /// The stage there.
    pub stage: String,
    /// The instance there: `fit[method=spp,seed=123]`.
    pub name: String,
    /// When it was started, in seconds since 1970.
    pub started: u64,
    /// How long it took.
    pub seconds: f64,
    /// The machine it was made on.
    pub host: String,
    /// The versions of the programs that made it: `compt`, `libtorch`.
    pub versions: BTreeMap<String, String>,
}

impl Record {
    /// The name of its only file, if that is kept without a folder.
    pub(super) fn bare(&self) -> Option<&str> {
        bare(self.bare, &self.files)
    }
}

impl Outline {
    /// The name of its only file, if that is kept without a folder.
    pub(super) fn bare(&self) -> Option<&str> {
        bare(self.bare, &self.files)
    }
}

fn bare(bare: bool, files: &BTreeMap<String, StoredFile>) -> Option<&str> {
    files.keys().next().filter(|_| bare).map(String::as_str)
}

/// A result in short: what a run and its report say of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Brief {
    /// The digest of the files.
    pub output: Digest,
    /// The name of its only file, if that is kept without a folder.
    pub bare: Option<String>,
    /// What the body reported.
    pub facts: BTreeMap<String, Value>,
    /// How long it took.
    pub seconds: f64,
    /// What made it; shared by the results of one machine and one version.
    pub maker: Arc<Maker>,
}

/// What made a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maker {
    /// The machine.
    pub host: String,
    /// The versions of the programs.
    pub versions: BTreeMap<String, String>,
}

/// What is read of a record to find its result. The preimage, which is most of it, is passed over.
#[derive(Debug, Deserialize)]
pub(super) struct Outline {
    pub schema: u32,
    pub key: Digest,
    pub output: Digest,
    pub files: BTreeMap<String, StoredFile>,
    #[serde(default)]
    pub bare: bool,
    pub facts: BTreeMap<String, Value>,
    pub seconds: f64,
    pub host: String,
    pub versions: BTreeMap<String, String>,
}

/// What is read of a note to see whether it is up to date.
#[derive(Debug, Deserialize)]
pub(super) struct LatestKey {
    pub key: Digest,
}

/// The latest result of an instance. A note of it is mostly another name of the file with its record, so there may be more in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latest {
    /// The instance's name at that time.
    pub name: String,
    /// The stage key.
    pub key: Digest,
    /// What the key is the digest of; stands here too, so that it outlives the record.
    pub preimage: Preimage,
}
