//! `--jobs`, `--resource` and `--gpus`: what there is for the stages that a command runs.

use clap::Args;

use super::arguments::{PipelineArguments, assignment};
use super::session::Session;
use crate::exec::{Options, resources};

/// How much room the stages of a run have.
#[derive(Debug, Default, Args)]
pub struct RoomArguments {
    /// How many training and evaluation stages and programs run at once [default: cores / threads, or one for each GPU]
    #[arg(long, short, value_name = "N")]
    pub jobs: Option<usize>,
    /// How much there is of a resource that stages name: `--resource mem_gb=64`; may be given more than once
    #[arg(long = "resource", value_name = "NAME=N", value_parser = amount)]
    pub resources: Vec<(String, u64)>,
    /// The GPUs to use, by id: `--gpus 0,1` [default: all that are visible]
    #[arg(long, value_name = "IDS")]
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
        let jobs = self.jobs.unwrap_or_else(|| default_jobs(session, &gpus));
        Options { jobs: jobs.max(1), gpus, resources: amounts, secrets: super::secrets(), ..defaults }
    }
}

/// How many workers run at once when nobody says it: as many as the cores have room for, or one for each GPU.
fn default_jobs(session: &Session, gpus: &[String]) -> usize {
    match session.numeric.device.as_str() {
        "cpu" => (resources::cores() / session.numeric.threads).max(1),
        _ => gpus.len().max(1),
    }
}

fn amount(text: &str) -> Result<(String, u64), String> {
    let (name, value) = assignment(text)?;
    let value = value.trim().parse().map_err(|_| "expected a whole number, for example `--resource mem_gb=64`")?;
    Ok((name, value))
}
