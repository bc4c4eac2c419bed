//! What a user reads when something is wrong. Messages about the text of pipeline files are snapshots of their own
//! (`tests/diagnostics/`); here are the ones that need a project, a backbone, a disk or a network.
//!
//! `INSTA_UPDATE=always cargo test --test it messages` rewrites `tests/it/snapshots/`; then read them.

use std::process::Output;

use crate::mount::Mount;
use crate::project::Project;

/// Standard error and the exit code, without what differs from run to run.
fn said(project: &Project, output: &Output) -> String {
    let root = project.path("");
    let root = root.display().to_string();
    let mut text = String::from_utf8_lossy(&output.stderr).replace(root.trim_end_matches('/'), "[project]");
    for line in text.clone().lines() {
        // Progress depends on timing; only what is wrong is of interest.
        if line.starts_with("start  ") || line.starts_with("done   ") {
            text = text.replacen(&format!("{line}\n"), "", 1);
        }
    }
    let mut lines = Vec::new();
    for line in text.lines() {
        lines.push(redact(line));
    }
    format!("{}\n[exit code {}]\n", lines.join("\n"), output.status.code().unwrap_or(-1))
}

/// Seconds, keys and temporary names.
fn redact(line: &str) -> String {
    let mut words = Vec::new();
    for word in line.split(' ') {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let is_key = bare.len() >= 12 && bare.chars().all(|c| c.is_ascii_hexdigit());
        let has_key =
            word.split(['/', '`', '.']).any(|part| part.len() >= 12 && part.chars().all(|c| c.is_ascii_hexdigit()));
        if is_key {
            words.push(word.replace(bare, "[key]"));
        } else if has_key || word.contains(".tmp") || word.contains(".writing-") {
            words.push("[path]".to_owned());
        } else {
            words.push(word.to_owned());
        }
    }
    let line = words.join(" ");
    match line.find(" in ").filter(|_| line.ends_with(" s")) {
        Some(at) => format!("{} in [seconds]", &line[..at]),
        None => line,
    }
}

/// Runs the toy pipeline one stage at a time, so that the order of messages is fixed.
fn run(project: &Project, more: &[&str]) -> String {
    let mut arguments = vec!["run", "pipelines/toy.yaml", "--jobs", "1", "--set", "task=[ripe]", "--set", "seed=[1]"];
    arguments.extend(more);
    said(project, &project.compt(&arguments))
}

#[test]
fn a_cycle_is_printed_whole() {
    let project = Project::new();
    project.edit("pipelines/toy.yaml", "sample: { from: data,", "sample: { from: text,");
    insta::assert_snapshot!(run(&project, &[]));
}

#[test]
fn unknown_operation_and_parameter() {
    let project = Project::new();
    project.edit("pipelines/toy.yaml", "format: { from: shots }", "fromat: { from: shots }");
    project.edit("pipelines/toy.yaml", "prompt: { length: 4 }", "prompt: { lenght: 4 }");
    insta::assert_snapshot!(run(&project, &[]));
}

#[test]
fn a_data_set_without_a_file() {
    let project = Project::new();
    insta::assert_snapshot!(said(&project, &project.compt(&["run", "pipelines/toy.yaml", "--set", "task=[ripee]"])));
}

#[test]
fn a_data_set_whose_data_are_missing() {
    let project = Project::new();
    fs_err::remove_file(project.path("toys/ripe_train.csv")).unwrap();
    insta::assert_snapshot!(run(&project, &[]));
}

#[test]
fn an_unknown_label() {
    let project = Project::new();
    project.edit("toys/ripe_train.csv", ",1\n", ",7\n");
    insta::assert_snapshot!(run(&project, &[]));
}

#[test]
fn a_missing_column() {
    let project = Project::new();
    project.edit("toys/ripe_train.csv", "text,label", "words,label");
    insta::assert_snapshot!(run(&project, &[]));
}

#[test]
fn an_empty_split() {
    let project = Project::new();
    project.write("toys/ripe_validation.csv", "text,label\n");
    insta::assert_snapshot!(run(&project, &[]));
}

#[test]
fn more_shots_than_rows() {
    let project = Project::new();
    insta::assert_snapshot!(run(&project, &["--set", "k=1000"]));
}

