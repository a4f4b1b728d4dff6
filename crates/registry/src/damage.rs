//! Damage: what was found out about a blob's object is noted, and a sound copy is taken in.
//!
//! A damaged blob is in quarantine: nobody is served it, and its object stays as it is, since moving it would change
//! the key that the catalog knows, and on S3 be a copy. Collection leaves it alone like any blob that is needed. When a
//! sound object takes its place, it is forgotten and removed like any object that a push replaces.

use railhead_catalog::{Error as CatalogError, Timestamp};
use railhead_oci::{Digest, RepositoryName};

use crate::sessions::Limits;
use crate::{Error, Registry, Result, UploadSession};

impl Registry {
    /// Notes that a blob's object is not what it should be, so that nobody is served it. False when the blob is gone
    /// or has another object by now.
    pub async fn note_damage(&self, digest: &Digest, key: &str, found: &str, now: Timestamp) -> Result<bool> {
        self.noted(digest, self.0.catalog.mark_damaged(digest, key, found, now).await).await
    }

    /// Notes that a blob that was damaged is whole. False as for [`Self::note_damage`].
    pub async fn note_whole(&self, digest: &Digest, key: &str) -> Result<bool> {
        self.noted(digest, self.0.catalog.mark_whole(digest, key).await).await
    }

    async fn noted(&self, digest: &Digest, done: Result<(), CatalogError>) -> Result<bool> {
        match done {
            Ok(()) => {}
            Err(CatalogError::NotFound(_)) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        for repository in self.0.catalog.blob_repositories(digest).await? {
            self.forget_links(&repository, &[*digest]);
        }
        Ok(true)
    }

    /// Begins to take in a sound copy of a damaged blob that the repository has. It is an upload like any other, and
    /// is ended by [`UploadSession::finish`]; but as the owner has the blob already, no limit of its can be in the way.
    pub async fn begin_healing(
        &self,
        name: &RepositoryName,
        digest: &Digest,
        now: Timestamp,
    ) -> Result<UploadSession> {
        // `begin_upload` would make a repository that was deleted meanwhile.
        if self.0.catalog.blob_in(name, digest).await?.is_none() {
            return Err(Error::BlobUnknown(*digest));
        }
        let id = self.begin_upload(name, None, digest.algorithm(), now).await?;
        let mut session = self.open_upload(name, id).await?;
        session.set_limits(Limits { layer: None, quota: false });
        Ok(session)
    }
}
