//! A run on a terminal: one bar for all stages, and one for each that runs, with its remark.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Colours, words};
use crate::exec::Estimate;
use crate::exec::event::{Event, Listener};

/// How often the bars are drawn while nothing happens, so that their clocks go on.
const TICK: Duration = Duration::from_millis(200);

/// Draws bars.
#[derive(Debug)]
pub struct Bars {
    screen: MultiProgress,
    colours: Colours,
    /// Shown when the first stage starts: a run that finds everything in the store has nothing to wait for.
    overall: Option<ProgressBar>,
    pipeline: String,
    stages: u64,
    ended: u64,
    cached: usize,
    running: BTreeMap<String, ProgressBar>,
}

impl Bars {
    /// Bars on standard error.
    pub fn new(colours: Colours) -> Self {
        Self::on(ProgressDrawTarget::stderr_with_hz(10), colours)
    }

    /// Bars on any target.
    pub fn on(target: ProgressDrawTarget, colours: Colours) -> Self {
        Self {
            screen: MultiProgress::with_draw_target(target),
            colours,
            overall: None,
            pipeline: String::new(),
            stages: 0,
            ended: 0,
            cached: 0,
            running: BTreeMap::new(),
        }
    }

    /// A stage's clock starts; its bar gets a length with the first report.
    fn start(&mut self, stage: &str) {
        if self.overall.is_none() {
            let overall = self.screen.add(ProgressBar::new(self.stages));
            let bar = if self.colours == Colours::On { "{bar:24.cyan}" } else { "{bar:24}" };
            overall.set_style(style(&format!("{{prefix}} [{bar}] {{pos}}/{{len}} stages  {{elapsed}}  {{msg}}")));
            overall.set_prefix(self.pipeline.clone());
            overall.set_position(self.ended);
            if self.cached > 0 {
                overall.set_message(format!("{} cached", self.cached));
            }
            overall.enable_steady_tick(TICK);
            self.overall = Some(overall);
        }
        let bar = self.screen.add(ProgressBar::no_length());
        bar.set_style(style("  {spinner} {prefix}  {elapsed}  {msg}"));
        bar.set_prefix(stage.to_owned());
        bar.enable_steady_tick(TICK);
        if let Some(before) = self.running.insert(stage.to_owned(), bar) {
            self.screen.remove(&before);
        }
    }

    fn advance(&self, stage: &str, done: u64, total: u64, message: String) {
        let Some(bar) = self.running.get(stage) else { return };
        if total > 0 && bar.length() != Some(total) {
            bar.set_length(total);
            bar.set_style(style("  {spinner} {prefix}  [{bar:16}] {percent:>3}%  {msg}  {elapsed}"));
        }
        bar.set_position(done);
        bar.set_message(message);
    }

    fn foretell(&self, run: Option<Estimate>) {
        if let (Some(overall), Some(estimate)) = (&self.overall, run) {
            overall.set_message(words::left(estimate));
        }
    }

    fn end(&mut self, stage: &str) {
        if let Some(bar) = self.running.remove(stage) {
            bar.disable_steady_tick();
            self.screen.remove(&bar);
        }
        self.ended += 1;
        if let Some(overall) = &self.overall {
            overall.set_position(self.ended);
        }
    }

    fn close(&mut self) {
        for bar in self.running.values().chain(&self.overall) {
            bar.disable_steady_tick();
            bar.finish_and_clear();
        }
        self.running.clear();
        // Only the terminal can refuse to be cleared; the lines that matter are printed anyway.
        let _ = self.screen.clear();
    }

    fn print(&self, text: &str) {
        // A terminal that went away does not stop the run.
        let _ = self.screen.println(text);
    }
}

/// The templates are constants of this file; a wrong one would show the default bar, not end the run.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}

/// `120/400 steps  loss 0.412`.
fn position(done: u64, total: u64, unit: &str, remark: &str) -> String {
    let count = match (unit, total) {
        ("bytes", 0) => indicatif::HumanBytes(done).to_string(),
        ("bytes", _) => format!("{} of {}", indicatif::HumanBytes(done), indicatif::HumanBytes(total)),
        (_, 0) => format!("{done} {unit}"),
        _ => format!("{done}/{total} {unit}"),
    };
    if remark.is_empty() { count } else { format!("{count}  {remark}") }
}

