//! Mean, standard deviation, standard error, and how cells of several tasks and several runs are put together.
//!
//! Sums run in a fixed order, so that a table is the same bytes on every run.

use std::collections::{BTreeMap, BTreeSet};

/// The values of one quantity by run; a run's name is its values on the axes that are averaged over.
pub type Runs = BTreeMap<Vec<String>, f64>;

/// A mean with how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// The mean.
    pub mean: f64,
    /// Standard deviation over runs, dividing by n - 1; `None` below two runs.
    pub sd: Option<f64>,
    /// Count of runs.
    pub n: usize,
}

impl Summary {
    /// Standard error of the mean over runs; `None` below two runs.
    pub fn standard_error(&self) -> Option<f64> {
        self.sd.map(|sd| sd / (self.n as f64).sqrt())
    }
}

/// The arithmetic mean; `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The sample standard deviation, in two passes; `None` below two values.
pub fn sd(values: &[f64]) -> Option<f64> {
    let centre = mean(values).filter(|_| values.len() >= 2)?;
    let squares: f64 = values.iter().map(|value| (value - centre).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

/// Puts together the runs of one or more parts (tasks): the mean is the plain mean of the parts' means (METHODS 4.3), the
/// deviation is that of the runs' averages over all parts, where only runs that have every part count.
/// `None` when there is no part, or a part without runs.
pub fn summary(parts: &[&Runs]) -> Option<Summary> {
    let means: Option<Vec<f64>> = parts.iter().map(|runs| mean(&runs.values().copied().collect::<Vec<_>>())).collect();
    let mean_of_means = mean(&means?)?;
    let names: BTreeSet<&Vec<String>> = parts.iter().flat_map(|runs| runs.keys()).collect();
    let averages: Vec<f64> = names
        .into_iter()
        .filter_map(|name| parts.iter().map(|runs| runs.get(name).copied()).collect::<Option<Vec<_>>>())
        .filter_map(|values| mean(&values))
        .collect();
    Some(Summary { mean: mean_of_means, sd: sd(&averages), n: averages.len() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn runs(values: &[(&str, f64)]) -> Runs {
        values.iter().map(|(name, value)| (vec![(*name).to_owned()], *value)).collect()
    }

    #[test]
    fn by_hand() {
        // 70, 72, 77: mean 73, squares 9 + 1 + 16 = 26, 26 / 2 = 13.
        let one = runs(&[("1", 70.0), ("2", 72.0), ("3", 77.0)]);
        let summed = summary(&[&one]).unwrap();
        assert_eq!((summed.mean, summed.n), (73.0, 3));
        assert!((summed.sd.unwrap() - 13f64.sqrt()).abs() < 1e-12);
        assert!((summed.standard_error().unwrap() - (13f64 / 3.0).sqrt()).abs() < 1e-12);
        // Run 3 lacks the second part: averages of runs 1 and 2 are 60 and 66, their deviation sqrt(18).
        let two = runs(&[("1", 50.0), ("2", 60.0)]);
        let summed = summary(&[&one, &two]).unwrap();
        assert_eq!((summed.mean, summed.n), (64.0, 2));
        assert!((summed.sd.unwrap() - 18f64.sqrt()).abs() < 1e-12);
        assert_eq!(summary(&[&one, &Runs::new()]), None);
        assert_eq!(summary(&[&runs(&[("1", 70.0)])]), Some(Summary { mean: 70.0, sd: None, n: 1 }));
        assert_eq!(summary(&[]), None);
    }

    proptest! {
        #[test]
        fn equals_the_textbook(values in prop::collection::vec(0.0f64..100.0, 2..20)) {
            let n = values.len() as f64;
            let sum: f64 = values.iter().sum();
            let squares: f64 = values.iter().map(|v| v * v).sum();
            prop_assert!((mean(&values).unwrap() - sum / n).abs() < 1e-9);
            let naive = ((squares - sum * sum / n) / (n - 1.0)).max(0.0);
            prop_assert!((sd(&values).unwrap().powi(2) - naive).abs() < 1e-6);
        }

        #[test]
        fn a_complete_grid_may_be_averaged_in_any_order(
            (columns, values) in (1usize..5).prop_flat_map(|columns| {
                (Just(columns), prop::collection::vec(prop::collection::vec(0.0f64..100.0, columns), 2..6))
            })
        ) {
            let parts: Vec<Runs> = (0..columns)
                .map(|part| values.iter().enumerate().map(|(run, row)| (vec![run.to_string()], row[part])).collect())
                .collect();
            let summed = summary(&parts.iter().collect::<Vec<_>>()).unwrap();
            let by_run: Vec<f64> = values.iter().map(|row| mean(row).unwrap()).collect();
            prop_assert_eq!(summed.n, values.len());
            prop_assert!((summed.mean - mean(&by_run).unwrap()).abs() < 1e-9);
            prop_assert!((summed.sd.unwrap() - sd(&by_run).unwrap()).abs() < 1e-9);
        }
    }
}
