//! The scalars before the private prompt (alpha) and before the source mixture (beta) (METHODS 2.2).

use compt::operation::train::{GateKind, GateScope, GateSettings};
use tch::{Device, Kind, Tensor};

use super::parameter::{Group, Parameters};

/// The gates of T tasks.
#[derive(Debug)]
pub struct Gate {
    kind: GateKind,
    fixed: [f64; 2],
    tasks: i64,
    device: Device,
    private: Option<Tensor>,
    source: Option<Tensor>,
}

/// alpha and beta of each task.
#[derive(Debug)]
pub struct Gates {
    /// Before the private prompt, `[T]`.
    pub private: Tensor,
    /// Before the mixture, `[T]`.
    pub source: Tensor,
}

impl Gate {
    /// Sets up the gates of the parts that a composition has.
    pub fn new(
        settings: &GateSettings,
        tasks: &[String],
        has_private: bool,
        has_source: bool,
        parameters: &mut Parameters,
        device: Device,
    ) -> Self {
        let rows = match settings.scope {
            GateScope::Task => tasks.to_vec(),
            GateScope::Global => vec!["all".to_owned()],
        };
        let mut add = |name: &str| {
            let start = Tensor::full([rows.len() as i64], settings.init, (Kind::Float, Device::Cpu));
            Some(parameters.add(name, Group::Gate, &rows, &start, device))
        };
        let (private, source) = match settings.kind {
            GateKind::Learned => (
                if has_private { add("gate.private") } else { None },
                if has_source { add("gate.source") } else { None },
            ),
            GateKind::Tied => (add("gate.private"), None),
            GateKind::Fixed | GateKind::JointSoftmax | GateKind::None => (None, None),
        };
        Self { kind: settings.kind, fixed: settings.fixed, tasks: tasks.len() as i64, device, private, source }
    }

    /// The gates now; `joint`, `[T]`, is the private entry of the router's row, where there is one.
    pub fn values(&self, joint: Option<Tensor>) -> Gates {
        let all = |value: f64| Tensor::full([self.tasks], value, (Kind::Float, self.device));
        let open = |logit: &Option<Tensor>| match logit {
            Some(logit) => logit.sigmoid().expand([self.tasks], false),
            None => all(1.0),
        };
        match self.kind {
            GateKind::Learned => Gates { private: open(&self.private), source: open(&self.source) },
            GateKind::Tied => {
                let private = open(&self.private);
                Gates { source: 1.0 - &private, private }
            }
            GateKind::Fixed => Gates { private: all(self.fixed[0]), source: all(self.fixed[1]) },
            GateKind::JointSoftmax => Gates { private: joint.unwrap_or_else(|| all(1.0)), source: all(1.0) },
            GateKind::None => Gates { private: all(1.0), source: all(1.0) },
        }
    }
}
