//! ComPT: sources, private prompts, router and gates together; PT and MST are settings of it (METHODS 2).

use std::collections::BTreeMap;

use compt::operation::evaluate::MaskSettings;
use compt::operation::train::{Compose, Init, Norm, TrainParameters};
use serde::Serialize;
use tch::{Device, Kind, Tensor};

use super::compose::{Parts, compose, concatenates_sources, has_private, has_sources};
use super::encoder::Bank;
use super::gate::Gate;
use super::init::{Origin, Seat, table};
use super::parameter::{Group, Parameters};
use super::router::{Router, Weights};
use super::{MethodError, Moment, mask};

/// A task, as far as prompts depend on it.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// Token ids of its label words, without end marks.
    pub labels: Vec<Vec<i64>>,
}

/// The weights and gates of a task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Routing {
    /// The weight of each source.
    pub sources: BTreeMap<String, f32>,
    /// The gate before the private prompt, where there is one.
    pub alpha: Option<f32>,
    /// The gate before the mixture, where there is one.
    pub beta: Option<f32>,
}

/// The router and the gates of all T tasks, as tensors.
#[derive(Debug)]
pub struct Routed {
    /// What the router learned about each source [T, n], where it learns.
    pub logits: Option<Tensor>,
    /// The weights of the sources after the normaliser [T, n].
    pub weights: Option<Tensor>,
    /// The gate before the private prompt `[T]`, where there is one.
    pub alpha: Option<Tensor>,
    /// The gate before the mixture `[T]`, where there is one.
    pub beta: Option<Tensor>,
}

/// The trained part of a run: T tasks on one backbone of width d.
#[derive(Debug)]
pub struct Compt {
    settings: TrainParameters,
    tasks: Vec<String>,
    source_names: Vec<String>,
    sources: Option<Bank>,
    privates: Option<Bank>,
    router: Option<Router>,
    gate: Gate,
    parameters: Parameters,
    width: i64,
}

impl Compt {
    /// Sets up everything for `tasks` (in the order of the prompts' first axis), all starts drawn from named streams.
    ///
    /// # Errors
    /// When the settings don't go with this backbone or this number of tasks.
    pub fn new(
        settings: &TrainParameters,
        tasks: &[Task],
        origin: &Origin<'_>,
        total_steps: u64,
        device: Device,
    ) -> Result<Self, MethodError> {
        let names: Vec<String> = tasks.iter().map(|task| task.name.clone()).collect();
        let mut parameters = Parameters::default();
        let kind = settings.compose;
        let length = settings.prompt.length as i64;
        let seed = settings.seed;
        let all_labels: Vec<Vec<i64>> = {
            let mut labels: Vec<_> = tasks.iter().flat_map(|task| task.labels.iter().cloned()).collect();
            labels.sort();
            labels.dedup();
            labels
        };

        let mut source_names = Vec::new();
        let mut own = vec![None; tasks.len()];
        let mut sources = None;
        let mut router = None;
        if has_sources(kind) {
            let mut tables = Vec::new();
            let start = |name: &str, task: Option<&str>, labels: &[Vec<i64>]| {
                table(settings.prompt.init, &Seat { name, task, labels }, length, seed, origin)
            };
            for source in 0..settings.sources.count {
                let name = format!("source/{source}");
                tables.push(start(&name, None, &all_labels)?);
                source_names.push(name);
            }
            for (place, task) in tasks.iter().enumerate().filter(|_| settings.sources.per_task) {
                let name = format!("source/{}", task.name);
                tables.push(start(&name, Some(&task.name), &task.labels)?);
                own[place] = Some(source_names.len() as i64);
                source_names.push(name);
            }
            let count = source_names.len();
            if settings.router.top_k > count {
                return Err(MethodError::new(
                    format!("`router.top_k` is {}, but there are {count} sources", settings.router.top_k),
                    "write at most the number of sources, or 0 to keep all",
                ));
            }
            let stacked = Tensor::stack(&tables, 0);
            let encoder = &settings.encoder;
            sources = Some(Bank::new(encoder, Group::Source, &source_names, &stacked, seed, &mut parameters, device)?);
            router = Some(Router::new(
                &settings.router,
                &names,
                count as i64,
                &own,
                seed,
                total_steps,
                &mut parameters,
                device,
            ));
        }

        let mut privates = None;
        if has_private(kind) {
            let kept = if settings.router.top_k == 0 { source_names.len() } else { settings.router.top_k };
            let rows = if concatenates_sources(kind) { length * kept as i64 } else { length };
            let init: Init = settings.prompt.private_init.unwrap_or(settings.prompt.init);
            let seats: Vec<String> = names.iter().map(|task| format!("private/{task}")).collect();
            let tables = tasks
                .iter()
                .zip(&seats)
                .map(|(task, name)| {
                    let seat = Seat { name, task: Some(&task.name), labels: &task.labels };
                    table(init, &seat, rows, seed, origin)
                })
                .collect::<Result<Vec<_>, _>>()?;
            let stacked = Tensor::stack(&tables, 0);
            let encoder = &settings.encoder;
            privates = Some(Bank::new(encoder, Group::Private, &seats, &stacked, seed, &mut parameters, device)?);
        }
        let gate = Gate::new(&settings.gate, &names, has_private(kind), has_sources(kind), &mut parameters, device);
        Ok(Self {
            settings: settings.clone(),
            tasks: names,
            source_names,
            sources,
            privates,
            router,
            gate,
            parameters,
            width: origin.width,
        })
    }

