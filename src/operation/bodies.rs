//! The operations as the executor sees them: where a stage's sources lie, and the bodies that run on threads.

use std::path::Path;
use std::time::Duration;

use super::sourcing::{DigestOf, Sourcing};
use super::{ALL, Operations};
use crate::plan::catalog::SourceRef;
use crate::plan::pins::Pins;
use crate::protocol::{Job, Reporter, ResolvedSource, StageError};
use crate::task::source::Watch;

/// What a run needs of the operations.
pub struct StageBodies<'a> {
    /// Finds sources.
    pub sourcing: &'a Sourcing,
    /// What the plan was made with.
    pub pins: &'a Pins,
    /// How a file's digest is found.
    pub digest_of: DigestOf<'a>,
}

impl StageBodies<'_> {
    /// Where the sources of a stage lie; downloads what is missing.
    ///
    /// # Errors
    /// A source can't be had, or is not what was pinned.
    pub fn sources(&self, names: &[SourceRef], reporter: &mut dyn Reporter) -> Result<Vec<ResolvedSource>, StageError> {
        let mut watch = Told { reporter };
        names.iter().map(|name| self.sourcing.resolve(name, self.pins, self.digest_of, &mut watch)).collect()
    }

    /// Runs the body of an operation that needs no tensors.
    ///
    /// # Errors
    /// Why the stage failed.
    pub fn run(&self, job: &Job, reporter: &mut dyn Reporter) -> Result<(), StageError> {
        let Some(operation) = Operations::find(&job.operation) else {
            return Err(StageError::bug(format!("a job for the unknown operation `{}`", job.operation)));
        };
        operation.run(job, reporter)
    }
}

impl Drop for StageBodies<'_> {
    fn drop(&mut self) {
        ALL.iter().for_each(|operation| operation.end_of_run());
    }
}

/// Downloads as progress of the stage.
struct Told<'a> {
    reporter: &'a mut dyn Reporter,
}

impl Watch for Told<'_> {
    fn received(&mut self, file: &str, done: u64, total: u64) {
        let name = Path::new(file).file_name().map_or(file.into(), |name| name.to_string_lossy());
        self.reporter.progress(done, total, "bytes", &name);
    }

    fn waiting(&mut self, reason: &str, pause: Duration) {
        self.reporter.log(&format!("waiting {:.0} s: {reason}", pause.as_secs_f64()));
    }
}
