//! A small registry, and everything it knows in a form that can be compared.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use railhead_backup::format::Source;
use railhead_backup::target::{Directory, Target};
use railhead_backup::{
    Check, Made, Only, Plan, Progress, Restore, Restored, Result, Times, Vault, Verified, backup, restore,
    verify,
};
use railhead_blobs::{MemoryStore, ObjectKey, StageId, Store};
use railhead_catalog::testing::Place;
use railhead_catalog::{
    AuditEntry, Catalog, Entry, Limit, NewBlob, NewManifest, NewToken, Record, Role, Timestamp, Visibility,
};
use railhead_oci::{Digest, Manifest, RepositoryName};
use serde_json::json;
use tempfile::TempDir;

pub const NOW: Timestamp = Timestamp(1_750_000_000_000);
const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

pub struct World {
    pub catalog: Catalog,
    pub store: Store,
    pub scratch: TempDir,
    _place: Place,
}

pub fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

impl World {
    pub async fn empty(place: Place) -> Self {
        let catalog = place.open().await.unwrap();
        let scratch = tempfile::tempdir().unwrap();
        Self { catalog, store: Store::Memory(MemoryStore::default()), scratch, _place: place }
    }

    pub async fn sqlite() -> Self {
        Self::empty(Place::sqlite().unwrap()).await
    }

    /// Accounts, an organisation, images, an index, a moved tag, an act: something of everything.
    pub async fn filled(place: Place) -> Self {
        Self::filled_in(place, Store::Memory(MemoryStore::default())).await
    }

    /// The same, with its bytes in `store`.
    pub async fn filled_in(place: Place, store: Store) -> Self {
        let world = Self { store, ..Self::empty(place).await };
        let catalog = &world.catalog;
        let kim =
            catalog.create_user("Kim", Some("$argon2id$secret".to_owned().into()), true, NOW).await.unwrap();
        let gone = catalog.create_user("gone", None, false, NOW).await.unwrap();
        let robo = catalog.create_user("robo", None, false, NOW).await.unwrap();
        let team = catalog.create_organisation("Team", NOW).await.unwrap();
        catalog.set_member(team.id, kim.id, Some(Role::Owner)).await.unwrap();
        catalog.set_member(team.id, robo.id, Some(Role::Reader)).await.unwrap();
        catalog.set_limits(team.id, Some(Limit::Bytes(1 << 30)), Some(Limit::None)).await.unwrap();
        catalog.set_disabled(robo.id, true).await.unwrap();
        let token = NewToken {
            user: kim.id,
            name: "ci".into(),
            secret_hash: [7; 32],
            scopes: "[\"pull\"]".into(),
            expires_at: Some(NOW.plus_millis(5)),
        };
        let token = catalog.create_token(token, NOW).await.unwrap();
        catalog.revoke_token(token.id, NOW.plus_millis(3)).await.unwrap();
        let entry = AuditEntry {
            at: NOW,
            account: Some(gone.id),
            token: Some(token.id),
            address: Some("192.0.2.1".into()),
            action: "manifest.put".into(),
            target: "team/app:1".into(),
            outcome: "done".into(),
            detail: None,
        };
        catalog.record(vec![entry]).await.unwrap();
        catalog.delete_owner(gone.id).await.unwrap();
        let one = world.image("team/app", Some("1"), &["base", "one"]).await;
        let two = world.image("team/app", Some("2"), &["base", "two"]).await;
        world.index("team/app", "all", &[one, two]).await;
        world.image("team/app", Some("1"), &["base", "one", "more"]).await;
        world.image("team/web/front", Some("latest"), &["base", "front"]).await;
        world.image("kim/tool", Some("v1"), &["tool"]).await;
        let repository = catalog.repository(&name("kim/tool")).await.unwrap().unwrap();
        catalog.set_visibility(repository.id, Visibility::Public).await.unwrap();
        world
    }

    pub async fn blob(&self, repository: &str, content: &str) -> Digest {
        self.blob_of(repository, content.repeat(5000).into()).await
    }

    pub async fn blob_of(&self, repository: &str, bytes: Bytes) -> Digest {
        let repository = self.catalog.ensure_repository(&name(repository), NOW).await.unwrap();
        let (digest, size) = (Digest::sha256(&bytes), bytes.len() as u64);
        let key = self.store.put(&stage(), &digest, bytes).await.unwrap().to_string();
        let new = NewBlob {
            repository: repository.id,
            digest,
            size,
            key,
            upload: None,
            leased_until: NOW,
            quota: Limit::None,
        };
        self.catalog.commit_blob(new, NOW).await.unwrap();
        digest
    }

