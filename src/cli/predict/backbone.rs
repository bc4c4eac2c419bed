//! The worker that answers, started when there is something to answer.

use std::path::{Path, PathBuf};

use super::place::Place;
use crate::cli::arguments::PredictArguments;
use crate::cli::failure::Failure;
use crate::cli::session::{self, Downloads};
use crate::exec::locate;
use crate::exec::resources::visible_gpus;
use crate::exec::worker::{PATIENCE, Setting, Worker};
use crate::operation::lineage::Lineage;
use crate::operation::parameters;
use crate::operation::sourcing::Sourcing;
use crate::operation::trained::Trained;
use crate::plan::catalog::SourceRef;
use crate::protocol::{Answer, Compute, Job, StageError};
use crate::store::Store;
use crate::task::source::SourceSettings;

/// A backbone with a prompt, as the run's evaluation uses them.
pub struct Backbone {
    job: Job,
    setting: Setting,
    scores: bool,
    worker: Option<Worker>,
}

impl Backbone {
    /// Finds the backbone's files: those that the run was made with.
    ///
    /// # Errors
    /// They can't be had, or the device makes no sense.
    pub fn new(
        arguments: &PredictArguments,
        place: &Place,
        run: &Lineage,
        trained: &Trained,
        store: &Store,
    ) -> Result<Self, Failure> {
        let device = session::device_kind(&arguments.device)?;
        session::check_threads(arguments.threads)?;
        let (device, gpus) = match (device, arguments.device.split_once(':')) {
            ("cpu", _) => ("cpu", Vec::new()),
            (_, Some((_, id))) => ("cuda:0", vec![id.to_owned()]),
            (_, None) => ("cuda:0", visible_gpus()),
        };
        let mut settings =
            SourceSettings::from_environment().with_mirror(session::absolute(arguments.mirror.as_deref())?);
        settings.offline |= arguments.offline;
        let builtin = std::path::absolute(&arguments.cache)?.join("builtin");
        let sourcing = Sourcing { root: place.root.clone(), settings, builtin };
        let digest_of = |path: &Path| store.digest_of(path);
        let source = sourcing
            .resolve(&trained.backbone, &run.pins, &digest_of, &mut Downloads::default())
            .map_err(|error| if place.is_project { error } else { elsewhere(error, &trained.backbone) })?;
        let job = Job {
            id: 0,
            stage: trained.name.clone(),
            operation: "evaluate".to_owned(),
            parameters: parameters::complete(&trained.evaluation),
            inputs: trained.inputs.clone(),
            sources: vec![source],
            output: PathBuf::new(),
            scratch: PathBuf::new(),
            compute: Compute { device: device.to_owned(), threads: arguments.threads },
        };
        let setting = Setting { threads: arguments.threads, gpus };
        Ok(Self { job, setting, scores: arguments.scores, worker: None })
    }

    /// Answers source texts.
    ///
    /// # Errors
    /// There is no worker, or it fails.
    pub fn answer(&mut self, texts: Vec<String>) -> Result<Vec<Answer>, StageError> {
        let worker = match &mut self.worker {
            Some(worker) => worker,
            None => {
                let mut worker = Worker::start(&locate::worker()?, self.setting.clone())?;
                worker.greet(PATIENCE)?;
                worker.prepare(&self.job)?;
                self.worker.insert(worker)
            }
        };
        self.job.id += 1;
        worker.ask(self.job.id, texts, self.scores)
    }

    /// Lets the worker leave, if there is one.
    pub fn leave(self) {
        if let Some(worker) = self.worker {
            worker.leave();
        }
    }
}

/// The error for a backbone whose path is read against the project folder, which an output folder does not tell.
fn elsewhere(error: StageError, backbone: &SourceRef) -> StageError {
    match backbone {
        SourceRef::Model(name) if name.starts_with('.') => {
            let hint = format!(
                "`{name}` was looked up in the current folder, but means one beside the pipeline: type `--run` with the \
                 pipeline file, for example `--run path/to/pipelines/NAME.yaml`, and `--outputs` if the run had it"
            );
            error.with_hint(hint)
        }
        _ => error,
    }
}
