//! What a run does about each instance, said before it runs.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::Serialize;

use super::Plan;
use super::assess::State;
use crate::base::Digest;

/// What becomes of one instance, if nothing fails but what has no room, and no other runner makes its result first.
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
    /// Its result is made unless it turns out to be there, when what it reads is known, or the run stops before its
    /// turn.
    MayRun,
    /// It can't be run, and fails when its turn comes; or it is skipped then, if it reads one that may run and fails.
    Fails,
    /// It reads, directly or through others, one that fails.
    Skipped {
        /// The first of these.
        because: usize,
    },
    /// It is not started: another one fails before anything is, and the run stops at the first failure.
    Left {
        /// The first of those that fail.
        because: usize,
    },
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
    /// They fail when their turn comes.
    pub fail: usize,
    /// They read one that fails.
    pub skip: usize,
    /// They are not started, because another one fails.
    pub left: usize,
}

/// The fate of every instance of a plan, given where they stand when the run begins, the first ones of those that do
/// the same work (see [`Plan::firsts`]), which can't be run, and whether the run stops at the first failure. Which of
/// those that do the same work does it, is decided by what is ready first; here it is the first one that has to run.
pub fn fates(
    plan: &Plan,
    states: &[State],
    firsts: &[usize],
    is_short: impl Fn(usize) -> bool,
    fail_fast: bool,
) -> Vec<Fate> {
    let fates = of_all(plan, states, firsts, &is_short);
    if fail_fast { until_a_failure(plan, states, fates, is_short) } else { fates }
}

/// Whether the run looks for its result before it starts anything.
fn is_seen_first(plan: &Plan, states: &[State], id: usize) -> bool {
    match &states[id] {
        State::Run { key: Some(_), .. } => true,
        // Without a key only its sources are not known yet.
        _ => plan.instances[id].inputs.iter().all(|input| states[*input].output().is_some()),
    }
}

/// The fates in a run that goes on after a failure.
fn of_all(plan: &Plan, states: &[State], firsts: &[usize], is_short: impl Fn(usize) -> bool) -> Vec<Fate> {
    /// What is known of an instance's work.
    #[derive(PartialEq, Eq, Hash)]
    enum Work {
        Key(Digest),
        LikeThatOf(usize),
    }
    let is_to_run = |id: usize| matches!(states[id], State::Run { .. });
    // Work that somebody can do: one that can't, and whose turn comes later, may find it done.
    let doable: HashSet<usize> =
        (0..states.len()).filter(|id| is_to_run(*id) && !is_short(*id)).map(|id| firsts[id]).collect();
    let mut makers: HashMap<Work, usize> = HashMap::new();
    let mut fates: Vec<Fate> = Vec::with_capacity(states.len());
    // What can't be run unless it turns out to be there, and what reads that.
    let mut doubtful: HashSet<usize> = HashSet::new();
    for (id, state) in states.iter().enumerate() {
        let failed = |input: &usize| match fates[*input] {
            Fate::Fails => Some(*input),
            Fate::Skipped { because } => Some(because),
            _ => None,
        };
        let inputs = &plan.instances[id].inputs;
        let fate = match state {
            State::Cached { .. } => Fate::Cached,
            State::Run { key, certain, .. } => {
                if let Some(because) = inputs.iter().find_map(failed) {
                    Fate::Skipped { because }
                } else if is_short(id) && *certain && (is_seen_first(plan, states, id) || !doable.contains(&firsts[id]))
                {
                    Fate::Fails
                } else if is_short(id) || inputs.iter().any(|input| doubtful.contains(input)) {
                    doubtful.insert(id);
                    Fate::MayRun
                } else if !certain {
                    Fate::MayRun
                } else {
                    let work = key.map_or(Work::LikeThatOf(firsts[id]), Work::Key);
                    match *makers.entry(work).or_insert(id) {
                        maker if maker == id => Fate::Runs,
                        maker => Fate::Shares { with: maker },
                    }
                }
            }
        };
        fates.push(fate);
    }
    fates
}

/// What is left of these fates when the run stops at the first failure.
fn until_a_failure(plan: &Plan, states: &[State], fates: Vec<Fate>, is_short: impl Fn(usize) -> bool) -> Vec<Fate> {
    let fails_first = |id: usize| fates[id] == Fate::Fails && is_seen_first(plan, states, id);
    if let Some(because) = (0..fates.len()).find(|id| fails_first(*id)) {
        let mut left: Vec<Fate> = Vec::with_capacity(fates.len());
        for (id, fate) in fates.iter().enumerate() {
            let failed = |input: &usize| match left[*input] {
                Fate::Fails => Some(*input),
                Fate::Skipped { because } => Some(because),
                _ => None,
            };
            left.push(match plan.instances[id].inputs.iter().find_map(failed) {
                _ if *fate == Fate::Cached || fails_first(id) => *fate,
                Some(because) => Fate::Skipped { because },
                None => Fate::Left { because },
            });
        }
        return left;
    }
    // How far the run comes until one of these fails is not known, nor which of several is the first to do so.
    let may_fail = |id: &usize| is_short(*id) && matches!(fates[*id], Fate::Fails | Fate::MayRun);
    let failures = (0..fates.len()).filter(may_fail).count();
    let open = |fate: Fate| match fate {
        Fate::Runs | Fate::Shares { .. } if failures > 0 => Fate::MayRun,
        Fate::Fails if failures > 1 => Fate::MayRun,
        fate => fate,
    };
    fates.into_iter().map(open).collect()
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
                Fate::Fails => &mut counts.fail,
                Fate::Skipped { .. } => &mut counts.skip,
                Fate::Left { .. } => &mut counts.left,
            } += 1;
        }
        counts
    }
}

