//! Trainings and whole jobs. They share libtorch's one generator, so they run one at a time, in a process of their own.

use std::sync::{Mutex, MutexGuard, PoisonError};

mod backbones;
mod jobs;
mod nano;
mod pretraining;
mod process;
mod prompted;
mod training;

static GENERATOR: Mutex<()> = Mutex::new(());

/// Waits until no other test draws from libtorch's generator.
fn alone() -> MutexGuard<'static, ()> {
    GENERATOR.lock().unwrap_or_else(PoisonError::into_inner)
}