    /// A method as it was after training: `settings` and `tasks` are those of the run, `norm` is what [`Self::norm`] was,
    /// and `tensors` has the values of all its parameters by name.
    ///
    /// # Errors
    /// When `tensors` are not the parameters that these settings lead to.
    pub fn restore(
        settings: &TrainParameters,
        tasks: &[String],
        norm: Option<Norm>,
        tensors: &BTreeMap<String, Tensor>,
        total_steps: u64,
        device: Device,
    ) -> Result<Self, MethodError> {
        let foreign =
            |message: String| MethodError::new(message, "run the `train` stage that wrote these tensors again");
        let tables = [Group::Source, Group::Private].map(|group| format!("{}.table", group.name()));
        let table = tables.iter().find_map(|name| tensors.get(name));
        let width = table.and_then(|table| table.size().last().copied());
        let width = width.ok_or_else(|| foreign("there is no table among the trained tensors".to_owned()))?;
        // All starts are overwritten, so they may be the ones that need no backbone.
        let mut plain = settings.clone();
        (plain.prompt.init, plain.prompt.private_init) = (Init::Uniform, None);
        plain.router.norm = norm.unwrap_or(settings.router.norm);
        let tasks: Vec<Task> = tasks.iter().map(|name| Task { name: name.clone(), labels: Vec::new() }).collect();
        let embed = |ids: &[i64]| Tensor::zeros([ids.len() as i64, width], (Kind::Float, Device::Cpu));
        let origin = Origin { width, vocabulary: 0, embed: &embed, words: Vec::new(), file: BTreeMap::new() };
        let mut method = Self::new(&plain, &tasks, &origin, total_steps, device)?;
        method.settings = settings.clone();
        let all = method.parameters.all();
        if let Some(name) = tensors.keys().find(|name| all.iter().all(|parameter| parameter.name != **name)) {
            return Err(foreign(format!("the trained tensor `{name}` has no place in this method")));
        }
        let mut values = Vec::with_capacity(all.len());
        for parameter in all {
            let shape = parameter.tensor.size();
            let value = tensors.get(&parameter.name).filter(|value| value.size() == shape).ok_or_else(|| {
                foreign(format!("there is no trained tensor `{}` of the shape {shape:?}", parameter.name))
            })?;
            values.push(value.shallow_clone());
        }
        method.parameters.overwrite(&values);
        Ok(method)
    }

