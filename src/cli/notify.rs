//! `compt run --notify`: tells a command of the user's how the run ended.

use serde_json::json;

use super::arguments::RunArguments;
use super::failure::Failure;
use super::run;
use super::session::Session;
use super::ui;
use crate::exec::Summary;
use crate::exec::hook::{Hook, Note};
use crate::exec::journal::Outcome;

/// Stages that are named in a variable; all of them stand in the JSON line.
const NAMED: usize = 20;

/// A run that is over.
pub struct Over<'a> {
    /// What was typed.
    pub arguments: &'a RunArguments,
    /// The pipeline.
    pub session: &'a Session,
    /// What became of its stages.
    pub summary: &'a Summary,
    /// What the command ends with, if not well.
    pub failure: Option<&'a Failure>,
    /// The run's name, if it has a journal.
    pub run: Option<&'a str>,
}

/// Tells it, if that is wished and the run was long enough. A command that fails is a warning and nothing else.
pub fn notify(over: &Over<'_>) {
    let Some(hook) = over.arguments.notify.as_deref().and_then(Hook::new) else { return };
    let long = over.summary.totals.seconds;
    if over.arguments.notify_after.is_some_and(|least| long < least.as_secs_f64()) {
        return;
    }
    if let Err(error) = hook.tell(&over.note()) {
        let message = format!("the run is over, but `--notify` was not heard: {error}");
        run::warn(over.arguments, over.summary, &message);
    }
}

impl Over<'_> {
    fn outcome(&self) -> Outcome {
        match self.failure {
            None => Outcome::Done,
            Some(Failure::Interrupted) => Outcome::Interrupted,
            Some(_) => Outcome::Failed,
        }
    }

    /// `toy: done, 8 stages: 3 run, 5 cached in 4.1 s`.
    fn message(&self) -> String {
        let how = match self.failure {
            None => "done".to_owned(),
            Some(Failure::Interrupted) => "interrupted".to_owned(),
            Some(failure) => format!("failed ({failure})"),
        };
        format!("{}: {how}, {}", self.session.plan.pipeline, ui::summary(&self.summary.totals))
    }

    fn note(&self) -> Note {
        let totals = &self.summary.totals;
        let code = self.failure.map_or(0, Failure::exit_code);
        let file = self.arguments.pipeline.file.display().to_string();
        let outputs = self.arguments.outputs.join(&self.session.plan.pipeline).display().to_string();
        let failed: Vec<&str> = self.summary.failures.iter().map(|failure| failure.stage.as_str()).collect();
        let named = failed[..failed.len().min(NAMED)].join("\n");
        let outcome = json!(self.outcome());
        let message = self.message();
        let line = json!({
            "run": self.run,
            "outcome": outcome,
            "exit_code": code,
            "message": message,
            "pipeline": self.session.plan.pipeline,
            "file": file,
            "outputs": outputs,
            "stages": self.session.part_plan().instances.len(),
            "totals": totals,
            "failures": self.summary.failures.iter().map(|failure| json!({
                "stage": failure.stage,
                "kind": failure.error.kind,
                "message": failure.error.message,
                "hint": failure.error.hint,
                "log": failure.log,
            })).collect::<Vec<_>>(),
        });
        let variables = vec![
            ("COMPT_RUN", self.run.unwrap_or_default().to_owned()),
            ("COMPT_RUN_OUTCOME", outcome.as_str().unwrap_or_default().to_owned()),
            ("COMPT_RUN_EXIT_CODE", code.to_string()),
            ("COMPT_RUN_MESSAGE", message),
            ("COMPT_RUN_PIPELINE", self.session.plan.pipeline.clone()),
            ("COMPT_RUN_FILE", file),
            ("COMPT_RUN_OUTPUTS", outputs),
            ("COMPT_RUN_SECONDS", format!("{:.1}", totals.seconds)),
            ("COMPT_RUN_STAGES", self.session.part_plan().instances.len().to_string()),
            ("COMPT_RUN_EXECUTED", totals.executed.to_string()),
            ("COMPT_RUN_CACHED", (totals.cached + totals.shared).to_string()),
            ("COMPT_RUN_FAILED", totals.failed.to_string()),
            ("COMPT_RUN_FAILED_STAGES", named),
        ];
        Note { variables, input: format!("{line}\n") }
    }
}
