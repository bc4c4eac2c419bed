//! `fetch`, `sample` and `format` one after the other, on a small data set of a user's own and on synthetic ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Operation;
use super::fetch::Fetch;
use super::format::Format;
use super::sample::Sample;
use crate::protocol::{Compute, Input, Job, Reporter, ResolvedSource, StageError};
use crate::task::source::{self, SourceSettings};
use crate::task::{dataset, texts, world};

const DATASET: &str = r#"
source: { local: rows }
files: { train: [train.csv], validation: [validation.jsonl] }
splits: halve_validation
columns: [question, answer]
template: "question: {question} answer: {answer}"
kind: classification
label:
  column: verdict
  words: [{ value: "no", word: wrong_answer }, { value: "yes", word: right_answer }]
metrics: [accuracy]
score: accuracy
"#;

struct Quiet;

impl Reporter for Quiet {
    fn progress(&mut self, _: u64, _: u64, _: &str, _: &str) {}
    fn log(&mut self, _: &str) {}
    fn fact(&mut self, _: &str, _: Value) {}
}

struct Project {
    folder: tempfile::TempDir,
    runs: usize,
}

impl Project {
    fn new(train: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rows = folder.path().join("rows");
        for path in [&folder.path().join("datasets"), &rows] {
            fs_err::create_dir_all(path).unwrap();
        }
        fs_err::write(folder.path().join("datasets/quiz.yaml"), DATASET).unwrap();
        fs_err::write(rows.join("train.csv"), format!("question,answer,verdict\n{}", train.concat())).unwrap();
        let line = |n: usize| format!("{{\"question\": \"v{n}\", \"answer\": \"a\", \"verdict\": \"yes\"}}\n");
        fs_err::write(rows.join("validation.jsonl"), (0..9).map(line).collect::<String>()).unwrap();
        Self { folder, runs: 0 }
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    fn run(&mut self, operation: &dyn Operation, given: Value, input: Option<&Path>) -> Result<PathBuf, StageError> {
        self.runs += 1;
        let output = self.root().join(format!("output{}", self.runs));
        fs_err::create_dir_all(&output)?;
        let resolved = operation.resolve(&given, self.root()).unwrap();
        let mut sources = Vec::new();
        for _ in &resolved.sources {
            let request = source::dataset_request(&dataset::read(self.root(), "quiz")?, self.root());
            let files = source::locate(&request, &SourceSettings::from_variables(|_| None), &mut ())?.files;
            sources.push(ResolvedSource { name: "quiz".to_owned(), files });
        }
        let inputs = input.map(|folder| Input {
            stage: "before".to_owned(),
            operation: resolved.accepts[0].to_owned(),
            coordinates: BTreeMap::new(),
            files: folder.to_owned().into(),
        });
        let job = Job {
            id: 1,
            stage: "now".to_owned(),
            operation: operation.name().to_owned(),
            parameters: resolved.parameters,
            inputs: inputs.into_iter().collect(),
            sources,
            output: output.clone(),
            scratch: self.root().join("scratch"),
            compute: Compute { device: "cpu".to_owned(), threads: 1 },
        };
        operation.run(&job, &mut Quiet)?;
        Ok(output)
    }

    fn all(&mut self, sample: Value, format: Value) -> Result<PathBuf, StageError> {
        let fetched = self.run(&Fetch, json!({ "dataset": "quiz" }), None)?;
        let sampled = self.run(&Sample, sample, Some(&fetched))?;
        self.run(&Format, format, Some(&sampled))
    }
}

fn train() -> Vec<String> {
    (0..20).map(|n| format!("q{n},\"a, {n}\",{}\n", if n % 3 == 0 { "yes" } else { "no" })).collect()
}

#[test]
fn from_files_to_texts() {
    let mut project = Project::new(&train());
    let folder = project.all(json!({"k": 6, "k_unit": "class"}), json!({"label_set": "hyphen"})).unwrap();
    let read = texts::read(&folder).unwrap();
    assert_eq!(read.card.labels, ["wrong-answer", "right-answer"]);
    assert_eq!((read.train.len(), read.validation.len(), read.test.len()), (12, 4, 5));
    for example in &read.train {
        let n: usize = example.source.rsplit_once(' ').unwrap().1.parse().unwrap();
        assert_eq!(example.source, format!("quiz: question: q{n} answer: a, {n}"));
        assert_eq!(example.target, if n.is_multiple_of(3) { "right-answer" } else { "wrong-answer" });
    }
}

#[test]
fn the_order_of_rows_and_rows_that_are_not_drawn_change_no_byte() {
    let bytes = |train: &[String]| {
        let mut project = Project::new(train);
        let folder = project.all(json!({"k": 4}), json!({})).unwrap();
        ["task.json", "train.jsonl", "validation.jsonl", "test.jsonl"]
            .map(|name| fs_err::read(folder.join(name)).unwrap())
    };
    let expected = bytes(&train());
    let mut reversed = train();
    reversed.reverse();
    assert_eq!(bytes(&reversed), expected);
    let drawn = String::from_utf8(expected[1].clone()).unwrap();
    let mut changed = train();
    let free = (0..20).find(|n| !drawn.contains(&format!("q{n} "))).unwrap();
    changed.remove(free);
    assert_eq!(bytes(&changed), expected);
}

#[test]
fn a_row_that_cannot_be_used_stops_fetch() {
    let mut rows = train();
    rows[4] = "q,a,maybe\n".to_owned();
    let error = Project::new(&rows).all(json!({"k": 4}), json!({})).unwrap_err();
    assert_eq!(
        error.message,
        "row 5 of `train.csv` has the label `maybe` in column `verdict`, which `quiz` does not know; accepted: `no`, \
         `yes`"
    );
    assert_eq!(error.hint.unwrap(), "correct `label.words` in `datasets/quiz.yaml`, or the files it names");
}

/// A project with all data set files of this repository.
fn with_datasets() -> Project {
    let project = Project::new(&train());
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets");
    for name in world::TASKS {
        fs_err::copy(own.join(format!("{name}.yaml")), project.root().join(format!("datasets/{name}.yaml"))).unwrap();
    }
    project
}

#[test]
fn synthetic_rows_of_every_task_become_texts() {
    let mut project = with_datasets();
    for task in world::TASKS {
        let rows = json!({"train": 40, "validation": 12, "test": 18});
        let fetched = project.run(&Fetch, json!({"dataset": task, "data": "synthetic", "rows": rows}), None).unwrap();
        let sampled = project.run(&Sample, json!({"k": "all", "test_samples": "all"}), Some(&fetched)).unwrap();
        let folder = project.run(&Format, json!({}), Some(&sampled)).unwrap();
        let read = texts::read(&folder).unwrap();
        // The world's splits are used as they are, whatever policy the data set's file has for its real splits.
        assert_eq!((read.train.len(), read.validation.len(), read.test.len()), (40, 12, 18), "{task}");
        for example in read.train.iter().chain(&read.validation).chain(&read.test) {
            assert!(example.source.starts_with(&format!("{task}: ")), "{example:?}");
            let is_label = read.card.labels.contains(&example.target);
            let is_score = read.card.labels.is_empty() && example.target.parse::<f64>().is_ok();
            assert!(is_label || is_score, "{task}: {example:?}");
        }
    }
}

/// The real splits, by the data sets' cards and the policies of their files: all tasks have three, but imdb, which has no
/// validation rows.
#[test]
fn synthetic_data_have_the_splits_of_the_real_ones() {
    let project = with_datasets();
    let splits = |given: Value| {
        let planned = Fetch.resolve(&given, project.root()).unwrap().parameters;
        ["train", "validation", "test"].map(|split| {
            let rows = planned["synthetic"]["rows"][split].as_u64().unwrap();
            assert_eq!(planned["dataset"]["files"][split].as_array().unwrap().len(), usize::from(rows > 0), "{given}");
            rows
        })
    };
    for task in world::TASKS {
        let validation = if task == "imdb" { 0 } else { 100 };
        let set = |rows: Value| json!({"dataset": task, "data": "synthetic", "rows": rows});
        assert_eq!(splits(json!({"dataset": task, "data": "synthetic"})), [400, validation, 200], "{task}");
        assert_eq!(splits(set(json!({"train": 7}))), [7, validation, 200], "{task}");
        assert_eq!(splits(set(json!({"validation": 5, "test": 0}))), [400, 5, 0], "{task}");
    }
    let mut project = project;
    let fetched = project.run(&Fetch, json!({"dataset": "imdb", "data": "synthetic"}), None).unwrap();
    let sampled = project.run(&Sample, json!({"k": 16}), Some(&fetched)).unwrap();
    let folder = project.run(&Format, json!({}), Some(&sampled)).unwrap();
    let read = texts::read(&folder).unwrap();
    assert_eq!((read.train.len(), read.validation.len(), read.test.len()), (16, 0, 100));
}

#[test]
fn synthetic_rows_depend_on_the_seed_and_need_no_source() {
    let project = with_datasets();
    let resolve = |given: Value| Fetch.resolve(&given, project.root());
    let plain = resolve(json!({"dataset": "rte", "data": "synthetic"})).unwrap();
    assert!(plain.sources.is_empty());
    assert_eq!(plain.parameters["synthetic"]["world"], json!(world::VERSION));
    assert_ne!(resolve(json!({"dataset": "rte", "data": "synthetic", "data_seed": 1})).unwrap(), plain);
    assert!(resolve(json!({"dataset": "rte"})).unwrap().parameters.get("synthetic").is_none());
    let fault = |given: Value| resolve(given).unwrap_err().remove(0);
    assert_eq!(fault(json!({"dataset": "rte", "data_seed": 1})).message, "`data_seed` is for synthetic data only");
    assert!(fault(json!({"dataset": "quiz", "data": "synthetic"})).message.contains("no task `quiz`"));
    assert_eq!(fault(json!({"dataset": "rte", "data": "synthetic", "rows": {"train": 0}})).path, "rows.train");
}
