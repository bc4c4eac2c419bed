//! Our rows and published ones in one table, twice: as printed, and on the columns only that all rows measure alike.
//!
//! A published table may set numbers side by side that are in different metrics (table 9 of the paper: CoLA is accuracy in
//! its own row and Matthews correlation in the others, METHODS 4.3). Such columns say nothing about who is better, and
//! neither does an average with them in it. In the second table they are left out and the average is taken anew.

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::DataFrame;

use super::frame::Results;
use super::grid::Grid;
use super::layout::Layout;
use super::published::{Published, PublishedRow};
use super::statistics::{Summary, mean};
use super::table::{Cell, Row, Table, TableColumn};
use super::{AVERAGE, ReportError, TASK, canonical, latex, quoted, sheet, shown, terminal};

/// What an `aggregate` stage made, to be set beside published rows.
#[derive(Clone, Debug)]
pub struct OurTable {
    /// All scores.
    pub results: Results,
    /// The shape of its table.
    pub layout: Layout,
}

/// A column that does not compare, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct LeftOut {
    /// The task.
    pub task: String,
    /// Metric -> the rows that are in it; the empty metric holds the rows without a number.
    pub rows: BTreeMap<String, Vec<String>>,
}

/// Both tables.
#[derive(Clone, Debug, PartialEq)]
pub struct Related {
    /// Every column, with the averages that were printed.
    pub printed: Table,
    /// The columns that compare, with averages over them.
    pub comparable: Table,
    /// The others.
    pub left_out: Vec<LeftOut>,
}

/// A number with its metric.
#[derive(Clone, Debug)]
struct Number {
    metric: String,
    cell: Cell,
}

struct Entry {
    source: &'static str,
    name: String,
    numbers: BTreeMap<String, Number>,
    average: Option<Cell>,
}

/// A cell of the long form: which of the two tables, its row, its column, and the number.
type Line<'a> = (&'a str, &'a Row, &'a TableColumn, Summary);

impl Related {
    /// Sets our rows below the published ones, which the published column `beside` names. Metrics in `alike` count as one.
    ///
    /// # Errors
    /// There is no such column; two published rows of one name have one task; our columns are not tasks.
    pub fn of(ours: &[OurTable], published: &Published, beside: &str, alike: &[String]) -> Result<Self, ReportError> {
        let mut tasks = Vec::new();
        let mut entries = published_entries(published, beside, &mut tasks)?;
        for table in ours {
            entries.extend(our_entries(table, &mut tasks)?);
        }
        let columns: Vec<Column> = tasks.iter().map(|task| Column::of(task, &entries, alike)).collect();
        let (fit, unfit): (Vec<&Column>, Vec<&Column>) = columns.iter().partition(|column| column.compares);
        let left_out = unfit.iter().map(|column| LeftOut { task: column.task.clone(), rows: column.rows.clone() });
        // An average of ours over fewer tasks than there are columns would stand below others that it does not go with.
        let complete =
            |entry: &Entry| entry.source == PUBLISHED || tasks.iter().all(|task| entry.numbers.contains_key(task));
        let printed = table(beside, &entries, &columns.iter().collect::<Vec<_>>(), &|entry| {
            entry.average.clone().filter(|_| complete(entry))
        });
        let averages = averages(ours, &fit)?;
        let comparable = table(beside, &entries, &fit, &|entry| match averages.get(&entry.name) {
            Some(cell) if entry.source == OURS => cell.clone(),
            _ => entry.average_over(&fit),
        });
        Ok(Self { printed, comparable, left_out: left_out.collect() })
    }

