//! One binary for all integration tests: linking is what costs.

mod caching;
mod claims;
mod documents;
mod hub;
mod layers;
mod messages;
mod pinning;
mod project;
mod reproducible;
mod schema;
