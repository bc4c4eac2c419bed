//! A worker that answers texts as they come, outside of any stage.

use super::log::Log;
use super::worker::Worker;
use crate::protocol::{Answer, FromWorker, Job, StageError, ToWorker};

impl Worker {
    /// Gets ready to answer texts: loads what an `evaluate` job names.
    ///
    /// # Errors
    /// Why it can't.
    pub fn prepare(&mut self, job: &Job) -> Result<(), StageError> {
        self.will_answer();
        self.tell(&ToWorker::Prepare(Box::new(job.clone())))?;
        match self.answer_to(job.id)? {
            FromWorker::Prepared { .. } => Ok(()),
            other => Err(self.out_of_turn(&other, job.id)),
        }
    }

    /// Answers source texts with what was prepared last, in their order; with every label's log-likelihood if `scores`.
    ///
    /// # Errors
    /// Why it can't.
    pub fn ask(&mut self, id: u64, texts: Vec<String>, scores: bool) -> Result<Vec<Answer>, StageError> {
        let count = texts.len();
        self.tell(&ToWorker::Ask { id, texts, scores })?;
        match self.answer_to(id)? {
            FromWorker::Answers { answers, .. } if answers.len() == count => Ok(answers),
            other => Err(self.out_of_turn(&other, id)),
        }
    }

    /// The end of what was asked under this number.
    fn answer_to(&mut self, wanted: u64) -> Result<FromWorker, StageError> {
        loop {
            match self.hear(&Log::nowhere(), wanted)? {
                FromWorker::Progress(_) | FromWorker::Log { .. } => {}
                FromWorker::Failed { id, error } if id == wanted => return Err(error),
                FromWorker::Prepared { id } if id == wanted => return Ok(FromWorker::Prepared { id }),
                FromWorker::Answers { id, answers } if id == wanted => return Ok(FromWorker::Answers { id, answers }),
                other => return Err(self.out_of_turn(&other, wanted)),
            }
        }
    }
}
