//! Tables of hand-made results; every expected number is computed by hand in a comment.

use super::super::frame::tests::{results, score};
use super::*;

fn layout(rows: &[&str], columns: &str, mean_over: &[&str]) -> Layout {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Layout {
        rows: owned(rows),
        columns: (!columns.is_empty()).then(|| columns.to_owned()),
        mean_over: owned(mean_over),
        metric: "score".to_owned(),
        prompt: "learned".to_owned(),
        ..Layout::default()
    }
}

/// Two methods, two tasks, two seeds; pt lacks one task. stsb is in Spearman.
fn sample() -> Results {
    let mut scores = Vec::new();
    let mut add = |axes: &str, task: &str, value: f64| {
        let mut score = score(axes, task, "learned", value);
        if task == "stsb" {
            score.of = "spearman".to_owned();
            score.examples = 50;
        }
        scores.push(score);
    };
    add("method=spp seed=2", "rte", 60.0);
    add("method=spp seed=2", "stsb", 80.0);
    add("method=spp seed=10", "rte", 64.0);
    add("method=spp seed=10", "stsb", 90.0);
    add("method=pt seed=2", "rte", 50.0);
    results(scores)
}

fn csv(frame: DataFrame) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.csv");
    sheet::write(&path, frame).unwrap();
    fs_err::read_to_string(path).unwrap()
}

#[test]
fn shaped_like_the_paper() {
    let table = Table::build(&sample(), &layout(&["method"], "task", &["seed"])).unwrap();
    // rte: 60, 64 -> mean 62, sd sqrt(8) = 2.83; stsb: 80, 90 -> 85, sqrt(50) = 7.07;
    // average: mean of 62 and 85 = 73.5; by seed 70 and 77 -> sd sqrt(24.5) = 4.95.
    assert_eq!(
        csv(table.wide(1).unwrap()),
        "method,rte accuracy mean,rte accuracy sd,rte n,stsb spearman mean,stsb spearman sd,stsb n,\
         average score mean,average score sd,average n\n\
         spp,62.0,2.8,2,85.0,7.1,2,73.5,4.9,2\n\
         pt,50.0,,1,,,,,,\n"
    );
    assert_eq!(
        csv(table.long().unwrap()),
        "method,task,metric,mean,sd,n,examples,reference\n\
         spp,rte,accuracy,62.0,2.8284271247461903,2,100,\n\
         spp,stsb,spearman,85.0,7.0710678118654755,2,50,\n\
         spp,average,score,73.5,4.949747468305833,2,,\n\
         pt,rte,accuracy,50.0,,1,100,\n\
         pt,stsb,spearman,,,,,\n\
         pt,average,score,,,,,\n"
    );
}

#[test]
fn long_form_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cells.csv");
    for rows in [&["method"][..], &[]] {
        let mut results = sample();
        results.scores.truncate(4);
        let table = Table::build(&results, &layout(rows, "task", &["seed"])).unwrap();
        sheet::write(&path, table.long().unwrap()).unwrap();
        assert_eq!(Table::read(&path).unwrap(), table);
    }
}

#[test]
fn mean_over_tasks_and_other_columns() {
    let results = results(vec![
        score("k=8 seed=1", "rte", "learned", 50.0),
        score("k=8 seed=1", "mrpc", "learned", 60.0),
        score("k=8 seed=2", "rte", "learned", 54.0),
        score("k=8 seed=2", "mrpc", "learned", 62.0),
        score("k=16 seed=1", "rte", "learned", 70.0),
    ]);
    let table = Table::build(&results, &layout(&[], "k", &["seed", "task"])).unwrap();
    // k=8: task means 52 and 61 -> 56.5; by seed 55 and 58 -> sd sqrt(4.5) = 2.12. k=16 lacks mrpc.
    assert_eq!(
        csv(table.wide(2).unwrap()),
        "k=8 accuracy mean,k=8 accuracy sd,k=8 n,k=16 accuracy mean,k=16 accuracy sd,k=16 n\n56.50,2.12,2,,,\n"
    );
}

