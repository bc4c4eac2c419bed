//! Each exit code of docs/exit-codes.md, through the command line.

use crate::project::{Project, both, lock_of};
use crate::verifying::{with_loss, with_worker};

const FILE: &str = "pipelines/toy.yaml";
const SMALL: [&str; 8] = ["--set", "task=[ripe]", "--set", "seed=[1]", "--set", "epochs=1", "--jobs", "1"];

fn code(project: &Project, arguments: &[&str]) -> (i32, String) {
    let output = project.compt(arguments);
    (output.status.code().unwrap_or(-1), both(&output))
}

#[test]
fn done_is_0_and_a_wrong_command_line_2() {
    let project = Project::new();
    for (arguments, expected) in [
        (&["--version"][..], 0),
        (&["check", FILE], 0),
        (&["rnu", FILE], 2),
        (&["run"], 2),
        (&["run", FILE, "--device", "abacus"], 2),
        (&["verify", FILE, "--sample", "none"], 2),
    ] {
        let (code, text) = code(&project, arguments);
        assert_eq!(code, expected, "{arguments:?}: {text}");
    }
}

#[test]
fn a_wrong_file_is_3() {
    let project = Project::new();
    assert_eq!(code(&project, &["run", "pipelines/absent.yaml"]).0, 3);
    project.edit(FILE, "format: { from: shots }", "fromat: { from: shots }");
    assert_eq!(code(&project, &["plan", FILE]).0, 3);
}

/// How a stage ends decides between 4, 5 and 1: whose fault it is.
#[test]
fn a_stage_that_fails_is_4_a_machine_that_lacks_something_5_and_a_bug_1() {
    let project = with_worker();
    for (kind, expected) in [("input", 4), ("environment", 5), ("bug", 1)] {
        let output = with_loss(&project, &["run", FILE, "--jobs", "1"], "1", kind);
        assert_eq!(output.status.code(), Some(expected), "{kind}: {}", both(&output));
    }
    let mut command = project.command(&[&["run", FILE], &SMALL[..]].concat());
    let output = command.env("COMPT_WORKER", "absent").output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", both(&output));
}

#[test]
fn a_cache_that_is_damaged_or_of_another_version_is_6_and_so_is_a_lock_that_may_not_change() {
    let project = Project::new();
    project.run(&SMALL[..6]);
    project.write(".compt/layout", "7\n");
    assert_eq!(code(&project, &["run", FILE]).0, 6);
    project.write(".compt/layout", "2\n");
    let (name, _) = project.files(".compt/records").into_iter().next().unwrap();
    project.write(&format!(".compt/records/{name}"), "{");
    assert_eq!(code(&project, &["fsck"]).0, 6);
    project.write("pipelines/toy.lock", &lock_of("ripe_train.csv", "other bytes"));
    assert_eq!(code(&project, &[&["run", FILE, "--locked"], &SMALL[..]].concat()).0, 6);
}

#[test]
fn claims_that_must_hold_are_7() {
    let project = Project::new();
    let claims = "  claims:\n    run:\n      claims:\n        from: score\n        resamples: 200\n        check:\n\
                  \x20         - { name: absurd, expect: \"mean() > 101\" }\n";
    project.write(FILE, &format!("{}{claims}", project.read(FILE)));
    let arguments = [&["run", FILE], &SMALL[..]].concat();
    assert_eq!(code(&project, &arguments).0, 0);
    assert_eq!(code(&project, &[&arguments[..], &["--claims-must-hold"]].concat()).0, 7);
}

#[test]
fn results_that_differ_are_8() {
    let project = with_worker();
    assert!(with_loss(&project, &["run", FILE], "1", "").status.success());
    let output = with_loss(&project, &["verify", FILE], "2", "");
    assert_eq!(output.status.code(), Some(8), "{}", both(&output));
}

#[test]
fn an_interrupt_is_130() {
    let project = Project::new();
    let mut runner = project.start(&["run", FILE, "--set", "epochs=2000", "--jobs", "1"]);
    let start = std::time::Instant::now();
    // Once a stage has begun, the signals are heard.
    while !project.path(".compt/logs").is_dir() || fs_err::read_dir(project.path(".compt/logs")).unwrap().count() == 0 {
        assert!(start.elapsed().as_secs() < 60, "waited a minute for a stage to begin");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let ended = loop {
        let sent = std::process::Command::new("kill").args(["-INT", &runner.id().to_string()]).status().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(50));
        if let Some(ended) = runner.try_wait().unwrap() {
            break ended;
        }
        assert!(sent.success());
    };
    assert_eq!(ended.code(), Some(130));
}
