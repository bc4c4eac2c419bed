//! What differs between two keys or two lock files, A and B. Sentences speak of A as before and of B as now.

use serde::Serialize;

use super::catalog::SourceRef;
use super::pins::{Changed, Difference, Pin, Pins};
use super::reason::Reason;

/// What differs between two lock files, or between the sources of two runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SourceDifferences {
    /// Sources that only A knows.
    pub only_in_a: Vec<SourceRef>,
    /// Sources that only B knows.
    pub only_in_b: Vec<SourceRef>,
    /// Sources that both know, with other content, revision or request.
    pub changed: Vec<SourceChange>,
}

/// A source that is not the same in A and B.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceChange {
    /// Which.
    pub source: SourceRef,
    /// What differs; never empty.
    pub changes: Vec<Changed>,
}

impl SourceDifferences {
    /// Compares the pins of A and B.
    pub fn between(a: &Pins, b: &Pins) -> Self {
        let only = |these: &Pins, those: &Pins| {
            these.iter().filter(|(source, _)| those.get(source).is_none()).map(|(source, _)| source.clone()).collect()
        };
        let changed = a.iter().filter_map(|(source, old)| {
            let changes = changes(source, old, b.get(source)?);
            (!changes.is_empty()).then(|| SourceChange { source: source.clone(), changes })
        });
        Self { only_in_a: only(a, b), only_in_b: only(b, a), changed: changed.collect() }
    }

    /// Whether there is no difference.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// How many sources differ.
    pub fn count(&self) -> usize {
        self.only_in_a.len() + self.only_in_b.len() + self.changed.len()
    }

    /// One sentence for each difference.
    pub fn sentences(&self) -> Vec<String> {
        let only = |sources: &[SourceRef], side: &str| -> Vec<String> {
            sources.iter().map(|source| format!("{source}: only in {side}")).collect()
        };
        let mut sentences = only(&self.only_in_a, "A");
        sentences.extend(only(&self.only_in_b, "B"));
        for SourceChange { source, changes } in &self.changed {
            let tell = |what: &Changed| Difference { source: source.clone(), what: what.clone() }.to_string();
            sentences.extend(changes.iter().map(tell));
        }
        sentences
    }
}

/// Unlike `--locked`, which asks for content and revision, this also tells of another request.
fn changes(source: &SourceRef, old: &Pin, new: &Pin) -> Vec<Changed> {
    let mut changes = Vec::new();
    if old.request != new.request {
        changes.push(Changed::Request(old.request.clone(), new.request.clone()));
    }
    changes.extend(Difference::between(source, Some(old), new).into_iter().map(|difference| difference.what));
    changes
}

