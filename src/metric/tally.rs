//! Answers counted by class: all that F1 and Matthews correlation need to know, however often each example counts.

/// The class of the gold text and that of the answer; the class after the last label is "no label".
pub type Classes = (usize, usize);

/// Counts over the answers to one task.
#[derive(Clone, Debug, PartialEq)]
pub struct Tally {
    /// How many labels the task has.
    pub(super) labels: usize,
    /// By class: how often it was right and answered. Counts are whole numbers, so sums and products are exact.
    pub(super) right: Vec<f64>,
    /// By class: how often it was right.
    pub(super) gold: Vec<f64>,
    /// By class: how often it was answered.
    pub(super) predicted: Vec<f64>,
}

impl Tally {
    /// Nothing counted yet.
    pub fn new(labels: usize) -> Self {
        let none = vec![0.0; labels + 1];
        Self { labels, right: none.clone(), gold: none.clone(), predicted: none }
    }

    /// Counts an answer `times` times.
    pub fn add(&mut self, (gold, predicted): Classes, times: u32) {
        let times = f64::from(times);
        self.gold[gold] += times;
        self.predicted[predicted] += times;
        if gold == predicted && gold < self.labels {
            self.right[gold] += times;
        }
    }
}
