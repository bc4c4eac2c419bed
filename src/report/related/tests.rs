//! Table 9 of the paper, as printed and on comparable columns. Expected averages are from METHODS 4.3 or by hand.

use std::path::Path;

use super::super::frame::Score;
use super::super::frame::tests::{results, score};
use super::*;

const TASKS: [&str; 8] = ["mnli", "qqp", "qnli", "sst2", "stsb", "mrpc", "rte", "cola"];

fn table_9() -> Published {
    Published::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/published/table9_related.csv")).unwrap()
}

/// SPP with two seeds on all eight tasks, CoLA and STS-B in these metrics: task number t has 80 + t and 82 + t.
fn ours(cola: &str, stsb: &str) -> OurTable {
    let mut scores = Vec::new();
    for (seed, base) in [(1, 80.0), (2, 82.0)] {
        for (at, task) in TASKS.into_iter().enumerate() {
            let of = match task {
                "cola" => cola,
                "stsb" => stsb,
                _ => "accuracy",
            };
            let score = score(&format!("method=spp seed={seed}"), task, "learned", base + at as f64);
            scores.push(Score { of: of.to_owned(), ..score });
        }
    }
    let layout = Layout {
        rows: vec!["method".to_owned()],
        columns: Some(TASK.to_owned()),
        mean_over: vec!["seed".to_owned()],
        metric: "score".to_owned(),
        prompt: "learned".to_owned(),
        ..Layout::default()
    };
    OurTable { results: results(scores), layout }
}

fn averages(table: &Table) -> Vec<(&str, f64)> {
    let last = |row: &Row| row.cells.last().unwrap().as_ref().unwrap().summary.mean;
    table.rows.iter().map(|row| (row.key[1].as_str(), (last(row) * 10.0).round() / 10.0)).collect()
}

#[test]
fn on_comparable_columns_the_order_of_table_9_turns() {
    // METHODS 4.3 leaves CoLA out and lets Pearson pass for Spearman: 86.6, 88.3, 88.2 and 89.0 over seven tasks.
    let alike = ["pearson", "spearman"].map(str::to_owned);
    let related = Related::of(&[ours("accuracy", "spearman")], &table_9(), "method", &alike).unwrap();
    let printed = averages(&related.printed);
    assert_eq!((printed[0], printed[6]), (("ComPT-SPP", 86.0), ("MPT", 85.8)));
    let comparable = averages(&related.comparable);
    let of = |name: &str| comparable.iter().find(|(row, _)| *row == name).unwrap().1;
    assert_eq!([of("ComPT-SPP"), of("FineTuning"), of("ATTEMPT-m"), of("MPT")], [86.6, 88.3, 88.2, 89.0]);
    // Ours: seven tasks 0 to 6 on 81: 84; over all eight 84.5. Seeds: 83 and 85, sd sqrt(2).
    assert_eq!((printed[7], of("spp")), (("spp", 84.5), 84.0));
    let own = related.comparable.rows[7].cells[7].as_ref().unwrap().summary;
    assert!((own.sd.unwrap() - 2f64.sqrt()).abs() < 1e-12 && own.n == 2);
    assert_eq!(related.lines(), ["spp is 5 of 8 as printed and 7 of 8 on the 7 comparable columns"]);
    let left_out: Vec<String> = related.left_out.iter().map(LeftOut::reason).collect();
    assert_eq!(
        left_out,
        ["cola: accuracy in ComPT-SPP, spp; matthews in FineTuning, PT, Spot, ATTEMPT, ATTEMPT-m, MPT"]
    );
}

