//! What the dispatcher does when an attempt has ended, or should: results, other attempts, failures, timeouts.

use std::cell::LazyCell;
use std::time::{Duration, Instant};

use super::{Dispatcher, Last, affinity};
use crate::exec::attempt::Ended;
use crate::exec::board::{State, Todo};
use crate::exec::event::Event;
use crate::exec::interrupt::Wish;
use crate::exec::needs;
use crate::exec::worker::{Killer, Worker};
use crate::plan::Cause;
use crate::protocol::StageError;

impl Dispatcher<'_, '_> {
    /// Takes back what a stage computed with. It is not ended any more when its time is up, or with the worker.
    pub(super) fn computed(&mut self, id: usize, worker: Option<Worker>) {
        let Some(running) = self.running.get_mut(&id) else { return };
        running.deadline = None;
        running.killer = None;
        let Some(grant) = running.grant.take() else { return };
        // Its time was up in the moment in which it had done its work: it was killed, and is no use to anybody.
        let worker = worker.filter(|_| !running.cancellation.timed_out());
        self.ledger.give(grant);
        if let Some(affinity) = affinity(self.instance(id)) {
            self.pool.give(worker.map(|worker| (worker, affinity.to_owned())));
        }
    }

    /// Takes in the end of an attempt.
    pub(super) fn ended(&mut self, ended: Ended) {
        let Ended { id, result, seconds, log, worker, cause } = ended;
        self.computed(id, worker);
        if let Some(running) = self.running.remove(&id) {
            self.idle.push_back(running.thread);
        }
        let State::Running(todo) = self.board.state(id) else { return };
        let todo = *todo;
        match result {
            Ok(output) => {
                self.totals.executed += 1;
                self.making.remove(&todo.key);
                self.made.insert(todo.key);
                LazyCell::force_mut(&mut self.outlook).learn(id, seconds);
                let known = self.board.done(id, todo.key, output);
                let stage = self.name(id);
                let (key, attempt, run) = (todo.key, todo.attempts, self.estimate());
                self.tell(&Event::Finished { stage, key, attempt, seconds, output, run });
                self.share(&todo.key, output);
                self.settle(known);
            }
            // Killed on request: it is not the stage's fault.
            Err(_) if self.wish == Wish::Kill || self.run.interrupt.wish() == Wish::Kill => {
                self.making.remove(&todo.key);
                let (stage, key, attempt) = (self.name(id), todo.key, todo.attempts);
                self.board.set(id, State::Ready(todo));
                self.tell(&Event::Stopped { stage, key, attempt, seconds });
            }
            Err(mut error) => match cause.and_then(|cause| Some((cause, self.pause(id, &todo, cause, &mut error)?))) {
                Some((cause, pause)) => {
                    let (stage, key, attempt) = (self.name(id), todo.key, todo.attempts);
                    let (message, wait_seconds) = (error.message, pause.as_secs_f64());
                    self.tell(&Event::Retry { stage, key, attempt, seconds, cause, message, wait_seconds });
                    self.rest(id, todo, pause);
                }
                None => self.give_up(id, &todo, error, Last { key: None, seconds: Some(seconds), log }),
            },
        }
    }

    /// The pause before the next attempt; `None` when there is none, with the reason in `error` if it is no room.
    fn pause(&self, id: usize, todo: &Todo, cause: Cause, error: &mut StageError) -> Option<Duration> {
        let instance = self.instance(id);
        let retries = instance.policy.retries.as_ref().unwrap_or(&self.run.options.retries);
        let pause = retries.pause(todo.attempts, cause).filter(|_| self.may_start())?;
        let needs = needs::of(instance, self.run.numeric, todo.attempts + 1);
        let Some(shortage) = self.ledger.shortage(&needs) else { return Some(pause) };
        let hint = error.hint.take().map(|hint| format!("{hint}; ")).unwrap_or_default();
        let short = needs::explain(&shortage, &instance.place);
        error.hint = Some(format!("{hint}another attempt is not possible: {short}"));
        None
    }

    /// Lets a stage rest that is tried again. It keeps its key meanwhile: no other instance makes it.
    fn rest(&mut self, id: usize, todo: Todo, pause: Duration) {
        self.needs[id] = needs::of(self.instance(id), self.run.numeric, todo.attempts + 1).into();
        let state = match Instant::now().checked_add(pause) {
            Some(until) if !pause.is_zero() => State::Resting(todo, until),
            _ => State::Ready(todo),
        };
        self.board.set(id, state);
    }

    /// Makes ready again what has rested long enough.
    pub(super) fn wake_rested(&mut self) {
        let now = Instant::now();
        for id in self.board.rested(now) {
            let State::Resting(todo, _) = self.board.state(id) else { continue };
            let todo = *todo;
            self.board.set(id, State::Ready(todo));
        }
    }

    /// Ends attempts whose time is up: a worker is killed, a body on a thread stops at its next report.
    pub(super) fn heed_timeouts(&mut self) {
        let now = Instant::now();
        for running in self.running.values_mut().filter(|running| running.deadline.is_some_and(|at| at <= now)) {
            running.deadline = None;
            running.cancellation.time_out();
            running.killer.iter().for_each(Killer::kill);
        }
    }

    /// A failure for good; other instances with the same key fail as well.
    pub(super) fn give_up(&mut self, id: usize, todo: &Todo, error: StageError, last: Last) {
        self.making.remove(&todo.key);
        self.broken.insert(todo.key, (error.clone(), last.log.clone()));
        self.fail(id, error, Last { key: Some(todo.key), ..last });
        let same = self.board.wanting(&todo.key).into_iter();
        self.settle(same.filter(|other| matches!(self.board.state(*other), State::Ready(_))).collect());
    }

    /// Whether no other instance makes the key of this one.
    pub(super) fn may_make(&self, id: usize) -> bool {
        match self.board.state(id) {
            State::Ready(todo) => self.making.get(&todo.key).is_none_or(|maker| *maker == id),
            _ => false,
        }
    }
}
