//! Intervals against scipy 1.17 (`ttest_rel` and `ttest_ind(equal_var=False)` with `confidence_interval`), the rest by hand.

use proptest::prelude::*;

use super::super::frame::tests::{results, score};
use super::super::sheet;
use super::*;

/// A run of one method; each score as `task seed value`.
fn side(name: &str, scores: &[(&str, u32, f64)]) -> Side {
    let scores = scores
        .iter()
        .map(|(task, seed, value)| score(&format!("method=spp seed={seed}"), task, "learned", *value))
        .collect();
    let layout = Layout {
        rows: vec!["method".to_owned()],
        columns: Some(TASK.to_owned()),
        mean_over: vec!["seed".to_owned()],
        metric: "score".to_owned(),
        prompt: "learned".to_owned(),
        ..Layout::default()
    };
    Side { name: name.to_owned(), results: results(scores), layout }
}

fn close(difference: &Difference, low: f64, high: f64) {
    let ends = difference.ends().unwrap();
    assert!((ends.0 - low).abs() < 1e-6 && (ends.1 - high).abs() < 1e-6, "{ends:?}");
}

const A: [(&str, u32, f64); 6] =
    [("rte", 1, 80.0), ("rte", 2, 84.0), ("rte", 3, 81.0), ("mrpc", 1, 60.0), ("mrpc", 2, 61.0), ("mrpc", 3, 65.0)];

#[test]
fn seeds_in_common_are_paired() {
    let b =
        [("rte", 1, 76.0), ("rte", 2, 78.0), ("rte", 3, 80.0), ("mrpc", 1, 61.0), ("mrpc", 2, 59.0), ("mrpc", 3, 60.0)];
    let compared = Differences::of_runs(&side("a", &A), &side("b", &b)).unwrap();
    assert_eq!(compared.names, ["method", "task"]);
    let [rte, mrpc, average] = &compared.lines[..] else { panic!("{compared:?}") };
    assert_eq!((rte.n, rte.interval, rte.beyond_noise()), (3, "paired", Some(false)));
    close(rte, -2.5849428127091083, 9.918276146042441);
    close(mrpc, -5.452413135250989, 9.452413135250989);
    // By seed 70, 72.5, 73 and 68.5, 68.5, 70.
    assert_eq!(average.keys, ["spp", "average"]);
    close(average, -0.29247140635455393, 5.9591380730212204);
    assert!((average.a.unwrap() - 215.5 / 3.0).abs() < 1e-9 && average.b == Some(69.0));
    assert_eq!(compared.summary(), "3 cells in both; 0 of 3 differ beyond noise; only in A: 0, only in B: 0");
}

#[test]
fn other_seeds_are_not_paired() {
    let compared =
        Differences::of_runs(&side("a", &A[..3]), &side("b", &[("rte", 8, 76.0), ("rte", 9, 77.0)])).unwrap();
    let [rte] = &compared.lines[..] else { panic!("{compared:?}") };
    // 81.667 - 76.5; scipy has 2.597 degrees of freedom, which are 2 here: 4.302653 * 1.301708 = 5.600799.
    assert_eq!((rte.n, rte.interval, rte.beyond_noise()), (2, "unpaired", Some(false)));
    close(rte, 81.0 + 2.0 / 3.0 - 76.5 - 5.600798681344102, 81.0 + 2.0 / 3.0 - 76.5 + 5.600798681344102);
}

#[test]
fn single_scores_have_the_error_of_their_examples() {
    let a = side("a", &[("rte", 1, 80.0), ("mrpc", 1, 50.0)]);
    let compared = Differences::of_runs(&a, &side("b", &[("rte", 1, 60.0), ("mrpc", 1, 50.0)])).unwrap();
    let [rte, mrpc, average] = &compared.lines[..] else { panic!("{compared:?}") };
    // (80 * 20 + 60 * 40) / 100 = 40; (2500 + 2500) / 100 = 50; average (40 + 50) / 4 = 22.5.
    assert!((rte.margin.unwrap() - 1.96 * 40f64.sqrt()).abs() < 1e-9 && rte.beyond_noise() == Some(true));
    assert!((mrpc.margin.unwrap() - 1.96 * 50f64.sqrt()).abs() < 1e-9 && mrpc.beyond_noise() == Some(false));
    assert!((average.margin.unwrap() - 1.96 * 22.5f64.sqrt()).abs() < 1e-9 && average.difference == Some(10.0));
    assert_eq!((rte.interval, compared.beyond_noise(), compared.unequal()), ("examples", 2, 2));
    // Of Matthews correlation over single seeds nothing is said.
    let matthews = |mut side: Side| {
        side.results.scores.iter_mut().for_each(|score| score.of = "matthews".to_owned());
        side
    };
    let compared = Differences::of_runs(&matthews(a.clone()), &matthews(a)).unwrap();
    assert!(compared.lines.iter().all(|line| line.beyond_noise().is_none() && line.difference == Some(0.0)));
}

#[test]
fn equal_differences_are_not_sure_differences() {
    // Both seeds differ by one example of 100: 1.96 * sqrt(0.99) = 1.95 is more than 1.
    let a = side("a", &[("rte", 1, 80.0), ("rte", 2, 84.0)]);
    let compared = Differences::of_runs(&a, &side("b", &[("rte", 1, 79.0), ("rte", 2, 83.0)])).unwrap();
    assert!((compared.lines[0].margin.unwrap() - 1.96 * 0.99f64.sqrt()).abs() < 1e-9);
    assert_eq!(compared.lines[0].beyond_noise(), Some(false));
}

