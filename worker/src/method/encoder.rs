//! Prompt encoders: a stack of prompts, each with its own table and its own network, mapped row by row (METHODS 2.1).

use compt::operation::train::{Activation, EncoderKind, EncoderSettings};
use tch::{Device, Tensor};

use super::MethodError;
use super::init::uniform;
use super::parameter::{Group, Parameters};

/// P prompts of the same length with their encoders. All tensors are stacked on their first axis.
#[derive(Debug)]
pub struct Bank {
    kind: EncoderKind,
    act: Activation,
    table: Tensor,
    linear: Vec<Linear>,
    recurrent: Vec<Tensor>,
}

/// P linear maps.
#[derive(Debug)]
struct Linear {
    /// [P, out, in]
    weight: Tensor,
    /// [P, out]
    bias: Tensor,
}

/// The recurrent encoder has two layers with two directions, and four tensors for each.
const RECURRENT_LAYERS: i64 = 2;

impl Bank {
    /// Sets up the encoders of the prompts `names`, whose tables [P, L, d] start as given.
    ///
    /// # Errors
    /// `lstm` on a backbone of odd width.
    pub fn new(
        settings: &EncoderSettings,
        group: Group,
        names: &[String],
        tables: &Tensor,
        seed: u64,
        parameters: &mut Parameters,
        device: Device,
    ) -> Result<Self, MethodError> {
        let width = tables.size().last().copied().unwrap_or(0);
        let hidden = settings.hidden.map_or(width, |hidden| hidden as i64);
        if settings.kind == EncoderKind::Lstm && width % 2 != 0 {
            return Err(MethodError::new(
                format!("`encoder.kind: lstm` needs an even width, but the backbone's is {width}"),
                "choose `encoder: {kind: mlp}`",
            ));
        }
        let title = group.name();
        let mut add = |part: &str, shape: &[i64], fan: i64| {
            let bound = 1.0 / (fan as f64).sqrt();
            let stacked: Vec<Tensor> =
                names.iter().map(|name| uniform(shape, bound, seed, &["init", name, part])).collect();
            parameters.add(&format!("{title}.{part}"), group, names, &Tensor::stack(&stacked, 0), device)
        };
        let mut recurrent = Vec::new();
        if settings.kind == EncoderKind::Lstm {
            let each = width / 2;
            for layer in 0..RECURRENT_LAYERS {
                for direction in ["forward", "backward"] {
                    let mut add = |part: &str, shape: &[i64]| {
                        recurrent.push(add(&format!("lstm{}.{direction}.{part}", layer + 1), shape, each));
                    };
                    add("input.weight", &[4 * each, width]);
                    add("state.weight", &[4 * each, each]);
                    add("input.bias", &[4 * each]);
                    add("state.bias", &[4 * each]);
                }
            }
        }
        let shapes: &[(i64, i64)] = match settings.kind {
            EncoderKind::Emb => &[],
            EncoderKind::Mlp | EncoderKind::MlpRes | EncoderKind::Lstm => &[(width, hidden), (hidden, width)],
            EncoderKind::MlpTwo => &[(width, hidden), (hidden, hidden), (hidden, width)],
        };
        let linear = shapes
            .iter()
            .enumerate()
            .map(|(place, &(from, to))| Linear {
                weight: add(&format!("linear{}.weight", place + 1), &[to, from], from),
                bias: add(&format!("linear{}.bias", place + 1), &[to], from),
            })
            .collect();
        let table = parameters.add(&format!("{title}.table"), group, names, tables, device);
        Ok(Self { kind: settings.kind, act: settings.act, table, linear, recurrent })
    }

    /// The encoded prompts [P, L, d].
    pub fn prompts(&self) -> Tensor {
        match self.kind {
            EncoderKind::Emb => self.table.shallow_clone(),
            EncoderKind::Mlp | EncoderKind::MlpTwo => self.linear(&self.table, self.act),
            EncoderKind::MlpRes => &self.table + self.linear(&self.table, self.act),
            EncoderKind::Lstm => self.linear(&self.recur(), Activation::Relu),
        }
    }

    /// The linear maps with activations between them.
    fn linear(&self, input: &Tensor, act: Activation) -> Tensor {
        let mut rows = input.shallow_clone();
        for (place, layer) in self.linear.iter().enumerate() {
            if place > 0 {
                rows = activate(&rows, act);
            }
            rows = rows.bmm(&layer.weight.transpose(1, 2)) + layer.bias.unsqueeze(1);
        }
        rows
    }

    /// Each prompt's table through its own LSTM, from a zero state.
    fn recur(&self) -> Tensor {
        let size = self.table.size();
        let (count, width) = (size[0], size[2]);
        let state = Tensor::zeros([2 * RECURRENT_LAYERS, 1, width / 2], (self.table.kind(), self.table.device()));
        let outputs: Vec<Tensor> = (0..count)
            .map(|prompt| {
                let weights: Vec<Tensor> = self.recurrent.iter().map(|stack| stack.select(0, prompt)).collect();
                let input = self.table.select(0, prompt).unsqueeze(0);
                let (output, _, _) =
                    input.lstm(&[&state, &state], &weights, true, RECURRENT_LAYERS, 0.0, false, true, true);
                output.squeeze_dim(0)
            })
            .collect();
        Tensor::stack(&outputs, 0)
    }
}

/// An activation, element by element.
pub fn activate(input: &Tensor, act: Activation) -> Tensor {
    match act {
        Activation::Gelu => input.gelu("none"),
        Activation::GeluTanh => input.gelu("tanh"),
        Activation::Relu => input.relu(),
    }
}
