//! Operations for the fuzz targets: they take any parameters, and are enough to meet every kind of place and source.

use std::path::Path;

use serde_json::Value;

use crate::plan::catalog::{Catalog, ParameterError, Place, Resolved, SourceRef};

/// Operations that take any parameters.
pub struct Anything;

impl Catalog for Anything {
    fn names(&self) -> Vec<&'static str> {
        vec!["fetch", "train", "aggregate"]
    }

    fn resolve(&self, operation: &str, parameters: &Value, _: &Path) -> Option<Result<Resolved, Vec<ParameterError>>> {
        let name = self.names().into_iter().find(|name| *name == operation)?;
        if let Some(refused) = parameters.get("refused") {
            let message = format!("`refused: {refused}` is not accepted");
            return Some(Err(vec![ParameterError { path: "refused".into(), message, help: None }]));
        }
        Some(Ok(Resolved {
            version: 1,
            parameters: parameters.clone(),
            accepts: if name == "fetch" { &[] } else { &["fetch", "train", "aggregate"] },
            sources: parameters.get("dataset").map(|name| SourceRef::Dataset(name.to_string())).into_iter().collect(),
            reads_coordinates: name == "aggregate",
            place: if name == "train" { Place::Worker { affinity: "t5".into() } } else { Place::Thread },
            publishes: name == "aggregate",
        }))
    }
}
