//! Which instances of a plan have a result already, and why the others have to run.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Serialize;

use super::instance::{Instance, Plan};
use super::key::{Numeric, Preimage};
use super::pins::Pins;
use super::reason::{self, Reason};
use super::shape::{self, Outline, Shapes};
use crate::base::{Digest, many};

/// What was computed before; the store implements it.
pub trait Records: Sync {
    /// The output digest of the result with this key, if there is one that verifies.
    fn lookup(&self, key: &Digest) -> Lookup;

    /// The same for the key of this instance of a pipeline, which may be known from the last run.
    fn lookup_latest(&self, pipeline: &str, instance: &Instance, key: &Digest) -> Lookup;

    /// The key's preimage of the latest result of this instance, whether or not that is still in the cache.
    fn previous(&self, pipeline: &str, instance: &Instance) -> Option<Preimage>;

    /// What all results were made of, of this pipeline and of others.
    fn shapes(&self) -> Shapes;
}

/// What is found under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// A result, with the digest of its files.
    Found(Digest),
    /// Nothing.
    Missing,
    /// A result that can't be used, and why.
    Damaged(String),
}

/// Where one instance stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its result is there.
    Cached {
        /// The stage key.
        key: Digest,
        /// The digest of its files.
        output: Digest,
    },
    /// It has to run, or may have to.
    Run {
        /// The stage key; `None` while the content of something that it reads is not known.
        key: Option<Digest>,
        /// Whether it has to, whatever comes. Otherwise its result may turn out to be there when its key is known.
        certain: bool,
        /// Why.
        reasons: Vec<Reason>,
    },
}

impl State {
    /// The digest of the result's files, if it is there.
    pub fn output(&self) -> Option<Digest> {
        match self {
            Self::Cached { output, .. } => Some(*output),
            Self::Run { .. } => None,
        }
    }

    /// The key and the digest of the result's files, if it is there.
    pub fn result(&self) -> Option<(Digest, Digest)> {
        match self {
            Self::Cached { key, output } => Some((*key, *output)),
            Self::Run { .. } => None,
        }
    }

    /// Whether its result may turn out to be there once its key is known.
    pub fn may_be_unchanged(&self) -> bool {
        matches!(self, Self::Run { certain: false, .. })
    }
}

/// What decides where the instances of a plan stand.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// What was computed before.
    pub records: &'a dyn Records,
    /// What the sources contain, as far as that is known.
    pub pins: &'a Pins,
    /// The settings of workers.
    pub numeric: &'a Numeric,
    /// Instances that run even if they have a result.
    pub forced: &'a (dyn Fn(&Instance) -> bool + Sync),
}

