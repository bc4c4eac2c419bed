//! Rows with what was answered to them.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::csv::push_record;
use super::{Fault, Row, Shape};
use crate::protocol::Answer;

/// The answer.
const PREDICTION: &str = "prediction";
/// The logarithm of how likely the backbone finds each label.
const LIKELIHOOD: &str = "log_likelihood";
/// The same as parts of 1 among the labels.
const PROBABILITY: &str = "probability";

/// Writes answered rows: what they had, and the answer.
pub struct Writer<W> {
    output: W,
    shape: Shape,
    /// The labels whose scores are written; none without scores.
    labels: Vec<String>,
    /// The columns of separated values, known with the first row.
    columns: Option<Vec<String>>,
    begun: bool,
}

impl<W: Write> Writer<W> {
    /// A writer; nothing is written yet. With `labels`, their scores are written too.
    pub fn new(output: W, shape: Shape, labels: Vec<String>) -> Self {
        Self { output, shape, labels, columns: None, begun: false }
    }

    /// Looks whether a row with these names can be written, before it is answered. The first one decides the columns.
    ///
    /// # Errors
    /// Why it can't.
    pub fn accept(&mut self, names: &[&str], line: u64) -> Result<(), Fault> {
        let added = self.added();
        if let Some(name) = names.iter().find(|name| added.iter().any(|added| added == *name)) {
            let message = format!("there is a `{name}` already, where the answer goes; rename it in the input");
            return Err(Fault::new(line, message));
        }
        if self.shape == Shape::JsonLines {
            return Ok(());
        }
        let own = || names.iter().map(|name| (*name).to_owned()).collect();
        let columns = self.columns.get_or_insert_with(own);
        match names.iter().find(|name| !columns.iter().any(|column| column == *name)) {
            None => Ok(()),
            Some(name) => Err(Fault::new(
                line,
                format!("`{name}` is not in the first row, which gave the columns; `--output-format jsonl` has none"),
            )),
        }
    }

    /// Writes rows with their answers and hands them on at once; before the first ones, the header.
    ///
    /// # Errors
    /// What writing returns.
    pub fn write(&mut self, rows: &[Row], answers: &[Answer]) -> io::Result<()> {
        let mut text = String::new();
        if let (Shape::Separated(separator), Some(columns), false) = (self.shape, &self.columns, self.begun) {
            let header: Vec<String> = columns.iter().cloned().chain(self.added()).collect();
            push_record(&mut text, &header, separator);
            self.begun = true;
        }
        for (row, answer) in rows.iter().zip(answers) {
            match self.shape {
                Shape::Separated(separator) => self.push_fields(&mut text, row, answer, separator),
                Shape::JsonLines => self.push_object(&mut text, row, answer),
            }
        }
        self.output.write_all(text.as_bytes())?;
        self.output.flush()
    }

    /// The names that answers add to a row.
    fn added(&self) -> Vec<String> {
        let mut names = vec![PREDICTION.to_owned()];
        for score in [LIKELIHOOD, PROBABILITY] {
            match self.shape {
                Shape::Separated(_) => names.extend(self.labels.iter().map(|label| format!("{score}_{label}"))),
                Shape::JsonLines if self.labels.is_empty() => {}
                Shape::JsonLines => names.push(score.to_owned()),
            }
        }
        names
    }

    fn push_fields(&self, text: &mut String, row: &Row, answer: &Answer, separator: u8) {
        let columns = self.columns.iter().flatten();
        let mut fields: Vec<String> = columns.map(|column| row.field(column).into_owned()).collect();
        fields.push(answer.text.clone());
        if !self.labels.is_empty() {
            let both = answer.scores.iter().copied().chain(probabilities(&answer.scores));
            fields.extend(both.map(|number| rounded(number).to_string()));
        }
        push_record(text, &fields, separator);
    }

    fn push_object(&self, text: &mut String, row: &Row, answer: &Answer) {
        text.push_str(&row.open_object());
        let mut push = |name: &str, value: Value| text.push_str(&format!(", \"{name}\": {value}"));
        let by_label = |numbers: Vec<f64>| -> Value {
            self.labels.iter().zip(numbers).map(|(label, number)| (label.clone(), json!(rounded(number)))).collect()
        };
        push(PREDICTION, json!(answer.text));
        if !self.labels.is_empty() {
            push(LIKELIHOOD, by_label(answer.scores.clone()));
            push(PROBABILITY, by_label(probabilities(&answer.scores)));
        }
        text.push_str("}\n");
    }
}

/// Log-likelihoods as parts of 1.
fn probabilities(scores: &[f64]) -> Vec<f64> {
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

/// To six decimals: more than single precision can tell.
fn rounded(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}
