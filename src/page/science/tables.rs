//! Aggregated tables, each followed by what published numbers say beside it.

use maud::{Markup, html};

use super::{Finding, Tone, comparison, local, name, of};
use crate::metric;
use crate::page::scrolls;
use crate::protocol::Input;
use crate::report::gains::Gains;
use crate::report::table::{Cell, Table};
use crate::report::{AVERAGE, ReportError, fixed, shown};

/// Sentences below a table that are shown at once; more are folded.
const OPEN: usize = 4;

/// Decimals of scores.
pub(super) const DIGITS: usize = 1;

/// The legend of comparisons, where there are any with differences.
pub(super) fn intro(inputs: &[Input]) -> Result<Markup, ReportError> {
    for input in of(inputs, "compare") {
        if comparison::has_differences(input)? {
            return Ok(comparison::legend());
        }
    }
    Ok(html! {})
}

pub(super) fn body(inputs: &[Input], findings: &mut Vec<Finding>) -> Result<Option<Markup>, ReportError> {
    let mut body = Vec::new();
    for input in of(inputs, "compare") {
        body.push(comparison::part(input, findings)?);
    }
    for input in of(inputs, "aggregate") {
        let table = Table::read(&input.files.file("cells.csv"))?;
        let path = input.files.file("gains.csv");
        let gains = if path.is_file() { Some(Gains::read(&path)?) } else { None };
        let lines = gains.as_ref().map(|gains| gains.lines(DIGITS)).unwrap_or_default();
        let tone = if gains.as_ref().is_some_and(|gains| gains.failures().is_some()) { Tone::Bad } else { Tone::Good };
        if let Some(text) = in_short(local(&input.stage), &lines) {
            findings.push(Finding { tone, text, about: String::new() });
        }
        body.push(part(&name(input), &table, &lines));
    }
    Ok((!body.is_empty()).then(|| html! { @for part in &body { (part) } }))
}

/// The gains of a table as one sentence; with many rows, only how many of them gained.
fn in_short(stage: &str, lines: &[String]) -> Option<String> {
    match lines {
        [] => None,
        [only] => Some(format!("{stage}: {only}")),
        many => {
            let beat = many.iter().filter(|line| line.contains(" beat ")).count();
            Some(format!("{stage}: learned prompts beat untrained ones on average in {beat} of {} rows", many.len()))
        }
    }
}

fn part(title: &str, table: &Table, gains: &[String]) -> Markup {
    html! {
        h4 { "Table " code { (title) } }
        (scrolls(&format!("Table {title}"), &grid(table)))
        @if gains.len() > OPEN {
            details { summary { "What learning brought, row by row (" (gains.len()) ")" } (list(gains)) }
        } @else if !gains.is_empty() { (list(gains)) }
    }
}

fn list(lines: &[String]) -> Markup {
    html! { ul.lines { @for line in lines { li { (line) } } } }
}

fn grid(table: &Table) -> Markup {
    let best: Vec<Option<f64>> = (0..table.columns.len()).map(|column| best(table, column)).collect();
    html! {
        table.scores {
            caption {
                "Mean ± standard deviation over " (runs(table))
                @if table.rows.len() > 1 { "; the best of a column is bold" }
            }
            thead {
                tr {
                    @for axis in &table.row_axes { th scope="col" { (shown(axis)) } }
                    @for column in &table.columns {
                        th.number scope="col" {
                            (shown(&table.column_label(column))) span.under { (shown(&column.metric)) }
                        }
                    }
                }
            }
            tbody {
                @for row in &table.rows {
                    tr {
                        @for key in &row.key { th scope="row" { (shown(key)) } }
                        @for (place, cell) in row.cells.iter().enumerate() {
                            @let average = table.columns[place].value == AVERAGE;
                            td.number.average[average] {
                                @if let Some(cell) = cell { (value(cell, best[place].filter(|_| !row.reference))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn value(cell: &Cell, best: Option<f64>) -> Markup {
    let mean = fixed(cell.summary.mean, DIGITS);
    html! {
        @if best == Some(cell.summary.mean) { strong { (mean) } } @else { (mean) }
        @if let Some(sd) = cell.summary.sd { " " span.spread { "±\u{a0}" (fixed(sd, DIGITS)) } }
    }
}

/// The best mean of a column among the rows that are no references, where these differ.
fn best(table: &Table, column: usize) -> Option<f64> {
    let metric = metric::find(&table.columns[column].metric);
    let sign = if metric.is_some_and(|metric| !metric.higher_is_better) { -1.0 } else { 1.0 };
    let means = || {
        table.rows.iter().filter(|row| !row.reference).filter_map(|row| Some(row.cells[column].as_ref()?.summary.mean))
    };
    let best = means().max_by(|a, b| (sign * a).total_cmp(&(sign * b)))?;
    means().any(|mean| mean != best).then_some(best)
}

/// `3 runs`, or `2 to 3 runs` where cells differ.
fn runs(table: &Table) -> String {
    let counts = || table.rows.iter().flat_map(|row| &row.cells).flatten().map(|cell| cell.summary.n);
    match (counts().min(), counts().max()) {
        (Some(1), Some(1)) => "1 run".to_owned(),
        (Some(least), Some(most)) if least == most => format!("{most} runs"),
        (Some(least), Some(most)) => format!("{least} to {most} runs"),
        _ => "no runs".to_owned(),
    }
}
