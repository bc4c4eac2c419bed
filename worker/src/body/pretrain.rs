//! The body of `pretrain`: texts to a tokenizer, seeded numbers to a backbone, and what it can do without any prompt.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

use compt::base::canonical;
use compt::metric;
use compt::operation::parameters_of;
use compt::operation::pretrain::{FeedForward, Planned, PretrainParameters};
use compt::operation::train::Precision;
use compt::protocol::{Job, Reporter, StageError};
use compt::task::texts::{Example, TaskCard, TaskTexts};
use compt::task::tokens::Tokenizer;
use compt::task::vocabulary;
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use super::backbone::Backbone;
use super::csv::Csv;
use super::{corpus, failure, inputs, machine};
use crate::model::t5::config::FeedForwardKind;
use crate::model::t5::initial;
use crate::model::{Batch, T5, T5Config};
use crate::train::checkpoint::Checkpoint;
use crate::train::corruption::Corruption;
use crate::train::curve::Point;
use crate::train::data::TaskPairs;
use crate::train::fit::Event;
use crate::train::pretraining::{Pretraining, parameters};
use crate::train::tensor_file::to_bytes;

/// Texts of each kind that the vocabulary is made from: more change few pieces and cost time.
const VOCABULARY_TEXTS: usize = 5000;
/// Steps that one line of `curve.csv` is the mean of.
const CURVE_STEPS: usize = 20;
/// Examples that are scored at a time.
const SCORED_AT_ONCE: usize = 50;

/// Makes a backbone.
///
/// # Errors
/// Why it could not be done.
pub fn run(job: &Job, reporter: &mut dyn Reporter) -> Result<(), StageError> {
    let Planned { mut settings, .. } = parameters_of(job)?;
    // Checkpoints change no result, so their number may not enter any output.
    let every = settings.checkpoint_every.take();
    let device = machine::prepare(&job.compute)?;
    let all = inputs::wordings(job)?;
    let learned = learned(&settings, &all)?;
    let plain = corpus::texts(job, &settings, &learned)?;

    let folder = &job.output;
    fs_err::write(folder.join("tokenizer.json"), tokenizer(&settings, &plain, &all)?)?;
    let tokenizer = Tokenizer::load(&folder.join("tokenizer.json"))?;
    let config = config(&settings, &tokenizer);
    write_json(&folder.join("config.json"), &initial::config_json(&config))?;
    let numbers = initial::tensors(&config, settings.seed);
    write_weights(folder, &numbers)?;
    let model = T5::load_trainable(folder, device).map_err(failure::of_model)?;

    let texts = corpus::windows(&tokenizer, &plain, &settings)?;
    let tasks = learned.iter().map(|texts| pairs(&tokenizer, &settings, texts)).collect::<Result<Vec<_>, _>>()?;
    let corruption = corruption(&settings, &tokenizer)?;
    let distractors = distractors(&tokenizer, &corruption);
    let identity = identity(job, &texts, &tasks);
    let checkpoint = Checkpoint::new(&job.scratch, identity, every);
    let parameters = parameters(&model);
    let training = Pretraining {
        model: &model,
        parameters: &parameters,
        settings: &settings,
        texts: &texts,
        corruption: &corruption,
        tasks: &tasks,
        distractors: &distractors,
        checkpoint: Some(&checkpoint),
        stop_after: None,
    };
    let started = Instant::now();
    let outcome = training
        .run(&mut |event| match event {
            Event::Step(point) => {
                reporter.progress(point.step, settings.steps, "steps", &format!("loss {:.3}", point.loss));
            }
            Event::Note(note) => reporter.log(&note),
        })
        .map_err(failure::of_training)?;
    let seconds = started.elapsed().as_secs_f64();
    reporter.fact("train_seconds", seconds.into());
    let steps = outcome.progress.step - outcome.resumed_from;
    reporter.fact("resumed_from_step", outcome.resumed_from.into());
    reporter.fact("steps_per_second", (steps as f64 / seconds.max(1e-9)).into());

    write_weights(folder, &split(&model))?;
    let curve = &outcome.progress.curve;
    fs_err::write(folder.join("curve.csv"), curve_csv(&settings, curve))?;
    // What is scored is what was written, as everybody will load it.
    let backbone = Backbone::load(folder, device, Precision::Float32)?;
    let scores = scores(&settings, &backbone, &all, reporter)?;
    fs_err::write(folder.join("scores.csv"), scores)?;
    write_json(&folder.join("summary.json"), &summary(&settings, &config, &numbers, &texts, &tasks, curve))
}

