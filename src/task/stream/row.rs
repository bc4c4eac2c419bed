//! A row of named values.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;

use super::Fault;
use crate::base::suggest;

/// One row, as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The line where it begins, from 1.
    pub line: u64,
    cells: Cells,
}

#[derive(Clone, Debug, PartialEq)]
enum Cells {
    Separated {
        header: Arc<[String]>,
        fields: Vec<String>,
    },
    /// With the object's own text: numbers and nested values are passed on as they were written.
    Json {
        entries: Vec<(String, Value)>,
        text: String,
    },
}

impl Row {
    /// A row of texts under a header.
    ///
    /// # Errors
    /// Another number of fields than columns.
    pub fn separated(line: u64, header: Arc<[String]>, fields: Vec<String>) -> Result<Self, Fault> {
        if fields.len() != header.len() {
            let (found, expected) = (fields.len(), header.len());
            let s = if found == 1 { "" } else { "s" };
            return Err(Fault::new(line, format!("{found} field{s}, but the header has {expected}")));
        }
        Ok(Self { line, cells: Cells::Separated { header, fields } })
    }

    /// A JSON object with its text.
    pub(super) fn json(line: u64, entries: Vec<(String, Value)>, text: &str) -> Self {
        Self { line, cells: Cells::Json { entries, text: text.to_owned() } }
    }

    /// The names of its values, in order.
    pub fn names(&self) -> Vec<&str> {
        match &self.cells {
            Cells::Separated { header, .. } => header.iter().map(String::as_str).collect(),
            Cells::Json { entries, .. } => entries.iter().map(|(name, _)| name.as_str()).collect(),
        }
    }

    /// A column's text; a number is its digits.
    ///
    /// # Errors
    /// No such column, or neither text nor number in it.
    pub fn text(&self, column: &str) -> Result<String, Fault> {
        let missing = || Fault::new(self.line, missing(&[column], &self.names()));
        match &self.cells {
            Cells::Separated { header, fields } => {
                let place = header.iter().position(|name| name == column).ok_or_else(missing)?;
                Ok(fields[place].clone())
            }
            Cells::Json { entries, .. } => {
                match &entries.iter().find(|(name, _)| name == column).ok_or_else(missing)?.1 {
                    Value::String(text) => Ok(text.clone()),
                    Value::Number(number) => Ok(number.to_string()),
                    Value::Null => Err(Fault::new(self.line, format!("`{column}` is null, expected a text"))),
                    other => Err(Fault::new(self.line, format!("`{column}` is `{other}`, expected a text"))),
                }
            }
        }
    }

    /// A column's value as a field of separated values; empty where there is none.
    pub(super) fn field(&self, column: &str) -> Cow<'_, str> {
        match &self.cells {
            Cells::Separated { header, fields } => {
                header.iter().position(|name| name == column).map_or("".into(), |place| fields[place].as_str().into())
            }
            Cells::Json { entries, .. } => match entries.iter().find(|(name, _)| name == column) {
                None | Some((_, Value::Null)) => "".into(),
                Some((_, Value::String(text))) => text.as_str().into(),
                Some((_, other)) => other.to_string().into(),
            },
        }
    }

    /// The row as the beginning of a JSON object, without the bracket that closes it.
    pub(super) fn open_object(&self) -> String {
        match &self.cells {
            Cells::Json { text, .. } => text.strip_suffix('}').unwrap_or(text).trim_end().to_owned(),
            Cells::Separated { header, fields } => {
                let entries = header
                    .iter()
                    .zip(fields)
                    .map(|(name, text)| format!("{}: {}", Value::from(name.as_str()), Value::from(text.as_str())));
                format!("{{{}", entries.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// Which of the wanted columns are missing, in words.
pub fn missing(wanted: &[&str], present: &[&str]) -> String {
    let absent: Vec<&str> = wanted.iter().copied().filter(|column| !present.contains(column)).collect();
    let quoted = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let (columns, are) = if absent.len() == 1 { ("column", "is") } else { ("columns", "are") };
    let near = match absent.as_slice() {
        [one] => suggest::nearest(one, present.iter().copied()),
        _ => None,
    };
    let near = near.map_or_else(String::new, |near| format!("; is it `{near}`?"));
    let found = if present.is_empty() { "nothing".to_owned() } else { quoted(present) };
    format!("the {columns} {} {are} missing, found {found}{near}", quoted(&absent))
}
