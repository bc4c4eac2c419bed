//! One binary for all integration tests: linking is what costs.

mod browser;
mod caching;
mod claims;
mod commands;
mod comparing;
mod documents;
mod exit_codes;
mod faults;
mod hub;
mod include;
mod layers;
mod messages;
mod paper;
mod pinning;
mod predict;
mod project;
mod reproducible;
mod running;
mod scale;
mod schema;
mod secrets;
mod selection;
mod verifying;
mod views;
