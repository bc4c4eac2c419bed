//! Pipelines of the manual and wrong ones, planned with operations that do nothing.

use std::path::Path;

use serde_json::{Value, json};

use crate::plan::catalog::{Catalog, NOTHING, ParameterError, Place, Resolved, SourceRef};
use crate::plan::{Instance, Plan, expand};
use crate::spec::{Settings, load};

/// Operations by name with what they read: `fetch` <- `sample` <- `format` <- `train` <- `evaluate` <- `aggregate`; and one
/// that reads `format` or nothing.
struct Toys;

const TOYS: [(&str, &[&str]); 7] = [
    ("fetch", &[]),
    ("sample", &["fetch"]),
    ("format", &["sample"]),
    ("train", &["format"]),
    ("evaluate", &["train", "format"]),
    ("aggregate", &["evaluate"]),
    ("pretrain", &["format", NOTHING]),
];

impl Catalog for Toys {
    fn names(&self) -> Vec<&'static str> {
        TOYS.iter().map(|(name, _)| *name).collect()
    }

    fn resolve(&self, operation: &str, given: &Value, _: &Path) -> Option<Result<Resolved, Vec<ParameterError>>> {
        let (name, accepts) = TOYS.iter().find(|(name, _)| *name == operation)?;
        let mut parameters = given.clone();
        let fault = |path: &str, message: &str| {
            Some(Err(vec![ParameterError { path: path.into(), message: message.into(), help: None }]))
        };
        if given.get("typo").is_some() {
            return fault("typo", "unknown field `typo`, expected `k`");
        }
        if given.pointer("/gate/rate").is_some_and(|rate| !rate.is_number()) {
            return fault("gate.rate", "expected a number");
        }
        parameters.as_object_mut()?.entry("epochs").or_insert(json!(3));
        Some(Ok(Resolved {
            version: 1,
            sources: given
                .get("dataset")
                .iter()
                .map(|name| SourceRef::Dataset(name.as_str().unwrap_or("").into()))
                .collect(),
            parameters,
            accepts,
            reads_coordinates: *name == "aggregate",
            place: if *name == "train" { Place::Worker { affinity: "t5".into() } } else { Place::Thread },
            publishes: *name == "aggregate",
        }))
    }
}

/// The plan, or the errors as `line:column: message` and the advice.
fn plan(text: &str) -> Result<Plan, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.yaml");
    fs_err::write(&path, text).unwrap();
    let pipeline = load(&path, &Settings::default()).unwrap_or_else(|invalid| panic!("{invalid}"));
    expand(&pipeline, &Toys, folder.path()).map_err(|invalid| {
        let line = |problem: &crate::spec::Problem| {
            let (line, column) = problem.line_column().unwrap_or_default();
            format!("{line}:{column}: {problem} | {}", problem.help().unwrap_or_default())
        };
        invalid.problems.iter().map(line).collect()
    })
}

fn errors(text: &str) -> Vec<String> {
    plan(text).unwrap_err()
}

fn named<'a>(plan: &'a Plan, name: &str) -> &'a Instance {
    plan.find(name).unwrap_or_else(|| panic!("no `{name}` in {:?}", names(plan, "")))
}

/// The names of the instances of a stage.
fn names<'a>(plan: &'a Plan, stage: &str) -> Vec<&'a str> {
    plan.instances.iter().filter(|i| stage.is_empty() || i.stage == stage).map(Instance::name).collect()
}

fn reads<'a>(plan: &'a Plan, name: &str) -> Vec<&'a str> {
    named(plan, name).inputs.iter().map(|&input| plan.instances[input].name()).collect()
}

/// The example of the manual, with a table that gathers.
const MANUAL: &str = r#"
name: set2
params: { k: 16 }
axes: { seed: [123, 45], task: [imdb, rte], include: [none, mnli] }
stages:
  table:
    run: { aggregate: { from: score } }
  data:
    matrix: { task: [...axes.task, mnli] }
    run: { fetch: { dataset: "${task}" } }
  shots:
    matrix: { task: [...axes.task, mnli], seed: axes.seed }
    run: { sample: { from: data, k: "${k}", seed: "${seed}" } }
  text:
    run: { format: { from: shots, prefix: "{task}: " } }
  fit:
    title: joint training
    matrix: { method: [spp, scp], include: axes.include, seed: axes.seed }
    exclude: [ { method: scp, include: mnli } ]
    resources: { gpu: 1 }
    run: { train: { from: text, only: { task: [...axes.task, "${include}"] }, method: "${method}" } }
  score:
    run: { evaluate: { from: [fit, text], only: { task: axes.task } } }
"#;

