//! Why training stopped short.

use std::io;

use crate::model::ModelError;

/// Why training stopped short.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The backbone refused a batch.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Libtorch refused an operation.
    #[error("libtorch: {0}")]
    Torch(#[from] tch::TchError),
    /// A checkpoint could not be written.
    #[error(transparent)]
    Write(#[from] io::Error),
    /// The loss is infinite or not a number.
    #[error("the loss became {loss} at step {step}")]
    Diverged {
        /// The step, counted from 1.
        step: u64,
        /// The loss.
        loss: f64,
    },
    /// The validation splits are needed and one is empty.
    #[error("`select: best_dev` needs validation examples, and the task `{0}` has none")]
    NoValidation(String),
}
