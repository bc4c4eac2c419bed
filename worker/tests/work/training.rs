//! Trainings of a tiny T5 on made-up tokens: they learn, repeat themselves to the bit, and survive being killed.

use std::path::Path;

use compt::operation::train::{TrainParameters, resolve};
use compt_worker::method::Moment;
use compt_worker::method::compt::{Compt, Task};
use compt_worker::method::init::Origin;
use compt_worker::model::T5;
use compt_worker::train::TrainError;
use compt_worker::train::checkpoint::Checkpoint;
use compt_worker::train::curve::Point;
use compt_worker::train::data::{Pair, TaskPairs};
use compt_worker::train::fit::{Course, Event, Fit, Outcome};
use compt_worker::train::tensor_file::bytes_of;
use serde_json::{Value, json};
use tch::{Device, Kind};

use crate::alone;

/// The oracle's tiny T5; `None`, with a printed reason, when it is not at hand.
fn model() -> Option<T5> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("COMPT_SHARED").map_or_else(|| home.join("../../shared"), Into::into);
    let places = [home.join("tests/data/oracle/t5v10"), shared.join("oracle/t5v10")];
    let Some(folder) = places.iter().find(|place| place.exists()) else {
        println!("skipped: the oracle's checkpoint is in none of {places:?}");
        return None;
    };
    Some(T5::load(folder, Device::Cpu, Kind::Float).unwrap())
}

/// Two tasks that answer the opposite of each other to the same sign, so that they need prompts of their own.
fn tasks(examples: usize) -> Vec<TaskPairs> {
    let task = |name: &str, answers: [i64; 2]| {
        let pairs = |from: usize, count: usize| {
            (from..from + count)
                .map(|n| {
                    let filler = (0..n % 4).map(|place| 30 + ((7 * n + place) % 40) as i64);
                    let source = filler.chain([10 + (n % 2) as i64, 1]).collect();
                    Pair { source, target: vec![answers[n % 2], 1] }
                })
                .collect()
        };
        TaskPairs { name: name.to_owned(), train: pairs(0, examples), validation: pairs(100, 8) }
    };
    vec![task("left", [5, 6]), task("right", [6, 5])]
}

/// Settings for a short training; `written` wins.
fn settings(written: &Value) -> TrainParameters {
    let mut all = json!({
        "method": "spp", "backbone": "tiny", "prompt": {"length": 4}, "sources": {"count": 2},
        "epochs": 4, "batch": 6, "adjust_epochs": false,
    });
    for (name, value) in written.as_object().unwrap() {
        all[name] = value.clone();
    }
    resolve(&all).unwrap()
}

fn method(model: &T5, settings: &TrainParameters, tasks: &[TaskPairs], steps: u64) -> Compt {
    let names: Vec<Task> =
        tasks.iter().map(|task| Task { name: task.name.clone(), labels: vec![vec![5], vec![6]] }).collect();
    let embed = |ids: &[i64]| model.embed(ids).unwrap();
    let config = model.config();
    let origin = Origin {
        width: config.d_model,
        vocabulary: config.vocab_size,
        embed: &embed,
        words: vec![20],
        file: Default::default(),
    };
    Compt::new(settings, &names, &origin, steps, Device::Cpu).unwrap()
}

struct Run {
    outcome: Outcome,
    bytes: Vec<u8>,
    notes: Vec<String>,
    method: Compt,
}

fn run(model: &T5, settings: &TrainParameters, tasks: &[TaskPairs], folder: Option<&Path>, stop: Option<u64>) -> Run {
    let course = Course::new(settings, tasks);
    let method = method(model, settings, tasks, course.steps);
    let checkpoint = folder.map(|folder| Checkpoint::new(folder, "this training", Some(3)));
    let fit = Fit { model, method: &method, tasks, course: &course, checkpoint: checkpoint.as_ref(), stop_after: stop };
    let mut notes = Vec::new();
    let outcome = fit
        .run(&mut |event| {
            if let Event::Note(note) = event {
                notes.push(note);
            }
        })
        .unwrap();
    let prompts = tch::no_grad(|| method.prompts(Moment::Evaluation));
    let mut bytes = bytes_of(&prompts);
    for parameter in method.parameters().all() {
        bytes.extend(bytes_of(&parameter.tensor));
    }
    bytes.extend(format!("{:?}", outcome.progress.curve).into_bytes());
    Run { outcome, bytes, notes, method }
}

fn mean(points: &[Point]) -> f64 {
    points.iter().map(|point| point.loss).sum::<f64>() / points.len() as f64
}

#[test]
fn every_method_learns() {
    let _alone = alone();
    let Some(model) = model() else { return };
    let tasks = tasks(24);
    for written in [
        json!({"method": "pt", "sources": {"count": 0}}),
        json!({"method": "mst", "sources": {"count": 1}}),
        json!({"method": "spp"}),
        json!({"method": "scp"}),
        json!({"method": "scp", "preset": "paper_code", "sampler": "homogeneous"}),
    ] {
        let mut written = written;
        written["epochs"] = json!(60);
        let done = run(&model, &settings(&written), &tasks, None, None);
        let curve = &done.outcome.progress.curve;
        let (first, last) = (mean(&curve[..8]), mean(&curve[curve.len() - 8..]));
        assert!(last < 0.9 * first, "{written}: from {first} to {last}");
    }
}