    /// The frame of `comparison.csv`: `table` (`printed` or `comparable`), the row's names, `task`, `metric`, `mean`, `sd`,
    /// `n`, unrounded.
    ///
    /// # Errors
    /// Two columns have one name.
    pub fn frame(&self) -> Result<DataFrame, ReportError> {
        let mut lines: Vec<Line<'_>> = Vec::new();
        for (name, table) in [("printed", &self.printed), ("comparable", &self.comparable)] {
            for row in &table.rows {
                let cells = table.columns.iter().zip(&row.cells);
                lines.extend(cells.filter_map(|(column, cell)| Some((name, row, column, cell.as_ref()?.summary))));
            }
        }
        let texts = |of: &dyn Fn(&Line<'_>) -> String| lines.iter().map(of).collect::<Vec<_>>();
        sheet::frame(vec![
            sheet::text_column("table", texts(&|line| line.0.to_owned())),
            sheet::text_column(&self.printed.row_axes[0], texts(&|line| line.1.key[0].clone())),
            sheet::text_column(&self.printed.row_axes[1], texts(&|line| line.1.key[1].clone())),
            sheet::text_column(TASK, texts(&|line| line.2.value.clone())),
            sheet::text_column("metric", texts(&|line| line.2.metric.clone())),
            sheet::number_column("mean", lines.iter().map(|line| Some(line.3.mean))),
            sheet::number_column("sd", lines.iter().map(|line| line.3.sd)),
            sheet::count_column("n", lines.iter().map(|line| (line.3.n > 0).then_some(line.3.n as u64))),
        ])
    }

    /// Both tables in Markdown, and why there are two.
    pub fn markdown(&self, digits: usize) -> String {
        let [printed, comparable] = self.grids(digits);
        let mut text = format!("## As printed\n\n{}\n## On comparable columns only\n\n", terminal::markdown(&printed));
        text += &terminal::markdown(&comparable);
        text += &format!("\n{}\n", self.note());
        if !self.left_out.is_empty() {
            text += "\n";
        }
        for column in &self.left_out {
            text += &format!("- {}\n", column.reason());
        }
        text
    }

    /// Both tables in LaTeX; the caption of the second says why.
    pub fn latex(&self, digits: usize, frame: &latex::Frame) -> String {
        let [printed, comparable] = self.grids(digits);
        let named = |what: &str, label: &str| latex::Frame {
            caption: format!("{} {what}", frame.caption).trim().to_owned(),
            label: if frame.label.is_empty() { String::new() } else { format!("{}{label}", frame.label) },
        };
        let reasons: Vec<String> = self.left_out.iter().map(LeftOut::reason).collect();
        let why = format!("On comparable columns only. {} {}", self.note(), reasons.join(". "));
        let tables = [
            latex::table(&printed, &named("As printed", "-printed")),
            latex::table(&comparable, &named(why.trim(), "-comparable")),
        ];
        tables.join("\n")
    }

    /// Where each of our rows stands by its average, in both tables.
    pub fn lines(&self) -> Vec<String> {
        let rank = |table: &Table, at: usize| {
            let averages: Vec<Option<f64>> =
                table.rows.iter().map(|row| Some(row.cells.last()?.as_ref()?.summary.mean)).collect();
            let own = averages[at]?;
            let (better, all) = (averages.iter().flatten().filter(|other| **other > own), averages.iter().flatten());
            Some(format!("{} of {}", better.count() + 1, all.count()))
        };
        let ours = self.printed.rows.iter().enumerate().filter(|(_, row)| row.key[0] == OURS);
        ours.filter_map(|(at, row)| {
            let columns = self.comparable.columns.len() - 1;
            let comparable = format!("{} on the {columns} comparable columns", rank(&self.comparable, at)?);
            let name = shown(&row.key[1]);
            Some(match rank(&self.printed, at) {
                Some(printed) => format!("{name} is {printed} as printed and {comparable}"),
                None => format!("{name} is {comparable}"),
            })
        })
        .collect()
    }

    fn note(&self) -> &'static str {
        if self.left_out.is_empty() {
            return "All columns compare: every row has them, in one metric.";
        }
        "Left out are columns that some row lacks or has in another metric. Numbers in different metrics do not compare: \
         a constant answer has the accuracy of the most frequent label, but a correlation of 0."
    }