    /// The composed prompts of all tasks, [T, rows, d], in the order of [`Self::tasks`].
    pub fn prompts(&self, moment: Moment) -> Tensor {
        let sources = self.sources.as_ref().map(Bank::prompts);
        let private = self.privates.as_ref().map(Bank::prompts);
        let weights = self.router.as_ref().map(|router| router.weights(moment));
        self.composed(self.settings.compose, sources, private, weights)
    }

    /// The composed prompts after training of which only a part is kept (METHODS 2.5), as [`Self::prompts`].
    ///
    /// # Errors
    /// A mask that this composition does not have.
    pub fn masked(&self, mask: &MaskSettings) -> Result<Tensor, MethodError> {
        let trained = self.settings.compose;
        let entries = mask::entries(mask.keep, trained, self.source_names.len())?;
        let sources = self.sources.as_ref().map(Bank::prompts);
        let private = self.privates.as_ref().map(Bank::prompts);
        let private = if entries.private { private } else { private.map(|private| private.zeros_like()) };
        let weights = self.router.as_ref().map(|router| router.masked(&entries, mask.renormalise));
        Ok(self.composed(mask::composition(trained, mask.scp, &entries), sources, private, weights))
    }

    fn composed(
        &self,
        compose_as: Compose,
        sources: Option<Tensor>,
        private: Option<Tensor>,
        weights: Option<Weights>,
    ) -> Tensor {
        let joint = weights.as_ref().and_then(|weights| weights.private.as_ref()).map(Tensor::shallow_clone);
        let gates = self.gate.values(joint);
        let parts = Parts {
            sources: sources.as_ref(),
            weights: weights.as_ref().map(|weights| &weights.sources),
            kept: weights.as_ref().and_then(|weights| weights.kept.as_deref()),
            private: private.as_ref(),
            gates: &gates,
        };
        compose(compose_as, &parts).expect("`new` set up every part of this composition")
    }

    /// Names of the tasks.
    pub fn tasks(&self) -> &[String] {
        &self.tasks
    }

    /// Names of the sources.
    pub fn sources(&self) -> &[String] {
        &self.source_names
    }

    /// What the router and the gates have come to.
    pub fn routed(&self) -> Routed {
        let weights = self.router.as_ref().map(|router| router.weights(Moment::Evaluation));
        let joint = weights.as_ref().and_then(|weights| weights.private.as_ref()).map(Tensor::shallow_clone);
        let gates = self.gate.values(joint);
        Routed {
            logits: self.router.as_ref().and_then(Router::logits),
            weights: weights.map(|weights| weights.sources),
            alpha: self.privates.as_ref().map(|_| gates.private),
            beta: self.sources.as_ref().map(|_| gates.source),
        }
    }

    /// The same as numbers, task by task.
    pub fn routing(&self) -> BTreeMap<String, Routing> {
        let routed = self.routed();
        let number = |tensor: &Tensor, index: &[i64]| tensor.double_value(index) as f32;
        let of_task = |task: i64| Routing {
            sources: routed.weights.as_ref().map_or_else(BTreeMap::new, |weights| {
                let names = self.source_names.iter().enumerate();
                names.map(|(source, name)| (name.clone(), number(weights, &[task, source as i64]))).collect()
            }),
            alpha: routed.alpha.as_ref().map(|alpha| number(alpha, &[task])),
            beta: routed.beta.as_ref().map(|beta| number(beta, &[task])),
        };
        self.tasks.iter().enumerate().map(|(task, name)| (name.clone(), of_task(task as i64))).collect()
    }

    /// The encoded sources and private prompts [rows, d], each with its name: `source/0`, `private/rte`.
    pub fn encoded(&self) -> Vec<(String, Tensor)> {
        let of = |bank: &Option<Bank>, names: Vec<String>| -> Vec<(String, Tensor)> {
            let Some(prompts) = bank.as_ref().map(Bank::prompts) else { return Vec::new() };
            names.into_iter().enumerate().map(|(row, name)| (name, prompts.select(0, row as i64))).collect()
        };
        let private = self.tasks.iter().map(|task| format!("private/{task}")).collect();
        of(&self.sources, self.source_names.clone()).into_iter().chain(of(&self.privates, private)).collect()
    }

