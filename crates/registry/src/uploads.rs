//! Uploads: begin, write at any offset, pause, finish, cancel; also after a restart, also on another replica.
//!
//! The bytes go to their final object and are hashed as they pass. The catalog hears of the offset at each pause, or,
//! where the store itself can tell what it has (files), only every [`SAVE_EVERY`] bytes: after a kill the
//! tail that the catalog does not know of is hashed again from the file.
//!
//! A session that is dropped in the middle, because its client vanished, pauses by itself.

mod open;

use bytes::Bytes;
use railhead_blobs::{ObjectKey, StageId, StageState, Store};
use railhead_catalog::{
    Error as CatalogError, Limit, NewBlob, NewUpload, OwnerId, Timestamp, Upload, UploadId, UploadState,
};
use railhead_oci::{Algorithm, Digest, Hasher, RepositoryName};

use self::open::{Open, reserve};
use crate::manifests::say_near;
use crate::sessions::{Limits, Parked, Slot};
use crate::{Error, Registry, Result};

/// Bytes after which the catalog hears of an upload whose bytes are in files.
const SAVE_EVERY: u64 = 64 << 20;
/// Milliseconds after which it hears of it all the same.
const TOUCH_EVERY: i64 = 10 * 60 * 1000;

/// How far an upload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadStatus {
    /// Its id.
    pub id: UploadId,
    /// Bytes received.
    pub offset: u64,
}

/// The right to write to one upload. Nobody else has it at the same time.
#[derive(Debug)]
pub struct UploadSession {
    registry: Registry,
    // Declared before `slot`, and given up together with it.
    open: Option<Open>,
    slot: Option<Slot>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

impl Registry {
    /// Begins an upload into `name`, which is made if its owner exists.
    pub async fn begin_upload(
        &self,
        name: &RepositoryName,
        account: Option<OwnerId>,
        algorithm: Algorithm,
        now: Timestamp,
    ) -> Result<UploadId> {
        let repository = self.ensure_repository(name, now).await?;
        let limits = self.limits(repository.owner).await?;
        let id = UploadId::random()?;
        let state = self.0.store.stage(&stage_id(id)?).await?;
        let hasher = Hasher::new(algorithm);
        let new = NewUpload {
            id,
            repository: repository.id,
            account,
            algorithm,
            hash_state: hasher.save(),
            store_state: state.0.clone(),
        };
        if let Err(error) = self.0.catalog.create_upload(new, now).await {
            self.discard(id, &state).await;
            return Err(error.into());
        }
        if self.0.catalog.is_exclusive() {
            let upload = Upload {
                id,
                repository: repository.id,
                repository_name: name.clone(),
                owner: repository.owner,
                account,
                algorithm,
                offset: 0,
                hash_state: Vec::new(),
                store_state: state.0,
                reserved: 0,
                started_at: now,
                touched_at: now,
            };
            self.0.sessions.park(Parked { upload, hasher, saved: 0, limits });
        }
        Ok(id)
    }

    /// Takes up an upload where it is.
    pub async fn open_upload(&self, name: &RepositoryName, id: UploadId) -> Result<UploadSession> {
        let mut slot = self.0.sessions.lock(id).await.ok_or(Error::UploadBusy)?;
        let parked = match slot.take().filter(|_| self.0.catalog.is_exclusive()) {
            Some(parked) => parked,
            None => match self.recover(id).await {
                Ok(parked) => parked,
                Err(error) => {
                    self.0.sessions.forget(id);
                    return Err(error);
                }
            },
        };
        if parked.upload.repository_name != *name {
            *slot = Some(parked);
            return Err(Error::UploadUnknown);
        }
        let base = (parked.hasher.clone(), parked.upload.offset);
        let open = Open { parked, writer: None, base };
        Ok(UploadSession { registry: self.clone(), open: Some(open), slot: Some(slot) })
    }

    /// How far an upload is. While another request writes to it, that is what the catalog last heard.
    pub async fn upload_status(&self, name: &RepositoryName, id: UploadId) -> Result<UploadStatus> {
        match self.open_upload(name, id).await {
            Ok(session) => {
                let offset = session.offset();
                session.pause(Timestamp::now()).await?;
                Ok(UploadStatus { id, offset })
            }
            Err(Error::UploadBusy) => {
                let upload =
                    self.0.catalog.upload(id).await?.filter(|upload| upload.repository_name == *name);
                upload.map(|upload| UploadStatus { id, offset: upload.offset }).ok_or(Error::UploadUnknown)
            }
            Err(error) => Err(error),
        }
    }

    /// Ends an upload and gives back what it reserved.
    pub async fn cancel_upload(&self, name: &RepositoryName, id: UploadId) -> Result<()> {
        self.open_upload(name, id).await?.abandon().await
    }

    /// Ends an upload whoever it belongs to, for example one that was not touched for too long.
    pub async fn end_upload(&self, id: UploadId) -> Result<()> {
        // The lock keeps it from a request that is writing to it right now.
        let slot = self.0.sessions.lock(id).await.ok_or(Error::UploadBusy)?;
        if let Some(upload) = self.0.catalog.end_upload(id).await? {
            self.discard(id, &StageState(upload.store_state)).await;
        }
        drop(slot);
        self.0.sessions.forget(id);
        Ok(())
    }

