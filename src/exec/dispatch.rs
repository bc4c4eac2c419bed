//! The dispatcher: it alone knows where every stage of a run stands, and everything that happens passes through it.
//!
//! ```text
//! blocked --(inputs known)--> settle --(in the store)--> done
//!                                `--(not there)--> ready --(claimed)--> running --> done | ready again | failed
//!                            ready again --(after a failure, when the pause is over)
//!                                                    `--(another runner has it)--> waiting --> done | ready
//! ```
//!
//! Stages run on threads of their own and send messages; the dispatcher's thread starts worker processes (they die with
//! the thread that starts them), takes messages, decides, and tells the listener. It never waits for a lock. [`starting`]
//! has what it does to start a stage, [`ending`] what it does when one has ended.

mod ending;
mod starting;

use std::cell::LazyCell;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::Scope;
use std::time::{Duration, Instant};

use super::attempt::{Attempt, Message};
use super::board::{Board, State, Todo};
use super::event::{Event, Listener, Stop, Totals};
use super::interrupt::{Cancellation, Wish};
use super::needs;
use super::outlook::{Estimate, Outlook, Pace};
use super::pool::Pool;
use super::queue::Queue;
use super::resources::{Amounts, Grant, Ledger};
use super::run::{Failure, Run, Summary};
use super::worker::Killer;
use crate::base::{Digest, many};
use crate::plan::Instance;
use crate::plan::catalog::{Place, SourceRef};
use crate::protocol::StageError;
use crate::store::{Found, KeyAttempt, KeyLock, Sought, StoreError};

/// So many results are worth a flush of their own, when one of so many is left to be made.
const MANY: usize = 256;
const LAST: usize = 8;

/// How often signals and the claims of other runners are looked at.
const POLL: Duration = Duration::from_millis(100);

/// See [`super::run::run`].
pub(super) fn all(run: &Run<'_>, listener: &mut dyn Listener) -> Summary {
    let (sender, messages) = mpsc::channel();
    let mut dispatcher = Dispatcher::new(run, sender, listener);
    std::thread::scope(|scope| {
        dispatcher.go(scope, &messages);
        dispatcher.idle.clear();
    });
    dispatcher.finish()
}

/// What is kept for a running stage.
struct Running<'a> {
    /// What it computes with; absent once it only stores its result.
    grant: Option<Grant>,
    pace: Pace,
    killer: Option<Killer>,
    /// When its time is up.
    deadline: Option<Instant>,
    cancellation: Cancellation,
    thread: Sender<Attempt<'a>>,
}

/// What is known of the last attempt at a stage that failed for good.
#[derive(Default)]
struct Last {
    key: Option<Digest>,
    seconds: Option<f64>,
    log: Option<PathBuf>,
}

struct Dispatcher<'a, 'l> {
    run: &'a Run<'a>,
    listener: &'l mut dyn Listener,
    sender: Sender<Message>,
    start: Instant,
    board: Board,
    needs: Vec<Arc<Amounts>>,
    /// Made when a stage starts: where nothing does, nobody asks.
    outlook: LazyCell<Outlook, Box<dyn FnOnce() -> Outlook + 'a>>,
    running: BTreeMap<usize, Running<'a>>,
    /// Threads without an attempt, the last one that had one at the end; each ends when nothing can be sent to it any more.
    idle: VecDeque<Sender<Attempt<'a>>>,
    /// Keys that this run is making: a second instance with the same key takes the result of the first.
    making: HashMap<Digest, usize>,
    /// Locks of keys that another runner gave up while this one waited, for stages that start next.
    claims: BTreeMap<usize, KeyLock>,
    /// Keys that this run has made: forced instances don't make them again.
    made: HashSet<Digest>,
    /// Keys that this run could not make, why, and the log: another instance with the same key would fail as well.
    broken: HashMap<Digest, (StageError, Option<PathBuf>)>,
    ledger: Ledger,
    queue: Queue,
    pool: Pool,
    wish: Wish,
    polled: Instant,
    totals: Totals,
    failures: Vec<Failure>,
    /// Whether programs run, which may damage what they read.
    has_programs: bool,
    /// Whether it was said that the store can't take notes.
    warned: bool,
    /// Whether most results are on their way to the disk.
    flushes: bool,
}

