//! JSON lines: one object a line, its entries in the order in which they stand there.

use std::fmt;
use std::io::BufRead;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::{Fault, Row, read_line};

/// The rows of an input.
pub struct Lines<R> {
    input: R,
    line: u64,
}

impl<R: BufRead> Lines<R> {
    /// The rows of `input`.
    pub fn new(input: R) -> Self {
        Self { input, line: 0 }
    }

    fn row(&mut self) -> Result<Option<Row>, Fault> {
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            self.line += 1;
            if !read_line(&mut self.input, &mut bytes, self.line)? {
                return Ok(None);
            }
            let fault = |message: String| Fault::new(self.line, message);
            let text = str::from_utf8(&bytes).map_err(|_| fault("the text is not in UTF-8".to_owned()))?;
            let text = text.trim_start_matches('\u{feff}').trim();
            if text.is_empty() {
                continue;
            }
            if text.starts_with('[') {
                let message =
                    "expected an object, found a list; one object a line, without `[`, `]` and commas between";
                return Err(fault(message.to_owned()));
            }
            let Entries(entries) = serde_json::from_str(text).map_err(|error| fault(in_line(&error)))?;
            return Ok(Some(Row::json(self.line, entries, text)));
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<Row, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.row().transpose()
    }
}

/// serde_json counts lines from the object's first; the file's line is said already.
fn in_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    format!("no JSON object: {what} at column {}", error.column())
}

/// An object's entries; `serde_json::Map` would sort them.
struct Entries(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}
