//! `railhead enable` without a cluster: real helm with Gitea's chart, real sops with keys of age, real git and make.

#![expect(clippy::unwrap_used, reason = "this is a test")]

mod example;
mod files;
mod place;
mod refused;
mod secrets;
