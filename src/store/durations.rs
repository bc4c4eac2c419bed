//! What stages took before, for what is expected of them: the order in which they start, and when a run will end.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::journal::Journal;
use crate::base::Digest;
use crate::plan::Instance;
use crate::protocol::Coordinates;

/// So many of the latest runs of a stage count.
const REMEMBERED: usize = 256;
/// What took less is not written down at once: there may be thousands, and a guess of it is hardly missed.
const SHORT: f64 = 1.0;
/// So many of the latest runs of an operation count.
const REMEMBERED_OF_OPERATION: usize = 16;

/// One run: operation, pipeline, stage, seconds; axis values and key, which earlier versions did not write down.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Line(String, String, String, f64, #[serde(default)] Coordinates, #[serde(default)] Option<Digest>);

/// Seconds of earlier runs.
#[derive(Clone, Debug, Default)]
pub struct Durations {
    keys: HashMap<Digest, f64>,
    stages: HashMap<String, HashMap<String, VecDeque<(Coordinates, f64)>>>,
    operations: HashMap<String, VecDeque<f64>>,
}

impl Durations {
    /// What the stage with this key took when it was last made.
    pub fn of_key(&self, key: &Digest) -> Option<f64> {
        self.keys.get(key).copied()
    }

    /// The latest runs of a stage, oldest first: axis values and seconds.
    pub fn of_stage(&self, pipeline: &str, stage: &str) -> impl Iterator<Item = (&Coordinates, f64)> {
        let runs = self.stages.get(pipeline).and_then(|stages| stages.get(stage));
        runs.into_iter().flatten().map(|(coordinates, seconds)| (coordinates, *seconds))
    }

    /// The latest runs of an operation, in any pipeline, oldest first.
    pub fn of_operation(&self, operation: &str) -> impl Iterator<Item = f64> {
        self.operations.get(operation).into_iter().flatten().copied()
    }

    pub(super) fn load(journal: &Journal, writable: bool) -> Self {
        // Guesses are not worth an error.
        let _ = journal.settle();
        let (lines, long) = journal.read::<Line>();
        if long && writable {
            // The older half goes; losing it costs nothing but a worse guess.
            let _ = journal.rewrite(&lines[lines.len() / 2..]);
        }
        let mut durations = Self::default();
        for Line(operation, pipeline, stage, seconds, coordinates, key) in lines {
            durations.keys.extend(key.map(|key| (key, seconds)));
            let stages = durations.stages.entry(pipeline).or_default();
            push(stages.entry(stage).or_default(), (coordinates, seconds), REMEMBERED);
            push(durations.operations.entry(operation).or_default(), seconds, REMEMBERED_OF_OPERATION);
        }
        durations
    }

    pub(super) fn note(journal: &Journal, pipeline: &str, instance: &Instance, key: &Digest, seconds: f64) {
        let Instance { operation, stage, coordinates, .. } = instance;
        let line = (operation, pipeline, stage, seconds, coordinates, key);
        let noted = if seconds < SHORT { journal.append_later(&line) } else { journal.append(&line) };
        // Guesses are not worth an error.
        drop(noted);
    }
}

fn push<T>(latest: &mut VecDeque<T>, run: T, most: usize) {
    if latest.len() == most {
        latest.pop_front();
    }
    latest.push_back(run);
}

#[cfg(test)]
mod tests {
    use super::{Durations, Journal};
    use crate::base::Digest;
    use crate::plan::instance::tests::small;

    #[test]
    fn runs_are_found_by_key_stage_and_operation() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::new(folder.path().join("d"));
        // As an earlier version wrote it.
        journal.append(&("make_data", "p", "data", 9.0)).unwrap();
        let plan = small();
        let key = |id: usize| Digest::of(&[id as u8]);
        for (id, seconds) in [(0, 1.0), (1, 2.0), (0, 3.0)] {
            Durations::note(&journal, "p", &plan.instances[id], &key(id), seconds);
        }
        let durations = Durations::load(&journal, true);
        assert_eq!((durations.of_key(&key(0)), durations.of_key(&key(1))), (Some(3.0), Some(2.0)), "the latest");
        assert_eq!(durations.of_key(&key(2)), None);
        let runs: Vec<_> = durations.of_stage("p", "data").map(|(cell, seconds)| (cell.len(), seconds)).collect();
        assert_eq!(runs, [(0, 9.0), (1, 1.0), (1, 2.0), (1, 3.0)]);
        assert_eq!(durations.of_stage("q", "data").count() + durations.of_stage("p", "fit").count(), 0);
        assert_eq!(durations.of_operation("make_data").collect::<Vec<_>>(), [9.0, 1.0, 2.0, 3.0]);
    }
}
