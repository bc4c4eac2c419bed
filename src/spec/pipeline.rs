//! A pipeline that has been checked: what the planner works from.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::policy::Policy;
use super::scalar::{AxisValue, canonical};
use super::source::SourceFile;
use super::substitute::{UnknownName, below, substitute};

/// A checked pipeline, with the profile and `--set` applied.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// The file it comes from, to place errors in.
    pub file: Arc<SourceFile>,
    /// Its name: lower-case letters, digits and `_`.
    pub name: String,
    /// What it is about, for people.
    pub title: Option<String>,
    /// The values of all parameters: scalars or lists of scalars.
    pub params: BTreeMap<String, Value>,
    /// The values of the axes under `axes:`.
    pub axes: BTreeMap<String, Vec<AxisValue>>,
    /// The titles of included pipelines by [`Stage::scope`]; their names where they have none.
    pub included: BTreeMap<String, String>,
    /// The stages: those of included files first, then those of the file, each in the order of its file.
    pub stages: Vec<Stage>,
}

/// Every value that an axis has anywhere in a file (under `axes:` or in a matrix), by axis and by text.
pub type AxisTypes = BTreeMap<String, BTreeMap<String, Value>>;

/// A stage of a checked pipeline: one operation, run once for each of its instances.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Its name: lower-case letters, digits and `_`; before that of an included stage stands its [`Stage::scope`].
    pub name: String,
    /// The included pipelines that it comes from, `a.b` from outside in; empty for a stage of the file itself.
    pub scope: String,
    /// The file that it stands in, to place errors in.
    pub file: Arc<SourceFile>,
    /// The values of axes with their types, as its file has them.
    pub axis_values: Arc<AxisTypes>,
    /// What it does, for people.
    pub title: Option<String>,
    /// Its own axes in the order of the file, each with at least one value and no value twice. An empty list
    /// (`matrix: {}`) is one instance without axes; `None` has the axes of what it reads.
    pub matrix: Option<Vec<(String, Vec<AxisValue>)>>,
    /// Combinations to leave out: those that agree with every entry of one of these.
    pub exclude: Vec<BTreeMap<String, String>>,
    /// The stages it reads, in the order of the file; all of them exist.
    pub from: Vec<String>,
    /// Which values of an axis it reads; the texts may contain `${axis}`, see [`Pipeline::only_at`].
    pub only: BTreeMap<String, Vec<String>>,
    /// What one instance occupies while it runs, in its first attempt.
    pub resources: BTreeMap<String, u64>,
    /// When it is tried again, how long it may take, and what goes first.
    pub policy: Policy,
    /// The operation's name; whether there is such an operation is the planner's to check.
    pub operation: String,
    /// The operation's parameters, a map without `from` and `only`: parameters of the pipeline are filled in, `${axis}`
    /// is not, see [`Pipeline::parameters_at`].
    pub parameters: Value,
}

impl Pipeline {
    /// The stage of this name.
    pub fn stage(&self, name: &str) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.name == name)
    }

    /// The operation's parameters for the instance of `stage` at `coordinates`; an axis value keeps its type.
    ///
    /// # Errors
    /// A `${axis}` that `coordinates` lacks; [`load`](super::load) has found those that the stage can't have.
    pub fn parameters_at(&self, stage: &Stage, coordinates: &BTreeMap<String, String>) -> Result<Value, UnknownName> {
        substitute(&stage.parameters, |name| stage.value_at(name, coordinates))
    }

    /// The values of each axis that the instance of `stage` at `coordinates` reads, without `none` and without
    /// repetitions. An axis that is not named is read whole.
    ///
    /// # Errors
    /// A `${axis}` that `coordinates` lacks.
    pub fn only_at(
        &self,
        stage: &Stage,
        coordinates: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, Vec<String>>, UnknownName> {
        let narrowed = |texts: &Vec<String>| {
            let mut values: Vec<String> = Vec::with_capacity(texts.len());
            for text in texts {
                let value = substitute(&Value::from(text.as_str()), |name| stage.value_at(name, coordinates))?;
                let value = canonical(&value).unwrap_or_default();
                if value != "none" && !values.contains(&value) {
                    values.push(value);
                }
            }
            Ok(values)
        };
        stage.only.iter().map(|(axis, texts)| Ok((axis.clone(), narrowed(texts)?))).collect()
    }
}

impl Stage {
    /// The path of the stage in its file: `stages.fit`.
    pub fn path(&self) -> String {
        below("stages", self.name.strip_prefix(self.scope.as_str()).unwrap_or(&self.name).trim_start_matches('.'))
    }

    /// The stage as a part of a pipeline that includes the one called `pipeline`.
    #[must_use]
    pub(super) fn within(mut self, pipeline: &str) -> Self {
        let prefixed = |name: &str| format!("{pipeline}.{name}");
        self.name = prefixed(&self.name);
        self.scope = if self.scope.is_empty() { pipeline.to_owned() } else { prefixed(&self.scope) };
        self.from = self.from.iter().map(|name| prefixed(name)).collect();
        self
    }

    /// The value, with its type, of the axis `name` at `coordinates`.
    fn value_at(&self, name: &str, coordinates: &BTreeMap<String, String>) -> Option<Value> {
        let text = coordinates.get(name)?;
        let typed = self.axis_values.get(name).and_then(|values| values.get(text));
        Some(typed.cloned().unwrap_or_else(|| Value::from(text.as_str())))
    }

    /// The path of a parameter in its file: `gate.kind` becomes `stages.fit.run.train.gate.kind`; the empty path is
    /// the operation's map, and `from` and `only.task` are found too.
    pub fn parameter_path(&self, parameter: &str) -> String {
        below(&below(&below(&self.path(), "run"), &self.operation), parameter)
    }
}