#[test]
fn metrics_are_one_only_where_that_is_said() {
    let related = Related::of(&[ours("accuracy", "spearman")], &table_9(), "method", &[]).unwrap();
    let left_out: Vec<&str> = related.left_out.iter().map(|column| column.task.as_str()).collect();
    assert_eq!(left_out, ["stsb", "cola"]);
    // ComPT-SPP without both: (82.1 + 89.6 + 92.8 + 93.2 + 86.0 + 73.3) / 6 = 86.17.
    assert_eq!(averages(&related.comparable)[0], ("ComPT-SPP", 86.2));
    // In the other convention ours goes with the cited rows, but the paper's own row does not.
    let related = Related::of(&[ours("matthews", "pearson")], &table_9(), "method", &[]).unwrap();
    assert_eq!(related.left_out.len(), 2);
    let mut cited = table_9();
    cited.rows.retain(|row| row.keys["method"] != "ComPT-SPP");
    let related = Related::of(&[ours("matthews", "pearson")], &cited, "method", &[]).unwrap();
    assert_eq!(related.left_out, []);
    assert!(related.markdown(1).ends_with("\nAll columns compare: every row has them, in one metric.\n"));
}

#[test]
fn columns_that_a_row_lacks_are_left_out() {
    let mut ours = ours("accuracy", "spearman");
    ours.results.scores.retain(|score| score.task == "rte" || score.task == "mnli");
    let related = Related::of(&[ours], &table_9(), "method", &[]).unwrap();
    let columns: Vec<&str> = related.comparable.columns.iter().map(|column| column.value.as_str()).collect();
    assert_eq!(columns, ["mnli", "rte", "average"]);
    // Ours: mnli 81, rte 87; its average over two tasks stands beside the printed ones over eight, so it is not shown.
    assert_eq!(averages(&related.comparable)[7], ("spp", 84.0));
    assert_eq!(related.printed.rows[7].cells[8], None);
    assert!(related.left_out[0].reason().starts_with("qqp: no number in spp; accuracy in ComPT-SPP, "));
}

#[test]
fn both_tables_are_written() {
    let alike = ["pearson", "spearman"].map(str::to_owned);
    let related = Related::of(&[ours("accuracy", "spearman")], &table_9(), "method", &alike).unwrap();
    let page = related.markdown(1);
    let printed = page.split("## On comparable").next().unwrap();
    assert!(page.contains("| source | method | mnli (accuracy) |"), "{page}");
    // CoLA mixes two metrics: nobody is the best there, nor on an average with it.
    assert!(printed.contains("| published | ComPT-SPP | 82.1 |") && printed.contains(" 81.8 | 86.0 |"), "{page}");
    assert!(page.contains("| published | MPT | 84.3 |") && page.contains("**89.0** |"), "{page}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("comparison.csv");
    sheet::write(&path, related.frame().unwrap()).unwrap();
    let csv = fs_err::read_to_string(path).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "table,source,method,task,metric,mean,sd,n");
    assert_eq!(lines[1], "printed,published,ComPT-SPP,mnli,accuracy,82.1,,");
    // 8 rows with 9 columns, then 8 rows with 8.
    assert_eq!(lines.len(), 1 + 8 * 9 + 8 * 8);
    let latex = related.latex(1, &latex::Frame { caption: "Table 9.".to_owned(), label: "tab:9".to_owned() });
    assert_eq!(latex.matches("\\begin{tabular}{llrrrrrrrrr}").count(), 1);
    assert_eq!(latex.matches("\\begin{tabular}{llrrrrrrrr}").count(), 1);
    assert!(
        latex.contains("\\label{tab:9-comparable}") && latex.contains("cola: accuracy in ComPT-SPP, spp; matthews in")
    );
}

#[test]
fn faults() {
    let error = Related::of(&[ours("accuracy", "spearman")], &table_9(), "system", &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`beside` names the column `system`, but the published table has `table`, `method`, `task`"
    );
    let mut twice = table_9();
    twice.rows.push(twice.rows[0].clone());
    let error = Related::of(&[], &twice, "method", &[]).unwrap_err();
    assert_eq!(error.to_string(), "the published table has two rows for `ComPT-SPP` and `mnli`");
    let mut sweep = ours("accuracy", "spearman");
    sweep.layout.columns = None;
    let error = Related::of(&[sweep], &table_9(), "method", &[]).unwrap_err();
    assert_eq!(error.to_string(), "the columns of our table are not tasks");
}
