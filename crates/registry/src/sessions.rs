//! Which uploads this process has at hand, so that the next request of one need not ask the catalog.
//!
//! A slot is locked by the one request that writes to its upload. What is parked in it is only ever trusted when
//! this process is the catalog's only writer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use railhead_catalog::{Upload, UploadId};
use railhead_oci::Hasher;
use tokio::sync::OwnedMutexGuard;

/// How long a request waits for the one before it, which may be one whose client vanished unnoticed.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// Slots nobody uses are dropped when there are more than this many.
const SLOTS_MAX: usize = 4096;

/// An upload between two requests.
#[derive(Debug)]
pub(crate) struct Parked {
    pub(crate) upload: Upload,
    pub(crate) hasher: Hasher,
    /// Bytes received when the catalog last heard of it.
    pub(crate) saved: u64,
    pub(crate) limits: Limits,
}

/// What the owner of an upload may still have, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Largest blob.
    pub(crate) layer: Option<u64>,
    /// Whether there is a quota to reserve from.
    pub(crate) quota: bool,
}

pub(crate) type Slot = OwnedMutexGuard<Option<Parked>>;

#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<UploadId, Arc<tokio::sync::Mutex<Option<Parked>>>>>);

impl Sessions {
    fn slots(&self) -> MutexGuard<'_, HashMap<UploadId, Arc<tokio::sync::Mutex<Option<Parked>>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a new upload at hand.
    pub(crate) fn park(&self, parked: Parked) {
        let mut slots = self.slots();
        if slots.len() >= SLOTS_MAX {
            // A slot that nobody holds has one owner, the map; its upload can be read from the catalog again.
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        slots.insert(parked.upload.id, Arc::new(tokio::sync::Mutex::new(Some(parked))));
    }

    /// The slot of an upload, locked; none when another request keeps it.
    pub(crate) async fn lock(&self, id: UploadId) -> Option<Slot> {
        let slot = self.slots().entry(id).or_default().clone();
        if let Ok(guard) = slot.clone().try_lock_owned() {
            return Some(guard);
        }
        tokio::time::timeout(BUSY_WAIT, slot.lock_owned()).await.ok()
    }

    pub(crate) fn forget(&self, id: UploadId) {
        self.slots().remove(&id);
    }
}
