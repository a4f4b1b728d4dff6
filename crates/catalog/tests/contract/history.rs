//! Random histories, against a model that is simple enough to be right: pushes, mounts, tags, deletions, quotas, and
//! leases and collection while time passes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use railhead_catalog::testing::Place;
use railhead_catalog::{
    Catalog, Error, ForgottenObject, Limit, NewBlob, Owner, Repository, Unlinked, UploadId,
};

use crate::support::{NOW, at, blob, digest, forgotten, manifest, name, tag, upload, usage};

const CASES: u32 = 40;
const QUOTA: u64 = 60;
/// Seconds.
const LEASE: i64 = 100;
const GRACE: i64 = 250;
/// Repositories 0 and 1 are the first owner's, 2 and 3 the second's.
const REPOSITORIES: usize = 4;

#[derive(Clone, Debug)]
enum Act {
    Commit {
        repository: usize,
        blob: usize,
        reserve: bool,
    },
    Mount {
        from: usize,
        to: usize,
        blob: usize,
    },
    Unlink {
        repository: usize,
        blob: usize,
    },
    Put {
        repository: usize,
        manifest: usize,
        tag: usize,
    },
    DeleteManifest {
        repository: usize,
        manifest: usize,
    },
    DeleteTag {
        repository: usize,
        tag: usize,
    },
    DeleteRepository {
        repository: usize,
    },
    Reserve {
        repository: usize,
        bytes: u64,
    },
    EndUpload {
        which: usize,
    },
    /// Says that a blob is there.
    Renew {
        repository: usize,
        blob: usize,
    },
    /// Lets seconds pass.
    Pass {
        seconds: i64,
    },
    Collect,
}

fn act() -> impl Strategy<Value = Act> {
    let (repository, blob, tag) = (0..REPOSITORIES, 0..5_usize, 0..3_usize);
    prop_oneof![
        6 => (repository.clone(), blob.clone(), any::<bool>())
            .prop_map(|(repository, blob, reserve)| Act::Commit { repository, blob, reserve }),
        3 => (repository.clone(), repository.clone(), blob.clone())
            .prop_map(|(from, to, blob)| Act::Mount { from, to, blob }),
        3 => (repository.clone(), blob).prop_map(|(repository, blob)| Act::Unlink { repository, blob }),
        5 => (repository.clone(), 0..8_usize, tag.clone())
            .prop_map(|(repository, manifest, tag)| Act::Put { repository, manifest, tag }),
        2 => (repository.clone(), 0..8_usize)
            .prop_map(|(repository, manifest)| Act::DeleteManifest { repository, manifest }),
        1 => (repository.clone(), tag).prop_map(|(repository, tag)| Act::DeleteTag { repository, tag }),
        1 => repository.clone().prop_map(|repository| Act::DeleteRepository { repository }),
        2 => (repository.clone(), 1..30_u64).prop_map(|(repository, bytes)| Act::Reserve { repository, bytes }),
        2 => (repository, 0..5_usize).prop_map(|(repository, blob)| Act::Renew { repository, blob }),
        4 => (1..2 * LEASE).prop_map(|seconds| Act::Pass { seconds }),
        3 => Just(Act::Collect),
        1 => (0..4_usize).prop_map(|which| Act::EndUpload { which }),
    ]
}

fn size(blob: usize) -> u64 {
    [3, 5, 7, 11, 13][blob]
}

/// The blobs that a manifest refers to.
fn needs(manifest: usize) -> impl Iterator<Item = usize> {
    (0..3).filter(move |blob| manifest >> blob & 1 == 1)
}

#[derive(Clone, Default)]
struct Stock {
    /// With the second when it may go; a time in the past means nothing while a manifest needs the blob.
    blobs: BTreeMap<usize, i64>,
    manifests: BTreeSet<usize>,
    tags: BTreeMap<usize, usize>,
}

