//! From sources, weights, private prompts and gates to one prompt for each task (METHODS 2.2).

use compt::operation::train::Compose;
use tch::Tensor;

use super::gate::Gates;

/// What a composition is made of. Axes: T tasks, n sources, L rows, d the backbone's width.
pub struct Parts<'a> {
    /// Encoded sources [n, L, d]; not needed by `private_only`.
    pub sources: Option<&'a Tensor>,
    /// Weights [T, n].
    pub weights: Option<&'a Tensor>,
    /// Sources kept for each task (of equal number), for the concatenations.
    pub kept: Option<&'a [Vec<i64>]>,
    /// Encoded private prompts [T, L, d] ([T, n L, d] for `cat_prod`).
    pub private: Option<&'a Tensor>,
    /// alpha and beta.
    pub gates: &'a Gates,
}

/// Whether a composition has private prompts.
pub fn has_private(compose: Compose) -> bool {
    !matches!(compose, Compose::SourceOnly | Compose::Cat)
}

/// Whether a composition has sources.
pub fn has_sources(compose: Compose) -> bool {
    compose != Compose::PrivateOnly
}

/// Whether a composition puts all sources one after the other.
pub fn concatenates_sources(compose: Compose) -> bool {
    matches!(compose, Compose::Cat | Compose::CatProd)
}

/// The composed prompts [T, rows, d]; `None` when a part that the composition needs is absent.
pub fn compose(kind: Compose, parts: &Parts<'_>) -> Option<Tensor> {
    let scale = |gate: &Tensor, prompt: Tensor| gate.view([-1, 1, 1]) * prompt;
    let private = || Some(scale(&parts.gates.private, parts.private?.shallow_clone()));
    let source = |mixed: Tensor| scale(&parts.gates.source, mixed);
    let mixture = || Some(source(mix(parts.weights?, parts.sources?)));
    let row = || Some(source(concatenate(parts.weights?, parts.sources?, parts.kept)));
    Some(match kind {
        Compose::Spp => mixture()? + private()?,
        Compose::Scp => Tensor::cat(&[mixture()?, private()?], 1),
        Compose::SourceOnly => mixture()?,
        Compose::PrivateOnly => private()?,
        Compose::Cat => row()?,
        Compose::Prod => mixture()? * private()?,
        Compose::CatProd => row()? * private()?,
    })
}

/// S_t = sum over i of a_ti P_i: [T, n] and [n, L, d] to [T, L, d].
fn mix(weights: &Tensor, sources: &Tensor) -> Tensor {
    let size = sources.size();
    weights.matmul(&sources.reshape([size[0], -1])).reshape([-1, size[1], size[2]])
}

