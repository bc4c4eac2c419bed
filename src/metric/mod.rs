//! Metrics on strings and numbers: what is compared, in which direction it is good, in which unit it is told.
//!
//! Every metric but `nll` is in percent points (0..100, correlations -100..100), so that the numbers of a table have one unit.

use std::collections::BTreeMap;

pub mod accuracy;
pub mod confusion;
pub mod correlation;
pub mod f1;
pub mod invalid;
pub mod matthews;
pub mod tally;

pub use accuracy::accuracy;
pub use correlation::{pearson, spearman};
pub use f1::f1;
pub use invalid::invalid_rate;
pub use matthews::matthews;

/// The name under which the metric that the paper reports for a task stands beside the others (METHODS 4.3).
pub const SCORE: &str = "score";

/// What is known of a metric without computing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// As data set cards, `scores.csv` and `aggregate` spell it.
    pub name: &'static str,
    /// One sentence.
    pub about: &'static str,
    /// Its direction.
    pub higher_is_better: bool,
    /// `percent`, or `nats`.
    pub unit: &'static str,
    /// Raised when its values change for the same predictions.
    pub version: u32,
    /// Whether [`score`] computes it from texts; otherwise evaluation adds it.
    pub from_texts: bool,
}

const fn of_texts(name: &'static str, about: &'static str, higher_is_better: bool) -> Metric {
    Metric { name, about, higher_is_better, unit: "percent", version: 1, from_texts: true }
}

/// Every metric there is.
pub static METRICS: &[Metric] = &[
    of_texts("accuracy", "Exact match of label words; of an answer that is too long the first word counts", true),
    of_texts("f1", "F1 of the second of two labels, or the mean of the labels' F1; no answer counts as wrong", true),
    of_texts("matthews", "Matthews correlation over the labels and one class for no answer, times 100", true),
    of_texts("pearson", "Pearson correlation of numbers, times 100; no number counts as -1", true),
    of_texts("spearman", "Spearman rank correlation of numbers, times 100; no number counts as -1", true),
    of_texts("invalid_rate", "Share of predictions that are none of the labels, or no number", false),
    Metric {
        name: "nll",
        about: "Mean negative log-likelihood of the gold text's tokens",
        higher_is_better: false,
        unit: "nats",
        version: 1,
        from_texts: false,
    },
    Metric {
        name: SCORE,
        about: "The metric that the paper reports for the task, as its data set card names it",
        higher_is_better: true,
        unit: "percent",
        version: 1,
        from_texts: false,
    },
];

/// The metric of this name.
pub fn find(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.name == name)
}

/// What a task asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One of some label words.
    Classification,
    /// A number.
    Regression,
}

/// One example's gold text and what was predicted for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair<'a> {
    /// What is right.
    pub gold: &'a str,
    /// What the model wrote.
    pub predicted: &'a str,
}

/// Why a metric can't be computed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetricError {
    /// No metric has this name.
    #[error("there is no metric `{name}`; there are {known}")]
    Unknown {
        /// The name.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// It needs label words, or numbers.
    #[error("`{name}` is not defined for a {task} task")]
    NotForTask {
        /// The metric.
        name: &'static str,
        /// `classification` or `regression`.
        task: &'static str,
    },
    /// The data and the card disagree.
    #[error("the gold text `{gold}` is none of the labels {labels}")]
    UnknownGold {
        /// The text.
        gold: String,
        /// The card's labels.
        labels: String,
    },
    /// A mean over nothing.
    #[error("there are no predictions to score")]
    Empty,
}

impl MetricError {
    fn unknown_gold(gold: &str, labels: &[String]) -> Self {
        Self::UnknownGold { gold: gold.to_owned(), labels: quoted(labels.iter().map(String::as_str)) }
    }
}

/// The metrics of these names over these predictions.
///
/// # Errors
/// No predictions, an unknown name, a metric that the kind of task does not have, a gold text that is no label.
pub fn score<'n>(
    kind: Kind,
    labels: &[String],
    names: impl IntoIterator<Item = &'n str>,
    pairs: &[Pair<'_>],
) -> Result<BTreeMap<String, f64>, MetricError> {
    if pairs.is_empty() {
        return Err(MetricError::Empty);
    }
    names.into_iter().map(|name| Ok((name.to_owned(), one(kind, labels, name, pairs)?))).collect()
}

