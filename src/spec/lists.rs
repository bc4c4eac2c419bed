//! Lists of axis values: `axes.seed`, `[...axes.task, mnli]`, `${seeds}`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::Value;

use super::definitions::{Origin, quoted};
use super::diagnostic::Problem;
use super::raw::Values;
use super::scalar::{AxisValue, canonical};
use super::source::SourceFile;
use super::substitute::{Unknown, UnknownName, below, escape, names, sole_name, substitute, substitute_known};
use crate::base::suggest;

/// What the passes over a pipeline share: what is defined, what has been used, what is wrong.
pub(super) struct Context<'a> {
    pub file: &'a Arc<SourceFile>,
    pub params: BTreeMap<String, Value>,
    /// The axes under `axes:`, resolved.
    pub axes: BTreeMap<String, Vec<AxisValue>>,
    /// Axes whose values come from a profile or `--set`.
    pub overridden: BTreeSet<String>,
    /// Names under `params:`, also of those that were faulty.
    pub param_names: BTreeSet<String>,
    /// Names under `axes:`, also of those that were faulty.
    pub declared_axes: BTreeSet<String>,
    /// Names of all axes, those of matrices too.
    pub axis_names: BTreeSet<String>,
    /// Parameters and axes that something uses, or that a misspelt name probably means.
    pub used: BTreeSet<String>,
    pub problems: Vec<Problem>,
}

/// Where a list stands, which decides what may be in it.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// Under `axes:`: values and parameters.
    Axis,
    /// In a matrix: axes too.
    Matrix,
    /// In `only`: axes of the stage too, as `${axis}`.
    Only,
}

/// An element of a list.
struct Item {
    value: Value,
    /// Its position in the list as written.
    part: String,
    /// Whether it comes from `axes.NAME`.
    spread: bool,
}