impl Question<'_> {
    /// Where every instance stands, in plan order.
    pub fn assess(&self) -> Vec<State> {
        let mut states: Vec<State> = Vec::with_capacity(self.plan.instances.len());
        // All results are looked at only if something waits.
        let shapes = OnceLock::new();
        for stage in &self.plan.stages {
            // The instances of one stage don't read each other.
            let ids: Vec<usize> = stage.instances.clone().collect();
            let stage = many::map(&ids, |&id| {
                let inputs = &self.plan.instances[id].inputs;
                let outputs: Vec<Option<Digest>> = inputs.iter().map(|&input| states[input].output()).collect();
                let known: Option<Vec<Digest>> = outputs.iter().copied().collect();
                let decided = known.and_then(|known| self.decide(id, &known));
                decided.unwrap_or_else(|| {
                    let shapes = shapes.get_or_init(|| self.records.shapes());
                    self.wait(id, &outputs, shapes)
                })
            });
            states.extend(stage);
        }
        states
    }

    /// Where instance `id` stands when it reads these outputs (in plan order); `None` when a source is not known.
    fn decide(&self, id: usize, outputs: &[Digest]) -> Option<State> {
        let instance = &self.plan.instances[id];
        let key = self.plan.key(id, outputs, self.pins, self.numeric).ok()?;
        let reasons = if (self.forced)(instance) {
            vec![Reason::Forced]
        } else {
            match self.records.lookup_latest(&self.plan.pipeline, instance, &key) {
                Lookup::Found(output) => return Some(State::Cached { key, output }),
                Lookup::Damaged(what) => vec![Reason::ResultDamaged { what }],
                Lookup::Missing => match self.records.previous(&self.plan.pipeline, instance) {
                    None => vec![Reason::NeverRun],
                    Some(old) => {
                        let new = self.plan.preimage(id, outputs, self.pins, self.numeric).ok()?;
                        self.explain(id, outputs, reason::differences(&old, &new))
                    }
                },
            }
        };
        Some(State::Run { key: Some(key), certain: true, reasons })
    }

    /// Something that instance `id` reads is not there yet, or a source is not known.
    fn wait(&self, id: usize, outputs: &[Option<Digest>], shapes: &Shapes) -> State {
        let instance = &self.plan.instances[id];
        let forced = (self.forced)(instance);
        let outline = || Outline::new(self.plan, id, outputs, self.pins, self.numeric);
        let certain = forced || shapes.is_empty() || !shapes.may_have(&outline());
        let mut reasons = if forced { vec![Reason::Forced] } else { Vec::new() };
        let old = self.records.previous(&self.plan.pipeline, instance);
        match (&old, self.without_inputs(instance)) {
            (_, Err(source)) => reasons.push(Reason::SourceUnknown { source }),
            (None, _) => reasons.push(Reason::NeverRun),
            (Some(old), Ok(new)) => {
                reasons.extend(self.name_sources(id, reason::settings(old, &new)));
                let unseen = shape::unseen(self.plan, instance, outputs, old).into_iter();
                reasons.extend(unseen.map(|name| Reason::InputUnseen { name: name.to_owned() }));
            }
        }
        match old {
            // The same as before as far as it is known, and yet there is no result that it could be.
            Some(old) if certain && reasons.is_empty() => reasons.push(match self.records.lookup(&old.key()) {
                Lookup::Found(_) => Reason::InputCells,
                Lookup::Missing | Lookup::Damaged(_) => Reason::ResultGone,
            }),
            _ => {}
        }
        let mut stages: BTreeMap<String, usize> = BTreeMap::new();
        for (&input, _) in instance.inputs.iter().zip(outputs).filter(|(_, output)| output.is_none()) {
            *stages.entry(self.plan.instances[input].stage.clone()).or_default() += 1;
        }
        if !certain && !stages.is_empty() {
            reasons.push(Reason::Upstream { stages });
        }
        State::Run { key: None, certain, reasons }
    }

    fn without_inputs(&self, instance: &Instance) -> Result<Preimage, String> {
        Preimage::new(instance, &[], self.pins, self.numeric).map_err(ToString::to_string)
    }

    /// Names in the reasons what a preimage knows by its digest only.
    fn explain(&self, id: usize, outputs: &[Digest], reasons: Vec<Reason>) -> Vec<Reason> {
        if reasons.is_empty() {
            return vec![Reason::ResultGone];
        }
        let mut named: Vec<bool> = vec![false; outputs.len()];
        let inputs = &self.plan.instances[id].inputs;
        let mut name_of = |digest: Option<Digest>| {
            let found = (0..outputs.len()).find(|&i| !named[i] && Some(outputs[i]) == digest)?;
            named[found] = true;
            Some(self.plan.instances[inputs[found]].label.clone())
        };
        let reasons = reasons.into_iter().map(|reason| match reason {
            Reason::Input { operation, old, new, .. } => Reason::Input { operation, name: name_of(new), old, new },
            other => other,
        });
        self.name_sources(id, reasons.collect())
    }

    fn name_sources(&self, id: usize, mut reasons: Vec<Reason>) -> Vec<Reason> {
        for reason in &mut reasons {
            if let Reason::Source { source, new: Some(new), .. } = reason {
                let digest = |source| self.pins.get(source).map(super::pins::Pin::digest);
                let found = self.plan.instances[id].sources.iter().find(|source| digest(source) == Some(*new));
                if let Some(found) = found {
                    *source = found.to_string();
                }
            }
        }
        reasons
    }
}

#[cfg(test)]
mod tests {
    use super::{Lookup, Question, Records, State};
    use crate::base::Digest;
    use crate::plan::catalog::SourceRef;
    use crate::plan::instance::tests::{pins, small};
    use crate::plan::instance::{Instance, Plan};
    use crate::plan::key::Preimage;
    use crate::plan::key::tests::numeric;
    use crate::plan::pins::{Pin, PinnedFile, Pins};
    use crate::plan::shape::Shapes;
    use serde_json::json;
    use std::collections::{BTreeMap, BTreeSet};

