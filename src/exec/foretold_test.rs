//! What is said of a run before it begins, beside what the dispatcher then does: random small pipelines, edited between
//! runs, under two names, with results that go, of which random parts are run and forced, with room for all or not.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::json;

use super::event::Event;
use super::interrupt::Interrupt;
use super::needs;
use super::testing::{numeric, plan};
use super::thread::Bodies;
use super::{Options, Run, Summary, run};
use crate::base::Digest;
use crate::plan::catalog::SourceRef;
use crate::plan::fate::{Fate, Fates, fates};
use crate::plan::pins::Pins;
use crate::plan::selection::{Part, Request};
use crate::plan::{Instance, Plan, Question, StagePlan, State};
use crate::protocol::{Job, Reporter, ResolvedSource, StageError};
use crate::store::Store;

/// Most stages of a pipeline.
const MOST: usize = 6;

/// One stage, as far as it is random.
#[derive(Clone, Copy, Debug)]
struct Drawn {
    /// Which of the earlier stages it reads, as bits.
    reads: u8,
    /// What it writes.
    text: u8,
    /// A parameter that its files don't show.
    salt: u8,
    /// Whether its files don't show what it reads.
    forgets: bool,
    /// Whether the names of what it reads are in its key.
    sees_names: bool,
    /// Whether it needs a licence.
    licensed: bool,
}

/// One run.
#[derive(Clone, Debug)]
struct Step {
    /// The pipeline's name.
    pipeline: bool,
    /// A stage that is another one from now on, or has another salt.
    edit: Option<(usize, Option<Drawn>)>,
    /// Results that are lost before it, by place.
    lost: Vec<usize>,
    /// Whether there is a licence.
    licence: bool,
    /// Whether it stops at the first failure.
    fail_fast: bool,
    /// Stages that are named by `--only`, `--until`, `--from` and `--force`, as bits; 0 for a flag that isn't there.
    flags: [u8; 4],
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let rare = || prop::bool::weighted(0.2);
    (any::<u8>(), 0u8..2, 0u8..2, any::<bool>(), rare(), rare()).prop_map(
        |(reads, text, salt, forgets, sees_names, licensed)| Drawn { reads, text, salt, forgets, sees_names, licensed },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let flag = || prop_oneof![4 => Just(0u8), 1 => any::<u8>()];
    let edit = (0..MOST, proptest::option::weighted(0.4, drawn()));
    (
        prop::bool::weighted(0.2),
        proptest::option::weighted(0.8, edit),
        proptest::collection::vec(0usize..8, 0..2),
        any::<bool>(),
        any::<bool>(),
        [flag(), flag(), flag(), flag()],
    )
        .prop_map(|(pipeline, edit, lost, licence, fail_fast, flags)| Step {
            pipeline,
            edit,
            lost,
            licence,
            fail_fast,
            flags,
        })
}

fn name(id: usize) -> String {
    format!("s{id}")
}

fn pipeline(stages: &[Drawn], step: &Step) -> Plan {
    let inputs: Vec<Vec<usize>> = stages
        .iter()
        .enumerate()
        .map(|(id, stage)| (0..id).filter(|by| stage.reads >> by & 1 == 1).collect())
        .collect();
    let names: Vec<String> = (0..stages.len()).map(name).collect();
    let rows: Vec<_> = (0..stages.len()).map(|id| (names[id].as_str(), inputs[id].as_slice(), json!({}))).collect();
    let mut plan = plan(&rows);
    plan.pipeline = format!("p{}", u8::from(step.pipeline));
    for (instance, stage) in plan.instances.iter_mut().zip(stages) {
        let Drawn { text, salt, forgets, .. } = stage;
        instance.parameters = json!({ "text": text, "salt": salt, "forgets": forgets }).into();
        instance.reads_coordinates = stage.sees_names;
        instance.resources = stage.licensed.then(|| ("licence".to_owned(), 1)).into_iter().collect();
    }
    let stage = |instance: &Instance| StagePlan {
        name: instance.stage.clone(),
        title: None,
        operation: instance.operation.clone(),
        axes: Vec::new(),
        instances: instance.id..instance.id + 1,
    };
    plan.stages = plan.instances.iter().map(stage).collect();
    plan
}

fn is_licensed(instance: &Instance) -> bool {
    !instance.resources.is_empty()
}

fn request(flags: [u8; 4], stages: usize) -> Request {
    let texts = |bits: u8| {
        let named: Vec<String> = (0..stages).filter(|id| bits >> id & 1 == 1).map(name).collect();
        if named.is_empty() { Vec::new() } else { vec![named.join(", ")] }
    };
    let [only, until, from, force] = flags.map(texts);
    Request { only, until, from, force }
}

/// Bodies that write their text and what they read; `all` of their parameters, or only what is meant to show.
struct Desk {
    all: bool,
}

impl Bodies for Desk {
    fn sources(&self, _: &[SourceRef], _: &mut dyn Reporter) -> Result<Vec<ResolvedSource>, StageError> {
        Ok(Vec::new())
    }

