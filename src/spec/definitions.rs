//! Parameters and axes as a run has them: the file's, then the profile's, then those of `--set`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::diagnostic::Problem;
use super::load::Request;
use super::raw::{Param, RawPipeline, Values};
use super::source::SourceFile;
use super::substitute::{below, is_name, names};
use super::yaml::parse_scalar_or_list;
use crate::base::suggest;

/// Where a value was given.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// At this path of the file.
    File(String),
    /// As this `--set` argument.
    Set(String),
    /// At this path of a file that includes this one.
    Include {
        /// The including file.
        file: Arc<SourceFile>,
        /// Below its `set:`.
        path: String,
    },
}

/// A value for a parameter or an axis that comes from outside of the file.
#[derive(Clone, Debug)]
pub(super) struct Override {
    /// The parameter or axis.
    pub name: String,
    /// The value; for one that can't be read, what was expected.
    pub value: Result<Value, String>,
    /// Who gave it.
    pub origin: Origin,
}

impl Override {
    /// What `--set NAME=TEXT` asks for.
    pub(super) fn from_argument(name: &str, text: &str) -> Self {
        let origin = Origin::Set(format!("{name}={text}"));
        Self { name: name.to_owned(), value: parse_scalar_or_list(text), origin }
    }
}

impl Origin {
    /// An error about the value, or about a part of it (`[2]`, `gate.kind`).
    pub(super) fn problem(&self, file: &Arc<SourceFile>, part: &str, code: &'static str, message: String) -> Problem {
        match self {
            Self::File(path) => file.problem(&below(path, part), code, message),
            Self::Set(argument) => Problem::new(code, format!("`--set {argument}`: {message}")).at_path(file.path()),
            Self::Include { file: including, path } => {
                including.problem(&below(path, part), code, format!("`{}`: {message}", file.path().display()))
            }
        }
    }

    /// An error about the name that the value was given to.
    fn name_problem(&self, file: &Arc<SourceFile>, code: &'static str, message: String) -> Problem {
        match self {
            Self::Include { file: including, path } => {
                including.key_problem(path, code, format!("`{}`: {message}", file.path().display()))
            }
            Self::File(_) | Self::Set(_) => self.problem(file, "", code, message),
        }
    }
}

/// The parameters and axes of a run.
#[derive(Debug, Default)]
pub(super) struct Definitions {
    /// Values of parameters.
    pub params: BTreeMap<String, Value>,
    /// Axes as they were written, with where.
    pub axes: BTreeMap<String, (Values, Origin)>,
    /// Axes whose values do not come from `axes:`.
    pub overridden: BTreeSet<String>,
}

/// Applies the profile and then what comes from outside, and reports what is wrong with names and overrides.
pub(super) fn define(
    raw: &RawPipeline,
    file: &Arc<SourceFile>,
    request: &Request,
    known: &BTreeSet<String>,
    problems: &mut Vec<Problem>,
) -> Definitions {
    let mut build = Build { file, known, problems, definitions: Definitions::default() };
    for (name, Param(value)) in raw.params.iter().flatten() {
        let path = below("params", name);
        build.check_name(&path, name, "a parameter");
        build.check_param(value, &Origin::File(path));
        build.definitions.params.insert(name.clone(), value.clone());
    }
    for (name, values) in raw.axes.iter().flatten() {
        let path = below("axes", name);
        build.check_name(&path, name, "an axis");
        if build.definitions.params.contains_key(name) {
            build.both(&path, name);
        }
        build.definitions.axes.insert(name.clone(), (values.clone(), Origin::File(path)));
    }
    for (profile, overrides) in raw.profiles.iter().flatten() {
        let path = below("profiles", profile);
        build.check_name(&path, profile, "a profile");
        let chosen = request.profile.as_ref() == Some(profile);
        for (name, Param(value)) in overrides {
            build.profile_entry(&below(&path, name), name, value, chosen);
        }
    }
    for given in &request.overrides {
        build.set(given);
    }
    build.definitions
}

/// The error about a profile that neither the file nor what it includes has; `names` are those that there are.
pub(super) fn unknown_profile(file: &Arc<SourceFile>, wanted: &str, names: &BTreeSet<String>) -> Problem {
    let names = || names.iter().map(String::as_str);
    let help = match suggest::nearest(wanted, names()) {
        Some(name) => format!("did you mean `--profile {name}`?"),
        None if names().next().is_none() => "the file has no `profiles:`; leave `--profile` out".to_owned(),
        None => format!("it has the profiles {}", quoted(names())),
    };
    let message = format!("`--profile {wanted}`: the file has no such profile");
    Problem::new("compt::spec::unknown_profile", message).at_path(file.path()).with_help(help)
}

struct Build<'a> {
    file: &'a Arc<SourceFile>,
    /// Every name under `params:` and `axes:`, faulty ones too.
    known: &'a BTreeSet<String>,
    problems: &'a mut Vec<Problem>,
    definitions: Definitions,
}

