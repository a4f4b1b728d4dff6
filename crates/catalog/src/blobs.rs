//! Blobs.
use crate::*;
use railhead_oci::{Digest, RepositoryName};
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobRecord {
    pub digest: Digest,
    pub size: u64,
    pub key: String,
    pub damaged: bool,
    pub created_at: Timestamp,
}
/// A blob to be committed. `quota` is the server's default.
#[derive(Clone, Debug)]
pub struct NewBlob {
    pub repository: RepositoryId,
    pub digest: Digest,
    pub size: u64,
    pub key: String,
    pub upload: Option<UploadId>,
    pub quota: Limit,
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobCommitted {
    /// The key the digest was bound to before, when it was another: the caller removes that object.
    pub former_key: Option<String>,
}
/// What became of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unlinked {
    /// The blob is not in the repository.
    NotFound,
    /// This manifest of the repository refers to it.
    InUse(Digest),
    /// `free` is the key of the object when no repository has it any more.
    Removed { free: Option<String> },
}
/// An owner's usage, computed afresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub used_bytes: u64,
    pub reserved_bytes: u64,
}
impl Catalog {
    pub async fn blob_in(&self, repository: &RepositoryName, digest: &Digest) -> Result<Option<BlobRecord>> {
        todo!()
    }
    pub async fn blob(&self, digest: &Digest) -> Result<Option<BlobRecord>> {
        todo!()
    }
    /// by digest, paged (scrub)
    pub async fn blobs(&self, after: Option<&Digest>, limit: u32) -> Result<Vec<BlobRecord>> {
        todo!()
    }
    pub async fn commit_blob(&self, new: NewBlob, now: Timestamp) -> Result<BlobCommitted> {
        todo!()
    }
    /// `None` when the source does not have it. `quota` is the server's default.
    pub async fn mount_blob(
        &self,
        from: RepositoryId,
        to: RepositoryId,
        digest: &Digest,
        quota: Limit,
        now: Timestamp,
    ) -> Result<Option<BlobRecord>> {
        todo!()
    }
    pub async fn unlink_blob(&self, repository: RepositoryId, digest: &Digest) -> Result<Unlinked> {
        todo!()
    }
    pub async fn mark_damaged(&self, digest: &Digest, damaged: bool) -> Result<()> {
        todo!()
    }
    pub async fn recount(&self, owner: OwnerId) -> Result<Usage> {
        todo!()
    }
}
