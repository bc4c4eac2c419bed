//! The two-level bootstrap: seeds are drawn with replacement, and within each task test examples.
//!
//! Draws are paired: within one resample every cell of a task sees the same examples, and both sides of a claim the same
//! seeds, so that what is common to both sides cancels. Of n one draws n - 1: the spread of the resampled means is then
//! that of the standard error with the divisor n - 1, which matters when there are three seeds. One alone is kept.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::answers::Answers;
use super::scored::Scored;
use super::select::{Contrast, Place};
use crate::base::random::Stream;

/// A contrast on the data and on every resample.
#[derive(Clone, Debug, PartialEq)]
pub struct Resampled {
    /// The effect at each seed.
    pub seeds: Vec<f64>,
    /// The resampled effects, seeds and examples drawn.
    pub effects: Vec<f64>,
    /// Resample -> the effect at each seed, only examples drawn.
    pub by_seed: Vec<Vec<f64>>,
}

/// Draws `resamples` resamples and works out every contrast on each. The draws depend on how many seeds a contrast has and
/// on the test examples, and on nothing else: a claim more or less moves no other.
pub fn resample(answers: &Answers, contrasts: &[Contrast], resamples: usize) -> Vec<Resampled> {
    let work = Work::new(answers, contrasts);
    let whole = work.scores(&[], |task| vec![1; answers.tasks[task].examples]);
    let on_resample = |number: usize| -> Vec<(f64, Vec<f64>)> {
        let scores = work.scores(&whole, |task| {
            let name = answers.tasks[task].name.as_str();
            draw(&mut Stream::new(number as u64, &["claims", "examples", name]), answers.tasks[task].examples)
        });
        let of_contrast = |position: usize| {
            let by_seed = work.effects(position, &scores);
            let mut stream = Stream::new(number as u64, &["claims", "seeds"]);
            (weighted(&by_seed, &draw(&mut stream, by_seed.len())), by_seed)
        };
        (0..contrasts.len()).map(of_contrast).collect()
    };
    let of_data = |position: usize| Resampled {
        seeds: work.effects(position, &whole),
        effects: Vec::with_capacity(resamples),
        by_seed: Vec::with_capacity(resamples),
    };
    let mut all: Vec<Resampled> = (0..contrasts.len()).map(of_data).collect();
    let drawn: Vec<_> = (0..resamples).into_par_iter().map(on_resample).collect();
    for of_contrasts in drawn {
        for (resampled, (effect, by_seed)) in all.iter_mut().zip(of_contrasts) {
            resampled.effects.push(effect);
            resampled.by_seed.push(by_seed);
        }
    }
    all
}

/// What has to be scored, each once, whatever the number of claims that need it.
struct Work<'a> {
    /// Task -> the places of its scores and what is scored; a correlation with a constant has nothing.
    tasks: BTreeMap<usize, Vec<(usize, Option<&'a Scored>)>>,
    /// How many scores there are.
    places: usize,
    /// Contrast -> seed -> places and coefficients.
    sums: Vec<Vec<Vec<(usize, f64)>>>,
}

impl<'a> Work<'a> {
    fn new(answers: &'a Answers, contrasts: &[Contrast]) -> Self {
        let sums = || contrasts.iter().map(|contrast| contrast.seeds.iter());
        let places: BTreeSet<Place> = sums().flatten().flatten().map(|(place, _)| *place).collect();
        let position: BTreeMap<Place, usize> = places.iter().enumerate().map(|(i, place)| (*place, i)).collect();
        let mut tasks: BTreeMap<usize, Vec<(usize, Option<&Scored>)>> = BTreeMap::new();
        for (place, &position) in &position {
            let (task, scored) = match *place {
                Place::Cell(cell) => (answers.cells[cell].task, Some(&answers.cells[cell].scored)),
                Place::Chance(task) => (task, answers.tasks[task].constant.as_ref()),
            };
            tasks.entry(task).or_default().push((position, scored));
        }
        let numbered = |sum: &Vec<(Place, f64)>| sum.iter().map(|(place, share)| (position[place], *share)).collect();
        let sums = sums().map(|seeds| seeds.map(numbered).collect()).collect();
        Self { tasks, places: places.len(), sums }
    }

