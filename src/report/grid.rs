//! A table as people see it: names, numbers with fixed decimals, and which of them is the best of its column. What draws
//! it (`terminal`, `latex`) decides about characters only.

use std::collections::BTreeSet;

use super::statistics::Summary;
use super::table::Table;
use super::{TASK, fixed, shown};
use crate::metric;

/// What is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Names of the columns that name a row.
    pub labels: Vec<String>,
    /// The columns with numbers.
    pub columns: Vec<Heading>,
    /// The rows.
    pub rows: Vec<GridRow>,
    /// What the numbers are, how many runs they stand for, and what the average is over.
    pub caption: Caption,
}

/// The head of a column.
#[derive(Clone, Debug, PartialEq)]
pub struct Heading {
    /// The task, `axis=value`, or `average`.
    pub name: String,
    /// What its numbers are.
    pub metric: String,
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub struct GridRow {
    /// Its names.
    pub labels: Vec<String>,
    /// Its numbers; none where there is nothing.
    pub cells: Vec<Option<GridCell>>,
}

/// A number.
#[derive(Clone, Debug, PartialEq)]
pub struct GridCell {
    /// The mean.
    pub mean: String,
    /// The standard deviation over runs, where there are several.
    pub sd: Option<String>,
    /// Whether no other row is better, as far as the shown decimals tell.
    pub best: bool,
}

/// What is said below or above a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Caption {
    /// The metric and its unit, when all columns share it.
    pub metric: Option<String>,
    /// Fewest and most runs behind a number.
    pub runs: (usize, usize),
    /// Whether there is an average over tasks.
    pub average: bool,
}

impl Grid {
    /// Rounds a table and finds the best of each column. A row that is a reference is never the best, and a column with
    /// fewer than two rows that compete has none.
    pub fn of(table: &Table, digits: usize) -> Self {
        let metrics: BTreeSet<&str> = table.columns.iter().map(|column| column.metric.as_str()).collect();
        let columns = table
            .columns
            .iter()
            .map(|column| Heading { name: shown(&table.column_label(column)), metric: shown(&column.metric) });
        let best: Vec<Option<String>> = (0..table.columns.len()).map(|place| best(table, place, digits)).collect();
        let rows = table.rows.iter().map(|row| GridRow {
            labels: row.key.iter().map(|value| if value.is_empty() { "-".to_owned() } else { shown(value) }).collect(),
            cells: row
                .cells
                .iter()
                .zip(&best)
                .map(|(cell, best)| {
                    let Summary { mean, sd, .. } = cell.as_ref()?.summary;
                    let mean = fixed(mean, digits);
                    let best = !row.reference && best.as_ref() == Some(&mean);
                    Some(GridCell { mean, sd: sd.map(|sd| fixed(sd, digits)), best })
                })
                .collect(),
        });
        // Of published numbers it is not known how many runs they stand for.
        let cells = || table.rows.iter().flat_map(|row| row.cells.iter().flatten());
        let counts = || cells().map(|cell| cell.summary.n).filter(|n| *n > 0);
        Self {
            labels: table.row_axes.clone(),
            columns: columns.collect(),
            rows: rows.collect(),
            caption: Caption {
                metric: metrics.first().filter(|_| metrics.len() == 1).map(|metric| with_unit(metric)),
                runs: (counts().min().unwrap_or_default(), counts().max().unwrap_or_default()),
                average: table.column_axis == TASK,
            },
        }
    }
}

impl Caption {
    /// The caption in words; `notation` says how mean and deviation are written.
    pub fn text(&self, notation: &str) -> String {
        let runs = match self.runs {
            (1, 1) => "one run".to_owned(),
            (low, high) if low == high => format!("{notation} over {high} runs"),
            (low, high) => format!("{notation} over {low} to {high} runs"),
        };
        let average = if self.average { "; average: mean over the tasks" } else { "" };
        match &self.metric {
            Some(metric) => format!("{metric}, {runs}{average}"),
            None => format!("{runs}{average}"),
        }
    }
}

fn with_unit(metric: &str) -> String {
    match metric::find(metric) {
        Some(known) => format!("{} ({})", shown(metric), known.unit),
        None => shown(metric),
    }
}

