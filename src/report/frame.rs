//! All scores that a table reads, tidy: one row per axis cell, task, prompt and metric.

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::DataFrame;

use super::sheet::{self, Sheet};
use super::{PROMPT, ReportError, TASK, canonical, quoted};
use crate::protocol::Files;

/// Columns that are not axes; a pipeline that names an axis so can't be told apart from them.
const COLUMNS: [&str; 5] = ["prompt", "metric", "of", "value", "examples"];

/// Columns that are coordinates too, where an operation scores parts of a prompt.
pub(super) const OWN_AXES: [&str; 2] = ["part", "weights"];

/// The results of one evaluation.
#[derive(Clone, Debug)]
pub struct Source {
    /// For messages.
    pub name: String,
    /// Its axis values.
    pub coordinates: BTreeMap<String, String>,
    /// Where its `scores.csv` is.
    pub files: Files,
}

/// An evaluation and the labels of its classification tasks.
#[derive(Clone, Debug)]
pub struct Labelled {
    /// Where its `predictions.csv` lies.
    pub source: Source,
    /// In the task's order.
    pub labels: BTreeMap<String, Vec<String>>,
}

/// One score.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Axis values, without the task.
    pub axes: BTreeMap<String, String>,
    /// The task.
    pub task: String,
    /// `learned` or `untrained`.
    pub prompt: String,
    /// The metric, `score` for the one that the paper reports.
    pub metric: String,
    /// Which metric `score` is; empty for the others.
    pub of: String,
    /// The value, in the metric's unit.
    pub value: f64,
    /// Over how many examples.
    pub examples: u64,
    /// Who made it, for messages.
    pub source: String,
}

impl Score {
    /// The value on an axis; empty where the score has no such axis.
    pub fn axis(&self, name: &str) -> &str {
        match name {
            TASK => &self.task,
            PROMPT => &self.prompt,
            name => self.axes.get(name).map_or("", String::as_str),
        }
    }

    /// The values on several axes.
    pub fn axis_values(&self, names: &[String]) -> Vec<String> {
        names.iter().map(|name| self.axis(name).to_owned()).collect()
    }
}

/// All scores.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Results {
    /// The axes that any score has, without the task, in alphabetical order.
    pub axes: Vec<String>,
    /// In the order in which the sources were given, and within a source in the order of its file.
    pub scores: Vec<Score>,
}

impl Results {
    /// Reads the `scores.csv` of every source.
    ///
    /// # Errors
    /// A file can't be read, lacks a column or a value; its task is not the one of the source's coordinates; an axis
    /// is named like a column.
    pub fn read(sources: &[Source]) -> Result<Self, ReportError> {
        let mut scores: Vec<Score> = Vec::new();
        for source in sources {
            read_source(source, &mut scores)?;
        }
        let given = sources.iter().flat_map(|source| source.coordinates.keys()).filter(|axis| *axis != TASK);
        let mut axes: BTreeSet<String> = given.cloned().collect();
        axes.extend(scores.iter().flat_map(|score| score.axes.keys()).cloned());
        let axes: Vec<String> = axes.into_iter().collect();
        if let Some(axis) = axes.iter().find(|axis| COLUMNS.contains(&axis.as_str())) {
            return Err(ReportError::layout(
                format!("the axis `{axis}` has the name of a column of `results.csv`"),
                format!("give the axis another name than {}", quoted(COLUMNS)),
            ));
        }
        Ok(Self { axes, scores })
    }

    /// The tidy frame: the axes, `task`, `prompt`, `metric`, `of`, `value`, `examples`.
    ///
    /// # Errors
    /// None on results that were read.
    pub fn frame(&self) -> Result<DataFrame, ReportError> {
        let texts = |name: &str, of: &dyn Fn(&Score) -> &str| {
            sheet::text_column(name, self.scores.iter().map(|score| of(score).to_owned()))
        };
        let mut columns: Vec<_> = self.axes.iter().map(|axis| texts(axis, &|score| score.axis(axis))).collect();
        columns.push(texts(TASK, &|score| &score.task));
        columns.push(texts("prompt", &|score| &score.prompt));
        columns.push(texts("metric", &|score| &score.metric));
        columns.push(texts("of", &|score| &score.of));
        columns.push(sheet::number_column("value", self.scores.iter().map(|score| Some(score.value))));
        columns.push(sheet::count_column("examples", self.scores.iter().map(|score| Some(score.examples))));
        sheet::frame(columns)
    }
}

fn read_source(source: &Source, scores: &mut Vec<Score>) -> Result<(), ReportError> {
    let sheet = Sheet::read(&source.files.file("scores.csv"))?;
    let tasks = sheet.texts(TASK)?;
    let prompts = sheet.texts("prompt")?;
    let metrics = sheet.texts("metric")?;
    let of = sheet.optional_texts("of")?;
    let values = sheet.numbers::<f64>("value")?;
    let examples = sheet.numbers::<u64>("examples")?;
    let own = own_axes(&sheet, source)?;
    let mut axes = source.coordinates.clone();
    let expected = axes.remove(TASK);
    for (row, task) in tasks.iter().enumerate() {
        if let Some(expected) = &expected
            && canonical(expected) != canonical(task)
        {
            return Err(sheet.fault(
                row,
                format!("`{}` is about the task `{expected}`, but this score is of `{task}`", source.name),
            ));
        }
        let missing = |column: &str| sheet.fault(row, format!("column `{column}`: the value is missing"));
        scores.push(Score {
            axes: own
                .iter()
                .map(|(name, values)| ((*name).to_owned(), values[row].clone()))
                .chain(axes.clone())
                .collect(),
            task: task.clone(),
            prompt: prompts[row].clone(),
            metric: metrics[row].clone(),
            of: of.as_ref().map(|of| of[row].clone()).unwrap_or_default(),
            value: values[row].ok_or_else(|| missing("value"))?,
            examples: examples[row].ok_or_else(|| missing("examples"))?,
            source: source.name.clone(),
        });
    }
    Ok(())
}

