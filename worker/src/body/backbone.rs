//! The backbone that a worker has loaded; it is kept for the next job that wants the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use compt::operation::train::Precision;
use compt::protocol::{Job, Reporter, ResolvedSource, StageError};
use compt::task::tokens::Tokenizer;
use tch::{Device, Kind, Tensor};

use super::failure::of_model;
use crate::model::T5;

/// A frozen model with its tokenizer.
pub struct Backbone {
    /// The model.
    pub model: T5,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
}

impl Backbone {
    /// Loads a model and its tokenizer from one folder.
    ///
    /// # Errors
    /// Files that are absent or damaged.
    pub fn load(folder: &Path, device: Device, precision: Precision) -> Result<Self, StageError> {
        let kind = match precision {
            Precision::Float32 => Kind::Float,
            Precision::Bfloat16 => Kind::BFloat16,
        };
        let tokenizer = Tokenizer::load(&folder.join("tokenizer.json"))?;
        let model = T5::load(folder, device, kind).map_err(of_model)?;
        Ok(Self { model, tokenizer })
    }

    /// The ids of a label word, without the end mark.
    ///
    /// # Errors
    /// A text that the tokenizer refuses.
    pub fn word(&self, text: &str) -> Result<Vec<i64>, StageError> {
        Ok(wide(&self.tokenizer.encode(text)?))
    }

    /// The ids of an answer, with the end mark.
    ///
    /// # Errors
    /// A text that the tokenizer refuses.
    pub fn target(&self, text: &str) -> Result<Vec<i64>, StageError> {
        Ok(wide(&self.tokenizer.encode_target(text)?))
    }

    /// The text of ids, without special tokens and surrounding white space.
    ///
    /// # Errors
    /// Ids that the tokenizer refuses.
    pub fn decode(&self, ids: &[i64]) -> Result<String, StageError> {
        let ids: Vec<u32> = ids.iter().filter_map(|&id| u32::try_from(id).ok()).collect();
        Ok(self.tokenizer.decode(&ids)?.trim().to_owned())
    }

    /// The embeddings [n, d] of ids, float32.
    ///
    /// # Panics
    /// On ids outside of the vocabulary; callers take them from the tokenizer or from its range.
    pub fn embed(&self, ids: &[i64]) -> Tensor {
        let rows = self.model.embed(ids).expect("ids lie in the vocabulary");
        rows.to_kind(Kind::Float).to_device(Device::Cpu)
    }
}

/// Ids as tensors have them.
pub fn wide(ids: &[u32]) -> Vec<i64> {
    ids.iter().copied().map(i64::from).collect()
}

/// Holds at most one backbone.
#[derive(Default)]
pub struct Shelf {
    held: Option<(Label, Backbone)>,
}

/// What makes two backbones the same.
#[derive(Clone, Debug, PartialEq)]
struct Label {
    files: BTreeMap<String, PathBuf>,
    device: Device,
    precision: Precision,
}

impl Shelf {
    /// The backbone that a job's source `name` describes, loaded if another one is held.
    ///
    /// # Errors
    /// Files that are absent or damaged.
    pub fn backbone(
        &mut self,
        job: &Job,
        name: &str,
        device: Device,
        precision: Precision,
        reporter: &mut dyn Reporter,
    ) -> Result<&Backbone, StageError> {
        let source = source(job, name)?;
        let label = Label { files: source.files.clone(), device, precision };
        let fits = self.held.as_ref().is_some_and(|(held, _)| *held == label);
        if !fits {
            // The old one goes first: two may not fit into memory.
            self.held = None;
            let started = std::time::Instant::now();
            let backbone = Backbone::load(&folder(source)?, device, precision)?;
            reporter.fact("backbone_load_seconds", started.elapsed().as_secs_f64().into());
            self.held = Some((label, backbone));
        }
        match &self.held {
            Some((_, backbone)) => Ok(backbone),
            None => Err(StageError::bug("the backbone was dropped while it was in use")),
        }
    }

    /// Lets go of what is held; after a panic its state is not to be trusted.
    pub fn clear(&mut self) {
        self.held = None;
    }
}

/// The source of this name among the job's.
///
/// # Errors
/// A bug: the planner names every source that the parameters do.
pub fn source<'a>(job: &'a Job, name: &str) -> Result<&'a ResolvedSource, StageError> {
    job.sources
        .iter()
        .find(|source| source.name == name)
        .ok_or_else(|| StageError::bug(format!("`{}` was started without its source `{name}`", job.stage)))
}

/// The folder that holds a model's files.
fn folder(source: &ResolvedSource) -> Result<PathBuf, StageError> {
    let config = source.files.get("config.json").ok_or_else(|| {
        StageError::input(format!("the backbone `{}` has no `config.json`", source.name))
            .with_hint("name a T5 in the hub's layout: config.json, tokenizer.json, model.safetensors")
    })?;
    let folder = config.parent().unwrap_or(Path::new(".")).to_path_buf();
    // The model is read as a folder; its files must therefore lie in one.
    match source.files.iter().find(|(name, path)| **path != folder.join(name)) {
        None => Ok(folder),
        Some((name, path)) => Err(StageError::bug(format!(
            "`{name}` of the backbone `{}` is at `{}`, not beside its config.json",
            source.name,
            path.display()
        ))),
    }
}
