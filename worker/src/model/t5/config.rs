//! The hub's `config.json` of a T5 checkpoint, as written by transformers 4.x and 5.x.

use std::path::Path;

use serde::Deserialize;

use crate::model::ModelError;

/// Which feed-forward layer a checkpoint has (METHODS 1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedForwardKind {
    /// T5 v1.0: `wo(relu(wi x))`.
    Relu,
    /// T5 v1.1 and Flan: `wo(gelu_new(wi_0 x) * (wi_1 x))`.
    GatedGelu,
}

/// The shape and the constants of a T5 (METHODS 1.2).
#[derive(Clone, Debug, PartialEq)]
pub struct T5Config {
    /// Rows of the embedding table.
    pub vocab_size: i64,
    /// Width of the residual stream.
    pub d_model: i64,
    /// Width of one attention head; `d_kv * num_heads` need not equal `d_model`.
    pub d_kv: i64,
    /// Width inside the feed-forward layer.
    pub d_ff: i64,
    /// Encoder blocks.
    pub num_layers: usize,
    /// Decoder blocks.
    pub num_decoder_layers: usize,
    /// Attention heads.
    pub num_heads: i64,
    /// Rows of the relative position table.
    pub relative_attention_num_buckets: i64,
    /// Distance from which all positions share the last bucket.
    pub relative_attention_max_distance: i64,
    /// The dropout rate of pre-training, used where a method asks for the model's own rate.
    pub dropout_rate: f64,
    /// Added to the mean square in the norm.
    pub layer_norm_epsilon: f64,
    /// The feed-forward layer.
    pub feed_forward: FeedForwardKind,
    /// Whether the decoder's output is multiplied by `d_model^-0.5` before the head.
    pub scale_decoder_outputs: bool,
    /// Padding id.
    pub pad_token_id: i64,
    /// End-of-sequence id.
    pub eos_token_id: i64,
    /// The id that the decoder starts from.
    pub decoder_start_token_id: i64,
    /// `n_positions` where the file has it: what the model was trained on. T5's relative positions have no hard limit.
    pub n_positions: Option<usize>,
}

/// The keys of `config.json` that matter; all others are ignored, as every tool of the hub does.
#[derive(Deserialize)]
struct File {
    model_type: Option<String>,
    vocab_size: i64,
    d_model: i64,
    d_kv: i64,
    d_ff: i64,
    num_layers: usize,
    num_decoder_layers: Option<usize>,
    num_heads: i64,
    relative_attention_num_buckets: Option<i64>,
    relative_attention_max_distance: Option<i64>,
    dropout_rate: Option<f64>,
    layer_norm_epsilon: Option<f64>,
    feed_forward_proj: Option<String>,
    tie_word_embeddings: Option<bool>,
    scale_decoder_outputs: Option<bool>,
    pad_token_id: Option<i64>,
    eos_token_id: Option<i64>,
    decoder_start_token_id: Option<i64>,
    n_positions: Option<usize>,
}

impl T5Config {
    /// Reads `config.json`.
    ///
    /// # Errors
    /// When the file cannot be read, is not JSON, lacks a required key, or asks for an architecture that is not T5.
    pub fn read(file: &Path) -> Result<Self, ModelError> {
        let text =
            fs_err::read_to_string(file).map_err(|source| ModelError::Read { file: file.to_path_buf(), source })?;
        Self::parse(&text).map_err(|message| ModelError::Config { file: file.to_path_buf(), message })
    }

    /// Parses the text of a `config.json`; the error says what is wrong and what would be accepted.
    fn parse(text: &str) -> Result<Self, String> {
        let file: File = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if let Some(kind) = &file.model_type
            && !matches!(kind.as_str(), "t5" | "mt5")
        {
            return Err(format!("`model_type` is `{kind}`, but only `t5` and `mt5` checkpoints are read"));
        }
        let feed_forward = match file.feed_forward_proj.as_deref() {
            None | Some("relu") => FeedForwardKind::Relu,
            Some("gated-gelu") => FeedForwardKind::GatedGelu,
            Some(other) => {
                return Err(format!(
                    "`feed_forward_proj` is `{other}`; `relu` (T5 v1.0) and `gated-gelu` (v1.1, Flan) are read"
                ));
            }
        };
        let pad_token_id = file.pad_token_id.unwrap_or(0);
        let config = Self {
            vocab_size: file.vocab_size,
            d_model: file.d_model,
            d_kv: file.d_kv,
            d_ff: file.d_ff,
            num_layers: file.num_layers,
            num_decoder_layers: file.num_decoder_layers.unwrap_or(file.num_layers),
            num_heads: file.num_heads,
            relative_attention_num_buckets: file.relative_attention_num_buckets.unwrap_or(32),
            relative_attention_max_distance: file.relative_attention_max_distance.unwrap_or(128),
            dropout_rate: file.dropout_rate.unwrap_or(0.1),
            layer_norm_epsilon: file.layer_norm_epsilon.unwrap_or(1e-6),
            feed_forward,
            // The trap of METHODS 1.2: transformers 5 writes `tie_word_embeddings: true` even for v1.1 checkpoints and
            // says what it means in `scale_decoder_outputs`; transformers 4 has only the former key.
            scale_decoder_outputs: file.scale_decoder_outputs.unwrap_or(file.tie_word_embeddings != Some(false)),
            pad_token_id,
            eos_token_id: file.eos_token_id.unwrap_or(1),
            decoder_start_token_id: file.decoder_start_token_id.unwrap_or(pad_token_id),
            n_positions: file.n_positions,
        };
        config.check()?;
        Ok(config)
    }

