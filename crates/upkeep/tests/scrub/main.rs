//! Damage is seeded into stores of every kind, and found, reported, refused and healed.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod found;
mod healed;
mod replicas;
mod rounds;
mod world;
