//! `docs/json.md` names every field that a command prints: what appears in the output and not in that command's section
//! fails here. Fields that appear in rare cases only are not seen.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::Value;

use crate::project::{Project, both, json, lock_of};
use crate::verifying::{with_loss, with_worker};

const FILE: &str = "pipelines/toy.yaml";
/// One stage of each kind, in a second.
const SMALL: [&str; 6] = ["--set", "task=[ripe]", "--set", "seed=[1]", "--set", "epochs=1"];

/// Maps whose content is the user's, or an operation's: nothing inside them has to be on the page.
const OPEN: [&str; 7] = ["parameters", "coordinates", "resources", "facts", "versions", "remarks", "probability"];
/// Maps by names of the user's: what each entry holds has to be.
const BY_NAME: [&str; 2] = ["files", "stages"];

/// A page of the manual.
fn page(name: &str) -> String {
    fs_err::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)).unwrap()
}

/// The section of the page about JSON with this heading.
fn section(heading: &str) -> String {
    let page = page("json.md");
    let section = page.split("\n## ").find(|section| section.lines().next() == Some(heading));
    section.unwrap_or_else(|| panic!("docs/json.md has no section `{heading}`")).to_owned()
}

/// The words in backticks.
fn named(text: &str) -> BTreeSet<String> {
    let quoted = text.split('`').skip(1).step_by(2);
    let words = quoted.flat_map(|quoted| quoted.split(|c: char| !c.is_alphanumeric() && c != '_'));
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The fields of a value, at any depth.
fn fields(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut inside = vec![value];
    while let Some(value) = inside.pop() {
        match value {
            Value::Array(entries) => inside.extend(entries),
            Value::Object(map) => {
                for (name, value) in map {
                    found.insert(name.clone());
                    match value {
                        Value::Object(_) if OPEN.contains(&name.as_str()) => {}
                        Value::Object(entries) if BY_NAME.contains(&name.as_str()) => inside.extend(entries.values()),
                        _ => inside.push(value),
                    }
                }
            }
            _ => {}
        }
    }
    found
}

/// Fails when a field of the value is not named in the text.
fn is_told(value: &Value, text: &str, what: &str) {
    let named = named(text);
    let untold: Vec<String> = fields(value).into_iter().filter(|field| !named.contains(field)).collect();
    assert!(untold.is_empty(), "{what} has fields that its section does not name: {untold:?}\n{value:#}");
}

/// What a command prints; the sections with these headings name all of it.
fn told(project: &Project, arguments: &[&str], headings: &[&str]) -> Value {
    let output = project.compt(&[arguments, &["--json"]].concat());
    told_by(&output, arguments, headings)
}

fn told_by(output: &Output, arguments: &[&str], headings: &[&str]) -> Value {
    let value = json(output);
    let text: String = headings.iter().map(|heading| section(heading)).collect();
    is_told(&value, &text, &format!("`compt {}`", arguments.join(" ")));
    value
}

/// The events of a run, and which of them there were: each has the fields of its line in the table, and no others.
fn events_are_told(lines: impl Iterator<Item = String>, seen: &mut BTreeSet<String>) {
    let section = section("run");
    for line in lines {
        let line: Value = serde_json::from_str(&line).unwrap();
        let what = &line["what"];
        let event = what["event"].as_str().unwrap();
        let row = section.lines().find(|row| row.starts_with(&format!("| `{event}` |")));
        let row = row.unwrap_or_else(|| panic!("docs/json.md does not have the event `{event}`"));
        is_told(what, &format!("{row} `event`"), &format!("the event `{event}`"));
        assert_eq!(line.as_object().unwrap().keys().collect::<Vec<_>>(), ["at", "what"]);
        seen.insert(event.to_owned());
    }
}

fn lines(output: &Output) -> impl Iterator<Item = String> {
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect::<Vec<_>>().into_iter()
}

/// Sends a runner Ctrl-C.
fn interrupt(runner: &Child) {
    assert!(Command::new("kill").args(["-INT", &runner.id().to_string()]).status().unwrap().success());
}

/// What a runner prints, from now to this event.
fn until(event: &str, lines: &mut impl Iterator<Item = String>) -> Vec<String> {
    let mut read = Vec::new();
    let wanted = format!("\"event\":\"{event}\"");
    for line in lines {
        read.push(line);
        if read.last().is_some_and(|line| line.contains(&wanted)) {
            return read;
        }
    }
    panic!("there was no `{event}` in {read:#?}");
}

#[test]
fn the_events_of_a_run() {
    let mut seen = BTreeSet::new();
    let project = Project::new();
    for _ in 0..2 {
        events_are_told(lines(&project.compt(&[&["run", FILE, "--json"], &SMALL[..]].concat())), &mut seen);
    }
    let stages = "  a:\n    policy: { retries: { times: 1, wait: 0s, on: [input] } }\n    \
                  run: { command: { program: [sh, -c, 'exit 3'], outputs: [out] } }\n  \
                  b:\n    run: { command: { program: ['true'], from: a, outputs: [out] } }\n  \
                  c:\n    run: { command: { program: [sh, -c, 'echo > out; echo > more'], outputs: [out] } }\n";
    project.write("pipelines/c.yaml", &format!("name: c\nstages:\n{stages}"));
    events_are_told(lines(&project.compt(&["run", "pipelines/c.yaml", "--json"])), &mut seen);
    let stands = told(&project, &["status", "pipelines/c.yaml"], &["status"]);
    assert_eq!(stands["tally"]["failed"], 1, "{stands}");

    // Two runs that want the same: one waits, then both are stopped.
    let stage = "  d: { run: { command: { program: [sleep, '600'], outputs: [out] } } }\n";
    project.write("pipelines/d.yaml", &format!("name: d\nstages:\n{stage}"));
    let start = || {
        let mut command = project.command(&["run", "pipelines/d.yaml", "--json"]);
        let mut runner = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(runner.stdout.take().unwrap()).lines();
        (runner, lines.map(|line: std::io::Result<String>| line.unwrap()))
    };
    let (mut first, mut of_first) = start();
    let mut said = until("started", &mut of_first);
    let (mut second, mut of_second): (Child, std::iter::Map<std::io::Lines<BufReader<ChildStdout>>, _>) = start();
    said.extend(until("waiting", &mut of_second));
    let stands = told(&project, &["status", "pipelines/d.yaml"], &["status"]);
    assert_eq!(stands["tally"]["running"], 1, "{stands}");
    for (runner, rest) in [(&mut second, &mut of_second), (&mut first, &mut of_first)] {
        interrupt(runner);
        said.extend(until("interrupted", rest));
        // One that only waits is over already.
        if runner.try_wait().unwrap().is_none() {
            let _ = Command::new("kill").args(["-INT", &runner.id().to_string()]).status();
        }
        said.extend(rest);
        assert_eq!(runner.wait().unwrap().code(), Some(130));
    }
    events_are_told(said.into_iter(), &mut seen);

    let section = section("run");
    let rows = section.lines().filter_map(|row| row.strip_prefix("| `")?.split_once("` |"));
    let rows: BTreeSet<String> = rows.map(|(event, _)| event.to_owned()).filter(|event| event != "event").collect();
    assert_eq!(seen, rows, "the events of these runs, and those of the table");
}

#[test]
fn before_a_run_and_after_it() {
    let project = Project::new();
    let part = |command: &'static str, more: &[&'static str]| [&[command, FILE][..], &SMALL, more].concat();
    let look = |project: &Project| {
        told(project, &part("plan", &[]), &["plan"]);
        told(project, &part("run", &["--dry-run"]), &["run", "plan"]);
        told(project, &part("why", &["*"]), &["why", "plan"]);
        told(project, &part("status", &[]), &["status"]);
        told(project, &part("graph", &[]), &["graph"]);
        told(project, &part("graph", &["--instances"]), &["graph"]);
    };
    look(&project);
    project.run(&SMALL);
    look(&project);
    told(&project, &part("report", &[]), &["init, schema, report, man"]);
    let records = told(&project, &part("show", &["*"]), &["show"]);
    let verified = told(&project, &part("verify", &["--sample", "2"]), &["verify"]);
    assert_eq!(verified["counts"]["identical"], 2, "{verified}");
    told(&project, &["runs"], &["runs", "run"]);
    let lines = json(&project.compt(&["runs", "last", "--json"]));
    is_told(&lines, &page("journal.md"), "`compt runs last`");

    // Another run: other parameters, another data set's bytes.
    project.edit("toys/ripe_train.csv", ",0\n", ",1\n");
    let plan = told(&project, &part("plan", &["--set", "k=6"]), &["plan"]);
    assert!(plan.to_string().contains("\"parameter\"") && plan.to_string().contains("\"source\""), "{plan}");
    project.run(&[&SMALL[..], &["--set", "k=6", "--outputs", "others"]].concat());
    let runs = told(&project, &["diff", "outputs/toy", "others/toy"], &["diff", "plan"]);
    assert_eq!(runs["kind"], "runs");
    let other = told(&project, &part("show", &["table", "--set", "k=6"]), &["show"]);
    let keys = [&records[7]["key"], &other[0]["key"]].map(|key| key.as_str().unwrap());
    assert_eq!(told(&project, &["diff", keys[0], keys[1]], &["diff", "plan"])["kind"], "keys");
    let compared = json(&project.compt(&["compare", "outputs/toy", "others/toy", "--json"]));
    is_told(&compared, &(section("compare") + " and the axis `method`"), "`compt compare`");

    for age in [&["gc", "--keep-size", "0"][..], &["gc", "--keep-size", "0", "--delete"]] {
        let shown = told(&project, age, &["gc"]);
        assert!(!shown["results"].as_array().unwrap().is_empty() && !shown["rests"].as_array().unwrap().is_empty());
    }
}

