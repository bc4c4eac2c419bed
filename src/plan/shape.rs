//! What is known of a stage key before all that it depends on is known: enough to tell that no result has it.
//!
//! While something that a stage reads has to run first, its key is open. But the operation, its parameters and what is
//! read already are known; where the cache has no result that agrees with them, the stage is certain to run, whatever
//! comes. Where it has one, the stage may turn out to be done: by early cut-off, or because a parameter was set back.

use std::collections::HashMap;

use super::instance::{Instance, Plan};
use super::key::{Cell, InputKey, Numeric, Preimage, SourceKey};
use super::pins::Pins;
use crate::base::Digest;

/// The keys of the results that there are, by what is known of a key beforehand.
#[derive(Clone, Debug, Default)]
pub struct Shapes(HashMap<Digest, Vec<Made>>);

/// What a result was made of.
#[derive(Clone, Debug)]
struct Made {
    inputs: Vec<InputKey>,
    sources: Vec<SourceKey>,
}

/// What is known of one instance's key.
#[derive(Clone, Debug)]
pub struct Outline {
    shape: Digest,
    /// Whether the order of the inputs counts.
    in_order: bool,
    inputs: Vec<OpenInput>,
    /// The digests of the sources, as far as they are known.
    sources: Vec<Option<Digest>>,
}

/// A result that is read and may not be there yet.
#[derive(Clone, Debug)]
struct OpenInput {
    operation: String,
    cell: Option<Cell>,
    output: Option<Digest>,
}

impl Outline {
    /// Of instance `id`, given what is known of the outputs that it reads (in plan order).
    pub fn new(plan: &Plan, id: usize, outputs: &[Option<Digest>], pins: &Pins, numeric: &Numeric) -> Self {
        let instance = &plan.instances[id];
        let input = |(&input, &output): (&usize, &Option<Digest>)| {
            let read = &plan.instances[input];
            OpenInput { operation: read.operation.clone(), cell: Cell::of(instance, read), output }
        };
        let digest = |source| pins.get(source).map(super::pins::Pin::digest);
        Self {
            shape: shape(&Preimage::bare(instance, numeric)),
            in_order: instance.reads_coordinates,
            inputs: instance.inputs.iter().zip(outputs).map(input).collect(),
            sources: instance.sources.iter().map(digest).collect(),
        }
    }
}

impl Shapes {
    /// Those of the results that were made of `preimages`.
    pub fn of(preimages: impl IntoIterator<Item = Preimage>) -> Self {
        let mut shapes = Self::default();
        for mut preimage in preimages {
            let made =
                Made { inputs: std::mem::take(&mut preimage.inputs), sources: std::mem::take(&mut preimage.sources) };
            shapes.0.entry(shape(&preimage)).or_default().push(made);
        }
        shapes
    }

    /// Whether some result may turn out to be the one of this key. If not, the stage is certain to run.
    pub fn may_have(&self, outline: &Outline) -> bool {
        self.0.get(&outline.shape).is_some_and(|made| made.iter().any(|made| outline.agrees(made)))
    }
}

impl Outline {
    fn agrees(&self, made: &Made) -> bool {
        let sources = self.sources.len() == made.sources.len()
            && self.sources.iter().zip(&made.sources).all(|(open, made)| open.is_none_or(|open| open == made.digest));
        sources && self.inputs.len() == made.inputs.len() && self.agrees_with_inputs(&made.inputs)
    }

    fn agrees_with_inputs(&self, made: &[InputKey]) -> bool {
        if self.in_order {
            return self.inputs.iter().zip(made).all(|(open, made)| open.agrees(made));
        }
        let mut left: Vec<&InputKey> = made.iter().collect();
        // What is known takes its own first; the rest may be anything of the same operation.
        let (known, open): (Vec<_>, Vec<_>) = self.inputs.iter().partition(|input| input.output.is_some());
        known.into_iter().chain(open).all(|input| {
            let found = left.iter().position(|made| input.agrees(made));
            found.is_some_and(|found| {
                left.swap_remove(found);
                true
            })
        })
    }
}

impl OpenInput {
    fn agrees(&self, made: &InputKey) -> bool {
        self.operation == made.operation
            && self.cell == made.cell
            && self.output.is_none_or(|output| output == made.output)
    }
}

/// The digest of what needs no results and no sources to be known. `bare` has none of them.
fn shape(bare: &Preimage) -> Digest {
    bare.key()
}

/// Whether the latest result of an instance was made of what is known now; otherwise the names of what is not.
pub(super) fn unseen<'a>(
    plan: &'a Plan,
    instance: &Instance,
    outputs: &[Option<Digest>],
    old: &Preimage,
) -> Vec<&'a str> {
    let mut left: Vec<&InputKey> = old.inputs.iter().collect();
    let mut unseen = Vec::new();
    for (&input, output) in instance.inputs.iter().zip(outputs) {
        let Some(output) = output else { continue };
        let read = &plan.instances[input];
        match left.iter().position(|made| made.operation == read.operation && made.output == *output) {
            Some(found) => drop(left.swap_remove(found)),
            None => unseen.push(read.name()),
        }
    }
    unseen
}

#[cfg(test)]
mod tests {
    use super::{Outline, Shapes};
    use crate::base::Digest;
    use crate::plan::instance::tests::{pins, small};
    use crate::plan::key::tests::numeric;
    use crate::plan::pins::Pins;

    #[test]
    fn what_is_known_of_a_key_must_agree() {
        let plan = small();
        let [a, b, c] = [b"a", b"b", b"c"].map(|bytes| Digest::of(bytes));
        let made = |id, outputs: &[Digest]| plan.preimage(id, outputs, &pins(), &numeric()).unwrap();
        let shapes = Shapes::of([made(0, &[]), made(2, &[a, b]), made(2, &[c, c]), made(4, &[a, b])]);
        let may_have = |id, outputs: &[Option<Digest>], pins: &Pins| {
            shapes.may_have(&Outline::new(&plan, id, outputs, pins, &numeric()))
        };
        // `fit` doesn't see who made what it reads, so the order means nothing; the table does.
        for (id, outputs, may) in [
            (2, [None, None], true),
            (2, [None, Some(a)], true),
            (2, [Some(b), None], true),
            (2, [Some(b), Some(a)], true),
            (2, [Some(c), None], true),
            (2, [Some(a), Some(c)], false),
            (2, [Some(a), Some(a)], false),
            (2, [Some(Digest::of(b"d")), None], false),
            (3, [None, None], false),
            (4, [Some(a), None], true),
            (4, [None, Some(a)], false),
        ] {
            assert_eq!(may_have(id, &outputs, &pins()), may, "{id} {outputs:?}");
        }
        // A source that is not known may have the content that it had; another one has not.
        assert!(may_have(0, &[], &Pins::default()));
        assert!(!may_have(1, &[], &Pins::default()), "another parameter");
    }
}
