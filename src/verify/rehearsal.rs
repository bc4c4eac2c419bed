//! The plan of a verification: the chosen instances as their records say, and what they read as results that are given.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::base::Digest;
use crate::plan::catalog::Place;
use crate::plan::key::{InputKey, Numeric, Preimage};
use crate::plan::pins::Pins;
use crate::plan::reason::{self, Reason};
use crate::plan::{Instance, Plan, Policy, State};
use crate::store::{Found, Record, Store, StoreError};

/// A plan whose first instances are given and whose others are made again.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// The plan: each given result before those that read it.
    pub plan: Plan,
    /// The given results by what their reader's key says of them.
    givens: HashMap<String, usize>,
    /// What is to be made again.
    pub reruns: Vec<Rerun>,
}

/// An instance that is made again.
#[derive(Clone, Debug)]
pub struct Rerun {
    /// Its position in the plan of the rehearsal.
    pub id: usize,
    /// Its name.
    pub name: String,
    /// What it made before.
    pub record: Record,
}

/// The record that an instance is verified against: its result, or else its latest one, if the stage itself is still the
/// same and only what it reads has changed. Otherwise why there is none.
///
/// # Errors
/// When the cache can't be read.
pub fn recorded(
    pipeline: &str,
    instance: &Instance,
    state: &State,
    store: &Store,
) -> Result<Result<Record, String>, StoreError> {
    let (key, reasons) = match state {
        State::Cached { key, .. } => (Some(*key), [].as_slice()),
        State::Run { reasons, .. } => {
            let latest = store.latest(pipeline, instance)?;
            (
                latest.filter(|latest| is_same_stage(&latest.preimage, instance)).map(|latest| latest.key),
                reasons.as_slice(),
            )
        }
    };
    let Some(key) = key else { return Ok(Err(sentence(reasons))) };
    Ok(match store.find(&key)? {
        Found::Whole(_) => store.record(&key)?.ok_or_else(|| sentence(reasons)),
        Found::Damaged(damage) => Err(format!("its result is damaged: {damage}")),
        Found::Missing => Err(sentence(reasons)),
    })
}

fn is_same_stage(preimage: &Preimage, instance: &Instance) -> bool {
    preimage.operation == instance.operation
        && preimage.version == instance.version
        && preimage.parameters == instance.parameters.value()
}

fn sentence(reasons: &[Reason]) -> String {
    match reasons {
        [] => "its result is not in the cache any more".to_owned(),
        some => some.iter().map(Reason::to_string).collect::<Vec<_>>().join("; "),
    }
}

impl Rehearsal {
    /// Nothing yet, of this pipeline.
    pub fn new(pipeline: &str) -> Self {
        let plan = Plan { pipeline: pipeline.to_owned(), stages: Vec::new(), instances: Vec::new() };
        Self { plan, givens: HashMap::new(), reruns: Vec::new() }
    }

    /// Adds an instance, to be made again from what its record names.
    ///
    /// # Errors
    /// Why that is not possible here and now.
    pub fn add(&mut self, instance: &Instance, record: Record, pins: &Pins, numeric: &Numeric) -> Result<(), String> {
        for (source, was) in instance.sources.iter().zip(&record.preimage.sources) {
            match pins.get(source) {
                None => return Err(format!("{source} can't be had here")),
                Some(pin) if pin.digest() != was.digest => {
                    return Err(format!(
                        "source changed: {source} has another content than this was made of: {} -> {}",
                        was.digest.short(),
                        pin.digest().short()
                    ));
                }
                Some(_) => {}
            }
        }
        let before = self.plan.instances.len();
        let inputs: Vec<usize> = record.preimage.inputs.iter().map(|input| self.given(input)).collect();
        let id = self.plan.instances.len();
        let mut rerun = Instance {
            id,
            // Cells name stages as the file of this instance does.
            scope: String::new(),
            parameters: (&record.preimage.parameters).into(),
            inputs,
            ..instance.clone()
        };
        if let Some(was) = &record.preimage.numeric {
            rerun.resources.insert("cpu".to_owned(), was.threads as u64);
        }
        let name = rerun.label.clone();
        self.plan.instances.push(rerun);
        let outputs: Vec<Digest> = record.preimage.inputs.iter().map(|input| input.output).collect();
        let differences = match self.plan.preimage(id, &outputs, pins, numeric) {
            Ok(preimage) => reason::differences(&record.preimage, &preimage),
            Err(source) => vec![Reason::SourceUnknown { source: source.to_string() }],
        };
        if !differences.is_empty() {
            self.forget(before);
            return Err(sentence(&differences));
        }
        self.reruns.push(Rerun { id, name, record });
        Ok(())
    }

