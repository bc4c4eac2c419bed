//! Our table beside a published one: who has a partner, how far apart, and whether that is more than noise.
//!
//! **Noise.** A difference is within noise when it is at most twice its standard error, `sqrt(ours² + published²)`.
//! The published error is not known; an accuracy p over n examples has `sqrt(p (100 - p) / n)` (METHODS 3.1: n = 100,
//! so 3 to 5 points), a correlation r about `(1 - r²) / sqrt(n - 1)`. Runs of the paper share their test examples, so more
//! runs do not make it smaller. Ours is put together from the deviation over runs (`sd / sqrt(n)`) and the same
//! formula for our own test examples. The error of an average over tasks is that of a mean of independent tasks. For
//! other metrics nothing is said. Averages over different tasks stand side by side without a difference, and so do numbers
//! in different metrics.

use std::collections::{BTreeMap, BTreeSet};

use super::noise::sampling;
use super::published::{Published, PublishedRow};
use super::statistics::Summary;
use super::table::Table;
use super::{AVERAGE, ReportError, TASK, canonical, quoted};

mod shown;

/// One of our cells, with all that names it.
#[derive(Clone, Debug, PartialEq)]
pub struct Ours {
    /// The values of the row axes, the column axis (`task`) and the table's own coordinates.
    pub keys: BTreeMap<String, String>,
    /// The metric.
    pub metric: String,
    /// Mean, deviation and count of runs.
    pub summary: Option<Summary>,
    /// Over how many examples.
    pub examples: Option<u64>,
}

/// Cells of a table, with its names in order. A table without tasks among its axes is of averages.
pub fn cells_of(table: &Table, coordinates: &BTreeMap<String, String>) -> (Vec<String>, Vec<Ours>) {
    let mut names: Vec<String> = coordinates.keys().cloned().collect();
    names.extend(table.row_axes.iter().chain([&table.column_axis]).cloned());
    let without_task = !names.iter().any(|name| name == TASK);
    if without_task {
        names.push(TASK.to_owned());
    }
    // A row axis that is a coordinate too has one value and stands once.
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    let mut cells = Vec::new();
    for row in &table.rows {
        for (column, cell) in table.columns.iter().zip(&row.cells) {
            let mut keys = coordinates.clone();
            keys.extend(table.row_axes.iter().cloned().zip(row.key.iter().cloned()));
            keys.insert(table.column_axis.clone(), column.value.clone());
            if without_task {
                keys.insert(TASK.to_owned(), AVERAGE.to_owned());
            }
            cells.push(Ours {
                keys,
                metric: column.metric.clone(),
                summary: cell.as_ref().map(|cell| cell.summary),
                examples: cell.as_ref().and_then(|cell| cell.examples),
            });
        }
    }
    (names, cells)
}

/// One line of the comparison; a side without partner is none.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The values of [`Comparison::names`].
    pub keys: Vec<String>,
    /// Our metric; empty without our side.
    pub metric: String,
    /// The metric of the published number; empty where it does not say.
    pub published_metric: String,
    /// The published number.
    pub published: Option<f64>,
    /// Ours.
    pub ours: Option<Summary>,
    /// Ours less published; none of numbers that do not compare.
    pub difference: Option<f64>,
    /// The standard error of the difference, where it is known.
    pub error: Option<f64>,
    /// Whether the difference is at most twice its standard error; none where that is not known.
    pub within_noise: Option<bool>,
}

/// Both tables joined.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Names of the keys, the task last.
    pub names: Vec<String>,
    /// Ours in their order, then published rows that nobody has.
    pub lines: Vec<Line>,
}

/// How to join.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Join {
    /// Our name -> the published column; names that are not here go with the column of the same name.
    pub keys: BTreeMap<String, String>,
    /// Over how many examples a published number was taken.
    pub published_examples: u64,
    /// Metrics that count as one.
    pub alike: Vec<String>,
}

