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
