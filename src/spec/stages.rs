//! Stages: from what is written to what is checked.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::definitions::{Origin, name_clash, name_problem, quoted};
use super::diagnostic::Problem;
use super::lists::{Context, Kind};
use super::pipeline::Stage;
use super::policy::{Amount, Policy};
use super::raw::{RawReads, RawStage, Scalar};
use super::read::{Fields, interpret};
use super::scalar::{AxisValue, canonical};
use super::substitute::{below, substitute, substitute_known};
use crate::base::suggest;

/// Reads one stage; what depends on other stages is left to [`check_links`].
pub(super) fn build(context: &mut Context<'_>, name: &str, raw: &RawStage) -> Option<Stage> {
    let path = below("stages", name);
    check_name(context, &path, name, "a stage");
    let matrix = raw.matrix.as_ref().map(|_| matrix(context, &path, raw));
    let exclude = exclude(context, &path, name, raw, matrix.as_deref());
    let resources = raw.resources.clone().unwrap_or_default();
    check_resources(context, &path, &resources);
    let (operation, mut parameters) = operation(context, &path, name, raw)?;
    let mut reads = Map::new();
    for key in ["from", "only"] {
        reads.extend(parameters.remove(key).map(|value| (key.to_owned(), value)));
    }
    let mut stage = Stage {
        name: name.to_owned(),
        scope: String::new(),
        file: Arc::clone(context.file),
        axis_values: Arc::default(),
        title: raw.title.clone(),
        matrix,
        exclude,
        from: Vec::new(),
        only: BTreeMap::new(),
        policy: Policy::of(raw.policy.as_ref().map(|Fields(policy)| policy), &resources),
        resources: resources.iter().map(|(name, amount)| (name.clone(), amount.first())).collect(),
        operation,
        parameters: Value::Null,
    };
    let place = stage.parameter_path("");
    let reads = interpret::<RawReads>(context.file, &place, &Value::Object(reads));
    context.problems.extend(reads.problems);
    let RawReads { from, only } = reads.value.unwrap_or(RawReads { from: None, only: None });
    if let Some(from) = from {
        stage.from = sources(context, &stage, &from.names, from.is_list);
    }
    for (axis, values) in only.iter().flatten() {
        let origin = Origin::File(stage.parameter_path(&below("only", axis)));
        let texts = context.only_texts(values, &origin);
        stage.only.insert(axis.clone(), texts);
    }
    stage.parameters = Value::Object(parameters);
    Some(stage)
}

/// Fills parameters in, and checks what a stage says about the axes of the stages it reads. The first `included` stages
/// come from other files, where that has been done.
pub(super) fn check_links(context: &mut Context<'_>, stages: &mut [Stage], included: usize) {
    let sources = places_read(stages);
    let axes = axes(stages, &sources);
    for (i, own) in axes.iter().enumerate().skip(included) {
        // A stage that reads something unknown may have any axis.
        let available = |name: &str, context_axes: &BTreeSet<String>| match own {
            Some(own) => own.contains_key(name),
            None => context_axes.contains(name),
        };
        let axis_names = context.axis_names.clone();
        let origin = Origin::File(stages[i].parameter_path(""));
        let parameters = std::mem::take(&mut stages[i].parameters);
        context.check_names(&parameters, &origin, "", |name| available(name, &axis_names), axis_help);
        stages[i].parameters = match substitute_known(&parameters, |name| context.params.get(name).cloned()) {
            Ok(value) => value,
            Err(unknown) => {
                context.malformed(&unknown, &origin, "");
                parameters
            }
        };
        let read: Option<Vec<&Axes>> =
            sources[i].as_ref().and_then(|sources| sources.iter().map(|source| axes[*source].as_ref()).collect());
        let stage = &stages[i];
        for (axis, texts) in &stage.only {
            check_only(context, stage, axis, texts, read.as_deref(), |name| available(name, &axis_names));
        }
    }
}

/// What to do about an axis that a stage does not have.
fn axis_help(axis: &str) -> String {
    format!(
        "a stage has the axes of its `matrix:`, or without one those of what it reads; add `{axis}: axes.{axis}` to \
         the matrix, or remove it here"
    )
}

fn check_name(context: &mut Context<'_>, path: &str, name: &str, what: &str) {
    let file = context.file;
    context.problems.extend(name_problem(|code, message| file.key_problem(path, code, message), name, what));
}

/// Worker processes and programs at work, which a run counts by `--jobs`.
pub const WORKER: &str = "worker";
/// Stages on threads of the runner, which it counts by the cores.
pub const LIGHT: &str = "light";

