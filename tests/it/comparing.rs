//! `compt compare`: what it prints and writes, its messages and exit codes. The runs are output folders made by hand.

use std::process::Output;

use crate::project::Project;

const LAYOUT: &str = r#"{"rows": ["method"], "columns": "task", "mean_over": ["seed"], "metric": "score", "metrics": {},
  "prompt": "learned", "references": {}}"#;

/// An output folder with one table; each score as `task seed value`.
fn run(project: &Project, folder: &str, scores: &[(&str, u32, f64)]) {
    let mut csv = "method,seed,task,prompt,metric,of,value,examples\n".to_owned();
    for (task, seed, value) in scores {
        csv += &format!("spp,{seed},{task},learned,score,accuracy,{value:?},100\n");
        csv += &format!("spp,{seed},{task},learned,matthews,,{:?},100\n", value / 2.0);
    }
    project.write(&format!("{folder}/results.csv"), &csv);
    project.write(&format!("{folder}/layout.json"), LAYOUT);
}

fn sample() -> Project {
    let project = Project::new();
    run(&project, "outputs/new/table", &[("rte", 1, 80.0), ("rte", 2, 84.0), ("mrpc", 1, 60.0), ("mrpc", 2, 61.0)]);
    run(&project, "outputs/old/table", &[("rte", 1, 60.0), ("rte", 2, 63.0), ("mrpc", 1, 60.0), ("mrpc", 2, 62.0)]);
    project
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn compare(project: &Project, arguments: &[&str]) -> (Option<i32>, Output) {
    let output = project.compt(&[&["compare"], arguments].concat());
    (output.status.code(), output)
}

#[test]
fn two_runs() {
    let project = sample();
    let (code, output) = compare(&project, &["new", "outputs/old/table", "--output", "diff"]);
    assert_eq!(code, Some(0), "{}", text(&output.stderr));
    // rte: 20 and 21, m 20.5, t(1) 12.706 * 0.5 = 6.35; but 20.5 of 100 examples need 1.96 * sqrt(20.5 * 79.5 / 100) = 7.91.
    // mrpc: 0 and -1, m -0.5 -+ 6.35. Average: by seed 10 and 10; least (20.5 * 79.5 + 0.5 * 99.5) / 400 -> 4.02.
    insta::assert_snapshot!(text(&output.stdout), @r"
    method  task     metric       A     B  n  A - B  95 % interval  beyond noise
    spp     rte      accuracy  82.0  61.5  2   20.5   12.6 to 28.4           yes
    spp     mrpc     accuracy  60.5  61.0  2   -0.5    -6.9 to 5.9            no
    spp     average  accuracy  71.2  61.2  2   10.0    6.0 to 14.0           yes

    A is new, B is outputs/old/table
    3 cells in both; 2 of 3 differ beyond noise; only in A: 0, only in B: 0
    ");
    let csv = fs_err::read_to_string(project.path("diff/comparison.csv")).unwrap();
    assert!(csv.starts_with(
        "method,task,metric,a,b,n,difference,low,high,interval,beyond_noise\nspp,rte,accuracy,82.0,61.5,2,20.5,"
    ));
    assert!(fs_err::read_to_string(project.path("diff/comparison.md")).unwrap().contains("| **20.5** |"));
    let (_, output) = compare(&project, &["new", "old", "--json", "--metric", "matthews"]);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["rows"][0]["metric"], &told["rows"][0]["a"]), (&"matthews".into(), &41.0.into()));
}

#[test]
fn exit_codes_for_ci() {
    let project = sample();
    let code = |arguments: &[&str]| compare(&project, arguments).0;
    assert_eq!(code(&["new", "old", "--fail-on", "difference"]), Some(8));
    assert_eq!(code(&["new", "new", "--fail-on", "any"]), Some(0));
    run(&project, "outputs/near", &[("rte", 1, 80.0), ("rte", 2, 83.0), ("mrpc", 1, 60.0), ("mrpc", 2, 61.0)]);
    assert_eq!(code(&["new", "near", "--fail-on", "difference"]), Some(0));
    assert_eq!(code(&["new", "near", "--fail-on", "any"]), Some(8));
}

