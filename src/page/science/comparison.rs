//! Our numbers beside published ones: a row for each setting, a column for each task, differences marked by whether they
//! are more than noise.

use maud::{Markup, html};

use super::tables::DIGITS;
use super::{Finding, Tone, local, name};
use crate::page::{scrolls, words};
use crate::protocol::Input;
use crate::report::sheet::Sheet;
use crate::report::{ReportError, fixed, shown};

/// One line of `comparison.csv`.
struct Cell {
    metric: String,
    published: Option<f64>,
    ours: Option<f64>,
    sd: Option<f64>,
    difference: Option<f64>,
    within: Option<bool>,
}

/// A setting, and its cell of each task.
type Row = (Vec<String>, Vec<Option<Cell>>);

/// The lines as a table: settings by task.
struct Pivot {
    axes: Vec<String>,
    tasks: Vec<String>,
    rows: Vec<Row>,
    /// Whether published numbers stand in the cells of ours, and not in rows of their own.
    joined: bool,
}

pub(super) fn part(input: &Input, findings: &mut Vec<Finding>) -> Result<Markup, ReportError> {
    let pivot = Pivot::read(&Sheet::read(&input.files.file("comparison.csv"))?)?;
    let (ours, alone): (Vec<_>, Vec<_>) =
        pivot.rows.iter().partition(|(_, cells)| cells.iter().flatten().any(|cell| cell.ours.is_some()));
    findings.extend(pivot.finding(local(&input.stage)));
    let title = name(input);
    Ok(html! {
        h4 { "Beside published numbers: " code { (title) } }
        @if pivot.joined {
            (scrolls(&format!("Comparison {title}"), &pivot.table("Ours beside the published numbers", &ours)))
        } @else {
            @for (name, rows) in pivot.apart() {
                (scrolls(&format!("Comparison {title}, {name}"), &pivot.table(caption(name), &rows)))
            }
            (left_out(input)?)
        }
        @if !alone.is_empty() {
            details {
                summary { "Published rows without a partner here (" (alone.len()) ")" }
                (scrolls("Published rows without a partner", &pivot.table("Published numbers without a partner", &alone)))
            }
        }
    })
}

/// Whether each of our numbers has a published one in its own line; otherwise published rows stand below ours.
pub(super) fn has_differences(input: &Input) -> Result<bool, ReportError> {
    Ok(is_joined(&Sheet::read(&input.files.file("comparison.csv"))?))
}

fn is_joined(sheet: &Sheet) -> bool {
    sheet.columns().iter().any(|name| name == "published")
}

/// What marks of differences mean.
pub(super) fn legend() -> Markup {
    html! {
        p.legend {
            "Beside published numbers each cell has ours ± standard deviation, the published number, and the difference. "
            span.within { "≈" } " within noise (at most twice the standard error of the difference), "
            span.above { "▲" } " above the published number by more than noise, "
            span.below { "▼" } " below it by more than noise."
        }
    }
}

/// What the two tables of a comparison with other methods are.
fn caption(table: &str) -> &str {
    match table {
        "printed" => "Every column as it was printed",
        "comparable" => "The columns that all rows have in one metric, with averages over these",
        other => other,
    }
}

/// Why columns were left out, as `compare` says it.
fn left_out(input: &Input) -> Result<Markup, ReportError> {
    let path = input.files.file("comparison.md");
    let text = if path.is_file() { fs_err::read_to_string(path)? } else { String::new() };
    let reasons: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("- ")).collect();
    Ok(html! {
        @if !reasons.is_empty() {
            p { "Left out of the second table, because numbers in different metrics do not compare:" }
            ul.lines { @for reason in &reasons { li { (reason) } } }
        }
    })
}

impl Pivot {
    /// The rows of each table, where published rows stand below ours: the first axis names the table.
    fn apart(&self) -> Vec<(&str, Vec<&Row>)> {
        let mut tables: Vec<(&str, Vec<&Row>)> = Vec::new();
        for row in &self.rows {
            let name = row.0.first().map(String::as_str).unwrap_or_default();
            match tables.iter_mut().find(|(other, _)| *other == name) {
                Some((_, rows)) => rows.push(row),
                None => tables.push((name, vec![row])),
            }
        }
        tables
    }

