//! `compt report`, and the same at the end of a run: the report page, of what was found and what it took.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::arguments::{PipelineArguments, ReportArguments};
use super::failure::Failure;
use super::session::{Cache, Missing, Session};
use super::shell_word;
use crate::base::files::replace;
use crate::base::{Digest, moment};
use crate::exec::energy::Meter;
use crate::exec::event::{Event, Listener};
use crate::exec::{Summary, resources};
use crate::operation::aggregate::stage_error;
use crate::operation::publishing::NOTE;
use crate::operation::report::FILE;
use crate::page::page;
use crate::page::run::{Facts, Instance, Outcome, Provenance, Source, Stage};
use crate::page::science::{Choice, READS, Science};
use crate::page::words::count;
use crate::plan::{self, State};
use crate::protocol::{Input, StageError};
use crate::store::{Brief, Maker};

/// The file of the page, in the pipeline's output folder.
const PAGE: &str = "report.html";

/// For each instance of the plan its key and the digest of its files, if it has a result.
pub type Results = [Option<(Digest, Digest)>];

/// Makes the page of what is in the cache. Runs nothing.
pub fn report(arguments: &ReportArguments) -> Result<(), Failure> {
    let file = &arguments.pipeline.file;
    if file.join(NOTE).is_file() {
        return Err(Failure::usage(
            format!("`{}` is the output folder of a run; the page is made from the pipeline file", file.display()),
            "type `compt report FILE` with the pipeline file, and `--profile`, `--set` and `--outputs` as for the run",
        ));
    }
    let session = Session::open(&arguments.pipeline, Cache::Read, Missing::IsShown)?;
    let results: Vec<Option<(Digest, Digest)>> = session.assess().iter().map(State::result).collect();
    if results.iter().all(Option::is_none) {
        return Err(Failure::Input {
            message: format!(
                "`{}` has no results in the cache `{}`",
                arguments.pipeline.file.display(),
                session.store.root().display()
            ),
            hint: Some(format!("type `{}` first", command(&arguments.pipeline))),
        });
    }
    let path = write(&session, &arguments.pipeline, &results, None, &arguments.outputs)?;
    super::print(&if arguments.json {
        super::as_json(&json!({ "report": path }))
    } else {
        format!("the report is {}\n", path.display())
    });
    Ok(())
}

/// Makes the page of a run that is over, with the results of the whole plan; returns its path.
pub fn after_run(
    session: &Session,
    arguments: &PipelineArguments,
    results: &Results,
    (summary, course): (&Summary, &Ended),
    outputs: &Path,
) -> Result<PathBuf, Failure> {
    write(session, arguments, results, Some((summary, course)), outputs)
}

/// A listener that remembers for the page what became of each stage, and passes everything on.
pub struct Course<'a> {
    listener: &'a mut dyn Listener,
    ended: Ended,
    meter: Option<Meter>,
}

/// What was seen of a run.
#[derive(Default)]
pub struct Ended {
    made: BTreeSet<String>,
    failed: BTreeSet<String>,
    energy: Option<f64>,
}

impl<'a> Course<'a> {
    /// Begins to watch.
    pub fn watch(listener: &'a mut dyn Listener) -> Self {
        Self { listener, ended: Ended::default(), meter: Meter::start() }
    }

    /// What was seen.
    pub fn end(self) -> Ended {
        Ended { energy: self.meter.and_then(Meter::joules), ..self.ended }
    }
}

impl Listener for Course<'_> {
    fn hear(&mut self, at: Duration, event: &Event) {
        match event {
            Event::Finished { stage, .. } => self.ended.made.insert(stage.clone()),
            Event::Failed { stage, .. } => self.ended.failed.insert(stage.clone()),
            _ => false,
        };
        self.listener.hear(at, event);
    }
}

