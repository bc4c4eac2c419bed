//! Pipelines that include others: one run, each piece of work once, the same results as alone.

use crate::project::{Project, both, executed};

/// Other names for the data of `toy`, one of its trainings, and one training more.
const OTHER: &str = r#"
name: other
params: { epochs: 6 }
axes: { task: [ripe, same], seed: [1] }
stages:
  rows: { matrix: { task: axes.task }, run: { fetch: { dataset: "${task}" } } }
  drawn:
    matrix: { task: axes.task, draw: axes.seed }
    run: { sample: { from: rows, k: 8, test_samples: 20, validation_samples: 10, seed: "${draw}" } }
  text: { run: { format: { from: drawn } } }
  train:
    matrix: { length: [4, 5], draw: axes.seed }
    run:
      train:
        from: text
        method: scp
        backbone: ./tiny
        epochs: "${epochs}"
        batch: 4
        checkpoint_every: 3
        prompt: { length: "${length}" }
        sources: { count: 2 }
  score: { run: { evaluate: { from: [train, text], backbone: ./tiny, untrained: true } } }
  table: { run: { aggregate: { from: score, rows: length, columns: task, mean_over: draw } } }
"#;

const JOINT: &str = r#"
name: joint
params: { epochs: 2, seeds: [1] }
include:
  - { file: toy.yaml, set: { epochs: "${epochs}", seed: "${seeds}" } }
  - { file: other.yaml, set: { epochs: "${epochs}" } }
stages:
  all:
    run: { aggregate: { from: toy.score, rows: method, columns: task, mean_over: seed } }
"#;

fn project() -> Project {
    let project = Project::new();
    project.write("pipelines/other.yaml", OTHER);
    project.write("pipelines/joint.yaml", JOINT);
    project
}

/// Runs a pipeline and returns the events.
fn run(project: &Project, arguments: &[&str]) -> String {
    let output = project.compt(&[&["run", "--json"], arguments].concat());
    assert!(output.status.success(), "{}", both(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_joint_run_does_each_piece_of_work_once_and_gives_the_same_bytes() {
    let project = project();
    let joint = run(&project, &["pipelines/joint.yaml", "--cache", "joint", "--jobs", "2"]);
    // toy: 2 data, 2 shots, 2 texts, 2 fits, 4 scores, a table; other: the same numbers, of which all data, shots and
    // texts, one training and its 2 scores are those of toy; and `all`.
    let ran = executed(&joint);
    assert_eq!(ran.len(), 13 + 13 - 9 + 1, "{ran:#?}");
    assert!(joint.contains(r#""executed":18,"cached":0,"shared":9"#), "{joint}");
    let plan = both(&project.compt(&["plan", "pipelines/joint.yaml", "--cache", "joint"]));
    assert!(plan.contains("27 stages, 9 shared"), "{plan}");
    let whole = project.files("outputs");
    assert!(whole.contains_key("joint/all/table.csv"));

    run(&project, &["pipelines/toy.yaml", "--cache", "alone", "--set", "epochs=2", "--set", "seed=[1]"]);
    run(&project, &["pipelines/other.yaml", "--cache", "alone", "--set", "epochs=2"]);
    let alone = project.files("outputs");
    for name in ["toy/table", "other/table"] {
        let of = |prefix: &str, files: &std::collections::BTreeMap<String, Vec<u8>>| {
            let inside =
                files.iter().filter_map(|(path, bytes)| Some((path.strip_prefix(prefix)?.to_owned(), bytes.clone())));
            inside.collect::<Vec<_>>()
        };
        let (one, other) = (of(&format!("{name}/"), &alone), of(&format!("joint/{name}/"), &whole));
        assert!(!one.is_empty() && one == other, "{name}");
    }
    // The keys are the same too: with what was made alone only `all` is left to do.
    assert_eq!(executed(&run(&project, &["pipelines/joint.yaml", "--cache", "alone"])), ["all"]);
}
