//! Confusion matrices of many evaluations: what was answered to what, for each task and part of its prompt, with counts
//! added over seeds.

pub mod published;

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::DataFrame;

use super::frame::{Labelled, own_axes};
use super::sheet::{self, Sheet};
use super::{ReportError, TASK, fixed, quoted};
use crate::base::suggest;
use crate::metric::Pair;
use crate::metric::confusion::{Confusion, Share};

/// Columns that are not axes; a pipeline that names an axis so can't be told apart from them.
const COLUMNS: [&str; 11] =
    ["part", "weights", "predicted", "gold", "count", "is_label", "measure", "value", "examples", "runs", "prompt"];

/// The counts of one task, one part, and one cell of the axes that are not summed over.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// The values on the axes.
    pub key: Vec<String>,
    /// The task.
    pub task: String,
    /// The part of the prompt; empty where whole prompts were evaluated.
    pub part: String,
    /// How the part's sources were weighed; empty where whole prompts were evaluated.
    pub weights: String,
    /// The counts.
    pub confusion: Confusion,
    /// How many evaluations they are added over.
    pub runs: u64,
}

/// All matrices.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrices {
    /// Names of the axes that are not summed over.
    pub axes: Vec<String>,
    /// In the order in which the evaluations first name them.
    pub matrices: Vec<Matrix>,
}

/// What tells matrices apart: the values on the axes, the task, the part and the weights.
type Cell = (Vec<String>, [String; 3]);

impl Matrices {
    /// Counts the predictions of `prompt` (`learned` or `untrained`) of every evaluation; tasks without labels have none.
    ///
    /// # Errors
    /// A file can't be read or lacks a column; an axis is unknown, or named like a column; two evaluations are of the same
    /// cell, or give its task different labels; there is nothing to count.
    pub fn read(evaluations: &[Labelled], sum_over: &[String], prompt: &str) -> Result<Self, ReportError> {
        let axes = kept_axes(evaluations, sum_over)?;
        let mut matrices: Vec<Matrix> = Vec::new();
        let mut places: BTreeMap<Cell, usize> = BTreeMap::new();
        let mut counted: BTreeMap<(BTreeMap<String, String>, [String; 3]), &str> = BTreeMap::new();
        for Labelled { source, labels } in evaluations {
            let sheet = Sheet::read(&source.files.file("predictions.csv"))?;
            let (tasks, prompts) = (sheet.texts(TASK)?, sheet.texts("prompt")?);
            let (golds, answers) = (sheet.texts("gold")?, sheet.texts("predicted")?);
            let own: BTreeMap<&str, Vec<String>> = own_axes(&sheet, source)?.into_iter().collect();
            let mut axis_values = source.coordinates.clone();
            axis_values.remove(TASK);
            let key: Vec<String> = axes.iter().map(|axis| axis_values.get(axis).cloned().unwrap_or_default()).collect();
            let mut of_source: BTreeSet<usize> = BTreeSet::new();
            for row in (0..sheet.height()).filter(|row| prompts[*row] == prompt) {
                let Some(labels) = labels.get(&tasks[row]) else { continue };
                let of_row = |name: &str| own.get(name).map(|values| values[row].clone()).unwrap_or_default();
                let inner = [tasks[row].clone(), of_row("part"), of_row("weights")];
                let place = *places.entry((key.clone(), inner.clone())).or_insert_with(|| {
                    let [task, part, weights] = inner.clone();
                    let (key, confusion) = (key.clone(), Confusion::new(labels));
                    matrices.push(Matrix { key, task, part, weights, confusion, runs: 0 });
                    matrices.len() - 1
                });
                let matrix = &mut matrices[place];
                if of_source.insert(place) {
                    matrix.runs += 1;
                    if let Some(other) = counted.insert((axis_values.clone(), inner), &source.name) {
                        return Err(twice(other, &source.name, &tasks[row]));
                    }
                    if matrix.confusion.labels() != Confusion::new(labels).labels() {
                        return Err(other_labels(&source.name, matrix, labels));
                    }
                }
                let pair = Pair { gold: &golds[row], predicted: &answers[row] };
                matrix.confusion.add(pair).map_err(|error| sheet.fault(row, error.to_string()))?;
            }
        }
        if matrices.is_empty() {
            return Err(ReportError::layout(
                format!("there are no predictions of `{prompt}` prompts for tasks with labels"),
                "set `prompt` to one that was evaluated, or read evaluations of classification tasks",
            ));
        }
        Ok(Self { axes, matrices })
    }

