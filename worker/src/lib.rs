//! The half of `compt` that needs tensors: the T5 backbone, what is tuned on it, training, and the bodies of the
//! operations that use them. `compt` starts it as a separate executable and never links it.

pub mod body;
pub mod cuda;
pub mod method;
pub mod model;
pub mod train;

#[cfg(test)]
mod fixture;
