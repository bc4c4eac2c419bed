//! `aggregate`: the scores of many evaluations as tidy results and as a table shaped like the paper's.

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
use crate::report::table::{Layout, Table};
use crate::report::{ReportError, TASK, sheet, terminal};

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
    fn name(self) -> &'static str {
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
    /// The axis whose values are the columns; `task` adds an average over the tasks.
    pub columns: String,
    /// The axis or axes that are averaged over, usually the seed.
    #[serde(deserialize_with = "one_or_more")]
    #[schemars(schema_with = "one_or_more_schema")]
    pub mean_over: Vec<String>,
    /// The metric of the cells; `score` is the one that the paper reports for each task.
    pub metric: String,
    /// Whose scores the table shows.
    pub prompt: Prompt,
    /// Decimals in `table.csv` and `table.md`; `results.csv` and `cells.csv` are not rounded.
    pub digits: usize,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            columns: TASK.to_owned(),
            mean_over: Vec::new(),
            metric: metric::SCORE.to_owned(),
            prompt: Prompt::Learned,
            digits: 1,
        }
    }
}

/// Reads a name, or a list of names.
pub(super) fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct Names;
    impl<'de> serde::de::Visitor<'de> for Names {
        type Value = Vec<String>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("the name of an axis, or a list of such names")
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
    deserializer.deserialize_any(Names)
}

pub(super) fn one_or_more_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "oneOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }]
    })
}

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

    fn resolve(&self, parameters: &Value, _: &Path) -> Result<Resolved, Vec<ParameterError>> {
        let parameters: Parameters = parameters::read(parameters)?;
        let faults = faults(&parameters);
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Resolved {
            version: 1,
            parameters: parameters::complete(&parameters),
            accepts: &["evaluate"],
            sources: Vec::new(),
            reads_coordinates: true,
            place: Place::Thread,
            publishes: true,
        })
    }

    fn run(&self, job: &Job, reporter: &mut dyn Reporter) -> Result<(), StageError> {
        let parameters: Parameters = parameters_of(job)?;
        let layout = Layout {
            rows: parameters.rows,
            columns: parameters.columns,
            mean_over: parameters.mean_over,
            metric: parameters.metric,
            prompt: parameters.prompt.name().to_owned(),
        };
        let sources: Vec<Source> = job
            .inputs
            .iter()
            .map(|input| Source {
                name: instance(&input.stage, &input.coordinates),
                coordinates: input.coordinates.clone(),
                folder: input.folder.clone(),
            })
            .collect();
        write(&sources, &layout, parameters.digits, &job.output, reporter).map_err(stage_error)
    }

    fn ending(&self, folder: &Path, style: terminal::Style) -> Result<Option<Ending>, ReportError> {
        Ok(Some(Ending { text: terminal::finish(folder, style)?, ..Ending::default() }))
    }
}

/// What serde can't check; every fault at once.
fn faults(parameters: &Parameters) -> Vec<ParameterError> {
    let mut faults = Vec::new();
    let mut places: Vec<(&str, &str)> = Vec::new();
    let named = parameters.rows.iter().map(|axis| ("rows", axis));
    let named = named.chain([("columns", &parameters.columns)]);
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
    if metric::find(&parameters.metric).is_none() {
        let known = metric::METRICS.iter().map(|metric| metric.name);
        let list: Vec<String> = known.clone().map(|name| format!("`{name}`")).collect();
        faults.push(ParameterError {
            help: suggest::nearest(&parameters.metric, known).map(|name| format!("did you mean `{name}`?")),
            ..parameters::fault(
                "metric",
                format!("there is no metric `{}`; there are {}", parameters.metric, list.join(", ")),
            )
        });
    }
    if parameters.digits > MOST_DIGITS {
        let message = format!("`{}` decimals are too many; at most {MOST_DIGITS}", parameters.digits);
        faults.push(parameters::fault("digits", message));
    }
    faults
}

