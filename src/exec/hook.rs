//! A command of the user's that is told how a run ended. Whatever becomes of it, the run has ended as it has.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsFd;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use crate::base::duration;
use crate::base::group::{Group, Seen};
use crate::base::program::Program;

/// The variable of the environment that names the command. The command itself does not get it: it may run pipelines of
/// its own.
pub const VARIABLE: &str = "COMPT_NOTIFY";
/// How long the command may take.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Characters of its last words that a message repeats.
const TAIL: usize = 300;

/// A line for `sh -c`.
#[derive(Clone, Debug)]
pub struct Hook {
    command: String,
    patience: Duration,
}

/// What it is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// Variables of its environment, besides those that it inherits.
    pub variables: Vec<(&'static str, String)>,
    /// What it reads from standard input.
    pub input: String,
}

/// Why it did not take the note.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// It can't be started.
    #[error("it can't be started: {0}")]
    Start(#[from] io::Error),
    /// It took too long.
    #[error("it took longer than {} and was killed", duration::show(*.0))]
    Slow(Duration),
    /// It failed.
    #[error("it ended with {status}{words}")]
    Ended {
        /// How it ended.
        status: ExitStatus,
        /// Its last words, after `: `.
        words: String,
    },
}

impl Hook {
    /// A shell's line; `None` for one that is empty.
    pub fn new(command: &str) -> Option<Self> {
        let command = command.trim();
        (!command.is_empty()).then(|| Self { command: command.to_owned(), patience: PATIENCE })
    }

    /// Runs it and waits for its end. Call it from a thread that lives as long: it dies with it. It can be killed with
    /// all that it starts, so what shall go on must leave its group (`setsid`).
    ///
    /// # Errors
    /// It can't be started, fails, or takes too long.
    pub fn tell(&self, note: &Note) -> Result<(), HookError> {
        // Files and no pipes: it may read or say as little or as much as it likes, and nobody waits.
        let (mut input, mut output) = (tempfile::tempfile()?, tempfile::tempfile()?);
        input.write_all(note.input.as_bytes())?;
        input.rewind()?;
        let mut environment: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
        environment.remove(OsStr::new(VARIABLE));
        environment.extend(note.variables.iter().map(|(name, value)| (name.into(), value.into())));
        let words = ["sh", "-c", &self.command].map(OsString::from).to_vec();
        let start = Instant::now();
        let mut group =
            Group::spawn(&Program { words, environment, folder: None, input: input.as_fd(), output: output.as_fd() })?;
        while group.watch(None, self.patience.saturating_sub(start.elapsed())) != Seen::End {
            if start.elapsed() >= self.patience {
                group.end()?;
                return Err(HookError::Slow(self.patience));
            }
        }
        match group.end()? {
            status if status.success() => Ok(()),
            status => Err(HookError::Ended { status, words: last_words(&mut output) }),
        }
    }
}

/// The end of what was written, after `: `; nothing for silence.
fn last_words(output: &mut File) -> String {
    let mut bytes = Vec::new();
    let read = output.rewind().and_then(|()| output.read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim();
    if read.is_err() || text.is_empty() {
        return String::new();
    }
    let skipped = text.chars().count().saturating_sub(TAIL);
    format!(": {}", text.chars().skip(skipped).collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Hook, HookError, Note};

    #[test]
    fn it_gets_variables_and_a_line_and_may_ignore_both() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heard");
        let hook = |line: &str| Hook::new(&line.replace("HEARD", path.to_str().unwrap())).unwrap();
        let note = Note { variables: vec![("COMPT_RUN_OUTCOME", "it's \"done\"".into())], input: "{\"a\":1}\n".into() };
        hook("{ echo \"$COMPT_RUN_OUTCOME\"; cat; } > HEARD").tell(&note).unwrap();
        assert_eq!(fs_err::read_to_string(&path).unwrap(), "it's \"done\"\n{\"a\":1}\n");
        // More than a pipe holds, and nobody reads it.
        hook("exit 0").tell(&Note { input: "x".repeat(1 << 20), ..note }).unwrap();
        assert!(Hook::new("  ").is_none());
    }

    #[test]
    fn it_fails_with_its_words_and_never_takes_too_long() {
        let hook = Hook::new("echo no network; echo see the manual >&2; exit 7").unwrap();
        let error = hook.tell(&Note::default()).unwrap_err();
        assert_eq!(error.to_string(), "it ended with exit status: 7: no network\nsee the manual");
        let slow = Hook { patience: Duration::from_millis(50), ..Hook::new("sleep 600 & sleep 600").unwrap() };
        let start = Instant::now();
        assert!(matches!(slow.tell(&Note::default()), Err(HookError::Slow(_))));
        assert!(start.elapsed() < Duration::from_secs(60));
    }
}
