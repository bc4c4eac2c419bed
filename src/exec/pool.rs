//! The worker processes of a run: idle ones are kept with the backbone they have loaded.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::locate;
use super::worker::{Setting, Worker};
use crate::protocol::StageError;

/// Worker processes, at most `most` alive at a time. Owned by the dispatcher, on whose thread they start.
#[derive(Debug)]
pub struct Pool {
    program: Option<PathBuf>,
    most: usize,
    lent: usize,
    /// Least recently used first.
    idle: Vec<(Worker, String)>,
}

impl Pool {
    /// An empty pool. `program` is the worker's executable; without one it is looked up when the first worker is wanted.
    pub fn new(program: Option<PathBuf>, most: usize) -> Self {
        Self { program, most: most.max(1), lent: 0, idle: Vec::new() }
    }

    /// How many idle workers have which backbone.
    pub fn warm(&self) -> BTreeMap<String, usize> {
        let mut warm = BTreeMap::new();
        for (_, affinity) in &self.idle {
            *warm.entry(affinity.clone()).or_insert(0) += 1;
        }
        warm
    }

    /// The GPUs of idle workers that have this backbone.
    pub fn gpus_with(&self, affinity: &str) -> Vec<String> {
        let with = self.idle.iter().filter(|(_, has)| has == affinity);
        with.flat_map(|(worker, _)| worker.setting().gpus.iter().cloned()).collect()
    }

    /// A worker with this setting: one that has the backbone, else a new one, else (when there are enough) one that
    /// must load it.
    ///
    /// # Errors
    /// When there is no executable or it can't be started.
    pub fn take(&mut self, setting: &Setting, affinity: &str) -> Result<Worker, StageError> {
        let full = self.lent + self.idle.len() >= self.most;
        let same = |(worker, _): &(Worker, String)| worker.setting() == setting;
        let found = self
            .idle
            .iter()
            .rposition(|idle| same(idle) && idle.1 == affinity)
            .or_else(|| if full { self.idle.iter().position(same) } else { None });
        let worker = match found {
            Some(place) => self.idle.remove(place).0,
            None => {
                if full && !self.idle.is_empty() {
                    let (unused, _) = self.idle.remove(0);
                    std::thread::spawn(|| unused.leave());
                }
                let program = match &self.program {
                    Some(program) => program.clone(),
                    None => self.program.insert(locate::worker()?).clone(),
                };
                Worker::start(&program, setting.clone())?
            }
        };
        self.lent += 1;
        Ok(worker)
    }

    /// Takes a lent worker back with the backbone that it has now; `None` when it died.
    pub fn give(&mut self, worker: Option<(Worker, String)>) {
        self.lent = self.lent.saturating_sub(1);
        self.idle.extend(worker);
    }

    /// Lets all idle workers leave, side by side.
    pub fn close(&mut self) {
        std::thread::scope(|scope| {
            for (worker, _) in self.idle.drain(..) {
                scope.spawn(|| worker.leave());
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::Pool;
    use crate::exec::testing::double;
    use crate::exec::worker::Setting;

    fn setting(gpu: &str) -> Setting {
        Setting { threads: 1, gpus: vec![gpu.to_owned()] }
    }

    #[test]
    fn prefers_the_loaded_backbone_and_never_has_more_than_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let mut pool = Pool::new(Some(double(folder.path(), "pass")), 2);
        let small = pool.take(&setting("0"), "small").unwrap();
        let base = pool.take(&setting("1"), "base").unwrap();
        pool.give(Some((small, "small".into())));
        pool.give(Some((base, "base".into())));
        assert_eq!(pool.warm(), [("base".to_owned(), 1), ("small".to_owned(), 1)].into());
        assert_eq!(pool.gpus_with("base"), ["1"]);

        // The backbone is there, but on another GPU: the process on the wanted one must load it.
        let moved = pool.take(&setting("0"), "base").unwrap();
        assert_eq!(moved.setting(), &setting("0"));
        assert_eq!(pool.warm(), [("base".to_owned(), 1)].into());
        pool.give(Some((moved, "large".into())));

        // No process on this GPU: the one that was idle for longest makes room.
        let third = pool.take(&setting("2"), "base").unwrap();
        assert_eq!(third.setting(), &setting("2"));
        assert_eq!(pool.warm(), [("large".to_owned(), 1)].into());
        pool.give(None);
        let warm = pool.take(&setting("0"), "large").unwrap();
        assert!(pool.idle.is_empty());
        pool.give(Some((warm, "large".into())));
        pool.close();
        assert!(pool.warm().is_empty());
    }

    #[test]
    fn says_when_the_program_is_missing() {
        let mut pool = Pool::new(Some("/nowhere/compt-worker".into()), 1);
        let error = pool.take(&setting("0"), "small").unwrap_err();
        assert!(error.message.starts_with("failed to start `/nowhere/compt-worker`"), "{error}");
    }
}
