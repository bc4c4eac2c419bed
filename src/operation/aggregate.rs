//! `aggregate`: the scores of many evaluations as tidy results and as a table shaped like the paper's.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{Ending, Operation, parameters, parameters_of};
use crate::base::{files, suggest};
use crate::metric;
use crate::plan::catalog::{ParameterError, Place, Resolved};
use crate::protocol::{Job, Reporter, StageError};
use crate::report::frame::{Results, Source};
use crate::report::gains::Gains;
use crate::report::grid::Grid;
use crate::report::layout::Layout;
use crate::report::table::Table;
use crate::report::{PROMPT, ReportError, TASK, latex, sheet, terminal};
use crate::task::dataset;

/// Most decimals that a table may have.
const MOST_DIGITS: usize = 6;

/// The prompts of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// After training.
    Learned,
    /// As initialised.
    Untrained,
}

impl Prompt {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Learned => "learned",
            Self::Untrained => "untrained",
        }
    }
}

/// The parameters of `aggregate`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// Axes whose values make the rows.
    #[serde(deserialize_with = "one_or_more")]
    #[schemars(schema_with = "one_or_more_schema")]
    pub rows: Vec<String>,
    /// The axis whose values are the columns; `task` adds an average over the tasks. Left out: `task`, or, where
    /// `mean_over` has the task, none: the average is the one column.
    pub columns: Option<String>,
    /// The axis or axes that are averaged over, usually the seed. With `task` each cell is the mean over the tasks.
    #[serde(deserialize_with = "one_or_more")]
    #[schemars(schema_with = "one_or_more_schema")]
    pub mean_over: Vec<String>,
    /// The metric of the cells; `score` is the one that the paper reports for each task.
    pub metric: String,
    /// The metric of single tasks in place of `metric`, such as `{ cola: matthews, stsb: pearson }`.
    pub metrics: BTreeMap<String, String>,
    /// Whose scores the table shows. Not needed where `prompt` is an axis of the table.
    pub prompt: Prompt,
    /// Rows that are shown for reference and never the best, by axis: `{ method: pt }`. Left out: those of untrained prompts.
    #[serde(deserialize_with = "references")]
    #[schemars(schema_with = "references_schema")]
    pub references: BTreeMap<String, Vec<String>>,
    /// Decimals in `table.csv`, `table.md` and `table.tex`; `results.csv` and `cells.csv` are not rounded.
    pub digits: usize,
    /// What stands around the numbers of `table.tex`.
    pub latex: LatexParameters,
}

/// What stands around the numbers in LaTeX.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LatexParameters {
    /// What the table is about; words that say what its numbers are follow in parentheses.
    pub caption: String,
    /// What `\ref` calls it, such as `tab:set2`.
    pub label: String,
}

impl LatexParameters {
    /// As the report takes it.
    pub(super) fn frame(&self) -> latex::Frame {
        latex::Frame { caption: self.caption.clone(), label: self.label.clone() }
    }

    /// A label that LaTeX can't take.
    pub(super) fn fault(&self) -> Option<ParameterError> {
        let plain = |character: char| character.is_ascii_alphanumeric() || ":-_.+/".contains(character);
        (!self.label.chars().all(plain)).then(|| {
            let message = format!("`{}` is no label: letters, digits and `:-_.+/` are", self.label);
            parameters::fault("latex.label", message)
        })
    }
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            columns: None,
            mean_over: Vec::new(),
            metric: metric::SCORE.to_owned(),
            metrics: BTreeMap::new(),
            prompt: Prompt::Learned,
            references: BTreeMap::from([(PROMPT.to_owned(), vec![Prompt::Untrained.name().to_owned()])]),
            digits: 1,
            latex: LatexParameters::default(),
        }
    }
}

impl Parameters {
    fn layout(&self) -> Layout {
        Layout {
            rows: self.rows.clone(),
            columns: self.columns.clone(),
            mean_over: self.mean_over.clone(),
            metric: self.metric.clone(),
            metrics: self.metrics.clone(),
            prompt: self.prompt.name().to_owned(),
            // What is no row axis has no rows.
            references: self.references.clone().into_iter().filter(|(axis, _)| self.rows.contains(axis)).collect(),
        }
    }
}

