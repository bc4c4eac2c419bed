//! How a run is shown: bars on a terminal, plain lines elsewhere, JSON lines for programs.

use std::io::{self, IsTerminal};

use crate::exec::event::Listener;

pub mod json;
pub mod plain;
pub mod progress;
mod words;

pub(super) use words::{duration, summary};

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
        } else if no_progress || !io::stderr().is_terminal() || Wishes::of_environment().dumb {
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

/// Whether to write colours to a stream, as far as the environment allows it.
pub fn colour(is_terminal: bool) -> bool {
    Wishes::of_environment().colour(is_terminal)
}

/// What the environment says about colours: `NO_COLOR` (<https://no-color.org>), `CLICOLOR` and `CLICOLOR_FORCE`
/// (<https://bixense.com/clicolors>), `TERM`. The library that reads the command line, and prints `--help`, goes by the
/// same rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wishes {
    /// `NO_COLOR` is set to something.
    never: bool,
    /// `CLICOLOR_FORCE` is set to something but `0`.
    always: bool,
    /// `CLICOLOR` is `0`.
    not_by_itself: bool,
    /// `TERM` is `dumb`.
    dumb: bool,
}

impl Wishes {
    fn of_environment() -> Self {
        Self::of(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        Self {
            never: set("NO_COLOR").is_some(),
            always: set("CLICOLOR_FORCE").is_some_and(|value| value != "0"),
            not_by_itself: set("CLICOLOR").is_some_and(|value| value == "0"),
            dumb: set("TERM").is_some_and(|value| value == "dumb"),
        }
    }

    /// To a terminal that knows colours; `CLICOLOR_FORCE` also elsewhere; never with `NO_COLOR`.
    fn colour(self, is_terminal: bool) -> bool {
        !self.never && (self.always || is_terminal && !self.dumb && !self.not_by_itself)
    }
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
    /// On for a terminal, as far as the environment allows it; see [`colour`].
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

#[cfg(test)]
mod tests {
    use super::Wishes;

    #[test]
    fn the_environment_decides_about_colours() {
        let colour = |variables: &[(&str, &str)], is_terminal: bool| {
            let value = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, v)| (*v).to_owned());
            Wishes::of(value).colour(is_terminal)
        };
        for (variables, on_terminal, elsewhere) in [
            (&[][..], true, false),
            (&[("NO_COLOR", "1")], false, false),
            // An empty variable is as good as none.
            (&[("NO_COLOR", ""), ("CLICOLOR_FORCE", "")], true, false),
            (&[("CLICOLOR_FORCE", "1")], true, true),
            (&[("CLICOLOR_FORCE", "0")], true, false),
            (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false, false),
            (&[("CLICOLOR", "0")], false, false),
            (&[("CLICOLOR", "0"), ("CLICOLOR_FORCE", "1")], true, true),
            (&[("TERM", "dumb")], false, false),
            (&[("TERM", "dumb"), ("CLICOLOR_FORCE", "1")], true, true),
            (&[("TERM", "xterm")], true, false),
        ] {
            assert_eq!((colour(variables, true), colour(variables, false)), (on_terminal, elsewhere), "{variables:?}");
        }
    }
}
