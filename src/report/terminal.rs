//! Tables for people: one grid of texts, drawn as Markdown or for a terminal.

use std::collections::BTreeSet;
use std::path::Path;

use super::gains::Gains;
use super::statistics::Summary;
use super::table::Table;
use super::{ReportError, TASK, fixed, shown};
use crate::metric;

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

struct Grid {
    labels: Vec<String>,
    columns: Vec<Heading>,
    rows: Vec<GridRow>,
    /// What the numbers are.
    caption: String,
}

struct Heading {
    name: String,
    /// Empty when the caption says it for all columns.
    metric: String,
}

struct GridRow {
    labels: Vec<String>,
    cells: Vec<GridCell>,
}

struct GridCell {
    text: String,
    best: bool,
}

fn grid(table: &Table, digits: usize) -> Grid {
    let metrics: BTreeSet<&str> = table.columns.iter().map(|column| column.metric.as_str()).collect();
    let one_metric = metrics.len() == 1;
    let columns = table.columns.iter().map(|column| Heading {
        name: shown(&table.column_label(column)),
        metric: if one_metric { String::new() } else { shown(&column.metric) },
    });
    let best: Vec<Option<String>> = (0..table.columns.len()).map(|place| best(table, place, digits)).collect();
    let rows = table.rows.iter().map(|row| GridRow {
        labels: row.key.iter().map(|value| if value.is_empty() { "-".to_owned() } else { shown(value) }).collect(),
        cells: row
            .cells
            .iter()
            .zip(&best)
            .map(|(cell, best)| match cell {
                Some(cell) => GridCell {
                    text: with_deviation(&cell.summary, digits),
                    best: best.as_deref() == Some(fixed(cell.summary.mean, digits).as_str()),
                },
                None => GridCell { text: "-".to_owned(), best: false },
            })
            .collect(),
    });
    let (rows, columns) = (rows.collect(), columns.collect());
    Grid {
        labels: table.row_axes.clone(),
        columns,
        rows,
        caption: caption(table, one_metric.then(|| &*table.columns[0].metric)),
    }
}

fn caption(table: &Table, metric: Option<&str>) -> String {
    let cells = || table.rows.iter().flat_map(|row| row.cells.iter().flatten()).map(|cell| cell.summary.n);
    let (low, high) = (cells().min().unwrap_or_default(), cells().max().unwrap_or_default());
    let runs = match (low, high) {
        (1, 1) => "one run".to_owned(),
        (low, high) if low == high => format!("mean ± standard deviation over {high} runs"),
        (low, high) => format!("mean ± standard deviation over {low} to {high} runs"),
    };
    let average = if table.column_axis == TASK { "; average: mean over the tasks" } else { "" };
    match metric {
        Some(metric) => {
            let unit = metric::find(metric).map_or("", |metric| metric.unit);
            format!("{} ({unit}), {runs}{average}", shown(metric)).replace(" ()", "")
        }
        None => format!("{runs}{average}"),
    }
}

fn with_deviation(summary: &Summary, digits: usize) -> String {
    match summary.sd {
        Some(sd) => format!("{} ±{}", fixed(summary.mean, digits), fixed(sd, digits)),
        None => fixed(summary.mean, digits),
    }
}

/// The best mean of a column as it is printed; none where fewer than two rows compete.
fn best(table: &Table, place: usize, digits: usize) -> Option<String> {
    let higher = metric::find(&table.columns[place].metric).is_none_or(|metric| metric.higher_is_better);
    let means: Vec<f64> =
        table.rows.iter().filter_map(|row| row.cells[place].as_ref()).map(|cell| cell.summary.mean).collect();
    let best = means.iter().copied().reduce(|a, b| if (b > a) == higher { b } else { a })?;
    (means.len() >= 2).then(|| fixed(best, digits))
}

/// The table in Markdown, the best of each column in bold, with a line that says what the numbers are.
pub fn markdown(table: &Table, digits: usize) -> String {
    let grid = grid(table, digits);
    let escape = |text: &str| text.replace('|', "\\|");
    let mut text = String::from("|");
    for label in &grid.labels {
        text += &format!(" {} |", escape(label));
    }
    for column in &grid.columns {
        let metric = if column.metric.is_empty() { String::new() } else { format!(" ({})", column.metric) };
        text += &format!(" {}{metric} |", escape(&column.name));
    }
    text += &format!("\n|{}{}\n", " --- |".repeat(grid.labels.len()), " ---: |".repeat(grid.columns.len()));
    for row in &grid.rows {
        text += "|";
        for label in &row.labels {
            text += &format!(" {} |", escape(label));
        }
        for cell in &row.cells {
            let text_of_cell = cell.text.replace(" ±", " ± ");
            text += &if cell.best { format!(" **{text_of_cell}** |") } else { format!(" {text_of_cell} |") };
        }
        text += "\n";
    }
    text + &format!("\n{}\n", grid.caption)
}

/// The table as aligned text. Columns that do not fit side by side go into further blocks below, each with the row's names.
pub fn draw(table: &Table, style: Style) -> String {
    let grid = grid(table, style.digits);
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
            let cells = grid.rows.iter().map(|row| length(&row.cells[at].text));
            cells.chain([length(&column.name), length(&column.metric)]).max().unwrap_or(0)
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
        let mut line = |labels: &[String], cells: Vec<(&str, bool)>| {
            let mut parts: Vec<String> =
                labels.iter().zip(&label_widths).map(|(label, width)| format!("{label:<width$}")).collect();
            parts.extend(cells.into_iter().zip(&widths[start..end]).map(|((cell, bold), width)| {
                let space = " ".repeat(width.saturating_sub(length(cell)));
                if bold { format!("{space}\u{1b}[1m{cell}\u{1b}[0m") } else { format!("{space}{cell}") }
            }));
            text += parts.join(GAP).trim_end();
            text += "\n";
        };
        let headings = &grid.columns[start..end];
        line(&grid.labels, headings.iter().map(|column| (column.name.as_str(), false)).collect());
        if headings.iter().any(|column| !column.metric.is_empty()) {
            let blank = vec![String::new(); grid.labels.len()];
            line(&blank, headings.iter().map(|column| (column.metric.as_str(), false)).collect());
        }
        for row in &grid.rows {
            let cells = row.cells[start..end].iter();
            line(&row.labels, cells.map(|cell| (cell.text.as_str(), cell.best && style.ansi)).collect());
        }
        start = end;
    }
    text + &grid.caption + "\n"
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
    use super::super::table::{Cell, Row, TableColumn};
    use super::*;

    fn sample() -> Table {
        let column = |value: &str, metric: &str| TableColumn { value: value.to_owned(), metric: metric.to_owned() };
        let cell = |mean, sd| Some(Cell { summary: Summary { mean, sd: Some(sd), n: 3 }, examples: Some(100) });
        let row = |key: [&str; 2], cells| Row { key: key.map(str::to_owned).to_vec(), cells };
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
            markdown(&sample(), 1),
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
