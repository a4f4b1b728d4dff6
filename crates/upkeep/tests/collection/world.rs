//! A registry to collect in.

use std::time::Duration;

use bytes::Bytes;
use railhead_blobs::{MemoryStore, ObjectKey, Store};
use railhead_catalog::testing::Place;
use railhead_catalog::{Catalog, Timestamp};
use railhead_oci::{Algorithm, Digest, Reference, RepositoryName};
use railhead_registry::{BlobBody, PutManifest, Registry, Result, Settings};
use railhead_upkeep::{Collection, Collector};

pub const NOW: Timestamp = Timestamp(1_750_000_000_000);
pub const LEASE: i64 = 100;
pub const GRACE: i64 = 250;

pub fn at(seconds: i64) -> Timestamp {
    NOW.plus_millis(seconds * 1000)
}

pub fn settings() -> Settings {
    let seconds = |seconds: i64| Duration::from_secs(seconds.unsigned_abs());
    Settings { lease: seconds(LEASE), grace: seconds(GRACE), ..Settings::default() }
}

pub struct World {
    pub catalog: Catalog,
    pub store: Store,
    pub registry: Registry,
}

impl World {
    pub async fn open(place: &Place) -> Self {
        Self::on(place.open().await.unwrap())
    }

    /// An empty store beside this catalog.
    pub fn on(catalog: Catalog) -> Self {
        let store = Store::Memory(MemoryStore::default());
        let registry = Registry::new(catalog.clone(), store.clone(), settings());
        Self { catalog, store, registry }
    }

    /// What a restart does: nothing is remembered.
    pub fn restart(&mut self) {
        self.registry = Registry::new(self.catalog.clone(), self.store.clone(), settings());
    }

    pub async fn push(&self, name: &RepositoryName, content: &[u8], now: Timestamp) -> Digest {
        let id = self.registry.begin_upload(name, None, Algorithm::Sha256, now).await.unwrap();
        let mut session = self.registry.open_upload(name, id).await.unwrap();
        session.write(Bytes::copy_from_slice(content)).await.unwrap();
        let digest = Digest::sha256(content);
        session.finish(&digest, now).await.unwrap();
        digest
    }

    pub async fn put(
        &self,
        name: &RepositoryName,
        tag: &str,
        manifest: &[u8],
        now: Timestamp,
    ) -> Result<Digest> {
        let put = PutManifest {
            repository: name.clone(),
            reference: Reference::Tag(tag.parse().unwrap()),
            tags: Vec::new(),
            content_type: Some("application/vnd.oci.image.manifest.v1+json".to_owned()),
            bytes: Bytes::copy_from_slice(manifest),
            account: None,
        };
        self.registry.put_manifest(put, now).await.map(|stored| stored.digest)
    }

    /// All bytes of a blob.
    pub async fn pull(&self, name: &RepositoryName, digest: &Digest, now: Timestamp) -> Result<Vec<u8>> {
        let blob = self.registry.blob(name, digest, now).await?;
        let mut body = self.registry.read_blob(name, &blob, 0..blob.size).await?;
        let mut all = Vec::new();
        while let Some(piece) = std::future::poll_fn(|cx| BlobBody::poll_next(&mut body, cx)).await {
            all.extend_from_slice(&piece?);
        }
        Ok(all)
    }

    pub async fn collect(&self, now: Timestamp) -> Collection {
        let run = Collector::new(self.registry.clone()).run_at(now, Duration::MAX).await.unwrap();
        assert!(run.complete);
        run
    }

    pub async fn objects(&self) -> Vec<ObjectKey> {
        self.store.list(None, 999).await.unwrap().iter().map(|object| object.key).collect()
    }
}

/// A manifest that needs these blobs; the first is its config. `text` makes it different from others.
pub fn manifest(text: &str, blobs: &[Digest]) -> Vec<u8> {
    let descriptor =
        |digest: &Digest| format!(r#"{{"mediaType":"application/x","digest":"{digest}","size":1}}"#);
    let layers: Vec<_> = blobs.iter().skip(1).map(descriptor).collect();
    let (config, layers) = (descriptor(&blobs[0]), layers.join(","));
    format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{config},
            "layers":[{layers}],"annotations":{{"text":"{text}"}}}}"#
    )
    .into_bytes()
}