impl Comparison {
    /// Joins on the keys that both sides have. Several of our cells may share a published number.
    ///
    /// # Errors
    /// `keys` names what is not there; two published rows answer to one key.
    pub fn of(names: &[String], ours: &[Ours], published: &Published, join: &Join) -> Result<Self, ReportError> {
        let shared = shared(names, published, join)?;
        let key_of = |value: &dyn Fn(&str, &str) -> String| -> Vec<String> {
            shared.iter().map(|(our, their)| canonical(&value(our, their))).collect()
        };
        let mut theirs: BTreeMap<Vec<String>, &PublishedRow> = BTreeMap::new();
        for row in &published.rows {
            if let Some(other) = theirs.insert(key_of(&|_, their| row.keys[their].clone()), row) {
                return Err(ambiguous(row, other, published));
            }
        }
        let mut order: Vec<String> = names.iter().filter(|name| *name != TASK).cloned().collect();
        order.push(TASK.to_owned());
        let mut errors: Vec<Option<Errors>> = Vec::new();
        let mut joined: Vec<Vec<String>> = Vec::new();
        let mut lines = Vec::new();
        for cell in ours {
            let key = key_of(&|our, _| cell.keys.get(our).cloned().unwrap_or_default());
            let partner = theirs.get(&key).copied();
            joined.push(key);
            errors.push(Errors::of(cell, partner, join.published_examples));
            lines.push(Line {
                keys: order.iter().map(|name| cell.keys.get(name).cloned().unwrap_or_default()).collect(),
                metric: cell.metric.clone(),
                published_metric: partner.map(|row| row.metric.clone()).unwrap_or_default(),
                published: partner.map(|row| row.score),
                ours: cell.summary,
                difference: partner
                    .filter(|row| row.is_comparable(&cell.metric, &join.alike))
                    .zip(cell.summary)
                    .map(|(row, ours)| ours.mean - row.score),
                error: None,
                within_noise: None,
            });
        }
        if let Some(task) = shared.iter().position(|(our, _)| our == TASK) {
            drop_unlike_averages(&mut lines, &joined, &theirs, task);
        }
        judge(&mut lines, &errors);
        let used: BTreeSet<&Vec<String>> = joined.iter().collect();
        let alone = published.rows.iter().filter(|row| !used.contains(&key_of(&|_, their| row.keys[their].clone())));
        lines.extend(alone.map(|row| {
            Line {
                keys: order
                    .iter()
                    .map(|name| {
                        shared.iter().find(|(our, _)| our == name).map_or("", |(_, their)| &row.keys[their]).into()
                    })
                    .collect(),
                metric: String::new(),
                published_metric: row.metric.clone(),
                published: Some(row.score),
                ours: None,
                difference: None,
                error: None,
                within_noise: None,
            }
        }));
        Ok(Self { names: order, lines })
    }
}

impl Line {
    /// Our metric, or the published one where there is nothing of ours.
    pub fn known_metric(&self) -> &String {
        if self.ours.is_none() && self.published.is_some() { &self.published_metric } else { &self.metric }
    }

    /// Where the difference may lie: two standard errors to both sides.
    pub fn interval(&self) -> Option<(f64, f64)> {
        let (difference, error) = (self.difference?, self.error?);
        Some((difference - 2.0 * error, difference + 2.0 * error))
    }
}

/// The keys of a line without its task.
fn group(line: &Line) -> &[String] {
    line.keys.split_last().map_or(&[], |(_, rest)| rest)
}

fn is_average(line: &Line) -> bool {
    line.keys.last().is_some_and(|task| task == AVERAGE)
}

/// An average over other tasks than the published one is not comparable: its difference is taken away. `joined` has the
/// joined key of each of our lines, `theirs` those of the published rows, `task` the place of the task in them.
fn drop_unlike_averages(
    lines: &mut [Line],
    joined: &[Vec<String>],
    theirs: &BTreeMap<Vec<String>, &PublishedRow>,
    task: usize,
) {
    for at in (0..lines.len()).filter(|&at| is_average(&lines[at])).collect::<Vec<_>>() {
        let published = theirs.keys().filter(|key| {
            key[task] != AVERAGE
                && key.iter().zip(&joined[at]).enumerate().all(|(place, (a, b))| place == task || a == b)
        });
        let published = published.count();
        let ours: Vec<bool> = lines
            .iter()
            .filter(|line| !is_average(line) && group(line) == group(&lines[at]))
            .map(|line| line.difference.is_some())
            .collect();
        let partners = ours.iter().filter(|partner| **partner).count();
        // Without tasks on one of the sides there is nothing to go by.
        if published > 0 && !ours.is_empty() && (partners < ours.len() || partners < published) {
            lines[at].difference = None;
        }
    }
}

