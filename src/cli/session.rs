//! What every command about a pipeline begins with: the file read, the plan made, its sources pinned.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::arguments::PipelineArguments;
use super::failure::Failure;
use crate::base::Digest;
use crate::operation::Operations;
use crate::operation::sourcing::Sourcing;
use crate::plan::catalog::SourceRef;
use crate::plan::key::Numeric;
use crate::plan::pins::{LockedError, Pins, PinsError};
use crate::plan::selection::{self, InstanceSet, Narrowed, Part, Request, SelectionError};
use crate::plan::{self, Instance, Plan, Question, State};
use crate::protocol::{LIBTORCH, StageError};
use crate::spec::{self, Pipeline};
use crate::store::{Store, StoreError};
use crate::task::source::{SourceSettings, Watch};

/// A pipeline, ready to be asked about.
pub struct Session {
    /// The checked pipeline.
    pub pipeline: Pipeline,
    /// The plan, whole.
    pub plan: Plan,
    /// The part of it that was asked for.
    pub part: Part,
    /// The cache.
    pub store: Store,
    /// What the plan's sources contain; a source that could not be found is absent.
    pub pins: Pins,
    /// Why a source of the part could not be found; only when that was allowed.
    pub unknown: Vec<(SourceRef, StageError)>,
    /// The settings of workers.
    pub numeric: Numeric,
    /// Finds sources.
    pub sourcing: Sourcing,
}

/// What the command does with the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// Looks at it.
    Read,
    /// Adds results.
    Written,
}

/// What to do about a source that can't be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Fail: the command needs all of them.
    Fails,
    /// Go on: what depends on it is shown as unknown. Nothing is downloaded.
    IsShown,
}

impl Session {
    /// Reads, plans and pins.
    ///
    /// # Errors
    /// The file is wrong, a source can't be had, the cache can't be used, or `--locked` forbids a change.
    pub fn open(arguments: &PipelineArguments, cache: Cache, missing: Missing) -> Result<Self, Failure> {
        Self::open_part(arguments, &Request::default(), cache, missing)
    }

    /// The same for a part of the pipeline: of the sources, only those that the part names are needed.
    ///
    /// # Errors
    /// As [`Session::open`], and when the request is wrong.
    pub fn open_part(
        arguments: &PipelineArguments,
        request: &Request,
        cache: Cache,
        missing: Missing,
    ) -> Result<Self, Failure> {
        let planned = planned(arguments, request)?;
        let store = match cache {
            Cache::Read => Store::open_to_read(&arguments.cache)?,
            Cache::Written => Store::open(&arguments.cache)?,
        };
        Self::of(arguments, planned, store, missing)
    }