fn write(
    sources: &[Source],
    layout: &Layout,
    digits: usize,
    output: &Path,
    reporter: &mut dyn Reporter,
) -> Result<(), ReportError> {
    let results = Results::read(sources)?;
    let table = Table::build(&results, layout)?;
    sheet::write(&output.join("results.csv"), results.frame()?)?;
    sheet::write(&output.join("cells.csv"), table.long()?)?;
    sheet::write(&output.join("table.csv"), table.wide(digits)?)?;
    let mut page = terminal::markdown(&table, digits);
    if let Some(gains) = Gains::of(&results, layout) {
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

/// A report's failure as that of a stage.
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
pub(super) mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use serde_json::json;

    use super::*;
    use crate::protocol::{Compute, Input};

    /// A reporter that keeps what is logged.
    #[derive(Default)]
    pub(in crate::operation) struct Log(pub(in crate::operation) Vec<String>);

    impl Reporter for Log {
        fn progress(&mut self, _: u64, _: u64, _: &str, _: &str) {}
        fn log(&mut self, text: &str) {
            self.0.push(text.to_owned());
        }
        fn fact(&mut self, _: &str, _: Value) {}
    }

    pub(in crate::operation) fn job(operation: &dyn Operation, parameters: &Value, folder: &Path) -> Job {
        let output = folder.join(operation.name());
        fs_err::create_dir_all(&output).unwrap();
        Job {
            id: 1,
            stage: operation.name().to_owned(),
            operation: operation.name().to_owned(),
            parameters: operation.resolve(parameters, folder).unwrap().parameters,
            inputs: Vec::new(),
            sources: Vec::new(),
            output,
            scratch: PathBuf::new(),
            compute: Compute { device: "cpu".to_owned(), threads: 1 },
        }
    }

    /// An evaluation of one task with learned and untrained prompts.
    pub(in crate::operation) fn evaluated(
        folder: &Path,
        method: &str,
        seed: &str,
        task: &str,
        scores: [f64; 2],
    ) -> Input {
        let folder = folder.join(format!("{method}-{seed}-{task}"));
        fs_err::create_dir_all(&folder).unwrap();
        let mut csv = "task,prompt,metric,of,value,examples\n".to_owned();
        for (prompt, value) in ["learned", "untrained"].into_iter().zip(scores) {
            csv += &format!("{task},{prompt},accuracy,,{value},100\n{task},{prompt},score,accuracy,{value},100\n");
        }
        fs_err::write(folder.join("scores.csv"), csv).unwrap();
        let coordinates = [("method", method), ("seed", seed), ("task", task)];
        Input {
            stage: "score".to_owned(),
            operation: "evaluate".to_owned(),
            coordinates: coordinates.map(|(axis, value)| (axis.to_owned(), value.to_owned())).into(),
            folder,
        }
    }

    fn inputs(folder: &Path) -> Vec<Input> {
        vec![
            evaluated(folder, "spp", "123", "imdb", [80.0, 50.0]),
            evaluated(folder, "spp", "123", "paws", [47.0, 48.0]),
            evaluated(folder, "spp", "45", "imdb", [84.0, 50.0]),
            evaluated(folder, "spp", "45", "paws", [51.0, 52.0]),
        ]
    }

    #[test]
    fn writes_every_table() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::default();
        let parameters = json!({"rows": "method", "mean_over": ["seed"]});
        let job = Job { inputs: inputs(folder.path()), ..job(&Aggregate, &parameters, folder.path()) };
        Aggregate.run(&job, &mut log).unwrap();
        let read = |name: &str| fs_err::read_to_string(job.output.join(name)).unwrap();
        // imdb 80, 84: 82, sd 2.83; paws 47, 51: 49, sd 2.83; by seed 63.5, 67.5: 65.5, sd 2.83.
        assert_eq!(
            read("table.csv"),
            "method,imdb accuracy mean,imdb accuracy sd,imdb n,paws accuracy mean,paws accuracy sd,paws n,\
             average accuracy mean,average accuracy sd,average n\n\
             spp,82.0,2.8,2,49.0,2.8,2,65.5,2.8,2\n"
        );
        assert_eq!(read("results.csv").lines().count(), 1 + 4 * 4);
        assert_eq!(read("results.csv").lines().nth(2).unwrap(), "spp,123,imdb,learned,score,accuracy,80.0,100");
        // Gains: imdb 30 and 34, paws -1 and -1: average 14.5 and 16.5, so 15.5 with error 1.
        let line = "method=spp: learned prompts beat untrained ones by 15.5 ± 1.0 points of accuracy on average over 2 \
                    tasks (worst: paws -1.0)";
        assert_eq!(log.0[0], line);
        assert!(read("table.md").ends_with(&format!("\n- {line}\n")));
        assert_eq!(read("gains.csv").lines().count(), 4);
        let style = terminal::Style { width: 80, ansi: false, digits: 1 };
        assert!(terminal::finish(&job.output, style).unwrap().ends_with(&format!("\n\n{line}\n")));
    }

    #[test]
    fn the_same_inputs_give_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let bytes: Vec<BTreeMap<String, Vec<u8>>> = ["a", "b"]
            .iter()
            .map(|name| {
                let parameters = json!({"rows": ["method"], "mean_over": "seed"});
                let job = job(&Aggregate, &parameters, &folder.path().join(name));
                let job = Job { inputs: inputs(folder.path()), ..job };
                Aggregate.run(&job, &mut Log::default()).unwrap();
                let files = fs_err::read_dir(&job.output).unwrap().map(|entry| entry.unwrap());
                files
                    .map(|file| (file.file_name().into_string().unwrap(), fs_err::read(file.path()).unwrap()))
                    .collect()
            })
            .collect();
        assert_eq!(bytes[0], bytes[1]);
        assert_eq!(bytes[0].len(), 5);
    }

    #[test]
    fn failures_are_told_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let fails = |parameters: Value| {
            let job = Job { inputs: inputs(folder.path()), ..job(&Aggregate, &parameters, folder.path()) };
            Aggregate.run(&job, &mut Log::default()).unwrap_err()
        };
        let error = fails(json!({"rows": ["method"]}));
        assert_eq!(
            error.message,
            "two scores fall into the cell method=spp task=imdb: they differ in `seed` (`123` and `45`)"
        );
        assert!(error.hint.unwrap().starts_with("name `seed` in `mean_over`"));
        let error = fails(json!({"rows": ["methods"], "mean_over": "seed"}));
        assert_eq!(error.message, "`rows` names the axis `methods`, but the scores have `method`, `seed`, `task`");
    }

    #[test]
    fn parameters_are_checked_all_at_once() {
        let parameters = json!({"rows": ["seed", "task"], "mean_over": "seed", "metric": "acuracy", "digits": 9});
        let faults = Aggregate.resolve(&parameters, Path::new(".")).unwrap_err();
        let told: Vec<_> = faults.iter().map(|fault| (fault.path.as_str(), fault.message.as_str())).collect();
        assert_eq!(told[0], ("columns", "the axis `task` is in `rows` already"));
        assert_eq!(told[1], ("mean_over", "the axis `seed` is in `rows` already"));
        assert_eq!((told[2].0, faults[2].help.as_deref()), ("metric", Some("did you mean `accuracy`?")));
        assert_eq!(told[3], ("digits", "`9` decimals are too many; at most 6"));
        let faults = Aggregate.resolve(&json!({"rows": 3}), Path::new(".")).unwrap_err();
        assert_eq!(faults[0].path, "rows");
        assert!(faults[0].message.contains("the name of an axis, or a list of such names"), "{}", faults[0].message);
    }
}
