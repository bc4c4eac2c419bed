use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::json;

use super::*;
use crate::protocol::{Compute, Input};

/// A reporter that keeps what is logged.
#[derive(Default)]
pub(in crate::operation) struct Log(pub(in crate::operation) Vec<String>);

impl Reporter for Log {
    fn progress(&mut self, _: u64, _: u64, _: &str, _: &str) {}
    fn log(&mut self, text: &str) {
        self.0.push(text.to_owned());
    }
    fn fact(&mut self, _: &str, _: Value) {}
}

pub(in crate::operation) fn job(operation: &dyn Operation, parameters: &Value, folder: &Path) -> Job {
    let output = folder.join(operation.name());
    fs_err::create_dir_all(&output).unwrap();
    Job {
        id: 1,
        stage: operation.name().to_owned(),
        operation: operation.name().to_owned(),
        parameters: operation.resolve(parameters, folder).unwrap().parameters,
        inputs: Vec::new(),
        sources: Vec::new(),
        output,
        scratch: PathBuf::new(),
        compute: Compute { device: "cpu".to_owned(), threads: 1 },
    }
}

/// An evaluation of one task with learned and untrained prompts.
pub(in crate::operation) fn evaluated(folder: &Path, method: &str, seed: &str, task: &str, scores: [f64; 2]) -> Input {
    let folder = folder.join(format!("{method}-{seed}-{task}"));
    fs_err::create_dir_all(&folder).unwrap();
    let mut csv = "task,prompt,metric,of,value,examples\n".to_owned();
    for (prompt, value) in ["learned", "untrained"].into_iter().zip(scores) {
        csv += &format!("{task},{prompt},accuracy,,{value},100\n{task},{prompt},score,accuracy,{value},100\n");
    }
    fs_err::write(folder.join("scores.csv"), csv).unwrap();
    let coordinates = [("method", method), ("seed", seed), ("task", task)];
    Input {
        stage: "score".to_owned(),
        operation: "evaluate".to_owned(),
        coordinates: coordinates.map(|(axis, value)| (axis.to_owned(), value.to_owned())).into(),
        files: folder.into(),
    }
}

fn inputs(folder: &Path) -> Vec<Input> {
    vec![
        evaluated(folder, "spp", "123", "imdb", [80.0, 50.0]),
        evaluated(folder, "spp", "123", "paws", [47.0, 48.0]),
        evaluated(folder, "spp", "45", "imdb", [84.0, 50.0]),
        evaluated(folder, "spp", "45", "paws", [51.0, 52.0]),
    ]
}

#[test]
fn writes_every_table() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::default();
    let parameters = json!({"rows": "method", "mean_over": ["seed"]});
    let job = Job { inputs: inputs(folder.path()), ..job(&Aggregate, &parameters, folder.path()) };
    Aggregate.run(&job, &mut log).unwrap();
    let read = |name: &str| fs_err::read_to_string(job.output.join(name)).unwrap();
    // imdb 80, 84: 82, sd 2.83; paws 47, 51: 49, sd 2.83; by seed 63.5, 67.5: 65.5, sd 2.83.
    assert_eq!(
        read("table.csv"),
        "method,imdb accuracy mean,imdb accuracy sd,imdb n,paws accuracy mean,paws accuracy sd,paws n,\
         average accuracy mean,average accuracy sd,average n\n\
         spp,82.0,2.8,2,49.0,2.8,2,65.5,2.8,2\n"
    );
    assert_eq!(read("results.csv").lines().count(), 1 + 4 * 4);
    assert_eq!(read("results.csv").lines().nth(2).unwrap(), "spp,123,imdb,learned,score,accuracy,80.0,100");
    // Gains: imdb 30 and 34, paws -1 and -1: average 14.5 and 16.5, so 15.5 with error 1.
    let line = "method=spp: learned prompts beat untrained ones by 15.5 ± 1.0 points of accuracy on average over 2 \
                tasks (worst: paws -1.0)";
    assert_eq!(log.0[0], line);
    assert!(read("table.md").ends_with(&format!("\n- {line}\n")));
    assert!(read("table.tex").contains("\nspp & 82.0$_{2.8}$ & 49.0$_{2.8}$ & 65.5$_{2.8}$ \\\\\n"));
    assert_eq!(read("gains.csv").lines().count(), 4);
    let style = terminal::Style { width: 80, ansi: false, digits: 1 };
    assert!(terminal::finish(&job.output, style).unwrap().ends_with(&format!("\n\n{line}\n")));
}

#[test]
fn columns_may_be_left_out() {
    let of = |parameters: Value| Aggregate.resolve(&parameters, Path::new(".")).unwrap().parameters["columns"].clone();
    assert_eq!(of(json!({"rows": "method", "mean_over": "seed"})), json!("task"));
    assert_eq!(of(json!({"rows": "method", "mean_over": ["seed", "task"]})), Value::Null);
    let folder = tempfile::tempdir().unwrap();
    let parameters = json!({"rows": ["method"], "mean_over": ["task", "seed"]});
    let job = Job { inputs: inputs(folder.path()), ..job(&Aggregate, &parameters, folder.path()) };
    Aggregate.run(&job, &mut Log::default()).unwrap();
    // By seed 63.5 and 67.5.
    assert_eq!(
        fs_err::read_to_string(job.output.join("cells.csv")).unwrap(),
        "method,task,metric,mean,sd,n,examples,reference\nspp,average,accuracy,65.5,2.8284271247461903,2,,\n"
    );
}

