//! Where tests find the reference outputs: tiny checkpoints and tensors that PyTorch computed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tch::{Kind, Tensor};

use crate::train::tensor_file::read;

/// A file or folder of the oracle; `None`, with a printed reason, when it is not at hand.
pub(crate) fn oracle(name: &str) -> Option<PathBuf> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("COMPT_SHARED").map_or_else(|| home.join("../../shared"), PathBuf::from);
    let places = [home.join("tests/data/oracle"), shared.join("oracle")];
    let found = places.iter().map(|place| place.join(name)).find(|path| path.exists());
    if found.is_none() {
        println!("skipped: the oracle has no `{name}`");
    }
    found
}

/// The tensors of `extras.safetensors`, computed by PyTorch (METHODS 9).
pub(crate) fn extras() -> Option<BTreeMap<String, Tensor>> {
    Some(read(&oracle("extras.safetensors")?).unwrap().tensors)
}

/// The largest difference between two tensors of the same shape.
pub(crate) fn difference(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    (a.to_kind(Kind::Double) - b.to_kind(Kind::Double)).abs().max().double_value(&[])
}
