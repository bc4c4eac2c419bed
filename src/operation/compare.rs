//! `compare`: an aggregated table beside published numbers.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::aggregate::{LatexParameters, instance, stage_error};
use super::{Operation, parameters, parameters_of};
use crate::base::{files, suggest};
use crate::metric;
use crate::plan::catalog::{ParameterError, Place, Resolved, SourceRef};
use crate::protocol::{Job, Reporter, StageError};
use crate::report::comparison::{Comparison, Join, cells_of};
use crate::report::layout::Layout;
use crate::report::published::Published;
use crate::report::related::{OurTable, Related};
use crate::report::table::Table;
use crate::report::{ReportError, sheet, tidy};

/// The parameters of `compare`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// A CSV file with the columns `task`, `score` (percent points) and keys such as `method`, below the project folder.
    pub published: String,
    /// Our axis -> the published column that it goes with, where the two are not of one name.
    #[serde(default)]
    pub keys: BTreeMap<String, String>,
    /// Published column -> the value of the rows that are compared, such as `k: 16`.
    #[serde(default, rename = "where")]
    #[schemars(with = "BTreeMap<String, Value>")]
    pub chosen: BTreeMap<String, Scalar>,
    /// Over how many test examples a published number was taken; says how much of a difference is noise.
    #[serde(default = "published_examples")]
    pub published_examples: u64,
    /// A published column, such as `method`, whose rows all stand in one table with ours instead of being joined with them:
    /// once as printed, and once on the columns only that every row has in one metric. Needs a table with tasks as columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<String>,
    /// Metrics that count as one, such as `[pearson, spearman]`. Numbers in different metrics are not compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alike: Vec<String>,
    /// What stands around the numbers of `comparison.tex`.
    #[serde(default)]
    pub latex: LatexParameters,
    /// Decimals of the tables.
    #[serde(default = "digits")]
    pub digits: usize,
}

/// A value of a published key column, written as text, number or truth value.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Scalar(String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            Value::Null => Ok(Self(String::new())),
            value @ (Value::Number(_) | Value::Bool(_)) => Ok(Self(value.to_string())),
            _ => Err(serde::de::Error::custom("invalid type: expected one value, not a list or a map")),
        }
    }
}

/// METHODS 3.1: the paper's few-shot numbers are over 100 test examples.
fn published_examples() -> u64 {
    100
}

fn digits() -> usize {
    1
}

/// Bumped when equal inputs and parameters give other results.
const VERSION: u32 = 2;

/// The operation.
pub struct Compare;

impl Operation for Compare {
    fn name(&self) -> &'static str {
        "compare"
    }

    fn about(&self) -> &'static str {
        "Sets an aggregated table beside published numbers and says which differences are more than noise"
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(Parameters)
    }

    fn resolve(&self, parameters: &Value, root: &Path) -> Result<Resolved, Vec<ParameterError>> {
        let parameters: Parameters = parameters::read(parameters)?;
        let mut faults = Vec::new();
        if !root.join(&parameters.published).is_file() {
            faults.push(missing(&parameters.published, root));
        }
        if parameters.published_examples == 0 {
            faults.push(parameters::fault("published_examples", "expected at least `1` example"));
        }
        if parameters.digits > 6 {
            let message = format!("`{}` decimals are too many; at most 6", parameters.digits);
            faults.push(parameters::fault("digits", message));
        }
        if parameters.beside.is_some() && !parameters.keys.is_empty() {
            let help = Some("leave `keys` out; `where` chooses the published rows".to_owned());
            faults.push(ParameterError { help, ..parameters::fault("keys", "with `beside` no rows are joined") });
        }
        for name in parameters.alike.iter().filter(|name| metric::find(name).is_none()) {
            let known = metric::METRICS.iter().map(|metric| metric.name);
            let help = suggest::nearest(name, known).map(|name| format!("did you mean `{name}`?"));
            faults.push(ParameterError { help, ..parameters::fault("alike", format!("there is no metric `{name}`")) });
        }
        faults.extend(parameters.latex.fault());
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Resolved {
            version: VERSION,
            accepts: &["aggregate"],
            sources: vec![SourceRef::File(parameters.published.clone())],
            parameters: parameters::complete(&parameters),
            reads_coordinates: true,
            place: Place::Thread,
            publishes: true,
        })
    }

    fn run(&self, job: &Job, reporter: &mut dyn Reporter) -> Result<(), StageError> {
        let parameters: Parameters = parameters_of(job)?;
        let source = job.sources.iter().find(|source| source.name == parameters.published);
        let path = source.and_then(|source| source.files.values().next()).ok_or_else(|| {
            StageError::bug(format!("`{}` was planned without the file `{}`", job.stage, parameters.published))
        })?;
        let mut published = Published::read(path).map_err(stage_error)?;
        let wanted = parameters.chosen.iter().map(|(name, value)| (name.clone(), value.0.clone())).collect();
        published.narrow(&wanted).map_err(stage_error)?;
        if published.rows.is_empty() {
            let wanted: Vec<String> = wanted.iter().map(|(name, value)| format!("{name}={value}")).collect();
            reporter.log(&format!("no published row has {}", wanted.join(" ")));
        }
        match &parameters.beside {
            Some(beside) => stand_beside(job, &published, beside, &parameters, reporter).map_err(stage_error),
            None => join(job, &published, &parameters, reporter),
        }
    }
}

