//! What a program has started ends with it, and all programs end with the runner, however that ends.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::project::{Project, both, quote};

/// Waits until a process is gone or only waits to be waited for.
fn dies(pid: &str) -> bool {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(20) {
        match fs_err::read_to_string(format!("/proc/{}/stat", pid.trim())) {
            Ok(stat) if !stat.contains(") Z") => std::thread::sleep(Duration::from_millis(5)),
            _ => return true,
        }
    }
    false
}

/// Makes a line of shell the only stage of a pipeline, with this output.
fn runs(project: &Project, line: &str, output: &str) {
    let command = format!("command: {{ program: [sh, -c, {}], outputs: [{output}] }}", quote(line));
    project.write("pipelines/c.yaml", &format!("name: c\nstages:\n  go:\n    run: {{ {command} }}\n"));
}

/// Starts a program that has started another one; ends the runner by `signals`; both must be gone.
fn killed(signals: &[&str]) {
    let project = Project::new();
    let note = project.path("numbers").display().to_string();
    runs(&project, &format!("sleep 600 & echo \"$$ $!\" > {note}.new; mv {note}.new {note}; wait"), "");
    let mut runner =
        project.command(&["run", "pipelines/c.yaml"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while !project.path("numbers").exists() {
        assert!(start.elapsed() < Duration::from_secs(60) && runner.try_wait().unwrap().is_none(), "it never started");
        std::thread::sleep(Duration::from_millis(5));
    }
    for signal in signals {
        Command::new("kill").args(["-s", signal, &runner.id().to_string()]).status().unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    runner.wait().unwrap();
    for pid in project.read("numbers").split_whitespace() {
        assert!(dies(pid), "process {pid} outlives a runner that got {signals:?}");
    }
}

#[test]
fn a_killed_runner_leaves_nothing_running() {
    killed(&["KILL"]);
}

#[test]
fn a_second_interrupt_kills_what_a_program_has_started() {
    killed(&["INT", "INT"]);
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
        let start = Instant::now();
        while below(&project.path(".")).len() < running {
            assert!(start.elapsed() < Duration::from_secs(60) && runner.try_wait().unwrap().is_none(), "none starts");
            std::thread::sleep(Duration::from_millis(1));
        }
        runner.kill().unwrap();
        runner.wait().unwrap();
        let start = Instant::now();
        while !below(&project.path(".")).is_empty() {
            assert!(start.elapsed() < Duration::from_secs(20), "{:?} outlive the runner", below(&project.path(".")));
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn a_program_that_leaves_others_behind_is_not_waited_for() {
    let project = Project::new();
    let note = project.path("number").display().to_string();
    runs(&project, &format!("sleep 600 & echo $! > {note}; echo 1 > a"), "a");
    let output = project.compt(&["run", "pipelines/c.yaml"]);
    assert!(output.status.success(), "{}", both(&output));
    assert!(dies(&project.read("number")));
}
