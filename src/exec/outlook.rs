//! What a run expects of its stages: which path is the longest, and when the run will end.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::expectation::{self, Basis, Expectation, median};
use super::forecast::{self, Parts};
use crate::base::Digest;
use crate::plan::Plan;
use crate::store::Durations;

/// Seconds taken for a stage in a worker that never ran, to choose what starts first. No end of a run is told from it.
const HEAVY_GUESS: f64 = 60.0;
/// How often the end of the run is estimated.
const RENEWED: Duration = Duration::from_secs(1);
/// So many of the latest instances of a stage tell how this run differs from earlier ones.
const LATEST: usize = 9;

/// When a run will end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// Seconds until then.
    pub seconds: f64,
    /// The weakest reason among those for the stages that are left.
    pub basis: Basis,
}

/// Durations of the instances of a plan.
#[derive(Debug)]
pub(super) struct Outlook {
    readers: Vec<Vec<usize>>,
    parts: Vec<Parts>,
    /// From earlier runs, where there were some.
    expected: Vec<Option<Expectation>>,
    durations: Durations,
    /// The number of each instance's stage.
    stage_of: Vec<usize>,
    /// What this run has shown of each stage.
    shown: Vec<Shown>,
    /// Seconds of the longest path from each instance to the end, with guesses for what is unknown.
    remaining: Vec<f64>,
    /// An instance's own priority, or a greater one above 0 of something that needs it.
    priorities: Vec<i64>,
    estimate: Option<(Instant, Option<Estimate>)>,
}

/// What the instances of a stage took in this run: as a multiple of what was expected, or in seconds where nothing was.
#[derive(Clone, Debug, Default)]
struct Shown {
    latest: Vec<f64>,
    middle: Option<f64>,
}

impl Shown {
    fn add(&mut self, value: f64) {
        if self.latest.len() == LATEST {
            self.latest.remove(0);
        }
        self.latest.push(value);
        self.middle = median(self.latest.clone());
    }
}

impl Outlook {
    /// From what earlier runs took. `firsts` are the instances that do the work (see [`Plan::firsts`]): the others take
    /// no time. `parts` is what each takes while it runs.
    pub(super) fn new(plan: &Plan, firsts: &[usize], durations: Durations, parts: Vec<Parts>) -> Self {
        let mut expected = expectation::of_plan(plan, &durations);
        for (id, _) in firsts.iter().enumerate().filter(|(id, first)| id != *first) {
            expected[id] = Some(Expectation { seconds: 0.0, basis: Basis::Key });
        }
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let mut number = |stage| {
            let next = numbers.len();
            *numbers.entry(stage).or_insert(next)
        };
        let stage_of: Vec<usize> = plan.instances.iter().map(|instance| number(instance.stage.as_str())).collect();
        let seconds = expected.iter().map(|expected| expected.map_or(HEAVY_GUESS, |expected| expected.seconds));
        let readers = plan.readers();
        let remaining = forecast::remaining_paths(&readers, &seconds.collect::<Vec<_>>());
        let mut priorities: Vec<i64> = plan.instances.iter().map(|instance| instance.policy.priority).collect();
        for id in (0..priorities.len()).rev() {
            let above = readers[id].iter().map(|reader| priorities[*reader]).max().unwrap_or(0);
            if above > 0 {
                priorities[id] = priorities[id].max(above);
            }
        }
        Self {
            remaining,
            readers,
            parts,
            shown: vec![Shown::default(); numbers.len()],
            stage_of,
            expected,
            durations,
            priorities,
            estimate: None,
        }
    }

    /// How urgent the user says that an instance is.
    pub(super) fn priority(&self, id: usize) -> i64 {
        self.priorities[id]
    }

    /// What an instance is expected to take, if anything is known of it: by earlier runs, as far as this run is like
    /// them, or else by this one.
    pub(super) fn expected(&self, id: usize) -> Option<Expectation> {
        let middle = self.shown[self.stage_of[id]].middle;
        match self.expected[id] {
            Some(exact @ Expectation { basis: Basis::Key, .. }) => Some(exact),
            Some(earlier) if earlier.basis != Basis::Guess => {
                Some(Expectation { seconds: earlier.seconds * middle.unwrap_or(1.0), ..earlier })
            }
            guess => middle.map(|seconds| Expectation { seconds, basis: Basis::Stage }).or(guess),
        }
    }

