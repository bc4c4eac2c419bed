//! What the tests of this module share.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::event::Event;
use super::interrupt::Interrupt;
use super::thread::Bodies;
use super::{Options, Run, Summary, run};
use crate::plan::catalog::{Place, SourceRef};
use crate::plan::key::Numeric;
use crate::plan::pins::Pins;
use crate::plan::{Instance, Plan, Policy};
use crate::protocol::{Compute, Coordinates, Job, PROTOCOL, Reporter, ResolvedSource, StageError};
use crate::store::Store;

/// A job that writes below `folder`.
pub(super) fn job(id: u64, folder: &Path) -> Job {
    Job {
        id,
        stage: "fit".into(),
        operation: "train".into(),
        parameters: json!({}),
        inputs: Vec::new(),
        sources: Vec::new(),
        output: folder.join("output"),
        scratch: folder.join("scratch"),
        compute: Compute { device: "cpu".into(), threads: 1 },
    }
}

/// An executable shell script. A child process writes it: a file that this process holds open for writing can't be
/// executed, and a test beside this one that forks at the wrong moment would hold it open.
pub(super) fn script(folder: &Path, text: &str) -> PathBuf {
    executable(folder, &format!("#!/bin/sh\n{text}\n"))
}

/// An executable that speaks the protocol and does `body` (Python) for each job; `id` is the job's, `job` all of it,
/// `say` sends a message.
pub(super) fn double(folder: &Path, body: &str) -> PathBuf {
    let hello =
        json!({"protocol": PROTOCOL, "version": env!("CARGO_PKG_VERSION"), "libtorch": "2.11.0", "devices": ["cpu"]});
    let body: String = body.lines().map(|line| format!("    {}\n", line)).collect();
    let text = format!(
        "#!/usr/bin/env python3\n\
         import json, os, sys, time\n\
         def say(message):\n    print(json.dumps(message), flush=True)\n\
         say({{'hello': {hello}}})\n\
         for line in sys.stdin:\n\
         \x20   message = json.loads(line)\n\
         \x20   if message == 'leave': break\n\
         \x20   job = message.get('run') or message['prepare']\n\
         \x20   id = job['id']\n\
         {body}"
    );
    executable(folder, &text)
}

fn executable(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("compt-worker");
    let mut child = Command::new("sh")
        .args(["-c", "cat > \"$0\" && chmod +x \"$0\""])
        .arg(&path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    path
}

/// One stage of [`plan`]: its name, what it reads (by position), and its parameters.
pub(super) type Stage<'a> = (&'a str, &'a [usize], Value);

/// A plan of stages on threads, without axes.
pub(super) fn plan(stages: &[Stage<'_>]) -> Plan {
    let instance = |(id, (stage, inputs, parameters)): (usize, &Stage<'_>)| Instance {
        id,
        stage: (*stage).to_owned(),
        scope: String::new(),
        title: None,
        label: (*stage).to_owned(),
        coordinates: Coordinates::new(),
        operation: "write".into(),
        version: 1,
        parameters: parameters.into(),
        inputs: inputs.to_vec(),
        sources: Vec::new(),
        resources: BTreeMap::new(),
        policy: Policy::default(),
        place: Place::Thread,
        reads_coordinates: true,
        publishes: false,
    };
    Plan { pipeline: "test".into(), stages: Vec::new(), instances: stages.iter().enumerate().map(instance).collect() }
}

/// The settings of the workers of [`double`].
pub(super) fn numeric() -> Numeric {
    Numeric { dtype: "f32".into(), device: "cpu".into(), libtorch: "2.11.0".into(), threads: 1, deterministic: true }
}

/// Bodies that write one file: the text of the parameter `write`, then the files that they read.
pub(super) struct Desk<'a> {
    ran: Mutex<Vec<String>>,
    before: &'a (dyn Fn(&Job) -> Result<(), StageError> + Sync),
}

impl<'a> Desk<'a> {
    pub(super) fn new(before: &'a (dyn Fn(&Job) -> Result<(), StageError> + Sync)) -> Self {
        Self { ran: Mutex::new(Vec::new()), before }
    }

    pub(super) fn ran(&self) -> Vec<String> {
        let mut ran = self.ran.lock().unwrap().clone();
        ran.sort();
        ran
    }
}

impl Bodies for Desk<'_> {
    fn sources(&self, _: &[SourceRef], _: &mut dyn Reporter) -> Result<Vec<ResolvedSource>, StageError> {
        Ok(Vec::new())
    }

    fn run(&self, job: &Job, reporter: &mut dyn Reporter) -> Result<(), StageError> {
        self.ran.lock().unwrap().push(job.stage.clone());
        reporter.log("begun");
        (self.before)(job)?;
        let mut text = job.parameters["write"].as_str().unwrap_or_default().to_owned();
        for input in &job.inputs {
            text.push_str(&fs_err::read_to_string(input.files.file("text"))?);
        }
        reporter.progress(1, 1, "files", "");
        Ok(fs_err::write(job.output.join("text"), text)?)
    }
}

/// A store in a folder of its own, and how to run.
pub(super) struct Site {
    _folder: TempDir,
    pub(super) root: PathBuf,
    pub(super) options: Options,
    pub(super) interrupt: Interrupt,
}

impl Site {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("cache");
        let options = Options { jobs: 1, cores: 2, gpus: Vec::new(), ..Options::default() };
        Self { _folder: folder, root, options, interrupt: Interrupt::default() }
    }

    pub(super) fn run(&self, plan: &Plan, bodies: &dyn Bodies) -> (Summary, Vec<Event>) {
        let mut events = Vec::new();
        let store = Store::open(&self.root).unwrap();
        let summary = run(
            &Run {
                plan,
                store: &store,
                pins: &Pins::default(),
                numeric: &numeric(),
                bodies,
                forced: &|_: &Instance| false,
                options: &self.options,
                interrupt: &self.interrupt,
            },
            &mut events,
        );
        assert!(matches!(events.first(), Some(Event::RunStarted { .. })));
        assert_eq!(events.last(), Some(&Event::RunFinished(summary.totals.clone())));
        (summary, events)
    }

    /// What a stage wrote.
    pub(super) fn text(&self, plan: &Plan, summary: &Summary, stage: &str) -> String {
        let (_, output) = summary.results[plan.find(stage).unwrap().id].unwrap();
        let store = Store::open_to_read(&self.root).unwrap();
        fs_err::read_to_string(store.object_folder(&output).join("text")).unwrap()
    }
}

pub(super) fn write(text: &str) -> Value {
    json!({ "write": text })
}

/// `a` and `b` are read by `c`; `b` is read by `d`.
pub(super) fn diamond(a: Value) -> [Stage<'static>; 4] {
    [("a", &[], a), ("b", &[], write("b")), ("c", &[0, 1], write("c")), ("d", &[1], write("d"))]
}

pub(super) fn nothing(_: &Job) -> Result<(), StageError> {
    Ok(())
}

pub(super) fn counts(summary: &Summary) -> [usize; 5] {
    let totals = &summary.totals;
    [totals.executed, totals.cached + totals.shared, totals.failed, totals.skipped, totals.left]
}

/// The stages of [`plan`], in workers.
pub(super) fn heavy(stages: &[Stage<'_>]) -> Plan {
    let mut plan = plan(stages);
    for instance in &mut plan.instances {
        instance.place = Place::Worker { affinity: "nano".into() };
    }
    plan
}

pub(super) const WRITE: &str = "open(job['output'] + '/text', 'w').write(str(os.getpid()) + job['parameters']['write'])\n\
                     say({'done': dict(id=id, facts={})})";
