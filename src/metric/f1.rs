//! F1 over label words, with a rule for predictions that are no label.

use super::accuracy::compared;
use super::invalid::label_index;
use super::tally::{Classes, Tally};
use super::{MetricError, Pair};

/// F1 in percent.
///
/// * Two labels: F1 of the second label (the "positive" class of MRPC and QQP). A prediction that is no label is read
///   as the opposite of the gold label (METHODS 4.3), so it is always an error of the kind that hurts.
/// * More labels: the plain mean over the labels of each label's F1. A prediction that is no label is a miss for its gold label.
///
/// A label with no true positive has F1 0.
///
/// # Errors
/// A gold text that is no label, because then the classes are not known.
pub fn f1(labels: &[String], pairs: &[Pair<'_>]) -> Result<f64, MetricError> {
    let mut tally = Tally::new(labels.len());
    for pair in pairs {
        tally.add(classes(labels, *pair)?, 1);
    }
    Ok(of(&tally))
}

/// As which classes an answer counts.
///
/// # Errors
/// A gold text that is no label.
pub fn classes(labels: &[String], pair: Pair<'_>) -> Result<Classes, MetricError> {
    let gold = label_index(labels, pair.gold.trim()).ok_or_else(|| MetricError::unknown_gold(pair.gold, labels))?;
    let no_label = if labels.len() == 2 { 1 - gold } else { labels.len() };
    Ok((gold, label_index(labels, compared(pair.gold, pair.predicted)).unwrap_or(no_label)))
}

/// [`f1`] of answers that were counted.
pub fn of(tally: &Tally) -> f64 {
    let of_label = |label: usize| match tally.right[label] {
        0.0 => 0.0,
        right => 2.0 * right / (tally.gold[label] + tally.predicted[label]),
    };
    match tally.labels {
        0 => 0.0,
        2 => 100.0 * of_label(1),
        count => 100.0 * (0..count).map(of_label).sum::<f64>() / count as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::f1;
    use crate::metric::tests::{labels, pairs, words};

    // scikit-learn 1.9.1:
    //   f1_score(g, flip, pos_label='e') * 100          where flip replaces x by the opposite of the gold label
    //   f1_score(g, p, labels=list("abc"), average='macro', zero_division=0) * 100
    const EXPECTED: [(&str, &str, &str, f64); 5] = [
        ("n e", "n e e n e n e e n e", "n e n e e x e n n x", 54.545_454_545_454_54),
        ("a b c", "a a b b c c c a b c", "a b b x c a c x b c", 64.126_984_126_984_13),
        ("a b c", "a a b b c c", "a a a b a b", 38.888_888_888_888_89),
        ("a b c", "a b c a b c", "x x x x x x", 0.0),
        ("a b c", "a b c a b c", "a b c a b c", 100.0),
    ];

    #[test]
    fn agrees_with_scikit_learn() {
        for (names, gold, predicted, expected) in EXPECTED {
            let score = f1(&labels(&words(names)), &pairs(&words(gold), &words(predicted))).unwrap();
            assert!((score - expected).abs() < 1e-9, "{gold} / {predicted}: {score}");
        }
    }

    #[test]
    fn gold_must_be_a_label() {
        let error = f1(&labels(&["a", "b"]), &pairs(&["c"], &["a"])).unwrap_err();
        assert_eq!(error.to_string(), "the gold text `c` is none of the labels `a`, `b`");
    }
}
