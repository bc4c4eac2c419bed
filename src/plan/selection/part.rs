//! A part of a plan as a plan of its own, so that whatever is done with plans is done with parts.

use super::InstanceSet;
use crate::plan::{Instance, Plan, StagePlan};

/// The plan that another one is a part of.
#[derive(Clone, Debug, PartialEq)]
pub struct Whole {
    /// The plan.
    pub plan: Plan,
    /// Where the instances of the part stand in it.
    pub ids: Vec<usize>,
}

impl Whole {
    /// Divides a plan: the instances of `targets` with all that they read are one. Their keys are the same in both.
    pub fn divide(plan: Plan, targets: &InstanceSet) -> (Plan, Self) {
        let ids: Vec<usize> = targets.with_read(&plan, usize::MAX).ids().collect();
        let mut places = vec![0; plan.instances.len()];
        ids.iter().enumerate().for_each(|(place, &id)| places[id] = place);
        let instance = |(place, &id): (usize, &usize)| {
            let instance = &plan.instances[id];
            let inputs = instance.inputs.iter().map(|&input| places[input]).collect();
            Instance { id: place, inputs, ..instance.clone() }
        };
        let stage = |stage: &StagePlan| {
            // The instances of a stage follow one another, in the part too.
            let start = ids.partition_point(|&id| id < stage.instances.start);
            let end = ids.partition_point(|&id| id < stage.instances.end);
            (start < end).then(|| StagePlan { instances: start..end, ..stage.clone() })
        };
        let part = Plan {
            pipeline: plan.pipeline.clone(),
            stages: plan.stages.iter().filter_map(stage).collect(),
            instances: ids.iter().enumerate().map(instance).collect(),
        };
        (part, Self { plan, ids })
    }

    /// A set of instances of the whole, as far as they are in the part.
    pub fn inside(&self, set: &InstanceSet) -> InstanceSet {
        let inside = self.ids.iter().enumerate().filter_map(|(place, &id)| set.has(id).then_some(place));
        InstanceSet::of(self.ids.len(), inside)
    }
}
