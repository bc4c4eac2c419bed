//! Where every instance of a plan stands, and what follows for those that read it.

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

/// All instances.
#[derive(Debug)]
pub(super) struct Board {
    states: Vec<State>,
    /// For each instance, those that read it.
    readers: Vec<Vec<usize>>,
}

impl Board {
    /// All instances wait for what they read; `inputs[i]` is how many instances `i` reads.
    pub(super) fn new(inputs: impl Iterator<Item = usize>, readers: Vec<Vec<usize>>) -> Self {
        Self { states: inputs.map(State::Blocked).collect(), readers }
    }

    pub(super) fn state(&self, id: usize) -> &State {
        &self.states[id]
    }

    /// Puts an instance that is neither blocked nor done elsewhere.
    pub(super) fn set(&mut self, id: usize, state: State) {
        self.states[id] = state;
    }

    /// The instances whose state is such.
    pub(super) fn which(&self, such: impl Fn(&State) -> bool) -> Vec<usize> {
        (0..self.states.len()).filter(|id| such(&self.states[*id])).collect()
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
        self.states[id] = State::Done { key, output };
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
        self.states[id] = State::Over;
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
        self.which(|state| !matches!(state, State::Done { .. } | State::Over)).len()
    }
}

#[cfg(test)]
mod tests {
    use super::{Board, State};
    use crate::base::Digest;

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
        assert_eq!(board.which(|state| matches!(state, State::Over)), [0, 2, 4]);
        assert_eq!(board.open(), 1);
    }
}
