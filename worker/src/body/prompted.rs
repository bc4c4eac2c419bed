//! A task's prompt, ready to answer texts as they come.
//!
//! It is made from the `evaluate` job that would score the same prompt, by the same functions, so that a text gets the
//! answer that the evaluation would have written down for it.

use compt::operation::evaluate::EvaluateParameters;
use compt::operation::parameters_of;
use compt::operation::train::Precision;
use compt::protocol::{Answer, Job, Reporter, StageError};
use compt::task::texts::Example;
use tch::{Device, Tensor};

use super::backbone::Shelf;
use super::evaluate::{asking, owner, prompt, prompt_sets};
use super::inputs;
use super::machine;
use super::predict::{Asking, answers};
use crate::model::Position;

/// A prompt and how its task's texts are answered.
pub struct Prompted {
    job: Job,
    settings: EvaluateParameters,
    device: Device,
    task: String,
    prompt: Tensor,
    position: Position,
    longest: usize,
    asking: Asking,
}

impl Prompted {
    /// Loads what the job names: one task's texts and the training that has a prompt for it.
    ///
    /// # Errors
    /// What the evaluation would have refused.
    pub fn prepare(job: Job, shelf: &mut Shelf, reporter: &mut dyn Reporter) -> Result<Self, StageError> {
        let settings: EvaluateParameters = parameters_of(&job)?;
        let device = machine::prepare(&job.compute)?;
        let sets = prompt_sets(&job, &settings)?;
        let texts = inputs::texts(&job)?;
        let [texts] = texts.as_slice() else {
            return Err(StageError::bug(format!("{} tasks instead of one", texts.len())));
        };
        let task = texts.card.name.clone();
        let set = owner(&task, &sets)?;
        let backbone = shelf.backbone(&job, &settings.backbone, device, Precision::Float32, reporter)?;
        let mut asking = asking(&settings, backbone, texts, reporter)?;
        // There is no right answer to measure.
        asking.likelihood = false;
        let (position, longest) = (set.position, settings.max_source_tokens.unwrap_or(set.max_source_tokens));
        let prompt = prompt(set, "learned", &task)?.to_device(device);
        Ok(Self { job, settings, device, task, prompt, position, longest, asking })
    }

    /// Answers source texts.
    ///
    /// # Errors
    /// A text that the tokenizer refuses, labels that are missing, or what the backbone says.
    pub fn answer(
        &mut self,
        texts: Vec<String>,
        scores: bool,
        shelf: &mut Shelf,
        reporter: &mut dyn Reporter,
    ) -> Result<Vec<Answer>, StageError> {
        if scores && self.asking.candidates.is_empty() {
            return Err(StageError::input(format!("the task `{}` has no labels to score", self.task))
                .with_hint("leave `--scores` out"));
        }
        self.asking.scores = scores;
        self.asking.batch = texts.len();
        let examples: Vec<Example> =
            texts.into_iter().map(|source| Example { id: String::new(), source, target: String::new() }).collect();
        let backbone = shelf.backbone(&self.job, &self.settings.backbone, self.device, Precision::Float32, reporter)?;
        let pairs = inputs::pairs(backbone, &examples, self.longest, None)?;
        let found = tch::no_grad(|| answers(backbone, &pairs, &self.prompt, self.position, &self.asking, &mut |_| ()))?;
        let wanted = |row: Vec<f64>| if scores { row } else { Vec::new() };
        let both = found.texts.into_iter().zip(found.scores);
        Ok(both.map(|(text, row)| Answer { text, scores: wanted(row) }).collect())
    }
}
