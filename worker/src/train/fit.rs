//! The training loop. What a step computes depends on the step's number and on the values before it, on nothing else.

use compt::base::random::seed_for;
use compt::operation::train::{PromptPosition, Select, TrainParameters};
use tch::Tensor;

use super::TrainError;
use super::checkpoint::{Best, Checkpoint, Progress};
use super::curve::Point;
use super::data::{Pair, TaskPairs};
use super::keeper::Keeper;
use super::optimizer::{AdamW, clip};
use super::sampler::{Pick, Sampler};
use super::schedule::Schedule;
use crate::method::Moment;
use crate::method::compt::Compt;
use crate::model::{Batch, Mode, Position, Prompts, T5};

/// At most `k` examples count as few-shot for `adjust_epochs` (METHODS 3).
const FEW: usize = 10;

/// How long a training will be.
#[derive(Clone, Debug)]
pub struct Course {
    /// Passes over the examples, `adjust_epochs` applied.
    pub epochs: u64,
    /// Steps in all.
    pub steps: u64,
    /// The factor on learning rates.
    pub schedule: Schedule,
    /// Which examples make which batch.
    pub sampler: Sampler,
}

impl Course {
    /// Lays out the training of these tasks.
    pub fn new(settings: &TrainParameters, tasks: &[TaskPairs]) -> Self {
        let few = tasks.iter().all(|task| task.train.len() <= FEW);
        let epochs = u64::from(settings.epochs) * if settings.adjust_epochs && few { 2 } else { 1 };
        let sizes = tasks.iter().map(|task| (task.name.clone(), task.train.len())).collect();
        let sampler = Sampler::new(settings.sampler, sizes, settings.batch, settings.seed);
        let steps = epochs * sampler.batches() as u64;
        let examples = epochs * tasks.iter().map(|task| task.train.len() as u64).sum::<u64>();
        let schedule = Schedule::new(&settings.optim, steps, examples, settings.batch as u64);
        Self { epochs, steps, schedule, sampler }
    }
}

/// What the loop tells while it runs.
#[derive(Debug)]
pub enum Event<'a> {
    /// A step is done.
    Step(&'a Point),
    /// A line for the log.
    Note(String),
}

/// How a training ended.
#[derive(Debug)]
pub struct Outcome {
    /// The course, and the best epoch if epochs were compared.
    pub progress: Progress,
    /// Steps that were found in a checkpoint.
    pub resumed_from: u64,
    /// Examples seen since.
    pub examples: u64,
    /// Whether all steps are done; false only when `stop_after` was reached.
    pub finished: bool,
}

/// A training that is set up.
#[derive(Debug)]
pub struct Fit<'a> {
    /// The frozen backbone.
    pub model: &'a T5,
    /// What is trained; its tasks are those of `tasks`, in the same order.
    pub method: &'a Compt,
    /// The examples.
    pub tasks: &'a [TaskPairs],
    /// Its length and batches.
    pub course: &'a Course,
    /// Where interrupted work is kept.
    pub checkpoint: Option<&'a Checkpoint>,
    /// Leave after this many steps without a word, as a kill would.
    pub stop_after: Option<u64>,
}

