//! The crate as the server uses it, on a catalog of SQLite.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod administration;
mod decisions;
mod former_names;
mod logins;
mod replicas;
mod revocation;
mod secrets;
mod world;