/// Names, written as one or as a list.
#[derive(Deserialize)]
struct Names(#[serde(deserialize_with = "one_or_more")] Vec<String>);

/// Reads a name, or a list of names.
pub(super) fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct Either;
    impl<'de> serde::de::Visitor<'de> for Either {
        type Value = Vec<String>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a name, or a list of names")
        }

        fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Self::Value, E> {
            Ok(vec![name.to_owned()])
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut names: A) -> Result<Self::Value, A::Error> {
            let mut all = Vec::new();
            while let Some(name) = names.next_element()? {
                all.push(name);
            }
            Ok(all)
        }
    }
    deserializer.deserialize_any(Either)
}

/// Reads, for each axis, a value or a list of values.
fn references<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Vec<String>>, D::Error> {
    let read = BTreeMap::<String, Names>::deserialize(deserializer)?;
    Ok(read.into_iter().map(|(axis, Names(values))| (axis, values)).collect())
}

fn references_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "object", "additionalProperties": one_or_more_schema(generator) })
}

/// The schema of such names.
pub(super) fn one_or_more_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "oneOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }]
    })
}

/// Bumped when equal inputs and parameters give other results.
const VERSION: u32 = 2;

/// The operation.
pub struct Aggregate;

impl Operation for Aggregate {
    fn name(&self) -> &'static str {
        "aggregate"
    }

    fn about(&self) -> &'static str {
        "Puts the scores of many evaluations into tidy results and a table with means over seeds"
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(Parameters)
    }

    fn resolve(&self, parameters: &Value, root: &Path) -> Result<Resolved, Vec<ParameterError>> {
        let mut parameters: Parameters = parameters::read(parameters)?;
        if parameters.columns.is_none() && !parameters.mean_over.iter().any(|axis| axis == TASK) {
            parameters.columns = Some(TASK.to_owned());
        }
        let faults = faults(&parameters, root);
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Resolved {
            version: VERSION,
            parameters: parameters::complete(&parameters),
            accepts: &["evaluate", "ablate", "command"],
            sources: Vec::new(),
            reads_coordinates: true,
            place: Place::Thread,
            publishes: true,
        })
    }

    fn run(&self, job: &Job, reporter: &mut dyn Reporter) -> Result<(), StageError> {
        let parameters: Parameters = parameters_of(job)?;
        let sources: Vec<Source> = job
            .inputs
            .iter()
            .map(|input| Source {
                name: instance(&input.stage, &input.coordinates),
                coordinates: input.coordinates.clone(),
                files: input.files.clone(),
            })
            .collect();
        write(&sources, &parameters, &job.output, reporter).map_err(stage_error)
    }

    fn ending(&self, folder: &Path, style: terminal::Style) -> Result<Option<Ending>, ReportError> {
        Ok(Some(Ending { text: terminal::finish(folder, style)?, ..Ending::default() }))
    }
}

/// What serde can't check; every fault at once.
fn faults(parameters: &Parameters, root: &Path) -> Vec<ParameterError> {
    let mut faults = axis_faults(parameters);
    faults.extend(metric_fault("metric", &parameters.metric));
    for (task, metric) in &parameters.metrics {
        let path = format!("metrics.{task}");
        faults.extend(metric_fault(&path, metric).or_else(|| card_fault(&path, task, metric, root)));
    }
    let known = |name: &String| metric::find(name).map(|metric| (metric.unit, metric.higher_is_better));
    let kinds: Vec<_> = [&parameters.metric].into_iter().chain(parameters.metrics.values()).filter_map(known).collect();
    if kinds.iter().any(|kind| *kind != kinds[0]) {
        let message = "metrics in different units or directions would be averaged over the tasks".to_owned();
        let help = Some("make a table of each".to_owned());
        faults.push(ParameterError { path: "metrics".to_owned(), message, help });
    }
    if parameters.digits > MOST_DIGITS {
        let message = format!("`{}` decimals are too many; at most {MOST_DIGITS}", parameters.digits);
        faults.push(parameters::fault("digits", message));
    }
    faults.extend(parameters.latex.fault());
    faults
}

