//! A file as it was read, with the place of every value, so that errors found later can still point at it.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use super::diagnostic::Problem;
use super::outline::{Outline, Place};

/// Of lines with more bytes, an error shows a part.
const LONG_LINE: usize = 160;
/// So many bytes before and after what it points at.
const NEAR: usize = 50;

/// The text of a YAML file and where its values stand.
///
/// Values are named by their path: `stages.fit.run.train.gate.kind`, `axes.seed[2]`; the empty path is the whole file.
pub struct SourceFile {
    path: PathBuf,
    text: String,
    outline: Outline,
}

impl SourceFile {
    pub(super) fn new(path: &Path, text: String, outline: Outline) -> Self {
        Self { path: path.to_owned(), text, outline }
    }

    /// The file's path, as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// An error at the value with this path, or at the nearest one around it that the file has. A value of several
    /// lines is shown by its key. `code` is stable and short: `compt::spec::unknown_axis`.
    pub fn problem(self: &Arc<Self>, path: &str, code: &'static str, message: impl Into<String>) -> Problem {
        Problem::new(code, message).in_file(self, self.value_span(path))
    }

    /// An error at the key of the entry with this path: for names that are wrong.
    pub fn key_problem(self: &Arc<Self>, path: &str, code: &'static str, message: impl Into<String>) -> Problem {
        let key = self.nearest(path).and_then(|(_, place)| place.key);
        let span = key.or_else(|| self.value_span(path));
        Problem::new(code, message).in_file(self, span)
    }

    /// Whether the file has a value with this path.
    pub fn has(&self, path: &str) -> bool {
        self.outline.place(path).is_some()
    }

    /// Line and column (from 1, in characters) of a byte.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let before = &self.text[..floor(&self.text, offset)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// Where the node with this path begins: its key, or its value in a list. Sorts entries as the file has them.
    pub(super) fn offset(&self, path: &str) -> usize {
        self.nearest(path).map_or(0, |(_, place)| place.key.unwrap_or(place.value).start)
    }

    /// The bytes to show for the value with this path, or for the nearest one around it.
    pub(super) fn value_span(&self, path: &str) -> Option<Range<usize>> {
        let (exact, place) = self.nearest(path)?;
        let one_line = !self.text[place.value.clone()].contains('\n') && !place.value.is_empty();
        match place.key {
            Some(key) if !exact || !one_line => Some(key),
            _ if one_line => Some(place.value),
            _ => {
                // An element of several lines, or the file itself: its first line.
                let line = self.text[place.value.clone()].lines().next()?.trim_end();
                Some(place.value.start..place.value.start + line.len())
            }
        }
    }

    /// As much of a label as is drawn under a long line.
    pub(super) fn marked(&self, span: &Range<usize>) -> Range<usize> {
        span.start..floor(&self.text, span.end.min(span.start + LONG_LINE))
    }

    /// Whether two places are on one line with a long part of it between them.
    pub(super) fn are_far_apart(&self, one: usize, other: usize) -> bool {
        let between = one.min(other)..one.max(other);
        between.len() > LONG_LINE && self.text.get(between).is_some_and(|text| !text.contains('\n'))
    }

    /// The part of a span's lines that is near it.
    fn around(&self, span: &SourceSpan) -> Range<usize> {
        let (start, end) = (span.offset(), span.offset() + span.len());
        let line_start = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = self.text[end..].find('\n').map_or(self.text.len(), |at| end + at);
        let from = floor(&self.text, start.saturating_sub(NEAR));
        from.max(line_start)..floor(&self.text, end + NEAR).min(line_end)
    }

    /// The place with this path, or of the nearest one around it; whether it is exact.
    fn nearest(&self, path: &str) -> Option<(bool, Place)> {
        let mut here = path;
        loop {
            if let Some(place) = self.outline.place(here) {
                return Some((here.len() == path.len(), place));
            }
            if here.is_empty() {
                return None;
            }
            here = &here[..here.rfind(['.', '[']).unwrap_or(0)];
        }
    }
}

impl fmt::Debug for SourceFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceFile({})", self.path.display())
    }
}

impl SourceCode for SourceFile {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        context_lines_before: usize,
        context_lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let lines = self.text.read_span(span, context_lines_before, context_lines_after)?;
        let whole = lines.span().offset()..lines.span().offset() + lines.span().len();
        let shown = match self.text.get(whole.clone()) {
            Some(text) if text.lines().any(|line| line.len() > LONG_LINE) => self.around(span),
            _ => whole,
        };
        // miette counts columns in bytes; people count characters.
        let first = if context_lines_before == 0 { span.offset() } else { shown.start };
        Ok(Box::new(MietteSpanContents::new_named(
            self.path.display().to_string(),
            &self.text.as_bytes()[shown.clone()],
            (shown.start, shown.len()).into(),
            self.line_column(shown.start).0 - 1,
            self.line_column(first).1 - 1,
            lines.line_count(),
        )))
    }
}

fn floor(text: &str, offset: usize) -> usize {
    (0..=offset.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}