/// Writes the tiny backbone anew with one tensor changed.
fn change_tensor(project: &Project, change: impl Fn(&str, Vec<usize>) -> Option<Vec<usize>>) {
    let path = project.path("tiny/model.safetensors");
    let bytes = fs_err::read(&path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensors: Vec<_> = file
        .iter()
        .filter_map(|(name, view)| {
            let shape = change(name, view.shape().to_vec())?;
            let length = shape.iter().product::<usize>() * 4;
            let view = safetensors::tensor::TensorView::new(view.dtype(), shape, &view.data()[..length]).unwrap();
            Some((name.to_owned(), view))
        })
        .collect();
    let changed = safetensors::serialize(tensors, None).unwrap();
    fs_err::write(path, changed).unwrap();
}

#[test]
fn a_backbone_without_a_tensor() {
    let project = Project::new();
    change_tensor(&project, |name, shape| (name != "encoder.final_layer_norm.weight").then_some(shape));
    insta::assert_snapshot!(run(&project, &[]));
}

#[test]
fn a_backbone_with_a_misshapen_tensor() {
    let project = Project::new();
    change_tensor(&project, |name, shape| {
        Some(if name == "decoder.block.1.layer.2.DenseReluDense.wi.weight" { vec![32, 32] } else { shape })
    });
    insta::assert_snapshot!(run(&project, &[]));
}

#[test]
fn a_truncated_backbone() {
    let project = Project::new();
    let path = project.path("tiny/model.safetensors");
    let bytes = fs_err::read(&path).unwrap();
    fs_err::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    insta::assert_snapshot!(run(&project, &[]));
}

#[test]
fn a_prompt_longer_than_the_model_takes() {
    let project = Project::new();
    project.edit("tiny/config.json", "\"vocab_size\"", "\"n_positions\": 32,\n \"vocab_size\"");
    project.edit("pipelines/toy.yaml", "prompt: { length: 4 }", "prompt: { length: 40 }");
    insta::assert_snapshot!(run(&project, &[]));
}

#[test]
fn a_backbone_that_is_not_there() {
    let project = Project::new();
    insta::assert_snapshot!(run(&project, &["--set", "backbone=./tyni"]));
}

#[test]
fn no_network() {
    let project = Project::new();
    // Port 9 (discard) of this machine: nobody listens.
    let mut command = project.command(&["run", "pipelines/toy.yaml", "--set", "backbone=google-t5/t5-small"]);
    command.env_remove("HF_HUB_OFFLINE").env("HF_ENDPOINT", "http://127.0.0.1:9");
    insta::assert_snapshot!(said(&project, &command.output().unwrap()));
}

#[test]
fn offline_without_a_cache() {
    let project = Project::new();
    insta::assert_snapshot!(run(&project, &["--set", "backbone=google-t5/t5-small"]));
}

#[test]
fn a_device_that_is_not_there() {
    let project = Project::new();
    insta::assert_snapshot!(run(&project, &["--device", "gpu"]));
}

#[test]
fn names_of_devices_are_whole() {
    let project = Project::new();
    for device in ["cuda:", "cuda:-1", "cuda:x", "cuda:0:1", "cpu:0", "cud"] {
        let refused = project.compt(&["run", "pipelines/toy.yaml", "--dry-run", "--device", device]);
        assert_eq!(refused.status.code(), Some(2), "{device}");
    }
    assert!(project.compt(&["run", "pipelines/toy.yaml", "--dry-run", "--device", "cpu"]).status.success());
}

#[test]
fn a_lock_file_that_may_not_change() {
    let project = Project::new();
    project.run(&["--locked"]); // Local files have no revisions: there is nothing to lock.
    let other = crate::project::lock_of("ripe_train.csv", "other bytes");
    project.write("pipelines/toy.lock", &other);
    insta::assert_snapshot!(run(&project, &["--locked"]));
}

#[test]
fn a_full_disk() {
    let project = Project::new();
    let folder = project.path("small");
    let Some(mount) = Mount::new(&folder, "size=160k") else { return };
    let first = project.compt(&["run", "pipelines/toy.yaml", "--cache", "small", "--jobs", "1"]);
    let text = String::from_utf8_lossy(&first.stderr).into_owned();
    // How far it comes depends on the file system; that it says so, and what to do, does not.
    assert_eq!(first.status.code(), Some(5), "{text}");
    assert!(text.contains("No space left on device") && text.contains("free some space"), "{text}");
    // Once there is room, the same command continues.
    mount.remount("size=64m");
    assert!(!project.run(&["--cache", "small"]).is_empty());
}

#[test]
fn a_read_only_cache() {
    let project = Project::new();
    let folder = project.path("frozen");
    let Some(mount) = Mount::new(&folder, "size=8m") else { return };
    mount.remount("ro");
    insta::assert_snapshot!(run(&project, &["--cache", "frozen"]));
}
