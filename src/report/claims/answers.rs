//! Every answer that the claims are about: one cell for each evaluation of a task, example by example.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::scored::{Answer, Scored};
use crate::metric;
use crate::report::frame::{Labelled, Source};
use crate::report::sheet::Sheet;
use crate::report::{ReportError, TASK, canonical, quoted};

/// Coordinates that stand in the files of an evaluation and not in the pipeline, and what a term means that names none.
pub const DEFAULTS: [(&str, &str); 3] = [("prompt", "learned"), ("part", "total"), ("weights", "renormalised")];

/// One evaluation of one task.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Its value on every axis that it has, the task among them.
    pub coordinates: BTreeMap<String, String>,
    /// Which task, among those of [`Answers`].
    pub task: usize,
    /// What was answered.
    pub scored: Scored,
    /// Who made it, for messages.
    pub source: String,
}

impl Cell {
    /// Its value on an axis.
    pub fn on(&self, axis: &str) -> Option<&str> {
        self.coordinates.get(axis).map(String::as_str)
    }
}

/// One task.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// Count of its test examples, over all cells.
    pub examples: usize,
    /// What always answering the most frequent gold text would score; `None` where that is 0, as for correlations.
    pub constant: Option<Scored>,
}

/// All cells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers {
    /// Every axis that some cell has, in alphabetical order.
    pub axes: Vec<String>,
    /// The tasks in the order in which they first occur.
    pub tasks: Vec<Task>,
    /// The cells in the order in which they were read.
    pub cells: Vec<Cell>,
}

/// A cell as it was read.
struct Read {
    coordinates: BTreeMap<String, String>,
    metric: String,
    /// The task's labels, in its order; none for a regression.
    labels: Vec<String>,
    /// Example, gold text, predicted text.
    answers: Vec<(String, String, String)>,
    source: String,
}

impl Answers {
    /// Reads `predictions.csv` and `scores.csv` of every evaluation.
    ///
    /// # Errors
    /// A file can't be read or lacks a column; two evaluations say different things about the same coordinates, or score
    /// a task by different metrics or labels.
    pub fn read(evaluations: &[Labelled]) -> Result<Self, ReportError> {
        let mut all = Vec::new();
        for evaluation in evaluations {
            read_evaluation(evaluation, &mut all)?;
        }
        // An evaluation that knows nothing of parts is one of the whole prompt.
        for (axis, default) in DEFAULTS {
            if all.iter().any(|read| read.coordinates.contains_key(axis)) {
                for read in &mut all {
                    read.coordinates.entry(axis.to_owned()).or_insert_with(|| default.to_owned());
                }
            }
        }
        Self::index(all)
    }

    fn index(all: Vec<Read>) -> Result<Self, ReportError> {
        let mut answers = Self::default();
        let axes: BTreeSet<&String> = all.iter().flat_map(|read| read.coordinates.keys()).collect();
        answers.axes = axes.into_iter().cloned().collect();
        let mut tasks: Vec<Examples> = Vec::new();
        for read in &all {
            let name = &read.coordinates[TASK];
            let at = tasks.iter().position(|task| task.name == *name).unwrap_or_else(|| {
                tasks.push(Examples::new(name, read));
                tasks.len() - 1
            });
            tasks[at].add(read)?;
        }
        for task in &mut tasks {
            task.number();
        }
        let mut seen: HashMap<BTreeMap<String, String>, usize> = HashMap::new();
        for read in all {
            let task = tasks.iter().position(|task| task.name == read.coordinates[TASK]).unwrap_or_default();
            let scored = tasks[task].scored(&tasks[task].answers(&read))?;
            let cell = Cell { coordinates: read.coordinates, task, scored, source: read.source };
            match seen.get(&cell.coordinates) {
                None => {
                    seen.insert(cell.coordinates.clone(), answers.cells.len());
                    answers.cells.push(cell);
                }
                Some(&other) if answers.cells[other].scored == cell.scored => {}
                Some(&other) => {
                    return Err(ReportError::layout(
                        format!(
                            "`{}` and `{}` have the same axis values, but other answers on the task `{}`",
                            answers.cells[other].source, cell.source, tasks[task].name
                        ),
                        "give one of the stages an axis that tells them apart, for example `matrix: { variant: [a] }`",
                    ));
                }
            }
        }
        answers.tasks = tasks.iter().map(Examples::task).collect::<Result<_, _>>()?;
        Ok(answers)
    }

