//! What a kill leaves in S3, and what it does not.
//!
//! A kill is made here by leaving a step out, and the moment of the start by the time given to the sweep.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use railhead_blobs::testing::MotoServer;
use railhead_blobs::{ObjectKey, S3Store, StageId, StageState, Store};
use railhead_catalog::testing::Place;
use railhead_catalog::{Timestamp, UploadId};
use railhead_oci::{Algorithm, Digest, RepositoryName};
use railhead_registry::{Registry, Settings};
use railhead_upkeep::{Swept, expire_uploads, sweep};

const NOW: Timestamp = Timestamp(1_750_000_000_000);
/// One part of S3 and something more.
const LONG: usize = 9 << 20;

struct Bench {
    s3: MotoServer,
    registry: Registry,
    _place: Place,
}

impl Bench {
    /// `None` where no S3 server is installed.
    async fn set_up(place: Place) -> Option<Self> {
        let s3 = MotoServer::start_if_installed().await.unwrap()?;
        let store = Store::S3(S3Store::new(&s3.config("upkeep")).unwrap());
        let catalog = place.open().await.unwrap();
        catalog.create_organisation("team", NOW).await.unwrap();
        Some(Self { s3, registry: Registry::new(catalog, store, Settings::default()), _place: place })
    }

    async fn begin(&self) -> (UploadId, StageId) {
        let id = self.registry.begin_upload(&name(), None, Algorithm::Sha256, NOW).await.unwrap();
        (id, id.to_string().parse().unwrap())
    }

    /// A blob that was pushed in good order.
    async fn push(&self, content: &Bytes) -> Digest {
        let mut session = self.registry.open_upload(&name(), self.begin().await.0).await.unwrap();
        session.write(content.clone()).await.unwrap();
        let digest = Digest::sha256(content);
        session.finish(&digest, NOW).await.unwrap();
        digest
    }

    /// Writes `content` as the upload does, and makes it an object, without a word to the catalog.
    async fn make_object(&self, id: &StageId, content: &Bytes) -> ObjectKey {
        let mut writer = self.registry.store().open(id, &StageState::default(), 0).await.unwrap();
        writer.write(content.clone()).await.unwrap();
        writer.commit(&Digest::sha256(content)).await.unwrap()
    }

    async fn keys(&self) -> Vec<ObjectKey> {
        self.registry.store().list(None, 99).await.unwrap().iter().map(|object| object.key).collect()
    }

    /// The sweep of a process that starts now. S3 tells times in whole seconds, and may be a little ahead.
    async fn sweep(&self) -> Swept {
        sweep(&self.registry, SystemTime::now() + Duration::from_mins(1)).await.unwrap()
    }
}

fn name() -> RepositoryName {
    "team/app".parse().unwrap()
}

fn long() -> Bytes {
    vec![1; LONG].into()
}

#[tokio::test]
async fn objects_and_unfinished_uploads_that_nobody_knows_are_removed() {
    let Some(bench) = Bench::set_up(Place::sqlite().unwrap()).await else { return };
    let digests = [bench.push(&long()).await, bench.push(&Bytes::from_static(b"small")).await];
    let known = bench.keys().await;
    assert_eq!(known.len(), 2);

    // Killed before the catalog's log was on disk: the upload itself is forgotten.
    let [small, large, cut_off] = [[1; 16], [2; 16], [3; 16]].map(StageId::from_bytes);
    bench.make_object(&small, &Bytes::from_static(b"orphan")).await;
    bench.make_object(&large, &long()).await;
    let mut writer = bench.registry.store().open(&cut_off, &StageState::default(), 0).await.unwrap();
    writer.write(vec![2; 2 * LONG].into()).await.unwrap();
    writer.pause().await.unwrap();
    assert_eq!(bench.s3.unfinished().await.unwrap(), 1);

    // A process that started before all that has nothing to sweep.
    let early = sweep(&bench.registry, SystemTime::now() - Duration::from_mins(5)).await.unwrap();
    assert_eq!(early, Swept::default());

    let swept = bench.sweep().await;
    assert_eq!((swept.staged, swept.objects), (1, 2));
    assert_eq!(bench.s3.unfinished().await.unwrap(), 0, "an unfinished multipart upload costs money");
    assert!(bench.registry.store().list_staged(None, 9).await.unwrap().is_empty());
    assert_eq!(bench.keys().await, known);
    for digest in digests {
        bench.registry.blob(&name(), &digest, NOW).await.unwrap();
    }
    assert_eq!(bench.sweep().await, Swept::default());
}

