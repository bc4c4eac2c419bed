//! Whole runs of small plans against a real store, with bodies in memory and workers that are doubles.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::event::{Event, Stop};
use super::interrupt::Interrupt;
use super::testing::{Desk, Site, Stage, WRITE, counts, diamond, double, heavy, nothing, numeric, plan, write};
use super::thread::Bodies;
use super::{Options, Run, run};
use crate::plan::Instance;
use crate::plan::catalog::{Place, SourceRef};
use crate::plan::pins::Pins;
use crate::protocol::{Job, Reporter, ResolvedSource, StageError, StageErrorKind};
use crate::store::Store;

#[test]
fn a_second_run_does_nothing() {
    let (place, desk) = (Site::new(), Desk::new(&nothing));
    let plan = plan(&diamond(write("a")));
    let (summary, _) = place.run(&plan, &desk);
    assert_eq!(counts(&summary), [4, 0, 0, 0, 0]);
    assert_eq!(place.text(&plan, &summary, "c"), "cab");
    assert_eq!(desk.ran(), ["a", "b", "c", "d"]);
    let (again, events) = place.run(&plan, &desk);
    assert_eq!(counts(&again), [0, 4, 0, 0, 0]);
    assert_eq!(again.results, summary.results);
    assert_eq!(desk.ran().len(), 4);
    assert_eq!(events.len(), 6, "{events:?}");
}

#[test]
fn equal_bytes_cut_off_early() {
    let (place, desk) = (Site::new(), Desk::new(&nothing));
    place.run(&plan(&diamond(write("a"))), &desk);
    // Another parameter, the same file.
    let (summary, _) = place.run(&plan(&diamond(json!({"write": "a", "unused": true}))), &desk);
    assert_eq!(counts(&summary), [1, 3, 0, 0, 0]);
    let (summary, _) = place.run(&plan(&diamond(write("A"))), &desk);
    assert_eq!(counts(&summary), [2, 2, 0, 0, 0]);
}

#[test]
fn a_failure_skips_only_what_depends_on_it() {
    let place = Site::new();
    let fails = |job: &Job| match job.stage.as_str() {
        "a" => Err(StageError::input("no rows").with_hint("add some")),
        _ => Ok(()),
    };
    let (summary, events) = place.run(&plan(&diamond(write("a"))), &Desk::new(&fails));
    assert_eq!(counts(&summary), [2, 0, 1, 1, 0]);
    assert!(events.contains(&Event::Skipped { stage: "c".into(), because: "a".into() }));
    let failure = &summary.failures[0];
    assert_eq!((failure.stage.as_str(), &failure.error), ("a", &StageError::input("no rows").with_hint("add some")));
    let log = fs_err::read_to_string(failure.log.as_ref().unwrap()).unwrap();
    for wanted in ["stage a, attempt 1\n", "] begun\n", "] end: failed: no rows\n", "\"write\": \"a\""] {
        assert!(log.contains(wanted), "{log}");
    }
    // Only success is kept: mended, the rest runs.
    let (summary, _) = place.run(&plan(&diamond(write("a"))), &Desk::new(&nothing));
    assert_eq!(counts(&summary), [2, 2, 0, 0, 0]);
}

#[test]
fn fail_fast_starts_nothing_more() {
    let mut place = Site::new();
    place.options = Options { cores: 1, fail_fast: true, ..place.options.clone() };
    let fails = |_: &Job| Err(StageError::input("no"));
    let (summary, _) = place.run(&plan(&diamond(write("a"))), &Desk::new(&fails));
    assert_eq!((summary.totals.executed, summary.totals.failed), (0, 1));
    assert_eq!(counts(&summary).iter().sum::<usize>(), 4);
}

#[test]
fn a_panic_is_a_bug_and_fails_one_stage() {
    let place = Site::new();
    let panics = |job: &Job| {
        assert_ne!(job.stage, "a", "a mistake of ours");
        Ok(())
    };
    let (summary, _) = place.run(&plan(&diamond(write("a"))), &Desk::new(&panics));
    assert_eq!(counts(&summary), [2, 0, 1, 1, 0]);
    assert_eq!(summary.failures[0].error.kind, StageErrorKind::Bug);
    assert!(summary.failures[0].error.message.contains("a mistake of ours"));
}

