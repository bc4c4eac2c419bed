//! What the user reads when the backbone or training fails.

use compt::protocol::StageError;

use crate::method::MethodError;
use crate::model::ModelError;
use crate::train::TrainError;
use crate::train::tensor_file::ReadError;

/// Libtorch's ways to say that memory is short.
const NO_MEMORY: [&str; 3] = ["can't allocate memory", "out of memory", "bad_alloc"];

/// A failure inside libtorch, or a panic with this text.
pub fn native(text: &str) -> StageError {
    // Libtorch appends its C++ stack; the first line says what was wrong.
    let first = text.lines().next().unwrap_or(text).trim();
    if NO_MEMORY.iter().any(|sign| text.contains(sign)) {
        StageError::environment(format!("memory is short: {first}"))
            .with_hint("use a smaller `batch`, a smaller backbone, or fewer jobs at a time")
    } else {
        StageError::bug(format!("the worker failed: {first}"))
    }
}

/// A failure of the backbone.
pub fn of_model(error: ModelError) -> StageError {
    match error {
        ModelError::Libtorch(error) => native(&error.to_string()),
        ModelError::Batch(message) => StageError::bug(message),
        ModelError::TooLong { .. } => {
            StageError::input(error.to_string()).with_hint("set a smaller `prompt.length` or `max_source_tokens`")
        }
        error => StageError::input(error.to_string()),
    }
}

/// A failure while a method is set up.
pub fn of_method(error: MethodError) -> StageError {
    StageError::input(error.message).with_hint(error.hint)
}

/// A failure of training.
pub fn of_training(error: TrainError) -> StageError {
    match error {
        TrainError::Model(error) => of_model(error),
        TrainError::Torch(error) => native(&error.to_string()),
        TrainError::Write(error) => error.into(),
        error @ TrainError::Diverged { .. } => StageError::input(error.to_string())
            .with_hint("lower the learning rates in `optim.groups`, or set `optim.clip: 1.0`"),
        error @ TrainError::NoValidation(_) => {
            StageError::input(error.to_string()).with_hint("sample validation examples, or write `select: last`")
        }
    }
}

/// A tensor file that can't be read.
pub fn of_file(error: ReadError) -> StageError {
    match error {
        ReadError::Io(error) => error.into(),
        error @ ReadError::Damaged { .. } => {
            StageError::environment(error.to_string()).with_hint("run the stage that wrote it again")
        }
    }
}