fn check_resources(context: &mut Context<'_>, path: &str, resources: &BTreeMap<String, Amount>) {
    let path = below(path, "resources");
    for (resource, amount) in resources {
        let path = below(&path, resource);
        check_name(context, &path, resource, "a resource");
        if [WORKER, LIGHT].contains(&resource.as_str()) {
            let message = format!("`{resource}` is what a run counts itself, by `--jobs` and cores");
            let problem = context.file.key_problem(&path, "compt::spec::resources", message);
            context.problems.push(problem.with_help("give the resource another name"));
        }
        if resource == "cpu" && !amount.later().is_empty() {
            let message = "`cpu` can't be a list: it is the number of threads, which changes the last bits of results";
            let problem = context.file.problem(&path, "compt::spec::resources", message);
            context.problems.push(problem.with_help("write one number; other resources may grow with the attempt"));
        }
    }
}

/// The axes that a stage has, with the values they may have.
type Axes = BTreeMap<String, BTreeSet<String>>;

/// The places of the stages that each stage reads; `None` where it names one that could not be read.
fn places_read(stages: &[Stage]) -> Vec<Option<Vec<usize>>> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (place, stage) in stages.iter().enumerate() {
        places.entry(&stage.name).or_insert(place);
    }
    stages.iter().map(|stage| stage.from.iter().map(|from| places.get(from.as_str()).copied()).collect()).collect()
}

/// The axes of every stage: of its matrix, or of all that it reads. `None` when a stage reads itself, or something that could
/// not be read; the planner reports cycles. Each stage is looked at once, after what it reads.
fn axes(stages: &[Stage], sources: &[Option<Vec<usize>>]) -> Vec<Option<Axes>> {
    let texts = |values: &Vec<AxisValue>| values.iter().map(|value| value.text.clone()).collect();
    let mut found: Vec<Option<Axes>> = vec![None; stages.len()];
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); stages.len()];
    let mut awaited = vec![0; stages.len()];
    let mut ready = Vec::new();
    for (place, stage) in stages.iter().enumerate() {
        match (&stage.matrix, &sources[place]) {
            (None, None) => {}
            (None, Some(sources)) if !sources.is_empty() => {
                awaited[place] = sources.len();
                sources.iter().for_each(|source| readers[*source].push(place));
            }
            _ => ready.push(place),
        }
    }
    while let Some(place) = ready.pop() {
        let mut all = Axes::new();
        match (&stages[place].matrix, &sources[place]) {
            (Some(matrix), _) => all.extend(matrix.iter().map(|(axis, values)| (axis.clone(), texts(values)))),
            (None, sources) => {
                for (axis, values) in sources.iter().flatten().filter_map(|source| found[*source].as_ref()).flatten() {
                    all.entry(axis.clone()).or_default().extend(values.iter().cloned());
                }
            }
        }
        found[place] = Some(all);
        for reader in std::mem::take(&mut readers[place]) {
            awaited[reader] -= 1;
            if awaited[reader] == 0 {
                ready.push(reader);
            }
        }
    }
    found
}

fn matrix(context: &mut Context<'_>, path: &str, raw: &RawStage) -> Vec<(String, Vec<AxisValue>)> {
    let path = below(path, "matrix");
    let mut entries: Vec<_> = raw.matrix.iter().flatten().collect();
    entries.sort_by_key(|(axis, _)| context.file.offset(&below(&path, axis)));
    let mut resolved = Vec::with_capacity(entries.len());
    for (axis, values) in entries {
        let path = below(&path, axis);
        check_name(context, &path, axis, "an axis");
        if context.param_names.contains(axis) {
            context.used.insert(axis.clone());
            if !context.declared_axes.contains(axis) {
                context.problems.push(name_clash(context.file, &path, axis));
            }
        }
        let values = context.axis_values(axis, values, &Origin::File(path), Kind::Matrix);
        resolved.push((axis.clone(), values));
    }
    resolved
}

fn exclude(
    context: &mut Context<'_>,
    path: &str,
    name: &str,
    raw: &RawStage,
    matrix: Option<&[(String, Vec<AxisValue>)]>,
) -> Vec<BTreeMap<String, String>> {
    let path = below(path, "exclude");
    let Some(matrix) = matrix else {
        if raw.exclude.is_some() {
            let message = format!("stage `{name}` has `exclude` and no `matrix`");
            let problem = context.file.key_problem(&path, "compt::spec::exclude", message);
            let help = "give it a `matrix:`, or use `only:` to narrow what it reads";
            context.problems.push(problem.with_help(help));
        }
        return Vec::new();
    };
    let mut excluded = Vec::new();
    for (i, entry) in raw.exclude.iter().flatten().enumerate() {
        let path = format!("{path}[{i}]");
        let before = context.problems.len();
        let mut pattern = BTreeMap::new();
        for (axis, Scalar(value)) in entry {
            pattern.extend(exclude_entry(context, &below(&path, axis), name, axis, value, matrix));
        }
        if entry.is_empty() {
            let problem = context.file.problem(&path, "compt::spec::exclude", "this entry excludes every instance");
            context.problems.push(problem.with_help("name at least one axis: `{ axis: value }`"));
        }
        if context.problems.len() == before && pattern.len() == entry.len() {
            excluded.push(pattern);
        }
    }
    if !excluded.is_empty() && excludes_all(matrix, &excluded) {
        let message = format!("`exclude` leaves no instance of stage `{name}`");
        let problem = context.file.key_problem(&path, "compt::spec::exclude", message);
        context.problems.push(problem.with_help("remove an entry, or give the matrix more values"));
    }
    excluded
}

