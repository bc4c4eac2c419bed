//! What was answered instead of what: a matrix for each task and setting, counted over runs.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::of;
use super::router::grids;
use crate::page::heat::Grid;
use crate::page::words;
use crate::protocol::Input;
use crate::report::sheet::Sheet;
use crate::report::{ReportError, TASK, shown};

/// Answers that are no label of the task stand together in this column.
const NO_LABEL: &str = "(no label)";

/// A task with more gold answers than this is no classification.
const MOST_LABELS: usize = 20;

/// How often each answer was given for each gold label: (gold, answer) -> count.
type Matrix = BTreeMap<(String, String), u64>;

/// The matrices by task and setting.
#[derive(Default)]
struct Counts {
    matrices: Vec<((String, String), Matrix)>,
}

impl Counts {
    fn add(&mut self, task: &str, place: String, gold: &str, answer: &str, count: u64) {
        let key = (task.to_owned(), place);
        let at = self.matrices.iter().position(|(other, _)| *other == key).unwrap_or_else(|| {
            self.matrices.push((key, Matrix::new()));
            self.matrices.len() - 1
        });
        *self.matrices[at].1.entry((gold.to_owned(), answer.to_owned())).or_default() += count;
    }
}

pub(super) fn intro() -> Markup {
    html! {
        p {
            "Rows are the right answers, columns what was answered; counts over all runs of a setting. A shade is the share "
            "of its row, so a perfect method has a dark diagonal and nothing else."
        }
    }
}

/// From `confusion` where any pipeline of the page has it, otherwise counted from the predictions of learned prompts.
pub(super) fn body(inputs: &[Input], any: bool) -> Result<Option<Markup>, ReportError> {
    let mut counts = Counts::default();
    for input in of(inputs, "confusion") {
        counted(&Sheet::read(&input.files.file("confusion.csv"))?, input, ["count", ""], &mut counts)?;
        let published = input.files.file("published.csv");
        if published.is_file() {
            counted(&Sheet::read(&published)?, input, ["published", "as published"], &mut counts)?;
        }
    }
    if !any {
        for input in of(inputs, "evaluate") {
            predicted(&Sheet::read(&input.files.file("predictions.csv"))?, input, &mut counts)?;
        }
    }
    let mut tasks: Vec<(String, Vec<Grid>)> = Vec::new();
    for ((task, place), matrix) in &counts.matrices {
        let Some(grid) = grid(place, matrix) else { continue };
        match tasks.iter_mut().find(|(other, _)| other == task) {
            Some((_, grids)) => grids.push(grid),
            None => tasks.push((task.clone(), vec![grid])),
        }
    }
    let body = html! {
        @for (number, (task, matrices)) in tasks.iter().enumerate() {
            details open[number == 0] {
                summary { (shown(task)) " " span.quiet { "(" (words::count(matrices.len(), "setting")) ")" } }
                (grids(task, matrices))
            }
        }
    };
    Ok((!tasks.is_empty()).then_some(body))
}

/// Adds the counts of a column; `remark` tells them from others of the same place.
fn counted(sheet: &Sheet, input: &Input, [column, remark]: [&str; 2], counts: &mut Counts) -> Result<(), ReportError> {
    let (tasks, golds, answers) = (sheet.texts(TASK)?, sheet.texts("gold")?, sheet.texts("predicted")?);
    let (numbers, labels) = (sheet.numbers::<f64>(column)?, sheet.optional_texts("is_label")?);
    let measures = sheet.optional_texts("measure")?;
    let known = [TASK, "gold", "predicted", "count", "is_label", "measure", "ours", "published"];
    let axes: Vec<String> = sheet.columns().into_iter().filter(|name| !known.contains(&name.as_str())).collect();
    let values = axes.iter().map(|name| sheet.texts(name)).collect::<Result<Vec<_>, _>>()?;
    for row in (0..sheet.height()).filter(|&row| measures.as_ref().is_none_or(|names| names[row] == "count")) {
        let mut place = input.coordinates.clone();
        let here = axes.iter().zip(&values).map(|(axis, values)| (axis.clone(), values[row].clone()));
        place.extend(here.filter(|(_, value)| !value.is_empty()));
        place.remove(TASK);
        let valid = labels.as_ref().is_none_or(|labels| ["true", "yes", "1"].contains(&labels[row].as_str()));
        let answer = if valid { &answers[row] } else { NO_LABEL };
        let place = [words::place(&words::without_runs(&place)), remark.to_owned()];
        let place = place.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", ");
        counts.add(&tasks[row], place, &golds[row], answer, numbers[row].unwrap_or_default() as u64);
    }
    Ok(())
}

fn predicted(sheet: &Sheet, input: &Input, counts: &mut Counts) -> Result<(), ReportError> {
    let (tasks, prompts) = (sheet.texts(TASK)?, sheet.texts("prompt")?);
    let (golds, answers, valid) = (sheet.texts("gold")?, sheet.texts("predicted")?, sheet.texts("valid")?);
    let mut place = words::without_runs(&input.coordinates);
    place.remove(TASK);
    let place = words::place(&place);
    for row in (0..sheet.height()).filter(|&row| prompts[row] == "learned") {
        let answer = if valid[row] == "true" { &answers[row] } else { NO_LABEL };
        counts.add(&tasks[row], place.clone(), &golds[row], answer, 1);
    }
    Ok(())
}

/// Shares of each row as shades, counts as numbers.
fn grid(place: &str, matrix: &BTreeMap<(String, String), u64>) -> Option<Grid> {
    let mut labels: Vec<&str> = matrix.keys().map(|(gold, _)| gold.as_str()).collect();
    labels.dedup();
    if labels.len() > MOST_LABELS {
        return None;
    }
    let mut answers = labels.clone();
    for (_, answer) in matrix.keys() {
        if !answers.contains(&answer.as_str()) && answer != NO_LABEL {
            answers.push(answer);
        }
    }
    if matrix.keys().any(|(_, answer)| answer == NO_LABEL) {
        answers.push(NO_LABEL);
    }
    let count = |gold: &str, answer: &str| *matrix.get(&(gold.to_owned(), answer.to_owned())).unwrap_or(&0) as f64;
    Some(Grid {
        caption: if place.is_empty() { "all runs".to_owned() } else { place.to_owned() },
        axes: ["right".to_owned(), "answered".to_owned()],
        rows: labels.iter().map(|label| (*label).to_owned()).collect(),
        columns: answers.iter().map(|answer| (*answer).to_owned()).collect(),
        cells: labels.iter().map(|gold| answers.iter().map(|answer| Some(count(gold, answer))).collect()).collect(),
        full: labels.iter().map(|gold| answers.iter().map(|answer| count(gold, answer)).sum()).collect(),
        digits: 0,
    })
}
