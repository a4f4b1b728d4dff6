//! Manifests: get, put with tags, delete. Exact bytes in, exact bytes out.

use std::sync::Arc;

use bytes::Bytes;
use railhead_catalog::{NearQuota, NewManifest, OwnerId, Timestamp};
use railhead_oci::{Algorithm, Digest, Reference, RepositoryName, Tag};

use crate::{Error, Registry, Result};

/// A manifest as it is served.
#[derive(Debug)]
pub struct Manifest {
    /// Its repository.
    pub repository: RepositoryName,
    /// Its digest.
    pub digest: Digest,
    /// The digest as text, made once.
    pub digest_text: Bytes,
    /// The `Content-Type` it was pushed with.
    pub media_type: Bytes,
    /// Its exact bytes.
    pub bytes: Bytes,
}

/// A manifest to be put.
#[derive(Clone, Debug)]
pub struct PutManifest {
    /// Where to.
    pub repository: RepositoryName,
    /// The tag or digest of the request's path.
    pub reference: Reference,
    /// More tags, of a push by digest.
    pub tags: Vec<Tag>,
    /// The request's `Content-Type`, if it had one.
    pub content_type: Option<String>,
    /// The request's body.
    pub bytes: Bytes,
    /// Who pushes.
    pub account: Option<OwnerId>,
}

/// What became of a put.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The manifest's digest.
    pub digest: Digest,
    /// The subject it named, now listed among that one's referrers.
    pub subject: Option<Digest>,
    /// Tags that now name it.
    pub tags: Vec<Tag>,
    /// Whether the repository did not have it before.
    pub created: bool,
    /// Set when the owner uses nearly all of its quota.
    pub near_quota: Option<NearQuota>,
}

impl Registry {
    /// The manifest that a reference names.
    pub async fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Arc<Manifest>> {
        if let Some(manifest) = self.remembered_manifest(repository, reference) {
            return Ok(manifest);
        }
        let epoch = self.0.remembered.epoch(repository);
        let Some(stored) = self.0.catalog.manifest(repository, reference).await? else {
            self.repository(repository).await?;
            return Err(Error::ManifestUnknown(reference.to_string()));
        };
        let manifest = Arc::new(Manifest {
            repository: repository.clone(),
            digest: stored.digest,
            digest_text: stored.digest.to_string().into(),
            media_type: stored.media_type.into(),
            bytes: stored.bytes.into(),
        });
        self.0.remembered.keep_manifest(epoch, reference, &manifest);
        Ok(manifest)
    }

    /// The manifest that a reference names, if it is at hand.
    pub fn remembered_manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Option<Arc<Manifest>> {
        self.0.remembered.manifest(repository, reference)
    }

    /// Puts a manifest and its tags in one step.
    pub async fn put_manifest(&self, put: PutManifest, now: Timestamp) -> Result<Stored> {
        let limit = self.0.settings.manifest_max;
        if put.bytes.len() > limit {
            return Err(Error::ManifestTooLarge { size: put.bytes.len(), limit });
        }
        let (digest, tags) = named(&put)?;
        let facts = railhead_oci::Manifest::read(put.content_type.as_deref(), &put.bytes)?;
        let name = put.repository;
        let repository = self.ensure_repository(&name, now).await?;
        let frozen = tags.iter().filter(|tag| (self.0.settings.frozen)(&name, tag)).cloned().collect();
        let annotations = (!facts.annotations.is_empty()).then(|| facts.annotations_json());
        let new = NewManifest {
            repository: repository.id,
            digest,
            media_type: facts.media_type,
            bytes: put.bytes.to_vec(),
            subject: facts.subject,
            artifact_type: facts.artifact_type,
            annotations,
            blobs: facts.blobs,
            children: facts.children,
            sparse: self.0.settings.sparse,
            tags: tags.clone(),
            frozen,
            account: put.account,
            quota: self.0.settings.quota,
        };
        let subject = new.subject;
        let stored = self.0.catalog.put_manifest(new, now).await?;
        self.0.remembered.changed(&name);
        for (tag, _) in &stored.moved {
            self.0.remembered.forget_manifest(&name, &Reference::Tag(tag.clone()));
        }
        say_near(&name, stored.near);
        Ok(Stored { digest, subject, tags, created: stored.created, near_quota: stored.near })
    }

    /// Deletes a manifest and every tag that names it.
    pub async fn delete_manifest(
        &self,
        name: &RepositoryName,
        digest: &Digest,
        account: Option<OwnerId>,
        now: Timestamp,
    ) -> Result<()> {
        let repository = self.repository(name).await?;
        let due = self.condemned_until(now);
        let deleted = match self.0.catalog.delete_manifest(repository.id, digest, account, due, now).await {
            Err(railhead_catalog::Error::NotFound(_)) => {
                return Err(Error::ManifestUnknown(digest.to_string()));
            }
            other => other?,
        };
        self.0.remembered.changed(name);
        self.0.remembered.forget_manifest(name, &Reference::Digest(*digest));
        // From now on an answer that says that one of them is there has to see to it that it stays.
        self.forget_links(name, &deleted.condemned);
        for tag in deleted.tags {
            self.0.remembered.forget_manifest(name, &Reference::Tag(tag));
        }
        Ok(())
    }

    /// Deletes a tag; its manifest and its sibling tags stay. Gives the digest that it named.
    pub async fn delete_tag(
        &self,
        name: &RepositoryName,
        tag: &Tag,
        account: Option<OwnerId>,
        now: Timestamp,
    ) -> Result<Digest> {
        let repository = self.repository(name).await?;
        let deleted = self.0.catalog.delete_tag(repository.id, tag, account, now).await?;
        self.0.remembered.changed(name);
        self.0.remembered.forget_manifest(name, &Reference::Tag(tag.clone()));
        deleted.ok_or_else(|| Error::ManifestUnknown(tag.to_string()))
    }
}

/// Says in the log, once, that an owner has come to use nearly all of its quota.
pub(crate) fn say_near(repository: &RepositoryName, near: Option<NearQuota>) {
    if let Some(near) = near.filter(|near| near.crossed) {
        let owner = repository.owner();
        tracing::warn!(owner, used = near.used, quota = near.limit, "an owner has nearly used its quota");
    }
}

/// The digest of what is put, and the tags that shall name it.
fn named(put: &PutManifest) -> Result<(Digest, Vec<Tag>)> {
    let mut tags = put.tags.clone();
    let digest = match &put.reference {
        Reference::Digest(expected) => {
            let found = Digest::of(expected.algorithm(), &put.bytes);
            if found != *expected {
                return Err(Error::DigestMismatch { expected: Box::new(*expected), found: Box::new(found) });
            }
            found
        }
        Reference::Tag(tag) => {
            tags.push(tag.clone());
            Digest::of(Algorithm::Sha256, &put.bytes)
        }
    };
    tags.sort();
    tags.dedup();
    Ok((digest, tags))
}
