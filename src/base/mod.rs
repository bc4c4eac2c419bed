//! What every other module may use: digests, seeded random streams, the file system with paths in its errors.

pub mod canonical;
pub mod digest;
pub mod files;
pub mod lock;
pub mod random;
pub mod suggest;

pub use digest::Digest;
