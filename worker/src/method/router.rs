//! The weights of the sources in each task's mixture (METHODS 2.3).

use compt::base::random::Stream;
use compt::operation::train::{
    ConstantWeights, Norm, RouterEvaluation, RouterKind, RouterSettings, TemperatureSchedule,
};
use tch::{Device, Kind, Tensor};

use super::Moment;
use super::parameter::{Group, Parameters};
use super::sparsemax::sparsemax;

/// Uniform draws keep this distance from 0 and 1.
const EDGE: f64 = 1e-6;

/// Far below every logit: its weight is exactly 0 after softmax and sparsemax.
const DROPPED: f64 = -1e9;

/// The router of T tasks over n sources (and the private prompt, when it is weighed in the same row).
#[derive(Debug)]
pub struct Router {
    settings: RouterSettings,
    norm: Norm,
    tasks: Vec<String>,
    sources: i64,
    logits: Option<Tensor>,
    seed: u64,
    total_steps: u64,
    device: Device,
}

/// The entries of a router's rows that a mask keeps (METHODS 2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entries {
    /// Of each source.
    pub sources: Vec<bool>,
    /// Of the private prompt.
    pub private: bool,
}

/// A router's row for each task.
#[derive(Debug)]
pub struct Weights {
    /// Weights of the sources [T, n].
    pub sources: Tensor,
    /// The weight of the private prompt `[T]`, when it is in the row.
    pub private: Option<Tensor>,
    /// With `top_k`: the sources kept for each task, in their order.
    pub kept: Option<Vec<Vec<i64>>>,
}

impl Router {
    /// Sets up the router; `own[t]` is the source that belongs to task t.
    #[expect(clippy::too_many_arguments, reason = "called once; each is needed once")]
    pub fn new(
        settings: &RouterSettings,
        tasks: &[String],
        sources: i64,
        own: &[Option<i64>],
        seed: u64,
        total_steps: u64,
        parameters: &mut Parameters,
        device: Device,
    ) -> Self {
        let columns = sources + i64::from(settings.include_private);
        let logits = (settings.kind != RouterKind::Constant).then(|| {
            let mut start = vec![0f32; tasks.len() * columns as usize];
            for (task, source) in own.iter().enumerate() {
                if let Some(source) = source {
                    start[task * columns as usize + *source as usize] = settings.bias as f32;
                }
            }
            let start = Tensor::from_slice(&start).reshape([tasks.len() as i64, columns]);
            parameters.add("router.logits", Group::Router, tasks, &start, device)
        });
        let norm = match settings.norm {
            Norm::Auto if settings.include_private => Norm::Softmax,
            Norm::Auto => automatic(sources as usize, tasks.len()),
            chosen => chosen,
        };
        Self { settings: settings.clone(), norm, tasks: tasks.to_vec(), sources, logits, seed, total_steps, device }
    }

    /// The normaliser in use, `auto` decided.
    pub fn norm(&self) -> Norm {
        self.norm
    }

    /// The learned numbers of the sources [T, n], where the router learns.
    pub fn logits(&self) -> Option<Tensor> {
        self.logits.as_ref().map(|logits| logits.narrow(1, 0, self.sources))
    }

    /// The weights at a moment.
    pub fn weights(&self, moment: Moment) -> Weights {
        self.weigh(moment, None)
    }

    /// The weights after training when only `entries` are kept; the others get weight 0. With `renormalise` they leave
    /// the set before sources are selected and weights normalised; otherwise the kept ones weigh what they weigh in
    /// the full set (METHODS 2.5).
    pub fn masked(&self, entries: &Entries, renormalise: bool) -> Weights {
        let any = entries.sources.contains(&true) || (self.settings.include_private && entries.private);
        if renormalise && any {
            return self.weigh(Moment::Evaluation, Some(entries));
        }
        let Weights { sources, private, kept } = self.weights(Moment::Evaluation);
        let row: Vec<f32> = entries.sources.iter().map(|&kept| f32::from(kept)).collect();
        let sources = sources * Tensor::from_slice(&row).to_device(self.device);
        let private = private.map(|private| if entries.private { private } else { private.zeros_like() });
        Weights { sources, private, kept }
    }

