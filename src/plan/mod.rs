//! From a checked pipeline to a plan: pure, nothing is decided while running.
//!
//! [`matrix`] expands a stage to its cells, [`join`] finds what each cell reads, [`graph`] orders the stages, and
//! [`expand`](mod@expand) makes a [`Plan`] with them. [`key`] says what decides a result, [`pins`] what the sources contain, [`assess`]
//! which instances have a result already and, in the words of [`reason`], why the others have to run; [`summary`]
//! says it in a few lines, [`drawing`] as a graph. [`sharing`] finds the instances that do the same work, [`selection`] those
//! that a user names; [`diff`] compares lock files; [`parameters`] keeps what stages are told small.

pub mod assess;
pub mod catalog;
pub mod diff;
pub mod drawing;
pub mod expand;
pub mod fate;
pub mod graph;
pub mod instance;
pub mod join;
pub mod key;
pub mod matrix;
pub mod parameters;
pub mod pins;
pub mod reason;
pub mod selection;
pub mod shape;
pub mod sharing;
pub mod summary;

/// How a stage is tried: part of the plan, though it decides no key.
pub use crate::spec::{Cause, Policy, Retries};
/// Resources that a stage takes without naming them.
pub use crate::spec::{LIGHT, WORKER};
pub use assess::{Lookup, Question, Records, State};
pub use expand::expand;
pub use instance::{Instance, Plan, StagePlan};
pub use parameters::Parameters;

#[cfg(test)]
mod expand_test;
#[cfg(test)]
mod key_test;