    /// Results kept in memory.
    #[derive(Default)]
    struct Memory {
        results: BTreeMap<Digest, Digest>,
        made: BTreeMap<Digest, Preimage>,
        latest: BTreeMap<Digest, Preimage>,
        damaged: BTreeSet<Digest>,
    }

    impl Records for Memory {
        fn lookup(&self, key: &Digest) -> Lookup {
            if self.damaged.contains(key) {
                return Lookup::Damaged("it is gnawed".into());
            }
            self.results.get(key).map_or(Lookup::Missing, |output| Lookup::Found(*output))
        }

        fn lookup_latest(&self, _: &str, _: &Instance, key: &Digest) -> Lookup {
            self.lookup(key)
        }

        fn previous(&self, _: &str, instance: &Instance) -> Option<Preimage> {
            self.latest.get(&instance.identity()).cloned()
        }

        fn shapes(&self) -> Shapes {
            Shapes::of(self.made.values().cloned())
        }
    }

    impl Memory {
        /// Runs what has to run; an instance's output is a digest of `body(instance, key)`. Returns the names run.
        fn run(&mut self, plan: &Plan, pins: &Pins, body: &dyn Fn(&Instance, Digest) -> String) -> Vec<String> {
            let mut outputs: Vec<Digest> = Vec::new();
            let mut ran = Vec::new();
            for instance in &plan.instances {
                let inputs: Vec<Digest> = instance.inputs.iter().map(|&input| outputs[input]).collect();
                let question = Question { plan, records: self, pins, numeric: &numeric(), forced: &|_| false };
                outputs.push(match question.decide(instance.id, &inputs).unwrap() {
                    State::Cached { output, .. } => output,
                    State::Run { key, .. } => {
                        let key = key.unwrap();
                        ran.push(instance.label.clone());
                        let output = Digest::of(body(instance, key).as_bytes());
                        let preimage = plan.preimage(instance.id, &inputs, pins, &numeric()).unwrap();
                        self.results.insert(key, output);
                        self.made.insert(key, preimage.clone());
                        self.latest.insert(instance.identity(), preimage);
                        output
                    }
                });
            }
            ran
        }

        fn sentences(&self, plan: &Plan, pins: &Pins) -> Vec<String> {
            let question = Question { plan, records: self, pins, numeric: &numeric(), forced: &|_| false };
            let sentence = |state: &State| match state {
                State::Cached { .. } => "cached".to_owned(),
                State::Run { reasons, .. } => reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
            };
            question.assess().iter().map(sentence).collect()
        }
    }

    fn every_key_counts(instance: &Instance, key: Digest) -> String {
        format!("{} {key}", instance.label)
    }

    fn changed_rte() -> Pins {
        let mut pins = pins();
        let file = PinnedFile { size: 1, digest: Digest::of(b"x") };
        pins.insert(
            SourceRef::Dataset("rte".into()),
            Pin { request: None, revision: None, files: [("train".to_owned(), file)].into() },
        );
        pins
    }

    #[test]
    fn a_second_run_finds_everything() {
        let (plan, mut memory) = (small(), Memory::default());
        assert_eq!(memory.sentences(&plan, &pins()), ["it has never run"; 5]);
        assert_eq!(memory.run(&plan, &pins(), &every_key_counts).len(), 5);
        assert_eq!(memory.sentences(&plan, &pins()), ["cached"; 5]);
        assert_eq!(memory.run(&plan, &pins(), &every_key_counts), Vec::<String>::new());
    }

    #[test]
    fn a_changed_source_is_named_and_runs_what_depends_on_it() {
        let (plan, mut memory) = (small(), Memory::default());
        memory.run(&plan, &pins(), &every_key_counts);
        let sentences = memory.sentences(&plan, &changed_rte());
        assert_eq!(sentences[0], "cached");
        assert!(sentences[1].starts_with("dataset `rte` has another content: "), "{}", sentences[1]);
        assert_eq!(sentences[2], "it waits for `data`, and its result may turn out to be there");
        let ran = memory.run(&plan, &changed_rte(), &every_key_counts);
        assert_eq!(ran, ["data[task=rte]", "fit[method=spp]", "fit[method=scp]", "table"]);
    }

