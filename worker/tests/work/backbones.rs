//! `pretrain` as a whole job: the shapes that it makes, the texts that it reads, and what a kill leaves of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use compt::operation::pretrain::resolve;
use compt::protocol::{Input, Job, ResolvedSource};
use compt::task::dataset::{self, Split};
use compt::task::rows::{Label, Rows, write_normal};
use compt::task::sampled;
use compt_worker::body::{self, backbone::Shelf};
use compt_worker::model::T5;
use compt_worker::model::t5::initial;
use compt_worker::train::tensor_file::{bytes_of, from_bytes};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use crate::alone;
use crate::jobs::{Kill, bytes, job, run, task};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Complete parameters of a small pre-training in the project `folder`.
fn parameters(folder: &Path, more: &Value) -> Value {
    let mut all = json!({
        "steps": 3, "batch": 4,
        "shape": {"d_model": 16, "d_kv": 4, "d_ff": 24, "layers": 1, "decoder_layers": 1, "heads": 2,
                  "vocabulary": 300, "sentinels": 20},
    });
    for (name, value) in more.as_object().unwrap() {
        all[name] = value.clone();
    }
    serde_json::to_value(resolve(&all, folder).unwrap()).unwrap()
}

fn pretrain(folder: &Path, more: &Value, inputs: Vec<Input>) -> Job {
    job(folder, "pretrain", parameters(folder, more), inputs)
}

fn tensors(file: &Path) -> BTreeMap<String, Tensor> {
    from_bytes(&fs_err::read(file).unwrap()).unwrap().tensors
}

fn config(folder: &Path) -> Value {
    serde_json::from_slice(&fs_err::read(folder.join("config.json")).unwrap()).unwrap()
}

/// The means of the first and of the last lines of `curve.csv`, each of 20 steps.
fn losses(folder: &Path) -> (f64, f64) {
    let curve = fs_err::read_to_string(folder.join("curve.csv")).unwrap();
    let losses: Vec<f64> = curve.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().parse().unwrap()).collect();
    (losses[0], losses[losses.len() - 1])
}

/// The checkpoints of the oracle were written by Hugging Face transformers.
#[test]
fn each_layout_is_the_one_of_the_hub() {
    let _alone = alone();
    let oracles = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/oracle");
    for (feed_forward, tied, oracle) in [("relu", true, "t5v10"), ("gated_gelu", false, "t5v11")] {
        let folder = tempfile::tempdir().unwrap();
        let theirs = config(&oracles.join(oracle));
        let job = pretrain(
            folder.path(),
            &json!({
                "steps": 100, "batch": 8, "seed": 5,
                "corpus": {"from": "world", "texts": 60, "length": 16},
                "shape": {
                    "d_model": theirs["d_model"], "d_kv": theirs["d_kv"], "d_ff": theirs["d_ff"],
                    "layers": theirs["num_layers"], "decoder_layers": theirs["num_decoder_layers"],
                    "heads": theirs["num_heads"], "buckets": theirs["relative_attention_num_buckets"],
                    "max_distance": theirs["relative_attention_max_distance"],
                    "vocabulary": 240, "sentinels": 20, "feed_forward": feed_forward, "tied": tied,
                },
            }),
            Vec::new(),
        );
        run(&job).unwrap();
        let ours = config(&job.output);
        for (name, value) in ours.as_object().unwrap() {
            let may_differ = ["vocab_size", "dropout_rate"].contains(&name.as_str());
            // What a file leaves out is true.
            let expected = theirs.get(name).unwrap_or(&Value::Bool(true));
            assert!(may_differ || value == expected, "{oracle}: `{name}` is {value}, not {expected}");
        }
        let names = |folder: &Path| tensors(&folder.join("model.safetensors")).into_keys().collect::<BTreeSet<_>>();
        assert_eq!(names(&job.output), names(&oracles.join(oracle)), "{oracle}");

        let model = T5::load(&job.output, Device::Cpu, Kind::Float).unwrap();
        let written = tensors(&job.output.join("model.safetensors"));
        for (name, before) in initial::tensors(model.config(), 5) {
            assert_ne!(bytes_of(&before), bytes_of(&written[&name]), "{oracle}: `{name}` has not moved");
        }
        let (first, last) = losses(&job.output);
        assert!(last < 0.8 * first, "{oracle}: from {first} to {last}");
    }
}

