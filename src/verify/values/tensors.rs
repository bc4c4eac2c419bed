//! safetensors files, element by element.

use std::collections::BTreeSet;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use super::tally::Tally;

/// Compares two files; `None` when one of them is none.
pub(super) fn compare(recorded: &[u8], rerun: &[u8], tally: &mut Tally) -> Option<()> {
    let recorded = SafeTensors::deserialize(recorded).ok()?;
    let rerun = SafeTensors::deserialize(rerun).ok()?;
    let names: BTreeSet<&str> = recorded.names().into_iter().chain(rerun.names()).collect();
    for name in names {
        match (recorded.tensor(name), rerun.tensor(name)) {
            (Ok(a), Ok(b)) => elements(name, &a, &b, tally),
            (a, b) => tally.other(format!("`{name}`"), shape(a.ok().as_ref()), shape(b.ok().as_ref())),
        }
    }
    Some(())
}

fn elements(name: &str, a: &TensorView<'_>, b: &TensorView<'_>, tally: &mut Tally) {
    if (a.dtype(), a.shape()) != (b.dtype(), b.shape()) {
        return tally.other(format!("`{name}`"), shape(Some(a)), shape(Some(b)));
    }
    if a.data() == b.data() {
        return;
    }
    match (numbers(a), numbers(b)) {
        (Some(left), Some(right)) => {
            for (position, (left, right)) in left.into_iter().zip(right).enumerate() {
                tally.number(|| format!("`{name}`{:?}", index(position, a.shape())), left, right);
            }
        }
        _ => tally.other(format!("`{name}`"), "these bytes", "other bytes"),
    }
}

/// The elements as numbers; `None` for types that are not floating point: they are equal or not.
fn numbers(view: &TensorView<'_>) -> Option<Vec<f64>> {
    let bytes = view.data();
    Some(match view.dtype() {
        Dtype::F64 => bytes.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect(),
        Dtype::F32 => bytes.as_chunks::<4>().0.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect(),
        // The upper half of an f32.
        Dtype::BF16 => {
            let wide = |bytes: &[u8; 2]| f64::from(f32::from_bits(u32::from(u16::from_le_bytes(*bytes)) << 16));
            bytes.as_chunks::<2>().0.iter().map(wide).collect()
        }
        _ => return None,
    })
}

/// The index of an element from its place in memory.
fn index(mut position: usize, shape: &[usize]) -> Vec<usize> {
    let mut index: Vec<usize> = shape
        .iter()
        .rev()
        .map(|size| {
            let here = position % size;
            position /= size;
            here
        })
        .collect();
    index.reverse();
    index
}

fn shape(view: Option<&TensorView<'_>>) -> String {
    view.map_or_else(|| "absent".to_owned(), |view| format!("{:?} {:?}", view.dtype(), view.shape()))
}
