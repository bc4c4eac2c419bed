//! Checks a batch, and lays its texts and prompts out as the encoder's input.

use tch::Tensor;

use super::T5;
use crate::model::{Batch, ModelError, Position, Prompts};

/// The encoder's input.
pub(super) struct Input {
    /// `[tokens, d_model]`: the rows below one another, each with its prompt.
    pub(super) embeddings: Tensor,
    /// The position of each token in its row.
    pub(super) positions: Vec<Vec<i64>>,
}

impl T5 {
    /// Checks the sources and lays them out with their prompts (METHODS 1.5).
    pub(super) fn input(&self, batch: &Batch, prompts: Option<&Prompts>) -> Result<Input, ModelError> {
        let prompt_length = self.check_prompts(batch, prompts)?;
        self.check_sources(batch, prompt_length)?;
        let texts = self.embeddings(&batch.sources.concat());
        let lengths: Vec<i64> = batch.sources.iter().map(|source| source.len() as i64).collect();
        let texts = texts.split_with_sizes(&lengths, 0);
        // Unbinding once keeps the gradient of each prompt a sum over its own rows.
        let prompt_rows = prompts.map(|prompts| prompts.rows.to_device(self.device).to_kind(self.kind).unbind(0));
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let mut parts = Vec::with_capacity(3 * lengths.len());
        let mut positions = Vec::with_capacity(lengths.len());
        for (row, (text, length)) in texts.iter().zip(&lengths).enumerate() {
            let chosen = batch.prompt_of_row.get(row).copied().flatten();
            let (Some(index), Some(prompt_rows), Some(prompts)) = (chosen, &prompt_rows, prompts) else {
                parts.push(text.shallow_clone());
                positions.push((0..*length).collect());
                continue;
            };
            let prompt = prompt_rows[index].shallow_clone();
            let all = *length + prompt_length as i64;
            match prompts.position {
                Position::Front => {
                    parts.extend([prompt, text.shallow_clone()]);
                    positions.push((0..all).collect());
                }
                Position::BeforeEos => {
                    parts.extend([text.narrow(0, 0, length - 1), prompt, text.narrow(0, length - 1, 1)]);
                    positions.push((0..all).collect());
                }
                // The padding between text and prompt is hidden, so it is left out; its positions are not given away.
                Position::AfterPadding => {
                    parts.extend([text.shallow_clone(), prompt]);
                    positions.push((0..*length).chain(longest..longest + prompt_length as i64).collect());
                }
            }
        }
        Ok(Input { embeddings: Tensor::cat(&parts, 0), positions })
    }

    /// Checks the prompts against the model and the rows that ask for them; returns their length.
    fn check_prompts(&self, batch: &Batch, prompts: Option<&Prompts>) -> Result<usize, ModelError> {
        let choices = &batch.prompt_of_row;
        if !choices.is_empty() && choices.len() != batch.sources.len() {
            let (rows, choices) = (batch.sources.len(), choices.len());
            return Err(ModelError::Batch(format!("the batch has {rows} sources, but {choices} choices of a prompt")));
        }
        let (count, length) = match prompts {
            None => (0, 0),
            Some(prompts) => {
                let size = prompts.rows.size();
                if size.len() != 3 || size[2] != self.config.d_model {
                    let width = self.config.d_model;
                    return Err(ModelError::Batch(format!(
                        "the prompts have shape {size:?}, but this backbone takes [prompts, length, {width}]; a prompt fits only backbones of the width it was made for"
                    )));
                }
                (size[0] as usize, size[1] as usize)
            }
        };
        match choices.iter().enumerate().find_map(|(row, choice)| choice.filter(|c| *c >= count).map(|c| (row, c))) {
            Some((row, choice)) => Err(ModelError::Batch(format!("row {row} asks for prompt {choice} of {count}"))),
            None => Ok(length),
        }
    }

    fn check_sources(&self, batch: &Batch, prompt_length: usize) -> Result<(), ModelError> {
        if batch.sources.is_empty() {
            return Err(ModelError::Batch("the batch has no rows".to_owned()));
        }
        for (row, source) in batch.sources.iter().enumerate() {
            if source.is_empty() {
                return Err(ModelError::Batch(format!(
                    "source {row} is empty; even an empty text has its end-of-sequence token"
                )));
            }
            self.check_ids(source, || format!("source {row}"))?;
            let prompt_length = match batch.prompt_of_row.get(row) {
                Some(Some(_)) => prompt_length,
                _ => 0,
            };
            if let Some(maximum) = self.maximum_length
                && source.len() + prompt_length > maximum
            {
                return Err(ModelError::TooLong { row, source_length: source.len(), prompt_length, maximum });
            }
        }
        Ok(())
    }

    /// Checks that every row has a target of known ids.
    pub(super) fn check_targets(&self, batch: &Batch) -> Result<(), ModelError> {
        let (sources, targets) = (batch.sources.len(), batch.targets.len());
        if sources != targets {
            return Err(ModelError::Batch(format!("the batch has {sources} sources, but {targets} targets")));
        }
        for (row, target) in batch.targets.iter().enumerate() {
            self.check_target(target, || format!("target {row}"))?;
        }
        Ok(())
    }

    /// Checks one target sequence.
    pub(super) fn check_target(&self, ids: &[i64], what: impl Fn() -> String) -> Result<(), ModelError> {
        if ids.is_empty() {
            let what = what();
            return Err(ModelError::Batch(format!("{what} is empty; it needs at least its end-of-sequence token")));
        }
        self.check_ids(ids, what)
    }

    /// Checks that all ids are in the vocabulary.
    pub(super) fn check_ids(&self, ids: &[i64], what: impl Fn() -> String) -> Result<(), ModelError> {
        let size = self.config.vocab_size;
        match ids.iter().find(|id| !(0..size).contains(*id)) {
            None => Ok(()),
            Some(id) => Err(ModelError::Batch(format!(
                "{} has token id {id}, which is outside of the vocabulary of {size}; the tokenizer belongs to another backbone",
                what()
            ))),
        }
    }
}
