//! One upload while a request writes to it.
//!
//! Invariant: after a failure of the store the upload is where its writer was opened, in the hash, in the offset and in
//! the store.

use bytes::Bytes;
use railhead_blobs::{Error as StoreError, ObjectKey, StageState, StageWriter};
use railhead_oci::{Algorithm, Digest, Hasher};

use super::stage_id;
use crate::sessions::Parked;
use crate::{Error, Registry, Result};

/// Bytes of quota that an upload of unknown size reserves at a time.
const RESERVE_STEP: u64 = 16 << 20;

/// An upload that one request has to itself.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) parked: Parked,
    pub(super) writer: Option<StageWriter>,
    /// The hash and the offset at which the writer was opened: what is left when a write fails.
    pub(super) base: (Hasher, u64),
}

impl Open {
    pub(super) async fn write(&mut self, registry: &Registry, bytes: Bytes) -> Result<()> {
        let length = bytes.len() as u64;
        let total = self.parked.upload.offset + length;
        if let Some(limit) = self.parked.limits.layer.filter(|limit| total > *limit) {
            return Err(Error::LayerTooLarge { limit });
        }
        if total > self.parked.upload.reserved {
            reserve(registry, &mut self.parked, total.next_multiple_of(RESERVE_STEP)).await?;
        }
        if self.writer.is_none() {
            let (object, state) =
                (stage_id(self.parked.upload.id)?, StageState(self.parked.upload.store_state.clone()));
            self.base = (self.parked.hasher.clone(), self.parked.upload.offset);
            self.writer = Some(registry.0.store.open(&object, &state, self.parked.upload.offset).await?);
        }
        if let Some(writer) = &mut self.writer {
            self.parked.hasher.update(&bytes);
            writer.write(bytes).await?;
            self.parked.upload.offset = total;
        }
        Ok(())
    }

    /// Makes the content an object, if it is what `expected` says.
    pub(super) async fn make(&mut self, registry: &Registry, expected: &Digest) -> Result<ObjectKey> {
        let found = self.digest(registry, expected.algorithm()).await?;
        if let Some(found) = &found {
            agree(expected, found)?;
        }
        let (object, size) = (stage_id(self.parked.upload.id)?, self.parked.upload.offset);
        let key = if let Some(writer) = self.writer.take() {
            match writer.commit(expected).await {
                Ok(key) => key,
                Err(error) => {
                    self.fall_back(registry).await;
                    return Err(error.into());
                }
            }
        } else {
            let state = StageState(self.parked.upload.store_state.clone());
            registry.0.store.commit(&object, &state, expected, size).await?
        };
        if found.is_none() {
            agree(expected, &registry.hash_object(&key, size, expected.algorithm()).await?)?;
        }
        Ok(key)
    }

    /// The digest of the content; none where the store can read it only as an object.
    ///
    /// A client that did not announce another algorithm than sha256 when it began makes the content be read once more.
    /// Hashing everything with both from the start would save that, at twice the processor time of every push.
    async fn digest(&mut self, registry: &Registry, algorithm: Algorithm) -> Result<Option<Digest>> {
        if self.parked.upload.algorithm == algorithm {
            return Ok(Some(self.parked.hasher.clone().finish()));
        }
        self.settle(registry).await?;
        let upload = &self.parked.upload;
        let (object, state) = (stage_id(upload.id)?, StageState(upload.store_state.clone()));
        let mut hasher = Hasher::new(algorithm);
        match registry.hash_staged(&object, &state, 0..upload.offset, &mut hasher).await {
            Ok(()) => Ok(Some(hasher.finish())),
            Err(Error::Store(StoreError::Unreadable { .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Ends the writing for now.
    pub(super) async fn settle(&mut self, registry: &Registry) -> Result<()> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        match writer.pause().await {
            Ok(state) => {
                self.parked.upload.store_state = state.0;
                self.base = (self.parked.hasher.clone(), self.parked.upload.offset);
                Ok(())
            }
            Err(error) => {
                self.fall_back(registry).await;
                Err(error.into())
            }
        }
    }

    /// Goes back to where the writer was opened. What was written since then is dropped at once: on a full disk others
    /// need the room.
    pub(super) async fn fall_back(&mut self, registry: &Registry) {
        self.writer = None;
        (self.parked.hasher, self.parked.upload.offset) = self.base.clone();
        let upload = &self.parked.upload;
        let Ok(object) = stage_id(upload.id) else { return };
        let state = StageState(upload.store_state.clone());
        if let Err(error) = registry.0.store.open(&object, &state, upload.offset).await {
            tracing::warn!(upload = %upload.id, %error, "what a failed request wrote could not be dropped yet");
        }
    }
}

fn agree(expected: &Digest, found: &Digest) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::DigestMismatch { expected: Box::new(*expected), found: Box::new(*found) })
}

/// Makes sure that the owner has room for `total` bytes of this upload.
pub(super) async fn reserve(registry: &Registry, parked: &mut Parked, total: u64) -> Result<()> {
    if parked.limits.quota && total > parked.upload.reserved {
        registry.0.catalog.reserve(parked.upload.id, total, registry.0.settings.quota).await?;
    }
    // Without a quota this only says up to where not to ask again.
    parked.upload.reserved = parked.upload.reserved.max(total);
    Ok(())
}
