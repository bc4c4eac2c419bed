//! A file as it was read, with the place of every value, so that errors found later can still point at it.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use super::diagnostic::Problem;
use super::outline::{Outline, Place};
use crate::base::secrets::Secrets;

/// Of lines with more bytes, an error shows a part.
const LONG_LINE: usize = 160;
/// So many bytes before and after what it points at.
const NEAR: usize = 50;

/// So many lines, with those around them, miette draws in one piece when places are on the first and the last of them.
const DRAWN_TOGETHER: usize = 4;

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

    /// Whether two places can't be shown together: those of neighbouring lines are drawn in one piece, and one of the lines is
    /// long.
    pub(super) fn are_far_apart(&self, one: usize, other: usize) -> bool {
        let lines = self.lines_of(&(one.min(other)..one.max(other)));
        has_long_line(&self.text[lines.clone()]) && self.text[lines].lines().count() <= DRAWN_TOGETHER
    }

    /// The lines of a span, without the last one's end.
    fn lines_of(&self, span: &Range<usize>) -> Range<usize> {
        let start = self.text[..span.start].rfind('\n').map_or(0, |at| at + 1);
        let end = self.text[span.end..].find('\n').map_or(self.text.len(), |at| span.end + at);
        start..start + self.text[start..end].trim_end_matches('\r').len().max(span.end - start)
    }

    /// What is shown for a span whose context is `whole`: all of it, or its own lines, or of a long line the part that is near.
    /// A secret, which is masked in what is drawn, is not cut: half of it would not be known for one.
    fn shown(&self, span: Range<usize>, whole: Range<usize>) -> Range<usize> {
        if !has_long_line(&self.text[whole.clone()]) {
            return whole;
        }
        let lines = self.lines_of(&span);
        if !has_long_line(&self.text[lines.clone()]) {
            return lines;
        }
        let secrets = Secrets::of_environment().places(&self.text[lines.clone()]);
        let mut near = floor(&self.text, span.start.saturating_sub(NEAR)).max(lines.start)
            ..floor(&self.text, span.end + NEAR).min(lines.end);
        while let Some(cut) = secrets.iter().map(|at| at.start + lines.start..at.end + lines.start).find(|secret| {
            let touches = secret.start < near.end && near.start < secret.end;
            touches && (secret.start < near.start || near.end < secret.end)
        }) {
            near = near.start.min(cut.start)..near.end.max(cut.end);
        }
        near
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
        let shown = self.shown(span.offset()..span.offset() + span.len(), whole);
        // miette counts columns in bytes; people count characters.
        let first = if context_lines_before == 0 { span.offset() } else { shown.start };
        Ok(Box::new(MietteSpanContents::new_named(
            self.path.display().to_string(),
            &self.text.as_bytes()[shown.clone()],
            (shown.start, shown.len()).into(),
            self.line_column(shown.start).0 - 1,
            self.line_column(first).1 - 1,
            self.text[shown].lines().count(),
        )))
    }
}

fn has_long_line(text: &str) -> bool {
    text.lines().any(|line| line.len() > LONG_LINE)
}

fn floor(text: &str, offset: usize) -> usize {
    (0..=offset.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}
