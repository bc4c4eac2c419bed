//! `compt diff`: what differs between two stage keys, two runs, or two lock files.

mod operand;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::arguments::CACHE;
use super::failure::Failure;
use crate::operation::changes::{InstanceChange, RunDifferences};
use crate::operation::lineage::Lineage;
use crate::plan::diff::SourceDifferences;
use crate::plan::pins::Pins;
use crate::plan::reason::{self, Reason};
use crate::store::{Record, Store};
use operand::Operand;

/// So many instances are named in a line; `--json` has them all.
const NAMED: usize = 3;

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub struct DiffArguments {
    /// A run (`outputs/NAME` or its run.json), a lock file, or a stage key (its first digits do)
    pub a: String,
    /// Another one of the same kind; what is told goes from A to B
    pub b: String,
    /// End with code 8 when there is a difference
    #[arg(long)]
    pub exit_code: bool,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
    /// The cache folder, where stage keys are looked up
    #[arg(long, value_name = "DIR", env = "COMPT_CACHE", default_value = CACHE)]
    pub cache: PathBuf,
    /// The folder that runs are looked up in by name
    #[arg(long, value_name = "DIR", default_value = "outputs")]
    pub outputs: PathBuf,
}

/// A difference, told in both ways.
struct Told {
    differs: bool,
    text: String,
    json: Value,
}

/// Prints what differs.
pub fn diff(arguments: &DiffArguments) -> Result<(), Failure> {
    let store = Store::open_to_read(&arguments.cache)?;
    let a = operand::find(&arguments.a, arguments, &store)?;
    let b = operand::find(&arguments.b, arguments, &store)?;
    let told = match (&a, &b) {
        (Operand::Key(a), Operand::Key(b)) => keys(a, b),
        (Operand::Run(a), Operand::Run(b)) => runs(a, b, &store),
        (Operand::Lock(a), Operand::Lock(b)) => locks(a, b),
        _ => {
            return Err(Failure::usage(
                format!("`{}` is {}, but `{}` is {}", arguments.a, a.kind(), arguments.b, b.kind()),
                "name two runs, two lock files or two stage keys",
            ));
        }
    };
    if arguments.json {
        let mut json = told.json;
        json["a"]["name"] = arguments.a.as_str().into();
        json["b"]["name"] = arguments.b.as_str().into();
        json["equal"] = (!told.differs).into();
        super::print(&super::as_json(&json));
    } else {
        super::print(&format!("A  {}\nB  {}\n\n{}", a.describe(&arguments.a), b.describe(&arguments.b), told.text));
    }
    if told.differs && arguments.exit_code {
        return Err(Failure::Differs { message: format!("`{}` and `{}` are not the same", arguments.a, arguments.b) });
    }
    Ok(())
}

fn keys(a: &Record, b: &Record) -> Told {
    let differences = reason::differences(&a.preimage, &b.preimage);
    let differs = a.key != b.key;
    let mut text: String = differences.iter().map(|reason| format!("{reason}\n")).collect();
    if !differs {
        text.push_str("no difference: they are the same key\n");
    } else if a.output == b.output {
        text.push_str(&format!("\nboth gave the same output, {}\n", a.output.short()));
    }
    let side = |record: &Record| {
        json!({
            "key": record.key,
            "output": record.output,
            "pipeline": record.pipeline,
            "stage": record.name,
            "operation": record.preimage.operation,
            "version": record.preimage.version,
        })
    };
    Told { differs, text, json: json!({ "kind": "keys", "a": side(a), "b": side(b), "differences": differences }) }
}

fn locks(a: &Pins, b: &Pins) -> Told {
    let differences = SourceDifferences::between(a, b);
    let sources = a.iter().count();
    let text = match differences.count() {
        0 => format!("no difference: {sources} sources, pinned to the same content\n"),
        _ => lines(&differences.sentences()),
    };
    let side = |pins: &Pins| json!({ "sources": pins.iter().count() });
    let json = json!({ "kind": "locks", "a": side(a), "b": side(b), "sources": differences });
    Told { differs: !differences.is_empty(), text, json }
}

