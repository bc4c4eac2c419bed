//! Checkpoints: everything that an interrupted training needs to end in the same bytes as an uninterrupted one.
//!
//! There is no generator to save: shuffling, dropout and router samples are drawn from streams named by the step.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use compt::base::Digest;
use compt::base::files::write_atomically;
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use super::curve::Point;
use super::optimizer::AdamW;
use super::tensor_file::{bytes_of, from_bytes, to_bytes};
use crate::method::parameter::Parameters;

/// The file inside a job's scratch folder.
const FILE: &str = "checkpoint.safetensors";

/// The best epoch so far.
#[derive(Debug)]
pub struct Best {
    /// Counted from 1.
    pub epoch: u64,
    /// Its mean validation loss.
    pub loss: f64,
    /// Copies of all parameters.
    pub values: Vec<Tensor>,
}

/// What is known between two steps, besides parameters and moments.
#[derive(Debug, Default)]
pub struct Progress {
    /// Steps done.
    pub step: u64,
    /// The course so far.
    pub curve: Vec<Point>,
    /// The best epoch so far, when epochs are compared.
    pub best: Option<Best>,
}

/// The part of a checkpoint that is not tensors.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    identity: String,
    content: Digest,
    step: u64,
    curve: Vec<Point>,
    updates: Vec<Vec<u64>>,
    best: Option<(u64, f64)>,
}

/// The checkpoint of one training.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    identity: String,
    every: Option<u64>,
}

impl Checkpoint {
    /// The checkpoint in a folder of the training that `identity` describes (all that its result depends on), written
    /// after `every` so many steps, or from time to time.
    pub fn new(folder: &Path, identity: impl Into<String>, every: Option<u64>) -> Self {
        Self { path: folder.join(FILE), identity: identity.into(), every }
    }

    /// Steps between two writes, where they are counted.
    pub fn every(&self) -> Option<u64> {
        self.every
    }

    /// Writes the state, flushed to disk and whole or not at all.
    ///
    /// # Errors
    /// What the file system returns.
    pub fn write(&self, parameters: &Parameters, optimizer: &AdamW, progress: &Progress) -> io::Result<()> {
        let mut tensors = BTreeMap::new();
        for (parameter, moments) in parameters.all().iter().zip(optimizer.moments().chunks(2)) {
            tensors.insert(format!("value/{}", parameter.name), parameter.tensor.shallow_clone());
            tensors.insert(format!("first/{}", parameter.name), moments[0].shallow_clone());
            tensors.insert(format!("second/{}", parameter.name), moments[1].shallow_clone());
        }
        if let Some(best) = &progress.best {
            for (parameter, value) in parameters.all().iter().zip(&best.values) {
                tensors.insert(format!("best/{}", parameter.name), value.shallow_clone());
            }
        }
        let state = State {
            identity: self.identity.clone(),
            content: content(&tensors),
            step: progress.step,
            curve: progress.curve.clone(),
            updates: optimizer.updates(),
            best: progress.best.as_ref().map(|best| (best.epoch, best.loss)),
        };
        let metadata = BTreeMap::from([("state".to_owned(), serde_json::to_string(&state)?)]);
        write_atomically(&self.path, &to_bytes(&tensors, &metadata))
    }

    /// Reads the state into `parameters` and `optimizer`. `Ok(None)` when there is no checkpoint.
    ///
    /// # Errors
    /// Why the file that is there can't be used; nothing was changed then, and training can begin anew.
    pub fn read(&self, parameters: &Parameters, optimizer: &mut AdamW) -> Result<Option<Progress>, String> {
        let bytes = match fs_err::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let mut file = from_bytes(&bytes)?;
        let state = file.metadata.get("state").ok_or("it has no state")?;
        let state: State = serde_json::from_str(state).map_err(|error| error.to_string())?;
        if state.identity != self.identity {
            return Err("it belongs to a training with other settings or other data".to_owned());
        }
        if state.content != content(&file.tensors) {
            return Err("its numbers are damaged".to_owned());
        }
        let rows: Vec<usize> = state.updates.iter().map(Vec::len).collect();
        if rows != parameters.all().iter().map(|parameter| parameter.rows.len()).collect::<Vec<_>>() {
            return Err("its update counts do not fit the parameters".to_owned());
        }
        let mut take = |part: &str| -> Result<Vec<Tensor>, String> {
            let all = parameters.all().iter();
            all.map(|parameter| {
                let name = format!("{part}/{}", parameter.name);
                let tensor = file.tensors.remove(&name).ok_or_else(|| format!("it has no `{name}`"))?;
                if tensor.size() == parameter.tensor.size() {
                    Ok(tensor)
                } else {
                    Err(format!("`{name}` has the shape {:?}", tensor.size()))
                }
            })
            .collect()
        };
        let (values, first, second) = (take("value")?, take("first")?, take("second")?);
        let best = match state.best {
            None => None,
            Some((epoch, loss)) => {
                let device = parameters.all().first().map_or(Device::Cpu, |parameter| parameter.tensor.device());
                let values = take("best")?.iter().map(|tensor| tensor.to_device(device)).collect();
                Some(Best { epoch, loss, values })
            }
        };
        parameters.overwrite(&values);
        let moments: Vec<Tensor> = first.into_iter().zip(second).flat_map(|(first, second)| [first, second]).collect();
        optimizer.restore(&moments, &state.updates);
        Ok(Some(Progress { step: state.step, curve: state.curve, best }))
    }
}

/// The digest of all numbers.
fn content(tensors: &BTreeMap<String, Tensor>) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for (name, tensor) in tensors {
        hasher.update(name.as_bytes());
        hasher.update(&bytes_of(tensor));
    }
    hasher.into()
}
