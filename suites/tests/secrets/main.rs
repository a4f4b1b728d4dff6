//! Pull secrets: made, tried and changed by `railhead pull-secret`, against a real Gitea, Railhead, sops and age.

#![expect(clippy::unwrap_used, reason = "this is a test")]

mod gitea;
mod place;
mod railhead;
mod sops;
