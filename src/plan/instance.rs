//! A plan as a value: what there is to do, in an order in which it can be done.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;

use super::catalog::{Place, SourceRef};
use super::key::{self, Numeric, Preimage, Read};
use super::parameters::Parameters;
use super::pins::Pins;
use crate::base::Digest;
use crate::base::canonical::Encoder;
use crate::protocol::Coordinates;
use crate::spec::Policy;

/// What a pipeline does: its stages, each expanded to the cells of its axes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// The pipeline's name.
    pub pipeline: String,
    /// The stages in topological order; file order where the order is free.
    pub stages: Vec<StagePlan>,
    /// The instances in topological order: stage by stage, each in the order of its axes.
    pub instances: Vec<Instance>,
}

/// One stage of a plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StagePlan {
    /// Its name.
    pub name: String,
    /// What it is, for people.
    pub title: Option<String>,
    /// The operation.
    pub operation: String,
    /// Its axes in their order.
    pub axes: Vec<String>,
    /// Where its instances stand among those of the plan.
    pub instances: Range<usize>,
}

/// One cell of one stage.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Instance {
    /// Its position among the plan's instances.
    pub id: usize,
    /// The stage.
    pub stage: String,
    /// The included pipelines that the stage comes from, `a.b` from outside in; empty for one of the file itself.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// What the stage is, for people.
    pub title: Option<String>,
    /// The stage's name with the axis values in the stage's order; see [`Instance::name`].
    pub label: String,
    /// Its axis values.
    pub coordinates: Coordinates,
    /// The operation.
    pub operation: String,
    /// The operation's code version.
    pub version: u32,
    /// The operation's complete parameters.
    pub parameters: Parameters,
    /// The instances that it reads, by position in the plan: by stage in the order of `from`, then in that stage's order.
    pub inputs: Vec<usize>,
    /// The sources that its parameters name.
    pub sources: Vec<SourceRef>,
    /// What it needs while it runs, in its first attempt: `gpu`, `cpu`, any name.
    pub resources: BTreeMap<String, u64>,
    /// When it is tried again, how long it may take, and what goes first; no part of its key.
    #[serde(skip_serializing_if = "Policy::is_default")]
    pub policy: Policy,
    /// Where its body runs.
    pub place: Place,
    /// Whether the stage and axis values of what it reads are part of its result.
    pub reads_coordinates: bool,
    /// Whether its files are copied to the pipeline's output folder.
    pub publishes: bool,
}

impl Instance {
    /// `fit[method=spp,seed=123]`, axes in the stage's order.
    pub fn name(&self) -> &str {
        &self.label
    }

    /// The stage of `read`, which this instance reads, as its own file names it: so an included pipeline makes the same
    /// bytes, under the same keys, as when it is run by itself.
    pub fn name_of<'a>(&self, read: &'a Self) -> &'a str {
        let inside = read.stage.strip_prefix(self.scope.as_str()).filter(|_| !self.scope.is_empty());
        inside.and_then(|inside| inside.strip_prefix('.')).unwrap_or(&read.stage)
    }

    /// Names this instance among all of its pipeline, whatever the order of the axes: under this digest the cache
    /// remembers its latest result.
    pub fn identity(&self) -> Digest {
        let mut name = Encoder::new("compt instance");
        name.list(2);
        name.string(&self.stage);
        name.map(self.coordinates.len());
        for (axis, text) in &self.coordinates {
            name.key(axis);
            name.string(text);
        }
        name.digest()
    }
}

impl Plan {
    /// The instance of this name.
    pub fn find(&self, name: &str) -> Option<&Instance> {
        self.instances.iter().find(|instance| instance.label == name)
    }

