//! Greedy decoding with a cache of keys and values (METHODS 1.3).

use tch::{Kind, Tensor};

use super::T5;
use super::packing::CrossPlan;
use crate::model::{Batch, Generation, ModelError, Prompts};

impl T5 {
    /// Decodes every row greedily. A row ends with its end-of-sequence id, or at the limit; the start id is left out. The
    /// targets of the batch are not read.
    ///
    /// Rows leave as soon as they have ended, so label words cost as many steps as they have tokens.
    ///
    /// # Errors
    /// When the batch contradicts itself, the prompts or the vocabulary, or a row is too long.
    pub fn generate(
        &self,
        batch: &Batch,
        prompts: Option<&Prompts>,
        options: &Generation,
    ) -> Result<Vec<Vec<i64>>, ModelError> {
        let penalty = options.repetition_penalty;
        if !(penalty > 0.0 && penalty.is_finite()) {
            return Err(ModelError::Batch(format!("the repetition penalty is {penalty}, but it must be more than 0")));
        }
        let _without_gradients = tch::no_grad_guard();
        let memories = self.encode(batch, prompts, 0.0)?;
        let mut running: Vec<usize> = (0..memories.len()).collect();
        let mut outputs = vec![Vec::new(); memories.len()];
        let mut newest = vec![self.config.decoder_start_token_id; memories.len()];
        let mut caches = self.decoder.caches();
        let mut cross = CrossPlan::new(&memories, &vec![1; memories.len()]);
        for length in 1..=options.max_new_tokens {
            let hidden = self.decoder.step(self.embeddings(&newest), &mut caches, length as i64, &cross);
            let logits = self.head(&hidden); // [running rows, vocab_size]
            let logits = match penalty == 1.0 {
                true => logits,
                false => self.penalise(&logits, &running, &outputs, penalty),
            };
            let chosen: Vec<i64> = Vec::try_from(logits.argmax(-1, false))?;
            let mut staying = Vec::new();
            for (place, (row, id)) in running.iter().zip(&chosen).enumerate() {
                outputs[*row].push(*id);
                if *id != self.config.eos_token_id {
                    staying.push(place);
                }
            }
            if staying.is_empty() {
                break;
            }
            newest = staying.iter().map(|place| chosen[*place]).collect();
            if staying.len() < running.len() {
                running = staying.iter().map(|place| running[*place]).collect();
                let places: Vec<i64> = staying.iter().map(|place| *place as i64).collect();
                let places = Tensor::from_slice(&places).to_device(self.device);
                caches.iter_mut().for_each(|cache| cache.keep(&places));
                let left: Vec<Tensor> = running.iter().map(|row| memories[*row].shallow_clone()).collect();
                cross = CrossPlan::new(&left, &vec![1; left.len()]);
            }
        }
        Ok(outputs)
    }

    /// Weakens every id that is in a row's prefix, the start id included: `[rows, vocab_size] -> [rows, vocab_size]`.
    fn penalise(&self, logits: &Tensor, running: &[usize], outputs: &[Vec<i64>], penalty: f64) -> Tensor {
        // Rows that still run have all generated equally many ids, so their prefixes form a matrix.
        let prefixes: Vec<i64> = running
            .iter()
            .flat_map(|row| std::iter::once(self.config.decoder_start_token_id).chain(outputs[*row].iter().copied()))
            .collect();
        let ids = Tensor::from_slice(&prefixes).view([running.len() as i64, -1]).to_device(self.device);
        let wide = logits.to_kind(if logits.kind() == Kind::Double { Kind::Double } else { Kind::Float });
        let before = wide.gather(1, &ids, false); // [rows, prefix]
        let after = (&before * penalty).where_self(&before.lt(0.0), &(&before / penalty));
        // An id that stands twice in a prefix writes the same number twice: the penalty counts once.
        wide.scatter(1, &ids, &after)
    }
}