    /// The normaliser of the router, `auto` decided; `None` without a router.
    pub fn norm(&self) -> Option<Norm> {
        self.router.as_ref().map(Router::norm)
    }

    /// The trained tensors.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The settings it was made with.
    pub fn settings(&self) -> &TrainParameters {
        &self.settings
    }

    /// Numbers kept for use after training: the encoded sources and private prompts.
    pub fn stored(&self) -> u64 {
        let length = self.settings.prompt.length as u64 * self.width as u64;
        let sources = self.source_names.len() as u64;
        let private = if self.privates.is_some() { self.tasks.len() as u64 } else { 0 };
        let each = if concatenates_sources(self.settings.compose) && private > 0 {
            let kept = self.settings.router.top_k as u64;
            length * if kept == 0 { sources } else { kept }
        } else {
            length
        };
        sources * length + private * each
    }
}

#[cfg(test)]
mod tests {
    use compt::operation::train::resolve;
    use serde_json::{Value, json};

    use super::*;
    use crate::fixture::difference;

    const WIDTH: i64 = 8;

    fn method(written: Value, tasks: &[&str]) -> Result<Compt, MethodError> {
        let mut full = json!({"backbone": "b", "prompt": {"length": 4}});
        for (name, value) in written.as_object().unwrap() {
            full[name] = value.clone();
        }
        let settings = resolve(&full).unwrap();
        let tasks: Vec<Task> =
            tasks.iter().map(|name| Task { name: (*name).to_owned(), labels: vec![vec![2, 4], vec![6]] }).collect();
        // Row i of the vocabulary is i everywhere.
        let embed = |ids: &[i64]| {
            let rows = Tensor::from_slice(ids).to_kind(Kind::Float).unsqueeze(1);
            rows.expand([ids.len() as i64, WIDTH], false).contiguous()
        };
        let file =
            BTreeMap::from([("learned/rte".to_owned(), Tensor::full([4, WIDTH], 7.0, (Kind::Float, Device::Cpu)))]);
        let origin = Origin { width: WIDTH, vocabulary: 50, embed: &embed, words: vec![9, 11, 13], file };
        Compt::new(&settings, &tasks, &origin, 100, Device::Cpu)
    }

    #[test]
    fn parameter_counts_are_the_published_formula() {
        // METHODS 5.0, row ComPT SPP: (n+T)(L d + 2 d^2 + 2 d) + T n + 2 T, and (n+T) L d stored; L=4, d=8, n=3, T=2.
        let method = method(json!({"method": "spp"}), &["a", "b"]).unwrap();
        let (prompts, length, width) = (5, 4, 8);
        assert_eq!(
            method.parameters().numbers(),
            prompts * (length * width + 2 * width * width + 2 * width) + 2 * 3 + 2 * 2
        );
        assert_eq!(method.stored(), prompts * length * width);
        // The same formula at T5-base's size gives the numbers of the table: 13.08M and 84,480.
        let formula = |n: u64, t: u64, l: u64, d: u64| (n + t) * (l * d + 2 * d * d + 2 * d) + t * n + 2 * t;
        assert_eq!(formula(3, 8, 10, 768), 13_077_544);
        assert_eq!((3 + 8) * 10 * 768, 84_480);
    }

    #[test]
    fn composed_prompts_have_the_lengths_of_the_compositions() {
        for (compose, rows) in [("spp", 4), ("scp", 8), ("source_only", 4), ("cat", 12), ("prod", 4), ("cat_prod", 12)]
        {
            let method = method(json!({"method": "spp", "compose": compose}), &["a", "b"]).unwrap();
            for moment in [Moment::Evaluation, Moment::Training { step: 0 }] {
                assert_eq!(method.prompts(moment).size(), [2, rows, WIDTH], "{compose}");
            }
        }
        let private = method(json!({"method": "pt"}), &["a"]).unwrap();
        assert_eq!((private.prompts(Moment::Evaluation).size(), private.norm()), (vec![1, 4, WIDTH], None));
        let chosen = json!({"method": "spp", "compose": "cat_prod", "router": {"top_k": 2}});
        let chosen = method(chosen, &["a", "b"]).unwrap();
        assert_eq!(chosen.prompts(Moment::Evaluation).size(), [2, 8, WIDTH]);
        assert_eq!(chosen.stored(), (3 * 4 + 2 * 8) * 8);
    }

