//! `compt check`: every fault of pipeline and data set files, and three real rows of each data set.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::arguments::CheckArguments;
use super::failure::Failure;
use super::session::project_folder;
use crate::operation::Operations;
use crate::operation::format::FormatParameters;
use crate::plan;
use crate::spec;
use crate::task::dataset;
use crate::task::preview::preview;
use crate::task::source::SourceSettings;

/// What was found about one file.
struct Checked {
    text: String,
    json: Value,
}

/// Checks what is named, or everything in `pipelines/` and `datasets/`.
pub fn check(arguments: &CheckArguments) -> Result<(), Failure> {
    let here = PathBuf::new();
    let named = !arguments.files.is_empty();
    let files = if named { arguments.files.clone() } else { everything(&here)? };
    let mut settings = SourceSettings::from_environment().with_mirror(arguments.mirror.clone());
    settings.offline |= arguments.offline;

    let mut problems = Vec::new();
    let mut first_failure = None;
    let mut told = Vec::new();
    for file in &files {
        let result = match data_set_of(file) {
            Some((root, name)) => check_data_set(&root, &name, &settings, arguments.rows),
            None => check_pipeline(file),
        };
        let mut fact = match &result {
            Ok(checked) => checked.json.clone(),
            Err(failure) => failure.as_json(),
        };
        fact["file"] = file.display().to_string().into();
        fact["valid"] = result.is_ok().into();
        told.push(fact);
        match result {
            Ok(checked) if !arguments.json => super::print(&checked.text),
            Ok(_) => {}
            Err(Failure::Invalid(invalid)) => problems.extend(invalid.problems),
            Err(failure) => {
                if !arguments.json {
                    super::print(&format!("{}: {failure}\n", file.display()));
                    if let Some(hint) = failure.hint() {
                        super::print(&format!("  hint: {hint}\n"));
                    }
                }
                first_failure = first_failure.or(Some(failure));
            }
        }
    }
    if arguments.json {
        super::print(&super::as_json(&json!({ "files": told })));
    }
    spec::Invalid::check(problems)?;
    first_failure.map_or(Ok(()), Err)
}

fn check_pipeline(file: &Path) -> Result<Checked, Failure> {
    let pipeline = spec::load(file, &spec::Settings::default())?;
    let plan = plan::expand(&pipeline, &Operations, &project_folder(file))?;
    let (stages, instances) = (plan.stages.len(), plan.instances.len());
    Ok(Checked {
        text: format!("{}: fine, {stages} stages, {instances} instances\n", file.display()),
        json: json!({ "kind": "pipeline", "name": plan.pipeline, "stages": stages, "instances": instances }),
    })
}

fn check_data_set(root: &Path, name: &str, settings: &SourceSettings, rows: usize) -> Result<Checked, Failure> {
    let dataset = dataset::read(root, name).map_err(crate::protocol::StageError::from)?;
    if rows == 0 {
        return Ok(Checked { text: format!("{name}: fine\n"), json: json!({ "kind": "dataset", "name": name }) });
    }
    let preview = preview(&dataset, root, settings, &FormatParameters::default().text_settings(), rows, &mut ())?;
    let [train, validation, test] = preview.sizes;
    let mut text = format!("{name}: {train} train, {validation} validation, {test} test rows\n");
    for example in &preview.examples {
        text.push_str(&format!("  {}\n    -> {}\n", example.source, example.target));
    }
    let examples = preview.examples.iter();
    let examples: Value =
        examples.map(|example| json!({ "source": example.source, "target": example.target })).collect();
    let json = json!({
        "kind": "dataset",
        "name": name,
        "rows": { "train": train, "validation": validation, "test": test },
        "examples": examples,
    });
    Ok(Checked { text, json })
}

/// The project folder and the name of a data set file (or of a bare data set name).
fn data_set_of(file: &Path) -> Option<(PathBuf, String)> {
    let stem = file.file_stem()?.to_string_lossy().into_owned();
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder {
        Some(folder) if folder.file_name().is_some_and(|name| name == "datasets") => {
            let above = folder.parent().filter(|above| !above.as_os_str().is_empty());
            Some((above.unwrap_or(Path::new("")).to_owned(), stem))
        }
        None if file.extension().is_none() => Some((PathBuf::new(), stem)),
        _ => None,
    }
}

fn everything(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for folder in ["pipelines", "datasets"] {
        let Ok(entries) = fs_err::read_dir(root.join(folder)) else { continue };
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                files.push(path);
            }
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Failure::usage(
            "there is nothing to check: no YAML files in `pipelines/` or `datasets/`",
            "name the files, or go to the project folder first",
        ));
    }
    Ok(files)
}
