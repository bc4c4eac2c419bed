//! What a run is given, and what comes of it.

use std::path::PathBuf;
use std::time::Duration;

use super::dispatch;
use super::event::{Listener, Totals};
use super::interrupt::Interrupt;
use super::resources::{self, Amounts};
use super::thread::Bodies;
use crate::base::Digest;
use crate::base::secrets::Secrets;
use crate::plan::key::Numeric;
use crate::plan::pins::Pins;
use crate::plan::{Instance, Plan, Retries};
use crate::protocol::StageError;
use crate::store::Store;

/// What to run, and with what.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The store.
    pub store: &'a Store,
    /// What the plan's sources contain; all of them must be known.
    pub pins: &'a Pins,
    /// The settings of workers.
    pub numeric: &'a Numeric,
    /// The operations.
    pub bodies: &'a dyn Bodies,
    /// Instances that run even if they have a result.
    pub forced: &'a (dyn Fn(&Instance) -> bool + Sync),
    /// How to run.
    pub options: &'a Options,
    /// Ctrl-C.
    pub interrupt: &'a Interrupt,
}

/// How to run a plan.
#[derive(Clone, Debug)]
pub struct Options {
    /// Most workers at once.
    pub jobs: usize,
    /// Cores to share.
    pub cores: usize,
    /// How much there is of the user's own resources: `mem_gb`, `licence`.
    pub resources: Amounts,
    /// The GPUs to hand out.
    pub gpus: Vec<String>,
    /// Start nothing more after the first failure.
    pub fail_fast: bool,
    /// When stages are tried again that don't say it themselves.
    pub retries: Retries,
    /// How long one attempt at a stage may take that doesn't say it itself.
    pub timeout: Option<Duration>,
    /// What no event, message or log may contain.
    pub secrets: Secrets,
    /// The worker's executable; looked up when absent.
    pub worker: Option<PathBuf>,
}

impl Default for Options {
    /// As many workers as cores, one thread each: the thread count is part of a training stage's key, so it must depend
    /// neither on the machine nor on `jobs`.
    fn default() -> Self {
        let cores = resources::cores();
        Self {
            jobs: cores,
            cores,
            resources: resources::memory_gb().map(|gb| ("mem_gb".to_owned(), gb)).into_iter().collect(),
            gpus: resources::visible_gpus(),
            fail_fast: false,
            retries: Retries::default(),
            timeout: None,
            secrets: Secrets::of_environment(),
            worker: None,
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// In numbers.
    pub totals: Totals,
    /// The stages that failed, in the order in which they did.
    pub failures: Vec<Failure>,
    /// For each instance of the plan its key and the digest of its files, if it has a result.
    pub results: Vec<Option<(Digest, Digest)>>,
}

/// A stage that failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The instance's name.
    pub stage: String,
    /// Why.
    pub error: StageError,
    /// The log of the last attempt.
    pub log: Option<PathBuf>,
}

/// Runs a plan to its end, whatever that is; then the store has to be flushed. Call it from a thread that lives until the process ends, best the main one:
/// worker processes die with the thread that started them.
pub fn run(run: &Run<'_>, listener: &mut dyn Listener) -> Summary {
    dispatch::all(run, listener)
}
