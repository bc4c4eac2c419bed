//! Why a stage has to run, in types: old and new values, and one sentence each.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::key::{InputKey, Preimage};
use crate::base::Digest;

/// The longest value shown in a sentence, in characters.
const LONGEST_VALUE: usize = 60;

/// One reason to run a stage.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// There is no result of this instance, and no trace of one.
    NeverRun,
    /// The user asked for it.
    Forced,
    /// The same was computed before, but its result is not in the cache any more.
    ResultGone,
    /// The result is there, but not as it was written.
    ResultDamaged {
        /// What is wrong with it.
        what: String,
    },
    /// The program computes keys in another way than the one that made the last result.
    Schema {
        /// Before.
        old: u32,
        /// Now.
        new: u32,
    },
    /// The stage does something else.
    Operation {
        /// Before.
        old: String,
        /// Now.
        new: String,
    },
    /// The operation's code has changed.
    Version {
        /// The operation.
        operation: String,
        /// Before.
        old: u32,
        /// Now.
        new: u32,
    },
    /// A parameter has another value.
    Parameter {
        /// Where in the operation's parameters: `gate.kind`.
        path: String,
        /// Before; `None` when there was none.
        old: Option<Value>,
        /// Now; `None` when there is none.
        new: Option<Value>,
    },
    /// Something that is read has another content, or is read no more, or is new.
    Input {
        /// The operation that makes it.
        operation: String,
        /// The instance that makes it now, where that is known.
        name: Option<String>,
        /// Before; `None` when it was not read.
        old: Option<Digest>,
        /// Now; `None` when it is not read.
        new: Option<Digest>,
    },
    /// Something that is read has another content than the latest result was made of, while other things that are read
    /// are not known yet.
    InputUnseen {
        /// The instance that makes it.
        name: String,
    },
    /// The results read are the same, in another order or with other axis values.
    InputCells,
    /// A data set, model or file has another content.
    Source {
        /// Its kind and, where that is known, its name.
        source: String,
        /// Before; `None` when it was not read.
        old: Option<Digest>,
        /// Now; `None` when it is not read.
        new: Option<Digest>,
    },
    /// A data set or model has not been fetched yet, so its content is not known.
    SourceUnknown {
        /// Its kind and name.
        source: String,
    },
    /// A setting that changes rounding has another value.
    Numeric {
        /// Which.
        setting: String,
        /// Before; `None` when the operation did not run in a worker.
        old: Option<Value>,
        /// Now; `None` when the operation does not run in a worker.
        new: Option<Value>,
    },
    /// Something that it reads runs first; the result of this instance may turn out to be there then.
    Upstream {
        /// How many of the instances that it reads run or may run, by stage.
        stages: BTreeMap<String, usize>,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverRun => f.write_str("it has never run"),
            Self::Forced => f.write_str("it was asked for"),
            Self::ResultGone => f.write_str("its result is not in the cache any more"),
            Self::ResultDamaged { what } => write!(f, "its result is damaged: {what}"),
            Self::Schema { old, new } => write!(f, "keys are computed in another way: schema {old} -> {new}"),
            Self::Operation { old, new } => write!(f, "the operation changed: `{old}` -> `{new}`"),
            Self::Version { operation, old, new } => {
                write!(f, "the code of `{operation}` changed: version {old} -> {new}")
            }
            Self::Parameter { path, old, new } => match (old, new) {
                (None, Some(new)) => write!(f, "parameter `{path}` is new: {}", shown(new)),
                (Some(old), None) => write!(f, "parameter `{path}` is gone: it was {}", shown(old)),
                (old, new) => write!(f, "parameter `{path}` changed: {} -> {}", optional(old), optional(new)),
            },
            Self::Input { operation, name, old, new } => {
                let input = match name {
                    Some(name) => format!("`{name}`"),
                    None => format!("a result of `{operation}`"),
                };
                match (old, new) {
                    (None, _) => write!(f, "{input} is read now and was not before"),
                    (_, None) => write!(f, "{input} is read no more"),
                    (Some(old), Some(new)) => {
                        write!(f, "{input} has another content: {} -> {}", old.short(), new.short())
                    }
                }
            }
            Self::InputUnseen { name } => write!(f, "`{name}` has another content than before"),
            Self::InputCells => f.write_str("it reads the same results in another order or with other axis values"),
            Self::Source { source, old, new } => match (old, new) {
                (None, _) => write!(f, "{source} is read now and was not before"),
                (_, None) => write!(f, "{source} is read no more"),
                (Some(old), Some(new)) => {
                    write!(f, "{source} has another content: {} -> {}", old.short(), new.short())
                }
            },
            Self::SourceUnknown { source } => write!(f, "{source} has not been fetched yet"),
            Self::Numeric { setting, old, new } => {
                write!(f, "numeric setting `{setting}` changed: {} -> {}", optional(old), optional(new))
            }
            Self::Upstream { stages } => {
                let stages: Vec<String> = stages.keys().map(|stage| format!("`{stage}`")).collect();
                write!(f, "it waits for {}, and its result may turn out to be there", stages.join(" and "))
            }
        }
    }
}

