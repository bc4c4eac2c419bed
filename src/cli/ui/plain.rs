//! A run as plain lines: one for each stage that ended, for logs and pipes.

use std::io::Write;
use std::time::Duration;

use super::{Colours, words};
use crate::exec::event::{Event, Listener};

/// Seconds from which on the end of the run is told.
const FAR: f64 = 10.0;

/// Writes a line for each event that a reader of a log wants to know.
#[derive(Debug)]
pub struct Lines<W> {
    out: W,
    colours: Colours,
    cached: usize,
    all: usize,
    ended: usize,
}

impl<W: Write> Lines<W> {
    /// Lines to `out`.
    pub fn new(out: W, colours: Colours) -> Self {
        Self { out, colours, cached: 0, all: 0, ended: 0 }
    }

    fn line(&mut self, text: &str) {
        // A closed pipe does not stop the run.
        let _ = self.out.write_all(format!("{text}\n").as_bytes());
    }

    /// Says how many results were there, once for many: a line for each would bury what was done.
    fn tell_cached(&mut self) {
        if self.cached > 0 {
            let text = format!("{} {} were there already", self.colours.faint("cached"), words::stages(self.cached));
            self.cached = 0;
            self.line(&text);
        }
    }
}

impl<W: Write> Listener for Lines<W> {
    fn hear(&mut self, _: Duration, event: &Event) {
        match event {
            Event::RunStarted { stages, .. } => self.all = *stages,
            Event::Cached { .. } => {
                self.cached += 1;
                self.ended += 1;
            }
            Event::Finished { .. } | Event::Failed { .. } | Event::Skipped { .. } => self.ended += 1,
            Event::Started { stage, .. } => {
                self.tell_cached();
                let text = format!("{} {stage}", self.colours.faint("start "));
                self.line(&text);
            }
            // The last line has the number.
            Event::RunFinished(_) => self.cached = 0,
            _ => {}
        }
        if let Some(mut text) = words::lasting(event, self.colours) {
            self.tell_cached();
            if let Event::Finished { run, .. } = event {
                // An end that is near is not worth a word.
                let far = run.filter(|run| run.seconds >= FAR).map(|run| format!("; {}", words::left(run)));
                let place = format!("  ({} of {}{})", self.ended, self.all, far.unwrap_or_default());
                text.push_str(&self.colours.faint(&place));
            }
            self.line(&text);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Lines;
    use crate::base::Digest;
    use crate::cli::ui::Colours;
    use crate::exec::Estimate;
    use crate::exec::event::{Event, Listener, Totals};
    use crate::exec::expectation::Basis;
    use crate::protocol::StageErrorKind;

    #[test]
    fn a_run_reads_like_a_log() {
        let mut lines = Lines::new(Vec::new(), Colours::Off);
        let output = Digest::of(b"");
        let run = Some(Estimate { seconds: 80.0, basis: Basis::Cell });
        let cached = |stage: &str| Event::Cached { stage: stage.into(), key: output, output, shared: false };
        for event in [
            Event::RunStarted { pipeline: "demo".into(), stages: 5, jobs: 1 },
            cached("data[task=rte]"),
            cached("data[task=mrpc]"),
            Event::Queued { stage: "fit".into(), key: output },
            Event::Started {
                stage: "fit".into(),
                key: output,
                attempt: 1,
                expected_seconds: None,
                expected_by: None,
                gpus: Vec::new(),
                worker: None,
            },
            Event::Finished { stage: "fit".into(), key: output, attempt: 1, seconds: 75.0, output, run },
            Event::Failed {
                stage: "score".into(),
                key: None,
                seconds: None,
                kind: StageErrorKind::Input,
                message: "label `maybe` is not one of `yes`, `no`".into(),
                hint: Some("map it in `datasets/rte.yaml`".into()),
                log: Some("/cache/logs/1.log".into()),
            },
            Event::Skipped { stage: "table".into(), because: "score".into() },
            Event::RunFinished(Totals {
                executed: 1,
                cached: 2,
                failed: 1,
                skipped: 1,
                seconds: 80.0,
                ..Totals::default()
            }),
        ] {
            lines.hear(Duration::ZERO, &event);
        }
        insta::assert_snapshot!(String::from_utf8(lines.out).unwrap(), @r"
        cached 2 stages were there already
        start  fit
        done   fit  1 min 15 s  (3 of 5; about 1 min 20 s left, by the same cells)
        failed score: label `maybe` is not one of `yes`, `no`
               hint: map it in `datasets/rte.yaml`
               log: /cache/logs/1.log
        skip   table: it reads `score`, which has no result
        5 stages: 1 run, 2 cached, 1 failed, 1 skipped in 1 min 20 s
        ");
    }

    #[test]
    fn colours_are_escape_sequences() {
        assert_eq!(Colours::On.red("x"), "\u{1b}[31mx\u{1b}[0m");
        assert_eq!(Colours::Off.red("x"), "x");
    }
}
