//! `--only`, `--until`, `--from` and `--force`: which part of a pipeline a command is about.

use clap::Args;

use super::failure::Failure;
use super::session::Session;
use super::shell_word;
use crate::plan::State;
use crate::plan::selection::{Request, RequestError};

/// So many missing results are named.
const NAMED: usize = 3;

/// The part of a pipeline that `run` or `plan` is about.
#[derive(Debug, Args)]
pub struct RequestArguments {
    /// Nothing but what a selection means: `--only 'fit[seed=1]'`; the results that it reads must be there. May be given
    /// more than once, as the three below
    #[arg(long, value_name = "SELECTION")]
    pub only: Vec<String>,
    /// What a selection means, and everything that it reads
    #[arg(long, value_name = "SELECTION")]
    pub until: Vec<String>,
    /// What a selection means, and everything that reads it (with what that needs besides)
    #[arg(long, value_name = "SELECTION")]
    pub from: Vec<String>,
    /// Run stages even if their results are there: all, or those that a selection means: `--force='fit[method=spp]'`
    #[arg(long, value_name = "SELECTION", num_args = 0..=1, require_equals = true, default_missing_value = "*")]
    pub force: Vec<String>,
}

impl RequestArguments {
    /// What is asked for.
    pub fn request(&self) -> Request {
        Request {
            only: self.only.clone(),
            until: self.until.clone(),
            from: self.from.clone(),
            force: self.force.clone(),
        }
    }

    /// Fails when `--only` needs what is not there; `states` of the instances of the part.
    pub fn check(&self, session: &Session, states: &[State], file: &std::path::Path) -> Result<(), Failure> {
        let missing = session.part.missing(states);
        if missing.is_empty() {
            return Ok(());
        }
        let instances = &session.part_plan().instances;
        let names: Vec<String> = missing.iter().take(NAMED).map(|&id| format!("`{}`", instances[id].name())).collect();
        let more = match missing.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let until: String = self.only.iter().map(|text| format!(" --until {}", shell_word(text))).collect();
        Err(Failure::Input {
            message: format!("`--only` runs nothing else, but what it reads is not there: {}{more}", names.join(", ")),
            hint: Some(format!(
                "`compt run {}{until}` makes that too; `compt why` with one of these names says why it is not there",
                shell_word(&file.display().to_string())
            )),
        })
    }
}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        Self::Usage { message: error.to_string(), hint: Some(error.help()).filter(|help| !help.is_empty()) }
    }
}
