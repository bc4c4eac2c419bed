//! What is said about checkpoints that cannot be loaded, and that shards load like one file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize_to_file};
use tch::{Device, Kind};

use super::T5;
use crate::model::{Batch, Mode, ModelError};

const ORACLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/oracle/t5v11");

/// A folder that is removed when the test ends.
struct Scratch(PathBuf, #[expect(dead_code, reason = "removes the folder")] tempfile::TempDir);

impl Scratch {
    /// With the fixture's `config.json`, changed by `change`.
    fn new(change: impl Fn(String) -> String) -> Self {
        let guard = tempfile::tempdir().unwrap();
        let folder = guard.path().to_owned();
        let config = fs_err::read_to_string(Path::new(ORACLE).join("config.json")).unwrap();
        fs_err::write(folder.join("config.json"), change(config)).unwrap();
        Self(folder, guard)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs_err::write(self.0.join(name), bytes).unwrap();
    }

    fn load(&self) -> Result<T5, ModelError> {
        T5::load(&self.0, Device::Cpu, Kind::Float)
    }

    fn message(&self) -> String {
        let message = self.load().map_or_else(|error| error.to_string(), |_| "no error".to_owned());
        message.replace(&self.0.display().to_string(), "FOLDER")
    }
}

fn weights() -> Vec<u8> {
    fs_err::read(Path::new(ORACLE).join("model.safetensors")).unwrap()
}

fn loss(model: &T5) -> f64 {
    let batch = Batch { sources: vec![vec![9, 8, 1]], targets: vec![vec![7, 1]], prompt_of_row: vec![] };
    model.losses(&batch, None, Mode::Evaluation).unwrap().mean().double_value(&[])
}

#[test]
fn missing_files() {
    let scratch = Scratch::new(|config| config);
    assert!(scratch.message().starts_with("`FOLDER` has no `model.safetensors`"), "{}", scratch.message());
    scratch.write("pytorch_model.bin", b"");
    assert!(scratch.message().contains("but `pytorch_model.bin`, which is in Python's pickle format"));
    fs_err::remove_file(scratch.0.join("config.json")).unwrap();
    assert!(scratch.message().starts_with("cannot read `FOLDER/config.json`"), "{}", scratch.message());
}

#[test]
fn damaged_files() {
    let scratch = Scratch::new(|config| config);
    let whole = weights();
    for length in [0, 4, 100, whole.len() / 2, whole.len() - 1] {
        scratch.write("model.safetensors", &whole[..length]);
        let message = scratch.message();
        assert!(message.starts_with("`FOLDER/model.safetensors` is not a complete safetensors file"), "{message}");
    }
    let mut changed = whole;
    changed[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    scratch.write("model.safetensors", &changed);
    assert!(scratch.message().contains("is not a complete safetensors file"), "{}", scratch.message());
}

#[test]
fn tensors_that_do_not_fit_the_config() {
    let deeper = Scratch::new(|config| config.replace("\"num_layers\": 2", "\"num_layers\": 3"));
    deeper.write("model.safetensors", &weights());
    let message = deeper.message();
    let name = "`encoder.block.2.layer.0.SelfAttention.q.weight`";
    assert!(message.starts_with(&format!("`FOLDER/model.safetensors` has no tensor {name}")), "{message}");
    let wider = Scratch::new(|config| config.replace("\"d_ff\": 64", "\"d_ff\": 96"));
    wider.write("model.safetensors", &weights());
    let message = wider.message();
    assert!(message.contains("has shape [64, 32], but `config.json` implies [96, 32]"), "{message}");
}

#[test]
fn wrapped_names_and_other_number_types_are_named() {
    let scratch = Scratch::new(|config| config);
    let numbers = vec![0_u8; 128 * 32 * 4];
    let wrapped = TensorView::new(Dtype::F32, vec![128, 32], &numbers).unwrap();
    serialize_to_file([("model.shared.weight", wrapped)], None, &scratch.0.join("model.safetensors")).unwrap();
    assert!(scratch.message().contains("(it has `model.shared.weight`"), "{}", scratch.message());
    let integers = TensorView::new(Dtype::I32, vec![128, 32], &numbers).unwrap();
    serialize_to_file([("shared.weight", integers)], None, &scratch.0.join("model.safetensors")).unwrap();
    assert!(scratch.message().contains("is stored as I32; F32, F16 and BF16 are read"), "{}", scratch.message());
}

#[test]
fn shards_load_like_one_file() {
    let scratch = Scratch::new(|config| config);
    let bytes = weights();
    let whole = SafeTensors::deserialize(&bytes).unwrap();
    let mut map = BTreeMap::new();
    for (number, shard) in ["model-1.safetensors", "model-2.safetensors"].into_iter().enumerate() {
        let part: Vec<_> = whole.tensors().into_iter().filter(|(name, _)| name.len() % 2 == number).collect();
        map.extend(part.iter().map(|(name, _)| (name.clone(), shard.to_owned())));
        serialize_to_file(part, None, &scratch.0.join(shard)).unwrap();
    }
    let index = |map: &BTreeMap<String, String>| serde_json::json!({ "metadata": {}, "weight_map": map }).to_string();
    scratch.write("model.safetensors.index.json", index(&map).as_bytes());
    let one = T5::load(Path::new(ORACLE), Device::Cpu, Kind::Float).unwrap();
    assert_eq!(loss(&scratch.load().unwrap()).to_bits(), loss(&one).to_bits());
    map.insert("shared.weight".to_owned(), "../model-1.safetensors".to_owned());
    scratch.write("model.safetensors.index.json", index(&map).as_bytes());
    assert!(scratch.message().contains("must be the name of a file in the same folder"), "{}", scratch.message());
    map.insert("shared.weight".to_owned(), "model-3.safetensors".to_owned());
    scratch.write("model.safetensors.index.json", index(&map).as_bytes());
    assert!(scratch.message().starts_with("cannot read `FOLDER/model-3.safetensors`"), "{}", scratch.message());
    scratch.write("model.safetensors.index.json", b"[]");
    assert!(
        scratch.message().starts_with("`FOLDER/model.safetensors.index.json` is not valid"),
        "{}",
        scratch.message()
    );
}

#[test]
fn float16_is_refused_with_the_reason() {
    let error = T5::load(Path::new(ORACLE), Device::Cpu, Kind::Half).unwrap_err().to_string();
    assert!(error.contains("choose float32 or bfloat16"), "{error}");
}
