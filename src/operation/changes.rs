//! What differs between two runs, by the notes that they left: which instances, and why.

use std::collections::BTreeMap;

use serde::Serialize;

use super::lineage::{Lineage, Made};
use crate::base::Digest;
use crate::plan::diff::SourceDifferences;
use crate::plan::key::{Preimage, SCHEMA};
use crate::plan::pins::Pins;
use crate::plan::reason::{self, Reason};

/// What differs between the runs A and B.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RunDifferences {
    /// Instances that only A has.
    pub only_in_a: Vec<String>,
    /// Instances that only B has.
    pub only_in_b: Vec<String>,
    /// Instances of both with another key or output, in A's order.
    pub changed: Vec<InstanceChange>,
    /// How many instances have the same key and the same output in both.
    pub same: usize,
    /// What differs between the sources of the runs.
    pub sources: SourceDifferences,
}

/// An instance that is not the same in both runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InstanceChange {
    /// Its name.
    pub stage: String,
    /// Its keys; none where it has no result.
    pub keys: [Option<Digest>; 2],
    /// The digests of its files; none where it has no result.
    pub outputs: [Option<Digest>; 2],
    /// What differs between its keys, as far as the notes and the cache can tell.
    pub differences: Vec<Reason>,
}

/// Finds the key's preimage of a result, where the cache has it.
pub type Preimages<'a> = &'a dyn Fn(&Digest) -> Option<Preimage>;

impl RunDifferences {
    /// Compares two runs. What is only known to the cache (sources of one instance, numeric settings) is told where
    /// `preimages` has both keys.
    pub fn between(a: &Lineage, b: &Lineage, preimages: Preimages<'_>) -> Self {
        let (in_a, in_b) = (by_identity(a), by_identity(b));
        let only = |these: &Lineage, those: &BTreeMap<Identity, &Made>| -> Vec<String> {
            let alone = these.made.iter().filter(|made| !those.contains_key(&identity(&made.name)));
            alone.map(|made| made.name.clone()).collect()
        };
        let mut found = Self {
            only_in_a: only(a, &in_b),
            only_in_b: only(b, &in_a),
            sources: SourceDifferences::between(&a.pins, &b.pins),
            ..Self::default()
        };
        for old in &a.made {
            let Some(new) = in_b.get(&identity(&old.name)) else { continue };
            if (old.key, old.output) == (new.key, new.output) {
                found.same += 1;
                continue;
            }
            found.changed.push(InstanceChange {
                stage: old.name.clone(),
                keys: [old.key, new.key],
                outputs: [old.output, new.output],
                differences: explain((a, old, &in_a), (b, new, &in_b), preimages),
            });
        }
        found
    }

    /// Whether the runs have the same instances with the same keys and outputs, from the same sources.
    pub fn is_empty(&self) -> bool {
        self.only_in_a.is_empty() && self.only_in_b.is_empty() && self.changed.is_empty() && self.sources.is_empty()
    }
}

impl InstanceChange {
    /// What the keys do not say: a result that one side lacks, or two results of one key.
    pub fn remark(&self) -> Option<&'static str> {
        match self.keys {
            [Some(_), None] => Some("it has a result in A only"),
            [None, Some(_)] => Some("it has a result in B only"),
            [Some(a), Some(b)] if a == b => Some("the same key gave another output"),
            [Some(_), Some(_)] if self.differences.is_empty() => {
                Some("its sources or numeric settings differ; the cache does not have both results")
            }
            _ => None,
        }
    }
}

/// The stage's name and the axis values in the order of the axes' names: an instance is the same whatever their order.
type Identity = (String, Vec<String>);

fn identity(name: &str) -> Identity {
    let (stage, axes) = name.split_once('[').unwrap_or((name, ""));
    let mut axes: Vec<String> = axes.trim_end_matches(']').split(',').map(str::to_owned).collect();
    axes.sort();
    (stage.to_owned(), axes)
}

fn by_identity(run: &Lineage) -> BTreeMap<Identity, &Made> {
    run.made.iter().map(|made| (identity(&made.name), made)).collect()
}

/// One side of a comparison: a run, one of its instances, and all of them by identity.
type Seen<'a> = (&'a Lineage, &'a Made, &'a BTreeMap<Identity, &'a Made>);

fn explain(a: Seen<'_>, b: Seen<'_>, preimages: Preimages<'_>) -> Vec<Reason> {
    let ((run_a, old, _), (run_b, new, _)) = (a, b);
    let known = |made: &Made| made.key.as_ref().and_then(preimages);
    let (before, now) = match (known(old), known(new)) {
        (Some(before), Some(now)) => (before, now),
        _ => (noted(old), noted(new)),
    };
    let mut found = Vec::new();
    let mut cells = None;
    for reason in reason::differences(&before, &now) {
        match reason {
            // The notes know the names of what is read.
            Reason::Input { .. } => {}
            Reason::InputCells => cells = Some(Reason::InputCells),
            Reason::Source { source, old, new } => {
                let name = named(&run_b.pins, new).or_else(|| named(&run_a.pins, old)).unwrap_or(source);
                found.push(Reason::Source { source: name, old, new });
            }
            other => found.push(other),
        }
    }
    let inputs = inputs(a, b);
    found.extend(if inputs.is_empty() { cells } else { None });
    found.extend(inputs);
    found
}

