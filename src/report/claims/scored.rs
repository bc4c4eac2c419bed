//! The score of one cell on a resample: each test example counts as often as it was drawn.
//!
//! What can be worked out before the draws is (which answers are right, the order of numbers), so that a resample is one
//! pass over the examples. The values are those of [`crate::metric`] on the repeated examples.

use crate::metric::accuracy::compared;
use crate::metric::invalid::{UNREADABLE, number};
use crate::metric::tally::{Classes, Tally};
use crate::metric::{MetricError, Pair, f1, matthews};

/// The answers of one cell. Positions are those of the task's examples.
#[derive(Clone, Debug, PartialEq)]
pub enum Scored {
    /// Texts that are right or wrong: percent right.
    Texts {
        /// The examples that were asked.
        asked: Vec<u32>,
        /// Those that were answered right.
        right: Vec<u32>,
    },
    /// Labels of which each counts for itself: F1 or Matthews correlation.
    Classes {
        /// The examples that were asked.
        asked: Vec<u32>,
        /// As which classes each answer counts.
        classes: Vec<Classes>,
        /// How many labels the task has.
        labels: usize,
        /// Whether it is Matthews correlation.
        matthews: bool,
    },
    /// Numbers: a correlation times 100.
    Numbers {
        /// The examples that were asked.
        asked: Vec<u32>,
        /// What is right.
        gold: Vec<f64>,
        /// What was answered.
        predicted: Vec<f64>,
        /// For a rank correlation: by which order the examples are ranked on either side.
        ranked: Option<[Vec<u32>; 2]>,
    },
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The example, among those of its task.
    pub example: u32,
    /// What is right.
    pub gold: String,
    /// What was answered.
    pub predicted: String,
}

impl Scored {
    /// Prepares answers for a metric; the labels are the task's, in its order. `None` for a metric that no score is.
    ///
    /// # Errors
    /// A gold text that is none of the labels, where the metric needs to know.
    pub fn new(metric: &str, labels: &[String], answers: &[Answer]) -> Result<Option<Self>, MetricError> {
        let asked: Vec<u32> = answers.iter().map(|answer| answer.example).collect();
        let pairs = answers.iter().map(|answer| Pair { gold: &answer.gold, predicted: &answer.predicted });
        let by_class =
            |classes, matthews| Self::Classes { asked: asked.clone(), classes, labels: labels.len(), matthews };
        Ok(Some(match metric {
            "f1" => by_class(pairs.map(|pair| f1::classes(labels, pair)).collect::<Result<_, _>>()?, false),
            "matthews" => by_class(pairs.map(|pair| matthews::classes(labels, pair)).collect(), true),
            "accuracy" => {
                let is_right = |answer: &&Answer| compared(&answer.gold, &answer.predicted) == answer.gold.trim();
                let right = answers.iter().filter(is_right).map(|answer| answer.example).collect();
                Self::Texts { asked, right }
            }
            "pearson" | "spearman" => {
                let read = |text: &String| number(text).unwrap_or(UNREADABLE);
                let gold: Vec<f64> = answers.iter().map(|answer| read(&answer.gold)).collect();
                let predicted: Vec<f64> = answers.iter().map(|answer| read(&answer.predicted)).collect();
                let ranked = (metric == "spearman").then(|| [order(&gold), order(&predicted)]);
                Self::Numbers { asked, gold, predicted, ranked }
            }
            _ => return Ok(None),
        }))
    }

