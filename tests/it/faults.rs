//! After a fault: nothing to unlock, nothing lost, and what is damaged is found.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::mount::Mount;
use crate::project::{Project, both, until};

/// One stage of each kind, in a second.
const SMALL: [&str; 6] = ["--set", "task=[ripe]", "--set", "seed=[1]", "--set", "epochs=1"];

fn run(project: &Project) -> Vec<String> {
    project.run(&SMALL)
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", both(output)))
}

/// A file of the cache whose path ends so, made writable: a disk fault does not ask.
fn harmed(project: &Project, ending: &str) -> PathBuf {
    let (name, _) = project.files(".compt").into_iter().find(|(name, _)| name.ends_with(ending)).unwrap();
    let path = project.path(&format!(".compt/{name}"));
    for place in [path.parent().unwrap(), path.as_path()] {
        fs_err::set_permissions(place, PermissionsExt::from_mode(0o755)).unwrap();
    }
    path
}

#[test]
fn fsck_finds_damage_sets_it_aside_and_the_next_run_mends_it() {
    let project = Project::new();
    run(&project);
    let results = project.outputs();
    let healthy = project.compt(&["fsck"]);
    assert_eq!(healthy.status.code(), Some(0), "{}", both(&healthy));
    assert!(both(&healthy).contains("8 records"), "{}", both(&healthy));

    let path = harmed(&project, "prompts.safetensors");
    let mut bytes = fs_err::read(&path).unwrap();
    let changed = fs_err::metadata(&path).unwrap().modified().unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs_err::write(&path, bytes).unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(changed).unwrap();
    // The length is right, so only reading tells.
    assert_eq!(project.compt(&["fsck", "--quick"]).status.code(), Some(0));
    let told = project.compt(&["fsck", "--dry-run"]);
    assert_eq!(told.status.code(), Some(6), "{}", both(&told));
    assert!(both(&told).contains("`prompts.safetensors` has another content") && path.exists(), "{}", both(&told));
    let moved = json(&project.compt(&["fsck", "--json"]));
    assert_eq!(moved["findings"][0]["kind"], "object", "{moved}");
    assert!(moved["findings"][0]["outcome"]["moved"].as_str().unwrap().contains("quarantine"), "{moved}");
    assert_eq!(project.compt(&["fsck"]).status.code(), Some(0));
    let executed = run(&project);
    assert!(executed.len() == 1 && executed[0].starts_with("fit["), "{executed:?}");
    assert_eq!(project.outputs(), results);
}

#[test]
fn gc_shows_first_and_keeps_what_is_reached() {
    let project = Project::new();
    run(&project);
    let kept = project.files(".compt/objects");
    project.run(&[&SMALL[..], &["--set", "k=6", "--outputs", "elsewhere"]].concat());
    let all = project.files(".compt/objects");
    assert!(all.len() > kept.len());

    // The file without `--set` was never run: what is reached are the run in outputs/ and the latest results.
    run(&project);
    let shown = json(&project.compt(&["gc", "--unreachable", "--json"]));
    assert_eq!(shown["deleted"], false);
    assert_eq!(project.files(".compt/objects"), all, "showing removes nothing");
    let deleted = project.compt(&["gc", "--unreachable", "--delete"]);
    assert!(deleted.status.success(), "{}", both(&deleted));
    assert_eq!(project.files(".compt/objects"), kept);
    assert!(run(&project).is_empty());
    let again = both(&project.compt(&["gc", "--unreachable", "--delete"]));
    assert!(again.contains("nothing to remove"), "{again}");

    let young = both(&project.compt(&["gc", "--older-than", "1h"]));
    assert!(young.contains("nothing to remove"), "{young}");
    let small = json(&project.compt(&["gc", "--keep-size", "0", "--delete", "--json"]));
    assert_eq!((&small["deleted"], &small["bytes_after"]), (&Value::Bool(true), &Value::from(0)));
    assert_eq!(run(&project).len(), 8);
}

