//! What counts as no answer at all, and how often that happens.

use super::accuracy::compared;
use super::{Kind, Pair};

/// The value that stands for a number that can't be read (METHODS 4.2).
pub const UNREADABLE: f64 = -1.0;

/// Reads a predicted number; text that is no finite number gives `None`.
pub fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|value: &f64| value.is_finite())
}

/// Whether a prediction is an answer: one of the labels under the accuracy rule, or a number for a regression task.
pub fn is_valid(kind: Kind, labels: &[String], pair: Pair<'_>) -> bool {
    match kind {
        Kind::Classification => label_index(labels, compared(pair.gold, pair.predicted)).is_some(),
        Kind::Regression => number(pair.predicted).is_some(),
    }
}

/// Percentage of predictions that are no answer; 0 for no pairs.
pub fn invalid_rate(kind: Kind, labels: &[String], pairs: &[Pair<'_>]) -> f64 {
    super::percent(pairs.iter().filter(|pair| !is_valid(kind, labels, **pair)).count(), pairs.len())
}

/// Which label a text is.
pub(super) fn label_index(labels: &[String], text: &str) -> Option<usize> {
    labels.iter().position(|label| label.trim() == text)
}

#[cfg(test)]
mod tests {
    use super::{invalid_rate, number};
    use crate::metric::Kind;
    use crate::metric::tests::{labels, pairs};

    #[test]
    fn answers_outside_of_the_labels() {
        let pairs = pairs(&["a", "a", "b", "b"], &["b", "a or b", "c", ""]);
        assert_eq!(invalid_rate(Kind::Classification, &labels(&["a", "b"]), &pairs), 50.0);
    }

    #[test]
    fn numbers() {
        assert_eq!(number(" 3.8 "), Some(3.8));
        for text in ["", "three", "3,8", "nan", "inf", "3.8."] {
            assert_eq!(number(text), None, "{text}");
        }
        assert_eq!(invalid_rate(Kind::Regression, &[], &pairs(&["1.0"; 4], &["1.0", "x", "5", ""])), 50.0);
    }
}
