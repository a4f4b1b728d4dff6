//! The writing side: [`StageWriter`], and the [`StageState`] that outlives it.

use bytes::Bytes;
use railhead_oci::Digest;

use crate::files::FileWriter;
use crate::memory::MemoryWriter;
use crate::s3::S3Writer;
use crate::{ObjectKey, Result};

/// What a backend must remember between two writers of one staged object.
///
/// Opaque; kept beside the upload in the catalog, in the same transaction as the offset and the hash state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StageState(pub Vec<u8>);

/// Takes the bytes of one staged object, one after the other. At most one writer of a staged object may live.
///
/// Dropped without [`pause`](Self::pause) or [`commit`](Self::commit), it leaves the staged object as the state it was
/// opened with describes it: open it again with that state and that offset.
#[derive(Debug)]
pub struct StageWriter(pub(crate) Writer);

#[derive(Debug)]
pub(crate) enum Writer {
    Files(FileWriter),
    Memory(MemoryWriter),
    S3(S3Writer),
}

impl StageWriter {
    /// Takes in the next bytes.
    ///
    /// After an error the writer is of no more use; drop it, and continue where the state it was opened with says.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        match &mut self.0 {
            Writer::Files(writer) => writer.write(&bytes),
            Writer::Memory(writer) => writer.write(&bytes),
            Writer::S3(writer) => writer.write(bytes).await,
        }
    }

    /// How many bytes the staged object has, those of earlier writers included.
    pub fn written(&self) -> u64 {
        match &self.0 {
            Writer::Files(writer) => writer.written(),
            Writer::Memory(writer) => writer.written(),
            Writer::S3(writer) => writer.written(),
        }
    }

    /// Ends the writing for now. Keep the state together with [`written`](Self::written).
    pub async fn pause(self) -> Result<StageState> {
        match self.0 {
            Writer::Files(writer) => writer.pause().map(|()| StageState::default()),
            Writer::Memory(_) => Ok(StageState::default()),
            Writer::S3(writer) => writer.pause().await,
        }
    }

    /// Makes the staged object, which is now whole, an object. As [`Store::commit`](crate::Store::commit) after
    /// [`pause`](Self::pause), but with less work for the store.
    pub async fn commit(self, digest: &Digest) -> Result<ObjectKey> {
        match self.0 {
            Writer::Files(writer) => writer.commit(*digest).await,
            Writer::Memory(writer) => writer.commit(*digest),
            Writer::S3(writer) => writer.commit().await,
        }
    }
}
