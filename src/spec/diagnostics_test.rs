//! Every bad file of `tests/diagnostics` is loaded, and what the user reads is compared with the `.stderr` beside it.
//!
//! A first line `# arguments: --profile x --set k=1` gives the settings. `COMPT_BLESS=1 cargo test` rewrites the
//! expectations; read them before committing.

use std::path::Path;

use proptest::prelude::*;

use super::read::Document;
use super::{Settings, load, render};

const FOLDER: &str = "tests/diagnostics";

const GOOD: &str = r#"name: demo
title: "a demo"
params: { k: 16, tasks: [rte, cola], rate: 1e-5 }
profiles:
  smoke: { k: 8, seed: [1] }
axes:
  seed: [1, 2]
  task: "${tasks}"
  include: [none, mnli]
stages:
  data:
    matrix: { task: [...axes.task, mnli] }
    run: { fetch: { dataset: "${task}" } }
  shots:
    matrix: { task: [...axes.task, mnli], seed: axes.seed }
    exclude: [ { task: mnli, seed: 2 } ]
    resources: { cpu: 1 }
    run: { sample: { from: data, k: "${k}", seed: "${seed}", note: "$${k}", lr: "${rate}" } }
  fit:
    matrix: { method: [spp, scp], include: axes.include, seed: axes.seed }
    run:
      train:
        from: [shots]
        only: { task: [...axes.task, "${include}"] }
        label: "${method}-${seed}"
        gate: { kind: learned, init: [0.5, "${k}"] }
  table:
    matrix: {}
    run: { aggregate: { from: fit } }
"#;

fn settings(text: &str) -> Settings {
    let mut settings = Settings::default();
    let arguments = text.lines().next().and_then(|line| line.strip_prefix("# arguments: ")).unwrap_or_default();
    let mut words = arguments.split(' ');
    while let (Some(option), Some(value)) = (words.next(), words.next()) {
        match option {
            "--profile" => settings.profile = Some(value.to_owned()),
            _ => settings.set.extend(value.split_once('=').map(|(name, text)| (name.to_owned(), text.to_owned()))),
        }
    }
    settings
}

#[test]
fn every_bad_file_has_its_message() {
    let bless = std::env::var_os("COMPT_BLESS").is_some();
    let mut files: Vec<_> = fs_err::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    assert!(files.len() > 20, "{} files in {FOLDER}", files.len());
    let mut changed = Vec::new();
    for path in files {
        let text = String::from_utf8_lossy(&fs_err::read(&path).unwrap()).into_owned();
        let said = match load(&path, &settings(&text)) {
            Ok(_) => "accepted\n".to_owned(),
            Err(invalid) => render(&invalid, false),
        };
        let expected = path.with_extension("stderr");
        if bless {
            fs_err::write(&expected, &said).unwrap();
        } else if fs_err::read_to_string(&expected).ok().as_deref() != Some(&said) {
            changed.push(format!("{}:\n{said}", path.display()));
        }
    }
    assert!(changed.is_empty(), "messages differ from their .stderr files:\n{}", changed.join("\n"));
}

/// The first parser alone would take a time that grows with the square of the depth.
#[test]
fn what_nests_without_end_is_refused() {
    for open in ["[", "{a: ", "- [", "[{a: "] {
        let text = format!("name: deep\nstages: {}", open.repeat(200_000));
        let refused = Document::parse(Path::new("deep.yaml"), &text).unwrap_err();
        let said = render(&refused, false);
        assert!(said.len() < 2_000 && said.contains("deep.yaml:2:"), "{said}");
    }
}

