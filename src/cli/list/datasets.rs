//! Data sets: those of the project and those that are built in.

use std::path::Path;

use serde_json::{Value, json};

use super::Listed;
use crate::cli::failure::Failure;
use crate::cli::shell_word;
use crate::protocol::StageError;
use crate::report::terminal::aligned;
use crate::task::dataset::{self, DatasetFile, Kind};

/// Every data set with its kind, labels and score. One whose file is wrong is listed too: `check` says what is wrong.
pub fn all(root: &Path) -> Listed {
    let mut rows = Vec::new();
    let mut facts = Vec::new();
    for name in dataset::names(root) {
        match dataset::describe(root, &name) {
            Ok((file, place)) => {
                rows.push(vec![name.clone(), labels(&file), file.score.name().to_owned(), file.title.clone()]);
                facts.push(described(&name, &file, place.as_deref()));
            }
            Err(_) => {
                let path = Path::new(dataset::FOLDER).join(format!("{name}.yaml"));
                let advice = format!("is wrong; `compt check {}` says why", shell_word(&path.display().to_string()));
                rows.push(vec![name.clone(), advice]);
                facts.push(json!({ "name": name, "file": path, "valid": false }));
            }
        }
    }
    let text = aligned(&rows, 4) + "\n`compt list datasets NAME` shows all of one\n";
    Listed { text, json: facts.into() }
}

/// One data set, whole.
pub fn one(root: &Path, name: &str) -> Result<Listed, Failure> {
    let (file, place) = dataset::describe(root, name).map_err(StageError::from)?;
    let source = match (&file.source.hub, &file.source.local) {
        (Some(hub), _) => format!("{hub} on the hub, revision {}", file.source.revision),
        (None, Some(local)) => format!("`{local}` in the project folder"),
        (None, None) => "unknown".to_owned(),
    };
    let files = file.files.present().map(|(split, patterns)| format!("{}: {}", split.name(), patterns.join(", ")));
    let metrics: Vec<&str> = file.metrics.iter().map(|metric| metric.name()).collect();
    let defined = place.as_ref().map_or_else(|| "built in".to_owned(), |path| path.display().to_string());
    let mut rows = vec![
        ("title", file.title.clone()),
        ("defined", defined),
        ("source", source),
        ("files", files.collect::<Vec<_>>().join("; ")),
        ("splits", word(&file.splits)),
        ("columns", file.columns.join(", ")),
        ("template", file.template.clone()),
        ("kind", word(&file.kind)),
        ("label", format!("column `{}`: {}", file.label.column, meanings(&file))),
        ("metrics", metrics.join(", ")),
        ("score", file.score.name().to_owned()),
    ];
    for (set, words) in &file.label_sets {
        rows.push(("label set", format!("{set}: {}", words.join(", "))));
    }
    rows.extend([("licence", file.licence.clone()), ("citation", file.citation.clone())]);
    let lines = rows.into_iter().filter(|(_, value)| !value.is_empty());
    let rows: Vec<Vec<String>> = lines.map(|(field, value)| vec![format!("  {field}"), value]).collect();
    let text = format!("{name}\n{}", aligned(&rows, 2));
    Ok(Listed { text, json: described(name, &file, place.as_deref()) })
}

/// The fields of the file, with its name and place.
fn described(name: &str, file: &DatasetFile, place: Option<&Path>) -> Value {
    let mut fields = serde_json::to_value(file).unwrap_or_default();
    fields["name"] = name.into();
    fields["file"] = place.map_or(Value::Null, |path| path.display().to_string().into());
    fields["valid"] = true.into();
    fields
}

fn labels(file: &DatasetFile) -> String {
    match file.kind {
        Kind::Classification => file.label.words.iter().map(|entry| entry.word.as_str()).collect::<Vec<_>>().join(", "),
        Kind::Regression => range(file),
    }
}

fn meanings(file: &DatasetFile) -> String {
    match file.kind {
        Kind::Classification => {
            let words = file.label.words.iter().map(|entry| format!("{} is {}", entry.value.0, entry.word));
            words.collect::<Vec<_>>().join(", ")
        }
        Kind::Regression => range(file),
    }
}

fn range(file: &DatasetFile) -> String {
    match (file.label.minimum, file.label.maximum) {
        (Some(low), Some(high)) => format!("{low} to {high}"),
        _ => "a number".to_owned(),
    }
}

/// As files spell it.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
