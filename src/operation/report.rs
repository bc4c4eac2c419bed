//! `report`: chooses what of the results stands on the report page, and keeps it made.
//!
//! Every pipeline gets a page with all that its results have; this stage is for choosing and ordering, and because what it
//! made comes from the cache when nothing has changed. Its result is no page yet: times and cache hits, which belong to a
//! run and not to a result, are added when the run is over.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::aggregate::stage_error;
use super::{Operation, parameters, parameters_of};
use crate::page::science::{Choice, Part, READS, Science, WRONG};
use crate::plan::catalog::{ParameterError, Place, Resolved};
use crate::protocol::{Job, Reporter, StageError};

/// The file with the sections.
pub const FILE: &str = "report.json";

/// The parameters of `report`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// The sections of the page in their order; those that nothing read has something for are left out.
    pub sections: Vec<Part>,
    /// Wrong predictions shown of each evaluation, at most.
    pub wrong: usize,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { sections: Part::ALL.to_vec(), wrong: WRONG }
    }
}

/// The operation.
pub struct Report;

/// Bumped when equal inputs and parameters give other sections.
const VERSION: u32 = 2;

impl Operation for Report {
    fn name(&self) -> &'static str {
        "report"
    }

    fn about(&self) -> &'static str {
        "Chooses and orders the sections of the report page"
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(Parameters)
    }

    fn resolve(&self, parameters: &Value, _: &Path) -> Result<Resolved, Vec<ParameterError>> {
        let parameters: Parameters = parameters::read(parameters)?;
        let twice =
            (1..parameters.sections.len()).find(|&at| parameters.sections[..at].contains(&parameters.sections[at]));
        if let Some(at) = twice {
            let name = serde_json::to_value(parameters.sections[at]).unwrap_or_default();
            let message = format!("the section `{}` is named twice", name.as_str().unwrap_or_default());
            return Err(vec![parameters::fault("sections", message)]);
        }
        Ok(Resolved {
            version: VERSION,
            parameters: parameters::complete(&parameters),
            accepts: READS,
            sources: Vec::new(),
            reads_coordinates: true,
            place: Place::Thread,
            publishes: false,
        })
    }

    fn run(&self, job: &Job, reporter: &mut dyn Reporter) -> Result<(), StageError> {
        let parameters: Parameters = parameters_of(job)?;
        let choice = Choice { parts: parameters.sections, wrong: parameters.wrong, ..Choice::default() };
        let science = Science::of(&job.inputs, &choice).map_err(stage_error)?;
        let titles: Vec<&str> = science.sections.iter().map(|section| section.title.as_str()).collect();
        reporter.log(&format!("sections: {}", if titles.is_empty() { "none".to_owned() } else { titles.join(", ") }));
        let text = serde_json::to_string(&science).map_err(|error| StageError::bug(error.to_string()))?;
        Ok(fs_err::write(job.output.join(FILE), text)?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::aggregate::Aggregate;
    use super::super::aggregate::tests::{Log, evaluated, job};
    use super::*;
    use crate::protocol::Input;

    #[test]
    fn sections_come_in_the_order_that_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let table = job(&Aggregate, &json!({"rows": "method", "mean_over": "seed"}), folder.path());
        let inputs = vec![
            evaluated(folder.path(), "spp", "1", "imdb", [80.0, 50.0]),
            evaluated(folder.path(), "spp", "2", "imdb", [84.0, 50.0]),
        ];
        let predictions = "task,prompt,id,source,gold,predicted,valid\n\
                           imdb,learned,a,fine,good,bad,true\nimdb,learned,b,dull,bad,bad,true\n";
        for input in &inputs {
            fs_err::write(input.files.file("predictions.csv"), predictions).unwrap();
        }
        let table = Job { inputs: inputs.clone(), ..table };
        Aggregate.run(&table, &mut Log::default()).unwrap();
        let table = Input {
            stage: "table".into(),
            operation: "aggregate".into(),
            coordinates: Default::default(),
            files: table.output.into(),
        };
        let asked = job(&Report, &json!({"sections": ["wrong", "tables"], "wrong": 1}), folder.path());
        let asked = Job { inputs: [inputs, vec![table]].concat(), ..asked };
        let mut log = Log::default();
        Report.run(&asked, &mut log).unwrap();
        assert_eq!(log.0, ["sections: Wrong predictions, Tables"]);
        let science: Science = serde_json::from_slice(&fs_err::read(asked.output.join(FILE)).unwrap()).unwrap();
        assert_eq!(science.sections.iter().map(|section| &*section.id).collect::<Vec<_>>(), ["wrong", "tables"]);
        assert_eq!(science.findings.len(), 1);
    }

    #[test]
    fn parameters_are_checked() {
        let fault = |parameters: Value| Report.resolve(&parameters, Path::new(".")).unwrap_err().remove(0).message;
        assert_eq!(fault(json!({"sections": ["wrong", "wrong"]})), "the section `wrong` is named twice");
        assert!(fault(json!({"sections": ["wong"]})).contains("wong"));
    }
}
