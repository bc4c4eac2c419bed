//! YAML text to a JSON value and the places of its nodes. Only this file and `outline` know which YAML libraries are used.
//!
//! serde_yaml gives the value (YAML 1.2 core scalars, with the float spellings of 1.1); it also refuses what nests too
//! deep or repeats too often. [`Outline`] has the places and finds what is given twice.

use std::ops::Range;

use serde_json::Value;

use super::outline::{Oddity, Outline};
use super::read::MOST_FAULTS;

/// Waking a thread for a text of fewer bytes takes longer than reading it.
const LONG: usize = 16 * 1024;

/// So many brackets are open only in a text that is refused, or has them in its words.
const DEEP: usize = 1024;

/// A text as a value, with the place of every node.
#[derive(Debug)]
pub(super) struct Parsed {
    pub value: Value,
    pub outline: Outline,
}

/// Something that is wrong with the YAML itself.
#[derive(Debug, PartialEq)]
pub(super) struct Fault {
    pub code: &'static str,
    pub message: String,
    pub help: Option<String>,
    /// Where, and what to say there.
    pub label: Option<(Range<usize>, String)>,
    /// A second place that belongs to it.
    pub also: Option<(Range<usize>, String)>,
}

impl Fault {
    fn new(code: &'static str, message: impl Into<String>, help: &str, span: Range<usize>, label: &str) -> Self {
        let (help, label) = (Some(help.to_owned()), Some((span, label.to_owned())));
        Self { code, message: message.into(), help, label, also: None }
    }
}

/// Parses the text of one file.
///
/// # Errors
/// What is wrong with it as YAML: the first syntax error, or else every node that is not allowed.
pub(super) fn parse(text: &str) -> Result<Parsed, Vec<Fault>> {
    if let Some(fault) = conflict_marker(text) {
        return Err(vec![fault]);
    }
    let values = || serde_yaml::from_str::<Value>(text);
    let outline = || Outline::of(text);
    let (value, ahead) = if is_deep(text) {
        let outline = outline().map_err(|(start, error)| vec![invalid_yaml(text, start, &error)])?;
        (values(), Some(Ok(outline)))
    } else if text.len() < LONG {
        (values(), None)
    } else {
        let (value, outline) = rayon::join(values, outline);
        (value, Some(outline))
    };
    let value = match value {
        Ok(value) => value,
        Err(error) if !is_blank(text) => return Err(vec![syntax_fault(text, &error)]),
        Err(_) => Value::Null,
    };
    if value.is_null() {
        let (message, help) = ("the file is empty", "write at least `name:` and what belongs to it");
        let (code, help) = ("compt::spec::empty_file", Some(help.to_owned()));
        return Err(vec![Fault { code, message: message.to_owned(), help, label: None, also: None }]);
    }
    // What the second parser refuses and the first one let pass.
    let (outline, odd) =
        ahead.unwrap_or_else(outline).map_err(|(start, error)| vec![invalid_yaml(text, start, &error)])?;
    if odd.is_empty() {
        return Ok(Parsed { value, outline });
    }
    Err(odd.into_iter().take(MOST_FAULTS).map(|oddity| refused(text, oddity)).collect())
}

/// Whether brackets nest, or seem to, so that the first parser had better not begin: it refuses such a text only after a time
/// that grows with the square of the depth.
fn is_deep(text: &str) -> bool {
    let mut depth = 0_usize;
    text.bytes().any(|byte| {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > DEEP
    })
}

/// The value of a `--set` argument: a YAML scalar, or a flow list of them.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse_scalar_or_list(text: &str) -> Result<Value, String> {
    let expected = "expected a number, `true`, `false`, a text, or a list like `[1, 2]`";
    let value = serde_yaml::from_str(text).map_err(|_| expected.to_owned())?;
    let is_scalar = |value: &Value| value.is_string() || value.is_number() || value.is_boolean();
    match &value {
        Value::Array(items) if items.iter().all(is_scalar) => Ok(value),
        scalar if is_scalar(scalar) => Ok(value),
        _ => Err(expected.to_owned()),
    }
}

/// An oddity as a fault.
fn refused(text: &str, oddity: Oddity) -> Fault {
    match oddity {
        Oddity::Twice { name, first, again } => {
            let help = "keep one of them, or rename one";
            let message = format!("`{name}` is given twice");
            let mut fault = Fault::new("compt::spec::duplicate_key", message, help, again, "again here");
            fault.also = Some((first, "first here".to_owned()));
            fault
        }
        Oddity::MergeKey(span) => {
            let help = "write the fields out, or give the one value an anchor (`k: &k 16`) and repeat it (`k: *k`)";
            let message = "merge keys (`<<`) are not supported";
            Fault::new("compt::spec::merge_key", message, help, span, "merge key")
        }
        Oddity::NotFinite(span) => {
            let help = "write a finite number, or put quotes around it when it is meant as text";
            let message = format!("`{}` is not a finite number", &text[span.clone()]);
            Fault::new("compt::spec::not_finite", message, help, span, "here")
        }
    }
}

