//! A YAML file as a typed value, with every fault reported and not only the first.

use std::fmt;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_path_to_error::Segment;

use super::diagnostic::{Invalid, Problem};
use super::outline::Outline;
use super::source::SourceFile;
use super::substitute::below;
use super::{secret, wording, yaml};
use crate::base::secrets::Secrets;

/// Mending a file with more faults than this goes better step by step.
pub(super) const MOST_FAULTS: usize = 50;

/// A YAML file as plain data.
#[derive(Clone, Debug)]
pub struct Document {
    /// The file, to place errors in.
    pub file: Arc<SourceFile>,
    /// The whole document. Numbers are read by YAML 1.2 with the floats of 1.1 (`1e-6` is a number); `no` and `on` are
    /// text; only `true` and `false` are truth values.
    pub value: Value,
}

impl Document {
    /// Reads and parses the file at `path`.
    ///
    /// # Errors
    /// There is no such file, it can't be read, or it is no valid YAML.
    pub fn read(path: &Path) -> Result<Self, Invalid> {
        let bytes = fs_err::read(path).map_err(|error| unreadable(path, &error))?;
        let text = String::from_utf8(bytes).map_err(|error| not_utf8(path, &error))?;
        // A byte order mark is an artefact of some editors.
        Self::parse(path, text.strip_prefix('\u{feff}').unwrap_or(&text))
    }

    /// Parses `text` as the content of the file at `path`.
    ///
    /// # Errors
    /// It is no valid YAML, or holds a secret of the environment.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Invalid> {
        match yaml::parse(text) {
            Ok(parsed) => {
                let file = Arc::new(SourceFile::new(path, text.to_owned(), parsed.outline));
                Invalid::check(secret::in_document(&file, &parsed.value, &Secrets::of_environment()))?;
                Ok(Self { file, value: parsed.value })
            }
            Err(faults) => {
                let file = Arc::new(SourceFile::new(path, text.to_owned(), Outline::default()));
                let problems = faults.into_iter().map(|fault| located(&file, fault)).collect();
                Invalid::check(problems)?;
                Err(Problem::new("compt::spec::yaml", "this is not valid YAML").at_path(path).into())
            }
        }
    }

    /// The whole document as a `T`.
    ///
    /// # Errors
    /// Every unknown field, wrong type and missing field.
    pub fn interpret<T: DeserializeOwned>(&self) -> Result<T, Invalid> {
        let Interpreted { value, problems, .. } = interpret(&self.file, "", &self.value);
        Invalid::check(problems)?;
        value.ok_or_else(|| Problem::new("compt::spec::yaml", "unreadable").at_path(self.file.path()).into())
    }
}

/// Reads the file at `path` as a `T`.
///
/// # Errors
/// Everything that is wrong with the file; see [`Document::read`] and [`Document::interpret`].
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<(T, Arc<SourceFile>), Invalid> {
    let document = Document::read(path)?;
    Ok((document.interpret()?, document.file))
}

/// A typed value as far as it could be read.
pub(super) struct Interpreted<T> {
    /// The value without what is faulty; `None` when too little is left.
    pub value: Option<T>,
    /// Everything that is faulty.
    pub problems: Vec<Problem>,
}

/// Deserialises `value`, which stands at `prefix` of `file`. After each fault the faulty node is taken out and reading
/// goes on, so that one call reports all of them.
pub(super) fn interpret<T: DeserializeOwned>(file: &Arc<SourceFile>, prefix: &str, value: &Value) -> Interpreted<T> {
    // Mostly nothing is wrong, and then neither paths nor a copy are wanted.
    if let Ok(Fields(value)) = Fields::<T>::deserialize(value) {
        return Interpreted { value: Some(value), problems: Vec::new() };
    }
    let mut rest = value.clone();
    let mut problems = Vec::new();
    let mut removed = Removed::default();
    while problems.len() < MOST_FAULTS {
        let error = match serde_path_to_error::deserialize::<_, Fields<T>>(&rest) {
            Ok(Fields(value)) => return Interpreted { value: Some(value), problems },
            Err(error) => error,
        };
        let segments = steps(error.path());
        let path = removed.original(prefix, &segments);
        let fault = wording::explain(&path, &error.inner().to_string());
        // A field whose value was faulty and taken out is not missing; neither is one that is misspelt.
        let excused = fault.missing.as_ref().is_some_and(|field| removed.entries.contains(&below(&path, field)));
        if !excused {
            removed.entries.extend(fault.meant.as_ref().map(|meant| {
                let parent = removed.original(prefix, &segments[..segments.len().saturating_sub(1)]);
                below(&parent, meant)
            }));
            let place = if fault.at_key { SourceFile::key_problem } else { SourceFile::problem };
            problems
                .push(place(file, &path, fault.code, fault.message).with_help_if(fault.help).with_label(fault.label));
        }
        if !removed.take(&mut rest, prefix, &segments) {
            break;
        }
    }
    Interpreted { value: None, problems }
}