    /// The metrics that [`Self::new`] takes.
    pub const METRICS: [&'static str; 5] = ["accuracy", "f1", "matthews", "pearson", "spearman"];

    /// Every example that was asked, once for each answer.
    pub fn asked(&self) -> &[u32] {
        match self {
            Self::Texts { asked, .. } | Self::Classes { asked, .. } | Self::Numbers { asked, .. } => asked,
        }
    }

    /// The score when example `i` counts `counts[i]` times; `None` when no example of this cell counts.
    pub fn score(&self, counts: &[u32]) -> Option<f64> {
        let drawn = |examples: &[u32]| examples.iter().map(|&example| counts[example as usize]).sum::<u32>();
        match self {
            Self::Texts { asked, right } => {
                let all = drawn(asked);
                (all > 0).then(|| 100.0 * f64::from(drawn(right)) / f64::from(all))
            }
            Self::Classes { asked, classes, labels, matthews } => {
                let mut tally = Tally::new(*labels);
                for (&example, &classes) in asked.iter().zip(classes) {
                    tally.add(classes, counts[example as usize]);
                }
                (drawn(asked) > 0).then(|| if *matthews { matthews::of(&tally) } else { f1::of(&tally) })
            }
            Self::Numbers { asked, gold, predicted, ranked } => {
                let counts: Vec<u32> = asked.iter().map(|&example| counts[example as usize]).collect();
                if counts.iter().all(|&count| count == 0) {
                    return None;
                }
                Some(
                    100.0
                        * match ranked {
                            None => correlation(gold, predicted, &counts),
                            Some([by_gold, by_predicted]) => {
                                let gold = ranks(gold, by_gold, &counts);
                                correlation(&gold, &ranks(predicted, by_predicted, &counts), &counts)
                            }
                        },
                )
            }
        }
    }
}

/// Positions by ascending value.
fn order(values: &[f64]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..values.len() as u32).collect();
    order.sort_by(|&a, &b| values[a as usize].total_cmp(&values[b as usize]));
    order
}

/// Ranks from 1 where each value counts several times; ties share the mean of the ranks that they cover.
fn ranks(values: &[f64], order: &[u32], counts: &[u32]) -> Vec<f64> {
    let mut ranks = vec![0.0; values.len()];
    let mut below = 0.0;
    let mut rest = order;
    while let Some(&first) = rest.first() {
        let is_tied = |position: &&u32| values[**position as usize] == values[first as usize];
        let (tied, more) = rest.split_at(rest.iter().take_while(is_tied).count());
        let covered = tied.iter().map(|&position| f64::from(counts[position as usize])).sum::<f64>();
        for &position in tied {
            ranks[position as usize] = below + f64::midpoint(covered, 1.0);
        }
        below += covered;
        rest = more;
    }
    ranks
}

