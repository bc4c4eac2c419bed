//! One binary for all integration tests: linking is what costs.

mod caching;
mod documents;
mod hub;
mod layers;
mod messages;
mod pinning;
mod predict;
mod project;
mod reproducible;
mod schema;
