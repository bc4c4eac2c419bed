use std::path::Path;

use super::{CorpusOrigin, Planned, Pretrain};
use crate::operation::{Operation, Operations};
use crate::plan::catalog::{ParameterError, SourceRef};
use crate::plan::expand;
use crate::spec::{Settings, load, render};
use serde_json::{Value, json};

/// In a project with a folder `texts` and a file `a.csv`.
fn resolve(written: &Value) -> Result<Planned, Vec<ParameterError>> {
    super::resolve(written, project().path())
}

fn project() -> tempfile::TempDir {
    let project = tempfile::tempdir().unwrap();
    fs_err::create_dir(project.path().join("texts")).unwrap();
    fs_err::write(project.path().join("a.csv"), "").unwrap();
    project
}

#[test]
fn what_is_left_out_is_completed() {
    let planned = resolve(&json!({"steps": 10, "corpus": {"share": 0.5}})).unwrap();
    assert_eq!((planned.settings.shape.d_model, planned.settings.corpus.noise), (128, 0.15));
    assert!(planned.world.is_none());
    assert_eq!((planned.settings.corpus.texts, planned.settings.corpus.seed), (None, None), "nothing of the world");
    let world = resolve(&json!({"steps": 1, "corpus": {"from": "world"}})).unwrap();
    assert!(world.world.is_some());
    assert_eq!((world.settings.corpus.texts, world.settings.corpus.seed), (Some(20_000), Some(0)));
}

#[test]
fn what_is_named_is_what_is_read() {
    for (corpus, origin) in [
        (json!({}), CorpusOrigin::Sources),
        (json!({"column": "text"}), CorpusOrigin::Rows),
        (json!({"files": ["a.csv"], "column": "text"}), CorpusOrigin::Files),
        (json!({"from": "rows"}), CorpusOrigin::Rows),
        (json!({"from": "world", "texts": 9, "seed": 2}), CorpusOrigin::World),
    ] {
        let planned = resolve(&json!({"steps": 1, "corpus": corpus})).unwrap();
        assert_eq!(planned.settings.corpus.from, Some(origin), "{corpus}");
        let said = serde_json::to_value(&planned.settings).unwrap();
        assert_eq!(resolve(&said).unwrap(), planned, "complete parameters mean themselves");
    }
    let written = json!({"steps": 1, "corpus": {"files": ["texts", "a.csv"]}});
    let sources = Pretrain.resolve(&written, project().path()).unwrap().sources;
    assert_eq!(sources, ["texts", "a.csv"].map(|path| SourceRef::File(path.to_owned())));
    for (corpus, path, said) in [
        (json!({"from": "files"}), "corpus.files", "`from: files` needs the name of a file or folder"),
        (json!({"from": "rows", "files": ["a.csv"]}), "corpus.files", "files are read with `from: files` only"),
        (
            json!({"from": "world", "column": "text"}),
            "corpus.column",
            "a column is read with `from: rows` and `from: files` only",
        ),
        (json!({"texts": 20_000}), "corpus.texts", "`texts` is read with `from: world` only"),
        (json!({"column": "text", "seed": 0}), "corpus.seed", "`seed` is read with `from: world` only"),
    ] {
        let faults = resolve(&json!({"steps": 1, "corpus": corpus})).unwrap_err();
        let faults: Vec<_> = faults.iter().map(|fault| (fault.path.as_str(), fault.message.as_str())).collect();
        assert_eq!(faults, [(path, said)], "{corpus}");
    }
}

#[test]
fn rows_are_accepted_where_they_are_read() {
    for (corpus, is_read) in [
        (json!({"column": "text"}), true),
        (json!({}), false),
        (json!({"from": "world"}), false),
        (json!({"files": ["a.csv"]}), false),
    ] {
        let resolved = Pretrain.resolve(&json!({"steps": 1, "corpus": corpus}), project().path()).unwrap();
        assert_eq!(resolved.accepts.contains(&"fetch"), is_read, "{corpus}");
        assert!(resolved.accepts.contains(&"format"), "{corpus}");
    }
}

#[test]
fn files_are_looked_for_before_anything_runs() {
    let files = ["a.csv", "txets", "../x", "/etc", "a.csv", "texts", "texts/"];
    let faults = resolve(&json!({"steps": 1, "corpus": {"files": files}})).unwrap_err();
    let faults: Vec<_> = faults
        .iter()
        .map(|fault| (fault.path.as_str(), fault.message.as_str(), fault.help.as_deref().unwrap_or_default()))
        .collect();
    let leaves = |path: &str| format!("`{path}` leaves the project; expected a path below it, with `/`");
    assert_eq!(
        faults,
        [
            ("corpus.files[1]", "the project has no file or folder `txets`", "did you mean `texts`?"),
            ("corpus.files[2]", &leaves("../x"), ""),
            ("corpus.files[3]", &leaves("/etc"), ""),
            ("corpus.files[4]", "`a.csv` stands here twice", ""),
            ("corpus.files[6]", "`texts/` stands here twice", ""),
        ]
    );
}

#[test]
fn all_faults_at_once() {
    let given = json!({
        "shape": {"layers": 0, "buckets": 7, "sentinels": 2}, "corpus": {"noise": 1.5},
        "distraction": {"share": -0.1, "longest": 0},
    });
    let mut paths: Vec<String> = resolve(&given).unwrap_err().into_iter().map(|fault| fault.path).collect();
    paths.sort();
    paths.dedup();
    let corpus_and_prefix = ["corpus.noise", "distraction.longest", "distraction.share"];
    let shape_and_steps = ["shape.buckets", "shape.layers", "shape.sentinels", "steps"];
    assert_eq!(paths, [&corpus_and_prefix[..], &shape_and_steps].concat());
}

/// What the user reads of a plan that can't be; as the other messages of `tests/diagnostics`, `COMPT_BLESS=1` writes it
/// anew.
#[test]
fn what_is_wrong_with_a_corpus_is_shown_at_its_place() {
    let project = tempfile::tempdir().unwrap();
    fs_err::create_dir(project.path().join("letters")).unwrap();
    fs_err::write(project.path().join("letters/first.txt"), "a letter\n").unwrap();
    let path = Path::new("tests/diagnostics/planned/corpus.yaml");
    let pipeline = load(path, &Settings::default()).unwrap();
    let said = render(&expand(&pipeline, &Operations, project.path()).unwrap_err(), false);
    let expected = path.with_extension("stderr");
    if std::env::var_os("COMPT_BLESS").is_some() {
        fs_err::write(&expected, &said).unwrap();
    }
    assert_eq!(fs_err::read_to_string(&expected).unwrap(), said);
}
