//! What is wrong with a selection, and where in it.

use std::fmt;
use std::ops::Range;

/// Why a text selects nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectionError {
    /// What was found.
    pub message: String,
    /// The whole selection, as it was typed.
    pub expression: String,
    /// The bytes of it that are wrong; empty where something is missing.
    pub at: Range<usize>,
    /// What would be accepted, or what to type instead.
    pub help: Option<String>,
}

impl fmt::Display for SelectionError {
    /// The message, then the selection with carets under what is wrong.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |text: Option<&str>| text.map_or(0, |text| text.chars().count());
        let before = width(self.expression.get(..self.at.start));
        let wrong = width(self.expression.get(self.at.clone())).max(1);
        // A line break or a tab would move the carets.
        let shown = |text: &str| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
        let (message, expression) = (shown(&self.message), shown(&self.expression));
        write!(f, "{message}\n\n  {expression}\n  {}{}", " ".repeat(before), "^".repeat(wrong))
    }
}

impl std::error::Error for SelectionError {}
