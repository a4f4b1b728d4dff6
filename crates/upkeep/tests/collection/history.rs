//! Random histories against a reference model: what was promised, and from when on it has to be gone.
//!
//! The model does not know how a lease is stored. It says two things of a blob of a repository. It must be there while a
//! manifest needs it, or while somebody who was told of it may still count on it; and a run of collection must take it
//! once nobody can have counted on it for some time. In between both is right.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use railhead_catalog::testing::Place;
use railhead_catalog::{Catalog, Repository};
use railhead_oci::{Digest, RepositoryName};
use railhead_registry::Error;

use crate::world::{GRACE, LEASE, World, at, manifest};

const CASES: u32 = 48;
/// Repositories 0 and 1 are one owner's, 2 is another's.
const REPOSITORIES: usize = 3;
const BLOBS: usize = 4;
const MANIFESTS: usize = 6;

#[derive(Clone, Debug)]
enum Act {
    Push { repository: usize, blob: usize },
    Ask { repository: usize, blob: usize },
    Mount { from: usize, to: usize, blob: usize },
    Put { repository: usize, manifest: usize, tag: usize },
    DeleteManifest { repository: usize, manifest: usize },
    DeleteBlob { repository: usize, blob: usize },
    DeleteRepository { repository: usize },
    Pass { seconds: i64 },
    Collect,
    Restart,
    Hold { seconds: i64 },
    Release,
}

fn act() -> impl Strategy<Value = Act> {
    let (repository, blob, manifest) = (0..REPOSITORIES, 0..BLOBS, 0..MANIFESTS);
    prop_oneof![
        8 => (repository.clone(), blob.clone()).prop_map(|(repository, blob)| Act::Push { repository, blob }),
        6 => (repository.clone(), blob.clone()).prop_map(|(repository, blob)| Act::Ask { repository, blob }),
        4 => (repository.clone(), repository.clone(), blob.clone())
            .prop_map(|(from, to, blob)| Act::Mount { from, to, blob }),
        8 => (repository.clone(), manifest.clone(), 0..2_usize)
            .prop_map(|(repository, manifest, tag)| Act::Put { repository, manifest, tag }),
        4 => (repository.clone(), manifest)
            .prop_map(|(repository, manifest)| Act::DeleteManifest { repository, manifest }),
        1 => (repository.clone(), blob).prop_map(|(repository, blob)| Act::DeleteBlob { repository, blob }),
        1 => repository.prop_map(|repository| Act::DeleteRepository { repository }),
        10 => (1..LEASE).prop_map(|seconds| Act::Pass { seconds }),
        2 => (LEASE..3 * LEASE).prop_map(|seconds| Act::Pass { seconds }),
        8 => Just(Act::Collect),
        2 => Just(Act::Restart),
        1 => (1..2 * LEASE).prop_map(|seconds| Act::Hold { seconds }),
        1 => Just(Act::Release),
    ]
}

fn needs(manifest: usize) -> [usize; 2] {
    [[0, 1], [1, 2], [2, 3], [3, 0], [0, 2], [1, 1]][manifest]
}

/// What the model knows of a blob in a repository.
#[derive(Clone, Copy, Default)]
struct Link {
    /// Until when somebody may count on it.
    promised: i64,
    /// From when on a run has to take it, if no manifest needs it.
    over: i64,
}

#[derive(Default)]
struct Stock {
    links: BTreeMap<usize, Link>,
    manifests: BTreeSet<usize>,
}

impl Stock {
    fn needs(&self, blob: usize) -> bool {
        self.manifests.iter().any(|one| needs(*one).contains(&blob))
    }

    fn must_have(&self, blob: usize, now: i64) -> bool {
        self.needs(blob) || self.links.get(&blob).is_some_and(|link| link.promised > now)
    }

    /// Somebody is told that it is there.
    fn promise(&mut self, blob: usize, now: i64) {
        let link = self.links.entry(blob).or_default();
        link.promised = now + LEASE;
        link.over = link.over.max(now + 2 * LEASE);
    }
}

struct History {
    world: World,
    names: Vec<RepositoryName>,
    salt: String,
    clock: i64,
    stocks: Vec<Stock>,
    held_until: i64,
}