/// Our names with their published columns.
fn shared(names: &[String], published: &Published, join: &Join) -> Result<Vec<(String, String)>, ReportError> {
    for (our, their) in &join.keys {
        if !names.contains(our) {
            let message = format!("`keys` names `{our}`, but the table has {}", quoted(names));
            return Err(ReportError::layout(message, "write `keys` as our name: published column"));
        }
        if published.column(their).is_none() {
            let message =
                format!("`keys` names the published column `{their}`, but there are {}", quoted(&published.columns));
            return Err(ReportError::layout(message, "write `keys` as our name: published column"));
        }
    }
    Ok(names
        .iter()
        .filter_map(|our| {
            let wanted = join.keys.get(our).unwrap_or(our);
            Some((our.clone(), published.column(wanted)?))
        })
        .collect())
}

fn ambiguous(row: &PublishedRow, other: &PublishedRow, published: &Published) -> ReportError {
    let differing: Vec<&String> =
        published.columns.iter().filter(|name| row.keys[*name] != other.keys[*name]).collect();
    let Some(first) = differing.first() else {
        let place: Vec<String> = row.keys.iter().map(|(name, value)| format!("{name}={value}")).collect();
        return ReportError::layout(
            format!("the published table has two rows for {}", place.join(" ")),
            "remove one of them",
        );
    };
    ReportError::layout(
        format!("several published rows answer to one cell; they differ in {}", quoted(&differing)),
        format!(
            "choose with `where: {{ {first}: {value} }}` (`--where {first}={value}`), or say which of our axes it is with `keys` \
             (`--key`)",
            value = other.keys[*first]
        ),
    )
}

/// Squared standard errors, in squared points.
#[derive(Clone, Copy, Debug)]
struct Errors {
    published: f64,
    /// From our test examples.
    examples: f64,
    /// From our runs.
    runs: f64,
}

impl Errors {
    fn of(cell: &Ours, partner: Option<&PublishedRow>, published_examples: u64) -> Option<Self> {
        let ours = cell.summary?;
        Some(Self {
            published: sampling(&cell.metric, partner?.score, published_examples)?,
            examples: sampling(&cell.metric, ours.mean, cell.examples?)?,
            runs: ours.standard_error().map_or(0.0, |error| error * error),
        })
    }
}

/// Fills in whether differences are within noise; averages take the errors of the tasks that go into them.
fn judge(lines: &mut [Line], errors: &[Option<Errors>]) {
    for at in 0..lines.len() {
        let variance = if is_average(&lines[at]) {
            let of_tasks: Option<Vec<Errors>> = lines
                .iter()
                .zip(errors)
                .filter(|(line, _)| !is_average(line) && group(line) == group(&lines[at]))
                .map(|(_, errors)| *errors)
                .collect();
            of_tasks.filter(|tasks| !tasks.is_empty()).map(|tasks| {
                let sampling: f64 = tasks.iter().map(|errors| errors.published + errors.examples).sum();
                let runs = lines[at].ours.and_then(|ours| ours.standard_error()).unwrap_or_default();
                sampling / (tasks.len() * tasks.len()) as f64 + runs * runs
            })
        } else {
            errors[at].map(|errors| errors.published + errors.examples + errors.runs)
        };
        lines[at].error = variance.filter(|_| lines[at].difference.is_some()).map(f64::sqrt);
        lines[at].within_noise =
            lines[at].difference.zip(lines[at].error).map(|(difference, error)| difference.abs() <= 2.0 * error);
    }
}

#[cfg(test)]
mod tests;
