//! The numbers that a T5 starts from, by the names and with the deviations of Hugging Face's
//! `T5ForConditionalGeneration`.

use std::collections::BTreeMap;

use compt::base::random::Stream;
use serde_json::{Value, json};
use tch::Tensor;

use super::HEAD;
use super::config::{FeedForwardKind, T5Config};

/// `config.json` of a checkpoint, as the hub's tools read it.
#[must_use]
pub fn config_json(config: &T5Config) -> Value {
    json!({
        "architectures": ["T5ForConditionalGeneration"],
        "model_type": "t5",
        "vocab_size": config.vocab_size,
        "d_model": config.d_model,
        "d_kv": config.d_kv,
        "d_ff": config.d_ff,
        "num_layers": config.num_layers,
        "num_decoder_layers": config.num_decoder_layers,
        "num_heads": config.num_heads,
        "relative_attention_num_buckets": config.relative_attention_num_buckets,
        "relative_attention_max_distance": config.relative_attention_max_distance,
        "dropout_rate": config.dropout_rate,
        "layer_norm_epsilon": config.layer_norm_epsilon,
        "feed_forward_proj": match config.feed_forward {
            FeedForwardKind::Relu => "relu",
            FeedForwardKind::GatedGelu => "gated-gelu",
        },
        "is_encoder_decoder": true,
        "tie_word_embeddings": is_tied(config),
        "pad_token_id": config.pad_token_id,
        "eos_token_id": config.eos_token_id,
        "decoder_start_token_id": config.decoder_start_token_id,
    })
}

/// A head that is the table of word embeddings has its input scaled, and only such a head.
fn is_tied(config: &T5Config) -> bool {
    config.scale_decoder_outputs
}

/// All tensors of a checkpoint: normal numbers, norms of ones. Each tensor has a stream of its own, named by the
/// tensor.
#[must_use]
pub fn tensors(config: &T5Config, seed: u64) -> BTreeMap<String, Tensor> {
    let mut made = Made { seed, tensors: BTreeMap::new() };
    let (width, inner) = (config.d_model, config.num_heads * config.d_kv);
    let fan = |inputs: i64| (inputs as f64).powf(-0.5);
    made.normal("shared.weight", [config.vocab_size, width], 1.0);
    if !is_tied(config) {
        made.normal(HEAD, [config.vocab_size, width], 1.0);
    }
    let wide: &[&str] = match config.feed_forward {
        FeedForwardKind::Relu => &["wi"],
        FeedForwardKind::GatedGelu => &["wi_0", "wi_1"],
    };
    for (stack, blocks) in [("encoder", config.num_layers), ("decoder", config.num_decoder_layers)] {
        let attentions: &[&str] =
            if stack == "encoder" { &["SelfAttention"] } else { &["SelfAttention", "EncDecAttention"] };
        for block in 0..blocks {
            let layer = |layer: usize| format!("{stack}.block.{block}.layer.{layer}");
            for (place, attention) in attentions.iter().enumerate() {
                let part = |part: &str| format!("{}.{attention}.{part}.weight", layer(place));
                // Scores are not divided by the root of the head's width; the queries start smaller instead.
                made.normal(&part("q"), [inner, width], fan(width * config.d_kv));
                made.normal(&part("k"), [inner, width], fan(width));
                made.normal(&part("v"), [inner, width], fan(width));
                made.normal(&part("o"), [width, inner], fan(inner));
                made.ones(&format!("{}.layer_norm.weight", layer(place)), width);
            }
            let last = layer(attentions.len());
            for part in wide {
                made.normal(&format!("{last}.DenseReluDense.{part}.weight"), [config.d_ff, width], fan(width));
            }
            made.normal(&format!("{last}.DenseReluDense.wo.weight"), [width, config.d_ff], fan(config.d_ff));
            made.ones(&format!("{last}.layer_norm.weight"), width);
        }
        let table = format!("{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight");
        made.normal(&table, [config.relative_attention_num_buckets, config.num_heads], fan(width));
        made.ones(&format!("{stack}.final_layer_norm.weight"), width);
    }
    made.tensors
}

struct Made {
    seed: u64,
    tensors: BTreeMap<String, Tensor>,
}

impl Made {
    fn normal(&mut self, name: &str, shape: [i64; 2], deviation: f64) {
        let mut stream = Stream::new(self.seed, &["initial", name]);
        let numbers: Vec<f32> = (0..shape[0] * shape[1]).map(|_| (deviation * stream.normal()) as f32).collect();
        self.tensors.insert(name.to_owned(), Tensor::from_slice(&numbers).view(shape));
    }

    fn ones(&mut self, name: &str, width: i64) {
        self.tensors.insert(name.to_owned(), Tensor::from_slice(&vec![1.0_f32; width as usize]));
    }
}