/// The coordinates that the rows of a file have of their own: a column's name, and its values.
///
/// # Errors
/// The source has an axis of the same name.
pub(super) fn own_axes(sheet: &Sheet, source: &Source) -> Result<Vec<(&'static str, Vec<String>)>, ReportError> {
    let mut own = Vec::new();
    for name in OWN_AXES {
        let Some(values) = sheet.optional_texts(name)? else { continue };
        if source.coordinates.contains_key(name) {
            return Err(ReportError::layout(
                format!("the axis `{name}` of `{}` has the name of a column of its scores", source.name),
                format!("give the axis another name than {}", quoted(OWN_AXES)),
            ));
        }
        own.push((name, values));
    }
    Ok(own)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// One score of the metric `score`, which is accuracy; the axes as `method=spp seed=1`.
    pub(in crate::report) fn score(axes: &str, task: &str, prompt: &str, value: f64) -> Score {
        let axes: BTreeMap<_, _> = axes
            .split_whitespace()
            .map(|pair| pair.split_once('=').unwrap())
            .map(|(axis, value)| (axis.to_owned(), value.to_owned()))
            .collect();
        Score {
            source: format!("score[{}]", axes.values().cloned().collect::<Vec<_>>().join(",")),
            axes,
            task: task.to_owned(),
            prompt: prompt.to_owned(),
            metric: "score".to_owned(),
            of: "accuracy".to_owned(),
            value,
            examples: 100,
        }
    }

    pub(in crate::report) fn results(scores: Vec<Score>) -> Results {
        let mut axes: Vec<String> = scores.iter().flat_map(|score| score.axes.keys().cloned()).collect();
        axes.sort();
        axes.dedup();
        Results { axes, scores }
    }

    fn source(folder: &std::path::Path, coordinates: &[(&str, &str)], csv: &str) -> Source {
        let name = format!("score{}", coordinates.len());
        let folder = folder.join(&name);
        fs_err::create_dir_all(&folder).unwrap();
        fs_err::write(folder.join("scores.csv"), csv).unwrap();
        let coordinates = coordinates.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        Source { name, coordinates, files: folder.into() }
    }

    const HEADER: &str = "task,prompt,metric,of,value,examples\n";

    #[test]
    fn tidy_rows_have_all_axes() {
        let folder = tempfile::tempdir().unwrap();
        let sources = [
            source(
                folder.path(),
                &[("task", "rte"), ("seed", "1"), ("include", "none")],
                &format!("{HEADER}rte,learned,score,accuracy,75.0,100\nrte,learned,nll,,0.25,100\n"),
            ),
            source(folder.path(), &[("seed", "2")], "task,prompt,metric,value,examples\nmrpc,learned,f1,33.5,24\n"),
        ];
        let read = Results::read(&sources).unwrap();
        let path = folder.path().join("results.csv");
        sheet::write(&path, read.frame().unwrap()).unwrap();
        assert_eq!(
            fs_err::read_to_string(&path).unwrap(),
            "include,seed,task,prompt,metric,of,value,examples\n\
             none,1,rte,learned,score,accuracy,75.0,100\n\
             none,1,rte,learned,nll,,0.25,100\n\
             ,2,mrpc,learned,f1,,33.5,24\n"
        );
    }

    #[test]
    fn parts_and_weights_are_coordinates() {
        let folder = tempfile::tempdir().unwrap();
        let csv = "task,prompt,part,weights,metric,of,value,examples\n\
                   rte,learned,src_1,kept,score,accuracy,50.0,10\n\
                   rte,learned,total,kept,score,accuracy,75.0,10\n";
        let sources = [
            source(folder.path(), &[("seed", "1")], csv),
            source(folder.path(), &[], &format!("{HEADER}rte,learned,score,accuracy,75.0,10\n")),
        ];
        let read = Results::read(&sources).unwrap();
        assert_eq!(read.axes, ["part", "seed", "weights"]);
        let of = |row: usize| ["part", "weights", "seed"].map(|axis| read.scores[row].axis(axis));
        assert_eq!([of(0), of(1), of(2)], [["src_1", "kept", "1"], ["total", "kept", "1"], ["", "", ""]]);
        let clash = source(folder.path(), &[("part", "x"), ("seed", "1"), ("task", "rte")], csv);
        assert_eq!(
            Results::read(&[clash]).unwrap_err().to_string(),
            "the axis `part` of `score3` has the name of a column of its scores"
        );
    }

    #[test]
    fn faults_of_sources() {
        let folder = tempfile::tempdir().unwrap();
        let read = |coordinates: &[(&str, &str)], csv: &str| {
            Results::read(&[source(folder.path(), coordinates, csv)]).unwrap_err().to_string()
        };
        let message = read(&[("task", "rte")], &format!("{HEADER}mrpc,learned,score,accuracy,75.0,100\n"));
        assert!(
            message.ends_with("line 2: `score1` is about the task `rte`, but this score is of `mrpc`"),
            "{message}"
        );
        let message = read(&[], &format!("{HEADER}mrpc,learned,score,accuracy,,100\n"));
        assert!(message.ends_with("line 2: column `value`: the value is missing"), "{message}");
        let message = read(&[("prompt", "x")], HEADER);
        assert_eq!(message, "the axis `prompt` has the name of a column of `results.csv`");
    }
}
