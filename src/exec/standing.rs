//! Where the stages of a plan stand at this moment, whoever runs them: read from the cache, without disturbing anybody.

use std::path::PathBuf;

use serde::Serialize;

use super::log::Ending;
use crate::base::holder::Holder;
use crate::plan::State;
use crate::store::{Store, StoreError};

/// Where one instance stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Standing {
    /// Its result is there.
    Done,
    /// Its result is being made.
    Running {
        /// By whom, and since when.
        by: Holder,
    },
    /// The last attempt failed, and nothing that it read has changed since.
    Failed {
        /// The first line of the error.
        message: String,
        /// The log of the attempt.
        log: PathBuf,
    },
    /// The last attempt was interrupted, or its runner died; what it has kept is used by the next one.
    Stopped,
    /// It has not been tried with what it reads now, or what it reads is not there.
    ToDo,
}

/// How many instances stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Their results are there.
    pub done: usize,
    /// They run.
    pub running: usize,
    /// Their last attempt failed.
    pub failed: usize,
    /// Their last attempt was stopped.
    pub stopped: usize,
    /// The others.
    pub to_do: usize,
}

/// Where the instances with these states stand, in the same order.
///
/// # Errors
/// When the logs can't be read.
pub fn standings(store: &Store, states: &[State]) -> Result<Vec<Standing>, StoreError> {
    let building = store.building();
    let standing = |state: &State| {
        let (State::Cached { key, .. } | State::Run { key: Some(key), .. }) = state else { return Ok(Standing::ToDo) };
        // Also what is there already may be made again, by a run that was told to.
        if let Some(by) = building.get(key) {
            return Ok(Standing::Running { by: by.clone() });
        }
        if state.output().is_some() {
            return Ok(Standing::Done);
        }
        let Some((_, log)) = store.logs(key)?.pop() else { return Ok(Standing::ToDo) };
        Ok(match Ending::of(&log) {
            Ok(Ending::Failed(message)) => Standing::Failed { message, log },
            Ok(Ending::Open) => Standing::Stopped,
            // Made once, and removed since.
            Ok(Ending::Done) | Err(_) => Standing::ToDo,
        })
    };
    states.iter().map(standing).collect()
}

impl Tally {
    /// Counts them.
    pub fn of<'a>(standings: impl IntoIterator<Item = &'a Standing>) -> Self {
        let mut tally = Self::default();
        for standing in standings {
            *match standing {
                Standing::Done => &mut tally.done,
                Standing::Running { .. } => &mut tally.running,
                Standing::Failed { .. } => &mut tally.failed,
                Standing::Stopped => &mut tally.stopped,
                Standing::ToDo => &mut tally.to_do,
            } += 1;
        }
        tally
    }

    /// All of them.
    pub fn total(&self) -> usize {
        self.done + self.running + self.failed + self.stopped + self.to_do
    }
}

impl std::fmt::Display for Tally {
    /// `3 of 8 done, 1 running, 4 to do`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} done", self.done, self.total())?;
        let others =
            [(self.running, "running"), (self.failed, "failed"), (self.stopped, "stopped"), (self.to_do, "to do")];
        for (count, what) in others.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, ", {count} {what}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Standing, Tally, standings};
    use crate::base::Digest;
    use crate::base::secrets::Secrets;
    use crate::exec::log::Log;
    use crate::plan::State;
    use crate::protocol::StageError;
    use crate::store::{KeyAttempt, Store};

    #[test]
    fn locks_and_logs_tell_where_a_stage_stands() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let keys = [b"0", b"1", b"2", b"3", b"4", b"5"].map(|bytes| Digest::of(bytes));
        let run = |key| State::Run { key, certain: true, reasons: Vec::new() };
        let mut states: Vec<State> = keys.iter().map(|key| run(Some(*key))).collect();
        states[0] = State::Cached { key: keys[0], output: keys[0] };
        states.push(run(None));
        let log = |key| Log::create(&store.next_log(key).unwrap().1, "fit", 1, Secrets::default()).unwrap();
        // 1 runs, after a failure; 2 failed after a success; 3 was killed; 4 was made and removed.
        let KeyAttempt::Taken(_lock) = store.try_lock(&keys[1]).unwrap() else { panic!("it is free") };
        log(&keys[1]).end(Err(&StageError::input("no")));
        log(&keys[2]).end(Ok(()));
        log(&keys[2]).end(Err(&StageError::input("no rows").with_hint("add some")));
        log(&keys[3]).say("begun");
        log(&keys[4]).end(Ok(()));
        let reader = Store::open_to_read(folder.path()).unwrap();
        let found = standings(&reader, &states).unwrap();
        assert_eq!(found[0], Standing::Done);
        assert!(matches!(&found[1], Standing::Running { by } if by.pid == std::process::id()));
        assert!(matches!(&found[2], Standing::Failed { message, log }
            if message == "no rows" && log.ends_with("2.log")));
        assert_eq!(found[3..], [Standing::Stopped, Standing::ToDo, Standing::ToDo, Standing::ToDo]);
        let tally = Tally::of(&found);
        assert_eq!(tally.to_string(), "1 of 7 done, 1 running, 1 failed, 1 stopped, 3 to do");
        // The question has taken no lock.
        assert!(matches!(store.try_lock(&keys[1]).unwrap(), KeyAttempt::Held(_)));
    }
}
