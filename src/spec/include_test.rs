//! Included files: what they become, and what they are given.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Pipeline, Settings, load, render};

/// `top` includes `middle`, which includes `bottom`.
const FILES: [(&str, &str); 3] = [
    (
        "top.yaml",
        "name: top\nparams: { shots: 4, seeds: [7, 8] }\nprofiles: { smoke: { shots: 2 } }\ninclude:\n  - file: \
         deep/middle.yaml\n    set: { k: \"${shots}\", seed: [\"${seeds}\", 9] }\nstages:\n  all:\n    run: { text: { \
         from: [middle.table, middle.bottom.data], note: \"${seed}\" } }\n",
    ),
    (
        "deep/middle.yaml",
        "name: middle\nparams: { k: 16, epochs: 40 }\nprofiles: { smoke: { k: 1, epochs: 3 } }\naxes: { seed: [1] \
         }\ninclude: [bottom.yaml]\nstages:\n  table:\n    matrix: { seed: axes.seed }\n    run: { draw: { from: \
         bottom.data, k: \"${k}\", epochs: \"${epochs}\", seed: \"${seed}\" } }\n",
    ),
    (
        "deep/bottom.yaml",
        "name: bottom\nprofiles: { smoke: { kind: [small] } }\naxes: { kind: [large, huge] }\nstages:\n  data: { \
         matrix: { kind: axes.kind }, run: { fetch: { kind: \"${kind}\" } } }\n",
    ),
];

fn pipeline(profile: Option<&str>, set: &[(&str, &str)]) -> Pipeline {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in FILES {
        let path = folder.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    let set = set.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let settings = Settings { profile: profile.map(str::to_owned), set };
    load(&folder.path().join("top.yaml"), &settings).unwrap_or_else(|bad| panic!("{}", render(&bad, false)))
}

fn parameters(pipeline: &Pipeline, stage: &str, seed: &str) -> Value {
    let coordinates = BTreeMap::from([("seed".to_owned(), seed.to_owned())]);
    pipeline.parameters_at(pipeline.stage(stage).unwrap(), &coordinates).unwrap()
}

#[test]
fn included_stages_have_their_pipeline_before_their_name() {
    let pipeline = pipeline(None, &[]);
    let names: Vec<_> = pipeline.stages.iter().map(|stage| (stage.name.as_str(), stage.scope.as_str())).collect();
    assert_eq!(names, [("middle.bottom.data", "middle.bottom"), ("middle.table", "middle"), ("all", "")]);
    let table = pipeline.stage("middle.table").unwrap();
    assert_eq!(table.from, ["middle.bottom.data"]);
    // It still knows where it stands.
    assert_eq!(table.parameter_path("k"), "stages.table.run.draw.k");
    let problem = table.file.problem(&table.parameter_path("k"), "compt::plan::x", "x");
    assert_eq!(problem.line_column(), Some((9, 42)));
    assert!(table.file.path().ends_with("deep/middle.yaml"));
}

#[test]
fn set_wins_over_the_profile_and_hands_parameters_on() {
    let plain = pipeline(None, &[]);
    assert_eq!(parameters(&plain, "middle.table", "8"), json!({ "k": 4, "epochs": 40, "seed": 8 }));
    let seeds: Vec<_> = plain.stage("middle.table").unwrap().matrix.as_ref().unwrap()[0].1.clone();
    assert_eq!(seeds.iter().map(|seed| seed.text.as_str()).collect::<Vec<_>>(), ["7", "8", "9"]);
    let smoke = pipeline(Some("smoke"), &[]);
    // The profile of each file that has it; `k` is handed on by `top`, whose profile sets `shots`.
    assert_eq!(parameters(&smoke, "middle.table", "8"), json!({ "k": 2, "epochs": 3, "seed": 8 }));
    assert_eq!(smoke.stage("middle.bottom.data").unwrap().matrix.as_ref().unwrap()[0].1.len(), 1);
    let set = pipeline(Some("smoke"), &[("shots", "5")]);
    assert_eq!(parameters(&set, "middle.table", "7")["k"], 5);
    // A reader outside has the axes of what it reads, with their types.
    assert_eq!(parameters(&set, "all", "7"), json!({ "note": 7 }));
}

#[test]
fn included_pipelines_keep_their_titles_by_the_scope_of_their_stages() {
    let included = pipeline(None, &[]).included;
    let scopes: Vec<&str> = included.keys().map(String::as_str).collect();
    assert_eq!(scopes, ["middle", "middle.bottom"]);
    // Without a title the name stands for it.
    assert_eq!(included["middle.bottom"], "bottom");
}
