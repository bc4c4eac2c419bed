//! What the tests of this module share.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::plan::catalog::Place;
use crate::plan::key::Numeric;
use crate::plan::{Instance, Plan, Policy};
use crate::protocol::{Compute, Coordinates, Job, PROTOCOL};

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
