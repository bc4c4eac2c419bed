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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tch::{Kind, Tensor};

    use super::sparsemax;
    use crate::fixture::{difference, extras};

    #[test]
    fn values_and_gradients_are_those_of_the_oracle() {
        let Some(fixture) = extras() else { return };
        let logits = fixture["norm.x"].detach().copy().set_requires_grad(true);
        let result = sparsemax(&logits);
        assert!(difference(&result, &fixture["sparsemax.y"]) < 1e-12);
        let upstream = (&result * &fixture["sparsemax.upstream"]).sum(Kind::Double);
        let gradient = &Tensor::run_backward(&[upstream], &[&logits], false, false)[0];
        assert!(difference(gradient, &fixture["sparsemax.grad"]) < 1e-12);
    }

    proptest! {
        #[test]
        fn rows_lie_on_the_simplex_and_ignore_a_shift(
            row in prop::collection::vec(-20.0f64..20.0, 1..8), shift in -5.0f64..5.0,
        ) {
            let logits = Tensor::from_slice(&row);
            let result = sparsemax(&logits);
            let values = Vec::<f64>::try_from(&result).unwrap();
            prop_assert!((values.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            prop_assert!(values.iter().all(|value| *value >= 0.0));
            prop_assert!(difference(&sparsemax(&(&logits + shift)), &result) < 1e-9);
            // Larger logits never get smaller weights.
            for (a, x) in row.iter().zip(&values) {
                for (b, y) in row.iter().zip(&values) {
                    prop_assert!(a <= b || x >= y);
                }
            }
        }
    }
}
