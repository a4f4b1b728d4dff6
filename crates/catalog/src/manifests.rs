//! Manifests.
use crate::*;
use railhead_oci::{Digest, Reference, RepositoryName, Tag};
/// A manifest to be put.
#[derive(Clone, Debug)]
pub struct NewManifest {
    pub repository: RepositoryId,
    pub digest: Digest,
    pub media_type: String,
    pub bytes: Vec<u8>,
    pub subject: Option<Digest>,
    pub artifact_type: Option<String>,
    /// A JSON object.
    pub annotations: Option<String>,
    /// Blobs that must be in the repository.
    pub blobs: Vec<Digest>,
    /// Manifests or blobs that must be in the repository.
    pub children: Vec<Digest>,
    pub tags: Vec<Tag>,
    /// Those of `tags` that must not move once they exist.
    pub frozen: Vec<Tag>,
    /// Who puts it.
    pub account: Option<OwnerId>,
    /// The server's default.
    pub quota: Limit,
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestPut {
    /// Whether the repository did not have it before.
    pub created: bool,
    /// Tags that are new or name another digest than before, with what they named before.
    pub moved: Vec<(Tag, Option<Digest>)>,
}
/// What a pull answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredManifest {
    pub digest: Digest,
    pub media_type: String,
    pub bytes: Vec<u8>,
    pub pushed_at: Timestamp,
}
/// All but the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestSummary {
    pub digest: Digest,
    pub media_type: String,
    pub size: u64,
    pub subject: Option<Digest>,
    pub artifact_type: Option<String>,
    pub pushed_at: Timestamp,
    pub pulled_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestDeleted {
    pub tags: Vec<Tag>,
    pub subject: Option<Digest>,
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referrer {
    pub digest: Digest,
    pub media_type: String,
    pub size: u64,
    pub artifact_type: Option<String>,
    /// A JSON object.
    pub annotations: Option<String>,
}
impl Catalog {
    pub async fn put_manifest(&self, new: NewManifest, now: Timestamp) -> Result<ManifestPut> {
        todo!()
    }
    pub async fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Option<StoredManifest>> {
        todo!()
    }
    pub async fn manifest_exists(&self, repository: RepositoryId, digest: &Digest) -> Result<bool> {
        todo!()
    }
    /// `NotFound` when it is not there.
    pub async fn delete_manifest(
        &self,
        repository: RepositoryId,
        digest: &Digest,
        account: Option<OwnerId>,
        now: Timestamp,
    ) -> Result<ManifestDeleted> {
        todo!()
    }
    /// Ordered by digest.
    pub async fn referrers(
        &self,
        repository: RepositoryId,
        subject: &Digest,
        artifact_type: Option<&str>,
        after: Option<&Digest>,
        limit: u32,
    ) -> Result<Vec<Referrer>> {
        todo!()
    }
    /// Ordered by digest.
    pub async fn manifests(
        &self,
        repository: RepositoryId,
        after: Option<&Digest>,
        limit: u32,
    ) -> Result<Vec<ManifestSummary>> {
        todo!()
    }
    /// volatile
    pub async fn touch_manifests(&self, pulls: Vec<(RepositoryId, Digest, Timestamp)>) -> Result<()> {
        todo!()
    }
}
