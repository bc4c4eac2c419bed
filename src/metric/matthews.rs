//! Matthews correlation for any number of classes.

use super::Pair;
use super::accuracy::compared;
use super::invalid::label_index;
use super::tally::{Classes, Tally};

/// Matthews correlation coefficient times 100, in its form for several classes (Gorodkin's R_K, which is the usual
/// coefficient for two classes).
///
/// Every prediction that is no label falls into one further class, "invalid", which no gold label has. A constant
/// prediction has no correlation: 0.
pub fn matthews(labels: &[String], pairs: &[Pair<'_>]) -> f64 {
    let mut tally = Tally::new(labels.len());
    for pair in pairs {
        tally.add(classes(labels, *pair), 1);
    }
    of(&tally)
}

/// As which classes an answer counts.
pub fn classes(labels: &[String], pair: Pair<'_>) -> Classes {
    let class = |text: &str| label_index(labels, text).unwrap_or(labels.len());
    (class(pair.gold.trim()), class(compared(pair.gold, pair.predicted)))
}

/// [`matthews`] of answers that were counted.
pub fn of(tally: &Tally) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let total: f64 = tally.gold.iter().sum();
    let right: f64 = tally.right.iter().sum();
    let covariance = right * total - dot(&tally.gold, &tally.predicted);
    let gold_variance = total * total - dot(&tally.gold, &tally.gold);
    let predicted_variance = total * total - dot(&tally.predicted, &tally.predicted);
    if gold_variance == 0.0 || predicted_variance == 0.0 {
        return 0.0;
    }
    100.0 * (covariance / (gold_variance.sqrt() * predicted_variance.sqrt())).clamp(-1.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::matthews;
    use crate::metric::tests::{labels, pairs, words};

    // scikit-learn 1.9.1: matthews_corrcoef(g, p) * 100, x being the class "invalid".
    const EXPECTED: [(&str, &str, &str, f64); 4] = [
        ("n e", "n e e n e n e e n e", "n e n e e x e n n x", 18.042_195_912_175_806),
        ("a b c", "a a b b c c c a b c", "a b b x c a c x b c", 47.220_014_080_151_756),
        ("a b c", "a a b b c c", "a a a b a b", 30.618_621_784_789_728),
        ("a b c", "a b c a b c", "x x x x x x", 0.0),
    ];

    #[test]
    fn agrees_with_scikit_learn() {
        for (names, gold, predicted, expected) in EXPECTED {
            let score = matthews(&labels(&words(names)), &pairs(&words(gold), &words(predicted)));
            assert!((score - expected).abs() < 1e-9, "{gold} / {predicted}: {score}");
        }
    }

    #[test]
    fn table_7_combined() {
        // scikit-learn on the printed counts: 76.57066369106803.
        let gold = [vec!["d"; 38], vec!["n"; 61]].concat();
        let predicted = [vec!["d"; 51], vec!["n"; 48]].concat();
        let score = matthews(&labels(&["n", "d"]), &pairs(&gold, &predicted));
        assert!((score - 76.570_663_691_068_03).abs() < 1e-9, "{score}");
    }

    #[test]
    fn different_wrong_texts_are_one_class() {
        let names = labels(&["a", "b"]);
        let gold = ["a", "b", "a", "b"];
        let one = matthews(&names, &pairs(&gold, &["a", "x", "x", "b"]));
        let two = matthews(&names, &pairs(&gold, &["a", "x", "y", "b"]));
        assert_eq!(one, two);
    }

    #[test]
    fn opposite_of_two_labels_is_minus_100() {
        let score = matthews(&labels(&["a", "b"]), &pairs(&["a", "b", "a"], &["b", "a", "b"]));
        assert!((score + 100.0).abs() < 1e-9);
    }
}