#[test]
fn wrong_layouts_say_what_to_do() {
    let fails = |layout: Layout| {
        let error = Table::build(&sample(), &layout).unwrap_err();
        (error.to_string(), error.hint().unwrap().to_owned())
    };
    let (message, hint) = fails(layout(&["metod"], "task", &["seed"]));
    assert_eq!(message, "`rows` names the axis `metod`, but the scores have `method`, `seed`, `task`");
    assert_eq!(hint, "did you mean `method`?");
    let (message, hint) = fails(layout(&["method"], "task", &[]));
    assert_eq!(message, "two scores fall into the cell method=spp task=rte: they differ in `seed` (`2` and `10`)");
    assert_eq!(hint, "name `seed` in `mean_over` or in `rows`, or narrow what is read with `only`");
    let (message, _) = fails(Layout { metric: "f2".to_owned(), ..layout(&["method"], "task", &["seed"]) });
    assert_eq!(message, "no score of `learned` prompts has the metric `f2`; there are `score`");
    let (message, _) = fails(Layout { prompt: "untrained".to_owned(), ..layout(&["method"], "task", &["seed"]) });
    assert_eq!(message, "no score is of `untrained` prompts; there are scores of `learned`");
    let mut twice = sample();
    twice.scores.push(Score { source: "other".to_owned(), ..twice.scores[0].clone() });
    let error = Table::build(&twice, &layout(&["method"], "task", &["seed"])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "two scores fall into the cell method=spp task=rte seed=2: they come from `score[spp,2]` and `other`"
    );
    // `only` chooses stages; both of these are rows of one.
    let parts = results(vec![
        score("method=spp part=src_1 weights=kept", "rte", "learned", 50.0),
        score("method=spp part=total weights=kept", "rte", "learned", 70.0),
    ]);
    let error = Table::build(&parts, &layout(&["method"], "task", &[])).unwrap_err();
    assert_eq!(
        error.hint(),
        Some("name `part` in `mean_over` or in `rows`, or give the `ablate` stage one value in `parts`")
    );
}

/// CoLA by accuracy and Matthews, STS-B by both correlations, of two methods; `score` is what the paper reports.
fn both_conventions() -> Results {
    let mut scores = Vec::new();
    for (method, shift) in [("spp", 0.0), ("pt", -10.0)] {
        for (task, metric, value) in [
            ("cola", "accuracy", 80.0),
            ("cola", "matthews", 50.0),
            ("stsb", "pearson", 88.0),
            ("stsb", "spearman", 86.0),
        ] {
            let mut score = score(&format!("method={method} seed=1"), task, "learned", value + shift);
            score.metric = metric.to_owned();
            score.of = String::new();
            scores.push(score.clone());
            if matches!(metric, "accuracy" | "spearman") {
                score.of = score.metric;
                score.metric = "score".to_owned();
                scores.push(score);
            }
        }
    }
    results(scores)
}

