//! `--json`: each event as one line.

use std::io::Write;
use std::time::Duration;

use serde::Serialize;

use crate::exec::event::{Event, Listener};

/// Writes `{"at":SECONDS,"what":EVENT}` lines.
#[derive(Debug)]
pub struct JsonLines<W> {
    out: W,
}

#[derive(Serialize)]
struct Line<'a> {
    /// Seconds since the run began.
    at: f64,
    /// What happened.
    what: &'a Event,
}

impl<W: Write> JsonLines<W> {
    /// Lines to `out`.
    pub fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write> Listener for JsonLines<W> {
    fn hear(&mut self, at: Duration, event: &Event) {
        let line = Line { at: at.as_millis() as f64 / 1e3, what: event };
        if let Ok(text) = serde_json::to_string(&line) {
            // A reader that closed the pipe, or a full disk, does not stop the run.
            if let Err(error) = writeln!(self.out, "{text}").and_then(|()| self.out.flush()) {
                crate::cli::unwritten(error);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::JsonLines;
    use crate::exec::event::{Event, Listener};

    #[test]
    fn one_object_a_line() {
        let mut lines = JsonLines::new(Vec::new());
        let skipped = Event::Skipped { stage: "fit[seed=1]".into(), because: "data".into() };
        lines.hear(Duration::from_millis(1500), &skipped);
        lines.hear(Duration::from_secs(2), &Event::Warning { message: "two\nlines".into() });
        assert_eq!(
            String::from_utf8(lines.out).unwrap(),
            "{\"at\":1.5,\"what\":{\"event\":\"skipped\",\"stage\":\"fit[seed=1]\",\"because\":\"data\"}}\n\
             {\"at\":2.0,\"what\":{\"event\":\"warning\",\"message\":\"two\\nlines\"}}\n"
        );
    }
}