#[test]
fn what_one_side_lacks_is_told() {
    let a = side("a", &[("rte", 1, 80.0), ("imdb", 1, 90.0)]);
    let compared = Differences::of_runs(&a, &side("b", &[("rte", 1, 80.0), ("cola", 1, 70.0)])).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("comparison.csv");
    sheet::write(&path, compared.frame().unwrap()).unwrap();
    let csv = fs_err::read_to_string(path).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "method,task,metric,a,b,n,difference,low,high,interval,beyond_noise");
    assert!(lines[1].starts_with("spp,rte,accuracy,80.0,80.0,1,0.0,-11.08"), "{}", lines[1]);
    assert_eq!(lines[2..], ["spp,imdb,accuracy,90.0,,1,,,,,", "spp,cola,accuracy,,70.0,1,,,,,"]);
    assert_eq!(compared.summary(), "1 cells in both; 0 of 1 differ beyond noise; only in A: 1, only in B: 1");
    assert_eq!((compared.beyond_noise(), compared.unequal()), (0, 2));
    assert!(compared.markdown(1).contains("| spp | imdb | accuracy | 90.0 | - | 1 | - | - |  |\n"));
}

#[test]
fn axes_metrics_and_cells_must_go_together() {
    let a = side("a", &[("rte", 1, 80.0)]);
    let fails = |b: Side| {
        let error = Differences::of_runs(&a, &b).unwrap_err();
        (error.to_string(), error.hint().unwrap().to_owned())
    };
    let (message, _) = fails(side("b", &[("cola", 1, 80.0)]));
    assert_eq!(message, "`a` and `b` have no cell in common");
    let mut matthews = a.clone();
    matthews.name = "b".to_owned();
    matthews.results.scores[0].of = "matthews".to_owned();
    let (message, hint) = fails(matthews);
    assert_eq!(message, "the task `rte` is in `accuracy` in `a` and in `matthews` in `b`");
    assert_eq!(hint, "type `--metric rte=accuracy` to compare it by that one in both");
    // An axis that only one side has is no matter while it has one value.
    let mut wide = side("b", &[("rte", 1, 70.0)]);
    wide.layout.rows.push("k".to_owned());
    wide.results.axes.push("k".to_owned());
    wide.results.scores[0].axes.insert("k".to_owned(), "8".to_owned());
    assert_eq!(Differences::of_runs(&a, &wide).unwrap().lines[0].difference, Some(10.0));
    let mut second = wide.results.scores[0].clone();
    second.axes.insert("k".to_owned(), "16".to_owned());
    wide.results.scores.push(second);
    assert_eq!(fails(wide).0, "the table of `b` has the axis `k` with `16`, `8`, that of `a` has no such axis");
}

proptest! {
    #[test]
    fn swapping_the_sides_turns_the_sign(
        scores in prop::collection::vec((0u32..=100, 0u32..=100, any::<bool>()), 1..6),
    ) {
        let of = |name: &str, second: bool| {
            let scores: Vec<(&str, u32, f64)> = scores
                .iter()
                .enumerate()
                .map(|(at, (a, b, apart))| {
                    let seed = at as u32 + if second && *apart { 100 } else { 0 };
                    ("rte", seed, f64::from(if second { *b } else { *a }))
                })
                .collect();
            side(name, &scores)
        };
        let (a, b) = (of("a", false), of("b", true));
        let one = Differences::of_runs(&a, &b).unwrap();
        let other = Differences::of_runs(&b, &a).unwrap();
        for (x, y) in one.lines.iter().zip(&other.lines) {
            prop_assert!((x.difference.unwrap() + y.difference.unwrap()).abs() < 1e-9);
            prop_assert_eq!((x.n, x.interval), (y.n, y.interval));
            prop_assert!((x.margin.unwrap() - y.margin.unwrap()).abs() < 1e-9);
        }
        // A run does not differ from itself.
        let same = Differences::of_runs(&a, &a).unwrap();
        prop_assert!(same.unequal() == 0 && same.beyond_noise() == 0);
    }

    #[test]
    fn the_difference_of_averages_is_the_average_of_differences(
        values in prop::collection::vec(prop::collection::vec((0u32..=100, 0u32..=100), 3), 2..5),
    ) {
        let tasks = ["rte", "mrpc", "cola"];
        let of = |name: &str, second: bool| {
            let mut scores = Vec::new();
            for (seed, row) in values.iter().enumerate() {
                scores.extend(tasks.iter().zip(row).map(|(task, (a, b))| {
                    (*task, seed as u32, f64::from(if second { *b } else { *a }))
                }));
            }
            side(name, &scores)
        };
        let compared = Differences::of_runs(&of("a", false), &of("b", true)).unwrap();
        let (average, of_tasks) = compared.lines.split_last().unwrap();
        let mean: f64 = of_tasks.iter().map(|line| line.difference.unwrap()).sum::<f64>() / 3.0;
        prop_assert!((average.difference.unwrap() - mean).abs() < 1e-9);
        prop_assert!((average.a.unwrap() - average.b.unwrap() - mean).abs() < 1e-9);
    }
}
