//! What every other module may use: digests, seeded random streams, the file system with paths in its errors, durations,
//! children that die with their parent, orphans, and what must not get out.

pub mod canonical;
pub mod death;
pub mod digest;
pub mod disk;
pub mod duration;
pub mod files;
pub mod group;
mod guard;
pub mod holder;
pub mod leader;
pub mod lock;
pub mod locked;
pub mod many;
pub mod moment;
pub mod orphans;
pub mod presence;
pub mod program;
pub mod random;
pub mod secrets;
pub mod suggest;

pub use digest::Digest;