/// As Hugging Face's `_init_weights` has them, with a factor of 1.
#[test]
fn numbers_start_as_large_as_those_of_the_hub() {
    let text = json!({
        "model_type": "t5", "vocab_size": 500, "d_model": 64, "d_kv": 16, "d_ff": 100, "num_layers": 1, "num_heads": 9,
        "feed_forward_proj": "gated-gelu", "tie_word_embeddings": false,
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    fs_err::write(&file, text.to_string()).unwrap();
    let made = initial::tensors(&compt_worker::model::T5Config::read(&file).unwrap(), 0);
    for (ending, deviation) in [
        ("shared.weight", 1.0),
        ("lm_head.weight", 1.0),
        ("Attention.q.weight", (64.0 * 16.0_f64).powf(-0.5)),
        ("Attention.k.weight", 0.125),
        ("Attention.v.weight", 0.125),
        ("Attention.o.weight", 1.0 / 12.0),
        ("wi_0.weight", 0.125),
        ("wi_1.weight", 0.125),
        ("wo.weight", 0.1),
        ("relative_attention_bias.weight", 0.125),
    ] {
        let found: Vec<&Tensor> = made.iter().filter(|(name, _)| name.ends_with(ending)).map(|(_, one)| one).collect();
        assert!(!found.is_empty(), "{ending}");
        for tensor in found {
            let (mean, found) = (tensor.mean(Kind::Double).double_value(&[]), tensor.std(true).double_value(&[]));
            // Five standard errors of a deviation and of a mean.
            let (count, slack) = (tensor.numel() as f64, 5.0 * deviation);
            assert!((found - deviation).abs() < slack / (2.0 * count).sqrt(), "{ending}: {found}, not {deviation}");
            assert!(mean.abs() < slack / count.sqrt(), "{ending}: {mean}");
        }
    }
}

#[test]
fn feed_forward_and_head_can_be_mixed() {
    let _alone = alone();
    for (feed_forward, tied) in [("relu", false), ("gated_gelu", true)] {
        let folder = tempfile::tempdir().unwrap();
        let mut shape = parameters(folder.path(), &json!({}))["settings"]["shape"].clone();
        (shape["feed_forward"], shape["tied"]) = (json!(feed_forward), json!(tied));
        let corpus = json!({"from": "world", "texts": 40});
        let job = pretrain(folder.path(), &json!({"shape": shape, "corpus": corpus}), Vec::new());
        run(&job).unwrap();
        let config = T5::load(&job.output, Device::Cpu, Kind::Float).unwrap().config().clone();
        assert_eq!(config.scale_decoder_outputs, tied, "{feed_forward}");
        let written = tensors(&job.output.join("model.safetensors"));
        assert_eq!(written.contains_key("lm_head.weight"), !tied, "{feed_forward}");
    }
}

/// What `fetch` writes of a data set with these rows, one text for each of its columns; the label is always the first.
fn fetched<const COLUMNS: usize>(folder: &Path, stage: &str, set: &str, rows: &[[&str; COLUMNS]]) -> Input {
    let dataset = dataset::read(&root(), set).unwrap();
    let place = folder.join(stage);
    fs_err::create_dir_all(&place).unwrap();
    sampled::write_dataset(&place, &dataset).unwrap();
    let rows = Rows {
        columns: dataset.columns,
        cells: rows.iter().map(|cells| cells.iter().map(|cell| (*cell).to_owned()).collect()).collect(),
        labels: vec![Label::Class(0); rows.len()],
    };
    write_normal(&place.join(sampled::parquet_name(Split::Train)), &rows).unwrap();
    Input { stage: stage.to_owned(), operation: "fetch".to_owned(), coordinates: BTreeMap::new(), files: place.into() }
}

fn summary(job: &Job) -> Value {
    serde_json::from_slice(&fs_err::read(job.output.join("summary.json")).unwrap()).unwrap()
}

fn has_piece(job: &Job, piece: &str) -> bool {
    fs_err::read_to_string(job.output.join("tokenizer.json")).unwrap().contains(&format!("\"▁{piece}\""))
}

/// Two data sets; of each only the named column is read, and no label is learned.
#[test]
fn any_text_column_is_read() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let claims = fetched(folder.path(), "claims", "mnli", &[["zebra zebra zebra", "quagga quagga quagga"]; 3]);
    let multinli = fetched(folder.path(), "more", "multinli", &[["okapi okapi okapi", "quagga quagga"]; 3]);
    let both = pretrain(
        folder.path(),
        &json!({"corpus": {"column": "premise", "length": 8}}),
        vec![claims.clone(), multinli.clone()],
    );
    run(&both).unwrap();
    assert_eq!(
        ["zebra", "okapi", "quagga"].map(|piece| has_piece(&both, piece)),
        [true, true, false],
        "one column of both"
    );
    assert_eq!(summary(&both)["training_examples"], json!({}));
    let first = bytes(folder.path());
    run(&pretrain(
        folder.path(),
        &json!({"corpus": {"column": "premise", "length": 8}}),
        vec![multinli.clone(), claims.clone()],
    ))
    .unwrap();
    assert!(bytes(folder.path()) == first, "the order of the stages changes no byte");

    let refused = |more: Value, inputs: Vec<Input>| run(&pretrain(folder.path(), &more, inputs)).unwrap_err();
    let several = refused(json!({"corpus": {"from": "rows"}}), vec![claims.clone()]);
    assert_eq!(several.message, "`claims` has several text columns");
    assert_eq!(several.hint.as_deref(), Some("name one as `corpus.column`: premise, hypothesis"));
    let unknown = refused(json!({"corpus": {"column": "label"}}), vec![claims.clone()]);
    assert_eq!(unknown.message, "`claims` has no text column `label`");
    let unread = refused(json!({"corpus": {"from": "world"}}), vec![claims]);
    assert_eq!(unread.message, "nothing is read of `claims`, which runs `fetch`");
    let nothing = refused(json!({}), Vec::new());
    assert!(nothing.message.contains("needs a task that is learned"), "{nothing}");
    let none = refused(json!({"corpus": {"from": "rows"}}), vec![task(folder.path(), "taste", ["sour", "sweet"])]);
    assert_eq!(none.message, "`corpus.from: rows` found no text");
}

/// A data set of one text column needs no name for it, and all tokens of its long texts are read.
#[test]
fn long_texts_are_read_to_their_end() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let text = "the old film was long and it did not end ".repeat(30);
    let tokens = |long: &str| {
        let reviews = fetched(folder.path(), "reviews", "imdb", &[[text.as_str()]; 5]);
        let job =
            pretrain(folder.path(), &json!({"corpus": {"from": "rows", "length": 16, "long": long}}), vec![reviews]);
        run(&job).unwrap();
        let summary = summary(&job);
        (summary["text_tokens"].as_u64().unwrap(), summary["texts"].as_u64().unwrap())
    };
    // At least a token for each of the ten words of a sentence.
    let (split, windows) = tokens("split");
    assert!(split >= 5 * 30 * 10, "{split}");
    assert_eq!(windows, split.div_ceil(16));
    assert_eq!(tokens("cut"), (5 * 16, 5));
}

