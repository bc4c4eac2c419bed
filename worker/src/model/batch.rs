//! What goes into a backbone and what comes out: rows of token ids, prompts, modes, and packed losses.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// Where a prompt's rows stand among the embeddings of a source text (METHODS 1.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// Before the text: Lester, SPoT, ATTEMPT, MPT and PEFT; the only position that can be exported to PEFT.
    #[default]
    Front,
    /// After the text and before its final end-of-sequence token, the placement of the ComPT authors.
    BeforeEos,
    /// After the row as padded to the longest source of its batch. Relative positions then depend on the batch, so
    /// the same example can get another result in another batch.
    AfterPadding,
}

impl Position {
    /// The name used in parameter files and in metadata.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Front => "front",
            Self::BeforeEos => "before_eos",
            Self::AfterPadding => "after_padding",
        }
    }
}

/// Rows of token ids, without padding; every source and target ends in the end-of-sequence id.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Source token ids, one list per row.
    pub sources: Vec<Vec<i64>>,
    /// Target token ids, one list per row; may be empty where no targets are read (generation, ranking).
    pub targets: Vec<Vec<i64>>,
    /// Which prompt each row gets: an index into [`Prompts::rows`], or `None` for a row without a prompt. Empty means
    /// that no row has one. Rows of several prompts may share a batch.
    pub prompt_of_row: Vec<Option<usize>>,
}

/// The distinct prompts of a batch.
#[derive(Debug)]
pub struct Prompts<'a> {
    /// `[prompts, length, d_model]`, ready to use; gradients flow into it if it requires them.
    pub rows: &'a Tensor,
    /// Where every prompt stands.
    pub position: Position,
}

/// Whether dropout is applied in the frozen backbone (METHODS 1.4).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// No dropout.
    Evaluation,
    /// Dropout of this rate at every place where T5 has one, drawn from libtorch's generator: the caller seeds it
    /// (`tch::manual_seed`) before a step that is to be repeatable.
    Training {
        /// Probability that an element is dropped, `0 <= dropout < 1`.
        dropout: f64,
    },
}

impl Mode {
    /// The dropout rate, 0 in evaluation.
    #[must_use]
    pub fn dropout(self) -> f64 {
        match self {
            Self::Evaluation => 0.0,
            Self::Training { dropout } => dropout,
        }
    }
}

/// How to decode greedily (METHODS 1.3).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Generation {
    /// The most tokens a row may generate, its end-of-sequence token included, the start token not.
    pub max_new_tokens: usize,
    /// 1.0 for none; the authors used 2.0. A logit of an id that is already in the decoder's prefix (the start id
    /// included) is divided by it when positive and multiplied by it when negative.
    pub repetition_penalty: f64,
}

impl Default for Generation {
    fn default() -> Self {
        Self { max_new_tokens: 32, repetition_penalty: 1.0 }
    }
}

/// Negative log-likelihoods of all target tokens of a batch, packed row after row.
#[derive(Debug)]
pub struct TokenLosses {
    /// `[target tokens]` float32, in the order of the batch's rows.
    pub values: Tensor,
    /// Row `i` owns `values[offsets[i]..offsets[i + 1]]`; one more entry than rows.
    pub offsets: Vec<usize>,
}

impl TokenLosses {
    /// The one mean over all target tokens of the batch that METHODS 1.3 trains on: a scalar.
    pub fn mean(&self) -> Tensor {
        self.values.mean(Kind::Float)
    }

    /// The summed negative log-likelihood of each row, `[rows]`.
    pub fn row_sums(&self) -> Tensor {
        let rows: Vec<Tensor> = self
            .offsets
            .windows(2)
            .map(|pair| self.values.narrow(0, pair[0] as i64, (pair[1] - pair[0]) as i64).sum(Kind::Float))
            .collect();
        Tensor::stack(&rows, 0)
    }
}
