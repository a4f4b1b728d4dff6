//! What a kill left behind: objects that the catalog does not know, staged bytes without an upload.
//!
//! The row of an upload is made before its first byte is stored, and goes in the very transaction that makes its
//! object a blob. So an object without either row belongs to nobody, here or on another replica; but only when the
//! upload is looked up first and the blob second, since the one can become the other in between. An object's age
//! would say less: S3 dates one that was made of parts by the beginning of its upload.

use railhead_blobs::{ObjectKey, StageId, StageState};
use railhead_catalog::UploadId;

use crate::{Registry, Result};

impl Registry {
    /// Removes an object that the catalog does not know. True if it was one.
    pub async fn forget_orphan(&self, key: &ObjectKey) -> Result<bool> {
        // Nearly all objects are blobs: this look-up spares them the lock. What was one is collection's.
        if self.is_blob(key).await? || self.0.catalog.is_forgotten(&key.to_string()).await? {
            return Ok(false);
        }
        let Ok(id) = key.stage_id().to_string().parse::<UploadId>() else { return Ok(false) };
        // The object may belong to a request that is about to tell the catalog: such a one holds the upload's lock.
        let Some(slot) = self.0.sessions.lock(id).await else { return Ok(false) };
        let forgotten = self.forget_locked(key, id).await;
        drop(slot);
        self.0.sessions.forget(id);
        forgotten
    }

    async fn forget_locked(&self, key: &ObjectKey, id: UploadId) -> Result<bool> {
        let upload = self.0.catalog.upload(id).await?;
        if self.is_blob(key).await? || self.0.catalog.is_forgotten(&key.to_string()).await? {
            return Ok(false);
        }
        if upload.is_some() {
            // Where the key was known early the upload can still be finished, maybe by another replica at this very
            // moment. If nobody does, the object goes with the upload when that expires.
            if self.0.store.early_key(&key.stage_id()).is_some() {
                return Ok(false);
            }
            self.0.catalog.end_upload(id).await?;
        }
        self.0.store.remove(key).await?;
        Ok(true)
    }

    /// Removes staged bytes that belong to no upload. True if they were such.
    pub async fn forget_staged(&self, id: &StageId) -> Result<bool> {
        if let Ok(upload) = id.to_string().parse::<UploadId>()
            && self.0.catalog.upload(upload).await?.is_some()
        {
            return Ok(false);
        }
        self.0.store.discard(id, &StageState::default()).await?;
        Ok(true)
    }

    async fn is_blob(&self, key: &ObjectKey) -> Result<bool> {
        Ok(self.0.catalog.blob_by_key(&key.to_string()).await?.is_some())
    }
}
