//! The body of `train`: texts to tokens, tokens to prompts, prompts to files.

use std::collections::BTreeMap;
use std::time::Instant;

use compt::base::canonical;
use compt::operation::parameters_of;
use compt::operation::train::{Precision, Select, TrainParameters};
use compt::protocol::{Job, Reporter, StageError};
use compt::task::texts::TaskTexts;
use serde_json::{Value, json};
use tch::{Device, Tensor};

use super::backbone::{Backbone, Shelf, source};
use super::{failure, inputs, machine, modules, parts, prompts};
use crate::method::Moment;
use crate::method::compt::{Compt, Task};
use crate::method::init::Origin;
use crate::method::parameter::Group;
use crate::train::checkpoint::Checkpoint;
use crate::train::counts::counts;
use crate::train::curve;
use crate::train::data::TaskPairs;
use crate::train::fit::{Course, Event, Fit, Outcome};
use crate::train::tensor_file::read;

/// The name of the file with the counts and losses, in a training's folder.
pub const SUMMARY: &str = "summary.json";

/// Trains the prompts of a job.
///
/// # Errors
/// Why it could not be done.
pub fn run(job: &Job, shelf: &mut Shelf, reporter: &mut dyn Reporter) -> Result<(), StageError> {
    let mut settings: TrainParameters = parameters_of(job)?;
    // Checkpoints change no result, so their number may not enter any output.
    let every = settings.checkpoint_every.take();
    let device = machine::prepare(&job.compute)?;
    let texts = inputs::texts(job)?;
    if let Some(empty) = texts.iter().find(|texts| texts.train.is_empty()) {
        return Err(StageError::input(format!("the task `{}` has no training examples", empty.card.name))
            .with_hint("draw some with `sample: {k: 16}`"));
    }
    let backbone = shelf.backbone(job, &settings.backbone, device, settings.precision, reporter)?;
    check_room(&settings, backbone)?;
    let tasks = tokens(&settings, backbone, &texts)?;
    let course = Course::new(&settings, &tasks);
    let identity = canonical::digest("checkpoint of train", &identity(&settings, &tasks)).to_string();
    let method = set_up(job, &settings, backbone, &texts, course.steps, device)?;
    let untrained = tch::no_grad(|| method.prompts(Moment::Evaluation)).to_device(Device::Cpu).copy();
    let checkpoint = Checkpoint::new(&job.scratch, identity, every);
    let fit = Fit {
        model: &backbone.model,
        method: &method,
        tasks: &tasks,
        course: &course,
        checkpoint: Some(&checkpoint),
        stop_after: None,
    };
    let started = Instant::now();
    let outcome = fit
        .run(&mut |event| match event {
            Event::Step(point) => {
                reporter.progress(point.step, course.steps, "steps", &format!("loss {:.3}", point.loss));
            }
            Event::Note(note) => reporter.log(&note),
        })
        .map_err(failure::of_training)?;
    facts(&outcome, started.elapsed().as_secs_f64(), reporter);
    write(job, &settings, &method, &untrained, &outcome, &course, &tasks)
}

/// A prompt that is as long as all the backbone was made for is a slip, and costs memory before it fails.
fn check_room(settings: &TrainParameters, backbone: &Backbone) -> Result<(), StageError> {
    match backbone.model.config().n_positions {
        Some(most) if settings.prompt.length >= most => Err(StageError::input(format!(
            "`prompt.length` is {}, but the backbone `{}` was made for inputs of {most} tokens",
            settings.prompt.length, settings.backbone
        ))
        .with_hint("write a smaller length, for example `prompt: {length: 10}`")),
        _ => Ok(()),
    }
}

fn tokens(settings: &TrainParameters, backbone: &Backbone, texts: &[TaskTexts]) -> Result<Vec<TaskPairs>, StageError> {
    let pairs = |examples| inputs::pairs(backbone, examples, settings.max_source_tokens, settings.max_target_tokens);
    let each = texts.iter().map(|texts| {
        let validation = if settings.select == Select::BestDev { pairs(&texts.validation)? } else { Vec::new() };
        Ok(TaskPairs { name: texts.card.name.clone(), train: pairs(&texts.train)?, validation })
    });
    each.collect()
}

/// All that the result depends on, besides the backbone (whose files are in the stage's key, and so in its scratch).
fn identity(settings: &TrainParameters, tasks: &[TaskPairs]) -> Value {
    let all: Vec<Value> = tasks
        .iter()
        .map(|task| {
            let examples = |pairs: &[crate::train::data::Pair]| -> Vec<Value> {
                pairs.iter().map(|pair| json!([pair.source, pair.target])).collect()
            };
            json!([task.name, examples(&task.train), examples(&task.validation)])
        })
        .collect();
    json!({ "settings": settings, "tasks": all, "version": env!("CARGO_PKG_VERSION") })
}

