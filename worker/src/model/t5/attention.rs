//! Self-attention and cross-attention over packed rows. T5 does not divide scores by the square root of the head's width.

use tch::{Kind, Tensor};

use super::dropout::dropout;
use super::linear::Linear;
use super::packing::{CrossPlan, SelfPlan};

/// Sizes of the heads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heads {
    /// Number of heads.
    pub(super) count: i64,
    /// Width of one head, `d_kv`.
    pub(super) width: i64,
}

/// Softmax over keys, in float32 even when the model runs in half precision.
fn softmax(scores: &Tensor) -> Tensor {
    match scores.kind() {
        Kind::Float | Kind::Double => scores.softmax(-1, None::<Kind>),
        half => scores.softmax(-1, Kind::Float).to_kind(half),
    }
}

/// Attention of a row's tokens to one another.
#[derive(Debug)]
pub(super) struct SelfAttention {
    /// Queries, keys and values in one product, `d_model -> 3 * heads * width`.
    pub(super) joint: Linear,
    /// `heads * width -> d_model`
    pub(super) output: Linear,
    /// Sizes of the heads.
    pub(super) heads: Heads,
}

impl SelfAttention {
    /// `[tokens, d_model] -> [tokens, d_model]`
    pub(super) fn forward(&self, x: &Tensor, plan: &SelfPlan, rate: f64) -> Tensor {
        let Heads { count, width } = self.heads;
        let groups = plan.padding.pad(&self.joint.forward(x)); // each [rows * length, 3 * heads * width]
        let mixed: Vec<Tensor> = groups
            .iter()
            .zip(plan.padding.shapes())
            .zip(&plan.biases)
            .map(|((group, [rows, length]), bias)| {
                let parts = group.view([*rows, *length, 3, count, width]).permute([2, 0, 3, 1, 4]).unbind(0);
                // 3 of [rows, heads, length, width]
                let scores = parts[0].matmul(&parts[1].transpose(2, 3)) + bias; // [rows, heads, length, length]
                let mixed = dropout(&softmax(&scores), rate).matmul(&parts[2]); // [rows, heads, length, width]
                mixed.transpose(1, 2).reshape([-1, count * width])
            })
            .collect();
        self.output.forward(&plan.padding.pack(&mixed))
    }

    /// One decoding step: `x` is the newest token of each row, `[rows, d_model]`, `bias` is `[heads, 1, length so far]`.
    pub(super) fn step(&self, x: &Tensor, cache: &mut Cache, bias: &Tensor) -> Tensor {
        let Heads { count, width } = self.heads;
        let parts = self.joint.forward(x).view([-1, 3, count, 1, width]).unbind(1); // 3 of [rows, heads, 1, width]
        let (keys, values) = cache.extend(&parts[1], &parts[2]); // [rows, heads, length, width]
        let scores = parts[0].matmul(&keys.transpose(2, 3)) + bias; // [rows, heads, 1, length]
        let mixed = softmax(&scores).matmul(values); // [rows, heads, 1, width]
        self.output.forward(&mixed.view([-1, count * width]))
    }
}

/// Keys and values of the tokens decoded so far, for one block.
#[derive(Debug, Default)]
pub(super) struct Cache {
    /// Each `[rows, heads, length, width]`.
    past: Option<(Tensor, Tensor)>,
}

impl Cache {
    fn extend(&mut self, keys: &Tensor, values: &Tensor) -> &(Tensor, Tensor) {
        let longer = match self.past.take() {
            None => (keys.shallow_clone(), values.shallow_clone()),
            Some((past_keys, past_values)) => {
                (Tensor::cat(&[&past_keys, keys], 2), Tensor::cat(&[&past_values, values], 2))
            }
        };
        self.past.insert(longer)
    }

    /// Keeps only some rows.
    pub(super) fn keep(&mut self, rows: &Tensor) {
        if let Some((keys, values)) = &mut self.past {
            *keys = keys.index_select(0, rows);
            *values = values.index_select(0, rows);
        }
    }
}

/// Attention of target tokens to the encoder's output.
///
/// Label words are short: a row has some 4 target tokens and some 75 encoder tokens. So instead of mapping all encoder
/// tokens to keys and values, the few queries are mapped back to the encoder's width: `q . (K e) = (K^T q) . e`, and the values
/// are mapped after mixing: `sum p (V e) = V (sum p e)`. The result is the same; the work falls as long as
/// a row has fewer than about `d_kv` target tokens, and no cache of keys and values is needed while decoding.
#[derive(Debug)]
pub(super) struct CrossAttention {
    /// `d_model -> heads * width`
    pub(super) query: Linear,
    /// `[heads, width, d_model]`
    pub(super) key: Tensor,
    /// `[heads, d_model, width]`
    pub(super) value: Tensor,
    /// `heads * width -> d_model`
    pub(super) output: Linear,
    /// Sizes of the heads.
    pub(super) heads: Heads,
}

impl CrossAttention {
    /// `[target tokens, d_model] -> [target tokens, d_model]`
    pub(super) fn forward(&self, x: &Tensor, plan: &CrossPlan, rate: f64) -> Tensor {
        let Heads { count, width } = self.heads;
        let (tokens, d_model) = (x.size()[0], self.key.size()[2]);
        let query = self.query.forward(x).view([tokens, count, width]).transpose(0, 1); // [heads, tokens, width]
        let query = query.bmm(&self.key).transpose(0, 1).contiguous(); // [tokens, heads, d_model]
        let groups = plan.padding.pad(&query); // each [rows * length, heads, d_model]
        let mixed: Vec<Tensor> = groups
            .iter()
            .zip(plan.padding.shapes())
            .zip(plan.memories.iter().zip(&plan.masks))
            .map(|((group, [rows, length]), (memory, mask))| {
                let group = group.view([*rows, length * count, d_model]);
                let scores = group.bmm(&memory.transpose(1, 2)); // [rows, length * heads, encoder tokens]
                let scores = match mask {
                    None => scores,
                    Some(mask) => scores + mask,
                };
                let mixed = dropout(&softmax(&scores), rate).bmm(memory); // [rows, length * heads, d_model]
                mixed.view([-1, count, d_model])
            })
            .collect();
        let mixed = plan.padding.pack(&mixed).transpose(0, 1); // [heads, tokens, d_model]
        let values = mixed.bmm(&self.value).transpose(0, 1); // [tokens, heads, width]
        self.output.forward(&values.reshape([tokens, count * width]))
    }
}
