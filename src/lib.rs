//! `compt`: declarative, cached, reproducible pipelines for modular multi-task prompt tuning.
//!
//! The **runner** (`spec` -> `plan` -> `exec` -> `store`) knows stages, keys and files, and nothing of machine
//! learning. The **science** (`task`, `metric`, `report` here; the backbone, the prompt methods and training in the
//! package `compt-worker`) knows nothing of graphs and caches. `operation` is the one place where they meet.
//!
//! See `ARCHITECTURE.md` for the whole map, and for which module may use which.

pub mod base;
pub mod cli;
pub mod exec;
pub mod figure;
pub mod metric;
pub mod operation;
pub mod page;
pub mod plan;
pub mod protocol;
pub mod report;
pub mod spec;
pub mod store;
pub mod task;
pub mod verify;
