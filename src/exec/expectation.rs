//! How long stages are expected to take: from runs of the very same work, else of the same cell, else of other cells of
//! the stage by the axis values that they share, else of other stages with the same operation, unless it is `command`.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::plan::catalog::Place;
use crate::plan::{Instance, Plan};
use crate::protocol::Coordinates;
use crate::store::Durations;

/// Seconds taken for a stage on a thread of which nothing is known: such stages are short.
const LIGHT_GUESS: f64 = 1.0;
/// So many of the latest runs of a cell count: parameters change, and what took long before may not any more.
const LATEST: usize = 3;
/// The effect of an axis value is drawn towards none as if there were so many more runs without an effect.
const DOUBT: f64 = 0.5;
/// Rounds in which the effects of the axes are told from each other.
const ROUNDS: usize = 8;
/// Shorter runs count as this long: below it, the logarithm would only tell noise.
const SHORTEST: f64 = 1e-3;

/// What an expectation rests on, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The same key was made before.
    Key,
    /// The same stage with the same axis values was run before, with other parameters or inputs.
    Cell,
    /// Other cells of the stage were run, before or in this run.
    Stage,
    /// Other stages with the same operation were run before.
    Operation,
    /// Nothing is known.
    Guess,
}

/// What a stage is expected to take.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Expectation {
    /// In seconds.
    pub seconds: f64,
    /// How that is known.
    pub basis: Basis,
}

/// What each instance of a plan is expected to take, as far as it is known before its key is. Only stages on threads are
/// guessed.
pub fn of_plan(plan: &Plan, durations: &Durations) -> Vec<Option<Expectation>> {
    let mut stages: HashMap<&str, StageRuns> = HashMap::new();
    let mut expected = |instance: &Instance| {
        let runs = match stages.get(instance.stage.as_str()) {
            Some(runs) => runs,
            None => {
                let runs = durations.of_stage(&plan.pipeline, &instance.stage);
                stages.entry(plan.instances[instance.id].stage.as_str()).or_insert(StageRuns::new(runs.collect()))
            }
        };
        let found = runs.expected(&instance.coordinates).or_else(|| {
            // What one program took says nothing of another one.
            let others = (instance.place != Place::Program).then(|| durations.of_operation(&instance.operation))?;
            let seconds = median(others.collect())?;
            Some(Expectation { seconds, basis: Basis::Operation })
        });
        let guess = Expectation { seconds: LIGHT_GUESS, basis: Basis::Guess };
        found.or_else(|| (instance.place == Place::Thread).then_some(guess))
    };
    plan.instances.iter().map(&mut expected).collect()
}

/// The runs of one stage, and what each value of an axis makes of them.
#[derive(Debug, Default)]
struct StageRuns {
    cells: BTreeMap<Coordinates, Vec<f64>>,
    /// The logarithm of what is usual.
    usual: f64,
    /// What is added to it for a value of an axis.
    effects: BTreeMap<(String, String), f64>,
    /// The shortest and the longest run: nothing is expected beyond them.
    range: Option<(f64, f64)>,
}

impl StageRuns {
    /// From earlier runs, oldest first.
    fn new(runs: Vec<(&Coordinates, f64)>) -> Self {
        let mut all = Self::default();
        for (cell, seconds) in &runs {
            all.cells.entry((*cell).clone()).or_default().push(*seconds);
        }
        // One number for each cell, so that one which ran often does not outweigh the others.
        let cells: Vec<(&Coordinates, f64)> = all.cells.iter().filter_map(|(c, s)| Some((c, latest(s)?))).collect();
        let logarithms: Vec<f64> = cells.iter().map(|(_, seconds)| seconds.max(SHORTEST).ln()).collect();
        all.usual = median(logarithms.clone()).unwrap_or_default();
        all.effects = effects(&cells, logarithms.iter().map(|logarithm| logarithm - all.usual).collect());
        all.range = cells.iter().map(|(_, seconds)| *seconds).fold(None, |range, seconds| {
            let (least, most) = range.unwrap_or((seconds, seconds));
            Some((least.min(seconds), most.max(seconds)))
        });
        all
    }

    /// What a cell is expected to take; nothing when the stage has never run.
    fn expected(&self, cell: &Coordinates) -> Option<Expectation> {
        if let Some(seconds) = self.cells.get(cell).and_then(|runs| latest(runs)) {
            return Some(Expectation { seconds, basis: Basis::Cell });
        }
        let (least, most) = self.range?;
        let known = cell.iter().filter_map(|(axis, value)| self.effects.get(&(axis.clone(), value.clone())));
        let seconds = (self.usual + known.sum::<f64>()).exp().clamp(least, most);
        Some(Expectation { seconds, basis: Basis::Stage })
    }
}

