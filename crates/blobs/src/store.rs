//! [`Store`]: the one door to all backends.
//!
//! An enum and not a trait: the backends are few and known, and nothing on the way of a pull is boxed.

use std::ops::Range;
use std::time::SystemTime;

use bytes::Bytes;
use railhead_oci::Digest;

use crate::stage::Writer;
use crate::{
    Error, FileStore, MemoryStore, ObjectKey, Reader, Result, S3Store, StageId, StageState, StageWriter,
};

/// Where bytes rest. Cloning is cheap and gives the same store.
#[derive(Clone, Debug)]
pub enum Store {
    /// A directory.
    Files(FileStore),
    /// The memory of this process, for tests and trials.
    Memory(MemoryStore),
    /// A bucket of an S3-compatible object store.
    S3(S3Store),
}

/// A committed object, as a listing has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its key.
    pub key: ObjectKey,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written.
    pub modified: SystemTime,
}

/// A staged object, as a listing has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Staged {
    /// Its id.
    pub id: StageId,
    /// How many bytes are staged; in S3, those that are not part of a multipart upload yet.
    pub size: u64,
    /// When it was last written to.
    pub modified: SystemTime,
}

impl Store {
    /// Begins an empty staged object.
    #[expect(
        clippy::unused_async,
        reason = "a backend may come to need it, and callers wait for all the others"
    )]
    pub async fn stage(&self, id: &StageId) -> Result<StageState> {
        match self {
            Self::Files(store) => store.stage(*id).map(|()| StageState::default()),
            Self::Memory(store) => {
                store.stage(*id);
                Ok(StageState::default())
            }
            // What there is begins with the first bytes.
            Self::S3(_) => Ok(StageState::default()),
        }
    }

    /// Continues a staged object at `offset`, which is what was written when `state` was made. What is staged behind
    /// `offset`, by a writer that was cut off, is dropped.
    pub async fn open(&self, id: &StageId, state: &StageState, offset: u64) -> Result<StageWriter> {
        Ok(StageWriter(match self {
            Self::Files(store) => Writer::Files(store.open_staged(*id, offset)?),
            Self::Memory(store) => Writer::Memory(store.open_staged(*id, offset)?),
            Self::S3(store) => Writer::S3(store.open_staged(*id, state, offset).await?),
        }))
    }

    /// How many bytes are staged; `None` when nothing is staged under this id. After a kill that can be more than the
    /// catalog remembers, and after a power cut less. For S3 it is what `state` says.
    #[expect(
        clippy::unused_async,
        reason = "a backend may come to need it, and callers wait for all the others"
    )]
    pub async fn staged_len(&self, id: &StageId, state: &StageState) -> Result<Option<u64>> {
        match self {
            Self::Files(store) => store.staged_len(*id),
            Self::Memory(store) => Ok(store.staged_len(*id)),
            Self::S3(_) => S3Store::staged_len(*id, state).map(Some),
        }
    }

    /// Reads what is staged, to hash it once more or with another algorithm. S3 can read only what is not a full part
    /// of 8 MiB yet: [`Error::Unreadable`].
    pub async fn read_staged(&self, id: &StageId, state: &StageState, range: Range<u64>) -> Result<Reader> {
        check(&range, u64::MAX)?;
        match self {
            Self::Files(store) => store.read_staged(*id, range).await,
            Self::Memory(store) => store.read_staged(*id, range),
            Self::S3(store) => store.read_staged(*id, state, range).await,
        }
    }

    /// Makes a staged object, of which `size` bytes are written, an object; then it survives a power cut. Done again
    /// after it was done, it gives the same key.
    pub async fn commit(
        &self,
        id: &StageId,
        state: &StageState,
        digest: &Digest,
        size: u64,
    ) -> Result<ObjectKey> {
        match self {
            Self::Files(store) => store.commit(*id, *digest, size).await,
            Self::Memory(store) => store.commit(*id, *digest, size),
            Self::S3(store) => store.commit(*id, state, size).await,
        }
    }

    /// The key that what is staged as `id` will have, in a store that knows it before the commit, as S3 does.
    pub const fn early_key(&self, id: &StageId) -> Option<ObjectKey> {
        match self {
            Self::Files(_) | Self::Memory(_) => None,
            Self::S3(_) => Some(ObjectKey::unnamed(*id)),
        }
    }

    /// The key that an object which was staged as `id` has after its commit.
    pub const fn key_of(&self, id: &StageId, digest: &Digest) -> ObjectKey {
        match self {
            Self::Files(_) | Self::Memory(_) => ObjectKey::named(*digest, *id),
            Self::S3(_) => ObjectKey::unnamed(*id),
        }
    }

    /// Forgets a staged object. It is no error if there is none. One that was committed stays.
    pub async fn discard(&self, id: &StageId, state: &StageState) -> Result<()> {
        match self {
            Self::Files(store) => store.discard(*id).await,
            Self::Memory(store) => {
                store.discard(*id);
                Ok(())
            }
            Self::S3(store) => store.discard(*id, state).await,
        }
    }

    /// Stages and commits small content in one go. `id` is a fresh one.
    pub async fn put(&self, id: &StageId, digest: &Digest, bytes: Bytes) -> Result<ObjectKey> {
        match self {
            Self::Files(store) => store.put(*id, *digest, bytes).await,
            Self::Memory(store) => Ok(store.put(*id, *digest, bytes)),
            Self::S3(store) => store.put(*id, bytes).await,
        }
    }

    /// Reads a range of an object of `size` bytes. [`Error::Missing`] and [`Error::WrongSize`] come before the first
    /// byte.
    pub async fn read(&self, key: &ObjectKey, range: Range<u64>, size: u64) -> Result<Reader> {
        check(&range, size)?;
        match self {
            Self::Files(store) => store.read(*key, range, size).await,
            Self::Memory(store) => store.read(*key, range, size),
            Self::S3(store) => store.read(*key, range, size).await,
        }
    }

    /// Makes sure, as far as that is cheap, that an object is there and has `size` bytes: one system call for files.
    /// A store across a network is trusted.
    pub fn probe(&self, key: &ObjectKey, size: u64) -> Result<()> {
        match self {
            Self::Files(store) => store.probe(*key, size),
            Self::Memory(store) => store.probe(*key, size),
            Self::S3(_) => Ok(()),
        }
    }

    /// Removes an object. It is no error if there is none.
    pub async fn remove(&self, key: &ObjectKey) -> Result<()> {
        match self {
            Self::Files(store) => store.remove(*key).await,
            Self::Memory(store) => {
                store.remove(*key);
                Ok(())
            }
            Self::S3(store) => store.remove(*key).await,
        }
    }

    /// The first `limit` objects behind `after`, sorted by key; fewer only at the end.
    pub async fn list(&self, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<Object>> {
        match self {
            Self::Files(store) => store.list(after.copied(), limit).await,
            Self::Memory(store) => Ok(store.list(after, limit)),
            Self::S3(store) => store.list(after, limit).await,
        }
    }

    /// The first `limit` staged objects behind `after`, sorted by id; fewer only at the end.
    pub async fn list_staged(&self, after: Option<&StageId>, limit: usize) -> Result<Vec<Staged>> {
        match self {
            Self::Files(store) => store.list_staged(after.copied(), limit).await,
            Self::Memory(store) => Ok(store.list_staged(after, limit)),
            Self::S3(store) => store.list_staged(after, limit).await,
        }
    }
}

fn check(range: &Range<u64>, size: u64) -> Result<()> {
    if range.start <= range.end && range.end <= size {
        return Ok(());
    }
    Err(Error::Range { start: range.start, end: range.end, size })
}