impl Context<'_> {
    /// The values of an axis under `axes:` or in a matrix: at least one, none twice.
    pub(super) fn axis_values(&mut self, axis: &str, values: &Values, origin: &Origin, kind: Kind) -> Vec<AxisValue> {
        let before = self.problems.len();
        let items = self.items(values, origin, kind);
        let names_axis = match values {
            Values::Text(text) => text.starts_with("axes."),
            Values::List(items) => items.iter().any(|item| item.as_str().is_some_and(|text| text.starts_with("..."))),
        };
        // An axis without values has been reported where it stands.
        if items.is_empty() && !names_axis && self.problems.len() == before {
            let problem =
                origin.problem(self.file, "", "compt::spec::empty_list", format!("axis `{axis}` has no values"));
            self.problems.push(problem.with_help(format!("give it at least one: `{axis}: [1]`")));
        }
        let mut found: Vec<AxisValue> = Vec::with_capacity(items.len());
        let mut firsts: HashMap<String, Item> = HashMap::with_capacity(items.len());
        for item in items {
            let Some(value) = AxisValue::new(item.value.clone()).filter(|value| !value.text.is_empty()) else {
                let message = format!("axis `{axis}` has an empty text as a value");
                let problem = origin.problem(self.file, &item.part, "compt::spec::empty_value", message);
                self.problems.push(problem.with_help("write `none`, or any other word"));
                continue;
            };
            match firsts.get(&value.text) {
                Some(first) if (item.spread || first.spread) && !self.overridden.is_empty() => {}
                Some(first) => {
                    let problem = self.duplicate(axis, &value.text, origin, first, &item);
                    self.problems.push(problem);
                }
                None => {
                    firsts.insert(value.text.clone(), item);
                    found.push(value);
                }
            }
        }
        found
    }

    /// The templates of a list in `only`.
    pub(super) fn only_texts(&mut self, values: &Values, origin: &Origin) -> Vec<String> {
        let before = self.problems.len();
        let items = self.items(values, origin, Kind::Only);
        if items.is_empty() && self.problems.len() == before {
            let message = "this list of `only` is empty, so nothing would be read".to_owned();
            let problem = origin.problem(self.file, "", "compt::spec::empty_list", message);
            self.problems.push(problem.with_help("name at least one value, or remove the entry to read all"));
        }
        let text = |item: Item| match item.value {
            Value::String(text) if item.spread => escape(&text),
            value => canonical(&value).unwrap_or_default(),
        };
        let mut texts: Vec<String> = Vec::with_capacity(items.len());
        for text in items.into_iter().map(text) {
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        texts
    }

    fn items(&mut self, values: &Values, origin: &Origin, kind: Kind) -> Vec<Item> {
        match values {
            Values::Text(text) => self.whole(text, origin, kind),
            Values::List(entries) => {
                let mut items = Vec::new();
                for (i, entry) in entries.iter().enumerate() {
                    let part = format!("[{i}]");
                    match entry {
                        Value::String(text) => self.element(text, origin, part, kind, &mut items),
                        value => items.push(Item { value: value.clone(), part, spread: false }),
                    }
                }
                items
            }
        }
    }

    /// A text in the place of a list.
    fn whole(&mut self, text: &str, origin: &Origin, kind: Kind) -> Vec<Item> {
        if let Some(axis) = text.strip_prefix("axes.") {
            return self.spread(axis, origin, "", kind);
        }
        if let Some(name) = sole_name(text)
            && let Some(value) = self.params.get(name).cloned()
        {
            self.used.insert(name.to_owned());
            if let Value::Array(items) = value {
                return items.into_iter().map(|value| Item { value, part: String::new(), spread: false }).collect();
            }
        }
        let help = match text.strip_prefix("...") {
            Some(rest) => format!("write `{rest}`, or `[{text}, more]`"),
            None => format!("write `[{text}]`"),
        };
        let expected = if kind == Kind::Axis { "a list" } else { "a list like `[1, 2]`, or `axes.NAME`" };
        let message = format!("expected {expected}, but this is the text `{text}`");
        let problem = origin.problem(self.file, "", "compt::spec::wrong_type", message);
        self.problems.push(problem.with_help(help));
        Vec::new()
    }

    /// A text in a list.
    fn element(&mut self, text: &str, origin: &Origin, part: String, kind: Kind, items: &mut Vec<Item>) {
        if let Some(rest) = text.strip_prefix("...") {
            match rest.strip_prefix("axes.") {
                Some(axis) => items.extend(self.spread(axis, origin, &part, kind)),
                None => {
                    let message = format!("`{text}` names nothing: only axes can be spread");
                    let problem = origin.problem(self.file, &part, "compt::spec::unknown_axis", message);
                    self.problems.push(problem.with_help(format!("write `...axes.{rest}`")));
                }
            }
            return;
        }
        if text.strip_prefix("axes.").is_some_and(|axis| self.declared_axes.contains(axis)) {
            let message = format!("`{text}` stands inside a list, where it would be one text");
            let problem = origin.problem(self.file, &part, "compt::spec::spread", message);
            self.problems.push(problem.with_help(format!("write `...{text}` to put its values into this list")));
            return;
        }
        let given = Value::from(text);
        let known = if kind == Kind::Only { self.axis_names.clone() } else { BTreeSet::new() };
        let spread = |axis: &str| format!("write `...axes.{axis}` to put its values into this list");
        self.check_names(&given, origin, &part, |name| known.contains(name), spread);
        let resolved = substitute_known(&given, |name| self.params.get(name).cloned()).and_then(|value| match kind {
            Kind::Only => Ok(value),
            // What was not known has been reported, so that nothing is lost by reading it as text.
            Kind::Axis | Kind::Matrix => substitute(&value, |name| Some(Value::from(format!("${{{name}}}")))),
        });
        match resolved {
            Ok(Value::Array(values)) => {
                items.extend(values.into_iter().map(|value| Item { value, part: part.clone(), spread: false }));
            }
            Ok(value) => items.push(Item { value, part, spread: false }),
            Err(unknown) => self.malformed(&unknown, origin, &part),
        }
    }

    /// The values of `axes.NAME`.
    fn spread(&mut self, axis: &str, origin: &Origin, part: &str, kind: Kind) -> Vec<Item> {
        let known = self.declared_axes.contains(axis);
        if kind == Kind::Axis {
            let message = format!("`axes.{axis}` can't be used under `axes:`, only in a matrix and in `only`");
            let problem = origin.problem(self.file, part, "compt::spec::unknown_axis", message);
            self.problems
                .push(problem.with_help("put the common values into a list under `params:` and use `\"${name}\"`"));
        } else if !known {
            let message = format!("there is no axis `{axis}` under `axes:`");
            let nearest = suggest::nearest(axis, self.declared_axes.iter().map(String::as_str)).map(str::to_owned);
            let help = match &nearest {
                Some(name) => format!("did you mean `axes.{name}`?"),
                None if self.declared_axes.is_empty() => format!("add `axes: {{ {axis}: [...] }}` to the file"),
                None => format!("there is {}", quoted(self.declared_axes.iter().map(String::as_str))),
            };
            self.used.extend(nearest);
            let problem = origin.problem(self.file, part, "compt::spec::unknown_axis", message);
            self.problems.push(problem.with_help(help).with_label("unknown axis"));
        }
        self.used.insert(axis.to_owned());
        let values = self.axes.get(axis).into_iter().flatten();
        values.map(|value| Item { value: value.value.clone(), part: part.to_owned(), spread: true }).collect()
    }

    /// Reports every `${}` of `value` that is malformed or neither a parameter nor `available`; marks those in use.
    /// `axis_help` says what to do about an axis that is not available here.
    pub(super) fn check_names(
        &mut self,
        value: &Value,
        origin: &Origin,
        part: &str,
        available: impl Fn(&str) -> bool,
        axis_help: impl Fn(&str) -> String,
    ) {
        for found in names(value) {
            match found {
                Ok((name, _)) if self.param_names.contains(&name) => {
                    self.used.insert(name);
                }
                Ok((name, _)) if available(&name) => {}
                Ok((name, path)) => {
                    let problem = self.unknown_name(&name, origin, &below(part, &path), &available, &axis_help);
                    self.problems.push(problem);
                }
                Err(unknown) => self.malformed(&unknown, origin, part),
            }
        }
    }

    /// The error about a `${}` that can't be replaced for another reason than its name.
    pub(super) fn malformed(&mut self, unknown: &UnknownName, origin: &Origin, part: &str) {
        let help = match &unknown.kind {
            Unknown::List(name) => format!("use `\"${{{name}}}\"` alone, without other text around it"),
            _ => "write `${name}`, or `$${` where `${` is meant as text".to_owned(),
        };
        let at = below(part, &unknown.path);
        let problem = origin.problem(self.file, &at, "compt::spec::substitution", unknown.to_string());
        // The same text is visited twice: for its names, then for its value.
        if !self
            .problems
            .iter()
            .any(|other| other.to_string() == problem.to_string() && other.line_column() == problem.line_column())
        {
            self.problems.push(problem.with_help(help));
        }
    }

    fn unknown_name(
        &mut self,
        name: &str,
        origin: &Origin,
        part: &str,
        available: &impl Fn(&str) -> bool,
        axis_help: &impl Fn(&str) -> String,
    ) -> Problem {
        let here: Vec<String> =
            self.param_names.iter().chain(self.axis_names.iter().filter(|axis| available(axis))).cloned().collect();
        let nearest = suggest::nearest(name, here.iter().map(String::as_str)).map(str::to_owned);
        let is_axis = self.axis_names.contains(name);
        let message = if is_axis {
            format!("`${{{name}}}` is an axis that is not available here")
        } else {
            format!("`${{{name}}}` is neither a parameter nor an axis")
        };
        let help = match &nearest {
            _ if is_axis => axis_help(name),
            Some(name) => format!("did you mean `${{{name}}}`?"),
            None if here.is_empty() => format!("add `params: {{ {name}: ... }}` to the file"),
            None => {
                format!("add it under `params:`; what can stand here is {}", quoted(here.iter().map(String::as_str)))
            }
        };
        self.used.extend(nearest);
        self.used.insert(name.to_owned());
        let label = if is_axis { "not available" } else { "unknown name" };
        origin.problem(self.file, part, "compt::spec::unknown_name", message).with_help(help).with_label(label)
    }

    fn duplicate(&self, axis: &str, text: &str, origin: &Origin, first: &Item, second: &Item) -> Problem {
        let message = format!("axis `{axis}` has the value `{text}` twice");
        let problem = origin.problem(self.file, &second.part, "compt::spec::duplicate_value", message);
        let Origin::File(path) = origin else { return problem.with_help("name each value once") };
        let span = |item: &Item| self.file.value_span(&format!("{path}{}", item.part));
        let (Some(one), Some(two)) = (span(first), span(second)) else { return problem };
        let (a, b) = (&self.file.text()[one.clone()], &self.file.text()[two.clone()]);
        let help = if a != b && !first.spread && !second.spread {
            format!("`{a}` and `{b}` are the same value; remove one of them")
        } else {
            "remove one of them".to_owned()
        };
        let problem = problem.with_help(help).with_label("again here");
        if one == two { problem } else { problem.and_label(one, "first here") }
    }
}