    /// Nothing is best in a column that does not compare, and no average over such a column is.
    fn grids(&self, digits: usize) -> [Grid; 2] {
        let mut printed = Grid::of(&self.printed, digits);
        let unlike = |at: usize, value: &str| {
            self.left_out.iter().any(|column| column.task == value)
                || at + 1 == self.printed.columns.len() && !self.left_out.is_empty()
        };
        for row in &mut printed.rows {
            for (at, cell) in row.cells.iter_mut().enumerate() {
                if let Some(cell) = cell
                    && unlike(at, &self.printed.columns[at].value)
                {
                    cell.best = false;
                }
            }
        }
        [printed, Grid::of(&self.comparable, digits)]
    }
}

const OURS: &str = "ours";
const PUBLISHED: &str = "published";

impl LeftOut {
    /// Which rows are in which metric.
    fn reason(&self) -> String {
        let parts: Vec<String> = self
            .rows
            .iter()
            .map(|(metric, rows)| {
                let what = if metric.is_empty() { "no number".to_owned() } else { shown(metric) };
                let rows: Vec<String> = rows.iter().map(|row| shown(row)).collect();
                format!("{what} in {}", rows.join(", "))
            })
            .collect();
        format!("{}: {}", shown(&self.task), parts.join("; "))
    }
}

impl Entry {
    /// The mean over these columns, of a row of single numbers.
    fn average_over(&self, columns: &[&Column]) -> Option<Cell> {
        let numbers: Option<Vec<f64>> =
            columns.iter().map(|column| Some(self.numbers.get(&column.task)?.cell.summary.mean)).collect();
        Some(Cell { summary: Summary { mean: mean(&numbers?)?, sd: None, n: 0 }, examples: None })
    }
}

/// A column and what is in it.
struct Column {
    task: String,
    metric: String,
    rows: BTreeMap<String, Vec<String>>,
    compares: bool,
}

impl Column {
    fn of(task: &str, entries: &[Entry], alike: &[String]) -> Self {
        let mut rows: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for entry in entries {
            let metric = entry.numbers.get(task).map(|number| number.metric.clone()).unwrap_or_default();
            rows.entry(metric).or_default().push(entry.name.clone());
        }
        let metrics: Vec<&str> = rows.keys().filter(|metric| !metric.is_empty()).map(String::as_str).collect();
        let one = metrics.len() <= 1 || metrics.iter().all(|metric| alike.iter().any(|other| other == metric));
        let complete = entries.iter().all(|entry| entry.numbers.contains_key(task));
        Self { task: task.to_owned(), metric: metrics.join(" / "), compares: one && complete, rows }
    }
}

fn table(beside: &str, entries: &[Entry], columns: &[&Column], average: &dyn Fn(&Entry) -> Option<Cell>) -> Table {
    let metrics: BTreeSet<&str> = columns.iter().map(|column| column.metric.as_str()).collect();
    let of_average = if metrics.len() == 1 { columns[0].metric.clone() } else { super::layout::MIXED.to_owned() };
    let heads = columns.iter().map(|column| TableColumn { value: column.task.clone(), metric: column.metric.clone() });
    let row = |entry: &Entry| {
        let cells = columns.iter().map(|column| Some(entry.numbers.get(&column.task)?.cell.clone()));
        Row {
            key: vec![entry.source.to_owned(), entry.name.clone()],
            cells: cells.chain([average(entry)]).collect(),
            reference: false,
        }
    };
    Table {
        row_axes: vec!["source".to_owned(), beside.to_owned()],
        column_axis: TASK.to_owned(),
        columns: heads.chain([TableColumn { value: AVERAGE.to_owned(), metric: of_average }]).collect(),
        rows: entries.iter().map(row).collect(),
    }
}

