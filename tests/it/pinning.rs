//! A pipeline whose data come from a hub: what is fetched once is pinned in the lock file, and never asked for again.

use crate::hub::server::{COMMIT, Server};
use crate::project::{Project, both, executed};

/// The toy project with its first data set on a hub.
fn project(server: &Server) -> Project {
    let project = Project::new();
    for name in ["ripe_train.csv", "ripe_validation.csv"] {
        server.file(&format!("csv/{name}"), project.read(&format!("toys/{name}")).as_bytes(), true);
    }
    project.edit("datasets/ripe.yaml", "source: { local: toys }", "source: { hub: owner/name, folder: csv }");
    project
}

fn run(project: &Project, server: Option<&Server>, more: &[&str]) -> (bool, Vec<String>, String) {
    let mut arguments = vec!["run", "pipelines/toy.yaml", "--json", "--set", "task=[ripe]", "--set", "seed=[1]"];
    arguments.extend(more);
    let mut command = project.command(&arguments);
    match server {
        Some(server) => command.env_remove("HF_HUB_OFFLINE").env("HF_ENDPOINT", &server.address),
        None => command.env("HF_HUB_OFFLINE", "1"),
    };
    let output = command.output().unwrap();
    (output.status.success(), executed(&String::from_utf8_lossy(&output.stdout)), both(&output))
}

#[test]
fn what_is_fetched_is_pinned_and_runs_again_without_the_hub() {
    let server = Server::start();
    let project = project(&server);

    let (refused, _, text) = run(&project, Some(&server), &["--locked"]);
    assert!(!refused && text.contains("it is not in the lock file"), "{text}");
    assert!(!project.path("pipelines/toy.lock").exists());

    let (done, stages, text) = run(&project, Some(&server), &[]);
    assert!(done && stages.len() == 8, "{text}");
    let lock = project.read("pipelines/toy.lock");
    assert!(lock.contains(COMMIT) && lock.contains("csv/ripe_train.csv"), "{lock}");

    // Nothing is asked of the network any more, whatever is asked of the results.
    assert!(!server.seen().is_empty());
    let (done, stages, text) = run(&project, None, &["--locked"]);
    assert!(done && stages.is_empty(), "{text}");
    let (done, stages, text) = run(&project, None, &["--locked", "--set", "k=6"]);
    assert!(done && stages.iter().any(|stage| stage.starts_with("fit")), "{text}");
    assert!(server.seen().is_empty());

    // Another request is not what was pinned: the old entry must not answer for it.
    let yaml = project.read("datasets/ripe.yaml");
    project.edit("datasets/ripe.yaml", "folder: csv }", "folder: csv, revision: other }");
    let (done, _, text) = run(&project, None, &["--locked"]);
    assert!(!done && text.contains("HF_HUB_OFFLINE"), "{text}");
    project.write("datasets/ripe.yaml", &yaml);

    // An empty result cache, but the hub's cache is there: the pinned files are taken from it.
    let (done, stages, text) = run(&project, None, &["--locked", "--cache", "fresh"]);
    assert!(done && stages.len() == 8, "{text}");
}