/// Every difference between two preimages; empty when they give the same key.
pub fn differences(old: &Preimage, new: &Preimage) -> Vec<Reason> {
    let mut found = settings(old, new);
    found.extend(inputs(&old.inputs, &new.inputs));
    found
}

/// The differences that can be told without knowing what is read.
pub(super) fn settings(old: &Preimage, new: &Preimage) -> Vec<Reason> {
    let mut found = Vec::new();
    if old.schema != new.schema {
        found.push(Reason::Schema { old: old.schema, new: new.schema });
    }
    if old.operation != new.operation {
        found.push(Reason::Operation { old: old.operation.clone(), new: new.operation.clone() });
    } else if old.version != new.version {
        found.push(Reason::Version { operation: new.operation.clone(), old: old.version, new: new.version });
    }
    compare("", Some(&old.parameters), Some(&new.parameters), &mut |path, old, new| {
        found.push(Reason::Parameter { path, old, new });
    });
    let longest = old.sources.len().max(new.sources.len());
    for (old, new) in (0..longest).map(|position| (old.sources.get(position), new.sources.get(position))) {
        if old != new {
            let source = new.or(old).map_or_else(String::new, |source| format!("a {}", source.kind));
            let digest = |source: Option<&super::key::SourceKey>| source.map(|source| source.digest);
            found.push(Reason::Source { source, old: digest(old), new: digest(new) });
        }
    }
    let numeric = |preimage: &Preimage| {
        preimage.numeric.as_ref().map(|n| serde_json::to_value(n).expect("numeric settings are plain data"))
    };
    compare("", numeric(old).as_ref(), numeric(new).as_ref(), &mut |setting, old, new| {
        found.push(Reason::Numeric { setting, old, new });
    });
    found
}

/// Pairs what is read no more with what is new, operation by operation.
fn inputs(old: &[InputKey], new: &[InputKey]) -> Vec<Reason> {
    let mut balance: BTreeMap<(&str, Digest), i64> = BTreeMap::new();
    for input in new {
        *balance.entry((&input.operation, input.output)).or_default() += 1;
    }
    for input in old {
        *balance.entry((&input.operation, input.output)).or_default() -= 1;
    }
    let mut changed: BTreeMap<&str, (Vec<Digest>, Vec<Digest>)> = BTreeMap::new();
    for ((operation, digest), surplus) in balance {
        let (gone, come) = changed.entry(operation).or_default();
        let side = if surplus < 0 { gone } else { come };
        side.extend(std::iter::repeat_n(digest, surplus.unsigned_abs() as usize));
    }
    let mut found = Vec::new();
    for (operation, (gone, come)) in changed {
        let pairs = gone.len().max(come.len());
        found.extend((0..pairs).map(|pair| Reason::Input {
            operation: operation.to_owned(),
            name: None,
            old: gone.get(pair).copied(),
            new: come.get(pair).copied(),
        }));
    }
    if found.is_empty() && old != new {
        found.push(Reason::InputCells);
    }
    found
}

