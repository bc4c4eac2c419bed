//! `modules.safetensors`: what the prompts of a training are composed of, and the prompts that a mask leaves of it.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::Path;

use compt::operation::evaluate::{Keep, MaskSettings};
use compt::operation::train::{Norm, TrainParameters};
use compt::protocol::{Input, StageError};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tch::{Device, Tensor};

use super::failure::{of_file, of_method};
use super::inputs::instance;
use super::train::SUMMARY;
use crate::method::compt::Compt;
use crate::method::mask;
use crate::train::tensor_file::{read, to_bytes};

/// The file's name in a training's folder.
pub const FILE: &str = "modules.safetensors";

/// The bytes of the file: every trained tensor; the metadata say what its rows are.
pub fn bytes(settings: &TrainParameters, method: &Compt) -> Vec<u8> {
    let all = method.parameters().all();
    let tensors = all.iter().map(|parameter| (parameter.name.clone(), parameter.tensor.shallow_clone())).collect();
    let rows: BTreeMap<&str, Value> = all
        .iter()
        .map(|parameter| (parameter.name.as_str(), json!({ "group": parameter.group.name(), "rows": parameter.rows })))
        .collect();
    let metadata = BTreeMap::from([
        ("format".to_owned(), "compt modules 1".to_owned()),
        ("parameters".to_owned(), json!(rows).to_string()),
        ("settings".to_owned(), json!(settings).to_string()),
        ("router_norm".to_owned(), method.norm().map_or(json!(null), |norm| json!(norm)).to_string()),
        ("sources".to_owned(), json!(method.sources()).to_string()),
        ("tasks".to_owned(), json!(method.tasks()).to_string()),
    ]);
    to_bytes(&tensors, &metadata)
}

/// The method of a finished training, with its trained values, on the CPU.
///
/// # Errors
/// A file that is absent, damaged, or not one of ours.
pub fn restore(folder: &Path) -> Result<Compt, StageError> {
    let path = folder.join(FILE);
    let file = read(&path).map_err(of_file)?;
    let entry = |name: &str| file.metadata.get(name).map(String::as_str);
    let settings: TrainParameters = parsed(&path, "settings", entry("settings"))?;
    let norm: Option<Norm> = parsed(&path, "router_norm", entry("router_norm"))?;
    let tasks: Vec<String> = parsed(&path, "tasks", entry("tasks"))?;
    let sources: Vec<String> = parsed(&path, "sources", entry("sources"))?;
    let method = Compt::restore(&settings, &tasks, norm, &file.tensors, steps(folder)?, Device::Cpu)
        .map_err(|error| StageError::environment(format!("`{}`: {error}", path.display())).with_hint(error.hint))?;
    if method.sources() == sources { Ok(method) } else { Err(foreign(&path, "sources")) }
}

/// A finished training, of whose prompts parts can be dropped.
#[derive(Debug)]
pub struct Trained<'a> {
    training: &'a Input,
    learned: BTreeMap<String, Tensor>,
    method: OnceCell<Compt>,
}

impl<'a> Trained<'a> {
    /// A training with its stored prompts [rows, d] by task. The parts are read when they are needed.
    pub fn new(training: &'a Input, learned: BTreeMap<String, Tensor>) -> Self {
        Self { training, learned, method: OnceCell::new() }
    }

    /// The masks that its composition has.
    ///
    /// # Errors
    /// Files that can't be used.
    pub fn masks(&self) -> Result<Vec<Keep>, StageError> {
        let method = self.method()?;
        Ok(mask::available(method.settings().compose, method.sources().len()))
    }

    /// The prompts [rows, d] that a mask leaves, by task; with nothing dropped the stored ones, bit for bit.
    ///
    /// # Errors
    /// A mask that the training's method does not have, or files that can't be used.
    pub fn masked(&self, mask: &MaskSettings) -> Result<BTreeMap<String, Tensor>, StageError> {
        if mask.is_total() {
            return Ok(self.learned.iter().map(|(task, prompt)| (task.clone(), prompt.shallow_clone())).collect());
        }
        let method = self.method()?;
        let prompts = tch::no_grad(|| method.masked(mask)).map_err(|mut error| {
            error.message = format!("{}: {}", instance(self.training), error.message);
            of_method(error)
        })?;
        let rows = method.tasks().iter().enumerate();
        Ok(rows.map(|(row, task)| (task.clone(), prompts.select(0, row as i64))).collect())
    }

    fn method(&self) -> Result<&Compt, StageError> {
        match self.method.get() {
            Some(method) => Ok(method),
            None => {
                let restored = restore(self.training.files.folder())?;
                Ok(self.method.get_or_init(|| restored))
            }
        }
    }
}

