//! Jobs from texts to scores on the tiny backbone of the tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use compt::operation::{ablate, evaluate, train};
use compt::protocol::{Compute, Input, Job, Reporter, ResolvedSource, StageError};
use compt::report::learned::{Learned, Prompt};
use compt::task::dataset::Kind;
use compt::task::texts::{Example, TaskCard, TaskTexts, write};
use compt_worker::body::{self, backbone::Shelf};
use serde_json::{Value, json};

use crate::alone;

#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) facts: BTreeMap<String, Value>,
    log: Vec<String>,
    last: (u64, u64),
}

impl Reporter for Notes {
    fn progress(&mut self, done: u64, total: u64, _: &str, _: &str) {
        self.last = (done, total);
    }

    fn log(&mut self, text: &str) {
        self.log.push(text.to_owned());
    }

    fn fact(&mut self, name: &str, value: Value) {
        self.facts.insert(name.to_owned(), value);
    }
}

/// Cuts a job off at this step, as a kill would between two steps.
pub(crate) struct Kill(pub(crate) u64);

impl Reporter for Kill {
    fn progress(&mut self, done: u64, _: u64, _: &str, _: &str) {
        assert!(done < self.0, "killed");
    }

    fn log(&mut self, _: &str) {}

    fn fact(&mut self, _: &str, _: Value) {}
}

/// The tiny T5 of the repository's test data.
fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/tiny")
}

pub(crate) fn task(folder: &Path, name: &str, labels: [&str; 2]) -> Input {
    let examples = |from: usize, count: usize| -> Vec<Example> {
        (from..from + count)
            .map(|n| Example {
                id: format!("{name}-{n}"),
                source: format!("the {} was {}", ["apple", "plum", "fig"][n % 3], ["sour", "sweet"][n % 2]),
                target: labels[n % 2].to_owned(),
            })
            .collect()
    };
    let card = TaskCard {
        name: name.to_owned(),
        kind: Kind::Classification,
        labels: labels.map(str::to_owned).to_vec(),
        metrics: vec!["accuracy".to_owned(), "f1".to_owned()],
        score: "accuracy".to_owned(),
    };
    let place = folder.join(name);
    fs_err::create_dir_all(&place).unwrap();
    let texts = TaskTexts { card, train: examples(0, 8), validation: Vec::new(), test: examples(50, 6) };
    write(&place, &texts).unwrap();
    let coordinates = BTreeMap::from([("task".to_owned(), name.to_owned())]);
    Input { stage: "text".to_owned(), operation: "format".to_owned(), coordinates, files: place.into() }
}

pub(crate) fn job(folder: &Path, operation: &str, parameters: Value, inputs: Vec<Input>) -> Job {
    let files = ["config.json", "tokenizer.json", "model.safetensors"];
    let source = ResolvedSource {
        name: "tiny".to_owned(),
        files: files.iter().map(|name| ((*name).to_owned(), tiny().join(name))).collect(),
    };
    let (output, scratch) = (folder.join("output"), folder.join("scratch"));
    fs_err::create_dir_all(&output).unwrap();
    fs_err::create_dir_all(&scratch).unwrap();
    Job {
        id: 1,
        stage: operation.to_owned(),
        operation: operation.to_owned(),
        parameters,
        inputs,
        sources: vec![source],
        output,
        scratch,
        compute: Compute { device: "cpu".to_owned(), threads: 1 },
    }
}

pub(crate) fn training(written: &Value) -> Value {
    let mut all = json!({
        "method": "spp", "backbone": "tiny", "epochs": 3, "batch": 5, "prompt": {"length": 4},
        "sources": {"count": 2}, "encoder": {"hidden": 16},
    });
    for (name, value) in written.as_object().unwrap() {
        all[name] = value.clone();
    }
    serde_json::to_value(train::resolve(&all).unwrap()).unwrap()
}

pub(crate) fn evaluation(written: &Value) -> Value {
    let mut all = json!({"backbone": "tiny", "batch": 4});
    for (name, value) in written.as_object().unwrap() {
        all[name] = value.clone();
    }
    serde_json::to_value(evaluate::resolve(&all).unwrap()).unwrap()
}

