//! Separated values as RFC 4180 has them: fields in quotes may hold separators, quotes (doubled) and line breaks.

use std::io::BufRead;

use super::{Fault, read_line};

/// The records of an input, each with the line where it begins.
pub struct Records<R> {
    input: R,
    separator: u8,
    line: u64,
}

/// Where in a record the reader is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before a field's first byte.
    Start,
    /// In a field without quotes.
    Plain,
    /// Between quotes.
    Quoted,
    /// After the second quote, which may turn out to be the first half of a doubled one.
    Closed,
}

impl<R: BufRead> Records<R> {
    /// The records of `input`.
    pub fn new(input: R, separator: u8) -> Self {
        Self { input, separator, line: 0 }
    }

    /// The next record; lines without a character are no records.
    fn record(&mut self) -> Result<Option<(u64, Vec<String>)>, Fault> {
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            self.line += 1;
            if !read_line(&mut self.input, &mut bytes, self.line)? {
                return Ok(None);
            }
            if self.line == 1 && bytes.starts_with(b"\xef\xbb\xbf") {
                bytes.drain(..3);
            }
            if !matches!(bytes.as_slice(), b"\n" | b"\r\n" | b"") {
                break;
            }
        }
        let begun = self.line;
        let (mut fields, mut field) = (Vec::new(), Vec::new());
        let (mut at, mut done) = (At::Start, 0);
        loop {
            at = self.take_line(&bytes[done..], at, &mut field, &mut fields, begun)?;
            if at != At::Quoted {
                break;
            }
            done = bytes.len();
            if !read_line(&mut self.input, &mut bytes, begun)? {
                return Err(Fault::new(begun, "a quote is opened and never closed"));
            }
            self.line += 1;
        }
        fields.push(field);
        let text = |bytes| String::from_utf8(bytes).map_err(|_| Fault::new(begun, "the text is not in UTF-8"));
        Ok(Some((begun, fields.into_iter().map(text).collect::<Result<_, _>>()?)))
    }

    /// Takes one line into the fields of a record.
    fn take_line(
        &self,
        line: &[u8],
        mut at: At,
        field: &mut Vec<u8>,
        fields: &mut Vec<Vec<u8>>,
        begun: u64,
    ) -> Result<At, Fault> {
        for (place, &byte) in line.iter().enumerate() {
            let end = byte == b'\n' || (byte == b'\r' && line[place + 1..] == *b"\n");
            at = match at {
                At::Quoted if byte == b'"' => At::Closed,
                At::Closed if byte == b'"' => {
                    field.push(byte);
                    At::Quoted
                }
                At::Quoted => {
                    field.push(byte);
                    At::Quoted
                }
                _ if end => return Ok(at),
                _ if byte == self.separator => {
                    fields.push(std::mem::take(field));
                    At::Start
                }
                At::Closed => {
                    let field = fields.len() + 1;
                    let message = format!("field {field} goes on after its closing quote; a quote inside is doubled");
                    return Err(Fault::new(begun, message));
                }
                At::Start if byte == b'"' => At::Quoted,
                At::Start | At::Plain => {
                    field.push(byte);
                    At::Plain
                }
            };
        }
        Ok(at)
    }
}

impl<R: BufRead> Iterator for Records<R> {
    type Item = Result<(u64, Vec<String>), Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.record().transpose()
    }
}

/// Adds a record to `text`, in quotes where they are needed.
pub fn push_record<T: AsRef<str>>(text: &mut String, fields: &[T], separator: u8) {
    for (place, field) in fields.iter().enumerate() {
        if place > 0 {
            text.push(char::from(separator));
        }
        let field = field.as_ref();
        // A lone empty field would be an empty line, which is no record.
        let alone = fields.len() == 1 && field.is_empty();
        if alone || field.contains(['"', '\n', '\r', char::from(separator)]) {
            text.push('"');
            text.push_str(&field.replace('"', "\"\""));
            text.push('"');
        } else {
            text.push_str(field);
        }
    }
    text.push('\n');
}
