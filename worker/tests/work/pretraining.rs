//! Pre-training of a T5 with a few thousand numbers: it learns, repeats itself to the bit and survives being killed;
//! and the whole operation, from texts to a backbone that everybody can load.

use std::path::Path;

use compt::operation::pretrain::{PretrainParameters, resolve};
use compt::protocol::Input;
use compt_worker::body::{self, backbone::Shelf};
use compt_worker::model::t5::initial;
use compt_worker::model::{Batch, Mode, T5, T5Config};
use compt_worker::train::checkpoint::Checkpoint;
use compt_worker::train::corruption::Corruption;
use compt_worker::train::data::{Pair, TaskPairs};
use compt_worker::train::pretraining::{Outcome, Pretraining, parameters};
use compt_worker::train::tensor_file::{bytes_of, to_bytes};
use serde_json::{Value, json};
use tch::Device;

use crate::alone;
use crate::jobs::{Notes, job, task};

fn settings(more: &Value) -> PretrainParameters {
    let mut all = json!({
        "steps": 12, "batch": 6, "learning_rate": 5e-3, "embedding_rate": 5e-3, "dropout": 0.1,
        "corpus": {"alone": 4, "share": 0.34, "length": 16},
        "shape": {"d_model": 16, "d_kv": 4, "d_ff": 24, "layers": 2, "decoder_layers": 1, "heads": 2, "sentinels": 4},
    });
    for (name, value) in more.as_object().unwrap() {
        all[name] = value.clone();
    }
    resolve(&all, Path::new("")).unwrap().settings
}

/// Texts that count upwards, and a task that asks for the parity of a number.
fn data() -> (Vec<Vec<i64>>, Vec<TaskPairs>) {
    let texts = (0..20).map(|first| (first..first + 16).map(|n| 10 + n % 20).collect()).collect();
    let train = (0..16).map(|n| Pair { source: vec![40, 10 + n, 1], target: vec![41 + n % 2, 1] }).collect();
    (texts, vec![TaskPairs { name: "parity".to_owned(), train, validation: Vec::new() }])
}

fn fresh(folder: &Path, settings: &PretrainParameters) -> T5 {
    let config = json!({
        "model_type": "t5", "vocab_size": 60, "d_model": settings.shape.d_model, "d_kv": settings.shape.d_kv,
        "d_ff": settings.shape.d_ff, "num_layers": settings.shape.layers,
        "num_decoder_layers": settings.shape.decoder_layers, "num_heads": settings.shape.heads,
    });
    fs_err::write(folder.join("config.json"), config.to_string()).unwrap();
    let config = T5Config::read(&folder.join("config.json")).unwrap();
    let numbers = to_bytes(&initial::tensors(&config, 7), &Default::default());
    fs_err::write(folder.join("model.safetensors"), numbers).unwrap();
    T5::load_trainable(folder, Device::Cpu).unwrap()
}

/// Trains a fresh model; the bytes of all its weights, and how it went.
fn run(settings: &PretrainParameters, scratch: Option<&Path>, stop_after: Option<u64>) -> (Vec<Vec<u8>>, Outcome) {
    let folder = tempfile::tempdir().unwrap();
    let model = fresh(folder.path(), settings);
    let outcome = train(&model, settings, scratch, stop_after);
    (model.leaves().iter().map(|leaf| bytes_of(&leaf.tensor)).collect(), outcome)
}

fn train(model: &T5, settings: &PretrainParameters, scratch: Option<&Path>, stop_after: Option<u64>) -> Outcome {
    let (texts, tasks) = data();
    let corruption = Corruption { noise: 0.15, span: 3.0, sentinels: vec![59, 58, 57, 56], end: 1 };
    let checkpoint = scratch.map(|folder| Checkpoint::new(folder, "this pre-training", Some(3)));
    let parameters = parameters(model);
    let training = Pretraining {
        model,
        parameters: &parameters,
        settings,
        texts: &texts,
        corruption: &corruption,
        tasks: &tasks,
        distractors: &(50..56).collect::<Vec<i64>>(),
        checkpoint: checkpoint.as_ref(),
        stop_after,
    };
    training.run(&mut |_| {}).unwrap()
}

#[test]
fn it_repeats_itself_and_survives_being_killed_anywhere() {
    let _alone = alone();
    let settings = settings(&json!({}));
    let (whole, _) = run(&settings, None, None);
    assert!(run(&settings, None, None).0 == whole, "a second run");
    for stop in [1, 3, 5, 11] {
        let scratch = tempfile::tempdir().unwrap();
        run(&settings, Some(scratch.path()), Some(stop));
        let (resumed, outcome) = run(&settings, Some(scratch.path()), None);
        assert_eq!(outcome.resumed_from, stop / 3 * 3);
        assert!(resumed == whole, "killed after step {stop}");
    }
}

