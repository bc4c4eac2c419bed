//! One block of each stack: pre-norm sub-layers, each added to the residual stream.

use tch::Tensor;

use super::attention::{Cache, CrossAttention, SelfAttention};
use super::dropout::dropout;
use super::feed_forward::FeedForward;
use super::norm::Norm;
use super::packing::{CrossPlan, SelfPlan};

/// Self-attention and feed-forward.
#[derive(Debug)]
pub(super) struct EncoderBlock {
    pub(super) attention_norm: Norm,
    pub(super) attention: SelfAttention,
    pub(super) feed_forward_norm: Norm,
    pub(super) feed_forward: FeedForward,
}

impl EncoderBlock {
    /// `[tokens, d_model] -> [tokens, d_model]`
    pub(super) fn forward(&self, x: &Tensor, plan: &SelfPlan, rate: f64) -> Tensor {
        let x = x + dropout(&self.attention.forward(&self.attention_norm.forward(x), plan, rate), rate);
        let wide = self.feed_forward.forward(&self.feed_forward_norm.forward(&x), rate);
        x + dropout(&wide, rate)
    }
}

/// Self-attention, cross-attention and feed-forward.
#[derive(Debug)]
pub(super) struct DecoderBlock {
    pub(super) own: EncoderBlock,
    pub(super) cross_norm: Norm,
    pub(super) cross: CrossAttention,
}

impl DecoderBlock {
    /// `[target tokens, d_model] -> [target tokens, d_model]`
    pub(super) fn forward(&self, x: &Tensor, plan: &SelfPlan, cross: &CrossPlan, rate: f64) -> Tensor {
        let attended = self.own.attention.forward(&self.own.attention_norm.forward(x), plan, rate);
        self.finish(&(x + dropout(&attended, rate)), cross, rate)
    }

    /// One decoding step, `[rows, d_model] -> [rows, d_model]`.
    pub(super) fn step(&self, x: &Tensor, cache: &mut Cache, bias: &Tensor, cross: &CrossPlan) -> Tensor {
        let attended = self.own.attention.step(&self.own.attention_norm.forward(x), cache, bias);
        self.finish(&(x + attended), cross, 0.0)
    }

    fn finish(&self, x: &Tensor, cross: &CrossPlan, rate: f64) -> Tensor {
        let x = x + dropout(&self.cross.forward(&self.cross_norm.forward(x), cross, rate), rate);
        let wide = self.own.feed_forward.forward(&self.own.feed_forward_norm.forward(&x), rate);
        x + dropout(&wide, rate)
    }
}
