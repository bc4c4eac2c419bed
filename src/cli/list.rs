//! `compt list`: what a pipeline can name, from the types that read it: operations, methods, presets, metrics, data sets.

mod choices;
mod datasets;
mod operations;

use std::path::Path;

use clap::Args;
use serde_json::{Map, Value, json};

use super::failure::Failure;
use crate::base::suggest;
use crate::metric::METRICS;
use crate::operation::{ALL, Operations};
use crate::report::terminal::aligned;
use crate::spec::{self, Document};

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// `operations`, `methods`, `presets`, `metrics`, `datasets`, `profiles`, or the name of an operation
    pub what: Option<String>,
    /// One of them, to see all of it; for `profiles` the pipeline file
    pub name: Option<String>,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// Something that was listed, told in both ways.
struct Listed {
    text: String,
    json: Value,
}

/// What can be listed by itself.
const GROUPS: [&str; 6] = ["operations", "methods", "presets", "metrics", "datasets", "profiles"];

/// Prints what was asked for, or an overview.
pub fn list(arguments: &ListArguments) -> Result<(), Failure> {
    let root = Path::new("");
    let listed = match (arguments.what.as_deref(), arguments.name.as_deref()) {
        (None, _) => overview(root),
        (Some("operations"), None) => operations::all(),
        (Some("operations"), Some(name)) => operations::one(find_operation(name)?),
        (Some("methods"), name) => choices::methods(name)?,
        (Some("presets"), name) => choices::presets(name)?,
        (Some("metrics"), name) => metrics(name)?,
        (Some("datasets"), None) => datasets::all(root),
        (Some("datasets"), Some(name)) => datasets::one(root, name)?,
        (Some("profiles"), Some(file)) => profiles(Path::new(file))?,
        (Some("profiles"), None) => {
            return Err(Failure::usage(
                "`list profiles` needs a pipeline file",
                "type `compt list profiles pipelines/NAME.yaml`",
            ));
        }
        (Some(operation), None) => operations::one(find_operation(operation)?),
        (Some(what), Some(name)) => {
            find_operation(what)?;
            return Err(Failure::usage(
                format!("`list {what}` takes no `{name}`"),
                format!("`compt list {what}` shows all parameters of this operation"),
            ));
        }
    };
    super::print(&if arguments.json { super::as_json(&listed.json) } else { listed.text });
    Ok(())
}

fn overview(root: &Path) -> Listed {
    let operations = operations::all();
    let groups = [
        ("methods", choices::methods_of_training().into_iter().map(|choice| choice.name).collect()),
        ("presets", choices::presets_of_training().into_iter().map(|choice| choice.name).collect()),
        ("metrics", METRICS.iter().map(|metric| metric.name.to_owned()).collect::<Vec<_>>()),
        ("datasets", crate::task::dataset::names(root)),
    ];
    let mut text = format!("operations\n{}\n", operations::indented());
    let rows: Vec<Vec<String>> =
        groups.iter().map(|(group, names)| vec![(*group).to_owned(), names.join(", ")]).collect();
    text.push_str(&aligned(&rows, 2));
    text.push_str(
        "\n`compt list OPERATION` shows its parameters; `compt list methods spp`, `compt list datasets rte` and so on show \
         one of a group\n",
    );
    let mut json: Map<String, Value> = Map::new();
    json.insert("operations".to_owned(), operations.json);
    json.extend(groups.into_iter().map(|(group, names)| (group.to_owned(), json!(names))));
    Listed { text, json: json.into() }
}

/// The operation of this name, or advice: it may be a slip for a group too.
fn find_operation(name: &str) -> Result<&'static dyn crate::operation::Operation, Failure> {
    Operations::find(name).ok_or_else(|| {
        let operations = || ALL.iter().map(|operation| operation.name());
        let known = operations().chain(GROUPS).collect::<Vec<_>>();
        unknown("operation", name, &known, &operations().collect::<Vec<_>>())
    })
}

/// The error about a name that means nothing: what is near among `candidates`, or else all that there `are`.
fn unknown(what: &str, name: &str, candidates: &[&str], are: &[&str]) -> Failure {
    let hint = match suggest::nearest(name, candidates.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the {what}s are {}", are.join(", ")),
    };
    Failure::usage(format!("there is no {what} `{name}`"), hint)
}

fn metrics(name: Option<&str>) -> Result<Listed, Failure> {
    let chosen: Vec<_> = METRICS.iter().filter(|metric| name.is_none_or(|name| name == metric.name)).collect();
    if let (Some(name), []) = (name, chosen.as_slice()) {
        let names: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
        return Err(unknown("metric", name, &names, &names));
    }
    let rows = chosen.iter().map(|metric| {
        let direction = if metric.higher_is_better { "higher is better" } else { "lower is better" };
        [metric.name, direction, metric.unit, metric.about].map(str::to_owned).to_vec()
    });
    let text = aligned(&rows.collect::<Vec<_>>(), 4);
    let facts = chosen.iter().map(|metric| {
        json!({
            "name": metric.name,
            "about": metric.about,
            "higher_is_better": metric.higher_is_better,
            "unit": metric.unit,
            "version": metric.version,
        })
    });
    Ok(Listed { text, json: one_or_all(name, facts.collect()) })
}

/// One thing where one was named, and else the list.
fn one_or_all(name: Option<&str>, mut values: Vec<Value>) -> Value {
    match (name, values.len()) {
        (Some(_), 1) => values.remove(0),
        _ => values.into(),
    }
}

/// The profiles of a pipeline file, with what they change.
fn profiles(file: &Path) -> Result<Listed, Failure> {
    // The whole file is checked, so that what is listed can be chosen.
    spec::load(file, &spec::Settings::default())?;
    let document = Document::read(file)?;
    let profiles = document.value["profiles"].as_object().cloned().unwrap_or_default();
    let mut text = String::new();
    for (profile, values) in &profiles {
        text.push_str(&format!("{profile}\n"));
        for (name, value) in values.as_object().into_iter().flatten() {
            text.push_str(&format!("  {name}: {value}\n"));
        }
    }
    if profiles.is_empty() {
        text.push_str(&format!("`{}` has no profiles of its own\n", file.display()));
    }
    Ok(Listed { text, json: profiles.into() })
}
