//! Pearson's and Spearman's correlation of numbers written as text.

use super::Pair;
use super::invalid::{UNREADABLE, number};

/// Pearson's correlation times 100 of gold and predicted numbers; text that is no number counts as -1.0, and a constant
/// side gives 0 (METHODS 4.2, 4.3).
pub fn pearson(pairs: &[Pair<'_>]) -> f64 {
    let (gold, predicted) = numbers(pairs);
    100.0 * coefficient(&gold, &predicted)
}

/// Spearman's rank correlation times 100: [`pearson`] of the ranks, equal values sharing the mean of their ranks.
pub fn spearman(pairs: &[Pair<'_>]) -> f64 {
    let (gold, predicted) = numbers(pairs);
    100.0 * coefficient(&ranks(&gold), &ranks(&predicted))
}

fn numbers(pairs: &[Pair<'_>]) -> (Vec<f64>, Vec<f64>) {
    let read = |text| number(text).unwrap_or(UNREADABLE);
    pairs.iter().map(|pair| (read(pair.gold), read(pair.predicted))).unzip()
}

/// Pearson's r in -1..=1; 0 where it is not defined.
fn coefficient(x: &[f64], y: &[f64]) -> f64 {
    // Said on the values: rounding of the mean can give a constant list a tiny variance.
    let constant = |values: &[f64]| values.windows(2).all(|two| two[0] == two[1]);
    if constant(x) || constant(y) {
        return 0.0;
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_x, mean_y) = (mean(x), mean(y));
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (a, b) in x.iter().zip(y) {
        let (a, b) = (a - mean_x, b - mean_y);
        xx += a * a;
        yy += b * b;
        xy += a * b;
    }
    let r = xy / (xx.sqrt() * yy.sqrt());
    if r.is_nan() { 0.0 } else { r.clamp(-1.0, 1.0) }
}

/// Ranks from 1, ties sharing the mean of the ranks that they cover.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let tied = order[start..].iter().take_while(|&&i| values[i] == values[order[start]]).count();
        for &i in &order[start..start + tied] {
            ranks[i] = (start + 1 + start + tied) as f64 / 2.0;
        }
        start += tied;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::{pearson, ranks, spearman};
    use crate::metric::tests::{pairs, words};

    // scipy 1.17.1: pearsonr(x, y)[0] * 100, spearmanr(x, y)[0] * 100
    const EXPECTED: [(&str, &str, f64, f64); 3] = [
        ("1 2 2 3.4 5 0.2 4.8", "1.2 1.9 2.6 2.6 4.4 1.2 none", 14.017_966_500_430_552, 41.286_141_192_238_524),
        ("0 1 2 3", "10 20 15 400", 78.112_749_109_704_85, 80.0),
        ("5 4 3 2 1", "1 1 2 2 9", -79.262_908_700_426_66, -94.868_329_805_051_37),
    ];

    #[test]
    fn agrees_with_scipy() {
        for (gold, predicted, expected_pearson, expected_spearman) in EXPECTED {
            let pairs = pairs(&words(gold), &words(predicted));
            assert!((pearson(&pairs) - expected_pearson).abs() < 1e-9, "{}", pearson(&pairs));
            assert!((spearman(&pairs) - expected_spearman).abs() < 1e-9, "{}", spearman(&pairs));
        }
    }

    #[test]
    fn constant_predictions_give_zero() {
        // 0.1 thrice has a mean that is not 0.1 in binary.
        let pairs = pairs(&["1.0", "2.0", "3.0"], &["0.1", "0.1", "0.1"]);
        assert_eq!((pearson(&pairs), spearman(&pairs)), (0.0, 0.0));
        assert_eq!((pearson(&[]), spearman(&pairs[..1])), (0.0, 0.0));
    }

    #[test]
    fn ties_share_their_mean_rank() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0, 3.0]), [4.0, 1.0, 4.0, 2.0, 4.0]);
    }
}
