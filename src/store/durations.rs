//! How long stages took before: what the choice of the next stages and the progress display expect.

use std::collections::HashMap;
use std::collections::VecDeque;

use super::journal::Journal;

/// So many of the latest runs of a stage count.
const REMEMBERED: usize = 16;

/// One run: operation, pipeline and stage, seconds.
pub(super) type Line = (String, String, String, f64);

/// Seconds of earlier runs.
#[derive(Clone, Debug, Default)]
pub struct Durations {
    stages: HashMap<(String, String), VecDeque<f64>>,
    operations: HashMap<String, VecDeque<f64>>,
}

impl Durations {
    /// What an instance of this stage is expected to take: the median of its latest runs, or else of the latest runs of
    /// its operation; `None` when that has never run.
    pub fn expected(&self, pipeline: &str, stage: &str, operation: &str) -> Option<f64> {
        let stage = self.stages.get(&(pipeline.to_owned(), stage.to_owned()));
        stage.or_else(|| self.operations.get(operation)).and_then(median)
    }

    pub(super) fn load(journal: &Journal, writable: bool) -> Self {
        let (lines, long) = journal.read::<Line>();
        let mut durations = Self::default();
        for (operation, pipeline, stage, seconds) in &lines {
            push(durations.stages.entry((pipeline.clone(), stage.clone())).or_default(), *seconds);
            push(durations.operations.entry(operation.clone()).or_default(), *seconds);
        }
        if long && writable {
            // The older half goes; losing it costs nothing but a worse guess.
            let _ = journal.rewrite(&lines[lines.len() / 2..]);
        }
        durations
    }

    pub(super) fn note(journal: &Journal, operation: &str, pipeline: &str, stage: &str, seconds: f64) {
        // Guesses are not worth an error.
        let _ = journal.append(&(operation, pipeline, stage, seconds));
    }
}

fn push(latest: &mut VecDeque<f64>, seconds: f64) {
    if latest.len() == REMEMBERED {
        latest.pop_front();
    }
    latest.push_back(seconds);
}

fn median(latest: &VecDeque<f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = latest.iter().copied().collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::{Durations, Journal};

    #[test]
    fn the_stage_counts_before_its_operation() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::new(folder.path().join("d"));
        for seconds in [1.0, 2.0, 100.0] {
            Durations::note(&journal, "train", "p", "fit", seconds);
        }
        Durations::note(&journal, "train", "p", "other", 7.0);
        let durations = Durations::load(&journal, true);
        assert_eq!(durations.expected("p", "fit", "train"), Some(2.0));
        assert_eq!(durations.expected("p", "other", "train"), Some(7.0));
        // The operation's runs: 1, 2, 7, 100; the upper one of the middle two.
        assert_eq!(durations.expected("q", "fit", "train"), Some(7.0));
        assert_eq!(durations.expected("q", "fit", "evaluate"), None);
    }
}
