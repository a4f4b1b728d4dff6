//! The backends that the contract is run against, each test with a store of its own.

use std::io;

use railhead_blobs::testing::MotoServer;
use railhead_blobs::{FileStore, MemoryStore, S3Store, Store};

pub struct Backend {
    pub store: Store,
    /// What the store lives in, removed behind it.
    _home: Home,
}

#[expect(dead_code, reason = "held for what it does when dropped")]
enum Home {
    Directory(tempfile::TempDir),
    Process,
    Server(MotoServer),
}

#[expect(clippy::unused_async, reason = "as the others")]
pub async fn files() -> Option<Backend> {
    let home = tempfile::tempdir().unwrap();
    let store = Store::Files(FileStore::open(home.path()).unwrap());
    Some(Backend { store, _home: Home::Directory(home) })
}

#[expect(clippy::unused_async, reason = "as the others")]
pub async fn memory() -> Option<Backend> {
    Some(Backend { store: Store::Memory(MemoryStore::default()), _home: Home::Process })
}

/// `None` where no S3 server is installed, which is no reason to pass in CI.
pub async fn s3() -> Option<Backend> {
    match MotoServer::start().await {
        Ok(server) => {
            let store = Store::S3(S3Store::new(&server.config("some/where")).unwrap());
            Some(Backend { store, _home: Home::Server(server) })
        }
        Err(error)
            if error.kind() == io::ErrorKind::NotFound && std::env::var("CI").as_deref() != Ok("true") =>
        {
            println!("not run: moto_server is not installed (pip install 'moto[server]')");
            None
        }
        Err(error) => panic!("moto_server: {error}"),
    }
}