    fn run(&self, job: &Job, _: &mut dyn Reporter) -> Result<(), StageError> {
        let show = if self.all { job.parameters.clone() } else { job.parameters["text"].clone() };
        let mut text = show.to_string();
        if self.all || job.parameters["forgets"] == false {
            for input in &job.inputs {
                text += &format!("({})", fs_err::read_to_string(input.files.file("text"))?);
            }
        }
        Ok(fs_err::write(job.output.join("text"), text)?)
    }
}

/// A cache, and what was made in it.
struct Site {
    folder: tempfile::TempDir,
    all: bool,
}

impl Site {
    fn assess(&self, plan: &Plan, part: &Part) -> Vec<State> {
        let store = Store::open_to_read(self.folder.path()).unwrap();
        let forced = |instance: &Instance| part.forced.has(instance.id);
        let (pins, numeric) = (Pins::default(), numeric());
        Question { plan, records: &store, pins: &pins, numeric: &numeric, forced: &forced }.assess()
    }

    fn run(&self, plan: &Plan, part: &Part, options: &Options) -> (Summary, Vec<Event>) {
        let store = Store::open(self.folder.path()).unwrap();
        let mut events = Vec::new();
        let run_it = Run {
            plan,
            store: &store,
            pins: &Pins::default(),
            numeric: &numeric(),
            bodies: &Desk { all: self.all },
            forced: &|instance| part.forced.has(instance.id),
            options,
            interrupt: &Interrupt::default(),
        };
        let summary = run(&run_it, &mut events);
        (summary, events)
    }

