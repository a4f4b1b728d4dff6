//! A registry whose store can be damaged behind its back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use railhead_blobs::testing::MotoServer;
use railhead_blobs::{FileStore, MemoryStore, ObjectKey, S3Store, StageId, Store};
use railhead_catalog::testing::Place;
use railhead_catalog::{BlobRecord, BlobScope, NewManifest, Timestamp, UploadId};
use railhead_oci::{Algorithm, Digest, RepositoryName};
use railhead_registry::{Registry, Settings};
use railhead_upkeep::scrub::{self, Asked, Content, Fetch, Scrubber, Source, Verified};

pub const NOW: Timestamp = Timestamp(1_750_000_000_000);

pub struct World {
    pub registry: Registry,
    pub home: Option<tempfile::TempDir>,
    place: Place,
    _s3: Option<MotoServer>,
}

impl World {
    pub async fn memory() -> Self {
        Self::on(Place::sqlite().unwrap(), Store::Memory(MemoryStore::default()), None, None).await
    }

    /// One that replicas may share. `None` where Postgres is not installed, which is no reason to pass in CI.
    pub async fn shared() -> Option<Self> {
        let place = Place::postgres().unwrap()?;
        Some(Self::on(place, Store::Memory(MemoryStore::default()), None, None).await)
    }

    pub async fn files() -> Self {
        let home = tempfile::tempdir().unwrap();
        let store = Store::Files(FileStore::open(home.path()).unwrap());
        Self::on(Place::sqlite().unwrap(), store, Some(home), None).await
    }

    /// `None` where no S3 server is installed, which is no reason to pass in CI.
    pub async fn s3() -> Option<Self> {
        let s3 = MotoServer::start_if_installed().await.unwrap()?;
        let store = Store::S3(S3Store::new(&s3.config("scrub")).unwrap());
        Some(Self::on(Place::sqlite().unwrap(), store, None, Some(s3)).await)
    }

    async fn on(place: Place, store: Store, home: Option<tempfile::TempDir>, s3: Option<MotoServer>) -> Self {
        let catalog = place.open().await.unwrap();
        catalog.create_organisation("team", NOW).await.unwrap();
        let registry = Registry::new(catalog, store, Settings::default());
        Self { registry, home, place, _s3: s3 }
    }

    /// The same registry, opened again as after a restart.
    pub async fn restarted(&mut self) {
        self.registry.catalog().close().await.unwrap();
        let catalog = self.place.open().await.unwrap();
        self.registry = Registry::new(catalog, self.registry.store().clone(), Settings::default());
    }

    /// A scrubber of another process on the same catalog and store.
    pub async fn replica(&self) -> Scrubber {
        let catalog = self.place.open().await.unwrap();
        let registry = Registry::new(catalog, self.registry.store().clone(), Settings::default());
        scrubber(registry, Vec::new())
    }

    pub async fn push(&self, name: &str, content: impl Into<Bytes>) -> Digest {
        let (name, content) = (repository(name), content.into());
        let id = self.registry.begin_upload(&name, None, Algorithm::Sha256, NOW).await.unwrap();
        let mut session = self.registry.open_upload(&name, id).await.unwrap();
        session.write(content.clone()).await.unwrap();
        let digest = Digest::sha256(&content);
        session.finish(&digest, NOW).await.unwrap();
        digest
    }

    /// A manifest that needs these blobs, under a tag.
    pub async fn tag(&self, name: &str, tag: &str, blobs: Vec<Digest>) -> Digest {
        let catalog = self.registry.catalog();
        let repository = catalog.repository(&repository(name)).await.unwrap().unwrap();
        let bytes = format!("{name}:{tag} {blobs:?}").into_bytes();
        let new = NewManifest {
            repository: repository.id,
            digest: Digest::sha256(&bytes),
            media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
            bytes,
            subject: None,
            artifact_type: None,
            annotations: None,
            blobs,
            children: Vec::new(),
            sparse: false,
            tags: vec![tag.parse().unwrap()],
            frozen: Vec::new(),
            account: None,
            quota: railhead_catalog::Limit::None,
        };
        let digest = new.digest;
        catalog.put_manifest(new, NOW).await.unwrap();
        digest
    }

