//! Which ready stages start now: a pure function of what is ready, what is free and which workers are warm.
//!
//! The stage with the longest remaining path goes first, because the run can't end before that path does. A stage that
//! finds a worker with its backbone loaded counts as if its path were [`COLD_START`] longer: loading again costs that
//! much, so a slightly shorter path is worth taking first. Whatever fits is started (a big stage that does not fit yet
//! does not hold back small ones: a plan is finite, so it gets its turn when they are done). A stage's `priority` comes
//! before all this.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::resources::{Amounts, fits, subtract};

/// About what starting a worker and loading a backbone costs, in seconds.
pub const COLD_START: f64 = 5.0;

/// A stage that could start.
#[derive(Clone, Debug)]
pub struct Candidate<'a> {
    /// Its index in the plan.
    pub index: usize,
    /// Greater ones go first, whatever their paths.
    pub priority: i64,
    /// Expected seconds of the longest path from its start to the end of the run.
    pub remaining: f64,
    /// What it takes while it runs.
    pub needs: &'a Amounts,
    /// The backbone that it wants loaded; `None` for stages on threads.
    pub affinity: Option<&'a str>,
}

/// The plan indices of the stages to start now, in this order. `warm` tells how many idle workers have a backbone
/// loaded. Deterministic: ties go to the stage that is first in the plan.
pub fn choose(ready: &[Candidate<'_>], free: &Amounts, warm: &BTreeMap<String, usize>) -> Vec<usize> {
    let mut free = free.clone();
    let mut warm = warm.clone();
    let mut left: Vec<&Candidate<'_>> = ready.iter().filter(|candidate| fits(candidate.needs, &free)).collect();
    let mut chosen = Vec::new();
    while let Some(best) = (0..left.len()).max_by(|a, b| by_urgency(left[*a], left[*b], &warm)) {
        let best = left.swap_remove(best);
        subtract(&mut free, best.needs);
        if let Some(count) = best.affinity.and_then(|affinity| warm.get_mut(affinity)) {
            *count = count.saturating_sub(1);
        }
        chosen.push(best.index);
        left.retain(|candidate| fits(candidate.needs, &free));
    }
    chosen
}

/// Greater goes first.
fn by_urgency(a: &Candidate<'_>, b: &Candidate<'_>, warm: &BTreeMap<String, usize>) -> Ordering {
    let urgency = |candidate: &Candidate<'_>| {
        let is_warm = candidate.affinity.is_some_and(|affinity| warm.get(affinity).copied().unwrap_or(0) > 0);
        candidate.remaining + if is_warm { COLD_START } else { 0.0 }
    };
    let paths = urgency(a).total_cmp(&urgency(b)).then(a.remaining.total_cmp(&b.remaining)).then(b.index.cmp(&a.index));
    a.priority.cmp(&b.priority).then(paths)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::{COLD_START, Candidate, choose};
    use crate::exec::resources::{Amounts, fits, subtract};

    fn amounts(of: &[(&str, u64)]) -> Amounts {
        of.iter().map(|(name, amount)| ((*name).to_owned(), *amount)).collect()
    }

    fn candidate<'a>(index: usize, remaining: f64, needs: &'a Amounts, affinity: Option<&'a str>) -> Candidate<'a> {
        Candidate { index, priority: 0, remaining, needs, affinity }
    }

    #[test]
    fn longest_remaining_path_first() {
        let one = amounts(&[("worker", 1)]);
        let ready = [candidate(0, 10.0, &one, None), candidate(1, 30.0, &one, None), candidate(2, 30.0, &one, None)];
        assert_eq!(choose(&ready, &amounts(&[("worker", 2)]), &BTreeMap::new()), [1, 2]);
        assert_eq!(choose(&ready, &amounts(&[("worker", 9)]), &BTreeMap::new()), [1, 2, 0]);
    }

    #[test]
    fn priority_comes_before_paths() {
        let one = amounts(&[("worker", 1)]);
        let urgent = Candidate { priority: 1, ..candidate(1, 1.0, &one, None) };
        let ready = [candidate(0, 99.0, &one, None), urgent];
        assert_eq!(choose(&ready, &amounts(&[("worker", 1)]), &BTreeMap::new()), [1]);
    }

    #[test]
    fn a_warm_worker_outweighs_a_slightly_longer_path() {
        let one = amounts(&[("worker", 1)]);
        let warm = BTreeMap::from([("small".to_owned(), 1)]);
        let close =
            [candidate(0, 10.0 + COLD_START / 2.0, &one, Some("base")), candidate(1, 10.0, &one, Some("small"))];
        assert_eq!(choose(&close, &amounts(&[("worker", 1)]), &warm), [1]);
        let far = [candidate(0, 10.0 + COLD_START * 2.0, &one, Some("base")), candidate(1, 10.0, &one, Some("small"))];
        assert_eq!(choose(&far, &amounts(&[("worker", 1)]), &warm), [0]);
    }

    #[test]
    fn one_warm_worker_warms_one_stage() {
        let one = amounts(&[("worker", 1)]);
        let warm = BTreeMap::from([("small".to_owned(), 1)]);
        let ready = [
            candidate(0, 10.0, &one, Some("small")),
            candidate(1, 10.0, &one, Some("small")),
            candidate(2, 12.0, &one, Some("base")),
        ];
        assert_eq!(choose(&ready, &amounts(&[("worker", 2)]), &warm), [0, 2]);
    }

    #[test]
    fn a_big_stage_does_not_hold_back_small_ones() {
        let (big, small) = (amounts(&[("gpu", 2)]), amounts(&[("gpu", 1)]));
        let ready = [candidate(0, 99.0, &big, None), candidate(1, 1.0, &small, None)];
        assert_eq!(choose(&ready, &amounts(&[("gpu", 1)]), &BTreeMap::new()), [1]);
    }

    type Stage = (u32, BTreeMap<String, u64>, Option<usize>);
    const BACKBONES: [&str; 3] = ["nano", "small", "base"];

    fn stages() -> impl Strategy<Value = Vec<Stage>> {
        let needs = prop::collection::btree_map("[abc]", 0u64..4, 0..3);
        prop::collection::vec((0u32..50, needs, prop::option::of(0usize..3)), 0..12)
    }

    proptest! {
        #[test]
        fn takes_what_fits_and_no_more(
            stages in stages(),
            free in prop::collection::btree_map("[abc]", 0u64..6, 0..4),
            warm in prop::collection::btree_map(prop::sample::select(BACKBONES.as_slice()), 0usize..3, 0..3),
        ) {
            let warm: BTreeMap<String, usize> = warm.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
            let ready: Vec<Candidate<'_>> = stages
                .iter()
                .enumerate()
                .map(|(index, (remaining, needs, affinity))| {
                    candidate(index, f64::from(*remaining), needs, affinity.map(|i| BACKBONES[i]))
                })
                .collect();
            let chosen = choose(&ready, &free, &warm);
            // Never over-commits: taking them one by one always fits.
            let mut left = free.clone();
            for index in &chosen {
                prop_assert!(fits(ready[*index].needs, &left));
                subtract(&mut left, ready[*index].needs);
            }
            // Each at most once, and nothing that still fits is left out.
            let mut unique = chosen.clone();
            unique.sort_unstable();
            unique.dedup();
            prop_assert_eq!(unique.len(), chosen.len());
            for other in ready.iter().filter(|candidate| !chosen.contains(&candidate.index)) {
                prop_assert!(!fits(other.needs, &left));
            }
            // The order in which the ready stages are listed plays no part.
            let mut turned = ready.clone();
            turned.reverse();
            prop_assert_eq!(choose(&turned, &free, &warm), chosen);
        }
    }
}