/// Lines are drawn in one piece with their neighbours, whichever of them is long.
#[test]
fn of_long_lines_a_part_is_shown_whatever_else_is_near() {
    let many: String = (0..9_000).map(|number| format!("x{number}: [1], ")).collect();
    let said = |text: &str| {
        let said = render(&Document::parse(Path::new("a.yaml"), text).unwrap_err(), false);
        assert!(said.contains("`a` is given twice") && said.len() < 1_000, "{said}");
        said
    };
    said(&format!("axes: {{ a: [1],\n {many} a: [2] }}\n"));
    said(&format!("axes: {{ {many} a: [1],\n a: [2] }}\n"));
    said(&format!("axes: {{ a: [1], a: [2],\n {many} }}\n"));
    // Line ends of Windows: the number beside the line is that of the place.
    let place = said(&format!("name: a\r\naxes: {{ {many} a: [1], a: [2] }}\r\n"));
    assert!(place.contains("a.yaml:2:") && place.contains("\n 2 | "), "{place}");
    // Far from each other, and no line is long: both are shown.
    let lines = many.replace(", ", ",\n ");
    let both = said(&format!("axes: {{ a: [1],\n {lines} a: [2] }}\n"));
    assert!(both.contains("first here") && both.contains("again here"), "{both}");
}

/// miette can't pad to more columns than 65,535.
#[test]
fn a_fault_far_to_the_right_is_shown() {
    let values: String = (0..30_000).map(|value| format!("{value}, ")).collect();
    let refused = Document::parse(Path::new("wide.yaml"), &format!("name: wide\naxes: {{ i: [{values}5] }}\n"));
    let refused = super::load::check(&refused.unwrap(), &Settings::default()).unwrap_err();
    let said = render(&refused, true);
    assert!(said.contains("has the value `5` twice") && said.len() < 3_000, "{said}");
}

#[test]
fn a_good_file_is_read_as_it_is_written() {
    let pipeline = super::load::check(&Document::parse(Path::new("demo.yaml"), GOOD).unwrap(), &Settings::default());
    let pipeline = pipeline.unwrap_or_else(|invalid| panic!("{}", render(&invalid, false)));
    let names: Vec<_> = pipeline.stages.iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(names, ["data", "shots", "fit", "table"]);
    let fit = pipeline.stage("fit").unwrap();
    let axes: Vec<_> = fit.matrix.iter().flatten().map(|(axis, _)| axis.as_str()).collect();
    assert_eq!(axes, ["method", "include", "seed"]);
    assert_eq!(fit.from, ["shots"]);
    let at = |pairs: &[(&str, &str)]| pairs.iter().map(|(axis, value)| ((*axis).into(), (*value).into())).collect();
    let cell = at(&[("method", "spp"), ("include", "none"), ("seed", "2")]);
    assert_eq!(pipeline.only_at(fit, &cell).unwrap()["task"], ["rte", "cola"]);
    let cell = at(&[("method", "spp"), ("include", "mnli"), ("seed", "2")]);
    assert_eq!(pipeline.only_at(fit, &cell).unwrap()["task"], ["rte", "cola", "mnli"]);
    assert_eq!(
        pipeline.parameters_at(fit, &cell).unwrap(),
        serde_json::json!({ "label": "spp-2", "gate": { "kind": "learned", "init": [0.5, 16] } })
    );
    let shots = pipeline.stage("shots").unwrap();
    assert_eq!(
        pipeline.parameters_at(shots, &at(&[("task", "rte"), ("seed", "2")])).unwrap(),
        serde_json::json!({ "k": 16, "seed": 2, "note": "${k}", "lr": 1e-5 })
    );
    assert_eq!(shots.exclude, [at(&[("task", "mnli"), ("seed", "2")])]);
    assert_eq!(pipeline.stage("table").unwrap().matrix, Some(Vec::new()));
    assert_eq!(fit.parameter_path("gate.kind"), "stages.fit.run.train.gate.kind");
    let problem = pipeline.file.problem(&fit.parameter_path("gate.kind"), "compt::plan::x", "x");
    assert_eq!(problem.line_column(), Some((26, 23)));
    // A path that the file lacks is shown at the nearest thing around it.
    let problem = pipeline.file.problem(&fit.parameter_path("epochs"), "compt::plan::x", "x");
    assert_eq!(problem.line_column(), Some((22, 7)));
}

