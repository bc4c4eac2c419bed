//! `compt run`: brings a pipeline's results up to date.

use std::borrow::Cow;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use super::arguments::RunArguments;
use super::dry_run::dry_run;
use super::failure::{self, Failure};
use super::notify::{self, Over};
use super::report::{self, Course, Ended, Results};
use super::session::{Cache, Missing, Session};
use super::shell_word;
use super::ui;
use crate::base::many;
use crate::exec::event::Event;
use crate::exec::interrupt::Interrupt;
use crate::exec::journal::{Heading, Recorder};
use crate::exec::thread::Bodies;
use crate::exec::{self, Options, Run, Summary};
use crate::operation::aggregate::stage_error;
use crate::operation::bodies::StageBodies;
use crate::operation::publishing::{self, PublishError, Published};
use crate::operation::{Ending, Operations};
use crate::plan::catalog::SourceRef;
use crate::plan::{Retries, State};
use crate::protocol::{Job, Reporter, ResolvedSource, StageError};
use crate::report::terminal::Style;

/// Runs what is missing, copies what publishing stages made to the output folder, and shows tables and claims.
pub fn run(arguments: &RunArguments) -> Result<(), Failure> {
    if arguments.dry_run {
        return dry_run(arguments);
    }
    let interrupt = Interrupt::install()
        .map_err(|error| Failure::Environment { message: format!("signals can't be handled: {error}"), hint: None })?;
    let session =
        Session::open_part(&arguments.pipeline, &arguments.request.request(), Cache::Written, Missing::Fails)?;
    if session.part.alone {
        arguments.request.check(&session, &session.assess_part(), &arguments.pipeline.file)?;
    }
    let digest_of = session.digest_of();
    let bodies = StageBodies { sourcing: &session.sourcing, pins: &session.pins, digest_of: &digest_of };
    let options = options(arguments, &session);
    let mut listener = ui::Style::choose(arguments.json, arguments.no_progress).listener();
    let mut course = Course::watch(&mut *listener);
    let mut recorder = Recorder::new(session.store.begin_run(), heading(arguments, &session), &mut course);
    let summary = exec::run(
        &Run {
            plan: session.part_plan(),
            store: &session.store,
            pins: &session.pins,
            numeric: &session.numeric,
            bodies: &bodies,
            forced: &|instance| session.part.forced.has(instance.id),
            options: &options,
            interrupt: &interrupt,
        },
        &mut recorder,
    );
    drop(bodies);
    drop(digest_of);
    let run = recorder.run().map(str::to_owned);
    let course = course.end();
    drop(listener);
    // The page is written while the disk takes the results.
    let (written, flushed) = std::thread::scope(|scope| {
        let store = &session.store;
        let flushing = scope.spawn(move || store.flush());
        let written = write(arguments, &session, &summary, &course);
        (written, flushing.join().unwrap_or(Ok(())))
    });
    if let Err(error) = flushed {
        let unsure = "the results of this run may not be on the disk; the next run will check them";
        warn(arguments, &summary, &format!("{unsure}: {error}"));
    }
    let ended = written.and_then(|written| conclude(arguments, &session, &summary, written));
    let run = run.as_deref();
    notify::notify(&Over { arguments, session: &session, summary: &summary, failure: ended.as_ref().err(), run });
    // The process ends: to take a large plan apart would only be waited for.
    let Session { pipeline, plan, part, .. } = session;
    std::mem::forget((pipeline, plan, part, summary));
    ended
}

/// What a run leaves for the user.
struct Written<'a> {
    results: Cow<'a, Results>,
    published: Vec<Published>,
    endings: Vec<Ending>,
    page: PathBuf,
}

/// Writes what follows a run: results for the user, and the page.
fn write<'a>(
    arguments: &RunArguments,
    session: &Session,
    summary: &'a Summary,
    course: &Ended,
) -> Result<Written<'a>, Failure> {
    let results = of_the_whole(session, summary);
    let (published, page) = many::both(
        session.plan.instances.len(),
        || {
            let published = publish(arguments, session, &results)?;
            let endings = endings(&published)?;
            session.store.keep_seen(&session.plan);
            Ok::<_, Failure>((published, endings))
        },
        || report::after_run(session, &arguments.pipeline, &results, (summary, course), &arguments.outputs),
    );
    let (published, endings) = published?;
    Ok(Written { page: page?, results, published, endings })
}

/// Copies what publishing stages made to the output folder.
fn publish(arguments: &RunArguments, session: &Session, results: &Results) -> Result<Vec<Published>, Failure> {
    let folder = arguments.outputs.join(&session.plan.pipeline);
    publishing::publish(&session.plan, &session.store, results, &session.pins, &folder).map_err(|error| match error {
        PublishError::Store(error) => Failure::from(error),
        PublishError::Unread(error) => Failure::from(error),
        PublishError::Unwritten(error) => Failure::unwritten(error, &arguments.outputs),
    })
}

/// Tells what was written, and whether the run was a success.
fn conclude(
    arguments: &RunArguments,
    session: &Session,
    summary: &Summary,
    written: Written<'_>,
) -> Result<(), Failure> {
    let Written { results, published, endings, page } = written;
    if let Some(warning) = replaced(&published) {
        warn(arguments, summary, &warning);
    }
    if !arguments.json && !summary.totals.interrupted {
        super::print(&closing(&published, &endings));
        super::print(&format!("the report is {}\n", page.display()));
        super::print(&left_out(session, &results));
    }
    verdict(summary, session, arguments)?;
    let broken: Vec<String> = endings.into_iter().flat_map(|ending| ending.broken).collect();
    if arguments.claims_must_hold && !broken.is_empty() {
        return Err(Failure::Claims { names: broken });
    }
    Ok(())
}

