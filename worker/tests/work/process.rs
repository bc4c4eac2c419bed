//! The worker as a process: its first words, its silence on standard output otherwise, and its end.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use compt::protocol::{FromWorker, PROTOCOL, ToWorker};
use serde_json::json;

use crate::jobs::{job, task, training};

fn worker() -> Command {
    Command::new(env!("CARGO_BIN_EXE_compt-worker"))
}

#[test]
fn it_introduces_itself() {
    let output = worker().arg("--hello").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let FromWorker::Hello(hello) = serde_json::from_slice(&output.stdout).unwrap() else { panic!("{output:?}") };
    assert_eq!((hello.protocol, hello.devices[0].as_str()), (PROTOCOL, "cpu"));
}

#[test]
fn it_runs_jobs_until_its_input_closes() {
    let data = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let inputs = vec![task(data.path(), "mood", ["bad", "good"])];
    let mut child = worker().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut messages = output.lines().map(|line| serde_json::from_str::<FromWorker>(&line.unwrap()).unwrap());
    assert!(matches!(messages.next(), Some(FromWorker::Hello(_))));
    for id in [7, 8] {
        let mut job = job(folder.path(), "train", training(&json!({})), inputs.clone());
        job.id = id;
        writeln!(input, "{}", serde_json::to_string(&ToWorker::Run(Box::new(job))).unwrap()).unwrap();
        let last = messages.find(|message| !matches!(message, FromWorker::Progress(_) | FromWorker::Log { .. }));
        let Some(FromWorker::Done { id: done, facts }) = last else { panic!("{last:?}") };
        assert_eq!(done, id);
        // The backbone is loaded for the first job only.
        assert_eq!(facts.contains_key("backbone_load_seconds"), id == 7);
        assert!(facts.contains_key("seconds"));
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn it_does_not_outlive_its_runner_while_a_job_runs() {
    let data = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let inputs = vec![task(data.path(), "mood", ["bad", "good"])];
    let job = job(folder.path(), "train", training(&json!({"epochs": 1_000_000})), inputs);
    let mut child = worker().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{}", serde_json::to_string(&ToWorker::Run(Box::new(job))).unwrap()).unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut lines = output.lines();
    assert!(lines.any(|line| line.unwrap().contains("progress")), "the job has begun");
    drop(input);
    assert!(!child.wait().unwrap().success(), "an unfinished job is no success");
}
