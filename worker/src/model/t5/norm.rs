//! T5's layer norm: a root-mean-square norm, without mean and without bias (METHODS 1.1).

use tch::{Kind, Tensor};

/// `y = w * x / sqrt(mean(x^2) + epsilon)`
#[derive(Debug)]
pub(super) struct Norm {
    /// `[d_model]`
    weight: Tensor,
    epsilon: f64,
}

impl Norm {
    /// Takes the weight of `[d_model]`.
    pub(super) fn new(weight: Tensor, epsilon: f64) -> Self {
        Self { weight, epsilon }
    }

    /// `[rows, d_model] -> [rows, d_model]`
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        // The mean of squares is taken in float32 even when the model runs in half precision.
        let kind = x.kind();
        let wide = if kind == Kind::Double { Kind::Double } else { Kind::Float };
        let x = x.to_kind(wide);
        let scale = ((&x * &x).mean_dim(-1, true, wide) + self.epsilon).rsqrt(); // [rows, 1]
        (x * scale).to_kind(kind) * &self.weight
    }
}