impl fmt::Display for Fates {
    /// `23 stages: 10 cached, 12 run, 1 may run`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.cached + self.run + self.shared + self.may_run + self.fail + self.skip + self.left;
        let stages = if total == 1 { "stage" } else { "stages" };
        if total == self.cached {
            return write!(f, "{total} {stages}, all cached: nothing to run");
        }
        let counts = [
            (self.cached, "cached"),
            (self.run, "to run"),
            (self.shared, "the same work as one of those"),
            (self.may_run, "may run: their results may turn out to be there"),
            (self.fail, "to fail at once"),
            (self.skip, "to be skipped"),
            (self.left, "not to be started"),
        ];
        let said: Vec<String> =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        write!(f, "{total} {stages}: {}", said.join(", "))
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
            let told = fates(&plan, &states, &plan.firsts(&numeric()), |_| false, false);
            assert_eq!(told, [Fate::Cached, Fate::Runs, Fate::Runs, Fate::Shares { with: 2 }, Fate::MayRun]);
            let counts = Fates::of(&told);
            assert_eq!(counts, Fates { cached: 1, run: 2, shared: 1, may_run: 1, ..Fates::default() });
            assert_eq!(
                counts.to_string(),
                "5 stages: 1 cached, 2 to run, 1 the same work as one of those, \
                 1 may run: their results may turn out to be there"
            );
        }
    }

    #[test]
    fn what_has_no_room_fails_and_takes_its_readers_with_it() {
        let mut plan = small();
        plan.instances[3].parameters = plan.instances[2].parameters.clone();
        let run = |key: Option<&[u8]>, certain| State::Run { key: key.map(Digest::of), certain, reasons: Vec::new() };
        let told = |fits: [State; 2], short: usize| {
            let there = State::Cached { key: Digest::of(b"k"), output: Digest::of(b"o") };
            let [one, two] = fits;
            let states = [there, run(Some(b"a"), true), one, two, run(None, true)];
            fates(&plan, &states, &plan.firsts(&numeric()), |id| id == short, false)
        };
        use Fate::{Cached, Fails, MayRun, Runs, Skipped};
        let because = 1;
        let skipped = [Skipped { because }; 3];
        assert_eq!(told([run(None, true), run(None, false)], 1), [&[Cached, Fails][..], &skipped].concat());
        // The other one of the same work is not kept from it.
        let known = || run(Some(b"fit"), true);
        assert_eq!(told([known(), known()], 2), [Cached, Runs, Fails, Runs, Skipped { because: 2 }]);
        // Work that another one may have done before its turn comes, and a result that may be there.
        assert_eq!(told([run(None, true), run(None, true)], 2), [Cached, Runs, MayRun, Runs, MayRun]);
        assert_eq!(told([run(None, false), known()], 2), [Cached, Runs, MayRun, Runs, MayRun]);
        // What is there needs no room.
        assert_eq!(told([known(), known()], 0)[0], Cached);
        // One that reads such a result has no room either: whether it fails itself or is skipped, the other one decides.
        let states = [known(), known(), run(None, false), known(), run(None, true)];
        let both = fates(&plan, &states, &plan.firsts(&numeric()), |id| [2, 4].contains(&id), false);
        assert_eq!((both[2], both[4]), (MayRun, Fails));
        let counts = Fates::of(&told([known(), known()], 2));
        assert_eq!(counts.to_string(), "5 stages: 1 cached, 2 to run, 1 to fail at once, 1 to be skipped");
    }

    #[test]
    fn a_run_that_stops_at_the_first_failure_is_known_as_far_as_the_failure_is() {
        let mut plan = small();
        plan.instances[3].inputs = vec![1];
        let there = || State::Cached { key: Digest::of(b"k"), output: Digest::of(b"o") };
        let run = |key: Option<&[u8]>| State::Run { key: key.map(Digest::of), certain: true, reasons: Vec::new() };
        let told = |states: &[State], short: &[usize]| {
            fates(&plan, states, &plan.firsts(&numeric()), |id| short.contains(&id), true)
        };
        use Fate::{Cached, Fails, Left, MayRun, Runs, Skipped};
        // Before 3 is started; 4 reads both.
        let half = [there(), there(), run(Some(b"2")), run(Some(b"3")), run(None)];
        let because = 2;
        assert_eq!(told(&half, &[2]), [Cached, Cached, Fails, Left { because }, Skipped { because }]);
        let counts = Fates::of(&told(&half, &[2]));
        assert_eq!(counts.to_string(), "5 stages: 2 cached, 1 to fail at once, 1 to be skipped, 1 not to be started");
        assert_eq!(told(&half, &[]), [Cached, Cached, Runs, Runs, Runs]);
        // 3 has no room either, but what it reads is not there, and won't be.
        let (because, skipped) = (0, Skipped { because: 0 });
        let none = [run(Some(b"0")), run(Some(b"1")), run(None), run(None), run(None)];
        assert_eq!(told(&none, &[0, 3]), [Fails, Left { because }, skipped, Left { because }, skipped]);
        // After what it reads is made, whatever goes on beside it; of two, nobody knows which one is the first.
        assert_eq!(told(&none, &[3]), [MayRun, MayRun, MayRun, Fails, Skipped { because: 3 }]);
        assert_eq!(told(&none, &[2, 3]), [MayRun, MayRun, MayRun, MayRun, Skipped { because: 2 }]);
    }
}
