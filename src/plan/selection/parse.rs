//! Reading a selection. What its names mean is not looked at here.

use std::ops::Range;

use super::SelectionError;

/// Any number of steps.
const ANY: usize = usize::MAX;

/// A selection that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    /// As it was typed.
    pub(super) text: String,
    /// Each one is what all its factors mean; together they mean what any of them does.
    pub(super) groups: Vec<Vec<Factor>>,
}

/// A term, or everything but it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Factor {
    pub others: bool,
    pub term: Term,
}

/// Some cells of some stages, and what is around them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Term {
    /// The steps to go towards what is read; none for the cells alone.
    pub read: Option<usize>,
    /// The steps to go towards what reads them.
    pub readers: Option<usize>,
    /// A stage's name, or a pattern with `*`.
    pub name: Word,
    pub filters: Vec<Filter>,
    /// Where name and filters stand.
    pub at: Range<usize>,
}

/// The values that an axis may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    pub axis: Word,
    pub values: Vec<Word>,
}

/// A name or value, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub text: String,
    pub at: Range<usize>,
}

impl Expression {
    /// Reads a selection.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn parse(text: &str) -> Result<Self, SelectionError> {
        let mut parser = Parser { text, at: 0 };
        let mut groups = Vec::new();
        loop {
            let mut group = vec![parser.factor()?];
            while parser.takes('&') {
                group.push(parser.factor()?);
            }
            groups.push(group);
            if !parser.takes(',') {
                break;
            }
        }
        match parser.peek() {
            None => Ok(Self { text: text.to_owned(), groups }),
            Some(found) => {
                let end = parser.at + found.len_utf8();
                Err(parser.error(
                    format!("`{found}` can't follow here"),
                    parser.at..end,
                    "after a term comes `,` (either), `&` (both), or the end",
                ))
            }
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    /// Byte position of what is read next.
    at: usize,
}

impl<'a> Parser<'a> {
    fn factor(&mut self) -> Result<Factor, SelectionError> {
        let mut others = false;
        while self.takes('!') {
            others = !others;
        }
        Ok(Factor { others, term: self.term()? })
    }

    fn term(&mut self) -> Result<Term, SelectionError> {
        let read = self.depth_before();
        self.space();
        let start = self.at;
        let name = self.word(|c| c.is_alphanumeric() || "_.*-".contains(c));
        if name.text.is_empty() {
            let found = self.peek();
            let message = match found {
                Some(found) => format!("`{found}` stands where a stage is expected"),
                None => "a stage is missing at the end".to_owned(),
            };
            let help = "write a stage, `fit`, some of its cells, `fit[seed=1|2]`, or a pattern, `score*`";
            return Err(self.error(message, self.at..self.at + found.map_or(0, char::len_utf8), help));
        }
        let filters = if self.takes('[') { self.filters()? } else { Vec::new() };
        let at = start..self.at;
        let readers = self.takes('+').then(|| self.number().unwrap_or(ANY));
        Ok(Term { read, readers, name, filters, at })
    }

    /// `+` or `2+` before a stage. Digits without a `+` belong to the stage's name.
    fn depth_before(&mut self) -> Option<usize> {
        let start = self.at;
        let depth = self.number();
        if self.takes('+') {
            return Some(depth.unwrap_or(ANY));
        }
        self.at = start;
        None
    }

    /// After the `[`, up to and with the `]`.
    fn filters(&mut self) -> Result<Vec<Filter>, SelectionError> {
        let open = self.at - 1;
        let mut filters: Vec<Filter> = Vec::new();
        loop {
            self.space();
            let axis = self.word(|c| c.is_alphanumeric() || c == '_');
            let again = self.at;
            if axis.text.is_empty() || !self.takes('=') {
                return Err(self.unfinished(open, again, "an axis and its values, as `seed=1`,"));
            }
            if filters.iter().any(|filter| filter.axis.text == axis.text) {
                let help = format!("several values of one axis are written `{}=1|2`", axis.text);
                return Err(self.error(format!("the axis `{}` is there already", axis.text), axis.at, &help));
            }
            let mut values = vec![self.value(open)?];
            while self.takes('|') {
                values.push(self.value(open)?);
            }
            filters.push(Filter { axis, values });
            if self.takes(']') {
                return Ok(filters);
            }
            if !self.takes(',') {
                return Err(self.unfinished(open, self.at, "`,`, `|` or `]`"));
            }
        }
    }

    fn value(&mut self, open: usize) -> Result<Word, SelectionError> {
        self.space();
        let start = self.at;
        if self.takes('"') {
            return self.quoted(start);
        }
        let mut value = self.word(|c| !"|,]\"".contains(c));
        let text = value.text.trim_end();
        value.at.end = value.at.start + text.len();
        value.text = text.to_owned();
        match value.text.is_empty() {
            true => Err(self.unfinished(open, start, "a value")),
            false => Ok(value),
        }
    }

    /// After the first `"`; a backslash takes the next character as it is.
    fn quoted(&mut self, start: usize) -> Result<Word, SelectionError> {
        let mut text = String::new();
        let mut escaped = false;
        for (at, c) in self.text[self.at..].char_indices() {
            match c {
                _ if escaped => {
                    text.push(c);
                    escaped = false;
                }
                '\\' => escaped = true,
                '"' => {
                    self.at += at + 1;
                    return Ok(Word { text, at: start..self.at });
                }
                _ => text.push(c),
            }
        }
        let message = "the value that begins here has no end".to_owned();
        Err(self.error(message, start..self.text.len(), "write `\"` after it"))
    }

    /// The fault of brackets in which something else should stand at `at`.
    fn unfinished(&self, open: usize, at: usize, wanted: &str) -> SelectionError {
        let help = "write `fit[method=spp,seed=1|2]`; a value with other characters stands in double quotes";
        let rest = self.text[at..].trim_start();
        let at = self.text.len() - rest.len();
        match rest.chars().next() {
            Some(found) => {
                self.error(format!("`{found}` stands where {wanted} should"), at..at + found.len_utf8(), help)
            }
            None => self.error("this `[` has no end".to_owned(), open..open + 1, help),
        }
    }

    fn number(&mut self) -> Option<usize> {
        self.space();
        let digits = self.word(|c| c.is_ascii_digit());
        // No plan is deeper than the largest number.
        (!digits.text.is_empty()).then(|| digits.text.parse().unwrap_or(ANY))
    }

    fn word(&mut self, belongs: impl Fn(char) -> bool) -> Word {
        let rest = &self.text[self.at..];
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        let at = self.at..self.at + end;
        self.at = at.end;
        Word { text: rest[..end].to_owned(), at }
    }

    fn space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    fn peek(&mut self) -> Option<char> {
        self.space();
        self.text[self.at..].chars().next()
    }

    fn takes(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn error(&self, message: String, at: Range<usize>, help: &str) -> SelectionError {
        SelectionError { message, expression: self.text.to_owned(), at, help: Some(help.to_owned()) }
    }
}
