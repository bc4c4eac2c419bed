//! T5: the encoder-decoder that prompts are tuned on, frozen (METHODS 1).
//!
//! Everything is packed: the rows of a batch lie below one another in one `[tokens, d_model]` matrix, and no row is padded.
//! `packing` says how attention keeps them apart.

mod attention;
mod block;
pub mod config;
mod dropout;
mod feed_forward;
mod generate;
pub mod initial;
mod input;
mod linear;
#[cfg(test)]
mod loading;
mod norm;
#[cfg(test)]
mod oracle;
mod packing;
pub mod position;
#[cfg(test)]
mod properties;
mod rank;
mod stack;

use std::path::Path;

use tch::{Device, Kind, Tensor};

use self::config::T5Config;
use self::linear::Linear;
use self::packing::{CrossPlan, SelfPlan};
use self::stack::{Decoder, Encoder};
use super::weights::{Leaf, Weights};
use super::{Batch, Mode, ModelError, Prompts, TokenLosses};

/// The name of the head's tensor, where the head is not the table of word embeddings.
pub const HEAD: &str = "lm_head.weight";

/// A T5. Unless it was loaded to be trained, none of its weights requires a gradient: gradients flow only into the prompts
/// of a batch.
#[derive(Debug)]
pub struct T5 {
    config: T5Config,
    encoder: Encoder,
    decoder: Decoder,
    /// `[vocab_size, d_model]`, used by both stacks.
    shared: Tensor,
    head: Linear,
    maximum_length: Option<usize>,
    device: Device,
    kind: Kind,
    /// The maps that the tensors above may lie in; dropped after them.
    weights: Weights,
}

impl T5 {
    /// Loads `config.json` and the safetensors weights of a checkpoint folder, to compute in `kind` on `device`.
    ///
    /// On the CPU, tensors that the file stores in `kind` are used where they lie in the mapped file.
    ///
    /// # Errors
    /// Every defect of the files, with file, tensor and advice; a number type that T5 does not work in.
    pub fn load(folder: &Path, device: Device, kind: Kind) -> Result<Self, ModelError> {
        if !matches!(kind, Kind::Float | Kind::BFloat16 | Kind::Double) {
            // T5's residual stream passes 65504, the largest float16, in pre-trained checkpoints.
            return Err(ModelError::Batch(format!(
                "T5 does not work in {kind:?}; choose float32 or bfloat16 (float16 overflows in its feed-forward layers)"
            )));
        }
        let config = T5Config::read(&folder.join("config.json"))?;
        Self::build(config, Weights::open(folder, device, kind)?, device, kind)
    }

    /// Loads a checkpoint to go on training all its weights, in float32; [`T5::leaves`] are what a gradient is taken of.
    ///
    /// # Errors
    /// As [`T5::load`].
    pub fn load_trainable(folder: &Path, device: Device) -> Result<Self, ModelError> {
        let config = T5Config::read(&folder.join("config.json"))?;
        Self::build(config, Weights::open(folder, device, Kind::Float)?.trainable(), device, Kind::Float)
    }

    /// The weights that are trained, in the order of loading; none in a frozen model.
    #[must_use]
    pub fn leaves(&self) -> Vec<Leaf> {
        self.weights.leaves()
    }

    fn build(config: T5Config, weights: Weights, device: Device, kind: Kind) -> Result<Self, ModelError> {
        let table = [config.vocab_size, config.d_model];
        let shared = weights.take("shared.weight", &table)?;
        // METHODS 1.2: the file and not the config says whether there is a head of its own. A duplicate of the shared table,
        // which transformers 4 could write, gives the same product.
        let head = match weights.has(HEAD) {
            true => weights.take(HEAD, &table)?,
            false => shared.shallow_clone(),
        };
        Ok(Self {
            encoder: Encoder::load(&weights, &config)?,
            decoder: Decoder::load(&weights, &config)?,
            shared,
            head: Linear::new(head),
            maximum_length: config.n_positions,
            device,
            kind,
            config,
            weights,
        })
    }

    /// Shape and constants.
    #[must_use]
    pub fn config(&self) -> &T5Config {
        &self.config
    }

    /// Where it computes.
    #[must_use]
    pub fn device(&self) -> Device {
        self.device
    }

    /// The number type it computes in.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The most source and prompt tokens a row may have together. It is `n_positions` of `config.json`, or no limit without
    /// it; T5's relative positions work beyond it, only training did not go there.
    #[must_use]
    pub fn maximum_length(&self) -> Option<usize> {
        self.maximum_length
    }

    /// Sets or lifts the limit of [`T5::maximum_length`].
    pub fn set_maximum_length(&mut self, maximum: Option<usize>) {
        self.maximum_length = maximum;
    }