pub(crate) fn run(job: &Job) -> Result<Notes, StageError> {
    let mut notes = Notes::default();
    body::run(job, &mut Shelf::default(), &mut notes)?;
    Ok(notes)
}

pub(crate) fn bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs_err::read_dir(folder.join("output")).unwrap();
    files
        .map(|file| {
            let file = file.unwrap();
            (file.file_name().to_string_lossy().into_owned(), fs_err::read(file.path()).unwrap())
        })
        .collect()
}

pub(crate) fn as_input(stage: &str, job: &Job) -> Input {
    Input {
        stage: stage.to_owned(),
        operation: job.operation.clone(),
        coordinates: BTreeMap::new(),
        files: job.output.clone().into(),
    }
}

#[test]
fn results_are_the_same_bytes_whatever_the_order_of_the_inputs_or_the_checkpoints() {
    let _alone = alone();
    let data = tempfile::tempdir().unwrap();
    let inputs = vec![task(data.path(), "mood", ["bad", "good"]), task(data.path(), "acid", ["yes", "no"])];
    let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let first = job(folders[0].path(), "train", training(&json!({})), inputs.clone());
    let notes = run(&first).unwrap();
    assert_eq!(notes.last.0, notes.last.1);
    for fact in ["train_seconds", "steps_per_second", "examples_per_second", "resumed_from_step"] {
        assert!(notes.facts.contains_key(fact), "{fact}");
    }
    let turned = inputs.iter().rev().cloned().collect();
    run(&job(folders[1].path(), "train", training(&json!({})), turned)).unwrap();
    run(&job(folders[2].path(), "train", training(&json!({"checkpoint_every": 1})), inputs)).unwrap();
    let expected = bytes(folders[0].path());
    let names: Vec<&str> = expected.keys().map(String::as_str).collect();
    assert_eq!(names, ["curve.csv", "modules.safetensors", "parts.safetensors", "prompts.safetensors", "summary.json"]);
    assert!(bytes(folders[1].path()) == expected, "the order of the inputs");
    assert!(bytes(folders[2].path()) == expected, "checkpoints");
    let summary: Value = serde_json::from_slice(&expected["summary.json"]).unwrap();
    assert_eq!(summary["training_examples"], json!({"acid": 8, "mood": 8}));
    assert_eq!(summary["steps"], json!(24), "8 + 8 examples, batch 5, 3 epochs doubled");
}