#[test]
fn equal_keys_run_once() {
    let (place, desk) = (Site::new(), Desk::new(&nothing));
    let twins = plan(&[("a", &[], write("x")), ("b", &[], write("x")), ("c", &[0, 1], write("c"))]);
    let (summary, _) = place.run(&twins, &desk);
    assert_eq!(counts(&summary), [2, 1, 0, 0, 0]);
    assert_eq!(summary.totals.shared, 1);
    assert_eq!(place.run(&twins, &desk).0.totals.shared, 0, "the second run finds all of them");
    assert_eq!(place.text(&twins, &summary, "c"), "cxx");
    assert_eq!(desk.ran().len(), 2);
}

#[test]
fn work_that_failed_is_not_tried_again_for_another_stage() {
    let mut place = Site::new();
    place.options.cores = 1;
    let fails = |job: &Job| match job.parameters["write"].as_str() {
        Some("x") => Err(StageError::input("no")),
        _ => Ok(()),
    };
    let desk = Desk::new(&fails);
    // `b` is ready beside `a`; `d` becomes it later.
    let twins =
        plan(&[("a", &[], write("x")), ("b", &[], write("x")), ("c", &[0], write("c")), ("d", &[1], write("d"))]);
    let (summary, _) = place.run(&twins, &desk);
    assert_eq!(counts(&summary), [0, 0, 2, 2, 0]);
    assert_eq!(desk.ran().len(), 1);
    assert_eq!(summary.failures[0].error, summary.failures[1].error);
    assert_eq!(summary.failures[0].log, summary.failures[1].log);
}