fn write(
    session: &Session,
    arguments: &PipelineArguments,
    results: &Results,
    run: Option<(&Summary, &Ended)>,
    outputs: &Path,
) -> Result<PathBuf, Failure> {
    let science = science(session, results)?;
    let facts = facts(session, arguments, results, run)?;
    let path = outputs.join(&session.plan.pipeline).join(PAGE);
    // Whatever becomes of it, `compt report` makes it again.
    replace(&path, page(&science, &facts).as_bytes()).map_err(|error| Failure::unwritten(error, outputs))?;
    Ok(path)
}

/// What the `report` stages of a pipeline made; without one, all that its results have.
fn science(session: &Session, results: &Results) -> Result<Science, Failure> {
    let there = session.plan.instances.iter().filter_map(|instance| {
        let (_, output) = results.get(instance.id).copied().flatten()?;
        Some((instance, output))
    });
    let (chosen, read): (Vec<_>, Vec<_>) = there.partition(|(instance, _)| instance.operation == "report");
    if !chosen.is_empty() {
        let parts = chosen.iter().map(|(instance, output)| {
            serde_json::from_slice(&fs_err::read(session.store.object_folder(output).join(FILE))?).map_err(|error| {
                StageError::bug(format!("the sections that `{}` made can't be read: {error}", instance.name())).into()
            })
        });
        return Ok(Science::join(parts.collect::<Result<Vec<_>, Failure>>()?));
    }
    let choice = Choice { titles: session.pipeline.included.clone(), ..Choice::default() };
    let inputs: Vec<Input> = read
        .into_iter()
        .filter(|(instance, _)| READS.contains(&instance.operation.as_str()))
        .map(|(instance, output)| Input {
            stage: instance.stage.clone(),
            operation: instance.operation.clone(),
            coordinates: instance.coordinates.clone(),
            files: session.store.object_folder(&output).into(),
        })
        .collect();
    Ok(Science::of(&inputs, &choice).map_err(stage_error)?)
}

fn facts(
    session: &Session,
    arguments: &PipelineArguments,
    results: &Results,
    run: Option<(&Summary, &Ended)>,
) -> Result<Facts, Failure> {
    let records: Vec<Option<Brief>> = (0..session.plan.instances.len())
        .map(|id| match results.get(id).copied().flatten() {
            Some((key, _)) => session.store.brief(&key),
            None => Ok(None),
        })
        .collect::<Result<_, _>>()?;
    let nothing = Ended::default();
    let ended = run.map_or(&nothing, |(_, ended)| ended);
    Ok(Facts {
        pipeline: session.plan.pipeline.clone(),
        title: session.pipeline.title.clone(),
        made: moment::now(),
        stages: session.plan.stages.iter().map(|stage| stage_facts(session, stage, results, &records, ended)).collect(),
        seconds: run.map(|(summary, _)| summary.totals.seconds),
        interrupted: run.is_some_and(|(summary, _)| summary.totals.interrupted),
        energy: ended.energy,
        provenance: provenance(session, arguments, &records)?,
    })
}

fn stage_facts(
    session: &Session,
    stage: &plan::StagePlan,
    results: &Results,
    records: &[Option<Brief>],
    ended: &Ended,
) -> Stage {
    let plan = &session.plan;
    let instances = &plan.instances[stage.instances.clone()];
    let inputs: BTreeSet<usize> = instances.iter().flat_map(|instance| &instance.inputs).copied().collect();
    // Stages stand in the order of their instances, so each input is found by halving.
    let stage_of = |&input: &usize| plan.stages.partition_point(|other| other.instances.end <= input);
    let reads: BTreeSet<usize> = inputs.iter().map(stage_of).collect();
    let instance = |instance: &plan::Instance| {
        let record = records[instance.id].as_ref();
        let outcome = match record {
            Some(_) if ended.made.contains(instance.name()) => Outcome::Made,
            Some(_) => Outcome::Cached,
            None if ended.failed.contains(instance.name()) => Outcome::Failed,
            None => Outcome::Missing,
        };
        Instance {
            name: instance.name().to_owned(),
            outcome,
            seconds: record.map(|record| record.seconds),
            memory: record.and_then(|record| record.facts.get("peak_memory_bytes")?.as_u64()),
            digests: record.and(results[instance.id]).map(|(key, output)| [key.to_string(), output.to_string()]),
        }
    };
    Stage {
        name: stage.name.clone(),
        of: instances
            .first()
            .and_then(|instance| session.pipeline.included.get(&instance.scope))
            .cloned()
            .unwrap_or_default(),
        title: stage.title.clone(),
        operation: (stage.operation.clone(), instances.first().map_or(0, |instance| instance.version)),
        reads: reads.into_iter().collect(),
        publishes: instances.iter().any(|instance| instance.publishes),
        instances: instances.iter().map(instance).collect(),
    }
}

