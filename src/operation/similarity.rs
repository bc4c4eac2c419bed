//! `similarity`: what routers and gates have come to, and how alike the prompts of a training are.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::aggregate::{instance, stage_error};
use super::{Operation, parameters};
use crate::plan::catalog::{ParameterError, Place, Resolved};
use crate::protocol::{Job, Reporter, StageError};
use crate::report::frame::Source;
use crate::report::similarity::Trainings;
use crate::report::{ReportError, sheet};

/// `similarity` has no parameters: it reads every training that `from` and `only` name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameters {}

/// The operation.
pub struct Similarity;

impl Operation for Similarity {
    fn name(&self) -> &'static str {
        "similarity"
    }

    fn about(&self) -> &'static str {
        "Writes what routers and gates have learned, and how alike the prompts and router rows of a training are"
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(Parameters)
    }

    fn resolve(&self, written: &Value, _: &Path) -> Result<Resolved, Vec<ParameterError>> {
        let parameters: Parameters = parameters::read(written)?;
        Ok(Resolved {
            version: 1,
            parameters: parameters::complete(&parameters),
            accepts: &["train"],
            sources: Vec::new(),
            reads_coordinates: true,
            place: Place::Thread,
            publishes: true,
        })
    }

    fn run(&self, job: &Job, _: &mut dyn Reporter) -> Result<(), StageError> {
        let sources: Vec<Source> = job
            .inputs
            .iter()
            .map(|input| Source {
                name: instance(&input.stage, &input.coordinates),
                coordinates: input.coordinates.clone(),
                files: input.files.clone(),
            })
            .collect();
        write(&sources, &job.output).map_err(stage_error)
    }
}

fn write(sources: &[Source], output: &Path) -> Result<(), ReportError> {
    let trainings = Trainings::read(sources)?;
    sheet::write(&output.join("router.csv"), trainings.router()?)?;
    sheet::write(&output.join("router_similarity.csv"), trainings.rows()?)?;
    sheet::write(&output.join("prompt_similarity.csv"), trainings.prompts()?)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use safetensors::tensor::{Dtype, TensorView};
    use serde_json::json;

    use super::super::aggregate::tests::{Log, job};
    use super::*;
    use crate::protocol::Input;
    use crate::report::learned::{PARTS, gate, router};

    fn store(path: &Path, tensors: &[(&str, &[usize], &[f32])], metadata: &[(&str, &str)]) {
        let bytes: Vec<Vec<u8>> = tensors
            .iter()
            .map(|(_, _, values)| values.iter().flat_map(|value| value.to_le_bytes()).collect())
            .collect();
        let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
            ((*name).to_owned(), TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap())
        });
        let metadata: HashMap<String, String> =
            metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        fs_err::write(path, safetensors::serialize(views, Some(metadata)).unwrap()).unwrap();
    }

    #[test]
    fn a_training_of_two_tasks_and_two_sources() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("fit");
        fs_err::create_dir_all(&place).unwrap();
        store(
            &place.join(PARTS),
            &[
                ("source/0", &[1, 2], &[1.0, 0.0]),
                ("source/1", &[1, 2], &[0.0, 2.0]),
                ("private/mood", &[1, 2], &[1.0, 1.0]),
                ("private/acid", &[1, 2], &[-1.0, -1.0]),
                (router::LOGITS, &[2, 2], &[0.0, 0.0, 1.0, -1.0]),
                (router::WEIGHTS, &[2, 2], &[0.5, 0.5, 1.0, 0.0]),
                (gate::PRIVATE, &[2], &[0.5, 0.25]),
                (gate::SOURCE, &[2], &[1.0, 0.75]),
            ],
            &[("tasks", r#"["mood","acid"]"#), ("sources", r#"["source/0","source/1"]"#)],
        );
        let prompts = &place.join("prompts.safetensors");
        store(prompts, &[("learned/mood", &[1, 2], &[3.0, 4.0]), ("learned/acid", &[1, 2], &[4.0, 3.0])], &[]);
        let coordinates = [("seed".to_owned(), "7".to_owned())].into();
        let input =
            Input { stage: "fit".to_owned(), operation: "train".to_owned(), coordinates, files: place.clone().into() };
        let job = Job { inputs: vec![input], ..job(&Similarity, &json!({}), folder.path()) };
        Similarity.run(&job, &mut Log::default()).unwrap();
        let read = |name: &str| fs_err::read_to_string(job.output.join(name)).unwrap();
        assert_eq!(
            read("router.csv"),
            "seed,task,source,logit,weight,alpha,beta\n\
             7,mood,source/0,0.0,0.5,0.5,1.0\n7,mood,source/1,0.0,0.5,0.5,1.0\n\
             7,acid,source/0,1.0,1.0,0.25,0.75\n7,acid,source/1,-1.0,0.0,0.25,0.75\n"
        );
        // (0.5, 0.5) and (1, 0): cos 45 degrees; the logits of `mood` are zero and have no direction.
        let rows = read("router_similarity.csv");
        assert!(
            rows.starts_with("seed,a,b,cosine,cosine_logit\n7,mood,mood,1.0,\n7,mood,acid,0.7071067811865"),
            "{rows}"
        );
        let prompts = read("prompt_similarity.csv");
        let lines: Vec<&str> = prompts.lines().collect();
        // (3, 4) and (4, 3): 24 / 25.
        assert_eq!(
            lines[..3],
            ["seed,kind,a,b,cosine,cosine_flat", "7,composed,mood,mood,1.0,1.0", "7,composed,mood,acid,0.96,0.96"]
        );
        assert!(
            prompts.contains("7,private,acid,mood,-1.0,-1.0\n") || prompts.contains("7,private,acid,mood,-0.99999"),
            "{prompts}"
        );
        assert!(prompts.contains("7,source,source/0,source/1,0.0,0.0\n"), "{prompts}");
        assert_eq!(lines.len(), 1 + 3 * 4);
        fs_err::write(place.join(PARTS), b"{}").unwrap();
        let damaged = Similarity.run(&job, &mut Log::default()).unwrap_err();
        assert!(damaged.message.contains("no safetensors file") && damaged.hint.is_some(), "{damaged}");
    }
}
