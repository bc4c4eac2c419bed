//! One attempt at one stage, on a thread of its own: sources, body, publishing. It reports to the dispatcher and talks to
//! nobody else.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::interrupt::Cancellation;
use super::log::Log;
use super::thread::{Bodies, cancel, catching};
use super::worker::{Fault, Worker};
use crate::base::secrets::Secrets;
use crate::base::{Digest, duration, moment};
use crate::plan::catalog::Place;
use crate::plan::key::Preimage;
use crate::plan::{Cause, Instance};
use crate::protocol::{Compute, Input, Job, Reporter, StageError, StageErrorKind};
use crate::store::{Finished, Found, KeyLock, Record, Store, StoreError, Work};

/// Progress more often than this is not passed on.
const PACE: Duration = Duration::from_millis(100);

/// What a stage's thread tells the dispatcher.
#[derive(Debug)]
pub(super) enum Message {
    /// How far it is.
    Progress { id: usize, done: u64, total: u64, unit: String, remark: String },
    /// A line for people.
    Log { id: usize, text: String },
    /// Something that they should know.
    Warning { id: usize, text: String },
    /// It computes no more and only stores its result: others may have what it was given, the worker too.
    Computed { id: usize, worker: Option<Worker> },
    /// The attempt is over.
    Ended(Box<Ended>),
}

/// How an attempt ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// The instance.
    pub id: usize,
    /// The digest of the published files.
    pub result: Result<Digest, StageError>,
    /// How long it took.
    pub seconds: f64,
    /// Its log, if there is one.
    pub log: Option<PathBuf>,
    /// The worker, when it can be used again and was not given back before.
    pub worker: Option<Worker>,
    /// Why it failed, when another attempt could make a difference.
    pub cause: Option<Cause>,
}

/// Everything one attempt needs.
pub(super) struct Attempt<'a> {
    pub instance: &'a Instance,
    pub pipeline: &'a str,
    pub bodies: &'a dyn Bodies,
    pub store: &'a Store,
    /// The right to build this key, held until the attempt is over.
    pub lock: KeyLock,
    pub preimage: Preimage,
    pub inputs: Vec<Input>,
    /// The keys of what it reads, if that may have been damaged since it was found: by a program of this run.
    pub at_risk: Vec<Digest>,
    pub compute: Compute,
    /// For operations that run in a worker.
    pub worker: Option<Worker>,
    /// How long a new worker may take to introduce itself.
    pub patience: Duration,
    /// 1 for the first attempt of a run.
    pub number: u32,
    /// What nothing that it says may contain.
    pub secrets: &'a Secrets,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// Whether nothing else may start before it is known how it ends.
    pub is_watched: bool,
    pub cancellation: Cancellation,
}

