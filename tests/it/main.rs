//! One binary for all integration tests: linking is what costs.

mod caching;
mod layers;
mod messages;
mod project;
mod reproducible;
mod schema;