fn named(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[test]
fn either_metric_of_a_task() {
    let header = |layout: &Layout| {
        let csv = csv(Table::build(&both_conventions(), layout).unwrap().wide(1).unwrap());
        (csv.lines().next().unwrap().to_owned(), csv.lines().nth(1).unwrap().to_owned())
    };
    let paper = layout(&["method"], "task", &["seed"]);
    let columns = |cola: &str, stsb: &str, average: &str| {
        format!(
            "method,cola {cola} mean,cola {cola} sd,cola n,stsb {stsb} mean,stsb {stsb} sd,stsb n,average {average} mean,\
             average {average} sd,average n"
        )
    };
    assert_eq!(header(&paper), (columns("accuracy", "spearman", "score"), "spp,80.0,,1,86.0,,1,83.0,,1".to_owned()));
    let other = Layout { metrics: named(&[("CoLA", "matthews"), ("stsb", "pearson")]), ..paper };
    assert_eq!(header(&other), (columns("matthews", "pearson", "mixed"), "spp,50.0,,1,88.0,,1,69.0,,1".to_owned()));
}

#[test]
fn a_metric_that_a_task_lacks_is_an_error() {
    let fails = |layout: Layout| {
        let error = Table::build(&both_conventions(), &layout).unwrap_err();
        (error.to_string(), error.hint().unwrap().to_owned())
    };
    let paper = layout(&["method"], "task", &["seed"]);
    let (message, hint) = fails(Layout { metric: "accuracy".to_owned(), ..paper.clone() });
    assert_eq!(message, "`score[spp,1]` has no `accuracy` of the task `stsb`; it has `pearson`, `score`, `spearman`");
    assert_eq!(
        hint,
        "choose one of these for the task, such as `metrics: { stsb: pearson }`, or add `accuracy` to `metrics` in the \
         task's data set file"
    );
    let (message, hint) = fails(Layout { metrics: named(&[("colla", "matthews")]), ..paper });
    assert_eq!(message, "`metrics` names the task `colla`, but the scores are of `cola`, `stsb`");
    assert_eq!(hint, "did you mean `cola`?");
}

#[test]
fn a_column_is_in_one_metric() {
    let fails = |results: &Results, layout: Layout| {
        let error = Table::build(results, &layout).unwrap_err();
        (error.to_string(), error.hint().unwrap().to_owned())
    };
    let (message, hint) = fails(&both_conventions(), layout(&["task"], "method", &["seed"]));
    assert_eq!(message, "the column method=spp would mix `accuracy` (`score[spp,1]`) and `spearman` (`score[spp,1]`)");
    assert_eq!(hint, "put `task` in `columns`, or choose with `metric` one that all tasks have");
    let mut changed = sample();
    changed.scores[4].of = "f1".to_owned();
    let (message, hint) = fails(&changed, layout(&["method"], "task", &["seed"]));
    assert_eq!(message, "the task `rte` would mix `accuracy` (`score[spp,2]`) and `f1` (`score[pt,2]`)");
    assert_eq!(hint, "choose one that both have: `metrics: { rte: accuracy }`");
}

#[test]
fn a_sweep_has_one_column() {
    let table = Table::build(&sample(), &layout(&["method"], "", &["seed", "task"])).unwrap();
    // As the average of the table with tasks as columns: mean of 62 and 85; by seed 70 and 77, sd sqrt(24.5).
    assert_eq!(
        csv(table.long().unwrap()),
        "method,task,metric,mean,sd,n,examples,reference\n\
         spp,average,score,73.5,4.949747468305833,2,,\n\
         pt,average,score,,,,,\n"
    );
    assert!(csv(table.wide(1).unwrap()).starts_with("method,average score mean,average score sd,average n\nspp,73.5"));
}

#[test]
fn learned_and_untrained_prompts_side_by_side() {
    let mut scores = sample().scores;
    scores.truncate(4);
    let untrained =
        scores.clone().into_iter().map(|score| Score { prompt: "untrained".to_owned(), value: 99.0, ..score });
    scores.extend(untrained);
    let references = [("prompt".to_owned(), vec!["untrained".to_owned()])].into();
    let wanted = Layout { references, ..layout(&["method", "prompt"], "task", &["seed"]) };
    let table = Table::build(&results(scores), &wanted).unwrap();
    let rows: Vec<_> = table.rows.iter().map(|row| (row.key.join(" "), row.reference)).collect();
    assert_eq!(rows, [("spp learned".to_owned(), false), ("spp untrained".to_owned(), true)]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cells.csv");
    sheet::write(&path, table.long().unwrap()).unwrap();
    assert_eq!(Table::read(&path).unwrap(), table);
}

#[test]
fn a_layout_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout { metrics: named(&[("cola", "matthews")]), ..layout(&["method"], "", &["seed", "task"]) };
    layout.write(folder.path()).unwrap();
    assert_eq!(Layout::read(folder.path()).unwrap(), layout);
    fs_err::write(folder.path().join("layout.json"), "{\n  \"rows\": 3\n}\n").unwrap();
    let error = Layout::read(folder.path()).unwrap_err().to_string();
    assert!(error.contains("layout.json`, line 2: this is not a table's layout: "), "{error}");
}
