//! The paper-shaped table: one row per cell of some axes, one column per value of another, means over the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use polars::prelude::DataFrame;

use super::frame::{OWN_AXES, Results, Score};
use super::layout::Layout;
use super::sheet::{self, Sheet};
use super::statistics::{Runs, Summary, summary};
use super::{AVERAGE, ReportError, TASK, fixed, quoted};

/// One cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Mean, deviation and count over runs.
    pub summary: Summary,
    /// Over how many examples each score was taken (the fewest, where they differ); none for an average over tasks.
    pub examples: Option<u64>,
}

/// A column of cells.
#[derive(Clone, Debug, PartialEq)]
pub struct TableColumn {
    /// The value on the column axis, or [`AVERAGE`].
    pub value: String,
    /// The metric that its cells are in.
    pub metric: String,
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The values on the row axes.
    pub key: Vec<String>,
    /// One entry per column; none where there is nothing to average, or a task of the average is missing.
    pub cells: Vec<Option<Cell>>,
    /// Whether it is shown for reference only and never the best.
    pub reference: bool,
}

/// The whole table.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Names of the row axes.
    pub row_axes: Vec<String>,
    /// Name of the column axis.
    pub column_axis: String,
    /// The columns in order; with tasks as columns, the average is last.
    pub columns: Vec<TableColumn>,
    /// The rows in order.
    pub rows: Vec<Row>,
}

impl Table {
    /// Lays out results. Rows and columns come in the order in which the results first name them.
    ///
    /// # Errors
    /// As [`Layout::select`]; two scores for one place, because an axis is in none of rows, columns and mean.
    pub fn build(results: &Results, layout: &Layout) -> Result<Self, ReportError> {
        let scores = layout.select(results)?;
        let groups = Groups::of(&scores, layout, &results.axes)?;
        let mut table = Self {
            row_axes: layout.rows.clone(),
            column_axis: layout.columns.clone().unwrap_or_else(|| TASK.to_owned()),
            columns: groups.columns.iter().map(|value| groups.column(value, &scores, layout)).collect(),
            rows: groups.rows.iter().map(|key| groups.row(key, layout)).collect(),
        };
        if layout.columns.as_deref() == Some(TASK) {
            let metrics: BTreeSet<&str> = table.columns.iter().map(|column| column.metric.as_str()).collect();
            let metric = layout.common_metric(&metrics);
            table.columns.push(TableColumn { value: AVERAGE.to_owned(), metric });
            for row in &mut table.rows {
                let parts: Option<Vec<&Runs>> =
                    groups.columns.iter().map(|column| groups.single(&row.key, column)).collect();
                let summary = parts.and_then(|parts| summary(&parts));
                row.cells.push(summary.map(|summary| Cell { summary, examples: None }));
            }
        }
        Ok(table)
    }

    /// The frame of `table.csv`: the row axes, then mean, deviation and count of each column, the metric in the header.
    ///
    /// # Errors
    /// Two columns have one name.
    pub fn wide(&self, digits: usize) -> Result<DataFrame, ReportError> {
        let mut columns = self.label_columns();
        for (place, column) in self.columns.iter().enumerate() {
            let label = self.column_label(column);
            let texts = |of: &dyn Fn(&Cell) -> Option<String>| -> Vec<String> {
                let cells = self.rows.iter().map(|row| row.cells[place].as_ref());
                cells.map(|cell| cell.and_then(of).unwrap_or_default()).collect()
            };
            let metric = &column.metric;
            let mean = texts(&|cell| Some(fixed(cell.summary.mean, digits)));
            let sd = texts(&|cell| cell.summary.sd.map(|sd| fixed(sd, digits)));
            columns.push(sheet::text_column(&format!("{label} {metric} mean"), mean));
            columns.push(sheet::text_column(&format!("{label} {metric} sd"), sd));
            columns.push(sheet::text_column(&format!("{label} n"), texts(&|cell| Some(cell.summary.n.to_string()))));
        }
        sheet::frame(columns)
    }