/// How many steps the training took; a sampled router's last temperature depends on it.
fn steps(folder: &Path) -> Result<u64, StageError> {
    let path = folder.join(SUMMARY);
    let text = fs_err::read_to_string(&path)?;
    let summary: Value = parsed(&path, "summary", Some(&text))?;
    summary["steps"].as_u64().ok_or_else(|| foreign(&path, "steps"))
}

fn parsed<T: DeserializeOwned>(path: &Path, name: &str, text: Option<&str>) -> Result<T, StageError> {
    text.and_then(|text| serde_json::from_str(text).ok()).ok_or_else(|| foreign(path, name))
}

fn foreign(path: &Path, name: &str) -> StageError {
    StageError::environment(format!("`{}` has no usable `{name}`", path.display()))
        .with_hint("run the `train` stage that wrote it again")
}

#[cfg(test)]
mod tests {
    use compt::operation::evaluate::DroppedHalf;
    use compt::operation::train::resolve;
    use tch::Kind;

    use super::*;
    use crate::body::prompts;
    use crate::fixture::difference;
    use crate::method::Moment;
    use crate::method::compt::Task;
    use crate::method::init::{Origin, uniform};

    const WIDTH: i64 = 8;
    const TASKS: [&str; 2] = ["acid", "mood"];

