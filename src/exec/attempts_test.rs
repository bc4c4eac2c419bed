//! Attempts that fail or take too long, in whole runs: which are tried again, when, with what, and what is kept.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::Options;
use super::event::Event;
use super::testing::{Desk, Site, WRITE, counts, double, heavy, nothing, plan, write};
use crate::plan::{Cause, Policy, Retries};
use crate::protocol::{Job, StageError};

/// So many more attempts, without pauses.
fn soon(times: u32) -> Retries {
    Retries { wait: Duration::ZERO, ..Retries::times(times) }
}

/// A body that fails for the machine's sake in its first attempts.
fn flaky(fails: usize) -> impl Fn(&Job) -> Result<(), StageError> + Sync {
    let tried = AtomicUsize::new(0);
    move |_: &Job| match tried.fetch_add(1, Ordering::SeqCst) {
        before if before < fails => Err(StageError::environment("no network")),
        _ => Ok(()),
    }
}

#[test]
fn only_failures_that_may_pass_are_tried_again_and_only_so_often() {
    let mut place = Site::new();
    place.options.retries = soon(2);
    let one = plan(&[("a", &[], write("a"))]);
    let body = flaky(2);
    let (summary, events) = place.run(&one, &Desk::new(&body));
    assert_eq!(counts(&summary), [1, 0, 0, 0, 0]);
    let retries = events.iter().filter(|event| matches!(event, Event::Retry { cause: Cause::Environment, .. })).count();
    assert_eq!(retries, 2);
    let other = plan(&[("a", &[], write("other"))]);
    let body = flaky(3);
    assert_eq!(counts(&place.run(&other, &Desk::new(&body)).0), [0, 0, 1, 0, 0]);
    let wrong = |_: &Job| Err(StageError::input("no"));
    let desk = Desk::new(&wrong);
    assert_eq!(counts(&place.run(&other, &desk).0), [0, 0, 1, 0, 0]);
    assert_eq!(desk.ran().len(), 1);
    // What the stage says comes before what the run says.
    let mut own = other.clone();
    own.instances[0].policy.retries = Some(Retries { on: vec![Cause::Input], ..soon(1) });
    let desk = Desk::new(&wrong);
    place.run(&own, &desk);
    assert_eq!(desk.ran().len(), 2);
}

#[test]
fn a_pause_holds_up_nothing_else_and_ends_with_the_run() {
    let mut place = Site::new();
    let long = Duration::from_secs(600);
    place.options.retries = Retries { wait: long, most: long, ..Retries::times(1) };
    let interrupt = place.interrupt.clone();
    let body = move |job: &Job| match job.stage.as_str() {
        "a" => Err(StageError::environment("no network")),
        "c" => {
            interrupt.raise();
            Ok(())
        }
        _ => Ok(()),
    };
    // `b` has the key of `a`: it waits for its next attempt instead of making one of its own.
    let mut stages =
        plan(&[("a", &[], write("x")), ("b", &[], write("x")), ("d", &[], write("d")), ("c", &[2], write("c"))]);
    // One after the other, `a` first: it rests before `c` ends the run, and the others start while it does.
    place.options.cores = 1;
    stages.instances[0].policy.priority = 1;
    let desk = Desk::new(&body);
    let (summary, _) = place.run(&stages, &desk);
    assert_eq!(counts(&summary), [2, 0, 0, 0, 2]);
    assert_eq!(desk.ran(), ["a", "c", "d"]);
    assert!(summary.totals.interrupted && summary.failures.is_empty());
}

/// A worker that writes a checkpoint and comes to a bad end, unless it finds one.
fn once(end: &str) -> String {
    format!(
        "checkpoint = job['scratch'] + '/checkpoint'\n\
         if not os.path.exists(checkpoint):\n\
         \x20   open(checkpoint, 'w').write('1')\n\
         \x20   {end}\n{WRITE}"
    )
}

#[test]
fn a_worker_that_takes_too_long_is_killed_and_the_next_attempt_goes_on() {
    let mut place = Site::new();
    let program = tempfile::tempdir().unwrap();
    let body = once("time.sleep(600)");
    place.options.worker = Some(double(program.path(), &body));
    let mut stages = heavy(&[("a", &[], write("a"))]);
    // On a busy machine, Python may need longer than that to come to its checkpoint.
    let mut seconds = 2;
    let failed = loop {
        place.options.timeout = Some(Duration::from_secs(seconds));
        let (failed, _) = place.run(&stages, &Desk::new(&nothing));
        let kept = fs_err::read_dir(place.root.join("scratch")).unwrap();
        if kept.map(|folder| folder.unwrap().path().join("checkpoint")).any(|checkpoint| checkpoint.exists()) {
            break failed;
        }
        assert!(seconds < 100, "no checkpoint was kept");
        seconds *= 4;
    };
    let error = &failed.failures[0].error;
    assert_eq!(error.message, format!("it took longer than {seconds}s, which is its `timeout`"));
    assert!(error.hint.as_ref().unwrap().contains(&format!("`--timeout {}s`", 2 * seconds)), "{error:?}");
    place.options.timeout = None;
    let (first, _) = place.run(&stages, &Desk::new(&nothing));
    assert_eq!(counts(&first), [1, 0, 0, 0, 0], "{:?}", first.failures);
    // None of this is in the key.
    let policy = Policy { timeout: Some(Duration::from_secs(9)), priority: 3, ..Policy::default() };
    stages.instances[0].policy = Policy { retries: Some(soon(2)), ..policy };
    let (again, _) = place.run(&stages, &Desk::new(&nothing));
    assert_eq!(counts(&again), [0, 1, 0, 0, 0]);
    assert_eq!(again.results, first.results);
}

#[test]
fn resources_grow_with_the_attempt_up_to_what_there_is() {
    let mut place = Site::new();
    place.options.retries = soon(5);
    place.options.resources = [("mem_gb".to_owned(), 16)].into();
    let mut stages = plan(&[("a", &[], write("a"))]);
    stages.instances[0].resources.insert("mem_gb".into(), 8);
    stages.instances[0].policy.growth.insert("mem_gb".into(), vec![16, 32]);
    let body = flaky(9);
    let desk = Desk::new(&body);
    let (summary, _) = place.run(&stages, &desk);
    assert_eq!(desk.ran().len(), 2);
    let hint = summary.failures[0].error.hint.clone().unwrap();
    assert_eq!(hint, "another attempt is not possible: it needs 32 `mem_gb`, but this run has 16");
}

#[test]
fn a_retry_finds_the_checkpoint_of_the_attempt_before() {
    let mut place = Site::new();
    let program = tempfile::tempdir().unwrap();
    let body = once("os.kill(os.getpid(), 9)");
    place.options = Options { worker: Some(double(program.path(), &body)), retries: soon(1), ..place.options.clone() };
    let (summary, events) = place.run(&heavy(&[("a", &[], write("a"))]), &Desk::new(&nothing));
    assert_eq!(counts(&summary), [1, 0, 0, 0, 0], "{:?}", summary.failures);
    assert!(events.iter().any(|event| matches!(event, Event::Retry { attempt: 1, .. })));
}