#[test]
fn a_run_and_a_published_table() {
    let project = sample();
    project.write("paper.csv", "method,k,task,metric,score\nSPP,8,rte,accuracy,50\nSPP,16,rte,accuracy,81\n");
    let (code, output) = compare(&project, &["new", "paper.csv", "--where", "k=16"]);
    assert_eq!(code, Some(0), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    // 82 less 81: 2 * sqrt(81 * 19 / 100 + 82 * 18 / 100 + 2^2) = 2 * sqrt(34.15) = 11.7.
    assert!(printed.contains("82.0  81.0  2    1.0  -10.7 to 12.7"), "{printed}");
    let (_, output) = compare(&project, &["paper.csv", "new", "--where", "k=16"]);
    assert!(text(&output.stdout).contains("81.0  82.0  2   -1.0  -12.7 to 10.7"), "{}", text(&output.stdout));
    let (code, output) = compare(&project, &["new", "paper.csv"]);
    assert_eq!(code, Some(3));
    assert!(text(&output.stderr).contains("(`--where k=8`)"), "{}", text(&output.stderr));
}

#[test]
fn messages() {
    let project = sample();
    run(&project, "outputs/both/table", &[("rte", 1, 80.0)]);
    run(&project, "outputs/both/table_mcc", &[("rte", 1, 80.0)]);
    run(&project, "outputs/other", &[("imdb", 1, 80.0)]);
    project.write("outputs/empty/run.json", "{}");
    project.write("paper.csv", "method,task,score\nSPP,cola,50\n");
    let said = |arguments: &[&str]| {
        let (code, output) = compare(&project, arguments);
        format!("{}[exit code {}]", text(&output.stderr), code.unwrap_or(-1))
    };
    insta::assert_snapshot!(said(&["nwe", "old"]), @r"
    error: there is no run and no file `nwe`, here or in `outputs`

    hint: did you mean `new`?
    [exit code 3]
    ");
    insta::assert_snapshot!(said(&["new", "both"]), @r"
    error: `outputs/both` holds 2 tables: `table`, `table_mcc`

    hint: name one of them, for example `outputs/both/table`
    [exit code 2]
    ");
    insta::assert_snapshot!(said(&["new", "empty"]), @r"
    error: `outputs/empty` holds no table of a run

    hint: a run has one when its pipeline has an `aggregate` stage; `compt run FILE` writes it
    [exit code 3]
    ");
    insta::assert_snapshot!(said(&["new", "other"]), @r"
    error: `new` and `other` have no cell in common

    hint: cells agree on `method`, `task`; both runs need one with the same values
    [exit code 3]
    ");
    insta::assert_snapshot!(said(&["new", "paper.csv"]), @r"
    error: `new` and `paper.csv` have no cell in common

    hint: `--key OURS=THEIRS` says which published column goes with one of our axes
    [exit code 3]
    ");
    insta::assert_snapshot!(said(&["paper.csv", "paper.csv"]), @r"
    error: `paper.csv` and `paper.csv` are both published tables

    hint: one of the two must be a run: `compt compare outputs/NAME TABLE.csv`
    [exit code 2]
    ");
    insta::assert_snapshot!(said(&["new", "old", "--metric", "acuracy"]), @r"
    error: there is no metric `acuracy`

    hint: did you mean `accuracy`?
    [exit code 2]
    ");
    let csv = fs_err::read_to_string(project.path("outputs/old/table/results.csv")).unwrap();
    project.write("outputs/old/table/results.csv", &csv.replace("score,accuracy", "score,f1"));
    insta::assert_snapshot!(said(&["new", "old"]), @r"
    error: the task `rte` is in `accuracy` in `new` and in `f1` in `old`

    hint: type `--metric rte=accuracy` to compare it by that one in both
    [exit code 3]
    ");
}
