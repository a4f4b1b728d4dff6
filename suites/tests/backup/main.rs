//! Backup, restore, drill and export of the real binary, while it serves, is killed, and is told lies.
//!
//! `world.rs` pushes and reads images; one module says what is tried. `SUITES_BACKUP_MIB` sets how many megabytes the registry
//! of the figures has (64), and prints them.

#![expect(clippy::unwrap_used, reason = "this is a test")]

mod damage;
mod figures;
mod forge;
mod full;
mod places;
mod rebuild;
mod serving;
mod stops;
mod world;
