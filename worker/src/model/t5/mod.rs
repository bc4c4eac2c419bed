//! T5: the encoder-decoder that prompts are tuned on, frozen (METHODS 1).

pub mod config;

use std::path::Path;

use tch::{Device, Kind, Tensor};

use self::config::T5Config;
use super::{Batch, Generation, Mode, ModelError, Prompts, TokenLosses};

/// A frozen T5. None of its weights requires a gradient; gradients flow only into the prompts of a batch.
#[derive(Debug)]
pub struct T5 {
    config: T5Config,
}

impl T5 {
    /// Loads `config.json` and the safetensors weights of a checkpoint folder.
    ///
    /// # Errors
    /// Every defect of the files, with file, tensor and advice.
    pub fn load(_folder: &Path, _device: Device, _kind: Kind) -> Result<Self, ModelError> {
        todo!()
    }
    /// Shape and constants.
    #[must_use]
    pub fn config(&self) -> &T5Config {
        &self.config
    }
    /// The word embeddings of some ids, `[ids, d_model]`.
    pub fn embed(&self, _ids: &[i64]) -> Result<Tensor, ModelError> {
        todo!()
    }
    /// Negative log-likelihood of every target token under teacher forcing.
    pub fn losses(&self, _batch: &Batch, _prompts: Option<&Prompts>, _mode: Mode) -> Result<TokenLosses, ModelError> {
        todo!()
    }
    /// `[target tokens, vocab_size]`, packed row after row.
    pub fn logits(&self, _batch: &Batch, _prompts: Option<&Prompts>, _mode: Mode) -> Result<Tensor, ModelError> {
        todo!()
    }
    /// Greedy decoding; without the start id and without the end-of-sequence id's successors.
    pub fn generate(&self, _batch: &Batch, _prompts: Option<&Prompts>, _options: &Generation) -> Result<Vec<Vec<i64>>, ModelError> {
        todo!()
    }
    /// Summed log-likelihood of each candidate label, `[rows][candidates]`; `candidates` are shared by all rows.
    pub fn rank(&self, _batch: &Batch, _prompts: Option<&Prompts>, _candidates: &[Vec<i64>]) -> Result<Tensor, ModelError> {
        todo!()
    }
}