/// Our cells and the published numbers that go with them, one a line.
fn join(
    job: &Job,
    published: &Published,
    parameters: &Parameters,
    reporter: &mut dyn Reporter,
) -> Result<(), StageError> {
    let (mut names, mut ours) = (Vec::new(), Vec::new());
    for input in &job.inputs {
        let table = Table::read(&input.files.file("cells.csv")).map_err(stage_error)?;
        let (of_table, cells) = cells_of(&table, &input.coordinates);
        if names.is_empty() {
            names = of_table;
        } else if names != of_table {
            return Err(StageError::input(format!(
                "`{}` has the axes `{}`, but the tables before it have `{}`",
                instance(&input.stage, &input.coordinates),
                of_table.join("`, `"),
                names.join("`, `")
            ))
            .with_hint("compare tables of different axes in stages of their own"));
        }
        ours.extend(cells);
    }
    let join = Join {
        keys: parameters.keys.clone(),
        published_examples: parameters.published_examples,
        alike: parameters.alike.clone(),
    };
    let comparison = Comparison::of(&names, &ours, published, &join).map_err(stage_error)?;
    let frame = comparison.frame(parameters.digits).map_err(stage_error)?;
    sheet::write(&job.output.join("comparison.csv"), frame).map_err(stage_error)?;
    let page = comparison.markdown(parameters.digits);
    files::write_atomically(&job.output.join("comparison.md"), page.as_bytes())?;
    let paper = comparison.latex(parameters.digits, &parameters.latex.frame());
    files::write_atomically(&job.output.join("comparison.tex"), paper.as_bytes())?;
    reporter.log(&comparison.summary(parameters.digits));
    Ok(())
}

/// Our rows below the published ones.
fn stand_beside(
    job: &Job,
    published: &Published,
    beside: &str,
    parameters: &Parameters,
    reporter: &mut dyn Reporter,
) -> Result<(), ReportError> {
    let read = |folder: &Path| Ok(OurTable { results: tidy::read(folder)?, layout: Layout::read(folder)? });
    let ours = job.inputs.iter().map(|input| read(input.files.folder())).collect::<Result<Vec<_>, ReportError>>()?;
    let related = Related::of(&ours, published, beside, &parameters.alike)?;
    sheet::write(&job.output.join("comparison.csv"), related.frame()?)?;
    let write = |name: &str, text: String| files::write_atomically(&job.output.join(name), text.as_bytes());
    write("comparison.md", related.markdown(parameters.digits))?;
    write("comparison.tex", related.latex(parameters.digits, &parameters.latex.frame()))?;
    for line in related.lines() {
        reporter.log(&line);
    }
    Ok(())
}

