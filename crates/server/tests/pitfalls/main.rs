//! Behaviours that have broken other registries, each tested here against a real server over a real connection.
//!
//! The name of a test is the behaviour; the comment behind it says where the trouble was seen
//! (`repository#issue`, or `spec` for the distribution-spec).

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as the tests do")]

mod authentication;
mod between;
mod bytes_at_rest;
mod deleting;
mod manifests;
mod names;
mod retention;
mod uploads;
