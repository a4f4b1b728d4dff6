//! Accounts of a forge: the product before a real Gitea, whose users, organisations, teams and tokens count.
#![expect(clippy::unwrap_used, reason = "this is a test")]

mod double;
mod down;
mod logins;
mod place;
mod renames;
mod rights;
mod webhook;
mod workloads;
