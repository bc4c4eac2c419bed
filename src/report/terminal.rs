//! Tables for people: the grid drawn as Markdown or for a terminal.

use std::path::Path;

use super::ReportError;
use super::gains::Gains;
use super::grid::{Grid, GridCell};
use super::table::Table;

/// How a terminal shows text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Columns of the terminal.
    pub width: usize,
    /// Whether the best of a column may be bold.
    pub ansi: bool,
    /// Decimals.
    pub digits: usize,
}

/// Space between two columns.
const GAP: &str = "  ";

/// How Markdown and terminals write a number and its deviation.
const NOTATION: &str = "mean ± standard deviation";

fn cell_text(cell: Option<&GridCell>, between: &str) -> String {
    match cell {
        Some(GridCell { mean, sd: Some(sd), .. }) => format!("{mean}{between}{sd}"),
        Some(GridCell { mean, sd: None, .. }) => mean.clone(),
        None => "-".to_owned(),
    }
}

fn is_best(cell: Option<&GridCell>) -> bool {
    cell.is_some_and(|cell| cell.best)
}

/// The table in Markdown, the best of each column in bold, with a line that says what the numbers are.
pub fn markdown(grid: &Grid) -> String {
    let escape = |text: &str| text.replace('|', "\\|");
    let mut text = String::from("|");
    for label in &grid.labels {
        text += &format!(" {} |", escape(label));
    }
    for column in &grid.columns {
        let metric = if grid.caption.metric.is_some() { String::new() } else { format!(" ({})", column.metric) };
        text += &format!(" {}{metric} |", escape(&column.name));
    }
    text += &format!("\n|{}{}\n", " --- |".repeat(grid.labels.len()), " ---: |".repeat(grid.columns.len()));
    for row in &grid.rows {
        text += "|";
        for label in &row.labels {
            text += &format!(" {} |", escape(label));
        }
        for cell in row.cells.iter().map(Option::as_ref) {
            let number = cell_text(cell, " ± ");
            text += &if is_best(cell) { format!(" **{number}** |") } else { format!(" {number} |") };
        }
        text += "\n";
    }
    text + &format!("\n{}\n", grid.caption.text(NOTATION))
}

/// The table as aligned text. Columns that do not fit side by side go into further blocks below, each with the row's names.
pub fn draw(table: &Table, style: Style) -> String {
    let grid = Grid::of(table, style.digits);
    let metric_line = grid.caption.metric.is_none();
    let length = |text: &str| text.chars().count();
    let label_widths: Vec<usize> = (0..grid.labels.len())
        .map(|at| {
            grid.rows.iter().map(|row| length(&row.labels[at])).chain([length(&grid.labels[at])]).max().unwrap_or(0)
        })
        .collect();
    let widths: Vec<usize> = grid
        .columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let cells = grid.rows.iter().map(|row| length(&cell_text(row.cells[at].as_ref(), " ±")));
            let metric = if metric_line { length(&column.metric) } else { 0 };
            cells.chain([length(&column.name), metric]).max().unwrap_or(0)
        })
        .collect();
    let taken: usize = label_widths.iter().map(|width| width + GAP.len()).sum();
    let mut text = String::new();
    let mut start = 0;
    while start < widths.len() {
        let mut end = start + 1;
        let mut used = taken + widths[start];
        while end < widths.len() && used + GAP.len() + widths[end] <= style.width {
            used += GAP.len() + widths[end];
            end += 1;
        }
        if start > 0 {
            text += "\n";
        }
        let mut line = |labels: &[String], cells: Vec<(String, bool)>| {
            let mut parts: Vec<String> =
                labels.iter().zip(&label_widths).map(|(label, width)| format!("{label:<width$}")).collect();
            parts.extend(cells.into_iter().zip(&widths[start..end]).map(|((cell, bold), width)| {
                let space = " ".repeat(width.saturating_sub(length(&cell)));
                if bold { format!("{space}\u{1b}[1m{cell}\u{1b}[0m") } else { format!("{space}{cell}") }
            }));
            text += parts.join(GAP).trim_end();
            text += "\n";
        };
        let headings = &grid.columns[start..end];
        line(&grid.labels, headings.iter().map(|column| (column.name.clone(), false)).collect());
        if metric_line {
            let blank = vec![String::new(); grid.labels.len()];
            line(&blank, headings.iter().map(|column| (column.metric.clone(), false)).collect());
        }
        for row in &grid.rows {
            let cells = row.cells[start..end].iter().map(Option::as_ref);
            line(&row.labels, cells.map(|cell| (cell_text(cell, " ±"), is_best(cell) && style.ansi)).collect());
        }
        start = end;
    }
    text + &grid.caption.text(NOTATION) + "\n"
}

