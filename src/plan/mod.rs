//! From a checked pipeline to a plan: pure, nothing is decided while running.

pub mod catalog;