fn syntax_fault(text: &str, error: &serde_yaml::Error) -> Fault {
    let full = error.to_string();
    let start = error.location().map(|at| offset_of(text, at.line(), at.column()));
    if full.contains("more than one document") {
        let start = text.rfind("\n---").map_or(0, |at| at + 1);
        let (message, help) = ("the file has more than one document", "remove the line `---`, or make two files");
        return Fault::new("compt::spec::documents", message, help, start..start + 3, "second document");
    }
    if full.contains("invalid type: enum") {
        let start = start.unwrap_or(0);
        let length = text[start..].find(char::is_whitespace).unwrap_or(text.len() - start);
        let (message, help) = ("tags have no meaning here", "remove the word that begins with `!`");
        return Fault::new("compt::spec::tag", message, help, start..start + length, "a tag");
    }
    if full.contains("expected a string key") {
        let start = start.unwrap_or(0);
        let (message, help) = ("a key must be a text, but is a list or a map", "write `name: value`");
        return Fault::new("compt::spec::key", message, help, start..next_boundary(text, start), "not a name");
    }
    if full.contains("repetition limit") {
        let (message, help) = ("the aliases (`*name`) of this file repeat too much", "write fewer of them");
        let start = text.find('*').unwrap_or(0);
        return Fault::new("compt::spec::aliases", message, help, start..(start + 1).min(text.len()), "an alias");
    }
    let mut fault = invalid_yaml(text, start.unwrap_or(0), without_positions(&full).as_str());
    // "..., while parsing a flow sequence at line 3 column 9": where the unfinished thing began.
    if let Some((line, column)) = context_position(&full) {
        let offset = offset_of(text, line, column);
        if fault.label.as_ref().is_some_and(|(span, _)| span.start != offset) {
            fault.also = Some((offset..next_boundary(text, offset), "begins here".to_owned()));
        }
    }
    fault
}

/// A syntax error in words, with advice for what is usually behind it.
fn invalid_yaml(text: &str, start: usize, reason: &str) -> Fault {
    let start = start.min(text.trim_end().len().saturating_sub(1));
    let start = (0..=start).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    if let Some(tab) = tab_before(text, start) {
        let (message, help) = ("a tab is used for indentation, where YAML wants spaces", "replace the tab by spaces");
        return Fault::new("compt::spec::tab", message, help, tab..tab + 1, "a tab");
    }
    let (message, help) = explain(reason);
    let span = start..next_boundary(text, start);
    Fault::new("compt::spec::yaml", format!("this is not valid YAML: {message}"), help, span, "here")
}

fn explain(reason: &str) -> (&str, &'static str) {
    let align = "check the indentation of this line and of the one above, and that every quote and bracket is closed";
    let quote =
        "put quotes around a text that contains `: ` or begins with one of `@ % & * ! | > [ ] { } ,` or a quote";
    for (fragment, message, help) in [
        ("mapping values are not allowed", "a second `:` in one entry, or wrong indentation", quote),
        ("expected ',' or ']'", "a list that begins with `[` is not closed, or lacks a `,`", "close it with `]`"),
        ("expected ',' or '}'", "a map that begins with `{` is not closed, or lacks a `,`", "close it with `}`"),
        ("cannot start any token", "no value can begin with this character", quote),
        ("quoted scalar", "a text that begins with a quote is not closed", "close it with the same quote"),
        ("unknown anchor", "this alias (`*name`) has no anchor (`&name`) before it", "write the value itself here"),
        ("recursion limit", "it nests too deep", "a pipeline needs no more than ten levels"),
        ("block mapping", "this does not continue the map above", align),
        ("block collection", "this does not continue the list above", align),
        ("':'", "expected a `key: value`", align),
    ] {
        if reason.contains(fragment) {
            return (message, help);
        }
    }
    (reason, align)
}

fn conflict_marker(text: &str) -> Option<Fault> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if ["<<<<<<< ", ">>>>>>> ", "||||||| "].iter().any(|marker| line.starts_with(marker)) {
            let (message, help) =
                ("the file has an unresolved merge conflict", "choose one side and delete the marker lines");
            let span = start..start + line.trim_end().len();
            return Some(Fault::new("compt::spec::conflict", message, help, span, "conflict marker"));
        }
        start += line.len();
    }
    None
}

fn is_blank(text: &str) -> bool {
    text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#') || line.trim() == "---")
}

/// A tab in the indentation of the line of `offset`, or of the line before.
fn tab_before(text: &str, offset: usize) -> Option<usize> {
    let mut start = line_start(text, line_start(text, offset).saturating_sub(1));
    for line in text[start..].split_inclusive('\n') {
        if start > offset {
            break;
        }
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(tab) = line[..indent].find('\t')
            && !line[indent..].trim().is_empty()
        {
            return Some(start + tab);
        }
        start += line.len();
    }
    None
}

fn line_start(text: &str, offset: usize) -> usize {
    text[..offset].rfind('\n').map_or(0, |at| at + 1)
}

/// The byte of a line and column, both from 1 and the column in characters.
fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let start = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum::<usize>();
    let in_line = text[start..].char_indices().nth(column.saturating_sub(1)).map_or(text.len() - start, |(at, _)| at);
    start + in_line
}

fn next_boundary(text: &str, offset: usize) -> usize {
    text[offset.min(text.len())..].chars().next().map_or(offset, |character| offset + character.len_utf8())
}

fn without_positions(message: &str) -> String {
    let mut parts = message.split(" at line ");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches(" column ");
        out.push_str(rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    out
}

/// The second position that a message of libyaml names.
fn context_position(message: &str) -> Option<(usize, usize)> {
    let (_, context) = message.split_once(", ").filter(|(_, context)| context.contains(" at line "))?;
    let (line, column) = context.rsplit_once(" at line ")?.1.split_once(" column ")?;
    Some((line.parse().ok()?, column.parse().ok()?))
}
