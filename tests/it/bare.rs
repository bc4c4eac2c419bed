//! Programs that write one file: it is kept without a folder, and read as any other result.

use std::process::{Command, Output};

use serde_json::Value;

use crate::project::{Project, both, executed, quote};

const FILE: &str = "pipelines/b.yaml";

/// A stage that runs a line of shell.
fn stage(name: &str, reads: &str, line: &str, output: &str) -> String {
    let line = quote(line);
    format!("  {name}:\n    run: {{ command: {{ {reads}program: [sh, -c, {line}], outputs: [{output}] }} }}\n")
}

fn write(project: &Project, stages: &[String]) {
    project.write(FILE, &format!("name: b\nstages:\n{}", stages.concat()));
}

fn compt(project: &Project, arguments: &[&str]) -> Output {
    let output = project.compt(arguments);
    assert!(output.status.success(), "{}", both(&output));
    output
}

fn ran(project: &Project, more: &[&str]) -> Vec<String> {
    let output = compt(project, &[&["run", FILE, "--json"], more].concat());
    executed(&String::from_utf8_lossy(&output.stdout))
}

/// The record of a stage.
fn record(project: &Project, stage: &str) -> Value {
    let shown: Value = serde_json::from_slice(&compt(project, &["show", FILE, stage, "--json"]).stdout).unwrap();
    shown[0].clone()
}

/// Where the only file of a stage is.
fn path(project: &Project, stage: &str) -> String {
    let (record, shown) = (record(project, stage), both(&compt(project, &["show", FILE, stage])));
    let (output, name) = (record["output"].as_str().unwrap(), record["files"].as_object().unwrap().keys().next());
    let path = format!(".compt/objects/{}/{output}.{}", &output[..1], name.unwrap());
    assert!(record["bare"] == true && shown.contains(&format!("path         {path}\n")), "{shown}");
    path
}

const SCORES: &str = "printf 'task,prompt,metric,of,value,examples\\nrte,learned,accuracy,,0.5,20\\nrte,learned,score,accuracy,0.5,20\\n' > scores.csv";

#[test]
fn one_file_is_read_by_programs_and_by_tables_and_made_again() {
    let table = "  table:\n    run: { aggregate: { from: score, rows: [], columns: task } }\n";
    let project = Project::new();
    let stages = [
        stage("score", "", SCORES, "scores.csv"),
        stage("copy", "from: score, ", "cat inputs/score/scores.csv > lines.txt", "lines.txt"),
        // Longer than what is copied: it is a link.
        stage("long", "", "seq 5000 > numbers.txt", "numbers.txt"),
        stage("count", "from: long, ", "wc -l < inputs/long/numbers.txt > n", "n"),
        table.to_owned(),
    ];
    write(&project, &stages);
    assert_eq!(ran(&project, &[]).len(), 5);
    assert!(
        project.read("outputs/b/table/results.csv").contains(",0.5,"),
        "{}",
        project.read("outputs/b/table/results.csv")
    );
    assert_eq!(project.read(&path(&project, "count")).trim(), "5000");
    assert_eq!(project.read(&path(&project, "copy")), project.read(&path(&project, "score")));
    assert!(record(&project, "table").get("bare").is_none());
    assert_eq!(ran(&project, &[]), [""; 0]);
    // Each is made again from what the others left, and compared.
    let verified: Value = serde_json::from_slice(&compt(&project, &["verify", FILE, "--json"]).stdout).unwrap();
    assert_eq!((&verified["counts"]["identical"], &verified["of"]), (&Value::from(5), &Value::from(5)));
    assert_eq!(fs_err::read_dir(project.path(".compt/scratch")).unwrap().count(), 0);
    // What somebody has spoilt, too.
    let spoilt = project.path(&path(&project, "long"));
    let mut permissions = fs_err::metadata(&spoilt).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
    fs_err::set_permissions(&spoilt, permissions).unwrap();
    fs_err::write(&spoilt, "1\n").unwrap();
    assert_eq!(ran(&project, &[]), ["long"]);
    fs_err::remove_file(&spoilt).unwrap();
    assert_eq!(ran(&project, &[]), ["long"]);
    assert!(both(&compt(&project, &["fsck"])).contains(": 0 damaged, 0 left over"));
    // What nobody names goes: the record of `copy` here.
    let (copied, key) = (path(&project, "copy"), record(&project, "copy")["key"].as_str().unwrap().to_owned());
    fs_err::remove_file(project.path(&format!(".compt/records/{}/{key}.json", &key[..1]))).unwrap();
    compt(&project, &["gc", "--delete"]);
    assert!(!project.path(&copied).exists() && spoilt.exists());
    assert_eq!(ran(&project, &[]), ["copy"]);
}

/// To make a folder takes a disk long. The next program gets that of the last one, if it can't tell.
#[cfg(target_os = "linux")]
#[test]
fn programs_run_in_the_folder_of_the_one_before() {
    let look = "stat -c '%i %a' . > seen; test \"$(ls)\" = seen";
    let project = Project::new();
    // The folder's number and, when it lives on there, that of a process.
    let note = project.path("note").display().to_string();
    let leaves = format!(
        "stat -c %i . > {note}; setsid sh -c 'echo $$ > seen; exec sleep 600 > /dev/null 2>&1' & \
         while ! test -s seen; do sleep 0.01; done; cat seen >> {note}"
    );
    // Writes when the runner has begun to take the result away, and ends.
    let writer = project.path("writer").display().to_string();
    let late = format!(
        ": > seen; setsid sh -c 'echo $$ > {writer}.new; mv {writer}.new {writer}; \
         while test \"$(stat -c %a seen)\" != 444 && test -e seen; do :; done; echo > late' > /dev/null 2>&1 & \
         head -c 30000000 /dev/zero > seen; until test -e {writer}; do sleep 0.01; done"
    );
    let is_alone = format!("while grep -qv ') Z' /proc/$(cat {writer})/stat 2> /dev/null; do sleep 0.01; done");
    let stages = [
        stage("late", "", &late, "seen"),
        stage(
            "a",
            "from: late, ",
            &format!(
                "test \"$(ls)\" = \"$(printf 'inputs\ninputs.json')\" || exit 3; {is_alone}; stat -c '%i %a' . > seen"
            ),
            "seen",
        ),
        stage("b", "from: a, ", &format!("rm -r inputs inputs.json; {look}"), "seen"),
        stage("leaves", "from: b, ", &leaves, "seen"),
        stage("c", "from: leaves, ", "stat -c '%i %a' . > seen", "seen"),
        stage("kills", "from: c, ", &format!("stat -c '%i %a' . > seen; kill \"$(tail -n 1 {note})\""), "seen"),
        stage("d", "from: kills, ", "stat -c '%i %a' . > seen", "seen"),
        stage("e", "from: d, ", "stat -c '%i %a' . > seen", "seen"),
    ];
    write(&project, &stages);
    compt(&project, &["run", FILE, "--jobs", "1"]);
    let seen = |stage: &str| project.read(&path(&project, stage));
    let (left, number) = (seen("leaves"), project.read("note").lines().next().unwrap().to_owned());
    let is_gone = !Command::new("kill").arg(left.trim()).output().unwrap().status.success();
    assert!(is_gone, "process {left} lives");
    assert_eq!(seen("a"), seen("b"));
    assert!(seen("b").starts_with(&number), "the one that leaves something comes to the same folder, too");
    // Where something lives, nobody comes.
    assert!(!seen("c").starts_with(&number) && !seen("kills").starts_with(&number));
    assert_eq!(seen("d"), seen("e"));
}