#[test]
fn gc_with_wrong_words_removes_nothing() {
    let project = Project::new();
    run(&project);
    let before = project.files(".compt/objects");
    for (arguments, code) in [
        (&["gc", "--older-than", "soon", "--delete"][..], 2),
        (&["gc", "--keep-size", "20GB", "--delete"], 2),
        (&["gc", "--keep", "pipelines/absent.yaml", "--delete"], 3),
        (&["gc", "--cache", "absent", "--delete"], 3),
        (&["fsck", "--cache", "absent"], 3),
    ] {
        let output = project.compt(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", both(&output));
    }
    // A file that is wrong reaches nothing that can be told: nothing may go.
    project.edit("pipelines/toy.yaml", "format: { from: shots }", "fromat: { from: shots }");
    assert_eq!(project.compt(&["gc", "--unreachable", "--delete"]).status.code(), Some(3));
    assert_eq!(project.files(".compt/objects"), before);
    assert!(!project.path("absent").exists());
}

#[test]
fn a_folder_of_somebody_is_no_cache() {
    let project = Project::new();
    project.write("work/draft/thesis.txt", "years");
    project.write(".gitignore", "*.tmp");
    let before = project.files(".");
    for arguments in [
        &["gc", "--delete"][..],
        &["gc", "--keep-size", "0"],
        &["fsck"],
        &["run", "pipelines/toy.yaml"],
        &["run", "pipelines/toy.yaml", "--dry-run"],
        &["status", "pipelines/toy.yaml"],
    ] {
        let refused = project.compt(&[arguments, &["--cache", "."]].concat());
        let text = both(&refused);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains("the folder `.` is no cache: `") && text.contains("--cache DIR"), "{text}");
    }
    assert_eq!(project.files("."), before);
    // What a new disk has is in nobody's way, nor what another process begins just now.
    project.write("new/lost+found/x", "");
    project.write("new/.gitignore", "*\n");
    run_in(&project, "new");
    // A cache goes on when it has lost its layout, with or without its tag.
    for lost in ["layout", "CACHEDIR.TAG"] {
        fs_err::remove_file(project.path("new").join(lost)).unwrap();
        let again = project.compt(&[&["run", "pipelines/toy.yaml", "--cache", "new"], &SMALL[..]].concat());
        assert!(again.status.success() && both(&again).contains("0 run, "), "{}", both(&again));
    }
}

fn run_in(project: &Project, cache: &str) {
    let output = project.compt(&[&["run", "pipelines/toy.yaml", "--cache", cache], &SMALL[..]].concat());
    assert!(output.status.success(), "{}", both(&output));
}

#[test]
fn gc_waits_for_nobody_and_takes_nothing_from_who_runs() {
    let project = Project::new();
    let mut runner = project.start(&["run", "pipelines/toy.yaml", "--set", "epochs=2000", "--jobs", "1"]);
    let is_lock = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.unwrap().path().extension().is_some_and(|ending| ending == "lock")
    };
    until("a stage has begun", || {
        std::fs::read_dir(project.path(".compt/locks")).is_ok_and(|mut entries| entries.any(is_lock))
    });
    let refused = project.compt(&["gc", "--keep-size", "0", "--delete"]);
    assert_eq!(refused.status.code(), Some(6), "{}", both(&refused));
    assert!(both(&refused).contains("is in use by") && both(&refused).contains("nothing needs unlocking"));
    assert!(project.compt(&["gc", "--keep-size", "0"]).status.success(), "looking is allowed");
    runner.kill().unwrap();
    runner.wait().unwrap();
    // Its death unlocks, and that of a worker which it had just begun to start.
    until("its death has unlocked", || project.compt(&["gc", "--keep-size", "0", "--delete"]).status.success());
}

