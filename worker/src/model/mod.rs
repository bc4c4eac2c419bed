//! Frozen backbones: the T5 family, its weight files, and the batches it reads.

pub mod batch;
pub mod error;
mod mapped;
pub mod runtime;
pub mod t5;
pub mod weights;

pub use batch::{Batch, Generation, Mode, Position, Prompts, TokenLosses};
pub use error::ModelError;
pub use t5::T5;
pub use t5::config::T5Config;