    fn weigh(&self, moment: Moment, entries: Option<&Entries>) -> Weights {
        let Some(logits) = &self.logits else {
            return self.constant(entries);
        };
        let scores = match (self.settings.kind, moment, self.settings.eval) {
            (RouterKind::RelaxedBernoulli, Moment::Training { step }, _) => {
                self.sample(logits, step, &step.to_string())
            }
            (RouterKind::RelaxedBernoulli, Moment::Evaluation, RouterEvaluation::Mean) => logits.sigmoid(),
            (RouterKind::RelaxedBernoulli, Moment::Evaluation, RouterEvaluation::Sample) => {
                self.sample(logits, self.total_steps, "evaluation")
            }
            _ => logits.shallow_clone(),
        };
        let kept = self.kept(&scores, entries);
        let mask = self.mask(kept.as_deref(), entries, scores.size()[1]);
        let row = normalise(&scores, self.norm, mask.as_ref());
        Weights {
            sources: row.narrow(1, 0, self.sources),
            private: self.settings.include_private.then(|| row.select(1, self.sources)),
            kept,
        }
    }

    fn constant(&self, entries: Option<&Entries>) -> Weights {
        let tasks = self.tasks.len() as i64;
        let present =
            entries.map_or(self.sources, |entries| entries.sources.iter().filter(|&&kept| kept).count() as i64);
        let count = match self.settings.top_k {
            0 => present,
            kept => present.min(kept as i64),
        };
        let each = match self.settings.constant {
            ConstantWeights::Uniform => 1.0 / count as f64,
            ConstantWeights::Ones => 1.0,
        };
        let sources = Tensor::full([tasks, self.sources], each, (Kind::Float, self.device));
        let kept = self.kept(&sources, entries);
        let sources = match self.mask(kept.as_deref(), entries, self.sources) {
            Some(mask) => sources * mask,
            None => sources,
        };
        Weights { sources, private: None, kept }
    }

    /// One relaxed Bernoulli sample; each task draws from a stream of its own.
    fn sample(&self, logits: &Tensor, step: u64, moment: &str) -> Tensor {
        let size = logits.size();
        let mut draws = Vec::with_capacity((size[0] * size[1]) as usize);
        for task in &self.tasks {
            let mut stream = Stream::new(self.seed, &["router", moment, task]);
            draws.extend((0..size[1]).map(|_| stream.unit().clamp(EDGE, 1.0 - EDGE)));
        }
        let uniform = Tensor::from_slice(&draws).reshape(&size).to_device(self.device);
        relaxed_bernoulli(logits, &uniform, self.temperature(step))
    }

    /// The temperature at a step.
    fn temperature(&self, step: u64) -> f64 {
        let heat = &self.settings.temperature;
        // A-main's rule: the floor is reached after 60 % of the steps.
        let rate = heat.rate.unwrap_or((heat.start - heat.min) / (0.6 * self.total_steps.max(1) as f64));
        let now = match heat.schedule {
            TemperatureSchedule::Linear => heat.start - rate * step as f64,
            TemperatureSchedule::Exponential => heat.start * (-rate * step as f64).exp(),
        };
        now.max(heat.min)
    }

    /// The `top_k` best sources of each task; of equal ones the first. Sources that are not among the entries come last.
    fn kept(&self, scores: &Tensor, entries: Option<&Entries>) -> Option<Vec<Vec<i64>>> {
        let keep = self.settings.top_k;
        if keep == 0 || keep as i64 >= self.sources {
            return None;
        }
        let numbers = Vec::<f64>::try_from(scores.detach().to_kind(Kind::Double).to_device(Device::Cpu).reshape([-1]));
        let numbers = numbers.unwrap_or_default();
        let columns = scores.size()[1] as usize;
        let absent = |source: usize| entries.is_some_and(|entries| !entries.sources[source]);
        Some(
            numbers
                .chunks(columns)
                .map(|row| {
                    let mut order: Vec<usize> = (0..self.sources as usize).collect();
                    order.sort_by(|&a, &b| absent(a).cmp(&absent(b)).then(row[b].total_cmp(&row[a])));
                    let mut best: Vec<i64> = order[..keep].iter().map(|&source| source as i64).collect();
                    best.sort_unstable();
                    best
                })
                .collect(),
        )
    }

