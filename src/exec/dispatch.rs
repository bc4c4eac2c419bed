//! The dispatcher: it alone knows where every stage of a run stands, and everything that happens passes through it.
//!
//! ```text
//! blocked --(inputs known)--> settle --(in the store)--> done
//!                                `--(not there)--> ready --(claimed)--> running --> done | ready again | failed
//!                                                    `--(another runner has it)--> waiting --> done | ready
//! ```
//!
//! Stages run on threads of their own and send messages; the dispatcher's thread starts worker processes (they die with
//! the thread that starts them), takes messages, decides, and tells the listener. It never waits for a lock.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::Scope;
use std::time::{Duration, Instant};

use super::attempt::{Attempt, Ended, Message};
use super::board::{Board, State, Todo};
use super::event::{Event, Listener, Stop, Totals};
use super::forecast;
use super::interrupt::Wish;
use super::needs;
use super::pool::Pool;
use super::resources::{Amounts, Grant, Ledger};
use super::results::{Claim, Workplace};
use super::run::{Failure, Run, Summary};
use super::select::{self, Candidate};
use super::worker::{Killer, PATIENCE, Setting, Worker};
use crate::base::Digest;
use crate::plan::catalog::Place;
use crate::plan::{Instance, Lookup};
use crate::protocol::{Compute, Input, StageError};

/// How often signals and the claims of other runners are looked at.
const POLL: Duration = Duration::from_millis(100);
/// How often the end of the run is estimated.
const ESTIMATE: Duration = Duration::from_secs(1);
/// Seconds taken for a stage on a thread that never ran.
const LIGHT_GUESS: f64 = 1.0;
/// Seconds taken for a stage in a worker that never ran.
const HEAVY_GUESS: f64 = 60.0;

/// See [`super::run::run`].
pub(super) fn all(run: &Run<'_>, listener: &mut dyn Listener) -> Summary {
    let (sender, messages) = mpsc::channel();
    let mut dispatcher = Dispatcher::new(run, sender, listener);
    std::thread::scope(|scope| dispatcher.go(scope, &messages));
    dispatcher.finish()
}

/// What is kept for a running stage.
struct Running {
    grant: Grant,
    since: Instant,
    killer: Option<Killer>,
    /// The fraction done, when it has told.
    fraction: Option<f64>,
}

struct Dispatcher<'a, 'l> {
    run: &'a Run<'a>,
    listener: &'l mut dyn Listener,
    sender: Sender<Message>,
    start: Instant,
    board: Board,
    needs: Vec<Amounts>,
    /// Seconds that each instance is expected to take, where that is known.
    expected: Vec<Option<f64>>,
    remaining: Vec<f64>,
    running: BTreeMap<usize, Running>,
    /// Keys that this run is making: a second instance with the same key takes the result of the first.
    making: HashMap<Digest, usize>,
    /// Keys that this run has made: forced instances don't make them again.
    made: HashSet<Digest>,
    ledger: Ledger,
    pool: Pool,
    estimate: (Option<Instant>, Option<f64>),
    wish: Wish,
    polled: Instant,
    totals: Totals,
    failures: Vec<Failure>,
}

impl<'a, 'l> Dispatcher<'a, 'l> {
    fn new(run: &'a Run<'a>, sender: Sender<Message>, listener: &'l mut dyn Listener) -> Self {
        let (plan, options) = (run.plan, run.options);
        let expected: Vec<Option<f64>> =
            plan.instances.iter().map(|instance| run.results.expected(&plan.pipeline, instance)).collect();
        let guess = |instance: &Instance| if instance.place == Place::Thread { LIGHT_GUESS } else { HEAVY_GUESS };
        let seconds: Vec<f64> =
            plan.instances.iter().zip(&expected).map(|(instance, known)| known.unwrap_or(guess(instance))).collect();
        let readers = plan.readers();
        let needs: Vec<Amounts> = plan.instances.iter().map(|instance| needs::of(instance, run.numeric)).collect();
        Self {
            run,
            listener,
            sender,
            start: Instant::now(),
            remaining: forecast::remaining_paths(&readers, &seconds),
            board: Board::new(plan.instances.iter().map(|instance| instance.inputs.len()), readers),
            ledger: needs::ledger(&needs, options),
            needs,
            expected,
            running: BTreeMap::new(),
            making: HashMap::new(),
            made: HashSet::new(),
            pool: Pool::new(options.worker.clone(), options.jobs),
            estimate: (None, None),
            wish: Wish::GoOn,
            polled: Instant::now(),
            totals: Totals::default(),
            failures: Vec::new(),
        }
    }