    async fn limits(&self, owner: OwnerId) -> Result<Limits> {
        let owner = self.0.catalog.owner_by_id(owner).await?.ok_or(Error::OwnerUnknown)?;
        let layer = match owner.layer_limit.unwrap_or(self.0.settings.layer_limit) {
            Limit::None => None,
            Limit::Bytes(bytes) => Some(bytes),
        };
        let quota = owner.quota.unwrap_or(self.0.settings.quota) != Limit::None;
        Ok(Limits { layer, quota })
    }

    /// Reads an upload from the catalog, and agrees with the store on how far it is.
    async fn recover(&self, id: UploadId) -> Result<Parked> {
        let mut upload = self.0.catalog.upload(id).await?.ok_or(Error::UploadUnknown)?;
        let (object, state) = (stage_id(id)?, StageState(upload.store_state.clone()));
        let staged = self.0.store.staged_len(&object, &state).await?.ok_or(Error::UploadUnknown)?;
        let saved = upload.offset;
        let known = Hasher::restore(upload.algorithm, &upload.hash_state).filter(|_| staged >= saved);
        let (mut hasher, from) =
            known.map_or_else(|| (Hasher::new(upload.algorithm), 0), |known| (known, saved));
        self.hash_staged(&object, &state, from..staged, &mut hasher).await?;
        upload.offset = staged;
        let limits = self.limits(upload.owner).await?;
        Ok(Parked { upload, hasher, saved, limits })
    }

    async fn hash_staged(
        &self,
        object: &StageId,
        state: &StageState,
        range: std::ops::Range<u64>,
        hasher: &mut Hasher,
    ) -> Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        let mut reader = self.0.store.read_staged(object, state, range).await?;
        while let Some(piece) = reader.next().await.transpose()? {
            hasher.update(&piece);
        }
        Ok(())
    }

    /// Forgets the bytes of an upload that this process has just ended in the catalog; nobody else can, so nobody
    /// has made a blob of them.
    async fn discard(&self, id: UploadId, state: &StageState) {
        let Ok(object) = stage_id(id) else { return };
        let mut discarded = self.0.store.discard(&object, state).await;
        // It may have become an object without becoming a blob.
        if let Some(key) = self.0.store.early_key(&object).filter(|_| discarded.is_ok()) {
            discarded = self.0.store.remove(&key).await;
        }
        if let Err(error) = discarded {
            tracing::warn!(upload = %id, %error, "a staged object that is no longer needed could not be removed");
        }
    }

    /// Binds the digest to its object and ends the upload. After an error the object is gone.
    async fn bind(&self, upload: &Upload, digest: &Digest, key: &ObjectKey, now: Timestamp) -> Result<()> {
        let new = NewBlob {
            repository: upload.repository,
            digest: *digest,
            size: upload.offset,
            key: key.to_string(),
            upload: Some(upload.id),
            leased_until: self.leased_until(now),
            quota: self.0.settings.quota,
        };
        let bound = self.0.catalog.commit_blob(new, now).await;
        self.forget_links(&upload.repository_name, &[*digest]);
        match bound {
            Ok(committed) => {
                say_near(&upload.repository_name, committed.near);
                self.remove_now(committed.former.as_slice(), now).await;
                Ok(())
            }
            // The answer of a catalog across a network can get lost behind a commit that was done.
            Err(error) => match self.0.catalog.blob_by_key(&key.to_string()).await {
                Ok(Some(_)) => Ok(()),
                Ok(None) => {
                    self.remove_unnamed(key).await;
                    Err(match error {
                        // Another replica ended it, or the repository was deleted.
                        CatalogError::NotFound(_) => Error::UploadUnknown,
                        error => error.into(),
                    })
                }
                Err(unsure) => {
                    tracing::warn!(%key, error = %unsure, "an object stays, since the catalog does not say whether it knows it");
                    Err(error.into())
                }
            },
        }
    }

    /// The digest of an object of `size` bytes.
    async fn hash_object(&self, key: &ObjectKey, size: u64, algorithm: Algorithm) -> Result<Digest> {
        let (mut hasher, mut reader) = (Hasher::new(algorithm), self.0.store.read(key, 0..size, size).await?);
        while let Some(piece) = reader.next().await.transpose()? {
            hasher.update(&piece);
        }
        Ok(hasher.finish())
    }
}

