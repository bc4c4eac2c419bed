//! task

pub mod world;
