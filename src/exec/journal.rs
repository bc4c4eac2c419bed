//! The journal of a run: what became of each stage, and when, as lines that outlive the run however it ends. The fields
//! are described in `docs/journal.md`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::event::{Event, Listener, Totals};
use crate::base::holder;
use crate::store::{RunJournal, StoreError};

/// The number of the lines' format.
const FORMAT: u32 = 1;

/// What the first line tells of a run besides what its first event does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Heading {
    /// The pipeline file.
    pub file: String,
    /// The words of the command.
    pub command: Vec<String>,
    /// `cpu` or `cuda`.
    pub device: String,
    /// Threads of one worker.
    pub threads: usize,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every stage has its result.
    Done,
    /// A stage failed.
    Failed,
    /// The user stopped it.
    Interrupted,
}

impl Outcome {
    /// That of a run with these numbers.
    pub fn of(totals: &Totals) -> Self {
        match (totals.interrupted, totals.failed) {
            (true, _) => Self::Interrupted,
            (false, 0) => Self::Done,
            (false, _) => Self::Failed,
        }
    }
}

/// A listener that writes the journal and passes everything on.
pub struct Recorder<'a> {
    listener: &'a mut dyn Listener,
    heading: Heading,
    /// When the run began. Moments are counted from there, so that a clock that is set in between mixes up nothing.
    began: Duration,
    journal: Result<RunJournal, Trouble>,
}

/// Why nothing is written.
enum Trouble {
    /// This is still to be told.
    New(String),
    /// It was told.
    Known,
}

#[derive(Serialize)]
struct First<'a> {
    format: u32,
    run: &'a str,
    compt: &'a str,
    host: String,
    pid: u32,
    #[serde(flatten)]
    heading: &'a Heading,
}

#[derive(Serialize)]
struct Line<'a> {
    time: f64,
    #[serde(flatten)]
    event: &'a Event,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    first: Option<First<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
}

impl<'a> Recorder<'a> {
    /// Begins to write. Without a journal the run goes on as well, with a warning.
    pub fn new(journal: Result<RunJournal, StoreError>, heading: Heading, listener: &'a mut dyn Listener) -> Self {
        let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { listener, heading, began, journal: journal.map_err(|error| Trouble::New(error.to_string())) }
    }

    /// The run's name, if it has a journal.
    pub fn run(&self) -> Option<&str> {
        self.journal.as_ref().ok().map(RunJournal::id)
    }

    fn write(&mut self, at: Duration, event: &Event) {
        let Ok(journal) = &mut self.journal else { return };
        let run = matches!(event, Event::RunStarted { .. }).then(|| journal.id().to_owned());
        let first = run.as_deref().map(|run| First {
            format: FORMAT,
            run,
            compt: env!("CARGO_PKG_VERSION"),
            host: holder::host(),
            pid: std::process::id(),
            heading: &self.heading,
        });
        let outcome = if let Event::RunFinished(totals) = event { Some(Outcome::of(totals)) } else { None };
        let time = (self.began + at).as_millis() as f64 / 1e3;
        let line = Line { time, event, first, outcome };
        let written = match event {
            Event::Cached { .. } => journal.append_later(&line),
            _ => journal.append(&line),
        };
        if let Err(error) = written {
            self.journal = Err(Trouble::New(error.to_string()));
        }
    }
}

impl Listener for Recorder<'_> {
    fn hear(&mut self, at: Duration, event: &Event) {
        // How far a stage is and what it says is of the moment, or stands in its log.
        if !matches!(event, Event::Progress { .. } | Event::Log { .. }) {
            self.write(at, event);
        }
        self.listener.hear(at, event);
        if let Err(trouble @ Trouble::New(_)) = &mut self.journal
            && let Trouble::New(error) = std::mem::replace(trouble, Trouble::Known)
        {
            let message = format!("this run is not written down any further: {error}");
            self.listener.hear(at, &Event::Warning { message });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::Value;

    use super::{Heading, Recorder};
    use crate::base::Digest;
    use crate::exec::event::{Event, Listener, Totals};
    use crate::store::Store;

    fn progress() -> Event {
        let (stage, unit, remark) = ("fit".into(), "steps".into(), String::new());
        Event::Progress { stage, done: 1, total: 2, unit, remark, run: None }
    }

    #[test]
    fn every_step_of_a_stage_is_a_line_that_can_be_read_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("cache")).unwrap();
        let mut events: Vec<Event> = Vec::new();
        let heading =
            Heading { file: "a.yaml".into(), command: vec!["compt".into()], device: "cpu".into(), threads: 1 };
        let mut recorder = Recorder::new(store.begin_run(), heading, &mut events);
        let run = recorder.run().unwrap().to_owned();
        let key = Digest::of(b"fit");
        let told = [
            Event::RunStarted { pipeline: "demo".into(), stages: 1, jobs: 2 },
            Event::Queued { stage: "fit".into(), key },
            progress(),
            Event::Finished { stage: "fit".into(), key, attempt: 1, seconds: 2.5, output: key, run: None },
            Event::RunFinished(Totals { executed: 1, ..Totals::default() }),
        ];
        let mut counts = Vec::new();
        for (second, event) in told.iter().enumerate() {
            recorder.hear(Duration::from_secs(second as u64), event);
            counts.push(store.runs().unwrap()[0].lines().unwrap().len());
        }
        assert_eq!(counts, [1, 2, 2, 3, 4]);
        assert_eq!(events, told);
        let lines = store.runs().unwrap()[0].lines().unwrap();
        assert_eq!((&lines[0]["event"], &lines[0]["run"]), (&"run_started".into(), &run.into()));
        assert_eq!((&lines[0]["pipeline"], &lines[0]["file"]), (&"demo".into(), &"a.yaml".into()));
        assert_eq!((&lines[1]["stage"], &lines[1]["key"]), (&"fit".into(), &key.to_string().into()));
        assert_eq!((&lines[2]["event"], &lines[2]["seconds"]), (&"finished".into(), &2.5.into()));
        assert_eq!((&lines[3]["outcome"], &lines[3]["executed"]), (&"done".into(), &1.into()));
        let time = |line: &Value| line["time"].as_f64().unwrap();
        assert!((time(&lines[3]) - time(&lines[0]) - 4.0).abs() < 1e-6);
    }

    #[test]
    fn a_run_without_a_journal_goes_on_and_says_so_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        fs_err::write(folder.path().join("runs"), "in the way").unwrap();
        let mut events: Vec<Event> = Vec::new();
        let mut recorder = Recorder::new(store.begin_run(), Heading::default(), &mut events);
        assert_eq!(recorder.run(), None);
        recorder.hear(Duration::ZERO, &progress());
        recorder.hear(Duration::ZERO, &progress());
        assert!(matches!(&events[..], [_, Event::Warning { .. }, Event::Progress { .. }]), "{events:?}");
    }
}
