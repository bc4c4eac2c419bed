//! How tables and weights start: seeded streams with names, so that no start depends on another prompt or on an order.

use std::collections::BTreeMap;

use compt::base::random::Stream;
use compt::operation::train::Init;
use tch::{Device, Kind, Tensor};

use super::MethodError;

/// T5's vocabulary is sorted by frequency; words are drawn from its first rows (METHODS 2.1).
const FREQUENT: i64 = 5000;

/// What tables can start from.
pub struct Origin<'a> {
    /// The backbone's width d.
    pub width: i64,
    /// Rows of its vocabulary.
    pub vocabulary: i64,
    /// The embeddings [n, d] of n token ids.
    pub embed: &'a dyn Fn(&[i64]) -> Tensor,
    /// Token ids of `prompt.init_words`.
    pub words: Vec<i64>,
    /// Tensors of `prompt.init_file`.
    pub file: BTreeMap<String, Tensor>,
}

/// A prompt that is to be started.
pub struct Seat<'a> {
    /// Its name: `source/0`, `private/rte`.
    pub name: &'a str,
    /// The task it belongs to, if any.
    pub task: Option<&'a str>,
    /// Token ids of the label words it may start from, label by label.
    pub labels: &'a [Vec<i64>],
}

/// The first table [rows, d] of a prompt.
///
/// # Errors
/// When the file has no fitting tensor.
pub fn table(kind: Init, seat: &Seat<'_>, rows: i64, seed: u64, origin: &Origin<'_>) -> Result<Tensor, MethodError> {
    let cycle = |ids: &[i64]| -> Vec<i64> { ids.iter().copied().cycle().take(rows as usize).collect() };
    match kind {
        Init::Uniform => Ok(uniform(&[rows, origin.width], 0.5, seed, &["init", seat.name, "table"])),
        Init::SampledVocab => Ok((origin.embed)(&frequent(rows, seat, seed, origin))),
        Init::FirstVocabRows => Ok((origin.embed)(&cycle(&(0..origin.vocabulary.min(rows)).collect::<Vec<_>>()))),
        Init::Words if origin.words.is_empty() => {
            Err(MethodError::new("none of `prompt.init_words` is in the vocabulary", "choose other words"))
        }
        Init::Words => Ok((origin.embed)(&cycle(&origin.words))),
        Init::ClassLabels => {
            // One row a label, the mean of its tokens, as long as there is room; the rest is sampled.
            let mut parts: Vec<Tensor> = seat
                .labels
                .iter()
                .filter(|label| !label.is_empty())
                .take(rows as usize)
                .map(|label| (origin.embed)(label).mean_dim(0, true, Kind::Float))
                .collect();
            let missing = rows - parts.len() as i64;
            if missing > 0 {
                parts.push((origin.embed)(&frequent(missing, seat, seed, origin)));
            }
            Ok(Tensor::cat(&parts, 0))
        }
        Init::File => from_file(seat, rows, origin),
    }
}

/// `rows` ids of frequent words, without replacement as long as there are enough.
fn frequent(rows: i64, seat: &Seat<'_>, seed: u64, origin: &Origin<'_>) -> Vec<i64> {
    let mut ids: Vec<i64> = (0..origin.vocabulary.min(FREQUENT)).collect();
    Stream::new(seed, &["init", seat.name, "vocabulary"]).shuffle(&mut ids);
    ids.into_iter().cycle().take(rows as usize).collect()
}

/// The prompt's own tensor of the file (`learned/TASK`, or by its full name), or the only one there is.
fn from_file(seat: &Seat<'_>, rows: i64, origin: &Origin<'_>) -> Result<Tensor, MethodError> {
    let own = seat.task.map(|task| format!("learned/{task}"));
    let found = own
        .and_then(|name| origin.file.get(&name))
        .or_else(|| origin.file.get(seat.name))
        .or_else(|| if origin.file.len() == 1 { origin.file.values().next() } else { None });
    let names = || origin.file.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let Some(tensor) = found else {
        return Err(MethodError::new(
            format!("`prompt.init_file` has no tensor for `{}`; it has {}", seat.name, names()),
            "name a file with `learned/TASK` for each task, or with one tensor for all prompts",
        ));
    };
    if tensor.size() != [rows, origin.width] {
        return Err(MethodError::new(
            format!(
                "the tensor for `{}` in `prompt.init_file` has the shape {:?}, but [{rows}, {}] is needed",
                seat.name,
                tensor.size(),
                origin.width
            ),
            "set `prompt.length` to the length of the saved prompt, and use the backbone it was trained on",
        ));
    }
    Ok(tensor.shallow_clone())
}

/// A tensor of this shape, uniform in [-bound, bound).
pub fn uniform(shape: &[i64], bound: f64, seed: u64, name: &[&str]) -> Tensor {
    let mut stream = Stream::new(seed, name);
    let numbers = shape.iter().product::<i64>();
    let values: Vec<f32> = (0..numbers).map(|_| stream.uniform(-bound, bound) as f32).collect();
    Tensor::from_slice(&values).reshape(shape).to_device(Device::Cpu)
}
