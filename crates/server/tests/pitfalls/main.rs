//! Behaviours that have broken other registries, each tested here against a real server over a real connection.
//!
//! The name of a test is the behaviour; the comment behind it says where the trouble was seen
//! (`repository#issue`, or `spec` for the distribution-spec).

mod authentication;
mod between;
mod bytes_at_rest;
mod deleting;
mod manifests;
mod names;
mod uploads;
