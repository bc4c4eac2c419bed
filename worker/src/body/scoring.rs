//! What `evaluate` and `ablate` share: the texts of each task answered with prompts of its training, and scored.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use compt::metric;
use compt::operation::evaluate::{EvaluateParameters, Mode, Split};
use compt::operation::train::Precision;
use compt::protocol::{Input, Job, Reporter, StageError};
use compt::task::dataset::Kind;
use compt::task::texts::{self, Example, TaskCard, TaskTexts};
use tch::Tensor;

use super::backbone::{Backbone, Shelf};
use super::csv::Csv;
use super::inputs::{self, instance};
use super::machine;
use super::predict::{Answers, Asking, answers};
use super::prompts::{self, PromptSet};
use crate::model::{Generation, Position};

/// Tokens that an answer may have beyond the longest label (METHODS 3).
const SPARE_TOKENS: usize = 5;

/// One prompt for each task of a training.
#[derive(Debug)]
pub struct Variant {
    /// What tells its rows from those of other variants, in the columns of [`Scoring::columns`].
    pub columns: Vec<String>,
    /// Prompts [L, d] by task.
    pub prompts: BTreeMap<String, Tensor>,
}

/// The variants that are scored of a training with these prompts.
pub type Choose<'a> = &'a dyn Fn(&Input, PromptSet, &mut dyn Reporter) -> Result<Vec<Variant>, StageError>;

/// What is asked, and how.
pub struct Scoring<'a> {
    /// How answers are found.
    pub settings: &'a EvaluateParameters,
    /// The columns after `task` in which variants differ.
    pub columns: &'a [&'a str],
    /// Which prompts.
    pub choose: Choose<'a>,
}

/// A training, ready to be asked.
pub(super) struct Training {
    name: String,
    pub(super) position: Position,
    pub(super) max_source_tokens: usize,
    pub(super) variants: Vec<Variant>,
}

/// What is asked about one task.
struct Work<'a> {
    texts: &'a TaskTexts,
    examples: &'a [Example],
    training: &'a Training,
    /// The prompts, each once.
    prompts: Vec<&'a Tensor>,
    /// Each variant, with the place of its prompt.
    variants: Vec<(&'a Variant, usize)>,
}

impl<'a> Work<'a> {
    /// Equal prompts of several variants get equal answers, so they are asked once.
    fn of(texts: &'a TaskTexts, trainings: &'a [Training], split: Split) -> Result<Self, StageError> {
        let task = texts.card.name.as_str();
        let training = owner(task, trainings)?;
        let mut prompts: Vec<&Tensor> = Vec::new();
        let mut variants = Vec::new();
        for variant in &training.variants {
            let Some(prompt) = variant.prompts.get(task) else { continue };
            let place = prompts.iter().position(|other| *other == prompt).unwrap_or(prompts.len());
            if place == prompts.len() {
                prompts.push(prompt);
            }
            variants.push((variant, place));
        }
        Ok(Self { texts, examples: examples(texts, split)?, training, prompts, variants })
    }
}