/// A struct that is written as a map: serde's own structs also accept a list of their fields' values.
#[derive(Debug)]
pub(super) struct Fields<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Fields<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for FieldsVisitor<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of fields")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_map(FieldsVisitor(PhantomData)).map(Self)
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Key(String),
    Index(usize),
}

fn steps(path: &serde_path_to_error::Path) -> Vec<Step> {
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => Step::Index(*index),
            Segment::Map { key } | Segment::Enum { variant: key } => Step::Key(key.clone()),
            Segment::Unknown => Step::Key(String::new()),
        })
        .collect()
}

/// What was taken out of a value, so that positions in lists can be told as the file has them.
#[derive(Default)]
struct Removed {
    entries: Vec<String>,
    /// The list's path and the position in the file.
    items: Vec<(String, usize)>,
}

impl Removed {
    /// The path in the file of the node that is now at `steps`.
    fn original(&self, prefix: &str, steps: &[Step]) -> String {
        steps.iter().fold(prefix.to_owned(), |path, step| match step {
            Step::Key(key) => below(&path, key),
            Step::Index(index) => format!("{path}[{}]", self.position(&path, *index)),
        })
    }

    fn position(&self, list: &str, index: usize) -> usize {
        let mut before: Vec<usize> =
            self.items.iter().filter(|(path, _)| path == list).map(|(_, position)| *position).collect();
        before.sort_unstable();
        before.into_iter().fold(index, |index, removed| if removed <= index { index + 1 } else { index })
    }

    /// Takes the node at `steps` out of `value`; false when there is none.
    fn take(&mut self, value: &mut Value, prefix: &str, steps: &[Step]) -> bool {
        let Some((last, parents)) = steps.split_last() else { return false };
        let list = self.original(prefix, parents);
        let mut here = &mut *value;
        for step in parents {
            let next = match (step, here) {
                (Step::Key(key), Value::Object(map)) => map.get_mut(key),
                (Step::Index(index), Value::Array(items)) => items.get_mut(*index),
                _ => None,
            };
            match next {
                Some(next) => here = next,
                None => return false,
            }
        }
        match (last, here) {
            (Step::Key(key), Value::Object(map)) => {
                self.entries.push(below(&list, key));
                map.remove(key).is_some()
            }
            (Step::Index(index), Value::Array(items)) if *index < items.len() => {
                items.remove(*index);
                let position = self.position(&list, *index);
                self.items.push((list, position));
                true
            }
            // The variant of an enum that is a text: the text itself is at fault.
            (Step::Key(_), Value::String(_)) => self.take(value, prefix, parents),
            _ => false,
        }
    }
}

fn located(file: &Arc<SourceFile>, fault: yaml::Fault) -> Problem {
    let (span, label) = fault.label.unzip();
    let mut problem = Problem::new(fault.code, fault.message).with_help_if(fault.help).in_file(file, span);
    if let Some(label) = label {
        problem = problem.with_label(label);
    }
    match fault.also {
        Some((span, label)) => problem.and_label(span, &label),
        None => problem,
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    let problem = match error.kind() {
        std::io::ErrorKind::NotFound => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let help = if folder.is_dir() {
                match nearest_file(path, folder) {
                    Some(name) => format!("did you mean `{}`?", folder.join(name).display()),
                    None => format!("`ls {}` shows what is there", folder.display()),
                }
            } else {
                format!("there is no folder `{}` either; check the path", folder.display())
            };
            Problem::new("compt::spec::no_file", "there is no such file").with_help(help)
        }
        std::io::ErrorKind::IsADirectory => Problem::new("compt::spec::no_file", "this is a folder, expected a file")
            .with_help("name one of the `.yaml` files in it"),
        _ => Problem::new("compt::spec::no_file", format!("the file can't be read: {error}")),
    };
    problem.at_path(path)
}

