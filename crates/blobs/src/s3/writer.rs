//! Writing a staged object as parts of a multipart upload.
//!
//! Bound: one part on its way and one being filled, [`PART`] bytes each.
//!
//! Invariant: what an earlier state describes is never changed. A part is written again only by a writer that was
//! opened before it, and a tail has the number of the part it will be, and only grows. So a writer that is cut off
//! leaves the state it was opened with true.

use bytes::{Bytes, BytesMut};
use object_store::multipart::PartId;
use tokio::task::JoinSet;

use super::S3Store;
use super::progress::{PART, PARTS_MAX, Progress};
use crate::{Error, ObjectKey, Result, StageId, StageState};

#[derive(Debug)]
pub(crate) struct S3Writer {
    store: S3Store,
    id: StageId,
    progress: Progress,
    /// Whether an earlier writer left something under `uploads/`.
    resumed: bool,
    buffer: BytesMut,
    /// Whether the buffer has what the bucket has not.
    changed: bool,
    /// The part on its way; given up when the writer is dropped.
    sending: JoinSet<Result<PartId>>,
}

impl S3Writer {
    pub(super) async fn open(store: S3Store, id: StageId, state: &StageState, offset: u64) -> Result<Self> {
        let mut progress = Progress::load(id, state)?;
        if offset < progress.parts_len() || offset > progress.len() {
            return Err(Error::WrongOffset { id, expected: offset, found: progress.len() });
        }
        progress.tail = offset - progress.parts_len();
        let tail = store.read_tail(id, &progress).await?;
        let resumed = progress != Progress::default();
        let (buffer, sending) = (BytesMut::from(&*tail), JoinSet::new());
        Ok(Self { store, id, progress, resumed, buffer, changed: false, sending })
    }

    pub(crate) async fn write(&mut self, mut bytes: Bytes) -> Result<()> {
        self.changed |= !bytes.is_empty();
        while !bytes.is_empty() {
            // A full buffer is sent only when more comes: the last part stays here for the commit.
            if self.buffer.len() == PART {
                self.send().await?;
            }
            let piece = bytes.split_to(bytes.len().min(PART - self.buffer.len()));
            self.buffer.extend_from_slice(&piece);
        }
        Ok(())
    }

    pub(crate) fn written(&self) -> u64 {
        self.progress.parts_len() + (self.sending.len() * PART + self.buffer.len()) as u64
    }

    /// Sends the buffer as the next part, once the one before it has arrived.
    async fn send(&mut self) -> Result<()> {
        self.arrive().await?;
        let number = self.progress.parts.len();
        if number + 1 >= PARTS_MAX {
            return Err(Error::TooLarge { id: self.id, max: (PARTS_MAX * PART) as u64 });
        }
        let multipart = self.multipart().await?;
        let (store, id, part) = (self.store.clone(), self.id, self.buffer.split().freeze());
        self.sending.spawn(async move { store.put_part(id, &multipart, number, part).await });
        Ok(())
    }

    async fn multipart(&mut self) -> Result<String> {
        if let Some(multipart) = &self.progress.multipart {
            return Ok(multipart.clone());
        }
        let multipart = self.store.begin_multipart(self.id).await?;
        self.progress.multipart = Some(multipart.clone());
        Ok(multipart)
    }

    /// Waits for the part on its way.
    async fn arrive(&mut self) -> Result<()> {
        if let Some(part) = self.sending.join_next().await {
            self.progress.parts.push(part.map_err(Error::CutOff)??.content_id);
        }
        Ok(())
    }

    pub(crate) async fn pause(mut self) -> Result<StageState> {
        if self.buffer.len() == PART {
            self.send().await?;
        }
        self.arrive().await?;
        self.progress.tail = self.buffer.len() as u64;
        if self.changed && self.progress.tail > 0 {
            self.store.put_tail(self.id, &self.progress, self.buffer.freeze()).await?;
        }
        self.progress.save(self.id)
    }

    pub(crate) async fn commit(mut self) -> Result<ObjectKey> {
        self.arrive().await?;
        self.progress.tail = self.buffer.len() as u64;
        let key = self.store.finish(self.id, &self.progress, self.buffer.freeze()).await?;
        // Nothing that this writer did not begin itself, and no multipart: nothing to clear away.
        if self.resumed || self.progress.multipart.is_some() {
            self.store.clear(self.id).await;
        }
        Ok(key)
    }
}
