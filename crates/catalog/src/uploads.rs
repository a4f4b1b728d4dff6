//! Uploads.
use crate::*;
use railhead_oci::{Algorithm, RepositoryName};
#[derive(Clone)]
pub struct Upload {
    pub id: UploadId,
    pub repository: RepositoryId,
    pub repository_name: RepositoryName,
    pub owner: OwnerId,
    /// Who started it.
    pub account: Option<OwnerId>,
    pub algorithm: Algorithm,
    /// Bytes received.
    pub offset: u64,
    pub hash_state: Vec<u8>,
    pub store_state: Vec<u8>,
    /// Bytes of the owner's quota that it holds.
    pub reserved: u64,
    pub started_at: Timestamp,
    pub touched_at: Timestamp,
}
#[derive(Clone)]
pub struct NewUpload {
    pub id: UploadId,
    pub repository: RepositoryId,
    pub account: Option<OwnerId>,
    pub algorithm: Algorithm,
    pub hash_state: Vec<u8>,
    pub store_state: Vec<u8>,
}
/// Where an upload is now.
#[derive(Clone)]
pub struct UploadState {
    pub algorithm: Algorithm,
    pub offset: u64,
    pub hash_state: Vec<u8>,
    pub store_state: Vec<u8>,
}
impl Catalog {
    pub async fn create_upload(&self, new: NewUpload, now: Timestamp) -> Result<()> {
        todo!()
    }
    pub async fn upload(&self, id: UploadId) -> Result<Option<Upload>> {
        todo!()
    }
    /// `UploadMoved` when it is not at `expected`.
    pub async fn save_upload(
        &self,
        id: UploadId,
        expected: u64,
        state: UploadState,
        now: Timestamp,
    ) -> Result<()> {
        todo!()
    }
    /// Raises the reservation to `total` bytes (never lowers). `quota` is the server's default.
    pub async fn reserve(&self, id: UploadId, total: u64, quota: Limit) -> Result<()> {
        todo!()
    }
    pub async fn end_upload(&self, id: UploadId) -> Result<Option<Upload>> {
        todo!()
    }
    pub async fn stale_uploads(&self, touched_before: Timestamp, limit: u32) -> Result<Vec<Upload>> {
        todo!()
    }
    pub async fn upload_ids(&self, after: Option<UploadId>, limit: u32) -> Result<Vec<UploadId>> {
        todo!()
    }
}
