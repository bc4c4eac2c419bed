//! The feed-forward layer, in its v1.0 and its v1.1 form (METHODS 1.1).

use tch::Tensor;

use super::dropout::{dropout, relu_dropout};
use super::linear::Linear;

/// Widens to `d_ff`, bends, and narrows to `d_model`.
#[derive(Debug)]
pub(super) struct FeedForward {
    /// How the wide middle comes about.
    pub(super) wide: Wide,
    /// `wo`, `d_ff -> d_model`
    pub(super) output: Linear,
}

/// `d_model -> d_ff`, with the activation.
#[derive(Debug)]
pub(super) enum Wide {
    /// v1.0: `relu(wi x)`
    Relu(Linear),
    /// v1.1 and Flan: `gelu_new(wi_0 x) * (wi_1 x)`. The two maps stay apart: they are mapped from the checkpoint, and one
    /// product of their copy would be no faster at this width.
    GatedGelu(Linear, Linear),
}

impl FeedForward {
    /// `[rows, d_model] -> [rows, d_model]`
    pub(super) fn forward(&self, x: &Tensor, rate: f64) -> Tensor {
        let wide = match &self.wide {
            Wide::Relu(wi) => relu_dropout(&wi.forward(x), rate),
            // Hugging Face maps "gated-gelu" to the tanh approximation, not to the exact GELU.
            Wide::GatedGelu(gate, linear) => dropout(&(gate.forward(x).gelu("tanh") * linear.forward(x)), rate),
        }; // [rows, d_ff]
        self.output.forward(&wide)
    }
}