/// What each value of each axis adds to the logarithm of the seconds: the effects that together leave least unexplained,
/// found axis by axis in some rounds. So a value that only occurs together with a slow value of another axis is not
/// taken for slow itself.
fn effects(cells: &[(&Coordinates, f64)], mut unexplained: Vec<f64>) -> BTreeMap<(String, String), f64> {
    let mut rows: BTreeMap<(&String, &String), Vec<usize>> = BTreeMap::new();
    for (row, (cell, _)) in cells.iter().enumerate() {
        for value in *cell {
            rows.entry(value).or_default().push(row);
        }
    }
    let mut effects: BTreeMap<(&String, &String), f64> = BTreeMap::new();
    for _ in 0..ROUNDS {
        for (value, rows) in &rows {
            let effect = effects.entry(*value).or_default();
            let sum: f64 = rows.iter().map(|row| unexplained[*row] + *effect).sum();
            let better = sum / (rows.len() as f64 + DOUBT);
            rows.iter().for_each(|row| unexplained[*row] += *effect - better);
            *effect = better;
        }
    }
    effects.into_iter().map(|((axis, value), effect)| ((axis.clone(), value.clone()), effect)).collect()
}

/// The median of the latest runs.
fn latest(runs: &[f64]) -> Option<f64> {
    median(runs[runs.len().saturating_sub(LATEST)..].to_vec())
}

/// The middle one; the upper of two.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Basis, StageRuns};
    use crate::protocol::Coordinates;

    fn cell(values: &[(&str, &str)]) -> Coordinates {
        values.iter().map(|(axis, value)| ((*axis).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_same_cell_counts_by_its_latest_runs() {
        let (one, two) = (cell(&[("seed", "1")]), cell(&[("seed", "2")]));
        let runs = StageRuns::new(vec![(&one, 90.0), (&one, 91.0), (&one, 4.0), (&one, 5.0), (&one, 6.0), (&two, 7.0)]);
        let expected = runs.expected(&one).unwrap();
        assert_eq!((expected.seconds, expected.basis), (5.0, Basis::Cell));
        assert!(StageRuns::new(Vec::new()).expected(&one).is_none());
    }

    /// Seconds are 10 x (1, 4 or 16 by method) x (1, 2 or 4 by task); the seed has no effect. A cell that was never run
    /// is expected near what this rule says.
    #[test]
    fn an_unknown_cell_is_told_by_its_axis_values() {
        let rule = |method: usize, task: usize| 10.0 * 4f64.powi(method as i32) * 2f64.powi(task as i32);
        let at = |method: usize, task: usize, seed: usize| {
            cell(&[("method", ["a", "b", "c"][method]), ("task", ["x", "y", "z"][task]), ("seed", ["1", "2"][seed])])
        };
        let every = (0..18).map(|number| (number / 6, number / 2 % 3, number % 2));
        let known: Vec<(Coordinates, f64)> = every
            .filter(|(method, task, _)| (*method, *task) != (1, 1))
            .map(|(method, task, seed)| (at(method, task, seed), rule(method, task)))
            .collect();
        let runs = StageRuns::new(known.iter().map(|(cell, seconds)| (cell, *seconds)).collect());
        for seed in [0, 1] {
            let expected = runs.expected(&at(1, 1, seed)).unwrap();
            assert_eq!(expected.basis, Basis::Stage);
            let ratio = expected.seconds / rule(1, 1);
            assert!((0.8..1.25).contains(&ratio), "{} instead of {}", expected.seconds, rule(1, 1));
        }
        // Without the axes, the middle of all: 10 10 20 20 40 40 40 40 | 160 160 160 160 320 320 640 640.
        let other = runs.expected(&cell(&[("method", "new")])).unwrap();
        assert_eq!((other.seconds.round(), other.basis), (160.0, Basis::Stage));
    }

    proptest! {
        /// Never below the shortest run or above the longest, whatever is asked for.
        #[test]
        fn nothing_is_expected_that_was_never_seen(
            runs in prop::collection::vec((0usize..3, 0usize..3, 0.0f64..1e5), 1..20),
            asked in (0usize..4, 0usize..4),
        ) {
            let at = |a: usize, b: usize| cell(&[("a", ["0", "1", "2", "3"][a]), ("b", ["0", "1", "2", "3"][b])]);
            let runs: Vec<(Coordinates, f64)> = runs.into_iter().map(|(a, b, seconds)| (at(a, b), seconds)).collect();
            let known = StageRuns::new(runs.iter().map(|(cell, seconds)| (cell, *seconds)).collect());
            let expected = known.expected(&at(asked.0, asked.1)).unwrap();
            let least = runs.iter().map(|(_, seconds)| *seconds).fold(f64::INFINITY, f64::min);
            let most = runs.iter().map(|(_, seconds)| *seconds).fold(0.0, f64::max);
            prop_assert!((least..=most).contains(&expected.seconds), "{expected:?} is not in {least}..={most}");
            let seen = runs.iter().any(|(cell, _)| *cell == at(asked.0, asked.1));
            prop_assert_eq!(expected.basis, if seen { Basis::Cell } else { Basis::Stage });
        }
    }
}
