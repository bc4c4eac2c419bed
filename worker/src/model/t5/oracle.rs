//! Agreement with the reference fixtures of METHODS 9, which transformers computed. `COMPT_ORACLE_DIR` names another
//! folder of the same layout; nothing here is tied to one shape.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::position::bucket;
use super::{T5, T5Config, config::FeedForwardKind};
use crate::model::{Batch, Generation, Mode, Position, Prompts};

/// One tiny checkpoint with what transformers made of it.
struct Fixture {
    name: String,
    model: T5,
    tensors: HashMap<String, Tensor>,
    facts: Value,
}

impl Fixture {
    fn tensor(&self, name: &str) -> &Tensor {
        self.tensors.get(name).unwrap_or_else(|| panic!("{} has no `{name}`", self.name))
    }

    /// The token ids without padding.
    fn batch(&self, prompt_of_row: Vec<Option<usize>>) -> Batch {
        let rows = |name: &str| Vec::<Vec<i64>>::try_from(self.tensor(name)).unwrap();
        let cut = |ids: Vec<i64>, keep: Vec<i64>| {
            ids.into_iter().zip(keep).filter(|(_, keep)| *keep != 0).map(|(id, _)| id).collect::<Vec<_>>()
        };
        let sources = rows("input_ids").into_iter().zip(rows("attention_mask")).map(|(ids, mask)| cut(ids, mask));
        let targets = rows("labels").into_iter().map(|ids| ids.into_iter().filter(|id| *id != -100).collect());
        Batch { sources: sources.collect(), targets: targets.collect(), prompt_of_row }
    }

    /// `[prompts, length, d_model]` and the choice of each row, for `shared` or `perex`.
    fn prompts(&self, kind: &str) -> (Tensor, Vec<Option<usize>>) {
        let rows = self.tensor("input_ids").size()[0] as usize;
        match kind {
            "shared" => (self.tensor("prompt").unsqueeze(0), vec![Some(0); rows]),
            _ => (self.tensor("prompt_per_example").shallow_clone(), (0..rows).map(Some).collect()),
        }
    }

    /// METHODS 9: 1e-5 for v1.0 and 2e-5 for v1.1, whose logits are larger; for values up to 3.
    fn tolerance(&self, reference: &Tensor) -> f64 {
        let base = if self.model.config().feed_forward == FeedForwardKind::Relu { 1e-5 } else { 2e-5 };
        base * (reference.abs().max().double_value(&[]) / 3.0).max(1.0) * self.rounding()
    }

    /// How much more float32 may round than in the shape for which METHODS 9 states its tolerances (2 + 2 layers of
    /// width 32, where this is 1): errors add up over layers, and grow with the root of the terms of a sum.
    fn rounding(&self) -> f64 {
        let config = self.model.config();
        let depth = (config.num_layers + config.num_decoder_layers) as f64 / 4.0;
        let width = (config.d_model as f64 / 32.0).max(config.d_ff as f64 / 64.0);
        depth.max(1.0) * width.sqrt().max(1.0)
    }

    /// `[rows, targets, ..]` -> the positions that are not ignored, packed.
    fn pack(&self, padded: &Tensor) -> Tensor {
        let kept = self.tensor("labels").ne(-100).view(-1).nonzero().view(-1);
        padded.flatten(0, 1).index_select(0, &kept)
    }
}

const POSITIONS: [(&str, Position); 3] =
    [("front", Position::Front), ("end", Position::AfterPadding), ("before_eos", Position::BeforeEos)];

fn folder() -> PathBuf {
    match std::env::var_os("COMPT_ORACLE_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/oracle"),
    }
}

fn fixtures() -> Vec<Fixture> {
    let mut folders: Vec<PathBuf> = fs_err::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("oracle.safetensors").exists())
        .collect();
    folders.sort();
    assert!(!folders.is_empty(), "no fixtures in {}", folder().display());
    folders
        .into_iter()
        .map(|path| Fixture {
            name: path.display().to_string(),
            model: T5::load(&path, Device::Cpu, Kind::Float).unwrap(),
            tensors: Tensor::read_safetensors(path.join("oracle.safetensors")).unwrap().into_iter().collect(),
            facts: serde_json::from_str(&fs_err::read_to_string(path.join("oracle.json")).unwrap()).unwrap(),
        })
        .collect()
}

