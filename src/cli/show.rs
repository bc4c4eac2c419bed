//! `compt show`: a stage's record, its files, its log.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::arguments::ShowArguments;
use super::failure::Failure;
use super::session::{Cache, Missing, Session};
use crate::base::Digest;
use crate::plan::catalog::Place;
use crate::plan::{Instance, State};
use crate::store::Record;

/// Prints what is known of each instance that is asked about.
pub fn show(arguments: &ShowArguments) -> Result<(), Failure> {
    let session = Session::open(&arguments.pipeline, Cache::Read, Missing::IsShown)?;
    let states = session.assess();
    let mut text = String::new();
    let mut values = Vec::new();
    for instance in session.instances(&arguments.stage)? {
        // The key of the plan, or else of the last result: that is what a log of a failed or changed stage is under.
        let now = match &states[instance.id] {
            State::Cached { key, .. } => Some(*key),
            State::Run { key, .. } => *key,
        };
        let latest = session.store.latest(&session.plan.pipeline, instance)?.map(|latest| latest.key);
        let keys: Vec<_> = now.into_iter().chain(latest).collect();
        if arguments.log {
            let log = Log::last(&session, instance, &keys)?;
            match arguments.json {
                true => values.push(log.as_json()),
                false => text.push_str(&log.text()),
            }
            continue;
        }
        let mut found = None;
        for key in &keys {
            found = found.or(session.store.record(key)?);
        }
        let is_current = |record: &Record| states[instance.id].output() == Some(record.output);
        match found {
            found if arguments.json => {
                values.push(as_json(instance, found.as_ref(), found.as_ref().is_some_and(is_current)));
            }
            None => text.push_str(&format!("{}: no result yet; `compt why` says why\n", instance.name())),
            Some(record) => text.push_str(&describe(&session, instance, &record, is_current(&record))?),
        }
    }
    super::print(&if arguments.json { super::as_json(&values) } else { text });
    Ok(())
}

/// The log of the last attempt at an instance.
struct Log<'a> {
    instance: &'a Instance,
    /// The attempt's number, the log's path, and its text.
    last: Option<(u32, PathBuf, String)>,
    /// Whether there is a result without a log.
    is_silent: bool,
}

impl<'a> Log<'a> {
    /// Looks under the first of these keys that an attempt was made at.
    fn last(session: &Session, instance: &'a Instance, keys: &[Digest]) -> Result<Self, Failure> {
        for key in keys {
            if let Some((attempt, path)) = session.store.logs(key)?.pop() {
                let text = fs_err::read_to_string(&path)?;
                return Ok(Self { instance, last: Some((attempt, path, text)), is_silent: false });
            }
            if session.store.record(key)?.is_some() {
                return Ok(Self { instance, last: None, is_silent: true });
            }
        }
        Ok(Self { instance, last: None, is_silent: false })
    }

    fn text(&self) -> String {
        let name = self.instance.name();
        match &self.last {
            Some((.., text)) => text.clone(),
            None if self.is_silent && self.instance.place == Place::Program => {
                format!("{name}: no log; a program that says nothing and ends well within a moment leaves none\n")
            }
            None if self.is_silent => format!("{name}: its log is not there any more\n"),
            None => format!("{name}: no attempt was made yet\n"),
        }
    }

    fn as_json(&self) -> Value {
        let (attempt, log, lines) = match &self.last {
            Some((attempt, path, text)) => (Some(attempt), Some(path), text.lines().collect()),
            None => (None, None, Vec::new()),
        };
        json!({ "instance": self.instance.name(), "attempt": attempt, "log": log, "lines": lines })
    }
}

/// The record of an instance, which has the name of the one that asked for it first; no `output` where there is no result.
fn as_json(instance: &Instance, record: Option<&Record>, is_current: bool) -> Value {
    let mut value = match record {
        Some(record) => json!(record),
        None => json!({ "key": null, "output": null }),
    };
    value["instance"] = instance.name().into();
    value["current"] = is_current.into();
    value
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
    let files = session.store.files(record);
    line(if files.name().is_some() { "path" } else { "folder" }, files.whole().display().to_string());
    for (name, file) in &record.files {
        line("file", format!("{name}  {} bytes  {}", file.size, file.digest.short()));
    }
    for (attempt, path) in session.store.logs(&record.key)? {
        line("log", format!("{} (attempt {attempt})", path.display()));
    }
    Ok(text)
}
