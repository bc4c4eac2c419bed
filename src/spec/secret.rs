//! Secrets of the environment that were pasted into a file or a `--set`: from there they would get into keys, records and
//! logs, which others read. So they are refused before anything else is looked at.

use std::sync::Arc;

use serde_json::Value;

use super::diagnostic::Problem;
use super::source::SourceFile;
use super::substitute::{below, visit};
use crate::base::secrets::Secrets;

const CODE: &str = "compt::spec::secret";

/// Every value and every name of a document that holds a secret.
pub(super) fn in_document(file: &Arc<SourceFile>, value: &Value, secrets: &Secrets) -> Vec<Problem> {
    // Mostly there is none, and then no places are wanted.
    if !holds_any(value, secrets) {
        return Vec::new();
    }
    let mut problems = Vec::new();
    let refused = |name: &str, at: &dyn Fn(String) -> Problem| {
        let message = format!("the value of the environment variable `{name}` stands here");
        at(message).with_help(help(name)).with_label("a secret")
    };
    visit(value, "", &mut |text, path| {
        let found = secrets.within(text);
        problems.extend(found.map(|name| refused(name, &|message| file.problem(path, CODE, message))));
    });
    visit_names(value, "", &mut |text, path| {
        let found = secrets.within(text);
        problems.extend(found.map(|name| refused(name, &|message| file.key_problem(path, CODE, message))));
    });
    problems
}

/// Whether a value or a name anywhere in it holds a secret.
fn holds_any(value: &Value, secrets: &Secrets) -> bool {
    match value {
        Value::String(text) => secrets.within(text).is_some(),
        Value::Array(items) => items.iter().any(|item| holds_any(item, secrets)),
        Value::Object(map) => map.iter().any(|(name, item)| secrets.within(name).is_some() || holds_any(item, secrets)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Shows every name of a map with its path.
fn visit_names(value: &Value, path: &str, see: &mut impl FnMut(&str, &str)) {
    match value {
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                visit_names(item, &format!("{path}[{i}]"), see);
            }
        }
        Value::Object(map) => {
            for (name, item) in map {
                let path = below(path, name);
                see(name, &path);
                visit_names(item, &path, see);
            }
        }
        _ => {}
    }
}

/// Every `--set NAME=TEXT` that holds a secret.
pub(super) fn in_settings(set: &[(String, String)], secrets: &Secrets) -> Vec<Problem> {
    let holds = |(name, text): &(String, String)| {
        let variable = secrets.within(text)?;
        let message = format!("`--set {name}=...` holds the value of the environment variable `{variable}`");
        Some(Problem::new(CODE, message).with_help(help(variable)))
    };
    set.iter().filter_map(holds).collect()
}

fn help(name: &str) -> String {
    format!(
        "it would be written into keys, records and logs; take it out: a `command` stage gets it with `secrets: [{name}]`, and \
         the hub's token is found without being named; if it is no secret, type `env -u {name}` before the command"
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{in_document, in_settings};
    use crate::base::secrets::Secrets;
    use crate::spec::read::Document;

    #[test]
    fn a_secret_is_found_where_it_stands_and_is_not_repeated() {
        let secrets = Secrets::of([("MY_TOKEN".to_owned(), "abc\"123".to_owned())]);
        let text = "name: x\nparams:\n  url: 'https://host/?t=abc\"123'\n  list: [good, \"abc\\\"123\"]\n# abc\"123\n\
                    axes: { a: [{ 'abc\"123': 1 }] }\n";
        let document = Document::parse(Path::new("x.yaml"), text).unwrap();
        let problems = in_document(&document.file, &document.value, &secrets);
        let places: Vec<_> = problems.iter().map(|problem| problem.line_column().unwrap()).collect();
        assert_eq!(places, [(4, 16), (3, 8), (6, 15)], "values in the order of their names, then names");
        for problem in &problems {
            assert_eq!(problem.message(), "the value of the environment variable `MY_TOKEN` stands here");
            assert!(problem.help().unwrap().contains("`secrets: [MY_TOKEN]`"));
        }
        let set = [("k".to_owned(), "8".to_owned()), ("url".to_owned(), "abc\"123".to_owned())];
        let [problem] = &in_settings(&set, &secrets)[..] else { panic!("one of them is a secret") };
        assert_eq!(problem.message(), "`--set url=...` holds the value of the environment variable `MY_TOKEN`");
    }
}