impl Stock {
    fn needs(&self, blob: usize) -> bool {
        self.manifests.iter().any(|one| needs(*one).any(|needed| needed == blob))
    }

    /// Keeps the blob until `due` at least.
    fn lease(&mut self, blob: usize, due: i64) {
        let until = self.blobs.entry(blob).or_insert(due);
        *until = due.max(*until);
    }
}

#[derive(Default)]
struct Model {
    /// Seconds since the beginning.
    clock: i64,
    stocks: [Stock; REPOSITORIES],
    uploads: Vec<(UploadId, usize, u64)>,
}

impl Model {
    fn used(&self, owner: usize) -> u64 {
        let own = &self.stocks[owner * 2..owner * 2 + 2];
        let blobs: BTreeSet<_> = own.iter().flat_map(|stock| stock.blobs.keys()).collect();
        blobs.into_iter().map(|blob| size(*blob)).sum::<u64>()
            + own.iter().map(|stock| stock.manifests.len() as u64).sum::<u64>()
    }

    fn reserved(&self, owner: usize) -> u64 {
        self.uploads.iter().filter(|one| one.1 / 2 == owner).map(|one| one.2).sum()
    }

    fn fits(&self, owner: usize, wanted: u64) -> bool {
        wanted == 0 || self.used(owner) + self.reserved(owner) + wanted <= QUOTA
    }

    /// What the owner would have to pay for one more link.
    fn price(&self, repository: usize, blob: usize) -> u64 {
        let own = &self.stocks[repository / 2 * 2..repository / 2 * 2 + 2];
        if own.iter().any(|stock| stock.blobs.contains_key(&blob)) { 0 } else { size(blob) }
    }

    fn known(&self, blob: usize) -> bool {
        self.stocks.iter().any(|stock| stock.blobs.contains_key(&blob))
    }
}

struct World {
    catalog: Catalog,
    owners: Vec<Owner>,
    repositories: Vec<Repository>,
    /// Makes the digests of one history different from those of the others.
    salt: String,
    model: Model,
}

impl World {
    async fn new(catalog: Catalog) -> Self {
        static HISTORIES: AtomicU32 = AtomicU32::new(0);
        let salt = format!("h{}", HISTORIES.fetch_add(1, Ordering::Relaxed));
        let (mut owners, mut repositories) = (Vec::new(), Vec::new());
        for owner in 0..2 {
            owners.push(catalog.create_organisation(&format!("{salt}-{owner}"), NOW).await.unwrap());
            for image in 0..2 {
                let whole = name(&format!("{salt}-{owner}/app{image}"));
                repositories.push(catalog.ensure_repository(&whole, NOW).await.unwrap());
            }
        }
        Self { catalog, owners, repositories, salt, model: Model::default() }
    }

    fn content(&self, blob: usize) -> String {
        format!("{} blob {blob}", self.salt)
    }

    /// Does it in the catalog and in the model, and compares the answers.
    async fn act(&mut self, act: &Act) -> Result<(), TestCaseError> {
        match *act {
            Act::Commit { repository, blob: which, reserve } => self.commit(repository, which, reserve).await,
            Act::Mount { from, to, blob } => self.mount(from, to, blob).await,
            Act::Unlink { repository, blob } => self.unlink(repository, blob).await,
            Act::Put { repository, manifest, tag } => self.put(repository, manifest, tag).await,
            Act::DeleteManifest { repository, manifest } => self.delete_manifest(repository, manifest).await,
            Act::DeleteTag { repository, tag: which } => {
                let id = self.repositories[repository].id;
                let deleted =
                    self.catalog.delete_tag(id, &tag(&format!("t{which}")), None, NOW).await.unwrap();
                let expected = self.model.stocks[repository].tags.remove(&which);
                prop_assert_eq!(deleted, expected.map(|one| self.manifest_digest(one)));
                Ok(())
            }
            Act::DeleteRepository { repository } => self.delete_repository(repository).await,
            Act::Reserve { repository, bytes } => {
                let id = self.begin(repository, bytes).await?;
                prop_assert_eq!(id.is_some(), self.model.fits(repository / 2, bytes));
                self.model.uploads.extend(id.map(|id| (id, repository, bytes)));
                Ok(())
            }
            Act::Renew { repository, blob: which } => self.renew(repository, which).await,
            Act::Pass { seconds } => {
                self.model.clock += seconds;
                Ok(())
            }
            Act::Collect => self.collect().await,
            Act::EndUpload { which } => {
                if which < self.model.uploads.len() {
                    let (id, _, bytes) = self.model.uploads.remove(which);
                    prop_assert_eq!(self.catalog.end_upload(id).await.unwrap().unwrap().reserved, bytes);
                }
                Ok(())
            }
        }
    }

