//! ComPT: sources, private prompts, router and gates together; PT and MST are settings of it (METHODS 2).

use compt::operation::train::{Init, Norm, TrainParameters};
use tch::{Device, Tensor};

use super::compose::{Parts, compose, concatenates_sources, has_private, has_sources};
use super::encoder::Bank;
use super::gate::Gate;
use super::init::{Origin, Seat, table};
use super::parameter::{Group, Parameters};
use super::router::Router;
use super::{MethodError, Moment};

/// A task, as far as prompts depend on it.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// Token ids of its label words, without end marks.
    pub labels: Vec<Vec<i64>>,
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
            let mut start = |name: &str, task: Option<&str>, labels: &[Vec<i64>]| {
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
        let gate =
            Gate::new(&settings.gate, &names, has_private(kind), has_sources(kind), &mut parameters, device);
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

    /// The composed prompts of all tasks, [T, rows, d], in the order of [`Self::tasks`].
    pub fn prompts(&self, moment: Moment) -> Tensor {
        let sources = self.sources.as_ref().map(Bank::prompts);
        let private = self.privates.as_ref().map(Bank::prompts);
        let weights = self.router.as_ref().map(|router| router.weights(moment));
        let joint = weights.as_ref().and_then(|weights| weights.private.as_ref()).map(Tensor::shallow_clone);
        let gates = self.gate.values(joint);
        let parts = Parts {
            sources: sources.as_ref(),
            weights: weights.as_ref().map(|weights| &weights.sources),
            kept: weights.as_ref().and_then(|weights| weights.kept.as_deref()),
            private: private.as_ref(),
            gates: &gates,
        };
        compose(self.settings.compose, &parts).expect("`new` set up every part of this composition")
    }

    /// Names of the tasks.
    pub fn tasks(&self) -> &[String] {
        &self.tasks
    }

    /// Names of the sources.
    pub fn sources(&self) -> &[String] {
        &self.source_names
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
