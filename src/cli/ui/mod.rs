//! How a run is shown: bars on a terminal, plain lines elsewhere, JSON lines for programs.

use std::io::{self, IsTerminal};

use crate::exec::event::Listener;

pub mod json;
pub mod plain;
pub mod progress;
mod words;

/// How the user wants to see a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Bars that are drawn again and again.
    Bars,
    /// One line per thing that happened.
    Plain,
    /// One JSON object per event on standard output.
    Json,
}

impl Style {
    /// The style for this terminal. Bars need one that can move its cursor.
    pub fn choose(json: bool, no_progress: bool) -> Self {
        if json {
            Self::Json
        } else if no_progress || !io::stderr().is_terminal() || std::env::var("TERM").is_ok_and(|term| term == "dumb") {
            Self::Plain
        } else {
            Self::Bars
        }
    }

    /// Its reporter: people are told on standard error, programs on standard output.
    pub fn listener(self) -> Box<dyn Listener> {
        match self {
            Self::Bars => Box::new(progress::Bars::new(Colours::choose())),
            Self::Plain => Box::new(plain::Lines::new(io::stderr(), Colours::choose())),
            Self::Json => Box::new(json::JsonLines::new(io::stdout())),
        }
    }
}

/// Whether to write colours to a stream: to a terminal, unless `NO_COLOR` is set to something.
pub fn colour(is_terminal: bool) -> bool {
    is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Columns of the terminal; 100 where there is none.
pub fn width() -> usize {
    terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0))
}

/// Whether words are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// With escape sequences.
    On,
    /// Plain text.
    Off,
}

impl Colours {
    /// On for a terminal, unless `NO_COLOR` is set to something (<https://no-color.org>).
    pub fn choose() -> Self {
        if colour(io::stderr().is_terminal()) { Self::On } else { Self::Off }
    }

    /// `text` in red.
    pub fn red(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// `text` in green.
    pub fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// `text` in yellow.
    pub fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// `text` fainter.
    pub fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::On => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Self::Off => text.to_owned(),
        }
    }
}
