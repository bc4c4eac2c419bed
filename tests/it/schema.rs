//! The schemas that editors read say what the program reads.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::project::{Project, both};

/// The folders with files for people, and the schema of each.
const FOLDERS: [(&str, &str); 2] = [("pipelines", "pipeline.schema.json"), ("datasets", "dataset.schema.json")];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The YAML files of a folder of ours.
fn files(folder: &str) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|ending| ending == "yaml")).collect()
}

/// The first line by which editors find the schema.
fn line(schema: &str) -> String {
    format!("# yaml-language-server: $schema=../schema/{schema}\n")
}

#[test]
fn every_file_begins_with_the_line_that_names_its_schema() {
    for (folder, schema) in FOLDERS {
        let files = files(folder);
        assert!(files.len() >= 13, "{folder}: {files:?}");
        for file in files {
            let text = fs_err::read_to_string(&file).unwrap();
            assert!(text.starts_with(&line(schema)), "{} does not begin with\n{}", file.display(), line(schema));
        }
    }
    let project = Project::new();
    assert!(project.compt(&["init", "new"]).status.success());
    assert!(project.read("new/pipelines/starter.yaml").starts_with(&line(FOLDERS[0].1)));
    assert!(project.read("new/datasets/README.md").contains(&format!("```yaml\n{}", line(FOLDERS[1].1))));
    for (_, schema) in FOLDERS {
        assert!(project.path(&format!("new/schema/{schema}")).is_file());
    }
}

/// Reads schemas and documents, a pair a line, and prints for each pair what is wrong with the document.
const VALIDATOR: &str = "\
import json, sys, jsonschema
for line in sys.stdin:
    schema, document = json.loads(line)
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    print(json.dumps([error.message for error in kind(schema).iter_errors(document)]))
";

/// What another program than ours finds wrong with these documents; nothing where it is not there.
fn faults(schema: &str, documents: &[Value]) -> Option<Vec<Vec<String>>> {
    let has = Command::new("python3").args(["-c", "import jsonschema"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        println!("skipped: Python's package jsonschema is not here");
        return None;
    }
    let schema: Value =
        serde_json::from_str(&fs_err::read_to_string(root().join("schema").join(schema)).unwrap()).unwrap();
    let mut python = Command::new("python3");
    python.args(["-W", "ignore", "-c", VALIDATOR]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = python.spawn().unwrap();
    let lines: String = documents.iter().map(|document| format!("{}\n", json!([schema, document]))).collect();
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    let printed = String::from_utf8(output.stdout).unwrap();
    Some(printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn document(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap()
}

#[test]
fn another_program_accepts_our_files_by_the_schemas() {
    for (folder, schema) in FOLDERS {
        let files = files(folder);
        let read = |file: &PathBuf| document(&fs_err::read_to_string(file).unwrap());
        let Some(found) = faults(schema, &files.iter().map(read).collect::<Vec<_>>()) else { return };
        assert_eq!(found.len(), files.len());
        for (file, faults) in files.iter().zip(found) {
            assert!(faults.is_empty(), "{}: {faults:?}", file.display());
        }
    }
}

#[test]
fn another_program_refuses_faulty_files_by_the_schemas() {
    // Of the faulty files of the diagnostics, those whose fault is one of form.
    let refused = [
        ("misspelt_required_field", "'stags' was unexpected"),
        ("unknown_field", "'after' was unexpected"),
        ("missing_field", "'run' is a required property"),
        ("wrong_type", "is not valid under any of the given schemas"),
        ("parameters_not_a_map", "is not of type 'object'"),
        ("two_operations", "has too many properties"),
        ("names", "does not match"),
        ("policy", "'retry': 2"),
    ];
    let file = |name: &str| root().join(format!("tests/diagnostics/{name}.yaml"));
    let read = |(name, _): &(&str, &str)| document(&fs_err::read_to_string(file(name)).unwrap());
    let Some(found) = faults(FOLDERS[0].1, &refused.iter().map(read).collect::<Vec<_>>()) else { return };
    for ((name, expected), faults) in refused.iter().zip(found) {
        assert!(faults.iter().any(|fault| fault.contains(expected)), "{name}: {faults:?}");
    }
    let whole = fs_err::read_to_string(root().join("datasets/rte.yaml")).unwrap();
    let changes = [("columns: ", "colums: "), ("score: accuracy", "score: acuracy"), ("score: accuracy\n", "")];
    let changed = changes.map(|(from, to)| {
        assert!(whole.contains(from), "{from}");
        document(&whole.replacen(from, to, 1))
    });
    let found = faults(FOLDERS[1].1, &changed).unwrap();
    assert!(found.iter().all(|faults| !faults.is_empty()), "{found:?}");
}

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