    fn lose(&self, places: &[usize]) {
        let keys = Store::open_to_read(self.folder.path()).unwrap().keys("").unwrap();
        for key in places.iter().filter_map(|place| keys.get(*place)).collect::<BTreeSet<_>>() {
            let name = key.to_string();
            fs_err::remove_file(self.folder.path().join("records").join(&name[..1]).join(name + ".json")).unwrap();
        }
    }
}

/// Two jobs, and a licence or none.
fn options(step: &Step) -> Options {
    let resources = [("licence".to_owned(), u64::from(step.licence))].into();
    Options { jobs: 2, cores: 2, gpus: Vec::new(), resources, fail_fast: step.fail_fast, ..Options::default() }
}

/// Compares what was said with what came.
fn compare(states: &[State], told: &[Fate], came: &(Summary, Vec<Event>), plan: &Plan, (all, fail_fast): (bool, bool)) {
    let (summary, events) = came;
    let named = |such: fn(&Event) -> Option<&String>| -> BTreeSet<&str> {
        events.iter().filter_map(such).map(String::as_str).collect()
    };
    let finished = named(|event| if let Event::Finished { stage, .. } = event { Some(stage) } else { None });
    let cached = named(|event| if let Event::Cached { stage, .. } = event { Some(stage) } else { None });
    let failed = named(|event| if let Event::Failed { stage, .. } = event { Some(stage) } else { None });
    let skipped = named(|event| if let Event::Skipped { stage, .. } = event { Some(stage) } else { None });
    let ended = [&finished, &cached, &failed, &skipped].map(BTreeSet::len);
    let over = ended.iter().sum::<usize>();
    assert_eq!(over + summary.totals.left, plan.instances.len(), "nothing comes to two ends");
    assert!(summary.totals.left == 0 || fail_fast && !failed.is_empty(), "everything comes to one end");
    let called = |id: usize| plan.instances[id].name();
    let key = |id: usize| summary.results[id].map(|(key, _)| key);
    let ran: Vec<bool> = plan.instances.iter().map(|instance| finished.contains(instance.name())).collect();
    let made: BTreeSet<Option<Digest>> = (0..ran.len()).filter(|&id| ran[id]).map(key).collect();
    assert_eq!(made.len(), finished.len(), "no key is made twice");
    for (id, (state, fate)) in states.iter().zip(told).enumerate() {
        match (fate, state) {
            (Fate::Cached, State::Cached { key, output }) => {
                assert!(!ran[id]);
                assert_eq!(summary.results[id], Some((*key, *output)));
            }
            (Fate::Runs | Fate::Shares { .. }, State::Run { key: known, certain: true, .. }) => {
                assert!(made.contains(&key(id)), "`{}` was to run", called(id));
                assert!(known.is_none_or(|known| Some(known) == key(id)));
            }
            (Fate::MayRun, State::Run { key: None, certain: false, .. }) => {}
            // Its turn comes unless another one fails before.
            (Fate::MayRun, State::Run { key: Some(known), certain: true, .. }) => {
                assert!(fail_fast && plan.instances.iter().any(is_licensed));
                assert!(made.contains(&Some(*known)) || !failed.is_empty(), "`{}` was to run", called(id));
            }
            // What it reads may fail, or it needs a licence and another one may do its work before.
            (Fate::MayRun, State::Run { key: None, .. }) => assert!(plan.instances.iter().any(is_licensed)),
            // Only equal bytes, which nobody could foretell, make it another one's work; and one that only may run may fail
            // before it.
            (Fate::Fails, State::Run { key: known, certain: true, .. }) => {
                let instance = &plan.instances[id];
                assert!(is_licensed(instance));
                let shared = known.is_none() && made.contains(&key(id));
                let reads_a_doubtful = instance.inputs.iter().any(|&input| told[input] == Fate::MayRun);
                let was_skipped = reads_a_doubtful && skipped.contains(called(id));
                assert!(failed.contains(called(id)) || shared || was_skipped, "`{}`", called(id));
            }
            (Fate::Skipped { because }, State::Run { .. }) => {
                assert!(skipped.contains(called(id)) || !failed.contains(called(*because)), "`{}`", called(id));
            }
            (Fate::Left { because }, State::Run { .. }) => {
                assert!(fail_fast && failed.contains(called(*because)));
                let lists = [&finished, &cached, &failed, &skipped];
                assert!(lists.iter().all(|ended| !ended.contains(called(id))), "`{}` was to be left", called(id));
            }
            other => panic!("{other:?}"),
        }
    }
    // The work that several share is done by one of them.
    let mut groups: BTreeMap<usize, usize> = BTreeMap::new();
    for (id, fate) in told.iter().enumerate() {
        match fate {
            Fate::Runs => *groups.entry(id).or_default() += usize::from(ran[id]),
            Fate::Shares { with } => *groups.entry(*with).or_default() += usize::from(ran[id]),
            Fate::Cached | Fate::MayRun | Fate::Fails | Fate::Skipped { .. } | Fate::Left { .. } => {}
        }
    }
    assert!(groups.values().all(|&done| done <= 1));
    let counts = Fates::of(told);
    assert!(finished.len() <= counts.run + counts.may_run + counts.skip);
    assert!(failed.len() <= counts.fail + counts.may_run + counts.skip);
    // Where other work never gives equal bytes, nothing is cut off, and what is said is exact.
    if all && counts.may_run == 0 {
        assert_eq!(summary.totals.executed, counts.run);
        assert_eq!(summary.totals.shared, counts.shared);
        assert_eq!(summary.totals.cached, counts.cached);
        assert_eq!((summary.totals.failed, summary.totals.skipped), (counts.fail, counts.skip));
        assert_eq!(summary.totals.left, counts.left);
        assert!(groups.values().all(|&done| done == 1));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_said_of_a_run_is_what_it_does(
        mut stages in proptest::collection::vec(drawn(), 2..=MOST),
        later in proptest::collection::vec(step(), 1..5),
        all in any::<bool>(),
    ) {
        let site = Site { folder: tempfile::tempdir().unwrap(), all };
        let (licence, fail_fast) = (true, false);
        let first = Step { pipeline: false, edit: None, lost: Vec::new(), licence, fail_fast, flags: [0; 4] };
        for step in std::iter::once(first).chain(later) {
            if let Some((place, other)) = step.edit && place < stages.len() {
                let salted = Drawn { salt: 1 - stages[place].salt, ..stages[place] };
                stages[place] = other.unwrap_or(salted);
            }
            site.lose(&step.lost);
            let whole = pipeline(&stages, &step);
            let Ok(part) = request(step.flags, stages.len()).of(&whole, &numeric()) else { continue };
            let plan = part.plan(&whole);
            let states = site.assess(plan, &part);
            let missing = part.missing(&states);
            if !missing.is_empty() {
                // `--only` is refused: with these made it isn't.
                prop_assert!(part.alone && missing.iter().all(|&id| !part.targets.has(id)));
                continue;
            }
            let options = options(&step);
            let short = needs::shortages(plan, &numeric(), &options);
            let told = fates(plan, &states, &plan.firsts(&numeric()), |id| short[id].is_some(), options.fail_fast);
            let came = site.run(plan, &part, &options);
            compare(&states, &told, &came, plan, (all, options.fail_fast));
            prop_assert!(!part.alone || states.iter().enumerate().all(|(id, state)| {
                part.targets.has(id) || state.output().is_some()
            }), "only what was asked for runs");
            if !came.0.failures.is_empty() {
                continue;
            }
            // Now all of it is there.
            let again = Part { forced: part.forced.and(&part.forced.others()), ..part.clone() };
            prop_assert!(site.assess(plan, &again).iter().all(|state| state.output().is_some()));
        }
    }
}
