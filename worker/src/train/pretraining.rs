//! The loop of pre-training: batches of masked texts and task examples, until the steps are done. What a step computes
//! depends on its number and on the values before it, on nothing else.

use compt::base::random::{Stream, seed_for};
use compt::operation::pretrain::PretrainParameters;
use compt::operation::train::{GroupRates, OptimizerSettings, ScheduleTotal};
use tch::Tensor;

use super::TrainError;
use super::checkpoint::{Checkpoint, Progress};
use super::corruption::Corruption;
use super::curve::Point;
use super::data::{Pair, TaskPairs};
use super::fit::Event;
use super::keeper::Keeper;
use super::optimizer::{AdamW, clip};
use super::schedule::Schedule;
use crate::method::parameter::{Group, Parameters};
use crate::model::t5::HEAD;
use crate::model::{Batch, Mode, T5};

/// The name of the embeddings in a checkpoint of the hub.
pub const EMBEDDINGS: &str = "shared.weight";
/// How the names of the tables of relative positions end in it.
const POSITIONS: &str = "relative_attention_bias.weight";

/// The weights of a model that was loaded to be trained, as the optimizer and checkpoints know them. The optimizer has
/// learning rates by group: the tables (embeddings, a head of its own, relative positions) take the first, the matrices the
/// second.
pub fn parameters(model: &T5) -> Parameters {
    let mut parameters = Parameters::default();
    for leaf in model.leaves() {
        let name = leaf.names[0].as_str();
        let is_table = [EMBEDDINGS, HEAD].contains(&name) || name.ends_with(POSITIONS);
        let group = if is_table { Group::Source } else { Group::Private };
        parameters.adopt(&leaf.names.join("+"), group, leaf.names, leaf.tensor);
    }
    parameters
}

/// What the optimizer needs to know.
pub fn optimizer_settings(settings: &PretrainParameters) -> OptimizerSettings {
    let (source, private) = (settings.embedding_rate, settings.learning_rate);
    OptimizerSettings {
        groups: GroupRates { source, private, ..GroupRates::default() },
        weight_decay: settings.weight_decay,
        betas: [0.9, 0.98],
        eps: 1e-8,
        warmup: settings.warmup,
        total: ScheduleTotal::Exact,
        clip: settings.clip,
        sparse_private: false,
    }
}

/// A pre-training that is set up.
#[derive(Debug)]
pub struct Pretraining<'a> {
    /// Loaded to be trained.
    pub model: &'a T5,
    /// [`parameters`] of the model.
    pub parameters: &'a Parameters,
    /// How.
    pub settings: &'a PretrainParameters,
    /// Plain texts, ready to be masked.
    pub texts: &'a [Vec<i64>],
    /// How they are masked.
    pub corruption: &'a Corruption,
    /// The tasks that are learned; without any, all examples are plain text.
    pub tasks: &'a [TaskPairs],
    /// Pieces that can stand before an example and mean nothing.
    pub distractors: &'a [i64],
    /// Where interrupted work is kept.
    pub checkpoint: Option<&'a Checkpoint>,
    /// Leave after this many steps without a word, as a kill would.
    pub stop_after: Option<u64>,
}

/// How a pre-training ended.
#[derive(Debug)]
pub struct Outcome {
    /// The course.
    pub progress: Progress,
    /// Steps that were found in a checkpoint.
    pub resumed_from: u64,
}

/// What one place of a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    /// The masked text of this number; numbers go on through all passes over the texts.
    Text(u64),
    /// The example of this number in the mixture of all tasks.
    Example(u64),
}

