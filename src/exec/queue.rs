//! The ready stages, kept so that the next ones are found without looking at all.
//!
//! Stages with the same needs and the same backbone differ only in their priority and in the path behind them, and neither
//! changes while they wait. So they stand in order once and for all, and only the first of each kind can be the next.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::resources::{Amounts, fits};
use super::select::Candidate;

/// What stages have in common that compete with each other only.
type Kind = (Arc<Amounts>, Option<String>);

/// Ready stages.
#[derive(Debug, Default)]
pub(super) struct Queue {
    kinds: BTreeMap<Kind, BTreeSet<Place>>,
    places: HashMap<usize, (Kind, Place)>,
}

/// The order within one kind: by priority, by remaining path, by place in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    priority: Reverse<i64>,
    /// The bits of seconds, which are not negative, have the order of the seconds.
    remaining: Reverse<u64>,
    index: usize,
}

/// What becomes of a stage in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It may start.
    Starts,
    /// Not now.
    Stays,
    /// It is not ready any more.
    Leaves,
}

impl Queue {
    /// Adds a stage, or gives it another place.
    pub(super) fn push(
        &mut self,
        index: usize,
        priority: i64,
        remaining: f64,
        needs: &Arc<Amounts>,
        affinity: Option<&str>,
    ) {
        self.remove(index);
        let kind = (Arc::clone(needs), affinity.map(str::to_owned));
        let place = Place { priority: Reverse(priority), remaining: Reverse(remaining.max(0.0).to_bits()), index };
        self.kinds.entry(kind.clone()).or_default().insert(place);
        self.places.insert(index, (kind, place));
    }

    /// Takes a stage out.
    pub(super) fn remove(&mut self, index: usize) {
        let Some((kind, place)) = self.places.remove(&index) else { return };
        if let Some(places) = self.kinds.get_mut(&kind) {
            places.remove(&place);
            if places.is_empty() {
                self.kinds.remove(&kind);
            }
        }
    }

    /// Takes out the stages before those that may start which are not ready any more.
    pub(super) fn clear(&mut self, free: &Amounts, fate: impl Fn(usize) -> Fate) {
        let mut gone = Vec::new();
        for ((needs, _), places) in self.kinds.iter().filter(|((needs, _), _)| fits(needs, free)) {
            let mut room = room(needs, free);
            for place in places {
                match fate(place.index) {
                    Fate::Starts => room -= 1,
                    Fate::Stays => {}
                    Fate::Leaves => gone.push(place.index),
                }
                if room == 0 {
                    break;
                }
            }
        }
        gone.into_iter().for_each(|index| self.remove(index));
    }

    /// All that can be chosen now: of each kind as many as there is room for, the first ones.
    pub(super) fn candidates(&self, free: &Amounts, fate: impl Fn(usize) -> Fate) -> Vec<Candidate<'_>> {
        let mut candidates = Vec::new();
        for ((needs, affinity), places) in self.kinds.iter().filter(|((needs, _), _)| fits(needs, free)) {
            let first = places.iter().filter(|place| fate(place.index) == Fate::Starts).take(room(needs, free));
            candidates.extend(first.map(|place| Candidate {
                index: place.index,
                priority: place.priority.0,
                remaining: f64::from_bits(place.remaining.0),
                needs,
                affinity: affinity.as_deref(),
            }));
        }
        candidates
    }
}

/// How many stages with these needs there is room for.
fn room(needs: &Amounts, free: &Amounts) -> usize {
    let times = |(name, amount): (&String, &u64)| free.get(name).copied().unwrap_or(0).checked_div(*amount);
    let least = needs.iter().filter_map(times).min();
    least.map_or(usize::MAX, |least| usize::try_from(least).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::{Fate, Queue};
    use crate::exec::resources::Amounts;
    use crate::exec::select::{Candidate, choose};

    const BACKBONES: [&str; 2] = ["small", "base"];

    type Stage = (u32, i64, BTreeMap<String, u64>, Option<usize>);

    fn stages() -> impl Strategy<Value = Vec<Stage>> {
        let needs = prop::collection::btree_map("[ab]", 0u64..3, 0..3);
        prop::collection::vec((0u32..9, 0i64..2, needs, prop::option::of(0usize..2)), 0..16)
    }

    proptest! {
        #[test]
        fn the_same_is_chosen_as_from_all(
            stages in stages(),
            free in prop::collection::btree_map("[ab]", 0u64..5, 0..3),
            warm in prop::collection::btree_map(prop::sample::select(BACKBONES.as_slice()), 0usize..3, 0..3),
            held in any::<u16>(),
        ) {
            let warm: BTreeMap<String, usize> = warm.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
            let all: Vec<(Arc<Amounts>, &Stage)> = stages.iter().map(|stage| (Arc::new(stage.2.clone()), stage)).collect();
            let fate = |index: usize| match (held >> index) & 1 {
                0 => Fate::Starts,
                _ if index.is_multiple_of(2) => Fate::Stays,
                _ => Fate::Leaves,
            };
            let mut queue = Queue::default();
            let mut ready = Vec::new();
            for (index, (needs, (remaining, priority, _, backbone))) in all.iter().enumerate() {
                let (remaining, affinity) = (f64::from(*remaining), backbone.map(|i| BACKBONES[i]));
                queue.push(index, 0, 0.0, needs, None);
                queue.push(index, *priority, remaining, needs, affinity);
                if fate(index) == Fate::Starts {
                    ready.push(Candidate { index, priority: *priority, remaining, needs, affinity });
                }
            }
            let wanted = choose(&ready, &free, &warm);
            prop_assert_eq!(choose(&queue.candidates(&free, fate), &free, &warm), wanted.clone());
            queue.clear(&free, fate);
            prop_assert_eq!(choose(&queue.candidates(&free, fate), &free, &warm), wanted);
        }
    }

    #[test]
    fn only_as_many_as_there_is_room_for_are_looked_at() {
        let needs = Arc::new(Amounts::from([("worker".to_owned(), 1)]));
        let mut queue = Queue::default();
        (0..1000).for_each(|index| queue.push(index, 0, 1.0, &needs, None));
        let free = Amounts::from([("worker".to_owned(), 2)]);
        let asked = std::cell::Cell::new(0);
        let fate = |_| {
            asked.set(asked.get() + 1);
            Fate::Starts
        };
        let first: Vec<usize> = queue.candidates(&free, fate).iter().map(|candidate| candidate.index).collect();
        assert_eq!((first, asked.get()), (vec![0, 1], 2));
        (0..1000).for_each(|index| queue.remove(index));
        assert!(queue.kinds.is_empty() && queue.places.is_empty());
    }
}
