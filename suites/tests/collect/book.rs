//! What is kept: manifests that the server has answered for and nobody has begun to delete.

use std::collections::BTreeMap;
use std::sync::Mutex;

use railhead_oci::Digest;

/// A manifest that is kept.
#[derive(Clone)]
pub struct Kept {
    /// `/v2/<name>` of its repository.
    pub path: String,
    /// Its digest.
    pub digest: Digest,
    /// Its config and layers.
    pub blobs: Vec<Digest>,
    /// Who pushed it.
    pub client: usize,
}

#[derive(Default)]
pub struct Book(Mutex<BTreeMap<String, Kept>>);

impl Book {
    /// The server has answered 201.
    pub fn keep(&self, kept: Kept) {
        self.0.lock().unwrap().insert(kept.digest.to_string(), kept);
    }

    /// Somebody begins to delete it: it may be gone from now on.
    pub fn give_up(&self, digest: &Digest) {
        self.0.lock().unwrap().remove(&digest.to_string());
    }

    /// Whether nobody has begun to delete it.
    pub fn keeps(&self, digest: &Digest) -> bool {
        self.0.lock().unwrap().contains_key(&digest.to_string())
    }

    /// One of those that are kept, of `client` or of anybody, by `lot`.
    pub fn any(&self, client: Option<usize>, lot: u64) -> Option<Kept> {
        let kept = self.0.lock().unwrap();
        let of: Vec<&Kept> =
            kept.values().filter(|one| client.is_none_or(|client| one.client == client)).collect();
        (!of.is_empty()).then(|| of[lot as usize % of.len()].clone())
    }

    /// All that is kept.
    pub fn all(&self) -> Vec<Kept> {
        self.0.lock().unwrap().values().cloned().collect()
    }
}
