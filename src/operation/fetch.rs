//! `fetch`: one data set, as its file in `datasets/` describes it, in one layout for all.
//!
//! Writes `task.json`, `dataset.json`, and `train.parquet`, `validation.parquet`, `test.parquet` for the splits that
//! the data set's file names. With `data: synthetic` the rows come from the built-in world, and nothing is fetched; then
//! the files are the splits that the real data set has after its policy.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Operation, parameters, parameters_of};
use crate::base::suggest;
use crate::plan::catalog::{ParameterError, Place, Resolved, SourceRef};
use crate::protocol::{Job, Reporter, StageError};
use crate::task::dataset::{self, Dataset, DatasetSource, Split, SplitFiles, SplitPolicy};
use crate::task::world::{self, Sizes};
use crate::task::{fetched, rows, sampled};

/// The operation.
pub struct Fetch;

/// What a pipeline writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FetchParameters {
    /// The name of a file in `datasets/`, without `.yaml`.
    #[schemars(extend("examples" = dataset::builtin_names().collect::<Vec<_>>()))]
    pub dataset: String,
    /// Where the rows come from.
    #[serde(default)]
    pub data: Data,
    /// With `data: synthetic`: how many rows each split gets; without it, the splits are those of the real data set.
    #[serde(default)]
    pub rows: Option<RowCounts>,
    /// With `data: synthetic`: the seed that the rows are made from. Default 0.
    #[serde(default)]
    pub data_seed: Option<u64>,
}

/// Where rows come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Data {
    /// The source that the data set's file names.
    #[default]
    Real,
    /// The built-in world: rows of the same columns and labels, true by construction, of any number.
    Synthetic,
}

/// How many synthetic rows are made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RowCounts {
    /// Training rows.
    pub train: usize,
    /// Validation rows; 0 for no such split. Default 100, and 0 where the real data set has none (imdb).
    pub validation: Option<usize>,
    /// Test rows; 0 for no such split. Default 200.
    pub test: Option<usize>,
}

impl Default for RowCounts {
    fn default() -> Self {
        Self { train: 400, validation: None, test: None }
    }
}

impl RowCounts {
    /// All counts: what is not written follows the real data set's splits.
    fn complete(&self, dataset: &Dataset) -> Sizes {
        let named = &dataset.files;
        let (validates, tests) = match dataset.splits {
            SplitPolicy::AsNamed => (!named.validation.is_empty(), !named.test.is_empty()),
            SplitPolicy::HalveValidation => (true, true),
            SplitPolicy::HoldOutTrain => (true, !named.test.is_empty()),
        };
        let rows =
            |written: Option<usize>, is_there: bool, usual: usize| written.unwrap_or(if is_there { usual } else { 0 });
        Sizes {
            train: self.train,
            validation: rows(self.validation, validates, 100),
            test: rows(self.test, tests, 200),
        }
    }
}

/// What the key and the body see: the description itself, so that a change of its text changes nothing and a change
/// of its meaning everything that depends on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Planned {
    dataset: Dataset,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    synthetic: Option<Synthetic>,
}

/// Which synthetic rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Synthetic {
    /// [`world::VERSION`]: other texts are other data.
    world: u32,
    seed: u64,
    rows: Sizes,
}