#[test]
fn metrics_of_tasks_are_checked_against_their_data_sets() {
    let faults = |metrics: Value| {
        let parameters = json!({"rows": "method", "mean_over": "seed", "metrics": metrics});
        let faults = Aggregate.resolve(&parameters, Path::new(".")).err().unwrap_or_default();
        faults.into_iter().map(|fault| (fault.path, fault.message)).collect::<Vec<_>>()
    };
    // Both conventions of METHODS 4.3 are evaluated; a task without a file of its name is not known here.
    let both = json!({"cola": "matthews", "stsb": "pearson", "mine": "f1", "rte": "score"});
    assert_eq!(faults(both), []);
    let fault = faults(json!({"cola": "pearson"})).remove(0);
    assert_eq!(fault.0, "metrics.cola");
    assert_eq!(fault.1, "`cola` is not evaluated by `pearson`; `cola.yaml` names `accuracy`, `matthews`");
    assert_eq!(faults(json!({"cola": "mathews"})).remove(0).0, "metrics.cola");
    let message = "metrics in different units or directions would be averaged over the tasks".to_owned();
    assert_eq!(faults(json!({"cola": "nll"})), [("metrics".to_owned(), message)]);
}

#[test]
fn references_and_labels_are_checked() {
    let parameters = json!({"rows": "method", "references": {"k": 8}});
    assert!(Aggregate.resolve(&parameters, Path::new(".")).is_err());
    let parameters = json!({"rows": "method", "references": {"k": "8"}, "latex": {"label": "tab:{x}"}});
    let faults = Aggregate.resolve(&parameters, Path::new(".")).unwrap_err();
    let told: Vec<_> = faults.iter().map(|fault| (fault.path.as_str(), fault.message.as_str())).collect();
    assert_eq!(
        told,
        [
            ("references", "`k` is no axis of the rows"),
            ("latex.label", "`tab:{x}` is no label: letters, digits and `:-_.+/` are")
        ]
    );
    let parameters = json!({"rows": ["method"], "references": {"method": "pt"}, "latex": {"label": "tab:x"}});
    let resolved = Aggregate.resolve(&parameters, Path::new(".")).unwrap().parameters;
    assert_eq!(resolved["references"], json!({"method": ["pt"]}));
    // What is complete is read again as it was.
    assert_eq!(Aggregate.resolve(&resolved, Path::new(".")).unwrap().parameters, resolved);
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let bytes: Vec<BTreeMap<String, Vec<u8>>> = ["a", "b"]
        .iter()
        .map(|name| {
            let parameters = json!({"rows": ["method"], "mean_over": "seed"});
            let job = job(&Aggregate, &parameters, &folder.path().join(name));
            let job = Job { inputs: inputs(folder.path()), ..job };
            Aggregate.run(&job, &mut Log::default()).unwrap();
            let files = fs_err::read_dir(&job.output).unwrap().map(|entry| entry.unwrap());
            files.map(|file| (file.file_name().into_string().unwrap(), fs_err::read(file.path()).unwrap())).collect()
        })
        .collect();
    assert_eq!(bytes[0], bytes[1]);
    assert_eq!(bytes[0].len(), 7);
}

#[test]
fn failures_are_told_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |parameters: Value| {
        let job = Job { inputs: inputs(folder.path()), ..job(&Aggregate, &parameters, folder.path()) };
        Aggregate.run(&job, &mut Log::default()).unwrap_err()
    };
    let error = fails(json!({"rows": ["method"]}));
    assert_eq!(
        error.message,
        "two scores fall into the cell method=spp task=imdb: they differ in `seed` (`123` and `45`)"
    );
    assert!(error.hint.unwrap().starts_with("name `seed` in `mean_over`"));
    let error = fails(json!({"rows": ["methods"], "mean_over": "seed"}));
    assert_eq!(error.message, "`rows` names the axis `methods`, but the scores have `method`, `seed`, `task`");
}

#[test]
fn parameters_are_checked_all_at_once() {
    let parameters = json!({"rows": ["seed", "task"], "mean_over": "seed", "metric": "acuracy", "digits": 9});
    let faults = Aggregate.resolve(&parameters, Path::new(".")).unwrap_err();
    let told: Vec<_> = faults.iter().map(|fault| (fault.path.as_str(), fault.message.as_str())).collect();
    assert_eq!(told[0], ("columns", "the axis `task` is in `rows` already"));
    assert_eq!(told[1], ("mean_over", "the axis `seed` is in `rows` already"));
    assert_eq!((told[2].0, faults[2].help.as_deref()), ("metric", Some("did you mean `accuracy`?")));
    assert_eq!(told[3], ("digits", "`9` decimals are too many; at most 6"));
    let faults = Aggregate.resolve(&json!({"rows": 3}), Path::new(".")).unwrap_err();
    assert_eq!(faults[0].path, "rows");
    assert!(faults[0].message.contains("a name, or a list of names"), "{}", faults[0].message);
}
