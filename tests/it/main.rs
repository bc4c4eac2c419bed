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
mod json;
mod layers;
mod messages;
mod mount;
mod paper;
mod pinning;
mod predict;
mod project;
mod quickstart;
mod reproducible;
mod running;
mod scale;
mod schema;
mod selection;
mod verifying;
mod views;