impl Attempt<'_> {
    /// Runs it and sends how it ended, whatever happens.
    pub(super) fn run(self, messages: &Sender<Message>) {
        let start = Instant::now();
        let id = self.instance.id;
        let operation = self.instance.operation.clone();
        let mut after = After::default();
        let secrets = self.secrets;
        let (cancellation, timeout, instance) = (self.cancellation.clone(), self.timeout, self.instance);
        let mut result = catching(&operation, || self.work(messages, &mut after, start));
        let mut cause = result.as_ref().err().and_then(|error| cause(error, after.worker_failed));
        if let (Err(error), true, Some(timeout)) = (&mut result, cancellation.timed_out(), timeout) {
            *error = too_slow(instance, timeout);
            cause = Some(Cause::Timeout);
        }
        if let Err(error) = &mut result {
            secrets.mask(&mut error.message);
            error.hint.iter_mut().for_each(|hint| secrets.mask(hint));
        }
        if let Some(log) = &after.log {
            match &result {
                // Its end stays open: it has not failed, and the next run goes on with it.
                Err(_) if cancellation.is_wanted() && !cancellation.timed_out() => log.say("stopped by the user"),
                result => log.end(result.as_ref().map(|_| ())),
            }
        }
        let ended = Ended {
            id,
            result,
            seconds: start.elapsed().as_secs_f64(),
            log: after.log.and_then(|log| log.path()),
            worker: after.worker,
            cause,
        };
        // The dispatcher outlives its stages: it waits for each of them.
        let _ = messages.send(Message::Ended(Box::new(ended)));
    }

    fn work(mut self, messages: &Sender<Message>, after: &mut After, start: Instant) -> Result<Digest, StageError> {
        let (number, path) = self.store.next_log(self.lock.key()).map_err(failed)?;
        let log = match self.instance.place {
            // It is made when the program says something, runs for more than a moment, or fails.
            Place::Program => Log::if_needed(&path, self.instance.name(), self.number, self.secrets.clone()),
            _ => Log::create(&path, self.instance.name(), self.number, self.secrets.clone())?,
        };
        if number > 1 {
            // Without it, the log of an earlier attempt would seem to be that of the last one.
            log.settle();
        }
        after.log = Some(log.clone());
        for key in &self.at_risk {
            let damage = match self.store.find(key).map_err(failed)? {
                Found::Whole(_) => continue,
                Found::Missing => "it is gone".to_owned(),
                Found::Damaged(damage) => damage.to_string(),
            };
            return Err(StageError::environment(format!(
                "a result that it reads was damaged during this run: {damage}"
            ))
            .with_hint("run the same command again: the result is made again"));
        }
        let started = moment::now();
        let work = match self.instance.place {
            Place::Program => self.store.begin_program(&self.lock),
            Place::Thread | Place::Worker { .. } => self.store.begin(&self.lock),
        };
        let work = work.map_err(failed)?;
        let scratch = match self.instance.place {
            // What is done in here leaves no checkpoints; a program gets a folder for them if its stage says so.
            Place::Thread | Place::Program => self.store.scratch_path(self.lock.key()),
            Place::Worker { .. } => self.store.scratch(self.lock.key()).map_err(failed)?,
        };
        let mut voice = Voice {
            id: self.instance.id,
            messages,
            secrets: self.secrets,
            log: &log,
            facts: BTreeMap::new(),
            told: None,
            computes: true,
            is_watched: self.is_watched,
            cancellation: self.cancellation.clone(),
        };
        if let Some(holder) = self.lock.left_by() {
            voice.log(&format!("{holder} died while it was making this result"));
        }
        // Kept in `after` until the job is handed over, so that a missing source costs no warm worker.
        after.worker = self.worker.take();
        let sources = self.bodies.sources(&self.instance.sources, &mut voice)?;
        let job = Job {
            id: self.instance.id as u64,
            stage: self.instance.name().to_owned(),
            operation: self.instance.operation.clone(),
            parameters: self.instance.parameters.value(),
            inputs: std::mem::take(&mut self.inputs),
            sources,
            output: work.folder().to_owned(),
            scratch,
            compute: self.compute.clone(),
        };
        log.job(&job);
        match after.worker.take() {
            None => self.bodies.run(&job, &mut voice)?,
            // During the job it is owned here: a panic or a cancellation drops it, which kills the process.
            Some(mut worker) => {
                let hello = worker.greet(self.patience).inspect_err(|_| after.worker_failed = true)?;
                let wanted = self.preimage.numeric.as_ref().map(|numeric| numeric.libtorch.as_str());
                if wanted.is_some_and(|wanted| wanted != hello.libtorch) {
                    let wanted = wanted.unwrap_or_default();
                    return Err(StageError::environment(format!(
                        "the worker has libtorch {}, but the keys of this run are for {wanted}",
                        hello.libtorch
                    ))
                    .with_hint("build both programs together with `make build`"));
                }
                match worker.run(&job, &log, &mut voice) {
                    Ok(()) => after.worker = Some(worker),
                    Err(Fault::Job(error)) => {
                        after.worker = Some(worker);
                        return Err(error);
                    }
                    Err(Fault::Worker(error)) => {
                        after.worker_failed = true;
                        return Err(error);
                    }
                }
            }
        }
        voice.give_back(after.worker.take());
        let record = self.publish(work, voice.facts, started, start).map_err(failed)?;
        Ok(record.output)
    }

    fn publish(
        self,
        work: Work,
        facts: BTreeMap<String, Value>,
        started: u64,
        start: Instant,
    ) -> Result<Record, StoreError> {
        let mut versions = BTreeMap::from([("compt".to_owned(), env!("CARGO_PKG_VERSION").to_owned())]);
        if let Some(numeric) = &self.preimage.numeric {
            versions.insert("libtorch".to_owned(), numeric.libtorch.clone());
        }
        let finished = Finished {
            pipeline: self.pipeline,
            instance: self.instance,
            preimage: self.preimage,
            facts,
            started,
            seconds: start.elapsed().as_secs_f64(),
            versions,
        };
        // `self.lock` goes at the end, so that whoever waits for the key finds the record.
        self.store.publish(work, finished)
    }
}