/// The tasks that are learned, in all their wordings: those that are read and not held out. A wording without training
/// examples is only scored.
fn learned<'a>(
    settings: &PretrainParameters,
    all: &'a [(String, TaskTexts)],
) -> Result<Vec<&'a TaskTexts>, StageError> {
    let mut names: Vec<&str> = all.iter().map(|(_, texts)| texts.card.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    if let Some(unknown) = settings.held_out.iter().find(|task| !names.contains(&task.as_str())) {
        let hint = match names.as_slice() {
            [] => "no task is read: add a stage with `format` to `from`, or leave out `held_out`".to_owned(),
            names => format!("the tasks are {}", names.join(", ")),
        };
        let message = format!("`held_out` names `{unknown}`, which is not among the tasks that are read");
        return Err(StageError::input(message).with_hint(hint));
    }
    let learned: Vec<&TaskTexts> =
        all.iter().map(|(_, texts)| texts).filter(|texts| !settings.held_out.contains(&texts.card.name)).collect();
    let is_taught = |name: &str| learned.iter().any(|texts| texts.card.name == name && !texts.train.is_empty());
    if let Some(empty) = learned.iter().find(|texts| !is_taught(&texts.card.name)) {
        return Err(StageError::input(format!("the task `{}` has no training examples", empty.card.name))
            .with_hint("draw some with `sample: {k: all}`, or name the task in `held_out`"));
    }
    let mut learned: Vec<&TaskTexts> = learned.into_iter().filter(|texts| !texts.train.is_empty()).collect();
    // By what they say: stages come in the order of their keys, in which the rows to be scored have a part.
    learned.sort_by_key(|texts| (&texts.card.name, &texts.train[0].source));
    Ok(learned)
}

/// `tokenizer.json` from plain text, the first examples of each task, held out or not, and their answers.
fn tokenizer(
    settings: &PretrainParameters,
    plain: &[String],
    all: &[(String, TaskTexts)],
) -> Result<String, StageError> {
    let mut texts: Vec<&str> = plain.iter().take(VOCABULARY_TEXTS).map(String::as_str).collect();
    for (_, task) in all {
        for example in task.train.iter().take(VOCABULARY_TEXTS) {
            texts.extend([example.source.as_str(), example.target.as_str()]);
        }
        // A held-out task has few examples; its answers shall have pieces of their own all the same.
        texts.extend(task.card.labels.iter().flat_map(|label| std::iter::repeat_n(label.as_str(), VOCABULARY_TEXTS)));
    }
    vocabulary::make(texts.into_iter(), settings.shape.vocabulary, settings.shape.sentinels)
        .map_err(|error| StageError::input(error.to_string()))
}

fn config(settings: &PretrainParameters, tokenizer: &Tokenizer) -> T5Config {
    let shape = &settings.shape;
    T5Config {
        vocab_size: tokenizer.pieces() as i64,
        d_model: shape.d_model as i64,
        d_kv: shape.d_kv as i64,
        d_ff: shape.d_ff as i64,
        num_layers: shape.layers,
        num_decoder_layers: shape.decoder_layers,
        num_heads: shape.heads as i64,
        relative_attention_num_buckets: shape.buckets as i64,
        relative_attention_max_distance: shape.max_distance as i64,
        dropout_rate: settings.dropout,
        layer_norm_epsilon: 1e-6,
        feed_forward: match shape.feed_forward {
            FeedForward::Relu => FeedForwardKind::Relu,
            FeedForward::GatedGelu => FeedForwardKind::GatedGelu,
        },
        scale_decoder_outputs: shape.tied,
        pad_token_id: 0,
        eos_token_id: 1,
        decoder_start_token_id: 0,
        n_positions: None,
    }
}