    /// The score of every place when the examples of each task count as `counts` says. A cell of which no example was drawn
    /// keeps what it has in `otherwise`: that happens only where the cells of a task have few examples and not the same ones.
    fn scores(&self, otherwise: &[f64], counts: impl Fn(usize) -> Vec<u32>) -> Vec<f64> {
        let mut scores = vec![0.0; self.places];
        for (&task, places) in &self.tasks {
            let counts = counts(task);
            for (position, scored) in places {
                let score = scored.and_then(|scored| scored.score(&counts));
                scores[*position] = score.or_else(|| otherwise.get(*position).copied()).unwrap_or_default();
            }
        }
        scores
    }

    /// The effect of a contrast at each seed.
    fn effects(&self, contrast: usize, scores: &[f64]) -> Vec<f64> {
        let sum = |sum: &Vec<(usize, f64)>| sum.iter().map(|(place, share)| share * scores[*place]).sum();
        self.sums[contrast].iter().map(sum).collect()
    }
}

/// How often each of `n` things is drawn in n - 1 draws.
fn draw(stream: &mut Stream, n: usize) -> Vec<u32> {
    let mut counts = vec![0; n];
    for _ in 0..n.saturating_sub(1).max(n.min(1)) {
        counts[stream.below(n)] += 1;
    }
    counts
}

/// The mean of values that count several times.
fn weighted(values: &[f64], counts: &[u32]) -> f64 {
    let all: u32 = counts.iter().sum();
    values.iter().zip(counts).map(|(value, &count)| value * f64::from(count)).sum::<f64>() / f64::from(all.max(1))
}

#[cfg(test)]
mod tests {
    use super::super::answers::tests::answers;
    use super::super::parse::Statement;
    use super::super::select::{At, contrast};
    use super::*;
    use crate::report::statistics::{mean, sd};

    fn resampled(cells: &[(String, Vec<bool>)], claim: &str, resamples: usize) -> Resampled {
        let cells: Vec<(&str, &[bool])> = cells.iter().map(|(axes, right)| (axes.as_str(), right.as_slice())).collect();
        let answers = answers(&cells);
        let statement = Statement::parse(claim).unwrap();
        let contrast = contrast(&answers, &statement, &At::new(), &["seed".to_owned()]).unwrap();
        resample(&answers, &[contrast], resamples).remove(0)
    }

    fn right(of: usize, is_right: impl Fn(usize) -> bool) -> Vec<bool> {
        (0..of).map(is_right).collect()
    }

    #[test]
    fn one_seed_has_the_binomial_standard_error() {
        // 64 of 80 right: 100 * sqrt(0.8 * 0.2 / 79) = 4.500. With 4,000 resamples the deviation of a deviation is
        // 1 / sqrt(8000) = 1.1 %; four of them are allowed.
        let cells = [("method=spp seed=1 task=a".to_owned(), right(80, |i| i % 5 != 0))];
        let resampled = resampled(&cells, "mean() > 0", 4000);
        assert!((resampled.seeds[0] - 80.0).abs() < 1e-9);
        let error = sd(&resampled.effects).unwrap();
        assert!((error / 4.500_4 - 1.0).abs() < 0.045, "{error}");
        assert!((mean(&resampled.effects).unwrap() - 80.0).abs() < 4.0 * 4.5 / 4000f64.sqrt());
    }