#[test]
fn it_learns_and_every_weight_moves() {
    let _alone = alone();
    let settings = settings(&json!({"steps": 150, "dropout": 0.0}));
    let folder = tempfile::tempdir().unwrap();
    let before: Vec<Vec<u8>> =
        fresh(folder.path(), &settings).leaves().iter().map(|leaf| bytes_of(&leaf.tensor)).collect();
    let (after, outcome) = run(&settings, None, None);
    assert!(before.iter().zip(&after).all(|(before, after)| before != after));
    let curve = &outcome.progress.curve;
    let mean = |points: &[compt_worker::train::curve::Point]| {
        points.iter().map(|point| point.loss).sum::<f64>() / points.len() as f64
    };
    let (first, last) = (mean(&curve[4..14]), mean(&curve[140..]));
    assert!(last < 0.7 * first, "from {first} to {last}");
}

/// Half of the examples are distracted by pieces that nothing else uses: the model learns to say the same behind them
/// as without any, and leaves their rows as they were.
#[test]
fn what_means_nothing_is_read_over() {
    let _alone = alone();
    let loss = |model: &T5, before: &[i64]| {
        let pairs = &data().1[0].train;
        let sources = pairs.iter().map(|pair| [before, &pair.source].concat()).collect();
        let targets = pairs.iter().map(|pair| pair.target.clone()).collect();
        let batch = Batch { sources, targets, prompt_of_row: Vec::new() };
        model.losses(&batch, None, Mode::Evaluation).unwrap().mean().double_value(&[])
    };
    let worse_behind = |share: f64| {
        let distraction = json!({"share": share, "longest": 3});
        let settings = settings(&json!({"steps": 400, "dropout": 0.0, "distraction": distraction}));
        let folder = tempfile::tempdir().unwrap();
        let model = fresh(folder.path(), &settings);
        let row = |model: &T5| bytes_of(&model.embed(&[52]).unwrap());
        let before = row(&model);
        train(&model, &settings, None, None);
        assert_eq!(row(&model), before);
        loss(&model, &[53, 50]) - loss(&model, &[])
    };
    let (used_to_it, not) = (worse_behind(0.5), worse_behind(0.0));
    assert!(used_to_it < 0.5 * not, "{used_to_it} used to it, {not} not");
}

/// Texts and task use the ids 1, 10 to 29 and 40 to 42, and the decoder starts from 0; nobody ever sees 55.
#[test]
fn pieces_that_never_occur_stay_as_they_were_drawn() {
    let _alone = alone();
    let settings = settings(&json!({}));
    let folder = tempfile::tempdir().unwrap();
    let model = fresh(folder.path(), &settings);
    let table = model.leaves().iter().position(|leaf| leaf.names == ["shared.weight"]).unwrap();
    let before = bytes_of(&model.leaves()[table].tensor);
    let after = &run(&settings, None, None).0[table];
    let row = |bytes: &[u8], id: usize| bytes[id * 16 * 4..(id + 1) * 16 * 4].to_vec(); // 16 numbers
    assert_eq!(row(&before, 55), row(after, 55));
    for id in [0, 1, 12, 41] {
        assert_ne!(row(&before, id), row(after, id), "{id}");
    }
}

/// What the frozen model computes must be what the trainable one computes, at its current numbers.
#[test]
fn a_trainable_model_is_the_frozen_one_with_gradients() {
    let _alone = alone();
    let settings = settings(&json!({}));
    let folder = tempfile::tempdir().unwrap();
    let trainable = fresh(folder.path(), &settings);
    let frozen = T5::load(folder.path(), Device::Cpu, tch::Kind::Float).unwrap();
    assert!(frozen.leaves().is_empty());
    let batch = Batch {
        sources: vec![vec![10, 11, 12, 1], vec![13, 1]],
        targets: vec![vec![14, 1], vec![15, 16, 1]],
        prompt_of_row: Vec::new(),
    };
    let loss = |model: &T5| model.losses(&batch, None, Mode::Evaluation).unwrap().mean();
    assert_eq!(bytes_of(&loss(&trainable)), bytes_of(&loss(&frozen)));
    // The slope along a direction, from the gradient and from a difference of losses.
    let leaves = trainable.leaves();
    let tensors: Vec<&tch::Tensor> = leaves.iter().map(|leaf| &leaf.tensor).collect();
    let gradients = tch::Tensor::run_backward(&[&loss(&trainable)], &tensors, false, false);
    let square: f64 = gradients.iter().map(|gradient| gradient.square().sum(tch::Kind::Double).double_value(&[])).sum();
    let step = 1e-2 / square.sqrt();
    let moved = |by: f64| {
        tch::no_grad(|| {
            for (leaf, gradient) in leaves.iter().zip(&gradients) {
                let _ = leaf.tensor.shallow_clone().g_add_(&(gradient * by));
            }
            loss(&trainable).double_value(&[])
        })
    };
    let (up, down) = (moved(step), moved(-2.0 * step));
    let slope = (up - down) / (2.0 * step);
    assert!((slope / square - 1.0).abs() < 0.03, "{slope} by differences, {square} by gradients");
}