    /// 1 for selected sources and entries that are there, 0 for the others; [T, columns]. `None`: all ones.
    fn mask(&self, kept: Option<&[Vec<i64>]>, entries: Option<&Entries>, columns: i64) -> Option<Tensor> {
        if kept.is_none() && entries.is_none() {
            return None;
        }
        let tasks = self.tasks.len();
        let mut mask = vec![0f32; tasks * columns as usize];
        for (task, row) in mask.chunks_mut(columns as usize).enumerate() {
            for (column, value) in row.iter_mut().enumerate() {
                let private = column as i64 >= self.sources;
                let selected = private || kept.is_none_or(|kept| kept[task].contains(&(column as i64)));
                let there =
                    entries.is_none_or(|entries| if private { entries.private } else { entries.sources[column] });
                *value = f32::from(selected && there);
            }
        }
        Some(Tensor::from_slice(&mask).reshape([tasks as i64, columns]).to_device(self.device))
    }
}

/// The paper's rule (METHODS 2.3): n = 1: sigmoid; 1 < n <= T/2: softmax; n > T/2: sparsemax.
pub fn automatic(sources: usize, tasks: usize) -> Norm {
    match sources {
        0 | 1 => Norm::Sigmoid,
        few if 2 * few <= tasks => Norm::Softmax,
        _ => Norm::Sparsemax,
    }
}

/// Rows of weights from rows of scores; entries that `mask` drops are taken out before and get weight 0.
pub fn normalise(scores: &Tensor, norm: Norm, mask: Option<&Tensor>) -> Tensor {
    let dropped = |scores: &Tensor| match mask {
        Some(mask) => scores.masked_fill(&mask.eq(0.0), DROPPED),
        None => scores.shallow_clone(),
    };
    let zeroed = |weights: Tensor| match mask {
        Some(mask) => weights * mask,
        None => weights,
    };
    match norm {
        Norm::Softmax => dropped(scores).softmax(-1, scores.kind()),
        Norm::Sparsemax | Norm::Auto => sparsemax(&dropped(scores)),
        Norm::Sigmoid => zeroed(scores.sigmoid()),
        Norm::None => zeroed(scores.shallow_clone()),
    }
}

