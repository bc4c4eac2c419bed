//! The worker's loop: one job after the other, messages as JSON lines.

use std::any::Any;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use compt::protocol::{Answer, FromWorker, Hello, PROTOCOL, Progress, Reporter, StageError, ToWorker};
use serde_json::Value;

use super::backbone::Shelf;
use super::prompted::Prompted;
use super::{failure, machine};
use crate::cuda::LIBTORCH_VERSION;

/// Time between two reports of progress.
const BETWEEN_REPORTS: Duration = Duration::from_millis(100);

/// This worker's introduction.
pub fn hello() -> Hello {
    Hello {
        protocol: PROTOCOL,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        libtorch: LIBTORCH_VERSION.to_owned(),
        devices: machine::devices(),
    }
}

/// Says hello, then does what `messages` ask for until the last one or [`ToWorker::Leave`]. Before the end of one is
/// told, one is taken off `unfinished`.
///
/// # Errors
/// When `output` can't be written: the runner is gone.
pub fn serve(
    messages: impl Iterator<Item = ToWorker>,
    output: &mut dyn Write,
    unfinished: &AtomicUsize,
) -> io::Result<()> {
    say(output, &FromWorker::Hello(hello()))?;
    let mut state = State::default();
    for message in messages {
        let id = match &message {
            ToWorker::Run(job) | ToWorker::Prepare(job) => job.id,
            ToWorker::Ask { id, .. } => *id,
            ToWorker::Leave => break,
        };
        machine::forget_peak_memory();
        let mut reports = Reports::new(id, output);
        let started = Instant::now();
        let result = state.obey(message, &mut reports);
        reports.fact("seconds", started.elapsed().as_secs_f64().into());
        if let Some(bytes) = machine::peak_memory() {
            reports.fact("peak_memory_bytes", bytes.into());
        }
        let Reports { facts, broken, .. } = reports;
        if let Some(error) = broken {
            return Err(error);
        }
        unfinished.fetch_sub(1, Ordering::SeqCst);
        let last = match result {
            Ok(Outcome::Done) => FromWorker::Done { id, facts },
            Ok(Outcome::Prepared) => FromWorker::Prepared { id },
            Ok(Outcome::Answers(answers)) => FromWorker::Answers { id, answers },
            Err(error) => FromWorker::Failed { id, error },
        };
        say(output, &last)?;
    }
    Ok(())
}

/// What a worker keeps from one message to the next.
#[derive(Default)]
struct State {
    shelf: Shelf,
    prompted: Option<Prompted>,
}

/// What came of a message.
enum Outcome {
    Done,
    Prepared,
    Answers(Vec<Answer>),
}

impl State {
    /// Does what a message asks for; a panic is a failure of the job, not of the worker.
    fn obey(&mut self, message: ToWorker, reports: &mut Reports<'_>) -> Result<Outcome, StageError> {
        let caught = catch_unwind(AssertUnwindSafe(|| match message {
            ToWorker::Run(job) => super::run(&job, &mut self.shelf, reports).map(|()| Outcome::Done),
            ToWorker::Prepare(job) => {
                self.prompted = Some(Prompted::prepare(*job, &mut self.shelf, reports)?);
                Ok(Outcome::Prepared)
            }
            ToWorker::Ask { texts, scores, .. } => match &mut self.prompted {
                Some(prompted) => prompted.answer(texts, scores, &mut self.shelf, reports).map(Outcome::Answers),
                None => Err(StageError::bug("a worker was asked before it was prepared")),
            },
            ToWorker::Leave => Err(StageError::bug("a worker was asked to work and to leave")),
        }));
        caught.unwrap_or_else(|panic| {
            self.shelf.clear();
            self.prompted = None;
            Err(failure::native(&text_of(panic.as_ref())))
        })
    }
}

/// What a panic said.
fn text_of(panic: &(dyn Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else {
        "it stopped without a word".to_owned()
    }
}

fn say(output: &mut dyn Write, message: &FromWorker) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    output.write_all(&line)?;
    output.flush()
}

/// Sends a job's reports as messages.
struct Reports<'a> {
    id: u64,
    output: &'a mut dyn Write,
    facts: BTreeMap<String, Value>,
    last: Option<Instant>,
    broken: Option<io::Error>,
}

impl<'a> Reports<'a> {
    fn new(id: u64, output: &'a mut dyn Write) -> Self {
        Self { id, output, facts: BTreeMap::new(), last: None, broken: None }
    }

    fn send(&mut self, message: &FromWorker) {
        if let Err(error) = say(self.output, message) {
            self.broken.get_or_insert(error);
        }
    }
}

impl Reporter for Reports<'_> {
    fn progress(&mut self, done: u64, total: u64, unit: &str, remark: &str) {
        let recent = self.last.is_some_and(|last| last.elapsed() < BETWEEN_REPORTS);
        if recent && done < total {
            return;
        }
        self.last = Some(Instant::now());
        let (unit, remark) = (unit.to_owned(), remark.to_owned());
        self.send(&FromWorker::Progress(Progress { id: self.id, done, total, unit, remark }));
    }

    fn log(&mut self, text: &str) {
        self.send(&FromWorker::Log { id: self.id, text: text.to_owned() });
    }

    fn fact(&mut self, name: &str, value: Value) {
        self.facts.insert(name.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use compt::protocol::{Compute, Job, StageErrorKind};

    use super::*;

    fn job(id: u64, operation: &str) -> ToWorker {
        ToWorker::Run(Box::new(Job {
            id,
            stage: "fit".to_owned(),
            operation: operation.to_owned(),
            parameters: Value::Null,
            inputs: Vec::new(),
            sources: Vec::new(),
            output: "unused".into(),
            scratch: "unused".into(),
            compute: Compute { device: "cpu".to_owned(), threads: 1 },
        }))
    }

    fn answers(messages: Vec<ToWorker>) -> Vec<FromWorker> {
        let mut output = Vec::new();
        let unfinished = AtomicUsize::new(messages.len());
        serve(messages.into_iter(), &mut output, &unfinished).unwrap();
        let text = String::from_utf8(output).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_failure_leaves_the_worker_ready_for_the_next_message() {
        let ask = ToWorker::Ask { id: 2, texts: Vec::new(), scores: false };
        let answers = answers(vec![job(1, "plot"), ask, ToWorker::Leave, job(3, "train")]);
        assert_eq!(answers.len(), 3, "{answers:?}");
        assert!(matches!(&answers[0], FromWorker::Hello(hello) if hello.protocol == PROTOCOL));
        for (answer, expected) in answers[1..].iter().zip([1, 2]) {
            let FromWorker::Failed { id, error } = answer else { panic!("{answer:?}") };
            assert_eq!((*id, error.kind), (expected, StageErrorKind::Bug));
        }
    }
}
