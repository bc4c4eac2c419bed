//! The bodies of the operations that need tensors, and the loop that serves them to the runner.

pub mod ablate;
pub mod backbone;
pub mod corpus;
pub mod csv;
pub mod evaluate;
pub mod failure;
pub mod inputs;
pub mod machine;
pub mod modules;
pub mod native;
pub mod parts;
pub mod predict;
pub mod pretrain;
pub mod prompted;
pub mod prompts;
pub mod scoring;
pub mod serve;
pub mod train;

use compt::protocol::{Job, Reporter, StageError};

use self::backbone::Shelf;

/// Runs a job with the operation's body.
///
/// # Errors
/// Why the stage failed.
pub fn run(job: &Job, shelf: &mut Shelf, reporter: &mut dyn Reporter) -> Result<(), StageError> {
    match job.operation.as_str() {
        "pretrain" => pretrain::run(job, reporter),
        "train" => train::run(job, shelf, reporter),
        "evaluate" => evaluate::run(job, shelf, reporter),
        "ablate" => ablate::run(job, shelf, reporter),
        other => Err(StageError::bug(format!("a worker was given `{other}`, which it has no body for"))),
    }
}
