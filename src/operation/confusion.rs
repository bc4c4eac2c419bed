//! `confusion`: what was answered to what, for each task and part of its prompt (the paper's Tables 5-7).

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::aggregate::{Prompt, instance, one_or_more, one_or_more_schema, stage_error};
use super::compare::missing;
use super::{Operation, parameters, parameters_of};
use crate::base::files;
use crate::plan::catalog::{ParameterError, Place, Resolved, SourceRef};
use crate::protocol::{Input, Job, Reporter, StageError};
use crate::report::confusion::Matrices;
use crate::report::confusion::published::PublishedCounts;
use crate::report::frame::{Labelled, Source};
use crate::report::{ReportError, sheet};
use crate::task::dataset::Kind;
use crate::task::texts;

/// The parameters of `confusion`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// The axis or axes over which counts are added, usually the seed. Each cell of the others has a matrix of its own.
    #[serde(deserialize_with = "one_or_more")]
    #[schemars(schema_with = "one_or_more_schema")]
    pub sum_over: Vec<String>,
    /// Whose answers are counted.
    pub prompt: Prompt,
    /// A CSV file with published counts, below the project folder: the columns `task`, `prompt` (`source`, `private`,
    /// `combined`), `kind` (`count`, `total_acc`), `pred`, `gold` and `value`. They stand beside ours in `published.csv` and
    /// `confusion.md`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<String>,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { sum_over: Vec::new(), prompt: Prompt::Learned, published: None }
    }
}

/// The operation.
pub struct Confusion;

impl Operation for Confusion {
    fn name(&self) -> &'static str {
        "confusion"
    }

    fn about(&self) -> &'static str {
        "Counts what was answered to what, with the recall of each label, for each task and part of its prompt"
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(Parameters)
    }

    fn resolve(&self, written: &Value, root: &Path) -> Result<Resolved, Vec<ParameterError>> {
        let parameters: Parameters = parameters::read(written)?;
        if let Some(published) = parameters.published.as_ref().filter(|file| !root.join(file).is_file()) {
            return Err(vec![missing(published, root)]);
        }
        Ok(Resolved {
            version: 1,
            parameters: parameters::complete(&parameters),
            accepts: &["evaluate", "ablate"],
            sources: parameters.published.iter().cloned().map(SourceRef::File).collect(),
            reads_coordinates: true,
            place: Place::Thread,
            publishes: true,
        })
    }

    fn run(&self, job: &Job, reporter: &mut dyn Reporter) -> Result<(), StageError> {
        let parameters: Parameters = parameters_of(job)?;
        let evaluations = job.inputs.iter().map(labelled).collect::<Result<Vec<_>, _>>()?;
        let read = Matrices::read(&evaluations, &parameters.sum_over, parameters.prompt.name());
        let matrices = read.map_err(stage_error)?;
        let published = match job.sources.first().and_then(|source| source.files.values().next()) {
            Some(path) => Some(PublishedCounts::read(path).map_err(stage_error)?),
            None => None,
        };
        write(&matrices, published.as_ref(), &job.output).map_err(stage_error)?;
        reporter.log(&format!("{} matrices", matrices.matrices.len()));
        Ok(())
    }
}

/// An evaluation with the labels of its tasks; a regression has none.
///
/// # Errors
/// Its cards can't be read.
pub(super) fn labelled(input: &Input) -> Result<Labelled, StageError> {
    let cards = texts::read_cards(input.files.folder())?;
    let classes = cards.into_iter().filter(|card| card.kind == Kind::Classification);
    let labels: BTreeMap<String, Vec<String>> = classes.map(|card| (card.name, card.labels)).collect();
    let name = instance(&input.stage, &input.coordinates);
    let source = Source { name, coordinates: input.coordinates.clone(), files: input.files.clone() };
    Ok(Labelled { source, labels })
}

fn write(matrices: &Matrices, published: Option<&PublishedCounts>, output: &Path) -> Result<(), ReportError> {
    sheet::write(&output.join("confusion.csv"), matrices.counts()?)?;
    sheet::write(&output.join("recall.csv"), matrices.measures()?)?;
    let mut page = matrices.markdown();
    if let Some(published) = published {
        sheet::write(&output.join("published.csv"), matrices.beside(published)?)?;
        page += &matrices.markdown_beside(published)?;
    }
    Ok(files::write_atomically(&output.join("confusion.md"), page.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::aggregate::tests::{Log, job};
    use super::*;
    use crate::task::texts::TaskCard;

    fn card(name: &str, kind: Kind, labels: &[&str]) -> TaskCard {
        TaskCard {
            name: name.to_owned(),
            kind,
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            metrics: vec!["accuracy".to_owned()],
            score: "accuracy".to_owned(),
        }
    }

    #[test]
    fn evaluations_of_two_seeds_make_one_matrix() {
        let folder = tempfile::tempdir().unwrap();
        let inputs = ["1", "2"].map(|seed| {
            let place = folder.path().join(seed);
            fs_err::create_dir_all(&place).unwrap();
            let cards = [card("acid", Kind::Classification, &["yes", "no"]), card("size", Kind::Regression, &[])];
            texts::write_cards(&place, &cards).unwrap();
            let csv = "task,prompt,id,source,gold,predicted,valid\nacid,learned,1,x,yes,yes,true\nsize,learned,1,x,1.0,2.0,true\n";
            fs_err::write(place.join("predictions.csv"), csv).unwrap();
            let coordinates = [("seed".to_owned(), seed.to_owned())].into();
            Input { stage: "score".to_owned(), operation: "evaluate".to_owned(), coordinates, files: place.into() }
        });
        let job = Job { inputs: inputs.to_vec(), ..job(&Confusion, &json!({"sum_over": "seed"}), folder.path()) };
        let mut log = Log::default();
        Confusion.run(&job, &mut log).unwrap();
        let read = |name: &str| fs_err::read_to_string(job.output.join(name)).unwrap();
        assert_eq!(
            read("confusion.csv"),
            "task,part,weights,predicted,gold,count,is_label\n\
             acid,,,yes,yes,2,true\nacid,,,yes,no,0,true\nacid,,,no,yes,0,true\nacid,,,no,no,0,true\n"
        );
        // No example has the gold label `no`: its recall is not defined.
        assert!(read("recall.csv").contains("acid,,,recall,no,,0,0,2\n"), "{}", read("recall.csv"));
        assert!(read("confusion.md").starts_with("## acid\n"));
        assert_eq!(log.0, ["1 matrices"]);
    }
}
