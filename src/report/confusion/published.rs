//! Published confusion counts (the paper's Tables 5 to 7), to stand beside ours.

use std::path::Path;

use polars::prelude::DataFrame;

use super::{Matrices, Matrix, percent};
use crate::metric::Pair;
use crate::metric::confusion::{Confusion, Share};
use crate::report::sheet::{self, Sheet};
use crate::report::{ReportError, TASK, canonical};

/// What the paper calls a part of the prompt, and what `ablate` calls it.
const PARTS: [(&str, &str); 3] = [("source", "all_src"), ("private", "private"), ("combined", "total")];

/// A printed accuracy that is further than this from that of its counts, in points, is worth a remark: half a printed
/// digit, and a little.
const ROUNDING: f64 = 0.6;

/// One line of the file.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    task: String,
    part: String,
    kind: String,
    predicted: String,
    gold: String,
    value: String,
}

/// A published table of counts.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishedCounts {
    lines: Vec<Line>,
}

/// A published matrix, and what it was printed with.
struct Printed {
    confusion: Confusion,
    accuracy: Option<f64>,
}

impl PublishedCounts {
    /// Reads a table with the columns `task`, `prompt` (`source`, `private`, `combined`), `kind` (`count`, `total_acc` from 0
    /// to 1; others are passed over), `pred`, `gold` and `value`.
    ///
    /// # Errors
    /// The file can't be read, or lacks a column.
    pub fn read(path: &Path) -> Result<Self, ReportError> {
        let sheet = Sheet::read(path)?;
        let [tasks, prompts, kinds] = [TASK, "prompt", "kind"].map(|name| sheet.texts(name));
        let [predicted, golds, values] = ["pred", "gold", "value"].map(|name| sheet.texts(name));
        let (tasks, prompts, kinds) = (tasks?, prompts?, kinds?);
        let (predicted, golds, values) = (predicted?, golds?, values?);
        let line = |row: usize| Line {
            task: tasks[row].clone(),
            part: PARTS
                .iter()
                .find(|(paper, _)| *paper == prompts[row])
                .map_or(&*prompts[row], |(_, ours)| ours)
                .to_owned(),
            kind: kinds[row].clone(),
            predicted: predicted[row].clone(),
            gold: golds[row].clone(),
            value: values[row].clone(),
        };
        Ok(Self { lines: (0..sheet.height()).map(line).collect() })
    }

    /// The published matrix of the same task and part, its labels spelled as ours; `None` where there is none.
    fn like(&self, ours: &Matrix) -> Result<Option<Printed>, ReportError> {
        let labels = ours.confusion.labels();
        let spelled = |text: &str| {
            let same = labels.iter().find(|label| canonical(label) == canonical(text));
            same.cloned().unwrap_or_else(|| text.to_owned())
        };
        let mut printed = Printed { confusion: Confusion::new(labels), accuracy: None };
        let here = self.lines.iter().filter(|line| {
            canonical(&line.task) == canonical(&ours.task) && canonical(&line.part) == canonical(&ours.part)
        });
        let mut any = false;
        for line in here {
            let wrong = |what: &str| {
                let message = format!("the published count of {} has the {what}", line.task);
                ReportError::layout(message, "counts are whole numbers, and gold answers labels of the task")
            };
            match line.kind.as_str() {
                "count" => {
                    let count = line.value.parse().map_err(|_| wrong(&format!("value `{}`", line.value)))?;
                    let (gold, predicted) = (spelled(&line.gold), spelled(&line.predicted));
                    let pair = Pair { gold: &gold, predicted: &predicted };
                    let added = printed.confusion.add_many(pair, count);
                    added.map_err(|_| wrong(&format!("gold answer `{}`", line.gold)))?;
                    any = true;
                }
                "total_acc" => printed.accuracy = line.value.parse::<f64>().ok().map(|share| 100.0 * share),
                _ => {}
            }
        }
        Ok(any.then_some(printed))
    }
}

/// A row of `published.csv`: the matrix that it is of, measure with predicted and gold text, our value and the published
/// one, and whether what was predicted is a label.
type Beside<'a> = (&'a Matrix, [String; 3], [Option<f64>; 2], Option<bool>);