#[test]
fn prompts_of_several_trainings_are_scored_by_task() {
    let _alone = alone();
    let data = tempfile::tempdir().unwrap();
    let (mood, acid) = (task(data.path(), "mood", ["bad", "good"]), task(data.path(), "acid", ["yes", "no"]));
    let folders: Vec<_> = (0..4).map(|_| tempfile::tempdir().unwrap()).collect();
    let alone = json!({"method": "pt", "sources": {"count": 0}});
    let train_mood = job(folders[0].path(), "train", training(&alone), vec![mood.clone()]);
    let train_acid = job(folders[1].path(), "train", training(&alone), vec![acid.clone()]);
    run(&train_mood).unwrap();
    run(&train_acid).unwrap();
    let (of_mood, of_acid) = (as_input("fit", &train_mood), as_input("fit", &train_acid));
    let all = vec![of_mood.clone(), of_acid.clone(), mood.clone(), acid.clone()];

    let ranked = evaluation(&json!({"mode": "rank", "untrained": true}));
    let scoring = job(folders[2].path(), "evaluate", ranked, all.clone());
    assert_eq!(run(&scoring).unwrap().last, (24, 24));
    let files = bytes(folders[2].path());
    let scores = String::from_utf8(files["scores.csv"].clone()).unwrap();
    let lines: Vec<&str> = scores.lines().collect();
    assert_eq!(lines[0], "task,prompt,metric,of,value,examples");
    let kinds = ["acid,learned", "acid,untrained", "mood,learned", "mood,untrained"];
    let metrics = ["accuracy", "f1", "invalid_rate", "nll", "score"];
    let expected: Vec<String> =
        kinds.iter().flat_map(|kind| metrics.iter().map(move |metric| format!("{kind},{metric},"))).collect();
    assert_eq!(lines.len(), 1 + expected.len());
    for (line, start) in lines[1..].iter().zip(&expected) {
        assert!(line.starts_with(start) && line.ends_with(",6"), "{line}");
    }
    assert!(lines.iter().filter(|line| line.contains("invalid_rate")).all(|line| line.contains("rate,,0,")));
    let predictions = String::from_utf8(files["predictions.csv"].clone()).unwrap();
    assert_eq!(predictions.lines().count(), 1 + 24);
    assert!(predictions.lines().nth(1).unwrap().starts_with("acid,learned,acid-50,"), "examples keep their order");

    let generated = job(folders[3].path(), "evaluate", evaluation(&json!({"nll": true})), all.clone());
    run(&generated).unwrap();
    let scores = String::from_utf8(bytes(folders[3].path())["scores.csv"].clone()).unwrap();
    assert_eq!(scores.matches(",nll,").count(), 2);

    let refused = |inputs: Vec<Input>, parameters: &Value| {
        run(&job(folders[3].path(), "evaluate", evaluation(parameters), inputs)).unwrap_err().message
    };
    let missing = refused(vec![of_mood.clone(), mood.clone(), acid.clone()], &json!({}));
    assert!(missing.contains("no prompt for the task `acid`") && missing.contains("`mood`"), "{missing}");
    let twice = refused(vec![of_mood.clone(), of_mood.clone(), mood.clone()], &json!({}));
    assert!(twice.contains("several prompts"), "{twice}");
    let empty = refused(vec![of_mood.clone(), mood.clone()], &json!({"split": "validation"}));
    assert!(empty.contains("the validation split of the task `mood` is empty"), "{empty}");
    let other = refused(vec![of_mood, mood], &json!({"backbone": "other"}));
    assert!(other.contains("trained on `tiny`"), "{other}");
}

#[test]
fn inputs_that_make_no_sense_are_named() {
    let _alone = alone();
    let data = tempfile::tempdir().unwrap();
    let mood = task(data.path(), "mood", ["bad", "good"]);
    let folder = tempfile::tempdir().unwrap();
    let refused = |inputs: Vec<Input>, written: Value| {
        run(&job(folder.path(), "train", training(&written), inputs)).unwrap_err().message
    };
    let mut again = mood.clone();
    again.coordinates.insert("seed".to_owned(), "45".to_owned());
    let twice = refused(vec![mood.clone(), again], json!({}));
    assert_eq!(twice, "`train` reads the task `mood` twice: from `text[task=mood]` and from `text[seed=45,task=mood]`");
    let none = refused(vec![mood], json!({"select": "best_dev"}));
    assert!(none.contains("validation examples"), "{none}");
    assert!(refused(Vec::new(), json!({})).contains("reads no texts"));
}

#[test]
fn a_killed_training_goes_on_to_the_same_bytes() {
    let _alone = alone();
    let data = tempfile::tempdir().unwrap();
    let inputs = vec![task(data.path(), "mood", ["bad", "good"]), task(data.path(), "acid", ["yes", "no"])];
    let whole = tempfile::tempdir().unwrap();
    run(&job(whole.path(), "train", training(&json!({})), inputs.clone())).unwrap();
    for moment in [1, 5, 13, 24] {
        let folder = tempfile::tempdir().unwrap();
        let job = job(folder.path(), "train", training(&json!({"checkpoint_every": 2})), inputs.clone());
        let killed = std::panic::catch_unwind(|| body::run(&job, &mut Shelf::default(), &mut Kill(moment)));
        assert!(killed.is_err());
        let notes = run(&job).unwrap();
        assert_eq!(notes.facts["resumed_from_step"], json!((moment - 1) / 2 * 2));
        assert!(bytes(folder.path()) == bytes(whole.path()), "killed in step {moment}");
    }
}