/// sigma((z + ln u - ln(1 - u)) / temperature), with u uniform in (0, 1); in the logits' precision.
pub fn relaxed_bernoulli(logits: &Tensor, uniform: &Tensor, temperature: f64) -> Tensor {
    let noise = uniform.log() - (-uniform).log1p();
    ((logits + noise.to_kind(logits.kind())) / temperature).sigmoid()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixture::{difference, extras};

    fn settings() -> RouterSettings {
        RouterSettings::default()
    }

    fn router(settings: &RouterSettings, tasks: usize, sources: i64) -> (Router, Parameters) {
        let names: Vec<String> = (0..tasks).map(|task| format!("task{task}")).collect();
        let mut parameters = Parameters::default();
        let own = vec![None; tasks];
        (Router::new(settings, &names, sources, &own, 3, 100, &mut parameters, Device::Cpu), parameters)
    }

    #[test]
    fn normalisers_and_samples_are_those_of_the_oracle() {
        let Some(fixture) = extras() else { return };
        let logits = &fixture["norm.x"];
        assert!(difference(&normalise(logits, Norm::Softmax, None), &fixture["norm.softmax"]) < 1e-12);
        assert!(difference(&normalise(logits, Norm::Sigmoid, None), &fixture["norm.sigmoid"]) < 1e-12);
        assert!(difference(&normalise(logits, Norm::Sparsemax, None), &fixture["sparsemax.y"]) < 1e-12);
        for temperature in ["5.0", "1.0", "0.1"] {
            let sample = relaxed_bernoulli(logits, &fixture["relaxed_bernoulli.u"], temperature.parse().unwrap());
            let expected = &fixture[&format!("relaxed_bernoulli.T{temperature}")];
            assert!(difference(&sample, expected) < 1e-12, "temperature {temperature}");
        }
    }

    #[test]
    fn the_papers_rule_picks_the_normaliser() {
        // METHODS 2.3.
        let rule = |sources, tasks| automatic(sources, tasks);
        assert_eq!([rule(1, 6), rule(2, 6), rule(3, 6)], [Norm::Sigmoid, Norm::Softmax, Norm::Softmax]);
        assert_eq!([rule(4, 6), rule(10, 8), rule(4, 8)], [Norm::Sparsemax, Norm::Sparsemax, Norm::Softmax]);
    }

    #[test]
    fn the_temperature_falls_as_published() {
        // tau_0 = 5, r = 0.02, tau_min = 0.001 reaches its floor at step 250 (METHODS 2.3).
        let mut chosen = settings();
        chosen.temperature.rate = Some(0.02);
        let heat = router(&chosen, 2, 2).0;
        let floor = |step| (heat.temperature(step) - 0.001).abs() < 1e-12;
        assert!((heat.temperature(0) - 5.0).abs() < 1e-12 && (heat.temperature(100) - 3.0).abs() < 1e-12);
        assert!(!floor(249) && floor(250) && floor(10_000));
        chosen.temperature.rate = None;
        let heat = router(&chosen, 2, 2).0;
        assert!(heat.temperature(59) > 0.05 && heat.temperature(60) <= 0.0011, "60 % of 100 steps");
        chosen.temperature.schedule = TemperatureSchedule::Exponential;
        chosen.temperature.rate = Some(0.5);
        let heat = router(&chosen, 2, 2).0;
        assert!((heat.temperature(2) - 5.0 * (-1f64).exp()).abs() < 1e-12);
    }

    #[test]
    fn constant_weights_are_uniform_or_ones() {
        let mut chosen = settings();
        chosen.kind = RouterKind::Constant;
        let (constant, parameters) = router(&chosen, 2, 4);
        assert!(parameters.all().is_empty());
        assert_eq!(constant.weights(Moment::Evaluation).sources.double_value(&[1, 3]), 0.25);
        chosen.constant = ConstantWeights::Ones;
        assert_eq!(router(&chosen, 2, 4).0.weights(Moment::Evaluation).sources.double_value(&[0, 0]), 1.0);
    }

    #[test]
    fn samples_repeat_themselves_and_differ_between_steps() {
        let mut chosen = settings();
        chosen.kind = RouterKind::RelaxedBernoulli;
        chosen.norm = Norm::None;
        let stochastic = router(&chosen, 3, 4).0;
        let at = |step| stochastic.weights(Moment::Training { step }).sources;
        assert_eq!(at(7), at(7));
        assert!(difference(&at(7), &at(8)) > 0.0);
        // Logit 0: the mean is one half, the raw logit nothing.
        assert_eq!(stochastic.weights(Moment::Evaluation).sources.double_value(&[0, 0]), 0.5);
        chosen.eval = RouterEvaluation::Logit;
        assert_eq!(router(&chosen, 3, 4).0.weights(Moment::Evaluation).sources.double_value(&[0, 0]), 0.0);
    }

    #[test]
    fn masked_entries_leave_the_set_before_or_after_the_normalisation() {
        let entries = |sources: [bool; 3]| Entries { sources: sources.to_vec(), private: false };
        let numbers = |weights: Weights| Vec::<f64>::try_from(weights.sources.get(0).to_kind(Kind::Double)).unwrap();
        let near = |weights: Weights, expected: [f64; 3]| {
            let found = numbers(weights);
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?} {expected:?}");
        };
        let made = |norm, top_k, kind| {
            let mut chosen = settings();
            (chosen.norm, chosen.top_k, chosen.kind) = (norm, top_k, kind);
            let (router, parameters) = router(&chosen, 1, 3);
            // ln 1, ln 2, ln 3: softmax gives sixths.
            let logits = [0.0, 2f32.ln(), 3f32.ln()];
            if kind != RouterKind::Constant {
                parameters.overwrite(&[Tensor::from_slice(&logits).reshape([1, 3])]);
            }
            router
        };
        let soft = made(Norm::Softmax, 0, RouterKind::Direct);
        near(soft.masked(&entries([true, false, false]), true), [1.0, 0.0, 0.0]);
        near(soft.masked(&entries([true, true, false]), true), [1.0 / 3.0, 2.0 / 3.0, 0.0]);
        near(soft.masked(&entries([true, true, false]), false), [1.0 / 6.0, 2.0 / 6.0, 0.0]);
        for renormalise in [true, false] {
            near(soft.masked(&entries([false; 3]), renormalise), [0.0; 3]);
            near(soft.masked(&entries([true; 3]), renormalise), [1.0 / 6.0, 2.0 / 6.0, 3.0 / 6.0]);
        }
        // Sparsemax of one entry is 1; a sigmoid is of each entry alone, so that nothing is there to renormalise.
        near(
            made(Norm::Sparsemax, 0, RouterKind::Direct).masked(&entries([true, false, false]), true),
            [1.0, 0.0, 0.0],
        );
        let alone = made(Norm::Sigmoid, 0, RouterKind::Direct);
        near(alone.masked(&entries([false, true, false]), true), [0.0, 2.0 / 3.0, 0.0]);
        // The full model selects the third source, the masked one selects among what is left.
        let best = made(Norm::Softmax, 1, RouterKind::Direct);
        near(best.masked(&entries([true, true, false]), true), [0.0, 1.0, 0.0]);
        near(best.masked(&entries([true, true, false]), false), [0.0; 3]);
        let equal = made(Norm::Softmax, 0, RouterKind::Constant);
        near(equal.masked(&entries([false, true, true]), true), [0.0, 0.5, 0.5]);
        near(equal.masked(&entries([false, true, true]), false), [0.0, 1.0 / 3.0, 1.0 / 3.0]);
    }

    proptest! {
        #[test]
        fn rows_sum_to_one_with_and_without_selection(
            logits in prop::collection::vec(-6.0f32..6.0, 12), top in 0usize..5, sparse: bool, joint: bool,
        ) {
            let mut chosen = settings();
            chosen.norm = if sparse { Norm::Sparsemax } else { Norm::Softmax };
            chosen.top_k = top;
            chosen.include_private = joint;
            let sources = if joint { 3 } else { 4 };
            let (router, parameters) = router(&chosen, 3, sources);
            parameters.overwrite(&[Tensor::from_slice(&logits).reshape([3, 4])]);
            let weights = router.weights(Moment::Evaluation);
            let mut sums = weights.sources.sum_dim_intlist(1, false, Kind::Double);
            if let Some(private) = &weights.private {
                sums += private;
            }
            prop_assert!(difference(&sums, &Tensor::ones([3], (Kind::Double, Device::Cpu))) < 1e-5);
            let used = weights.sources.gt(0.0).sum_dim_intlist(1, false, Kind::Int64).max().int64_value(&[]);
            prop_assert!(top == 0 || used <= top as i64);
        }

        #[test]
        fn softmax_ignores_a_shift(logits in prop::collection::vec(-6.0f64..6.0, 6), shift in -3.0f64..3.0) {
            let row = Tensor::from_slice(&logits);
            let shifted = normalise(&(&row + shift), Norm::Softmax, None);
            prop_assert!(difference(&shifted, &normalise(&row, Norm::Softmax, None)) < 1e-9);
        }
    }
}
