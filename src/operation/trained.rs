//! Finds the trained prompt for a task in a run, with all that belongs to it: how its texts were made and how it was
//! evaluated. Both come from what the run wrote down, so that training and prediction can't disagree.

use std::collections::BTreeSet;

use super::evaluate::{EvaluateParameters, Mode};
use super::format;
use super::lineage::{Lineage, Made};
use crate::base::suggest;
use crate::plan::catalog::SourceRef;
use crate::protocol::{Coordinates, Input, StageError};
use crate::store::{Found, Store, StoreError};
use crate::task::dataset::Dataset;
use crate::task::sampled;
use crate::task::text::TextSettings;
use crate::task::texts::{self, TaskCard};

/// A trained prompt and what is needed to use it as the run did.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The training: `fit[method=spp,seed=123]`.
    pub name: String,
    /// The task.
    pub card: TaskCard,
    /// Its columns and template.
    pub dataset: Dataset,
    /// How its texts were made.
    pub text: TextSettings,
    /// How its texts are answered.
    pub evaluation: EvaluateParameters,
    /// The training's files and those of the task's texts.
    pub inputs: Vec<Input>,
    /// The backbone.
    pub backbone: SourceRef,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// The task; may be left out when there is one only.
    pub task: Option<&'a str>,
    /// A training, or an evaluation of one.
    pub stage: Option<&'a str>,
    /// How answers are found, in place of what the evaluation says.
    pub mode: Option<Mode>,
}

/// Why there is no such prompt.
#[derive(Debug, thiserror::Error)]
pub enum NoPrompt {
    /// The run trained nothing, or finished no training.
    #[error("{0}")]
    Nothing(StageError),
    /// The question does not lead to one prompt.
    #[error("{message}")]
    Unclear {
        /// What was wrong.
        message: String,
        /// What to type instead.
        hint: String,
    },
    /// One of several has to be chosen.
    #[error("{message}")]
    Several {
        /// Which there are.
        message: String,
        /// The task.
        task: String,
        /// The stage that chooses the first of them.
        stage: String,
    },
    /// The cache can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<StageError> for NoPrompt {
    fn from(error: StageError) -> Self {
        Self::Nothing(error)
    }
}

/// A training and the texts of one of its tasks.
type Candidate<'a> = (&'a Made, &'a Made, TaskCard);

/// Finds it.
///
/// # Errors
/// There is none, there are several, or its files are gone.
pub fn find(run: &Lineage, store: &Store, wanted: Wanted<'_>) -> Result<Trained, NoPrompt> {
    let evaluations: Vec<&Made> = run.made.iter().filter(|made| made.operation == "evaluate").collect();
    let named = |made: &&Made| wanted.stage.is_none_or(|stage| made.is_meant_by(stage));
    let chosen: Vec<&Made> = match wanted.stage {
        // A stage that evaluates says two things: which training, and how it is asked.
        Some(_) => evaluations.iter().copied().filter(named).collect(),
        None => Vec::new(),
    };
    let all: Vec<&Made> = run.made.iter().filter(|made| made.operation == "train").collect();
    let mut trainings: Vec<&Made> = all.iter().copied().filter(named).collect();
    if trainings.is_empty() {
        let read = |training: &&&Made| chosen.iter().any(|made| made.inputs.contains(&training.name));
        trainings = all.iter().filter(read).copied().collect();
    }
    if trainings.is_empty() {
        return Err(no_training(run, wanted.stage));
    }
    let mut candidates: Vec<Candidate<'_>> = Vec::new();
    for training in trainings.iter().filter(|made| made.output.is_some()) {
        for texts in run.inputs(training, "format").filter(|texts| is_asked(training, texts, &chosen)) {
            candidates.push((training, texts, texts::read_card(files(store, texts)?.files.folder())?));
        }
    }
    if candidates.is_empty() {
        let name = &trainings[0].name;
        return Err(StageError::input(format!("`{name}` of the run `{}` was not finished", run.pipeline))
            .with_hint("type the same `compt run` again: it goes on from there")
            .into());
    }
    let task = task(run, wanted, &candidates)?;
    candidates.retain(|(_, _, card)| card.name == task);
    let (training, texts, card) = match candidates.as_slice() {
        [(training, texts, card)] => (*training, *texts, card.clone()),
        several => return Err(several_trainings(&task, several)),
    };
    let evaluation = evaluation((training, texts, &task), &evaluations, &chosen, wanted.mode)?;
    let sample = run.inputs(texts, "sample").next().ok_or_else(|| {
        StageError::bug(format!("`{}` of the run `{}` reads no drawn rows", texts.name, run.pipeline))
    })?;
    Ok(Trained {
        name: training.name.clone(),
        card,
        dataset: sampled::read_dataset(files(store, sample)?.files.folder())?,
        text: format::planned_settings(&texts.parameters)?,
        inputs: vec![files(store, training)?, files(store, texts)?],
        backbone: SourceRef::Model(evaluation.backbone.clone()),
        evaluation,
    })
}

