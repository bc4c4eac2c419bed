//! AdamW with learning-rate groups, decoupled weight decay and clipping by the global norm (METHODS 3).

use compt::operation::train::OptimizerSettings;
use tch::{Kind, Tensor};

use crate::method::parameter::{Group, Parameter};

/// The optimizer and its state.
#[derive(Debug)]
pub struct AdamW {
    settings: OptimizerSettings,
    slots: Vec<Slot>,
}

/// The state of one parameter.
#[derive(Debug)]
struct Slot {
    first: Tensor,
    second: Tensor,
    /// Updates so far, of each row; rows differ only under `sparse_private`.
    updates: Vec<u64>,
}

impl AdamW {
    /// Zero moments for these parameters.
    pub fn new(settings: &OptimizerSettings, parameters: &[Parameter]) -> Self {
        let slots = parameters
            .iter()
            .map(|parameter| Slot {
                first: parameter.tensor.detach().zeros_like(),
                second: parameter.tensor.detach().zeros_like(),
                updates: vec![0; parameter.rows.len()],
            })
            .collect();
        Self { settings: settings.clone(), slots }
    }

    /// One update with learning rates times `factor`. `present[t]` tells whether task t is in the batch; it matters
    /// for private parameters under `sparse_private` only. An undefined gradient counts as zeros.
    pub fn step(&mut self, parameters: &[Parameter], gradients: &[Tensor], factor: f64, present: &[bool]) {
        tch::no_grad(|| {
            for ((slot, parameter), gradient) in self.slots.iter_mut().zip(parameters).zip(gradients) {
                let rate = parameter.group.rate(&self.settings.groups) * factor;
                let zeros;
                let gradient = if gradient.defined() {
                    gradient
                } else {
                    zeros = parameter.tensor.zeros_like();
                    &zeros
                };
                if self.settings.sparse_private && parameter.group == Group::Private {
                    for (row, _) in present.iter().enumerate().filter(|(_, present)| **present) {
                        slot.updates[row] += 1;
                        let of = |tensor: &Tensor| tensor.select(0, row as i64);
                        let moments = (of(&slot.first), of(&slot.second));
                        let tensor = of(&parameter.tensor);
                        update(&self.settings, rate, slot.updates[row], tensor, moments, &of(gradient));
                    }
                } else {
                    slot.updates.iter_mut().for_each(|updates| *updates += 1);
                    let updates = slot.updates.first().copied().unwrap_or(1);
                    let moments = (slot.first.shallow_clone(), slot.second.shallow_clone());
                    update(&self.settings, rate, updates, parameter.tensor.shallow_clone(), moments, gradient);
                }
            }
        });
    }

    /// Moments in order (first, second, first, ...), for a checkpoint.
    pub fn moments(&self) -> Vec<&Tensor> {
        self.slots.iter().flat_map(|slot| [&slot.first, &slot.second]).collect()
    }

    /// Numbers of updates by parameter and row, for a checkpoint.
    pub fn updates(&self) -> Vec<Vec<u64>> {
        self.slots.iter().map(|slot| slot.updates.clone()).collect()
    }

    /// Goes on from a checkpoint; the arguments have the shapes of [`Self::moments`] and [`Self::updates`].
    pub fn restore(&mut self, moments: &[Tensor], updates: &[Vec<u64>]) {
        tch::no_grad(|| {
            for ((slot, moments), updates) in self.slots.iter_mut().zip(moments.chunks(2)).zip(updates) {
                slot.first.copy_(&moments[0]);
                slot.second.copy_(&moments[1]);
                slot.updates.clone_from(updates);
            }
        });
    }
}

/// p <- p (1 - rate decay); m <- lerp(m, g, 1 - b1); v <- lerp(v, g g, 1 - b2);
/// p <- p - rate / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps)
fn update(
    settings: &OptimizerSettings,
    rate: f64,
    updates: u64,
    mut tensor: Tensor,
    (mut first, mut second): (Tensor, Tensor),
    gradient: &Tensor,
) {
    let [beta_first, beta_second] = settings.betas;
    let exponent = i32::try_from(updates).unwrap_or(i32::MAX);
    let correction_first = 1.0 - beta_first.powi(exponent);
    let correction_second = (1.0 - beta_second.powi(exponent)).sqrt();
    let _ = tensor.g_mul_scalar_(1.0 - rate * settings.weight_decay);
    let _ = first.lerp_(gradient, 1.0 - beta_first);
    let _ = second.lerp_(&gradient.square(), 1.0 - beta_second);
    let mut scale = second.sqrt();
    let _ = scale.g_div_scalar_(correction_second);
    let _ = scale.g_add_scalar_(settings.eps);
    let mut change = first.divide(&scale);
    let _ = change.g_mul_scalar_(-rate / correction_first);
    let _ = tensor.g_add_(&change);
}

/// The norm of all gradients together; they are scaled down in place where it is above `limit`.
pub fn clip(gradients: &mut [Tensor], limit: Option<f64>) -> f64 {
    let defined = || gradients.iter().filter(|gradient| gradient.defined());
    let squares: Vec<Tensor> = defined().map(|gradient| gradient.square().sum(Kind::Double)).collect();
    if squares.is_empty() {
        return 0.0;
    }
    let norm = Tensor::stack(&squares, 0).sum(Kind::Double).sqrt().double_value(&[]);
    // PyTorch's rule, with its small constant.
    let scale = limit.map_or(1.0, |limit| limit / (norm + 1e-6));
    if scale < 1.0 {
        for gradient in gradients.iter_mut().filter(|gradient| gradient.defined()) {
            let _ = gradient.g_mul_scalar_(scale);
        }
    }
    norm
}
