//! Comparisons with hand-made tables; every expected number is computed by hand in a comment.

use super::super::table::{Cell, Row, TableColumn};
use super::super::{latex, sheet};
use super::*;

fn published(csv: &str) -> Published {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("published.csv");
    fs_err::write(&path, csv).unwrap();
    Published::read(&path).unwrap()
}

fn cell(mean: f64, sd: Option<f64>, n: usize, examples: Option<u64>) -> Option<Cell> {
    Some(Cell { summary: Summary { mean, sd, n }, examples })
}

fn table() -> Table {
    let column = |value: &str, metric: &str| TableColumn { value: value.to_owned(), metric: metric.to_owned() };
    Table {
        row_axes: vec!["method".to_owned()],
        column_axis: TASK.to_owned(),
        columns: vec![column("yelp_polarity", "accuracy"), column("rte", "accuracy"), column(AVERAGE, "accuracy")],
        rows: vec![
            Row {
                key: vec!["spp".to_owned()],
                cells: vec![
                    cell(90.0, Some(3.0), 9, Some(100)),
                    cell(50.0, None, 1, Some(100)),
                    cell(70.0, None, 1, None),
                ],
                reference: false,
            },
            Row {
                key: vec!["new".to_owned()],
                cells: vec![cell(80.0, None, 1, Some(25)), None, None],
                reference: false,
            },
        ],
    }
}

const PUBLISHED: &str = "table,method,k,task,score\n8,SPP,16,yelp-polarity,80\n8,SPP,16,rte,64.5\n8,SPP,16,avg,72.25\n\
                         8,PT,16,rte,55\n";

fn join() -> Join {
    Join { published_examples: 100, ..Join::default() }
}

