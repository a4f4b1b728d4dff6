//! Copies of a registry somewhere else: backup, verify, restore, prune, and archives that nodes import.
//!
//! A [`Vault`] is a place with backups in the [`format`] of this room. [`backup`] adds one of a catalog and its store,
//! [`backup_registry`] one of what any registry serves; [`verify`] reads everything again, [`restore`] makes a registry of it,
//! [`rebuild`] a catalog for a store that has lost its own, and [`restore_to_registry`] pushes it to a registry; [`prune`]
//! removes old ones. [`export`] writes images as a tar archive.
//!
//! Invariants:
//! - A blob is copied once, whatever backups name it; a backup is there when its manifest is, and that is written last.
//! - Nothing is believed: what is written is read again, what is read is compared with its digest.
//! - Memory is bounded: by a piece for each blob on its way, and by a 256th of the blobs' digests. A rebuild takes
//!   some 300 bytes for each object of the store.
//! - A stop at any moment leaves what the next attempt goes on from.

mod error;
mod export;
pub mod format;
mod lock;
mod merged;
mod pieces;
mod prune;
mod remote;
mod restore;
mod scratch;
pub mod seal;
pub mod sign;
mod spool;
mod take;
pub mod target;
mod vault;
mod verify;

pub use error::{Error, Result};
pub use export::{Exported, Images, Wanted, export};
pub use format::{FORMAT, Snapshot};
pub use lock::{Lock, Purpose, Times};
pub use pieces::{Pieces, Whole};
pub use prune::{Keep, Pruned, drop_backup, prune};
pub use remote::{Asked, Pushed, RestoreTo, backup_registry, restore_to_registry};
pub use restore::{Found, Lost, LostImage, Only, Quarantined, Rebuilt, Restore, Restored, rebuild, restore};
pub use take::{Made, Plan, Progress, backup};
pub use vault::Vault;
pub use verify::{Check, Damage, Verified, verify};

/// A name that nobody has used before.
pub(crate) fn random_hex() -> Result<String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(Error::Random)?;
    Ok(format!("{:016x}", u64::from_be_bytes(bytes)))
}
