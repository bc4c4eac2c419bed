//! The two stacks of blocks, built from a checkpoint by the names Hugging Face gives its tensors (METHODS 1.2).

use tch::Tensor;

use super::attention::{Cache, CrossAttention, Heads, SelfAttention};
use super::block::{DecoderBlock, EncoderBlock};
use super::config::{FeedForwardKind, T5Config};
use super::dropout::dropout;
use super::feed_forward::{FeedForward, Wide};
use super::linear::Linear;
use super::norm::Norm;
use super::packing::{CrossPlan, SelfPlan};
use super::position::PositionTable;
use crate::model::ModelError;
use crate::model::weights::Weights;

/// The encoder.
#[derive(Debug)]
pub(super) struct Encoder {
    blocks: Vec<EncoderBlock>,
    final_norm: Norm,
    /// Shared by all blocks; the checkpoint keeps it in the first.
    pub(super) positions: PositionTable,
}

/// The decoder.
#[derive(Debug)]
pub(super) struct Decoder {
    blocks: Vec<DecoderBlock>,
    final_norm: Norm,
    /// Shared by all blocks; the checkpoint keeps it in the first.
    pub(super) positions: PositionTable,
}

impl Encoder {
    /// Takes the encoder's tensors.
    pub(super) fn load(weights: &Weights, config: &T5Config) -> Result<Self, ModelError> {
        let load = Loader { weights, config, stack: "encoder" };
        let blocks = (0..config.num_layers).map(|index| load.block(index, 1)).collect::<Result<_, _>>()?;
        let final_norm = load.norm("encoder.final_layer_norm.weight")?;
        Ok(Self { blocks, final_norm, positions: load.positions(true)? })
    }

    /// `[tokens, d_model] -> [tokens, d_model]`
    pub(super) fn forward(&self, embeddings: &Tensor, plan: &SelfPlan, rate: f64) -> Tensor {
        let mut x = dropout(embeddings, rate);
        for block in &self.blocks {
            x = block.forward(&x, plan, rate);
        }
        dropout(&self.final_norm.forward(&x), rate)
    }
}

impl Decoder {
    /// Takes the decoder's tensors.
    pub(super) fn load(weights: &Weights, config: &T5Config) -> Result<Self, ModelError> {
        let load = Loader { weights, config, stack: "decoder" };
        let blocks = (0..config.num_decoder_layers)
            .map(|index| {
                Ok(DecoderBlock {
                    own: load.block(index, 2)?,
                    cross_norm: load.norm(&format!("decoder.block.{index}.layer.1.layer_norm.weight"))?,
                    cross: load.cross(index)?,
                })
            })
            .collect::<Result<_, ModelError>>()?;
        let final_norm = load.norm("decoder.final_layer_norm.weight")?;
        Ok(Self { blocks, final_norm, positions: load.positions(false)? })
    }

    /// `[target tokens, d_model] -> [target tokens, d_model]`
    pub(super) fn forward(&self, embeddings: &Tensor, plan: &SelfPlan, cross: &CrossPlan, rate: f64) -> Tensor {
        let mut x = dropout(embeddings, rate);
        for block in &self.blocks {
            x = block.forward(&x, plan, cross, rate);
        }
        dropout(&self.final_norm.forward(&x), rate)
    }

    /// An empty cache of keys and values for each block.
    pub(super) fn caches(&self) -> Vec<Cache> {
        self.blocks.iter().map(|_| Cache::default()).collect()
    }

    /// One decoding step for the newest token of each row, which stands at position `length - 1`:
    /// `[rows, d_model] -> [rows, d_model]`.
    pub(super) fn step(&self, x: Tensor, caches: &mut [Cache], length: i64, cross: &CrossPlan) -> Tensor {
        let bias = self.positions.last_row(length); // [heads, 1, length]
        let mut x = x;
        for (block, cache) in self.blocks.iter().zip(caches) {
            x = block.step(&x, cache, &bias, cross);
        }
        self.final_norm.forward(&x)
    }
}

/// Spells the names of a stack's tensors.
struct Loader<'a> {
    weights: &'a Weights,
    config: &'a T5Config,
    stack: &'static str,
}

impl Loader<'_> {
    fn heads(&self) -> Heads {
        Heads { count: self.config.num_heads, width: self.config.d_kv }
    }

    fn inner(&self) -> i64 {
        self.config.num_heads * self.config.d_kv
    }

    fn norm(&self, name: &str) -> Result<Norm, ModelError> {
        Ok(Norm::new(self.weights.take(name, &[self.config.d_model])?, self.config.layer_norm_epsilon))
    }

    fn linear(&self, name: &str, outputs: i64, inputs: i64) -> Result<Linear, ModelError> {
        Ok(Linear::new(self.weights.take(name, &[outputs, inputs])?))
    }

    fn positions(&self, bidirectional: bool) -> Result<PositionTable, ModelError> {
        let name = format!("{}.block.0.layer.0.SelfAttention.relative_attention_bias.weight", self.stack);
        let buckets = self.config.relative_attention_num_buckets;
        let table = self.weights.take(&name, &[buckets, self.config.num_heads])?;
        Ok(PositionTable::new(table, bidirectional, self.config.relative_attention_max_distance))
    }

    /// Self-attention and the feed-forward layer, which is sub-layer `last` of the block.
    fn block(&self, index: usize, last: usize) -> Result<EncoderBlock, ModelError> {
        let d_model = self.config.d_model;
        let d_ff = self.config.d_ff;
        let own = format!("{}.block.{index}.layer.0", self.stack);
        let wide = format!("{}.block.{index}.layer.{last}", self.stack);
        let joint = ["q", "k", "v"].map(|part| format!("{own}.SelfAttention.{part}.weight"));
        let attention = SelfAttention {
            joint: Linear::new(self.weights.take_stacked(&joint, self.inner(), d_model)?),
            output: self.linear(&format!("{own}.SelfAttention.o.weight"), d_model, self.inner())?,
            heads: self.heads(),
        };
        // The checkpoint calls the layer `DenseReluDense` even when it is gated.
        let map = |part: &str| self.linear(&format!("{wide}.DenseReluDense.{part}.weight"), d_ff, d_model);
        let feed_forward = FeedForward {
            wide: match self.config.feed_forward {
                FeedForwardKind::Relu => Wide::Relu(map("wi")?),
                FeedForwardKind::GatedGelu => Wide::GatedGelu(map("wi_0")?, map("wi_1")?),
            },
            output: self.linear(&format!("{wide}.DenseReluDense.wo.weight"), d_model, d_ff)?,
        };
        Ok(EncoderBlock {
            attention_norm: self.norm(&format!("{own}.layer_norm.weight"))?,
            attention,
            feed_forward_norm: self.norm(&format!("{wide}.layer_norm.weight"))?,
            feed_forward,
        })
    }

    fn cross(&self, index: usize) -> Result<CrossAttention, ModelError> {
        let d_model = self.config.d_model;
        let heads = self.heads();
        let name = |part: &str| format!("decoder.block.{index}.layer.1.EncDecAttention.{part}.weight");
        let per_head = |part: &str| -> Result<Tensor, ModelError> {
            Ok(self.weights.take(&name(part), &[self.inner(), d_model])?.view([heads.count, heads.width, d_model]))
        };
        Ok(CrossAttention {
            query: self.linear(&name("q"), self.inner(), d_model)?,
            key: per_head("k")?,
            value: per_head("v")?.transpose(1, 2),
            output: self.linear(&name("o"), d_model, self.inner())?,
            heads,
        })
    }
}