    /// The frame of `confusion.csv`: the axes, `task`, `part`, `weights`, `predicted`, `gold`, `count`, `is_label`; one row
    /// for each answer and each gold label, zeros included.
    ///
    /// # Errors
    /// None on matrices that were read.
    pub fn counts(&self) -> Result<DataFrame, ReportError> {
        let mut cells = Vec::new();
        for matrix in &self.matrices {
            for row in matrix.confusion.rows() {
                for (gold, count) in matrix.confusion.labels().iter().zip(row.counts) {
                    cells.push((matrix, row, gold, *count));
                }
            }
        }
        let mut columns = self.columns(&cells.iter().map(|cell| cell.0).collect::<Vec<_>>());
        columns.push(sheet::text_column("predicted", cells.iter().map(|cell| cell.1.predicted.to_owned())));
        columns.push(sheet::text_column("gold", cells.iter().map(|cell| cell.2.clone())));
        columns.push(sheet::count_column("count", cells.iter().map(|cell| Some(cell.3))));
        columns.push(sheet::text_column("is_label", cells.iter().map(|cell| cell.1.is_label.to_string())));
        sheet::frame(columns)
    }

    /// The frame of `recall.csv`: the axes, `task`, `part`, `weights`, `measure` (`recall` of each `gold` label, then
    /// `accuracy` and `invalid_rate` of all), `gold`, `value` in percent, `count` of `examples`, and `runs`.
    ///
    /// # Errors
    /// None on matrices that were read.
    pub fn measures(&self) -> Result<DataFrame, ReportError> {
        let mut rows: Vec<(&Matrix, &str, &str, Share)> = Vec::new();
        for matrix in &self.matrices {
            let confusion = &matrix.confusion;
            for (place, label) in confusion.labels().iter().enumerate() {
                rows.push((matrix, "recall", label, confusion.recall(place)));
            }
            rows.push((matrix, "accuracy", "", confusion.accuracy()));
            rows.push((matrix, "invalid_rate", "", confusion.invalid()));
        }
        let mut columns = self.columns(&rows.iter().map(|row| row.0).collect::<Vec<_>>());
        columns.push(sheet::text_column("measure", rows.iter().map(|row| row.1.to_owned())));
        columns.push(sheet::text_column("gold", rows.iter().map(|row| row.2.to_owned())));
        columns.push(sheet::number_column("value", rows.iter().map(|row| row.3.percent())));
        columns.push(sheet::count_column("count", rows.iter().map(|row| Some(row.3.part))));
        columns.push(sheet::count_column("examples", rows.iter().map(|row| Some(row.3.whole))));
        columns.push(sheet::count_column("runs", rows.iter().map(|row| Some(row.0.runs))));
        sheet::frame(columns)
    }

    /// One table for each matrix, in the paper's shape.
    pub fn markdown(&self) -> String {
        let mut page = String::new();
        for matrix in &self.matrices {
            if !page.is_empty() {
                page += "\n";
            }
            page += &self.section(matrix, "");
        }
        page
    }

