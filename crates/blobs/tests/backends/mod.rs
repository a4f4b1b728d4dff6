//! The backends that the contract is run against, each test with a store of its own.

use railhead_blobs::testing::MotoServer;
use railhead_blobs::{FileStore, MemoryStore, S3Store, Store};

pub struct Backend {
    pub store: Store,
    /// What the store lives in, removed behind it.
    _home: Option<tempfile::TempDir>,
}

pub fn files() -> Backend {
    let home = tempfile::tempdir().unwrap();
    let store = Store::Files(FileStore::open(home.path()).unwrap());
    Backend { store, _home: Some(home) }
}

pub fn memory() -> Backend {
    Backend { store: Store::Memory(MemoryStore::default()), _home: None }
}

pub struct S3Server(MotoServer);

impl S3Server {
    /// A store with a part of the bucket to itself.
    pub fn store(&self, prefix: &str) -> Store {
        Store::S3(S3Store::new(&self.0.config(prefix)).unwrap())
    }
}

/// `None` where no S3 server is installed, which is no reason to pass in CI.
pub async fn s3() -> Option<S3Server> {
    MotoServer::start_if_installed().await.unwrap().map(S3Server)
}