fn assert_close(what: &str, found: &Tensor, expected: &Tensor, tolerance: f64) {
    assert_eq!(found.size(), expected.size(), "{what}");
    let difference = (found - expected).abs().max().double_value(&[]);
    assert!(difference <= tolerance, "{what}: {difference:e} > {tolerance:e}");
}

#[test]
fn without_prompts() {
    for fixture in fixtures() {
        let batch = fixture.batch(Vec::new());
        let logits = fixture.model.logits(&batch, None, Mode::Evaluation).unwrap();
        let expected = fixture.pack(fixture.tensor("noprompt.logits"));
        assert_close(&fixture.name, &logits, &expected, fixture.tolerance(&expected));
        let loss = fixture.model.losses(&batch, None, Mode::Evaluation).unwrap().mean();
        assert_close(&fixture.name, &loss.unsqueeze(0), fixture.tensor("noprompt.loss"), 1e-5 * fixture.rounding());
    }
}

#[test]
fn logits_losses_and_gradients_with_prompts() {
    for fixture in fixtures() {
        for (spelling, position) in POSITIONS {
            for kind in ["shared", "perex"] {
                let case = format!("{} {spelling}.{kind}", fixture.name);
                let expected = |what: &str| fixture.tensor(&format!("{spelling}.{kind}.{what}"));
                let (rows, choices) = fixture.prompts(kind);
                let rows = rows.detach().copy().set_requires_grad(true);
                let prompts = Prompts { rows: &rows, position };
                let batch = fixture.batch(choices);
                let logits = fixture.model.logits(&batch, Some(&prompts), Mode::Evaluation).unwrap();
                let reference = fixture.pack(expected("logits"));
                assert_close(&case, &logits, &reference, fixture.tolerance(&reference));
                let losses = fixture.model.losses(&batch, Some(&prompts), Mode::Evaluation).unwrap();
                assert_close(
                    &case,
                    &losses.values,
                    &fixture.pack(expected("token_nll")),
                    fixture.tolerance(&reference),
                );
                let loss = losses.mean();
                assert_close(&case, &loss.unsqueeze(0), expected("loss"), 1e-5 * fixture.rounding());
                let gradient = Tensor::run_backward(&[&loss], &[&rows], false, false).remove(0);
                let reference = expected("grad_prompt").view(gradient.size().as_slice());
                let tolerance = 1e-5 * reference.abs().max().double_value(&[]).max(1.0) * fixture.rounding();
                assert_close(&format!("gradient of {case}"), &gradient, &reference, tolerance);
                let sums = losses.row_sums().sum(Kind::Float);
                assert_close(&case, &sums, &losses.values.sum(Kind::Float), 1e-4);
            }
        }
    }
}

#[test]
fn greedy_ids_with_and_without_repetition_penalty() {
    for fixture in fixtures() {
        let facts = fixture.facts.as_object().unwrap();
        let read = |value: &Value| serde_json::from_value::<Vec<Vec<i64>>>(value.clone()).unwrap();
        let lists = facts.iter().filter(|(key, _)| key.contains(".greedy"));
        // The limit of the reference counts the start id.
        let limit = lists.clone().map(|(_, value)| read(value)[0].len()).max().unwrap();
        for (key, value) in lists {
            let mut words = key.splitn(3, '.');
            let (spelling, kind) = (words.next().unwrap(), words.next().unwrap());
            let repetition_penalty = key.split_once("_rep").map_or(1.0, |(_, number)| number.parse().unwrap());
            let position = POSITIONS.iter().find(|(name, _)| *name == spelling).unwrap().1;
            let (rows, choices) = fixture.prompts(kind);
            let prompts = Prompts { rows: &rows, position };
            let options = Generation { max_new_tokens: limit - 1, repetition_penalty };
            let found = fixture.model.generate(&fixture.batch(choices), Some(&prompts), &options).unwrap();
            let config = fixture.model.config();
            let padded = |ids: &Vec<i64>, length: usize| {
                let mut padded = vec![config.decoder_start_token_id];
                padded.extend(ids);
                padded.resize(length, config.pad_token_id);
                padded
            };
            let expected = read(value);
            let found: Vec<_> = found.iter().map(|ids| padded(ids, expected[0].len())).collect();
            assert_eq!(found, expected, "{} {key}", fixture.name);
        }
    }
}