#[test]
fn every_choice_trains_every_parameter() {
    let _alone = alone();
    let Some(model) = model() else { return };
    let tasks = tasks(12);
    for written in [
        json!({"encoder": {"kind": "lstm"}}),
        json!({"encoder": {"kind": "mlp@2", "hidden": 12, "act": "relu"}}),
        json!({"encoder": {"kind": "emb"}, "compose": "prod"}),
        json!({"encoder": {"kind": "mlp_res"}, "compose": "cat_prod", "router": {"top_k": 1, "norm": "sigmoid"}}),
        json!({"router": {"kind": "relaxed_bernoulli"}, "gate": {"kind": "tied", "scope": "global"}}),
        json!({"router": {"norm": "softmax"}, "gate": {"kind": "joint_softmax"}, "prompt": {"position": "before_eos"}}),
        json!({"sources": {"count": 0, "per_task": true}, "router": {"bias": 0.5, "norm": "sparsemax"},
               "prompt": {"init": "class_labels", "position": "after_padding"}, "dropout": 0.0}),
        json!({"optim": {"sparse_private": true, "clip": null}, "batch": 1, "epochs": 1}),
        json!({"compose": "cat", "router": {"norm": "none"}, "gate": {"kind": "fixed", "fixed": [1.0, 0.5]},
               "optim": {"groups": {"source": 0.05, "router": 0.05}}}),
    ] {
        let settings = settings(&written);
        let course = Course::new(&settings, &tasks);
        let before = method(&model, &settings, &tasks, course.steps);
        let after = run(&model, &settings, &tasks, None, None).method;
        for (old, new) in before.parameters().all().iter().zip(after.parameters().all()) {
            let moved = (&old.tensor - &new.tensor).abs().max().double_value(&[]);
            assert!(moved > 1e-4, "{written}: {} moved by {moved}", new.name);
        }
    }
}

#[test]
fn runs_repeat_themselves_and_survive_being_killed_anywhere() {
    let _alone = alone();
    let Some(model) = model() else { return };
    let tasks = tasks(12);
    for written in [
        json!({"router": {"kind": "relaxed_bernoulli"}, "select": "best_dev"}),
        json!({"optim": {"sparse_private": true}, "batch": 2, "epochs": 1, "sampler": "homogeneous"}),
    ] {
        let settings = settings(&written);
        let steps = Course::new(&settings, &tasks).steps;
        let whole = run(&model, &settings, &tasks, None, None);
        assert_eq!(whole.outcome.progress.step, steps);
        assert!(run(&model, &settings, &tasks, None, None).bytes == whole.bytes, "{written}: a second run");
        for stop in [1, 3, 4, 7, steps - 1] {
            let folder = tempfile::tempdir().unwrap();
            let killed = run(&model, &settings, &tasks, Some(folder.path()), Some(stop));
            assert!(!killed.outcome.finished);
            let resumed = run(&model, &settings, &tasks, Some(folder.path()), None);
            assert_eq!(resumed.outcome.resumed_from, stop / 3 * 3);
            assert!(resumed.bytes == whole.bytes, "{written}: killed after step {stop}");
        }
        // Twice in a row.
        let folder = tempfile::tempdir().unwrap();
        run(&model, &settings, &tasks, Some(folder.path()), Some(4));
        run(&model, &settings, &tasks, Some(folder.path()), Some(7));
        assert!(run(&model, &settings, &tasks, Some(folder.path()), None).bytes == whole.bytes);
    }
}

#[test]
fn a_checkpoint_that_is_torn_or_foreign_is_left_aside() {
    let _alone = alone();
    let Some(model) = model() else { return };
    let (tasks, settings) = (tasks(12), settings(&json!({})));
    let whole = run(&model, &settings, &tasks, None, None);
    let folder = tempfile::tempdir().unwrap();
    run(&model, &settings, &tasks, Some(folder.path()), Some(7));
    let path = folder.path().join("checkpoint.safetensors");
    let good = fs_err::read(&path).unwrap();
    let mut flipped = good.clone();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    let foreign = String::from_utf8_lossy(&good[8..200]).contains("this training");
    assert!(foreign, "the identity is in the header");
    let mut renamed = good.clone();
    let place = good.windows(13).position(|window| window == b"this training").unwrap();
    renamed[place..place + 4].copy_from_slice(b"that");
    for (bad, reason) in [(&good[..good.len() / 2], "not"), (&flipped[..], "damaged"), (&renamed[..], "other settings")]
    {
        fs_err::write(&path, bad).unwrap();
        let anew = run(&model, &settings, &tasks, Some(folder.path()), None);
        assert_eq!(anew.outcome.resumed_from, 0);
        assert!(anew.notes[0].contains("left aside"), "{:?}", anew.notes);
        assert!(reason == "not" || anew.notes[0].contains(reason), "{:?}", anew.notes);
        assert!(anew.bytes == whole.bytes);
    }
}

#[test]
fn few_shots_double_the_epochs_and_divergence_is_told() {
    let _alone = alone();
    let Some(model) = model() else { return };
    let adjusted = settings(&json!({"adjust_epochs": true}));
    assert_eq!(Course::new(&adjusted, &tasks(10)).epochs, 8);
    assert_eq!(Course::new(&adjusted, &tasks(11)).epochs, 4);

    let tasks = tasks(12);
    let wild = settings(&json!({"optim": {"groups": {"source": 1e30, "private": 1e30}, "clip": null}}));
    let course = Course::new(&wild, &tasks);
    let method = method(&model, &wild, &tasks, course.steps);
    let fit =
        Fit { model: &model, method: &method, tasks: &tasks, course: &course, checkpoint: None, stop_after: None };
    let error = fit.run(&mut |_| {}).unwrap_err();
    assert!(matches!(error, TrainError::Diverged { .. }), "{error}");
}
