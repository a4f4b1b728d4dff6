//! Backups of small registries, between both databases, with places that are full, lie, lose and forget.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod clock;
mod damage;
mod places;
mod pruning;
mod rebuild;
mod round_trip;
mod stops;
mod trash;
mod tricks;
mod world;
