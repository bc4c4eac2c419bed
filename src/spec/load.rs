//! A pipeline file to a checked [`Pipeline`]: profile, then `--set`, then axes, then stages; all errors in one go.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::definitions::{Override, define, name_problem, unknown_profile};
use super::diagnostic::Invalid;
use super::include::{self, Included};
use super::lists::{Context, Kind};
use super::pipeline::{AxisTypes, Pipeline, Stage};
use super::raw::RawPipeline;
use super::read::{Document, Fields, interpret};
use super::source::SourceFile;
use super::substitute::{below, is_name, names};
use super::{diagnostic::Problem, secret, stages};
use crate::base::secrets::Secrets;

/// What the command line changes in a pipeline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `--profile smoke`
    pub profile: Option<String>,
    /// `--set k=32 --set 'seed=[1, 2]'`, in their order: names of parameters or axes, and YAML scalars or flow lists.
    pub set: Vec<(String, String)>,
}

/// Reads and checks the pipeline file at `path`.
///
/// # Errors
/// Everything that is wrong with the file or with the settings. Not checked here: which operations exist, what their
/// parameters mean, cycles, and stages that have nothing to read; the planner does that.
pub fn load(path: &Path, settings: &Settings) -> Result<Pipeline, Invalid> {
    check(&Document::read(path)?, settings)
}

/// The profiles of the pipeline file at `path` and of the files that it includes.
///
/// # Errors
/// The file can't be read; what else is wrong with it, [`load`] says.
pub fn profiles(path: &Path) -> Result<BTreeSet<String>, Invalid> {
    let document = Document::read(path)?;
    let request = Request { profile: None, overrides: Vec::new(), above: vec![Arc::clone(&document.file)] };
    Ok(load_document(&document, &request).profiles)
}

/// Checks a document as the pipeline that is run.
pub(super) fn check(document: &Document, settings: &Settings) -> Result<Pipeline, Invalid> {
    Invalid::check(secret::in_settings(&settings.set, &Secrets::of_environment()))?;
    let request = Request {
        profile: settings.profile.clone(),
        overrides: settings.set.iter().map(|(name, text)| Override::from_argument(name, text)).collect(),
        above: vec![Arc::clone(&document.file)],
    };
    let Loaded { pipeline, problems, .. } = load_document(document, &request);
    Invalid::check(problems)?;
    pipeline
        .ok_or_else(|| Problem::new("compt::spec::yaml", "this is no pipeline").at_path(document.file.path()).into())
}

/// What is asked of a file: by the command line, or by the file that includes it.
pub(super) struct Request {
    /// The profile of the run.
    pub profile: Option<String>,
    /// Values from outside, in their order.
    pub overrides: Vec<Override>,
    /// The files from the one that is run to this one, each included by the one before.
    pub above: Vec<Arc<SourceFile>>,
}

/// A file as far as it can be read.
pub(super) struct Loaded {
    /// The pipeline; absent when too little of the file can be read.
    pub pipeline: Option<Pipeline>,
    /// The profiles of the file and of those that it includes.
    pub profiles: BTreeSet<String>,
    /// Everything that is wrong with the file and with those that it includes.
    pub problems: Vec<Problem>,
}

/// Checks a document as a pipeline, with what it includes.
pub(super) fn load_document(document: &Document, request: &Request) -> Loaded {
    let file = &document.file;
    let read = interpret::<RawPipeline>(file, "", &document.value);
    let mut problems = read.problems;
    let mut profiles = keys(&document.value, "profiles");
    let Some(raw) = read.value else { return Loaded { pipeline: None, profiles, problems } };
    // Faulty entries have been taken out of `raw`; the names that they define still count as defined.
    let is_whole = problems.is_empty();
    problems.extend(name_problem(|code, message| file.problem("name", code, message), &raw.name, "a pipeline"));
    let (param_names, declared_axes) = (keys(&document.value, "params"), keys(&document.value, "axes"));
    let known = param_names.union(&declared_axes).cloned().collect();
    let definitions = define(&raw, file, request, &known, &mut problems);
    let mut axis_names = declared_axes.clone();
    axis_names.extend(
        raw.stages.values().flat_map(|Fields(stage)| stage.matrix.iter().flatten()).map(|(axis, _)| axis.clone()),
    );
    let mut context = Context {
        file,
        params: definitions.params,
        axes: BTreeMap::new(),
        overridden: definitions.overridden,
        param_names,
        declared_axes,
        axis_names,
        used: mentioned(&document.value),
        problems,
    };
    for (axis, (values, origin)) in &definitions.axes {
        let values = context.axis_values(axis, values, origin, Kind::Axis);
        context.axes.insert(axis.clone(), values);
    }
    let included = include::load(&mut context, &document.value, request);
    profiles.extend(included.profiles.iter().cloned());
    if let (Some(wanted), [_]) = (&request.profile, request.above.as_slice())
        && !profiles.contains(wanted)
    {
        context.problems.push(unknown_profile(file, wanted, &profiles));
    }
    for stage in &included.stages {
        context.axis_names.extend(stage.axis_values.keys().cloned());
    }
    if is_whole {
        check_any_stage(&mut context, &raw);
    }
    let stages = build_stages(&mut context, &raw, &included, &document.value);
    if is_whole {
        report_unused(&mut context);
    }
    let Context { params, axes, mut problems, .. } = context;
    problems.extend(included.problems);
    let pipeline = Pipeline {
        file: Arc::clone(file),
        name: raw.name,
        title: raw.title,
        params,
        axes,
        included: included.titles,
        stages,
    };
    Loaded { pipeline: Some(pipeline), profiles, problems }
}

