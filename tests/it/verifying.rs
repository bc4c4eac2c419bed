//! `compt verify`: what is the same, what differs and where, and what can't be told.

use std::io::Write;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::project::{Project, both};

const FILE: &str = "pipelines/toy.yaml";
const SMALL: [&str; 6] = ["--set", "task=[ripe]", "--set", "seed=[1]", "--set", "epochs=1"];

fn verify(project: &Project, more: &[&str]) -> (Option<i32>, Value, String) {
    let output = project.compt(&[&["verify", FILE, "--json"], &SMALL[..], more].concat());
    let text = both(&output);
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or(Value::Null), text)
}

fn verdicts(value: &Value) -> Vec<(String, String)> {
    let text = |line: &Value, name: &str| line[name].as_str().unwrap().to_owned();
    value["stages"].as_array().unwrap().iter().map(|line| (text(line, "stage"), text(line, "verdict"))).collect()
}

#[test]
fn what_is_reproducible_is_identical_and_the_cache_is_not_touched() {
    let project = Project::new();
    project.run(&SMALL);
    let before = project.files(".compt");
    let (code, value, text) = verify(&project, &[]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(value["counts"]["identical"], 8, "{value}");
    assert_eq!(project.files(".compt"), before);

    let (code, sampled, text) = verify(&project, &["--sample", "20%"]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(verdicts(&sampled).len(), 2, "8 stages, 20% of them, rounded up");
    assert_eq!(sampled, verify(&project, &["--sample", "20%"]).1, "the same sample each time");
    assert_eq!(verdicts(&verify(&project, &["--stages", "fit", "--stages", "table"]).1).len(), 3);
    let (code, _, text) = verify(&project, &["--stages", "fitt"]);
    assert_eq!(code, Some(2), "{text}");

    let shown = project.compt(&[&["verify", FILE, "--stages", "shots"], &SMALL[..]].concat());
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(text.contains("identical        shots[task=ripe,seed=1]"), "{text}");
    assert!(text.contains("1 of 8 stages: 1 identical, 0 differ, 0 failed, 0 could not run"), "{text}");
}

#[test]
fn each_is_made_from_its_recorded_inputs() {
    let project = Project::new();
    project.run(&SMALL);
    // The source has changed: what was made of it directly can't be made again, all else can.
    let table = project.read("toys/ripe_train.csv");
    project.write("toys/ripe_train.csv", &table.replacen(",0\n", ",1\n", 1));
    let (code, value, text) = verify(&project, &[]);
    assert_eq!(code, Some(3), "{text}");
    let verdicts = verdicts(&value);
    assert_eq!(verdicts.iter().filter(|(_, verdict)| verdict == "identical").count(), 7, "{verdicts:?}");
    assert_eq!(verdicts[0], ("data[task=ripe]".to_owned(), "could_not_run".to_owned()));
    let why = value["stages"][0]["why"].as_str().unwrap();
    assert!(why.starts_with("source changed: dataset `ripe` has another content"), "{why}");
    assert_eq!(verify(&project, &["--stages", "fit"]).0, Some(0));
}

#[test]
fn what_has_no_result_is_told_and_not_run() {
    let project = Project::new();
    let (code, value, text) = verify(&project, &["--stages", "data"]);
    assert_eq!(code, Some(3), "{text}");
    assert_eq!(value["stages"][0]["why"], "it has never run");
    project.run(&SMALL);
    let (code, value, text) = verify(&project, &["--stages", "shots", "--set", "k=6"]);
    assert_eq!(code, Some(3), "{text}");
    assert_eq!(value["stages"][0]["why"], "parameter `k` changed: 8 -> 6");
    // Inputs that are gone.
    let shown = project.compt(&[&["show", FILE, "text", "--json"], &SMALL[..]].concat());
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let output = shown[0]["output"].as_str().unwrap();
    let folder = project.path(&format!(".compt/objects/{}/{output}", &output[..1]));
    fs_err::rename(&folder, project.path("gone")).unwrap();
    let (code, value, text) = verify(&project, &["--stages", "fit"]);
    assert_eq!(code, Some(3), "{text}");
    let why = value["stages"][0]["why"].as_str().unwrap();
    assert!(why.contains("reads a result of `format`") && why.contains("not in the cache any more"), "{why}");
}

/// A worker that writes `loss` as the environment says, in each format that is compared by value.
const WORKER: &str = r#"#!/usr/bin/env python3
import json, os, struct, sys
def say(message): print(json.dumps(message), flush=True)
say({"hello": {"protocol": PROTOCOL, "version": "VERSION", "libtorch": "LIBTORCH", "devices": ["cpu"]}})
for line in sys.stdin:
    message = json.loads(line)
    if message == "leave": break
    job = message["run"]
    folder, loss = job["output"], float(os.environ["LOSS"])
    with open(folder + "/summary.json", "w") as file: json.dump({"steps": 3, "loss": [0.5, loss]}, file)
    with open(folder + "/curve.csv", "w") as file: file.write(f"step,epoch,loss\n1,1,0.5\n2,1,{loss!r}\n")
    head = json.dumps({"prompt": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    with open(folder + "/prompts.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(head)) + head + struct.pack("<2f", 0.5, loss))
    if os.environ.get("FAIL"):
        say({"failed": {"id": job["id"], "error": {"kind": os.environ["FAIL"], "message": "no luck", "hint": None}}})
    else:
        say({"done": {"id": job["id"], "facts": {}}})
"#;

/// The toy project whose trainings are made by [`WORKER`].
pub fn with_worker() -> Project {
    let project = Project::new();
    let text = WORKER
        .replace("PROTOCOL", &compt::protocol::PROTOCOL.to_string())
        .replace("VERSION", env!("CARGO_PKG_VERSION"))
        .replace("LIBTORCH", compt::protocol::LIBTORCH);
    // Another process writes it: what this one holds open for writing can't be executed.
    let mut child = std::process::Command::new("sh")
        .args(["-c", "cat > \"$0\" && chmod +x \"$0\""])
        .arg(project.path("worker"))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    let pipeline = project.read(FILE);
    // Only up to the training: the worker knows nothing else.
    project.write(FILE, pipeline.split("  score:").next().unwrap());
    project
}

/// A command whose worker finds this loss, or fails in this way.
pub fn with_loss(project: &Project, arguments: &[&str], loss: &str, fail: &str) -> Output {
    let mut command = project.command(&[arguments, &SMALL[..]].concat());
    command.env("COMPT_WORKER", project.path("worker")).env("LOSS", loss).env("FAIL", fail);
    command.output().unwrap()
}

#[test]
fn what_differs_is_shown_with_file_place_and_values() {
    let project = with_worker();
    let made = with_loss(&project, &["run", FILE], "0.25", "");
    assert!(made.status.success(), "{}", both(&made));
    let verify = |loss: &str, more: &[&str]| {
        with_loss(&project, &[&["verify", FILE, "--stages", "fit[method=spp,seed=1]"], more].concat(), loss, "")
    };
    assert_eq!(verify("0.25", &[]).status.code(), Some(0));

    let differs = verify("0.75", &["--tolerance", "1e-6"]);
    let text = both(&differs);
    assert_eq!(differs.status.code(), Some(8), "{text}");
    for part in [
        "differs          fit[method=spp,seed=1]",
        "`summary.json`: 1 value differs, at loss[1]: 0.25 in the record, 0.75 in the rerun",
        "`curve.csv`: 1 value differs, at line 3, column `loss`: 0.25 in the record, 0.75 in the rerun",
        "`prompts.safetensors`: 1 value differs, at `prompt`[1]: 0.25 in the record, 0.75 in the rerun",
        "error: 1 of 1 stages give other results",
    ] {
        assert!(text.contains(part), "`{part}` is missing in:\n{text}");
    }

    // Other bytes, nearly the same numbers: as much as is asked for.
    assert_eq!(verify("0.2500001", &[]).status.code(), Some(8));
    assert_eq!(verify("0.2500001", &["--tolerance", "1e-9"]).status.code(), Some(8));
    let within = verify("0.2500001", &["--tolerance", "1e-6"]);
    assert_eq!(within.status.code(), Some(0), "{}", both(&within));
    assert!(both(&within).contains("within tolerance fit[method=spp,seed=1]"), "{}", both(&within));

    // What was made can be kept to be looked at, in a new folder only.
    assert_eq!(verify("0.75", &["--scratch", "made"]).status.code(), Some(8));
    let kept = project.files("made");
    assert!(kept.keys().any(|name| name.ends_with("prompts.safetensors")), "{:?}", kept.keys());
    assert_eq!(verify("0.75", &["--scratch", "made"]).status.code(), Some(2));

    let failed = with_loss(&project, &["verify", FILE, "--stages", "fit"], "0.25", "input");
    assert_eq!(failed.status.code(), Some(4), "{}", both(&failed));
    assert!(both(&failed).contains("no luck"), "{}", both(&failed));
}

#[test]
fn what_a_stage_needs_is_said_as_to_a_run() {
    let project = Project::new();
    let file = "pipelines/c.yaml";
    project.write(
        file,
        "name: c\nstages:\n  a:\n    resources: { licence: 1, gpu: 1 }\n    run:\n      command:\n        \
         program: [sh, -c, 'echo \"$CUDA_VISIBLE_DEVICES\" > gpus']\n        outputs: [gpus]\n        publish: true\n",
    );
    let licence = ["--resource", "licence=1"];
    let said = |command: &str, more: &[&str]| {
        let output = project.compt(&[&[command, file], &licence[..], more].concat());
        (output.status.code(), both(&output))
    };
    let (code, text) = said("run", &["--gpus", "3"]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(project.read("outputs/c/a/gpus"), "3\n");
    let (code, text) = said("verify", &["--gpus", "3", "--jobs", "1"]);
    assert!(code == Some(0) && text.contains("identical        a"), "{text}");
    // The GPU of `--device` is the one that is handed out: another one than before.
    let (code, text) = said("verify", &["--device", "cuda:5"]);
    assert!(code == Some(8) && text.contains("`gpus`"), "{text}");

    // What is not said is asked for in words that are understood.
    let output = project.compt(&["verify", file, "--gpus", "3"]);
    let text = both(&output);
    assert_eq!(output.status.code(), Some(5), "{text}");
    assert!(text.contains(&format!("say it with `{}`", licence.join(" "))), "{text}");
}
