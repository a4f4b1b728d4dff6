//! Plans by example, and what is true of every plan.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod examples;
mod properties;
mod world;
