//! Moving: all of a real Gitea to Railhead and on to an empty Gitea, what happens when it is stopped, and sources that mean ill.

#![expect(clippy::unwrap_used, reason = "this is a test")]

mod content;
mod ends;
mod faulty;
mod sources;
mod stops;
mod whole;