/// Rows of texts in aligned columns, the first ones to the left and the others to the right.
pub fn aligned(rows: &[Vec<String>], left: usize) -> String {
    let length = |text: &String| text.chars().count();
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns)
        .map(|at| rows.iter().filter_map(|row| row.get(at)).map(length).max().unwrap_or_default())
        .collect();
    let mut text = String::new();
    for row in rows {
        let cells =
            row.iter().zip(&widths).enumerate().map(|(at, (cell, width))| {
                if at < left { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
        text += cells.collect::<Vec<_>>().join(GAP).trim_end();
        text += "\n";
    }
    text
}

/// What a run shows at its end for one `aggregate` stage: its table, then what training bought, if that is known.
///
/// # Errors
/// `folder` does not hold the results of `aggregate`.
pub fn finish(folder: &Path, style: Style) -> Result<String, ReportError> {
    let mut text = draw(&Table::read(&folder.join("cells.csv"))?, style);
    let gains = folder.join("gains.csv");
    if gains.is_file() {
        text += "\n";
        for line in Gains::read(&gains)?.lines(style.digits) {
            text += &line;
            text += "\n";
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::super::TASK;
    use super::super::statistics::Summary;
    use super::super::table::{Cell, Row, TableColumn};
    use super::*;

    fn sample() -> Table {
        let column = |value: &str, metric: &str| TableColumn { value: value.to_owned(), metric: metric.to_owned() };
        let cell = |mean, sd| Some(Cell { summary: Summary { mean, sd: Some(sd), n: 3 }, examples: Some(100) });
        let row = |key: [&str; 2], cells| Row { key: key.map(str::to_owned).to_vec(), cells, reference: false };
        Table {
            row_axes: vec!["method".to_owned(), "include".to_owned()],
            column_axis: TASK.to_owned(),
            columns: vec![column("yelp_polarity", "accuracy"), column("stsb", "spearman"), column("average", "score")],
            rows: vec![
                row(["spp", "mnli"], vec![cell(87.04, 1.0), cell(70.0, 10.25), cell(78.52, 2.0)]),
                row(["scp", ""], vec![cell(86.96, 1.0), cell(69.0, 1.0), cell(77.98, 0.5)]),
                row(["pt", "none"], vec![cell(60.0, 1.0), None, None]),
            ],
        }
    }

    #[test]
    fn markdown_has_the_best_in_bold() {
        assert_eq!(
            markdown(&Grid::of(&sample(), 1)),
            "| method | include | yelp-polarity (accuracy) | stsb (spearman) | average (score) |\n\
             | --- | --- | ---: | ---: | ---: |\n\
             | spp | mnli | **87.0 ± 1.0** | **70.0 ± 10.2** | **78.5 ± 2.0** |\n\
             | scp | - | **87.0 ± 1.0** | 69.0 ± 1.0 | 78.0 ± 0.5 |\n\
             | pt | none | 60.0 ± 1.0 | - | - |\n\
             \n\
             mean ± standard deviation over 3 runs; average: mean over the tasks\n"
        );
    }

    #[test]
    fn aligned_and_wrapped() {
        let wide = draw(&sample(), Style { width: 80, ansi: false, digits: 1 });
        insta::assert_snapshot!(wide, @r"
        method  include  yelp-polarity        stsb    average
                              accuracy    spearman      score
        spp     mnli         87.0 ±1.0  70.0 ±10.2  78.5 ±2.0
        scp     -            87.0 ±1.0   69.0 ±1.0  78.0 ±0.5
        pt      none         60.0 ±1.0           -          -
        mean ± standard deviation over 3 runs; average: mean over the tasks
        ");
        let narrow = draw(&sample(), Style { width: 32, ansi: false, digits: 1 });
        assert!(narrow.lines().all(|line| line.starts_with("mean") || line.chars().count() <= 32), "{narrow}");
        assert_eq!(narrow.matches("method").count(), 3);
    }

    #[test]
    fn bold_takes_no_room() {
        let mut table = sample();
        let plain = draw(&table, Style { width: 80, ansi: false, digits: 1 });
        let bold = draw(&table, Style { width: 80, ansi: true, digits: 1 });
        assert_eq!(bold.matches("\u{1b}[1m").count(), 4);
        assert_eq!(bold.replace("\u{1b}[1m", "").replace("\u{1b}[0m", ""), plain);
        table.rows.truncate(1);
        assert!(!draw(&table, Style { width: 80, ansi: true, digits: 1 }).contains('\u{1b}'));
    }

    #[test]
    fn one_metric_goes_into_the_caption() {
        let mut table = sample();
        for column in &mut table.columns {
            column.metric = "accuracy".to_owned();
        }
        let text = draw(&table, Style { width: 80, ansi: false, digits: 0 });
        assert!(
            text.ends_with("accuracy (percent), mean ± standard deviation over 3 runs; average: mean over the tasks\n"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 5);
    }
}