    /// The values that an axis has, in the order in which they first occur.
    pub fn values(&self, axis: &str) -> Vec<&str> {
        let mut values: Vec<&str> = Vec::new();
        for value in self.cells.iter().filter_map(|cell| cell.on(axis)) {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        values
    }
}

/// The test examples of one task.
struct Examples {
    name: String,
    metric: String,
    labels: Vec<String>,
    /// Who named the metric, for messages.
    source: String,
    /// Example -> its gold text and its number. Numbered in the order of the ids, whatever order the cells have.
    known: BTreeMap<String, (String, u32)>,
}

impl Examples {
    fn new(name: &str, first: &Read) -> Self {
        let (metric, labels, source) = (first.metric.clone(), first.labels.clone(), first.source.clone());
        Self { name: name.to_owned(), metric, labels, source, known: BTreeMap::new() }
    }

    fn add(&mut self, read: &Read) -> Result<(), ReportError> {
        let labels = (self.labels.join(", "), read.labels.join(", "));
        let told = [("scored by", &self.metric, &read.metric), ("labelled", &labels.0, &labels.1)];
        if let Some((how, known, other)) = told.into_iter().find(|(_, known, other)| known != other) {
            return Err(ReportError::layout(
                format!(
                    "the task `{}` is {how} `{known}` in `{}`, but `{other}` in `{}`",
                    self.name, self.source, read.source
                ),
                "let all evaluations read texts of the same data, or name their task differently",
            ));
        }
        for (id, gold, _) in &read.answers {
            let (known, _) = self.known.entry(id.clone()).or_insert_with(|| (gold.clone(), 0));
            if known != gold {
                return Err(ReportError::layout(
                    format!(
                        "the example `{id}` of the task `{}` has the gold texts `{known}` and `{gold}`; the latter in `{}`",
                        self.name, read.source
                    ),
                    "let all evaluations read texts of the same data, or name their task differently",
                ));
            }
        }
        Ok(())
    }

    fn number(&mut self) {
        for (number, (_, place)) in self.known.values_mut().enumerate() {
            *place = number as u32;
        }
    }

    fn answers(&self, read: &Read) -> Vec<Answer> {
        let answer = |(id, gold, predicted): &(String, String, String)| Answer {
            example: self.known.get(id).map_or(0, |(_, number)| *number),
            gold: gold.clone(),
            predicted: predicted.clone(),
        };
        read.answers.iter().map(answer).collect()
    }

    fn scored(&self, answers: &[Answer]) -> Result<Scored, ReportError> {
        let scored = Scored::new(&self.metric, &self.labels, answers).map_err(|error| {
            ReportError::layout(
                format!("the task `{}`: {error}", self.name),
                "evaluate it again with the labels that it has",
            )
        })?;
        scored.ok_or_else(|| {
            ReportError::layout(
                format!("the task `{}` is scored by `{}`", self.name, self.metric),
                format!("claims can be checked on tasks that are scored by {}", quoted(Scored::METRICS)),
            )
        })
    }

    fn task(&self) -> Result<Task, ReportError> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (gold, _) in self.known.values() {
            *counts.entry(gold.trim()).or_default() += 1;
        }
        // Of equally frequent ones the first in alphabetical order: `max_by_key` returns the last of equals.
        let most = counts.iter().rev().max_by_key(|(_, count)| **count).map_or("", |(gold, _)| *gold);
        let answer = |(gold, number): &(String, u32)| Answer {
            example: *number,
            gold: gold.clone(),
            predicted: most.to_owned(),
        };
        let constant = match self.metric.as_str() {
            "accuracy" | "f1" => Some(self.scored(&self.known.values().map(answer).collect::<Vec<_>>())?),
            _ => None,
        };
        Ok(Task { name: self.name.clone(), examples: self.known.len(), constant })
    }
}

