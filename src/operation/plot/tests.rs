use std::collections::BTreeMap;

use serde_json::json;

use super::super::aggregate::Aggregate;
use super::super::aggregate::tests::{Log, evaluated, job};
use super::*;
use crate::protocol::Input;

/// A table of two methods and two tasks over two seeds; the mean of SPP on IMDb is 82, with sd sqrt(8).
fn table(folder: &Path) -> Input {
    let mut inputs = Vec::new();
    for (method, seed, imdb, paws) in
        [("mst", "1", 70.0, 50.0), ("mst", "2", 74.0, 52.0), ("spp", "1", 80.0, 47.0), ("spp", "2", 84.0, 51.0)]
    {
        inputs.push(evaluated(folder, method, seed, "imdb", [imdb, 50.0]));
        inputs.push(evaluated(folder, method, seed, "paws", [paws, 50.0]));
    }
    let parameters = json!({"rows": "method", "mean_over": "seed"});
    let job = Job { inputs, ..job(&Aggregate, &parameters, folder) };
    Aggregate.run(&job, &mut Log::default()).unwrap();
    Input {
        stage: "table".into(),
        operation: "aggregate".into(),
        coordinates: BTreeMap::new(),
        files: job.output.into(),
    }
}

fn plot(folder: &Path, inputs: Vec<Input>, parameters: &Value) -> Result<std::path::PathBuf, StageError> {
    let job = Job { inputs, ..job(&Plot, parameters, folder) };
    Plot.run(&job, &mut Log::default())?;
    Ok(job.output)
}

#[test]
fn bars_of_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let inputs = vec![table(folder.path())];
    let parameters = json!({"kind": "bars", "x": "task", "series": "method", "where": {"task": ["imdb", "paws"]}});
    let output = plot(folder.path(), inputs, &parameters).unwrap();
    let csv = fs_err::read_to_string(output.join("figure.csv")).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "panel,series,row,x,value,low,high,n,published");
    assert_eq!(lines.len(), 5);
    let spp: Vec<&str> = lines[3].split(',').collect();
    assert_eq!((spp[1], spp[3], spp[4], spp[7]), ("spp", "imdb", "82.0", "2"));
    let high: f64 = spp[6].parse().unwrap();
    assert!((high - 82.0 - 8f64.sqrt()).abs() < 1e-9);
    let svg = fs_err::read_to_string(output.join("figure.svg")).unwrap();
    for text in ["SPP", "imdb", "accuracy (%)", "±1 standard deviation over 2 runs"] {
        assert!(svg.contains(text), "{text}");
    }
    assert!(fs_err::read(output.join("figure.png")).unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn curves_are_means_over_seeds_within_epochs() {
    let folder = tempfile::tempdir().unwrap();
    let input = |seed: &str, losses: [f64; 3]| {
        let folder = folder.path().join(format!("fit{seed}"));
        fs_err::create_dir_all(&folder).unwrap();
        let [a, b, c] = losses;
        fs_err::write(folder.join("curve.csv"), format!("step,epoch,loss\n1,1,{a}\n2,1,{b}\n3,2,{c}\n")).unwrap();
        let coordinates = [("method".to_owned(), "spp".to_owned()), ("seed".to_owned(), seed.to_owned())].into();
        Input { stage: "fit".into(), operation: "train".into(), coordinates, files: folder.into() }
    };
    let inputs = || vec![input("1", [3.0, 1.0, 1.0]), input("2", [5.0, 3.0, 2.0])];
    let parameters = json!({"kind": "curve", "x": "epoch", "series": "method", "error": "se", "name": "loss"});
    let output = plot(folder.path(), inputs(), &parameters).unwrap();
    // Epoch 1: means 2 and 4 of the runs, so 3 with sd sqrt(2) and error 1.
    let csv = fs_err::read_to_string(output.join("loss.csv")).unwrap();
    assert_eq!(csv.lines().nth(1).unwrap().split(',').nth(4), Some("3.0"));
    let error = plot(folder.path(), inputs(), &json!({"kind": "curve", "x": "epoch", "mean_over": []})).unwrap_err();
    assert!(error.message.starts_with("two values are drawn at x=") || error.message.contains("differ in"), "{error}");
}

#[test]
fn faults_name_what_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let inputs = vec![table(folder.path())];
    let error = plot(folder.path(), inputs, &json!({"kind": "bars", "x": "tsk", "series": "method"})).unwrap_err();
    assert_eq!(error.message, "`x` names the column `tsk`, but there are `method`, `metric`, `stage`, `task`");
    assert_eq!(error.hint.as_deref(), Some("did you mean `task`?"));
    let inputs = vec![table(folder.path())];
    let parameters = json!({"kind": "line", "x": "task", "series": "method"});
    let error = plot(folder.path(), inputs, &parameters).unwrap_err();
    assert_eq!(error.message, "`imdb` in the column `task` is no number, so it has no place on a numeric axis");
    let parameters = json!({"kind": "heat", "x": "part", "references": ["pt"], "name": "a/b", "y_range": [5, 1]});
    let faults = Plot.resolve(&parameters, Path::new(".")).unwrap_err();
    let paths: Vec<&str> = faults.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(paths, ["rows", "references", "name", "y_range"]);
}