/// A pipeline has stages of its own or includes others.
fn check_any_stage(context: &mut Context<'_>, raw: &RawPipeline) {
    if !raw.stages.is_empty() || raw.include.as_ref().is_some_and(|entries| !entries.is_empty()) {
        return;
    }
    let help = "add `NAME: { run: { OPERATION: { ... } } }`";
    context.problems.push(if context.file.has("stages") {
        let problem = context.file.key_problem("stages", "compt::spec::empty_list", "the pipeline has no stages");
        problem.with_help(help)
    } else {
        let problem = context.file.problem("", "compt::spec::missing_field", "the file lacks the field `stages`");
        problem.with_help(format!("{help} below `stages:`, or `include:` other files")).with_label("incomplete")
    });
}

/// The stages of included files, then those of this one.
fn build_stages(context: &mut Context<'_>, raw: &RawPipeline, included: &Included, document: &Value) -> Vec<Stage> {
    let mut entries: Vec<_> = raw.stages.iter().collect();
    entries.sort_by_cached_key(|(name, _)| context.file.offset(&below("stages", name)));
    let mut built: Vec<Stage> =
        entries.into_iter().filter_map(|(name, Fields(stage))| stages::build(context, name, stage)).collect();
    include::check_stage_names(context, &built, &included.stages);
    let mut known = keys(document, "stages");
    known.extend(included.stages.iter().map(|stage| stage.name.clone()));
    if included.is_incomplete {
        // What a faulty file would have brought is not known.
        known.extend(built.iter().flat_map(|stage| &stage.from).filter(|name| name.contains('.')).cloned());
    }
    stages::unknown_sources(context, &built, &known);
    let types = Arc::new(typed_values(context, &built, &included.stages));
    built.iter_mut().for_each(|stage| stage.axis_values = Arc::clone(&types));
    let mut all = included.stages.clone();
    all.extend(built);
    stages::check_links(context, &mut all, included.stages.len());
    all
}

/// Every value of every axis with its type; a text that is a number in one place and a text in another is an error.
/// Values that only included stages have keep the type that they have there.
fn typed_values(context: &mut Context<'_>, stages: &[Stage], included: &[Stage]) -> AxisTypes {
    let declared = context.axes.iter().map(|(axis, values)| (below("axes", axis), axis, values));
    let matrices = stages.iter().flat_map(|stage| {
        let path = below(&stage.path(), "matrix");
        stage.matrix.iter().flatten().map(move |(axis, values)| (below(&path, axis), axis, values))
    });
    let mut found = AxisTypes::new();
    let mut problems = Vec::new();
    for (path, axis, values) in declared.chain(matrices) {
        let known = found.entry(axis.clone()).or_default();
        for value in values {
            let first = known.entry(value.text.clone()).or_insert_with(|| value.value.clone());
            if first.is_string() != value.value.is_string() {
                let text = &value.text;
                let message = format!("`{text}` is a text in one place of axis `{axis}` and not in another");
                problems.push(context.file.problem(&path, "compt::spec::axis_type", message).with_help(format!(
                    "write it everywhere without quotes (`{text}`), or everywhere with (`\"{text}\"`)"
                )));
            }
        }
    }
    context.problems.extend(problems);
    for (axis, values) in included.iter().flat_map(|stage| stage.axis_values.iter()) {
        let known = found.entry(axis.clone()).or_default();
        for (text, value) in values {
            known.entry(text.clone()).or_insert_with(|| value.clone());
        }
    }
    found
}

fn report_unused(context: &mut Context<'_>) {
    // A name that can't be used as `${name}` has been reported.
    let unused = |name: &&String| is_name(name) && !context.used.contains(*name);
    let mut problems: Vec<Problem> = Vec::new();
    for name in context.param_names.iter().filter(unused) {
        let message = format!("nothing uses the parameter `{name}`");
        let help = format!("use it as `\"${{{name}}}\"` in a stage, or remove it");
        problems.push(unused_problem(context.file, &below("params", name), message, help));
    }
    for name in context.declared_axes.iter().filter(unused) {
        let message = format!("nothing uses the axis `{name}`");
        let help = format!("use it as `{name}: axes.{name}` in the `matrix:` of a stage, or remove it");
        problems.push(unused_problem(context.file, &below("axes", name), message, help));
    }
    context.problems.extend(problems);
}

fn unused_problem(file: &Arc<SourceFile>, path: &str, message: String, help: String) -> Problem {
    file.key_problem(path, "compt::spec::unused", message).with_help(help).with_label("not used")
}

/// Names that the axes of the file and of its profiles use, whether or not this run does.
fn mentioned(document: &Value) -> BTreeSet<String> {
    ["axes", "profiles"]
        .iter()
        .filter_map(|part| document.get(*part))
        .flat_map(names)
        .filter_map(|name| Some(name.ok()?.0))
        .collect()
}

/// The keys of the map `name` at the top of a document.
fn keys(document: &Value, name: &str) -> BTreeSet<String> {
    document.get(name).and_then(Value::as_object).into_iter().flat_map(|map| map.keys().cloned()).collect()
}