/// Plans of up to 12 stages with few different parameters, each reading some of those before it.
fn small_plans() -> impl Strategy<Value = Vec<(Vec<usize>, usize)>> {
    let stage = (proptest::collection::vec(any::<proptest::sample::Index>(), 0..3), 0usize..2);
    proptest::collection::vec(stage, 1..12).prop_map(|stages| {
        let inputs = |(id, (inputs, word)): (usize, (Vec<proptest::sample::Index>, usize))| {
            let mut inputs: Vec<usize> = inputs.iter().filter(|_| id > 0).map(|index| index.index(id)).collect();
            inputs.sort_unstable();
            inputs.dedup();
            (inputs, word)
        };
        stages.into_iter().enumerate().map(inputs).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is the same work is done once, by one worker or by several, and all get what they would have made.
    #[test]
    fn each_key_runs_once(stages in small_plans(), jobs in 1usize..4) {
        let mut place = Site::new();
        place.options.cores = jobs;
        let desk = Desk::new(&nothing);
        let names: Vec<String> = (0..stages.len()).map(|id| format!("s{id}")).collect();
        let stages: Vec<Stage<'_>> = stages
            .iter()
            .zip(&names)
            .map(|((inputs, word), name)| (name.as_str(), inputs.as_slice(), write(["x", "y"][*word])))
            .collect();
        let mut plan = plan(&stages);
        // With the names of what is read in the key there would be little to share.
        plan.instances.iter_mut().for_each(|instance| instance.reads_coordinates = false);
        let (summary, _) = place.run(&plan, &desk);
        let keys: std::collections::BTreeSet<_> = summary.results.iter().map(|result| result.unwrap().0).collect();
        prop_assert_eq!(desk.ran().len(), keys.len());
        prop_assert_eq!(summary.totals.executed, keys.len());
        prop_assert_eq!(summary.totals.shared, stages.len() - keys.len());
        let firsts = plan.firsts(&numeric());
        let known_before = (0..stages.len()).filter(|&id| firsts[id] != id).count();
        prop_assert!(known_before <= summary.totals.shared, "what is known before is found");
        // Alone: every stage in a store of its own, after what it reads.
        let mut texts: Vec<String> = Vec::new();
        for (name, inputs, parameters) in &stages {
            let mut read: Vec<(crate::base::Digest, &String)> = inputs
                .iter()
                .map(|&input| (summary.results[input].unwrap().1, &texts[input]))
                .collect();
            read.sort();
            let text = parameters["write"].as_str().unwrap().to_owned();
            texts.push(read.into_iter().fold(text, |text, (_, other)| text + other));
            prop_assert_eq!(&place.text(&plan, &summary, name), texts.last().unwrap());
        }
    }
}

#[test]
fn of_two_runners_one_works_and_the_other_waits() {
    let place = Site::new();
    let plan = plan(&[("a", &[], write("a"))]);
    let (working, second_waits) = (Gate::default(), Gate::default());
    let slow = |_: &Job| {
        working.open();
        second_waits.pass();
        Ok(())
    };
    let desk = Desk::new(&slow);
    let second = std::thread::scope(|scope| {
        let first = scope.spawn(|| place.run(&plan, &desk).0);
        working.pass();
        let store = Store::open(&place.root).unwrap();
        let mut listener = Opener { gate: &second_waits, events: Vec::new() };
        let second = run(
            &Run {
                plan: &plan,
                store: &store,
                pins: &Pins::default(),
                numeric: &numeric(),
                bodies: &desk,
                forced: &|_: &Instance| false,
                options: &place.options,
                interrupt: &place.interrupt,
            },
            &mut listener,
        );
        assert_eq!(counts(&first.join().unwrap()), [1, 0, 0, 0, 0]);
        let me = format!("process {}", std::process::id());
        let names_me =
            |event: &Event| matches!(event, Event::Waiting { holder: Some(who), .. } if who.starts_with(&me));
        assert!(listener.events.iter().any(names_me), "{:?}", listener.events);
        second
    });
    assert_eq!(counts(&second), [0, 1, 0, 0, 0]);
    assert_eq!(desk.ran(), ["a"]);
}

#[test]
fn the_first_signal_drains() {
    let mut place = Site::new();
    place.options.cores = 1;
    let interrupt = place.interrupt.clone();
    let raises = move |_: &Job| {
        interrupt.raise();
        Ok(())
    };
    let chain = plan(&[("a", &[], write("a")), ("b", &[0], write("b"))]);
    let (summary, events) = place.run(&chain, &Desk::new(&raises));
    assert_eq!(counts(&summary), [1, 0, 0, 0, 1]);
    assert!(summary.totals.interrupted);
    let heard = |event: &Event| matches!(event, Event::Interrupted { meaning: Stop::Drain, .. });
    assert!(events.iter().any(heard), "{events:?}");
}

#[test]
fn the_second_signal_stops_a_body_at_its_next_report() {
    let place = Site::new();
    let interrupt = place.interrupt.clone();
    let raises = move |_: &Job| {
        interrupt.raise();
        interrupt.raise();
        Ok(())
    };
    let (summary, _) = place.run(&plan(&[("a", &[], write("a"))]), &Desk::new(&raises));
    assert_eq!(counts(&summary), [0, 0, 0, 0, 1]);
    assert!(summary.failures.is_empty());
}

#[test]
fn what_can_never_start_says_why() {
    let place = Site::new();
    let mut plan = plan(&[("a", &[], write("a")), ("b", &[0], write("b"))]);
    plan.instances[0].resources.insert("licence".into(), 2);
    let (summary, _) = place.run(&plan, &Desk::new(&nothing));
    assert_eq!(counts(&summary), [0, 0, 1, 1, 0]);
    let error = &summary.failures[0].error;
    assert_eq!(error.message, "it needs 2 `licence`, and nobody said how much there is");
    assert_eq!(error.hint.as_deref(), Some("say it with `--resource licence=2`"));
}

#[test]
fn a_warm_worker_takes_the_next_stage() {
    let mut place = Site::new();
    let program = tempfile::tempdir().unwrap();
    place.options.worker = Some(double(program.path(), WRITE));
    let plan = heavy(&[("a", &[], write("a")), ("b", &[], write("b")), ("c", &[], write("c"))]);
    let (summary, _) = place.run(&plan, &Desk::new(&nothing));
    assert_eq!(counts(&summary), [3, 0, 0, 0, 0], "{:?}", summary.failures);
    let processes = ["a", "b", "c"].map(|stage| place.text(&plan, &summary, stage).replace(stage, ""));
    assert!(processes.iter().all(|process| *process == processes[0]), "{processes:?}");
}

#[test]
fn a_dead_worker_is_one_failed_stage_and_is_replaced() {
    let mut place = Site::new();
    let program = tempfile::tempdir().unwrap();
    let body = format!("if job['parameters']['write'] == 'a': os.kill(os.getpid(), 9)\n{WRITE}");
    place.options.worker = Some(double(program.path(), &body));
    let plan = heavy(&[("a", &[], write("a")), ("b", &[], write("b"))]);
    let (summary, _) = place.run(&plan, &Desk::new(&nothing));
    assert_eq!(counts(&summary), [1, 0, 1, 0, 0]);
    assert!(summary.failures[0].error.message.contains("killed by signal 9"), "{:?}", summary.failures);
}

#[test]
fn the_second_signal_kills_workers() {
    let mut place = Site::new();
    let program = tempfile::tempdir().unwrap();
    place.options.worker = Some(double(program.path(), "say({'log': dict(id=id, text='at work')})\ntime.sleep(600)"));
    let plan = heavy(&[("a", &[], write("a"))]);
    let store = Store::open(&place.root).unwrap();
    let mut listener = Raiser { interrupt: &place.interrupt };
    let summary = run(
        &Run {
            plan: &plan,
            store: &store,
            pins: &Pins::default(),
            numeric: &numeric(),
            bodies: &Desk::new(&nothing),
            forced: &|_: &Instance| false,
            options: &place.options,
            interrupt: &place.interrupt,
        },
        &mut listener,
    );
    assert_eq!(counts(&summary), [0, 0, 0, 0, 1]);
    assert!(summary.totals.interrupted);
}

#[test]
fn a_missing_worker_says_what_to_build() {
    let mut place = Site::new();
    place.options.worker = Some("/nowhere/compt-worker".into());
    let (summary, _) = place.run(&heavy(&[("a", &[], write("a"))]), &Desk::new(&nothing));
    assert_eq!(summary.failures[0].error.hint.as_deref(), Some("build it with `make build`"));
}

/// Something that one thread waits for and another one opens.
#[derive(Default)]
struct Gate(Mutex<bool>, Condvar);

impl Gate {
    fn open(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }

    fn pass(&self) {
        let mut open = self.0.lock().unwrap();
        while !*open {
            open = self.1.wait(open).unwrap();
        }
    }
}

/// Opens a gate when the run waits for another one.
struct Opener<'a> {
    gate: &'a Gate,
    events: Vec<Event>,
}

impl super::event::Listener for Opener<'_> {
    fn hear(&mut self, _: std::time::Duration, event: &Event) {
        if matches!(event, Event::Waiting { .. }) {
            self.gate.open();
        }
        self.events.push(event.clone());
    }
}