impl Listener for Bars {
    fn hear(&mut self, _: Duration, event: &Event) {
        match event {
            Event::RunStarted { pipeline, stages, .. } => {
                self.pipeline.clone_from(pipeline);
                self.stages = *stages as u64;
            }
            Event::Cached { stage, .. } => {
                self.cached += 1;
                self.end(stage);
                if let Some(overall) = &self.overall {
                    overall.set_message(format!("{} cached", self.cached));
                }
            }
            Event::Started { stage, .. } => self.start(stage),
            Event::Progress { stage, done, total, unit, remark, run } => {
                self.advance(stage, *done, *total, position(*done, *total, unit, remark));
                self.foretell(*run);
            }
            Event::Finished { stage, run, .. } => {
                self.end(stage);
                self.foretell(*run);
            }
            Event::Failed { stage, .. } | Event::Skipped { stage, .. } => {
                self.end(stage);
            }
            Event::RunFinished(_) => self.close(),
            _ => {}
        }
        if let Some(text) = words::lasting(event, self.colours) {
            self.print(&text);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use indicatif::{ProgressDrawTarget, TermLike};

    use super::{Bars, position};
    use crate::base::Digest;
    use crate::cli::ui::Colours;
    use crate::exec::Estimate;
    use crate::exec::event::{Event, Listener, Totals};
    use crate::exec::expectation::Basis;

    /// A terminal that keeps every text that was ever drawn.
    #[derive(Clone, Debug, Default)]
    struct Paper(Arc<Mutex<String>>);

    impl Paper {
        fn text(&self) -> String {
            self.0.lock().unwrap().clone()
        }
    }

    impl TermLike for Paper {
        fn width(&self) -> u16 {
            120
        }

        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, line: &str) -> io::Result<()> {
            self.write_str(&format!("{line}\n"))
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn draws_bars_for_what_runs_and_lines_for_what_is_done() {
        let paper = Paper::default();
        let target = ProgressDrawTarget::term_like(Box::new(paper.clone()));
        let mut bars = Bars::on(target, Colours::Off);
        let key = Digest::of(b"");
        let mut hear = |event| bars.hear(Duration::ZERO, &event);
        hear(Event::RunStarted { pipeline: "demo".into(), stages: 2, jobs: 1 });
        hear(Event::Cached { stage: "data".into(), key, output: key, shared: false });
        assert_eq!(paper.text(), "", "a run without work shows no bars");
        hear(Event::Started {
            stage: "fit".into(),
            key,
            attempt: 1,
            expected_seconds: None,
            expected_by: None,
            gpus: Vec::new(),
            worker: None,
        });
        hear(Event::Progress {
            stage: "fit".into(),
            done: 1,
            total: 4,
            unit: "steps".into(),
            remark: "loss 0.4".into(),
            run: Some(Estimate { seconds: 90.0, basis: Basis::Stage }),
        });
        bars.overall.as_ref().unwrap().force_draw();
        bars.running["fit"].force_draw();
        let seen = paper.text();
        assert!(seen.contains("fit  [====>           ]  25%  1/4 steps  loss 0.4"), "{seen}");
        assert!(seen.contains("1/2 stages"), "{seen}");
        assert!(seen.contains("about 1 min 30 s left, by other cells"), "{seen}");
        let mut hear = |event| bars.hear(Duration::ZERO, &event);
        hear(Event::Finished { stage: "fit".into(), key, attempt: 1, seconds: 2.0, output: key, run: None });
        hear(Event::RunFinished(Totals { executed: 1, cached: 1, seconds: 2.0, ..Totals::default() }));
        let seen = paper.text();
        assert!(seen.contains("done   fit  2.0 s"), "{seen}");
        assert!(seen.contains("2 stages: 1 run, 1 cached in 2.0 s"), "{seen}");
        assert!(bars.running.is_empty());
    }

    #[test]
    fn positions_have_units() {
        assert_eq!(position(3, 4, "steps", ""), "3/4 steps");
        assert_eq!(position(3, 0, "examples", "rte"), "3 examples  rte");
        assert_eq!(position(1024, 2048, "bytes", "train"), "1.00 KiB of 2.00 KiB  train");
    }
}
