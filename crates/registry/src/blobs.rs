//! Blobs: look up, read, mount, delete.

use std::ops::Range;
use std::task::{Context, Poll};

use bytes::Bytes;
use railhead_blobs::{Error as StoreError, FileRegion, ObjectKey, Reader};
use railhead_catalog::{BlobRecord, Timestamp, Unlinked};
use railhead_oci::{Digest, RepositoryName};

use crate::remembered::BlobPlace;
use crate::verified::VerifiedReader;
use crate::{Error, Registry, Result};

/// A blob of a repository, there and of the right size when it was looked up.
#[derive(Clone, Copy, Debug)]
pub struct Blob {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    key: ObjectKey,
}

/// The bytes of a blob, piece by piece.
#[derive(Debug)]
pub enum BlobBody {
    /// As they are.
    Plain(Reader),
    /// Hashed again on the way; the last piece comes only when the hash is right.
    Verified(Box<VerifiedReader>),
}

impl BlobBody {
    /// The next piece; `None` behind the last.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        match self {
            Self::Plain(reader) => reader.poll_next(cx).map_err(Error::from),
            Self::Verified(reader) => reader.poll_next(cx),
        }
    }

    /// Instead of the next piece, the place of up to `most` bytes in a file; see [`Reader::take_region`].
    pub fn take_region(&mut self, most: u64) -> Option<FileRegion> {
        match self {
            Self::Plain(reader) => reader.take_region(most),
            Self::Verified(_) => None,
        }
    }

    /// How many bytes are still to come.
    pub fn remaining(&self) -> u64 {
        match self {
            Self::Plain(reader) => reader.remaining(),
            Self::Verified(reader) => reader.remaining(),
        }
    }
}

impl Registry {
    /// Looks a blob up, and makes sure that its bytes are there with the right size.
    pub async fn blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<Blob> {
        if let Some(place) = self.0.remembered.blob(repository, digest)
            && self.0.store.probe(&place.key, place.size).is_ok()
        {
            return Ok(Blob { digest: *digest, size: place.size, key: place.key });
        }
        let place = self.find_blob(repository, digest).await?;
        match self.0.store.probe(&place.key, place.size) {
            Ok(()) => Ok(Blob { digest: *digest, size: place.size, key: place.key }),
            Err(error) => Err(self.damaged(repository, digest, &place, error).await),
        }
    }

    /// Reads a range of a blob. The first byte comes only from an object of the right size.
    pub async fn read_blob(
        &self,
        repository: &RepositoryName,
        blob: &Blob,
        range: Range<u64>,
    ) -> Result<BlobBody> {
        let whole = range == (0..blob.size);
        let reader = match self.0.store.read(&blob.key, range.clone(), blob.size).await {
            Ok(reader) => reader,
            Err(StoreError::Missing { .. }) => {
                // A push of the same blob may have bound it to a new object since it was looked up.
                self.0.remembered.forget_blob(repository, &blob.digest);
                let place = self.find_blob(repository, &blob.digest).await?;
                match self.0.store.read(&place.key, range, place.size).await {
                    Ok(reader) => reader,
                    Err(error) => return Err(self.damaged(repository, &blob.digest, &place, error).await),
                }
            }
            Err(error) => {
                let place = BlobPlace { key: blob.key, size: blob.size };
                return Err(self.damaged(repository, &blob.digest, &place, error).await);
            }
        };
        if whole && self.0.settings.verify_reads {
            let reader = VerifiedReader::new(self.clone(), repository.clone(), blob.digest, reader);
            return Ok(BlobBody::Verified(Box::new(reader)));
        }
        Ok(BlobBody::Plain(reader))
    }

    /// Links a blob of `from` into `to` without moving a byte. False when `from` does not have it whole; then the
    /// client uploads it.
    pub async fn mount(
        &self,
        from: &RepositoryName,
        to: &RepositoryName,
        digest: &Digest,
        now: Timestamp,
    ) -> Result<bool> {
        let source = match self.blob(from, digest).await {
            Ok(_) => self.repository(from).await?,
            Err(Error::BlobUnknown(_) | Error::BlobDamaged(_) | Error::RepositoryUnknown) => {
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        let target = self.ensure_repository(to, now).await?;
        let quota = self.0.settings.quota;
        let mounted = self.0.catalog.mount_blob(source.id, target.id, digest, quota, now).await?;
        self.0.remembered.changed(to);
        Ok(mounted.is_some())
    }

    /// Takes a blob out of a repository, and removes its bytes when no repository has it any more.
    pub async fn delete_blob(&self, name: &RepositoryName, digest: &Digest) -> Result<()> {
        let repository = self.repository(name).await?;
        let unlinked = self.0.catalog.unlink_blob(repository.id, digest).await?;
        self.0.remembered.changed(name);
        self.0.remembered.forget_blob(name, digest);
        match unlinked {
            Unlinked::NotFound => Err(Error::BlobUnknown(*digest)),
            Unlinked::InUse(manifest) => {
                Err(Error::BlobInUse { blob: Box::new(*digest), manifest: Box::new(manifest) })
            }
            Unlinked::Removed { free } => {
                self.remove_object(free.as_deref()).await;
                Ok(())
            }
        }
    }

    async fn find_blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<BlobPlace> {
        let epoch = self.0.remembered.epoch(repository);
        let Some(record) = self.0.catalog.blob_in(repository, digest).await? else {
            return Err(Error::BlobUnknown(*digest));
        };
        if record.damaged {
            return Err(Error::BlobDamaged(*digest));
        }
        let place = place_of(&record)?;
        self.0.remembered.keep_blob(epoch, repository, digest, place);
        Ok(place)
    }

    /// Notes that a blob's bytes are not what they should be, unless the store merely failed.
    async fn damaged(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        place: &BlobPlace,
        error: StoreError,
    ) -> Error {
        let found = match &error {
            StoreError::Missing { .. } => "missing".to_owned(),
            StoreError::WrongSize { found, .. } => format!("{found} bytes"),
            _ => return error.into(),
        };
        self.report_damage(repository, digest, place.size, &found).await
    }

    pub(crate) async fn report_damage(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        size: u64,
        found: &str,
    ) -> Error {
        tracing::error!(
            %digest, %repository, size, found,
            "a stored blob is damaged and is refused; push it again to heal it"
        );
        if let Err(error) = self.0.catalog.mark_damaged(digest, true).await {
            tracing::error!(%digest, %error, "the damage could not be noted in the catalog");
        }
        self.0.remembered.changed(repository);
        self.0.remembered.forget_blob(repository, digest);
        Error::BlobDamaged(*digest)
    }

    /// Removes an object that the catalog has forgotten. A failure is logged: the next sweep finds the object.
    pub(crate) async fn remove_object(&self, key: Option<&str>) {
        let Some(key) = key else { return };
        let removed = match key.parse::<ObjectKey>() {
            Ok(key) => self.0.store.remove(&key).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = removed {
            tracing::warn!(key, error, "an object that is no longer needed could not be removed");
        }
    }
}

pub(crate) fn place_of(record: &BlobRecord) -> Result<BlobPlace> {
    let key = record.key.parse::<ObjectKey>().map_err(|error| {
        let what = format!("blob {} has a key that is none: {error}", record.digest);
        Error::Catalog(railhead_catalog::Error::Corrupt(what))
    })?;
    Ok(BlobPlace { key, size: record.size })
}