    /// A training's folder, with values as training may leave them, and the method that wrote it.
    fn trained(written: &Value) -> (tempfile::TempDir, Input, Compt) {
        let mut all = json!({"backbone": "b", "prompt": {"length": 4}, "encoder": {"hidden": 6}});
        for (name, value) in written.as_object().unwrap() {
            all[name] = value.clone();
        }
        let settings = resolve(&all).unwrap();
        let tasks = TASKS.map(|name| Task { name: name.to_owned(), labels: Vec::new() });
        let embed = |ids: &[i64]| Tensor::ones([ids.len() as i64, WIDTH], (Kind::Float, Device::Cpu));
        let origin = Origin { width: WIDTH, vocabulary: 50, embed: &embed, words: Vec::new(), file: BTreeMap::new() };
        let method = Compt::new(&settings, &tasks, &origin, 40, Device::Cpu).unwrap();
        let values: Vec<Tensor> = method
            .parameters()
            .all()
            .iter()
            .map(|parameter| uniform(&parameter.tensor.size(), 1.0, 5, &["trained", &parameter.name]))
            .collect();
        method.parameters().overwrite(&values);
        let folder = tempfile::tempdir().unwrap();
        let learned = tch::no_grad(|| method.prompts(Moment::Evaluation));
        let stored = prompts::bytes(&settings, method.tasks(), &learned, &learned);
        fs_err::write(folder.path().join(prompts::FILE), stored).unwrap();
        fs_err::write(folder.path().join(FILE), bytes(&settings, &method)).unwrap();
        fs_err::write(folder.path().join(SUMMARY), r#"{"steps": 40}"#).unwrap();
        let input = Input {
            stage: "fit".to_owned(),
            operation: "train".to_owned(),
            coordinates: BTreeMap::new(),
            files: folder.path().to_owned().into(),
        };
        (folder, input, method)
    }

    fn masked(training: &Input, mask: &MaskSettings) -> Result<BTreeMap<String, Tensor>, StageError> {
        Trained::new(training, prompts::load(training.files.folder())?.learned).masked(mask)
    }

    fn keeping(keep: Keep) -> MaskSettings {
        MaskSettings { keep, ..MaskSettings::default() }
    }

    #[test]
    fn the_total_mask_recomposes_what_is_stored() {
        for written in [
            json!({"method": "spp"}),
            json!({"method": "spp", "preset": "paper_code", "router": {"eval": "sample"}}),
            json!({"method": "spp", "router": {"include_private": true, "top_k": 1}}),
            json!({"method": "scp", "sources": {"count": 1, "per_task": true}, "gate": {"scope": "global"}}),
            json!({"method": "scp", "encoder": {"kind": "lstm", "hidden": 6}, "prompt": {"init": "class_labels"}}),
            json!({"method": "mst"}),
            json!({"method": "pt"}),
        ] {
            let (folder, input, _) = trained(&written);
            let stored = prompts::load(folder.path()).unwrap().learned;
            let restored = restore(folder.path()).unwrap();
            for renormalise in [true, false] {
                let mask = MaskSettings { renormalise, ..keeping(Keep::Total) };
                let recomposed = tch::no_grad(|| restored.masked(&mask)).unwrap();
                for (row, task) in TASKS.into_iter().enumerate() {
                    let prompt = recomposed.get(row as i64);
                    assert!(difference(&prompt, &stored[task]) < 1e-6, "{written} {task}");
                    assert_eq!(masked(&input, &mask).unwrap()[task], stored[task], "{written} {task}");
                }
            }
        }
    }

    #[test]
    fn all_sources_without_gates_are_the_weighted_sum() {
        let written = json!({
            "method": "spp", "sources": {"count": 2}, "encoder": {"kind": "emb"}, "router": {"norm": "softmax"},
            "gate": {"kind": "fixed", "fixed": [1.0, 1.0]},
        });
        let (folder, input, method) = trained(&written);
        let file = read(&folder.path().join(FILE)).unwrap().tensors;
        let (tables, logits) = (&file["source.table"], &file["router.logits"]);
        let stored = prompts::load(folder.path()).unwrap().learned;
        let all = masked(&input, &keeping(Keep::AllSources)).unwrap();
        let private = masked(&input, &keeping(Keep::Private)).unwrap();
        for (row, task) in TASKS.into_iter().enumerate() {
            // METHODS 2.2 by hand: a_1 P_1 + a_2 P_2 with a = exp(z) / sum of exp(z); the encoder is the identity.
            let power = |source: i64| logits.double_value(&[row as i64, source]).exp();
            let weight = |source: i64| power(source) / (power(0) + power(1));
            let expected = tables.get(0) * weight(0) + tables.get(1) * weight(1);
            assert!(difference(&all[task], &expected) < 1e-6, "{task}");
            assert!(difference(&private[task], &file["private.table"].get(row as i64)) < 1e-6, "{task}");
            assert!(difference(&(&all[task] + &private[task]), &stored[task]) < 1e-6, "the parts of a sum sum up");
            // A single source has weight 1, or the weight it has among all.
            let one = masked(&input, &keeping(Keep::Source(2))).unwrap();
            assert!(difference(&one[task], &tables.get(1)) < 1e-6, "{task}");
            let full = MaskSettings { renormalise: false, ..keeping(Keep::Source(2)) };
            let one = masked(&input, &full).unwrap();
            assert!(difference(&one[task], &(tables.get(1) * weight(1))) < 1e-6, "{task}");
        }
        assert_eq!(method.sources().len(), 2);
    }

    #[test]
    fn a_dropped_half_of_scp_is_zero_or_gone() {
        let (folder, input, _) = trained(&json!({"method": "scp", "sources": {"count": 2}}));
        let stored = prompts::load(folder.path()).unwrap().learned;
        let of = |keep, scp| masked(&input, &MaskSettings { scp, ..keeping(keep) }).unwrap().remove("mood").unwrap();
        let total = &stored["mood"];
        // Sources come first, the private prompt after them (METHODS 2.2).
        for (keep, kept, dropped) in [(Keep::AllSources, 0, 4), (Keep::Private, 4, 0)] {
            let half = total.narrow(0, kept, 4);
            let zero = of(keep, DroppedHalf::Zero);
            assert_eq!(zero.size(), [8, WIDTH]);
            assert!(difference(&zero.narrow(0, kept, 4), &half) < 1e-6);
            assert_eq!(zero.narrow(0, dropped, 4).abs().max().double_value(&[]), 0.0);
            assert!(difference(&of(keep, DroppedHalf::Remove), &half) < 1e-6);
        }
        assert_eq!(of(Keep::Source(1), DroppedHalf::Remove).size(), [4, WIDTH]);
        assert_eq!(of(Keep::Total, DroppedHalf::Remove).size(), [8, WIDTH]);
    }

    #[test]
    fn masks_and_files_that_do_not_fit_are_refused() {
        let (folder, input, _) = trained(&json!({"method": "mst"}));
        let refused = masked(&input, &keeping(Keep::Private)).unwrap_err();
        assert_eq!(
            refused.message,
            "`fit`: there is no `private` in these prompts to keep; their masks are `total`, `all_src`, `src_1`"
        );
        assert!(refused.hint.is_some());
        let one = masked(&input, &keeping(Keep::Source(1))).unwrap();
        assert!(difference(&one["acid"], &prompts::load(folder.path()).unwrap().learned["acid"]) < 1e-6);
        let mut file = read(&folder.path().join(FILE)).unwrap();
        file.tensors.remove("source.linear1.bias");
        fs_err::write(folder.path().join(FILE), to_bytes(&file.tensors, &file.metadata)).unwrap();
        let refused = restore(folder.path()).unwrap_err().message;
        assert!(refused.contains("no trained tensor `source.linear1.bias`"), "{refused}");
        file.metadata.remove("tasks");
        fs_err::write(folder.path().join(FILE), to_bytes(&file.tensors, &file.metadata)).unwrap();
        assert!(restore(folder.path()).unwrap_err().message.contains("no usable `tasks`"));
    }
}
