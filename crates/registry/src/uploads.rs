//! Uploads: begin, write at any offset, pause, finish, cancel; also after a restart, also on another replica.
//!
//! The bytes go to their final object and are hashed as they pass. The catalog hears of the offset at each pause, or,
//! where the store itself can tell what it has (files), only every [`SAVE_EVERY`] bytes: after a kill the
//! tail that the catalog does not know of is hashed again from the file.
//!
//! A session that is dropped in the middle, because its client vanished, pauses by itself.

use bytes::Bytes;
use railhead_blobs::{ObjectKey, StageId, StageState, StageWriter, Store};
use railhead_catalog::{Limit, NewBlob, NewUpload, OwnerId, Timestamp, Upload, UploadId, UploadState};
use railhead_oci::{Algorithm, Digest, Hasher, RepositoryName};

use crate::sessions::{Limits, Parked, Slot};
use crate::{Error, Registry, Result};

/// Bytes of quota that an upload of unknown size reserves at a time.
const RESERVE_STEP: u64 = 16 << 20;
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

#[derive(Debug)]
struct Open {
    parked: Parked,
    writer: Option<StageWriter>,
    /// The hash and the offset at which the writer was opened: what is left when a write fails.
    base: (Hasher, u64),
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

    /// Removes an object that the catalog does not know, as a kill between the two leaves it. True if it was one.
    pub async fn forget_orphan(&self, key: &ObjectKey) -> Result<bool> {
        let Some(digest) = key.digest() else { return Ok(false) };
        if self.is_known(digest, key).await? {
            return Ok(false);
        }
        // The object may belong to a request that is about to tell the catalog: such a one holds the upload's lock.
        let Ok(id) = key.stage_id().to_string().parse::<UploadId>() else { return Ok(false) };
        let Some(slot) = self.0.sessions.lock(id).await else { return Ok(false) };
        let orphan = !self.is_known(digest, key).await?;
        if orphan {
            self.0.catalog.end_upload(id).await?;
            self.0.store.remove(key).await?;
        }
        drop(slot);
        self.0.sessions.forget(id);
        Ok(orphan)
    }

    async fn is_known(&self, digest: &Digest, key: &ObjectKey) -> Result<bool> {
        let record = self.0.catalog.blob(digest).await?;
        Ok(record.is_some_and(|record| record.key == key.to_string()))
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

    async fn discard(&self, id: UploadId, state: &StageState) {
        let Ok(object) = stage_id(id) else { return };
        if let Err(error) = self.0.store.discard(&object, state).await {
            tracing::warn!(upload = %id, %error, "a staged object that is no longer needed could not be removed");
        }
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
            open.writer = None;
            (open.parked.hasher, open.parked.upload.offset) = open.base.clone();
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
    /// On a wrong digest the upload is over and what it reserved is given back.
    pub async fn finish(mut self, digest: &Digest, now: Timestamp) -> Result<u64> {
        match self.commit(digest, now).await {
            Ok(size) => Ok(size),
            Err(error @ (Error::DigestMismatch { .. } | Error::Quota(_))) => {
                self.abandon().await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Ends the upload and forgets its bytes.
    pub async fn abandon(mut self) -> Result<()> {
        let Some(open) = self.open.take() else { return Err(Error::UploadUnknown) };
        let (id, state) = (open.parked.upload.id, StageState(open.parked.upload.store_state));
        drop(open.writer);
        self.registry.0.catalog.end_upload(id).await?;
        self.registry.0.sessions.forget(id);
        self.registry.discard(id, &state).await;
        Ok(())
    }

    async fn commit(&mut self, expected: &Digest, now: Timestamp) -> Result<u64> {
        let registry = self.registry.clone();
        let open = self.open.as_mut().ok_or(Error::UploadUnknown)?;
        open.check(&registry, expected).await?;
        let upload = &open.parked.upload;
        let (id, size, name) = (upload.id, upload.offset, upload.repository_name.clone());
        let object = stage_id(id)?;
        let key = if let Some(writer) = open.writer.take() {
            writer.commit(expected).await?
        } else {
            let state = StageState(upload.store_state.clone());
            registry.0.store.commit(&object, &state, expected, size).await?
        };
        let new = NewBlob {
            repository: upload.repository,
            digest: *expected,
            size,
            key: key.to_string(),
            upload: Some(id),
            quota: registry.0.settings.quota,
        };
        match registry.0.catalog.commit_blob(new, now).await {
            Ok(committed) => {
                registry.0.remembered.changed(&name);
                registry.0.remembered.forget_blob(&name, expected);
                self.open = None;
                registry.0.sessions.forget(id);
                registry.remove_object(committed.former_key.as_deref()).await;
                Ok(size)
            }
            Err(error) => {
                registry.remove_object(Some(&key.to_string())).await;
                Err(error.into())
            }
        }
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

impl Open {
    async fn write(&mut self, registry: &Registry, bytes: Bytes) -> Result<()> {
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

    /// Compares the content with the digest that the client gives.
    async fn check(&mut self, registry: &Registry, expected: &Digest) -> Result<()> {
        let upload = &mut self.parked.upload;
        let found = if upload.algorithm == expected.algorithm() {
            self.parked.hasher.clone().finish()
        } else {
            // The client did not announce the algorithm when it began, so the content is read once more.
            if let Some(writer) = self.writer.take() {
                upload.store_state = writer.pause().await?.0;
            }
            let (object, state) = (stage_id(upload.id)?, StageState(upload.store_state.clone()));
            let mut hasher = Hasher::new(expected.algorithm());
            registry.hash_staged(&object, &state, 0..upload.offset, &mut hasher).await?;
            hasher.finish()
        };
        if found == *expected {
            Ok(())
        } else {
            Err(Error::DigestMismatch { expected: Box::new(*expected), found: Box::new(found) })
        }
    }
}

async fn reserve(registry: &Registry, parked: &mut Parked, total: u64) -> Result<()> {
    if parked.limits.quota && total > parked.upload.reserved {
        registry.0.catalog.reserve(parked.upload.id, total, registry.0.settings.quota).await?;
    }
    // Without a quota this only says up to where not to ask again.
    parked.upload.reserved = parked.upload.reserved.max(total);
    Ok(())
}

/// Gives the upload back, so that any request can go on with it.
async fn park(registry: &Registry, mut open: Open, mut slot: Slot, now: Timestamp) -> Result<u64> {
    let upload = &mut open.parked.upload;
    if let Some(writer) = open.writer.take() {
        upload.store_state = writer.pause().await?.0;
    }
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
