//! Everything that can be wrong with a backbone's files, or with what it is asked to do.

use std::path::PathBuf;

/// Why a backbone could not be loaded or used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file of the backbone could not be read.
    #[error("cannot read `{}` of the backbone: {source}; a backbone is a folder with `config.json` and `model.safetensors` (or its shards with `model.safetensors.index.json`)", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The folder holds weights only in a format that this program does not read.
    #[error("`{}` has no `model.safetensors` and no `model.safetensors.index.json`, but `{found}`, which is in Python's pickle format and may run code when it is read; convert it with transformers (`save_pretrained`) or choose a revision that has safetensors", folder.display())]
    Pickle {
        /// The folder.
        folder: PathBuf,
        /// The pickled file in it.
        found: String,
    },
    /// The folder holds no weights.
    #[error("`{}` has no `model.safetensors` and no `model.safetensors.index.json`; download the backbone again", folder.display())]
    NoWeights {
        /// The folder.
        folder: PathBuf,
    },
    /// `config.json` or the shard index is not what it should be.
    #[error("`{}` is not valid: {message}", file.display())]
    Config {
        /// The file.
        file: PathBuf,
        /// What is wrong, and what would be accepted.
        message: String,
    },
    /// A weight file is cut short or damaged.
    #[error("`{}` is not a complete safetensors file: {message}; download it again", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A tensor of the architecture is in none of the weight files.
    #[error("`{}` has no tensor `{name}`{hint}; `config.json` asks for it, so the two belong to different models or the file is incomplete", file.display())]
    MissingTensor {
        /// The weight file, or the shard index.
        file: PathBuf,
        /// The name that was looked up.
        name: String,
        /// A similar name in the file, as a phrase, or nothing.
        hint: String,
    },
    /// A tensor has another shape than `config.json` implies.
    #[error("tensor `{name}` in `{}` has shape {found:?}, but `config.json` implies {expected:?}; the two belong to different models", file.display())]
    Shape {
        /// The weight file.
        file: PathBuf,
        /// The tensor.
        name: String,
        /// The shape that `config.json` implies.
        expected: Vec<i64>,
        /// The shape in the file.
        found: Vec<i64>,
    },
    /// A tensor is stored in a number type that is not read.
    #[error("tensor `{name}` in `{}` is stored as {found}; F32, F16 and BF16 are read", file.display())]
    Type {
        /// The weight file.
        file: PathBuf,
        /// The tensor.
        name: String,
        /// The type in the file.
        found: String,
    },
    /// A source with its prompt is longer than the backbone takes.
    #[error("row {row} has {source_length} source tokens and {prompt_length} prompt tokens, together {}, but the backbone takes {maximum}; shorten the source or the prompt", source_length + prompt_length)]
    TooLong {
        /// Index of the row in its batch.
        row: usize,
        /// Source tokens of the row.
        source_length: usize,
        /// Rows of the prompt.
        prompt_length: usize,
        /// The limit.
        maximum: usize,
    },
    /// A batch or a prompt contradicts itself or the backbone.
    #[error("{0}")]
    Batch(String),
    /// Libtorch refused an operation.
    #[error("libtorch failed: {0}")]
    Libtorch(#[from] tch::TchError),
}
