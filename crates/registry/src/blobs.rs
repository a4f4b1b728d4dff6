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
    /// Looks a blob up, and makes sure that its bytes are there with the right size. Who is told so finds it there for a
    /// lease from now on.
    pub async fn blob(&self, repository: &RepositoryName, digest: &Digest, now: Timestamp) -> Result<Blob> {
        if let Some(place) = self.0.remembered.blob(repository, digest)
            && !self.is_ending(&place, now)
            && self.0.store.probe(&place.key, place.size).is_ok()
        {
            return Ok(Blob { digest: *digest, size: place.size, key: place.key });
        }
        let mut place = self.find_blob(repository, digest).await?;
        if self.is_ending(&place, now) {
            // Whatever comes of it, that it stays, is needed by a manifest, or is gone by now: the catalog knows.
            self.0.catalog.renew_lease(repository, digest, self.leased_until(now)).await?;
            self.0.remembered.changed(repository);
            place = self.find_blob(repository, digest).await?;
        }
        while let Err(error) = self.0.store.probe(&place.key, place.size) {
            place = self.moved(repository, digest, &place, error).await?;
        }
        Ok(Blob { digest: *digest, size: place.size, key: place.key })
    }

    /// Reads a range of a blob. The first byte comes only from an object of the right size.
    pub async fn read_blob(
        &self,
        repository: &RepositoryName,
        blob: &Blob,
        range: Range<u64>,
    ) -> Result<BlobBody> {
        let whole = range == (0..blob.size);
        let mut place = BlobPlace { key: blob.key, size: blob.size, due_at: None };
        let reader = loop {
            match self.0.store.read(&place.key, range.clone(), place.size).await {
                Ok(reader) => break reader,
                Err(error) => place = self.moved(repository, &blob.digest, &place, error).await?,
            }
        };
        if whole && self.0.settings.verify_reads {
            let (registry, name) = (self.clone(), repository.clone());
            let reader = VerifiedReader::new(registry, name, blob.digest, place.key, reader);
            return Ok(BlobBody::Verified(Box::new(reader)));
        }
        Ok(BlobBody::Plain(reader))
    }

    /// Where a blob is whose object was not there, or not right: a push may have bound it to another object since it
    /// was looked up, or collection may have taken it. When neither did, it is damaged.
    async fn moved(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        place: &BlobPlace,
        error: StoreError,
    ) -> Result<BlobPlace> {
        let found = match &error {
            StoreError::Missing { .. } => "missing".to_owned(),
            StoreError::WrongSize { found, .. } => format!("{found} bytes"),
            _ => return Err(error.into()),
        };
        self.0.remembered.forget_blob(repository, digest);
        let now = self.find_blob(repository, digest).await?;
        if now.key != place.key {
            return Ok(now);
        }
        Err(self.report_damage(repository, digest, &place.key, place.size, &found).await)
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
        let source = match self.blob(from, digest, now).await {
            Ok(_) => self.repository(from).await?,
            Err(Error::BlobUnknown(_) | Error::BlobDamaged(_) | Error::RepositoryUnknown) => {
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        let target = self.ensure_repository(to, now).await?;
        let (quota, until) = (self.0.settings.quota, self.leased_until(now));
        let mounted = self.0.catalog.mount_blob(source.id, target.id, digest, quota, until, now).await?;
        self.forget_links(to, &[*digest]);
        Ok(mounted.is_some())
    }

    /// Takes a blob out of a repository, and removes its bytes when no repository has it any more.
    pub async fn delete_blob(&self, name: &RepositoryName, digest: &Digest, now: Timestamp) -> Result<()> {
        let repository = self.repository(name).await?;
        let unlinked = self.0.catalog.unlink_blob(repository.id, digest, now).await?;
        self.forget_links(name, &[*digest]);
        match unlinked {
            Unlinked::NotFound => Err(Error::BlobUnknown(*digest)),
            Unlinked::InUse(manifest) => {
                Err(Error::BlobInUse { blob: Box::new(*digest), manifest: Box::new(manifest) })
            }
            Unlinked::Removed { free } => {
                self.remove_now(free.as_slice(), now).await;
                Ok(())
            }
        }
    }

    async fn find_blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<BlobPlace> {
        let epoch = self.0.remembered.epoch(repository);
        let Some(found) = self.0.catalog.blob_in(repository, digest).await? else {
            return Err(Error::BlobUnknown(*digest));
        };
        if found.blob.damaged {
            return Err(Error::BlobDamaged(*digest));
        }
        let place = place_of(&found.blob, found.due_at)?;
        self.0.remembered.keep_blob(epoch, repository, digest, place);
        Ok(place)
    }

    /// Notes that a blob's bytes are not what they should be: a pull met it.
    pub(crate) async fn report_damage(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        key: &ObjectKey,
        size: u64,
        found: &str,
    ) -> Error {
        tracing::error!(
            %digest, %repository, size, found,
            "a stored blob is damaged and is refused; push it again to heal it"
        );
        if let Err(error) = self.note_damage(digest, &key.to_string(), found, Timestamp::now()).await {
            tracing::error!(%digest, %error, "the damage could not be noted in the catalog");
        }
        self.forget_links(repository, &[*digest]);
        Error::BlobDamaged(*digest)
    }

    /// Removes an object that the catalog has never named. A failure is logged: the next sweep finds the object.
    pub(crate) async fn remove_unnamed(&self, key: &ObjectKey) {
        if let Err(error) = self.0.store.remove(key).await {
            tracing::warn!(%key, %error, "an object that did not become a blob could not be removed");
        }
    }
}

fn place_of(record: &BlobRecord, due_at: Option<Timestamp>) -> Result<BlobPlace> {
    let key = record.key.parse::<ObjectKey>().map_err(|error| {
        let what = format!("blob {} has a key that is none: {error}", record.digest);
        Error::Catalog(railhead_catalog::Error::Corrupt(what))
    })?;
    Ok(BlobPlace { key, size: record.size, due_at })
}