/// What a failure says about another attempt; nothing for a fault of ours.
fn cause(error: &StageError, worker_failed: bool) -> Option<Cause> {
    match error.kind {
        _ if worker_failed => Some(Cause::Worker),
        StageErrorKind::Environment => Some(Cause::Environment),
        StageErrorKind::Input => Some(Cause::Input),
        StageErrorKind::Bug => None,
    }
}

/// The error of an attempt whose time was up.
fn too_slow(instance: &Instance, timeout: Duration) -> StageError {
    let (limit, longer) = (duration::show(timeout), duration::show(timeout * 2));
    let stays = match instance.place {
        Place::Worker { .. } => "; the next attempt goes on from the last checkpoint",
        Place::Thread | Place::Program => "",
    };
    StageError::environment(format!("it took longer than {limit}, which is its `timeout`")).with_hint(format!(
        "give it more with `policy: {{ timeout: {longer} }}` in the stage, or with `--timeout {longer}`{stays}"
    ))
}

/// A fault of the store as the reason why a stage failed.
pub(super) fn failed(error: StoreError) -> StageError {
    let words = error.to_string();
    let failed = match &error {
        // A body that wrote something that can't be kept is at fault, not the machine.
        StoreError::WrongKey { .. } | StoreError::Strange { .. } => StageError::bug(words),
        _ => StageError::environment(words),
    };
    match error.help() {
        Some(help) => failed.with_hint(help),
        None => failed,
    }
}

/// What remains of an attempt, however it ended.
#[derive(Default)]
struct After {
    log: Option<Log>,
    worker: Option<Worker>,
    worker_failed: bool,
}

/// A body's reporter.
struct Voice<'a> {
    id: usize,
    messages: &'a Sender<Message>,
    secrets: &'a Secrets,
    log: &'a Log,
    facts: BTreeMap<String, Value>,
    /// When progress was last passed on.
    told: Option<Instant>,
    /// Whether it needs what it was given.
    computes: bool,
    /// Whether it keeps that until it is known how it ends.
    is_watched: bool,
    cancellation: Cancellation,
}

impl Voice<'_> {
    /// A body on a thread can't be killed, but it reports often: this is where it stops.
    fn stop_if_wanted(&self) {
        if self.cancellation.is_wanted() {
            cancel();
        }
    }

    /// Lets others have what the stage was given to compute with.
    fn give_back(&mut self, worker: Option<Worker>) {
        if std::mem::take(&mut self.computes) {
            self.tell(Message::Computed { id: self.id, worker });
        }
    }

    fn tell(&self, message: Message) {
        // The dispatcher outlives its stages.
        let _ = self.messages.send(message);
    }
}

impl Reporter for Voice<'_> {
    fn progress(&mut self, done: u64, total: u64, unit: &str, remark: &str) {
        self.stop_if_wanted();
        if done < total && self.told.is_some_and(|told| told.elapsed() < PACE) {
            return;
        }
        self.told = Some(Instant::now());
        self.tell(Message::Progress {
            id: self.id,
            done,
            total,
            unit: unit.to_owned(),
            remark: self.secrets.masked(remark).into_owned(),
        });
    }

    fn log(&mut self, text: &str) {
        self.log.say(text);
        self.tell(Message::Log { id: self.id, text: self.secrets.masked(text).into_owned() });
        self.stop_if_wanted();
    }

    fn warn(&mut self, text: &str) {
        self.log.say(&format!("warning: {text}"));
        self.tell(Message::Warning { id: self.id, text: self.secrets.masked(text).into_owned() });
    }

    fn still_wanted(&mut self) {
        self.log.settle();
        self.stop_if_wanted();
    }

    fn computed(&mut self) {
        if !self.is_watched {
            self.give_back(None);
        }
    }

    fn fact(&mut self, name: &str, mut value: Value) {
        self.secrets.mask_json(&mut value);
        self.facts.insert(name.to_owned(), value);
    }
}
