//! Where every instance of a plan stands, and what follows for those that read it.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use crate::base::Digest;

/// Where one instance stands.
#[derive(Debug)]
pub(super) enum State {
    /// So many of its inputs have no result yet.
    Blocked(usize),
    /// It can start as soon as there is room.
    Ready(Todo),
    /// Another runner is making its result.
    Waiting(Todo),
    /// It failed and is tried again at this moment.
    Resting(Todo, Instant),
    /// It runs.
    Running(Todo),
    /// It has a result.
    Done {
        /// Its key.
        key: Digest,
        /// The digest of its files.
        output: Digest,
    },
    /// It failed, or something that it reads did.
    Over,
}

/// A stage whose inputs are known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Todo {
    pub key: Digest,
    /// The attempts begun so far.
    pub attempts: u32,
}

/// All instances. Whatever is asked at every step is kept by itself: a step takes no longer when there are more instances.
#[derive(Debug)]
pub(super) struct Board {
    states: Vec<State>,
    /// For each instance, those that read it.
    readers: Vec<Vec<usize>>,
    /// Became ready since somebody asked.
    fresh: Vec<usize>,
    waiting: BTreeSet<usize>,
    resting: BTreeSet<usize>,
    /// The instances of each key that are ready or waiting.
    wanting: HashMap<Digest, BTreeSet<usize>>,
}

impl Board {
    /// All instances wait for what they read; `inputs[i]` is how many instances `i` reads.
    pub(super) fn new(inputs: impl Iterator<Item = usize>, readers: Vec<Vec<usize>>) -> Self {
        Self {
            states: inputs.map(State::Blocked).collect(),
            readers,
            fresh: Vec::new(),
            waiting: BTreeSet::new(),
            resting: BTreeSet::new(),
            wanting: HashMap::new(),
        }
    }

    pub(super) fn state(&self, id: usize) -> &State {
        &self.states[id]
    }

    /// Puts an instance that is neither blocked nor done elsewhere.
    pub(super) fn set(&mut self, id: usize, state: State) {
        self.waiting.remove(&id);
        self.resting.remove(&id);
        if let State::Ready(todo) | State::Waiting(todo) = &self.states[id]
            && let Some(wanting) = self.wanting.get_mut(&todo.key)
        {
            wanting.remove(&id);
            if wanting.is_empty() {
                self.wanting.remove(&todo.key);
            }
        }
        match &state {
            State::Ready(_) => self.fresh.push(id),
            State::Waiting(_) => drop(self.waiting.insert(id)),
            State::Resting(..) => drop(self.resting.insert(id)),
            _ => {}
        }
        if let State::Ready(todo) | State::Waiting(todo) = &state {
            self.wanting.entry(todo.key).or_default().insert(id);
        }
        self.states[id] = state;
    }

    /// The instances that became ready since this was asked before.
    pub(super) fn take_fresh(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.fresh)
    }

    /// The instances that another runner is making, in plan order.
    pub(super) fn waiting(&self) -> Vec<usize> {
        self.waiting.iter().copied().collect()
    }

    /// The instances that have rested until this moment, in plan order.
    pub(super) fn rested(&self, now: Instant) -> Vec<usize> {
        let over = |id: &usize| matches!(&self.states[*id], State::Resting(_, until) if *until <= now);
        self.resting.iter().copied().filter(over).collect()
    }

    /// Whether time alone can make an instance ready.
    pub(super) fn waits(&self) -> bool {
        !self.waiting.is_empty() || !self.resting.is_empty()
    }

    /// The instances with this key that are ready or waiting, in plan order.
    pub(super) fn wanting(&self, key: &Digest) -> Vec<usize> {
        self.wanting.get(key).into_iter().flatten().copied().collect()
    }

    /// The key and the digest of the files of an instance that has a result.
    pub(super) fn result(&self, id: usize) -> Option<(Digest, Digest)> {
        match &self.states[id] {
            State::Done { key, output } => Some((*key, *output)),
            _ => None,
        }
    }

    /// Notes a result; returns the readers that have all their inputs now, in plan order.
    pub(super) fn done(&mut self, id: usize, key: Digest, output: Digest) -> Vec<usize> {
        self.set(id, State::Done { key, output });
        let mut known = Vec::new();
        for &reader in &self.readers[id] {
            if let State::Blocked(missing) = &mut self.states[reader] {
                *missing -= 1;
                if *missing == 0 {
                    known.push(reader);
                }
            }
        }
        known
    }

    /// Notes a failure; returns everything that depends on it and is over for that reason, in plan order.
    pub(super) fn fail(&mut self, id: usize) -> Vec<usize> {
        self.set(id, State::Over);
        let mut after = self.readers[id].clone();
        let mut skipped = Vec::new();
        while let Some(reader) = after.pop() {
            if matches!(self.states[reader], State::Blocked(_)) {
                self.states[reader] = State::Over;
                skipped.push(reader);
                after.extend(&self.readers[reader]);
            }
        }
        skipped.sort_unstable();
        skipped
    }

    /// How many instances have neither a result nor a failure.
    pub(super) fn open(&self) -> usize {
        self.states.iter().filter(|state| !matches!(state, State::Done { .. } | State::Over)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::{Board, State, Todo};
    use crate::base::Digest;
    use std::time::{Duration, Instant};

    /// 0 and 1 are read by 2; 1 is read by 3; 2 is read by 4.
    fn board() -> Board {
        Board::new([0, 0, 2, 1, 1].into_iter(), vec![vec![2], vec![2, 3], vec![4], vec![], vec![]])
    }

    #[test]
    fn a_reader_is_known_when_its_last_input_is() {
        let mut board = board();
        let digest = Digest::of(b"x");
        assert!(board.done(0, digest, digest).is_empty());
        assert_eq!(board.done(1, digest, digest), [2, 3]);
        assert_eq!(board.done(2, digest, digest), [4]);
        assert_eq!(board.open(), 2);
        assert_eq!(board.result(1), Some((digest, digest)));
    }

    #[test]
    fn a_failure_ends_only_what_depends_on_it() {
        let mut board = board();
        assert_eq!(board.fail(0), [2, 4]);
        let digest = Digest::of(b"x");
        assert_eq!(board.done(1, digest, digest), [3]);
        assert!([0, 2, 4].iter().all(|id| matches!(board.state(*id), State::Over)));
        assert_eq!(board.open(), 1);
    }

    #[test]
    fn what_is_asked_at_every_step_follows_the_states() {
        let mut board = board();
        let todo = |text: &str| Todo { key: Digest::of(text.as_bytes()), attempts: 0 };
        let key = todo("a").key;
        board.set(0, State::Ready(todo("a")));
        board.set(1, State::Ready(todo("a")));
        assert_eq!((board.take_fresh(), board.take_fresh()), (vec![0, 1], vec![]));
        assert_eq!((board.wanting(&key), board.waits()), (vec![0, 1], false));
        board.set(0, State::Running(todo("a")));
        board.set(1, State::Waiting(todo("a")));
        assert_eq!((board.wanting(&key), board.waiting(), board.waits()), (vec![1], vec![1], true));
        let now = Instant::now();
        board.set(0, State::Resting(todo("a"), now + Duration::from_secs(1)));
        assert_eq!((board.rested(now), board.rested(now + Duration::from_secs(2))), (vec![], vec![0]));
        board.done(1, key, key);
        board.set(0, State::Ready(todo("b")));
        assert_eq!((board.wanting(&key), board.waiting(), board.take_fresh()), (vec![], vec![], vec![0]));
        assert!(!board.waits());
    }
}
