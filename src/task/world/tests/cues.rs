//! What a reader gets who does not understand: thresholds on word overlap and length, and a logistic regression on
//! bags of words, each fitted on training rows and scored on test rows.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Row;
use crate::base::random::Stream;

fn words(text: &str) -> Vec<String> {
    text.to_lowercase()
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .map(str::to_string)
        .collect()
}

/// The two texts of a row, in the order of the columns given.
pub(crate) fn texts(row: &Row, columns: &[&str]) -> Vec<String> {
    columns.iter().map(|name| row.columns[*name].clone()).collect()
}

/// The share of the words that the two texts have in common.
pub(crate) fn overlap(one: &str, other: &str) -> f64 {
    let (a, b): (BTreeSet<_>, BTreeSet<_>) = (words(one).into_iter().collect(), words(other).into_iter().collect());
    a.intersection(&b).count() as f64 / a.union(&b).count().max(1) as f64
}

/// The difference of the texts' lengths in words.
pub(crate) fn length(one: &str, other: &str) -> f64 {
    words(one).len() as f64 - words(other).len() as f64
}

/// Spearman's correlation: Pearson's of the ranks, equal numbers sharing theirs.
pub(crate) fn rank_correlation(one: &[f64], other: &[f64]) -> f64 {
    let ranks = |all: &[f64]| -> Vec<f64> {
        let rank = |x: &f64| {
            all.iter().filter(|y| *y < x).count() as f64 + all.iter().filter(|y| *y == x).count() as f64 / 2.0
        };
        all.iter().map(rank).collect()
    };
    let centred = |ranks: Vec<f64>| -> Vec<f64> {
        let mean = ranks.iter().sum::<f64>() / ranks.len() as f64;
        ranks.iter().map(|rank| rank - mean).collect()
    };
    let (a, b) = (centred(ranks(one)), centred(ranks(other)));
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    product(&a, &b) / (product(&a, &a) * product(&b, &b)).sqrt()
}

/// The accuracy on `test` of the best rule on `train` that gives each of ten equal parts of the range of a number its
/// commonest class.
pub(crate) fn by_number(train: &[(f64, usize)], test: &[(f64, usize)], classes: usize) -> f64 {
    let mut sorted: Vec<f64> = train.iter().map(|row| row.0).collect();
    sorted.sort_by(f64::total_cmp);
    let borders: Vec<f64> = (1..10).map(|tenth| sorted[sorted.len() * tenth / 10]).collect();
    let bin = |value: f64| borders.iter().filter(|border| value > **border).count();
    let mut counts = vec![vec![0; classes]; 10];
    for (value, class) in train {
        counts[bin(*value)][*class] += 1;
    }
    let guess = |value: f64| (0..classes).max_by_key(|&class| counts[bin(value)][class]).unwrap_or(0);
    test.iter().filter(|(value, class)| guess(*value) == *class).count() as f64 / test.len() as f64
}

/// The accuracy on `test` of a softmax regression on the words of the second text (or of the only one), the overlap and
/// the lengths, and on demand (`differences`) the words that only the second and only the first text have; fitted by
/// stochastic gradient descent.
pub(crate) fn by_bag(
    train: &[(Vec<String>, usize)],
    test: &[(Vec<String>, usize)],
    classes: usize,
    differences: bool,
) -> f64 {
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let mut features = |texts: &[String], grow: bool| -> Vec<(usize, f64)> {
        let mut found: Vec<(String, f64)> = Vec::new();
        let last: BTreeSet<String> = words(&texts[texts.len() - 1]).into_iter().collect();
        found.extend(last.iter().map(|word| (format!("has {word}"), 1.0)));
        if let [first, _] = texts {
            let first_words: BTreeSet<String> = words(first).into_iter().collect();
            if differences {
                found.extend(last.difference(&first_words).map(|word| (format!("new {word}"), 1.0)));
                found.extend(first_words.difference(&last).map(|word| (format!("gone {word}"), 1.0)));
            }
            found.push(("overlap".to_string(), overlap(first, &texts[1])));
            found.push(("length".to_string(), length(first, &texts[1]) / 10.0));
        }
        found.push(("bias".to_string(), 1.0));
        let mut known = Vec::new();
        for (name, value) in found {
            let next = names.len();
            match names.get(&name) {
                Some(&index) => known.push((index, value)),
                None if grow => {
                    names.insert(name, next);
                    known.push((next, value));
                }
                None => {}
            }
        }
        known
    };
    let train: Vec<(Vec<(usize, f64)>, usize)> = train.iter().map(|(t, class)| (features(t, true), *class)).collect();
    let test: Vec<(Vec<(usize, f64)>, usize)> = test.iter().map(|(t, class)| (features(t, false), *class)).collect();
    let mut weights = vec![vec![0.0; names.len()]; classes];
    let scores = |weights: &[Vec<f64>], x: &[(usize, f64)]| -> Vec<f64> {
        weights.iter().map(|w| x.iter().map(|(index, value)| w[*index] * value).sum()).collect()
    };
    let mut order: Vec<usize> = (0..train.len()).collect();
    let mut stream = Stream::new(0, &["cues"]);
    for epoch in 0..20 {
        stream.shuffle(&mut order);
        let rate = 0.1 / (1.0 + f64::from(epoch) / 4.0);
        for &row in &order {
            let (x, class) = &train[row];
            let s = scores(&weights, x);
            let top = s.iter().copied().fold(f64::MIN, f64::max);
            let total: f64 = s.iter().map(|score| (score - top).exp()).sum();
            for (index, w) in weights.iter_mut().enumerate() {
                let error = (s[index] - top).exp() / total - f64::from(u8::from(index == *class));
                for (feature, value) in x {
                    w[*feature] -= rate * (error * value + 1e-3 * w[*feature]);
                }
            }
        }
    }
    let guess = |x: &[(usize, f64)]| {
        let s = scores(&weights, x);
        (0..classes).max_by(|&a, &b| s[a].total_cmp(&s[b])).unwrap_or(0)
    };
    test.iter().filter(|(x, class)| guess(x) == *class).count() as f64 / test.len() as f64
}
