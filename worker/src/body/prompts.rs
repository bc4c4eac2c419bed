//! `prompts.safetensors`: the composed prompts of a training, ready to use, with what is needed to use them rightly.

use std::collections::BTreeMap;
use std::path::Path;

use compt::operation::train::TrainParameters;
use compt::protocol::StageError;
use tch::{Kind, Tensor};

use super::failure::of_file;
use crate::model::Position;
use crate::train::tensor_file::{read, to_bytes};

/// The file's name in a training's folder.
pub const FILE: &str = "prompts.safetensors";

/// The prompts of some tasks.
#[derive(Debug)]
pub struct PromptSet {
    /// After training, [L, d] by task.
    pub learned: BTreeMap<String, Tensor>,
    /// Before training, [L, d] by task.
    pub untrained: BTreeMap<String, Tensor>,
    /// Where they stand.
    pub position: Position,
    /// The backbone they belong to.
    pub backbone: String,
    /// How many tokens of a source the training kept.
    pub max_source_tokens: usize,
}

/// The bytes of the file; `prompts` are [T, L, d] in the order of `tasks`.
pub fn bytes(settings: &TrainParameters, tasks: &[String], learned: &Tensor, untrained: &Tensor) -> Vec<u8> {
    let mut tensors = BTreeMap::new();
    for (row, task) in tasks.iter().enumerate() {
        for (kind, prompts) in [("learned", learned), ("untrained", untrained)] {
            tensors.insert(format!("{kind}/{task}"), prompts.select(0, row as i64));
        }
    }
    let word = |value: serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let metadata = [
        ("format", serde_json::json!("compt prompts 1")),
        ("backbone", serde_json::json!(settings.backbone)),
        ("method", serde_json::json!(settings.method)),
        ("compose", serde_json::json!(settings.compose)),
        ("position", serde_json::json!(settings.prompt.position)),
        ("length", serde_json::json!(learned.size()[1])),
        ("max_source_tokens", serde_json::json!(settings.max_source_tokens)),
        ("precision", serde_json::json!(settings.precision)),
        ("seed", serde_json::json!(settings.seed)),
        ("tasks", serde_json::json!(tasks)),
    ];
    to_bytes(&tensors, &metadata.into_iter().map(|(name, value)| (name.to_owned(), word(value))).collect())
}

/// Reads the prompts of a training.
///
/// # Errors
/// A file that is absent, damaged, or not one of ours.
pub fn load(folder: &Path) -> Result<PromptSet, StageError> {
    let path = folder.join(FILE);
    let file = read(&path).map_err(of_file)?;
    let foreign = |name: &str| {
        StageError::environment(format!("`{}` has no usable `{name}` in its metadata", path.display()))
            .with_hint("run the `train` stage that wrote it again")
    };
    let word = |name: &str| file.metadata.get(name).cloned().ok_or_else(|| foreign(name));
    let position = serde_json::from_value(serde_json::json!(word("position")?)).map_err(|_| foreign("position"))?;
    let max_source_tokens = word("max_source_tokens")?.parse().map_err(|_| foreign("max_source_tokens"))?;
    let backbone = word("backbone")?;
    let mut set =
        PromptSet { learned: BTreeMap::new(), untrained: BTreeMap::new(), position, backbone, max_source_tokens };
    for (name, tensor) in file.tensors {
        let tensor = tensor.to_kind(Kind::Float);
        match name.split_once('/') {
            Some(("learned", task)) => set.learned.insert(task.to_owned(), tensor),
            Some(("untrained", task)) => set.untrained.insert(task.to_owned(), tensor),
            _ => None,
        };
    }
    Ok(set)
}
