//! The environment of a program: nothing but what is passed on, set or said.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use serde_json::Value;

use super::Parameters;
use crate::protocol::{Job, StageError};
use crate::spec::AxisValue;

/// Before the name of a parameter.
pub(super) const PREFIX: &str = "COMPT_PARAM_";

/// The folder for what shall outlive a killed attempt.
const CHECKPOINTS: &str = "COMPT_CHECKPOINTS";

/// What programs can hardly do without.
pub(super) fn usual() -> Vec<String> {
    ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR"].map(str::to_owned).to_vec()
}

/// All variables of a program.
#[derive(Debug, Default)]
pub(super) struct Environment {
    /// By name.
    pub variables: BTreeMap<OsString, OsString>,
    /// Names and values that must be written down nowhere.
    secrets: Vec<(String, String)>,
}

/// What the parameters ask for.
///
/// # Errors
/// A secret is not there.
pub(super) fn of(parameters: &Parameters) -> Result<Environment, StageError> {
    let mut environment = Environment::default();
    for name in &parameters.environment {
        environment.variables.extend(std::env::var_os(name).map(|value| (name.into(), value)));
    }
    // What Python would leave beside a script is no result and no news.
    environment.set("PYTHONDONTWRITEBYTECODE", "1");
    for (name, value) in &parameters.variables {
        environment.set(name, value);
    }
    for (name, value) in &parameters.parameters {
        let text = AxisValue::new(value.clone()).map_or_else(|| plain(value), |value| value.text);
        environment.set(&format!("{PREFIX}{}", name.to_uppercase()), &text);
    }
    for name in &parameters.secrets {
        let Some(value) = std::env::var_os(name).filter(|value| !value.is_empty()) else {
            return Err(StageError::environment(format!("the secret `{name}` is not in the environment"))
                .with_hint(format!("type `export {name}=...` before the same command")));
        };
        environment.secrets.push((name.clone(), value.to_string_lossy().into_owned()));
        environment.variables.insert(name.into(), value);
    }
    Ok(environment)
}

impl Environment {
    fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.into(), value.into());
    }

    /// Adds where checkpoints go, a folder that is made if it isn't there.
    ///
    /// # Errors
    /// When it can't be made.
    pub(super) fn add_checkpoints(&mut self, folder: &Path) -> Result<(), StageError> {
        fs_err::create_dir_all(folder)?;
        self.variables.insert(CHECKPOINTS.into(), std::path::absolute(folder)?.into_os_string());
        Ok(())
    }

    /// Adds how to compute.
    pub(super) fn add_settings(&mut self, job: &Job) {
        let gpus = job.compute.device.strip_prefix("cuda:").unwrap_or_default();
        for (name, value) in
            [("OMP_NUM_THREADS", job.compute.threads.to_string()), ("CUDA_VISIBLE_DEVICES", gpus.to_owned())]
        {
            self.variables.entry(name.into()).or_insert_with(|| value.into());
        }
    }

    /// `line` without the values of secrets.
    pub(super) fn censor(&self, mut line: String) -> String {
        for (name, value) in &self.secrets {
            if line.contains(value.as_str()) {
                line = line.replace(value.as_str(), &format!("[{name}]"));
            }
        }
        line
    }
}

/// A list or a map as JSON, nothing for no value.
fn plain(value: &Value) -> String {
    if value.is_null() { String::new() } else { value.to_string() }
}
