//! `include:`: the stages of other pipeline files, under their pipelines' names.
//!
//! An included file is checked by itself, as if it were run, with the profile of the run and the values of `set`. Its
//! stages keep the file that they stand in, so that errors point there, and get the name of its pipeline before their
//! own: `glue_fewshot.fit`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::definitions::{Origin, Override};
use super::diagnostic::Problem;
use super::lists::Context;
use super::load::{Loaded, Request, load_document};
use super::pipeline::{Pipeline, Stage};
use super::raw::RawInclude;
use super::read::Document;
use super::source::SourceFile;
use super::substitute::{below, substitute};

/// What the files of a pipeline have brought.
#[derive(Default)]
pub(super) struct Included {
    /// Their stages, under their full names.
    pub stages: Vec<Stage>,
    /// Their titles by the scope of their stages, with those of what they include.
    pub titles: BTreeMap<String, String>,
    /// Their profiles.
    pub profiles: BTreeSet<String>,
    /// Whether a file is missing here, or can't be accepted.
    pub is_incomplete: bool,
    /// What is wrong with them.
    pub problems: Vec<Problem>,
}

/// Loads the included files in their order. Faults of the entries go to `context`, those of the files to the result.
pub(super) fn load(context: &mut Context<'_>, document: &Value, request: &Request) -> Included {
    let mut included = Included::default();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for (i, entry) in document.get("include").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let place = format!("include[{i}]");
        // What is no entry has been reported.
        let loaded = RawInclude::deserialize(entry)
            .ok()
            .and_then(|entry| load_entry(context, &entry, &place, request, &mut included));
        let Some(pipeline) = loaded else {
            included.is_incomplete = true;
            continue;
        };
        if let Some(first) = names.insert(pipeline.name.clone(), place.clone()) {
            let message = format!("two included pipelines have the name `{}`", pipeline.name);
            let problem = context.file.problem(&place, "compt::spec::include_name", message);
            let problem = problem.with_help("stages are named by it; include a file once, or give it another `name:`");
            let problem = problem.with_label("the second one");
            context.problems.push(match context.file.value_span(&first) {
                Some(span) => problem.and_label(span, "the first one"),
                None => problem,
            });
            continue;
        }
        let inner =
            pipeline.included.iter().map(|(scope, title)| (format!("{}.{scope}", pipeline.name), title.clone()));
        included.titles.extend(inner);
        let title = pipeline.title.as_ref().unwrap_or(&pipeline.name);
        included.titles.insert(pipeline.name.clone(), title.clone());
        included.stages.extend(pipeline.stages.into_iter().map(|stage| stage.within(&pipeline.name)));
    }
    included
}

/// The pipeline of one entry; nothing when it is not there or too faulty to be read.
fn load_entry(
    context: &mut Context<'_>,
    entry: &RawInclude,
    place: &str,
    request: &Request,
    included: &mut Included,
) -> Option<Pipeline> {
    let overrides = handed_on(context, entry, &below(place, "set"));
    let document = open(context, entry, place, request, included)?;
    let above = request.above.iter().cloned().chain([Arc::clone(&document.file)]).collect();
    let inner = Request { profile: request.profile.clone(), overrides, above };
    let Loaded { pipeline, profiles, problems } = load_document(&document, &inner);
    included.profiles.extend(profiles);
    included.is_incomplete |= !problems.is_empty();
    included.problems.extend(problems);
    pipeline
}

/// Reads an included file, unless it includes itself.
fn open(
    context: &mut Context<'_>,
    entry: &RawInclude,
    place: &str,
    request: &Request,
    included: &mut Included,
) -> Option<Document> {
    let written = if context.file.has(&below(place, "file")) { below(place, "file") } else { place.to_owned() };
    let path = beside(context.file, &entry.file);
    let same = |other: &Arc<SourceFile>| real(other.path()) == real(&path);
    if let Some(start) = request.above.iter().position(same) {
        let circle = &request.above[start..];
        let files = circle.iter().chain(circle.first()).map(|file| file.path());
        let circle = files.map(|path| path.display().to_string()).collect::<Vec<_>>().join(" -> ");
        let message = format!("files include each other in a circle: `{circle}`");
        let problem = context.file.problem(&written, "compt::spec::include_cycle", message);
        context.problems.push(problem.with_help("remove one of these entries of `include:`"));
        return None;
    }
    match Document::read(&path) {
        Ok(document) => Some(document),
        Err(invalid) => {
            for problem in invalid.problems {
                // A file that can't be opened is a fault of the entry; one that can't be parsed has places of its own.
                if problem.line_column().is_some() {
                    included.problems.push(problem);
                } else {
                    let message = format!("`{}`: {}", path.display(), problem.message());
                    let help = problem.help().map(str::to_owned);
                    let problem = context.file.problem(&written, problem.code(), message).with_help_if(help);
                    context.problems.push(problem);
                }
            }
            None
        }
    }
}

/// The values of `set`, with the including file's parameters filled in.
fn handed_on(context: &mut Context<'_>, entry: &RawInclude, place: &str) -> Vec<Override> {
    let mut overrides = Vec::new();
    for (name, value) in entry.set.iter().flatten() {
        let place = below(place, name);
        let origin = Origin::File(place.clone());
        let help = |_: &str| "only parameters of this file can be used here; axes have no value yet".to_owned();
        context.check_names(&value.0, &origin, "", |_| false, help);
        let Ok(value) = substitute(&value.0, |name| context.params.get(name).cloned()) else { continue };
        overrides.push(Override {
            name: name.clone(),
            value: Ok(flat(value)),
            origin: Origin::Include { file: Arc::clone(context.file), path: place },
        });
    }
    overrides
}

/// The value, with the lists that a list contains spliced in.
fn flat(value: Value) -> Value {
    let Value::Array(items) = value else { return value };
    let items = items.into_iter().flat_map(|item| match item {
        Value::Array(inner) => inner,
        scalar => vec![scalar],
    });
    Value::Array(items.collect())
}

/// The stage's name would also be that of an included pipeline.
pub(super) fn check_stage_names(context: &mut Context<'_>, own: &[Stage], included: &[Stage]) {
    for stage in own {
        if included.iter().any(|other| other.name.split('.').next() == Some(&stage.name)) {
            let message = format!("`{}` is a stage and an included pipeline", stage.name);
            let problem = context.file.key_problem(&stage.path(), "compt::spec::include_name", message);
            context.problems.push(problem.with_help("rename the stage").with_label("also included"));
        }
    }
}

/// A path as an included file is named: relative to the file that includes it.
fn beside(file: &SourceFile, named: &str) -> PathBuf {
    match file.path().parent() {
        Some(folder) => folder.join(named),
        None => PathBuf::from(named),
    }
}

/// The path by which two ways to one file are known to be the same.
fn real(path: &Path) -> PathBuf {
    fs_err::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}