/// An axis has one place in a table.
fn axis_faults(parameters: &Parameters) -> Vec<ParameterError> {
    let mut faults = Vec::new();
    let mut places: Vec<(&str, &str)> = Vec::new();
    let named = parameters.rows.iter().map(|axis| ("rows", axis));
    let named = named.chain(parameters.columns.iter().map(|axis| ("columns", axis)));
    for (path, axis) in named.chain(parameters.mean_over.iter().map(|axis| ("mean_over", axis))) {
        match places.iter().find(|(_, other)| other == axis) {
            Some((other, _)) if *other == path => {
                faults.push(parameters::fault(path, format!("the axis `{axis}` is named twice")));
            }
            Some((other, _)) => {
                faults.push(parameters::fault(path, format!("the axis `{axis}` is in `{other}` already")));
            }
            None => places.push((path, axis)),
        }
    }
    if parameters.mean_over.iter().any(|axis| axis == PROMPT) {
        faults.push(parameters::fault("mean_over", "learned and untrained prompts can't be averaged"));
    }
    let default = Parameters::default().references;
    let unknown = parameters.references.keys().find(|axis| !parameters.rows.contains(axis));
    if let Some(axis) = unknown.filter(|_| parameters.references != default) {
        let message = format!("`{axis}` is no axis of the rows");
        let help = Some("name an axis that is in `rows`".to_owned());
        faults.push(ParameterError { path: "references".to_owned(), message, help });
    }
    faults
}

fn metric_fault(path: &str, name: &str) -> Option<ParameterError> {
    if metric::find(name).is_some() {
        return None;
    }
    let known = metric::METRICS.iter().map(|metric| metric.name);
    let list: Vec<String> = known.clone().map(|name| format!("`{name}`")).collect();
    let help = suggest::nearest(name, known).map(|name| format!("did you mean `{name}`?"));
    let message = format!("there is no metric `{name}`; there are {}", list.join(", "));
    Some(ParameterError { help, ..parameters::fault(path, message) })
}

/// The task's data set file, where there is one of its name, says which metrics evaluation will find. What evaluation adds
/// to all of them is not in it.
fn card_fault(path: &str, task: &str, wanted: &str, root: &Path) -> Option<ParameterError> {
    if !metric::find(wanted).is_some_and(|metric| metric.from_texts) || wanted == "invalid_rate" {
        return None;
    }
    let card = dataset::read(root, task).ok()?;
    let offered: Vec<String> = card.metrics.iter().map(|metric| format!("`{}`", metric.name())).collect();
    if offered.contains(&format!("`{wanted}`")) {
        return None;
    }
    let message = format!("`{task}` is not evaluated by `{wanted}`; `{task}.yaml` names {}", offered.join(", "));
    let help = Some(format!("choose one of these, or add `{wanted}` to `metrics` in `datasets/{task}.yaml`"));
    Some(ParameterError { path: path.to_owned(), message, help })
}

fn write(
    sources: &[Source],
    parameters: &Parameters,
    output: &Path,
    reporter: &mut dyn Reporter,
) -> Result<(), ReportError> {
    let (layout, digits) = (parameters.layout(), parameters.digits);
    let results = Results::read(sources)?;
    let table = Table::build(&results, &layout)?;
    sheet::write(&output.join("results.csv"), results.frame()?)?;
    layout.write(output)?;
    sheet::write(&output.join("cells.csv"), table.long()?)?;
    sheet::write(&output.join("table.csv"), table.wide(digits)?)?;
    let grid = Grid::of(&table, digits);
    files::write_atomically(&output.join("table.tex"), latex::table(&grid, &parameters.latex.frame()).as_bytes())?;
    let mut page = terminal::markdown(&grid);
    if let Some(gains) = Gains::of(&results, &layout) {
        sheet::write(&output.join("gains.csv"), gains.frame()?)?;
        page += "\n";
        for line in gains.lines(digits) {
            reporter.log(&line);
            page += &format!("- {line}\n");
        }
    }
    files::write_atomically(&output.join("table.md"), page.as_bytes())?;
    reporter.log(&format!(
        "{} scores, {} rows, {} columns",
        results.scores.len(),
        table.rows.len(),
        table.columns.len()
    ));
    Ok(())
}

/// A stage instance as people read it: `score[seed=1,task=rte]`.
pub(super) fn instance(stage: &str, coordinates: &crate::protocol::Coordinates) -> String {
    let axes: Vec<String> = coordinates.iter().map(|(axis, value)| format!("{axis}={value}")).collect();
    if axes.is_empty() { stage.to_owned() } else { format!("{stage}[{}]", axes.join(",")) }
}

/// A fault of the tables in the words of a stage.
pub fn stage_error(error: ReportError) -> StageError {
    let hint = error.hint().map(str::to_owned);
    let failed = match error {
        ReportError::Io(error) => StageError::from(error),
        ReportError::File { .. } | ReportError::Layout { .. } => StageError::input(error.to_string()),
        ReportError::Frame(_) => StageError::bug(error.to_string()),
    };
    match hint {
        Some(hint) => failed.with_hint(hint),
        None => failed,
    }
}

#[cfg(test)]
pub(super) mod tests;