/// Whether one of the evaluations that were asked for, if any were, asks this training about these texts.
fn is_asked(training: &Made, texts: &Made, chosen: &[&Made]) -> bool {
    let reads = |made: &&Made| made.inputs.contains(&training.name) && made.inputs.contains(&texts.name);
    chosen.is_empty() || chosen.iter().any(reads)
}

/// The task that is asked for.
fn task(run: &Lineage, wanted: Wanted<'_>, candidates: &[Candidate<'_>]) -> Result<String, NoPrompt> {
    let known: BTreeSet<&str> = candidates.iter().map(|(_, _, card)| card.name.as_str()).collect();
    let list = quoted(known.iter().copied());
    let who = match wanted.stage {
        Some(stage) => format!("`{stage}` of the run `{}`", run.pipeline),
        None => format!("the run `{}`", run.pipeline),
    };
    match (wanted.task, known.first()) {
        (Some(task), _) if known.contains(task) => Ok(task.to_owned()),
        (None, Some(only)) if known.len() == 1 => Ok((*only).to_owned()),
        (Some(task), _) => Err(NoPrompt::Unclear {
            message: format!("{who} has no prompt for the task `{task}`, only for {list}"),
            hint: match suggest::nearest(task, known.iter().copied()) {
                Some(near) => format!("did you mean `--task {near}`?"),
                None => {
                    format!("train on `{task}` too: add it to the axis of tasks in the pipeline file, then `compt run`")
                }
            },
        }),
        (None, _) => Err(NoPrompt::Unclear {
            message: format!("{who} has prompts for several tasks: {list}"),
            hint: format!("choose one, for example `--task {}`", known.first().copied().unwrap_or_default()),
        }),
    }
}

fn no_training(run: &Lineage, stage: Option<&str>) -> NoPrompt {
    let trainings = run.made.iter().filter(|made| made.operation == "train");
    let names: Vec<&str> = trainings.map(|made| made.name.as_str()).collect();
    let other = run.made.iter().find(|made| stage.is_some_and(|stage| made.is_meant_by(stage)));
    match stage {
        Some(stage) if !names.is_empty() && other.is_some_and(|made| made.operation != "train") => {
            let operation = other.map_or("", |made| made.operation.as_str());
            let about = if operation == "ablate" { "; it asks several parts of a prompt" } else { "" };
            NoPrompt::Unclear {
                message: format!("`{stage}` of the run `{}` is a stage of `{operation}`{about}", run.pipeline),
                hint: format!("name a `train` stage or an `evaluate` stage, for example `--stage '{}'`", names[0]),
            }
        }
        Some(stage) if !names.is_empty() => NoPrompt::Unclear {
            message: format!("the run `{}` has no training `{stage}`", run.pipeline),
            hint: match suggest::nearest(stage, names.iter().copied()) {
                Some(near) => format!("did you mean `--stage '{near}'`?"),
                None => format!("its trainings are {}", shortened(&names)),
            },
        },
        _ => StageError::input(format!("the run `{}` trains nothing, so that it has no prompts", run.pipeline))
            .with_hint("name the run of a pipeline with a `train` stage")
            .into(),
    }
}