    fn go<'scope>(&mut self, scope: &'scope Scope<'scope, 'a>, messages: &Receiver<Message>) {
        let stages = self.run.plan.instances.len();
        let pipeline = self.run.plan.pipeline.clone();
        self.tell(&Event::RunStarted { pipeline, stages, jobs: self.run.options.jobs.max(1) });
        self.settle((0..stages).filter(|id| self.run.plan.instances[*id].inputs.is_empty()).collect());
        loop {
            self.heed_interrupt();
            if self.may_start() {
                self.start_ready(scope);
            }
            let waits = self.may_start() && !self.board.which(|state| matches!(state, State::Waiting(_))).is_empty();
            if self.running.is_empty() && !waits {
                return;
            }
            match messages.recv_timeout(POLL) {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => {}
                // It holds a sender itself.
                Err(RecvTimeoutError::Disconnected) => return,
            }
            while let Ok(message) = messages.try_recv() {
                self.take(message);
            }
            if waits && self.polled.elapsed() >= POLL {
                self.polled = Instant::now();
                self.look_at_claims();
            }
        }
    }

    fn finish(mut self) -> Summary {
        self.pool.close();
        self.totals.interrupted = self.wish > Wish::GoOn;
        self.totals.failed = self.failures.len();
        self.totals.left = self.board.open();
        self.totals.seconds = self.start.elapsed().as_secs_f64();
        let totals = self.totals.clone();
        self.tell(&Event::RunFinished(totals));
        let results = (0..self.run.plan.instances.len()).map(|id| self.board.result(id)).collect();
        Summary { totals: self.totals, failures: self.failures, results }
    }

    fn instance(&self, id: usize) -> &'a Instance {
        &self.run.plan.instances[id]
    }

    fn name(&self, id: usize) -> String {
        self.instance(id).name().to_owned()
    }

    fn tell(&mut self, event: &Event) {
        self.listener.hear(self.start.elapsed(), event);
    }

    fn warn(&mut self, message: String) {
        self.tell(&Event::Warning { message });
    }

    fn may_start(&self) -> bool {
        self.wish == Wish::GoOn && !(self.run.options.fail_fast && !self.failures.is_empty())
    }

    /// Finds the results, or makes ready, of instances whose inputs have all become known; and so on with their readers.
    fn settle(&mut self, mut known: Vec<usize>) {
        // The last is taken first, so the list is turned: events then come in plan order.
        known.reverse();
        while let Some(id) = known.pop() {
            let todo = match self.todo(id) {
                Ok(todo) => todo,
                Err(error) => {
                    self.fail(id, error, None);
                    continue;
                }
            };
            match self.find(id, &todo.key) {
                Some(output) => {
                    self.totals.cached += 1;
                    known.extend(self.board.done(id, todo.key, output).into_iter().rev());
                    let stage = self.name(id);
                    self.tell(&Event::Cached { stage, output });
                }
                None => {
                    if let Some(shortage) = self.ledger.shortage(&self.needs[id]) {
                        self.fail(id, needs::explain(&shortage), None);
                        continue;
                    }
                    self.board.set(id, State::Ready(todo));
                    let stage = self.name(id);
                    self.tell(&Event::Queued { stage });
                }
            }
        }
    }

    fn todo(&self, id: usize) -> Result<Todo, StageError> {
        let outputs = self.outputs(id);
        let preimage = self.run.plan.preimage(id, &outputs, self.run.pins, self.run.numeric).map_err(|source| {
            StageError::environment(format!("the content of {source} is not known"))
                .with_hint("see whether the hub or the mirror can be reached")
        })?;
        Ok(Todo { key: preimage.key(), preimage, attempts: 0 })
    }

    fn find(&mut self, id: usize, key: &Digest) -> Option<Digest> {
        if (self.run.forced)(self.instance(id)) && !self.made.contains(key) {
            return None;
        }
        match self.run.results.lookup(key) {
            Lookup::Found(output) => Some(output),
            Lookup::Missing => None,
            Lookup::Damaged(what) => {
                let message = format!("the result of `{}` is damaged and will be made again: {what}", self.name(id));
                self.warn(message);
                None
            }
        }
    }

    /// Notes a failure and skips everything that depends on it.
    fn fail(&mut self, id: usize, error: StageError, log: Option<PathBuf>) {
        let stage = self.name(id);
        self.tell(&Event::Failed {
            stage: stage.clone(),
            kind: error.kind,
            message: error.message.clone(),
            hint: error.hint.clone(),
            log: log.as_ref().map(|log| log.display().to_string()),
        });
        for reader in self.board.fail(id) {
            self.totals.skipped += 1;
            let skipped = self.name(reader);
            self.tell(&Event::Skipped { stage: skipped, because: stage.clone() });
        }
        self.failures.push(Failure { stage, error, log });
    }

    fn start_ready<'scope>(&mut self, scope: &'scope Scope<'scope, 'a>) {
        // A stage that could not be claimed or started makes room for another one: choose until nothing changes.
        loop {
            let startable = |state: &State| matches!(state, State::Ready(todo) if !self.making.contains_key(&todo.key));
            let ready: Vec<Candidate<'_>> = self
                .board
                .which(startable)
                .into_iter()
                .map(|index| Candidate {
                    index,
                    remaining: self.remaining[index],
                    needs: &self.needs[index],
                    affinity: affinity(&self.run.plan.instances[index]),
                })
                .collect();
            let chosen = select::choose(&ready, self.ledger.free(), &self.pool.warm());
            if chosen.is_empty() {
                return;
            }
            for id in chosen {
                self.begin(scope, id);
            }
        }
    }

    /// Claims a chosen stage and starts it.
    fn begin<'scope>(&mut self, scope: &'scope Scope<'scope, 'a>, id: usize) {
        let State::Ready(todo) = self.board.state(id) else { return };
        let mut todo = todo.clone();
        if self.making.contains_key(&todo.key) {
            return;
        }
        let workplace = match self.run.results.claim(&todo.key) {
            Ok(Claim::Ours(workplace)) => workplace,
            Ok(Claim::Theirs(holder)) => {
                self.board.set(id, State::Waiting(todo));
                let stage = self.name(id);
                return self.tell(&Event::Waiting { stage, holder });
            }
            Err(error) => return self.fail(id, error.into(), None),
        };
        // Another runner may have made it between the first look and the claim.
        if let Some(output) = self.find(id, &todo.key) {
            drop(workplace);
            return self.found_later(id, todo.key, output);
        }
        todo.attempts += 1;
        if let Err(error) = self.launch(scope, id, &todo, workplace) {
            return self.fail(id, error, None);
        }
        self.making.insert(todo.key, id);
        self.board.set(id, State::Running(todo));
    }

    fn launch<'scope>(
        &mut self,
        scope: &'scope Scope<'scope, 'a>,
        id: usize,
        todo: &Todo,
        workplace: Box<dyn Workplace + 'a>,
    ) -> Result<(), StageError> {
        let instance = self.instance(id);
        let inputs = self.inputs(id)?;
        let affinity = affinity(instance);
        let liked = affinity.map(|affinity| self.pool.gpus_with(affinity)).unwrap_or_default();
        let grant = self
            .ledger
            .take(&self.needs[id], &liked)
            .ok_or_else(|| StageError::bug(format!("`{}` was chosen without room for it", instance.name())))?;
        let threads = self.run.numeric.of(instance).threads;
        let device = if grant.gpus.is_empty() { "cpu" } else { "cuda:0" };
        let worker = match affinity {
            None => None,
            Some(affinity) => {
                let setting = Setting { threads, gpus: grant.gpus.clone() };
                match self.pool.take(&setting, affinity) {
                    Ok(worker) => Some(worker),
                    Err(error) => {
                        self.ledger.give(grant);
                        return Err(error);
                    }
                }
            }
        };
        let killer = worker.as_ref().map(Worker::killer);
        let expected_seconds = self.expected[id];
        let (stage, gpus) = (self.name(id), grant.gpus.clone());
        self.tell(&Event::Started { stage, attempt: todo.attempts, expected_seconds, gpus });
        self.running.insert(id, Running { grant, since: Instant::now(), killer, fraction: None });
        let attempt = Attempt {
            instance,
            pipeline: &self.run.plan.pipeline,
            bodies: self.run.bodies,
            workplace,
            preimage: todo.preimage.clone(),
            inputs,
            compute: Compute { device: device.to_owned(), threads },
            worker,
            patience: PATIENCE,
            number: todo.attempts,
            interrupt: self.run.interrupt.clone(),
        };
        let sender = self.sender.clone();
        scope.spawn(move || attempt.run(&sender));
        Ok(())
    }

    /// The digests of what it reads, in plan order.
    fn outputs(&self, id: usize) -> Vec<Digest> {
        let results = self.instance(id).inputs.iter().filter_map(|input| self.board.result(*input));
        results.map(|(_, output)| output).collect()
    }

    /// What a job reads, in the order of its key.
    fn inputs(&self, id: usize) -> Result<Vec<Input>, StageError> {
        let order = self.run.plan.reading_order(id, &self.outputs(id));
        order
            .into_iter()
            .filter_map(|input| Some((self.instance(input), self.board.result(input)?.0)))
            .map(|(instance, key)| {
                Ok(Input {
                    stage: instance.stage.clone(),
                    operation: instance.operation.clone(),
                    coordinates: instance.coordinates.clone(),
                    folder: self.run.results.folder(&key)?,
                })
            })
            .collect()
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Progress { id, done, total, unit, remark } => {
                if let Some(running) = self.running.get_mut(&id) {
                    running.fraction = (done > 0 && total > 0).then(|| done as f64 / total as f64);
                }
                let run_seconds_left = self.estimate();
                let stage = self.name(id);
                self.tell(&Event::Progress { stage, done, total, unit, remark, run_seconds_left });
            }
            Message::Log { id, text } => {
                let stage = self.name(id);
                self.tell(&Event::Log { stage, text });
            }
            Message::Ended(ended) => self.ended(*ended),
        }
    }

    fn ended(&mut self, ended: Ended) {
        let Ended { id, result, seconds, log, worker, worker_failed } = ended;
        if let Some(running) = self.running.remove(&id) {
            self.ledger.give(running.grant);
        }
        if let Some(affinity) = affinity(self.instance(id)) {
            self.pool.give(worker.map(|worker| (worker, affinity.to_owned())));
        }
        let State::Running(todo) = self.board.state(id) else { return };
        let todo = todo.clone();
        self.making.remove(&todo.key);
        match result {
            Ok(output) => {
                self.totals.executed += 1;
                self.made.insert(todo.key);
                self.learn(id, seconds);
                let known = self.board.done(id, todo.key, output);
                let stage = self.name(id);
                self.tell(&Event::Finished { stage, seconds, output });
                self.share(todo.key, output);
                self.settle(known);
            }
            // Killed on request: it is not the stage's fault.
            Err(_) if self.wish == Wish::Kill || self.run.interrupt.wish() == Wish::Kill => {
                self.board.set(id, State::Ready(todo));
            }
            Err(error) if worker_failed && todo.attempts <= self.run.options.retries && self.may_start() => {
                let stage = self.name(id);
                self.tell(&Event::Retry { stage, attempt: todo.attempts, message: error.message });
                self.board.set(id, State::Ready(todo));
            }
            Err(error) => self.fail(id, error, log),
        }
    }

    /// Gives a new result to other instances that have the same key.
    fn share(&mut self, key: Digest, output: Digest) {
        let same = |state: &State| matches!(state, State::Ready(todo) | State::Waiting(todo) if todo.key == key);
        for id in self.board.which(same) {
            self.found_later(id, key, output);
        }
    }

    /// A stage that was ready or waiting has a result after all.
    fn found_later(&mut self, id: usize, key: Digest, output: Digest) {
        self.totals.cached += 1;
        let known = self.board.done(id, key, output);
        let stage = self.name(id);
        self.tell(&Event::Cached { stage, output });
        self.settle(known);
    }

    /// Looks whether other runners have made what this one waits for, or have given it up.
    fn look_at_claims(&mut self) {
        for id in self.board.which(|state| matches!(state, State::Waiting(_))) {
            let State::Waiting(todo) = self.board.state(id) else { continue };
            let todo = todo.clone();
            if let Some(output) = self.find(id, &todo.key) {
                self.found_later(id, todo.key, output);
            } else if !matches!(self.run.results.claim(&todo.key), Ok(Claim::Theirs(_))) {
                // It is free, or can't be had; both show when the stage starts.
                self.board.set(id, State::Ready(todo));
            }
        }
    }

    fn heed_interrupt(&mut self) {
        let wish = self.run.interrupt.wish();
        if wish == self.wish {
            return;
        }
        self.wish = wish;
        let meaning = if wish == Wish::Kill { Stop::Kill } else { Stop::Drain };
        let running = self.running.len();
        self.tell(&Event::Interrupted { meaning, running });
        if wish == Wish::Kill {
            self.running.values().filter_map(|running| running.killer.as_ref()).for_each(Killer::kill);
        }
    }

    /// A stage of this run took so long: its other instances will take about the same when nothing better is known.
    fn learn(&mut self, id: usize, seconds: f64) {
        for other in &self.run.plan.instances {
            if other.stage == self.instance(id).stage {
                self.expected[other.id].get_or_insert(seconds);
            }
        }
    }

    /// Seconds until the run ends, when every duration that matters is known.
    fn estimate(&mut self) -> Option<f64> {
        if self.estimate.0.is_none_or(|at| at.elapsed() >= ESTIMATE) {
            let seconds: Vec<Option<f64>> = (0..self.expected.len()).map(|id| self.seconds_of(id)).collect();
            let heavy: Vec<bool> = self.run.plan.instances.iter().map(|i| i.place != Place::Thread).collect();
            let left = forecast::seconds_left(self.board.readers(), &seconds, &heavy, self.run.options.jobs);
            self.estimate = (Some(Instant::now()), left);
        }
        self.estimate.1
    }

    /// The seconds that an instance still needs.
    fn seconds_of(&self, id: usize) -> Option<f64> {
        if matches!(self.board.state(id), State::Done { .. } | State::Over) {
            return Some(0.0);
        }
        let expected = self.expected[id];
        let Some(running) = self.running.get(&id) else { return expected };
        let so_far = running.since.elapsed().as_secs_f64();
        match running.fraction {
            Some(fraction) => Some(so_far * (1.0 - fraction) / fraction),
            None => expected.map(|expected| (expected - so_far).max(0.0)),
        }
    }
}

fn affinity(instance: &Instance) -> Option<&str> {
    match &instance.place {
        Place::Thread => None,
        Place::Worker { affinity } => Some(affinity),
    }
}