    fn section(&self, matrix: &Matrix, remark: &str) -> String {
        let confusion = &matrix.confusion;
        let axes = self.axes.iter().zip(&matrix.key).map(|(axis, value)| format!("{axis}={value}"));
        let parts = [&matrix.task, &matrix.part, &matrix.weights].into_iter().filter(|text| !text.is_empty()).cloned();
        let remark = Some(remark.to_owned()).filter(|remark| !remark.is_empty());
        let title: Vec<String> = parts.chain(axes).chain(remark).collect();
        let mut text = format!("## {}\n\n", title.join(", "));
        let mut line = |cells: &[String]| text += &format!("| {} |\n", cells.join(" | "));
        let row = |first: String, rest: &mut dyn Iterator<Item = String>| -> Vec<String> {
            [first].into_iter().chain(rest).collect()
        };
        let labels = confusion.labels().iter();
        line(&row("predicted \\ gold".to_owned(), &mut labels.map(|label| literal(label)).chain(["all".to_owned()])));
        line(&row("---".to_owned(), &mut (0..=confusion.labels().len()).map(|_| "---:".to_owned())));
        for answer in confusion.rows() {
            let note = if answer.is_label { "" } else { " (no label)" };
            let counts = answer.counts.iter().copied().chain([answer.total()]);
            line(&row(literal(answer.predicted) + note, &mut counts.map(|count| count.to_string())));
        }
        let recalls = (0..confusion.labels().len()).map(|label| percent(confusion.recall(label)));
        line(&row("recall".to_owned(), &mut recalls.chain([String::new()])));
        let (right, invalid) = (confusion.accuracy(), confusion.invalid());
        text += &format!("\nAccuracy {}: {} of {} right. ", percent(right), right.part, right.whole);
        text += &format!("No label: {} ({}). ", percent(invalid), invalid.part);
        text + &match matrix.runs {
            1 => "One run.\n".to_owned(),
            runs => format!("Counts of {runs} runs.\n"),
        }
    }

    /// What every file begins with.
    fn columns(&self, matrices: &[&Matrix]) -> Vec<polars::prelude::Column> {
        let texts = |name: &str, of: &dyn Fn(&Matrix) -> &String| {
            sheet::text_column(name, matrices.iter().map(|matrix| of(matrix).clone()))
        };
        let axes = self.axes.iter().enumerate().map(|(place, axis)| texts(axis, &|matrix| &matrix.key[place]));
        let mut columns: Vec<_> = axes.collect();
        columns.push(texts(TASK, &|matrix| &matrix.task));
        columns.push(texts("part", &|matrix| &matrix.part));
        columns.push(texts("weights", &|matrix| &matrix.weights));
        columns
    }
}

/// The axes of the evaluations without the task and those that are summed over, in alphabetical order.
fn kept_axes(evaluations: &[Labelled], sum_over: &[String]) -> Result<Vec<String>, ReportError> {
    let all: BTreeSet<&String> = evaluations.iter().flat_map(|one| one.source.coordinates.keys()).collect();
    let axes: Vec<&String> = all.into_iter().filter(|axis| *axis != TASK).collect();
    if let Some(axis) = axes.iter().find(|axis| COLUMNS.contains(&axis.as_str())) {
        return Err(ReportError::layout(
            format!("the axis `{axis}` has the name of a column of `confusion.csv` or `recall.csv`"),
            format!("give the axis another name than {}", quoted(COLUMNS)),
        ));
    }
    if let Some(unknown) = sum_over.iter().find(|axis| !axes.contains(axis)) {
        let message = format!("`sum_over` names the axis `{unknown}`, but counts can be summed over {}", quoted(&axes));
        let hint = match suggest::nearest(unknown, axes.iter().map(|axis| axis.as_str())) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "name an axis of the stages that `from` names, and not the task".to_owned(),
        };
        return Err(ReportError::layout(message, hint));
    }
    Ok(axes.into_iter().filter(|axis| !sum_over.contains(axis)).cloned().collect())
}

fn twice(one: &str, other: &str, task: &str) -> ReportError {
    ReportError::layout(
        format!("the task `{task}` is counted twice: `{one}` and `{other}` have the same coordinates"),
        "read only one of these stages, or give them an axis with different values",
    )
}

fn other_labels(source: &str, matrix: &Matrix, labels: &[String]) -> ReportError {
    ReportError::layout(
        format!(
            "`{source}` has the labels {} of the task `{}`, but the evaluations before it have {}",
            quoted(labels),
            matrix.task,
            quoted(matrix.confusion.labels())
        ),
        "take the axis in which they differ out of `sum_over`",
    )
}

fn percent(share: Share) -> String {
    share.percent().map_or_else(|| "-".to_owned(), |value| format!("{} %", fixed(value, 1)))
}

/// A generated text in a cell of a Markdown table.
fn literal(text: &str) -> String {
    if text.is_empty() {
        return "(nothing)".to_owned();
    }
    let plain = text.replace('`', "'").replace(['\n', '\r'], " ").replace('|', "\\|");
    format!("`{plain}`")
}

#[cfg(test)]
mod tests;