    /// Takes back what was added last.
    fn forget(&mut self, length: usize) {
        self.plan.instances.truncate(length);
        self.givens.retain(|_, id| *id < length);
    }

    /// The instance that stands for a result that is read. It names its result among its parameters, so that it has a key.
    fn given(&mut self, input: &InputKey) -> usize {
        let cell = input.cell.as_ref();
        let name = json!([input.operation, input.output, cell]).to_string();
        if let Some(id) = self.givens.get(&name) {
            return *id;
        }
        let id = self.plan.instances.len();
        let parameters: Value = json!({ "output": input.output, "cell": cell });
        self.plan.instances.push(Instance {
            id,
            stage: cell.map_or_else(|| input.operation.clone(), |cell| cell.stage.clone()),
            scope: String::new(),
            title: None,
            label: format!("{} {}", input.operation, input.output.short()),
            coordinates: cell.map(|cell| cell.coordinates.clone()).unwrap_or_default(),
            operation: input.operation.clone(),
            version: 0,
            parameters: parameters.into(),
            inputs: Vec::new(),
            sources: Vec::new(),
            resources: [].into(),
            policy: Policy::default(),
            place: Place::Thread,
            reads_coordinates: false,
            publishes: false,
        });
        self.givens.insert(name, id);
        id
    }

    /// Puts what is read into the cache of the rehearsal. Returns the names of the instances that can't run because
    /// something is not there, with why; the others go on without them.
    ///
    /// # Errors
    /// When that cache can't be written.
    pub fn lend(
        &mut self,
        owner: &Store,
        scratch: &Store,
        pins: &Pins,
        numeric: &Numeric,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let plan = &self.plan;
        let (bare, mut missing) = (owner.bare_names()?, HashMap::<usize, String>::new());
        for id in self.givens.values() {
            let given = &plan.instances[*id];
            let output = given.parameters.value()["output"].as_str().and_then(Digest::parse);
            // A given result has neither sources nor a worker, so its preimage is always known.
            let (Some(output), Ok(preimage)) = (output, plan.preimage(*id, &[], pins, numeric)) else { continue };
            let names = bare.get(&output).map_or(&[][..], Vec::as_slice);
            if let Err(why) = scratch.adopt(owner, (&output, names), given, preimage)? {
                missing.insert(*id, format!("it reads a result of `{}` ({}): {why}", given.operation, output.short()));
            }
        }
        let why = |rerun: &Rerun| plan.instances[rerun.id].inputs.iter().find_map(|input| missing.get(input)).cloned();
        let refused = self.reruns.iter().filter_map(|rerun| Some((rerun.name.clone(), why(rerun)?))).collect();
        self.reruns.retain(|rerun| why(rerun).is_none());
        // What is left keeps its order, without those that are not there.
        self.renumber();
        Ok(refused)
    }

    /// Leaves out what no rerun is or reads.
    fn renumber(&mut self) {
        let mut wanted: Vec<bool> = vec![false; self.plan.instances.len()];
        for rerun in &self.reruns {
            wanted[rerun.id] = true;
            for input in &self.plan.instances[rerun.id].inputs {
                wanted[*input] = true;
            }
        }
        let mut places: Vec<usize> = vec![0; wanted.len()];
        let mut kept = Vec::new();
        for mut instance in std::mem::take(&mut self.plan.instances) {
            if wanted[instance.id] {
                places[instance.id] = kept.len();
                instance.id = kept.len();
                // What it reads stands before it, so it has its place already.
                instance.inputs = instance.inputs.iter().map(|input| places[*input]).collect();
                kept.push(instance);
            }
        }
        self.plan.instances = kept;
        self.givens = std::mem::take(&mut self.givens)
            .into_iter()
            .filter(|(_, id)| wanted[*id])
            .map(|(name, id)| (name, places[id]))
            .collect();
        for rerun in &mut self.reruns {
            rerun.id = places[rerun.id];
        }
    }
}
