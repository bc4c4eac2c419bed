//! Bodies that run on a thread of the runner, with their panics turned into errors.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use crate::plan::catalog::SourceRef;
use crate::protocol::{Job, Reporter, ResolvedSource, StageError};

/// What a run needs from those who know the operations.
pub trait Bodies: Sync {
    /// Finds the data sets, models and files that a stage's parameters name, and fetches what is not on this machine
    /// yet. Called on the stage's thread before its body.
    ///
    /// # Errors
    /// What is missing, and how to get it.
    fn sources(&self, wanted: &[SourceRef], reporter: &mut dyn Reporter) -> Result<Vec<ResolvedSource>, StageError>;

    /// Runs the body of an operation that needs no worker.
    ///
    /// # Errors
    /// Why the stage failed.
    fn run(&self, job: &Job, reporter: &mut dyn Reporter) -> Result<(), StageError>;
}

/// What a reporter unwinds with when the user wants a running body to stop now.
#[derive(Debug)]
pub(super) struct Cancelled;

/// Leaves the body that called the reporter, without the words of a panic. [`catching`] ends the way up.
pub(super) fn cancel() -> ! {
    panic::resume_unwind(Box::new(Cancelled))
}

thread_local! {
    /// Inside [`catching`]: the words of a panic. Outside: none, and panics are told on standard error as usual.
    static WORDS: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs a body; a panic in it is a bug of ours and fails only this stage.
pub(super) fn catching<T>(operation: &str, body: impl FnOnce() -> Result<T, StageError>) -> Result<T, StageError> {
    keep_words();
    WORDS.set(Some(String::new()));
    // After a panic the body's values are gone; what outlives it is the log and the channel, which are whole.
    let ended = panic::catch_unwind(AssertUnwindSafe(body));
    let words = WORDS.take().unwrap_or_default();
    ended.unwrap_or_else(|payload| Err(explain(operation, &words, payload.as_ref())))
}

fn explain(operation: &str, words: &str, payload: &(dyn Any + Send)) -> StageError {
    if payload.is::<Cancelled>() {
        return StageError::environment("stopped by the user");
    }
    let words = if words.is_empty() { "panicked" } else { words };
    StageError::bug(format!("`{operation}` {words}"))
        .with_hint("this is a fault of `compt`: please report it with the stage's log")
}

/// Lets panics inside [`catching`] be kept instead of printed, which would tear the progress bars.
fn keep_words() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let kept = WORDS.with_borrow_mut(|words| words.as_mut().map(|words| *words = info.to_string()).is_some());
            if !kept {
                usual(info);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::{cancel, catching};
    use crate::protocol::{StageError, StageErrorKind};

    #[test]
    fn a_panic_is_a_bug_with_its_place() {
        let error = catching::<()>("sample", || panic!("index out of range")).unwrap_err();
        assert_eq!(error.kind, StageErrorKind::Bug);
        assert!(error.message.starts_with("`sample` panicked at src/exec/thread.rs:"), "{error}");
        assert!(error.message.ends_with("index out of range"), "{error}");
    }

    #[test]
    fn other_ends_pass_through() {
        assert_eq!(catching("sample", || Ok(3)), Ok(3));
        assert_eq!(catching::<()>("sample", || Err(StageError::input("no"))), Err(StageError::input("no")));
        assert_eq!(catching::<()>("sample", || cancel()).unwrap_err().message, "stopped by the user");
    }
}