    /// The frame of `cells.csv`: one row per cell, unrounded: the row axes, the column axis, `metric`, `mean`, `sd`, `n`
    /// (runs), `examples`, `reference`. An average over tasks is taken within each run first; `sd` and `n` are those of
    /// the runs' averages.
    ///
    /// # Errors
    /// Two columns have one name.
    pub fn long(&self) -> Result<DataFrame, ReportError> {
        let places: Vec<(&Row, usize)> =
            self.rows.iter().flat_map(|row| (0..self.columns.len()).map(move |place| (row, place))).collect();
        let cell = |(row, place): &(&Row, usize)| row.cells[*place].clone();
        let mut columns: Vec<_> = self
            .row_axes
            .iter()
            .enumerate()
            .map(|(axis, name)| sheet::text_column(name, places.iter().map(|(row, _)| row.key[axis].clone())))
            .collect();
        let of_column =
            |of: fn(&TableColumn) -> &String| places.iter().map(move |(_, place)| of(&self.columns[*place]));
        columns.push(sheet::text_column(&self.column_axis, of_column(|column| &column.value).cloned()));
        columns.push(sheet::text_column("metric", of_column(|column| &column.metric).cloned()));
        columns.push(sheet::number_column("mean", places.iter().map(|place| Some(cell(place)?.summary.mean))));
        columns.push(sheet::number_column("sd", places.iter().map(|place| cell(place)?.summary.sd)));
        columns.push(sheet::count_column("n", places.iter().map(|place| Some(cell(place)?.summary.n as u64))));
        columns.push(sheet::count_column("examples", places.iter().map(|place| cell(place)?.examples)));
        let reference = |(row, _): &(&Row, usize)| if row.reference { "true".to_owned() } else { String::new() };
        columns.push(sheet::text_column("reference", places.iter().map(reference)));
        sheet::frame(columns)
    }

    /// Reads `cells.csv` back.
    ///
    /// # Errors
    /// The file is not one that [`Self::long`] made.
    pub fn read(path: &Path) -> Result<Self, ReportError> {
        let sheet = Sheet::read(path)?;
        let names = sheet.columns();
        let axes = names.iter().position(|name| name == "metric").filter(|place| *place > 0).ok_or_else(|| {
            ReportError::file(path, Some(1), "expected the axes of a table before the column `metric`")
        })?;
        let keys = names[..axes].iter().map(|name| sheet.texts(name)).collect::<Result<Vec<_>, _>>()?;
        let metrics = sheet.texts("metric")?;
        let (means, sds) = (sheet.numbers::<f64>("mean")?, sheet.numbers::<f64>("sd")?);
        let (counts, examples) = (sheet.numbers::<u64>("n")?, sheet.numbers::<u64>("examples")?);
        let references = sheet.optional_texts("reference")?;
        let mut table = Self {
            row_axes: names[..axes - 1].to_vec(),
            column_axis: names[axes - 1].clone(),
            columns: Vec::new(),
            rows: Vec::new(),
        };
        for row in 0..sheet.height() {
            let key: Vec<String> = keys[..axes - 1].iter().map(|values| values[row].clone()).collect();
            let value = &keys[axes - 1][row];
            if table.rows.last().is_none_or(|last| last.key != key) {
                let reference = references.as_ref().is_some_and(|references| references[row] == "true");
                table.rows.push(Row { key, cells: Vec::new(), reference });
            }
            if table.rows.len() == 1 {
                table.columns.push(TableColumn { value: value.clone(), metric: metrics[row].clone() });
            }
            let cells = &mut table.rows.last_mut().expect("a row was added above").cells;
            if table.columns.get(cells.len()).is_none_or(|column| column.value != *value) {
                return Err(sheet.fault(row, format!("`{value}` is not the column that is next in this table")));
            }
            cells.push(means[row].map(|mean| Cell {
                summary: Summary { mean, sd: sds[row], n: counts[row].unwrap_or_default() as usize },
                examples: examples[row],
            }));
        }
        match table.rows.iter().find(|row| row.cells.len() != table.columns.len()) {
            Some(row) => Err(ReportError::file(path, None, format!("the row {} is not complete", quoted(&row.key)))),
            None => Ok(table),
        }
    }

    /// How a column is called: the task's name, or `axis=value`.
    pub fn column_label(&self, column: &TableColumn) -> String {
        if self.column_axis == TASK { column.value.clone() } else { format!("{}={}", self.column_axis, column.value) }
    }

    fn label_columns(&self) -> Vec<polars::prelude::Column> {
        let values = |axis: usize| self.rows.iter().map(move |row| row.key[axis].clone());
        self.row_axes.iter().enumerate().map(|(axis, name)| sheet::text_column(name, values(axis))).collect()
    }
}

/// Scores by row, column, task (within a cell that averages over tasks) and run.
struct Groups {
    rows: Vec<Vec<String>>,
    columns: Vec<String>,
    /// The tasks that a cell averages over; one empty name when it does not.
    parts: BTreeSet<String>,
    cells: BTreeMap<(Vec<String>, String), BTreeMap<String, Runs>>,
    examples: BTreeMap<(Vec<String>, String), u64>,
}