    /// The seconds from the start of an instance to the end of the run, as far as it can be guessed.
    pub(super) fn remaining(&self, id: usize) -> f64 {
        self.remaining[id]
    }

    /// An instance will be made under this key; perhaps it was before.
    pub(super) fn know_key(&mut self, id: usize, key: &Digest) {
        if let Some(seconds) = self.durations.of_key(key) {
            self.expected[id] = Some(Expectation { seconds, basis: Basis::Key });
        }
    }

    /// An instance took so long: others of its stage will differ as much from what was expected, or take about the same
    /// where nothing was.
    pub(super) fn learn(&mut self, id: usize, seconds: f64) {
        let shown = &mut self.shown[self.stage_of[id]];
        match self.expected[id] {
            Some(Expectation { basis: Basis::Guess, .. }) | None => shown.add(seconds),
            // What was over in no time tells no proportion.
            Some(Expectation { seconds: expected, .. }) if expected > 0.0 => shown.add(seconds / expected),
            Some(_) => {}
        }
    }

    /// When the run will end; nothing as long as a duration that it needs is unknown. `left(id, expected)` tells how many
    /// seconds an instance still needs.
    pub(super) fn estimate(&mut self, left: impl Fn(usize, Option<f64>) -> Option<f64>) -> Option<Estimate> {
        if let Some((at, estimate)) = self.estimate
            && at.elapsed() < RENEWED
        {
            return estimate;
        }
        let estimate = self.estimate_now(left);
        self.estimate = Some((Instant::now(), estimate));
        estimate
    }

    fn estimate_now(&self, left: impl Fn(usize, Option<f64>) -> Option<f64>) -> Option<Estimate> {
        let mut basis = Basis::Key;
        let mut seconds = Vec::with_capacity(self.expected.len());
        for id in 0..self.expected.len() {
            let expected = self.expected(id);
            let needed = left(id, expected.map(|expected| expected.seconds));
            if let (Some(needed), Some(expected)) = (needed, expected)
                && needed > 0.0
            {
                basis = basis.max(expected.basis);
            }
            seconds.push(needed);
        }
        let seconds = forecast::seconds_left(&self.readers, &seconds, &self.parts)?;
        Some(Estimate { seconds, basis })
    }
}

/// How fast a running stage goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    since: Instant,
    /// The first report: a stage that goes on from a checkpoint begins far from zero.
    first: Option<(Instant, f64)>,
    latest: Option<(Instant, f64)>,
}

