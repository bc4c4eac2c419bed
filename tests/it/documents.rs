//! What the documents show works: every complete pipeline in them, and in `pipelines/`, passes `compt check`.

use std::path::Path;

use crate::project::{Project, both};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The YAML blocks of a Markdown file that are whole pipelines.
fn pipelines_in(document: &str) -> Vec<String> {
    let text = fs_err::read_to_string(root().join(document)).unwrap();
    let blocks = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split_once("```")).map(|(block, _)| block);
    blocks
        .filter(|block| block.lines().any(|line| line.starts_with("name:")))
        .filter(|block| block.lines().any(|line| line.starts_with("stages:")))
        .map(str::to_owned)
        .collect()
}

#[test]
fn pipelines_in_the_documents_are_accepted() {
    let project = Project::new();
    // The thirteen data sets are built in: a project needs no files of its own for them.
    // An example may include those of ours, which compare with published numbers.
    for folder in ["pipelines", "datasets/published"] {
        for entry in fs_err::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.ends_with(".yaml") || name.ends_with(".csv") {
                project.write(&format!("{folder}/{name}"), &fs_err::read_to_string(&path).unwrap());
            }
        }
    }
    let mut checked = 0;
    for document in ["README.md", "docs/pipeline-format.md"] {
        for pipeline in pipelines_in(document) {
            project.write("pipelines/shown.yaml", &pipeline);
            let output = project.compt(&["check", "pipelines/shown.yaml"]);
            assert!(output.status.success(), "{document}:\n{pipeline}\n{}", both(&output));
            checked += 1;
        }
    }
    assert!(checked >= 2, "README and the manual each show a whole pipeline");
}

#[test]
fn our_own_pipelines_and_data_sets_are_accepted() {
    let output = Project::new().command(&["check", "--rows", "0"]).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", both(&output));
}

#[test]
fn the_workflow_for_ci_works() {
    let project = Project::new();
    for (from, to) in [("epochs: 6", "epochs: 1"), ("[ripe, same]", "[ripe]"), ("seed: [1, 2]", "seed: [1]")] {
        project.edit("pipelines/toy.yaml", from, to);
    }
    let workflow = fs_err::read_to_string(root().join("docs/examples/github-actions.yml")).unwrap();
    let commands: Vec<&str> =
        workflow.lines().filter_map(|line| line.split_once("run: target/debug/compt ")).map(|(_, rest)| rest).collect();
    assert!(commands.len() >= 5, "{commands:?}");
    for line in commands {
        let typed = line.replace("\"$PIPELINE\"", "pipelines/toy.yaml").replace("\"$GITHUB_RUN_NUMBER\"", "3");
        let output = project.compt(&typed.split(' ').collect::<Vec<_>>());
        assert!(output.status.success(), "{typed}: {}", both(&output));
    }
}
