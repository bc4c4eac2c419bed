//! Reading safetensors checkpoints, one file or shards with an index, by the names Hugging Face gives the tensors.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, Metadata, SafeTensors};
use serde::Deserialize;
use tch::{Device, Kind, Tensor};

use super::ModelError;
use super::mapped::MappedFile;

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// The mapped weight files of one checkpoint. Tensors that [`Weights::take`] returns may lie in the maps, so this value has to be
/// kept as long as they are.
#[derive(Debug)]
pub struct Weights {
    files: Vec<WeightFile>,
    /// Which file a tensor is in.
    places: HashMap<String, usize>,
    /// What to name in an error about a tensor that is in no file.
    list: PathBuf,
    device: Device,
    kind: Kind,
    /// Where weights are to be trained: what was given out.
    leaves: Option<RefCell<Vec<Leaf>>>,
}

/// A weight that is trained: a tensor of its own that requires a gradient.
#[derive(Debug)]
pub struct Leaf {
    /// The checkpoint's tensors that it holds, below one another and of the same shape.
    pub names: Vec<String>,
    /// Its numbers.
    pub tensor: Tensor,
}

#[derive(Debug)]
struct WeightFile {
    path: PathBuf,
    map: MappedFile,
    /// Where the tensors' bytes begin.
    start: usize,
    metadata: Metadata,
}

