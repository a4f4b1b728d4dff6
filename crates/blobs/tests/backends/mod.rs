//! The backends that the contract is run against, each test with a store of its own.

use railhead_blobs::{FileStore, MemoryStore, Store};

pub struct Backend {
    pub store: Store,
    /// What the store lives in, removed behind it.
    _home: Option<tempfile::TempDir>,
}

#[expect(clippy::unused_async, reason = "as the others")]
pub async fn files() -> Option<Backend> {
    let home = tempfile::tempdir().unwrap();
    let store = Store::Files(FileStore::open(home.path()).unwrap());
    Some(Backend { store, _home: Some(home) })
}

#[expect(clippy::unused_async, reason = "as the others")]
pub async fn memory() -> Option<Backend> {
    Some(Backend { store: Store::Memory(MemoryStore::default()), _home: None })
}