/// The file is not there: which one beside it may be meant.
pub(super) fn missing(published: &str, root: &Path) -> ParameterError {
    let folder = Path::new(published).parent().unwrap_or(Path::new(""));
    let mut beside: Vec<String> = fs_err::read_dir(root.join(folder))
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(folder.join(entry.ok()?.file_name()).to_str()?.to_owned()))
        .filter(|name| name.ends_with(".csv"))
        .collect();
    beside.sort();
    let help = match suggest::nearest(published, beside.iter().map(String::as_str)) {
        Some(name) => Some(format!("did you mean `{name}`?")),
        None if beside.is_empty() => None,
        None => Some(format!("there are `{}`", beside.join("`, `"))),
    };
    let message = format!("there is no file `{published}` below the project folder");
    ParameterError { path: "published".to_owned(), message, help }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::aggregate::Aggregate;
    use super::super::aggregate::tests::{Log, evaluated, job};
    use super::*;
    use crate::protocol::{Input, ResolvedSource};

    const PUBLISHED: &str = "datasets/published/table8_modularity.csv";

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    #[test]
    fn our_table_beside_table_8() {
        let folder = tempfile::tempdir().unwrap();
        let aggregate = job(&Aggregate, &json!({"rows": ["method"], "mean_over": "seed"}), folder.path());
        let inputs = vec![
            evaluated(folder.path(), "spp", "123", "imdb", [80.0, 50.0]),
            evaluated(folder.path(), "spp", "45", "imdb", [84.0, 50.0]),
            evaluated(folder.path(), "spp", "123", "yelp_polarity", [50.0, 50.0]),
            evaluated(folder.path(), "spp", "45", "yelp_polarity", [50.0, 50.0]),
        ];
        let aggregate = Job { inputs, ..aggregate };
        Aggregate.run(&aggregate, &mut Log::default()).unwrap();

        let parameters = json!({"published": PUBLISHED, "where": {"include": "none", "table": 8}});
        let resolved = Compare.resolve(&parameters, root()).unwrap();
        assert_eq!(resolved.sources, [SourceRef::File(PUBLISHED.to_owned())]);
        let input = Input {
            stage: "table".to_owned(),
            operation: "aggregate".to_owned(),
            coordinates: BTreeMap::new(),
            files: aggregate.output.clone().into(),
        };
        let source = ResolvedSource {
            name: PUBLISHED.to_owned(),
            files: [("table8_modularity.csv".to_owned(), root().join(PUBLISHED))].into(),
        };
        let output = folder.path().join("compare");
        fs_err::create_dir_all(&output).unwrap();
        let compare = Job {
            operation: "compare".to_owned(),
            parameters: resolved.parameters,
            inputs: vec![input],
            sources: vec![source],
            output,
            ..aggregate
        };
        let mut log = Log::default();
        Compare.run(&compare, &mut log).unwrap();
        let csv = fs_err::read_to_string(compare.output.join("comparison.csv")).unwrap();
        let lines: Vec<&str> = csv.lines().collect();
        // Table 8, SPP without MNLI: imdb 75, yelp-polarity 83, average 70.5.
        // imdb: 75*25/100 + 82*18/100 + 2^2 = 37.5 -> 12.2 >= 7; yelp: 83*17/100 + 25 = 39.1 -> 12.5 < 33.
        // The published average is over six tasks, ours over two: no difference.
        assert_eq!(
            lines[..4],
            [
                "method,task,metric,published metric,published,ours mean,ours sd,n,difference,low,high,within_noise",
                "spp,imdb,accuracy,accuracy,75.0,82.0,2.8,2,7.0,-5.2,19.2,yes",
                "spp,yelp_polarity,accuracy,accuracy,83.0,50.0,0.0,2,-33.0,-45.5,-20.5,no",
                "spp,average,accuracy,,70.5,66.0,1.4,2,,,,",
            ]
        );
        // SPP has 7 rows without MNLI, of which 3 have a partner; SCP and PT have 7 each.
        assert_eq!(lines.len(), 4 + 4 + 7 + 7);
        assert_eq!(
            log.0,
            [
                "2 cells have a published partner; 1 of 2 are within noise; ours less published is -13.0 on average; without \
              a partner: 0 of ours, 18 published"
            ]
        );
        assert!(compare.output.join("comparison.md").is_file() && compare.output.join("comparison.tex").is_file());
    }

    #[test]
    fn our_row_below_those_of_table_9() {
        let folder = tempfile::tempdir().unwrap();
        let aggregate = job(&Aggregate, &json!({"rows": ["method"], "mean_over": "seed"}), folder.path());
        let inputs = vec![
            evaluated(folder.path(), "spp", "1", "mnli", [80.0, 50.0]),
            evaluated(folder.path(), "spp", "1", "rte", [70.0, 50.0]),
        ];
        let aggregate = Job { inputs, ..aggregate };
        Aggregate.run(&aggregate, &mut Log::default()).unwrap();
        let published = "datasets/published/table9_related.csv";
        let parameters = json!({"published": published, "beside": "method", "alike": ["pearson", "spearman"]});
        let input = Input {
            stage: "table".to_owned(),
            operation: "aggregate".to_owned(),
            coordinates: BTreeMap::new(),
            files: aggregate.output.clone().into(),
        };
        let files = [("table9_related.csv".to_owned(), root().join(published))].into();
        let output = folder.path().join("compare");
        fs_err::create_dir_all(&output).unwrap();
        let compare = Job {
            operation: "compare".to_owned(),
            parameters: Compare.resolve(&parameters, root()).unwrap().parameters,
            inputs: vec![input],
            sources: vec![ResolvedSource { name: published.to_owned(), files }],
            output,
            ..aggregate
        };
        let mut log = Log::default();
        Compare.run(&compare, &mut log).unwrap();
        // On mnli and rte: ours 75; PT (81.3 + 54.7) / 2 = 68; all others are above.
        assert_eq!(log.0, ["spp is 7 of 8 on the 2 comparable columns"]);
        for name in ["comparison.csv", "comparison.md", "comparison.tex"] {
            assert!(compare.output.join(name).is_file(), "{name}");
        }
        let faults = Compare
            .resolve(
                &json!({"published": published, "beside": "method", "keys": {"a": "b"}, "alike": ["person"]}),
                root(),
            )
            .unwrap_err();
        let told: Vec<_> = faults.iter().map(|fault| (fault.path.as_str(), fault.help.as_deref())).collect();
        assert_eq!(
            told,
            [
                ("keys", Some("leave `keys` out; `where` chooses the published rows")),
                ("alike", Some("did you mean `pearson`?"))
            ]
        );
    }

    #[test]
    fn parameters_are_checked() {
        let parameters = json!({"published": "datasets/published/table8_modularty.csv", "published_examples": 0});
        let faults = Compare.resolve(&parameters, root()).unwrap_err();
        assert_eq!(
            faults[0].message,
            "there is no file `datasets/published/table8_modularty.csv` below the project folder"
        );
        assert_eq!(faults[0].help.as_deref(), Some("did you mean `datasets/published/table8_modularity.csv`?"));
        assert_eq!(faults[1].path, "published_examples");
        let faults = Compare.resolve(&json!({"published": PUBLISHED, "where": {"k": [8]}}), root()).unwrap_err();
        assert_eq!(faults[0].path, "where.k");
    }
}