/// [w_1 P_1; ...; w_n P_n] of each task: [T, n L, d], or [T, k L, d] of the kept sources.
fn concatenate(weights: &Tensor, sources: &Tensor, kept: Option<&[Vec<i64>]>) -> Tensor {
    let size = sources.size();
    let (tasks, rows, width) = (weights.size()[0], size[1], size[2]);
    let weighted = weights.view([tasks, -1, 1, 1]) * sources.unsqueeze(0);
    match kept {
        None => weighted.reshape([tasks, -1, width]),
        Some(kept) => {
            let each: Vec<Tensor> = kept
                .iter()
                .enumerate()
                .map(|(task, kept)| {
                    let index = Tensor::from_slice(kept).to_device(weights.device());
                    weighted.select(0, task as i64).index_select(0, &index).reshape([-1, width])
                })
                .collect();
            Tensor::stack(&each, 0).reshape([tasks, -1, width])
        }
    }
    .reshape([tasks, kept.map_or(size[0], |kept| kept.first().map_or(0, Vec::len) as i64) * rows, width])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tch::{Device, Kind};

    use super::*;
    use crate::fixture::{difference, extras};

    struct Case {
        sources: Tensor,
        weights: Tensor,
        private: Tensor,
        gates: Gates,
    }

    impl Case {
        fn compose(&self, kind: Compose, kept: Option<&[Vec<i64>]>) -> Tensor {
            let parts = Parts {
                sources: Some(&self.sources),
                weights: Some(&self.weights),
                kept,
                private: Some(&self.private),
                gates: &self.gates,
            };
            compose(kind, &parts).unwrap()
        }
    }

    #[test]
    fn sums_and_concatenations_are_those_of_the_oracle() {
        let Some(fixture) = extras() else { return };
        let get = |name: &str| fixture[&format!("compose.{name}")].shallow_clone();
        let case = Case {
            sources: get("sources"),
            weights: get("a"),
            private: get("private"),
            gates: Gates { private: get("alpha"), source: get("beta") },
        };
        assert!(difference(&case.compose(Compose::Spp, None), &get("spp")) < 1e-6);
        assert!(difference(&case.compose(Compose::Scp, None), &get("scp")) < 1e-6);
        let plain = Case { gates: gates(1.0, 1.0), ..case };
        assert!(difference(&plain.compose(Compose::SourceOnly, None), &get("mix")) < 1e-6);
    }

    fn gates(private: f64, source: f64) -> Gates {
        let all = |value| Tensor::full([2], value, (Kind::Float, Device::Cpu));
        Gates { private: all(private), source: all(source) }
    }

    fn random(seed: u64, private: f64, source: f64) -> Case {
        let draw = |shape: &[i64], name| crate::method::init::uniform(shape, 1.0, seed, &[name]);
        Case {
            sources: draw(&[3, 4, 6], "sources"),
            weights: draw(&[2, 3], "weights"),
            private: draw(&[2, 4, 6], "private"),
            gates: gates(private, source),
        }
    }

    proptest! {
        #[test]
        fn special_gates_give_the_parts(seed: u64, gate in -2.0f64..2.0) {
            let no_private = random(seed, 0.0, gate);
            let mixture = no_private.compose(Compose::SourceOnly, None);
            prop_assert_eq!(no_private.compose(Compose::Spp, None), mixture);
            let no_source = random(seed, gate, 0.0);
            let private = no_source.compose(Compose::PrivateOnly, None);
            prop_assert_eq!(no_source.compose(Compose::Spp, None), private);
            let both = random(seed, gate, 0.5);
            let scp = both.compose(Compose::Scp, None);
            let halves = [scp.narrow(1, 0, 4), scp.narrow(1, 4, 4)];
            prop_assert_eq!(&halves[0], &both.compose(Compose::SourceOnly, None));
            prop_assert_eq!(&halves[1], &both.compose(Compose::PrivateOnly, None));
            let [left, right] = halves;
            prop_assert_eq!(both.compose(Compose::Prod, None), left * right);
        }

        #[test]
        fn concatenated_sources_sum_to_the_mixture(seed: u64) {
            let case = random(seed, 1.0, 0.7);
            let row = case.compose(Compose::Cat, None);
            prop_assert_eq!(row.size(), vec![2, 12, 6]);
            let sum = row.reshape([2, 3, 4, 6]).sum_dim_intlist(1, false, Kind::Float);
            prop_assert!(difference(&sum, &case.compose(Compose::SourceOnly, None)) < 1e-5);
            let kept = [vec![0, 2], vec![1, 2]];
            let chosen = case.compose(Compose::Cat, Some(&kept));
            prop_assert_eq!(chosen.get(1).narrow(0, 0, 4), row.get(1).narrow(0, 4, 4));
            prop_assert_eq!(chosen.get(0).narrow(0, 4, 4), row.get(0).narrow(0, 8, 4));
            let long = Case { private: Tensor::cat(&[&case.private, &case.private, &case.private], 1), ..case };
            prop_assert_eq!(long.compose(Compose::CatProd, None), row * &long.private);
        }
    }
}