#[test]
fn the_example_of_the_manual_is_accepted() {
    let manual = fs_err::read_to_string("docs/pipeline-format.md").unwrap();
    let example = manual.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let document = Document::parse(Path::new("manual.yaml"), example).unwrap();
    for profile in [None, Some("smoke".to_owned())] {
        let settings = Settings { profile, set: Vec::new() };
        let pipeline = super::load::check(&document, &settings).unwrap_or_else(|bad| panic!("{}", render(&bad, false)));
        assert_eq!(pipeline.stages.len(), 6);
    }
}

#[test]
fn the_profile_comes_before_set_and_both_may_change_axes() {
    let document = Document::parse(Path::new("demo.yaml"), GOOD).unwrap();
    let load = |profile: Option<&str>, set: &[(&str, &str)]| {
        let set = set.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        super::load::check(&document, &Settings { profile: profile.map(str::to_owned), set }).unwrap()
    };
    let texts = |pipeline: &super::Pipeline, axis: &str| {
        pipeline.axes[axis].iter().map(|value| value.text.clone()).collect::<Vec<_>>()
    };
    let smoke = load(Some("smoke"), &[]);
    assert_eq!((&smoke.params["k"], texts(&smoke, "seed")), (&8.into(), vec!["1".to_owned()]));
    let set = load(Some("smoke"), &[("k", "32"), ("task", "[mnli]"), ("seed", "[3, 4]")]);
    assert_eq!((&set.params["k"], texts(&set, "seed")), (&32.into(), vec!["3".to_owned(), "4".to_owned()]));
    // `[...axes.task, mnli]` names mnli twice now, which is harmless when the axis was narrowed from outside.
    assert_eq!(set.stages[0].matrix.as_ref().unwrap()[0].1.len(), 1);
}

#[test]
fn a_missing_file_is_one_clear_message() {
    let said = |path: &str| load(Path::new(path), &Settings::default()).unwrap_err();
    assert_eq!(said("no/such/file.yaml").to_string(), "no/such/file.yaml: there is no such file");
    assert!(render(&said("no/such/file.yaml"), false).contains("there is no folder `no/such` either"));
    assert!(render(&said("Cargo.tmol"), false).contains("did you mean `./Cargo.toml`?"));
    assert_eq!(said("src").to_string(), "src: this is a folder, expected a file");
}

#[test]
fn an_alias_bomb_ends_at_once() {
    let mut text = String::from("name: demo\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let item = format!("*a{}", level - 1);
        text.push_str(&format!("a{level}: &a{level} [{}]\n", vec![item; 10].join(", ")));
    }
    let invalid = Document::parse(Path::new("bomb.yaml"), &text).unwrap_err();
    assert!(invalid.to_string().contains("repeat too much"), "{invalid}");
    let deep = Document::parse(Path::new("deep.yaml"), &"- ".repeat(100_000)).unwrap_err();
    assert!(deep.to_string().contains("nests too deep"), "{deep}");
}

#[test]
fn colour_uses_unicode_and_no_colour_is_ascii() {
    let document = Document::parse(Path::new("x.yaml"), "name: x\n").unwrap();
    let invalid = super::load::check(&document, &Settings::default()).unwrap_err();
    assert!(render(&invalid, true).contains('\u{1b}'));
    assert!(render(&invalid, false).is_ascii());
}

proptest! {
    /// Whatever a slip of the finger does to a file, it is read or refused with a place; it never panics.
    #[test]
    fn damaged_files_are_refused_in_words(at in 0..GOOD.len(), length in 0usize..12, insert in "[-:,{}\\[\\]\"'$&*!|>#@%é \n\ta0.<]{0,4}") {
        let mut text = GOOD.to_owned();
        let end = (at + length).min(text.len());
        text.replace_range(at..end, &insert);
        let result = Document::parse(Path::new("x.yaml"), &text).and_then(|document| super::load::check(&document, &Settings::default()));
        if let Err(invalid) = result {
            prop_assert!(!invalid.problems.is_empty());
            prop_assert!(!render(&invalid, false).contains("Failed to read"), "{}", render(&invalid, false));
        }
    }
}
