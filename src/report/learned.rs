//! What a training has learned, as numbers: its prompts, and the router and gates that put them together.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::Dtype;

use super::ReportError;

/// The file with the parts, in a training's folder.
pub const PARTS: &str = "parts.safetensors";

/// What the file says of itself.
pub const PARTS_FORMAT: &str = "compt parts 1";

/// The file with the composed prompts, in a training's folder.
const PROMPTS: &str = "prompts.safetensors";

/// Names of the router's tensors in [`PARTS`], each [T, n].
pub mod router {
    /// What was learned.
    pub const LOGITS: &str = "router.logits";
    /// The weights after the normaliser.
    pub const WEIGHTS: &str = "router.weights";
}

/// Names of the gates in [`PARTS`], each `[T]`.
pub mod gate {
    /// Before the private prompt.
    pub const PRIVATE: &str = "gate.private";
    /// Before the mixture of the sources.
    pub const SOURCE: &str = "gate.source";
}

/// A prompt [rows, width].
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// Its length.
    pub rows: usize,
    /// Row after row.
    pub values: Vec<f32>,
}

impl Prompt {
    /// The mean over its positions.
    pub fn mean(&self) -> Vec<f32> {
        let width = self.values.len() / self.rows.max(1);
        let sum = |column: usize| -> f64 {
            self.values.iter().skip(column).step_by(width.max(1)).map(|value| f64::from(*value)).sum()
        };
        (0..width).map(|column| (sum(column) / self.rows as f64) as f32).collect()
    }
}

/// All that a training has learned; tasks and sources are in the training's order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Learned {
    /// Names of the tasks.
    pub tasks: Vec<String>,
    /// The composed prompts by task.
    pub composed: Vec<(String, Prompt)>,
    /// The encoded private prompts by task; none where the method has none.
    pub privates: Vec<(String, Prompt)>,
    /// The encoded sources by name; none where the method has none.
    pub sources: Vec<(String, Prompt)>,
    /// What the router learned, by task and source.
    pub logits: Option<Vec<Vec<f32>>>,
    /// The weights of the sources, by task and source.
    pub weights: Option<Vec<Vec<f32>>>,
    /// The gate before the private prompt, by task.
    pub alpha: Option<Vec<f32>>,
    /// The gate before the mixture, by task.
    pub beta: Option<Vec<f32>>,
}

impl Learned {
    /// Reads the files of a training.
    ///
    /// # Errors
    /// A file that can't be read, is damaged, or lacks what it should have.
    pub fn read(folder: &Path) -> Result<Self, ReportError> {
        let parts = Tensors::read(&folder.join(PARTS))?;
        let prompts = Tensors::read(&folder.join(PROMPTS))?;
        let (tasks, source_names) = (parts.names("tasks")?, parts.names("sources")?);
        let rows = |name: &str, rows: usize| -> Option<Vec<Vec<f32>>> {
            let (_, values) = parts.tensors.get(name)?;
            Some(values.chunks((values.len() / rows.max(1)).max(1)).map(<[f32]>::to_vec).collect())
        };
        let numbers = |name: &str| parts.tensors.get(name).map(|(_, values)| values.clone());
        let by_name = |file: &Tensors, kind: &str, names: &[String]| -> Result<Vec<(String, Prompt)>, ReportError> {
            let full = |name: &String| if kind.is_empty() { name.clone() } else { format!("{kind}/{name}") };
            names.iter().map(|name| Ok((name.clone(), file.prompt(&full(name))?))).collect()
        };
        let has_private = tasks.first().is_some_and(|task| parts.tensors.contains_key(&format!("private/{task}")));
        Ok(Self {
            composed: by_name(&prompts, "learned", &tasks)?,
            privates: if has_private { by_name(&parts, "private", &tasks)? } else { Vec::new() },
            sources: by_name(&parts, "", &source_names)?,
            logits: rows(router::LOGITS, tasks.len()),
            weights: rows(router::WEIGHTS, tasks.len()),
            alpha: numbers(gate::PRIVATE),
            beta: numbers(gate::SOURCE),
            tasks,
        })
    }
}

/// A file of float32 tensors.
struct Tensors {
    path: std::path::PathBuf,
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    metadata: BTreeMap<String, String>,
}

impl Tensors {
    fn read(path: &Path) -> Result<Self, ReportError> {
        let bytes = fs_err::read(path)?;
        let damaged = |message: String| ReportError::File {
            path: path.to_owned(),
            line: None,
            message,
            hint: Some("run the `train` stage that wrote it again".to_owned()),
        };
        let broken = |error: safetensors::SafeTensorError| damaged(format!("this is no safetensors file: {error}"));
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(broken)?;
        let file = SafeTensors::deserialize(&bytes).map_err(broken)?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.tensors() {
            if view.dtype() != Dtype::F32 {
                return Err(damaged(format!("the tensor `{name}` has the type {:?}, expected F32", view.dtype())));
            }
            let values =
                view.data().chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]));
            tensors.insert(name, (view.shape().to_vec(), values.collect()));
        }
        let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
        Ok(Self { path: path.to_owned(), tensors, metadata })
    }

    fn lacks(&self, what: &str) -> ReportError {
        ReportError::file(&self.path, None, format!("there is no {what}, which `train` writes"))
    }

    /// A list of names among the metadata.
    fn names(&self, name: &str) -> Result<Vec<String>, ReportError> {
        let read = self.metadata.get(name).and_then(|text| serde_json::from_str(text).ok());
        read.ok_or_else(|| self.lacks(&format!("list of `{name}`")))
    }

    fn prompt(&self, name: &str) -> Result<Prompt, ReportError> {
        match self.tensors.get(name) {
            Some((shape, values)) if shape.len() == 2 => Ok(Prompt { rows: shape[0], values: values.clone() }),
            _ => Err(self.lacks(&format!("prompt `{name}`"))),
        }
    }
}