    /// Begins an upload with a reservation; `None` when the quota refuses it.
    async fn begin(&self, repository: usize, bytes: u64) -> Result<Option<UploadId>, TestCaseError> {
        let new = upload(&self.repositories[repository]);
        self.catalog.create_upload(new.clone(), NOW).await.unwrap();
        match self.catalog.reserve(new.id, bytes, Limit::Bytes(QUOTA)).await {
            Ok(()) => Ok(Some(new.id)),
            Err(Error::QuotaExceeded(_)) => {
                self.catalog.end_upload(new.id).await.unwrap();
                Ok(None)
            }
            Err(other) => Err(TestCaseError::fail(format!("{other:?}"))),
        }
    }

    async fn commit(&mut self, repository: usize, which: usize, reserve: bool) -> Result<(), TestCaseError> {
        let upload = if reserve { self.begin(repository, size(which)).await? } else { None };
        let content = self.content(which);
        let new = blob(&self.repositories[repository], &content, size(which), &content);
        let leased_until = at(self.model.clock + LEASE);
        let new = NewBlob { upload, leased_until, quota: Limit::Bytes(QUOTA), ..new };
        let fits = self.model.fits(repository / 2, self.model.price(repository, which));
        match self.catalog.commit_blob(new, NOW).await {
            Ok(_) => prop_assert!(fits),
            Err(Error::QuotaExceeded(_)) => prop_assert!(!fits && upload.is_none()),
            Err(other) => return Err(TestCaseError::fail(format!("{other:?}"))),
        }
        if fits {
            let due = self.model.clock + LEASE;
            self.model.stocks[repository].lease(which, due);
        }
        Ok(())
    }

    async fn mount(&mut self, from: usize, to: usize, which: usize) -> Result<(), TestCaseError> {
        let (source, target) = (self.repositories[from].id, self.repositories[to].id);
        let (what, leased) = (digest(&self.content(which)), at(self.model.clock + LEASE));
        let answer = self.catalog.mount_blob(source, target, &what, Limit::Bytes(QUOTA), leased, NOW).await;
        if !self.model.stocks[from].blobs.contains_key(&which) {
            prop_assert_eq!(answer.unwrap(), None);
        } else if self.model.fits(to / 2, self.model.price(to, which)) {
            prop_assert!(answer.unwrap().is_some());
            let due = self.model.clock + LEASE;
            self.model.stocks[to].lease(which, due);
        } else {
            prop_assert!(matches!(answer, Err(Error::QuotaExceeded(_))));
        }
        Ok(())
    }

    async fn unlink(&mut self, repository: usize, which: usize) -> Result<(), TestCaseError> {
        let what = digest(&self.content(which));
        let answer = self.catalog.unlink_blob(self.repositories[repository].id, &what, NOW).await.unwrap();
        let stock = &mut self.model.stocks[repository];
        if !stock.blobs.contains_key(&which) {
            prop_assert_eq!(answer, Unlinked::NotFound);
        } else if stock.needs(which) {
            prop_assert!(matches!(answer, Unlinked::InUse(_)));
        } else {
            stock.blobs.remove(&which);
            let free = (!self.model.known(which)).then(|| self.object(which));
            prop_assert_eq!(answer, Unlinked::Removed { free });
        }
        Ok(())
    }

