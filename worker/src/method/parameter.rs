//! Trained tensors with their names and groups.

use compt::operation::train::GroupRates;
use tch::{Device, Kind, Tensor};

/// What a tensor belongs to; each group has its own learning rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Source tables and their encoders.
    Source,
    /// Private tables and their encoders.
    Private,
    /// Router logits.
    Router,
    /// Gate logits.
    Gate,
}

impl Group {
    /// All groups, in the order of the columns of a loss curve.
    pub const ALL: [Self; 4] = [Self::Source, Self::Private, Self::Router, Self::Gate];

    /// As the learning rates are named in a pipeline.
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Private => "private",
            Self::Router => "router",
            Self::Gate => "gate",
        }
    }

    /// The group's learning rate.
    pub fn rate(self, rates: &GroupRates) -> f64 {
        match self {
            Self::Source => rates.source,
            Self::Private => rates.private,
            Self::Router => rates.router,
            Self::Gate => rates.gate,
        }
    }
}

/// One trained tensor.
#[derive(Debug)]
pub struct Parameter {
    /// Its name in `modules.safetensors` and in checkpoints.
    pub name: String,
    /// Its learning-rate group.
    pub group: Group,
    /// What its first axis counts, row by row: names of sources or tasks.
    pub rows: Vec<String>,
    /// The values, float32.
    pub tensor: Tensor,
}

/// The trained tensors of a method, in a fixed order.
#[derive(Debug, Default)]
pub struct Parameters {
    list: Vec<Parameter>,
}

impl Parameters {
    /// Adds a tensor; what is returned shares its memory, so that it always has the newest values.
    pub fn add(&mut self, name: &str, group: Group, rows: &[String], values: &Tensor, device: Device) -> Tensor {
        let tensor = values.to_device(device).to_kind(Kind::Float).contiguous().detach().copy().set_requires_grad(true);
        let shared = tensor.shallow_clone();
        self.list.push(Parameter { name: name.to_owned(), group, rows: rows.to_vec(), tensor });
        shared
    }

    /// Adds a tensor as it is: it shares its memory with whoever uses it, and requires a gradient already.
    pub fn adopt(&mut self, name: &str, group: Group, rows: Vec<String>, tensor: Tensor) {
        self.list.push(Parameter { name: name.to_owned(), group, rows, tensor });
    }

    /// All of them.
    pub fn all(&self) -> &[Parameter] {
        &self.list
    }

    /// How many numbers they hold.
    pub fn numbers(&self) -> u64 {
        self.list.iter().map(|parameter| parameter.tensor.numel() as u64).sum()
    }

    /// Copies of all values, in order.
    pub fn values(&self) -> Vec<Tensor> {
        self.list.iter().map(|parameter| parameter.tensor.detach().copy()).collect()
    }

    /// Overwrites all values; `values` are in the order of [`Self::all`] and have its shapes.
    pub fn overwrite(&self, values: &[Tensor]) {
        tch::no_grad(|| {
            for (parameter, value) in self.list.iter().zip(values) {
                parameter.tensor.shallow_clone().copy_(value);
            }
        });
    }
}
