//! Errors of a file, all of them, with the place of each: as values, as plain lines, and drawn.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode};

use super::source::SourceFile;
use crate::base::secrets::Secrets;

/// Columns of a drawn error.
const WIDTH: usize = 100;

/// A file that can't be accepted, with everything that is wrong with it.
#[derive(Clone, Debug)]
pub struct Invalid {
    /// What is wrong, in the order of the file; never empty.
    pub problems: Vec<Problem>,
}

impl Invalid {
    /// All of `problems`, by file and in the order of the file; `Ok` when there are none.
    ///
    /// # Errors
    /// When there is a problem.
    pub fn check(mut problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() {
            return Ok(());
        }
        problems.sort_by_cached_key(|problem| (problem.path().map(Path::to_owned), problem.offset()));
        // A file that is included twice has its faults once.
        problems.dedup_by(|one, other| one.place() == other.place() && one.message == other.message);
        Err(Self { problems })
    }
}

impl From<Problem> for Invalid {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

/// One `file:line:column: message` a line.
impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            let newline = if i == 0 { "" } else { "\n" };
            write!(f, "{newline}{}{}", problem.place(), problem.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}

/// One thing that is wrong with a file.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}{message}", self.unseen_path())]
pub struct Problem {
    code: &'static str,
    message: String,
    help: Option<String>,
    origin: Option<Origin>,
    labels: Vec<(Range<usize>, String)>,
}

#[derive(Clone, Debug)]
enum Origin {
    /// A file whose text can be shown.
    Text(Arc<SourceFile>),
    /// A file that could not be read.
    Path(PathBuf),
}

impl Problem {
    /// A problem that stands in no file (of the command line, for instance). `code` is stable: `compt::spec::set`.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: None, origin: None, labels: Vec::new() }
    }

    /// The same problem with advice: what to type next.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same problem with advice, when there is some.
    #[must_use]
    pub fn with_help_if(self, help: Option<String>) -> Self {
        match help {
            Some(help) => self.with_help(help),
            None => self,
        }
    }

    /// The same problem with a word at the place that it points to.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        if let Some((_, text)) = self.labels.first_mut() {
            *text = label.into();
        }
        self
    }

    /// What is wrong, without its place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The advice.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// Line and column, from 1, when it points into a file.
    pub fn line_column(&self) -> Option<(usize, usize)> {
        match (&self.origin, self.labels.first()) {
            (Some(Origin::Text(file)), Some((span, _))) => Some(file.line_column(span.start)),
            _ => None,
        }
    }

    pub(super) fn in_file(mut self, file: &Arc<SourceFile>, span: Option<Range<usize>>) -> Self {
        self.origin = Some(Origin::Text(Arc::clone(file)));
        self.labels = span.into_iter().map(|span| (span, "here".to_owned())).collect();
        self
    }

    pub(super) fn at_path(mut self, path: &Path) -> Self {
        self.origin = Some(Origin::Path(path.to_owned()));
        self
    }

    pub(super) fn and_label(mut self, span: Range<usize>, label: &str) -> Self {
        self.labels.push((span, label.to_owned()));
        self
    }

    fn offset(&self) -> usize {
        self.labels.first().map_or(0, |(span, _)| span.start)
    }

    /// The file, when it is about one.
    pub fn path(&self) -> Option<&Path> {
        match self.origin.as_ref()? {
            Origin::Text(file) => Some(file.path()),
            Origin::Path(path) => Some(path),
        }
    }

    /// `file: ` where no source line would tell which file it is.
    fn unseen_path(&self) -> String {
        if self.labels.is_empty() { self.place() } else { String::new() }
    }

    /// `file:line:column: `, as much of it as there is.
    fn place(&self) -> String {
        let Some(path) = self.path() else { return String::new() };
        match self.line_column() {
            Some((line, column)) => format!("{}:{line}:{column}: ", path.display()),
            None => format!("{}: ", path.display()),
        }
    }
}

impl Diagnostic for Problem {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display + 'a>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        match &self.origin {
            Some(Origin::Text(file)) if !self.labels.is_empty() => Some(file.as_ref()),
            _ => None,
        }
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let file = match &self.origin {
            Some(Origin::Text(file)) => Some(file),
            _ => None,
        };
        let main = self.labels.first().map_or(0, |(span, _)| span.start);
        let label = move |(i, (span, text)): (usize, &(Range<usize>, String))| {
            let text = Some(text.clone());
            let span = match file {
                // Both with all that is between them would be the long line again.
                Some(file) if i > 0 && file.are_far_apart(main, span.start) => return None,
                Some(file) => file.marked(span),
                None => span.clone(),
            };
            let span = (span.start, span.len());
            Some(match i {
                0 => LabeledSpan::new_primary_with_span(text, span),
                _ => LabeledSpan::new_with_span(text, span),
            })
        };
        Some(Box::new(self.labels.iter().enumerate().filter_map(label)))
    }
}

/// Draws every problem with its source line, 100 columns wide: in colour and Unicode for a terminal, in plain ASCII
/// otherwise. The same input gives the same text everywhere, but for secrets of the environment in lines of a file.
pub fn render(invalid: &Invalid, colour: bool) -> String {
    let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::none() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(WIDTH).with_urls(false).with_break_words(false);
    let drawn: Vec<String> = invalid
        .problems
        .iter()
        .map(|problem| {
            let mut text = String::new();
            // Writing to a string can't fail; if drawing does, the plain line still says it all.
            match handler.render_report(&mut text, problem) {
                Ok(()) => text.lines().map(|line| format!("{}\n", line.trim_end())).collect(),
                Err(fmt::Error) => format!("{}{}\n", problem.place(), problem.message),
            }
        })
        .collect();
    Secrets::of_environment().masked(&drawn.join("\n")).into_owned()
}
