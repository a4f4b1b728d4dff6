//! `railhead prove` and `railhead handoff` against real registries: Gitea behind nginx, Railhead, and the reference implementation.
//!
//! `sites.rs` starts them and looks into them behind the back of the proof. Each of the others breaks something and sees that
//! exactly this is said, and that nothing is left.

#![expect(clippy::unwrap_used, reason = "this is a test")]

mod cleanup;
mod handoff;
mod images;
mod programs;
mod registries;
mod said;
mod sites;
mod wrong;