    /// The word embeddings of some ids, a copy of `[ids, d_model]`; T5 does not scale them.
    ///
    /// # Errors
    /// When an id is outside of the vocabulary.
    pub fn embed(&self, ids: &[i64]) -> Result<Tensor, ModelError> {
        self.check_ids(ids, || "the ids to embed".to_owned())?;
        Ok(self.embeddings(ids))
    }

    /// Negative log-likelihood of every target token under teacher forcing. Its mean is the training loss.
    ///
    /// # Errors
    /// When the batch contradicts itself, the prompts or the vocabulary, or a row is too long.
    pub fn losses(&self, batch: &Batch, prompts: Option<&Prompts>, mode: Mode) -> Result<TokenLosses, ModelError> {
        let logits = self.logits(batch, prompts, mode)?;
        let targets = Tensor::from_slice(&batch.targets.concat()).to_device(self.device);
        let values = negative_log_likelihood(&logits, &targets);
        let mut offsets = vec![0];
        for target in &batch.targets {
            offsets.push(offsets[offsets.len() - 1] + target.len());
        }
        Ok(TokenLosses { values, offsets })
    }

    /// `[target tokens, vocab_size]` under teacher forcing, packed row after row.
    ///
    /// # Errors
    /// As [`T5::losses`].
    pub fn logits(&self, batch: &Batch, prompts: Option<&Prompts>, mode: Mode) -> Result<Tensor, ModelError> {
        self.check_targets(batch)?;
        let rate = self.rate(mode)?;
        let memories = self.encode(batch, prompts, rate)?;
        let each_its_own: Vec<usize> = (0..batch.targets.len()).collect();
        let hidden = self.decode(&memories, &batch.targets, &each_its_own, rate);
        Ok(self.head(&hidden))
    }

    fn embeddings(&self, ids: &[i64]) -> Tensor {
        self.shared.index_select(0, &Tensor::from_slice(ids).to_device(self.device))
    }

    /// The encoder's output of each row, `[tokens, d_model]`.
    fn encode(&self, batch: &Batch, prompts: Option<&Prompts>, rate: f64) -> Result<Vec<Tensor>, ModelError> {
        let input = self.input(batch, prompts)?;
        let plan = SelfPlan::new(&input.positions, &self.encoder.positions, false, self.device);
        let lengths: Vec<i64> = input.positions.iter().map(|row| row.len() as i64).collect();
        Ok(self.encoder.forward(&input.embeddings, &plan, rate).split_with_sizes(&lengths, 0))
    }

    /// The decoder's output for several target sequences, packed: `[target tokens, d_model]`. `owner` says which row's
    /// encoder output each sequence reads, in ascending order.
    fn decode(&self, memories: &[Tensor], targets: &[Vec<i64>], owner: &[usize], rate: f64) -> Tensor {
        // Teacher forcing: the decoder reads the start id and the target without its last token.
        let mut ids = Vec::new();
        let mut queries = vec![0; memories.len()];
        for (target, row) in targets.iter().zip(owner) {
            ids.push(self.config.decoder_start_token_id);
            ids.extend_from_slice(&target[..target.len() - 1]);
            queries[*row] += target.len();
        }
        let positions: Vec<Vec<i64>> = targets.iter().map(|target| (0..target.len() as i64).collect()).collect();
        let plan = SelfPlan::new(&positions, &self.decoder.positions, true, self.device);
        let cross = CrossPlan::new(memories, &queries);
        self.decoder.forward(&self.embeddings(&ids), &plan, &cross, rate)
    }

    /// `[rows, d_model] -> [rows, vocab_size]`
    fn head(&self, hidden: &Tensor) -> Tensor {
        // v1.0 ties the head to the embeddings and makes up for their size; a separate head is not scaled.
        match self.config.scale_decoder_outputs {
            true => self.head.forward(&(hidden * (self.config.d_model as f64).powf(-0.5))),
            false => self.head.forward(hidden),
        }
    }

    fn rate(&self, mode: Mode) -> Result<f64, ModelError> {
        let rate = mode.dropout();
        if (0.0..1.0).contains(&rate) {
            return Ok(rate);
        }
        Err(ModelError::Batch(format!("the dropout rate is {rate}, but it must be at least 0 and less than 1")))
    }
}

/// `[tokens, vocab_size]` and `[tokens]` -> `[tokens]`, in float32.
fn negative_log_likelihood(logits: &Tensor, targets: &Tensor) -> Tensor {
    let wide = if logits.kind() == Kind::Double { Kind::Double } else { Kind::Float };
    logits.to_kind(wide).cross_entropy_loss(targets, None::<&Tensor>, tch::Reduction::None, -100, 0.0)
}