#[test]
fn published_numbers_stand_beside_ours() {
    // Table 8 of the paper, without MNLI: SPP has 75 on IMDb.
    const FILE: &str = "datasets/published/table8_modularity.csv";
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let inputs = vec![table(folder.path())];
    let published = json!({"file": FILE, "where": {"include": "none"}, "label": "Table 8"});
    let parameters = json!({"kind": "bars", "x": "task", "series": "method", "published": published});
    let resolved = Plot.resolve(&parameters, root).unwrap();
    let source = crate::protocol::ResolvedSource {
        name: FILE.to_owned(),
        files: [("table8_modularity.csv".to_owned(), root.join(FILE))].into(),
    };
    let base = job(&Plot, &json!({"kind": "bars", "x": "task"}), folder.path());
    let job = Job { inputs, sources: vec![source], parameters: resolved.parameters, ..base };
    Plot.run(&job, &mut Log::default()).unwrap();
    let csv = fs_err::read_to_string(job.output.join("figure.csv")).unwrap();
    let of = |start: &str| csv.lines().find(|line| line.starts_with(start)).unwrap().rsplit(',').next().unwrap();
    assert_eq!((of(",spp,,imdb,"), of(",spp,,paws,").is_empty()), ("75.0", false));
    assert!(fs_err::read_to_string(job.output.join("figure.svg")).unwrap().contains("Table 8"));
}

#[test]
fn ends_of_error_bars_by_hand() {
    // scipy.stats.t.ppf(0.975, n - 1): 4.302653 for n = 3, 2.0301079 for n = 36.
    let data = |n: usize| {
        let rows = (0..n).map(|run| data::Row {
            keys: [("task".to_owned(), "rte".to_owned()), ("seed".to_owned(), run.to_string())].into(),
            value: Some(if run == 0 { 1.0 } else { 0.0 }),
            summary: None,
            input: run,
        });
        data::Data {
            rows: rows.collect(),
            columns: ["seed".to_owned(), "task".to_owned()].into(),
            value: String::new(),
        }
    };
    for (n, t) in [(3usize, 4.302_653), (36, 2.030_107_9)] {
        let parameters = reading::read(&json!({"kind": "bars", "x": "task", "error": "ci95"})).unwrap();
        let drawn = drawn::of(&data(n), &parameters, None).unwrap();
        // One 1 among zeros: the variance is (1 - 1/n) / (n - 1) = 1/n, so the standard error is 1/n.
        let error = drawn.marks[0].error.unwrap();
        assert!((error * n as f64 - t).abs() < 5e-4, "{error}");
    }
}