/// Pearson's r in -1..=1 where pair `i` counts `counts[i]` times; 0 where it is not defined.
fn correlation(x: &[f64], y: &[f64], counts: &[u32]) -> f64 {
    let constant = |values: &[f64]| {
        let mut drawn = values.iter().zip(counts).filter(|(_, count)| **count > 0).map(|(value, _)| value);
        let first = drawn.next();
        drawn.all(|value| Some(value) == first)
    };
    if constant(x) || constant(y) {
        return 0.0;
    }
    let all: f64 = counts.iter().map(|&count| f64::from(count)).sum();
    let mean = |values: &[f64]| values.iter().zip(counts).map(|(value, &n)| value * f64::from(n)).sum::<f64>() / all;
    let (mean_x, mean_y) = (mean(x), mean(y));
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for ((a, b), &count) in x.iter().zip(y).zip(counts) {
        let (a, b, count) = (a - mean_x, b - mean_y, f64::from(count));
        xx += count * a * a;
        yy += count * b * b;
        xy += count * a * b;
    }
    let r = xy / (xx.sqrt() * yy.sqrt());
    if r.is_nan() { 0.0 } else { r.clamp(-1.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metric::{accuracy, f1, matthews, pearson, spearman};

    fn answers(rows: &[(String, String)]) -> Vec<Answer> {
        let answer = |(i, (gold, predicted)): (usize, &(String, String))| Answer {
            example: i as u32,
            gold: gold.clone(),
            predicted: predicted.clone(),
        };
        rows.iter().enumerate().map(answer).collect()
    }

    /// Each row as often as it counts.
    fn repeated<'a>(rows: &'a [(String, String)], counts: &[u32]) -> Vec<Pair<'a>> {
        let pair = |((gold, predicted), &count): (&'a (String, String), &u32)| {
            std::iter::repeat_n(Pair { gold, predicted }, count as usize)
        };
        rows.iter().zip(counts).flat_map(pair).collect()
    }

    /// Rows and how often each counts, at least one of them once.
    fn counted(value: &'static str) -> impl Strategy<Value = (Vec<(String, String)>, Vec<u32>)> {
        let row = (value, value, 0u32..4).prop_map(|(gold, predicted, count)| ((gold, predicted), count));
        prop::collection::vec(row, 1..30)
            .prop_map(|rows| rows.into_iter().unzip())
            .prop_filter("one counts", |(_, counts): &(Vec<_>, Vec<u32>)| counts.iter().any(|&count| count > 0))
    }

    proptest! {
        // The metrics themselves are checked against scipy in `metric`.
        #[test]
        fn equal_to_the_metric_on_repeated_numbers((rows, counts) in counted("[0-3]|none|[0-9]\\.5")) {
            let pairs = repeated(&rows, &counts);
            for (name, expected) in [("pearson", pearson(&pairs)), ("spearman", spearman(&pairs))] {
                let score = Scored::new(name, &[], &answers(&rows)).unwrap().unwrap().score(&counts).unwrap();
                prop_assert!((score - expected).abs() < 1e-9, "{name} {score} {expected}");
            }
        }

        #[test]
        fn equal_to_the_metric_on_repeated_labels((rows, counts) in counted("a|b| a |c"), three in any::<bool>()) {
            let labels: Vec<String> = ["a", "b", "c"].iter().map(|label| (*label).to_owned()).collect();
            let labels = if three { &labels[..] } else { &labels[..2] };
            // With two labels, `c` may be answered but is never right.
            let right = |(gold, predicted): (String, String)| {
                (if three { gold } else { gold.replace('c', "a") }, predicted)
            };
            let rows: Vec<(String, String)> = rows.into_iter().map(right).collect();
            let pairs = repeated(&rows, &counts);
            for (name, expected) in [("f1", f1(labels, &pairs).unwrap()), ("matthews", matthews(labels, &pairs))] {
                let score = Scored::new(name, labels, &answers(&rows)).unwrap().unwrap().score(&counts).unwrap();
                prop_assert!((score - expected).abs() < 1e-9, "{name} {score} {expected}");
            }
        }

        #[test]
        fn equal_to_the_metric_on_repeated_texts((rows, counts) in counted("a|b| a |a b|")) {
            let expected = accuracy(&repeated(&rows, &counts));
            let score = Scored::new("accuracy", &[], &answers(&rows)).unwrap().unwrap().score(&counts).unwrap();
            prop_assert!((score - expected).abs() < 1e-9, "{score} {expected}");
        }
    }

    #[test]
    fn nothing_drawn_is_no_score() {
        let rows = [("1".to_owned(), "1".to_owned())];
        for name in Scored::METRICS {
            let labels = ["1".to_owned(), "2".to_owned()];
            assert_eq!(Scored::new(name, &labels, &answers(&rows)).unwrap().unwrap().score(&[0]), None);
        }
        assert_eq!(Scored::new("nll", &[], &answers(&rows)), Ok(None));
        assert!(Scored::new("f1", &["2".to_owned()], &answers(&rows)).is_err());
    }

    #[test]
    fn drawn_labels_by_hand() {
        // By hand; drawn are n>n twice, e>n once, e>e three times, e>x once. F1 of `e`, `x` counting as `n`: of 5 gold and 3
        // answers 3 are right, 2 * 3 / (5 + 3). Matthews correlation, `x` being a class of its own: 5 of 7 are right, gold
        // (2, 5, 0), answers (3, 3, 1): (5 * 7 - 21) / sqrt((49 - 29) (49 - 19)) = 14 / sqrt(600).
        let gold = ["n", "e", "e", "n", "e"];
        let predicted = ["n", "n", "e", "e", "x"];
        let rows: Vec<(String, String)> =
            gold.iter().zip(predicted).map(|(gold, predicted)| ((*gold).to_owned(), predicted.to_owned())).collect();
        let labels = ["n".to_owned(), "e".to_owned()];
        for (name, expected) in [("f1", 75.0), ("matthews", 1400.0 / 600f64.sqrt())] {
            let scored = Scored::new(name, &labels, &answers(&rows)).unwrap().unwrap();
            let score = scored.score(&[2, 1, 3, 0, 1]).unwrap();
            assert!((score - expected).abs() < 1e-9, "{name} {score}");
        }
    }
}
