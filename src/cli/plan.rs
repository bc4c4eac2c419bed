//! `compt plan`: what `run` would do, grouped by stage and axis, with the reasons and the time that it takes.

use serde_json::json;

use super::arguments::PlanArguments;
use super::failure::Failure;
use super::room::RoomArguments;
use super::session::{Cache, Missing, Session};
use super::times::Times;
use crate::plan::fate::{Fates, fates};
use crate::plan::summary::{lines, summarize};

/// Prints the plan. Executes nothing, downloads nothing, writes nothing.
pub fn plan(arguments: &PlanArguments) -> Result<(), Failure> {
    let request = arguments.request.request();
    let session = Session::open_part(&arguments.pipeline, &request, Cache::Read, Missing::IsShown)?;
    let states = session.assess_part();
    let plan = session.part_plan();
    let instances = &plan.instances;
    let firsts = plan.firsts(&session.numeric);
    let told = fates(plan, &states, &firsts, |_| false, false);
    let times = Times::of(&session, &told, RoomArguments::default().options(&arguments.pipeline, &session));
    let shared = instances.iter().filter(|instance| firsts[instance.id] != instance.id).count();
    let counts = Fates::of(&told);
    if arguments.json {
        let stages: Vec<_> = instances
            .iter()
            .zip(&states)
            .map(|(instance, state)| {
                let first = &instances[firsts[instance.id]];
                let same_as = (first.id != instance.id).then(|| first.name());
                let expected = times.each[instance.id];
                json!({ "instance": instance, "state": state, "same_as": same_as, "expected_seconds": expected })
            })
            .collect();
        super::print(&super::as_json(&json!({
            "pipeline": plan.pipeline,
            "shared": shared,
            // What has no room is not known here.
            "totals": {
                "cached": counts.cached, "run": counts.run, "shared": counts.shared, "may_run": counts.may_run,
            },
            "expected": times.as_json(),
            "stages": stages,
        })));
        return Ok(());
    }
    let remarks: Vec<String> = plan.stages.iter().map(|stage| times.work(stage.instances.clone()).known()).collect();
    let mut text = lines(&summarize(plan, &states), &remarks).join("\n");
    text.push('\n');
    for (source, why) in &session.unknown {
        text.push_str(&format!("{source}: {why}\n"));
    }
    text.push_str(&format!("\n{counts}\n{}", times.as_text()));
    if shared > 0 {
        let total = states.len();
        text.push_str(&format!(
            "{total} stages, {shared} shared: they are the same work as another one, which runs once\n"
        ));
    }
    super::print(&text);
    Ok(())
}