impl<'a, 'l> Dispatcher<'a, 'l> {
    fn new(run: &'a Run<'a>, sender: Sender<Message>, listener: &'l mut dyn Listener) -> Self {
        let (plan, options) = (run.plan, run.options);
        let needs = needs::all(plan, run.numeric);
        Self {
            run,
            listener,
            sender,
            start: Instant::now(),
            outlook: LazyCell::new(Box::new(|| {
                let parts = needs::parts(plan, run.numeric, options);
                Outlook::new(plan, &plan.firsts(run.numeric), run.store.durations(), parts)
            })),
            board: Board::new(plan.instances.iter().map(|instance| instance.inputs.len()), plan.readers()),
            ledger: needs::ledger(&needs, options),
            needs,
            running: BTreeMap::new(),
            idle: VecDeque::new(),
            making: HashMap::new(),
            claims: BTreeMap::new(),
            made: HashSet::new(),
            broken: HashMap::new(),
            queue: Queue::default(),
            pool: Pool::new(options.worker.clone(), options.jobs),
            wish: Wish::GoOn,
            polled: Instant::now(),
            totals: Totals::default(),
            failures: Vec::new(),
            has_programs: run.plan.instances.iter().any(|instance| matches!(instance.place, Place::Program)),
            warned: false,
            flushes: false,
        }
    }

