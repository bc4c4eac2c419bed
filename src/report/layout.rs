//! Which scores stand where in a table, and which metric each task is shown in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::frame::{Results, Score};
use super::{PROMPT, ReportError, TASK, canonical, quoted};
use crate::base::{files, suggest};
use crate::metric;

/// The file beside `results.csv` that holds the layout of the table made from it.
pub const FILE: &str = "layout.json";

/// How the metric of an average over tasks in different metrics is called.
pub const MIXED: &str = "mixed";

/// Which scores stand where.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Layout {
    /// Axes whose values make a row.
    pub rows: Vec<String>,
    /// The axis whose values are the columns; [`TASK`] adds an average over them. None: the average over tasks is the one
    /// column.
    pub columns: Option<String>,
    /// Axes that are averaged over.
    pub mean_over: Vec<String>,
    /// The metric of the cells.
    pub metric: String,
    /// Task -> its metric, where that is another one.
    pub metrics: BTreeMap<String, String>,
    /// `learned` or `untrained`, unless [`PROMPT`] is an axis of the table.
    pub prompt: String,
    /// Axis -> values whose rows are shown for reference and never the best.
    pub references: BTreeMap<String, Vec<String>>,
}

impl Layout {
    /// The axes of [`Self::mean_over`] that tell runs apart: all but the task, whose mean is taken within a run.
    pub fn run_axes(&self) -> Vec<String> {
        self.mean_over.iter().filter(|axis| *axis != TASK).cloned().collect()
    }

    /// Whether a cell averages over tasks.
    pub fn over_tasks(&self) -> bool {
        self.columns.is_none() || self.mean_over.iter().any(|axis| axis == TASK)
    }

    /// Axes of the rows, then that of the columns.
    pub fn axes(&self) -> impl Iterator<Item = &String> {
        self.rows.iter().chain(&self.columns)
    }

    /// The metric that a task is shown in, as `scores.csv` spells it.
    pub fn metric_of(&self, task: &str) -> &str {
        let own = self.metrics.iter().find(|(name, _)| canonical(name) == canonical(task));
        own.map_or(&self.metric, |(_, metric)| metric)
    }

    /// What the metric of a score is: behind `score`, the one that it stands for.
    pub fn shown_metric<'a>(&'a self, score: &'a Score) -> &'a str {
        if score.of.is_empty() { &score.metric } else { &score.of }
    }

    /// What an average over tasks in these metrics is in.
    pub fn common_metric(&self, metrics: &BTreeSet<&str>) -> String {
        match metrics.first() {
            Some(only) if metrics.len() == 1 => (*only).to_owned(),
            // The paper averages what it reports for each task, whatever that is.
            _ if self.metric == metric::SCORE && self.metrics.is_empty() => metric::SCORE.to_owned(),
            _ => MIXED.to_owned(),
        }
    }

    /// Whether the table's row with these values is there for reference only.
    pub fn is_reference(&self, key: &[String]) -> bool {
        self.rows.iter().zip(key).any(|(axis, value)| {
            self.references
                .get(axis)
                .is_some_and(|values| values.iter().any(|other| canonical(other) == canonical(value)))
        })
    }