#[test]
fn what_differs_fails_or_is_damaged() {
    let project = with_worker();
    let arguments = ["verify", FILE, "--json", "--tolerance", "1e-6"];
    assert!(with_loss(&project, &["run", FILE], "0.25", "").status.success());
    for (loss, fail, verdict) in [("0.75", "", "differs"), ("0.2500001", "", "within"), ("0.25", "input", "failed")] {
        let value = told_by(&with_loss(&project, &arguments, loss, fail), &arguments, &["verify"]);
        assert!(value["counts"][verdict].as_u64() > Some(0), "{value}");
    }
    let value = told(&project, &["verify", FILE, "--stages", "fit"], &["verify"]);
    assert!(value["counts"]["could_not_run"].as_u64() > Some(0), "{value}");

    let (name, _) = project.files(".compt/records").into_iter().next().unwrap();
    project.write(&format!(".compt/records/{name}"), "{");
    let found = told(&project, &["fsck"], &["fsck"]);
    assert!(found["findings"].as_array().is_some_and(|found| !found.is_empty()), "{found}");
}

#[test]
fn what_needs_no_run() {
    let project = Project::new();
    told(&project, &["doctor"], &["doctor"]);
    for what in [&["list"][..], &["list", "operations"], &["list", "sample"], &["list", "methods"]] {
        told(&project, what, &["list"]);
    }
    for what in [&["list", "methods", "spp"][..], &["list", "metrics"]] {
        told(&project, what, &["list"]);
    }
    // The data set's own fields, and operations by their names, are below these.
    for preset in json(&project.compt(&["list", "presets", "--json"])).as_array().unwrap() {
        assert_eq!(preset.as_object().unwrap().keys().collect::<Vec<_>>(), ["about", "name", "operations"]);
    }
    let data = json(&project.compt(&["list", "datasets", "ripe", "--json"]));
    assert_eq!((&data["name"], &data["file"]), (&"ripe".into(), &"datasets/ripe.yaml".into()));
    assert!(data["valid"] == true && named(&section("list")).contains("valid"), "{data}");

    let value = told(&project, &["check", FILE, "datasets/ripe.yaml"], &["check"]);
    assert_eq!((&value["files"][0]["kind"], &value["files"][1]["kind"]), (&"pipeline".into(), &"dataset".into()));
    project.edit(FILE, "format: { from: shots }", "fromat: { from: shots }");
    let output = project.compt(&["check", FILE, "--json"]);
    told_by(&output, &["check"], &["check", "When something is wrong"]);
    let error: Value = serde_json::from_slice(&output.stderr).unwrap_or_else(|_| panic!("{}", both(&output)));
    is_told(&error, &section("When something is wrong"), "an error");
    assert_eq!(error["error"]["problems"][0]["line"], 16, "{error}");

    project.write("a.lock", &lock_of("ripe_train.csv", "some bytes"));
    project.write("b.lock", &lock_of("ripe_train.csv", "other bytes"));
    let locks = told(&project, &["diff", "a.lock", "b.lock"], &["diff", "plan"]);
    assert_eq!(locks["sources"]["changed"][0]["source"]["dataset"], "ripe");
    for what in [&["init", "new"][..], &["schema"], &["man", "--output", "manual"]] {
        told(&project, what, &["init, schema, report, man"]);
    }
}

/// Each kind of failure that the program has is on the page, and no other.
#[test]
fn kinds_of_errors() {
    let source = fs_err::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/failure.rs"));
    let source = source.unwrap();
    let spelled = source.split("pub fn kind(").nth(1).unwrap().split("\n    }\n").next().unwrap();
    let kinds: BTreeSet<String> = spelled.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    let section = section("When something is wrong");
    let row = section.lines().find_map(|line| line.strip_prefix("| `kind` |")).unwrap();
    assert_eq!(kinds, named(row));
}
