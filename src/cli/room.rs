//! `--jobs`, `--resource` and `--gpus`: what there is for the stages that a command runs.

use std::collections::BTreeSet;

use clap::Args;

use super::arguments::{PipelineArguments, assignment};
use super::session::Session;
use crate::exec::{Options, resources};

/// How much room the stages of a run have.
#[derive(Debug, Default, Args)]
pub struct RoomArguments {
    /// How many training and evaluation stages and programs run at once [default: cores / threads, or one for each GPU]
    #[arg(long, short, value_name = "N", value_parser = jobs)]
    pub jobs: Option<usize>,
    /// How much there is of a resource that stages name: `--resource mem_gb=64`; may be given more than once
    #[arg(long = "resource", value_name = "NAME=N", value_parser = amount)]
    pub resources: Vec<(String, u64)>,
    /// The GPUs to use, by id: `--gpus 0,1` [default: all that are visible]
    #[arg(long, value_name = "IDS", value_parser = gpus)]
    pub gpus: Option<String>,
}

impl RoomArguments {
    /// `--jobs` workers, or as many as the cores have room for; on CUDA the GPUs that were named, or all of them.
    /// Everything else is as by default.
    pub fn options(&self, pipeline: &PipelineArguments, session: &Session) -> Options {
        let defaults = Options::default();
        let gpus = match (&self.gpus, pipeline.device.split_once(':')) {
            (Some(list), _) => resources::parse_gpus(list),
            (None, Some((_, id))) => vec![id.to_owned()],
            (None, None) => defaults.gpus.clone(),
        };
        let mut amounts = defaults.resources.clone();
        amounts.extend(self.resources.iter().cloned());
        for name in self.needless(session) {
            super::warn(&format!(
                "no stage of this pipeline needs `{name}`; `resources` of a stage says what it needs"
            ));
        }
        let jobs = self.jobs.unwrap_or_else(|| default_jobs(session, &gpus));
        Options { jobs, gpus, resources: amounts, secrets: super::secrets(), ..defaults }
    }

    /// What was given of resources that no stage names: perhaps a name is misspelled.
    fn needless<'a>(&'a self, session: &Session) -> impl Iterator<Item = &'a str> {
        let stages = &session.pipeline.stages;
        let is_needed =
            |name: &str| name == resources::CPU || stages.iter().any(|stage| stage.resources.contains_key(name));
        let given: BTreeSet<&str> = self.resources.iter().map(|(name, _)| name.as_str()).collect();
        given.into_iter().filter(move |name| !is_needed(name))
    }
}

/// How many stages at once.
fn jobs(text: &str) -> Result<usize, String> {
    let given = text.trim().parse().ok().filter(|jobs| *jobs > 0);
    given.ok_or_else(|| "expected a whole number from 1 on, for example `--jobs 4`".to_owned())
}

/// How many workers run at once when nobody says it: as many as the cores have room for, or one for each GPU.
fn default_jobs(session: &Session, gpus: &[String]) -> usize {
    match session.numeric.device.as_str() {
        "cpu" => (resources::cores() / session.numeric.threads).max(1),
        _ => gpus.len().max(1),
    }
}

/// A list of GPUs as it was given, each once: it would be handed out twice otherwise.
fn gpus(text: &str) -> Result<String, String> {
    let ids: Vec<&str> = text.split(',').map(str::trim).collect();
    // `00` would be another name of `0`.
    let is_number = |id: &str| id.parse::<u32>().is_ok_and(|number| number.to_string() == id);
    let is_name =
        |id: &str| ["GPU-", "MIG-"].iter().any(|kind| id.strip_prefix(kind).is_some_and(|rest| !rest.is_empty()));
    let is_id = |id: &&str| is_number(id) || is_name(id);
    if let Some(id) = ids.iter().find(|id| !is_id(id)) {
        return Err(format!(
            "`{id}` is no GPU; expected numbers, or names as `nvidia-smi -L` tells them, for example `--gpus 0,1`"
        ));
    }
    match ids.iter().enumerate().find(|(at, id)| ids[..*at].contains(id)) {
        Some((_, id)) => Err(format!("GPU `{id}` is named twice; name each one once, for example `--gpus 0,1`")),
        None => Ok(text.to_owned()),
    }
}

fn amount(text: &str) -> Result<(String, u64), String> {
    let example = "for example `--resource mem_gb=64`";
    let (name, value) = assignment(text).map_err(|_| format!("expected NAME=N, {example}"))?;
    let value = value.trim().parse().map_err(|_| format!("expected a whole number, {example}"))?;
    match (name.as_str(), value) {
        (resources::GPU, _) => Err("GPUs have names: `--gpus 0,1` says which there are".to_owned()),
        (resources::WORKER | resources::LIGHT, _) => Err("`--jobs N` says how many stages run at once".to_owned()),
        (resources::CPU, 0) => Err("a run needs a core: expected a number from 1 on".to_owned()),
        _ => Ok((name, value)),
    }
}
