//! Asks registries: HTTP/1.1 over TCP, TLS, or a unix socket; the admin API; and what a registry's client does.
//!
//! [`Http`] carries requests to one origin and keeps its connections. [`Admin`] asks the admin API over it.
//! [`Registry`] logs in, pushes and pulls over it, as clients do; it is for the operator's commands and for tests.
//!
//! Invariants: no redirect is followed on its own; a credential goes to the origin it was given for, and to the realm
//! that this origin names; nothing is asked twice except what a closed connection never took.

mod admin;
mod challenge;
mod connect;
mod download;
mod error;
pub mod hops;
mod http1;
mod registry;

pub use admin::Admin;
pub use challenge::Challenge;
pub use connect::{Origin, OriginError, Trust};
pub use download::Download;
pub use error::{Error, Result};
pub use http1::{Answer, Body, Http, Pipe, empty, full, pipe, stream};
pub use registry::{Credentials, Pushed, Registry};