    /// The same with a cache that is open already.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub fn with(arguments: &PipelineArguments, store: Store, missing: Missing) -> Result<Self, Failure> {
        Self::of(arguments, planned(arguments, &Request::default())?, store, missing)
    }

    fn of(arguments: &PipelineArguments, planned: Planned, store: Store, missing: Missing) -> Result<Self, Failure> {
        let Planned { pipeline, plan, part, numeric } = planned;
        let root = project_folder(&arguments.file);
        let mut sources = SourceSettings::from_environment().with_mirror(absolute(arguments.mirror.as_deref())?);
        sources.offline |= arguments.offline;
        // Paths of a worker's job may not depend on where it stands.
        let builtin = std::path::absolute(&arguments.cache)?.join("builtin");
        let mut session = Self {
            pipeline,
            plan,
            part,
            store,
            pins: Pins::default(),
            unknown: Vec::new(),
            numeric,
            sourcing: Sourcing { root, settings: sources, builtin },
        };
        session.pin(&arguments.file.with_extension("lock"), arguments.locked, missing)?;
        Ok(session)
    }

    /// Where every instance of the plan stands.
    pub fn assess(&self) -> Vec<State> {
        self.question().assess()
    }

    /// The question that [`Self::assess`] asks.
    pub fn question(&self) -> Question<'_> {
        Question { plan: &self.plan, records: &self.store, pins: &self.pins, numeric: &self.numeric, forced: &never }
    }

    /// The plan of the part that was asked for.
    pub fn part_plan(&self) -> &Plan {
        self.part.plan(&self.plan)
    }

    /// Where the instances of the part stand: what a run of it begins with.
    pub fn assess_part(&self) -> Vec<State> {
        let forced = |instance: &Instance| self.part.forced.has(instance.id);
        Question { plan: self.part_plan(), forced: &forced, ..self.question() }.assess()
    }

    /// The instances that a selection means.
    ///
    /// # Errors
    /// It is no selection, selects nothing, or names what the plan lacks; with suggestions.
    pub fn instances(&self, selection: &str) -> Result<Vec<&Instance>, Failure> {
        let chosen = self.chosen(selection)?;
        Ok(chosen.ids().map(|id| &self.plan.instances[id]).collect())
    }

    /// The instances that a selection means, without what they read, as a plan to be looked at.
    ///
    /// # Errors
    /// As [`Session::instances`].
    pub fn only(&self, selection: &str) -> Result<Narrowed, Failure> {
        Ok(Narrowed::alone(&self.plan, &self.chosen(selection)?))
    }

    fn chosen(&self, selection: &str) -> Result<InstanceSet, Failure> {
        let chosen = selection::select(&self.plan, &[selection.to_owned()])?;
        if chosen.is_empty() {
            let message = format!("`{selection}` selects nothing");
            return Err(Failure::usage(message, "`compt plan FILE` shows the stages and their axes"));
        }
        Ok(chosen)
    }

    /// How the digest of a file is found: the store remembers those of unchanged files.
    pub fn digest_of(&self) -> impl Fn(&Path) -> std::io::Result<Digest> + '_ {
        |path| self.store.digest_of(path)
    }

    /// Pins every source of the plan. What comes from the hub is taken from the lock file or added to it; what comes from
    /// a mirror or from this machine has no revisions and is looked at anew each time.
    fn pin(&mut self, lock_file: &Path, locked: bool, missing: Missing) -> Result<(), Failure> {
        let known = Pins::read(lock_file)?;
        let needed: BTreeSet<SourceRef> = self.part_plan().sources().into_iter().collect();
        let mut found = Pins::default();
        let mut add_to_lock = Pins::default();
        let mut unknown = Vec::new();
        let digest_of = |path: &Path| self.store.digest_of(path);
        for source in self.plan.sources() {
            // What is not asked for may lack its sources, and nobody has to know.
            let is_needed = needed.contains(&source);
            let missing = if is_needed { missing } else { Missing::IsShown };
            let from_hub = self.sourcing.is_from_hub(&source)?;
            let request = self.sourcing.request_text(&source)?;
            if let Some(pin) = known.get(&source).filter(|pin| from_hub && pin.request == request) {
                found.insert(source, pin.clone());
                continue;
            }
            if from_hub && missing == Missing::IsShown {
                let why = StageError::environment(format!("{source} is not pinned yet"));
                unknown.push((source, why, is_needed));
                continue;
            }
            match self.sourcing.pin(&source, &digest_of, &mut Downloads::default()) {
                Ok(pin) => {
                    if from_hub {
                        add_to_lock.insert(source.clone(), pin.clone());
                    }
                    found.insert(source, pin);
                }
                Err(error) if missing == Missing::IsShown => unknown.push((source, error, is_needed)),
                Err(error) => return Err(error.into()),
            }
        }
        if locked {
            // What has no revisions can't be in a lock file; but a mirror of what is there must have the same bytes.
            let mut comparable = Pins::default();
            for (source, pin) in found.iter() {
                let mut pin = pin.clone();
                match known.get(source) {
                    Some(locked) if pin.revision.is_none() => pin.revision.clone_from(&locked.revision),
                    Some(_) => {}
                    None if !self.sourcing.is_from_hub(source)? => continue,
                    None => {}
                }
                comparable.insert(source.clone(), pin);
            }
            known.require(&comparable, lock_file)?;
        } else if add_to_lock.iter().next().is_some() {
            let mut pins = known;
            pins.merge(&add_to_lock);
            pins.write(lock_file)?;
        }
        self.pins = found;
        let needed = unknown.into_iter().filter(|(.., is_needed)| *is_needed);
        self.unknown = needed.map(|(source, why, _)| (source, why)).collect();
        Ok(())
    }
}

/// What can be known without the cache.
struct Planned {
    pipeline: Pipeline,
    plan: Plan,
    part: Part,
    numeric: Numeric,
}

