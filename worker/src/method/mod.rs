//! What is tuned: prompts, the networks and weights that they are made of, and how they are put together (METHODS 2).

pub mod compose;
pub mod compt;
pub mod encoder;
pub mod gate;
pub mod init;
pub mod mask;
pub mod parameter;
pub mod router;
pub mod sparsemax;

/// When prompts are asked for; stochastic parts differ between the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// At this step of training, counted from 0.
    Training {
        /// The step.
        step: u64,
    },
    /// After or between steps.
    Evaluation,
}

/// Why a method can't be set up on this backbone with these tasks.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct MethodError {
    /// What was wrong.
    pub message: String,
    /// What to change.
    pub hint: String,
}

impl MethodError {
    fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }
}