impl Groups {
    fn of(scores: &[&Score], layout: &Layout, axes: &[String]) -> Result<Self, ReportError> {
        let run_axes = layout.run_axes();
        let mut groups = Self {
            rows: Vec::new(),
            columns: Vec::new(),
            parts: BTreeSet::new(),
            cells: BTreeMap::new(),
            examples: BTreeMap::new(),
        };
        let mut places: BTreeMap<_, &Score> = BTreeMap::new();
        for &score in scores {
            let row = score.axis_values(&layout.rows);
            let column = layout.columns.as_deref().map_or(AVERAGE, |axis| score.axis(axis)).to_owned();
            let part = if layout.over_tasks() { score.task.clone() } else { String::new() };
            let run = score.axis_values(&run_axes);
            if let Some(other) = places.insert((row.clone(), column.clone(), part.clone(), run.clone()), score) {
                return Err(duplicate(score, other, layout, axes));
            }
            if !groups.rows.contains(&row) {
                groups.rows.push(row.clone());
            }
            if !groups.columns.contains(&column) {
                groups.columns.push(column.clone());
            }
            groups.parts.insert(part.clone());
            let place = (row, column);
            let fewest = groups.examples.entry(place.clone()).or_insert(score.examples);
            *fewest = score.examples.min(*fewest);
            groups.cells.entry(place).or_default().entry(part).or_default().insert(run, score.value);
        }
        Ok(groups)
    }

    /// The runs of a cell that does not average over tasks.
    fn single(&self, row: &[String], column: &str) -> Option<&Runs> {
        self.cells.get(&(row.to_vec(), column.to_owned()))?.get("")
    }

    fn row(&self, key: &[String], layout: &Layout) -> Row {
        let cell = |column: &String| {
            let place = (key.to_vec(), column.clone());
            let by_part = self.cells.get(&place)?;
            // A mean over fewer tasks than its neighbours' could not be compared with them.
            let parts: Vec<&Runs> = self.parts.iter().map(|part| by_part.get(part)).collect::<Option<_>>()?;
            let examples = self.examples.get(&place).copied().filter(|_| !layout.over_tasks());
            Some(Cell { summary: summary(&parts)?, examples })
        };
        let reference = layout.is_reference(key);
        Row { key: key.to_vec(), cells: self.columns.iter().map(cell).collect(), reference }
    }

    fn column(&self, value: &str, scores: &[&Score], layout: &Layout) -> TableColumn {
        let is_here = |score: &&&Score| layout.columns.as_deref().is_none_or(|axis| score.axis(axis) == value);
        let metrics = scores.iter().filter(is_here).map(|score| layout.shown_metric(score)).collect();
        TableColumn { value: value.to_owned(), metric: layout.common_metric(&metrics) }
    }
}

/// Two scores for one place: which axis tells them apart, and what to do about it.
fn duplicate(score: &Score, other: &Score, layout: &Layout, axes: &[String]) -> ReportError {
    let differing: Vec<&str> =
        axes.iter().map(String::as_str).chain([TASK]).filter(|axis| score.axis(axis) != other.axis(axis)).collect();
    let place: Vec<String> =
        layout.axes().chain(&layout.run_axes()).map(|axis| format!("{axis}={}", score.axis(axis))).collect();
    let place = place.join(" ");
    let sources = format!("`{}` and `{}`", other.source, score.source);
    if differing.is_empty() {
        return ReportError::layout(
            format!("two scores fall into the cell {place}: they come from {sources}"),
            "read only one of these stages, or give them an axis with different values",
        );
    }
    let values: Vec<String> =
        differing.iter().map(|axis| format!("`{axis}` (`{}` and `{}`)", other.axis(axis), score.axis(axis))).collect();
    // `only` chooses stages; what one stage scored several times, its parameters choose.
    let narrow = match differing.iter().all(|axis| OWN_AXES.contains(axis)) {
        true => format!(
            "give the `ablate` stage one value in {}",
            quoted(differing.iter().map(|axis| ablate_parameter(axis)))
        ),
        false => "narrow what is read with `only`".to_owned(),
    };
    ReportError::layout(
        format!("two scores fall into the cell {place}: they differ in {}", values.join(" and ")),
        format!("name {} in `mean_over` or in `rows`, or {narrow}", quoted(&differing)),
    )
}

/// The parameter of `ablate` that chooses the values of one of its own axes.
fn ablate_parameter(axis: &str) -> &str {
    if axis == "part" { "parts" } else { axis }
}

#[cfg(test)]
mod tests;
