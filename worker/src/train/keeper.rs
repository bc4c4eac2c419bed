//! Keeps what a training has done: goes on from its last checkpoint, and writes one whenever it is due.

use std::time::{Duration, Instant};

use super::TrainError;
use super::checkpoint::{Checkpoint, Progress};
use super::fit::Event;
use super::optimizer::AdamW;
use crate::method::parameter::Parameters;

/// Work between two checkpoints, where their number is not given.
const BETWEEN: Duration = Duration::from_secs(10);

/// Writing checkpoints may take one part in this many of the time.
const SHARE: u32 = 20;

/// The checkpoint of a training, if it has one, and when the next is due.
pub struct Keeper<'a> {
    checkpoint: Option<&'a Checkpoint>,
    last: Instant,
    pause: Duration,
}

impl<'a> Keeper<'a> {
    /// For a training that begins or goes on now.
    pub fn new(checkpoint: Option<&'a Checkpoint>) -> Self {
        Self { checkpoint, last: Instant::now(), pause: BETWEEN }
    }

    /// Where the last checkpoint left off, with `parameters` and `optimizer` as they were; the beginning when there is none
    /// or it is of no use.
    pub fn resume(
        &self,
        parameters: &Parameters,
        optimizer: &mut AdamW,
        observe: &mut dyn FnMut(Event<'_>),
    ) -> Progress {
        match self.checkpoint.map_or(Ok(None), |checkpoint| checkpoint.read(parameters, optimizer)) {
            Ok(Some(progress)) => {
                observe(Event::Note(format!("going on from the checkpoint of step {}", progress.step)));
                progress
            }
            Ok(None) => Progress::default(),
            Err(reason) => {
                observe(Event::Note(format!("the checkpoint is left aside ({reason}); training begins anew")));
                Progress::default()
            }
        }
    }

    /// Writes a checkpoint if it is time for one. Slow disks get fewer.
    ///
    /// # Errors
    /// It can't be written.
    pub fn keep(&mut self, progress: &Progress, parameters: &Parameters, optimizer: &AdamW) -> Result<(), TrainError> {
        let Some(checkpoint) = self.checkpoint else { return Ok(()) };
        let due = match checkpoint.every() {
            Some(every) => progress.step.is_multiple_of(every.max(1)),
            None => self.last.elapsed() >= self.pause,
        };
        if due {
            let begun = Instant::now();
            checkpoint.write(parameters, optimizer, progress)?;
            self.pause = BETWEEN.max(begun.elapsed() * SHARE);
            self.last = Instant::now();
        }
        Ok(())
    }
}