fn nearest_file(path: &Path, folder: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_str()?;
    let names: Vec<String> =
        folder.read_dir().ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    crate::base::suggest::nearest(wanted, names.iter().map(String::as_str)).map(str::to_owned)
}

fn not_utf8(path: &Path, error: &std::string::FromUtf8Error) -> Problem {
    let good = error.utf8_error().valid_up_to();
    let before = &error.as_bytes()[..good];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    Problem::new("compt::spec::encoding", format!("the file is not UTF-8: line {line}, byte {column}"))
        .with_help("save it as UTF-8 in your editor, or convert it: `iconv -f LATIN1 -t UTF-8 OLD > NEW`")
        .at_path(path)
}

#[cfg(test)]
mod tests {
    use super::Document;
    use serde::Deserialize;
    use std::collections::BTreeMap;
    use std::path::Path;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Outer {
        name: String,
        steps: u32,
        #[serde(default)]
        list: Vec<f64>,
        #[serde(default)]
        kind: Kind,
        #[serde(default)]
        parts: BTreeMap<String, Inner>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        #[default]
        Small,
        Large,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Inner {
        rate: f64,
        #[serde(default)]
        words: Vec<String>,
    }

    fn faults(text: &str) -> Vec<String> {
        let document = Document::parse(Path::new("x.yaml"), text).unwrap();
        document.interpret::<Outer>().unwrap_err().to_string().lines().map(str::to_owned).collect()
    }

    #[test]
    fn reads_every_scalar_as_yaml_1_2_says() {
        let text = "name: no\nsteps: 0x10\nlist: [1e-6, 1e3, .5, -2]\nparts: { a: { rate: 1, words: [on, yes] } }\n";
        let outer: Outer = Document::parse(Path::new("x.yaml"), text).unwrap().interpret().unwrap();
        assert_eq!((outer.name.as_str(), outer.steps), ("no", 16));
        assert_eq!(outer.list, [1e-6, 1000.0, 0.5, -2.0]);
        assert_eq!(outer.parts["a"].words, ["on", "yes"]);
    }

    #[test]
    fn reports_every_fault_where_it_stands() {
        let text = "name: 3\nsteps: many\nlist: [1, x, 2, y]\nkind: lrage\nparts:\n  a: { rat: 1 }\n  b: {}\n  c:\n    rate: true\n    words: [ok, 1]\n";
        assert_eq!(
            faults(text),
            [
                "x.yaml:1:7: `name` must be a text, but is the number `3`",
                "x.yaml:2:8: `steps` must be a whole number, 0 or more, but is the text `many`",
                "x.yaml:3:11: `list[1]` must be a number, but is the text `x`",
                "x.yaml:3:17: `list[3]` must be a number, but is the text `y`",
                "x.yaml:4:7: `kind` has no option `lrage`",
                "x.yaml:6:8: unknown field `rat` in `parts.a`",
                "x.yaml:7:3: `parts.b` lacks the field `rate`",
                "x.yaml:9:11: `parts.c.rate` must be a number, but is `true`",
                "x.yaml:10:17: `parts.c.words[1]` must be a text, but is the number `1`",
            ]
        );
    }

    #[test]
    fn aliases_point_to_their_anchor_and_windows_line_ends_do_not_shift() {
        let text = "name: é\r\nsteps: 1\r\nparts:\r\n  a: &one { rate: x }\r\n  b: *one\r\n";
        let found = faults(text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().all(|fault| fault.starts_with("x.yaml:4:19: ")), "{found:?}");
    }
}