impl Pretraining<'_> {
    /// Trains, from the last checkpoint if there is one.
    ///
    /// # Errors
    /// See [`TrainError`].
    pub fn run(&self, observe: &mut dyn FnMut(Event<'_>)) -> Result<Outcome, TrainError> {
        let optimizer_settings = optimizer_settings(self.settings);
        let schedule = Schedule::new(&optimizer_settings, self.settings.steps, 0, 1);
        let mut optimizer = AdamW::new(&optimizer_settings, self.parameters.all());
        let mut keeper = Keeper::new(self.checkpoint);
        let mut progress = keeper.resume(self.parameters, &mut optimizer, observe);
        let resumed_from = progress.step;
        let mut mixture = Mixture::new(self.settings.seed, self.tasks);
        let occurring = self.occurring();
        while progress.step < self.settings.steps && self.stop_after != Some(progress.step) {
            let batch = self.batch(progress.step, &mut mixture);
            let point = self.step(progress.step, &batch, &occurring, &schedule, &mut optimizer)?;
            observe(Event::Step(&point));
            progress.curve.push(point);
            progress.step += 1;
            if progress.step < self.settings.steps {
                keeper.keep(&progress, self.parameters, &optimizer)?;
            }
        }
        Ok(Outcome { progress, resumed_from })
    }

    /// What the places of a step's batch are.
    fn slots(&self, step: u64, no_tasks: bool) -> Vec<Slot> {
        let (batch, alone) = (self.settings.batch as u64, self.settings.corpus.alone);
        if step < alone || no_tasks {
            return (0..batch).map(|place| Slot::Text(step * batch + place)).collect();
        }
        let texts = (self.settings.corpus.share * batch as f64).round() as u64;
        let later = step - alone;
        let first = alone * batch + later * texts;
        let texts_then_examples = (0..texts).map(|place| Slot::Text(first + place));
        let examples = batch - texts;
        texts_then_examples.chain((0..examples).map(|place| Slot::Example(later * examples + place))).collect()
    }

    fn batch(&self, step: u64, mixture: &mut Mixture<'_>) -> Batch {
        let mut batch = Batch::default();
        for slot in self.slots(step, mixture.is_empty()) {
            let Pair { source, target } = match slot {
                Slot::Text(number) => {
                    let text = &self.texts[(number % self.texts.len() as u64) as usize];
                    let mut stream = Stream::new(self.settings.seed, &["mask", &number.to_string()]);
                    self.corruption.pair(text, &mut stream)
                }
                Slot::Example(number) => self.distracted(mixture.example(number), number),
            };
            batch.sources.push(source);
            batch.targets.push(target);
        }
        batch
    }

    /// The example of this number, as often as `distraction.share` says with random pieces before it.
    fn distracted(&self, example: &Pair, number: u64) -> Pair {
        let settings = &self.settings.distraction;
        let mut stream = Stream::new(self.settings.seed, &["distraction", &number.to_string()]);
        if self.distractors.is_empty() || stream.unit() >= settings.share {
            return example.clone();
        }
        let pieces = 1 + stream.below(settings.longest);
        let mut source: Vec<i64> =
            (0..pieces).map(|_| self.distractors[stream.below(self.distractors.len())]).collect();
        source.extend(&example.source);
        Pair { source, target: example.target.clone() }
    }

    /// 1 for every piece of the vocabulary that occurs in what is learned, else 0: `[pieces, 1]`.
    ///
    /// What never occurs is never right, so the softmax would push its row on and on, all such rows in one direction,
    /// until they were several times as long as all others. The name of a task that is held out is made of such rows, and
    /// prompts may start from them. They stay as they were drawn: then they mean nothing and are in nobody's way.
    /// Distractors do not count: they are read and never said. A head of its own may push its rows: nobody reads them.
    fn occurring(&self) -> Tensor {
        let config = self.model.config();
        let mut flags = vec![0.0_f32; config.vocab_size as usize];
        let mut mark = |ids: &[i64]| ids.iter().for_each(|id| flags[*id as usize] = 1.0);
        mark(&[config.decoder_start_token_id]);
        let mut stream = Stream::new(self.settings.seed, &["occurring"]);
        for text in self.texts {
            // How many spans a text has depends on its length alone, and so which sentinels it meets.
            let pair = self.corruption.pair(text, &mut stream);
            [pair.source, pair.target].iter().for_each(|ids| mark(ids));
        }
        for pair in self.tasks.iter().flat_map(|task| &task.train) {
            [&pair.source, &pair.target].iter().for_each(|ids| mark(ids));
        }
        Tensor::from_slice(&flags).view([-1, 1]).to_device(self.model.device())
    }

    fn step(
        &self,
        step: u64,
        batch: &Batch,
        occurring: &Tensor,
        schedule: &Schedule,
        optimizer: &mut AdamW,
    ) -> Result<Point, TrainError> {
        tch::manual_seed(seed_for(self.settings.seed, &["dropout", &step.to_string()]) as i64);
        let mode = Mode::Training { dropout: self.settings.dropout };
        let loss = self.model.losses(batch, None, mode)?.mean();
        let parameters = self.parameters.all();
        let tensors: Vec<&Tensor> = parameters.iter().map(|parameter| &parameter.tensor).collect();
        let mut gradients = Tensor::f_run_backward(&[&loss], &tensors, false, false)?;
        let loss = loss.double_value(&[]);
        for (parameter, gradient) in parameters.iter().zip(&mut gradients) {
            if parameter.name == EMBEDDINGS {
                let _ = gradient.g_mul_(occurring);
            }
        }
        let gradient = clip(&mut gradients, self.settings.clip);
        if !loss.is_finite() || !gradient.is_finite() {
            return Err(TrainError::Diverged { step: step + 1, loss });
        }
        let factor = schedule.factor(step);
        optimizer.step(parameters, &gradients, factor, &[]);
        Ok(Point { step: step + 1, epoch: 1, loss, factor, gradient })
    }
}

/// The examples of all tasks in the order of the current pass: tasks mix in proportion to their sizes.
struct Mixture<'a> {
    seed: u64,
    all: Vec<&'a Pair>,
    pass: Option<u64>,
    order: Vec<usize>,
}

impl<'a> Mixture<'a> {
    fn new(seed: u64, tasks: &'a [TaskPairs]) -> Self {
        let all = tasks.iter().flat_map(|task| &task.train).collect();
        Self { seed, all, pass: None, order: Vec::new() }
    }

    fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The example of this number; numbers go on through all passes.
    fn example(&mut self, number: u64) -> &'a Pair {
        let (pass, place) = (number / self.all.len() as u64, (number % self.all.len() as u64) as usize);
        if self.pass != Some(pass) {
            self.order = (0..self.all.len()).collect();
            Stream::new(self.seed, &["order", &pass.to_string()]).shuffle(&mut self.order);
            self.pass = Some(pass);
        }
        self.all[self.order[place]]
    }
}