impl Pace {
    /// A stage that starts now.
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), first: None, latest: None }
    }

    /// It has done so much.
    pub(super) fn report(&mut self, done: u64, total: u64) {
        if total > 0 {
            let now = (Instant::now(), done as f64 / total as f64);
            self.first.get_or_insert(now);
            self.latest = Some(now);
        }
    }

    /// The seconds that it still needs: from its own pace if it has one, otherwise from what is expected.
    pub(super) fn left(&self, expected: Option<f64>) -> Option<f64> {
        match (self.first, self.latest) {
            (Some((start, from)), Some((now, to))) if to > from => {
                Some((1.0 - to).max(0.0) * now.duration_since(start).as_secs_f64() / (to - from))
            }
            _ => expected.map(|expected| (expected - self.since.elapsed().as_secs_f64()).max(0.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use serde_json::json;

    use super::{Basis, Outlook, Pace};
    use crate::base::Digest;
    use crate::exec::forecast::Parts;
    use crate::exec::testing::plan;
    use crate::plan::Plan;
    use crate::plan::catalog::Place;
    use crate::store::{Durations, Store};

    fn two() -> Plan {
        let mut plan = plan(&[("a", &[], json!({})), ("b", &[0], json!({}))]);
        plan.instances.iter_mut().for_each(|instance| instance.place = Place::Program);
        plan
    }

    /// One worker for all.
    fn alone(plan: &Plan) -> Vec<Parts> {
        plan.instances.iter().map(|_| [(0, 1.0)].into()).collect()
    }

    #[test]
    fn the_end_is_known_once_every_stage_is() {
        let plan = two();
        let mut outlook = Outlook::new(&plan, &[0, 1], Durations::default(), alone(&plan));
        let all = |_: usize, expected: Option<f64>| expected;
        assert_eq!(outlook.estimate(all), None);
        outlook.learn(0, 3.0);
        assert_eq!(outlook.estimate_now(all), None);
        outlook.learn(1, 4.0);
        let estimate = outlook.estimate_now(all).unwrap();
        assert_eq!((estimate.seconds, estimate.basis), (7.0, Basis::Stage));
        assert!(outlook.remaining(0) > outlook.remaining(1));
        // What has ended needs no reason.
        let done = outlook.estimate_now(|_, _| Some(0.0)).unwrap();
        assert_eq!((done.seconds, done.basis), (0.0, Basis::Key));
        // A stage that takes the result of another one takes no time.
        let twins = Outlook::new(&plan, &[0, 0], Durations::default(), alone(&plan));
        assert_eq!((twins.expected(0), twins.expected(1).unwrap().seconds), (None, 0.0));
    }

    /// From the best to the worst: the key, the cell, the stage, the operation, nothing.
    #[test]
    fn what_is_expected_rests_on_the_best_that_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let mut plan = two();
        plan.instances[0].coordinates = [("seed".to_owned(), "1".to_owned())].into();
        let programs = plan.clone();
        plan.instances[0].place = Place::Worker { affinity: "nano".into() };
        let key = Digest::of(b"key");
        let known_of = |plan: &Plan, line: &str| {
            let root = folder.path().join(Digest::of(line.as_bytes()).to_string());
            let store = Store::open(&root).unwrap();
            fs_err::write(root.join("durations"), line).unwrap();
            let mut outlook = Outlook::new(plan, &[0, 1], store.durations(), alone(plan));
            outlook.know_key(0, &key);
            outlook.expected(0).map(|expected| (expected.seconds, expected.basis))
        };
        let known = |line: &str| known_of(&plan, line);
        let operation = r#"["write","elsewhere","z",9.0,{},null]"#;
        let stage = r#"["write","test","a",7.0,{"seed":"2"},null]"#;
        let cell = r#"["write","test","a",5.0,{"seed":"1"},null]"#;
        let exact = format!(r#"["write","other","x",3.0,{{}},"{key}"]"#);
        assert_eq!(known(""), None);
        assert_eq!(known(operation), Some((9.0, Basis::Operation)));
        assert_eq!(known(&format!("{operation}\n{stage}")), Some((7.0, Basis::Stage)));
        // Another program is another work.
        assert_eq!(known_of(&programs, operation), None);
        assert_eq!(known_of(&programs, &format!("{operation}\n{stage}")), Some((7.0, Basis::Stage)));
        assert_eq!(known(&format!("{operation}\n{stage}\n{cell}")), Some((5.0, Basis::Cell)));
        assert_eq!(known(&format!("{exact}\n{operation}\n{stage}\n{cell}")), Some((3.0, Basis::Key)));
    }

    #[test]
    fn what_this_run_shows_corrects_what_earlier_ones_said() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let lines = ["1", "2", "3"].map(|seed| format!(r#"["write","test","a",10.0,{{"seed":"{seed}"}},null]"#));
        fs_err::write(folder.path().join("durations"), lines.join("\n")).unwrap();
        let mut plan = plan(&[("a", &[], json!({})), ("a", &[], json!({})), ("a", &[], json!({}))]);
        for (instance, seed) in plan.instances.iter_mut().zip(["1", "2", "4"]) {
            instance.coordinates = [("seed".to_owned(), seed.to_owned())].into();
        }
        let mut outlook = Outlook::new(&plan, &[0, 1, 2], store.durations(), alone(&plan));
        let seconds = |outlook: &Outlook, id| outlook.expected(id).unwrap().seconds.round();
        assert_eq!([seconds(&outlook, 1), seconds(&outlook, 2)], [10.0, 10.0]);
        // Three times as many epochs as before.
        outlook.learn(0, 30.0);
        assert_eq!([seconds(&outlook, 1), seconds(&outlook, 2)], [30.0, 30.0]);
        assert_eq!(
            (outlook.expected(1).unwrap().basis, outlook.expected(2).unwrap().basis),
            (Basis::Cell, Basis::Stage)
        );
    }

    #[test]
    fn a_stage_that_goes_on_from_a_checkpoint_is_measured_from_there() {
        let start = Instant::now();
        let pace =
            Pace { since: start, first: Some((start, 0.5)), latest: Some((start + Duration::from_secs(10), 0.75)) };
        assert_eq!(pace.left(None), Some(10.0));
        assert_eq!(Pace { latest: Some((start, 0.5)), ..pace }.left(None), None);
    }
}
