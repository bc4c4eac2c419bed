//! `command`: any program, in a private folder, with declared inputs and outputs.
//!
//! The folder has the declared files of the project, what the stage reads under `inputs/`, and the parameters as
//! `parameters.json`, if there are any. Of what the program leaves there, the declared outputs become the stage's result;
//! whatever else it wrote is reported. See `docs/commands.md` for what is kept from the program and what can't be.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Operation, parameters, parameters_of};
use crate::plan::catalog::{ANY, ParameterError, Place, Resolved, SourceRef};
use crate::protocol::{Job, Reporter, StageError};
use folder::Folder;

pub(super) mod check;
mod environment;
mod folder;
mod input_folders;
mod inputs;
mod outputs;
mod process;
mod words;

/// Bumped when a program finds another folder or another environment for the same parameters.
const VERSION: u32 = 3;

/// The fact of a record that names undeclared writes.
const UNDECLARED: &str = "undeclared_writes";

/// So many undeclared writes are named.
const NAMED: usize = 20;

/// The operation.
pub struct Command;

/// The parameters of `command`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// The program and its arguments, a word each. No shell reads them; for a line of shell write `[sh, -c, "..."]`.
    #[serde(deserialize_with = "words::list")]
    #[schemars(schema_with = "words::list_schema")]
    pub program: Vec<String>,
    /// Files and folders of the project that the program reads. They are copied to the same paths in its folder, and their
    /// content is part of the key.
    #[serde(default)]
    pub files: Vec<String>,
    /// Values for the program: `parameters.json`, and `COMPT_PARAM_NAME` in its environment.
    #[serde(default)]
    pub parameters: BTreeMap<String, Value>,
    /// What the program writes and the stage keeps: paths in its folder. A folder stands for all that is in it, `*` for any
    /// characters but `/`; each must be there in the end.
    pub outputs: Vec<String>,
    /// Variables of the environment that are passed on; their values are not part of the key.
    #[serde(default = "environment::usual")]
    pub environment: Vec<String>,
    /// Variables that are set; part of the key.
    #[serde(default, deserialize_with = "words::map")]
    #[schemars(schema_with = "words::map_schema")]
    pub variables: BTreeMap<String, String>,
    /// Variables that must be there and are passed on, and whose values are written down nowhere.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// Whether the program gets a folder that outlives a killed or failed attempt, `COMPT_CHECKPOINTS`.
    #[serde(default)]
    pub checkpoints: bool,
    /// Whether the outputs are copied to the pipeline's output folder.
    #[serde(default, skip_serializing)]
    pub publish: bool,
}

impl Operation for Command {
    fn name(&self) -> &'static str {
        "command"
    }

    fn about(&self) -> &'static str {
        "Runs any program in a private folder with declared inputs and outputs; undeclared writes are reported"
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(Parameters)
    }

    fn resolve(&self, given: &Value, root: &Path) -> Result<Resolved, Vec<ParameterError>> {
        let read: Parameters = parameters::read(given)?;
        let faults = check::faults(&read, root);
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Resolved {
            version: VERSION,
            parameters: parameters::complete(&read),
            accepts: ANY,
            sources: read.files.into_iter().map(SourceRef::File).collect(),
            // The names of its input folders.
            reads_coordinates: true,
            place: Place::Program,
            publishes: read.publish,
        })
    }

    fn run(&self, job: &Job, reporter: &mut dyn Reporter) -> Result<(), StageError> {
        let parameters: Parameters = parameters_of(job)?;
        // Before anything is made: a missing secret.
        let mut environment = environment::of(&parameters)?;
        let mut folder = Folder::prepare(job, &parameters)?;
        environment.add_settings(job);
        if parameters.checkpoints {
            environment.add_checkpoints(&job.scratch)?;
        }
        let ended = process::run(&parameters.program, folder.path(), &environment, reporter)?;
        let found = folder.found()?;
        if !found.spoiled.is_empty() {
            let names = quoted(&found.spoiled);
            return Err(StageError::input(format!("the program changed what it was given to read: {names}"))
                .with_hint(
                    "let it write a file of its own; a result that it has damaged is made again by the next run",
                ));
        }
        ended.check(&parameters.program, folder.path())?;
        let undeclared = outputs::undeclared(&found.written, &parameters.outputs)?;
        if !(undeclared.is_empty() && folder.becomes_result(&found)) {
            folder.keep_only(found.written.iter().filter(|path| !undeclared.contains(path)))?;
        }
        if !undeclared.is_empty() {
            reporter.warn(&format!(
                "undeclared writes, which are not kept: {}; name them in `outputs` if they are results",
                quoted(&undeclared)
            ));
            reporter.fact(UNDECLARED, json!(undeclared));
        }
        Ok(())
    }

    fn end_of_run(&self) {
        inputs::put_away();
    }
}

/// The first names of a list in backticks, and how many more there are.
fn quoted(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};

    use super::Command;
    use crate::operation::Operation;
    use crate::protocol::{Compute, Job, Reporter};

    /// Hears whether others may have what the program was given to compute with.
    struct Heard(bool);

    impl Reporter for Heard {
        fn progress(&mut self, _: u64, _: u64, _: &str, _: &str) {}
        fn log(&mut self, _: &str) {}
        fn computed(&mut self) {
            self.0 = true;
        }
        fn fact(&mut self, _: &str, _: Value) {}
    }

    /// Whether a program gives back what it had, and whether the stage ends well.
    fn gives_back(line: &str) -> (bool, bool) {
        let folder = tempfile::tempdir().unwrap();
        let written = json!({ "program": ["sh", "-c", line], "outputs": ["out"] });
        let resolved = Command.resolve(&written, Path::new("")).unwrap();
        let job = Job {
            id: 1,
            stage: "say".to_owned(),
            operation: "command".to_owned(),
            parameters: resolved.parameters,
            inputs: Vec::new(),
            sources: Vec::new(),
            output: folder.path().join("result"),
            scratch: folder.path().join("scratch"),
            compute: Compute { device: "cpu".to_owned(), threads: 1 },
        };
        fs_err::create_dir(&job.output).unwrap();
        let mut heard = Heard(false);
        let ended = Command.run(&job, &mut heard);
        (heard.0, ended.is_ok())
    }

    #[test]
    fn others_get_what_the_program_had_when_it_has_ended_well() {
        assert_eq!(gives_back("echo > out"), (true, true));
        assert_eq!(gives_back("exit 3"), (false, false));
        // What it wrote is looked at afterwards.
        assert_eq!(gives_back("echo > another"), (true, false));
    }
}
