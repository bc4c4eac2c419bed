//! What a run does about each instance, said before it runs.

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;

use super::assess::State;
use super::instance::Plan;
use super::key::Numeric;
use crate::base::Digest;

/// What becomes of one instance, if nothing fails and no other runner makes its result first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Its result is there.
    Cached,
    /// Its result is made.
    Runs,
    /// Its result is made by this run, but for another instance that does the same work.
    Shares {
        /// The first of them.
        with: usize,
    },
    /// Its result is made unless it turns out to be there, when what it reads is known.
    MayRun,
}

/// How many instances have which fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Fates {
    /// Their results are there.
    pub cached: usize,
    /// Their results are made.
    pub run: usize,
    /// They take what is made for another one.
    pub shared: usize,
    /// They run unless their results turn out to be there.
    pub may_run: usize,
}

/// The fate of every instance of the plan, given where they stand when the run begins. Which of those that do the same work
/// does it, is decided by what is ready first; here it is the first of the plan.
pub fn fates(plan: &Plan, states: &[State], numeric: &Numeric) -> Vec<Fate> {
    /// What is known of an instance's work.
    #[derive(PartialEq, Eq, Hash)]
    enum Work {
        Key(Digest),
        LikeThatOf(usize),
    }
    let firsts = plan.firsts(numeric);
    let mut makers: HashMap<Work, usize> = HashMap::new();
    let fate = |(id, state): (usize, &State)| match state {
        State::Cached { .. } => Fate::Cached,
        State::Run { certain: false, .. } => Fate::MayRun,
        State::Run { key, .. } => {
            let work = key.map_or(Work::LikeThatOf(firsts[id]), Work::Key);
            match *makers.entry(work).or_insert(id) {
                maker if maker == id => Fate::Runs,
                maker => Fate::Shares { with: maker },
            }
        }
    };
    states.iter().enumerate().map(fate).collect()
}

impl Fates {
    /// Counts them.
    pub fn of(fates: &[Fate]) -> Self {
        let mut counts = Self::default();
        for fate in fates {
            *match fate {
                Fate::Cached => &mut counts.cached,
                Fate::Runs => &mut counts.run,
                Fate::Shares { .. } => &mut counts.shared,
                Fate::MayRun => &mut counts.may_run,
            } += 1;
        }
        counts
    }
}

impl fmt::Display for Fates {
    /// `23 stages: 10 cached, 12 run, 1 may run`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.cached + self.run + self.shared + self.may_run;
        if total == self.cached {
            return write!(f, "{total} stages, all cached: nothing to run");
        }
        let counts = [
            (self.cached, "cached"),
            (self.run, "to run"),
            (self.shared, "the same work as one of those"),
            (self.may_run, "may run: their results may turn out to be there"),
        ];
        let said: Vec<String> =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        write!(f, "{total} stages: {}", said.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::{Fate, Fates, fates};
    use crate::base::Digest;
    use crate::plan::State;
    use crate::plan::instance::tests::small;
    use crate::plan::key::tests::numeric;

    #[test]
    fn the_same_work_is_done_once() {
        let mut plan = small();
        // Both trainings are the same work: known by their key, or, before there is one, by what they are made of.
        plan.instances[3].parameters = plan.instances[2].parameters.clone();
        let run = |key: Option<&[u8]>, certain| State::Run { key: key.map(Digest::of), certain, reasons: Vec::new() };
        let there = State::Cached { key: Digest::of(b"k"), output: Digest::of(b"o") };
        for key in [None, Some(&b"fit"[..])] {
            let states = [there.clone(), run(Some(b"a"), true), run(key, true), run(key, true), run(None, false)];
            let told = fates(&plan, &states, &numeric());
            assert_eq!(told, [Fate::Cached, Fate::Runs, Fate::Runs, Fate::Shares { with: 2 }, Fate::MayRun]);
            let counts = Fates::of(&told);
            assert_eq!(counts, Fates { cached: 1, run: 2, shared: 1, may_run: 1 });
            assert_eq!(
                counts.to_string(),
                "5 stages: 1 cached, 2 to run, 1 the same work as one of those, \
                 1 may run: their results may turn out to be there"
            );
        }
    }
}