fn set_up(
    job: &Job,
    settings: &TrainParameters,
    backbone: &Backbone,
    texts: &[TaskTexts],
    steps: u64,
    device: Device,
) -> Result<Compt, StageError> {
    let tasks = texts
        .iter()
        .map(|texts| {
            let labels = texts.card.labels.iter().map(|label| backbone.word(label)).collect::<Result<_, _>>()?;
            Ok(Task { name: texts.card.name.clone(), labels })
        })
        .collect::<Result<Vec<_>, StageError>>()?;
    let mut init_words = Vec::new();
    for word in &settings.prompt.init_words {
        init_words.extend(backbone.word(word)?);
    }
    let file = match &settings.prompt.init_file {
        None => BTreeMap::new(),
        Some(name) => {
            let files = &source(job, name)?.files;
            let path = files.values().next().ok_or_else(|| StageError::input(format!("`{name}` has no file")))?;
            let mut tensors = read(path).map_err(failure::of_file)?.tensors;
            // A training's file has its starts too; they are not what is wanted.
            tensors.retain(|name, _| !name.starts_with("untrained/"));
            tensors
        }
    };
    let config = backbone.model.config();
    let embed = |ids: &[i64]| backbone.embed(ids);
    let origin =
        Origin { width: config.d_model, vocabulary: config.vocab_size, embed: &embed, words: init_words, file };
    Compt::new(settings, &tasks, &origin, steps, device).map_err(failure::of_method)
}

fn facts(outcome: &Outcome, seconds: f64, reporter: &mut dyn Reporter) {
    let steps = outcome.progress.step - outcome.resumed_from;
    reporter.fact("train_seconds", seconds.into());
    reporter.fact("steps", steps.into());
    reporter.fact("steps_per_second", (steps as f64 / seconds.max(1e-9)).into());
    reporter.fact("examples_per_second", (outcome.examples as f64 / seconds.max(1e-9)).into());
    reporter.fact("resumed_from_step", outcome.resumed_from.into());
}

fn write(
    job: &Job,
    settings: &TrainParameters,
    method: &Compt,
    untrained: &Tensor,
    outcome: &Outcome,
    course: &Course,
    tasks: &[TaskPairs],
) -> Result<(), StageError> {
    let learned = tch::no_grad(|| method.prompts(Moment::Evaluation)).to_device(Device::Cpu);
    let prompts = prompts::bytes(settings, method.tasks(), &learned, untrained);
    fs_err::write(job.output.join(prompts::FILE), prompts)?;
    fs_err::write(job.output.join(modules::FILE), modules::bytes(settings, method))?;
    fs_err::write(job.output.join(parts::FILE), tch::no_grad(|| parts::bytes(method)))?;
    let rates: Vec<(Group, f64)> = Group::ALL
        .into_iter()
        .filter(|group| method.parameters().all().iter().any(|parameter| parameter.group == *group))
        .map(|group| (group, group.rate(&settings.optim.groups)))
        .collect();
    fs_err::write(job.output.join("curve.csv"), curve::csv(&outcome.progress.curve, &rates))?;
    let mut text = serde_json::to_string_pretty(&summary(settings, method, outcome, course, tasks))
        .map_err(|error| StageError::bug(error.to_string()))?;
    text.push('\n');
    Ok(fs_err::write(job.output.join(SUMMARY), text)?)
}

fn summary(
    settings: &TrainParameters,
    method: &Compt,
    outcome: &Outcome,
    course: &Course,
    tasks: &[TaskPairs],
) -> Value {
    let curve = &outcome.progress.curve;
    let last_epoch: Vec<f64> =
        curve.iter().filter(|point| point.epoch == course.epochs).map(|point| point.loss).collect();
    let mean = last_epoch.iter().sum::<f64>() / last_epoch.len().max(1) as f64;
    let examples: BTreeMap<&str, usize> = tasks.iter().map(|task| (task.name.as_str(), task.train.len())).collect();
    let precision = match settings.precision {
        Precision::Float32 => "float32",
        Precision::Bfloat16 => "bfloat16",
    };
    json!({
        "method": settings.method,
        "backbone": settings.backbone,
        "compose": settings.compose,
        "position": settings.prompt.position,
        "precision": precision,
        "sources": method.sources(),
        "training_examples": examples,
        "epochs": course.epochs,
        "steps": course.steps,
        "parameters": counts(method),
        "first_loss": curve.first().map(|point| point.loss as f32),
        "final_loss": curve.last().map(|point| point.loss as f32),
        "last_epoch_loss": mean as f32,
        "best_epoch": outcome.progress.best.as_ref().map(|best| best.epoch),
        "best_validation_loss": outcome.progress.best.as_ref().map(|best| best.loss as f32),
        "router": tch::no_grad(|| method.routing()),
    })
}