#[test]
fn by_hand() {
    let (names, ours) = cells_of(&table(), &BTreeMap::new());
    let comparison = Comparison::of(&names, &ours, &published(PUBLISHED), &join()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("comparison.csv");
    sheet::write(&path, comparison.frame(1).unwrap()).unwrap();
    // yelp: variances 80*20/100 = 16, 90*10/100 = 9, (3/3)^2 = 1 -> 2 * sqrt(26) = 10.198 >= 10.
    // rte: 64.5*35.5/100 = 22.8975, 25 -> 2 * sqrt(47.8975) = 13.84 < 14.5.
    // average: (16 + 9 + 22.8975 + 25) / 4 = 18.22 -> 8.54 >= 2.25. The published PT row has no partner.
    assert_eq!(
        fs_err::read_to_string(&path).unwrap(),
        "method,task,metric,published metric,published,ours mean,ours sd,n,difference,low,high,within_noise\n\
         spp,yelp_polarity,accuracy,,80.0,90.0,3.0,9,10.0,-0.2,20.2,yes\n\
         spp,rte,accuracy,,64.5,50.0,,1,-14.5,-28.3,-0.7,no\n\
         spp,average,accuracy,,72.2,70.0,,1,-2.2,-10.8,6.3,yes\n\
         new,yelp_polarity,accuracy,,,80.0,,1,,,,\n\
         new,rte,accuracy,,,,,,,,,\n\
         new,average,accuracy,,,,,,,,,\n\
         PT,rte,,,55.0,,,,,,,\n"
    );
    let markdown = comparison.markdown(1);
    assert!(markdown.starts_with(
        "2 cells have a published partner; 1 of 2 are within noise; ours less published is -2.2 on average; without a \
         partner: 1 of ours, 1 published\n\n| method | task | metric | published | ours | difference | within noise |\n\
         | --- | --- | --- | ---: | ---: | ---: | --- |\n\
         | spp | yelp-polarity | accuracy | 80.0 | 90.0 ± 3.0 | 10.0 | yes |\n"
    ), "{markdown}");
}

#[test]
fn in_latex_what_is_beyond_noise_is_bold() {
    let (names, ours) = cells_of(&table(), &BTreeMap::new());
    let comparison = Comparison::of(&names, &ours, &published(PUBLISHED), &join()).unwrap();
    let text = comparison.latex(1, &latex::Frame::default());
    assert!(text.contains("\\begin{tabular}{lllrrr}\n"), "{text}");
    assert!(text.contains("spp & yelp-polarity & accuracy & 80.0 & 90.0$_{3.0}$ & 10.0 \\\\\n"), "{text}");
    assert!(text.contains("spp & rte & accuracy & 64.5 & 50.0 & \\textbf{$-$14.5} \\\\\n"), "{text}");
}

#[test]
fn numbers_in_different_metrics_have_no_difference() {
    let csv = "method,task,metric,score\nSPP,yelp-polarity,accuracy,80\nSPP,rte,matthews,64.5\nSPP,avg,,72.25\n";
    let (names, ours) = cells_of(&table(), &BTreeMap::new());
    let comparison = Comparison::of(&names, &ours, &published(csv), &join()).unwrap();
    let differences: Vec<Option<f64>> = comparison.lines[..3].iter().map(|line| line.difference).collect();
    // The average of the paper has Matthews in it, so it does not compare either.
    assert_eq!(differences, [Some(10.0), None, None]);
    assert_eq!(comparison.lines[1].published, Some(64.5));
    let page = comparison.markdown(1);
    assert!(page.ends_with("different metrics:\n\n- rte: ours is accuracy, published is matthews\n"), "{page}");
    let alike = Join { alike: vec!["accuracy".to_owned(), "matthews".to_owned()], ..join() };
    let comparison = Comparison::of(&names, &ours, &published(csv), &alike).unwrap();
    assert_eq!(comparison.lines[1].difference, Some(-14.5));
}

#[test]
fn keys_and_where() {
    let (names, ours) = cells_of(&table(), &[("shots".to_owned(), "16".to_owned())].into());
    assert_eq!(names, ["shots", "method", "task"]);
    let two = published(&format!("{PUBLISHED}8,SPP,32,rte,70\n"));
    let error = Comparison::of(&names, &ours, &two, &join()).unwrap_err();
    assert_eq!(error.to_string(), "several published rows answer to one cell; they differ in `k`");
    assert_eq!(
        error.hint(),
        Some("choose with `where: { k: 16 }` (`--where k=16`), or say which of our axes it is with `keys` (`--key`)")
    );
    let keyed = Join { keys: [("shots".to_owned(), "k".to_owned())].into(), ..join() };
    let comparison = Comparison::of(&names, &ours, &two, &keyed).unwrap();
    assert_eq!(comparison.lines[1].published, Some(64.5));
    assert_eq!(comparison.lines.last().unwrap().keys, ["32", "SPP", "rte"]);
    let error = |our: &str, their: &str| {
        let keys = [(our.to_owned(), their.to_owned())].into();
        Comparison::of(&names, &ours, &two, &Join { keys, ..join() }).unwrap_err().to_string()
    };
    assert_eq!(error("shot", "k"), "`keys` names `shot`, but the table has `shots`, `method`, `task`");
    assert_eq!(
        error("shots", "kk"),
        "`keys` names the published column `kk`, but there are `table`, `method`, `k`, `task`"
    );
}

#[test]
fn a_table_of_averages_meets_the_published_averages() {
    let mut table = table();
    table.column_axis = "k".to_owned();
    table.columns.truncate(1);
    table.columns[0].value = "16".to_owned();
    for row in &mut table.rows {
        row.cells.truncate(1);
    }
    let (names, ours) = cells_of(&table, &BTreeMap::new());
    let comparison = Comparison::of(&names, &ours, &published(PUBLISHED), &join()).unwrap();
    assert_eq!(comparison.names, ["method", "k", "task"]);
    assert_eq!(comparison.lines[0].published, Some(72.25));
    // Errors of single tasks are not known here.
    assert_eq!(comparison.lines[0].within_noise, None);
}
