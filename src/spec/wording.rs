//! serde's messages in our words, with what would be accepted and what to type next.

use crate::base::suggest;

/// A message for one fault that serde found.
#[derive(Debug, PartialEq)]
pub(super) struct Wording {
    pub code: &'static str,
    pub message: String,
    pub help: Option<String>,
    /// What to say at the place.
    pub label: &'static str,
    /// Whether the key is at fault and not the value.
    pub at_key: bool,
    /// The field that is missing.
    pub missing: Option<String>,
    /// The known field that a misspelt one probably means.
    pub meant: Option<String>,
}

/// Explains serde's `message` about the node at `path` (empty for the whole file).
pub(super) fn explain(path: &str, message: &str) -> Wording {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if message.starts_with("unknown field")
        && let [typed, known @ ..] = quoted.as_slice()
    {
        return unknown_field(path, typed, known);
    }
    if message.starts_with("unknown variant")
        && let [typed, known @ ..] = quoted.as_slice()
    {
        let mut wording = new("compt::spec::unknown_option", format!("{} has no option `{typed}`", subject(path)));
        wording.help = Some(accepted(typed, known));
        wording.label = "unknown option";
        return wording;
    }
    if message.starts_with("missing field")
        && let [field, ..] = quoted.as_slice()
    {
        let mut wording = new("compt::spec::missing_field", format!("{} lacks the field `{field}`", subject(path)));
        wording.help = Some(format!("add `{field}: ...`"));
        wording.label = "incomplete";
        wording.at_key = true;
        wording.missing = Some((*field).to_owned());
        return wording;
    }
    match mismatch(message) {
        Some((found, expected)) => wrong_type(path, found, expected),
        None if path.is_empty() => new("compt::spec::invalid_value", message.to_owned()),
        None => new("compt::spec::invalid_value", format!("`{path}`: {message}")),
    }
}

/// What serde found and what it expected, where that is what a message says.
fn mismatch(message: &str) -> Option<(&str, &str)> {
    let rest = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "))?;
    rest.rsplit_once(", expected ")
}

/// In our words what serde says of a value of the wrong type; `None` for other messages.
pub fn of_wrong_type(path: &str, message: &str) -> Option<(String, Option<String>)> {
    let (found, expected) = mismatch(message)?;
    let wording = wrong_type(path, found, expected);
    Some((wording.message, wording.help))
}

fn unknown_field(path: &str, typed: &str, known: &[&str]) -> Wording {
    let parent = path.strip_suffix(typed).unwrap_or(path).trim_end_matches('.');
    let place = if parent.is_empty() { String::new() } else { format!(" in `{parent}`") };
    let mut wording = new("compt::spec::unknown_field", format!("unknown field `{typed}`{place}"));
    wording.help = Some(accepted(typed, known));
    wording.label = "unknown field";
    wording.at_key = true;
    wording.meant = suggest::nearest(typed, known.iter().copied()).map(str::to_owned);
    wording
}

fn wrong_type(path: &str, found: &str, expected: &str) -> Wording {
    let wanted = expectation(expected);
    let mut wording =
        new("compt::spec::wrong_type", format!("{} must be {wanted}, but is {}", subject(path), finding(found)));
    wording.label = "wrong type";
    let literal = found.split('`').nth(1);
    wording.help = match (wanted, literal) {
        ("a text", Some(literal)) => Some(format!("put quotes around it: `\"{literal}\"`")),
        ("`true` or `false`", _) => match found.split('"').nth(1).map(str::to_lowercase).as_deref() {
            Some("yes" | "on") => Some("write `true`".to_owned()),
            Some("no" | "off") => Some("write `false`".to_owned()),
            _ => None,
        },
        (wanted, _) if wanted.starts_with("a map") => Some("write `name: value`, one a line or in `{ }`".to_owned()),
        ("a list", _) => Some("write it in brackets: `[a, b]`".to_owned()),
        _ => None,
    };
    wording
}

fn new(code: &'static str, message: String) -> Wording {
    Wording { code, message, help: None, label: "here", at_key: false, missing: None, meant: None }
}

fn subject(path: &str) -> String {
    if path.is_empty() { "the file".to_owned() } else { format!("`{path}`") }
}

/// `did you mean ...? accepted: ...`
fn accepted(typed: &str, known: &[&str]) -> String {
    let list = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match (suggest::nearest(typed, known.iter().copied()), known) {
        (_, []) => "nothing is accepted here; remove it".to_owned(),
        (Some(name), _) => format!("did you mean `{name}`? Accepted here: {list}"),
        (None, _) => format!("accepted here: {list}"),
    }
}

/// What serde expected, in words.
fn expectation(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a string" | "a borrowed string" | "string or map" | "a character" => "a text",
        "a boolean" => "`true` or `false`",
        "a sequence" => "a list",
        "a map" => "a map",
        other if other.starts_with("a nonzero u") => "a whole number, 1 or more",
        other if other.starts_with("struct ") => "a map of fields",
        other => other,
    }
}

/// What serde found, in words.
fn finding(found: &str) -> String {
    let literal = found.split('`').nth(1);
    match (found, literal) {
        (_, Some(literal)) if found.starts_with("integer") || found.starts_with("floating") => {
            format!("the number `{literal}`")
        }
        (_, Some(literal)) if found.starts_with("boolean") => format!("`{literal}`"),
        ("null" | "unit value" | "Option value", _) => "empty".to_owned(),
        ("sequence", _) => "a list".to_owned(),
        ("map", _) => "a map".to_owned(),
        (text, _) => match text.strip_prefix("string \"").and_then(|rest| rest.strip_suffix('"')) {
            Some(text) => format!("the text `{text}`"),
            None => text.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::explain;

    #[test]
    fn messages_of_serde_become_ours() {
        let said = |path: &str, message: &str| {
            let wording = explain(path, message);
            (wording.message, wording.help.unwrap_or_default())
        };
        let (message, help) = said("a.mtrix", "unknown field `mtrix`, expected `matrix` or `run`");
        assert_eq!(message, "unknown field `mtrix` in `a`");
        assert_eq!(help, "did you mean `matrix`? Accepted here: `matrix`, `run`");
        let (message, help) = said("a.flag", "invalid type: string \"yes\", expected a boolean");
        assert_eq!(message, "`a.flag` must be `true` or `false`, but is the text `yes`");
        assert_eq!(help, "write `true`");
        let (message, _) = said("a.n", "invalid value: integer `-1`, expected u32");
        assert_eq!(message, "`a.n` must be a whole number, 0 or more, but is the number `-1`");
        let (message, _) = said("", "missing field `name`");
        assert_eq!(message, "the file lacks the field `name`");
        assert_eq!(said("a", "thirteen is unlucky").0, "`a`: thirteen is unlucky");
    }
}
