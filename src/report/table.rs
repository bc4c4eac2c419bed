//! The paper-shaped table: one row per cell of some axes, one column per value of another, means over the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use polars::prelude::DataFrame;

use super::frame::{Results, Score};
use super::sheet::{self, Sheet};
use super::statistics::{Runs, Summary, summary};
use super::{AVERAGE, ReportError, TASK, fixed, quoted};
use crate::base::suggest;
use crate::metric;

/// Which scores stand where.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// Axes whose values make a row.
    pub rows: Vec<String>,
    /// The axis whose values are the columns; [`TASK`] adds an average over them.
    pub columns: String,
    /// Axes that are averaged over.
    pub mean_over: Vec<String>,
    /// The metric of the cells.
    pub metric: String,
    /// `learned` or `untrained`.
    pub prompt: String,
}

impl Layout {
    /// The axes of [`Self::mean_over`] that tell runs apart: all but the task, whose mean is taken within a run.
    pub fn run_axes(&self) -> Vec<String> {
        self.mean_over.iter().filter(|axis| *axis != TASK).cloned().collect()
    }
}

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
    /// An axis that the results do not have; no score of this metric and prompt; two scores for one place, because an
    /// axis is in none of rows, columns and mean.
    pub fn build(results: &Results, layout: &Layout) -> Result<Self, ReportError> {
        check_axes(results, layout)?;
        let scores = select(results, &layout.metric, &layout.prompt)?;
        let groups = Groups::of(&scores, layout, &results.axes)?;
        let mut table = Self {
            row_axes: layout.rows.clone(),
            column_axis: layout.columns.clone(),
            columns: groups.columns.iter().map(|value| groups.column(value, &scores, layout)).collect(),
            rows: groups.rows.iter().map(|key| groups.row(key)).collect(),
        };
        if layout.columns == TASK {
            let metrics: BTreeSet<&str> = table.columns.iter().map(|column| column.metric.as_str()).collect();
            let metric = if metrics.len() == 1 { table.columns[0].metric.clone() } else { layout.metric.clone() };
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

    /// The frame of `cells.csv`: one row per cell, unrounded.
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
                table.rows.push(Row { key, cells: Vec::new() });
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

/// The scores of one metric and prompt.
fn select<'r>(results: &'r Results, metric: &str, prompt: &str) -> Result<Vec<&'r Score>, ReportError> {
    let scores: Vec<_> =
        results.scores.iter().filter(|score| score.metric == metric && score.prompt == prompt).collect();
    if !scores.is_empty() {
        return Ok(scores);
    }
    let metrics: BTreeSet<&String> =
        results.scores.iter().filter(|score| score.prompt == prompt).map(|score| &score.metric).collect();
    if metrics.is_empty() {
        let prompts: BTreeSet<&String> = results.scores.iter().map(|score| &score.prompt).collect();
        return Err(ReportError::layout(
            format!("no score is of `{prompt}` prompts; there are scores of {}", quoted(prompts)),
            "set `prompt` to one that was evaluated, or `untrained: true` in the `evaluate` stage",
        ));
    }
    Err(ReportError::layout(
        format!("no score of `{prompt}` prompts has the metric `{metric}`; there are {}", quoted(&metrics)),
        format!("name one of these in `metric`; `{}` is the one that the paper reports", metric::SCORE),
    ))
}

fn check_axes(results: &Results, layout: &Layout) -> Result<(), ReportError> {
    let known: Vec<&str> = results.axes.iter().map(String::as_str).chain([TASK]).collect();
    let places = [
        ("rows", layout.rows.as_slice()),
        ("columns", std::slice::from_ref(&layout.columns)),
        ("mean_over", layout.mean_over.as_slice()),
    ];
    for (parameter, axes) in places {
        if let Some(axis) = axes.iter().find(|axis| !known.contains(&axis.as_str())) {
            let hint = match suggest::nearest(axis, known.iter().copied()) {
                Some(name) => format!("did you mean `{name}`?"),
                None => "name an axis of the stages that `from` names".to_owned(),
            };
            let message = format!("`{parameter}` names the axis `{axis}`, but the scores have {}", quoted(&known));
            return Err(ReportError::layout(message, hint));
        }
    }
    Ok(())
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
        let over_tasks = layout.mean_over.iter().any(|axis| axis == TASK);
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
            let column = score.axis(&layout.columns).to_owned();
            let part = if over_tasks { score.task.clone() } else { String::new() };
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

    fn row(&self, key: &[String]) -> Row {
        let cell = |column: &String| {
            let place = (key.to_vec(), column.clone());
            let by_part = self.cells.get(&place)?;
            // A mean over fewer tasks than its neighbours' could not be compared with them.
            let parts: Vec<&Runs> = self.parts.iter().map(|part| by_part.get(part)).collect::<Option<_>>()?;
            Some(Cell { summary: summary(&parts)?, examples: self.examples.get(&place).copied() })
        };
        Row { key: key.to_vec(), cells: self.columns.iter().map(cell).collect() }
    }

    fn column(&self, value: &str, scores: &[&Score], layout: &Layout) -> TableColumn {
        let of: BTreeSet<&str> = scores
            .iter()
            .filter(|score| score.axis(&layout.columns) == value)
            .map(|score| if score.of.is_empty() { layout.metric.as_str() } else { score.of.as_str() })
            .collect();
        let metric = match of.first() {
            Some(only) if of.len() == 1 => (*only).to_owned(),
            _ => layout.metric.clone(),
        };
        TableColumn { value: value.to_owned(), metric }
    }
}

/// Two scores for one place: which axis tells them apart, and what to do about it.
fn duplicate(score: &Score, other: &Score, layout: &Layout, axes: &[String]) -> ReportError {
    let differing: Vec<&str> =
        axes.iter().map(String::as_str).chain([TASK]).filter(|axis| score.axis(axis) != other.axis(axis)).collect();
    let place: Vec<String> = layout
        .rows
        .iter()
        .chain([&layout.columns])
        .chain(&layout.run_axes())
        .map(|axis| format!("{axis}={}", score.axis(axis)))
        .collect();
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
    ReportError::layout(
        format!("two scores fall into the cell {place}: they differ in {}", values.join(" and ")),
        format!("name {} in `mean_over` or in `rows`, or narrow what is read with `only`", quoted(differing)),
    )
}

#[cfg(test)]
mod tests;
