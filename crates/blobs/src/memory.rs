//! A store in the memory of this process, for tests and trials. Nothing outlives the process.

use std::collections::BTreeMap;
use std::ops::{Bound, Range};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use railhead_oci::Digest;

use crate::{Error, Object, ObjectKey, Reader, Result, StageId, Staged};

/// A store in memory. Cloning gives the same store.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<Content>>);

#[derive(Debug, Default)]
struct Content {
    staged: BTreeMap<StageId, (Vec<u8>, SystemTime)>,
    objects: BTreeMap<ObjectKey, (Bytes, SystemTime)>,
}

impl Content {
    fn staged(&mut self, id: StageId) -> Result<&mut Vec<u8>> {
        self.staged.get_mut(&id).map(|(bytes, _)| bytes).ok_or(Error::NotStaged { id })
    }

    fn object(&self, key: ObjectKey, size: u64) -> Result<&Bytes> {
        let (bytes, _) = self.objects.get(&key).ok_or(Error::Missing { key })?;
        let found = bytes.len() as u64;
        if found == size { Ok(bytes) } else { Err(Error::WrongSize { key, expected: size, found }) }
    }
}

impl MemoryStore {
    // Every change is one step, so a thread that panicked left nothing half done.
    fn lock(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn stage(&self, id: StageId) {
        self.lock().staged.insert(id, (Vec::new(), SystemTime::now()));
    }

    pub(crate) fn open_staged(&self, id: StageId, offset: u64) -> Result<MemoryWriter> {
        let mut content = self.lock();
        let bytes = content.staged(id)?;
        let found = bytes.len() as u64;
        if found < offset {
            return Err(Error::WrongOffset { id, expected: offset, found });
        }
        bytes.truncate(offset as usize);
        Ok(MemoryWriter { store: self.clone(), id, written: offset })
    }

    pub(crate) fn staged_len(&self, id: StageId) -> Option<u64> {
        self.lock().staged.get(&id).map(|(bytes, _)| bytes.len() as u64)
    }

    pub(crate) fn read_staged(&self, id: StageId, range: Range<u64>) -> Result<Reader> {
        let mut content = self.lock();
        let bytes = content.staged(id)?;
        let found = bytes.len() as u64;
        if found < range.end {
            return Err(Error::WrongOffset { id, expected: range.end, found });
        }
        Ok(Reader::whole(Bytes::copy_from_slice(&bytes[range.start as usize..range.end as usize])))
    }

    pub(crate) fn commit(&self, id: StageId, digest: Digest, size: u64) -> Result<ObjectKey> {
        let key = ObjectKey::named(digest, id);
        let mut content = self.lock();
        if content.object(key, size).is_ok() {
            return Ok(key);
        }
        let found = content.staged(id)?.len() as u64;
        if found != size {
            return Err(Error::WrongOffset { id, expected: size, found });
        }
        if let Some((bytes, _)) = content.staged.remove(&id) {
            content.objects.insert(key, (bytes.into(), SystemTime::now()));
        }
        Ok(key)
    }

    pub(crate) fn discard(&self, id: StageId) {
        self.lock().staged.remove(&id);
    }

    pub(crate) fn put(&self, id: StageId, digest: Digest, bytes: Bytes) -> ObjectKey {
        let key = ObjectKey::named(digest, id);
        self.lock().objects.insert(key, (bytes, SystemTime::now()));
        key
    }

    pub(crate) fn read(&self, key: ObjectKey, range: Range<u64>, size: u64) -> Result<Reader> {
        let content = self.lock();
        let bytes = content.object(key, size)?;
        Ok(Reader::whole(bytes.slice(range.start as usize..range.end as usize)))
    }

    pub(crate) fn probe(&self, key: ObjectKey, size: u64) -> Result<()> {
        self.lock().object(key, size).map(|_| ())
    }

    pub(crate) fn remove(&self, key: ObjectKey) {
        self.lock().objects.remove(&key);
    }

    pub(crate) fn list(&self, after: Option<&ObjectKey>, limit: usize) -> Vec<Object> {
        let content = self.lock();
        let behind =
            content.objects.range((after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded));
        let object = |(key, (bytes, modified)): (&ObjectKey, &(Bytes, SystemTime))| Object {
            key: *key,
            size: bytes.len() as u64,
            modified: *modified,
        };
        behind.take(limit).map(object).collect()
    }

    pub(crate) fn list_staged(&self, after: Option<&StageId>, limit: usize) -> Vec<Staged> {
        let content = self.lock();
        let behind =
            content.staged.range((after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded));
        let staged = |(id, (bytes, modified)): (&StageId, &(Vec<u8>, SystemTime))| Staged {
            id: *id,
            size: bytes.len() as u64,
            modified: *modified,
        };
        behind.take(limit).map(staged).collect()
    }
}

/// Writes one staged object.
#[derive(Debug)]
pub(crate) struct MemoryWriter {
    store: MemoryStore,
    id: StageId,
    written: u64,
}

impl MemoryWriter {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.store.lock().staged(self.id)?.extend_from_slice(bytes);
        self.written += bytes.len() as u64;
        Ok(())
    }

    pub(crate) const fn written(&self) -> u64 {
        self.written
    }

    pub(crate) fn commit(self, digest: Digest) -> Result<ObjectKey> {
        self.store.commit(self.id, digest, self.written)
    }
}