/// Asks twice to stop as soon as a stage says that it is at work.
struct Raiser<'a> {
    interrupt: &'a Interrupt,
}

impl super::event::Listener for Raiser<'_> {
    fn hear(&mut self, _: std::time::Duration, event: &Event) {
        if matches!(event, Event::Log { text, .. } if text == "at work") {
            self.interrupt.raise();
            self.interrupt.raise();
        }
    }
}

/// Bodies that give back their core at once and then take their time, until so many have begun or the wait is over.
struct Storing {
    together: usize,
    patience: Duration,
    begun: Mutex<usize>,
    more: Condvar,
    now: AtomicUsize,
    most: AtomicUsize,
    in_vain: AtomicUsize,
}

impl Storing {
    fn new(together: usize, patience: Duration) -> Self {
        let (begun, more) = (Mutex::default(), Condvar::new());
        let [now, most, in_vain] = [0; 3].map(AtomicUsize::new);
        Self { together, patience, begun, more, now, most, in_vain }
    }
}

impl Bodies for Storing {
    fn sources(&self, _: &[SourceRef], _: &mut dyn Reporter) -> Result<Vec<ResolvedSource>, StageError> {
        Ok(Vec::new())
    }

    fn run(&self, job: &Job, reporter: &mut dyn Reporter) -> Result<(), StageError> {
        self.most.fetch_max(self.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let mut begun = self.begun.lock().unwrap();
        *begun += 1;
        self.more.notify_all();
        reporter.computed();
        let few = |begun: &mut usize| *begun < self.together;
        let (begun, waited) = self.more.wait_timeout_while(begun, self.patience, few).unwrap();
        drop(begun);
        self.in_vain.fetch_add(usize::from(waited.timed_out()), Ordering::SeqCst);
        self.now.fetch_sub(1, Ordering::SeqCst);
        Ok(fs_err::write(job.output.join("text"), &job.stage)?)
    }
}

#[test]
fn while_a_result_is_stored_the_next_stage_has_its_core() {
    let mut place = Site::new();
    place.options.cores = 1;
    let bodies = Storing::new(2, Duration::from_secs(60));
    let (summary, _) = place.run(&plan(&[("a", &[], write("a")), ("b", &[], write("b"))]), &bodies);
    assert_eq!(counts(&summary), [2, 0, 0, 0, 0]);
    assert_eq!(bodies.in_vain.into_inner(), 0);
}

#[test]
fn stages_wait_for_a_slow_disk_too() {
    let mut place = Site::new();
    place.options.cores = 1;
    let bodies = Storing::new(3, Duration::from_millis(300));
    let stages = ["a", "b", "c"].map(|name| (name, &[] as &[usize], write(name)));
    let (summary, _) = place.run(&plan(&stages), &bodies);
    assert_eq!(counts(&summary), [3, 0, 0, 0, 0]);
    // One more than there are cores.
    assert!(bodies.most.into_inner() <= 2);
}

/// Says that it computes no more, and then fails.
struct Late;

impl Bodies for Late {
    fn sources(&self, _: &[SourceRef], _: &mut dyn Reporter) -> Result<Vec<ResolvedSource>, StageError> {
        Ok(Vec::new())
    }

