//! `compt verify`: makes results once more, in a folder of its own, from what their records say they were made of.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::arguments::PipelineArguments;
use super::failure::{self, Failure};
use super::room::RoomArguments;
use super::session::{Cache, Missing, Session};
use super::ui;
use crate::base::Digest;
use crate::exec::event::{Event, Listener, Totals};
use crate::exec::interrupt::Interrupt;
use crate::exec::{self, Run, Summary};
use crate::operation::bodies::StageBodies;
use crate::page::words::count;
use crate::plan::Instance;
use crate::protocol::StageErrorKind;
use crate::store::{Record, Store};
use crate::verify::Verdict;
use crate::verify::rehearsal::{Rehearsal, Rerun, recorded};
use crate::verify::sample::{self, Sample};
use crate::verify::values::{self, Tolerance};

/// What `compt verify --help` ends with.
pub const EXAMPLES: &str = "\
Examples:
  compt verify pipelines/quickstart.yaml                      every stage must give the same bytes again
  compt verify pipelines/quickstart.yaml --sample 5%          one stage in twenty, the same ones each time
  compt verify pipelines/quickstart.yaml --stages fit --tolerance 1e-6
                                                              on another machine, where sums round otherwise

Results of the cache are only read. The exit code is 8 when a result differs.";

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// Which pipeline.
    #[command(flatten)]
    pub pipeline: PipelineArguments,
    /// Only what a selection means: a stage (`fit`), some of its cells (`'fit[method=spp,seed=1|2]'`), with what it reads
    /// (`+fit`); may be given more than once
    #[arg(long, value_name = "SELECTION")]
    pub stages: Vec<String>,
    /// Only a part of these, as a share or a number: `5%`, `10`
    #[arg(long, value_name = "SHARE")]
    pub sample: Option<Sample>,
    /// Which part: another number is another sample
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Numbers may differ by so much, or by so large a part of the larger one [default: every byte must be the same]
    #[arg(long, value_name = "X", value_parser = tolerance)]
    pub tolerance: Option<f64>,
    /// What there is for the stages that are made again.
    #[command(flatten)]
    pub room: RoomArguments,
    /// Make the results in this new folder, and leave them there [default: a temporary folder that is removed]
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// What came of an instance, by name.
type Verdicts = BTreeMap<String, Verdict>;

/// Reruns, compares and shows; fails when something differs, failed, or could not be run.
pub fn verify(arguments: &VerifyArguments) -> Result<(), Failure> {
    let interrupt = Interrupt::install()
        .map_err(|error| Failure::Environment { message: format!("signals can't be handled: {error}"), hint: None })?;
    let mut session = Session::open(&arguments.pipeline, Cache::Read, Missing::IsShown)?;
    let chosen: Vec<Instance> = chosen(&session, arguments)?.into_iter().cloned().collect();
    let (folder, scratch) = scratch(arguments)?;
    // Nothing is unpacked into the user's cache.
    session.sourcing.builtin = scratch.root().join("builtin");

    let verified = made_again(&session, &chosen, &scratch, arguments, &interrupt);
    if folder.is_some() {
        scratch.discard()?;
    } else {
        scratch.flush()?;
    }
    let (verdicts, summary) = verified?;
    if summary.totals.interrupted {
        return Err(Failure::Interrupted);
    }
    let shown = Shown { chosen: &chosen, of: session.plan.instances.len(), verdicts: &verdicts, arguments };
    super::print(&if arguments.json { shown.as_json() } else { shown.as_text() });
    shown.judge(&summary)
}

/// Makes the chosen ones again and compares them.
fn made_again(
    session: &Session,
    chosen: &[Instance],
    scratch: &Store,
    arguments: &VerifyArguments,
    interrupt: &Interrupt,
) -> Result<(Verdicts, Summary), Failure> {
    let mut verdicts = Verdicts::new();
    let mut rehearsal = rehearse(session, chosen, &mut verdicts)?;
    for (name, why) in rehearsal.lend(&session.store, scratch, &session.pins, &session.numeric)? {
        verdicts.insert(name, Verdict::CouldNotRun { why });
    }
    let summary = run(&rehearsal, session, scratch, arguments, interrupt);
    for rerun in &rehearsal.reruns {
        if let Some(verdict) = compare(rerun, &summary, &session.store, scratch, arguments.tolerance)? {
            verdicts.insert(rerun.name.clone(), verdict);
        }
    }
    Ok((verdicts, summary))
}

/// The instances to verify, in plan order, each once.
fn chosen<'a>(session: &'a Session, arguments: &VerifyArguments) -> Result<Vec<&'a Instance>, Failure> {
    let mut named: BTreeMap<usize, &Instance> = BTreeMap::new();
    for stage in &arguments.stages {
        named.extend(session.instances(stage)?.into_iter().map(|instance| (instance.id, instance)));
    }
    let all = match arguments.stages.is_empty() {
        true => session.plan.instances.iter().collect(),
        false => named.into_values().collect::<Vec<_>>(),
    };
    Ok(match arguments.sample {
        Some(sample) => sample::choose(&all, sample, arguments.seed),
        None => all,
    })
}

