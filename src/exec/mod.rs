//! Running a plan on this machine.
//!
//! One dispatcher owns all state and linearises what happens into [`event::Event`]s, to which reporters only listen. What
//! to start next is a pure function ([`select`]) of what is ready (`queue` knows the first of each kind), what is free
//! ([`resources`]) and which workers are warm ([`pool`]). Light stages run on threads ([`thread`]); heavy ones in
//! `compt-worker` processes ([`worker`]), so that a crash in native code or an out-of-memory kill is one failed stage.

mod answering;
mod attempt;
#[cfg(test)]
mod attempts_test;
mod board;
mod dispatch;
#[cfg(test)]
mod dispatch_test;
pub mod energy;
pub mod event;
pub mod expectation;
pub mod forecast;
#[cfg(test)]
mod foretold_test;
pub mod hook;
pub mod interrupt;
pub mod journal;
pub mod locate;
pub mod log;
pub mod needs;
mod outlook;
pub mod pool;
mod queue;
pub mod resources;
mod run;
pub mod select;
pub mod standing;
#[cfg(test)]
mod testing;
pub mod thread;
pub mod worker;
#[cfg(test)]
mod worker_test;

pub use outlook::Estimate;
pub use run::{Failure, Options, Run, Summary, run};
