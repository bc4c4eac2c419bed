//! The methods of prompt tuning and the presets, with the parameters that they stand for: what an operation completes
//! when nothing but them is written.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::{Listed, one_or_all, operations, unknown};
use crate::cli::failure::Failure;
use crate::operation::train::Train;
use crate::operation::{ALL, Operation};
use crate::report::terminal::aligned;

/// What the operations are asked with where they want a backbone: no parameter depends on it.
const BACKBONE: &str = "builtin/nano";

/// The preset that others are compared with, as it is the default.
const DEFAULT: &str = "recommended";

/// One value of a parameter that has a few.
pub struct Choice {
    /// As pipelines spell it.
    pub name: String,
    /// What it means.
    pub about: String,
}

/// The methods.
pub fn methods_of_training() -> Vec<Choice> {
    choices(&Train, "method")
}

/// The presets.
pub fn presets_of_training() -> Vec<Choice> {
    choices(&Train, "preset")
}

/// All methods with the defaults in which they differ, or one with all its defaults.
pub fn methods(name: Option<&str>) -> Result<Listed, Failure> {
    let methods = methods_of_training();
    let chosen = narrow("method", &methods, name)?;
    let defaults = |method: &str| complete(&Train, &json!({ "method": method }));
    let all: Vec<BTreeMap<String, Value>> = methods.iter().map(|method| defaults(&method.name)).collect();
    let differs = |parameter: &String| all.iter().any(|other| other.get(parameter) != all[0].get(parameter));
    let mut text = String::new();
    let mut facts = Vec::new();
    for method in chosen {
        let parameters = defaults(&method.name);
        text.push_str(&format!("{}: {}\n", method.name, method.about));
        let shown = parameters.iter().filter(|(parameter, _)| name.is_some() || differs(parameter));
        text.push_str(&table(shown.map(|(parameter, value)| vec![parameter.clone(), value.to_string()])));
        facts.push(json!({ "name": method.name, "about": method.about, "parameters": parameters }));
    }
    if name.is_none() {
        text.push_str("\nthese are the defaults in which they differ; `compt list methods NAME` shows all of one\n");
    }
    Ok(Listed { text, json: one_or_all(name, facts) })
}

/// All presets, or one with the parameters in which it differs from the recommendation.
pub fn presets(name: Option<&str>) -> Result<Listed, Failure> {
    let presets = presets_of_training();
    let chosen = narrow("preset", &presets, name)?;
    let mut text = String::new();
    let mut facts = Vec::new();
    for preset in chosen {
        text.push_str(&format!("{}: {}\n", preset.name, preset.about));
        let mut operations = Map::new();
        for case in cases() {
            let with = |preset: &str| {
                let mut written = case.written.clone();
                written["preset"] = preset.into();
                complete(case.operation, &written)
            };
            let (these, usual) = (with(&preset.name), with(DEFAULT));
            let changed = || these.iter().filter(|(parameter, value)| usual.get(*parameter) != Some(*value));
            if name.is_some() && changed().next().is_some() {
                text.push_str(&format!("\n  {}\n", case.title));
                let row = |(parameter, value): (&String, &Value)| {
                    let usual = usual.get(parameter).map_or_else(|| "none".to_owned(), Value::to_string);
                    vec![format!("  {parameter}"), value.to_string(), format!("({DEFAULT}: {usual})")]
                };
                text.push_str(&table(changed().map(row)));
            }
            operations.insert(case.title.clone(), json!(these));
        }
        facts.push(json!({ "name": preset.name, "about": preset.about, "operations": operations }));
    }
    if name.is_none() {
        text.push_str("\n`compt list presets NAME` shows the parameters in which it differs from the recommendation\n");
    }
    Ok(Listed { text, json: one_or_all(name, facts) })
}

/// An operation that has presets, with what is written besides: a training has other presets for each method.
struct Case {
    operation: &'static dyn Operation,
    title: String,
    written: Value,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for &operation in ALL.iter().filter(|operation| !choices(**operation, "preset").is_empty()) {
        let methods = choices(operation, "method");
        for method in &methods {
            let title = format!("{}, method {}", operation.name(), method.name);
            cases.push(Case { operation, title, written: json!({ "method": method.name }) });
        }
        if methods.is_empty() {
            cases.push(Case { operation, title: operation.name().to_owned(), written: json!({}) });
        }
    }
    cases
}

/// The values of a parameter that has a few, from the schema.
fn choices(operation: &dyn Operation, parameter: &str) -> Vec<Choice> {
    let schema = operation.schema().to_value();
    let target = operations::resolve(&schema["properties"][parameter], &schema);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let options = target["oneOf"].as_array().into_iter().flatten();
    options
        .filter(|option| option["const"].is_string())
        .map(|option| Choice { name: text(&option["const"]), about: text(&option["description"]) })
        .collect()
}

/// The complete parameters when this is written, by their paths; nothing where more would have to be written.
fn complete(operation: &dyn Operation, written: &Value) -> BTreeMap<String, Value> {
    let mut written = written.clone();
    if !operation.schema().to_value()["properties"]["backbone"].is_null() {
        written["backbone"] = BACKBONE.into();
    }
    let mut leaves = BTreeMap::new();
    if let Ok(resolved) = operation.resolve(&written, Path::new("")) {
        collect("", &resolved.parameters, &mut leaves);
    }
    ["backbone", "preset", "method"].iter().for_each(|given| drop(leaves.remove(*given)));
    leaves
}

fn collect(path: &str, value: &Value, leaves: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                collect(&path, value, leaves);
            }
        }
        leaf => drop(leaves.insert(path.to_owned(), leaf.clone())),
    }
}

fn narrow<'a>(what: &str, all: &'a [Choice], name: Option<&str>) -> Result<Vec<&'a Choice>, Failure> {
    let chosen: Vec<&Choice> = all.iter().filter(|choice| name.is_none_or(|name| name == choice.name)).collect();
    match name {
        Some(name) if chosen.is_empty() => {
            let names: Vec<&str> = all.iter().map(|choice| choice.name.as_str()).collect();
            Err(unknown(what, name, &names, &names))
        }
        _ => Ok(chosen),
    }
}

fn table(rows: impl Iterator<Item = Vec<String>>) -> String {
    let rows: Vec<Vec<String>> = rows
        .map(|mut row| {
            row[0] = format!("  {}", row[0]);
            row
        })
        .collect();
    aligned(&rows, 3)
}
