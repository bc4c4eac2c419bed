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
                let states = [state.shallow_clone(), state.shallow_clone()];
                let (output, _, _) = input.lstm(&states, &weights, true, RECURRENT_LAYERS, 0.0, false, true, true);
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use compt::operation::train::{Activation, EncoderKind, EncoderSettings};
    use tch::{Device, Kind, Tensor};

    use super::{Bank, activate};
    use crate::fixture::{difference, extras};
    use crate::method::parameter::{Group, Parameters};
    use crate::model::runtime::generator_alone;

    fn bank(kind: EncoderKind, hidden: usize, tables: &Tensor, parameters: &mut Parameters) -> Bank {
        let names: Vec<String> = (0..tables.size()[0]).map(|prompt| format!("source/{prompt}")).collect();
        let settings = EncoderSettings { kind, hidden: Some(hidden), act: Activation::Gelu };
        Bank::new(&settings, Group::Source, &names, tables, 1, parameters, Device::Cpu).unwrap()
    }

    #[test]
    fn activations_are_those_of_the_oracle() {
        let Some(fixture) = extras() else { return };
        let input = &fixture["norm.x"];
        assert!(difference(&activate(input, Activation::Gelu), &fixture["gelu.erf"]) < 1e-12);
        assert!(difference(&activate(input, Activation::GeluTanh), &fixture["gelu.tanh"]) < 1e-12);
    }

    #[test]
    fn the_network_is_that_of_the_oracle_with_and_without_the_table_added() {
        let Some(fixture) = extras() else { return };
        for (kind, expected) in [(EncoderKind::Mlp, "mlp.out"), (EncoderKind::MlpRes, "mlp.out_residual")] {
            // Two prompts with the same weights: the stack must not mix them.
            let tables = Tensor::stack(&[&fixture["mlp.E"], &fixture["mlp.E"]], 0);
            let mut parameters = Parameters::default();
            let bank = bank(kind, 16, &tables, &mut parameters);
            let weights = BTreeMap::from([
                ("source.linear1.weight", "mlp.W1"),
                ("source.linear1.bias", "mlp.b1"),
                ("source.linear2.weight", "mlp.W2"),
                ("source.linear2.bias", "mlp.b2"),
                ("source.table", "mlp.E"),
            ]);
            let values: Vec<Tensor> = parameters
                .all()
                .iter()
                .map(|parameter| Tensor::stack(&[&fixture[weights[parameter.name.as_str()]]; 2], 0))
                .collect();
            parameters.overwrite(&values);
            let prompts = bank.prompts();
            for prompt in 0..2 {
                assert!(difference(&prompts.get(prompt), &fixture[expected]) < 1e-5);
            }
        }
    }

    #[test]
    fn every_kind_keeps_the_shape_and_starts_like_pytorch() {
        let _alone = generator_alone();
        let tables = Tensor::randn([3, 4, 8], (Kind::Float, Device::Cpu));
        let sizes = [
            // d = 8, h = 6; METHODS 2.1: two maps 2dh + h + d; one more adds hh + h; LSTM 2 layers, 2 directions of d/2.
            (EncoderKind::Emb, 0),
            (EncoderKind::Mlp, 2 * 8 * 6 + 6 + 8),
            (EncoderKind::MlpRes, 2 * 8 * 6 + 6 + 8),
            (EncoderKind::MlpTwo, 2 * 8 * 6 + 6 + 8 + 6 * 6 + 6),
            (EncoderKind::Lstm, 2 * 8 * 6 + 6 + 8 + 4 * (16 * 8 + 16 * 4 + 32)),
        ];
        for (kind, size) in sizes {
            let mut parameters = Parameters::default();
            let bank = bank(kind, 6, &tables, &mut parameters);
            assert_eq!(bank.prompts().size(), [3, 4, 8], "{kind:?}");
            assert_eq!(parameters.numbers(), 3 * (size + 32), "{kind:?}");
            for parameter in parameters.all().iter().filter(|parameter| parameter.name.contains("linear1")) {
                let most = parameter.tensor.abs().max().double_value(&[]);
                let bound = 1.0 / 8f64.sqrt();
                assert!(most <= bound && most > 0.5 * bound, "{} up to {most}", parameter.name);
            }
        }
        let odd = Tensor::randn([1, 4, 7], (Kind::Float, Device::Cpu));
        let settings = EncoderSettings { kind: EncoderKind::Lstm, hidden: None, act: Activation::Gelu };
        let names = ["source/0".to_owned()];
        let mut parameters = Parameters::default();
        let refused = Bank::new(&settings, Group::Source, &names, &odd, 1, &mut parameters, Device::Cpu);
        assert!(refused.unwrap_err().message.contains("even width"));
    }

    #[test]
    fn a_prompt_starts_the_same_whatever_its_neighbours() {
        let start = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let settings = EncoderSettings { kind: EncoderKind::Mlp, hidden: None, act: Activation::Gelu };
            let tables = Tensor::ones([names.len() as i64, 4, 8], (Kind::Float, Device::Cpu));
            let mut parameters = Parameters::default();
            Bank::new(&settings, Group::Private, &names, &tables, 9, &mut parameters, Device::Cpu).unwrap().prompts()
        };
        let (alone, among) = (start(&["private/b"]), start(&["private/a", "private/b"]));
        assert!(difference(&alone.get(0), &among.get(1)) < 1e-6);
        assert!(difference(&among.get(0), &among.get(1)) > 1e-2);
    }
}