#[test]
fn the_example_of_the_manual() {
    let plan = plan(MANUAL).unwrap();
    let stages: Vec<_> = plan.stages.iter().map(|stage| (stage.name.as_str(), stage.instances.len())).collect();
    // 2 methods x 2 inclusions x 2 seeds less scp with mnli: 6; each scored on 2 tasks.
    assert_eq!(stages, [("data", 3), ("shots", 6), ("text", 6), ("fit", 6), ("score", 12), ("table", 1)]);
    assert_eq!(names(&plan, "text")[..2], ["text[task=imdb,seed=123]", "text[task=imdb,seed=45]"]);
    assert_eq!(
        reads(&plan, "fit[method=spp,include=mnli,seed=45]"),
        ["text[task=imdb,seed=45]", "text[task=rte,seed=45]", "text[task=mnli,seed=45]"]
    );
    assert_eq!(
        reads(&plan, "fit[method=scp,include=none,seed=123]"),
        ["text[task=imdb,seed=123]", "text[task=rte,seed=123]"]
    );
    assert_eq!(
        reads(&plan, "score[method=spp,include=mnli,seed=45,task=rte]"),
        ["fit[method=spp,include=mnli,seed=45]", "text[task=rte,seed=45]"]
    );
    assert_eq!(reads(&plan, "table"), names(&plan, "score"));
    let shots = named(&plan, "shots[task=rte,seed=45]");
    assert_eq!(shots.parameters.value(), json!({"k": 16, "seed": 45, "epochs": 3}));
    assert_eq!(reads(&plan, shots.name()), ["data[task=rte]"]);
    assert_eq!(named(&plan, "data[task=mnli]").sources, [SourceRef::Dataset("mnli".into())]);
    let fit = named(&plan, "fit[method=spp,include=mnli,seed=45]");
    assert_eq!((fit.title.as_deref(), fit.resources["gpu"]), (Some("joint training"), 1));
    for instance in &plan.instances {
        assert!(instance.inputs.iter().all(|&input| input < instance.id), "`{}` comes too early", instance.name());
        assert_eq!(plan.instances[instance.id], *instance);
    }
}

#[test]
fn cells_with_equal_parameters_share_them() {
    let plan = plan(MANUAL).unwrap();
    let of = |name| named(&plan, name).parameters.text().as_ptr();
    assert_eq!(of("fit[method=spp,include=none,seed=45]"), of("fit[method=spp,include=mnli,seed=123]"));
    assert_ne!(of("fit[method=spp,include=none,seed=45]"), of("fit[method=scp,include=none,seed=45]"));
}

#[test]
fn comments_titles_and_the_order_of_stages_do_not_change_what_is_planned() {
    let other = MANUAL.replace("joint training", "another title").replace("stages:", "# a remark\nstages:");
    let key = |plan: &Plan| {
        let strip = |i: &Instance| (i.label.clone(), i.parameters.value(), i.inputs.clone());
        plan.instances.iter().map(strip).collect::<Vec<_>>()
    };
    assert_eq!(key(&plan(MANUAL).unwrap()), key(&plan(&other).unwrap()));
}

#[test]
fn a_table_with_a_matrix_or_a_named_axis_does_not_gather_all() {
    let tables = |run: &str| {
        let plan = plan(&MANUAL.replace("  table:\n    run: { aggregate: { from: score } }", run)).unwrap();
        names(&plan, "table").iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        tables("  table:\n    matrix: { seed: axes.seed }\n    run: { aggregate: { from: score } }"),
        ["table[seed=123]", "table[seed=45]"]
    );
    assert_eq!(tables("  table:\n    run: { aggregate: { from: score, title: \"${task}\" } }").len(), 12);
}

#[test]
fn a_cycle_is_printed_whole() {
    let found = errors(
        r#"
name: p
stages:
  a:
    run: { format: { from: c } }
  b:
    run: { sample: { from: a } }
  c:
    run: { sample: { from: b } }
  d:
    run: { format: { from: d } }
"#,
    );
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("5:28: stages read each other in a circle: `a -> c -> b -> a` | "), "{}", found[0]);
    assert!(found[1].contains("`d -> d`"), "{}", found[1]);
}

#[test]
fn all_errors_come_at_once_each_once_and_at_its_place() {
    let found = errors(
        r#"
name: p
axes: { seed: [1, 2, 3], task: [x, y] }
stages:
  data:
    matrix: { task: axes.task }
    run: { fetch: { dataset: "${task}", typo: 1 } }
  shots:
    matrix: { task: axes.task, seed: axes.seed }
    run: { smaple: { from: data } }
  fit:
    matrix: { seed: axes.seed }
    run:
      train:
        from: [shots, data]
        gate: { rate: often }
  text:
    run: { format: { k: 1 } }
"#,
    );
    let starts = [
        "7:41: unknown field `typo`, expected `k`",
        "10:12: there is no operation `smaple` | did you mean `sample`?",
        "16:23: expected a number",
        "18:20: stage `text` runs `format`, which needs `from`",
    ];
    assert_eq!(found.len(), starts.len(), "{found:#?}");
    for (found, start) in found.iter().zip(starts) {
        assert!(found.starts_with(start), "`{found}` does not start with `{start}`");
    }
}