#[test]
fn the_operation_writes_a_backbone_that_can_be_loaded() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let inputs = || {
        let learned = task(folder.path(), "taste", ["sour", "sweet"]);
        // The same task in a second wording.
        let again = Input { stage: "bare".to_owned(), ..task(folder.path(), "taste", ["sour", "sweet"]) };
        vec![learned, again, task(folder.path(), "other", ["not_so", "so"])]
    };
    let written = json!({
        "steps": 6, "batch": 4, "held_out": ["other"], "corpus": {"from": "world", "texts": 40, "alone": 2},
        "shape": {"d_model": 16, "d_kv": 4, "d_ff": 24, "layers": 1, "decoder_layers": 1, "heads": 2,
                  "vocabulary": 300, "sentinels": 20},
    });
    let mut bytes = Vec::new();
    for _ in 0..2 {
        let parameters = serde_json::to_value(resolve(&written, Path::new("")).unwrap()).unwrap();
        let job = job(folder.path(), "pretrain", parameters, inputs());
        let mut notes = Notes::default();
        body::run(&job, &mut Shelf::default(), &mut notes).unwrap();
        let read = |name: &str| fs_err::read(job.output.join(name)).unwrap();
        let names = ["config.json", "tokenizer.json", "model.safetensors", "curve.csv", "scores.csv", "summary.json"];
        bytes.push(names.map(read));
        let scores = String::from_utf8(read("scores.csv")).unwrap();
        let lines: Vec<&str> = scores.lines().collect();
        assert_eq!(lines[0], "task,texts,held_out,split,examples,accuracy,most_frequent_label");
        let starts =
            ["taste,text[task=taste],false,test,6,", "taste,bare[task=taste],false,", "other,text[task=other],true,"];
        for (line, start) in lines[1..].iter().zip(starts) {
            assert!(line.starts_with(start), "{scores}");
        }
        let summary: serde_json::Value = serde_json::from_slice(&read("summary.json")).unwrap();
        // Eight in each wording.
        assert_eq!(summary["training_examples"], json!({ "taste": 16 }));
        let model = T5::load(&job.output, Device::Cpu, tch::Kind::Float).unwrap();
        assert_eq!(model.config().num_layers, 1);
    }
    assert!(bytes[0] == bytes[1], "a second run gives the same bytes");
}

#[test]
fn a_held_out_task_that_is_not_read_is_named() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let wrong = json!({"steps": 1, "held_out": ["tsate"], "corpus": {"from": "world"}});
    let refused = |inputs: Vec<Input>| {
        let parameters = serde_json::to_value(resolve(&wrong, Path::new("")).unwrap()).unwrap();
        let job = job(folder.path(), "pretrain", parameters, inputs);
        let error = body::run(&job, &mut Shelf::default(), &mut Notes::default()).unwrap_err();
        assert_eq!(error.message, "`held_out` names `tsate`, which is not among the tasks that are read");
        error.hint.unwrap()
    };
    let tasks = vec![task(folder.path(), "taste", ["sour", "sweet"]), task(folder.path(), "other", ["no", "so"])];
    assert_eq!(refused(tasks), "the tasks are other, taste");
    assert_eq!(refused(Vec::new()), "no task is read: add a stage with `format` to `from`, or leave out `held_out`");
}

/// Stages come in the order of their keys, which say more than what is learned: what is only scored, for example.
#[test]
fn the_order_of_the_inputs_changes_no_weight() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let written = json!({
        "steps": 4, "batch": 4, "corpus": {"from": "world", "texts": 40, "alone": 1},
        "shape": {"d_model": 16, "d_kv": 4, "d_ff": 24, "layers": 1, "decoder_layers": 1, "heads": 2,
                  "vocabulary": 300, "sentinels": 20},
    });
    let weights = |inputs: Vec<Input>| {
        let parameters = serde_json::to_value(resolve(&written, Path::new("")).unwrap()).unwrap();
        let job = job(folder.path(), "pretrain", parameters, inputs);
        body::run(&job, &mut Shelf::default(), &mut Notes::default()).unwrap();
        fs_err::read(job.output.join("model.safetensors")).unwrap()
    };
    let taste = || task(folder.path(), "taste", ["sour", "sweet"]);
    let weather = || task(folder.path(), "weather", ["wet", "dry"]);
    assert!(weights(vec![taste(), weather()]) == weights(vec![weather(), taste()]));
}
