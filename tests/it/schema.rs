//! The schemas that editors read say what the program reads.

use crate::project::{Project, both};

#[test]
fn the_committed_schemas_are_those_of_the_types() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
    let output = Project::new().compt(&["schema", "--check", "--folder", folder.to_str().unwrap()]);
    assert!(output.status.success(), "{}", both(&output));
}

#[test]
fn the_operations_and_their_parameters_are_listed() {
    let project = Project::new();
    let all = both(&project.compt(&["list"]));
    assert!(["fetch", "train", "compare"].iter().all(|name| all.contains(name)), "{all}");
    let one = both(&project.compt(&["list", "sample"]));
    assert!(one.contains("k_unit") && one.contains("test_seed"), "{one}");
    let wrong = project.compt(&["list", "smaple"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(both(&wrong).contains("did you mean `sample`?"));
}

#[test]
fn a_resource_must_be_there_before_a_stage_that_needs_it_runs() {
    let project = Project::new();
    project.edit("pipelines/toy.yaml", "  score:\n", "  score:\n    resources: { licence: 2 }\n");
    let arguments = ["run", "pipelines/toy.yaml", "--set", "task=[ripe]", "--set", "seed=[1]"];
    let refused = project.compt(&arguments);
    assert!(both(&refused).contains("--resource licence=2"), "{}", both(&refused));
    let allowed = project.compt(&[&arguments[..], &["--resource", "licence=2"]].concat());
    assert!(allowed.status.success(), "{}", both(&allowed));
}