/// The name under which a task is known already, or its own.
fn known(tasks: &mut Vec<String>, task: &str) -> String {
    match tasks.iter().find(|other| canonical(other) == canonical(task)) {
        Some(known) => known.clone(),
        None => {
            tasks.push(task.to_owned());
            task.to_owned()
        }
    }
}

fn published_entries(published: &Published, beside: &str, tasks: &mut Vec<String>) -> Result<Vec<Entry>, ReportError> {
    let column = published.column(beside).filter(|column| column != TASK).ok_or_else(|| {
        ReportError::layout(
            format!("`beside` names the column `{beside}`, but the published table has {}", quoted(&published.columns)),
            "name the column that tells its rows apart, such as `method`",
        )
    })?;
    let mut entries: Vec<Entry> = Vec::new();
    for PublishedRow { keys, metric, score } in &published.rows {
        let name = &keys[&column];
        let at = entries.iter().position(|entry| entry.name == *name).unwrap_or_else(|| {
            entries.push(Entry { source: PUBLISHED, name: name.clone(), numbers: BTreeMap::new(), average: None });
            entries.len() - 1
        });
        // Over how many runs is not known.
        let cell = Cell { summary: Summary { mean: *score, sd: None, n: 0 }, examples: None };
        let twice = if keys[TASK] == AVERAGE {
            entries[at].average.replace(cell).is_some()
        } else {
            let task = known(tasks, &keys[TASK]);
            entries[at].numbers.insert(task, Number { metric: metric.clone(), cell }).is_some()
        };
        if twice {
            return Err(ReportError::layout(
                format!("the published table has two rows for `{name}` and `{}`", keys[TASK]),
                format!("choose with `where` among {}", quoted(&published.columns)),
            ));
        }
    }
    Ok(entries)
}

fn our_entries(ours: &OurTable, tasks: &mut Vec<String>) -> Result<Vec<Entry>, ReportError> {
    if ours.layout.columns.as_deref() != Some(TASK) {
        return Err(ReportError::layout(
            "the columns of our table are not tasks",
            "read an `aggregate` stage with `columns: task`",
        ));
    }
    let table = Table::build(&ours.results, &ours.layout)?;
    let places: Vec<String> = table.columns.iter().map(|column| known_task(tasks, &column.value)).collect();
    let entry = |row: &Row| {
        let (average, cells) = row.cells.split_last().map_or((None, &[][..]), |(last, rest)| (last.clone(), rest));
        let numbers = cells.iter().zip(&table.columns).zip(&places).filter_map(|((cell, column), task)| {
            Some((task.clone(), Number { metric: column.metric.clone(), cell: cell.clone()? }))
        });
        Entry { source: OURS, name: name_of(row), numbers: numbers.collect(), average }
    };
    Ok(table.rows.iter().map(entry).collect())
}

fn known_task(tasks: &mut Vec<String>, task: &str) -> String {
    if task == AVERAGE { AVERAGE.to_owned() } else { known(tasks, task) }
}

fn name_of(row: &Row) -> String {
    if row.key.is_empty() { OURS.to_owned() } else { row.key.join(", ") }
}

/// The averages of our rows over these columns, by the rows' names: run by run, so that they have a deviation.
fn averages(ours: &[OurTable], columns: &[&Column]) -> Result<BTreeMap<String, Option<Cell>>, ReportError> {
    let mut averages = BTreeMap::new();
    if columns.is_empty() {
        return Ok(averages);
    }
    for OurTable { results, layout } in ours {
        let mut narrowed = results.clone();
        let fits = |task: &str| columns.iter().any(|column| canonical(&column.task) == canonical(task));
        narrowed.scores.retain(|score| fits(&score.task));
        let mut layout = layout.clone();
        layout.metrics.retain(|task, _| fits(task));
        for row in Table::build(&narrowed, &layout)?.rows {
            averages.insert(name_of(&row), row.cells.last().cloned().flatten());
        }
    }
    Ok(averages)
}

#[cfg(test)]
mod tests;