    /// Refuses sizes that no tensor could have, before they reach libtorch.
    fn check(&self) -> Result<(), String> {
        const LARGEST: i64 = 1 << 31;
        for (key, value) in [
            ("vocab_size", self.vocab_size),
            ("d_model", self.d_model),
            ("d_kv", self.d_kv),
            ("d_ff", self.d_ff),
            ("num_heads", self.num_heads),
            ("num_layers", self.num_layers as i64),
            ("num_decoder_layers", self.num_decoder_layers as i64),
        ] {
            if !(1..LARGEST).contains(&value) {
                return Err(format!("`{key}` is {value}, but it must be at least 1"));
            }
        }
        // The encoder halves the buckets twice (direction, then exact and logarithmic): fewer than 4 leave none.
        if self.relative_attention_num_buckets < 4 || self.relative_attention_num_buckets % 2 != 0 {
            return Err(format!(
                "`relative_attention_num_buckets` is {}, but it must be even and at least 4",
                self.relative_attention_num_buckets
            ));
        }
        if self.relative_attention_max_distance <= self.relative_attention_num_buckets / 2 {
            return Err(format!(
                "`relative_attention_max_distance` is {}, but it must be more than half of `relative_attention_num_buckets` ({})",
                self.relative_attention_max_distance, self.relative_attention_num_buckets
            ));
        }
        if !(0.0..1.0).contains(&self.dropout_rate) {
            return Err(format!("`dropout_rate` is {}, but it must be at least 0 and less than 1", self.dropout_rate));
        }
        if !(self.layer_norm_epsilon > 0.0 && self.layer_norm_epsilon < 1.0) {
            return Err(format!("`layer_norm_epsilon` is {}, but it must be between 0 and 1", self.layer_norm_epsilon));
        }
        for (key, id) in [
            ("pad_token_id", self.pad_token_id),
            ("eos_token_id", self.eos_token_id),
            ("decoder_start_token_id", self.decoder_start_token_id),
        ] {
            if !(0..self.vocab_size).contains(&id) {
                return Err(format!("`{key}` is {id}, which is outside of the vocabulary of {}", self.vocab_size));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: &str = r#""model_type": "t5", "vocab_size": 128, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4"#;

    fn parse(rest: &str) -> Result<T5Config, String> {
        T5Config::parse(&format!("{{{SHAPE}{rest}}}"))
    }

    #[test]
    fn the_head_is_scaled_as_the_four_kinds_of_files_mean_it() {
        // The table of METHODS 1.2.
        for (rest, scaled) in [
            ("", true),
            (r#", "tie_word_embeddings": true"#, true),
            (r#", "tie_word_embeddings": false"#, false),
            (r#", "tie_word_embeddings": true, "scale_decoder_outputs": true"#, true),
            (r#", "tie_word_embeddings": true, "scale_decoder_outputs": false"#, false),
        ] {
            assert_eq!(parse(rest).map(|config| config.scale_decoder_outputs), Ok(scaled), "{rest}");
        }
    }

    #[test]
    fn defaults_are_those_of_transformers() {
        let config = parse(r#", "decoder_start_token_id": null, "pad_token_id": 3"#).unwrap();
        assert_eq!(config.num_decoder_layers, 2);
        assert_eq!(config.relative_attention_num_buckets, 32);
        assert_eq!(config.relative_attention_max_distance, 128);
        assert_eq!(config.decoder_start_token_id, 3);
        assert_eq!(config.eos_token_id, 1);
        assert_eq!(config.n_positions, None);
    }

    #[test]
    fn what_is_not_supported_is_named() {
        let message = parse(r#", "feed_forward_proj": "gated-silu""#).unwrap_err();
        assert!(message.contains("`gated-silu`") && message.contains("`gated-gelu`"), "{message}");
        let message = T5Config::parse(&format!("{{{}}}", SHAPE.replace("\"t5\"", "\"bart\""))).unwrap_err();
        assert!(message.contains("`bart`") && message.contains("`t5`"), "{message}");
        assert!(parse(r#", "relative_attention_num_buckets": 2"#).unwrap_err().contains("at least 4"));
        assert!(parse(r#", "eos_token_id": 128"#).unwrap_err().contains("outside of the vocabulary"));
        assert!(T5Config::parse("{").unwrap_err().contains("line 1"));
        assert!(T5Config::parse("{}").unwrap_err().contains("vocab_size"));
    }
}
