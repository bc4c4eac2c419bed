//! `${name}` in values: parameters when a pipeline is loaded, axes when a stage instance is planned.
//!
//! A text that is one `${name}` and nothing else becomes the value itself, with its type; inside a longer text the
//! value is pasted in its canonical spelling. `$${` stands for a literal `${`.

use serde_json::Value;

use super::scalar::canonical;

/// A `${` that can't be replaced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct UnknownName {
    /// The text between the braces.
    pub name: String,
    /// Where in the value: `gate.kind`, `tasks[1]`; empty for the value itself.
    pub path: String,
    /// What is wrong with it.
    pub kind: Unknown,
}

/// Why a `${` can't be replaced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// There is nothing of this name.
    #[error("`${{{0}}}` names nothing")]
    Name(String),
    /// Not a name.
    #[error("`${{{0}}}` is not a name: expected lower-case letters, digits and `_`")]
    Spelling(String),
    /// The brace is never closed.
    #[error("`${{` is never closed")]
    Unclosed,
    /// A list inside a longer text.
    #[error("`${{{0}}}` is a list, which can't be pasted into a text")]
    List(String),
}

/// Replaces every `${name}` in `value`, and `$${` by `${`. Keys of maps are left as they are.
///
/// # Errors
/// The first name that `lookup` does not know, or the first malformed `${`.
pub fn substitute(value: &Value, lookup: impl Fn(&str) -> Option<Value>) -> Result<Value, UnknownName> {
    Pass { lookup, last: true }.value(value, "")
}

/// Replaces the names that `lookup` knows and leaves the others, and every `$${`, for [`substitute`] to finish.
///
/// # Errors
/// The first malformed `${`, or a list that should be pasted into a text.
pub(super) fn substitute_known(value: &Value, lookup: impl Fn(&str) -> Option<Value>) -> Result<Value, UnknownName> {
    Pass { lookup, last: false }.value(value, "")
}

/// Every `${...}` in `value`, in order, with its path; `Err` for a malformed one.
pub(super) fn names(value: &Value) -> Vec<Result<(String, String), UnknownName>> {
    let mut found = Vec::new();
    visit(value, "", &mut |text, path| {
        for piece in pieces(text) {
            match piece {
                Ok(Piece::Name(name)) => found.push(Ok((name.to_owned(), path.to_owned()))),
                Ok(Piece::Text(_) | Piece::Escape) => {}
                Err(kind) => found.push(Err(UnknownName { name: String::new(), path: path.to_owned(), kind })),
            }
        }
    });
    found
}

/// The name when `text` is one `${name}` and nothing else.
pub(super) fn sole_name(text: &str) -> Option<&str> {
    match pieces(text).as_slice() {
        [Ok(Piece::Name(name))] => Some(name),
        _ => None,
    }
}

/// `text` such that [`substitute`] gives it back unchanged.
pub(super) fn escape(text: &str) -> String {
    text.replace("${", "$${")
}

/// Whether `name` can stand in `${}`, and be the name of a stage, an axis or a parameter.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

struct Pass<F> {
    lookup: F,
    last: bool,
}

impl<F: Fn(&str) -> Option<Value>> Pass<F> {
    fn value(&self, value: &Value, path: &str) -> Result<Value, UnknownName> {
        match value {
            Value::String(text) => self.text(text, path),
            Value::Array(items) => {
                let items = items.iter().enumerate().map(|(i, item)| self.value(item, &format!("{path}[{i}]")));
                Ok(Value::Array(items.collect::<Result<_, _>>()?))
            }
            Value::Object(map) => {
                let entries = map.iter().map(|(key, item)| Ok((key.clone(), self.value(item, &below(path, key))?)));
                Ok(Value::Object(entries.collect::<Result<_, _>>()?))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(value.clone()),
        }
    }

    fn text(&self, text: &str, path: &str) -> Result<Value, UnknownName> {
        let fail = |name: &str, kind| UnknownName { name: name.to_owned(), path: path.to_owned(), kind };
        if let Some(name) = sole_name(text)
            && let Some(value) = (self.lookup)(name)
        {
            return Ok(value);
        }
        let mut out = String::with_capacity(text.len());
        for piece in pieces(text) {
            match piece.map_err(|kind| fail("", kind))? {
                Piece::Text(text) => out.push_str(text),
                Piece::Escape => out.push_str(if self.last { "${" } else { "$${" }),
                Piece::Name(name) => match (self.lookup)(name) {
                    Some(value) => match canonical(&value) {
                        Some(text) => out.push_str(&text),
                        None => return Err(fail(name, Unknown::List(name.to_owned()))),
                    },
                    None if self.last => return Err(fail(name, Unknown::Name(name.to_owned()))),
                    None => out.extend(["${", name, "}"]),
                },
            }
        }
        Ok(Value::String(out))
    }
}

enum Piece<'a> {
    Text(&'a str),
    /// `$${`
    Escape,
    Name(&'a str),
}

fn pieces(text: &str) -> Vec<Result<Piece<'_>, Unknown>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        if rest[..start].ends_with('$') {
            found.push(Ok(Piece::Text(&rest[..start - 1])));
            found.push(Ok(Piece::Escape));
            rest = &rest[start + 2..];
            continue;
        }
        if start > 0 {
            found.push(Ok(Piece::Text(&rest[..start])));
        }
        let Some(length) = rest[start..].find('}') else {
            found.push(Err(Unknown::Unclosed));
            return found;
        };
        let name = &rest[start + 2..start + length];
        found.push(if is_name(name) { Ok(Piece::Name(name)) } else { Err(Unknown::Spelling(name.to_owned())) });
        rest = &rest[start + length + 1..];
    }
    if !rest.is_empty() {
        found.push(Ok(Piece::Text(rest)));
    }
    found
}

