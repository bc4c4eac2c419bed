//! What a program has started ends with it, and all programs end with the runner, however that ends.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::project::{Project, both, json, quote, until, until_gone};

/// Makes a line of shell the only stage of a pipeline, with this output.
fn runs(project: &Project, line: &str, output: &str) {
    let command = format!("command: {{ program: [sh, -c, {}], outputs: [{output}] }}", quote(line));
    project.write("pipelines/c.yaml", &format!("name: c\nstages:\n  go:\n    run: {{ {command} }}\n"));
}

/// Starts a program that has started another one; ends the runner by signals, each with what the runner takes it for; both
/// must be gone. Returns where it was.
fn killed(signals: &[(&str, &str)]) -> Project {
    let project = Project::new();
    let note = project.path("numbers").display().to_string();
    runs(&project, &format!("sleep 600 & echo \"$$ $!\" > {note}.new; mv {note}.new {note}; wait"), "");
    let mut runner =
        project.command(&["run", "pipelines/c.yaml"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the program has started another one", || {
        assert_eq!(runner.try_wait().unwrap(), None, "the runner goes on");
        project.path("numbers").exists()
    });
    for (signal, heard) in signals {
        Command::new("kill").args(["-s", signal, &runner.id().to_string()]).status().unwrap();
        // The kernel makes one of two that come before the first is heard.
        let heard = format!("\"meaning\":\"{heard}\"");
        let said = || both(&project.compt(&["runs", "last", "--json"])).replace(": ", ":");
        until("the signal is heard", || *signal == "KILL" || said().contains(&heard));
    }
    runner.wait().unwrap();
    for pid in project.read("numbers").split_whitespace() {
        until_gone(pid);
    }
    project
}

#[test]
fn a_killed_runner_leaves_nothing_running() {
    killed(&[("KILL", "")]);
}

#[test]
fn a_second_interrupt_kills_what_a_program_has_started() {
    let project = killed(&[("INT", "drain"), ("INT", "kill")]);
    let status = json(&project.compt(&["status", "pipelines/c.yaml", "--json"]));
    assert_eq!(status["instances"][0]["is"], "stopped", "it has not failed: {status}");
}

/// The processes that are at work somewhere below a folder.
fn below(folder: &Path) -> Vec<String> {
    let folder = folder.canonicalize().unwrap();
    let processes = fs_err::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let is_there = |pid: &String| {
        std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|place| place.starts_with(&folder) && place != folder)
    };
    processes.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).filter(is_there).collect()
}

#[test]
fn nothing_outlives_a_runner_that_is_killed_while_programs_start() {
    let project = Project::new();
    let line = quote("sleep 600 & sleep 600 & wait");
    let stages: String = (0..12)
        .map(|k| format!("  s{k}:\n    run: {{ command: {{ program: [sh, -c, {line}, \"{k}\"], outputs: [] }} }}\n"))
        .collect();
    project.write("pipelines/c.yaml", &format!("name: c\nstages:\n{stages}"));
    // Some run when the runner is killed, and others are about to.
    for running in [1, 2, 3] {
        let mut runner = project
            .command(&["run", "pipelines/c.yaml", "--jobs", "12"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until("programs start", || {
            assert_eq!(runner.try_wait().unwrap(), None, "the runner goes on");
            below(&project.path(".")).len() >= running
        });
        runner.kill().unwrap();
        runner.wait().unwrap();
        until("nothing is left", || below(&project.path(".")).is_empty());
    }
}

#[test]
fn a_program_that_leaves_others_behind_is_not_waited_for() {
    let project = Project::new();
    let note = project.path("number").display().to_string();
    runs(&project, &format!("sleep 600 & echo $! > {note}; echo 1 > a"), "a");
    let output = project.compt(&["run", "pipelines/c.yaml"]);
    assert!(output.status.success(), "{}", both(&output));
    until_gone(&project.read("number"));
}
