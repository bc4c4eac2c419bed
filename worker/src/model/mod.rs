//! Frozen backbones.

pub mod t5;