    /// What the instance `id` reads, given the output digests of its inputs in plan order.
    fn reads<'a>(&'a self, id: usize, outputs: &[Digest]) -> Vec<Read<'a>> {
        let inputs = self.instances[id].inputs.iter();
        inputs.zip(outputs).map(|(&input, &output)| Read { instance: &self.instances[input], output }).collect()
    }

    /// The key's preimage of instance `id`, given the output digests of its inputs in plan order.
    ///
    /// # Errors
    /// The source whose content isn't pinned yet.
    pub fn preimage(
        &self,
        id: usize,
        outputs: &[Digest],
        pins: &Pins,
        numeric: &Numeric,
    ) -> Result<Preimage, &SourceRef> {
        Preimage::new(&self.instances[id], &self.reads(id, outputs), pins, numeric)
    }

    /// The key of instance `id`, given the output digests of its inputs in plan order.
    ///
    /// # Errors
    /// As [`Plan::preimage`].
    pub fn key(&self, id: usize, outputs: &[Digest], pins: &Pins, numeric: &Numeric) -> Result<Digest, &SourceRef> {
        key::key(&self.instances[id], &self.reads(id, outputs), pins, numeric)
    }

    /// What instance `id` reads, as positions in the plan, in the order in which the job must list it
    /// (see [`Preimage::order`]).
    pub fn reading_order(&self, id: usize, outputs: &[Digest]) -> Vec<usize> {
        let instance = &self.instances[id];
        let order = Preimage::order(instance, &self.reads(id, outputs));
        order.into_iter().map(|position| instance.inputs[position]).collect()
    }

    /// For each instance, the instances that read it, in plan order.
    pub fn readers(&self) -> Vec<Vec<usize>> {
        let mut readers = vec![Vec::new(); self.instances.len()];
        for instance in &self.instances {
            for &input in &instance.inputs {
                readers[input].push(instance.id);
            }
        }
        readers
    }

    /// The axes of its stages, each once, in the order in which they come.
    pub fn axes(&self) -> Vec<&str> {
        let mut seen = std::collections::BTreeSet::new();
        let named = self.stages.iter().flat_map(|stage| stage.axes.iter().map(String::as_str));
        named.filter(|axis| seen.insert(*axis)).collect()
    }

    /// For each value of `axis` the instances that have it, by position; values and instances in the order in which they
    /// come.
    pub fn by_value(&self, axis: &str) -> Vec<(&str, Vec<usize>)> {
        let mut values: Vec<(&str, Vec<usize>)> = Vec::new();
        let mut places = std::collections::HashMap::new();
        for instance in &self.instances {
            let Some(value) = instance.coordinates.get(axis) else { continue };
            let place = *places.entry(value.as_str()).or_insert(values.len());
            if place == values.len() {
                values.push((value, Vec::new()));
            }
            values[place].1.push(instance.id);
        }
        values
    }

    /// Every source that some instance names, sorted, each once.
    pub fn sources(&self) -> Vec<SourceRef> {
        let sources: std::collections::BTreeSet<&SourceRef> =
            self.instances.iter().flat_map(|instance| &instance.sources).collect();
        sources.into_iter().cloned().collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{Instance, Plan, StagePlan};
    use crate::base::Digest;
    use crate::plan::catalog::{Place, SourceRef};
    use crate::plan::key::tests::numeric;
    use crate::plan::parameters::Parameters;
    use crate::plan::pins::{Pin, Pins};
    use crate::spec::Policy;
    use serde_json::json;

    /// Two `data` stages, read by two `fit`s (both data sets each), read by one table.
    pub(crate) fn small() -> Plan {
        let instance = |id: usize, stage: &str, cell: Option<(&str, &str)>, inputs: &[usize]| Instance {
            id,
            stage: stage.to_owned(),
            scope: String::new(),
            title: None,
            label: cell.map_or_else(|| stage.to_owned(), |(axis, value)| format!("{stage}[{axis}={value}]")),
            coordinates: cell.iter().map(|(axis, value)| ((*axis).to_owned(), (*value).to_owned())).collect(),
            operation: format!("make_{stage}"),
            version: 1,
            parameters: Parameters::from(json!({"cell": cell.map(|(_, value)| value), "k": 16})),
            inputs: inputs.to_vec(),
            sources: if stage == "data" { vec![SourceRef::Dataset(cell.unwrap().1.to_owned())] } else { Vec::new() },
            resources: [("cpu".to_owned(), 2)].into(),
            policy: Policy::default(),
            place: if stage == "fit" { Place::Worker { affinity: "t5".into() } } else { Place::Thread },
            reads_coordinates: stage == "table",
            publishes: stage == "table",
        };
        let stage = |name: &str, axes: &[&str], instances| StagePlan {
            name: name.to_owned(),
            title: None,
            operation: format!("make_{name}"),
            axes: axes.iter().map(|axis| (*axis).to_owned()).collect(),
            instances,
        };
        Plan {
            pipeline: "small".into(),
            stages: vec![stage("data", &["task"], 0..2), stage("fit", &["method"], 2..4), stage("table", &[], 4..5)],
            instances: vec![
                instance(0, "data", Some(("task", "imdb")), &[]),
                instance(1, "data", Some(("task", "rte")), &[]),
                instance(2, "fit", Some(("method", "spp")), &[0, 1]),
                instance(3, "fit", Some(("method", "scp")), &[0, 1]),
                instance(4, "table", None, &[2, 3]),
            ],
        }
    }

    /// Pins for the sources of [`small`].
    pub(crate) fn pins() -> Pins {
        ["imdb", "rte"]
            .map(|name| (SourceRef::Dataset(name.into()), Pin { revision: Some(name.into()), ..Pin::default() }))
            .into_iter()
            .collect()
    }

    #[test]
    fn axes_and_their_values_come_in_the_order_of_the_plan() {
        let mut plan = small();
        assert_eq!(plan.axes(), ["task", "method"]);
        assert_eq!(plan.by_value("method"), [("spp", vec![2]), ("scp", vec![3])]);
        // A second stage with the axis `task`.
        plan.stages[1].axes.insert(0, "task".to_owned());
        plan.instances[3].coordinates.insert("task".to_owned(), "imdb".to_owned());
        assert_eq!(plan.axes(), ["task", "method"]);
        assert_eq!(plan.by_value("task"), [("imdb", vec![0, 3]), ("rte", vec![1])]);
        assert!(plan.by_value("seed").is_empty());
    }

    #[test]
    fn renamed_axes_and_another_order_of_inputs_give_the_same_key_unless_they_are_read() {
        let plan = small();
        let outputs = [Digest::of(b"1"), Digest::of(b"2")];
        let swapped = [outputs[1], outputs[0]];
        let key = |plan: &Plan, id, outputs: &[Digest]| plan.preimage(id, outputs, &pins(), &numeric()).unwrap().key();
        assert_eq!(key(&plan, 2, &outputs), key(&plan, 2, &swapped));
        assert_ne!(key(&plan, 4, &outputs), key(&plan, 4, &swapped));
        let mut renamed = plan.clone();
        for instance in &mut renamed.instances {
            instance.coordinates = instance.coordinates.iter().map(|(a, v)| (format!("{a}_2"), v.clone())).collect();
        }
        assert_eq!(key(&plan, 2, &outputs), key(&renamed, 2, &outputs));
        assert_ne!(key(&plan, 4, &outputs), key(&renamed, 4, &outputs));
    }

    #[test]
    fn the_job_gets_the_order_of_the_key() {
        let plan = small();
        let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
        let sorted = if one < two { [0, 1] } else { [1, 0] };
        assert_eq!(plan.reading_order(2, &[one, two]), sorted);
        assert_eq!(plan.reading_order(2, &[two, one]), [sorted[1], sorted[0]]);
        assert_eq!(plan.reading_order(4, &[two, one]), [2, 3]);
    }

    #[test]
    fn an_included_reader_has_the_key_that_it_has_alone() {
        let plan = small();
        let mut included = plan.clone();
        for instance in &mut included.instances {
            instance.stage = format!("tables.{}", instance.stage);
            instance.scope = "tables".to_owned();
        }
        let outputs = [Digest::of(b"1"), Digest::of(b"2")];
        let key = |plan: &Plan| plan.preimage(4, &outputs, &pins(), &numeric()).unwrap().key();
        assert_eq!(key(&plan), key(&included));
        // A reader outside sees the whole name, so that two included stages of one name differ.
        included.instances[4].scope.clear();
        assert_ne!(key(&plan), key(&included));
        assert_eq!(included.instances[4].name_of(&included.instances[2]), "tables.fit");
    }

    #[test]
    fn numeric_settings_count_in_workers_only_and_cpus_are_threads() {
        let plan = small();
        let outputs = [Digest::of(b"1"), Digest::of(b"2")];
        let preimage = |id: usize| plan.preimage(id, &outputs, &pins(), &numeric()).unwrap();
        assert_eq!(preimage(4).numeric, None);
        assert_eq!(preimage(2).numeric.unwrap().threads, 2);
        let mut wider = plan.clone();
        wider.instances[2].resources.insert("cpu".into(), 4);
        let wider = wider.preimage(2, &outputs, &pins(), &numeric()).unwrap();
        assert_eq!(wider.numeric.as_ref().unwrap().threads, 4);
        assert_ne!(wider.key(), preimage(2).key());
    }

    #[test]
    fn a_source_that_is_not_pinned_is_named() {
        let missing = small().preimage(0, &[], &Pins::default(), &numeric()).unwrap_err().to_string();
        assert_eq!(missing, "dataset `imdb`");
    }

    #[test]
    fn a_plan_is_json() {
        let value = serde_json::to_value(small()).unwrap();
        assert_eq!(value["instances"][2]["place"]["worker"]["affinity"], "t5");
        assert_eq!(value["instances"][2]["inputs"], json!([0, 1]));
        assert_eq!(value["stages"][1]["axes"], json!(["method"]));
    }
}