impl Operation for Fetch {
    fn name(&self) -> &'static str {
        "fetch"
    }

    fn about(&self) -> &'static str {
        "Gets a data set from the hub, a mirror, local files or the built-in world, and checks every row"
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(FetchParameters)
    }

    fn resolve(&self, given: &Value, root: &Path) -> Result<Resolved, Vec<ParameterError>> {
        let read: FetchParameters = parameters::read(given)?;
        let dataset = dataset::read(root, &read.dataset).map_err(|error| {
            let help = error.hint();
            vec![ParameterError { path: "dataset".to_owned(), message: error.to_string(), help }]
        })?;
        let (planned, sources) = match read.data {
            Data::Real => {
                let faults = only_synthetic(&read);
                if !faults.is_empty() {
                    return Err(faults);
                }
                (Planned { dataset, synthetic: None }, vec![SourceRef::Dataset(read.dataset)])
            }
            Data::Synthetic => (synthetic(dataset, &read)?, Vec::new()),
        };
        Ok(Resolved {
            version: 1,
            parameters: parameters::complete(&planned),
            accepts: &[],
            sources,
            reads_coordinates: false,
            place: Place::Thread,
            publishes: false,
        })
    }

    fn run(&self, job: &Job, reporter: &mut dyn Reporter) -> Result<(), StageError> {
        let Planned { dataset, synthetic } = parameters_of(job)?;
        let all = match synthetic {
            Some(synthetic) => from_world(&dataset, &synthetic)?,
            None => {
                let source = job
                    .sources
                    .iter()
                    .find(|source| source.name == dataset.name)
                    .ok_or_else(|| StageError::bug(format!("`{}` was planned without its data set", job.stage)))?;
                fetched::read(&dataset, &source.files)?
            }
        };
        sampled::write_dataset(&job.output, &dataset)?;
        for (split, _) in dataset.files.present() {
            let rows = all.get(split);
            reporter.log(&format!("{}: {} rows", split.name(), rows.len()));
            rows::write_normal(&job.output.join(sampled::parquet_name(split)), rows)?;
        }
        Ok(())
    }
}

/// The parameters that mean nothing for real data.
fn only_synthetic(read: &FetchParameters) -> Vec<ParameterError> {
    [("rows", read.rows.is_some()), ("data_seed", read.data_seed.is_some())]
        .into_iter()
        .filter(|(_, given)| *given)
        .map(|(name, _)| ParameterError {
            path: name.to_owned(),
            message: format!("`{name}` is for synthetic data only"),
            help: Some(format!("write `data: synthetic` beside it, or leave `{name}` out")),
        })
        .collect()
}

/// Plans synthetic rows: the data set keeps its texts and labels, and has the world's splits in place of its files.
fn synthetic(mut dataset: Dataset, read: &FetchParameters) -> Result<Planned, Vec<ParameterError>> {
    let fault = |path: &str, message: String, help: Option<String>| {
        Err(vec![ParameterError { path: path.to_owned(), message, help }])
    };
    let columns = match world::columns(&dataset.name) {
        Ok(columns) => columns,
        Err(error) => {
            let help = suggest::nearest(&dataset.name, world::TASKS).map(|near| format!("did you mean `{near}`?"));
            return fault("dataset", error.to_string(), help);
        }
    };
    if let Some(missing) = dataset.columns.iter().find(|column| !columns.contains(&column.as_str())) {
        let message = format!("the synthetic rows of `{}` have no column `{missing}`", dataset.name);
        let help = format!("use the columns {} in `datasets/{}.yaml`", columns.join(", "), dataset.name);
        return fault("dataset", message, Some(help));
    }
    let rows = read.rows.clone().unwrap_or_default().complete(&dataset);
    if rows.train == 0 {
        return fault("rows.train", "expected at least 1".to_owned(), None);
    }
    let files = |count: usize| if count > 0 { vec!["synthetic".to_owned()] } else { Vec::new() };
    dataset.source = DatasetSource { hub: None, revision: String::new(), local: None, folder: String::new() };
    dataset.files = SplitFiles { train: files(rows.train), validation: files(rows.validation), test: files(rows.test) };
    // The policies make splits of other splits; the world has each of its own.
    dataset.splits = SplitPolicy::AsNamed;
    let synthetic = Synthetic { world: world::VERSION, seed: read.data_seed.unwrap_or(0), rows };
    Ok(Planned { dataset, synthetic: Some(synthetic) })
}

fn from_world(dataset: &Dataset, synthetic: &Synthetic) -> Result<fetched::Fetched, StageError> {
    let splits = world::generate(&dataset.name, synthetic.seed, synthetic.rows)
        .map_err(|error| StageError::input(error.to_string()))?;
    let rows = |split: Split, rows| rows::from_world(dataset, &format!("synthetic {}", split.name()), rows);
    Ok(fetched::Fetched {
        train: rows(Split::Train, &splits.train)?,
        validation: rows(Split::Validation, &splits.validation)?,
        test: rows(Split::Test, &splits.test)?,
    })
}
