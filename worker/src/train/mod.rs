//! Training: batches, the optimizer and its schedule, checkpoints, and the loop that uses them (METHODS 3).

pub mod checkpoint;
pub mod corruption;
pub mod counts;
pub mod curve;
pub mod data;
pub mod error;
pub mod fit;
pub mod keeper;
pub mod optimizer;
pub mod pretraining;
pub mod sampler;
pub mod schedule;
pub mod tensor_file;

pub use error::TrainError;