#[test]
fn what_an_operation_can_not_read_is_refused() {
    let found = errors(
        r#"
name: p
stages:
  data:
    run: { fetch: { dataset: x } }
  more:
    run: { fetch: { from: data } }
  fit:
    run:
      train:
        from: [data]
"#,
    );
    assert_eq!(
        found,
        [
            "7:27: `fetch` reads no other stage | remove `from`",
            "11:16: `train` can't read stage `data`, which runs `fetch`: it reads `format` | add a stage that runs `format`",
        ]
    );
}

#[test]
fn what_may_read_nothing_still_reads_what_it_is_given() {
    let text = r#"
name: p
stages:
  data:
    run: { fetch: { dataset: x } }
  made:
    run: { pretrain: { steps: 1 } }
"#;
    assert_eq!(plan(text).unwrap().instances.len(), 2);
    assert_eq!(
        errors(&text.replace("steps: 1", "from: data")),
        [
            "7:30: `pretrain` can't read stage `data`, which runs `fetch`: it reads `format` | add a stage that runs `format`"
        ]
    );
}

#[test]
fn a_reader_with_nothing_to_read_is_named() {
    let found = errors(
        r#"
name: p
axes: { seed: [1, 2, 3] }
stages:
  data:
    matrix: { seed: [1] }
    run: { fetch: { dataset: x } }
  shots:
    matrix: { seed: axes.seed }
    run: { sample: { from: data, seed: "${seed}" } }
"#,
    );
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("10:28: `shots[seed=2]` (and 1 more) has nothing to read from `data` | "),
        "{}",
        found[0]
    );
}

#[test]
fn stages_without_common_cells_give_no_stage() {
    let found = errors(
        r#"
name: p
stages:
  data:
    run: { fetch: { dataset: x } }
  a:
    matrix: { seed: [1], k: [1] }
    run: { sample: { from: data, k: "${k}", seed: "${seed}" } }
  text:
    run: { format: { from: a } }
  fit:
    matrix: { seed: [1, 2] }
    run: { train: { from: text, seed: "${seed}" } }
  other:
    matrix: { seed: [2] }
    run: { sample: { from: data, k: 3, seed: "${seed}" } }
  text2:
    run: { format: { from: other } }
  score:
    run: { evaluate: { from: [text, text2] } }
"#,
    );
    assert!(found[0].starts_with("13:27: `fit[seed=2]` has nothing to read from `text`"), "{found:#?}");
    assert!(
        found[1].starts_with("20:30: stage `score` has nothing to read: `text`, `text2` have no cells"),
        "{found:#?}"
    );
    assert_eq!(found.len(), 2, "{found:#?}");
}

#[test]
fn a_matrix_by_mistake_is_refused_before_it_fills_the_memory() {
    let values: Vec<String> = (0..2_000).map(|i| i.to_string()).collect();
    let text = format!(
        "name: p\nstages:\n  data:\n    matrix: {{ a: [{0}], b: [{0}] }}\n    run: {{ fetch: {{ dataset: x, a: \"${{a}}\", b: \"${{b}}\" }} }}\n",
        values.join(", ")
    );
    let found = errors(&text);
    assert!(found[0].starts_with("3:3: stage `data` has more than 1000000 cells"), "{found:?}");
}

#[test]
fn a_hundred_thousand_instances_are_planned() {
    let seeds: Vec<String> = (0..5_000).map(|i| i.to_string()).collect();
    let text = MANUAL.replace("seed: [123, 45]", &format!("seed: [{}]", seeds.join(", ")));
    // 3 + 3 x 5000 + 3 x 5000 + 3 x 5000 + 6 x 5000 + 1, and a table that reads 30,000.
    assert_eq!(plan(&text).unwrap().instances.len(), 3 + 15_000 * 3 + 30_000 + 1);
    let text = MANUAL.replace(
        "task: [imdb, rte]",
        &format!("task: [{}]", seeds.iter().map(|s| format!("t{s}")).collect::<Vec<_>>().join(", ")),
    );
    assert_eq!(plan(&text).unwrap().instances.len(), 5001 + 5001 * 4 + 6 + 30_000 + 1);
}
