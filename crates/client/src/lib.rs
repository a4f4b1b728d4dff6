//! Asks registries: HTTP/1.1 over TCP, TLS, or a unix socket; the admin API; and what a registry's client does.
//!
//! [`Http`] carries requests to one origin and keeps its connections. [`Admin`] asks the admin API over it.
//! [`Registry`] logs in, pushes and pulls over it, as clients do; it finds what a registry has and walks it ([`Visitor`]), and it
//! asks a forge for its packages. It is for the operator's commands and for tests.
//!
//! Invariants: no redirect is followed on its own; a credential goes to the origin it was given for, and to the realm
//! that this origin names; nothing is asked twice except what a closed connection never took, and what a client with [`Patience`]
//! was told to ask later.

mod admin;
mod challenge;
mod connect;
mod descriptors;
mod download;
mod error;
pub mod hops;
mod http1;
mod listing;
mod packages;
mod patience;
mod registry;
#[cfg(test)]
mod testing;
mod walk;

pub use admin::Admin;
pub use challenge::Challenge;
pub use connect::{Origin, OriginError, Trust};
pub use descriptors::{Descriptor, Descriptors, Platform};
pub use download::Download;
pub use error::{Error, Result, chain};
pub use http1::{Answer, Body, Http, Pipe, empty, full, pipe, stream};
pub use listing::{Found, Known};
pub use packages::{PackageLink, Version};
pub use patience::{Patience, retry_after};
pub use registry::{Credentials, Pushed, Registry};
pub use walk::{Met, Visitor};
