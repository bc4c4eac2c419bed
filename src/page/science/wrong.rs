//! Wrong predictions, grouped by task; a script filters and sorts them, and without it they are tables.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::{Group, of};
use crate::page::{Section, scrolls, words};
use crate::report::sheet::Sheet;
use crate::report::{ReportError, TASK, shown};

/// Rows on the page, at most: about 300 bytes each.
const MOST: usize = 8000;

/// The columns by which `ablate` says which part of a prompt answered.
const PARTS: [&str; 2] = ["part", "weights"];

/// The column that names the included pipeline of an evaluation.
const PIPELINE: &str = "pipeline";

/// Letters of a text that are shown.
const LETTERS: usize = 500;

/// One wrong prediction.
struct Wrong {
    axes: BTreeMap<String, String>,
    gold: String,
    predicted: String,
    valid: bool,
    source: String,
}

/// The wrong predictions of one task.
#[derive(Default)]
struct OfTask {
    shown: Vec<Wrong>,
    wrong: usize,
    examples: usize,
}

pub(super) fn section(groups: &[Group], most: usize) -> Result<Option<Section>, ReportError> {
    let evaluations = || {
        groups.iter().flat_map(|group| {
            of(&group.inputs, "evaluate").chain(of(&group.inputs, "ablate")).map(move |input| (group, input))
        })
    };
    // Many evaluations share the room of the page evenly.
    let most = most.min(MOST / evaluations().count().max(1)).max(1);
    let mut tasks: Vec<(String, OfTask)> = Vec::new();
    for (group, input) in evaluations() {
        let mut axes = input.coordinates.clone();
        if !group.scope.is_empty() {
            axes.insert(PIPELINE.to_owned(), group.scope.clone());
        }
        read(&Sheet::read(&input.files.file("predictions.csv"))?, axes, most, &mut tasks)?;
    }
    if tasks.iter().all(|(_, of)| of.examples == 0) {
        return Ok(None);
    }
    let axes: BTreeSet<&String> =
        tasks.iter().flat_map(|(_, of)| &of.shown).flat_map(|wrong| wrong.axes.keys()).collect();
    let axes: Vec<&String> = axes.into_iter().collect();
    let (shown_rows, all): (usize, usize) =
        tasks.iter().fold((0, 0), |(shown, all), (_, of)| (shown + of.shown.len(), all + of.wrong));
    let body = html! {
        p {
            (words::count(all, "prediction")) " of learned prompts and their parts " (if all == 1 { "is" } else { "are" }) " wrong"
            @if shown_rows < all {
                "; " (shown_rows) " of them are here, at most " (most) " of each evaluation. All of them are in the file "
                code { "predictions.csv" } " of the evaluation"
            }
            "."
        }
        div #filter hidden {}
        @for (task, of) in &tasks { @if of.examples > 0 { (table(task, of, &axes)) } }
    };
    Ok(Some(Section::new("wrong", "Wrong predictions", body)))
}

/// Reads the predictions of one evaluation, or of each part of a prompt.
fn read(
    sheet: &Sheet,
    mut axes: BTreeMap<String, String>,
    most: usize,
    tasks: &mut Vec<(String, OfTask)>,
) -> Result<(), ReportError> {
    let (names, prompts, sources) = (sheet.texts(TASK)?, sheet.texts("prompt")?, sheet.texts("source")?);
    let (golds, answers, valid) = (sheet.texts("gold")?, sheet.texts("predicted")?, sheet.texts("valid")?);
    axes.remove(TASK);
    let mut parts = Vec::new();
    for name in PARTS {
        parts.extend(sheet.optional_texts(name)?.map(|values| (name, values)));
    }
    // The parts of a prompt share the room of one evaluation.
    let settings: BTreeSet<Vec<&String>> =
        (0..sheet.height()).map(|row| parts.iter().map(|(_, values)| &values[row]).collect()).collect();
    let most = most.div_ceil(settings.len().max(1));
    let mut taken: BTreeMap<BTreeMap<String, String>, usize> = BTreeMap::new();
    for row in (0..sheet.height()).filter(|&row| prompts[row] == "learned") {
        let at = tasks.iter().position(|(task, _)| *task == names[row]).unwrap_or_else(|| {
            tasks.push((names[row].clone(), OfTask::default()));
            tasks.len() - 1
        });
        let of = &mut tasks[at].1;
        of.examples += 1;
        if golds[row] == answers[row] {
            continue;
        }
        of.wrong += 1;
        let mut axes = axes.clone();
        axes.extend(parts.iter().map(|(name, values)| ((*name).to_owned(), values[row].clone())));
        let taken = taken.entry(axes.clone()).or_default();
        if *taken < most {
            *taken += 1;
            of.shown.push(Wrong {
                axes,
                gold: golds[row].clone(),
                predicted: answers[row].clone(),
                valid: valid[row] == "true",
                source: clipped(&sources[row]),
            });
        }
    }
    Ok(())
}

fn clipped(text: &str) -> String {
    let mut letters = text.chars();
    let mut start: String = letters.by_ref().take(LETTERS).collect();
    if letters.next().is_some() {
        start.push('…');
    }
    start
}

fn table(task: &str, of: &OfTask, axes: &[&String]) -> Markup {
    let rows = html! {
        table.sortable.wrong data-task=(shown(task)) {
            caption { "Wrong predictions of " (shown(task)) }
            thead {
                tr {
                    th scope="col" data-filter="right" { "Right" }
                    th scope="col" data-filter="answered" { "Answered" }
                    th scope="col" { "Text" }
                    @for axis in axes { th scope="col" data-filter=(axis) { (shown(axis)) } }
                }
            }
            tbody {
                @for wrong in &of.shown {
                    tr {
                        td { (wrong.gold) }
                        td.no-label[!wrong.valid] { (if wrong.predicted.is_empty() { "(nothing)" } else { &wrong.predicted }) }
                        td.text { (wrong.source) }
                        @for axis in axes { td { (wrong.axes.get(*axis).map(|value| shown(value)).unwrap_or_default()) } }
                    }
                }
            }
        }
    };
    html! {
        details.task {
            summary {
                (shown(task)) " " span.quiet { (of.wrong) " of " (of.examples) " wrong, " span.count { (of.shown.len()) } " here" }
            }
            (scrolls(&format!("Wrong predictions of {task}"), &rows))
        }
    }
}