    pub async fn blob(&self, digest: &Digest) -> BlobRecord {
        self.registry.catalog().blob(digest).await.unwrap().unwrap()
    }

    pub async fn content(&self, digest: &Digest) -> Bytes {
        let blob = self.blob(digest).await;
        let key: ObjectKey = blob.key.parse().unwrap();
        let reader = self.registry.store().read(&key, 0..blob.size, blob.size).await.unwrap();
        reader.collect().await.unwrap()
    }

    /// Puts other content where the object of a blob is.
    pub async fn overwrite(&self, digest: &Digest, content: impl Into<Bytes>) {
        let key: ObjectKey = self.blob(digest).await.key.parse().unwrap();
        let written = self.registry.store().put(&key.stage_id(), digest, content.into()).await.unwrap();
        assert_eq!(written, key, "the same object");
    }

    pub async fn lose(&self, digest: &Digest) {
        let key = self.blob(digest).await.key.parse().unwrap();
        self.registry.store().remove(&key).await.unwrap();
    }

    /// An object that the catalog never heard of.
    pub async fn add_stranger(&self, content: &'static [u8]) -> ObjectKey {
        let id: StageId = UploadId::random().unwrap().to_string().parse().unwrap();
        self.registry.store().put(&id, &Digest::sha256(content), Bytes::from_static(content)).await.unwrap()
    }

    pub fn scrubber(&self, sources: Vec<Arc<dyn Source>>) -> Scrubber {
        scrubber(self.registry.clone(), sources)
    }

    pub async fn verify(&self) -> Verified {
        self.scrubber(Vec::new()).verify(&everything()).await.unwrap()
    }

    pub async fn is_served(&self, name: &str, digest: &Digest) -> bool {
        self.registry.blob(&repository(name), digest, NOW).await.is_ok()
    }
}

/// A round takes ten days.
fn scrubber(registry: Registry, sources: Vec<Arc<dyn Source>>) -> Scrubber {
    let round = Duration::from_hours(10 * 24);
    Scrubber::new(registry, scrub::Settings { round, most_per_second: 0, sources })
}

pub fn repository(name: &str) -> RepositoryName {
    name.parse().unwrap()
}

pub fn everything() -> Asked {
    Asked {
        scope: BlobScope::All,
        after: None,
        digest: None,
        hash: true,
        heal: true,
        per_second: 0,
        most: Duration::MAX,
    }
}

/// A source with the given content, in memory; it counts what it was asked for.
#[derive(Debug, Default)]
pub struct Shelf {
    pub content: HashMap<Digest, Vec<Bytes>>,
    pub asked: Mutex<Vec<(RepositoryName, Digest)>>,
}

impl Shelf {
    pub fn with(content: impl IntoIterator<Item = (Digest, Vec<Bytes>)>) -> Arc<Self> {
        Arc::new(Self { content: content.into_iter().collect(), asked: Mutex::default() })
    }
}

impl Source for Shelf {
    fn name(&self) -> String {
        "the shelf".to_owned()
    }

    fn open<'a>(
        &'a self,
        repository: &'a RepositoryName,
        digest: &'a Digest,
        _: u64,
    ) -> Fetch<'a, Option<Box<dyn Content>>> {
        self.asked.lock().unwrap().push((repository.clone(), *digest));
        let found = self.content.get(digest).cloned();
        Box::pin(async { Ok(found.map(|pieces| Box::new(Taken(pieces.into_iter())) as Box<dyn Content>)) })
    }
}

struct Taken(std::vec::IntoIter<Bytes>);

impl Content for Taken {
    fn next(&mut self) -> Fetch<'_, Option<Bytes>> {
        let next = self.0.next();
        Box::pin(async { Ok(next) })
    }
}