/// One `axis: value` of an entry; `None` when it matches nothing.
fn exclude_entry(
    context: &mut Context<'_>,
    path: &str,
    stage: &str,
    axis: &str,
    value: &Value,
    matrix: &[(String, Vec<AxisValue>)],
) -> Option<(String, String)> {
    let Some((_, values)) = matrix.iter().find(|(name, _)| name == axis) else {
        let names = || matrix.iter().map(|(name, _)| name.as_str());
        let help = match suggest::nearest(axis, names()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("its axes are {}", quoted(names())),
        };
        let message = format!("the matrix of stage `{stage}` has no axis `{axis}`");
        let problem = context.file.key_problem(path, "compt::spec::unknown_axis", message);
        context.problems.push(problem.with_help(help).with_label("unknown axis"));
        return None;
    };
    let origin = Origin::File(path.to_owned());
    context.check_names(value, &origin, "", |_| false, |_| "write the value itself".to_owned());
    let value = substitute(value, |name| context.params.get(name).cloned()).ok()?;
    let Some(text) = canonical(&value) else {
        let problem = context.file.problem(path, "compt::spec::wrong_type", "expected one value, but this is a list");
        context.problems.push(problem.with_help("write one entry for each value"));
        return None;
    };
    if values.iter().any(|value| value.text == text) {
        return Some((axis.to_owned(), text));
    }
    // A narrowed axis may well lack what the file excludes.
    if context.overridden.is_empty() && !values.is_empty() {
        let texts = || values.iter().map(|value| value.text.as_str());
        let help = nearest_value(&text, texts());
        let message = format!("this excludes nothing: axis `{axis}` of stage `{stage}` has no value `{text}`");
        context.problems.push(context.file.problem(path, "compt::spec::exclude", message).with_help(help));
    }
    None
}

/// Which value of an axis may have been meant; one number is no slip for another.
fn nearest_value<'a>(text: &str, values: impl Iterator<Item = &'a str> + Clone) -> String {
    match suggest::nearest(text, values.clone()).filter(|_| text.parse::<f64>().is_err()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("its values are {}", quoted(values)),
    }
}

/// Whether every cell of the matrix agrees with an entry; not looked at for a matrix of very many cells.
fn excludes_all(matrix: &[(String, Vec<AxisValue>)], excluded: &[BTreeMap<String, String>]) -> bool {
    const MOST_CELLS: usize = 100_000;
    let cells = matrix.iter().try_fold(1usize, |cells, (_, values)| cells.checked_mul(values.len()));
    let Some(cells) = cells.filter(|cells| (1..=MOST_CELLS).contains(cells)) else { return false };
    (0..cells).all(|cell| {
        let mut rest = cell;
        let mut coordinates: BTreeMap<&str, &str> = BTreeMap::new();
        for (axis, values) in matrix {
            coordinates.insert(axis, &values[rest % values.len()].text);
            rest /= values.len();
        }
        excluded
            .iter()
            .any(|entry| entry.iter().all(|(axis, text)| coordinates.get(axis.as_str()) == Some(&text.as_str())))
    })
}

/// The one operation and its map.
fn operation(
    context: &mut Context<'_>,
    path: &str,
    stage: &str,
    raw: &RawStage,
) -> Option<(String, Map<String, Value>)> {
    let path = below(path, "run");
    let mut operations: Vec<_> = raw.run.iter().collect();
    operations.sort_by_key(|(name, _)| context.file.offset(&below(&path, name)));
    let ((name, value), rest) = match operations.as_slice() {
        [] => {
            let message = format!("stage `{stage}` names no operation");
            let problem = context.file.key_problem(&path, "compt::spec::operation", message);
            context.problems.push(problem.with_help("write `run: { OPERATION: { ... } }`; `compt list` shows them"));
            return None;
        }
        [first, rest @ ..] => (*first, rest),
    };
    if let [(second, _), ..] = rest {
        let names = quoted(operations.iter().map(|(name, _)| name.as_str()));
        let message = format!("stage `{stage}` names more than one operation: {names}");
        let problem = context.file.key_problem(&below(&path, second), "compt::spec::operation", message);
        let help = "a stage runs exactly one; make another stage that reads `from:` this one, or indent what belongs \
                    to the first";
        context.problems.push(problem.with_help(help).with_label("a second operation"));
    }
    match value {
        Value::Null => Some((name.clone(), Map::new())),
        Value::Object(map) => Some((name.clone(), map.clone())),
        _ => {
            let message = format!("the parameters of `{name}` must be a map");
            let problem = context.file.problem(&below(&path, name), "compt::spec::wrong_type", message);
            context.problems.push(problem.with_help(format!("write `{name}: {{ parameter: value }}`")));
            None
        }
    }
}

