//! What a stage can do. One file per operation: its parameters, its version, what it reads and writes, and the body of
//! those that need no tensors. This is the one place where the runner and the science meet.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::plan::catalog::{Catalog, ParameterError, Resolved};
use crate::protocol::{Input, Job, Reporter, StageError};
use crate::report::ReportError;
use crate::report::terminal::Style;

pub mod ablate;
pub mod aggregate;
pub mod bodies;
pub mod changes;
pub mod claims;
pub mod command;
pub mod compare;
pub mod confusion;
mod edited;
pub mod evaluate;
pub mod fetch;
pub mod format;
pub mod lineage;
pub mod parameters;
pub mod plot;
pub mod pretrain;
pub mod publishing;
pub mod report;
pub mod sample;
pub mod similarity;
pub mod sourcing;
pub mod train;
pub mod trained;

#[cfg(test)]
mod data_test;

/// One operation.
pub trait Operation: Sync {
    /// As pipelines spell it.
    fn name(&self) -> &'static str;

    /// One sentence for `compt list`.
    fn about(&self) -> &'static str;

    /// The JSON Schema of its parameters.
    fn schema(&self) -> schemars::Schema;

    /// Checks and completes parameters; see [`Catalog::resolve`].
    ///
    /// # Errors
    /// Every parameter that can't be accepted.
    fn resolve(&self, parameters: &Value, root: &Path) -> Result<Resolved, Vec<ParameterError>>;

    /// The body of an operation that runs on a thread of the runner.
    ///
    /// # Errors
    /// Why the stage failed.
    fn run(&self, job: &Job, reporter: &mut dyn Reporter) -> Result<(), StageError> {
        let _ = reporter;
        Err(StageError::bug(format!("`{}` runs in a worker, but was given to a thread", job.operation)))
    }

    /// Puts away what it has kept from one stage for the next.
    fn end_of_run(&self) {}

    /// What a run says at its end about the published files of one stage; nothing for an operation that leaves it at files.
    ///
    /// # Errors
    /// `folder` does not hold what the operation writes.
    fn ending(&self, folder: &Path, style: Style) -> Result<Option<Ending>, ReportError> {
        let _ = (folder, style);
        Ok(None)
    }
}

/// What a run says at its end about one stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// For the screen, lines that end with a line feed.
    pub text: String,
    /// The names of claims that fail.
    pub broken: Vec<String>,
}

/// Reads an operation's parameters from a job that was planned with them.
///
/// # Errors
/// A bug: the planner checks parameters with the same type.
pub fn parameters_of<T: DeserializeOwned>(job: &Job) -> Result<T, StageError> {
    T::deserialize(&job.parameters)
        .map_err(|error| StageError::bug(format!("parameters of `{}` changed their type: {error}", job.stage)))
}

/// What the stage reads, where an operation reads one stage instance.
///
/// # Errors
/// The stage reads none or several.
pub fn only_input(job: &Job) -> Result<&Input, StageError> {
    match job.inputs.as_slice() {
        [one] => Ok(one),
        many => Err(StageError::input(format!("`{}` reads {} stage instances, expected one", job.stage, many.len()))
            .with_hint("let its matrix have every axis of the stage it reads, or narrow the reading with `only`")),
    }
}

/// All operations, by name.
pub struct Operations;

/// The operations in the order of `compt list`.
pub static ALL: &[&dyn Operation] = &[
    &fetch::Fetch,
    &sample::Sample,
    &format::Format,
    &train::Train,
    &evaluate::Evaluate,
    &ablate::Ablate,
    &aggregate::Aggregate,
    &compare::Compare,
    &claims::Claims,
    &confusion::Confusion,
    &similarity::Similarity,
    &plot::Plot,
    &pretrain::Pretrain,
    &report::Report,
    &command::Command,
];

impl Operations {
    /// The operation of this name.
    pub fn find(name: &str) -> Option<&'static dyn Operation> {
        ALL.iter().copied().find(|operation| operation.name() == name)
    }
}

impl Catalog for Operations {
    fn names(&self) -> Vec<&'static str> {
        ALL.iter().map(|operation| operation.name()).collect()
    }

    fn resolve(
        &self,
        operation: &str,
        parameters: &Value,
        root: &Path,
    ) -> Option<Result<Resolved, Vec<ParameterError>>> {
        Some(Self::find(operation)?.resolve(parameters, root))
    }
}