/// Calls `note` with the path and both values of every leaf that differs.
fn compare(
    path: &str,
    old: Option<&Value>,
    new: Option<&Value>,
    note: &mut impl FnMut(String, Option<Value>, Option<Value>),
) {
    match (old, new) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare(&path, old.get(name), new.get(name), note);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if old.len() == new.len() => {
            for (position, (old, new)) in old.iter().zip(new).enumerate() {
                compare(&format!("{path}[{position}]"), Some(old), Some(new), note);
            }
        }
        _ if same(old, new) => {}
        _ => note(path.to_owned(), old.cloned(), new.cloned()),
    }
}

/// Equal as the key sees it: `1` and `1.0` are the same number.
fn same(old: Option<&Value>, new: Option<&Value>) -> bool {
    match (old, new) {
        (Some(Value::Number(old)), Some(Value::Number(new))) => {
            old == new || (old.is_f64() != new.is_f64() && old.as_f64() == new.as_f64())
        }
        _ => old == new,
    }
}

fn optional(value: &Option<Value>) -> String {
    value.as_ref().map_or_else(|| "none".to_owned(), shown)
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= LONGEST_VALUE {
        return text;
    }
    let head: String = text.chars().take(LONGEST_VALUE - 3).collect();
    format!("{head}...")
}

#[cfg(test)]
mod tests {
    use super::{Reason, differences};
    use crate::base::Digest;
    use crate::plan::key::Preimage;
    use crate::plan::key::tests::full;
    use serde_json::json;

    fn sentences(old: &Preimage, new: &Preimage) -> Vec<String> {
        differences(old, new).iter().map(Reason::to_string).collect()
    }

    #[test]
    fn equal_preimages_have_no_differences() {
        assert_eq!(differences(&full(), &full()), []);
        let mut spelled = full();
        spelled.parameters["k"] = json!(16.0);
        assert_eq!(differences(&full(), &spelled), []);
    }

    #[test]
    fn each_field_has_its_sentence() {
        let change = |change: &dyn Fn(&mut Preimage)| {
            let mut new = full();
            change(&mut new);
            sentences(&full(), &new).join("; ")
        };
        assert_eq!(change(&|p| p.schema = 9), "keys are computed in another way: schema 1 -> 9");
        assert_eq!(change(&|p| p.version = 4), "the code of `train` changed: version 3 -> 4");
        assert_eq!(change(&|p| p.operation = "fit".into()), "the operation changed: `train` -> `fit`");
        assert_eq!(change(&|p| p.parameters["k"] = json!(32)), "parameter `k` changed: 16 -> 32");
        assert_eq!(
            change(&|p| p.parameters["gate"]["kind"] = json!("none")),
            "parameter `gate.kind` changed: \"learned\" -> \"none\""
        );
        assert_eq!(change(&|p| p.parameters["tasks"][1] = json!("c")), "parameter `tasks[1]` changed: \"b\" -> \"c\"");
        assert_eq!(change(&|p| p.parameters["new"] = json!(1)), "parameter `new` is new: 1");
        assert_eq!(change(&|p| p.numeric.as_mut().unwrap().threads = 4), "numeric setting `threads` changed: 2 -> 4");
        let digest = Digest::of(b"other");
        assert_eq!(
            change(&|p| p.inputs[1].output = digest),
            format!(
                "a result of `format` has another content: {} -> {}",
                full().inputs[1].output.short(),
                digest.short()
            )
        );
        assert_eq!(change(&|p| p.inputs.truncate(1)), "a result of `format` is read no more");
        assert_eq!(
            change(&|p| p.inputs.reverse()),
            "it reads the same results in another order or with other axis values"
        );
        assert_eq!(
            change(&|p| p.sources[0].digest = digest),
            format!("a model has another content: {} -> {}", full().sources[0].digest.short(), digest.short())
        );
    }

    #[test]
    fn a_long_value_is_cut() {
        let mut new = full();
        new.parameters["k"] = json!("x".repeat(500));
        assert!(sentences(&full(), &new)[0].len() < 120);
    }
}
