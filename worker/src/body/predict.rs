//! What the backbone answers to the texts of one task with one prompt.

use compt::operation::evaluate::Mode as Answering;
use compt::protocol::StageError;
use tch::{Device, Kind, Tensor};

use super::backbone::Backbone;
use super::failure::of_model;
use crate::model::{Batch, Generation, Mode, Position, Prompts};
use crate::train::data::Pair;

/// How to answer.
#[derive(Clone, Debug)]
pub struct Asking {
    /// Greedy text or the best label.
    pub mode: Answering,
    /// Greedy decoding.
    pub generation: Generation,
    /// The labels' ids with end marks, and their texts, for `rank`.
    pub candidates: Vec<(Vec<i64>, String)>,
    /// Whether the likelihood of the right answers is wanted when it costs an extra pass.
    pub likelihood: bool,
    /// Whether the likelihood of every candidate is wanted when it costs an extra pass.
    pub scores: bool,
    /// Examples in a batch.
    pub batch: usize,
}

/// Answers in the order of the examples.
#[derive(Debug, Default)]
pub struct Answers {
    /// Texts.
    pub texts: Vec<String>,
    /// Mean negative log-likelihood of the right answers' tokens, where it was measured.
    pub likelihood: Option<f64>,
    /// The log-likelihoods of the candidates, one row an example; empty rows where they were not measured.
    pub scores: Vec<Vec<f64>>,
}

/// Answers `examples` with a prompt [L, d], in batches of similar length.
///
/// # Errors
/// What the backbone says.
pub fn answers(
    backbone: &Backbone,
    examples: &[Pair],
    prompt: &Tensor,
    position: Position,
    asking: &Asking,
    done: &mut dyn FnMut(usize),
) -> Result<Answers, StageError> {
    let mut order: Vec<usize> = (0..examples.len()).collect();
    order.sort_by_key(|&example| std::cmp::Reverse(examples[example].source.len()));
    let rows = prompt.unsqueeze(0);
    let prompts = Prompts { rows: &rows, position };
    let mut texts = vec![String::new(); examples.len()];
    let mut scores = vec![Vec::new(); examples.len()];
    let candidates: Vec<Vec<i64>> = asking.candidates.iter().map(|(ids, _)| ids.clone()).collect();
    let mut measured: Option<(f64, usize)> = None;
    for places in order.chunks(asking.batch.max(1)) {
        let mut batch = Batch::default();
        for &place in places {
            batch.sources.push(examples[place].source.clone());
            batch.prompt_of_row.push(Some(0));
        }
        let gold = |place: usize| examples[place].target.as_slice();
        if asking.mode == Answering::Rank || asking.scores {
            let ranked = backbone.model.rank(&batch, Some(&prompts), &candidates).map_err(of_model)?;
            let ranked = ranked.to_kind(Kind::Double).to_device(Device::Cpu).reshape([-1]);
            let ranked = Vec::<f64>::try_from(ranked).map_err(|error| StageError::bug(error.to_string()))?;
            for (&place, row) in places.iter().zip(ranked.chunks(candidates.len().max(1))) {
                scores[place] = row.to_vec();
            }
        }
        match asking.mode {
            Answering::Rank => {
                for &place in places {
                    let row = &scores[place];
                    let best = (1..row.len()).fold(0, |best, next| if row[next] > row[best] { next } else { best });
                    texts[place].clone_from(&asking.candidates[best].1);
                    if let Some(right) = candidates.iter().position(|ids| ids == gold(place)) {
                        add(&mut measured, -row[right], gold(place).len());
                    }
                }
            }
            Answering::Generate => {
                let ids = backbone.model.generate(&batch, Some(&prompts), &asking.generation).map_err(of_model)?;
                for (&place, ids) in places.iter().zip(&ids) {
                    texts[place] = backbone.decode(ids)?;
                }
                if asking.likelihood {
                    batch.targets = places.iter().map(|&place| gold(place).to_vec()).collect();
                    let losses = backbone.model.losses(&batch, Some(&prompts), Mode::Evaluation).map_err(of_model)?;
                    let sum = losses.values.sum(Kind::Double).double_value(&[]);
                    add(&mut measured, sum, losses.values.numel());
                }
            }
        }
        done(places.len());
    }
    Ok(Answers { texts, scores, likelihood: measured.map(|(sum, tokens)| sum / tokens.max(1) as f64) })
}

fn add(measured: &mut Option<(f64, usize)>, sum: f64, tokens: usize) {
    let (sums, all) = measured.get_or_insert((0.0, 0));
    *sums += sum;
    *all += tokens;
}
