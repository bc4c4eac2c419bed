//! Sets of instances of one plan.

use crate::plan::Plan;

/// Some instances of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceSet(Vec<bool>);

impl InstanceSet {
    /// None of `size` instances.
    pub fn none(size: usize) -> Self {
        Self(vec![false; size])
    }

    /// All of `size` instances.
    pub fn all(size: usize) -> Self {
        Self(vec![true; size])
    }

    /// Those of `size` instances whose positions are `ids`.
    pub fn of(size: usize, ids: impl IntoIterator<Item = usize>) -> Self {
        let mut set = Self::none(size);
        ids.into_iter().for_each(|id| set.0[id] = true);
        set
    }

    /// Whether the instance at this position belongs to it.
    pub fn has(&self, id: usize) -> bool {
        self.0[id]
    }

    /// The positions of its instances, in plan order.
    pub fn ids(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().filter_map(|(id, chosen)| chosen.then_some(id))
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.ids().count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        !self.0.contains(&true)
    }

    /// Those of either set.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(one, other)| *one || *other).collect())
    }

    /// Those of both sets.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(one, other)| *one && *other).collect())
    }

    /// All others.
    #[must_use]
    pub fn others(&self) -> Self {
        Self(self.0.iter().map(|chosen| !chosen).collect())
    }

    /// With what they read, directly or through at most `depth` steps.
    #[must_use]
    pub fn with_read(&self, plan: &Plan, depth: usize) -> Self {
        let mut steps = self.steps();
        // Plans are in topological order, so every reader has its number before what it reads is looked at.
        for instance in plan.instances.iter().rev() {
            let Some(further) = steps[instance.id].and_then(|steps| steps.checked_add(1)) else { continue };
            for &input in &instance.inputs {
                steps[input] = Some(steps[input].map_or(further, |known| known.min(further)));
            }
        }
        Self::within(&steps, depth)
    }

    /// With what reads them, directly or through at most `depth` steps.
    #[must_use]
    pub fn with_readers(&self, plan: &Plan, depth: usize) -> Self {
        let mut steps = self.steps();
        for instance in &plan.instances {
            let nearest = instance.inputs.iter().filter_map(|&input| steps[input]).min();
            let further = nearest.and_then(|steps| steps.checked_add(1));
            steps[instance.id] = [steps[instance.id], further].into_iter().flatten().min();
        }
        Self::within(&steps, depth)
    }

    /// How many steps each instance is away from the set, as far as that is known.
    fn steps(&self) -> Vec<Option<usize>> {
        self.0.iter().map(|chosen| chosen.then_some(0)).collect()
    }

    fn within(steps: &[Option<usize>], depth: usize) -> Self {
        Self(steps.iter().map(|steps| steps.is_some_and(|steps| steps <= depth)).collect())
    }
}
