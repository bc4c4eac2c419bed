//! The same pipeline gives the same bytes, whatever happens on the way.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::project::{Project, until};

/// Tables, and the files of every training, under names that do not depend on the folder.
fn results(project: &Project) -> BTreeMap<String, Vec<u8>> {
    let mut files = project.outputs();
    files.extend(
        project
            .files(".compt/objects")
            .into_iter()
            .filter(|(name, _)| name.ends_with("prompts.safetensors") || name.ends_with("modules.safetensors")),
    );
    assert!(files.len() > 8, "tables and prompts: {:?}", files.keys());
    files
}

fn assert_same(left: &BTreeMap<String, Vec<u8>>, right: &BTreeMap<String, Vec<u8>>) {
    assert_eq!(left.keys().collect::<Vec<_>>(), right.keys().collect::<Vec<_>>());
    for (name, bytes) in left {
        assert!(bytes == &right[name], "{name} differs");
    }
}

#[test]
fn two_folders_and_two_numbers_of_jobs_give_the_same_bytes() {
    let (one, two) = (Project::new(), Project::new());
    one.run(&["--jobs", "1"]);
    two.run(&["--jobs", "2"]);
    assert_same(&results(&one), &results(&two));
}

/// The worker processes of a runner.
fn children(parent: u32) -> Vec<u32> {
    let list = fs_err::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|id| id.parse().ok()).collect()
}

fn kill(process: u32) {
    // The only failure is that it has ended.
    let _ = std::process::Command::new("kill").args(["-9", &process.to_string()]).status();
}

/// Long enough to be killed in the middle.
const LONG: [&str; 4] = ["--set", "epochs=40", "--jobs", "1"];

fn checkpoints(project: &Project) -> usize {
    let Ok(folders) = fs_err::read_dir(project.path(".compt/scratch")) else { return 0 };
    folders
        .flatten()
        .filter(|folder| fs_err::read_dir(folder.path()).is_ok_and(|mut files| files.next().is_some()))
        .count()
}

#[test]
fn killed_at_several_moments_ends_in_the_same_bytes() {
    let undisturbed = Project::new();
    undisturbed.run(&LONG);
    let expected = results(&undisturbed);

    let project = Project::new();
    let mut arguments = vec!["run", "pipelines/toy.yaml"];
    arguments.extend(LONG);
    // The runner dies: once a checkpoint is there, and some moments later each time.
    for delay in [0, 40, 90, 160] {
        let mut runner = project.start(&arguments);
        until("there is a checkpoint", || checkpoints(&project) > 0 || runner.try_wait().unwrap().is_some());
        std::thread::sleep(Duration::from_millis(delay));
        let workers = children(runner.id());
        kill(runner.id());
        runner.wait().unwrap();
        // Nobody may go on writing behind the next runner's back.
        until("the workers have died with their runner", || {
            workers.iter().all(|id| !std::path::Path::new(&format!("/proc/{id}/exe")).exists())
        });
    }
    // A worker dies: its stage fails, the rest goes on, and the next run continues.
    let mut runner = project.start(&arguments);
    until("there is a worker", || !children(runner.id()).is_empty() || runner.try_wait().unwrap().is_some());
    std::thread::sleep(Duration::from_millis(600));
    for worker in children(runner.id()) {
        kill(worker);
    }
    runner.wait().unwrap();

    project.run(&LONG);
    assert_same(&expected, &results(&project));
    assert_eq!(project.run(&LONG), Vec::<String>::new());
}
