//! The body of `evaluate`: each task's split with the task's prompt, answered and scored.

use compt::operation::evaluate::EvaluateParameters;
use compt::operation::parameters_of;
use compt::protocol::{Input, Job, Reporter, StageError};

use super::backbone::Shelf;
use super::modules::Trained;
use super::prompts::PromptSet;
use super::scoring::{self, Scoring, Variant};

/// Scores the prompts of a job.
///
/// # Errors
/// Why it could not be done.
pub fn run(job: &Job, shelf: &mut Shelf, reporter: &mut dyn Reporter) -> Result<(), StageError> {
    let settings: EvaluateParameters = parameters_of(job)?;
    let scoring = Scoring {
        settings: &settings,
        columns: &["prompt"],
        choose: &|training, set, _| variants(&settings, training, set),
    };
    scoring::run(job, &scoring, shelf, reporter)
}

/// The learned prompts, masked as the settings say, and after them the untrained ones where they are asked for.
///
/// # Errors
/// A mask that the training's method does not know, or a result that can't be read.
pub(super) fn variants(
    settings: &EvaluateParameters,
    training: &Input,
    set: PromptSet,
) -> Result<Vec<Variant>, StageError> {
    let learned = Trained::new(training, set.learned).masked(&settings.mask)?;
    let mut variants = vec![Variant { columns: vec!["learned".to_owned()], prompts: learned }];
    if settings.untrained {
        variants.push(Variant { columns: vec!["untrained".to_owned()], prompts: set.untrained });
    }
    Ok(variants)
}
