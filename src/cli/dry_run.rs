//! `compt run --dry-run`: what would become of each instance. Reads, and changes nothing.

use serde_json::{Value, json};

use super::arguments::RunArguments;
use super::failure::Failure;
use super::run::options;
use super::session::{Cache, Missing, Session};
use super::times::Times;
use crate::exec::needs;
use crate::plan::State;
use crate::plan::fate::{Fate, Fates, fates};
use crate::protocol::StageError;

/// Prints a line for each instance, in the order of the plan, and how many there are of each fate.
pub fn dry_run(arguments: &RunArguments) -> Result<(), Failure> {
    let request = arguments.request.request();
    let session = Session::open_part(&arguments.pipeline, &request, Cache::Read, Missing::IsShown)?;
    let states = session.assess_part();
    arguments.request.check(&session, &states, &arguments.pipeline.file)?;
    let plan = session.part_plan();
    let options = options(arguments, &session);
    let short = needs::shortages(plan, &session.numeric, &options);
    let told = fates(plan, &states, &plan.firsts(&session.numeric), |id| short[id].is_some(), arguments.fail_fast);
    let times = Times::of(&session, &told, options);
    let fail_fast = arguments.fail_fast;
    let told = Told { session: &session, states: &states, fates: &told, short: &short, fail_fast };
    super::print(&match arguments.json {
        true => told.as_json(&times),
        false => told.as_text() + &times.as_text(),
    });
    Ok(())
}

/// What is said of the instances of the part, each in its place.
struct Told<'a> {
    session: &'a Session,
    states: &'a [State],
    fates: &'a [Fate],
    /// Why those have no room that have none.
    short: &'a [Option<StageError>],
    /// Whether the run stops at the first failure.
    fail_fast: bool,
}

impl Told<'_> {
    fn name(&self, id: usize) -> &str {
        self.session.part_plan().instances[id].name()
    }

    fn as_json(&self, times: &Times<'_>) -> String {
        let stage = |(id, (fate, state)): (usize, (&Fate, &State))| {
            let (fate, same_as, because) = match fate {
                Fate::Cached => ("cached", None, None),
                Fate::Runs => ("runs", None, None),
                Fate::Shares { with } => ("shares", Some(self.name(*with)), None),
                Fate::MayRun => ("may_run", None, None),
                Fate::Fails => ("fails", None, None),
                Fate::Skipped { because } => ("skipped", None, Some(self.name(*because))),
                Fate::Left { because } => ("left", None, Some(self.name(*because))),
            };
            let shortage = self.shortage(id).map(|short| json!({ "message": short.message, "hint": short.hint }));
            json!({
                "stage": self.name(id), "fate": fate, "same_as": same_as, "because": because, "shortage": shortage,
                "state": state, "expected_seconds": times.each[id],
            })
        };
        let stages: Vec<Value> = self.fates.iter().zip(self.states).enumerate().map(stage).collect();
        super::as_json(&json!({
            "pipeline": self.session.part_plan().pipeline, "totals": Fates::of(self.fates),
            "expected": times.as_json(), "stages": stages,
        }))
    }

    fn as_text(&self) -> String {
        let mut text = String::new();
        for (id, (fate, state)) in self.fates.iter().zip(self.states).enumerate() {
            let (word, why) = match (fate, self.shortage(id)) {
                (Fate::Cached, _) => ("cached", String::new()),
                (Fate::Runs, _) => ("runs", sentence(state)),
                (Fate::Shares { with }, _) => ("shared", format!("the same work as {}", self.name(*with))),
                (Fate::MayRun, None) => ("may run", sentence(state)),
                (Fate::MayRun, Some(short)) => ("may fail", format!("{}: {}", self.unless(), said(short))),
                (Fate::Fails, short) => ("fails", short.map(said).unwrap_or_default()),
                (Fate::Skipped { because }, _) => ("skipped", format!("{} fails", self.name(*because))),
                (Fate::Left { because }, _) => {
                    ("left", format!("{} fails, and `--fail-fast` stops the run then", self.name(*because)))
                }
            };
            text.push_str(format!("{word:<8} {}  {why}", self.name(id)).trim_end());
            text.push('\n');
        }
        for (source, why) in &self.session.unknown {
            text.push_str(&format!("{source}: {why}\n"));
        }
        text.push_str(&format!("\n{}\n", Fates::of(self.fates)));
        let is_left = |fate: &Fate| matches!(fate, Fate::Left { .. });
        let may_stop = (0..self.fates.len()).any(|id| self.shortage(id).is_some()) && !self.fates.iter().any(is_left);
        if self.fail_fast && may_stop {
            text.push_str("`--fail-fast` stops the run when one of them fails: what may run may also be left then\n");
        }
        text
    }

    /// When an instance without room does not fail.
    fn unless(&self) -> &'static str {
        match self.fail_fast {
            true => "unless its result turns out to be there or the run stops before",
            false => "unless its result turns out to be there",
        }
    }

    /// Why there is no room for an instance that needs some.
    fn shortage(&self, id: usize) -> Option<&StageError> {
        self.short[id].as_ref().filter(|_| matches!(self.fates[id], Fate::Fails | Fate::MayRun))
    }
}

fn said(error: &StageError) -> String {
    match &error.hint {
        Some(hint) => format!("{error}: {hint}"),
        None => error.to_string(),
    }
}

fn sentence(state: &State) -> String {
    match state {
        State::Cached { .. } => String::new(),
        State::Run { reasons, .. } => reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
    }
}
