//! A part of a plan as a plan of its own, so that whatever is done with plans is done with parts.

use super::InstanceSet;
use crate::plan::{Instance, Plan, StagePlan};

/// Some instances of a plan with all that they read.
#[derive(Clone, Debug, PartialEq)]
pub struct Narrowed {
    /// They as a plan. Their keys are the same in both.
    pub plan: Plan,
    /// Where they stand in the whole plan.
    pub ids: Vec<usize>,
}

impl Narrowed {
    /// The instances of `targets` with all that they read.
    pub fn of(whole: &Plan, targets: &InstanceSet) -> Self {
        Self::alone(whole, &targets.with_read(whole, usize::MAX))
    }

    /// These instances alone, to be looked at: of what they read only what is among them.
    pub fn alone(whole: &Plan, chosen: &InstanceSet) -> Self {
        let ids: Vec<usize> = chosen.ids().collect();
        let mut places = vec![None; whole.instances.len()];
        ids.iter().enumerate().for_each(|(place, &id)| places[id] = Some(place));
        let instance = |(place, &id): (usize, &usize)| {
            let instance = &whole.instances[id];
            let inputs = instance.inputs.iter().filter_map(|&input| places[input]).collect();
            Instance { id: place, inputs, ..instance.clone() }
        };
        let stage = |stage: &StagePlan| {
            // The instances of a stage follow one another, in the part too.
            let start = ids.partition_point(|&id| id < stage.instances.start);
            let end = ids.partition_point(|&id| id < stage.instances.end);
            (start < end).then(|| StagePlan { instances: start..end, ..stage.clone() })
        };
        let plan = Plan {
            pipeline: whole.pipeline.clone(),
            stages: whole.stages.iter().filter_map(stage).collect(),
            instances: ids.iter().enumerate().map(instance).collect(),
        };
        Self { plan, ids }
    }

    /// A set of instances of the whole plan, as far as they are in the part.
    pub fn inside(&self, set: &InstanceSet) -> InstanceSet {
        let inside = self.ids.iter().enumerate().filter_map(|(place, &id)| set.has(id).then_some(place));
        InstanceSet::of(self.ids.len(), inside)
    }

    /// What is known of each instance of the whole plan: `inside` for those of the part, `whole` for the others.
    pub fn fill<T: Clone>(&self, mut whole: Vec<T>, inside: &[T]) -> Vec<T> {
        self.ids.iter().zip(inside).for_each(|(&id, value)| whole[id] = value.clone());
        whole
    }
}
