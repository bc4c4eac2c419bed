//! Ranking of label words by their likelihood: an evaluation that cannot produce an invalid label (METHODS 4.3).

use tch::{Kind, Tensor};

use super::{T5, negative_log_likelihood};
use crate::model::{Batch, ModelError, Prompts};

/// Target tokens whose logits are held at a time.
const TOKENS_AT_ONCE: i64 = 64;

impl T5 {
    /// Summed log-likelihood of each candidate label for each row, float32 `[rows, candidates]`, on the CPU. All rows share the
    /// candidates, and the candidates of a row share one pass of the encoder. The targets of the batch are not read.
    ///
    /// # Errors
    /// When the batch contradicts itself, the prompts or the vocabulary, a row is too long, or there are no candidates.
    pub fn rank(
        &self,
        batch: &Batch,
        prompts: Option<&Prompts>,
        candidates: &[Vec<i64>],
    ) -> Result<Tensor, ModelError> {
        if candidates.is_empty() {
            return Err(ModelError::Batch("there are no candidates to rank".to_owned()));
        }
        for (index, candidate) in candidates.iter().enumerate() {
            self.check_target(candidate, || format!("candidate {index}"))?;
        }
        let _without_gradients = tch::no_grad_guard();
        let memories = self.encode(batch, prompts, 0.0)?;
        let rows = memories.len();
        let targets: Vec<Vec<i64>> = (0..rows).flat_map(|_| candidates.iter().cloned()).collect();
        let owner: Vec<usize> = (0..rows).flat_map(|row| std::iter::repeat_n(row, candidates.len())).collect();
        let hidden = self.decode(&memories, &targets, &owner, 0.0); // [tokens of all candidates of all rows, d_model]
        let ids = Tensor::from_slice(&targets.concat()).to_device(self.device);
        let losses: Vec<Tensor> = hidden
            .split(TOKENS_AT_ONCE, 0)
            .iter()
            .zip(ids.split(TOKENS_AT_ONCE, 0))
            .map(|(hidden, ids)| negative_log_likelihood(&self.head(hidden), &ids))
            .collect();
        let losses: Vec<f32> = Vec::try_from(Tensor::cat(&losses, 0).to_kind(Kind::Float).to_device(tch::Device::Cpu))?;
        let mut rest = losses.as_slice();
        let mut scores = Vec::with_capacity(targets.len());
        for target in &targets {
            let (own, others) = rest.split_at(target.len());
            scores.push(-own.iter().sum::<f32>());
            rest = others;
        }
        Ok(Tensor::from_slice(&scores).view([rows as i64, candidates.len() as i64]))
    }
}
