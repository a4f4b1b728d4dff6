//! What a store whose catalog is lost still has, by what it is and not by what it is called.
//!
//! Invariant: an object is given out once. Were it bound to two blobs, healing one would remove the other's bytes.

use std::collections::HashMap;
use std::time::SystemTime;

use railhead_blobs::{Object, ObjectKey, Store};
use railhead_oci::{Algorithm, Digest, Hasher};

use crate::Result;
use crate::take::Progress;

/// Objects that are listed at a time.
const PAGE: usize = 1000;

/// An object that the store has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Present {
    pub(super) key: ObjectKey,
    pub(super) size: u64,
    pub(super) written: SystemTime,
}

impl From<&Object> for Present {
    fn from(object: &Object) -> Self {
        Self { key: object.key, size: object.size, written: object.modified }
    }
}

/// What the store has. Takes some 300 bytes of memory for each object.
#[derive(Debug, Default)]
pub(super) struct Remains {
    /// By what their bytes are, or with trust are called. Several may have the same.
    sound: HashMap<Digest, Vec<Present>>,
    /// SHA-512 of what has no name of its own, to the SHA-256 that it is noted by.
    also: HashMap<Digest, Digest>,
    /// Objects that cannot be read, by what they are called, and what happened.
    unreadable: HashMap<Digest, (Present, String)>,
    /// Objects there are.
    pub(super) objects: u64,
    /// What is not as it is called, for people.
    pub(super) wrong: Vec<String>,
}

/// What an object turned out to be.
enum Identity {
    /// The digest of its bytes; and that by SHA-512, when nobody knows which of them is meant.
    Is(Digest, Option<Digest>),
    /// It cannot be read, as a failing disk says.
    Unreadable(String),
}

impl Remains {
    /// Looks at every object of the store. With `trust_names` an object whose name tells its digest is not read.
    pub(super) async fn of(
        store: &Store,
        trust_names: bool,
        watch: &(dyn Fn(&Progress) + Sync),
    ) -> Result<Self> {
        let objects = list(store).await?;
        let mut progress = Progress { of: objects.len() as u64, ..Progress::default() };
        let mut remains = Self { objects: progress.of, ..Self::default() };
        for object in &objects {
            let named = object.key.digest().copied();
            if let Some(named) = named.filter(|_| trust_names) {
                remains.note(named, object);
            } else {
                let identity = identify(store, object).await?;
                remains.take_in(object, named, identity);
            }
            progress.blobs += 1;
            progress.bytes += object.size;
            watch(&progress);
        }
        Ok(remains)
    }

    fn take_in(&mut self, object: &Object, named: Option<Digest>, identity: Identity) {
        match identity {
            Identity::Is(found, other) => {
                if named.is_some_and(|named| named != found) {
                    self.wrong.push(format!("{}: its content has digest {found}", object.key));
                }
                self.note(found, object);
                if let Some(other) = other {
                    self.also.insert(other, found);
                }
            }
            Identity::Unreadable(what) => {
                self.wrong.push(format!("{}: {what}", object.key));
                if let Some(named) = named {
                    self.unreadable.entry(named).or_insert((object.into(), what));
                }
            }
        }
    }

    fn note(&mut self, digest: Digest, object: &Object) {
        self.sound.entry(digest).or_default().push(object.into());
    }

    /// An object that has this content.
    pub(super) fn take(&mut self, digest: &Digest, size: u64) -> Option<Present> {
        let digest = if self.sound.contains_key(digest) { *digest } else { *self.also.get(digest)? };
        let found = self.sound.get_mut(&digest)?;
        let at = found.iter().position(|present| present.size == size)?;
        let present = found.remove(at);
        if found.is_empty() {
            self.sound.remove(&digest);
        }
        Some(present)
    }

    /// An object that is called so, and is not whole; and what is wrong with it.
    pub(super) fn take_suspect(&mut self, digest: &Digest) -> Option<(Present, String)> {
        let cut = |present: Present| (present, format!("{} bytes", present.size));
        self.unreadable
            .remove(digest)
            .or_else(|| self.sound.remove(digest).and_then(|found| found.into_iter().next()).map(cut))
    }

    /// What nobody took, in the order of the digests: one object of each content, and what is wrong with it, if something is.
    pub(super) fn rest(&mut self) -> Vec<(Digest, Present, Option<String>)> {
        let sound = self
            .sound
            .drain()
            .filter_map(|(digest, found)| found.into_iter().next().map(|present| (digest, present, None)));
        let mut rest: Vec<_> = sound.collect();
        let unreadable = self.unreadable.drain();
        rest.extend(unreadable.map(|(digest, (present, what))| (digest, present, Some(what))));
        rest.sort_unstable_by_key(|(digest, present, _)| (*digest, present.key));
        rest.dedup_by_key(|(digest, ..)| *digest);
        rest
    }
}

async fn list(store: &Store) -> Result<Vec<Object>> {
    let mut all = Vec::new();
    loop {
        let page = store.list(all.last().map(|last: &Object| &last.key), PAGE).await?;
        let ended = page.len() < PAGE;
        all.extend(page);
        if ended {
            return Ok(all);
        }
    }
}

async fn identify(store: &Store, object: &Object) -> Result<Identity> {
    let named = object.key.digest();
    let mut hasher = Hasher::new(named.map_or(Algorithm::Sha256, Digest::algorithm));
    // In S3 a key tells no digest, and so not by which algorithm the blob was pushed.
    let mut other = named.is_none().then(|| Hasher::new(Algorithm::Sha512));
    let read = async {
        let mut reader = store.read(&object.key, 0..object.size, object.size).await?;
        while let Some(piece) = reader.next().await.transpose()? {
            hasher.update(&piece);
            if let Some(other) = &mut other {
                other.update(&piece);
            }
        }
        Ok::<_, railhead_blobs::Error>(())
    };
    match read.await {
        Ok(()) => Ok(Identity::Is(hasher.finish(), other.map(Hasher::finish))),
        Err(error) => match error.damage() {
            Some(what) => Ok(Identity::Unreadable(what)),
            None => Err(error.into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use railhead_blobs::{MemoryStore, StageId};

    use super::*;

    #[tokio::test]
    async fn an_object_is_given_out_once_and_by_what_it_is() {
        let store = Store::Memory(MemoryStore::default());
        let [one, other] = ["one", "other"].map(|text| (Digest::sha256(text.as_bytes()), Bytes::from(text)));
        let put = async |id: u8, named: &Digest, bytes: &Bytes| {
            store.put(&StageId::from_bytes([id; 16]), named, bytes.clone()).await.unwrap()
        };
        // The same twice, and one under the name of the other.
        put(1, &one.0, &one.1).await;
        put(2, &one.0, &one.1).await;
        let swapped = put(3, &one.0, &other.1).await;
        let mut remains = Remains::of(&store, false, &|_| ()).await.unwrap();
        assert_eq!((remains.objects, remains.wrong.len()), (3, 1), "{:?}", remains.wrong);
        assert_eq!(remains.take(&other.0, 5).unwrap().key, swapped);
        assert_eq!(remains.take(&other.0, 5), None);
        assert_eq!(remains.take(&one.0, 4), None, "another size is another content");
        let [first, second] = [(); 2].map(|()| remains.take(&one.0, 3).unwrap().key);
        assert_ne!(first, second);
        assert_eq!(remains.rest(), []);

        let mut trusted = Remains::of(&store, true, &|_| ()).await.unwrap();
        assert_eq!(trusted.rest().len(), 1, "names alone tell of one content");
    }
}