/// Scores the prompts of a job: writes `predictions.csv`, `scores.csv` and the cards of the tasks.
///
/// # Errors
/// Why it could not be done.
pub fn run(job: &Job, scoring: &Scoring<'_>, shelf: &mut Shelf, reporter: &mut dyn Reporter) -> Result<(), StageError> {
    let settings = scoring.settings;
    let device = machine::prepare(&job.compute)?;
    let trainings = trainings(job, scoring, reporter)?;
    let texts = inputs::texts(job)?;
    let work = texts
        .iter()
        .map(|texts| Work::of(texts, &trainings, settings.split))
        .collect::<Result<Vec<_>, StageError>>()?;
    let total: usize = work.iter().map(|work| work.examples.len() * work.prompts.len()).sum();
    let backbone = shelf.backbone(job, &settings.backbone, device, Precision::Float32, reporter)?;

    let mut tables = Tables::new(scoring.columns);
    let started = Instant::now();
    let mut answered = 0;
    for Work { texts, examples, training, prompts, variants } in &work {
        let longest = settings.max_source_tokens.unwrap_or(training.max_source_tokens);
        let pairs = inputs::pairs(backbone, examples, longest, None)?;
        let asking = asking(settings, backbone, texts, reporter)?;
        let mut done = |more: usize| {
            answered += more;
            reporter.progress(answered as u64, total as u64, "examples", &texts.card.name);
        };
        let mut all = Vec::with_capacity(prompts.len());
        for prompt in prompts {
            let prompt = prompt.to_device(device);
            all.push(tch::no_grad(|| answers(backbone, &pairs, &prompt, training.position, &asking, &mut done))?);
        }
        for (variant, place) in variants {
            tables.record(texts, &variant.columns, examples, &all[*place])?;
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    reporter.fact("evaluate_seconds", seconds.into());
    reporter.fact("examples_per_second", (total as f64 / seconds.max(1e-9)).into());
    let cards: Vec<TaskCard> = texts.iter().map(|texts| texts.card.clone()).collect();
    texts::write_cards(&job.output, &cards)?;
    tables.write(&job.output)
}

/// Every training that the job reads, with the variants that are asked of it.
pub(super) fn trainings(
    job: &Job,
    scoring: &Scoring<'_>,
    reporter: &mut dyn Reporter,
) -> Result<Vec<Training>, StageError> {
    let mut trainings = Vec::new();
    for input in job.inputs.iter().filter(|input| input.operation == "train") {
        let set = prompts::load(input.files.folder())?;
        if set.backbone != scoring.settings.backbone {
            return Err(StageError::input(format!(
                "{} was trained on `{}`, but `{}` shall evaluate it on `{}`",
                instance(input),
                set.backbone,
                job.stage,
                scoring.settings.backbone
            ))
            .with_hint("give both stages the same `backbone`, best as one entry of `params`"));
        }
        trainings.push(Training {
            name: instance(input),
            position: set.position,
            max_source_tokens: set.max_source_tokens,
            variants: (scoring.choose)(input, set, reporter)?,
        });
    }
    if trainings.is_empty() {
        return Err(StageError::input(format!("`{}` reads no prompts", job.stage))
            .with_hint("name a stage with `train` in `from`"));
    }
    Ok(trainings)
}

/// The one training that has prompts for the task.
pub(super) fn owner<'a>(task: &str, trainings: &'a [Training]) -> Result<&'a Training, StageError> {
    let known = |training: &'a Training| training.variants.iter().flat_map(|variant| variant.prompts.keys());
    let owners: Vec<&Training> = trainings.iter().filter(|training| known(training).any(|name| name == task)).collect();
    match owners.as_slice() {
        [training] => Ok(training),
        [] => {
            let mut known: Vec<String> = trainings.iter().flat_map(known).map(|name| format!("`{name}`")).collect();
            known.sort();
            known.dedup();
            Err(StageError::input(format!(
                "there is no prompt for the task `{task}`; there are prompts for {}",
                known.join(", ")
            ))
            .with_hint("train on that task too, or leave its texts out with `only`"))
        }
        several => {
            let names: Vec<&str> = several.iter().map(|training| training.name.as_str()).collect();
            Err(StageError::input(format!("the task `{task}` has several prompts: {}", names.join(", ")))
                .with_hint("give the stage the axis in which they differ, or choose one with `only`"))
        }
    }
}

fn examples(texts: &TaskTexts, split: Split) -> Result<&[Example], StageError> {
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

/// `predictions.csv` and `scores.csv` under construction.
struct Tables {
    predictions: Csv,
    scores: Csv,
}

impl Tables {
    fn new(columns: &[&str]) -> Self {
        let header = |rest: &[&str]| Csv::new(&[&["task"], columns, rest].concat());
        Self {
            predictions: header(&["id", "source", "gold", "predicted", "valid"]),
            scores: header(&["metric", "of", "value", "examples"]),
        }
    }

    /// Adds a task's answers and scores.
    fn record(
        &mut self,
        texts: &TaskTexts,
        columns: &[String],
        examples: &[Example],
        answers: &Answers,
    ) -> Result<(), StageError> {
        let card = &texts.card;
        let kind = match card.kind {
            Kind::Classification => metric::Kind::Classification,
            Kind::Regression => metric::Kind::Regression,
        };
        let start: Vec<&str> = [card.name.as_str()].into_iter().chain(columns.iter().map(String::as_str)).collect();
        let pairs: Vec<metric::Pair<'_>> = examples
            .iter()
            .zip(&answers.texts)
            .map(|(example, predicted)| metric::Pair { gold: &example.target, predicted })
            .collect();
        for (example, pair) in examples.iter().zip(&pairs) {
            let valid = metric::invalid::is_valid(kind, &card.labels, *pair).to_string();
            let rest = [example.id.as_str(), &example.source, pair.gold, pair.predicted, &valid];
            self.predictions.row(&[start.as_slice(), &rest].concat());
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
            let rest = [name.as_str(), of, &value.to_string(), &pairs.len().to_string()];
            self.scores.row(&[start.as_slice(), &rest].concat());
        }
        Ok(())
    }

    fn write(self, folder: &Path) -> Result<(), StageError> {
        fs_err::write(folder.join("predictions.csv"), self.predictions.into_text())?;
        Ok(fs_err::write(folder.join("scores.csv"), self.scores.into_text())?)
    }
}
