//! The body of `evaluate`: each task's split with the task's prompt, answered and scored.

use std::time::Instant;

use compt::metric;
use compt::operation::evaluate::{EvaluateParameters, Mode, Split};
use compt::operation::parameters_of;
use compt::operation::train::Precision;
use compt::protocol::{Job, Reporter, StageError};
use compt::task::dataset::Kind;
use compt::task::texts::{Example, TaskTexts};
use tch::Tensor;

use super::backbone::{Backbone, Shelf};
use super::csv::Csv;
use super::inputs::{self, instance};
use super::machine;
use super::modules;
use super::predict::{Answers, Asking, answers};
use super::prompts::{self, PromptSet};
use crate::model::Generation;

/// Tokens that an answer may have beyond the longest label (METHODS 3).
const SPARE_TOKENS: usize = 5;

/// Scores the prompts of a job.
///
/// # Errors
/// Why it could not be done.
pub fn run(job: &Job, shelf: &mut Shelf, reporter: &mut dyn Reporter) -> Result<(), StageError> {
    let settings: EvaluateParameters = parameters_of(job)?;
    let device = machine::prepare(&job.compute)?;
    let sets = prompt_sets(job, &settings)?;
    let texts = inputs::texts(job)?;
    let work = texts
        .iter()
        .map(|texts| Ok((texts, owner(&texts.card.name, &sets)?, split(texts, settings.split)?)))
        .collect::<Result<Vec<_>, StageError>>()?;
    let kinds: &[&str] = if settings.untrained { &["learned", "untrained"] } else { &["learned"] };
    let total: usize = work.iter().map(|(_, _, examples)| examples.len() * kinds.len()).sum();
    let backbone = shelf.backbone(job, &settings.backbone, device, Precision::Float32, reporter)?;

    let mut predictions = Csv::new(&["task", "prompt", "id", "source", "gold", "predicted", "valid"]);
    let mut scores = Csv::new(&["task", "prompt", "metric", "of", "value", "examples"]);
    let started = Instant::now();
    let mut answered = 0;
    for (texts, set, examples) in &work {
        let task = texts.card.name.as_str();
        let longest = settings.max_source_tokens.unwrap_or(set.max_source_tokens);
        let pairs = inputs::pairs(backbone, examples, longest, None)?;
        let asking = asking(&settings, backbone, texts, reporter)?;
        for kind in kinds {
            let prompt = prompt(set, kind, task)?.to_device(device);
            let mut done = |more: usize| {
                answered += more;
                reporter.progress(answered as u64, total as u64, "examples", task);
            };
            let answers = tch::no_grad(|| answers(backbone, &pairs, &prompt, set.position, &asking, &mut done))?;
            record(texts, kind, examples, &answers, &mut predictions, &mut scores)?;
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    reporter.fact("evaluate_seconds", seconds.into());
    reporter.fact("examples_per_second", (total as f64 / seconds.max(1e-9)).into());
    fs_err::write(job.output.join("predictions.csv"), predictions.into_text())?;
    Ok(fs_err::write(job.output.join("scores.csv"), scores.into_text())?)
}

/// The prompts of every training that the job reads, with the training's name.
pub(super) fn prompt_sets(job: &Job, settings: &EvaluateParameters) -> Result<Vec<(String, PromptSet)>, StageError> {
    let mut sets = Vec::new();
    for input in job.inputs.iter().filter(|input| input.operation == "train") {
        let mut set = prompts::load(&input.folder)?;
        if set.backbone != settings.backbone {
            return Err(StageError::input(format!(
                "{} was trained on `{}`, but `{}` shall evaluate it on `{}`",
                instance(input),
                set.backbone,
                job.stage,
                settings.backbone
            ))
            .with_hint("give both stages the same `backbone`, best as one entry of `params`"));
        }
        if !settings.mask.is_total() {
            set.learned = modules::masked(input, &settings.mask)?;
        }
        sets.push((instance(input), set));
    }
    if sets.is_empty() {
        return Err(StageError::input(format!("`{}` reads no prompts", job.stage))
            .with_hint("name a stage with `train` in `from`"));
    }
    Ok(sets)
}

/// The one set that has a prompt for the task.
pub(super) fn owner<'a>(task: &str, sets: &'a [(String, PromptSet)]) -> Result<&'a PromptSet, StageError> {
    let owners: Vec<&(String, PromptSet)> = sets.iter().filter(|(_, set)| set.learned.contains_key(task)).collect();
    match owners.as_slice() {
        [(_, set)] => Ok(set),
        [] => {
            let mut known: Vec<String> =
                sets.iter().flat_map(|(_, set)| set.learned.keys()).map(|name| format!("`{name}`")).collect();
            known.sort();
            known.dedup();
            Err(StageError::input(format!(
                "there is no prompt for the task `{task}`; there are prompts for {}",
                known.join(", ")
            ))
            .with_hint("train on that task too, or leave its texts out with `only`"))
        }
        several => {
            let names: Vec<&str> = several.iter().map(|(name, _)| name.as_str()).collect();
            Err(StageError::input(format!("the task `{task}` has several prompts: {}", names.join(", ")))
                .with_hint("give the stage the axis in which they differ, or choose one with `only`"))
        }
    }
}