    fn object(&self, blob: usize) -> ForgottenObject {
        forgotten(&self.content(blob), size(blob))
    }

    async fn renew(&mut self, repository: usize, which: usize) -> Result<(), TestCaseError> {
        let (name, what) = (&self.repositories[repository].name, digest(&self.content(which)));
        let until = self.model.clock + LEASE;
        let renewed = self.catalog.renew_lease(name, &what, at(until)).await.unwrap();
        let stock = &mut self.model.stocks[repository];
        let shorter = stock.blobs.get(&which).is_some_and(|due| *due < until);
        prop_assert_eq!(renewed, shorter && !stock.needs(which));
        if renewed {
            stock.lease(which, until);
        }
        Ok(())
    }

    async fn collect(&mut self) -> Result<(), TestCaseError> {
        let clock = self.model.clock;
        let mut found = BTreeSet::new();
        // Other histories share the catalog; their links are not asked for.
        for (index, repository) in self.repositories.iter().enumerate() {
            let all = (0..5).map(|which| digest(&self.content(which))).collect();
            let collected = self.catalog.collect_links(repository.id, all, at(clock)).await.unwrap();
            found.extend(collected.forgotten.into_iter().map(|object| object.key));
            let stock = &self.model.stocks[index];
            let due = stock.blobs.iter().filter(|(which, due)| **due <= clock && !stock.needs(**which));
            let gone: BTreeSet<_> = due.map(|(which, _)| *which).collect();
            prop_assert_eq!(collected.removed.len(), gone.len());
            self.model.stocks[index].blobs.retain(|which, _| !gone.contains(which));
            for which in gone {
                let freed = !self.model.known(which);
                prop_assert_eq!(found.remove(&self.content(which)), freed);
            }
        }
        prop_assert!(found.is_empty(), "freed and still linked: {:?}", found);
        Ok(())
    }

    fn manifest_digest(&self, which: usize) -> railhead_oci::Digest {
        digest(&format!("{} manifest {which}", self.salt))
    }

    async fn put(&mut self, repository: usize, which: usize, mark: usize) -> Result<(), TestCaseError> {
        let mut new = manifest(&self.repositories[repository], "m");
        new.digest = self.manifest_digest(which);
        new.blobs = needs(which).map(|blob| digest(&self.content(blob))).collect();
        new.tags = vec![tag(&format!("t{mark}"))];
        new.quota = Limit::Bytes(QUOTA);
        let answer = self.catalog.put_manifest(new, NOW).await;
        let stock = &self.model.stocks[repository];
        let missing = needs(which).filter(|blob| !stock.blobs.contains_key(blob)).count();
        let created = !stock.manifests.contains(&which);
        match answer {
            Err(Error::MissingReferences(found)) => prop_assert_eq!(found.len(), missing),
            Err(Error::QuotaExceeded(_)) => {
                prop_assert!(created && missing == 0 && !self.model.fits(repository / 2, 1));
            }
            Err(other) => return Err(TestCaseError::fail(format!("{other:?}"))),
            Ok(put) => {
                prop_assert!(missing == 0 && (!created || self.model.fits(repository / 2, 1)));
                prop_assert_eq!(put.created, created);
                let stock = &mut self.model.stocks[repository];
                stock.manifests.insert(which);
                let former = stock.tags.insert(mark, which);
                let moved = former != Some(which);
                prop_assert_eq!(put.moved.len(), usize::from(moved));
            }
        }
        Ok(())
    }