fn read_evaluation(Labelled { source, labels }: &Labelled, all: &mut Vec<Read>) -> Result<(), ReportError> {
    let metrics = read_metrics(source)?;
    let sheet = Sheet::read(&source.files.file("predictions.csv"))?;
    let tasks = sheet.texts(TASK)?;
    let (ids, golds, predictions) = (sheet.texts("id")?, sheet.texts("gold")?, sheet.texts("predicted")?);
    let mut own = Vec::new();
    for (axis, _) in DEFAULTS {
        let Some(values) = sheet.optional_texts(axis)? else { continue };
        if source.coordinates.contains_key(axis) {
            return Err(ReportError::layout(
                format!("`{}` has an axis `{axis}`, which its `predictions.csv` has as a column", source.name),
                "give the axis another name",
            ));
        }
        own.push((axis, values));
    }
    let first = all.len();
    let mut places: HashMap<BTreeMap<String, String>, usize> = HashMap::new();
    for (row, task) in tasks.iter().enumerate() {
        if let Some(expected) = source.coordinates.get(TASK).filter(|expected| canonical(expected) != canonical(task)) {
            let message = format!("`{}` is about the task `{expected}`, but this answer is of `{task}`", source.name);
            return Err(sheet.fault(row, message));
        }
        let mut coordinates = source.coordinates.clone();
        coordinates.insert(TASK.to_owned(), task.clone());
        coordinates.extend(own.iter().map(|(axis, values)| ((*axis).to_owned(), values[row].clone())));
        let place = match places.get(&coordinates) {
            Some(place) => *place,
            None => {
                let metric = metrics.get(task).cloned().ok_or_else(|| {
                    sheet.fault(row, format!("`scores.csv` beside it has no `{}` of the task `{task}`", metric::SCORE))
                })?;
                places.insert(coordinates.clone(), all.len());
                let labels = labels.get(task).cloned().unwrap_or_default();
                all.push(Read { coordinates, metric, labels, answers: Vec::new(), source: source.name.clone() });
                all.len() - 1
            }
        };
        all[place].answers.push((ids[row].clone(), golds[row].clone(), predictions[row].clone()));
    }
    for read in &all[first..] {
        let ids: BTreeSet<&String> = read.answers.iter().map(|(id, _, _)| id).collect();
        if ids.len() < read.answers.len() {
            let message = format!("an example of the task `{}` is answered twice", read.coordinates[TASK]);
            return Err(ReportError::file(sheet.path(), None, message));
        }
    }
    Ok(())
}

