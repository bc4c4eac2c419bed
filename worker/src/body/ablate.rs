//! The body of `ablate`: each task's split with parts of the task's prompt, answered and scored (METHODS 2.5).

use compt::operation::ablate::{AblateParameters, Part, Weighing};
use compt::operation::evaluate::{Keep, MaskSettings};
use compt::operation::parameters_of;
use compt::protocol::{Input, Job, Reporter, StageError};

use super::backbone::Shelf;
use super::inputs::instance;
use super::modules::Trained;
use super::prompts::PromptSet;
use super::scoring::{self, Scoring, Variant};

/// Scores the parts of a job's prompts.
///
/// # Errors
/// Why it could not be done.
pub fn run(job: &Job, shelf: &mut Shelf, reporter: &mut dyn Reporter) -> Result<(), StageError> {
    let parameters: AblateParameters = parameters_of(job)?;
    let scoring = Scoring {
        settings: &parameters.evaluation(),
        columns: &["prompt", "part", "weights"],
        choose: &|training, set, reporter| variants(&parameters, training, set, reporter),
    };
    scoring::run(job, &scoring, shelf, reporter)
}

/// Every part that is wanted and that the training has, with every way to weigh it.
fn variants(
    parameters: &AblateParameters,
    training: &Input,
    set: PromptSet,
    reporter: &mut dyn Reporter,
) -> Result<Vec<Variant>, StageError> {
    let trained = Trained::new(training, set.learned);
    let there = trained.masks()?;
    let (kept, absent) = chosen(&parameters.parts, &there);
    let names = |words: Vec<String>| words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    if !absent.is_empty() {
        let absent = names(absent);
        let known = names(there.iter().map(ToString::to_string).collect());
        if kept.is_empty() {
            return Err(StageError::input(format!(
                "{} has none of the parts {absent}; its parts are {known}",
                instance(training)
            ))
            .with_hint("write one of these in `parts`, or leave this training out with `only`"));
        }
        reporter.log(&format!("{} has no {absent}, which is left out; its parts are {known}", instance(training)));
    }
    let mut variants = Vec::new();
    for keep in kept {
        for weighing in &parameters.weights {
            let renormalise = *weighing == Weighing::Renormalised;
            let mask = MaskSettings { keep, renormalise, scp: parameters.dropped_half };
            variants.push(Variant {
                columns: vec!["learned".to_owned(), keep.to_string(), weighing.name().to_owned()],
                prompts: trained.masked(&mask)?,
            });
        }
    }
    Ok(variants)
}

/// What is kept, in the order in which it is wanted and each once, and the names of the parts that are not there.
fn chosen(wanted: &[Part], there: &[Keep]) -> (Vec<Keep>, Vec<String>) {
    let (mut kept, mut absent) = (Vec::new(), Vec::new());
    for part in wanted {
        let found: Vec<Keep> = there.iter().copied().filter(|keep| part.covers(*keep)).collect();
        if found.is_empty() {
            absent.push(part.to_string());
        }
        for keep in found {
            if !kept.contains(&keep) {
                kept.push(keep);
            }
        }
    }
    (kept, absent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_as_wanted_and_once() {
        let parts = |words: &[&str]| -> Vec<Part> {
            words.iter().map(|word| Part::try_from((*word).to_owned()).unwrap()).collect()
        };
        let there = [Keep::Total, Keep::AllSources, Keep::Source(1), Keep::Source(2)];
        let of = |words: &[&str]| {
            let (kept, absent) = chosen(&parts(words), &there);
            let kept: Vec<String> = kept.iter().map(ToString::to_string).collect();
            (kept.join(" "), absent.join(" "))
        };
        let pair = |kept: &str, absent: &str| (kept.to_owned(), absent.to_owned());
        assert_eq!(of(&["sources", "all_src", "total"]), pair("src_1 src_2 all_src total", ""));
        assert_eq!(of(&["src_2", "sources", "private"]), pair("src_2 src_1", "private"));
        assert_eq!(of(&["src_3", "private"]), pair("", "src_3 private"));
    }
}
