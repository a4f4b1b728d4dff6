//! The clients that teams use, each against a whole Railhead over TLS with the authority of the test.
//!
//! `scenario.rs` is the life that every client of images goes through; one module a client says how that client does it, and
//! tests what only that client does. A missing client fails its tests: see `tools/install suites`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "this is a test")]

mod buildah;
mod cosign;
mod crane;
mod ctr;
mod docker;
mod export;
mod helm;
mod home;
mod oras;
mod podman;
mod scenario;
mod skopeo;