#[test]
fn masks_change_the_prompts_that_are_scored() {
    let _alone = alone();
    let data = tempfile::tempdir().unwrap();
    let (mood, acid) = (task(data.path(), "mood", ["bad", "good"]), task(data.path(), "acid", ["yes", "no"]));
    let folders: Vec<_> = (0..2).map(|_| tempfile::tempdir().unwrap()).collect();
    let train = job(folders[0].path(), "train", training(&json!({"method": "scp"})), vec![mood.clone(), acid.clone()]);
    run(&train).unwrap();
    let inputs = vec![as_input("fit", &train), mood, acid];
    let likelihoods = |mask: Value| -> Result<Vec<String>, StageError> {
        let parameters = evaluation(&json!({"mode": "rank", "mask": mask}));
        run(&job(folders[1].path(), "evaluate", parameters, inputs.clone()))?;
        let scores = String::from_utf8(bytes(folders[1].path())["scores.csv"].clone()).unwrap();
        Ok(scores.lines().filter(|line| line.contains(",nll,")).map(str::to_owned).collect())
    };
    let masks = ["total", "all_src", "private", "src_1", "src_2"];
    let found: Vec<Vec<String>> = masks.iter().map(|mask| likelihoods(json!({"keep": mask})).unwrap()).collect();
    for (place, one) in found.iter().enumerate() {
        assert_eq!(one.len(), 2);
        assert!(!found[..place].contains(one), "{} is as another mask: {one:?}", masks[place]);
    }
    let removed = likelihoods(json!({"keep": "private", "scp": "remove"})).unwrap();
    assert_ne!(removed, found[2], "zero rows are attended to");
    let refused = likelihoods(json!({"keep": "src_3"})).unwrap_err().message;
    assert!(refused.contains("`fit`: there is no `src_3`") && refused.contains("`src_2`"), "{refused}");
}

fn ablation(written: &Value) -> Value {
    let mut all = json!({"backbone": "tiny", "batch": 4});
    for (name, value) in written.as_object().unwrap() {
        all[name] = value.clone();
    }
    serde_json::to_value(ablate::resolve(&all).unwrap()).unwrap()
}

/// The rows of a table without the columns `part` and `weights`, by these.
fn by_part(table: &[u8]) -> BTreeMap<(String, String), Vec<String>> {
    let text = String::from_utf8(table.to_vec()).unwrap();
    let mut rows: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let place = (fields[2].to_owned(), fields[3].to_owned());
        rows.entry(place).or_default().push([&fields[..2], &fields[4..]].concat().join(","));
    }
    rows
}

#[test]
fn each_part_is_scored_as_evaluate_scores_its_mask() {
    let _alone = alone();
    let data = tempfile::tempdir().unwrap();
    let (mood, acid) = (task(data.path(), "mood", ["bad", "good"]), task(data.path(), "acid", ["yes", "no"]));
    let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let train = job(
        folders[0].path(),
        "train",
        training(&json!({"method": "scp", "router": {"norm": "softmax"}})),
        vec![mood.clone(), acid.clone()],
    );
    run(&train).unwrap();
    let inputs = vec![as_input("fit", &train), mood, acid];
    let parameters = json!({"mode": "rank", "weights": ["renormalised", "kept"], "dropped_half": "remove"});
    let all = job(folders[1].path(), "ablate", ablation(&parameters), inputs.clone());
    let notes = run(&all).unwrap();
    // Two sources, whose weights are neither 0 nor 1; only theirs differ between the ways to weigh, so 4 + 1 + 1 + 1 prompts of two tasks of 6 examples.
    assert_eq!(notes.last, (7 * 12, 7 * 12));
    let written = bytes(folders[1].path());
    assert!(written["scores.csv"].starts_with(b"task,prompt,part,weights,metric,of,value,examples\n"));
    assert!(written["predictions.csv"].starts_with(b"task,prompt,part,weights,id,source,gold,predicted,valid\n"));
    assert!(written["tasks.json"].starts_with(b"["));
    for name in ["scores.csv", "predictions.csv"] {
        let parts = by_part(&written[name]);
        assert_eq!(parts.len(), 10, "src_1, src_2, all_src, private, total, twice");
        for ((part, weights), rows) in &parts {
            let mask = json!({"keep": part, "renormalise": weights == "renormalised", "scp": "remove"});
            let alone = evaluation(&json!({"mode": "rank", "mask": mask}));
            let one = job(folders[2].path(), "evaluate", alone, inputs.clone());
            run(&one).unwrap();
            let expected = String::from_utf8(bytes(folders[2].path())[name].clone()).unwrap();
            assert_eq!(rows, &expected.lines().skip(1).map(str::to_owned).collect::<Vec<_>>(), "{part} {weights}");
        }
    }
}

