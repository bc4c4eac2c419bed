//! `compt show`: a stage's record, its files, its log.

use serde_json::Value;

use super::arguments::ShowArguments;
use super::failure::Failure;
use super::session::{Cache, Missing, Session};
use crate::plan::{Instance, State};
use crate::store::Record;

/// Prints what is known of each instance that is asked about.
pub fn show(arguments: &ShowArguments) -> Result<(), Failure> {
    let session = Session::open(&arguments.pipeline, Cache::Read, Missing::IsShown)?;
    let states = session.assess();
    let mut text = String::new();
    let mut records = Vec::new();
    for instance in session.instances(&arguments.stage)? {
        // The key of the plan, or else of the last result: that is what a log of a failed or changed stage is under.
        let now = match &states[instance.id] {
            State::Cached { key, .. } => Some(*key),
            State::Run { key, .. } => *key,
        };
        let latest = session.store.latest(&session.plan.pipeline, instance)?.map(|latest| latest.key);
        let keys: Vec<_> = now.into_iter().chain(latest).collect();
        if arguments.log {
            let mut logs = Vec::new();
            for key in &keys {
                logs.extend(session.store.logs(key)?);
            }
            match logs.last() {
                Some((_, path)) => text.push_str(&fs_err::read_to_string(path)?),
                None => text.push_str(&format!("{}: no attempt was made yet\n", instance.name())),
            }
            continue;
        }
        let mut found = None;
        for key in &keys {
            found = found.or(session.store.record(key)?);
        }
        match found {
            None => text.push_str(&format!("{}: no result yet; `compt why` says why\n", instance.name())),
            Some(record) if arguments.json => records.push(serde_json::to_value(record).unwrap_or(Value::Null)),
            Some(record) => {
                let current = states[instance.id].output() == Some(record.output);
                text.push_str(&describe(&session, instance, &record, current)?);
            }
        }
    }
    if arguments.json && !arguments.log {
        text = format!("{:#}\n", Value::from(records));
    }
    super::print(&text);
    Ok(())
}

fn describe(session: &Session, instance: &Instance, record: &Record, current: bool) -> Result<String, Failure> {
    let state = if current { "up to date" } else { "out of date; this is the last result" };
    let mut text = format!("{} ({state})\n", instance.name());
    let mut line = |name: &str, value: String| text.push_str(&format!("  {name:<12} {value}\n"));
    line("operation", format!("{} version {}", record.preimage.operation, record.preimage.version));
    line("key", record.key.to_string());
    line("output", record.output.to_string());
    line("seconds", format!("{:.2}", record.seconds));
    line("host", record.host.clone());
    for (name, version) in &record.versions {
        line(name, version.clone());
    }
    line("parameters", serde_json::to_string(&record.preimage.parameters).unwrap_or_default());
    for (name, fact) in &record.facts {
        line(name, fact.to_string());
    }
    line("folder", session.store.object_folder(&record.output).display().to_string());
    for (name, file) in &record.files {
        line("file", format!("{name}  {} bytes  {}", file.size, file.digest.short()));
    }
    for (attempt, path) in session.store.logs(&record.key)? {
        line("log", format!("{} (attempt {attempt})", path.display()));
    }
    Ok(text)
}
