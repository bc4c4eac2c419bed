//! `compt predict`: the answers of a trained prompt, from the command line, files and pipes.

use std::io::{BufRead, BufReader, Write};
use std::process::{Output, Stdio};
use std::sync::OnceLock;

use crate::project::{Project, both};

/// One training each of two methods on two tasks, evaluated twice: as generated and as ranked.
fn project() -> &'static Project {
    static PROJECT: OnceLock<Project> = OnceLock::new();
    PROJECT.get_or_init(|| {
        let project = Project::new();
        let edit = |from: &str, to: &str| project.edit("pipelines/toy.yaml", from, to);
        edit("seed: [1, 2]", "seed: [1]");
        edit("format: { from: shots }", "format: { from: shots, prefix: \"[{task}] \", max_source_chars: 40 }");
        edit(
            "untrained: true } }",
            "untrained: true } }\n  ranked:\n    run: { evaluate: { from: [fit, text], backbone: \"${backbone}\", mode: rank } }",
        );
        project.run(&[]);
        project
    })
}

fn predict(more: &[&str]) -> Output {
    let mut arguments = vec!["predict", "--run", "outputs/toy"];
    arguments.extend(more);
    project().command(&arguments).stdin(Stdio::null()).output().unwrap()
}

/// What is printed when it succeeds.
fn printed(more: &[&str]) -> String {
    let output = predict(more);
    assert!(output.status.success(), "{}", both(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// What is said when it fails, and the exit code.
fn refused(more: &[&str]) -> String {
    let output = predict(more);
    assert!(output.stdout.is_empty(), "{}", both(&output));
    format!("{}[exit code {}]\n", String::from_utf8_lossy(&output.stderr), output.status.code().unwrap_or(-1))
}

/// The results of one operation in the cache whose record names this instance.
fn result_of(instance: &str) -> std::path::PathBuf {
    let project = project();
    let note: serde_json::Value = serde_json::from_str(&project.read("outputs/toy/run.json")).unwrap();
    let stages = note["stages"].as_array().unwrap();
    let made = stages.iter().find(|made| made["stage"] == instance).unwrap_or_else(|| panic!("no {instance}"));
    let output = made["output"].as_str().unwrap();
    project.path(&format!(".compt/objects/{}/{output}", &output[..1]))
}

/// Plain CSV: the toy tasks have neither quotes nor commas.
fn column(csv: &str, name: &str) -> Vec<String> {
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let place = lines.next().unwrap().iter().position(|column| *column == name).unwrap();
    lines.map(|fields| fields[place].to_owned()).collect()
}

/// The drawn test rows of a task as a file with these columns; returns its name and its rows.
fn test_rows(task: &str, columns: &[&str]) -> String {
    let rows = fs_err::read_to_string(result_of(&format!("shots[task={task},seed=1]")).join("test.jsonl")).unwrap();
    let mut csv = format!("id,{}\n", columns.join(","));
    for row in rows.lines().map(|row| serde_json::from_str::<serde_json::Value>(row).unwrap()) {
        let cells: Vec<&str> = row["cells"].as_array().unwrap().iter().map(|cell| cell.as_str().unwrap()).collect();
        csv.push_str(&format!("{},{}\n", row["id"].as_str().unwrap(), cells.join(",")));
    }
    csv
}

#[test]
fn test_rows_get_the_answers_of_the_evaluation() {
    for (task, columns) in [("ripe", vec!["text"]), ("same", vec!["first", "second"])] {
        let name = format!("{task}_rows.csv");
        project().write(&name, &test_rows(task, &columns));
        for method in ["spp", "scp"] {
            for stage in ["score", "ranked"] {
                let instance = format!("{stage}[method={method},seed=1,task={task}]");
                let written = fs_err::read_to_string(result_of(&instance).join("predictions.csv")).unwrap();
                let learned: Vec<String> = column(&written, "predicted")
                    .into_iter()
                    .zip(column(&written, "prompt"))
                    .filter_map(|(predicted, prompt)| (prompt == "learned").then_some(predicted))
                    .collect();
                assert_eq!(learned.len(), 20);
                let answers = printed(&["--task", task, "--stage", &instance, "--input", &name, "--batch", "7"]);
                assert_eq!(column(&answers, "prediction"), learned, "{instance}");
                assert_eq!(answers.lines().next().unwrap(), format!("id,{},prediction", columns.join(",")));
            }
        }
    }
}

/// A choice that leads to one prompt.
const RIPE: [&str; 4] = ["--task", "ripe", "--stage", "ranked[method=spp]"];
const SAME: [&str; 4] = ["--task", "same", "--stage", "ranked[method=spp]"];

fn with<'a>(first: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [first, more].concat()
}

#[test]
fn one_row_typed_in_three_ways_gets_one_answer() {
    let expected = printed(&with(&SAME, &["--text", "the fig was fine", "--text", "the fig was good"]));
    assert!(expected.starts_with("first,second,prediction\nthe fig was fine,the fig was good,"), "{expected}");
    let fields = ["--field", "second=the fig was good", "--field", "first=the fig was fine"];
    assert_eq!(printed(&with(&SAME, &fields)), expected);
    let whole = ["--text", "sentence1: the fig was fine sentence2: the fig was good"];
    assert_eq!(printed(&with(&SAME, &whole)), expected);
    let file = ["predict", "--run", "pipelines/toy.yaml", "--text", "the fig was fine", "--text", "the fig was good"];
    let output = project().compt(&with(&file, &SAME));
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{}", both(&output));
}

#[test]
fn rows_in_and_answers_out_in_either_form() {
    let project = project();
    project.write("in.jsonl", "{\"n\": 1.0, \"text\": \"the fig was fine\"}\n{\"text\": \"no\", \"n\": null}\n");
    let lines = printed(&with(&RIPE, &["--input", "in.jsonl", "--scores"]));
    let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert!(lines.starts_with("{\"n\": 1.0, \"text\": \"the fig was fine\", \"prediction\": "), "{lines}");
    let parts = ["bad", "good"].map(|label| first["probability"][label].as_f64().unwrap());
    assert!((parts[0] + parts[1] - 1.0).abs() < 1e-5, "{lines}");
    let best = if parts[0] > parts[1] { "bad" } else { "good" };
    assert_eq!(first["prediction"], best);

    printed(&with(&RIPE, &["--input", "in.jsonl", "--output", "out.csv"]));
    let csv = project.read("out.csv");
    assert!(csv.starts_with(&format!("n,text,prediction\n1.0,the fig was fine,{best}\n,no,")), "{csv}");
}

#[test]
fn rows_from_a_pipe_are_answered_as_they_arrive() {
    let mut arguments = vec!["predict", "--run", "outputs/toy"];
    arguments.extend(RIPE);
    let mut child = project().command(&arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(|line| line.unwrap());
    // The input stays open between the questions.
    writeln!(input, "id,text\n1,the fig was fine\n2,the fig was sour").unwrap();
    assert_eq!(lines.next().unwrap(), "id,text,prediction");
    let first: Vec<String> = lines.by_ref().take(2).collect();
    assert!(first[0].starts_with("1,the fig was fine,") && first[1].starts_with("2,the fig was sour,"), "{first:?}");
    writeln!(input, "3,the fig was fine").unwrap();
    let third = lines.next().unwrap();
    assert_eq!(third.rsplit(',').next(), first[0].rsplit(',').next(), "the same text, the same answer");
    drop(input);
    assert_eq!(lines.next(), None);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_reader_that_leaves_is_no_fault() {
    let mut arguments = vec!["predict", "--run", "outputs/toy"];
    arguments.extend(RIPE);
    let mut child = project()
        .command(&arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "text\nthe fig was fine").unwrap();
    // It must not wait for the end of its input.
    let status = child.wait().unwrap();
    drop(input);
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
}

#[test]
fn rows_before_a_fault_are_answered() {
    project().write("faulty.csv", "text\nthe fig was fine\nthe fig was sour\n\"a\" b\nmore\n");
    let output = predict(&with(&RIPE, &["--input", "faulty.csv"]));
    assert_eq!(output.status.code(), Some(3));
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(stdout.lines().count(), 3, "{stdout}");
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "error: line 4 of `faulty.csv`: field 1 goes on after its closing quote; a quote inside is doubled; \
         2 rows before it are answered and written\n"
    );
    project().write("header.csv", "text\n");
    assert_eq!(printed(&with(&RIPE, &["--input", "header.csv"])), "text,prediction\n");
}

#[test]
fn what_the_run_does_not_know_is_said_once() {
    let text = ["--text", "x"];
    let mut said = refused(&with(&["--task", "rope"], &text));
    said += &refused(&with(&["--task", "imdb"], &text));
    said += &refused(&text);
    said += &refused(&with(&["--task", "ripe"], &text));
    said += &refused(&with(&["--task", "ripe", "--stage", "fit[method=spp]"], &text));
    said += &refused(&with(&["--task", "ripe", "--stage", "fti[method=spp,seed=1]"], &text));
    let output = project().compt(&["predict", "--run", "outputs/toi", "--task", "ripe", "--text", "x"]);
    said += &format!("{}[exit code {}]\n", String::from_utf8_lossy(&output.stderr), output.status.code().unwrap_or(-1));
    said += &refused(&with(&["--task", "ripe", "--stage", "table"], &text));
    insta::assert_snapshot!(said);
}

#[test]
fn a_backbone_beside_the_pipeline_is_found_through_the_pipeline() {
    let elsewhere = tempfile::tempdir().unwrap();
    let ask = |run: &str| {
        let (run, cache) = (project().path(run), project().path(".compt"));
        let mut arguments = vec!["predict", "--run", run.to_str().unwrap(), "--cache", cache.to_str().unwrap()];
        let outputs = project().path("outputs");
        arguments.extend(["--outputs", outputs.to_str().unwrap(), "--text", "the fig was fine"]);
        project().command(&with(&arguments, &RIPE)).current_dir(elsewhere.path()).output().unwrap()
    };
    let output = ask("outputs/toy");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("type `--run` with the pipeline file"), "{said}");
    let output = ask("pipelines/toy.yaml");
    assert!(output.status.success(), "{}", both(&output));
}

#[test]
fn the_page_is_made_from_the_pipeline_file() {
    let output = project().compt(&["report", "outputs/toy"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(both(&output).contains("`outputs/toy` is the output folder of a run"), "{}", both(&output));
}

#[test]
fn what_a_row_lacks_is_said_once() {
    let project = project();
    project.write("other.csv", "id,frist,other\n1,a,b\n");
    project.write("other.jsonl", "{\"first\": \"a\", \"second\": \"b\"}\n{\"first\": \"a\"}\n");
    project.write("taken.csv", "first,second,prediction\na,b,c\n");
    let mut said = refused(&with(&SAME, &["--text", "a"]));
    said += &refused(&with(&SAME, &["--field", "first=a"]));
    said += &refused(&with(&SAME, &["--field", "fist=a"]));
    said += &refused(&with(&SAME, &["--input", "other.csv"]));
    said += &refused(&with(&SAME, &["--input", "taken.csv"]));
    said += &refused(&with(&SAME, &["--input", "absent.csv"]));
    said += &refused(&with(&SAME, &["--input", "taken.csv", "--output", "taken.csv"]));
    let output = predict(&with(&SAME, &["--input", "other.jsonl"]));
    said += &String::from_utf8_lossy(&output.stderr);
    insta::assert_snapshot!(said);
}

#[test]
fn who_asks_for_json_lines_gets_faults_as_json() {
    project().write("broken.csv", "text\nthe fig was fine\n\"a\" b\n");
    for (more, kind, code, said) in [
        (with(&RIPE, &["--input", "broken.csv"]), "input", 3, "the row before it is answered and written"),
        (vec!["--task", "rope", "--text", "x"], "usage", 2, "`rope`"),
        (vec!["--task", "ripe", "--text", "x", "--mood", "fine"], "usage", 2, "'--mood'"),
    ] {
        let output = predict(&with(&more, &["--output-format", "jsonl"]));
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let told: serde_json::Value = serde_json::from_str(stderr.trim_end()).unwrap_or_else(|_| panic!("{stderr}"));
        let error = &told["error"];
        assert_eq!((&error["kind"], &error["exit_code"]), (&kind.into(), &code.into()), "{stderr}");
        assert!(error["message"].as_str().unwrap().contains(said), "{stderr}");
        assert_eq!(output.status.code(), Some(code), "{stderr}");
    }
    // Answers in another form, faults for people.
    let output = predict(&["--task", "rope", "--text", "x", "--output-format", "csv"]);
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: "), "{}", both(&output));
}
