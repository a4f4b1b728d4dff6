//! Uploads as every store has to take them: files, memory, S3.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "says which store is at it")]

use bytes::Bytes;
use railhead_blobs::testing::MotoServer;
use railhead_blobs::{FileStore, MemoryStore, S3Store, Store};
use railhead_catalog::testing::Place;
use railhead_catalog::{Limit, Timestamp, UploadId};
use railhead_oci::{Algorithm, Digest, RepositoryName};
use railhead_registry::{BlobBody, Error, Registry, Settings};

const NOW: Timestamp = Timestamp(1_750_000_000_000);
/// Two parts of S3 and something more.
const LONG: usize = 17 << 20;

fn name() -> RepositoryName {
    "team/app".parse().unwrap()
}

fn content(len: usize) -> Bytes {
    (0..len).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

async fn registry(store: Store, settings: Settings) -> (Registry, Place) {
    let place = Place::sqlite().unwrap();
    let catalog = place.open().await.unwrap();
    catalog.create_organisation("team", NOW).await.unwrap();
    (Registry::new(catalog, store, settings), place)
}

/// Runs `case` on each store.
async fn on_every_store(settings: Settings, case: impl AsyncFn(&Registry)) {
    let home = tempfile::tempdir().unwrap();
    let s3 = MotoServer::start_if_installed().await.unwrap();
    let mut stores =
        vec![Store::Files(FileStore::open(home.path()).unwrap()), Store::Memory(MemoryStore::default())];
    stores.extend(s3.as_ref().map(|s3| Store::S3(S3Store::new(&s3.config("stores")).unwrap())));
    for store in stores {
        println!("{store:?}");
        let (registry, _place) = registry(store, settings.clone()).await;
        case(&registry).await;
        assert!(registry.store().list_staged(None, 9).await.unwrap().is_empty(), "staged bytes are left");
    }
    if let Some(s3) = s3 {
        assert_eq!(s3.unfinished().await.unwrap(), 0, "multipart uploads are left");
    }
}

/// Begins an upload and sends `content` in one chunk.
async fn send(registry: &Registry, content: &Bytes) -> UploadId {
    let id = registry.begin_upload(&name(), None, Algorithm::Sha256, NOW).await.unwrap();
    let mut session = registry.open_upload(&name(), id).await.unwrap();
    for start in (0..content.len()).step_by(100_000) {
        session.write(content.slice(start..content.len().min(start + 100_000))).await.unwrap();
    }
    assert_eq!(session.pause(NOW).await.unwrap(), content.len() as u64);
    id
}

async fn pull(registry: &Registry, digest: &Digest) -> Vec<u8> {
    let blob = registry.blob(&name(), digest, NOW).await.unwrap();
    let mut body = registry.read_blob(&name(), &blob, 0..blob.size).await.unwrap();
    let mut all = Vec::new();
    while let Some(piece) = std::future::poll_fn(|cx| BlobBody::poll_next(&mut body, cx)).await {
        all.extend_from_slice(&piece.unwrap());
    }
    all
}

#[tokio::test]
async fn a_digest_of_an_algorithm_that_was_not_announced_is_checked() {
    on_every_store(Settings::default(), async |registry| {
        for len in [0, 1000, 8 << 20, LONG] {
            let content = content(len);
            let digest = Digest::of(Algorithm::Sha512, &content);

            // The wrong content under the right digest: nothing of it may be left.
            let id = send(registry, &Bytes::from(vec![7; len + 1])).await;
            let refused = registry.open_upload(&name(), id).await.unwrap().finish(&digest, NOW).await;
            assert!(matches!(refused, Err(Error::DigestMismatch { .. })), "{len} bytes: {refused:?}");
            assert!(matches!(registry.open_upload(&name(), id).await, Err(Error::UploadUnknown)));
            assert!(matches!(registry.blob(&name(), &digest, NOW).await, Err(Error::BlobUnknown(_))));
            let objects = registry.store().list(None, 9).await.unwrap();
            assert!(objects.is_empty(), "{len} bytes: {objects:?}");

            let id = send(registry, &content).await;
            let size = registry.open_upload(&name(), id).await.unwrap().finish(&digest, NOW).await.unwrap();
            assert_eq!(size, len as u64);
            assert!(pull(registry, &digest).await == content, "{len} bytes");

            // All of it in the request that ends it.
            let id = registry.begin_upload(&name(), None, Algorithm::Sha256, NOW).await.unwrap();
            let mut session = registry.open_upload(&name(), id).await.unwrap();
            session.write(content.clone()).await.unwrap();
            session.finish(&digest, NOW).await.unwrap();
            assert!(pull(registry, &digest).await == content, "{len} bytes");
            registry.delete_blob(&name(), &digest, NOW).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_blob_that_the_catalog_refuses_leaves_nothing() {
    on_every_store(Settings::default(), async |registry| {
        for len in [1000, LONG] {
            let (content, digest) = (content(len), Digest::sha256(&content(len)));
            let id = send(registry, &content).await;
            // Ended elsewhere, as by another replica.
            registry.catalog().end_upload(id).await.unwrap().unwrap();
            let refused = registry.open_upload(&name(), id).await;
            let refused = match refused {
                Ok(session) => session.finish(&digest, NOW).await.map(drop),
                Err(error) => Err(error),
            };
            assert!(matches!(refused, Err(Error::UploadUnknown)), "{refused:?}");
            let objects = registry.store().list(None, 9).await.unwrap();
            assert!(objects.is_empty(), "{objects:?}");
        }
    })
    .await;
}

/// After a failed write the bytes since the session was opened are dropped, and the upload goes on from there.
#[tokio::test]
async fn an_upload_goes_on_behind_a_failed_write() {
    let settings = Settings { layer_limit: Limit::Bytes(LONG as u64), ..Settings::default() };
    on_every_store(settings, async |registry| {
        let content = content(LONG);
        let id = send(registry, &content.slice(..1000)).await;
        let mut session = registry.open_upload(&name(), id).await.unwrap();
        session.write(content.slice(1000..9 << 20)).await.unwrap();
        let refused = session.write(content.clone()).await;
        assert!(matches!(refused, Err(Error::LayerTooLarge { .. })), "{refused:?}");
        assert_eq!(session.pause(NOW).await.unwrap(), 1000);
        if let Store::Files(_) | Store::Memory(_) = registry.store() {
            assert_eq!(
                registry.store().list_staged(None, 9).await.unwrap()[0].size,
                1000,
                "its room is back"
            );
        }

        let mut session = registry.open_upload(&name(), id).await.unwrap();
        session.write(content.slice(1000..)).await.unwrap();
        let digest = Digest::sha256(&content);
        session.finish(&digest, NOW).await.unwrap();
        assert!(pull(registry, &digest).await == content);
    })
    .await;
}

/// An upload that comes in drops of a few bytes is told to the catalog now and then, so that it does not expire.
#[tokio::test]
async fn a_slow_upload_is_seen_to_be_alive() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::Files(FileStore::open(home.path()).unwrap());
    let (registry, _place) = registry(store, Settings::default()).await;
    let id = registry.begin_upload(&name(), None, Algorithm::Sha256, NOW).await.unwrap();
    let touched_after = async |minutes: i64| {
        let mut session = registry.open_upload(&name(), id).await.unwrap();
        session.write(Bytes::from_static(b"drop")).await.unwrap();
        session.pause(NOW.plus_millis(minutes * 60_000)).await.unwrap();
        let upload = registry.catalog().upload(id).await.unwrap().unwrap();
        ((upload.touched_at.0 - NOW.0) / 60_000, upload.offset)
    };
    assert_eq!(touched_after(9).await, (0, 0), "not with every drop");
    assert_eq!(touched_after(10).await, (10, 8));
    assert_eq!(touched_after(19).await, (10, 8));
    assert_eq!(touched_after(20).await, (20, 16));
}