/// The cache for what is made again, and the temporary folder that it is in unless the user named one.
fn scratch(arguments: &VerifyArguments) -> Result<(Option<tempfile::TempDir>, Store), Failure> {
    let Some(named) = &arguments.scratch else {
        let folder = tempfile::Builder::new().prefix("compt-verify-").tempdir()?;
        let store = Store::open(&folder.path().join("cache"))?;
        return Ok((Some(folder), store));
    };
    if fs_err::read_dir(named).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::usage(
            format!("`--scratch {}` is not empty", named.display()),
            "name a new folder: what is in an old one would be found there and not be made again",
        ));
    }
    let store = Store::open(&std::path::absolute(named)?).map_err(|error| Failure::Environment {
        message: format!("`--scratch` can't be used: {error}"),
        hint: Some("name a new folder where there is room and you may write".to_owned()),
    })?;
    Ok((None, store))
}

/// The plan of those that can be made again; the others have their verdict already.
fn rehearse(session: &Session, chosen: &[Instance], verdicts: &mut Verdicts) -> Result<Rehearsal, Failure> {
    let pipeline = &session.plan.pipeline;
    let states = session.assess();
    let mut rehearsal = Rehearsal::new(pipeline);
    for instance in chosen {
        let found = recorded(pipeline, instance, &states[instance.id], &session.store)?;
        let added = found.and_then(|record| rehearsal.add(instance, record, &session.pins, &session.numeric));
        if let Err(why) = added {
            verdicts.insert(instance.name().to_owned(), Verdict::CouldNotRun { why });
        }
    }
    Ok(rehearsal)
}

fn run(
    rehearsal: &Rehearsal,
    session: &Session,
    scratch: &Store,
    arguments: &VerifyArguments,
    interrupt: &Interrupt,
) -> Summary {
    let digest_of = session.digest_of();
    let bodies = StageBodies { sourcing: &session.sourcing, pins: &session.pins, digest_of: &digest_of };
    let options = arguments.room.options(&arguments.pipeline, session);
    let run = Run {
        plan: &rehearsal.plan,
        store: scratch,
        pins: &session.pins,
        numeric: &session.numeric,
        bodies: &bodies,
        forced: &|_| false,
        options: &options,
        interrupt,
    };
    if arguments.json {
        return exec::run(&run, &mut ());
    }
    let mut listener = ui::Style::choose(false, false).listener();
    exec::run(&run, &mut WithoutGiven { listener: &mut *listener, reruns: rehearsal.reruns.len() })
}

/// Says nothing of what is only lent to the rehearsal.
struct WithoutGiven<'a> {
    listener: &'a mut dyn Listener,
    reruns: usize,
}

impl Listener for WithoutGiven<'_> {
    fn hear(&mut self, at: Duration, event: &Event) {
        match event {
            Event::RunStarted { pipeline, jobs, .. } => {
                let started = Event::RunStarted { pipeline: pipeline.clone(), stages: self.reruns, jobs: *jobs };
                self.listener.hear(at, &started);
            }
            Event::RunFinished(totals) => {
                let finished = Totals { cached: 0, ..totals.clone() };
                self.listener.hear(at, &Event::RunFinished(finished));
            }
            Event::Cached { .. } => {}
            other => self.listener.hear(at, other),
        }
    }
}

/// The verdict on an instance that was to run; `None` when it was not reached.
fn compare(
    rerun: &Rerun,
    summary: &Summary,
    owner: &Store,
    scratch: &Store,
    tolerance: Option<f64>,
) -> Result<Option<Verdict>, Failure> {
    if let Some(failed) = summary.failures.iter().find(|failure| failure.stage == rerun.name) {
        return Ok(Some(Verdict::Failed { error: failed.error.message.clone() }));
    }
    let Some((key, output)) = summary.results.get(rerun.id).copied().flatten() else { return Ok(None) };
    if output == rerun.record.output {
        return Ok(Some(Verdict::Identical));
    }
    let Some(made) = scratch.record(&key)? else { return Ok(None) };
    let digests = |record: &Record| -> BTreeMap<String, Digest> {
        record.files.iter().map(|(name, file)| (name.clone(), file.digest)).collect()
    };
    let (before, after) = (owner.files(&rerun.record), scratch.files(&made));
    let files = values::differences(
        (&before, &digests(&rerun.record)),
        (&after, &digests(&made)),
        Tolerance(tolerance.unwrap_or(0.0)),
    );
    let within = tolerance.is_some() && files.iter().all(|file| file.beyond == 0);
    Ok(Some(if within { Verdict::Within { files } } else { Verdict::Differs { files } }))
}

