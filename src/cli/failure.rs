//! Every way a command can end badly, and its exit code.
//!
//! | code | meaning |
//! | --- | --- |
//! | 0 | done |
//! | 1 | a fault of ours: a panic, or a stage that failed because of one |
//! | 2 | the command line is wrong |
//! | 3 | a pipeline or data set file is wrong, or what it names is missing |
//! | 4 | a stage failed |
//! | 5 | the environment lacks something: network, disk, device, worker, libtorch |
//! | 6 | the cache is damaged, in use or read-only, or `--locked` forbids a change |
//! | 7 | a claim failed, and `--claims-must-hold` was given |
//! | 8 | results differ: `verify` got others, or `compare --fail-on` or `diff --exit-code` found differences |
//! | 130 | interrupted |

use std::path::Path;

use serde_json::{Value, json};

use crate::protocol::{StageError, StageErrorKind};
use crate::spec::{Invalid, Problem};

/// A command's failure, with what the user reads.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line is wrong in a way that clap can't see.
    #[error("{message}")]
    Usage {
        /// What was wrong.
        message: String,
        /// What to type instead.
        hint: Option<String>,
    },
    /// A file of the user's is wrong.
    #[error("{0}")]
    Invalid(#[from] Invalid),
    /// What the user's files name is missing or wrong.
    #[error("{message}")]
    Input {
        /// What was wrong.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// One or more stages failed; the reporter has said which.
    #[error("{failed} of {total} stages failed")]
    Stages {
        /// How many.
        failed: usize,
        /// Of how many.
        total: usize,
        /// Whose fault it is; see [`fault`].
        fault: StageErrorKind,
        /// What to type next.
        hint: Option<String>,
    },
    /// The machine lacks something.
    #[error("{message}")]
    Environment {
        /// What is missing.
        message: String,
        /// How to mend it.
        hint: Option<String>,
    },
    /// A fault of ours.
    #[error("{message}")]
    Bug {
        /// What went wrong.
        message: String,
        /// What is known beyond that.
        hint: Option<String>,
    },
    /// The cache or the lock file refuses.
    #[error("{message}")]
    Cache {
        /// What was wrong.
        message: String,
        /// How to mend it.
        hint: Option<String>,
    },
    /// Claims fail that were to hold.
    #[error("{} {}: {}", names.len(), if names.len() == 1 { "claim fails" } else { "claims fail" }, names.join(", "))]
    Claims {
        /// Which.
        names: Vec<String>,
    },
    /// What was compared is not the same, and `--fail-on` or `--exit-code` asked for a failure then.
    #[error("{message}")]
    Differs {
        /// What is not the same.
        message: String,
    },
    /// Ctrl-C.
    #[error("interrupted; the same command continues from here")]
    Interrupted,
}

impl Failure {
    /// The exit code; see the table above.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage { .. } => 2,
            Self::Invalid(_) | Self::Input { .. } => 3,
            Self::Stages { fault: StageErrorKind::Input, .. } => 4,
            Self::Stages { fault: StageErrorKind::Environment, .. } | Self::Environment { .. } => 5,
            Self::Stages { fault: StageErrorKind::Bug, .. } | Self::Bug { .. } => 1,
            Self::Cache { .. } => 6,
            Self::Claims { .. } => 7,
            Self::Differs { .. } => 8,
            Self::Interrupted => 130,
        }
    }

    /// The kind, as `--json` spells it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Usage { .. } => "usage",
            Self::Invalid(_) => "invalid",
            Self::Input { .. } => "input",
            Self::Stages { .. } => "stages",
            Self::Environment { .. } => "environment",
            Self::Bug { .. } => "bug",
            Self::Cache { .. } => "cache",
            Self::Claims { .. } => "claims",
            Self::Differs { .. } => "differs",
            Self::Interrupted => "interrupted",
        }
    }

    /// The same for programs: what `--json` prints on standard error, in one line.
    pub fn as_json(&self) -> Value {
        let mut error = json!({
            "kind": self.kind(),
            "exit_code": self.exit_code(),
            "message": self.to_string(),
            "hint": self.hint(),
        });
        if let Self::Invalid(invalid) = self {
            error["problems"] = invalid.problems.iter().map(problem_as_json).collect();
        }
        json!({ "error": error })
    }

    /// Advice, when there is some.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Usage { hint, .. }
            | Self::Input { hint, .. }
            | Self::Stages { hint, .. }
            | Self::Environment { hint, .. }
            | Self::Bug { hint, .. }
            | Self::Cache { hint, .. } => hint.as_deref(),
            Self::Claims { .. } => {
                Some("`claims.csv` has their effects; without `--claims-must-hold` a run succeeds all the same")
            }
            Self::Invalid(_) | Self::Differs { .. } | Self::Interrupted => None,
        }
    }

    /// A fault of ours, told with the request to report it.
    pub fn bug(message: impl Into<String>) -> Self {
        Self::Bug { message: message.into(), hint: Some("this is a fault of `compt`: please report it".to_owned()) }
    }

    /// The folder for results can't be written; with the way out, unless the disk is full, which says its own.
    pub fn unwritten(error: std::io::Error, outputs: &Path) -> Self {
        if outputs.exists() && !outputs.is_dir() {
            return Self::Environment {
                message: format!("`{}` is no folder", outputs.display()),
                hint: Some(
                    "the cache has what was made: name a folder with `--outputs DIR`, and type the same again".into(),
                ),
            };
        }
        match Self::from(error) {
            Self::Environment { message, hint: None } => {
                let hint = format!(
                    "the cache has what was made: make `{}` writable or name another folder with `--outputs DIR`, and \
                     type the same again",
                    outputs.display()
                );
                Self::Environment { message, hint: Some(hint) }
            }
            other => other,
        }
    }

    /// The command line is wrong.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: Some(hint.into()) }
    }
}