    async fn delete_manifest(&mut self, repository: usize, which: usize) -> Result<(), TestCaseError> {
        let (id, clock) = (self.repositories[repository].id, self.model.clock);
        let due = at(clock + GRACE);
        let answer = self.catalog.delete_manifest(id, &self.manifest_digest(which), None, due, NOW).await;
        let stock = &mut self.model.stocks[repository];
        if stock.manifests.remove(&which) {
            let before = stock.tags.len();
            stock.tags.retain(|_, named| *named != which);
            let condemned: Vec<_> = needs(which).filter(|blob| !stock.needs(*blob)).collect();
            for blob in &condemned {
                stock.blobs.insert(*blob, clock + GRACE);
            }
            let answer = answer.unwrap();
            prop_assert_eq!(answer.tags.len(), before - stock.tags.len());
            prop_assert_eq!(answer.condemned.len(), condemned.len());
        } else {
            prop_assert!(matches!(answer, Err(Error::NotFound(_))));
        }
        Ok(())
    }

    async fn delete_repository(&mut self, repository: usize) -> Result<(), TestCaseError> {
        let old = self.repositories[repository].clone();
        let mut freed = self.catalog.delete_repository(old.id, NOW).await.unwrap();
        freed.sort_unstable_by(|left, right| left.key.cmp(&right.key));
        let stock = std::mem::take(&mut self.model.stocks[repository]);
        self.model.uploads.retain(|one| one.1 != repository);
        let lost = stock.blobs.keys().filter(|blob| !self.model.known(**blob));
        let mut expected: Vec<_> = lost.map(|blob| self.object(*blob)).collect();
        expected.sort_unstable_by(|left, right| left.key.cmp(&right.key));
        prop_assert_eq!(freed, expected);
        self.repositories[repository] = self.catalog.ensure_repository(&old.name, NOW).await.unwrap();
        Ok(())
    }

    async fn compare(&self) -> Result<(), TestCaseError> {
        for (index, owner) in self.owners.iter().enumerate() {
            let expected = (self.model.used(index), self.model.reserved(index));
            prop_assert_eq!(usage(&self.catalog, owner).await, expected);
        }
        for (repository, stock) in self.repositories.iter().zip(&self.model.stocks) {
            let stored = self.catalog.repository(&repository.name).await.unwrap().unwrap();
            let blobs: u64 = stock.blobs.keys().map(|blob| size(*blob)).sum();
            prop_assert_eq!(stored.bytes, blobs + stock.manifests.len() as u64);
            for which in 0..5 {
                let found =
                    self.catalog.blob_in(&repository.name, &digest(&self.content(which))).await.unwrap();
                prop_assert_eq!(found.is_some(), stock.blobs.contains_key(&which));
                if let Some(found) = found {
                    let due = stock.blobs.get(&which).filter(|_| !stock.needs(which));
                    prop_assert_eq!(found.due_at, due.map(|due| at(*due)), "when {} may go", which);
                }
            }
            let tags = self.catalog.tags(repository.id, None, 9).await.unwrap();
            let named: Vec<_> = tags.iter().map(|one| one.digest).collect();
            let expected: Vec<_> = stock.tags.values().map(|one| self.manifest_digest(*one)).collect();
            prop_assert_eq!(named, expected);
        }
        for which in 0..5 {
            let found = self.catalog.blob(&digest(&self.content(which))).await.unwrap();
            prop_assert_eq!(found.is_some(), self.model.known(which));
        }
        Ok(())
    }
}

pub async fn any_history_agrees_with_the_model(place: &Place) {
    let catalog = place.open().await.unwrap();
    let runtime = tokio::runtime::Handle::current();
    let checked = tokio::task::spawn_blocking(move || {
        let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
        TestRunner::new(config).run(&prop::collection::vec(act(), 1..60), |acts| {
            runtime.block_on(async {
                let mut world = World::new(catalog.clone()).await;
                for act in &acts {
                    world.act(act).await?;
                }
                world.compare().await
            })
        })
    });
    if let Err(found) = checked.await.unwrap() {
        panic!("{found}");
    }
}
