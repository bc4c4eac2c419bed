//! Safetensors files that are the same bytes for the same content: tensors and metadata sorted by name.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use serde_json::{Map, Value, json};
use tch::{Device, Kind, Tensor};

/// Why a tensor file can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It could not be opened.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is not a whole safetensors file.
    #[error("`{path}` is not a complete safetensors file: {message}")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong.
        message: String,
    },
}

/// A file's tensors and metadata.
#[derive(Debug)]
pub struct TensorFile {
    /// Tensors by name, on the CPU.
    pub tensors: BTreeMap<String, Tensor>,
    /// Metadata by name.
    pub metadata: BTreeMap<String, String>,
}

/// The bytes of a file with these tensors (as float32) and this metadata.
pub fn to_bytes(tensors: &BTreeMap<String, Tensor>, metadata: &BTreeMap<String, String>) -> Vec<u8> {
    let mut header = Map::new();
    header.insert("__metadata__".to_owned(), json!(metadata));
    let mut data = Vec::new();
    for (name, tensor) in tensors {
        let start = data.len();
        data.extend_from_slice(&bytes_of(tensor));
        let entry = json!({ "dtype": "F32", "shape": tensor.size(), "data_offsets": [start, data.len()] });
        header.insert(name.clone(), entry);
    }
    let mut text = Value::Object(header).to_string().into_bytes();
    // The data begins at a multiple of eight bytes, so that it can be mapped as numbers.
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut bytes = Vec::with_capacity(8 + text.len() + data.len());
    bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&text);
    bytes.extend_from_slice(&data);
    bytes
}

/// All values of a tensor in row order, as float32.
pub fn numbers(tensor: &Tensor) -> Vec<f32> {
    let plain = tensor.detach().to_device(Device::Cpu).to_kind(Kind::Float).contiguous();
    let mut values = vec![0f32; plain.numel()];
    plain.copy_data(&mut values, plain.numel());
    values
}

/// All values of a tensor in row order, as little-endian float32.
pub fn bytes_of(tensor: &Tensor) -> Vec<u8> {
    numbers(tensor).into_iter().flat_map(f32::to_le_bytes).collect()
}

/// Reads a whole file; numbers of 16, 32 and 64 bits become tensors of their kind.
///
/// # Errors
/// A file that can't be opened, or is not whole.
pub fn read(path: &Path) -> Result<TensorFile, ReadError> {
    let bytes = fs_err::read(path)?;
    let damaged = |message: String| ReadError::Damaged { path: path.display().to_string(), message };
    from_bytes(&bytes).map_err(damaged)
}

/// Reads the bytes of a file.
///
/// # Errors
/// What is wrong with them.
pub fn from_bytes(bytes: &[u8]) -> Result<TensorFile, String> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
    let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.tensors() {
        let kind = match view.dtype() {
            Dtype::F32 => Kind::Float,
            Dtype::F64 => Kind::Double,
            Dtype::F16 => Kind::Half,
            Dtype::BF16 => Kind::BFloat16,
            Dtype::I64 => Kind::Int64,
            other => return Err(format!("the tensor `{name}` has the type {other:?}; floating-point types are read")),
        };
        let shape: Vec<i64> = view.shape().iter().map(|&size| size as i64).collect();
        let tensor = Tensor::f_from_data_size(view.data(), &shape, kind).map_err(|error| error.to_string())?;
        tensors.insert(name, tensor);
    }
    let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
    Ok(TensorFile { tensors, metadata })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_bytes_depend_on_content_only() {
        let tensors = |order: [&str; 3]| -> BTreeMap<String, Tensor> {
            order.iter().map(|name| (name.to_string(), Tensor::from_slice(&[name.len() as f32, 0.1]))).collect()
        };
        let metadata = BTreeMap::from([("b".to_owned(), "\"x\"".to_owned()), ("a".to_owned(), "ü".to_owned())]);
        let bytes = to_bytes(&tensors(["a", "bb", "ccc"]), &metadata);
        assert_eq!(bytes, to_bytes(&tensors(["ccc", "a", "bb"]), &metadata));
        let read = from_bytes(&bytes).unwrap();
        assert_eq!(read.metadata, metadata);
        assert_eq!(numbers(&read.tensors["ccc"]), [3.0, 0.1]);
        for cut in [0, 7, 20, bytes.len() - 1] {
            assert!(from_bytes(&bytes[..cut]).is_err(), "{cut} bytes");
        }
    }
}
