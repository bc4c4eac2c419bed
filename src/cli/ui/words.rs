//! The sentences that bars and plain lines share.

use super::Colours;
use crate::exec::Estimate;
use crate::exec::event::{Event, Stop, Totals};
use crate::exec::expectation::Basis;

/// Seconds as a person says them: `0.04 s`, `12.3 s`, `4 min 05 s`, `2 h 07 min`.
pub(in crate::cli) fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    let whole = seconds.round() as u64;
    match whole {
        0..60 if seconds < 1.0 => format!("{seconds:.2} s"),
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// When a run will end, and how that is known: `about 2 min 05 s left, by other cells`.
pub(super) fn left(estimate: Estimate) -> String {
    let by = match estimate.basis {
        Basis::Key => "the same work",
        Basis::Cell => "the same cells",
        Basis::Stage => "other cells",
        Basis::Operation => "other stages",
        Basis::Guess => "a guess",
    };
    format!("about {} left, by {by}", duration(estimate.seconds))
}

/// `1 stage`, `3 stages`.
pub(super) fn stages(count: usize) -> String {
    if count == 1 { "1 stage".to_owned() } else { format!("{count} stages") }
}

/// The line, or lines, that stay on the screen for an event; nothing for those that only move a bar.
pub(super) fn lasting(event: &Event, colours: Colours) -> Option<String> {
    Some(match event {
        Event::Waiting { stage, holder, .. } => {
            let who = holder.as_deref().unwrap_or("another run");
            format!("{} {stage}: {who} is making it", colours.yellow("wait  "))
        }
        Event::Retry { stage, attempt, message, wait_seconds, .. } => {
            let when =
                if *wait_seconds > 0.0 { format!("again in {}", duration(*wait_seconds)) } else { "again".to_owned() };
            format!("{} {stage}: attempt {attempt} failed, trying {when}: {message}", colours.yellow("retry "))
        }
        Event::Finished { stage, seconds, .. } => {
            format!("{} {stage}  {}", colours.green("done  "), duration(*seconds))
        }
        Event::Failed { stage, message, hint, log, .. } => {
            let mut text = format!("{} {stage}: {message}", colours.red("failed"));
            for (name, words) in [("hint", hint), ("log", log)] {
                if let Some(words) = words {
                    // A hint of several lines, one for each fault, stays one block.
                    let words = words.replace('\n', "\n             ");
                    text.push_str(&format!("\n       {name}: {words}"));
                }
            }
            text
        }
        Event::Skipped { stage, because } => {
            format!("{} {stage}: it reads `{because}`, which has no result", colours.yellow("skip  "))
        }
        Event::Warning { message } => format!("{} {message}", colours.yellow("warning:")),
        Event::Interrupted { meaning: Stop::Drain, running } => {
            let what = match running {
                0 => "stopping".to_owned(),
                count => format!("stopping after {} in work; press Ctrl-C again to kill", stages(*count)),
            };
            colours.yellow(&what)
        }
        Event::Interrupted { meaning: Stop::Kill, .. } => {
            colours.yellow("killing what runs; training goes on from its last checkpoint next time")
        }
        Event::RunFinished(totals) => coloured_summary(totals, colours),
        Event::RunStarted { .. }
        | Event::Queued { .. }
        | Event::Cached { .. }
        | Event::Started { .. }
        | Event::Stopped { .. }
        | Event::Progress { .. }
        | Event::Log { .. } => return None,
    })
}

/// How a run ended: `5 stages: 1 run, 2 cached in 4.0 s`.
pub(in crate::cli) fn summary(totals: &Totals) -> String {
    let all = totals.executed + totals.cached + totals.shared + totals.failed + totals.skipped + totals.left;
    let mut parts = vec![format!("{} run", totals.executed), format!("{} cached", totals.cached)];
    for (count, word) in [
        (totals.shared, "shared"),
        (totals.failed, "failed"),
        (totals.skipped, "skipped"),
        (totals.left, "not started"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    format!("{}: {} in {}", stages(all), parts.join(", "), duration(totals.seconds))
}

/// The last line of a run.
fn coloured_summary(totals: &Totals, colours: Colours) -> String {
    let text = summary(totals);
    if totals.interrupted {
        colours.yellow(&format!("interrupted; {text}"))
    } else if totals.failed > 0 {
        colours.red(&text)
    } else {
        colours.green(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_have_the_precision_that_matters() {
        for (seconds, words) in [
            (0.042, "0.04 s"),
            (12.34, "12.3 s"),
            (59.4, "59.4 s"),
            (245.2, "4 min 05 s"),
            (3599.7, "1 h 00 min"),
            (7625.0, "2 h 07 min"),
        ] {
            assert_eq!(duration(seconds), words);
        }
    }
}
