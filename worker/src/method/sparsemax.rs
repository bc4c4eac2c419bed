//! Sparsemax: the Euclidean projection of a row onto the simplex (Martins and Astudillo 2016; METHODS 2.3).

use tch::{Kind, Tensor};

/// Projects each row of `logits [.., n]` onto the simplex; same shape.
///
/// The support is found without gradients. On the support S the result is `z - (sum over S of z - 1) / |S|`, which is
/// differentiable and has sparsemax's gradient: the incoming one less its mean over S, and zero elsewhere.
pub fn sparsemax(logits: &Tensor) -> Tensor {
    let support = tch::no_grad(|| support(logits));
    let size = support.sum_dim_intlist(-1, true, logits.kind());
    let threshold = ((logits * &support).sum_dim_intlist(-1, true, logits.kind()) - 1.0) / size;
    (logits - threshold) * support
}

/// 1 where an entry is in the support, 0 elsewhere.
fn support(logits: &Tensor) -> Tensor {
    let kind = logits.kind();
    let count = logits.size().last().copied().unwrap_or(0);
    let (sorted, _) = logits.sort(-1, true);
    let place = Tensor::arange(count, (Kind::Int64, logits.device())).to_kind(kind) + 1.0;
    let sums = sorted.cumsum(-1, kind);
    // The largest j with 1 + j z_(j) > z_(1) + ... + z_(j); the condition holds for j = 1 and then up to that j.
    let size = (&place * &sorted + 1.0).gt_tensor(&sums).to_kind(Kind::Int64).sum_dim_intlist(-1, true, Kind::Int64);
    let threshold = (sums.gather(-1, &(&size - 1), false) - 1.0) / size.to_kind(kind);
    logits.gt_tensor(&threshold).to_kind(kind)
}