    #[test]
    fn equal_outputs_cut_off_early() {
        let (plan, mut memory) = (small(), Memory::default());
        let same_bytes = |instance: &Instance, _| instance.label.clone();
        memory.run(&plan, &pins(), &same_bytes);
        assert_eq!(memory.run(&plan, &changed_rte(), &same_bytes), ["data[task=rte]"]);
    }

    #[test]
    fn a_changed_parameter_is_named_even_while_inputs_are_awaited() {
        let (mut plan, mut memory) = (small(), Memory::default());
        memory.run(&plan, &pins(), &every_key_counts);
        for id in [1, 2] {
            plan.instances[id].parameters = json!({"cell": "x", "k": 16}).into();
        }
        let sentences = memory.sentences(&plan, &pins());
        assert_eq!(sentences[1], "parameter `cell` changed: \"rte\" -> \"x\"");
        assert_eq!(
            sentences[2], "parameter `cell` changed: \"spp\" -> \"x\"",
            "no result was made with this parameter: it runs whatever `data` comes to be"
        );
        assert_eq!(sentences[3], "it waits for `data`, and its result may turn out to be there");
    }

    #[test]
    fn what_another_pipeline_or_an_earlier_run_has_made_may_turn_out_to_be_there() {
        let (plan, mut memory) = (small(), Memory::default());
        memory.run(&plan, &pins(), &every_key_counts);
        let mut renamed = plan.clone();
        for instance in &mut renamed.instances {
            instance.stage = format!("{}_2", instance.stage);
        }
        let changed = changed_rte();
        let waits = "it has never run; it waits for `data_2`, and its result may turn out to be there";
        assert_eq!(memory.sentences(&renamed, &changed)[1..3], ["it has never run", waits]);
        // The table names its stages, and these names are new.
        assert_eq!(memory.sentences(&renamed, &changed)[4], "it has never run");
        // A parameter that is set back while what is read changes.
        let mut other = plan.clone();
        other.instances[2].parameters = json!({"cell": "other"}).into();
        memory.run(&other, &pins(), &every_key_counts);
        let sentence = &memory.sentences(&plan, &changed_rte())[2];
        assert!(sentence.starts_with("parameter `cell` changed: ") && sentence.ends_with("to be there"), "{sentence}");
    }

    #[test]
    fn a_changed_input_is_named() {
        let (plan, mut memory) = (small(), Memory::default());
        memory.run(&plan, &pins(), &every_key_counts);
        let key = *memory
            .results
            .iter()
            .find(|(key, output)| **output == Digest::of(every_key_counts(&plan.instances[1], **key).as_bytes()))
            .unwrap()
            .0;
        memory.results.insert(key, Digest::of(b"another"));
        let sentences = memory.sentences(&plan, &pins());
        assert_eq!(sentences[1], "cached");
        assert!(sentences[2].starts_with("`data[task=rte]` has another content: "), "{}", sentences[2]);
    }

    #[test]
    fn damaged_gone_forced_and_unknown_have_their_reasons() {
        let (plan, mut memory) = (small(), Memory::default());
        assert_eq!(memory.sentences(&plan, &Pins::default())[0], "dataset `imdb` has not been fetched yet");
        memory.run(&plan, &pins(), &every_key_counts);
        let key = plan.preimage(0, &[], &pins(), &numeric()).unwrap().key();
        memory.damaged.insert(key);
        assert_eq!(memory.sentences(&plan, &pins())[0], "its result is damaged: it is gnawed");
        memory.damaged.clear();
        memory.results.remove(&key);
        assert_eq!(memory.sentences(&plan, &pins())[0], "its result is not in the cache any more");
        let forced = |instance: &Instance| instance.stage == "data";
        let pins = pins();
        let question = Question { plan: &plan, records: &memory, pins: &pins, numeric: &numeric(), forced: &forced };
        let states = question.assess();
        assert!(
            matches!(&states[1], State::Run { key: Some(_), reasons, .. } if reasons[0].to_string() == "it was asked for")
        );
        assert!(states[2].may_be_unchanged() && !states[1].may_be_unchanged());
    }
}
