//! How long a run is expected to take, from how long its stages took before.

use serde_json::{Value, json};

use super::session::Session;
use crate::exec::expectation::{self, Basis};
use crate::exec::{Options, forecast, needs};
use crate::page::words::{count, duration};
use crate::plan::Plan;
use crate::plan::fate::Fate;
use crate::plan::key::Numeric;

/// What is expected of the part of a plan that was asked for.
pub struct Times<'a> {
    plan: &'a Plan,
    numeric: &'a Numeric,
    options: Options,
    /// What each instance needs in this run: nothing, so many seconds, or nobody knows.
    pub each: Vec<Option<f64>>,
}

/// The work of some instances, one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Work {
    /// Seconds, as far as they are known.
    pub seconds: f64,
    /// How many of them have never run.
    pub unknown: usize,
}

impl<'a> Times<'a> {
    /// What is expected of instances with these fates, in a run with these options. One that may run counts as if it did.
    pub fn of(session: &'a Session, told: &[Fate], options: Options) -> Self {
        let (plan, durations) = (session.part_plan(), session.store.durations());
        let expected = expectation::of_plan(plan, &durations);
        let each = expected.into_iter().zip(told).map(|(expected, fate)| match fate {
            Fate::Cached | Fate::Shares { .. } | Fate::Fails | Fate::Skipped { .. } | Fate::Left { .. } => Some(0.0),
            Fate::Runs | Fate::MayRun => {
                expected.filter(|known| known.basis != Basis::Guess).map(|known| known.seconds)
            }
        });
        Self { plan, numeric: &session.numeric, options, each: each.collect() }
    }

    /// The work of the instances at these places.
    pub fn work(&self, ids: impl IntoIterator<Item = usize>) -> Work {
        ids.into_iter().fold(Work::default(), |work, id| match self.each[id] {
            Some(seconds) => Work { seconds: work.seconds + seconds, ..work },
            None => Work { unknown: work.unknown + 1, ..work },
        })
    }

    /// Seconds until the run ends, without what is not known.
    fn to_the_end(&self) -> f64 {
        let seconds: Vec<Option<f64>> = self.each.iter().map(|known| known.or(Some(0.0))).collect();
        let parts = needs::parts(self.plan, self.numeric, &self.options);
        forecast::seconds_left(&self.plan.readers(), &seconds, &parts).unwrap_or_default()
    }

    /// The work at each value of each axis; axes with one value, and values without work, are left out.
    fn by_axis(&self) -> Vec<(&str, Vec<(&str, Work)>)> {
        let table = self.plan.axes().into_iter().map(|axis| {
            let values = self.plan.by_value(axis);
            let works = values.into_iter().map(|(value, ids)| (value, self.work(ids))).collect::<Vec<_>>();
            (axis, works)
        });
        let has_work = |work: &Work| work.seconds > 0.0 || work.unknown > 0;
        table
            .filter(|(_, works)| works.len() > 1)
            .map(|(axis, works)| (axis, works.into_iter().filter(|(_, work)| has_work(work)).collect::<Vec<_>>()))
            .filter(|(_, works)| !works.is_empty())
            .collect()
    }

    /// Two lines or more on how long it takes; nothing when there is nothing to do.
    pub fn as_text(&self) -> String {
        let all = self.work(0..self.each.len());
        if all == Work::default() {
            return String::new();
        }
        let mut text = format!("expected: {}", all.said());
        if all.seconds > 0.0 {
            let least = if all.unknown > 0 { "at least " } else { "" };
            text += &format!("; {least}{} with {}\n", duration(self.to_the_end()), count(self.options.jobs, "job"));
            for (axis, works) in self.by_axis() {
                let known = works.iter().filter(|(_, work)| work.seconds > 0.0);
                let said: Vec<String> =
                    known.map(|(value, work)| format!("{value}: {}", duration(work.seconds))).collect();
                text += &format!("  {axis}  {}\n", said.join(", "));
            }
            return text;
        }
        text + "\n"
    }

    /// The same for programs.
    pub fn as_json(&self) -> Value {
        let all = self.work(0..self.each.len());
        let axes = self.by_axis().into_iter().map(|(axis, works)| {
            let values = works
                .into_iter()
                .map(|(value, work)| json!({ "value": value, "work_seconds": work.seconds, "unknown": work.unknown }));
            json!({ "axis": axis, "values": values.collect::<Vec<_>>() })
        });
        json!({
            "seconds": self.to_the_end(), "work_seconds": all.seconds, "unknown": all.unknown, "jobs": self.options.jobs,
            "axes": axes.collect::<Vec<_>>(),
        })
    }
}

impl Work {
    /// `4 min 05 s of work and 2 stages that never ran`.
    fn said(&self) -> String {
        let never = format!("{} that never ran", count(self.unknown, "stage"));
        match (self.seconds > 0.0, self.unknown > 0) {
            (true, false) => format!("{} of work", duration(self.seconds)),
            (true, true) => format!("{} of work and {never}", duration(self.seconds)),
            (false, _) => never,
        }
    }

    /// `4 min 05 s`; empty when nothing is known.
    pub fn known(&self) -> String {
        if self.seconds > 0.0 { duration(self.seconds) } else { String::new() }
    }
}
