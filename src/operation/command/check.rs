//! What serde can't check of a command's parameters; every fault at once.

use std::collections::BTreeMap;
use std::path::Path;

use super::Parameters;
use super::environment::PREFIX;
use super::folder::PARAMETERS_NOTE;
use super::inputs::{INPUTS, INPUTS_NOTE};
use crate::base::suggest;
use crate::operation::parameters::fault;
use crate::plan::catalog::ParameterError;
use crate::task::source::glob::stays_inside;

pub(super) fn faults(parameters: &Parameters, root: &Path) -> Vec<ParameterError> {
    let mut faults = Vec::new();
    program(parameters, &mut faults);
    faults.extend(faults_of_files("files", &parameters.files, root, misplaced));
    for (i, output) in parameters.outputs.iter().enumerate() {
        let place = format!("outputs[{i}]");
        if let Some(message) = misplaced(output) {
            faults.push(fault(&place, message));
        } else if parameters.outputs[..i].contains(output) {
            faults.push(fault(&place, format!("`{output}` stands here twice")));
        }
    }
    names(parameters, &mut faults);
    faults
}

/// What is wrong with the list `name` of files and folders of the project: each lies below `root`, is there and stands
/// once. `misplaced` says what is wrong with a path, wherever it leads.
pub(in crate::operation) fn faults_of_files(
    name: &str,
    files: &[String],
    root: &Path,
    misplaced: impl Fn(&str) -> Option<String>,
) -> Vec<ParameterError> {
    let mut faults = Vec::new();
    let plain = |file: &String| file.trim_end_matches('/').to_owned();
    for (i, file) in files.iter().enumerate() {
        let place = format!("{name}[{i}]");
        if let Some(message) = misplaced(file) {
            faults.push(fault(&place, message));
        } else if !root.join(file).exists() {
            faults.push(ParameterError { help: near(file, root), ..fault(&place, absent(file)) });
        } else if files[..i].iter().map(plain).any(|other| other == plain(file)) {
            faults.push(fault(&place, format!("`{file}` stands here twice")));
        }
    }
    faults
}

fn program(parameters: &Parameters, faults: &mut Vec<ParameterError>) {
    match parameters.program.first() {
        None => faults.push(ParameterError {
            help: Some("write for example `program: [python3, scripts/fit.py]`".to_owned()),
            ..fault("program", "`program` has no word")
        }),
        Some(first) if first.is_empty() => faults.push(fault("program[0]", "the name of the program is empty")),
        Some(first) if parameters.program.len() == 1 && first.contains(' ') => faults.push(ParameterError {
            help: Some(format!("write its words one by one, or `[sh, -c, \"{first}\"]` for a line of shell")),
            ..fault("program[0]", format!("there is no shell that splits `{first}` into words"))
        }),
        Some(_) => {}
    }
    if let Some(i) = parameters.program.iter().position(|word| word.contains('\0')) {
        faults.push(fault(&format!("program[{i}]"), "a word has a null character"));
    }
}

/// What is wrong with a path in the program's folder.
fn misplaced(path: &str) -> Option<String> {
    let first = path.split('/').next().unwrap_or_default();
    let is_taken = first == INPUTS || [INPUTS_NOTE, PARAMETERS_NOTE].contains(&path);
    misplaced_in("the folder", path)
        .or_else(|| is_taken.then(|| format!("`{path}` is where the program finds what it is given; use another name")))
}

/// What is wrong with a path in `folder`, as messages call it.
pub(in crate::operation) fn misplaced_in(folder: &str, path: &str) -> Option<String> {
    if path.is_empty() {
        Some("a path is empty".to_owned())
    } else if !stays_inside(path) {
        Some(format!("`{path}` leaves {folder}; expected a path below it, with `/`"))
    } else if path.split('/').any(|part| part == ".") || path.contains("//") {
        Some(format!("`{path}` has a part that says nothing; leave out `.` and second `/`"))
    } else {
        None
    }
}

fn absent(file: &str) -> String {
    format!("the project has no file or folder `{file}`")
}

/// A file of a similar name beside the one that is missing.
fn near(file: &str, root: &Path) -> Option<String> {
    let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
    let entries = fs_err::read_dir(root.join(folder)).ok()?;
    let names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    let near = suggest::nearest(name, names.iter().map(String::as_str))?;
    Some(if folder.is_empty() { format!("did you mean `{near}`?") } else { format!("did you mean `{folder}/{near}`?") })
}

/// Names of variables and parameters, of which no two may meet.
fn names(parameters: &Parameters, faults: &mut Vec<ParameterError>) {
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for name in parameters.parameters.keys() {
        let place = format!("parameters.{name}");
        if !is_name(name) {
            faults.push(fault(&place, unspeakable(name)));
        } else if let Some(other) = known.insert(name.to_uppercase(), name.clone()) {
            let message = format!("`{other}` and `{name}` are one variable, `{PREFIX}{}`", name.to_uppercase());
            faults.push(fault(&place, message));
        }
    }
    let listed = |list: &'static str, names: &[String]| -> Vec<(String, String)> {
        names.iter().enumerate().map(|(i, name)| (format!("{list}[{i}]"), name.clone())).collect()
    };
    let mut all = listed("environment", &parameters.environment);
    all.extend(parameters.variables.keys().map(|name| (format!("variables.{name}"), name.clone())));
    all.extend(listed("secrets", &parameters.secrets));
    let mut places: BTreeMap<String, String> = BTreeMap::new();
    for (place, name) in all {
        if !is_name(&name) {
            faults.push(fault(&place, unspeakable(&name)));
        } else if name.starts_with("COMPT_") {
            faults.push(fault(&place, format!("`{name}`: names with `COMPT_` are set by compt")));
        } else if let Some(other) = places.get(&name).filter(|other| !both_may(other, &place)) {
            faults.push(fault(&place, format!("`{name}` stands in `{other}` already")));
        } else {
            places.insert(name, place);
        }
    }
}

/// `variables` may set what would be passed on without it, so that the usual list needs no copy with one name less.
fn both_may(first: &str, second: &str) -> bool {
    first.starts_with("environment") && second.starts_with("variables")
}

fn unspeakable(name: &str) -> String {
    format!("`{name}` can't be the name of a variable: expected letters, digits and `_`, no digit first")
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