    #[test]
    fn tables_start_as_told() {
        let emb = json!({"kind": "emb"});
        let start = |prompt: Value, tasks: &[&str]| {
            let mut prompt = prompt;
            prompt["length"] = json!(4);
            method(json!({"method": "pt", "encoder": emb.clone(), "prompt": prompt}), tasks)
        };
        let column = |made: Compt, task: i64| -> Vec<f64> {
            let first = made.prompts(Moment::Evaluation).detach().get(task).select(1, 0).to_kind(Kind::Double);
            Vec::try_from(first).unwrap()
        };
        let of = |prompt: Value| column(start(prompt, &["rte"]).unwrap(), 0);
        assert_eq!(of(json!({"init": "first_vocab_rows"})), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(of(json!({"init": "words", "init_words": ["x"]})), [9.0, 11.0, 13.0, 9.0]);
        assert_eq!(of(json!({"init": "file", "init_file": "f"})), [7.0; 4]);
        let labels = of(json!({"init": "class_labels"}));
        assert_eq!(labels[..2], [3.0, 6.0], "the mean of a label's tokens");
        let mut sampled = of(json!({"init": "sampled_vocab"}));
        sampled.sort_by(f64::total_cmp);
        sampled.dedup();
        assert!(sampled.len() == 4 && sampled.iter().all(|row| (0.0..50.0).contains(row)), "{sampled:?}");
        assert!(of(json!({"init": "uniform"})).iter().all(|value| value.abs() <= 0.5));
        // With several prompts each needs its own tensor.
        let file = json!({"init": "file", "init_file": "f", "length": 4});
        assert_eq!(column(start(file, &["cola", "rte"]).unwrap(), 0), [7.0; 4], "one tensor serves all");
        let short = json!({"init": "file", "init_file": "f"});
        let refused = method(json!({"method": "scp", "prompt": short}), &["rte"]).unwrap_err();
        assert!(refused.message.contains("[10, 8] is needed"), "{refused}");
    }

    #[test]
    fn a_task_starts_the_same_alone_and_among_others() {
        let start = |tasks: &[&str], task: i64| {
            let method = method(json!({"method": "scp", "gate": {"kind": "none"}}), tasks).unwrap();
            method.prompts(Moment::Evaluation).detach().get(task)
        };
        assert!(difference(&start(&["b"], 0).narrow(0, 4, 4), &start(&["a", "b"], 1).narrow(0, 4, 4)) < 1e-6);
    }

    #[test]
    fn gates_and_router_are_reported() {
        let joint = method(json!({"method": "spp", "gate": {"kind": "joint_softmax"}}), &["a", "b"]).unwrap();
        let routing = &joint.routing()["a"];
        assert_eq!((routing.sources["source/0"], routing.alpha, routing.beta), (0.25, Some(0.25), Some(1.0)));
        let tied = method(json!({"method": "spp", "gate": {"kind": "tied", "init": 1.0}}), &["a", "b"]).unwrap();
        let routing = &tied.routing()["b"];
        assert!((routing.alpha.unwrap() + routing.beta.unwrap() - 1.0).abs() < 1e-6 && routing.alpha > Some(0.7));
        let own = json!({
            "method": "spp", "sources": {"count": 1, "per_task": true},
            "router": {"bias": 2.0, "norm": "sigmoid"}, "gate": {"scope": "global"},
        });
        let own = method(own, &["a", "b"]).unwrap();
        assert_eq!(own.sources(), ["source/0", "source/a", "source/b"]);
        let routing = own.routing();
        assert!(routing["b"].sources["source/b"] > 0.8 && routing["b"].sources["source/a"] == 0.5);
    }
}