fn provenance(
    session: &Session,
    arguments: &PipelineArguments,
    records: &[Option<Brief>],
) -> Result<Provenance, Failure> {
    let text = fs_err::read_to_string(&arguments.file)?;
    let pipeline = &session.pipeline;
    let parameters = pipeline.params.iter().map(|(name, value)| (name.clone(), plain(value)));
    let axes = pipeline.axes.iter().map(|(name, values)| {
        (name.clone(), values.iter().map(|value| value.text.as_str()).collect::<Vec<_>>().join(", "))
    });
    let sources = session.pins.iter().map(|(source, pin)| Source {
        kind: source.kind().to_owned(),
        name: source.name().to_owned(),
        revision: pin.revision.clone(),
        digest: pin.digest().to_string(),
        files: (pin.files.len(), pin.files.values().map(|file| file.size).sum()),
    });
    // The results of one machine share what is said of it.
    let mut makers: Vec<&Maker> = records.iter().flatten().map(|record| &*record.maker).collect();
    makers.dedup_by_key(|maker| std::ptr::from_ref(*maker));
    let hosts: BTreeSet<&String> = makers.iter().map(|maker| &maker.host).collect();
    let by: BTreeSet<(&String, &String)> = makers.iter().flat_map(|maker| &maker.versions).collect();
    let numeric = &session.numeric;
    let mut versions: Vec<(String, String)> =
        by.into_iter().map(|(name, version)| (name.clone(), version.clone())).collect();
    versions.push((
        "arithmetic".to_owned(),
        format!("{} on {}, {} for each stage", numeric.dtype, numeric.device, count(numeric.threads, "thread")),
    ));
    Ok(Provenance {
        command: command(arguments),
        file: arguments.file.display().to_string(),
        digest: Digest::of(text.as_bytes()).to_string(),
        text,
        profile: arguments.profile.clone(),
        set: arguments.set.clone(),
        values: axes.chain(parameters).collect(),
        sources: sources.collect(),
        versions,
        machine: machine(),
        hosts: hosts.into_iter().cloned().collect(),
    })
}

/// A parameter's value without the quotes of JSON.
fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        value => value.to_string(),
    }
}

/// This machine, in words.
fn machine() -> Vec<(String, String)> {
    let mut facts = vec![
        ("system".to_owned(), format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS)),
        ("cores".to_owned(), resources::cores().to_string()),
    ];
    facts.extend(resources::processor().map(|name| ("processor".to_owned(), name)));
    facts.extend(resources::memory_gb().map(|gb| ("memory".to_owned(), format!("{gb} GiB"))));
    facts
}

/// The command that makes these results, as one types it. Where the cache and a mirror lie changes no result.
fn command(arguments: &PipelineArguments) -> String {
    let mut words = vec!["compt".to_owned(), "run".to_owned(), shell_word(&arguments.file.display().to_string())];
    if let Some(profile) = &arguments.profile {
        words.extend(["--profile".to_owned(), shell_word(profile)]);
    }
    for (name, value) in &arguments.set {
        words.extend(["--set".to_owned(), shell_word(&format!("{name}={value}"))]);
    }
    if arguments.device != "cpu" {
        words.extend(["--device".to_owned(), shell_word(&arguments.device)]);
    }
    if arguments.threads != 1 {
        words.extend(["--threads".to_owned(), arguments.threads.to_string()]);
    }
    words.join(" ")
}
