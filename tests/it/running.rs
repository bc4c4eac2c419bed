//! How a run goes, through the command line: what is written down of it, and what else happens beside it.

use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::project::{Project, both};

/// A project with one pipeline of commands, `pipelines/c.yaml`.
fn commands(stages: &str) -> Project {
    let project = Project::new();
    project.write("pipelines/c.yaml", &format!("name: c\nstages:\n{stages}"));
    project
}

/// A stage that runs a line of shell and makes the file `out`.
fn stage(name: &str, line: &str, more: &str) -> String {
    let line = serde_json::to_string(line).unwrap();
    format!("  {name}:\n    run: {{ command: {{ program: [sh, -c, {line}], outputs: [out]{more} }} }}\n")
}

fn run(project: &Project, more: &[&str]) -> Output {
    project.compt(&[&["run", "pipelines/c.yaml"], more].concat())
}

/// The lines of the last journal.
fn journal(project: &Project) -> Vec<Value> {
    let output = project.compt(&["runs", "last", "--json"]);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", both(&output)))
}

/// The events of a stage in the last journal.
fn course(project: &Project, stage: &str) -> Vec<String> {
    let lines = journal(project);
    let of_stage = lines.iter().filter(|line| line["stage"] == stage);
    of_stage.map(|line| line["event"].as_str().unwrap().to_owned()).collect()
}

/// Waits until something is so.
fn until(what: &str, mut such: impl FnMut() -> bool) {
    let start = Instant::now();
    while !such() {
        assert!(start.elapsed() < Duration::from_secs(60), "waited a minute until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_journal_tells_what_became_of_each_stage() {
    let twice =
        "[ -e \"$COMPT_CHECKPOINTS/tried\" ] || { touch \"$COMPT_CHECKPOINTS/tried\"; kill -9 $$; }; echo a > out";
    let project = commands(
        &[
            stage("a", twice, ""),
            stage("b", "exit 3", ""),
            stage("c", "cat inputs/b/out > out", ", from: b"),
            stage("d", "cat inputs/a/out > out", ", from: a"),
        ]
        .concat(),
    );
    project.edit(
        "pipelines/c.yaml",
        "  a:\n",
        "  a:\n    policy: { retries: { times: 1, wait: 0s, on: [environment, input] } }\n",
    );
    let output = run(&project, &["--jobs", "1"]);
    assert_eq!(output.status.code(), Some(4), "{}", both(&output));
    assert_eq!(course(&project, "a"), ["queued", "started", "retry", "started", "finished"]);
    assert_eq!(course(&project, "b"), ["queued", "started", "failed"]);
    assert_eq!(course(&project, "c"), ["skipped"]);
    assert_eq!(course(&project, "d"), ["queued", "started", "finished"]);
    let lines = journal(&project);
    let (first, last) = (&lines[0], lines.last().unwrap());
    for (field, expected) in [
        ("event", Value::from("run_started")),
        ("pipeline", "c".into()),
        ("file", "pipelines/c.yaml".into()),
        ("stages", 4.into()),
        ("jobs", 1.into()),
        ("compt", env!("CARGO_PKG_VERSION").into()),
    ] {
        assert_eq!(first[field], expected, "{first}");
    }
    assert_eq!(first["command"].as_array().unwrap()[1..], ["run", "pipelines/c.yaml", "--jobs", "1"]);
    assert_eq!(
        (&last["event"], &last["outcome"], &last["executed"]),
        (&"run_finished".into(), &"failed".into(), &2.into())
    );
    let times: Vec<f64> = lines.iter().map(|line| line["time"].as_f64().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    // The key of a line is that of the result.
    let shown: Value =
        serde_json::from_slice(&project.compt(&["show", "pipelines/c.yaml", "d", "--json"]).stdout).unwrap();
    let finished = lines.iter().find(|line| line["event"] == "finished" && line["stage"] == "d").unwrap();
    assert_eq!((&finished["key"], &finished["output"]), (&shown[0]["key"], &shown[0]["output"]));

    // A second run is a second journal; the first stays as it was.
    run(&project, &[]);
    assert_eq!(course(&project, "a"), ["cached"]);
    let listed: Value = serde_json::from_slice(&project.compt(&["runs", "--json"]).stdout).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");
    assert_eq!((&listed[0]["outcome"], &listed[0]["totals"]["executed"]), (&"failed".into(), &2.into()));
    let text = both(&project.compt(&["runs"]));
    assert!(text.contains("failed  c  2 run, 1 failed, 1 skipped in "), "{text}");
    let text = both(&project.compt(&["runs", listed[0]["run"].as_str().unwrap()]));
    assert!(text.contains("retry") && text.contains("skipped") && text.contains("run finished"), "{text}");
    assert_eq!(project.compt(&["runs", "1999"]).status.code(), Some(2));
}

#[test]
fn the_journal_of_a_killed_run_ends_where_it_was_killed() {
    let project = commands(&[stage("a", "echo a > out", ""), stage("b", "sleep 600", ", from: a")].concat());
    let mut runner = project.start(&["run", "pipelines/c.yaml"]);
    until("`b` has begun", || {
        let output = project.compt(&["runs", "last", "--json"]);
        String::from_utf8_lossy(&output.stdout).matches("\"started\"").count() == 2
    });
    let state = |project: &Project| {
        let listed: Value = serde_json::from_slice(&project.compt(&["runs", "--json"]).stdout).unwrap();
        listed[0]["outcome"].as_str().unwrap().to_owned()
    };
    assert_eq!(state(&project), "running");
    runner.kill().unwrap();
    runner.wait().unwrap();
    assert_eq!(state(&project), "died");
    assert_eq!(course(&project, "a"), ["queued", "started", "finished"]);
    assert_eq!(course(&project, "b"), ["queued", "started"]);
    // What is torn is passed over.
    let (name, _) = project.files(".compt/runs").into_iter().next().unwrap();
    let path = format!(".compt/runs/{name}");
    let text = project.read(&path);
    project.write(&path, &text[..text.len() - 10]);
    assert_eq!(course(&project, "b"), ["queued"]);
}
