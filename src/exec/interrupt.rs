//! Ctrl-C: the first one drains, the second kills, a third leaves at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// Exit code of an interrupted run.
pub const EXIT_CODE: i32 = 130;

/// How strongly the user wants to stop; shared between the signal's thread and the dispatcher.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicU8>);

/// What to do about running stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    /// Nobody asked to stop.
    GoOn,
    /// Start nothing new; let what runs end.
    Drain,
    /// Kill what runs; checkpoints stay.
    Kill,
}

impl Interrupt {
    /// Listens to SIGINT, SIGTERM and SIGHUP from now on. The third signal leaves the process at once: worker processes
    /// die with it, and results are published whole or not at all, so nothing half-written remains.
    ///
    /// Where the signals are taken already (`nohup`, a background job of a script), whoever started us does not want us to
    /// listen: then nothing is installed, and a signal that is not ignored ends the process, which loses nothing.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn install() -> Result<Self, ctrlc::Error> {
        let interrupt = Self::default();
        let heard = interrupt.clone();
        let set = ctrlc::try_set_handler(move || {
            if heard.wish() == Wish::Kill {
                std::process::exit(EXIT_CODE);
            }
            heard.raise();
        });
        match set {
            Ok(()) | Err(ctrlc::Error::MultipleHandlers) => Ok(interrupt),
            Err(error) => Err(error),
        }
    }

    /// One more request to stop.
    pub fn raise(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// What the requests so far mean.
    pub fn wish(&self) -> Wish {
        match self.0.load(Ordering::SeqCst) {
            0 => Wish::GoOn,
            1 => Wish::Drain,
            _ => Wish::Kill,
        }
    }
}

/// Why one attempt shall stop: the user kills the run, or its time is up. A body on a thread can't be killed, so it asks
/// whenever it reports.
#[derive(Clone, Debug)]
pub struct Cancellation {
    interrupt: Interrupt,
    timed_out: Arc<AtomicBool>,
}

impl Cancellation {
    /// Nothing is wanted of the attempt yet.
    pub fn new(interrupt: Interrupt) -> Self {
        Self { interrupt, timed_out: Arc::default() }
    }

    /// Its time is up.
    pub fn time_out(&self) {
        self.timed_out.store(true, Ordering::SeqCst);
    }

    /// Whether its time is up.
    pub fn timed_out(&self) -> bool {
        self.timed_out.load(Ordering::SeqCst)
    }

    /// Whether it shall stop.
    pub fn is_wanted(&self) -> bool {
        self.timed_out() || self.interrupt.wish() == Wish::Kill
    }
}

#[cfg(test)]
mod tests {
    use super::{Interrupt, Wish};

    #[test]
    fn requests_add_up() {
        let interrupt = Interrupt::default();
        assert_eq!(interrupt.wish(), Wish::GoOn);
        interrupt.clone().raise();
        assert_eq!(interrupt.wish(), Wish::Drain);
        interrupt.raise();
        interrupt.raise();
        assert_eq!(interrupt.wish(), Wish::Kill);
    }
}