/// Killed after the catalog has forgotten an object, and before it is removed: no run of collection is waited for.
#[tokio::test]
async fn objects_that_were_forgotten_and_not_removed_go() {
    let Some(bench) = Bench::set_up(Place::sqlite().unwrap()).await else { return };
    bench.push(&long()).await;
    let repository = bench.registry.repository(&name()).await.unwrap();
    let forgotten = bench.registry.catalog().delete_repository(repository.id, NOW).await.unwrap();
    assert_eq!((forgotten.len(), bench.keys().await.len()), (1, 1));
    let swept = bench.sweep().await;
    assert_eq!((swept.objects, swept.bytes), (1, LONG as u64));
    assert!(bench.keys().await.is_empty());
    assert_eq!(bench.sweep().await, Swept::default());
}

/// Killed between the object and its blob: the client can still end the upload; else it goes when it expires.
async fn a_begun_upload_keeps_its_object(place: Place) {
    let Some(bench) = Bench::set_up(place).await else { return };
    let ((ended, ended_at), (expired, expired_at)) = (bench.begin().await, bench.begin().await);
    let mut session = bench.registry.open_upload(&name(), ended).await.unwrap();
    session.write(long()).await.unwrap();
    session.pause(NOW).await.unwrap();
    let state = StageState(bench.registry.catalog().upload(ended).await.unwrap().unwrap().store_state);
    let digest = Digest::sha256(&long());
    bench.registry.store().commit(&ended_at, &state, &digest, LONG as u64).await.unwrap();
    bench.make_object(&expired_at, &long()).await;
    assert_eq!(bench.sweep().await, Swept::default());
    assert_eq!(bench.keys().await.len(), 2);

    let session = bench.registry.open_upload(&name(), ended).await.unwrap();
    session.finish(&digest, NOW).await.unwrap();
    let day = Duration::from_hours(24);
    assert_eq!(expire_uploads(&bench.registry, day, NOW.plus_millis(25 * 3_600_000)).await.unwrap(), 1);
    assert!(bench.registry.catalog().upload(expired).await.unwrap().is_none());
    assert_eq!(bench.keys().await.len(), 1, "the object of the expired upload is left");
    bench.registry.blob(&name(), &digest, NOW).await.unwrap();
}

#[tokio::test]
async fn a_begun_upload_keeps_its_object_with_sqlite() {
    a_begun_upload_keeps_its_object(Place::sqlite().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_begun_upload_keeps_its_object_with_postgres() {
    let Some(place) = Place::postgres().unwrap() else { return };
    a_begun_upload_keeps_its_object(place).await;
}

/// An unfinished upload that the catalog knows goes on after the kill, and is aborted when nobody goes on with it.
#[tokio::test]
async fn an_unfinished_upload_is_aborted_when_it_expires() {
    let Some(bench) = Bench::set_up(Place::sqlite().unwrap()).await else { return };
    let (_, staged) = bench.begin().await;
    // The catalog never heard of the parts: the process was killed while they came.
    let mut writer = bench.registry.store().open(&staged, &StageState::default(), 0).await.unwrap();
    writer.write(vec![3; 3 * LONG].into()).await.unwrap();
    writer.pause().await.unwrap();
    assert_eq!(bench.sweep().await, Swept::default());
    assert_eq!(bench.s3.unfinished().await.unwrap(), 1);
    let day = Duration::from_hours(24);
    assert_eq!(expire_uploads(&bench.registry, day, NOW.plus_millis(25 * 3_600_000)).await.unwrap(), 1);
    assert_eq!(bench.s3.unfinished().await.unwrap(), 0);
    assert!(bench.registry.store().list_staged(None, 9).await.unwrap().is_empty());
}
