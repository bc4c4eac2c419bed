//! Which files of a source are needed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Deserialize;

use super::{SourceError, glob};

/// Files of a backbone that are always needed.
const MODEL_FILES: [&str; 2] = ["config.json", "tokenizer.json"];
/// The weights in one file.
const WEIGHTS: &str = "model.safetensors";
/// The list of files, when the weights are in several.
const WEIGHTS_INDEX: &str = "model.safetensors.index.json";

/// Which files are needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Every file that matches one of these patterns; each must match at least one file.
    Matching(Vec<String>),
    /// These files.
    Exactly(Vec<String>),
    /// A backbone: `config.json`, `tokenizer.json`, and `model.safetensors` or its index with the files it names.
    Model,
}

#[derive(Deserialize)]
struct WeightsIndex {
    weight_map: BTreeMap<String, String>,
}

impl Wanted {
    /// The needed ones of `available`. `open` makes one of them readable (and may download it for that).
    pub(super) fn select(
        &self,
        place: &str,
        available: &BTreeSet<String>,
        mut open: impl FnMut(&str) -> Result<PathBuf, SourceError>,
    ) -> Result<BTreeSet<String>, SourceError> {
        let no_file = |wanted: &str| SourceError::NoFile {
            place: place.to_owned(),
            wanted: wanted.to_owned(),
            available: available.iter().cloned().collect(),
        };
        let mut selected = BTreeSet::new();
        let mut take = |name: &str| match available.get(name) {
            Some(name) => {
                selected.insert(name.clone());
                Ok(())
            }
            None => Err(no_file(name)),
        };
        match self {
            Self::Matching(patterns) => {
                for pattern in patterns {
                    let matching: Vec<_> = available.iter().filter(|path| glob::matches(pattern, path)).collect();
                    if matching.is_empty() {
                        return Err(no_file(pattern));
                    }
                    matching.into_iter().try_for_each(|name| take(name))?;
                }
            }
            Self::Exactly(names) => names.iter().try_for_each(|name| take(name))?,
            Self::Model => {
                MODEL_FILES.iter().try_for_each(|name| take(name))?;
                if available.contains(WEIGHTS) || !available.contains(WEIGHTS_INDEX) {
                    take(WEIGHTS)?;
                } else {
                    take(WEIGHTS_INDEX)?;
                    for shard in shards(&open(WEIGHTS_INDEX)?)? {
                        take(&shard)?;
                    }
                }
            }
        }
        Ok(selected)
    }
}

fn shards(index: &std::path::Path) -> Result<BTreeSet<String>, SourceError> {
    let parsed: WeightsIndex = serde_json::from_slice(&fs_err::read(index)?).map_err(|error| {
        let message = format!("`{}` is no index of weights: {error}", index.display());
        std::io::Error::new(std::io::ErrorKind::InvalidData, message)
    })?;
    Ok(parsed.weight_map.into_values().collect())
}