impl Reason {
    /// The same difference seen from the other side: old is new and new is old.
    #[must_use]
    pub fn mirrored(self) -> Self {
        match self {
            Self::Schema { old, new } => Self::Schema { old: new, new: old },
            Self::Operation { old, new } => Self::Operation { old: new, new: old },
            Self::Version { operation, old, new } => Self::Version { operation, old: new, new: old },
            Self::Parameter { path, old, new } => Self::Parameter { path, old: new, new: old },
            Self::Input { operation, name, old, new } => Self::Input { operation, name, old: new, new: old },
            Self::Source { source, old, new } => Self::Source { source, old: new, new: old },
            Self::Numeric { setting, old, new } => Self::Numeric { setting, old: new, new: old },
            one_sided => one_sided,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::{Changed, SourceChange, SourceDifferences};
    use crate::base::Digest;
    use crate::plan::catalog::SourceRef;
    use crate::plan::key::tests::{full, numeric};
    use crate::plan::key::{InputKey, Preimage, SourceKey};
    use crate::plan::pins::{Pin, PinnedFile, Pins};
    use crate::plan::reason::{Reason, differences};

    fn file(text: &str) -> PinnedFile {
        PinnedFile { size: text.len() as u64, digest: Digest::of(text.as_bytes()) }
    }

    prop_compose! {
        fn pins()(
            sources in prop::collection::btree_map(
                "[a-c]",
                (
                    prop::option::of("[rs]"),
                    prop::option::of("[xy]"),
                    prop::collection::btree_map("[fg]", "[12]", 0..3),
                ),
                0..4,
            ),
        ) -> Pins {
            let pin = |(request, revision, files): (Option<String>, Option<String>, BTreeMap<String, String>)| Pin {
                request,
                revision,
                files: files.into_iter().map(|(path, text)| (path, file(&text))).collect(),
            };
            sources.into_iter().map(|(name, source)| (SourceRef::Dataset(name), pin(source))).collect()
        }
    }

    prop_compose! {
        fn preimage()(
            version in 1..3u32,
            operation in "fit|train",
            parameters in prop::collection::btree_map("[a-c]", 0..3u8, 0..4),
            nested in prop::option::of(0..2u8),
            inputs in prop::collection::vec(("p|q", 0..3u8), 0..4),
            sources in prop::collection::vec(0..2u8, 0..3),
            threads in prop::option::of(1..3usize),
        ) -> Preimage {
            let mut parameters: serde_json::Map<String, Value> =
                parameters.into_iter().map(|(name, value)| (name, json!(value))).collect();
            parameters.extend(nested.map(|value| ("gate".to_owned(), json!({"kind": value, "list": [value, 1]}))));
            Preimage {
                operation,
                version,
                parameters: Value::Object(parameters),
                inputs: inputs
                    .into_iter()
                    .map(|(operation, output)| InputKey { operation, output: Digest::of(&[output]), cell: None })
                    .collect(),
                sources: sources
                    .into_iter()
                    .map(|content| SourceKey { kind: "model".to_owned(), digest: Digest::of(&[content]) })
                    .collect(),
                numeric: threads.map(|threads| crate::plan::key::Numeric { threads, ..numeric() }),
                ..full()
            }
        }
    }

    fn mirrored(differences: SourceDifferences) -> SourceDifferences {
        let swap = |what: Changed| match what {
            Changed::Request(old, new) => Changed::Request(new, old),
            Changed::Revision(old, new) => Changed::Revision(new, old),
            Changed::FileAdded(path) => Changed::FileRemoved(path),
            Changed::FileRemoved(path) => Changed::FileAdded(path),
            Changed::FileChanged(path, old, new) => Changed::FileChanged(path, new, old),
            Changed::NotPinned => Changed::NotPinned,
        };
        let change =
            |change: SourceChange| SourceChange { changes: change.changes.into_iter().map(swap).collect(), ..change };
        let SourceDifferences { only_in_a, only_in_b, changed } = differences;
        SourceDifferences {
            only_in_a: only_in_b,
            only_in_b: only_in_a,
            changed: changed.into_iter().map(change).collect(),
        }
    }

    /// Files that come and go are listed in the order of their kind, which a mirror turns round.
    fn sorted(mut differences: SourceDifferences) -> SourceDifferences {
        for change in &mut differences.changed {
            change.changes.sort_by_key(|what| format!("{what:?}"));
        }
        differences
    }

    #[test]
    fn each_difference_has_its_sentence() {
        let pin = |revision: &str, files: &[(&str, &str)]| Pin {
            request: Some(format!("repo@{revision}")),
            revision: Some(revision.to_owned()),
            files: files.iter().map(|(path, text)| ((*path).to_owned(), file(text))).collect(),
        };
        let a: Pins = [
            (SourceRef::Dataset("rte".into()), pin("1", &[("a", "x"), ("b", "y")])),
            (SourceRef::Dataset("old".into()), pin("1", &[])),
        ]
        .into_iter()
        .collect();
        let b: Pins = [
            (SourceRef::Dataset("rte".into()), pin("2", &[("b", "z"), ("c", "y")])),
            (SourceRef::Model("t5".into()), pin("1", &[])),
        ]
        .into_iter()
        .collect();
        let (y, z) = (file("y").digest.short(), file("z").digest.short());
        assert_eq!(
            SourceDifferences::between(&a, &b).sentences(),
            [
                "dataset `old`: only in A".to_owned(),
                "model `t5`: only in B".to_owned(),
                "dataset `rte`: it was asked for as repo@1, and now as repo@2".to_owned(),
                "dataset `rte`: revision 1 -> 2".to_owned(),
                format!("dataset `rte`: file `b` changed: 1 bytes, digest {y} -> 1 bytes, digest {z}"),
                "dataset `rte`: file `c` is new".to_owned(),
                "dataset `rte`: file `a` is gone".to_owned(),
            ]
        );
    }

    proptest! {
        #[test]
        fn lock_files_differ_in_nothing_only_when_they_are_equal(a in pins(), b in pins()) {
            prop_assert!(SourceDifferences::between(&a, &a).is_empty());
            prop_assert_eq!(SourceDifferences::between(&a, &b).is_empty(), a == b);
            prop_assert_eq!(
                sorted(SourceDifferences::between(&b, &a)),
                sorted(mirrored(SourceDifferences::between(&a, &b)))
            );
        }

        #[test]
        fn keys_differ_in_nothing_only_when_they_are_equal(a in preimage(), b in preimage()) {
            prop_assert_eq!(differences(&a, &a), []);
            prop_assert_eq!(differences(&a, &b).is_empty(), a.key() == b.key());
            let turned: Vec<Reason> = differences(&b, &a).into_iter().map(Reason::mirrored).collect();
            prop_assert_eq!(turned, differences(&a, &b));
        }
    }
}