impl History {
    async fn new(catalog: Catalog) -> Self {
        static HISTORIES: AtomicU32 = AtomicU32::new(0);
        let salt = format!("h{}", HISTORIES.fetch_add(1, Ordering::Relaxed));
        for owner in ["a", "b"] {
            catalog.create_organisation(&format!("{salt}{owner}"), at(0)).await.unwrap();
        }
        let names = ["a/one", "a/two", "b/one"].map(|name| format!("{salt}{name}").parse().unwrap());
        catalog.release("test").await.unwrap();
        let stocks = (0..REPOSITORIES).map(|_| Stock::default()).collect();
        Self { world: World::on(catalog), names: names.to_vec(), salt, clock: 0, stocks, held_until: 0 }
    }

    fn content(&self, blob: usize) -> Vec<u8> {
        format!("{} blob {blob}", self.salt).into_bytes()
    }

    fn digest(&self, blob: usize) -> Digest {
        Digest::sha256(&self.content(blob))
    }

    fn manifest(&self, which: usize) -> Vec<u8> {
        let blobs = needs(which).map(|blob| self.digest(blob));
        manifest(&format!("{} {which}", self.salt), &blobs)
    }

    async fn act(&mut self, act: &Act) -> Result<(), TestCaseError> {
        let now = at(self.clock);
        match *act {
            Act::Push { repository, blob } => {
                self.world.push(&self.names[repository], &self.content(blob), now).await;
                self.stocks[repository].promise(blob, self.clock);
            }
            Act::Ask { repository, blob } => self.ask(repository, blob).await?,
            Act::Mount { from, to, blob } => {
                let (source, target) = (&self.names[from], &self.names[to]);
                let mounted = self.world.registry.mount(source, target, &self.digest(blob), now).await;
                if mounted.unwrap() {
                    self.stocks[from].promise(blob, self.clock);
                    self.stocks[to].promise(blob, self.clock);
                } else {
                    prop_assert!(!self.stocks[from].must_have(blob, self.clock), "not there for a mount");
                }
            }
            Act::Put { repository, manifest, tag } => self.put(repository, manifest, tag).await?,
            Act::DeleteManifest { repository, manifest } => {
                let digest = Digest::sha256(&self.manifest(manifest));
                let name = &self.names[repository];
                let deleted = self.world.registry.delete_manifest(name, &digest, None, now).await;
                let stock = &mut self.stocks[repository];
                prop_assert_eq!(deleted.is_ok(), stock.manifests.remove(&manifest));
                if deleted.is_ok() {
                    for blob in needs(manifest) {
                        if !stock.needs(blob) {
                            stock.links.entry(blob).or_default().over = self.clock + GRACE;
                        }
                    }
                }
            }
            Act::DeleteBlob { repository, blob } => {
                let (name, digest) = (&self.names[repository], self.digest(blob));
                let deleted = self.world.registry.delete_blob(name, &digest, now).await;
                let stock = &mut self.stocks[repository];
                prop_assert_eq!(matches!(deleted, Err(Error::BlobInUse { .. })), stock.needs(blob));
                if deleted.is_ok() {
                    stock.links.remove(&blob);
                }
            }
            Act::DeleteRepository { repository } => {
                let deleted = self.world.registry.delete_repository(&self.names[repository], now).await;
                if !matches!(deleted, Err(Error::RepositoryUnknown)) {
                    deleted.unwrap();
                }
                self.stocks[repository] = Stock::default();
            }
            Act::Pass { seconds } => self.clock += seconds,
            Act::Collect => self.collect().await?,
            Act::Restart => self.world.restart(),
            Act::Hold { seconds } => {
                self.held_until = self.clock + seconds;
                self.world.catalog.hold("test", at(self.held_until)).await.unwrap();
            }
            Act::Release => {
                self.held_until = 0;
                self.world.catalog.release("test").await.unwrap();
            }
        }
        Ok(())
    }

    async fn ask(&mut self, repository: usize, blob: usize) -> Result<(), TestCaseError> {
        let (name, digest) = (&self.names[repository], self.digest(blob));
        match self.world.registry.blob(name, &digest, at(self.clock)).await {
            Ok(found) => {
                prop_assert_eq!(found.size, self.content(blob).len() as u64);
                self.stocks[repository].promise(blob, self.clock);
            }
            Err(Error::BlobUnknown(_)) => {
                prop_assert!(!self.stocks[repository].must_have(blob, self.clock), "{} is not there", blob);
            }
            Err(other) => return Err(TestCaseError::fail(format!("{other:?}"))),
        }
        Ok(())
    }