/// The best mean of a column as it is printed; none where fewer than two rows compete.
fn best(table: &Table, place: usize, digits: usize) -> Option<String> {
    let higher = metric::find(&table.columns[place].metric).is_none_or(|metric| metric.higher_is_better);
    let competing = table.rows.iter().filter(|row| !row.reference);
    let means: Vec<f64> = competing.filter_map(|row| row.cells[place].as_ref()).map(|cell| cell.summary.mean).collect();
    let best = means.iter().copied().reduce(|a, b| if higher { a.max(b) } else { a.min(b) })?;
    (means.len() >= 2).then(|| fixed(best, digits))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::super::table::{Cell, Row, TableColumn};
    use super::*;

    /// A table with rows `a`, `b`, ... of these means, three runs each.
    pub(in crate::report) fn table_of(metrics: &[&str], rows: &[Vec<Option<f64>>]) -> Table {
        let cell = |mean| Cell { summary: Summary { mean, sd: Some(1.0), n: 3 }, examples: Some(100) };
        Table {
            row_axes: vec!["method".to_owned()],
            column_axis: TASK.to_owned(),
            columns: metrics
                .iter()
                .enumerate()
                .map(|(at, metric)| TableColumn { value: format!("t{at}"), metric: (*metric).to_owned() })
                .collect(),
            rows: rows
                .iter()
                .zip('a'..)
                .map(|(means, name)| Row {
                    key: vec![name.to_string()],
                    cells: means.iter().map(|mean| mean.map(cell)).collect(),
                    reference: false,
                })
                .collect(),
        }
    }

    fn bold(table: &Table, digits: usize) -> Vec<(String, usize)> {
        let grid = Grid::of(table, digits);
        let mut bold = Vec::new();
        for row in &grid.rows {
            let best = row.cells.iter().enumerate().filter(|(_, cell)| cell.as_ref().is_some_and(|cell| cell.best));
            bold.extend(best.map(|(place, _)| (row.labels[0].clone(), place)));
        }
        bold.sort();
        bold
    }

    #[test]
    fn the_best_follows_direction_and_shown_digits() {
        let rows = [vec![Some(87.04), Some(1.2)], vec![Some(86.96), Some(0.9)], vec![Some(60.0), None]];
        let mut table = table_of(&["accuracy", "nll"], &rows);
        let names =
            |list: &[(&str, usize)]| list.iter().map(|(name, at)| ((*name).to_owned(), *at)).collect::<Vec<_>>();
        // 87.04 and 86.96 are both 87.0; a loss is best when it is low.
        assert_eq!(bold(&table, 1), names(&[("a", 0), ("b", 0), ("b", 1)]));
        assert_eq!(bold(&table, 2), names(&[("a", 0), ("b", 1)]));
        table.rows[0].reference = true;
        // Only one row is left that competes in the second column.
        assert_eq!(bold(&table, 1), names(&[("b", 0)]));
    }

    proptest! {
        #[test]
        fn what_is_bold_does_not_depend_on_the_order_of_rows(
            means in prop::collection::vec((prop::option::of(0u32..400), prop::option::of(0u32..400), any::<bool>()), 1..7),
            by in 0usize..7,
        ) {
            let rows: Vec<Vec<Option<f64>>> = means
                .iter()
                .map(|(a, b, _)| [a, b].map(|mean| mean.map(|mean| f64::from(mean) / 16.0)).to_vec())
                .collect();
            let mut table = table_of(&["accuracy", "invalid_rate"], &rows);
            for (row, (_, _, reference)) in table.rows.iter_mut().zip(&means) {
                row.reference = *reference;
            }
            let expected = bold(&table, 1);
            table.rows.reverse();
            let turn = by % table.rows.len();
            table.rows.rotate_left(turn);
            prop_assert_eq!(bold(&table, 1), expected.clone());
            // No bold number is beaten by one that is not a reference.
            let grid = Grid::of(&table, 1);
            for (name, place) in expected {
                let shown = |row: &GridRow| row.cells[place].as_ref().map(|cell| cell.mean.parse::<f64>().unwrap());
                let own = grid.rows.iter().find(|row| row.labels[0] == name).and_then(shown).unwrap();
                for (row, _) in grid.rows.iter().zip(&table.rows).filter(|(_, row)| !row.reference) {
                    let Some(other) = shown(row) else { continue };
                    let beaten = if place == 0 { other > own } else { other < own };
                    prop_assert!(!beaten);
                }
            }
        }
    }
}
