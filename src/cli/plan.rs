//! `compt plan`: what `run` would do, grouped by stage, with the reasons.

use serde_json::json;

use super::arguments::PlanArguments;
use super::failure::Failure;
use super::session::{Cache, Missing, Session};
use crate::plan::State;
use crate::plan::summary::{lines, summarize};

/// Prints the plan. Executes nothing, downloads nothing, writes nothing.
pub fn plan(arguments: &PlanArguments) -> Result<(), Failure> {
    let request = arguments.request.request();
    let session = Session::open_part(&arguments.pipeline, &request, Cache::Read, Missing::IsShown)?;
    let states = session.assess_part();
    let plan = session.part_plan();
    let instances = &plan.instances;
    let firsts = plan.firsts(&session.numeric);
    let shared = instances.iter().filter(|instance| firsts[instance.id] != instance.id).count();
    if arguments.json {
        let stages: Vec<_> = instances
            .iter()
            .zip(&states)
            .map(|(instance, state)| {
                let first = &instances[firsts[instance.id]];
                let same_as = (first.id != instance.id).then(|| first.name());
                json!({ "instance": instance, "state": state, "same_as": same_as })
            })
            .collect();
        super::print(&format!("{:#}\n", json!({ "pipeline": plan.pipeline, "shared": shared, "stages": stages })));
        return Ok(());
    }
    let mut text = lines(&summarize(plan, &states)).join("\n");
    text.push('\n');
    for (source, why) in &session.unknown {
        text.push_str(&format!("{source}: {why}\n"));
    }
    let total = states.len();
    let cached = states.iter().filter(|state| state.output().is_some()).count();
    let waiting = states.iter().filter(|state| State::may_be_unchanged(state)).count();
    text.push_str(&match (total - cached - waiting, waiting) {
        (0, 0) => format!("\n{total} stages, all cached: nothing to run\n"),
        (run, 0) => format!("\n{total} stages: {cached} cached, {run} to run\n"),
        (run, waiting) => {
            format!("\n{total} stages: {cached} cached, {run} to run, {waiting} wait for those and run if what they read changes\n")
        }
    });
    if shared > 0 {
        text.push_str(&format!(
            "{total} stages, {shared} shared: they are the same work as another one, which runs once\n"
        ));
    }
    super::print(&text);
    Ok(())
}
