//! Which examples make which batch: a pure function of the seed and the epoch (METHODS 3).

use compt::base::random::Stream;
use compt::operation::train::SamplerKind;

/// An example of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pick {
    /// Index of its task.
    pub task: usize,
    /// Index among the task's training examples.
    pub example: usize,
}

/// Draws the batches of an epoch.
#[derive(Clone, Debug)]
pub struct Sampler {
    kind: SamplerKind,
    tasks: Vec<(String, usize)>,
    batch: usize,
    seed: u64,
}

impl Sampler {
    /// A sampler over tasks of these names and numbers of examples, each at least 1; `batch` is at least 1.
    pub fn new(kind: SamplerKind, tasks: Vec<(String, usize)>, batch: usize, seed: u64) -> Self {
        Self { kind, tasks, batch: batch.max(1), seed }
    }

    /// Batches in an epoch.
    pub fn batches(&self) -> usize {
        match self.kind {
            SamplerKind::Mixed => self.tasks.iter().map(|(_, size)| size).sum::<usize>().div_ceil(self.batch),
            SamplerKind::Homogeneous => self.tasks.len() * self.rounds(),
        }
    }

    /// The batches of an epoch, counted from 0.
    pub fn epoch(&self, epoch: u64) -> Vec<Vec<Pick>> {
        match self.kind {
            SamplerKind::Mixed => self.mixed(epoch),
            SamplerKind::Homogeneous => self.homogeneous(epoch),
        }
    }

    /// All examples, shuffled together; the last batch may be short.
    fn mixed(&self, epoch: u64) -> Vec<Vec<Pick>> {
        let mut picks: Vec<Pick> = self
            .tasks
            .iter()
            .enumerate()
            .flat_map(|(task, (_, size))| (0..*size).map(move |example| Pick { task, example }))
            .collect();
        Stream::new(self.seed, &["shuffle", &epoch.to_string()]).shuffle(&mut picks);
        picks.chunks(self.batch).map(<[Pick]>::to_vec).collect()
    }

    /// Tasks in turn until the longest has shown all its whole batches; shorter tasks begin again.
    fn homogeneous(&self, epoch: u64) -> Vec<Vec<Pick>> {
        let of_tasks: Vec<Vec<Vec<Pick>>> = self
            .tasks
            .iter()
            .enumerate()
            .map(|(task, (name, size))| {
                let mut picks: Vec<Pick> = (0..*size).map(|example| Pick { task, example }).collect();
                Stream::new(self.seed, &["shuffle", &epoch.to_string(), name]).shuffle(&mut picks);
                picks.chunks(self.batch).take(self.whole(*size)).map(<[Pick]>::to_vec).collect()
            })
            .collect();
        (0..self.rounds())
            .flat_map(|round| of_tasks.iter().map(move |batches| batches[round % batches.len()].clone()))
            .collect()
    }

    /// Whole batches of a task; a task with less than one batch of examples has one short batch.
    fn whole(&self, size: usize) -> usize {
        (size / self.batch).max(1)
    }

    fn rounds(&self) -> usize {
        self.tasks.iter().map(|(_, size)| self.whole(*size)).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use compt::operation::train::SamplerKind;
    use proptest::prelude::*;

    use super::{Pick, Sampler};

    fn sampler(kind: SamplerKind, sizes: &[usize], batch: usize) -> Sampler {
        let tasks = sizes.iter().enumerate().map(|(task, size)| (format!("task{task}"), *size)).collect();
        Sampler::new(kind, tasks, batch, 5)
    }

    proptest! {
        #[test]
        fn mixed_shows_every_example_once(sizes in prop::collection::vec(1usize..30, 1..6), batch in 1usize..9) {
            let sampler = sampler(SamplerKind::Mixed, &sizes, batch);
            let batches = sampler.epoch(3);
            prop_assert_eq!(batches.len(), sampler.batches());
            prop_assert!(batches[..batches.len() - 1].iter().all(|picks| picks.len() == batch));
            let mut seen: Vec<Pick> = batches.concat();
            seen.sort();
            let all: Vec<Pick> = sizes
                .iter()
                .enumerate()
                .flat_map(|(task, size)| (0..*size).map(move |example| Pick { task, example }))
                .collect();
            prop_assert_eq!(seen, all);
        }

        #[test]
        fn homogeneous_batches_are_of_one_task_in_turn(
            sizes in prop::collection::vec(1usize..30, 1..6), batch in 1usize..9,
        ) {
            let sampler = sampler(SamplerKind::Homogeneous, &sizes, batch);
            let batches = sampler.epoch(0);
            prop_assert_eq!(batches.len(), sampler.batches());
            for (place, picks) in batches.iter().enumerate() {
                let task = place % sizes.len();
                prop_assert!(picks.iter().all(|pick| pick.task == task));
                prop_assert_eq!(picks.len(), batch.min(sizes[task]));
            }
            // Of the longest task each example of a whole batch is shown once.
            let longest = (0..sizes.len()).max_by_key(|&task| sizes[task] / batch).unwrap();
            let mut seen: Vec<Pick> =
                batches.concat().into_iter().filter(|pick| pick.task == longest).collect();
            let shown = seen.len();
            seen.sort();
            seen.dedup();
            prop_assert_eq!(seen.len(), shown);
        }
    }

    #[test]
    fn epochs_differ_and_repeat_themselves() {
        let sampler = sampler(SamplerKind::Mixed, &[20, 20], 7);
        assert_eq!(sampler.epoch(1), sampler.epoch(1));
        assert_ne!(sampler.epoch(1), sampler.epoch(2));
    }
}