/// Calls `see` with every text in `value` and its path.
pub(super) fn visit(value: &Value, path: &str, see: &mut impl FnMut(&str, &str)) {
    match value {
        Value::String(text) => see(text, path),
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                visit(item, &format!("{path}[{i}]"), see);
            }
        }
        Value::Object(map) => {
            for (key, item) in map {
                visit(item, &below(path, key), see);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The path of `key` in the map at `path`.
pub(super) fn below(path: &str, key: &str) -> String {
    match (path.is_empty(), key.is_empty() || key.starts_with('[')) {
        (true, _) => key.to_owned(),
        (false, true) => format!("{path}{key}"),
        (false, false) => format!("{path}.{key}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Unknown, escape, names, substitute, substitute_known};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn lookup(name: &str) -> Option<Value> {
        Some(match name {
            "k" => json!(16),
            "rate" => json!(1e-5),
            "task" => json!("rte"),
            "tasks" => json!(["rte", "mnli"]),
            _ => return None,
        })
    }

    #[test]
    fn alone_keeps_its_type_and_inside_text_is_pasted() {
        let given = json!({"k": "${k}", "list": ["${tasks}", "a-${task}-${k}"], "rate": "lr${rate}", "n": 3});
        let wanted = json!({"k": 16, "list": [["rte", "mnli"], "a-rte-16"], "rate": "lr1e-5", "n": 3});
        assert_eq!(substitute(&given, lookup), Ok(wanted));
    }

    #[test]
    fn a_double_dollar_escapes_and_lone_signs_are_text() {
        assert_eq!(substitute(&json!("$${k} costs $5 {x} $"), lookup), Ok(json!("${k} costs $5 {x} $")));
        // Two passes, as for a pipeline: the first leaves escapes and what it does not know.
        let first = substitute_known(&json!("$${k} ${k} ${seed}"), lookup).unwrap();
        assert_eq!(first, json!("$${k} 16 ${seed}"));
        assert_eq!(substitute(&first, |name| (name == "seed").then(|| json!(7))), Ok(json!("${k} 16 7")));
    }

    #[test]
    fn faults_have_their_path() {
        let fault = |value: Value| {
            let unknown = substitute(&value, lookup).unwrap_err();
            (unknown.path, unknown.kind)
        };
        assert_eq!(fault(json!({"a": {"b": [1, "${kk}"]}})), ("a.b[1]".into(), Unknown::Name("kk".into())));
        assert_eq!(fault(json!(["x ${k"])), ("[0]".into(), Unknown::Unclosed));
        assert_eq!(fault(json!("${a b}")), (String::new(), Unknown::Spelling("a b".into())));
        assert_eq!(fault(json!("x ${tasks}")), (String::new(), Unknown::List("tasks".into())));
    }

    proptest! {
        #[test]
        fn text_without_names_stays(text in "[a-z $}]{0,12}") {
            prop_assert_eq!(substitute(&json!(text), |_| None), Ok(json!(text)));
        }

        #[test]
        fn an_escaped_text_comes_back(text in "[a${}]{0,12}") {
            // `$${` in the text itself would be an escape already, so it is left out.
            prop_assume!(!text.contains("$${"));
            prop_assert_eq!(substitute(&json!(escape(&text)), |_| None), Ok(json!(text)));
        }

        #[test]
        fn two_passes_are_one(text in "([a ]|\\$\\{k\\}|\\$\\{seed\\}|\\$\\$\\{k\\}){0,8}") {
            let both = |name: &str| match name { "k" => Some(json!("K")), "seed" => Some(json!("S")), _ => None };
            let first = substitute_known(&json!(text), |name| both(name).filter(|_| name == "k")).unwrap();
            prop_assert!(names(&first).iter().all(|name| name.as_ref().is_ok_and(|(name, _)| name == "seed")));
            prop_assert_eq!(substitute(&first, both), substitute(&json!(text), both));
        }
    }
}
