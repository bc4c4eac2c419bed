//! `compt run --dry-run`: what would become of each instance. Reads, and changes nothing.

use serde_json::{Value, json};

use super::arguments::RunArguments;
use super::failure::Failure;
use super::run::options;
use super::session::{Cache, Missing, Session};
use super::times::Times;
use crate::plan::State;
use crate::plan::fate::{Fate, Fates, fates};

/// Prints a line for each instance, in the order of the plan, and how many there are of each fate.
pub fn dry_run(arguments: &RunArguments) -> Result<(), Failure> {
    let request = arguments.request.request();
    let session = Session::open_part(&arguments.pipeline, &request, Cache::Read, Missing::IsShown)?;
    let states = session.assess_part();
    arguments.request.check(&session, &states, &arguments.pipeline.file)?;
    let told = fates(&states, &session.part_plan().firsts(&session.numeric));
    let times = Times::of(&session, &told, options(arguments, &session));
    super::print(&match arguments.json {
        true => as_json(&session, &states, &told, &times),
        false => as_text(&session, &states, &told) + &times.as_text(),
    });
    Ok(())
}

fn as_json(session: &Session, states: &[State], told: &[Fate], times: &Times<'_>) -> String {
    let plan = session.part_plan();
    let name = |id: usize| plan.instances[id].name();
    let stages: Vec<Value> = told
        .iter()
        .zip(states)
        .enumerate()
        .map(|(id, (fate, state))| {
            let (fate, same_as) = match fate {
                Fate::Cached => ("cached", None),
                Fate::Runs => ("runs", None),
                Fate::Shares { with } => ("shares", Some(name(*with))),
                Fate::MayRun => ("may_run", None),
            };
            let expected = times.each[id];
            json!({
                "stage": name(id), "fate": fate, "same_as": same_as, "state": state, "expected_seconds": expected,
            })
        })
        .collect();
    super::as_json(&json!({
        "pipeline": plan.pipeline, "totals": Fates::of(told), "expected": times.as_json(), "stages": stages,
    }))
}

fn as_text(session: &Session, states: &[State], told: &[Fate]) -> String {
    let instances = &session.part_plan().instances;
    let mut text = String::new();
    for ((instance, fate), state) in instances.iter().zip(told).zip(states) {
        let (word, why) = match fate {
            Fate::Cached => ("cached", String::new()),
            Fate::Runs => ("runs", sentence(state)),
            Fate::Shares { with } => ("shared", format!("the same work as {}", instances[*with].name())),
            Fate::MayRun => ("may run", sentence(state)),
        };
        text.push_str(format!("{word:<8} {}  {why}", instance.name()).trim_end());
        text.push('\n');
    }
    for (source, why) in &session.unknown {
        text.push_str(&format!("{source}: {why}\n"));
    }
    text.push_str(&format!("\n{}\n", Fates::of(told)));
    text
}

fn sentence(state: &State) -> String {
    match state {
        State::Cached { .. } => String::new(),
        State::Run { reasons, .. } => reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
    }
}
