//! What only a store in a directory can promise, or get wrong.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use railhead_blobs::{Error, FileStore, ObjectKey, StageId, StageState, Store};
use railhead_oci::Digest;
use tempfile::TempDir;

const NONE: StageState = StageState(Vec::new());

fn id(number: u8) -> StageId {
    StageId::from_bytes([number; 16])
}

fn open(data: &Path) -> Store {
    Store::Files(FileStore::open(data).unwrap())
}

fn store() -> (TempDir, Store) {
    let data = tempfile::tempdir().unwrap();
    let store = open(data.path());
    (data, store)
}

async fn put(store: &Store, number: u8, bytes: &Bytes) -> ObjectKey {
    store.put(&id(number), &Digest::sha256(bytes), bytes.clone()).await.unwrap()
}

fn path(data: &TempDir, key: &ObjectKey) -> PathBuf {
    data.path().join("blobs").join(key.to_string())
}

#[tokio::test]
async fn nobody_else_can_read_it() {
    let data = tempfile::tempdir().unwrap();
    let home = data.path().join("new");
    let store = open(&home);
    store.stage(&id(1)).await.unwrap();
    let key = put(&store, 2, &Bytes::from_static(b"x")).await;
    let object = home.join("blobs").join(key.to_string());
    for directory in [&home, &home.join("blobs"), &home.join("uploads"), object.parent().unwrap()] {
        assert_eq!(fs::metadata(directory).unwrap().permissions().mode() & 0o777, 0o700, "{directory:?}");
    }
    for file in [home.join("uploads").join(id(1).to_string()), object] {
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
}

/// `/dev/full` answers every write as a full disk does.
#[tokio::test]
async fn a_full_disk_has_a_name_and_does_no_harm() {
    let (data, store) = store();
    let staged = data.path().join("uploads").join(id(1).to_string());
    symlink("/dev/full", &staged).unwrap();
    let mut writer = store.open(&id(1), &NONE, 0).await.unwrap();
    // A short write is gathered first, and has no room later; a long one has none at once.
    writer.write(Bytes::from_static(b"short")).await.unwrap();
    let failed = writer.write(vec![7; 1_000_000].into()).await;
    assert!(matches!(failed, Err(Error::Full { .. })), "{failed:?}");
    assert_eq!(writer.written(), 5);
    let failed = writer.pause().await;
    assert!(matches!(failed, Err(Error::Full { .. })), "{failed:?}");
    // There is room again.
    fs::remove_file(&staged).unwrap();
    let key = put(&store, 2, &Bytes::from_static(b"still usable")).await;
    store.probe(&key, 12).unwrap();
}

#[tokio::test]
async fn a_restart_finds_what_a_kill_left() {
    let (data, first) = store();
    first.stage(&id(1)).await.unwrap();
    let mut writer = first.open(&id(1), &NONE, 0).await.unwrap();
    writer.write(Bytes::from_static(b"remembered, forgotten")).await.unwrap();
    writer.pause().await.unwrap();
    let orphan = put(&first, 2, &Bytes::from_static(b"no row names it")).await;
    drop(first);

    let store = open(data.path());
    assert_eq!(store.staged_len(&id(1), &NONE).await.unwrap(), Some(21));
    let staged = store.list_staged(None, 9).await.unwrap();
    assert_eq!(staged.iter().map(|staged| (staged.id, staged.size)).collect::<Vec<_>>(), [(id(1), 21)]);
    assert_eq!(store.list(None, 9).await.unwrap()[0].key, orphan);

    let mut writer = store.open(&id(1), &NONE, 10).await.unwrap();
    writer.write(Bytes::from_static(b"!")).await.unwrap();
    let key = writer.commit(&Digest::sha256(b"remembered!")).await.unwrap();
    assert_eq!(fs::read(path(&data, &key)).unwrap(), b"remembered!");
}

#[tokio::test]
async fn what_the_store_did_not_name_is_not_listed() {
    let (data, store) = store();
    let key = put(&store, 1, &Bytes::from_static(b"mine")).await;
    fs::write(path(&data, &key).with_file_name("notes.txt"), "yours").unwrap();
    fs::write(data.path().join("uploads/notes.txt"), "yours").unwrap();
    assert_eq!(store.list(None, 9).await.unwrap().len(), 1);
    assert!(store.list_staged(None, 9).await.unwrap().is_empty());
}

/// Takes the way by the disk, and not the one by the page cache.
#[tokio::test]
async fn what_is_not_in_memory_is_read_from_the_disk() {
    let (data, store) = store();
    for (number, len) in [(1, 5000), (2, 1_000_001)] {
        let bytes: Bytes = (0..len).map(|at: u32| (at % 251) as u8).collect();
        let key = put(&store, number, &bytes).await;
        let file = fs::File::open(path(&data, &key)).unwrap();
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
        let size = u64::from(len);
        let read = store.read(&key, 1..size, size).await.unwrap().collect().await.unwrap();
        assert!(read == bytes.slice(1..));
    }
}

#[tokio::test]
async fn a_file_cut_short_while_it_is_read_is_an_error() {
    let (data, store) = store();
    let key = put(&store, 1, &vec![7; 1_000_000].into()).await;
    let mut reader = store.read(&key, 0..1_000_000, 1_000_000).await.unwrap();
    reader.next().await.unwrap().unwrap();
    let file = fs::File::options().write(true).open(path(&data, &key)).unwrap();
    file.set_len(300_000).unwrap();
    let mut failed = false;
    while let Some(piece) = reader.next().await {
        assert!(!failed, "something came behind the error");
        failed = piece.is_err();
    }
    assert!(failed);
    assert!(matches!(store.probe(&key, 1_000_000), Err(Error::WrongSize { found: 300_000, .. })));
}

#[tokio::test]
async fn an_id_is_used_once() {
    let (_data, store) = store();
    store.stage(&id(1)).await.unwrap();
    assert!(store.stage(&id(1)).await.is_err());
    let put = store.put(&id(1), &Digest::sha256(b"x"), Bytes::from_static(b"x")).await;
    assert!(put.is_err());
    // The one that was there first is unharmed.
    assert_eq!(store.staged_len(&id(1), &NONE).await.unwrap(), Some(0));
}