    fn read(sheet: &Sheet) -> Result<Self, ReportError> {
        let columns = sheet.columns();
        let keys = columns.iter().position(|name| name == "metric").unwrap_or(0);
        let mut axes = columns[..keys].to_vec();
        // The task is the last of the keys.
        let task = match axes.pop() {
            Some(name) => sheet.texts(&name)?,
            None => sheet.texts("task")?,
        };
        let values = axes.iter().map(|axis| sheet.texts(axis)).collect::<Result<Vec<_>, _>>()?;
        let metric = sheet.texts("metric")?;
        // Published rows that stand below ours, instead of each number beside one of ours, have a line each.
        let joined = is_joined(sheet);
        let [ours, sd] =
            (if joined { ["ours mean", "ours sd"] } else { ["mean", "sd"] }).map(|name| sheet.numbers(name));
        let (ours, sd) = (ours?, sd?);
        let (published, difference, within) = if joined {
            (sheet.numbers("published")?, sheet.numbers("difference")?, sheet.texts("within_noise")?)
        } else {
            (vec![None; sheet.height()], vec![None; sheet.height()], vec![String::new(); sheet.height()])
        };
        let mut pivot = Self { axes, tasks: Vec::new(), rows: Vec::new(), joined };
        for name in &task {
            if !pivot.tasks.contains(name) {
                pivot.tasks.push(name.clone());
            }
        }
        for row in 0..sheet.height() {
            let key: Vec<String> = values.iter().map(|axis| axis[row].clone()).collect();
            let column = pivot.tasks.iter().position(|name| *name == task[row]).unwrap_or_default();
            let cell = Cell {
                metric: metric[row].clone(),
                published: published[row],
                ours: ours[row],
                sd: sd[row],
                difference: difference[row],
                within: match within[row].as_str() {
                    "yes" => Some(true),
                    "no" => Some(false),
                    _ => None,
                },
            };
            let free = pivot.rows.iter().position(|(other, cells)| *other == key && cells[column].is_none());
            let place = free.unwrap_or_else(|| {
                pivot.rows.push((key, pivot.tasks.iter().map(|_| None).collect()));
                pivot.rows.len() - 1
            });
            pivot.rows[place].1[column] = Some(cell);
        }
        Ok(pivot)
    }

    fn finding(&self, stage: &str) -> Option<Finding> {
        let judged: Vec<bool> =
            self.rows.iter().flat_map(|(_, cells)| cells.iter().flatten().filter_map(|cell| cell.within)).collect();
        let within = judged.iter().filter(|within| **within).count();
        let tone = if within == judged.len() { Tone::Good } else { Tone::Plain };
        let text = format!("{stage}: {within} of {} published numbers are met within noise", judged.len());
        (!judged.is_empty()).then_some(Finding { tone, text, about: String::new() })
    }

    fn table(&self, title: &str, rows: &[&Row]) -> Markup {
        let skipped = usize::from(!self.joined);
        let filled = |column: usize| self.joined || rows.iter().any(|(_, cells)| cells[column].is_some());
        let columns: Vec<(usize, &String)> =
            self.tasks.iter().enumerate().filter(|(column, _)| filled(*column)).collect();
        html! {
            table.scores.comparison {
                caption { (title) }
                thead {
                    tr {
                        @for axis in self.axes.iter().skip(skipped) { th scope="col" { (shown(axis)) } }
                        @for &(column, task) in &columns {
                            th.number scope="col" {
                                (shown(task))
                                @if let Some(metric) = self.metric(column) { span.under { (shown(metric)) } }
                            }
                        }
                    }
                }
                tbody {
                    @for (key, cells) in rows {
                        tr {
                            @for value in key.iter().skip(skipped) { th scope="row" { (shown(value)) } }
                            @for cell in columns.iter().map(|&(column, _)| &cells[column]) { @match cell { Some(cell) => (shown_cell(cell)), None => td {} } }
                        }
                    }
                }
            }
        }
    }

    /// The metric of a column, where all of it is in one.
    fn metric(&self, column: usize) -> Option<&str> {
        let mut metrics = self.rows.iter().filter_map(|(_, cells)| cells[column].as_ref()).map(|cell| &*cell.metric);
        let mut named = metrics.by_ref().filter(|metric| !metric.is_empty());
        let first = named.next()?;
        named.all(|metric| metric == first).then_some(first)
    }
}

fn shown_cell(cell: &Cell) -> Markup {
    let (class, mark, meaning) = match (cell.within, cell.difference) {
        (Some(true), _) => ("within", "≈", "within noise"),
        (Some(false), Some(difference)) if difference > 0.0 => ("above", "▲", "above, more than noise"),
        (Some(false), _) => ("below", "▼", "below, more than noise"),
        (None, _) => ("unjudged", "", "not judged"),
    };
    html! {
        td.number {
            @if let Some(ours) = cell.ours {
                span.ours { (fixed(ours, DIGITS)) @if let Some(sd) = cell.sd { " " span.spread { "±\u{a0}" (fixed(sd, DIGITS)) } } }
            }
            @if let Some(published) = cell.published {
                span.published { span.hidden { "published " } (fixed(published, DIGITS)) }
            }
            @if let Some(difference) = cell.difference {
                span.difference.(class) {
                    @if !mark.is_empty() { span aria-hidden="true" { (mark) " " } }
                    (words::signed(difference, DIGITS))
                    span.hidden { " (" (meaning) ")" }
                }
            }
        }
    }
}
