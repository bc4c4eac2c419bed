//! YAML text to a JSON value and the places of its nodes. The only file that knows which YAML libraries are used.
//!
//! serde_yaml gives the value (YAML 1.2 core scalars, with the float spellings of 1.1); it also refuses what nests too
//! deep or repeats too often, before the second parser looks at it. saphyr gives the places and finds duplicate keys.

use std::collections::BTreeMap;
use std::ops::Range;

use saphyr::{LoadableYamlNode, MarkedYaml, Marker, Scalar, YamlData};
use serde_json::Value;

use super::source::Place;
use super::substitute::below;

/// A text as a value, with the place of every node by its path.
#[derive(Debug)]
pub(super) struct Parsed {
    pub value: Value,
    pub places: BTreeMap<String, Place>,
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
    let value: Value = match serde_yaml::from_str(text) {
        Ok(value) => value,
        Err(error) if !is_blank(text) => return Err(vec![syntax_fault(text, &error)]),
        Err(_) => Value::Null,
    };
    if value.is_null() {
        let (message, help) = ("the file is empty", "write at least `name:` and what belongs to it");
        let (code, help) = ("compt::spec::empty_file", Some(help.to_owned()));
        return Err(vec![Fault { code, message: message.to_owned(), help, label: None, also: None }]);
    }
    let offsets: Vec<usize> = text.char_indices().map(|(offset, _)| offset).chain([text.len()]).collect();
    let documents = MarkedYaml::load_from_str(text).map_err(|error| vec![scan_fault(text, &offsets, &error)])?;
    let mut walk = Walk { text, offsets: &offsets, places: BTreeMap::new(), faults: Vec::new() };
    if let Some(root) = documents.first() {
        walk.node(root, "", None);
    }
    if walk.faults.is_empty() { Ok(Parsed { value, places: walk.places }) } else { Err(walk.faults) }
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

struct Walk<'a> {
    text: &'a str,
    offsets: &'a [usize],
    places: BTreeMap<String, Place>,
    faults: Vec<Fault>,
}

impl Walk<'_> {
    fn node(&mut self, node: &MarkedYaml<'_>, path: &str, key: Option<Range<usize>>) {
        let span = self.span(node);
        let place = Place { key, value: span.clone() };
        match &node.data {
            YamlData::Sequence(items) => {
                for (i, item) in items.iter().enumerate() {
                    self.node(item, &format!("{path}[{i}]"), None);
                }
            }
            YamlData::Mapping(map) => {
                let mut seen: BTreeMap<String, Range<usize>> = BTreeMap::new();
                for (key, item) in map {
                    let key_span = self.span(key);
                    let Some(name) = self.key(key, &key_span) else { continue };
                    if let Some(first) = seen.insert(name.clone(), key_span.clone()) {
                        self.faults.push(duplicate(&name, key_span.clone(), Some(first)));
                    }
                    self.node(item, &below(path, &name), Some(key_span));
                }
            }
            YamlData::Value(Scalar::FloatingPoint(float)) if !float.is_finite() => self.faults.push(Fault::new(
                "compt::spec::not_finite",
                format!("`{}` is not a finite number", &self.text[span.clone()]),
                "write a finite number, or put quotes around it when it is meant as text",
                span,
                "here",
            )),
            // Tags have been refused by serde_yaml.
            YamlData::Value(_)
            | YamlData::Tagged(..)
            | YamlData::Representation(..)
            | YamlData::Alias(_)
            | YamlData::BadValue => {}
        }
        self.places.entry(path.to_owned()).or_insert(place);
    }

    /// A key's text, when it is one that is allowed.
    fn key(&mut self, key: &MarkedYaml<'_>, span: &Range<usize>) -> Option<String> {
        let written = &self.text[span.clone()];
        match &key.data {
            YamlData::Value(Scalar::String(_)) if written == "<<" => {
                let help = "write the fields out, or give the one value an anchor (`k: &k 16`) and repeat it (`k: *k`)";
                let message = "merge keys (`<<`) are not supported";
                self.faults.push(Fault::new("compt::spec::merge_key", message, help, span.clone(), "merge key"));
                None
            }
            YamlData::Value(Scalar::String(name)) => Some(name.to_string()),
            YamlData::Value(_) => Some(written.to_owned()),
            // Other keys have been refused by serde_yaml.
            _ => None,
        }
    }

    /// A node's bytes, without the blank lines and comments that saphyr counts to a block.
    fn span(&self, node: &MarkedYaml<'_>) -> Range<usize> {
        let at = |marker: &Marker| self.offsets.get(marker.index()).copied().unwrap_or(self.text.len());
        let (start, mut end) = (at(&node.span.start), at(&node.span.end).max(at(&node.span.start)));
        match &node.data {
            YamlData::Sequence(_) | YamlData::Mapping(_) => {
                // The end marker stands before the closing bracket of a flow collection.
                if matches!(self.text.as_bytes().get(start), Some(b'[' | b'{'))
                    && matches!(self.text.as_bytes().get(end), Some(b']' | b'}'))
                {
                    return start..end + 1;
                }
                end = start + without_trailing_comments(&self.text[start..end]).len();
            }
            _ => end = start + self.text[start..end].trim_end().len(),
        }
        start..end
    }
}

fn without_trailing_comments(block: &str) -> &str {
    let mut block = block.trim_end();
    while let Some(at) = block.rfind('\n')
        && block[at..].trim_start().starts_with('#')
    {
        block = block[..at].trim_end();
    }
    block
}

fn duplicate(name: &str, span: Range<usize>, first: Option<Range<usize>>) -> Fault {
    let help = "keep one of them, or rename one";
    let mut fault =
        Fault::new("compt::spec::duplicate_key", format!("`{name}` is given twice"), help, span, "again here");
    fault.also = first.map(|span| (span, "first here".to_owned()));
    fault
}

/// What saphyr refuses and serde_yaml let pass: duplicate keys, in the main.
fn scan_fault(text: &str, offsets: &[usize], error: &saphyr::ScanError) -> Fault {
    let start = offsets.get(error.marker().index()).copied().unwrap_or(text.len());
    if !error.info().contains("duplicated key") {
        return invalid_yaml(text, start, error.info());
    }
    let length = text[start..].find([':', '\n', ',', '}']).unwrap_or(text.len() - start);
    let span = start..start + text[start..start + length].trim_end().len();
    let written = &text[span.clone()];
    // In a block, the first one stands in a column of its own with the same text.
    let indent = &text[line_start(text, start)..start];
    let first = text[..start].match_indices(written).map(|(at, _)| at).filter(|&at| {
        text[line_start(text, at)..at] == *indent && text[at + written.len()..].trim_start().starts_with(':')
    });
    let first = first.last().filter(|_| indent.trim().is_empty()).map(|at| at..at + written.len());
    duplicate(written.trim_matches(['"', '\'']), span, first)
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
