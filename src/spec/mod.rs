//! YAML to checked values: the only module that sees YAML.
//!
//! A pipeline file goes through named passes, and every pass reports all of its faults with file, line and column:
//!
//! 1. `yaml`: text to a JSON value and an `outline` of where each node stands; syntax, duplicate keys, merge keys, and
//!    secrets of the environment, which no file may hold.
//! 2. `read`: value to a typed tree; unknown fields, wrong types, missing fields. Data set files use this pass too.
//! 3. `load`: profile, then `--set`, then axes, matrices and stages; names that mean nothing or are not used.
//!    `include` brings in the stages of other files, each checked as a file of its own.
//!
//! What comes out is a [`Pipeline`] in which parameters (`${k}`) are filled in and axes (`${seed}`) are not:
//! [`Pipeline::parameters_at`] and [`Pipeline::only_at`] do that for one instance of a stage. Nothing here knows what
//! operations exist; the planner does, and places its own errors in the file with [`SourceFile::problem`] and
//! [`Stage::parameter_path`]. The format is described in `docs/pipeline-format.md`.

mod definitions;
mod diagnostic;
mod include;
mod lists;
mod load;
mod outline;
mod pipeline;
pub mod policy;
mod raw;
mod read;
mod scalar;
mod schema;
mod secret;
mod source;
mod stages;
pub mod substitute;
pub mod wording;
mod yaml;

#[cfg(test)]
mod diagnostics_test;
#[cfg(test)]
mod include_test;

pub use diagnostic::{Invalid, Problem, render};
pub use load::{Settings, load, profiles};
pub use pipeline::{AxisTypes, Pipeline, Stage};
pub use policy::{Cause, Policy, Retries};
pub use read::{Document, read};
pub use scalar::{AxisValue, spelling};
pub use schema::schema;
pub use source::SourceFile;
pub use stages::{LIGHT, WORKER};