#[test]
fn files_of_the_project_are_read() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (lines, table) = (folder.path().join("lines.txt"), folder.path().join("table.csv"));
    fs_err::write(&lines, "zebra zebra zebra\n\nzebra zebra\n".repeat(4)).unwrap();
    fs_err::write(&table, format!("n,text\n{}", "1,okapi okapi okapi\n".repeat(4))).unwrap();
    let more = json!({"corpus": {"files": ["lines.txt", "table.csv"], "column": "text", "length": 8}});
    let mut job = pretrain(folder.path(), &more, Vec::new());
    let file = |path: &Path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        ResolvedSource { name: name.clone(), files: BTreeMap::from([(name, path.to_owned())]) }
    };
    job.sources = vec![file(&lines), file(&table)];
    run(&job).unwrap();
    assert_eq!(["zebra", "okapi", "n"].map(|piece| has_piece(&job, piece)), [true, true, false]);
}

#[test]
fn a_fault_of_a_file_names_it_whole() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    for place in ["old", "new"] {
        fs_err::create_dir(folder.path().join(place)).unwrap();
        fs_err::write(folder.path().join(place).join("a.csv"), "n,text\n1,okapi\n").unwrap();
    }
    let refused = |source: &str, inside: &str, path: &str| {
        let mut job = pretrain(folder.path(), &json!({"corpus": {"files": [source]}}), Vec::new());
        let files = BTreeMap::from([(inside.to_owned(), folder.path().join(path))]);
        job.sources = vec![ResolvedSource { name: source.to_owned(), files }];
        run(&job).unwrap_err()
    };
    for (source, path) in [("new/a.csv", "new/a.csv"), ("old", "old/a.csv"), ("old/", "old/a.csv")] {
        let several = refused(source, "a.csv", path);
        assert_eq!(several.message, format!("`{path}` has several columns"));
        assert_eq!(several.hint.as_deref(), Some("name the one of the texts as `corpus.column`: n, text"));
    }
}

#[test]
fn a_killed_pre_training_goes_on_to_the_same_bytes() {
    let _alone = alone();
    let data = tempfile::tempdir().unwrap();
    let inputs = vec![task(data.path(), "mood", ["bad", "good"]), task(data.path(), "acid", ["yes", "no"])];
    let every = |steps: Option<u64>| {
        let corpus = json!({"from": "world", "texts": 30, "alone": 3});
        json!({"steps": 12, "dropout": 0.1, "held_out": ["acid"], "corpus": corpus, "checkpoint_every": steps})
    };
    let whole = tempfile::tempdir().unwrap();
    run(&pretrain(whole.path(), &every(None), inputs.clone())).unwrap();
    let expected = bytes(whole.path());
    for moment in [1, 6, 12] {
        let folder = tempfile::tempdir().unwrap();
        let job = pretrain(folder.path(), &every(Some(2)), inputs.clone());
        let killed = std::panic::catch_unwind(|| body::run(&job, &mut Shelf::default(), &mut Kill(moment)));
        assert!(killed.is_err());
        let notes = run(&job).unwrap();
        assert_eq!(notes.facts["resumed_from_step"], json!((moment - 1) / 2 * 2));
        assert!(bytes(folder.path()) == expected, "killed in step {moment}");
    }
}
