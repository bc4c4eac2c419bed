//! `compt runs`: the runs whose journals are in the cache, and what happened in one of them.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::arguments::CACHE;
use super::failure::Failure;
use super::ui::duration;
use crate::base::moment;
use crate::report::terminal::aligned;
use crate::store::{PastRun, Store};

/// Arguments of `runs`.
#[derive(Debug, Args)]
pub struct RunsArguments {
    /// The run to tell of: its name, the beginning of that, or `last` [default: list all]
    pub run: Option<String>,
    /// The cache folder
    #[arg(long, value_name = "DIR", env = "COMPT_CACHE", default_value = CACHE)]
    pub cache: PathBuf,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// Lists the runs, or tells what happened in one.
pub fn runs(arguments: &RunsArguments) -> Result<(), Failure> {
    let store = Store::open_to_read(&arguments.cache)?;
    let runs = store.runs()?;
    let text = match &arguments.run {
        None => listed(&runs, arguments)?,
        Some(name) => told(&find(&runs, name)?.lines()?, arguments),
    };
    super::print(&text);
    Ok(())
}

/// The run of this name.
fn find<'a>(runs: &'a [PastRun], name: &str) -> Result<&'a PastRun, Failure> {
    let found: Vec<&PastRun> = match name {
        "last" => runs.last().into_iter().collect(),
        _ => runs.iter().filter(|run| run.id.starts_with(name)).collect(),
    };
    match found[..] {
        [run] => Ok(run),
        [] => Err(Failure::usage(
            format!("there is no journal of a run `{name}`"),
            "`compt runs` lists those that are there, `--cache` names another cache",
        )),
        _ => Err(Failure::usage(
            format!("`{name}` is the beginning of {} runs", found.len()),
            "type more of its name, as `compt runs` shows it",
        )),
    }
}

/// How a run ended: its last line says so; a run without one goes on, or its process died.
fn outcome<'a>(run: &PastRun, last: Option<&'a Value>) -> &'a str {
    last.and_then(|last| last["outcome"].as_str()).unwrap_or(if run.lives { "running" } else { "died" })
}

fn listed(runs: &[PastRun], arguments: &RunsArguments) -> Result<String, Failure> {
    let mut rows = Vec::new();
    let mut values = Vec::new();
    for run in runs {
        let lines = run.lines()?;
        let first = lines.first().unwrap_or(&Value::Null);
        let last = lines.last().filter(|line| line["event"] == "run_finished");
        let outcome = outcome(run, last);
        let began = first["time"].as_f64().unwrap_or_default();
        let pipeline = first["pipeline"].as_str().unwrap_or_default();
        rows.push(vec![
            run.id.clone(),
            moment::words(began as u64),
            outcome.to_owned(),
            pipeline.to_owned(),
            last.map(counts).unwrap_or_default(),
        ]);
        values.push(json!({
            "run": run.id, "began": began, "pipeline": pipeline, "file": first["file"], "outcome": outcome, "totals": last,
        }));
    }
    Ok(match (arguments.json, rows.is_empty()) {
        (true, _) => super::as_json(&values),
        (false, true) => format!("no run has a journal in the cache `{}`\n", arguments.cache.display()),
        (false, false) => aligned(&rows, 5),
    })
}

/// `3 run, 2 cached in 4.0 s`.
fn counts(last: &Value) -> String {
    let count = |name: &str| last[name].as_u64().filter(|count| *count > 0);
    let words = [
        ("executed", "run"),
        ("cached", "cached"),
        ("shared", "shared"),
        ("failed", "failed"),
        ("skipped", "skipped"),
        ("left", "not started"),
    ];
    let parts: Vec<String> = words.iter().filter_map(|(name, word)| Some(format!("{} {word}", count(name)?))).collect();
    format!("{} in {}", parts.join(", "), duration(last["seconds"].as_f64().unwrap_or_default()))
}

/// A line for each event: seconds since the beginning, what it was, and of which stage.
fn told(lines: &[Value], arguments: &RunsArguments) -> String {
    if arguments.json {
        return super::as_json(&lines);
    }
    let time = |line: &Value| line["time"].as_f64().unwrap_or_default();
    let began = lines.first().map(time).unwrap_or_default();
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            vec![format!("{:>10.3}", time(line) - began), text("event").replace('_', " "), text("stage"), remark(line)]
        })
        .collect();
    aligned(&rows, 5)
}

/// What else an event tells that a person wants to know.
fn remark(line: &Value) -> String {
    let text = |name: &str| line[name].as_str().map(str::to_owned);
    match line["event"].as_str().unwrap_or_default() {
        "run_started" => text("file").unwrap_or_default(),
        "run_finished" => format!("{}: {}", text("outcome").unwrap_or_default(), counts(line)),
        "started" => line["worker"].as_u64().map(|worker| format!("worker {worker}")).unwrap_or_default(),
        "waiting" => text("holder").unwrap_or_default(),
        "skipped" => text("because").unwrap_or_default(),
        "interrupted" => text("meaning").unwrap_or_default(),
        _ => {
            let took = line["seconds"].as_f64().map(duration);
            [took, text("message")].into_iter().flatten().collect::<Vec<_>>().join("  ")
        }
    }
}
