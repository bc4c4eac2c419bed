//! `fetch`: one data set, as its file in `datasets/` describes it, in one layout for all.
//!
//! Writes `task.json`, `dataset.json`, and `train.parquet`, `validation.parquet`, `test.parquet` for the splits that
//! the data set's file names.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Operation, parameters, parameters_of};
use crate::plan::catalog::{ParameterError, Place, Resolved, SourceRef};
use crate::protocol::{Job, Reporter, StageError};
use crate::task::dataset::{self, Dataset};
use crate::task::{fetched, rows, sampled};

/// The operation.
pub struct Fetch;

/// What a pipeline writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FetchParameters {
    /// The name of a file in `datasets/`, without `.yaml`.
    pub dataset: String,
}

/// What the key and the body see: the description itself, so that a change of its text changes nothing and a change
/// of its meaning everything that depends on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Planned {
    dataset: Dataset,
}

impl Operation for Fetch {
    fn name(&self) -> &'static str {
        "fetch"
    }

    fn about(&self) -> &'static str {
        "Gets a data set from the hub, a mirror or local files and checks every row"
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
        Ok(Resolved {
            version: 1,
            parameters: parameters::complete(&Planned { dataset }),
            accepts: &[],
            sources: vec![SourceRef::Dataset(read.dataset)],
            reads_coordinates: false,
            place: Place::Thread,
            publishes: false,
        })
    }

    fn run(&self, job: &Job, reporter: &mut dyn Reporter) -> Result<(), StageError> {
        let Planned { dataset } = parameters_of(job)?;
        let source = job
            .sources
            .iter()
            .find(|source| source.name == dataset.name)
            .ok_or_else(|| StageError::bug(format!("`{}` was planned without its data set", job.stage)))?;
        let all = fetched::read(&dataset, &source.files)?;
        sampled::write_dataset(&job.output, &dataset)?;
        for (split, _) in dataset.files.present() {
            let rows = all.get(split);
            reporter.log(&format!("{}: {} rows", split.name(), rows.len()));
            rows::write_normal(&job.output.join(sampled::parquet_name(split)), rows)?;
        }
        Ok(())
    }
}