    #[test]
    fn seeds_alone_have_the_standard_error_of_a_mean() {
        // Tasks on which all is right or all is wrong have no noise of examples. Seeds 1 to 4 score 0, 50, 50 and 100 over
        // two tasks: sd 40.825, standard error 20.412.
        let scores = [[false, false], [true, false], [false, true], [true, true]];
        let mut cells = Vec::new();
        for (seed, tasks) in scores.iter().enumerate() {
            for (task, all_right) in ["a", "b"].iter().zip(tasks) {
                cells.push((format!("seed={seed} task={task}"), vec![*all_right; 10]));
            }
        }
        let resampled = resampled(&cells, "mean() > 0", 4000);
        assert_eq!(resampled.seeds, [0.0, 50.0, 50.0, 100.0]);
        let error = sd(&resampled.effects).unwrap();
        assert!((error / 20.412 - 1.0).abs() < 0.045, "{error}");
        assert!(resampled.by_seed.iter().all(|effects| effects == &[0.0, 50.0, 50.0, 100.0]));
    }

    #[test]
    fn both_levels_have_the_variance_of_the_crossed_bootstrap() {
        // Drawing S - 1 of S rows and n - 1 of n columns of a table x gives the mean the variance
        //   rows / S + columns / n + rest / (S n),
        // the three being the variances (divisors S - 1, n - 1, (S - 1)(n - 1)) of the row means, of the column means, and of
        // what is left of x without both. It follows from the covariance of multinomial counts, (I - J / n) / (n (n - 1)).
        let x = |seed: usize, i: usize| i * (seed + 2) % 7 < 3 + seed;
        let (seeds, n) = (3, 40);
        let cells: Vec<_> = (0..seeds).map(|s| (format!("seed={s} task=a"), right(n, |i| x(s, i)))).collect();
        let value = |s: usize, i: usize| if x(s, i) { 100.0 } else { 0.0 };
        let rows: Vec<f64> = (0..seeds).map(|s| (0..n).map(|i| value(s, i)).sum::<f64>() / n as f64).collect();
        let columns: Vec<f64> = (0..n).map(|i| (0..seeds).map(|s| value(s, i)).sum::<f64>() / seeds as f64).collect();
        let all = mean(&rows).unwrap();
        let rest: f64 = (0..seeds)
            .flat_map(|s| (0..n).map(move |i| (s, i)))
            .map(|(s, i)| (value(s, i) - rows[s] - columns[i] + all).powi(2))
            .sum::<f64>()
            / ((seeds - 1) * (n - 1)) as f64;
        let part = |values: &[f64]| sd(values).unwrap().powi(2) / values.len() as f64;
        let expected = (part(&rows) + part(&columns) + rest / (seeds * n) as f64).sqrt();
        let error = sd(&resampled(&cells, "mean() > 0", 4000).effects).unwrap();
        assert!((error / expected - 1.0).abs() < 0.045, "{error} {expected}");
    }

    #[test]
    fn what_both_sides_share_cancels() {
        // Both methods have the same answers, but for one example of 100 that `spp` has more.
        let mut cells = Vec::new();
        for seed in ["1", "2"] {
            cells.push((format!("method=spp seed={seed} task=a"), right(100, |i| i % 2 == 0 || i == 1)));
            cells.push((format!("method=pt seed={seed} task=a"), right(100, |i| i % 2 == 0)));
        }
        let resampled = resampled(&cells, "mean(method=spp) > mean(method=pt)", 2000);
        assert!(resampled.effects.iter().all(|effect| *effect >= 0.0));
        // One example of 100: sd 10 points, standard error 10 / sqrt(99) = 1.005 (4 deviations of a deviation: 6 %, with
        // heavier tails than the normal's: 10 %).
        let error = sd(&resampled.effects).unwrap();
        assert!((error / 1.005 - 1.0).abs() < 0.1, "{error}");
    }

    #[test]
    fn draws_depend_on_the_examples_and_on_nothing_else() {
        let one = vec![("method=spp seed=1 task=a".to_owned(), right(30, |i| i % 3 == 0))];
        let mut more = vec![("method=pt seed=1 task=b".to_owned(), right(9, |i| i == 0))];
        more.extend(one.clone());
        let of = |cells: &[(String, Vec<bool>)]| resampled(cells, "mean(task=a) > 0", 50);
        assert_eq!(of(&one), of(&more));
    }
}
