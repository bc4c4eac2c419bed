//! `parts.safetensors`: what the prompts of a training are composed of, encoded and ready to be looked at. Unlike
//! `modules.safetensors` it needs no network to be run: `similarity` reads it without libtorch.

use std::collections::BTreeMap;

use compt::report::learned::{PARTS_FORMAT, gate, router};
use serde_json::json;
use tch::Tensor;

use crate::method::compt::Compt;
use crate::train::tensor_file::to_bytes;

pub use compt::report::learned::PARTS as FILE;

/// The bytes of the file: `source/NAME` and `private/TASK` [L, d]; where there is a router, its weights after the
/// normaliser and, where they are learned, its logits `[T, n]`; and the gates of the parts that there are `[T]`.
pub fn bytes(method: &Compt) -> Vec<u8> {
    let mut tensors: BTreeMap<String, Tensor> = method.encoded().into_iter().collect();
    let routed = method.routed();
    tensors.extend(routed.logits.map(|logits| (router::LOGITS.to_owned(), logits)));
    tensors.extend(routed.weights.map(|weights| (router::WEIGHTS.to_owned(), weights)));
    tensors.extend(routed.alpha.map(|alpha| (gate::PRIVATE.to_owned(), alpha)));
    tensors.extend(routed.beta.map(|beta| (gate::SOURCE.to_owned(), beta)));
    let metadata = BTreeMap::from([
        ("format".to_owned(), PARTS_FORMAT.to_owned()),
        ("sources".to_owned(), json!(method.sources()).to_string()),
        ("tasks".to_owned(), json!(method.tasks()).to_string()),
    ]);
    to_bytes(&tensors, &metadata)
}