/// A task's prompt of one kind, `learned` or `untrained`.
pub(super) fn prompt<'a>(set: &'a PromptSet, kind: &str, task: &str) -> Result<&'a Tensor, StageError> {
    let prompts = if kind == "learned" { &set.learned } else { &set.untrained };
    prompts.get(task).ok_or_else(|| StageError::bug(format!("there is no {kind} prompt for `{task}`")))
}

fn split(texts: &TaskTexts, split: Split) -> Result<&[Example], StageError> {
    let (examples, name, parameter) = match split {
        Split::Test => (&texts.test, "test", "test_samples"),
        Split::Validation => (&texts.validation, "validation", "validation_samples"),
    };
    if examples.is_empty() {
        return Err(StageError::input(format!("the {name} split of the task `{}` is empty", texts.card.name))
            .with_hint(format!("set `{parameter}` of the stage with `sample` above 0, or evaluate another split")));
    }
    Ok(examples)
}

/// How the texts of a task are answered.
pub(super) fn asking(
    settings: &EvaluateParameters,
    backbone: &Backbone,
    texts: &TaskTexts,
    reporter: &mut dyn Reporter,
) -> Result<Asking, StageError> {
    let card = &texts.card;
    let candidates = card
        .labels
        .iter()
        .map(|label| Ok((backbone.target(label)?, label.clone())))
        .collect::<Result<Vec<_>, StageError>>()?;
    let mut mode = settings.mode;
    if candidates.is_empty() && mode == Mode::Rank {
        reporter.log(&format!("the task `{}` has no labels to rank; its answers are generated", card.name));
        mode = Mode::Generate;
    }
    let max_new_tokens = match settings.max_new_tokens {
        Some(tokens) => tokens,
        None => {
            let mut longest = candidates.iter().map(|(ids, _)| ids.len()).max().unwrap_or(0);
            if candidates.is_empty() {
                for example in &texts.train {
                    longest = longest.max(backbone.target(&example.target)?.len());
                }
            }
            longest + SPARE_TOKENS
        }
    };
    Ok(Asking {
        mode,
        generation: Generation { max_new_tokens, repetition_penalty: settings.repetition_penalty },
        candidates,
        likelihood: settings.nll,
        scores: false,
        batch: settings.batch,
    })
}

/// Adds a task's answers and scores to the tables.
fn record(
    texts: &TaskTexts,
    prompt: &str,
    examples: &[Example],
    answers: &Answers,
    predictions: &mut Csv,
    scores: &mut Csv,
) -> Result<(), StageError> {
    let card = &texts.card;
    let kind = match card.kind {
        Kind::Classification => metric::Kind::Classification,
        Kind::Regression => metric::Kind::Regression,
    };
    let pairs: Vec<metric::Pair<'_>> = examples
        .iter()
        .zip(&answers.texts)
        .map(|(example, predicted)| metric::Pair { gold: &example.target, predicted })
        .collect();
    for (example, pair) in examples.iter().zip(&pairs) {
        let valid = metric::invalid::is_valid(kind, &card.labels, *pair).to_string();
        predictions.row(&[&card.name, prompt, &example.id, &example.source, pair.gold, pair.predicted, &valid]);
    }
    let refused = |error: metric::MetricError| StageError::input(format!("the task `{}`: {error}", card.name));
    let names = card.metrics.iter().map(String::as_str).chain(["invalid_rate"]);
    let mut values: Vec<(String, f64)> =
        metric::score(kind, &card.labels, names, &pairs).map_err(refused)?.into_iter().collect();
    if let Some(likelihood) = answers.likelihood {
        values.push(("nll".to_owned(), likelihood));
    }
    let score = metric::paper_score(kind, &card.labels, &card.score, &pairs).map_err(refused)?;
    values.push((metric::SCORE.to_owned(), score));
    for (name, value) in values {
        // Tables name the metric behind a score in their headers.
        let of = if name == metric::SCORE { card.score.as_str() } else { "" };
        scores.row(&[&card.name, prompt, &name, of, &value.to_string(), &pairs.len().to_string()]);
    }
    Ok(())
}
