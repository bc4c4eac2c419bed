//! What a run made, read back from the `run.json` that it left in its output folder.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::publishing::NOTE;
use crate::base::Digest;
use crate::plan::catalog::SourceRef;
use crate::plan::pins::{Pin, PinnedFile, Pins};
use crate::protocol::StageError;

/// The stage instances of a run, in plan order, and the sources they were made from.
#[derive(Clone, Debug)]
pub struct Lineage {
    /// The pipeline's name.
    pub pipeline: String,
    /// The stage instances.
    pub made: Vec<Made>,
    /// What the sources contained.
    pub pins: Pins,
}

/// One stage instance.
#[derive(Clone, Debug, Deserialize)]
pub struct Made {
    /// Its name: `fit[method=spp,seed=123]`.
    #[serde(rename = "stage")]
    pub name: String,
    /// The operation.
    pub operation: String,
    /// The operation's code version.
    pub version: u32,
    /// Complete parameters.
    pub parameters: Value,
    /// The names of what it read.
    pub inputs: Vec<String>,
    /// Its key; absent when it has no result.
    pub key: Option<Digest>,
    /// The digest of its files; absent when it has no result.
    pub output: Option<Digest>,
}

/// `run.json` as `publishing` writes it; what is not needed here is not read.
#[derive(Deserialize)]
struct Note {
    pipeline: String,
    stages: Vec<Made>,
    sources: Vec<Source>,
}

#[derive(Deserialize)]
struct Source {
    source: SourceRef,
    revision: Option<String>,
    files: BTreeMap<String, PinnedFile>,
}

impl Lineage {
    /// Reads `run.json` in an output folder.
    ///
    /// # Errors
    /// A folder without one, or one that is not ours.
    pub fn read(folder: &Path) -> Result<Self, StageError> {
        let path = folder.join(NOTE);
        if !path.exists() {
            let message = format!("there is no run in `{}`: it has no `{NOTE}`", folder.display());
            return Err(StageError::input(message)
                .with_hint("`compt run FILE` makes one in `outputs/NAME`; name that folder, or the pipeline file"));
        }
        Self::read_file(&path)
    }

    /// Reads a `run.json`, wherever it has been put.
    ///
    /// # Errors
    /// It can't be read, or is none.
    pub fn read_file(path: &Path) -> Result<Self, StageError> {
        let text = fs_err::read_to_string(path)?;
        let note: Note = serde_json::from_str(&text).map_err(|error| {
            StageError::input(format!("`{}` is no note of a run: {error}", path.display())).with_hint(
                "type `compt run` with the pipeline file once more: it writes the note again and runs nothing twice",
            )
        })?;
        let pin =
            |source: Source| (source.source, Pin { request: None, revision: source.revision, files: source.files });
        Ok(Self { pipeline: note.pipeline, made: note.stages, pins: note.sources.into_iter().map(pin).collect() })
    }

    /// The instance of this name.
    pub fn find(&self, name: &str) -> Option<&Made> {
        self.made.iter().find(|made| made.name == name)
    }

    /// What an instance read, of one operation.
    pub fn inputs<'a>(&'a self, made: &'a Made, operation: &'a str) -> impl Iterator<Item = &'a Made> {
        made.inputs.iter().filter_map(|name| self.find(name)).filter(move |input| input.operation == operation)
    }
}

impl Made {
    /// The stage's name, without axis values.
    pub fn stage(&self) -> &str {
        self.name.split('[').next().unwrap_or(&self.name)
    }

    /// Whether `wanted` means this instance: its name, its stage, or its stage with some of its axis values in any order
    /// (`fit[seed=1]`).
    pub fn is_meant_by(&self, wanted: &str) -> bool {
        if wanted == self.name || wanted == self.stage() {
            return true;
        }
        let axes = |name: &str| -> Vec<String> {
            let inside = name.split_once('[').and_then(|(_, rest)| rest.strip_suffix(']')).unwrap_or_default();
            inside.split(',').map(|axis| axis.trim().to_owned()).filter(|axis| !axis.is_empty()).collect()
        };
        let (own, named) = (axes(&self.name), axes(wanted));
        wanted.split('[').next() == Some(self.stage())
            && !named.is_empty()
            && named.iter().all(|axis| own.contains(axis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_meant_by_some_of_its_axes() {
        let made = Made {
            name: "fit[method=spp,seed=1]".to_owned(),
            operation: "train".to_owned(),
            version: 1,
            parameters: Value::Null,
            inputs: Vec::new(),
            key: None,
            output: None,
        };
        for meant in ["fit", "fit[method=spp,seed=1]", "fit[seed=1]", "fit[seed=1, method=spp]"] {
            assert!(made.is_meant_by(meant), "{meant}");
        }
        for other in ["fi", "fit[]", "fit[seed=10]", "fit_pt[seed=1]", "fit[seed=1", "fit[seed=1,k=8]"] {
            assert!(!made.is_meant_by(other), "{other}");
        }
    }

    #[test]
    fn a_folder_without_a_run_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |name: &str| Lineage::read(&folder.path().join(name)).unwrap_err().message;
        assert!(refused("toy").contains("has no `run.json`"));
        fs_err::write(folder.path().join(NOTE), "{\"pipeline\": \"toy\"}").unwrap();
        assert!(refused("").contains("is no note of a run: missing field `stages`"));
    }
}
