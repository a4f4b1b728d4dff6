//! The crate as the server uses it, on a catalog of SQLite.

mod administration;
mod decisions;
mod logins;
mod revocation;
mod secrets;
mod world;