/// What the note says of a key.
fn noted(made: &Made) -> Preimage {
    Preimage {
        schema: SCHEMA,
        operation: made.operation.clone(),
        version: made.version,
        parameters: made.parameters.clone(),
        inputs: Vec::new(),
        sources: Vec::new(),
        numeric: None,
    }
}

/// The source that has this content.
fn named(pins: &Pins, digest: Option<Digest>) -> Option<String> {
    let (source, _) = pins.iter().find(|(_, pin)| Some(pin.digest()) == digest)?;
    Some(source.to_string())
}

/// What only one of two instances reads, and what both read but with another content.
fn inputs((_, old, in_a): Seen<'_>, (_, new, in_b): Seen<'_>) -> Vec<Reason> {
    let read = |made: &Made| -> BTreeMap<Identity, String> {
        made.inputs.iter().map(|name| (identity(name), name.clone())).collect()
    };
    let (before, now) = (read(old), read(new));
    let mut all = before.clone();
    all.extend(now.clone());
    let mut found = Vec::new();
    for (input, name) in all {
        let side = |read: &BTreeMap<Identity, String>, run: &BTreeMap<Identity, &Made>| {
            read.contains_key(&input).then(|| run.get(&input)?.output).flatten()
        };
        let (old, new) = (side(&before, in_a), side(&now, in_b));
        let operation = in_b.get(&input).or(in_a.get(&input)).map_or_else(String::new, |made| made.operation.clone());
        if old != new {
            found.push(Reason::Input { operation, name: Some(name), old, new });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn made(name: &str, epochs: u32, inputs: &[&str], content: &str) -> Made {
        let parameters = json!({ "epochs": epochs });
        Made {
            name: name.to_owned(),
            operation: name.split('[').next().unwrap_or_default().to_owned(),
            version: 1,
            key: Some(Digest::of(format!("{name}{parameters}{inputs:?}{content}").as_bytes())),
            parameters,
            inputs: inputs.iter().map(|input| (*input).to_owned()).collect(),
            output: Some(Digest::of(content.as_bytes())),
        }
    }

    fn run(made: Vec<Made>) -> Lineage {
        Lineage { pipeline: "toy".to_owned(), made, pins: Pins::default() }
    }

    fn between(a: &Lineage, b: &Lineage) -> RunDifferences {
        RunDifferences::between(a, b, &|_| None)
    }

    #[test]
    fn changes_are_named_from_their_root() {
        let a =
            run(vec![made("data", 1, &[], "d"), made("fit[k=1,s=2]", 40, &["data"], "x"), made("old", 1, &[], "o")]);
        let b =
            run(vec![made("data", 1, &[], "d2"), made("fit[s=2,k=1]", 20, &["data"], "y"), made("new", 1, &[], "n")]);
        let found = between(&a, &b);
        assert_eq!((&found.only_in_a[..], &found.only_in_b[..]), (&["old".to_owned()][..], &["new".to_owned()][..]));
        assert_eq!(found.changed.len(), 2);
        let sentences: Vec<String> = found.changed[1].differences.iter().map(Reason::to_string).collect();
        let (d, d2) = (Digest::of(b"d").short(), Digest::of(b"d2").short());
        assert_eq!(
            sentences,
            ["parameter `epochs` changed: 40 -> 20".to_owned(), format!("`data` has another content: {d} -> {d2}")]
        );
        // The note alone knows no reason why `data` differs.
        assert!(found.changed[0].remark().unwrap().contains("the cache does not have both"));
    }

    #[test]
    fn one_key_with_two_outputs_is_pointed_out() {
        let a = run(vec![made("fit", 1, &[], "x")]);
        let mut b = a.clone();
        b.made[0].output = Some(Digest::of(b"y"));
        assert_eq!(between(&a, &b).changed[0].remark(), Some("the same key gave another output"));
        (b.made[0].key, b.made[0].output) = (None, None);
        assert_eq!(between(&a, &b).changed[0].remark(), Some("it has a result in A only"));
    }

    prop_compose! {
        fn runs()(
            stages in prop::collection::btree_map("[a-d]", (0..2u32, "[xy]", prop::collection::btree_set("[a-d]", 0..2)), 0..5),
        ) -> Lineage {
            run(stages
                .iter()
                .map(|(name, (epochs, content, inputs))| {
                    let known: Vec<&str> = inputs.iter().filter(|i| stages.contains_key(*i)).map(String::as_str).collect();
                    made(name, *epochs, &known, content)
                })
                .collect())
        }
    }

    fn mirrored(found: RunDifferences) -> RunDifferences {
        let turn = |change: InstanceChange| InstanceChange {
            keys: [change.keys[1], change.keys[0]],
            outputs: [change.outputs[1], change.outputs[0]],
            differences: change.differences.into_iter().map(Reason::mirrored).collect(),
            ..change
        };
        RunDifferences {
            only_in_a: found.only_in_b,
            only_in_b: found.only_in_a,
            changed: found.changed.into_iter().map(turn).collect(),
            ..found
        }
    }

    proptest! {
        #[test]
        fn a_run_differs_from_itself_in_nothing_and_order_is_a_mirror(a in runs(), b in runs()) {
            prop_assert!(between(&a, &a).is_empty());
            prop_assert_eq!(between(&a, &a).same, a.made.len());
            prop_assert_eq!(between(&b, &a), mirrored(between(&a, &b)));
        }
    }
}