    /// An image of these layers; its digest.
    pub async fn image(&self, repository: &str, tag: Option<&str>, layers: &[&str]) -> Digest {
        let config = self.blob(repository, &format!("config of {layers:?}")).await;
        let mut descriptors = Vec::new();
        for layer in layers {
            let digest = self.blob(repository, layer).await;
            descriptors.push(json!({ "mediaType": "x/layer", "digest": digest, "size": layer.len() * 5000 }));
        }
        let size = format!("config of {layers:?}").len() * 5000;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": { "mediaType": "x/config", "digest": config, "size": size },
            "layers": descriptors,
        });
        self.put(repository, tag, IMAGE, &manifest.to_string()).await
    }

    pub async fn index(&self, repository: &str, tag: &str, children: &[Digest]) -> Digest {
        let children: Vec<_> = children
            .iter()
            .map(|digest| json!({ "mediaType": IMAGE, "digest": digest, "size": 1 }))
            .collect();
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": children });
        self.put(repository, Some(tag), INDEX, &index.to_string()).await
    }

    async fn put(&self, repository: &str, tag: Option<&str>, media_type: &str, content: &str) -> Digest {
        let facts = Manifest::read(Some(media_type), content.as_bytes()).unwrap();
        let digest = Digest::sha256(content.as_bytes());
        let new = NewManifest {
            repository: self.catalog.repository(&name(repository)).await.unwrap().unwrap().id,
            digest,
            media_type: media_type.into(),
            bytes: content.into(),
            subject: None,
            artifact_type: facts.artifact_type,
            annotations: None,
            blobs: facts.blobs,
            children: facts.children,
            sparse: false,
            tags: tag.iter().map(|tag| tag.parse().unwrap()).collect(),
            frozen: Vec::new(),
            account: None,
            quota: Limit::None,
        };
        self.catalog.put_manifest(new, NOW).await.unwrap();
        digest
    }

    /// Everything that the catalog knows, one text a thing.
    pub async fn knows(&self) -> Vec<String> {
        let all = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&all);
        let whole = self
            .catalog
            .snapshot(move |entry| {
                let text = match entry {
                    Entry::Start | Entry::Owner(..) => return ControlFlow::Continue(()),
                    Entry::Stored(blob) => format!("stored {} {} {}", blob.digest, blob.size, blob.damaged),
                    Entry::Account(record) | Entry::Audit(record) | Entry::Content(record) => text(&record),
                };
                sink.lock().unwrap().push(text);
                ControlFlow::Continue(())
            })
            .await
            .unwrap();
        assert!(whole);
        let all = std::mem::take(&mut *all.lock().unwrap());
        assert!(!all.is_empty());
        all
    }

    /// What each owner uses is what its links and manifests come to, and every blob's bytes are what its digest says.
    pub async fn check(&self) {
        for owner in self.catalog.owners(None, 100).await.unwrap() {
            let usage = self.catalog.recount(owner.id).await.unwrap();
            assert_eq!(owner.used_bytes, usage.used_bytes, "{}", owner.name);
        }
        for blob in self.catalog.blobs(None, 1000).await.unwrap() {
            let key: ObjectKey = blob.key.parse().unwrap();
            let bytes =
                self.store.read(&key, 0..blob.size, blob.size).await.unwrap().collect().await.unwrap();
            assert_eq!(Digest::sha256(&bytes), blob.digest);
        }
    }

    pub async fn back_up(&self, vault: &Vault) -> Result<Made> {
        self.back_up_with(vault, |_| {}).await
    }

    pub async fn back_up_with<'a>(
        &'a self,
        vault: &'a Vault,
        change: impl FnOnce(&mut Plan<'a>),
    ) -> Result<Made> {
        let mut plan = Plan {
            vault,
            source: Source::Data { name: "registry.test".into() },
            scratch: self.scratch.path(),
            recipients: Vec::new(),
            sign: None,
            parallel: 3,
            times: Times::default(),
            now: &jiff::Timestamp::now,
            watch: &|_: &Progress| {},
        };
        change(&mut plan);
        backup(&plan, &self.catalog, &self.store).await
    }

    pub async fn restore(&self, vault: &Vault) -> Result<Restored> {
        self.restore_only(vault, Only::default()).await
    }

    pub async fn restore_only(&self, vault: &Vault, only: Only) -> Result<Restored> {
        let snapshot = vault.snapshot(None, None).await?;
        let plan = Restore {
            vault,
            snapshot: &snapshot,
            only,
            scratch: self.scratch.path(),
            parallel: 3,
            times: Times::default(),
            watch: &|_: &Progress| {},
        };
        restore(&plan, &self.catalog, &self.store).await
    }
}

/// A repository that is made when it is pushed to gets another moment each time; nothing else may differ.
fn text(record: &Record) -> String {
    format!("{record:?} {}", serde_json::to_string(record).unwrap())
}

/// An id that nobody has used.
fn stage() -> StageId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    StageId::from_bytes(u128::from(NEXT.fetch_add(1, Ordering::Relaxed)).to_be_bytes())
}

/// Backups in a directory of the test's own.
pub struct Shelf {
    pub home: TempDir,
    pub vault: Vault,
}

impl Shelf {
    pub fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let vault = Vault::new(Arc::new(Directory::new(home.path().join("backups"))));
        Self { home, vault }
    }

    /// As [`Self::new`], but what the directory does goes through `wrap`.
    pub fn wrapped<T: Target + 'static>(wrap: impl FnOnce(Directory) -> T) -> Self {
        let home = tempfile::tempdir().unwrap();
        let vault = Vault::new(Arc::new(wrap(Directory::new(home.path().join("backups")))));
        Self { home, vault }
    }

    pub async fn verify(&self) -> Verified {
        verify_with(&self.vault, self.home.path(), |_| {}).await.unwrap()
    }

    /// Every file of the backups with its content.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let root = self.home.path().join("backups");
        gather(&root, &root, &mut files);
        files
    }

    pub fn path(&self, file: &str) -> std::path::PathBuf {
        self.home.path().join("backups").join(file)
    }
}

pub async fn verify_with(
    vault: &Vault,
    scratch: &Path,
    change: impl FnOnce(&mut Check<'_>),
) -> Result<Verified> {
    let mut check = Check {
        vault,
        only: None,
        key: None,
        scratch,
        remove_damaged: false,
        times: Times::default(),
        watch: &|_: &Progress| {},
    };
    change(&mut check);
    verify(&check).await
}

fn gather(root: &Path, directory: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.insert(name, std::fs::read(&path).unwrap());
        }
    }
}
