//! `compt why`: why a stage would run, with old and new values.

use super::arguments::WhyArguments;
use super::failure::Failure;
use super::session::{Cache, Missing, Session};
use crate::plan::State;

/// Prints one paragraph for each instance that is asked about.
pub fn why(arguments: &WhyArguments) -> Result<(), Failure> {
    let session = Session::open(&arguments.pipeline, Cache::Read, Missing::IsShown)?;
    let states = session.assess();
    let mut text = String::new();
    for instance in session.instances(&arguments.stage)? {
        text.push_str(instance.name());
        match &states[instance.id] {
            State::Cached { key, output } => {
                text.push_str(&format!(": cached\n  key    {key}\n  output {output}\n"));
            }
            State::Run { key, reasons } => {
                text.push_str(": to run\n");
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
