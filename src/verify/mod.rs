//! Making results once more, from what they were recorded to be made of, and comparing.
//!
//! [`sample`] chooses which. [`rehearsal`] makes a plan of them in which each reads exactly the results that its record
//! names, whatever the others come to be; the dispatcher runs it in a cache of its own, so that nothing of the user's is
//! changed. Where the digests differ, [`values`] says which values do, and by how much.

pub mod rehearsal;
pub mod sample;
pub mod values;

use serde::Serialize;

use values::Difference;

/// What came of one instance.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// The same bytes.
    Identical,
    /// Other bytes, but all values are within the tolerance.
    Within {
        /// File by file.
        files: Vec<Difference>,
    },
    /// Other values.
    Differs {
        /// File by file.
        files: Vec<Difference>,
    },
    /// It ran and failed.
    Failed {
        /// Why.
        error: String,
    },
    /// It was not run, because what it was made of is not there, or there is no result to compare with.
    CouldNotRun {
        /// Why.
        why: String,
    },
}