fn runs(a: &Lineage, b: &Lineage, store: &Store) -> Told {
    // A record that can't be read is as good as none: the notes of the runs say the rest.
    let preimage = |key: &_| store.record(key).ok().flatten().map(|record| record.preimage);
    let found = RunDifferences::between(a, b, &preimage);
    let side = |run: &Lineage| json!({ "pipeline": run.pipeline, "instances": run.made.len() });
    let mut json = json!({ "kind": "runs", "a": side(a), "b": side(b) });
    if let (Some(json), Ok(Value::Object(fields))) = (json.as_object_mut(), serde_json::to_value(&found)) {
        json.extend(fields);
        let remarks = found.changed.iter().map(|change| (&change.stage, change.remark()));
        let remarks: BTreeMap<&String, &str> = remarks.filter_map(|(stage, words)| Some((stage, words?))).collect();
        json.insert("remarks".to_owned(), json!(remarks));
    }
    Told { differs: !found.is_empty(), text: told_runs(&found), json }
}

fn told_runs(found: &RunDifferences) -> String {
    if found.is_empty() {
        return format!("no difference: {} instances, the same keys and outputs\n", found.same);
    }
    let mut text = String::new();
    if !found.sources.is_empty() {
        text.push_str("sources\n");
        found.sources.sentences().iter().for_each(|line| text.push_str(&format!("  {line}\n")));
    }
    for (side, names) in [("A", &found.only_in_a), ("B", &found.only_in_b)] {
        for (stage, names) in by_stage(names, |name| name) {
            text.push_str(&format!("{stage}: {} only in {side}: {}\n", names.len(), named(&names)));
        }
    }
    for (stage, changes) in by_stage(&found.changed, |change| &change.stage) {
        let names: Vec<&String> = changes.iter().map(|change| &change.stage).collect();
        let equal = changes.iter().filter(|change| change.outputs[0] == change.outputs[1]).count();
        let outputs = if equal > 0 { format!(", {equal} of them with the same output") } else { String::new() };
        text.push_str(&format!("{stage}: {} changed{outputs}: {}\n", changes.len(), named(&names)));
        for (sentence, count) in sentences(&changes) {
            let count = if changes.len() > 1 { format!(" ({count})") } else { String::new() };
            text.push_str(&format!("  - {sentence}{count}\n"));
        }
    }
    text.push_str(&format!(
        "\n{} changed, {} only in A, {} only in B, {} the same\n",
        found.changed.len(),
        found.only_in_a.len(),
        found.only_in_b.len(),
        found.same
    ));
    text
}

/// Why the instances of one stage differ, with the number of those that have this reason; the most frequent first.
fn sentences(changes: &[&InstanceChange]) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for change in changes {
        let reasons = change.differences.iter().map(|reason| match reason {
            // One line for all instances of the stage that is read.
            Reason::Input { name: Some(name), old, new, .. } => {
                let stage = stage_of(name);
                match (old, new) {
                    (Some(_), Some(_)) => format!("`{stage}`, which it reads, has another content"),
                    (None, _) => format!("results of `{stage}` are read now and were not before"),
                    (_, None) => format!("results of `{stage}` are read no more"),
                }
            }
            other => other.to_string(),
        });
        let all: std::collections::BTreeSet<String> = reasons.chain(change.remark().map(str::to_owned)).collect();
        all.into_iter().for_each(|sentence| *counts.entry(sentence).or_default() += 1);
    }
    let mut sorted: Vec<(String, usize)> = counts.into_iter().collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    sorted
}

fn stage_of(name: &str) -> &str {
    name.split('[').next().unwrap_or(name)
}

/// Items by their stage, in their order.
fn by_stage<'a, T>(items: &'a [T], name: impl Fn(&'a T) -> &'a String) -> Vec<(&'a str, Vec<&'a T>)> {
    let mut groups: Vec<(&str, Vec<&T>)> = Vec::new();
    for item in items {
        let stage = stage_of(name(item));
        match groups.iter_mut().find(|(known, _)| *known == stage) {
            Some((_, group)) => group.push(item),
            None => groups.push((stage, vec![item])),
        }
    }
    groups
}

fn named(names: &[&String]) -> String {
    let shown: Vec<String> = names.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    match names.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn lines(sentences: &[String]) -> String {
    sentences.iter().map(|line| format!("{line}\n")).collect()
}