#[test]
fn parts_that_a_training_lacks_are_left_out() {
    let _alone = alone();
    let data = tempfile::tempdir().unwrap();
    let (mood, acid) = (task(data.path(), "mood", ["bad", "good"]), task(data.path(), "acid", ["yes", "no"]));
    let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let alone = json!({"method": "pt", "sources": {"count": 0}});
    let pt = job(folders[0].path(), "train", training(&alone), vec![mood.clone()]);
    let mst = job(
        folders[1].path(),
        "train",
        training(&json!({"method": "mst", "sources": {"count": 1}})),
        vec![acid.clone()],
    );
    run(&pt).unwrap();
    run(&mst).unwrap();
    let inputs = vec![as_input("alone", &pt), as_input("shared", &mst), mood, acid];
    let all = job(folders[2].path(), "ablate", ablation(&json!({"mode": "rank"})), inputs.clone());
    let notes = run(&all).unwrap();
    assert_eq!(
        notes.log,
        [
            "`alone` has no `sources`, `all_src`, which is left out; its parts are `total`, `private`",
            "`shared` has no `private`, which is left out; its parts are `total`, `all_src`, `src_1`",
        ]
    );
    let scores = by_part(&bytes(folders[2].path())["scores.csv"]);
    let tasks = |part: &str| {
        let rows = &scores[&(part.to_owned(), "renormalised".to_owned())];
        ["acid", "mood"].map(|task| rows.iter().any(|row| row.starts_with(task)))
    };
    assert_eq!([tasks("src_1"), tasks("all_src")], [[true, false]; 2]);
    assert_eq!([tasks("private"), tasks("total")], [[false, true], [true, true]]);
    let none = job(folders[2].path(), "ablate", ablation(&json!({"parts": ["private"]})), inputs);
    let refused = run(&none).unwrap_err();
    assert_eq!(refused.message, "`shared` has none of the parts `private`; its parts are `total`, `all_src`, `src_1`");
}

#[test]
fn the_stored_parts_compose_to_the_stored_prompts() {
    let _alone = alone();
    let data = tempfile::tempdir().unwrap();
    let (mood, acid) = (task(data.path(), "mood", ["bad", "good"]), task(data.path(), "acid", ["yes", "no"]));
    let folder = tempfile::tempdir().unwrap();
    run(&job(folder.path(), "train", training(&json!({"method": "spp"})), vec![mood, acid])).unwrap();
    let learned = Learned::read(&folder.path().join("output")).unwrap();
    assert_eq!((learned.tasks.len(), learned.sources.len(), learned.privates.len()), (2, 2, 2));
    let values = |prompt: &Prompt| prompt.values.iter().map(|value| f64::from(*value)).collect::<Vec<_>>();
    for (task, name) in learned.tasks.iter().enumerate() {
        // METHODS 2.2: P_t = beta_t sum_i w_ti P_i + alpha_t Q_t.
        let (alpha, beta) = (learned.alpha.as_ref().unwrap()[task], learned.beta.as_ref().unwrap()[task]);
        let weights = &learned.weights.as_ref().unwrap()[task];
        let sources: Vec<Vec<f64>> = learned.sources.iter().map(|(_, prompt)| values(prompt)).collect();
        let private = values(&learned.privates[task].1);
        assert_eq!((&learned.composed[task].0, &learned.privates[task].0), (name, name));
        for (place, found) in values(&learned.composed[task].1).into_iter().enumerate() {
            let mixture: f64 =
                weights.iter().zip(&sources).map(|(weight, source)| f64::from(*weight) * source[place]).sum();
            let expected = f64::from(beta) * mixture + f64::from(alpha) * private[place];
            assert!((found - expected).abs() < 1e-5, "{name} {place}: {found} {expected}");
        }
    }
}
