//! What a run expects of its stages: which path is the longest, and when the run will end.

use std::time::{Duration, Instant};

use super::forecast;
use crate::plan::catalog::Place;
use crate::plan::{Instance, Plan};
use crate::store::Durations;

/// Seconds taken for a stage on a thread that never ran.
const LIGHT_GUESS: f64 = 1.0;
/// Seconds taken for a stage in a worker that never ran.
const HEAVY_GUESS: f64 = 60.0;
/// How often the end of the run is estimated.
const RENEWED: Duration = Duration::from_secs(1);

/// Durations of the instances of a plan.
#[derive(Debug)]
pub(super) struct Outlook {
    readers: Vec<Vec<usize>>,
    heavy: Vec<bool>,
    /// Where it is known.
    expected: Vec<Option<f64>>,
    /// Seconds of the longest path from each instance to the end, with guesses for what is unknown.
    remaining: Vec<f64>,
    /// An instance's own priority, or a greater one above 0 of something that needs it.
    priorities: Vec<i64>,
    estimate: Option<(Instant, Option<f64>)>,
}

impl Outlook {
    /// From what earlier runs took. `firsts` are the instances that do the work (see [`Plan::firsts`]): the others take
    /// no time.
    pub(super) fn new(plan: &Plan, firsts: &[usize], durations: &Durations) -> Self {
        let known = |instance: &Instance| match firsts[instance.id] == instance.id {
            true => durations.expected(&plan.pipeline, &instance.stage, &instance.operation),
            false => Some(0.0),
        };
        let expected: Vec<Option<f64>> = plan.instances.iter().map(known).collect();
        let heavy: Vec<bool> = plan.instances.iter().map(|instance| instance.place != Place::Thread).collect();
        let guesses: Vec<f64> = expected
            .iter()
            .zip(&heavy)
            .map(|(expected, heavy)| expected.unwrap_or(if *heavy { HEAVY_GUESS } else { LIGHT_GUESS }))
            .collect();
        let readers = plan.readers();
        let mut priorities: Vec<i64> = plan.instances.iter().map(|instance| instance.policy.priority).collect();
        for id in (0..priorities.len()).rev() {
            let above = readers[id].iter().map(|reader| priorities[*reader]).max().unwrap_or(0);
            if above > 0 {
                priorities[id] = priorities[id].max(above);
            }
        }
        let remaining = forecast::remaining_paths(&readers, &guesses);
        Self { remaining, readers, heavy, expected, priorities, estimate: None }
    }

    /// How urgent the user says that an instance is.
    pub(super) fn priority(&self, id: usize) -> i64 {
        self.priorities[id]
    }

    /// The seconds that an instance takes, if that is known.
    pub(super) fn expected(&self, id: usize) -> Option<f64> {
        self.expected[id]
    }

    /// The seconds from the start of an instance to the end of the run, as far as it can be guessed.
    pub(super) fn remaining(&self, id: usize) -> f64 {
        self.remaining[id]
    }

    /// An instance took so long: others of its stage will take about the same when nothing better is known.
    pub(super) fn learn(&mut self, plan: &Plan, id: usize, seconds: f64) {
        // Whatever one instance of a stage knows, all of them do.
        if self.expected[id].is_some() {
            return;
        }
        let stage = &plan.instances[id].stage;
        for other in plan.instances.iter().filter(|other| other.stage == *stage) {
            self.expected[other.id].get_or_insert(seconds);
        }
    }

    /// Seconds until the run ends; nothing as long as a duration that it needs is unknown. `left(id, expected)` tells
    /// what an instance still needs.
    pub(super) fn seconds_left(
        &mut self,
        left: impl Fn(usize, Option<f64>) -> Option<f64>,
        jobs: usize,
    ) -> Option<f64> {
        if let Some((at, estimate)) = self.estimate
            && at.elapsed() < RENEWED
        {
            return estimate;
        }
        let seconds: Vec<Option<f64>> = self.expected.iter().enumerate().map(|(id, known)| left(id, *known)).collect();
        let estimate = forecast::seconds_left(&self.readers, &seconds, &self.heavy, jobs);
        self.estimate = Some((Instant::now(), estimate));
        estimate
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

    use super::{Outlook, Pace};
    use crate::exec::testing::plan;
    use crate::store::Durations;

    #[test]
    fn the_end_is_known_once_every_stage_is() {
        let plan = plan(&[("a", &[], json!({})), ("b", &[0], json!({}))]);
        let mut outlook = Outlook::new(&plan, &[0, 1], &Durations::default());
        assert_eq!(outlook.seconds_left(|_, expected| expected, 1), None);
        outlook.estimate = None;
        outlook.learn(&plan, 0, 3.0);
        outlook.learn(&plan, 1, 4.0);
        assert_eq!(outlook.expected(1), Some(4.0));
        assert_eq!(outlook.seconds_left(|_, expected| expected, 1), Some(7.0));
        assert!(outlook.remaining(0) > outlook.remaining(1));
        // A stage that takes the result of another one takes no time.
        let twins = Outlook::new(&plan, &[0, 0], &Durations::default());
        assert_eq!((twins.expected(0), twins.expected(1)), (None, Some(0.0)));
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