    fn run(&self, _: &Job, reporter: &mut dyn Reporter) -> Result<(), StageError> {
        reporter.computed();
        Err(StageError::input("what it wrote is not there"))
    }
}

#[test]
fn with_fail_fast_nothing_starts_before_it_is_known_how_a_stage_ends() {
    for (fail_fast, started) in [(true, 1), (false, 3)] {
        let mut place = Site::new();
        place.options = Options { cores: 1, fail_fast, ..place.options.clone() };
        let stages = ["a", "b", "c"].map(|name| (name, &[] as &[usize], write(name)));
        let (summary, events) = place.run(&plan(&stages), &Late);
        assert_eq!(summary.totals.failed, started);
        assert_eq!(events.iter().filter(|event| matches!(event, Event::Started { .. })).count(), started);
    }
}

/// A program that says nothing, and ends before anybody looks whether it is still wanted.
struct Silent;

impl Bodies for Silent {
    fn sources(&self, _: &[SourceRef], _: &mut dyn Reporter) -> Result<Vec<ResolvedSource>, StageError> {
        Ok(Vec::new())
    }

    fn run(&self, job: &Job, _: &mut dyn Reporter) -> Result<(), StageError> {
        fs_err::create_dir_all(&job.output)?;
        Ok(fs_err::write(job.output.join("text"), &job.stage)?)
    }
}

#[test]
fn a_silent_program_leaves_a_log_only_after_that_of_another_attempt() {
    let place = Site::new();
    let mut plan = plan(&[("a", &[], write("a"))]);
    plan.instances[0].place = Place::Program;
    let (summary, _) = place.run(&plan, &Silent);
    let (key, _) = summary.results[0].unwrap();
    let store = Store::open(&place.root).unwrap();
    assert_eq!(store.logs(&key).unwrap(), []);
    fs_err::write(store.next_log(&key).unwrap().1, "of a failure").unwrap();
    fs_err::remove_dir_all(place.root.join("records")).unwrap();
    place.run(&plan, &Silent);
    assert_eq!(store.logs(&key).unwrap().len(), 2);
}
