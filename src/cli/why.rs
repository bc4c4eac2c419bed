//! `compt why`: why a stage would run, with old and new values.

use serde_json::json;

use super::arguments::WhyArguments;
use super::failure::Failure;
use super::session::{Cache, Missing, Session};
use crate::plan::State;

/// Prints one paragraph for each instance that is asked about.
pub fn why(arguments: &WhyArguments) -> Result<(), Failure> {
    let session = Session::open(&arguments.pipeline, Cache::Read, Missing::IsShown)?;
    let states = session.assess();
    let instances = session.instances(&arguments.stage)?;
    if arguments.json {
        let instances = instances.iter();
        let told: Vec<_> =
            instances.map(|instance| json!({ "stage": instance.name(), "state": states[instance.id] })).collect();
        let unknown = session.unknown.iter();
        let unknown: Vec<_> =
            unknown.map(|(source, why)| json!({ "source": source, "message": why.message })).collect();
        super::print(&super::as_json(&json!({ "instances": told, "unknown": unknown })));
        return Ok(());
    }
    let mut text = String::new();
    for instance in instances {
        text.push_str(instance.name());
        match &states[instance.id] {
            State::Cached { key, output } => {
                text.push_str(&format!(": cached\n  key    {key}\n  output {output}\n"));
            }
            State::Run { key, certain, reasons } => {
                text.push_str(if *certain { ": to run\n" } else { ": may run\n" });
                if let Some(key) = key {
                    text.push_str(&format!("  key    {key}\n"));
                }
                for reason in reasons {
                    text.push_str(&format!("  - {reason}\n"));
                }
            }
        }
    }
    for (source, why) in &session.unknown {
        text.push_str(&format!("{source}: {why}\n"));
    }
    super::print(&text);
    Ok(())
}