/// The paper's score of a task: the metric that its card names as such (METHODS 4.3).
///
/// # Errors
/// As [`score`].
pub fn paper_score(kind: Kind, labels: &[String], name: &str, pairs: &[Pair<'_>]) -> Result<f64, MetricError> {
    if pairs.is_empty() {
        return Err(MetricError::Empty);
    }
    one(kind, labels, name, pairs)
}

fn one(kind: Kind, labels: &[String], name: &str, pairs: &[Pair<'_>]) -> Result<f64, MetricError> {
    use Kind::{Classification, Regression};
    match (name, kind) {
        ("accuracy", _) => Ok(accuracy(pairs)),
        ("invalid_rate", _) => Ok(invalid_rate(kind, labels, pairs)),
        ("f1", Classification) => f1(labels, pairs),
        ("matthews", Classification) => Ok(matthews(labels, pairs)),
        ("pearson", Regression) => Ok(pearson(pairs)),
        ("spearman", Regression) => Ok(spearman(pairs)),
        _ => Err(match find(name).filter(|metric| metric.from_texts) {
            Some(metric) => MetricError::NotForTask {
                name: metric.name,
                task: if kind == Classification { "classification" } else { "regression" },
            },
            None => MetricError::Unknown {
                name: name.to_owned(),
                known: quoted(METRICS.iter().filter(|metric| metric.from_texts).map(|metric| metric.name)),
            },
        }),
    }
}

fn percent(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(super) fn words(text: &str) -> Vec<&str> {
        text.split_whitespace().collect()
    }

    pub(super) fn labels(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    pub(super) fn pairs<'a>(gold: &[&'a str], predicted: &[&'a str]) -> Vec<Pair<'a>> {
        assert_eq!(gold.len(), predicted.len());
        gold.iter().zip(predicted).map(|(gold, predicted)| Pair { gold, predicted }).collect()
    }

    #[test]
    fn names_are_found_and_refused() {
        let names = labels(&["a", "b"]);
        let pairs = pairs(&["a", "b"], &["a", "a"]);
        let scores = score(Kind::Classification, &names, ["accuracy", "invalid_rate"], &pairs).unwrap();
        assert_eq!(scores, BTreeMap::from([("accuracy".to_owned(), 50.0), ("invalid_rate".to_owned(), 0.0)]));
        assert_eq!(paper_score(Kind::Classification, &names, "accuracy", &pairs), Ok(50.0));
        let error = |name| score(Kind::Classification, &names, [name], &pairs).unwrap_err().to_string();
        assert_eq!(error("spearman"), "`spearman` is not defined for a classification task");
        assert_eq!(
            error("acuracy"),
            "there is no metric `acuracy`; there are `accuracy`, `f1`, `matthews`, `pearson`, `spearman`, `invalid_rate`"
        );
        assert!(error("nll").starts_with("there is no metric `nll`"));
        assert_eq!(score(Kind::Regression, &[], ["pearson"], &[]), Err(MetricError::Empty));
    }

    #[test]
    fn the_table_has_no_name_twice() {
        for (i, metric) in METRICS.iter().enumerate() {
            assert!(METRICS[..i].iter().all(|other| other.name != metric.name), "{}", metric.name);
        }
    }

    const CLASSIFICATION: [&str; 4] = ["accuracy", "f1", "matthews", "invalid_rate"];
    const REGRESSION: [&str; 2] = ["pearson", "spearman"];

    /// Gold in 0..classes, predictions in 0..=classes, the last being no label.
    fn answers() -> impl Strategy<Value = (usize, Vec<(usize, usize)>)> {
        (2usize..5).prop_flat_map(|classes| (Just(classes), prop::collection::vec((0..classes, 0..=classes), 1..40)))
    }

    fn scored(names: &[&str], classes: usize, answers: &[(usize, usize)]) -> BTreeMap<String, f64> {
        let pairs: Vec<_> =
            answers.iter().map(|(gold, predicted)| Pair { gold: names[*gold], predicted: names[*predicted] }).collect();
        score(Kind::Classification, &labels(&names[..classes]), CLASSIFICATION, &pairs).unwrap()
    }

    fn close(a: &BTreeMap<String, f64>, b: &BTreeMap<String, f64>) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(x, y)| x.0 == y.0 && (x.1 - y.1).abs() < 1e-9)
    }

    fn numbers() -> impl Strategy<Value = Vec<(f64, f64)>> {
        // Tenths, so that there are ties.
        prop::collection::vec((0i32..50, -10i32..60), 1..40)
            .prop_map(|rows| rows.iter().map(|(x, y)| (f64::from(*x) / 10.0, f64::from(*y) / 10.0)).collect())
    }

    fn correlated(rows: &[(f64, f64)]) -> BTreeMap<String, f64> {
        let texts: Vec<_> = rows.iter().map(|(x, y)| (x.to_string(), y.to_string())).collect();
        let pairs: Vec<_> = texts.iter().map(|(gold, predicted)| Pair { gold, predicted }).collect();
        score(Kind::Regression, &[], REGRESSION, &pairs).unwrap()
    }

    const NAMES: [&str; 5] = ["v", "w", "x", "y", "z"];

    proptest! {
        #[test]
        fn the_order_of_examples_does_not_matter((classes, answers) in answers(), rows in numbers(), by in 0usize..40) {
            let mut turned = answers.clone();
            turned.reverse();
            turned.rotate_left(by % answers.len());
            prop_assert!(close(&scored(&NAMES, classes, &answers), &scored(&NAMES, classes, &turned)));
            let mut turned = rows.clone();
            turned.reverse();
            turned.rotate_left(by % rows.len());
            prop_assert!(close(&correlated(&rows), &correlated(&turned)));
        }

        #[test]
        fn scores_stay_in_their_range((classes, answers) in answers(), rows in numbers()) {
            for (name, value) in scored(&NAMES, classes, &answers).into_iter().chain(correlated(&rows)) {
                let low = if matches!(name.as_str(), "accuracy" | "f1" | "invalid_rate") { 0.0 } else { -100.0 };
                prop_assert!((low..=100.0).contains(&value), "{name} {value}");
            }
        }

        #[test]
        fn all_right_is_100((classes, answers) in answers(), rows in numbers()) {
            let right: Vec<_> = answers.iter().map(|(gold, _)| (*gold, *gold)).chain((0..classes).map(|c| (c, c))).collect();
            let scores = scored(&NAMES, classes, &right);
            prop_assert_eq!(scores["invalid_rate"], 0.0);
            for name in ["accuracy", "f1", "matthews"] {
                prop_assert!((scores[name] - 100.0).abs() < 1e-9, "{name}");
            }
            let right: Vec<_> = rows.iter().map(|(x, _)| (*x, *x)).chain([(0.0, 0.0), (9.0, 9.0)]).collect();
            prop_assert!(correlated(&right).values().all(|r| (r - 100.0).abs() < 1e-9));
        }

        #[test]
        fn correlations_are_symmetric(rows in numbers()) {
            let swapped: Vec<_> = rows.iter().map(|(x, y)| (*y, *x)).collect();
            prop_assert!(close(&correlated(&rows), &correlated(&swapped)));
        }

        #[test]
        fn spearman_sees_order_only(rows in numbers()) {
            let bent: Vec<_> = rows.iter().map(|(x, y)| (x.powi(3), (y / 4.0).exp())).collect();
            prop_assert!((correlated(&rows)["spearman"] - correlated(&bent)["spearman"]).abs() < 1e-9);
        }

        #[test]
        fn names_of_labels_do_not_matter((classes, answers) in answers()) {
            let other = ["not_equivalent", "equivalent", "a", "b", "c"];
            prop_assert!(close(&scored(&NAMES, classes, &answers), &scored(&other, classes, &answers)));
        }
    }
}