/// `model.safetensors.index.json`.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Weights {
    /// Maps the weight files of a checkpoint folder and reads their headers. Tensors are later put on `device` as `kind`.
    ///
    /// # Errors
    /// When there are no safetensors, a shard is missing, or a file is damaged or cut short.
    pub fn open(folder: &Path, device: Device, kind: Kind) -> Result<Self, ModelError> {
        let single = folder.join(SINGLE);
        let index = folder.join(INDEX);
        let mut weights =
            Self { files: Vec::new(), places: HashMap::new(), list: single.clone(), device, kind, leaves: None };
        if single.is_file() {
            weights.add(&single)?;
            let names = weights.files[0].metadata.offset_keys();
            weights.places = names.into_iter().map(|name| (name, 0)).collect();
        } else if index.is_file() {
            weights.add_shards(folder, &index)?;
            weights.list = index;
        } else {
            return Err(no_weights(folder));
        }
        Ok(weights)
    }

    /// The same, but tensors are copies that require a gradient and are noted in [`Weights::leaves`].
    #[must_use]
    pub fn trainable(mut self) -> Self {
        self.leaves = Some(RefCell::default());
        self
    }

    /// What has been given out to be trained, in that order.
    #[must_use]
    pub fn leaves(&self) -> Vec<Leaf> {
        let leaves = self.leaves.as_ref().map(RefCell::borrow);
        let copies = leaves.iter().flat_map(|leaves| leaves.iter());
        copies.map(|leaf| Leaf { names: leaf.names.clone(), tensor: leaf.tensor.shallow_clone() }).collect()
    }

    /// What is given out for `names`: as it is, or as a leaf.
    fn give(&self, names: &[String], tensor: Tensor) -> Tensor {
        let Some(leaves) = &self.leaves else { return tensor };
        let tensor = tensor.detach().copy().set_requires_grad(true);
        leaves.borrow_mut().push(Leaf { names: names.to_vec(), tensor: tensor.shallow_clone() });
        tensor
    }

    fn add(&mut self, path: &Path) -> Result<(), ModelError> {
        let map = MappedFile::open(path).map_err(|source| ModelError::Read { file: path.to_path_buf(), source })?;
        let (header, metadata) = SafeTensors::read_metadata(map.bytes())
            .map_err(|error| ModelError::Damaged { file: path.to_path_buf(), message: error.to_string() })?;
        // Eight bytes hold the length of the header.
        self.files.push(WeightFile { path: path.to_path_buf(), map, start: header + 8, metadata });
        Ok(())
    }

    fn add_shards(&mut self, folder: &Path, index: &Path) -> Result<(), ModelError> {
        let text =
            fs_err::read_to_string(index).map_err(|source| ModelError::Read { file: index.to_path_buf(), source })?;
        let invalid = |message: String| ModelError::Config { file: index.to_path_buf(), message };
        let list: Index = serde_json::from_str(&text).map_err(|error| invalid(error.to_string()))?;
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        for (name, shard) in &list.weight_map {
            let number = match numbers.get(shard.as_str()) {
                Some(number) => *number,
                None => {
                    // The index comes from outside: it names files beside itself and nothing else.
                    if Path::new(shard).file_name().is_none_or(|last| last != shard.as_str()) {
                        return Err(invalid(format!("shard `{shard}` must be the name of a file in the same folder")));
                    }
                    self.add(&folder.join(shard))?;
                    numbers.insert(shard, self.files.len() - 1);
                    self.files.len() - 1
                }
            };
            self.places.insert(name.clone(), number);
        }
        Ok(())
    }

    /// Whether the checkpoint has a tensor of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    /// The tensor `name`, which must have this shape, on the device and in the number type of the checkpoint's use.
    /// Without a copy where both are those of the file; such a tensor must never be written to.
    ///
    /// # Errors
    /// When it is missing, misshapen, or stored in a type that is not read.
    pub fn take(&self, name: &str, shape: &[i64]) -> Result<Tensor, ModelError> {
        Ok(self.give(&[name.to_owned()], self.read(name, shape)?))
    }

    fn read(&self, name: &str, shape: &[i64]) -> Result<Tensor, ModelError> {
        let (file, range, stored) = self.locate(name, shape)?;
        let mapped = file.map.tensor(range.clone(), shape, stored)?;
        if self.device == Device::Cpu && self.kind == stored {
            return Ok(mapped);
        }
        let tensor = mapped.f_to_device(self.device)?.f_to_kind(self.kind)?;
        file.map.forget(range);
        Ok(tensor)
    }

    /// Several matrices of `inputs` columns, below one another: one product then does the work of all.
    ///
    /// # Errors
    /// As [`Weights::take`].
    pub fn take_stacked(&self, names: &[String], rows: i64, inputs: i64) -> Result<Tensor, ModelError> {
        let parts = names.iter().map(|name| self.read(name, &[rows, inputs])).collect::<Result<Vec<_>, _>>()?;
        let stacked = Tensor::f_cat(&parts, 0)?;
        for name in names {
            let (file, range, _) = self.locate(name, &[rows, inputs])?;
            file.map.forget(range);
        }
        Ok(self.give(names, stacked))
    }

    fn locate(&self, name: &str, shape: &[i64]) -> Result<(&WeightFile, Range<usize>, Kind), ModelError> {
        let missing = |file: &Path| ModelError::MissingTensor {
            file: file.to_path_buf(),
            name: name.to_owned(),
            hint: self.hint(name),
        };
        let file = self.places.get(name).map(|number| &self.files[*number]).ok_or_else(|| missing(&self.list))?;
        let info = file.metadata.info(name).ok_or_else(|| missing(&file.path))?;
        let found: Vec<i64> = info.shape.iter().map(|size| *size as i64).collect();
        if found != shape {
            let (file, name, expected) = (file.path.clone(), name.to_owned(), shape.to_vec());
            return Err(ModelError::Shape { file, name, expected, found });
        }
        let stored = match info.dtype {
            Dtype::F32 => Kind::Float,
            Dtype::F16 => Kind::Half,
            Dtype::BF16 => Kind::BFloat16,
            other => {
                let (file, name) = (file.path.clone(), name.to_owned());
                return Err(ModelError::Type { file, name, found: format!("{other:?}") });
            }
        };
        let (from, to) = info.data_offsets;
        Ok((file, file.start + from..file.start + to, stored))
    }

    /// A pointer to what the file has instead: T5's own names carry no prefix, but wrappers add one.
    fn hint(&self, name: &str) -> String {
        let mut similar: Vec<&String> = self.places.keys().filter(|key| key.ends_with(name)).collect();
        similar.sort();
        match similar.first() {
            Some(key) => format!(" (it has `{key}`, which looks like the same tensor saved inside of a wrapper)"),
            None => String::new(),
        }
    }
}

/// The error for a folder without safetensors: what lies there instead decides about the advice.
fn no_weights(folder: &Path) -> ModelError {
    let pickled = ["pytorch_model.bin", "pytorch_model.bin.index.json"];
    match pickled.iter().find(|name| folder.join(name).exists()) {
        Some(found) => ModelError::Pickle { folder: folder.to_path_buf(), found: (*found).to_owned() },
        None => ModelError::NoWeights { folder: folder.to_path_buf() },
    }
}
