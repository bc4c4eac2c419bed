//! What happens in a run, as values. The dispatcher makes them in one order; reporters only listen.

use std::time::Duration;

use serde::Serialize;

use super::expectation::Basis;
use super::outlook::Estimate;
use crate::base::Digest;
use crate::plan::Cause;
use crate::protocol::StageErrorKind;

/// One thing that happened. `--json` prints each as a line, tagged by `event`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The first event.
    RunStarted {
        /// The pipeline's name.
        pipeline: String,
        /// Stage instances in the plan.
        stages: usize,
        /// Most heavy stages at once.
        jobs: usize,
    },
    /// Everything the stage reads is there, its result is not: it waits for its turn.
    Queued {
        /// The instance's name.
        stage: String,
        /// Its key.
        key: Digest,
    },
    /// Another runner is making this result; it will be used when it is there.
    Waiting {
        /// The instance's name.
        stage: String,
        /// Its key.
        key: Digest,
        /// Who is making it, if it is known.
        holder: Option<String>,
    },
    /// The result was in the store.
    Cached {
        /// The instance's name.
        stage: String,
        /// Its key.
        key: Digest,
        /// Digest of the result.
        output: Digest,
        /// Whether this run has made it, for another stage with the same key.
        shared: bool,
    },
    /// The stage's body begins.
    Started {
        /// The instance's name.
        stage: String,
        /// Its key.
        key: Digest,
        /// 1 for the first attempt in this run.
        attempt: u32,
        /// Seconds that it is expected to take, if anything is known of it.
        expected_seconds: Option<f64>,
        /// How that is known.
        expected_by: Option<Basis>,
        /// GPUs handed out to it.
        gpus: Vec<String>,
        /// The worker's process; none for a program, and for what runs on a thread of the runner.
        worker: Option<u32>,
    },
    /// How far a running stage is.
    Progress {
        /// The instance's name.
        stage: String,
        /// Units done.
        done: u64,
        /// Units in all.
        total: u64,
        /// What a unit is.
        unit: String,
        /// A short remark: `loss 0.412`.
        remark: String,
        /// When the whole run will end; only when every duration that it needs is known.
        #[serde(flatten, with = "left")]
        run: Option<Estimate>,
    },
    /// A line for the stage's log.
    Log {
        /// The instance's name.
        stage: String,
        /// One line or more.
        text: String,
    },
    /// The attempt failed for a reason that may pass; the stage will be tried again.
    Retry {
        /// The instance's name.
        stage: String,
        /// Its key.
        key: Digest,
        /// The attempt that failed.
        attempt: u32,
        /// How long it took.
        seconds: f64,
        /// What kind of failure it was.
        cause: Cause,
        /// Why it failed.
        message: String,
        /// The pause before the next attempt.
        wait_seconds: f64,
    },
    /// The result is in the store.
    Finished {
        /// The instance's name.
        stage: String,
        /// Its key.
        key: Digest,
        /// The attempt that made it.
        attempt: u32,
        /// How long that took.
        seconds: f64,
        /// Digest of the result.
        output: Digest,
        /// When the whole run will end; only when every duration that it needs is known.
        #[serde(flatten, with = "left")]
        run: Option<Estimate>,
    },
    /// The stage failed for good.
    Failed {
        /// The instance's name.
        stage: String,
        /// Its key, when it is known.
        key: Option<Digest>,
        /// How long the last attempt took, when there was one.
        seconds: Option<f64>,
        /// Whose fault it is.
        kind: StageErrorKind,
        /// Why.
        message: String,
        /// What to do about it.
        hint: Option<String>,
        /// The log of the last attempt, when there is one.
        log: Option<String>,
    },
    /// The user stopped the attempt; what it has of checkpoints stays.
    Stopped {
        /// The instance's name.
        stage: String,
        /// Its key.
        key: Digest,
        /// The attempt.
        attempt: u32,
        /// How long it took.
        seconds: f64,
    },
    /// The stage is not run because something that it reads failed.
    Skipped {
        /// The instance's name.
        stage: String,
        /// The instance that failed.
        because: String,
    },
    /// Something to know that stops nothing.
    Warning {
        /// One sentence.
        message: String,
    },
    /// The user asked to stop.
    Interrupted {
        /// What happens now.
        meaning: Stop,
        /// Stages still running.
        running: usize,
    },
    /// The last event.
    RunFinished(Totals),
}

/// An estimate as the fields `run_seconds_left` and `run_basis` of an event; none when there is none.
mod left {
    use serde::Serializer;
    use serde::ser::SerializeMap;

    use crate::exec::outlook::Estimate;

    pub(super) fn serialize<S: Serializer>(run: &Option<Estimate>, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(Estimate { seconds, basis }) = run {
            map.serialize_entry("run_seconds_left", seconds)?;
            map.serialize_entry("run_basis", basis)?;
        }
        map.end()
    }
}

/// What an interruption means for the stages that run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// They go on to their end; no other is started.
    Drain,
    /// They are killed; checkpoints stay.
    Kill,
}

/// How a run ended, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Totals {
    /// Stages run to success.
    pub executed: usize,
    /// Stages whose result was there.
    pub cached: usize,
    /// Stages that took what this run had made for another stage with the same key.
    pub shared: usize,
    /// Stages that failed.
    pub failed: usize,
    /// Stages not run because something that they read failed.
    pub skipped: usize,
    /// Stages not run because the run was stopped (interrupted, or after a failure with fail-fast).
    pub left: usize,
    /// Wall-clock seconds.
    pub seconds: f64,
    /// Whether the user stopped it.
    pub interrupted: bool,
}

/// Someone who is told what happens. Called from one thread, in order.
pub trait Listener {
    /// `event` happened `at` this long after the start of the run.
    fn hear(&mut self, at: Duration, event: &Event);
}

/// Hears nothing.
impl Listener for () {
    fn hear(&mut self, _: Duration, _: &Event) {}
}

/// Keeps everything.
impl Listener for Vec<Event> {
    fn hear(&mut self, _: Duration, event: &Event) {
        self.push(event.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::{Basis, Estimate, Event, Totals};
    use crate::base::Digest;

    #[test]
    fn events_are_flat_json_lines() {
        let key = Digest::of(b"fit");
        let started = Event::Started {
            stage: "fit".into(),
            key,
            attempt: 1,
            expected_seconds: None,
            expected_by: None,
            gpus: vec!["0".into()],
            worker: Some(7),
        };
        assert_eq!(
            serde_json::to_string(&started).unwrap(),
            format!(
                r#"{{"event":"started","stage":"fit","key":"{key}","attempt":1,"expected_seconds":null,"expected_by":null,"gpus":["0"],"worker":7}}"#
            )
        );
        let run = Some(Estimate { seconds: 3.5, basis: Basis::Cell });
        let (stage, unit, remark) = ("fit".into(), "steps".into(), String::new());
        assert_eq!(
            serde_json::to_string(&Event::Progress { stage, done: 1, total: 2, unit, remark, run }).unwrap(),
            concat!(
                r#"{"event":"progress","stage":"fit","done":1,"total":2,"unit":"steps","remark":"","#,
                r#""run_seconds_left":3.5,"run_basis":"cell"}"#
            )
        );
        let finished = Event::RunFinished(Totals { executed: 2, ..Totals::default() });
        assert_eq!(
            serde_json::to_string(&finished).unwrap(),
            concat!(
                r#"{"event":"run_finished","executed":2,"cached":0,"shared":0,"failed":0,"skipped":0,"left":0,"#,
                r#""seconds":0.0,"interrupted":false}"#
            )
        );
    }
}
