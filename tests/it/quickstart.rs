//! What `make run` shows: the quickstart on the built-in backbone, with few shots and few test rows.

use std::collections::BTreeSet;

use crate::project::{Project, both};

#[test]
fn the_quickstart_ends_with_the_table_and_the_claims() {
    let project = Project::new();
    let pipeline = fs_err::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/pipelines/quickstart.yaml")).unwrap();
    project.write("pipelines/quickstart.yaml", &pipeline);
    let small = ["epochs=1", "k=4", "test_samples=16", "seed=[1]"].map(|value| ["--set", value]).concat();
    let output = project.compt(&[&["run", "pipelines/quickstart.yaml", "--jobs", "2"][..], &small].concat());
    assert!(output.status.success(), "{}", both(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let place = |part: &str| text.find(part).unwrap_or_else(|| panic!("no {part:?} in:\n{text}"));
    // First the table, then the claims, then where the files lie.
    let order = ["yelp-polarity", "average", "claims", "outputs/quickstart/table/", "outputs/quickstart/claims/"];
    assert!(order.map(place).is_sorted(), "{text}");
    for says in pipeline.lines().filter_map(|line| line.trim().strip_prefix("says: \"")) {
        // A screen may be narrower than a claim.
        place(&says[..says.len().min(25)]);
    }
    let csv = project.read("outputs/quickstart/table/results.csv");
    assert!(text.contains("results.csv"), "{text}");
    let header: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
    let column = |name: &str| header.iter().position(|other| *other == name).unwrap();
    let (method, task, prompt, metric) = (column("method"), column("task"), column("prompt"), column("metric"));
    let scored: BTreeSet<[&str; 2]> = csv
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect::<Vec<_>>())
        .filter(|row| row[prompt] == "learned" && row[metric] == "score")
        .map(|row| [row[method], row[task]])
        .collect();
    let tasks = ["imdb", "mrpc", "multinli", "paws", "scitail", "yelp_polarity"];
    let expected = ["mst", "pt", "scp", "spp"].iter().flat_map(|method| tasks.map(|task| [*method, task]));
    assert_eq!(scored, expected.collect());
}
