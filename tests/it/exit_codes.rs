//! Each exit code of docs/exit-codes.md, through the command line.

use crate::project::{Project, both, lock_of, until};
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
    let layout = project.read(".compt/layout");
    project.write(".compt/layout", "7\n");
    assert_eq!(code(&project, &["run", FILE]).0, 6);
    project.write(".compt/layout", &layout);
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
    // Once a stage has begun, the signals are heard.
    until("a stage has begun", || fs_err::read_dir(project.path(".compt/logs")).is_ok_and(|logs| logs.count() > 0));
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

/// Whatever becomes of what is printed, the code tells what was found.
#[test]
fn an_answer_that_can_t_be_written_is_5_unless_something_worse_is_known_and_a_reader_may_go_away() {
    let project = Project::new();
    project.write(
        "pipelines/c.yaml",
        "name: c\nstages:\n  a: { run: { command: { program: [\"false\"], outputs: [] } } }\n",
    );
    let full = |arguments: &[&str]| {
        let out = fs_err::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = project.command(arguments).stdout(out.into_file()).output().unwrap();
        (output.status.code(), both(&output))
    };
    for arguments in [&["plan", FILE][..], &["plan", FILE, "--json"], &["list", "metrics"], &["--help"], &["--version"]]
    {
        let (code, text) = full(arguments);
        assert_eq!(code, Some(5), "{arguments:?}: {text}");
        assert!(text.contains("standard output can't be written: No space left"), "{text}");
    }
    for arguments in [&["run", "pipelines/c.yaml"][..], &["run", "pipelines/c.yaml", "--json"]] {
        assert_eq!(full(arguments).0, Some(4), "{arguments:?}");
    }
    // Of standard error nothing can be told.
    let out = fs_err::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = project.command(&["plan", "pipelines/absent.yaml"]).stderr(out.into_file()).status().unwrap();
    assert_eq!(status.code(), Some(3));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = project.command(&["plan", FILE]).stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), both(&output).trim()), (Some(0), ""));
}

#[test]
fn what_a_run_has_is_a_number_from_1_on_and_each_gpu_once() {
    let project = Project::new();
    for (arguments, said) in [
        (["--gpus", "0,1,0"], "GPU `0` is named twice"),
        (["--gpus", "0;1"], "`0;1` is no GPU"),
        (["--gpus", ""], "`` is no GPU"),
        (["--gpus", "0,00"], "`00` is no GPU"),
        (["--gpus", "GPU-"], "`GPU-` is no GPU"),
        (["--jobs", "0"], "expected a whole number from 1 on"),
        (["--resource", "gpu=2"], "`--gpus 0,1` says which there are"),
        (["--resource", "light=2"], "`--jobs N` says how many"),
        (["--resource", "cpu=0"], "a run needs a core"),
        (["--resource", "mem_gb"], "expected NAME=N"),
    ] {
        let (code, text) = code(&project, &[&["run", FILE], &arguments[..]].concat());
        assert!(code == 2 && text.contains(said), "{arguments:?}: {code}: {text}");
    }
    let (code, text) =
        code(&project, &[&["run", FILE, "--resource", "cpus=2", "--only", "data"], &SMALL[..6]].concat());
    assert!(code == 0 && text.contains("warning: no stage of this pipeline needs `cpus`"), "{code}: {text}");
}

/// A check in CI that checks nothing must not be green.
#[test]
fn a_selection_of_nothing_is_2() {
    let project = Project::new();
    for arguments in [["verify", FILE, "--stages"].as_slice(), &["why", FILE], &["show", FILE], &["status", FILE]] {
        let (code, text) = code(&project, &[arguments, &["data & fit"]].concat());
        assert!(code == 2 && text.contains("`data & fit` selects nothing"), "{arguments:?}: {code}: {text}");
    }
}
