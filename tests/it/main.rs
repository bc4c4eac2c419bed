//! One binary for all integration tests: linking is what costs.

mod caching;
mod documents;
mod layers;
mod messages;
mod project;
mod reproducible;
mod schema;
