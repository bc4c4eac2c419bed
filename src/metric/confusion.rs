//! What was answered to what: counts of predicted texts by gold label, recall of each label, accuracy.

use std::collections::BTreeMap;

use super::accuracy::compared;
use super::invalid::label_index;
use super::{MetricError, Pair, percent};

/// Counts over the pairs of one classification task. Counts of several runs can be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    labels: Vec<String>,
    /// By the text that counts as the answer, then by the place of the gold label.
    counts: BTreeMap<String, Vec<u64>>,
}

/// One row: an answer, and how often it was given to the examples of each gold label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// The answer.
    pub predicted: &'a str,
    /// Whether it is a label of the task.
    pub is_label: bool,
    /// In the order of the labels.
    pub counts: &'a [u64],
}

impl Row<'_> {
    /// How often the answer was given.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// A part of a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// How many.
    pub part: u64,
    /// Of how many.
    pub whole: u64,
}

impl Share {
    /// In percent; `None` of nothing.
    pub fn percent(self) -> Option<f64> {
        (self.whole > 0).then(|| percent(self.part as usize, self.whole as usize))
    }
}

impl Confusion {
    /// Nothing counted yet.
    pub fn new(labels: &[String]) -> Self {
        let labels: Vec<String> = labels.iter().map(|label| label.trim().to_owned()).collect();
        let counts = labels.iter().map(|label| (label.clone(), vec![0; labels.len()])).collect();
        Self { labels, counts }
    }

    /// Counts one example. What accuracy takes for a label (of an answer that is too long, the first word) is counted as
    /// that label; any other text as it was generated, without surrounding white space. So an answer that is a label of
    /// more words than the gold one counts as that label here, where the scores call its first word invalid.
    ///
    /// # Errors
    /// A gold text that is no label.
    pub fn add(&mut self, pair: Pair<'_>) -> Result<(), MetricError> {
        self.add_many(pair, 1)
    }

    /// Counts the same example several times.
    ///
    /// # Errors
    /// A gold text that is no label.
    pub fn add_many(&mut self, pair: Pair<'_>, times: u64) -> Result<(), MetricError> {
        let gold = label_index(&self.labels, pair.gold.trim())
            .ok_or_else(|| MetricError::unknown_gold(pair.gold, &self.labels))?;
        let answer = compared(pair.gold, pair.predicted);
        let text = label_index(&self.labels, answer).map_or(pair.predicted.trim(), |_| answer);
        let count = self.labels.len();
        self.counts.entry(text.to_owned()).or_insert_with(|| vec![0; count])[gold] += times;
        Ok(())
    }

    /// The labels, in the task's order: the columns.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// All labels in their order, then every other text, the most frequent first and equally frequent ones by alphabet.
    pub fn rows(&self) -> Vec<Row<'_>> {
        let all = self.counts.iter();
        let all = all.map(|(text, counts)| Row { predicted: text, is_label: self.labels.contains(text), counts });
        let (mut rows, mut others): (Vec<Row<'_>>, Vec<Row<'_>>) = all.partition(|row| row.is_label);
        rows.sort_by_key(|row| label_index(&self.labels, row.predicted));
        // The map is in alphabetical order and the sort keeps it.
        others.sort_by_key(|row| std::cmp::Reverse(row.total()));
        rows.append(&mut others);
        rows
    }

    /// Of the examples of the label at this place, those that were answered with it. The paper prints this as
    /// "precision" (METHODS 6).
    pub fn recall(&self, label: usize) -> Share {
        let of_gold = |counts: &Vec<u64>| counts.get(label).copied().unwrap_or_default();
        let right = self.labels.get(label).and_then(|label| self.counts.get(label)).map_or(0, of_gold);
        Share { part: right, whole: self.counts.values().map(of_gold).sum() }
    }

    /// Of all examples, those that were answered rightly.
    pub fn accuracy(&self) -> Share {
        let each = (0..self.labels.len()).map(|label| self.recall(label));
        each.fold(Share { part: 0, whole: 0 }, |sum, one| Share {
            part: sum.part + one.part,
            whole: sum.whole + one.whole,
        })
    }

    /// Of all examples, those whose answer is no label.
    pub fn invalid(&self) -> Share {
        let part = self.rows().iter().filter(|row| !row.is_label).map(Row::total).sum();
        Share { part, whole: self.accuracy().whole }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metric::Kind;
    use crate::metric::accuracy::accuracy;
    use crate::metric::invalid::invalid_rate;
    use crate::metric::tests::{labels, pairs};

    fn confusion(names: &[&str], pairs: &[Pair<'_>]) -> Confusion {
        let mut confusion = Confusion::new(&labels(names));
        for pair in pairs {
            confusion.add(*pair).unwrap();
        }
        confusion
    }

    #[test]
    fn every_generated_text_has_a_row() {
        let gold = ["b", "b", "b", "a", "a", "b", "b"];
        let predicted = ["b", "b c", "bb", "x", "", " x ", "bb"];
        let counted = confusion(&["b", "a"], &pairs(&gold, &predicted));
        let rows: Vec<_> =
            counted.rows().iter().map(|row| (row.predicted, row.is_label, row.counts.to_vec())).collect();
        // By hand: `b c` is too long and counts as `b`; ` x ` is `x`; `a` was never answered.
        assert_eq!(
            rows,
            [
                ("b", true, vec![2, 0]),
                ("a", true, vec![0, 0]),
                ("bb", false, vec![2, 0]),
                ("x", false, vec![1, 1]),
                ("", false, vec![0, 1]),
            ]
        );
        assert_eq!((counted.recall(0), counted.recall(1)), (Share { part: 2, whole: 5 }, Share { part: 0, whole: 2 }));
        assert_eq!(counted.accuracy(), Share { part: 2, whole: 7 });
        assert_eq!(counted.invalid(), Share { part: 5, whole: 7 });
        let refused = Confusion::new(&labels(&["a"])).add(Pair { gold: "z", predicted: "a" }).unwrap_err();
        assert!(matches!(refused, MetricError::UnknownGold { .. }));
        assert_eq!(Confusion::new(&labels(&["a"])).recall(0).percent(), None);
    }

    proptest! {
        #[test]
        fn accuracy_and_invalid_rate_are_those_of_the_scores(
            answers in prop::collection::vec((0usize..3, "(a|b|a b|c|c d|x|x y| b )"), 1..40),
        ) {
            let names = ["a", "b", "c"];
            let gold: Vec<&str> = answers.iter().map(|(label, _)| names[*label]).collect();
            let predicted: Vec<&str> = answers.iter().map(|(_, text)| text.as_str()).collect();
            let pairs = pairs(&gold, &predicted);
            let counted = confusion(&names, &pairs);
            let near = |share: Share, value: f64| (share.percent().unwrap() - value).abs() < 1e-9;
            prop_assert!(near(counted.accuracy(), accuracy(&pairs)));
            prop_assert!(near(counted.invalid(), invalid_rate(Kind::Classification, &labels(&names), &pairs)));
            let all: u64 = counted.rows().iter().map(Row::total).sum();
            prop_assert_eq!(all, pairs.len() as u64);
        }
    }
}
