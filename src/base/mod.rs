//! What every other module may use: digests, seeded random streams, the file system with paths in its errors,
//! and children that die with their parent.

pub mod canonical;
pub mod death;
pub mod digest;
pub mod files;
pub mod group;
pub mod lock;
pub mod random;
pub mod suggest;

pub use digest::Digest;