impl UploadSession {
    /// Bytes received.
    pub fn offset(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.parked.upload.offset)
    }

    /// The upload's id.
    pub fn id(&self) -> Option<UploadId> {
        self.open.as_ref().map(|open| open.parked.upload.id)
    }

    /// Sets what the content may be.
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        if let Some(open) = &mut self.open {
            open.parked.limits = limits;
        }
    }

    /// Drops what was received: the client sends it again from the start.
    pub async fn rewind(&mut self) -> Result<()> {
        let open = self.open.as_mut().ok_or(Error::UploadUnknown)?;
        let upload = &mut open.parked.upload;
        let (object, state) = (stage_id(upload.id)?, StageState(upload.store_state.clone()));
        open.writer = Some(self.registry.0.store.open(&object, &state, 0).await?);
        upload.offset = 0;
        open.parked.hasher = Hasher::new(upload.algorithm);
        open.base = (open.parked.hasher.clone(), 0);
        Ok(())
    }

    /// Refuses early what cannot fit, and reserves room, when `bytes` more are announced.
    pub async fn expect(&mut self, bytes: u64) -> Result<()> {
        let open = self.open.as_mut().ok_or(Error::UploadUnknown)?;
        let total = open.parked.upload.offset.saturating_add(bytes);
        if let Some(limit) = open.parked.limits.layer.filter(|limit| total > *limit) {
            return Err(Error::LayerTooLarge { limit });
        }
        reserve(&self.registry, &mut open.parked, total).await
    }

    /// Takes in the next bytes.
    ///
    /// # Errors
    /// After an error the upload is where it was when this session was opened, and can go on from there.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        let open = self.open.as_mut().ok_or(Error::UploadUnknown)?;
        let written = open.write(&self.registry, bytes).await;
        if written.is_err() {
            open.fall_back(&self.registry).await;
        }
        written
    }

    /// Ends the writing for now. Gives the bytes received.
    pub async fn pause(mut self, now: Timestamp) -> Result<u64> {
        let (Some(open), Some(slot)) = (self.open.take(), self.slot.take()) else {
            return Err(Error::UploadUnknown);
        };
        park(&self.registry, open, slot, now).await
    }

    /// Makes the upload a blob of its repository; then it is there for good.
    ///
    /// # Errors
    /// On a wrong digest, or when the catalog refuses the blob, the upload is over and what it reserved is given back.
    /// When the store fails it is where it was when this session was opened.
    pub async fn finish(mut self, digest: &Digest, now: Timestamp) -> Result<u64> {
        let registry = self.registry.clone();
        let open = self.open.as_mut().ok_or(Error::UploadUnknown)?;
        let finished = match open.make(&registry, digest).await {
            Ok(key) => registry.bind(&open.parked.upload, digest, &key, now).await,
            Err(error @ Error::DigestMismatch { .. }) => Err(error),
            Err(error) => return Err(error),
        };
        let (id, size) = (open.parked.upload.id, open.parked.upload.offset);
        match finished {
            Ok(()) => {
                self.open = None;
                registry.0.sessions.forget(id);
                Ok(size)
            }
            Err(error) => {
                if let Err(again) = self.abandon().await {
                    tracing::warn!(upload = %id, error = %again, "an upload that failed could not be ended, and will expire");
                }
                Err(error)
            }
        }
    }

    /// Ends the upload and forgets its bytes.
    pub async fn abandon(mut self) -> Result<()> {
        let Some(open) = self.open.take() else { return Err(Error::UploadUnknown) };
        let (id, state) = (open.parked.upload.id, StageState(open.parked.upload.store_state));
        drop(open.writer);
        let ended = self.registry.0.catalog.end_upload(id).await?;
        self.registry.0.sessions.forget(id);
        if ended.is_some() {
            self.registry.discard(id, &state).await;
        }
        Ok(())
    }
}

impl Drop for UploadSession {
    fn drop(&mut self) {
        let (Some(open), Some(slot)) = (self.open.take(), self.slot.take()) else { return };
        let registry = self.registry.clone();
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let id = open.parked.upload.id;
            if let Err(error) = park(&registry, open, slot, Timestamp::now()).await {
                tracing::warn!(upload = %id, %error, "an upload that was cut off could not be parked");
            }
        });
    }
}

/// Gives the upload back, so that any request can go on with it.
async fn park(registry: &Registry, mut open: Open, mut slot: Slot, now: Timestamp) -> Result<u64> {
    if let Err(error) = open.settle(registry).await {
        *slot = Some(open.parked);
        return Err(error);
    }
    let upload = &open.parked.upload;
    let offset = upload.offset;
    let tells = matches!(registry.0.store, Store::Files(_)) && registry.0.catalog.is_exclusive();
    let unsaved = offset.abs_diff(open.parked.saved);
    // A slow upload must be seen to be alive, or it expires.
    let long_ago = now.0.saturating_sub(upload.touched_at.0) >= TOUCH_EVERY;
    if unsaved > 0 && (!tells || unsaved >= SAVE_EVERY || long_ago) {
        let state = UploadState {
            algorithm: upload.algorithm,
            offset,
            hash_state: open.parked.hasher.save(),
            store_state: upload.store_state.clone(),
        };
        registry.0.catalog.save_upload(upload.id, open.parked.saved, state, now).await?;
        open.parked.saved = offset;
        open.parked.upload.touched_at = now;
    }
    *slot = Some(open.parked);
    Ok(offset)
}

fn stage_id(id: UploadId) -> Result<StageId> {
    id.to_string().parse().map_err(|_| Error::UploadUnknown)
}
