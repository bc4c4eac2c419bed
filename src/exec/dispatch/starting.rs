//! How the dispatcher starts stages: which are chosen, how one is claimed, and what its attempt gets.

use std::sync::mpsc;
use std::thread::Scope;
use std::time::Instant;

use super::{Dispatcher, Last, Running, affinity, unknown};
use crate::base::Digest;
use crate::exec::attempt::{Attempt, failed};
use crate::exec::board::{State, Todo};
use crate::exec::event::Event;
use crate::exec::interrupt::Cancellation;
use crate::exec::outlook::Pace;
use crate::exec::queue::Fate;
use crate::exec::select;
use crate::exec::worker::{PATIENCE, Setting, Worker};
use crate::plan::catalog::Place;
use crate::protocol::{Compute, Input, StageError};
use crate::store::{KeyAttempt, KeyLock};

impl<'a> Dispatcher<'a, '_> {
    /// Starts as many of the ready stages as there is room for.
    pub(super) fn start_ready<'scope>(&mut self, scope: &'scope Scope<'scope, 'a>) {
        // A stage that could not be claimed or started makes room for another one: choose until nothing changes.
        loop {
            for id in self.board.take_fresh() {
                let (priority, remaining) = (self.outlook.priority(id), self.outlook.remaining(id));
                self.queue.push(id, priority, remaining, &self.needs[id], affinity(self.instance(id)));
            }
            let (board, making) = (&self.board, &self.making);
            let fate = |id: usize| match board.state(id) {
                State::Ready(todo) if making.get(&todo.key).is_none_or(|maker| *maker == id) => Fate::Starts,
                State::Ready(_) => Fate::Stays,
                _ => Fate::Leaves,
            };
            self.queue.clear(self.ledger.free(), fate);
            let ready = self.queue.candidates(self.ledger.free(), fate);
            let chosen = select::choose(&ready, self.ledger.free(), &self.pool.warm());
            if chosen.is_empty() {
                return;
            }
            for id in chosen {
                // Another one of the same key may have been chosen beside it.
                if self.may_make(id) {
                    self.queue.remove(id);
                    self.begin(scope, id);
                }
            }
        }
    }

    /// Claims a chosen stage and starts it.
    fn begin<'scope>(&mut self, scope: &'scope Scope<'scope, 'a>, id: usize) {
        let State::Ready(todo) = self.board.state(id) else { return };
        let mut todo = *todo;
        let attempt = match self.claims.remove(&id) {
            Some(lock) => Ok(KeyAttempt::Taken(lock)),
            None => self.run.store.try_lock(&todo.key),
        };
        let lock = match attempt {
            Ok(KeyAttempt::Taken(lock)) => lock,
            Ok(KeyAttempt::Held(holder)) => {
                let (stage, key) = (self.name(id), todo.key);
                self.board.set(id, State::Waiting(todo));
                return self.tell(&Event::Waiting { stage, key, holder: holder.map(|holder| holder.to_string()) });
            }
            Err(error) => return self.give_up(id, &todo, failed(error), Last::default()),
        };
        // Another runner may have made it between the first look and the lock.
        if let Some(known) = self.find(id, todo.key) {
            drop(lock);
            self.making.remove(&todo.key);
            return self.settle(known);
        }
        if let Some(holder) = lock.left_by() {
            let kept = self.run.store.has_checkpoints(&todo.key);
            let now = if kept { "this run goes on from there" } else { "it is started again" };
            let message = format!("{holder} died while it was making `{}`; {now}", self.name(id));
            self.warn(message);
        }
        todo.attempts += 1;
        if let Err(error) = self.launch(scope, id, &todo, lock) {
            return self.give_up(id, &todo, error, Last::default());
        }
        self.making.insert(todo.key, id);
        self.board.set(id, State::Running(todo));
    }

    /// Takes room and a worker for a claimed stage, and runs it on a thread that has nothing else to do.
    fn launch<'scope>(
        &mut self,
        scope: &'scope Scope<'scope, 'a>,
        id: usize,
        todo: &Todo,
        lock: KeyLock,
    ) -> Result<(), StageError> {
        let instance = self.instance(id);
        let inputs = self.inputs(id);
        let plan = self.run.plan;
        let preimage = plan.preimage(id, &self.outputs(id), self.run.pins, self.run.numeric).map_err(unknown)?;
        let affinity = affinity(instance);
        let liked = affinity.map(|affinity| self.pool.gpus_with(affinity)).unwrap_or_default();
        let grant = self
            .ledger
            .take(&self.needs[id], &liked)
            .ok_or_else(|| StageError::bug(format!("`{}` was chosen without room for it", instance.name())))?;
        let threads = self.run.numeric.of(instance).threads;
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
        let timeout = instance.policy.timeout.or(self.run.options.timeout);
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let cancellation = Cancellation::new(self.run.interrupt.clone());
        let killer = worker.as_ref().map(Worker::killer);
        let expected = self.outlook.expected(id);
        let (expected_seconds, expected_by) = (expected.map(|it| it.seconds), expected.map(|it| it.basis));
        let device = device(&instance.place, &grant.gpus);
        let process = worker.as_ref().map(Worker::process);
        // The one that has slept longest: the kernel would wake the last one where it ran, and there others work now.
        let thread = self.idle.pop_front().unwrap_or_else(|| {
            let (sender, attempts) = mpsc::channel::<Attempt<'a>>();
            let messages = self.sender.clone();
            scope.spawn(move || attempts.into_iter().for_each(|attempt| attempt.run(&messages)));
            sender
        });
        let attempt = Attempt {
            instance,
            pipeline: &self.run.plan.pipeline,
            bodies: self.run.bodies,
            store: self.run.store,
            lock,
            preimage,
            inputs,
            at_risk: if self.has_programs { self.read_keys(id) } else { Vec::new() },
            compute: Compute { device, threads },
            worker,
            patience: PATIENCE,
            number: todo.attempts,
            secrets: &self.run.options.secrets,
            timeout,
            is_watched: self.run.options.fail_fast,
            cancellation: cancellation.clone(),
        };
        // It waits for attempts as long as there may be any.
        let _ = thread.send(attempt);
        // What it says is heard later.
        let (stage, gpus, key, attempt) = (self.name(id), grant.gpus.clone(), todo.key, todo.attempts);
        self.tell(&Event::Started { stage, key, attempt, expected_seconds, expected_by, gpus, worker: process });
        self.running
            .insert(id, Running { grant: Some(grant), pace: Pace::new(), killer, deadline, cancellation, thread });
        Ok(())
    }

    /// The keys of what a job reads.
    fn read_keys(&self, id: usize) -> Vec<Digest> {
        let read = self.instance(id).inputs.iter();
        read.filter_map(|input| self.board.result(*input)).map(|(key, _)| key).collect()
    }

    /// What a job reads, in the order of its key.
    fn inputs(&self, id: usize) -> Vec<Input> {
        let order = self.run.plan.reading_order(id, &self.outputs(id));
        let results = order.into_iter().filter_map(|input| Some((self.instance(input), self.board.result(input)?)));
        results
            .map(|(instance, (key, output))| Input {
                stage: self.instance(id).name_of(instance).to_owned(),
                operation: instance.operation.clone(),
                coordinates: instance.coordinates.clone(),
                files: self.run.store.files_of(&key, &output),
            })
            .collect()
    }
}

/// What a job is told of its GPUs. A worker sees no others, so its one is the first; a program is told their names.
fn device(place: &Place, gpus: &[String]) -> String {
    match place {
        _ if gpus.is_empty() => "cpu".to_owned(),
        Place::Program => format!("cuda:{}", gpus.join(",")),
        Place::Thread | Place::Worker { .. } => "cuda:0".to_owned(),
    }
}
