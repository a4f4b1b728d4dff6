//! Accounts of a forge: the product before a real Gitea, whose users, organisations, teams and tokens count.
#![expect(clippy::unwrap_used, reason = "this is a test")]

mod docker;
mod double;
mod down;
mod logins;
mod loops;
mod place;
mod renames;
mod rights;
mod two_factor;
mod webhook;
mod workloads;