    async fn put(&mut self, repository: usize, which: usize, tag: usize) -> Result<(), TestCaseError> {
        let (name, bytes) = (&self.names[repository], self.manifest(which));
        let stock = &mut self.stocks[repository];
        match self.world.put(name, &format!("t{tag}"), &bytes, at(self.clock)).await {
            Ok(_) => {
                stock.manifests.insert(which);
            }
            Err(Error::MissingReferences(_)) => {
                let kept = needs(which).iter().all(|blob| stock.must_have(*blob, self.clock));
                prop_assert!(!kept, "a push that counted on what it was told failed");
            }
            Err(other) => return Err(TestCaseError::fail(format!("{other:?}"))),
        }
        Ok(())
    }

    async fn collect(&mut self) -> Result<(), TestCaseError> {
        let before = self.world.objects().await;
        let run = self.world.collect(at(self.clock)).await;
        let held = self.held_until > self.clock;
        prop_assert_eq!(run.held, held);
        if held {
            prop_assert_eq!(self.world.objects().await, before, "an object went in spite of a hold");
        }
        self.check(!held).await
    }

    /// Compares catalog and store with the model.
    async fn check(&mut self, settled: bool) -> Result<(), TestCaseError> {
        let mut keys = BTreeSet::new();
        for (name, stock) in self.names.iter().zip(&mut self.stocks) {
            for blob in 0..BLOBS {
                let content = format!("{} blob {blob}", self.salt).into_bytes();
                // Past the registry: a question to it would be a promise.
                let found = self.world.catalog.blob_in(name, &Digest::sha256(&content)).await.unwrap();
                if stock.must_have(blob, self.clock) {
                    prop_assert!(found.is_some(), "{} lost blob {} at {}", name, blob, self.clock);
                }
                if found.is_none() {
                    stock.links.remove(&blob);
                } else if !stock.needs(blob) {
                    let over = stock.links.get(&blob).map_or(0, |link| link.over);
                    prop_assert!(over > self.clock, "{} still has blob {} at {}", name, blob, self.clock);
                }
                keys.extend(found.map(|found| found.blob.key));
            }
        }
        let objects: BTreeSet<_> = self.world.objects().await.iter().map(ToString::to_string).collect();
        prop_assert!(objects.is_superset(&keys), "objects are missing");
        if settled {
            prop_assert_eq!(objects, keys, "objects that no blob has");
        }
        Ok(())
    }

    /// At the end: what manifests need can be pulled, everything else goes, and the sums are right.
    async fn end(&mut self) -> Result<(), TestCaseError> {
        self.world.catalog.release("test").await.unwrap();
        self.held_until = 0;
        self.clock += 3 * LEASE + GRACE;
        self.collect().await?;
        for (repository, stock) in self.stocks.iter().enumerate() {
            let kept: BTreeSet<_> = stock.manifests.iter().flat_map(|one| needs(*one)).collect();
            for blob in kept {
                let (name, digest) = (&self.names[repository], self.digest(blob));
                let pulled = self.world.pull(name, &digest, at(self.clock)).await.unwrap();
                prop_assert_eq!(pulled, self.content(blob));
            }
            let found: Option<Repository> =
                self.world.catalog.repository(&self.names[repository]).await.unwrap();
            if let Some(found) = found {
                let owner = self.world.catalog.owner_by_id(found.owner).await.unwrap().unwrap();
                let counted = self.world.catalog.recount(found.owner).await.unwrap();
                prop_assert_eq!((owner.used_bytes, owner.reserved_bytes), (counted.used_bytes, 0));
            }
        }
        Ok(())
    }
}

pub async fn promises_are_kept_and_nothing_is_left(place: &Place) {
    let catalog = place.open().await.unwrap();
    let runtime = tokio::runtime::Handle::current();
    let checked = tokio::task::spawn_blocking(move || {
        let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
        TestRunner::new(config).run(&prop::collection::vec(act(), 1..80), |acts| {
            runtime.block_on(async {
                let mut history = History::new(catalog.clone()).await;
                for act in &acts {
                    history.act(act).await?;
                }
                history.end().await
            })
        })
    });
    if let Err(found) = checked.await.unwrap() {
        panic!("{found}");
    }
}