fn several_trainings(task: &str, several: &[Candidate<'_>]) -> NoPrompt {
    let names: Vec<&str> = several.iter().map(|(training, _, _)| training.name.as_str()).collect();
    NoPrompt::Several {
        message: format!("{} trainings have a prompt for the task `{task}`: {}", names.len(), shortened(&names)),
        task: task.to_owned(),
        stage: names[0].to_owned(),
    }
}

/// How the run asks this training about these texts: as its `evaluate` stages do, unless they differ.
fn evaluation(
    (training, texts, task): (&Made, &Made, &str),
    evaluations: &[&Made],
    chosen: &[&Made],
    mode: Option<Mode>,
) -> Result<EvaluateParameters, NoPrompt> {
    let parameters = |made: &Made| -> Result<EvaluateParameters, StageError> {
        serde_json::from_value(made.parameters.clone())
            .map_err(|error| StageError::bug(format!("the parameters of `{}` changed their type: {error}", made.name)))
    };
    let from = if chosen.is_empty() { evaluations } else { chosen };
    let mut ways: Vec<(&str, EvaluateParameters)> = Vec::new();
    for made in from.iter().filter(|made| is_asked(training, texts, &[made])) {
        let mut way = parameters(made)?;
        // A mask is for those who ask for it by name.
        if chosen.is_empty() && !way.mask.is_total() {
            continue;
        }
        way.mode = mode.unwrap_or(way.mode);
        way.nll = false;
        way.untrained = false;
        let same = |(_, known): &(&str, EvaluateParameters)| {
            let (split, batch) = (way.split, way.batch);
            EvaluateParameters { split, batch, ..known.clone() } == way
        };
        if !ways.iter().any(same) {
            ways.push((&made.name, way));
        }
    }
    match ways.as_slice() {
        [] => {
            let backbone = training.parameters["backbone"].as_str().unwrap_or_default().to_owned();
            let defaults = EvaluateParameters { backbone, ..EvaluateParameters::default() };
            Ok(EvaluateParameters { mode: mode.unwrap_or(defaults.mode), ..defaults })
        }
        [(_, way)] => Ok(way.clone()),
        several => {
            let names: Vec<&str> = several.iter().map(|(name, _)| *name).collect();
            Err(NoPrompt::Several {
                message: format!("`{}` is evaluated in different ways: {}", training.name, shortened(&names)),
                task: task.to_owned(),
                stage: names[0].to_owned(),
            })
        }
    }
}

/// Where the files of an instance lie, verified.
fn files(store: &Store, made: &Made) -> Result<Input, NoPrompt> {
    let whole = match &made.key {
        Some(key) => match store.find(key)? {
            Found::Whole(brief) => Some(brief.output),
            Found::Missing | Found::Damaged(_) => None,
        },
        None => None,
    };
    let Some(output) = whole else {
        return Err(StageError::input(format!(
            "the result of `{}` is not in the cache `{}`",
            made.name,
            store.root().display()
        ))
        .with_hint("name the run's cache with `--cache DIR`, or make the result again with the same `compt run`")
        .into());
    };
    // The name has the axis values already.
    let (stage, coordinates) = (made.name.clone(), Coordinates::new());
    Ok(Input { stage, operation: made.operation.clone(), coordinates, files: store.object_folder(&output).into() })
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// A list of names that fits on a screen.
fn shortened(names: &[&str]) -> String {
    const MOST: usize = 12;
    let list = quoted(names.iter().take(MOST).copied());
    if names.len() > MOST { format!("{list} and {} more", names.len() - MOST) } else { list }
}