/// One fault of a file.
pub fn problem_as_json(problem: &Problem) -> Value {
    let place = problem.line_column();
    json!({
        "code": problem.code(),
        "message": problem.message(),
        "hint": problem.help(),
        "file": problem.path(),
        "line": place.map(|(line, _)| line),
        "column": place.map(|(_, column)| column),
    })
}

/// Whose fault it is that several stages failed: ours if any of it is, the machine's if all of it is.
pub fn fault(kinds: impl Iterator<Item = StageErrorKind> + Clone) -> StageErrorKind {
    if kinds.clone().any(|kind| kind == StageErrorKind::Bug) {
        StageErrorKind::Bug
    } else if kinds.clone().all(|kind| kind == StageErrorKind::Environment) {
        StageErrorKind::Environment
    } else {
        StageErrorKind::Input
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        StageError::from(error).into()
    }
}

impl From<StageError> for Failure {
    fn from(error: StageError) -> Self {
        match error.kind {
            StageErrorKind::Input => Self::Input { message: error.message, hint: error.hint },
            StageErrorKind::Environment => Self::Environment { message: error.message, hint: error.hint },
            StageErrorKind::Bug => match error.hint {
                Some(hint) => Self::Bug { message: error.message, hint: Some(hint) },
                None => Self::bug(error.message),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Failure, StageError, StageErrorKind, fault};
    use crate::plan::pins::PinsError;

    #[test]
    fn a_fault_of_ours_is_never_blamed_on_the_machine() {
        use StageErrorKind::{Bug, Environment, Input};
        for (kinds, whose, code) in [
            (vec![Input], Input, 4),
            (vec![Input, Environment], Input, 4),
            (vec![Environment, Environment], Environment, 5),
            (vec![Environment, Bug, Input], Bug, 1),
        ] {
            assert_eq!(fault(kinds.iter().copied()), whose);
            assert_eq!(Failure::Stages { failed: 1, total: 1, fault: whose, hint: None }.exit_code(), code);
        }
        let failure = Failure::from(StageError::bug("lost the thread"));
        assert_eq!(failure.exit_code(), 1);
        assert!(failure.hint().unwrap().contains("please report it"));
    }

    #[test]
    fn a_disk_without_room_is_no_fault_of_a_lock_file() {
        let full = || std::io::Error::from(std::io::ErrorKind::StorageFull);
        for failure in [Failure::from(PinsError::Io(full())), Failure::from(full())] {
            assert_eq!(failure.exit_code(), 5);
            assert!(failure.hint().unwrap().contains("free some space"));
        }
        let damaged = PinsError::Unreadable { path: "c.lock".into(), message: "expected a value".into() };
        assert_eq!(Failure::from(damaged).exit_code(), 6);
    }
}