    /// The scores that the table shows: of the prompts it is about, and of each task those in its metric.
    ///
    /// # Errors
    /// An axis or a task that the scores do not have; scores without the metric of their task; one column in two metrics.
    pub fn select<'r>(&self, results: &'r Results) -> Result<Vec<&'r Score>, ReportError> {
        self.check_axes(results)?;
        let of_prompt = self.of_prompt(results)?;
        self.check_tasks(&of_prompt)?;
        let scores: Vec<&Score> =
            of_prompt.iter().copied().filter(|score| score.metric == self.metric_of(&score.task)).collect();
        if scores.is_empty() && self.metrics.is_empty() {
            let metrics: BTreeSet<&String> = of_prompt.iter().map(|score| &score.metric).collect();
            return Err(ReportError::layout(
                format!(
                    "no score of `{}` prompts has the metric `{}`; there are {}",
                    self.prompt,
                    self.metric,
                    quoted(&metrics)
                ),
                format!("name one of these in `metric`; `{}` is the one that the paper reports", metric::SCORE),
            ));
        }
        let has: BTreeSet<_> = scores.iter().map(|score| (&score.source, &score.task, &score.prompt)).collect();
        if let Some(score) = of_prompt.iter().find(|score| !has.contains(&(&score.source, &score.task, &score.prompt)))
        {
            return Err(self.no_metric(score, &of_prompt));
        }
        self.check_columns(&scores)?;
        Ok(scores)
    }

    fn of_prompt<'r>(&self, results: &'r Results) -> Result<Vec<&'r Score>, ReportError> {
        if self.axes().any(|axis| axis == PROMPT) {
            return Ok(results.scores.iter().collect());
        }
        let scores: Vec<&Score> = results.scores.iter().filter(|score| score.prompt == self.prompt).collect();
        if !scores.is_empty() {
            return Ok(scores);
        }
        let prompts: BTreeSet<&String> = results.scores.iter().map(|score| &score.prompt).collect();
        Err(ReportError::layout(
            format!("no score is of `{}` prompts; there are scores of {}", self.prompt, quoted(prompts)),
            "set `prompt` to one that was evaluated, or `untrained: true` in the `evaluate` stage",
        ))
    }

    /// A score's source lacks the metric of the score's task.
    fn no_metric(&self, score: &Score, scores: &[&Score]) -> ReportError {
        let beside = scores.iter().filter(|other| (&other.source, &other.task) == (&score.source, &score.task));
        let there: BTreeSet<&str> = beside.map(|other| other.metric.as_str()).collect();
        let wanted = self.metric_of(&score.task);
        let instead = there.iter().find(|metric| **metric != metric::SCORE).copied().unwrap_or(metric::SCORE);
        ReportError::layout(
            format!("`{}` has no `{wanted}` of the task `{}`; it has {}", score.source, score.task, quoted(&there)),
            format!(
                "choose one of these for the task, such as `metrics: {{ {task}: {instead} }}`, or add `{wanted}` to `metrics` in \
                 the task's data set file",
                task = score.task
            ),
        )
    }

    fn check_tasks(&self, scores: &[&Score]) -> Result<(), ReportError> {
        let tasks: BTreeSet<&str> = scores.iter().map(|score| score.task.as_str()).collect();
        let known = |name: &String| tasks.iter().any(|task| canonical(task) == canonical(name));
        let Some(task) = self.metrics.keys().find(|name| !known(name)) else { return Ok(()) };
        Err(ReportError::layout(
            format!("`metrics` names the task `{task}`, but the scores are of {}", quoted(&tasks)),
            match suggest::nearest(task, tasks.iter().copied()) {
                Some(name) => format!("did you mean `{name}`?"),
                None => "name a task that is evaluated".to_owned(),
            },
        ))
    }

    fn check_axes(&self, results: &Results) -> Result<(), ReportError> {
        let known: Vec<&str> = results.axes.iter().map(String::as_str).chain([TASK]).collect();
        let rows = self.rows.iter().chain(self.references.keys()).map(|axis| ("rows", axis));
        let columns = self.columns.iter().map(|axis| ("columns", axis));
        for (parameter, axis) in rows.chain(columns).chain(self.mean_over.iter().map(|axis| ("mean_over", axis))) {
            if known.contains(&axis.as_str()) || axis == PROMPT {
                continue;
            }
            let hint = match suggest::nearest(axis, known.iter().copied()) {
                Some(name) => format!("did you mean `{name}`?"),
                None => "name an axis of the stages that `from` names".to_owned(),
            };
            let message = format!("`{parameter}` names the axis `{axis}`, but the scores have {}", quoted(&known));
            return Err(ReportError::layout(message, hint));
        }
        Ok(())
    }

    /// Numbers of one column are compared with each other; so they are in one metric, task by task where a cell averages
    /// over tasks.
    fn check_columns(&self, scores: &[&Score]) -> Result<(), ReportError> {
        let by_task = self.over_tasks() || self.columns.as_deref() == Some(TASK);
        let mut first: BTreeMap<(&str, &str), &Score> = BTreeMap::new();
        for score in scores {
            let column = self.columns.as_deref().map_or("", |axis| score.axis(axis));
            let other = first.entry((column, if by_task { &score.task } else { "" })).or_insert(score);
            let (one, two) = (self.shown_metric(other), self.shown_metric(score));
            if one == two {
                continue;
            }
            let place = match &self.columns {
                Some(axis) if axis != TASK => format!("the column {axis}={column}"),
                _ => format!("the task `{}`", score.task),
            };
            let hint = if other.task == score.task {
                format!("choose one that both have: `metrics: {{ {}: {one} }}`", score.task)
            } else {
                "put `task` in `columns`, or choose with `metric` one that all tasks have".to_owned()
            };
            return Err(ReportError::layout(
                format!("{place} would mix `{one}` (`{}`) and `{two}` (`{}`)", other.source, score.source),
                hint,
            ));
        }
        Ok(())
    }

    /// Writes [`FILE`] into a folder.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn write(&self, folder: &Path) -> Result<(), ReportError> {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        Ok(files::write_atomically(&folder.join(FILE), text.as_bytes())?)
    }

    /// Reads [`FILE`] from a folder.
    ///
    /// # Errors
    /// The file is not there or not a layout.
    pub fn read(folder: &Path) -> Result<Self, ReportError> {
        let path = folder.join(FILE);
        serde_json::from_str(&fs_err::read_to_string(&path)?).map_err(|error| {
            ReportError::file(&path, Some(error.line()), format!("this is not a table's layout: {error}"))
        })
    }
}