/// The file read, checked and expanded, and what was asked for found in it.
fn planned(arguments: &PipelineArguments, request: &Request) -> Result<Planned, Failure> {
    let settings = spec::Settings { profile: arguments.profile.clone(), set: arguments.set.clone() };
    let pipeline = spec::load(&arguments.file, &settings)?;
    let plan = plan::expand(&pipeline, &Operations, &project_folder(&arguments.file))?;
    let numeric = numeric(arguments)?;
    let part = request.of(&plan, &numeric)?;
    Ok(Planned { pipeline, plan, part, numeric })
}

/// Nothing is forced.
fn never(_: &Instance) -> bool {
    false
}

/// The folder that paths in a pipeline are read against: the one above `pipelines/`, else the file's own.
pub fn project_folder(file: &Path) -> PathBuf {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let above = folder.file_name().is_some_and(|name| name == "pipelines").then(|| folder.parent()).flatten();
    match above {
        // An empty path, not `.`: messages then name `datasets/rte.yaml` as the user would.
        Some(above) => above.to_owned(),
        None if folder == Path::new(".") => PathBuf::new(),
        None => folder.to_owned(),
    }
}

/// Workers have other working folders than we do.
pub fn absolute(path: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
    let Some(path) = path else { return Ok(None) };
    fs_err::canonicalize(path).map(Some).map_err(|error| {
        Failure::usage(error.to_string(), "`--mirror` names a folder with `datasets/` and `models/` in hub layout")
    })
}

/// `cpu` or `cuda`.
///
/// # Errors
/// A device of another kind.
pub fn device_kind(device: &str) -> Result<&str, Failure> {
    match device.split(':').next().unwrap_or_default() {
        "cpu" if device == "cpu" => Ok("cpu"),
        "cuda" if device.strip_prefix("cuda:").is_none_or(|number| number.parse::<u8>().is_ok()) => Ok("cuda"),
        _ => Err(Failure::usage(
            format!("there is no device `{device}`"),
            "the devices are `cpu`, `cuda` and `cuda:N`; `compt doctor` lists what this machine has",
        )),
    }
}

/// Checks `--threads`.
///
/// # Errors
/// None, or more than any machine has.
pub fn check_threads(threads: usize) -> Result<(), Failure> {
    const MOST: usize = 1024;
    match threads {
        0 => Err(Failure::usage("a worker needs at least one thread", "type `--threads 1`")),
        1..=MOST => Ok(()),
        _ => Err(Failure::usage(
            format!("`--threads {threads}` is more than {MOST}"),
            "type at most the number of cores that `compt doctor` finds",
        )),
    }
}

fn numeric(arguments: &PipelineArguments) -> Result<Numeric, Failure> {
    let kind = device_kind(&arguments.device)?;
    check_threads(arguments.threads)?;
    Ok(Numeric {
        dtype: "f32".to_owned(),
        device: kind.to_owned(),
        libtorch: LIBTORCH.to_owned(),
        threads: arguments.threads,
        deterministic: true,
    })
}

/// Says on standard error how downloads go, a line for each file.
#[derive(Default)]
pub struct Downloads {
    begun: Option<String>,
}

impl Watch for Downloads {
    fn received(&mut self, file: &str, done: u64, total: u64) {
        if self.begun.as_deref() != Some(file) {
            super::complain(&format!("fetching {file} ({:.1} MB)\n", total as f64 / 1e6));
            self.begun = Some(file.to_owned());
        } else if done == total {
            self.begun = None;
        }
    }

    fn waiting(&mut self, reason: &str, pause: Duration) {
        super::complain(&format!("waiting {:.0} s: {reason}\n", pause.as_secs_f64()));
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let hint = error.help();
        match error {
            StoreError::Full { .. } => Self::Environment { message: error.to_string(), hint },
            StoreError::Foreign { .. } => Self::Usage { message: error.to_string(), hint },
            StoreError::WrongKey { .. } | StoreError::Strange { .. } => Self::bug(error.to_string()),
            _ => Self::Cache { message: error.to_string(), hint },
        }
    }
}

impl From<SelectionError> for Failure {
    fn from(error: SelectionError) -> Self {
        Self::Usage { message: error.to_string(), hint: error.help }
    }
}

impl From<PinsError> for Failure {
    fn from(error: PinsError) -> Self {
        match error {
            PinsError::Io(error) => error.into(),
            PinsError::Unreadable { .. } => Self::Cache { message: error.to_string(), hint: None },
        }
    }
}

impl From<LockedError> for Failure {
    fn from(error: LockedError) -> Self {
        Self::Cache { message: error.to_string(), hint: None }
    }
}