#[test]
fn step_by_step_logits() {
    for fixture in fixtures() {
        let (rows, choices) = fixture.prompts("shared");
        let prompts = Prompts { rows: &rows, position: Position::Front };
        let ids = Vec::<Vec<i64>>::try_from(fixture.tensor("greedy.step_ids")).unwrap();
        let targets = ids.into_iter().map(|row| row[1..].to_vec()).collect();
        let batch = Batch { targets, ..fixture.batch(choices) };
        let logits = fixture.model.logits(&batch, Some(&prompts), Mode::Evaluation).unwrap();
        let expected = fixture.tensor("greedy.step_logits").flatten(0, 1);
        assert_close(&fixture.name, &logits, &expected, fixture.tolerance(&expected));
    }
}

#[test]
fn rank_scores() {
    for fixture in fixtures() {
        let candidates: Vec<Vec<i64>> = serde_json::from_value(fixture.facts["rank.candidates"].clone()).unwrap();
        let (rows, choices) = fixture.prompts("shared");
        let prompts = Prompts { rows: &rows, position: Position::Front };
        let scores = fixture.model.rank(&fixture.batch(choices), Some(&prompts), &candidates).unwrap();
        // A score sums several log-likelihoods, so their errors add up.
        let longest = candidates.iter().map(Vec::len).max().unwrap() as f64;
        assert_close(&fixture.name, &scores, fixture.tensor("rank.scores"), 2e-5 * longest * fixture.rounding());
    }
}

#[test]
fn bucket_tables() {
    for fixture in fixtures() {
        for (name, table) in fixture.tensors.iter().filter(|(name, _)| name.starts_with("buckets.")) {
            let words: Vec<&str> = name.split('.').collect();
            let (buckets, distance) = (words[2].parse().unwrap(), words[3].parse().unwrap());
            let expected = Vec::<i64>::try_from(table).unwrap();
            let reach = (expected.len() / 2) as i64;
            let found: Vec<i64> = (-reach..=reach).map(|r| bucket(r, words[1] == "bi", buckets, distance)).collect();
            assert_eq!(found, expected, "{name}");
        }
    }
}

#[test]
fn position_biases() {
    for fixture in fixtures() {
        for (stack, table) in
            [("encoder", &fixture.model.encoder.positions), ("decoder", &fixture.model.decoder.positions)]
        {
            let expected = fixture.tensor(&format!("position_bias.{stack}")).squeeze_dim(0);
            let length = expected.size()[1];
            assert_close(stack, &table.square(length), &expected, 0.0);
            assert_close(stack, &table.last_row(length), &expected.narrow(1, length - 1, 1), 0.0);
        }
    }
}

#[test]
fn double_precision_agrees_and_half_precision_comes_near() {
    for fixture in fixtures() {
        let expected = fixture.tensor("front.shared.loss").double_value(&[0]);
        for (kind, tolerance) in [(Kind::Double, 1e-5), (Kind::BFloat16, 0.3)] {
            let model = T5::load(Path::new(&fixture.name), Device::Cpu, kind).unwrap();
            let (rows, choices) = fixture.prompts("shared");
            let prompts = Prompts { rows: &rows, position: Position::Front };
            let losses = model.losses(&fixture.batch(choices), Some(&prompts), Mode::Evaluation).unwrap();
            let loss = losses.mean().double_value(&[]);
            assert!((loss - expected).abs() < tolerance, "{} {kind:?}: {loss} {expected}", fixture.name);
        }
    }
}

#[test]
fn the_configs_are_read() {
    for fixture in fixtures() {
        let config: &T5Config = fixture.model.config();
        assert_eq!(config.d_model, fixture.tensor("token_embeds").size()[2]);
        let ids = Vec::<i64>::try_from(fixture.tensor("input_ids").view(-1)).unwrap();
        let expected = fixture.tensor("token_embeds").flatten(0, 1);
        assert_close("embeddings", &fixture.model.embed(&ids).unwrap(), &expected, 0.0);
    }
}