/// Everything that is shown in the end.
struct Shown<'a> {
    chosen: &'a [Instance],
    of: usize,
    verdicts: &'a Verdicts,
    arguments: &'a VerifyArguments,
}

impl Shown<'_> {
    fn count(&self, such: impl Fn(&Verdict) -> bool) -> usize {
        self.verdicts.values().filter(|verdict| such(verdict)).count()
    }

    fn lines(&self) -> impl Iterator<Item = (&str, &Verdict)> {
        self.chosen.iter().filter_map(|instance| Some((instance.name(), self.verdicts.get(instance.name())?)))
    }

    fn as_text(&self) -> String {
        let mut text = String::new();
        for (name, verdict) in self.lines() {
            text.push_str(&format!("{:<16} {name}\n", word(verdict)));
            let details: Vec<String> = match verdict {
                Verdict::Identical => Vec::new(),
                Verdict::Within { files } | Verdict::Differs { files } => {
                    files.iter().map(ToString::to_string).collect()
                }
                Verdict::Failed { error } => vec![error.clone()],
                Verdict::CouldNotRun { why } => vec![why.clone()],
            };
            text.extend(details.iter().map(|detail| format!("{:<16}   {detail}\n", "")));
        }
        let [identical, within, differs, failed, could_not] = self.counts();
        text.push_str(&format!("\n{} of {}", self.chosen.len(), count(self.of, "stage")));
        if let Some(sample) = self.arguments.sample {
            text.push_str(&format!(" (a sample of {}, seed {})", shown(sample), self.arguments.seed));
        }
        text.push_str(&format!(": {identical} identical"));
        if let Some(tolerance) = self.arguments.tolerance {
            text.push_str(&format!(", {within} equal within {tolerance:e}"));
        }
        text.push_str(&format!(", {differs} differ, {failed} failed, {could_not} could not run\n"));
        if let Some(folder) = &self.arguments.scratch {
            text.push_str(&format!("what was made is in `{}`\n", folder.display()));
        }
        text
    }

    fn counts(&self) -> [usize; 5] {
        [
            self.count(|verdict| matches!(verdict, Verdict::Identical)),
            self.count(|verdict| matches!(verdict, Verdict::Within { .. })),
            self.count(|verdict| matches!(verdict, Verdict::Differs { .. })),
            self.count(|verdict| matches!(verdict, Verdict::Failed { .. })),
            self.count(|verdict| matches!(verdict, Verdict::CouldNotRun { .. })),
        ]
    }

    fn as_json(&self) -> String {
        let [identical, within, differs, failed, could_not_run] = self.counts();
        let stages: Vec<serde_json::Value> = self
            .lines()
            .map(|(name, verdict)| {
                let mut line = json!(verdict);
                line["stage"] = name.into();
                line
            })
            .collect();
        let counts = json!({
            "identical": identical,
            "within": within,
            "differs": differs,
            "failed": failed,
            "could_not_run": could_not_run,
        });
        let sample = self.arguments.sample.map(shown);
        format!(
            "{:#}\n",
            json!({
                "stages": stages,
                "counts": counts,
                "of": self.of,
                "sample": sample,
                "seed": self.arguments.seed,
                "tolerance": self.arguments.tolerance,
            })
        )
    }

    /// A difference is told first, then failures, then what could not be tried.
    fn judge(&self, summary: &Summary) -> Result<(), Failure> {
        let [_, _, differs, failed, could_not_run] = self.counts();
        let total = self.chosen.len();
        if differs > 0 {
            return Err(Failure::Differs { message: format!("{differs} of {total} stages give other results") });
        }
        if failed > 0 {
            let kinds = summary.failures.iter().map(|failure| failure.error.kind);
            let fault: StageErrorKind = failure::fault(kinds);
            let hint = Some("`--scratch DIR` keeps the logs of what was run".to_owned());
            return Err(Failure::Stages { failed, total, fault, hint });
        }
        if could_not_run > 0 {
            let file = super::shell_word(&self.arguments.pipeline.file.display().to_string());
            return Err(Failure::Input {
                message: format!("{could_not_run} of {total} stages could not be made again"),
                hint: Some(format!(
                    "`compt run {file}` brings them up to date; `--stages` and `--sample` choose others"
                )),
            });
        }
        Ok(())
    }
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Identical => "identical",
        Verdict::Within { .. } => "within tolerance",
        Verdict::Differs { .. } => "differs",
        Verdict::Failed { .. } => "failed",
        Verdict::CouldNotRun { .. } => "could not run",
    }
}

fn shown(sample: Sample) -> String {
    match sample {
        Sample::Percent(share) => format!("{share}%"),
        Sample::Count(count) => count.to_string(),
    }
}

fn tolerance(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        _ => Err("expected a number that is not negative, for example `1e-6`".to_owned()),
    }
}