/// The stages read, each once; unknown ones are reported by [`unknown_sources`].
fn sources(context: &mut Context<'_>, stage: &Stage, names: &[String], is_list: bool) -> Vec<String> {
    let path = stage.parameter_path("from");
    if names.is_empty() {
        let problem = context.file.problem(&path, "compt::spec::empty_list", "`from` names no stage");
        context.problems.push(problem.with_help("name a stage, or remove `from`"));
    }
    let mut found: Vec<String> = Vec::new();
    for (i, name) in names.iter().enumerate() {
        if found.contains(name) {
            let path = if is_list { format!("{path}[{i}]") } else { path.clone() };
            let problem =
                context.file.problem(&path, "compt::spec::duplicate_value", format!("`{name}` is read twice"));
            context.problems.push(problem.with_help("remove one of them"));
        } else {
            found.push(name.clone());
        }
    }
    found
}

/// Reports the names in `from` that are no stage's, and takes them out.
pub(super) fn unknown_sources(context: &mut Context<'_>, stages: &[Stage], known: &BTreeSet<String>) {
    for stage in stages {
        for (i, from) in stage.from.iter().enumerate().filter(|(_, from)| !known.contains(*from)) {
            let path = stage.parameter_path("from");
            let item = format!("{path}[{i}]");
            let path = if context.file.has(&item) { item } else { path };
            let others = || known.iter().map(String::as_str).filter(|name| *name != stage.name);
            let help = match suggest::nearest(from, others()) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("the stages are {}", quoted(others())),
            };
            let message = format!("stage `{}` reads `{from}`, which is no stage of this pipeline", stage.name);
            let problem = context.file.problem(&path, "compt::spec::unknown_stage", message);
            context.problems.push(problem.with_help(help).with_label("unknown stage"));
        }
    }
}

fn check_only(
    context: &mut Context<'_>,
    stage: &Stage,
    axis: &str,
    texts: &[String],
    read: Option<&[&Axes]>,
    available: impl Fn(&str) -> bool,
) {
    let path = stage.parameter_path(&below("only", axis));
    let problem = if stage.from.is_empty() {
        let message = format!("stage `{}` has `only` and reads nothing", stage.name);
        Some(
            context
                .file
                .key_problem(&path, "compt::spec::only", message)
                .with_help("add `from: STAGE`, or remove `only`"),
        )
    } else {
        read.and_then(|read| only_problem(context, stage, axis, texts, read, &path))
    };
    context.problems.extend(problem);
    let origin = Origin::File(path);
    for text in texts {
        // Names that are no axis at all have been reported at their place in the list.
        let axes = context.axis_names.clone();
        let available = |name: &str| available(name) || !axes.contains(name);
        context.check_names(&Value::from(text.as_str()), &origin, "", available, axis_help);
    }
}

/// An axis or a value in `only` that no stage that is read has.
fn only_problem(
    context: &Context<'_>,
    stage: &Stage,
    axis: &str,
    texts: &[String],
    read: &[&Axes],
    path: &str,
) -> Option<Problem> {
    let values: BTreeSet<&str> = read.iter().filter_map(|axes| axes.get(axis)).flatten().map(String::as_str).collect();
    if values.is_empty() {
        let axes: BTreeSet<&str> = read.iter().flat_map(|axes| axes.keys()).map(String::as_str).collect();
        let help = match suggest::nearest(axis, axes.iter().copied()) {
            Some(name) => format!("did you mean `{name}`?"),
            None if axes.is_empty() => "they have no axes; remove `only`".to_owned(),
            None => format!("they have the axes {}", quoted(axes)),
        };
        let message = format!("nothing that stage `{}` reads has an axis `{axis}`", stage.name);
        let problem = context.file.key_problem(path, "compt::spec::unknown_axis", message);
        return Some(problem.with_help(help).with_label("unknown axis"));
    }
    if !context.overridden.is_empty() {
        return None;
    }
    let text = texts.iter().find(|text| !text.contains("${") && *text != "none" && !values.contains(text.as_str()))?;
    let help = nearest_value(text, values.iter().copied());
    let message = format!("nothing that stage `{}` reads has `{axis}` = `{text}`", stage.name);
    Some(context.file.problem(path, "compt::spec::only", message).with_help(help))
}