    fn go<'scope>(&mut self, scope: &'scope Scope<'scope, 'a>, messages: &Receiver<Message>) {
        let stages = self.run.plan.instances.len();
        let pipeline = self.run.plan.pipeline.clone();
        self.tell(&Event::RunStarted { pipeline, stages, jobs: self.run.options.jobs.max(1) });
        if let Some(found) = self.run.store.recovered() {
            self.warn(format!(
                "the machine went down, or its disk failed, while results were written: all {} were checked, {} were \
                 damaged and will be made again",
                found.records,
                found.damaged()
            ));
        }
        self.settle((0..stages).filter(|id| self.run.plan.instances[*id].inputs.is_empty()).collect());
        loop {
            self.heed_interrupt();
            self.heed_timeouts();
            self.wake_rested();
            if self.may_start() && self.keeps_up() {
                self.start_ready(scope);
            }
            let waits = self.may_start() && self.board.waits();
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
            self.flush_ahead(scope);
            if waits && self.polled.elapsed() >= POLL {
                self.polled = Instant::now();
                self.look_at_claims();
            }
        }
    }

    /// Brings the results of many stages to the disk while the last of them run; then the end has less to wait for.
    fn flush_ahead<'scope>(&mut self, scope: &'scope Scope<'scope, 'a>) {
        let Totals { executed, cached, shared, skipped, .. } = self.totals;
        let over = executed + cached + shared + skipped + self.failures.len();
        let left = self.run.plan.instances.len().saturating_sub(over);
        if !self.flushes && executed >= MANY && left * LAST <= executed {
            self.flushes = true;
            let store = self.run.store;
            scope.spawn(|| store.flush_ahead());
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

    fn warn(&mut self, mut message: String) {
        self.run.options.secrets.mask(&mut message);
        self.tell(&Event::Warning { message });
    }

    fn may_start(&self) -> bool {
        self.wish == Wish::GoOn && (self.failures.is_empty() || !self.run.options.fail_fast)
    }

    /// Whether results are stored about as fast as they are made. Otherwise nothing is started, or more and more
    /// threads would wait for the disk.
    fn keeps_up(&self) -> bool {
        self.running.values().filter(|running| running.grant.is_none()).count() <= self.run.options.cores
    }

    /// Finds the results, or makes ready, of instances whose inputs have all become known; so on with their readers.
    fn settle(&mut self, mut known: Vec<usize>) {
        while !known.is_empty() {
            // Events come in plan order.
            known.sort_unstable();
            let mut readers = Vec::new();
            for (id, looked) in self.look_all(&known) {
                match looked {
                    Ok(looked) => readers.extend(self.place(id, looked)),
                    Err(error) => self.fail(id, error, Last::default()),
                }
            }
            known = readers;
        }
    }

    /// Asks the store for these instances, many of them side by side.
    fn look_all(&self, ids: &[usize]) -> Vec<(usize, Result<Looked, StageError>)> {
        let asked: Vec<(usize, Vec<Digest>)> = ids.iter().map(|id| (*id, self.outputs(*id))).collect();
        let (run, made) = (self.run, &self.made);
        many::map(&asked, |(id, outputs)| (*id, look(run, made, *id, outputs)))
    }

    /// Takes the result of an instance, or makes it ready; returns the readers that have all their inputs now.
    fn place(&mut self, id: usize, looked: Looked) -> Vec<usize> {
        let Looked { key, found, noted } = looked;
        if let Some(output) = self.whole(id, found) {
            return self.found(id, key, output, noted);
        }
        if let Some((error, log)) = self.broken.get(&key).cloned() {
            self.fail(id, error, Last { key: Some(key), seconds: None, log });
        } else if let Some(shortage) = self.ledger.shortage(&self.needs[id]) {
            self.fail(
                id,
                needs::explain(&shortage, &self.instance(id).place),
                Last { key: Some(key), ..Last::default() },
            );
        } else {
            LazyCell::force_mut(&mut self.outlook).know_key(id, &key);
            self.board.set(id, State::Ready(Todo { key, attempts: 0 }));
            let stage = self.name(id);
            self.tell(&Event::Queued { stage, key });
        }
        Vec::new()
    }

    /// Looks again for the result of an instance under its key; returns the readers that have all their inputs now if it is
    /// there.
    fn find(&mut self, id: usize, key: Digest) -> Option<Vec<usize>> {
        let Looked { key, found, noted } = look_for(self.run, &self.made, id, key, &self.outputs(id));
        let output = self.whole(id, found)?;
        Some(self.found(id, key, output, noted))
    }

    /// The digest of a result that is there and whole; says why another one can't be used.
    fn whole(&mut self, id: usize, found: Result<Found, StoreError>) -> Option<Digest> {
        let message = match found {
            Ok(Found::Whole(brief)) => return Some(brief.output),
            Ok(Found::Missing) => return None,
            Ok(Found::Damaged(damage)) => {
                format!("the result of `{}` is damaged and will be made again: {damage}", self.name(id))
            }
            Err(error) => format!("the result of `{}` can't be looked up: {error}", self.name(id)),
        };
        self.warn(message);
        None
    }

    /// Notes that a result was there; returns the readers that have all their inputs now, in plan order.
    fn found(&mut self, id: usize, key: Digest, output: Digest, noted: Result<(), StoreError>) -> Vec<usize> {
        if let (Err(error), false) = (noted, self.warned) {
            self.warned = true;
            self.warn(format!("`compt why` will not know of this run: {error}"));
        }
        let shared = self.made.contains(&key);
        match shared {
            true => self.totals.shared += 1,
            false => self.totals.cached += 1,
        }
        let stage = self.name(id);
        self.tell(&Event::Cached { stage, key, output, shared });
        self.board.done(id, key, output)
    }

    /// Notes a failure and skips everything that depends on it.
    fn fail(&mut self, id: usize, mut error: StageError, last: Last) {
        // Those of attempts are without secrets; others come from the store, the pool or the plan.
        let secrets = &self.run.options.secrets;
        secrets.mask(&mut error.message);
        error.hint.iter_mut().for_each(|hint| secrets.mask(hint));
        let stage = self.name(id);
        let Last { key, seconds, log } = last;
        self.tell(&Event::Failed {
            stage: stage.clone(),
            key,
            seconds,
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

    /// The digests of what it reads, in plan order.
    fn outputs(&self, id: usize) -> Vec<Digest> {
        let results = self.instance(id).inputs.iter().filter_map(|input| self.board.result(*input));
        results.map(|(_, output)| output).collect()
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Progress { id, done, total, unit, remark } => {
                if let Some(running) = self.running.get_mut(&id) {
                    running.pace.report(done, total);
                }
                let run = self.estimate();
                let stage = self.name(id);
                self.tell(&Event::Progress { stage, done, total, unit, remark, run });
            }
            Message::Log { id, text } => {
                let stage = self.name(id);
                self.tell(&Event::Log { stage, text });
            }
            Message::Warning { id, text } => {
                let message = format!("`{}`: {text}", self.name(id));
                self.warn(message);
            }
            Message::Computed { id, worker } => self.computed(id, worker),
            Message::Ended(ended) => self.ended(*ended),
        }
    }

    /// Gives a new result to other instances that have the same key.
    fn share(&mut self, key: &Digest, output: Digest) {
        for id in self.board.wanting(key) {
            if !matches!(self.board.state(id), State::Ready(_) | State::Waiting(_)) {
                continue;
            }
            let noted = note(self.run, id, key, &self.outputs(id));
            let known = self.found(id, *key, output, noted);
            self.settle(known);
        }
    }

    /// Looks whether other runners have made what this one waits for, or have given it up.
    fn look_at_claims(&mut self) {
        for id in self.board.waiting() {
            let State::Waiting(todo) = self.board.state(id) else { continue };
            let todo = *todo;
            if let Some(known) = self.find(id, todo.key) {
                self.settle(known);
                continue;
            }
            match self.run.store.try_lock(&todo.key) {
                Ok(KeyAttempt::Held(_)) => continue,
                // Kept: it knows who died with the key in its hands.
                Ok(KeyAttempt::Taken(lock)) => drop(self.claims.insert(id, lock)),
                // What is wrong shows when the stage starts.
                Err(_) => {}
            }
            self.board.set(id, State::Ready(todo));
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

    /// When the run will end, if every duration that matters is known.
    fn estimate(&mut self) -> Option<Estimate> {
        let (board, running) = (&self.board, &self.running);
        let left = |id: usize, expected: Option<f64>| match board.state(id) {
            State::Done { .. } | State::Over => Some(0.0),
            _ => running.get(&id).map_or(expected, |running| running.pace.left(expected)),
        };
        LazyCell::force_mut(&mut self.outlook).estimate(left)
    }
}

/// What the store says of an instance whose inputs are known.
struct Looked {
    key: Digest,
    found: Result<Found, StoreError>,
    /// Whether a result that is there could be noted as the instance's latest.
    noted: Result<(), StoreError>,
}

/// Asks the store for the result of an instance that reads these outputs (in plan order).
fn look(run: &Run<'_>, made: &HashSet<Digest>, id: usize, outputs: &[Digest]) -> Result<Looked, StageError> {
    let key = run.plan.key(id, outputs, run.pins, run.numeric).map_err(unknown)?;
    Ok(look_for(run, made, id, key, outputs))
}

/// The same with its key.
fn look_for(run: &Run<'_>, made: &HashSet<Digest>, id: usize, key: Digest, outputs: &[Digest]) -> Looked {
    let instance = &run.plan.instances[id];
    let anew = (run.forced)(instance) && !made.contains(&key);
    if anew {
        return Looked { key, found: Ok(Found::Missing), noted: Ok(()) };
    }
    let preimage = || run.plan.preimage(id, outputs, run.pins, run.numeric).ok();
    let Sought { found, noted } = run.store.find_latest(&run.plan.pipeline, instance, &key, preimage);
    Looked { key, found, noted }
}

/// Notes what was found as the latest result of an instance.
fn note(run: &Run<'_>, id: usize, key: &Digest, outputs: &[Digest]) -> Result<(), StoreError> {
    let plan = run.plan;
    run.store.note_latest(&plan.pipeline, &plan.instances[id], key, || {
        plan.preimage(id, outputs, run.pins, run.numeric).ok()
    })
}

/// Why an instance that reads this can't have a key.
fn unknown(source: &SourceRef) -> StageError {
    StageError::environment(format!("the content of {source} is not known"))
        .with_hint("see whether the hub or the mirror can be reached")
}

/// Which workers are best for a stage; none for one that needs no worker.
fn affinity(instance: &Instance) -> Option<&str> {
    match &instance.place {
        Place::Thread | Place::Program => None,
        Place::Worker { affinity } => Some(affinity),
    }
}