impl Build<'_> {
    fn check_name(&mut self, path: &str, name: &str, what: &str) {
        let file = self.file;
        self.problems.extend(name_problem(|code, message| file.key_problem(path, code, message), name, what));
    }

    fn both(&mut self, path: &str, name: &str) {
        self.problems.push(name_clash(self.file, path, name));
    }

    fn check_param(&mut self, value: &Value, origin: &Origin) {
        if let Some(found) = names(value).into_iter().next() {
            let (part, help) = match found {
                Ok((_, part)) => (part, "write the value itself; where `${` is meant as text, write `$${`"),
                Err(unknown) => (unknown.path, "where `${` is meant as text, write `$${`"),
            };
            let message = "a parameter's value can't refer to another name with `${}`".to_owned();
            let problem = origin.problem(self.file, &part, "compt::spec::nested_parameter", message);
            self.problems.push(problem.with_help(help));
        }
    }

    fn profile_entry(&mut self, path: &str, name: &str, value: &Value, chosen: bool) {
        if !self.known.contains(name) {
            let message = format!("there is no parameter or axis `{name}` to override");
            let problem = self.file.key_problem(path, "compt::spec::unknown_parameter", message);
            self.problems.push(problem.with_help(self.known_names(name)).with_label("unknown name"));
            return;
        }
        let origin = Origin::File(path.to_owned());
        let before = self.problems.len();
        let accepted = self.check_override(name, value, &origin);
        if chosen && self.problems.len() == before {
            self.accept(name, accepted, value, origin);
        }
    }

    fn set(&mut self, Override { name, value, origin }: &Override) {
        if !self.known.contains(name) {
            let message = format!("there is no parameter or axis `{name}`");
            let problem = origin.name_problem(self.file, "compt::spec::unknown_parameter", message);
            self.problems.push(problem.with_help(self.known_names(name)).with_label("unknown name"));
            return;
        }
        match value {
            Err(expected) => {
                let problem = origin.problem(self.file, "", "compt::spec::set", expected.clone());
                self.problems
                    .push(problem.with_help(format!("for instance `--set {name}=1`, or `--set '{name}=[1, 2]'`")));
            }
            Ok(value) => {
                let before = self.problems.len();
                let accepted = self.check_override(name, value, origin);
                if self.problems.len() == before {
                    self.accept(name, accepted, value, origin.clone());
                }
            }
        }
    }

    /// The values when `name` is an axis.
    fn check_override(&mut self, name: &str, value: &Value, origin: &Origin) -> Option<Values> {
        if !self.definitions.axes.contains_key(name) {
            self.check_param(value, origin);
            return None;
        }
        match value {
            Value::Array(items) => Some(Values::List(items.clone())),
            Value::String(text) if text.starts_with("${") => Some(Values::Text(text.clone())),
            scalar => {
                let scalar = super::scalar::canonical(scalar).unwrap_or_default();
                let message = format!("`{name}` is an axis, which takes a list");
                let problem = origin.problem(self.file, "", "compt::spec::wrong_type", message);
                self.problems.push(problem.with_help(match origin {
                    Origin::Set(_) => format!("write `--set '{name}=[{scalar}]'`"),
                    Origin::File(_) | Origin::Include { .. } => format!("write `{name}: [{scalar}]`"),
                }));
                None
            }
        }
    }

    fn accept(&mut self, name: &str, values: Option<Values>, value: &Value, origin: Origin) {
        match values {
            Some(values) => {
                self.definitions.axes.insert(name.to_owned(), (values, origin));
                self.definitions.overridden.insert(name.to_owned());
            }
            None => {
                self.definitions.params.insert(name.to_owned(), value.clone());
            }
        }
    }

    fn known_names(&self, typed: &str) -> String {
        match suggest::nearest(typed, self.known.iter().map(String::as_str)) {
            Some(name) => format!("did you mean `{name}`?"),
            None if self.known.is_empty() => "the file has no `params:` and no `axes:`".to_owned(),
            None => format!("the file has {}", quoted(self.known.iter().map(String::as_str))),
        }
    }
}

/// The error about a name that is not spelled as names are.
pub(super) fn name_problem(
    place: impl FnOnce(&'static str, String) -> Problem,
    name: &str,
    what: &str,
) -> Option<Problem> {
    if is_name(name) {
        return None;
    }
    let message = format!("`{name}` can't be the name of {what}: expected lower-case letters, digits and `_`");
    let mended: String = name
        .to_lowercase()
        .chars()
        .map(|letter| if letter.is_ascii_lowercase() || letter.is_ascii_digit() { letter } else { '_' })
        .collect();
    let help = is_name(&mended).then(|| format!("write `{mended}`"));
    Some(place("compt::spec::name", message).with_help_if(help).with_label("not a name"))
}

/// The error about a name that is a parameter and an axis.
pub(super) fn name_clash(file: &Arc<SourceFile>, path: &str, name: &str) -> Problem {
    let message = format!("`{name}` is both a parameter and an axis, so `${{{name}}}` is ambiguous");
    file.key_problem(path, "compt::spec::ambiguous_name", message)
        .with_help("rename one of them")
        .with_label("also under `params:`")
}

/// `` `a`, `b` ``
pub(super) fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