#[test]
fn a_read_only_cache_can_be_read_verified_and_checked() {
    let project = Project::new();
    let Some(mount) = Mount::new(&project.path(".compt"), "size=16m") else { return };
    run(&project);
    mount.remount("ro");
    let before = project.files(".compt");
    let file = "pipelines/toy.yaml";
    for (arguments, code) in [
        (&["plan", file][..], 0),
        (&["run", file, "--dry-run"], 0),
        (&["why", file, "*"], 0),
        (&["show", file, "*"], 0),
        (&["show", file, "fit", "--log"], 0),
        (&["status", file], 0),
        (&["graph", file], 0),
        (&["report", file], 0),
        (&["verify", file], 0),
        (&["runs"], 0),
        (&["runs", "last"], 0),
        (&["diff", "outputs/toy", "outputs/toy/run.json"], 0),
        (&["fsck", "--dry-run"], 0),
        (&["gc", "--keep-size", "0"], 0),
        (&["gc", "--unreachable"], 0),
        (&["run", file], 6),
        (&["fsck"], 6),
        (&["gc", "--keep-size", "0", "--delete"], 6),
        (&["doctor"], 6),
    ] {
        let pipeline = if arguments.get(1) == Some(&file) { &SMALL[..] } else { &[] };
        let output = project.compt(&[arguments, pipeline].concat());
        let text = both(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(code == 0 || text.contains("can't be written") && text.contains("only read"), "{text}");
    }
    assert_eq!(project.files(".compt"), before);
}

#[test]
fn a_disk_that_fills_in_the_middle_loses_nothing_that_was_done() {
    let project = Project::new();
    let Some(mount) = Mount::new(&project.path(".compt"), "size=16m") else { return };
    // The first half of the stages, then no room for the others.
    project.run(&[&SMALL[..], &["--jobs", "1"]].concat());
    let filler = project.path(".compt/filler");
    let mut size = 16 << 20;
    while fs_err::write(&filler, vec![0; size]).is_err() {
        size -= 4096;
    }
    let more = ["--jobs", "1", "--set", "seed=[1]", "--set", "epochs=1"];
    let full = project.compt(&[&["run", "pipelines/toy.yaml"], &more[..]].concat());
    let text = both(&full);
    assert_eq!(full.status.code(), Some(5), "{text}");
    assert!(text.contains("No space left on device") && text.contains("free some space"), "{text}");
    fs_err::remove_file(filler).unwrap();
    // What was done is whole and stays done: `ripe` with its data, shots and texts.
    let checked = project.compt(&["fsck"]);
    assert_eq!(checked.status.code(), Some(0), "{}", both(&checked));
    let rest = project.run(&more);
    assert!(rest.len() > 5 && rest.iter().all(|stage| !stage.contains("[task=ripe")), "{rest:?}");
    drop(mount);
}

#[test]
fn an_output_folder_that_can_only_be_read_or_is_full_loses_nothing() {
    let project = Project::new();
    let Some(mount) = Mount::new(&project.path("outputs"), "size=4m") else { return };
    let small = |more: &[&'static str]| [&["run", "pipelines/toy.yaml"], &SMALL[..], more].concat();
    mount.remount("ro");
    for arguments in [small(&[]), small(&["--set", "k=6"]), [&["report", "pipelines/toy.yaml"], &SMALL[..]].concat()] {
        let output = project.compt(&arguments);
        let text = both(&output);
        assert_eq!(output.status.code(), Some(5), "{arguments:?}: {text}");
        assert!(text.contains("Read-only file system") && text.contains("`--outputs DIR`"), "{text}");
        assert!(text.contains("the cache has what was made: make `outputs` writable"), "{text}");
    }
    mount.remount("rw");
    assert!(run(&project).is_empty(), "what was made is not made again");

    let (before, filler) = (project.files("outputs/toy"), project.path("outputs/filler"));
    let mut size = 4 << 20;
    while fs_err::write(&filler, vec![0; size]).is_err() {
        size -= 4096;
    }
    let full = project.compt(&small(&["--set", "k=6"]));
    let text = both(&full);
    assert_eq!(full.status.code(), Some(5), "{text}");
    assert!(text.contains("No space left on device") && text.contains("free some space"), "{text}");
    assert_eq!(project.files("outputs/toy"), before, "no file is half of one run and half of the other");
    fs_err::remove_file(filler).unwrap();
    assert!(project.run(&[&SMALL[..], &["--set", "k=6"]].concat()).is_empty());
    assert_ne!(project.files("outputs/toy"), before);
}

/// `tools/chaos.py`, short: `make chaos` is the long form.
#[test]
fn killed_at_random_moments_ends_in_the_same_bytes() {
    let project = Project::new();
    // Programs among what is killed: each starts another one.
    let program = "  count:\n    matrix: { n: [1, 2, 3, 4] }\n    run: { command: { program: [sh, -e, -c, \
                   \"sleep 600 & sleep 0.2; seq $COMPT_PARAM_N 999 > rows; kill $!; cksum rows > out\"], parameters: { n: \"${n}\" }, \
                   outputs: [out], publish: true } }\n";
    project.edit("pipelines/toy.yaml", "stages:\n", &format!("stages:\n{program}"));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/chaos.py");
    let mut command = Command::new("python3");
    command.arg(script).args(["--caches", "2", "--kills", "6", "--seed", "15", "--compt", env!("CARGO_BIN_EXE_compt")]);
    command.arg("--project").arg(project.path("")).arg("pipelines/toy.yaml");
    command.args(["--", "--set", "epochs=12", "--set", "seed=[1]"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", both(&output));
    let count = json(&output);
    // With this seed two runners are killed as they begin, and twice the first worker or program of a cache without results.
    let killed = |victims: &str| count[victims].as_u64().unwrap();
    assert!(killed("runners_killed") >= 2 && killed("workers_killed") + killed("programs_killed") >= 2, "{count}");
}
