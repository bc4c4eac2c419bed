//! The table at the top of `key.rs`, row by row: any of the things that are left out may change and no key does; one of the things
//! that are in changes the key of whoever has it.

use proptest::prelude::*;
use proptest::sample::{select as one_of, subsequence};
use serde_json::json;

use super::catalog::{Place, SourceRef};
use super::instance::tests::{pins, small};
use super::key::{Numeric, tests::numeric};
use super::pins::{Pin, PinnedFile, Pins};
use super::{Instance, Plan, Policy};
use crate::base::Digest;

/// All that a key may depend on. In `small()`, 0 and 1 read sources, 2 and 3 are in workers, 4 reads coordinates.
#[derive(Clone)]
struct Facts {
    plan: Plan,
    outputs: Vec<Digest>,
    pins: Pins,
    numeric: Numeric,
}

impl Facts {
    fn new() -> Self {
        let mut plan = small();
        // So that one of the two trainings has the threads of the run.
        plan.instances[2].resources.clear();
        let outputs = (0..5u8).map(|id| Digest::of(&[id])).collect();
        Self { plan, outputs, pins: pins(), numeric: numeric() }
    }

    fn keys(&self) -> Vec<Digest> {
        let key = |instance: &Instance| {
            let outputs: Vec<Digest> = instance.inputs.iter().map(|&input| self.outputs[input]).collect();
            self.plan.preimage(instance.id, &outputs, &self.pins, &self.numeric).unwrap().key()
        };
        self.plan.instances.iter().map(key).collect()
    }

    fn each(&mut self, change: impl Fn(&mut Instance)) {
        self.plan.instances.iter_mut().for_each(change);
    }

    fn resource(&mut self, id: usize, name: &str, amount: u64) {
        self.plan.instances[id].resources.insert(name.to_owned(), amount);
    }

    fn pin(&mut self, task: &str, change: impl Fn(&mut Pin)) {
        let changed = |name: &str| {
            let source = SourceRef::Dataset(name.to_owned());
            let mut pin = self.pins.get(&source).unwrap().clone();
            if name == task {
                change(&mut pin);
            }
            (source, pin)
        };
        self.pins = ["imdb", "rte"].map(changed).into_iter().collect();
    }
}

/// A change, and the instances whose keys it changes.
type Change = (&'static str, fn(&mut Facts), &'static [usize]);

const NOBODY: &[usize] = &[];
const TABLES: &[usize] = &[4];

const LEFT_OUT: [Change; 11] = [
    ("title", |facts| facts.each(|instance| instance.title = Some("another".to_owned())), NOBODY),
    ("label", |facts| facts.each(|instance| instance.label.push('x')), NOBODY),
    ("policy", |facts| facts.each(|instance| instance.policy = Policy { priority: 3, ..Policy::default() }), NOBODY),
    ("gpu", |facts| (0..5).for_each(|id| facts.resource(id, "gpu", 1)), NOBODY),
    ("cpu of a thread", |facts| facts.resource(4, "cpu", 8), NOBODY),
    ("publishes", |facts| facts.each(|instance| instance.publishes = !instance.publishes), NOBODY),
    ("affinity", |facts| facts.plan.instances[2].place = Place::Worker { affinity: "another".to_owned() }, NOBODY),
    ("revision", |facts| facts.pin("imdb", |pin| pin.revision = Some("another".to_owned())), NOBODY),
    ("order of what is read", |facts| facts.plan.instances[2].inputs.reverse(), NOBODY),
    ("stage of what a table reads", |facts| facts.each(|instance| instance.stage.push('x')), TABLES),
    ("axis of what a table reads", |facts| facts.each(rename_axes), TABLES),
];

const IN: [Change; 16] = [
    ("operation", |facts| facts.plan.instances[0].operation.push('x'), &[0, 2, 3]),
    ("operation that nobody reads", |facts| facts.plan.instances[4].operation.push('x'), &[4]),
    ("version", |facts| facts.plan.instances[1].version += 1, &[1]),
    ("parameters", |facts| facts.plan.instances[3].parameters = json!({"k": 17}).into(), &[3]),
    ("output", |facts| facts.outputs[1] = Digest::of(b"another"), &[2, 3]),
    ("output of a training", |facts| facts.outputs[2] = Digest::of(b"another"), &[4]),
    ("what is read", |facts| facts.plan.instances[2].inputs.truncate(1), &[2]),
    ("order of what a table reads", |facts| facts.plan.instances[4].inputs.reverse(), &[4]),
    ("content of a source", |facts| facts.pin("rte", add_a_file), &[1]),
    ("place", |facts| facts.plan.instances[3].place = Place::Thread, &[3]),
    ("dtype", |facts| facts.numeric.dtype = "bf16".to_owned(), &[2, 3]),
    ("device", |facts| facts.numeric.device = "cuda".to_owned(), &[2, 3]),
    ("libtorch", |facts| facts.numeric.libtorch = "2.12.0".to_owned(), &[2, 3]),
    ("deterministic", |facts| facts.numeric.deterministic = false, &[2, 3]),
    ("cpu of a worker", |facts| facts.resource(3, "cpu", 4), &[3]),
    ("threads", |facts| facts.numeric.threads = 7, &[2]),
];

fn rename_axes(instance: &mut Instance) {
    instance.coordinates =
        instance.coordinates.iter().map(|(axis, value)| (format!("{axis}x"), value.clone())).collect();
}

fn add_a_file(pin: &mut Pin) {
    pin.files.insert("train.csv".to_owned(), PinnedFile { size: 1, digest: Digest::of(b"another") });
}

fn changed(before: &[Digest], after: &[Digest]) -> Vec<usize> {
    (0..before.len()).filter(|&id| before[id] != after[id]).collect()
}

proptest! {
    #[test]
    fn what_is_left_out_changes_no_key(changes in subsequence(LEFT_OUT.to_vec(), 0..=LEFT_OUT.len())) {
        let (before, mut facts) = (Facts::new().keys(), Facts::new());
        changes.iter().for_each(|(_, change, _)| change(&mut facts));
        let seen = changes.iter().any(|(_, _, who)| *who == TABLES);
        let names: Vec<&str> = changes.iter().map(|(name, _, _)| *name).collect();
        prop_assert_eq!(changed(&before, &facts.keys()), if seen { TABLES } else { NOBODY }, "{:?}", names);
    }

    #[test]
    fn what_is_in_changes_the_keys_of_those_who_have_it(
        (name, change, who) in one_of(IN.to_vec()),
        around in subsequence(LEFT_OUT[..9].to_vec(), 0..=9),
    ) {
        let mut facts = Facts::new();
        around.iter().for_each(|(_, change, _)| change(&mut facts));
        let before = facts.keys();
        change(&mut facts);
        prop_assert_eq!(changed(&before, &facts.keys()), who, "{}", name);
    }
}

#[test]
fn a_worker_has_a_thread_at_least_and_the_run_s_threads_unless_it_names_its_own() {
    let threads = |cpu: Option<u64>| {
        let mut instance = small().instances[2].clone();
        instance.resources = cpu.map(|cpu| ("cpu".to_owned(), cpu)).into_iter().collect();
        Numeric { threads: 5, ..numeric() }.of(&instance).threads
    };
    assert_eq!([threads(None), threads(Some(0)), threads(Some(1)), threads(Some(3))], [5, 1, 1, 3]);
}