fn pairs(tokenizer: &Tokenizer, settings: &PretrainParameters, texts: &TaskTexts) -> Result<TaskPairs, StageError> {
    let train = inputs::encoded(tokenizer, &texts.train, settings.max_source_tokens, None)?;
    Ok(TaskPairs { name: texts.card.name.clone(), train, validation: Vec::new() })
}

fn corruption(settings: &PretrainParameters, tokenizer: &Tokenizer) -> Result<Corruption, StageError> {
    let sentinels = (0..settings.shape.sentinels)
        .map(|number| {
            let piece = vocabulary::sentinel(number);
            let id = tokenizer.id(&piece).map(i64::from);
            id.ok_or_else(|| StageError::bug(format!("the vocabulary was made without `{piece}`")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Corruption {
        noise: settings.corpus.noise,
        span: settings.corpus.span,
        sentinels,
        end: i64::from(tokenizer.eos()),
    })
}

/// Every piece but the special ones and the sentinels: what a prompt may start from.
fn distractors(tokenizer: &Tokenizer, corruption: &Corruption) -> Vec<i64> {
    let first = vocabulary::SPECIAL.len() as i64;
    (first..tokenizer.pieces() as i64).filter(|id| !corruption.sentinels.contains(id)).collect()
}

/// All that the result depends on.
fn identity(job: &Job, texts: &[Vec<i64>], tasks: &[TaskPairs]) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut add = |ids: &[i64]| {
        hasher.update(&(ids.len() as u64).to_le_bytes());
        ids.iter().for_each(|id| {
            hasher.update(&id.to_le_bytes());
        });
    };
    texts.iter().for_each(|text| add(text));
    for pair in tasks.iter().flat_map(|task| &task.train) {
        add(&pair.source);
        add(&pair.target);
    }
    let data = hasher.finalize().to_hex().to_string();
    let names: Vec<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
    let all = json!({ "parameters": job.parameters, "tasks": names, "data": data });
    canonical::digest("checkpoint of pretrain", &all).to_string()
}

/// The model's weights under the hub's names.
fn split(model: &T5) -> BTreeMap<String, Tensor> {
    let mut tensors = BTreeMap::new();
    for leaf in model.leaves() {
        let parts = leaf.tensor.detach().chunk(leaf.names.len() as i64, 0);
        tensors.extend(leaf.names.into_iter().zip(parts));
    }
    tensors
}

fn write_weights(folder: &Path, tensors: &BTreeMap<String, Tensor>) -> Result<(), StageError> {
    // Hugging Face's loader asks for this entry.
    let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
    // Under a new name first: the old file may be mapped.
    let path = folder.join("model.safetensors");
    let fresh = folder.join("model.safetensors.new");
    fs_err::write(&fresh, to_bytes(tensors, &metadata))?;
    Ok(fs_err::rename(fresh, path)?)
}

fn write_json(path: &Path, value: &Value) -> Result<(), StageError> {
    let mut text = serde_json::to_string_pretty(value).map_err(|error| StageError::bug(error.to_string()))?;
    text.push('\n');
    Ok(fs_err::write(path, text)?)
}

/// Means of [`CURVE_STEPS`] steps.
fn curve_csv(settings: &PretrainParameters, points: &[Point]) -> String {
    let mut text = String::from("step,loss,learning_rate,gradient_norm\n");
    for chunk in points.chunks(CURVE_STEPS) {
        let mean = |of: fn(&Point) -> f64| (chunk.iter().map(of).sum::<f64>() / chunk.len() as f64) as f32;
        let last = &chunk[chunk.len() - 1];
        let rate = (settings.learning_rate * last.factor) as f32;
        let _ = writeln!(text, "{},{},{rate},{}", last.step, mean(|point| point.loss), mean(|point| point.gradient));
    }
    text
}

/// Accuracy on the held-back examples of every task, learned or held out, without any prompt: the most likely label
/// wins.
fn scores(
    settings: &PretrainParameters,
    backbone: &Backbone,
    all: &[(String, TaskTexts)],
    reporter: &mut dyn Reporter,
) -> Result<String, StageError> {
    let mut table = Csv::new(&["task", "texts", "held_out", "split", "examples", "accuracy", "most_frequent_label"]);
    // A regression has no labels to choose from.
    for (wording, texts) in all.iter().filter(|(_, texts)| !texts.card.labels.is_empty()) {
        let card = &texts.card;
        let held_out = settings.held_out.contains(&card.name);
        for (split, examples) in [("validation", &texts.validation), ("test", &texts.test)] {
            if examples.is_empty() {
                continue;
            }
            let accuracy = accuracy(settings, backbone, card, examples)?;
            let count = |label: &String| examples.iter().filter(|example| example.target == *label).count();
            let most = card.labels.iter().map(count).max().unwrap_or(0) as f64 / examples.len() as f64;
            reporter.log(&format!("{wording}, {split}: accuracy {accuracy:.1} without a prompt"));
            table.row(&[
                card.name.clone(),
                wording.trim_matches('`').to_owned(),
                held_out.to_string(),
                split.to_owned(),
                examples.len().to_string(),
                (accuracy as f32).to_string(),
                ((100.0 * most) as f32).to_string(),
            ]);
        }
    }
    Ok(table.into_text())
}

/// How often the most likely label is the right one, in percent.
fn accuracy(
    settings: &PretrainParameters,
    backbone: &Backbone,
    card: &TaskCard,
    examples: &[Example],
) -> Result<f64, StageError> {
    let labels = card.labels.iter().map(|label| backbone.target(label)).collect::<Result<Vec<_>, _>>()?;
    let sources = inputs::pairs(backbone, examples, settings.max_source_tokens, None)?;
    let mut answers = Vec::new();
    for chunk in sources.chunks(SCORED_AT_ONCE) {
        let batch = Batch { sources: chunk.iter().map(|pair| pair.source.clone()).collect(), ..Batch::default() };
        let scores = backbone.model.rank(&batch, None, &labels).map_err(failure::of_model)?;
        let best = Vec::<i64>::try_from(scores.to_kind(Kind::Double).argmax(1, false).to_device(Device::Cpu));
        answers.extend(best.map_err(|error| StageError::bug(error.to_string()))?);
    }
    let answered = examples.iter().zip(&answers);
    let pairs: Vec<metric::Pair<'_>> = answered
        .map(|(example, best)| metric::Pair { gold: &example.target, predicted: &card.labels[*best as usize] })
        .collect();
    Ok(metric::accuracy(&pairs))
}

fn summary(
    settings: &PretrainParameters,
    config: &T5Config,
    numbers: &BTreeMap<String, Tensor>,
    texts: &[Vec<i64>],
    tasks: &[TaskPairs],
    curve: &[Point],
) -> Value {
    let mut examples: BTreeMap<&str, usize> = BTreeMap::new();
    for task in tasks {
        *examples.entry(&task.name).or_default() += task.train.len();
    }
    let last = &curve[curve.len().saturating_sub(100)..];
    let mean = last.iter().map(|point| point.loss).sum::<f64>() / last.len().max(1) as f64;
    json!({
        "settings": settings,
        "vocabulary": config.vocab_size,
        "parameters": numbers.values().map(Tensor::numel).sum::<usize>(),
        "texts": texts.len(),
        "text_tokens": texts.iter().map(Vec::len).sum::<usize>(),
        "training_examples": examples,
        "steps": curve.len(),
        "first_loss": curve.first().map(|point| point.loss as f32),
        "loss_of_last_100_steps": mean as f32,
    })
}
