//! Copies what publishing stages made out of the cache into the pipeline's output folder, with a note of what ran.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::base::Digest;
use crate::base::files::{clear_unfinished, write_atomically};
use crate::plan::pins::Pins;
use crate::plan::{Instance, Plan};
use crate::store::{Store, StoreError};

/// One stage's result in the output folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The operation that made it.
    pub operation: String,
    /// Where its files lie.
    pub folder: PathBuf,
    /// Their names, in alphabetical order.
    pub files: Vec<String>,
}

/// The file in an output folder that says what ran.
pub const NOTE: &str = "run.json";

/// Brings `outputs/<pipeline>/` up to date: a folder for each publishing stage that has a result, and `run.json`. Files
/// whose content is right already are not touched. Returns what was published, in plan order.
///
/// # Errors
/// The output folder can't be written, or the cache can't be read.
pub fn publish(
    plan: &Plan,
    store: &Store,
    results: &[Option<(Digest, Digest)>],
    pins: &Pins,
    folder: &Path,
) -> Result<Vec<Published>, PublishError> {
    let mut published = Vec::new();
    clear_unfinished(folder);
    for instance in plan.instances.iter().filter(|instance| instance.publishes) {
        let Some((key, output)) = results.get(instance.id).copied().flatten() else { continue };
        let Some(record) = store.record(&key)? else { continue };
        let target = folder.join(folder_name(instance));
        clear_unfinished(&target);
        for name in record.files.keys() {
            copy(&store.object_folder(&output).join(name), &target.join(name))?;
        }
        let files = record.files.keys().cloned().collect();
        published.push(Published { operation: instance.operation.clone(), folder: target, files });
    }
    let mut note = serde_json::to_string_pretty(&note(plan, results, pins)).unwrap_or_default();
    note.push('\n');
    write_if_changed(&folder.join(NOTE), note.as_bytes())?;
    Ok(published)
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The cache.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The output folder.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// `table`, or `table,seed=1` for a stage with axes: a name that every file system takes. A stage of an included pipeline
/// is in that pipeline's folder: `glue_fewshot/table`.
fn folder_name(instance: &Instance) -> String {
    let mut name = instance.stage.replace('.', "/");
    for (axis, value) in &instance.coordinates {
        let plain: String =
            value.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
        name.push_str(&format!(",{axis}={plain}"));
    }
    name
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    write_if_changed(to, &fs_err::read(from)?)
}

fn write_if_changed(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if fs_err::read(path).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    write_atomically(path, bytes)
}

/// Which keys and digests the results have, and from which sources: no times, so that equal runs give equal notes.
fn note(plan: &Plan, results: &[Option<(Digest, Digest)>], pins: &Pins) -> Value {
    let stages: Vec<Value> = plan
        .instances
        .iter()
        .map(|instance| {
            let result = results.get(instance.id).copied().flatten();
            json!({
                "stage": instance.name(),
                "operation": instance.operation,
                "version": instance.version,
                "parameters": instance.parameters.as_ref(),
                "inputs": instance.inputs.iter().map(|&input| plan.instances[input].name()).collect::<Vec<_>>(),
                "key": result.map(|(key, _)| key),
                "output": result.map(|(_, output)| output),
            })
        })
        .collect();
    let sources: Vec<Value> = pins
        .iter()
        .map(|(source, pin)| json!({ "source": source, "revision": pin.revision, "files": pin.files }))
        .collect();
    json!({ "pipeline": plan.pipeline, "compt": env!("CARGO_PKG_VERSION"), "stages": stages, "sources": sources })
}
