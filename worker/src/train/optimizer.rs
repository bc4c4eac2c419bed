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

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use tch::{Device, Kind, Tensor};

    use super::*;
    use crate::fixture::{difference, oracle};
    use crate::method::parameter::Parameters;
    use crate::train::schedule::Schedule;

    fn row(value: &Value) -> Tensor {
        let numbers: Vec<f32> = value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect();
        Tensor::from_slice(&numbers)
    }

    fn settings() -> OptimizerSettings {
        let mut settings = OptimizerSettings::default();
        (settings.groups.source, settings.groups.private) = (0.1, 0.02);
        settings
    }

    #[test]
    fn six_steps_are_those_of_the_oracle() {
        let Some(path) = oracle("adamw.json") else { return };
        let record: Value = serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap();
        let mut parameters = Parameters::default();
        let name = ["all".to_owned()];
        let first = parameters.add("p1", Group::Source, &name, &row(&record["p1"][0]), Device::Cpu);
        let second = parameters.add("p2", Group::Private, &name, &row(&record["p2"][0]), Device::Cpu);
        let number = |name: &str| record[name].as_u64().unwrap();
        let schedule = Schedule { warmup: number("warmup"), total: number("total") };
        let mut optimizer = AdamW::new(&settings(), parameters.all());
        for step in 0..6 {
            let expected = record["lr1"][step].as_f64().unwrap();
            assert!((0.1 * schedule.factor(step as u64) - expected).abs() < 1e-12);
            let sum = |tensor: Tensor| tensor.sum(Kind::Float);
            let loss =
                sum((&first - 1.0).square()) + sum((&second + 2.0).square()) + sum(first.narrow(0, 0, 3) * &second);
            let gradients = Tensor::run_backward(&[loss], &[&first, &second], false, false);
            optimizer.step(parameters.all(), &gradients, schedule.factor(step as u64), &[true]);
            assert!(difference(&first, &row(&record["p1"][step + 1])) < 1e-6, "p1 after step {step}");
            assert!(difference(&second, &row(&record["p2"][step + 1])) < 1e-6, "p2 after step {step}");
        }
    }

    #[test]
    fn an_absent_private_prompt_rests_only_when_told_to() {
        for sparse in [false, true] {
            let mut settings = settings();
            settings.sparse_private = sparse;
            let mut parameters = Parameters::default();
            let tasks = ["a".to_owned(), "b".to_owned()];
            let start = Tensor::ones([2, 3], (Kind::Float, Device::Cpu));
            let table = parameters.add("private.table", Group::Private, &tasks, &start, Device::Cpu);
            let mut optimizer = AdamW::new(&settings, parameters.all());
            let one = Tensor::ones([2, 3], (Kind::Float, Device::Cpu));
            optimizer.step(parameters.all(), std::slice::from_ref(&one), 1.0, &[true, true]);
            let before = table.detach().copy();
            let nothing = Tensor::zeros([2, 3], (Kind::Float, Device::Cpu));
            optimizer.step(parameters.all(), &[nothing], 1.0, &[true, false]);
            assert!(difference(&before.get(0), &table.get(0)) > 0.0, "momentum goes on for a task that is there");
            assert_eq!(difference(&before.get(1), &table.get(1)) > 0.0, !sparse, "sparse_private: {sparse}");
            assert_eq!(optimizer.updates(), [if sparse { vec![2, 1] } else { vec![2, 2] }]);
        }
    }

    #[test]
    fn clipping_bounds_the_global_norm() {
        let make = || [Tensor::from_slice(&[3.0f32, 0.0]), Tensor::new(), Tensor::from_slice(&[4.0f32])];
        let mut gradients = make();
        assert!((clip(&mut gradients, Some(1.0)) - 5.0).abs() < 1e-6);
        assert!((clip(&mut gradients, None) - 1.0).abs() < 1e-5, "the norm is 1 after clipping");
        let mut gradients = make();
        clip(&mut gradients, Some(10.0));
        assert_eq!(gradients[0].double_value(&[0]), 3.0, "small gradients stay as they are");
    }
}