/// Task -> the metric that its `score` is.
fn read_metrics(source: &Source) -> Result<BTreeMap<String, String>, ReportError> {
    let sheet = Sheet::read(&source.files.file("scores.csv"))?;
    let (tasks, metrics, of) = (sheet.texts(TASK)?, sheet.texts("metric")?, sheet.texts("of")?);
    let rows = tasks.into_iter().zip(metrics).zip(of);
    Ok(rows.filter(|((_, metric), _)| metric == metric::SCORE).map(|((task, _), of)| (task, of)).collect())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Cells by hand: axes as `method=spp seed=1 task=a`, then for each example whether it is answered right. The gold
    /// texts are `yes`, `no`, `yes`, `no`, ...
    pub(in crate::report::claims) fn answers(cells: &[(&str, &[bool])]) -> Answers {
        let read = |(axes, right): &(&str, &[bool])| Read {
            coordinates: axes
                .split_whitespace()
                .filter_map(|pair| pair.split_once('='))
                .map(|(axis, value)| (axis.to_owned(), value.to_owned()))
                .collect(),
            metric: "accuracy".to_owned(),
            labels: Vec::new(),
            answers: right
                .iter()
                .enumerate()
                .map(|(i, right)| {
                    let gold = if i % 2 == 0 { "yes" } else { "no" };
                    (format!("{i:04}"), gold.to_owned(), if *right { gold } else { "-" }.to_owned())
                })
                .collect(),
            source: (*axes).to_owned(),
        };
        Answers::index(cells.iter().map(read).collect()).unwrap()
    }

    fn source(
        folder: &std::path::Path,
        name: &str,
        axes: &[(&str, &str)],
        predictions: &str,
        scores: &str,
    ) -> Labelled {
        let folder = folder.join(name);
        fs_err::create_dir_all(&folder).unwrap();
        fs_err::write(folder.join("predictions.csv"), predictions).unwrap();
        fs_err::write(folder.join("scores.csv"), scores).unwrap();
        let coordinates = axes.iter().map(|(axis, value)| ((*axis).to_owned(), (*value).to_owned())).collect();
        let labels = [("rte".to_owned(), vec!["no".to_owned(), "yes".to_owned()])].into();
        Labelled { source: Source { name: name.to_owned(), coordinates, files: folder.into() }, labels }
    }

    const SCORES: &str =
        "task,prompt,metric,of,value,examples\nrte,learned,accuracy,,50,2\nrte,learned,score,accuracy,50,2\n";
    const PLAIN: &str = "task,prompt,id,source,gold,predicted,valid\n\
        rte,learned,b,\"two\nlines\",yes,yes,true\nrte,learned,a,x,no,,false\nrte,untrained,a,x,no,no,true\n";

    #[test]
    fn cells_of_files() {
        let folder = tempfile::tempdir().unwrap();
        let parts = "task,prompt,part,weights,id,source,gold,predicted,valid\n\
            rte,learned,private,kept,a,x,no,no,true\nrte,learned,private,kept,c,x,no,no,true\n";
        let sources = [
            source(folder.path(), "score", &[("task", "rte"), ("method", "pt")], PLAIN, SCORES),
            source(folder.path(), "parts", &[("method", "spp")], parts, SCORES),
        ];
        let answers = Answers::read(&sources).unwrap();
        assert_eq!(answers.axes, ["method", "part", "prompt", "task", "weights"]);
        assert_eq!(answers.values("part"), ["total", "private"]);
        let of = |cell: usize| match &answers.cells[cell].scored {
            Scored::Texts { asked, right } => (asked.clone(), right.clone()),
            other => panic!("{other:?}"),
        };
        // Examples are numbered by id: a, b, c.
        assert_eq!(of(0), (vec![1, 0], vec![1]));
        assert_eq!(of(1), (vec![0], vec![0]));
        assert_eq!(of(2), (vec![0, 2], vec![0, 2]));
        // Gold: no, yes, no.
        assert_eq!(answers.tasks[0].examples, 3);
        assert_eq!(answers.tasks[0].constant, Some(Scored::Texts { asked: vec![0, 1, 2], right: vec![0, 2] }));
    }

    #[test]
    fn chance_in_f1_and_matthews_correlation() {
        let folder = tempfile::tempdir().unwrap();
        let constant = |metric: &str| {
            let csv = SCORES.replace("score,accuracy", &format!("score,{metric}"));
            let answers = Answers::read(&[source(folder.path(), metric, &[], PLAIN, &csv)]).unwrap();
            answers.tasks[0].constant.as_ref().map(|constant| constant.score(&[1, 3]).unwrap())
        };
        // Gold: no, yes; as frequent, so that always `no` is answered. Of `yes`, the second label, nothing is found.
        assert_eq!((constant("accuracy"), constant("f1"), constant("matthews")), (Some(25.0), Some(0.0), None));
    }

    #[test]
    fn faults_of_files() {
        let folder = tempfile::tempdir().unwrap();
        let said = |sources: &[Labelled]| Answers::read(sources).unwrap_err().to_string();
        let plain = source(folder.path(), "score", &[("method", "pt")], PLAIN, SCORES);
        let twin = source(folder.path(), "twin", &[("method", "pt")], &PLAIN.replace("yes,yes", "yes,no"), SCORES);
        assert_eq!(Answers::read(&[plain.clone(), plain.clone()]).unwrap().cells.len(), 2);
        assert_eq!(
            said(&[plain.clone(), twin]),
            "`score` and `twin` have the same axis values, but other answers on the task `rte`"
        );
        let other = source(folder.path(), "other", &[("method", "spp")], &PLAIN.replace(",no,", ",maybe,"), SCORES);
        assert_eq!(
            said(&[plain.clone(), other]),
            "the example `a` of the task `rte` has the gold texts `no` and `maybe`; the latter in `other`"
        );
        let nll = source(folder.path(), "nll", &[], PLAIN, &SCORES.replace("score,accuracy", "score,nll"));
        assert_eq!(said(&[nll]), "the task `rte` is scored by `nll`");
        let f1 = source(folder.path(), "f1", &[("method", "x")], PLAIN, &SCORES.replace("score,accuracy", "score,f1"));
        assert_eq!(said(&[plain, f1]), "the task `rte` is scored by `accuracy` in `score`, but `f1` in `f1`");
        let axis = source(folder.path(), "axis", &[("prompt", "x")], PLAIN, SCORES);
        assert_eq!(said(&[axis]), "`axis` has an axis `prompt`, which its `predictions.csv` has as a column");
        let none = source(folder.path(), "none", &[], PLAIN, "task,prompt,metric,of,value,examples\n");
        assert!(said(&[none]).ends_with("line 2: `scores.csv` beside it has no `score` of the task `rte`"));
        let twice = source(folder.path(), "twice", &[], &PLAIN.replace("learned,b", "learned,a"), SCORES);
        assert!(said(&[twice]).ends_with("an example of the task `rte` is answered twice"));
    }
}