impl Matrices {
    /// The frame of `published.csv`: the axes, `task`, `part`, `weights`, `measure` (`count` of each answer and gold label,
    /// `recall` of each gold label and `accuracy` in percent, `examples`), `predicted`, `gold`, `ours`, `published`,
    /// `is_label`. An answer that one side never gave counts 0 there.
    ///
    /// # Errors
    /// A published count is no number, or a gold answer no label.
    pub fn beside(&self, published: &PublishedCounts) -> Result<DataFrame, ReportError> {
        let mut rows: Vec<Beside<'_>> = Vec::new();
        for matrix in &self.matrices {
            let Some(Printed { confusion: theirs, .. }) = published.like(matrix)? else { continue };
            let ours = &matrix.confusion;
            for (answer, is_label) in answers(ours, &theirs) {
                for (place, gold) in ours.labels().iter().enumerate() {
                    let count = |side: &Confusion| {
                        let row = side.rows().into_iter().find(|row| row.predicted == answer);
                        Some(row.map_or(0, |row| row.counts[place]) as f64)
                    };
                    let names = ["count".to_owned(), answer.clone(), gold.clone()];
                    rows.push((matrix, names, [count(ours), count(&theirs)], Some(is_label)));
                }
            }
            for (place, gold) in ours.labels().iter().enumerate() {
                let names = ["recall".to_owned(), String::new(), gold.clone()];
                rows.push((matrix, names, [ours, &theirs].map(|side| side.recall(place).percent()), None));
            }
            let whole = |measure: &str| [measure.to_owned(), String::new(), String::new()];
            let sides = [ours.accuracy(), theirs.accuracy()];
            rows.push((matrix, whole("accuracy"), sides.map(Share::percent), None));
            rows.push((matrix, whole("examples"), sides.map(|share| Some(share.whole as f64)), None));
        }
        let mut columns = self.columns(&rows.iter().map(|row| row.0).collect::<Vec<_>>());
        for (place, name) in ["measure", "predicted", "gold"].into_iter().enumerate() {
            columns.push(sheet::text_column(name, rows.iter().map(|row| row.1[place].clone())));
        }
        for (place, name) in ["ours", "published"].into_iter().enumerate() {
            columns.push(sheet::number_column(name, rows.iter().map(|row| row.2[place])));
        }
        let labels = rows.iter().map(|row| row.3.map(|is_label| is_label.to_string()).unwrap_or_default());
        columns.push(sheet::text_column("is_label", labels));
        sheet::frame(columns)
    }

    /// A table for each matrix that was published too, and remarks on what was printed with it.
    ///
    /// # Errors
    /// As [`Matrices::beside`].
    pub fn markdown_beside(&self, published: &PublishedCounts) -> Result<String, ReportError> {
        let mut page = String::new();
        for matrix in &self.matrices {
            let Some(printed) = published.like(matrix)? else { continue };
            let theirs = Matrix { confusion: printed.confusion, runs: 1, ..matrix.clone() };
            page += &format!("\n{}", self.section(&theirs, "as published"));
            let right = theirs.confusion.accuracy();
            if !right.whole.is_multiple_of(10) {
                page += &format!("\nThe published counts are of {} examples.\n", right.whole);
            }
            if let (Some(accuracy), Some(counted)) = (printed.accuracy, right.percent())
                && (accuracy - counted).abs() > ROUNDING
            {
                let accuracy = crate::report::fixed(accuracy, 1);
                page += &format!(
                    "\nThe accuracy printed with them is {accuracy} %, that of the counts {}.\n",
                    percent(right)
                );
            }
        }
        Ok(page)
    }
}

/// Labels first, then every text that either side has as an answer.
fn answers(ours: &Confusion, theirs: &Confusion) -> Vec<(String, bool)> {
    let mut all: Vec<(String, bool)> = Vec::new();
    for row in ours.rows().iter().chain(&theirs.rows()) {
        if !all.iter().any(|(text, _)| text == row.predicted) {
            all.push((row.predicted.to_owned(), row.is_label));
        }
    }
    all
}
