//! How far a metric's value may be from the truth because it was taken over so many test examples.

/// The squared standard error of a metric's value over so many examples, in squared points: `p (100 - p) / n` of an
/// accuracy p, about `(1 - r²)² / (n - 1)` of a correlation r. None for other metrics, of which nothing is said.
pub fn sampling(metric: &str, value: f64, examples: u64) -> Option<f64> {
    let examples = examples as f64;
    match metric {
        "accuracy" if examples > 0.0 => Some((value * (100.0 - value)).max(0.0) / examples),
        "pearson" | "spearman" if examples > 1.0 => {
            let r = value / 100.0;
            Some((100.0 * (1.0 - r * r)).powi(2) / (examples - 1.0))
        }
        _ => None,
    }
}

/// The least that the squared standard error of a difference of two accuracies over the same examples can be: with only
/// the examples answered differently that the difference needs, all of them in its favour. Runs that happen to differ by
/// the same amount do not make a difference surer than that.
pub fn least_sampling(metric: &str, difference: f64, examples: Option<u64>) -> f64 {
    examples.filter(|_| metric == "accuracy").and_then(|n| sampling(metric, difference.abs(), n)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // r = 0.8: (100 * 0.36)^2 / 99.
        assert!((sampling("spearman", 80.0, 100).unwrap() - 1296.0 / 99.0).abs() < 1e-9);
        assert!((sampling("accuracy", 75.0, 100).unwrap() - 18.75).abs() < 1e-12);
        assert_eq!(sampling("matthews", 75.0, 100), None);
        assert_eq!(sampling("accuracy", 75.0, 0), None);
        // One of 100 examples: its share 0.01 has the variance 0.01 * 0.99 / 100, in points 100 times 99 / 100 = 0.99.
        assert!((least_sampling("accuracy", -1.0, Some(100)) - 0.99).abs() < 1e-12);
        assert_eq!(least_sampling("matthews", 1.0, Some(100)), 0.0);
        assert_eq!(least_sampling("accuracy", 1.0, None), 0.0);
    }
}