/// What the journal of the run begins with.
fn heading(arguments: &RunArguments, session: &Session) -> Heading {
    Heading {
        file: arguments.pipeline.file.display().to_string(),
        command: typed(arguments),
        device: session.numeric.device.clone(),
        threads: session.numeric.threads,
    }
}

/// The words of the command, without secrets: what is run in the end often holds an address that is one.
fn typed(arguments: &RunArguments) -> Vec<String> {
    let mut secrets = super::secrets();
    if let Some(notify) = &arguments.notify {
        secrets = secrets.with("COMPT_NOTIFY", notify);
    }
    std::env::args_os().map(|word| secrets.masked(&word.to_string_lossy()).into_owned()).collect()
}

/// How the arguments say to run.
pub fn options(arguments: &RunArguments, session: &Session) -> Options {
    Options {
        fail_fast: arguments.fail_fast,
        retries: Retries::times(arguments.retries),
        timeout: arguments.timeout,
        ..arguments.room.options(&arguments.pipeline, session)
    }
}

/// What there is of the whole plan after a run of a part: what was not asked for may be there from earlier runs.
fn of_the_whole<'a>(session: &Session, summary: &'a Summary) -> Cow<'a, Results> {
    match &session.part.narrowed {
        None => Cow::Borrowed(&summary.results),
        Some(narrowed) => {
            let before = session.assess().iter().map(State::result).collect();
            Cow::Owned(narrowed.fill(before, &summary.results))
        }
    }
}

/// A line about what was not asked for and is not there.
fn left_out(session: &Session, results: &Results) -> String {
    let Some(narrowed) = &session.part.narrowed else { return String::new() };
    let mut missing: Vec<bool> = results.iter().map(Option::is_none).collect();
    narrowed.ids.iter().for_each(|&id| missing[id] = false);
    match missing.iter().filter(|missing| **missing).count() {
        0 => String::new(),
        1 => "1 other stage, which was not asked for, is not up to date\n".to_owned(),
        count => format!("{count} other stages, which were not asked for, are not up to date\n"),
    }
}

/// What the stages have to say at the end.
fn endings(published: &[Published]) -> Result<Vec<Ending>, Failure> {
    let style = Style { width: ui::width(), ansi: ui::colour(std::io::stdout().is_terminal()), digits: 1 };
    let mut endings = Vec::new();
    for result in published {
        let Some(operation) = Operations::find(&result.operation) else { continue };
        endings.extend(operation.ending(&result.folder, style).map_err(stage_error)?);
    }
    Ok(endings)
}

/// The end of a run on standard output: tables and claims, then where the files lie.
fn closing(published: &[Published], endings: &[Ending]) -> String {
    let mut text: String = endings.iter().map(|ending| format!("\n{}", ending.text)).collect();
    if published.is_empty() {
        return text;
    }
    text += "\nresults:\n";
    let folder = |result: &Published| format!("{}/", result.folder.display());
    let width = published.iter().map(|result| folder(result).chars().count()).max().unwrap_or(0);
    for result in published {
        text += &format!("  {:<width$}  {}\n", folder(result), result.files.join(" "));
    }
    text
}

/// Tells something to know after the last event of a run: to programs as one more event.
pub fn warn(arguments: &RunArguments, summary: &Summary, message: &str) {
    if !arguments.json {
        return super::warn(message);
    }
    let message = super::secrets().masked(message).into_owned();
    let after = Duration::try_from_secs_f64(summary.totals.seconds).unwrap_or_default();
    ui::Style::Json.listener().hear(after, &Event::Warning { message });
}

/// What is to be known of files that somebody had changed in the output folder.
fn replaced(published: &[Published]) -> Option<String> {
    let names = |result: &Published| {
        let names = result.replaced.iter().map(|name| format!("`{}`", result.folder.join(name).display()));
        names.collect::<Vec<_>>()
    };
    let names: Vec<String> = published.iter().flat_map(names).collect();
    let (were, they) = if names.len() == 1 {
        ("was", "it is what the stage has made")
    } else {
        ("were", "they are what the stages have made")
    };
    (!names.is_empty()).then(|| {
        format!(
            "{} {were} changed since the last run and {were} replaced: {they}; keep your own changes in a copy elsewhere",
            names.join(", ")
        )
    })
}

fn verdict(summary: &Summary, session: &Session, arguments: &RunArguments) -> Result<(), Failure> {
    if summary.totals.interrupted {
        return Err(Failure::Interrupted);
    }
    if summary.failures.is_empty() {
        return Ok(());
    }
    // What was never begun has no log.
    let logged = summary.failures.iter().find(|failure| failure.log.is_some());
    Err(Failure::Stages {
        failed: summary.failures.len(),
        total: session.part_plan().instances.len(),
        fault: failure::fault(summary.failures.iter().map(|failure| failure.error.kind)),
        hint: Some(match logged {
            Some(first) => format!(
                "`compt show {} {} --log` prints {}; after mending it, the same `compt run` continues",
                shell_word(&arguments.pipeline.file.display().to_string()),
                shell_word(&first.stage),
                if summary.failures.len() == 1 { "the log" } else { "the log of the first one" }
            ),
            None => "after mending it, the same `compt run` continues".to_owned(),
        }),
    })
}

/// The executor knows no operations; this is where it meets them.
impl Bodies for StageBodies<'_> {
    fn sources(&self, wanted: &[SourceRef], reporter: &mut dyn Reporter) -> Result<Vec<ResolvedSource>, StageError> {
        self.sources(wanted, reporter)
    }

    fn run(&self, job: &Job, reporter: &mut dyn Reporter) -> Result<(), StageError> {
        self.run(job, reporter)
    }
}