impl Fit<'_> {
    /// Trains, from the last checkpoint if there is one; then the method has the values that `select` chooses.
    ///
    /// # Errors
    /// See [`TrainError`].
    pub fn run(&self, observe: &mut dyn FnMut(Event<'_>)) -> Result<Outcome, TrainError> {
        let settings = self.method.settings();
        if settings.select == Select::BestDev
            && let Some(task) = self.tasks.iter().find(|task| task.validation.is_empty())
        {
            return Err(TrainError::NoValidation(task.name.clone()));
        }
        let parameters = self.method.parameters();
        let mut optimizer = AdamW::new(&settings.optim, parameters.all());
        let mut keeper = Keeper::new(self.checkpoint);
        let mut progress = keeper.resume(parameters, &mut optimizer, observe);
        let resumed_from = progress.step;
        let mut examples = 0;
        let per_epoch = self.course.sampler.batches() as u64;
        let mut epoch_batches = (u64::MAX, Vec::new());
        while progress.step < self.course.steps {
            if self.stop_after == Some(progress.step) {
                return Ok(Outcome { progress, resumed_from, examples, finished: false });
            }
            let (epoch, place) = (progress.step / per_epoch, (progress.step % per_epoch) as usize);
            if epoch_batches.0 != epoch {
                epoch_batches = (epoch, self.course.sampler.epoch(epoch));
            }
            let picks = &epoch_batches.1[place];
            let point = self.step(progress.step, epoch, picks, &mut optimizer)?;
            observe(Event::Step(&point));
            progress.curve.push(point);
            progress.step += 1;
            examples += picks.len() as u64;
            if settings.select == Select::BestDev && place as u64 + 1 == per_epoch {
                self.compare(epoch + 1, &mut progress)?;
            }
            if progress.step < self.course.steps {
                keeper.keep(&progress, parameters, &optimizer)?;
            }
        }
        if let Some(best) = &progress.best {
            parameters.overwrite(&best.values);
        }
        Ok(Outcome { progress, resumed_from, examples, finished: true })
    }

    /// One step: loss, gradients, clipping, update.
    fn step(&self, step: u64, epoch: u64, picks: &[Pick], optimizer: &mut AdamW) -> Result<Point, TrainError> {
        let settings = self.method.settings();
        // Dropout is the one user of libtorch's generator; seeding it by the step leaves no state to be saved.
        tch::manual_seed(seed_for(settings.seed, &["dropout", &step.to_string()]) as i64);
        let rows = self.method.prompts(Moment::Training { step });
        let pairs = picks.iter().map(|pick| (pick.task, &self.tasks[pick.task].train[pick.example]));
        let batch = batch(pairs);
        let prompts = Prompts { rows: &rows, position: position(settings.prompt.position) };
        let dropout = settings.dropout.rate(self.model.config().dropout_rate);
        let loss = self.model.losses(&batch, Some(&prompts), Mode::Training { dropout })?.mean();
        let parameters = self.method.parameters().all();
        let tensors: Vec<&Tensor> = parameters.iter().map(|parameter| &parameter.tensor).collect();
        let mut gradients = Tensor::f_run_backward(&[&loss], &tensors, false, false)?;
        let loss = loss.double_value(&[]);
        let gradient = clip(&mut gradients, settings.optim.clip);
        if !loss.is_finite() || !gradient.is_finite() {
            return Err(TrainError::Diverged { step: step + 1, loss });
        }
        let mut present = vec![false; self.tasks.len()];
        picks.iter().for_each(|pick| present[pick.task] = true);
        let factor = self.course.schedule.factor(step);
        optimizer.step(parameters, &gradients, factor, &present);
        Ok(Point { step: step + 1, epoch: epoch + 1, loss, factor, gradient })
    }

    /// Keeps the values of this epoch if its validation loss is the lowest so far.
    fn compare(&self, epoch: u64, progress: &mut Progress) -> Result<(), TrainError> {
        let loss = tch::no_grad(|| self.validation_loss())?;
        if progress.best.as_ref().is_none_or(|best| loss < best.loss) {
            progress.best = Some(Best { epoch, loss, values: self.method.parameters().values() });
        }
        Ok(())
    }

    /// The mean over tasks of the mean negative log-likelihood of their validation targets' tokens.
    fn validation_loss(&self) -> Result<f64, TrainError> {
        let settings = self.method.settings();
        let rows = self.method.prompts(Moment::Evaluation);
        let prompts = Prompts { rows: &rows, position: position(settings.prompt.position) };
        let mut mean = 0.0;
        for (task, pairs) in self.tasks.iter().enumerate() {
            let (mut sum, mut tokens) = (0.0, 0);
            for chunk in pairs.validation.chunks(settings.batch) {
                let batch = batch(chunk.iter().map(|pair| (task, pair)));
                let losses = self.model.losses(&batch, Some(&prompts), Mode::Evaluation)?;
                sum += losses.values.sum(tch::Kind::Double).double_value(&[]);
                tokens += losses.values.numel();
            }
            mean += sum / tokens.max(1) as f64;
        }
        Ok(mean / self.tasks.len().max(1) as f64)
    }
}

/// The backbone's batch of these examples, each with its task's prompt.
pub fn batch<'a>(pairs: impl Iterator<Item = (usize, &'a Pair)>) -> Batch {
    let mut batch = Batch::default();
    for (task, pair) in pairs {
        batch.sources.push(pair.source.clone());
        batch.targets.push(pair.target.clone());
        batch.prompt_of_row.push(Some(task));
    }
    batch
}

/// The backbone's word for a prompt's place.
pub fn position(position: PromptPosition) -> Position {
    match position {
        PromptPosition::Front => Position::Front,
        PromptPosition::BeforeEos => Position::BeforeEos,
        PromptPosition::AfterPadding => Position::AfterPadding,
    }
}
