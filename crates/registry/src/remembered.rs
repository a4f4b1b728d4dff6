//! Hot answers, kept in memory within a bound.
//!
//! Only a process that is the catalog's only writer may remember, so with a shared catalog nothing is kept.
//!
//! Invariant: nothing outdated is ever served after the change was answered. A reader that looked something up
//! notes the [`Epoch`] before it asks the catalog and keeps the answer only when no change of that repository came
//! in between; it looks once more after keeping, so that a change which came just then wins.

use std::hash::{BuildHasher, Hash};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, Equivalent, Weighter};
use railhead_blobs::ObjectKey;
use railhead_catalog::{Repository, Timestamp};
use railhead_oci::{Digest, Reference, RepositoryName};

use crate::{Manifest, TagPage};

/// Changes are counted in so many groups of repositories.
const GROUPS: usize = 64;
/// Blobs whose key and size are remembered.
const BLOBS_MAX: usize = 8192;
/// Pages of tags that are remembered.
const TAG_PAGES_MAX: usize = 128;
/// Most tags of a page that is remembered.
const TAG_PAGE_LONGEST: u32 = 200;
/// Repositories whose id is remembered.
const REPOSITORIES_MAX: usize = 1024;

/// Where a blob's bytes are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlobPlace {
    pub(crate) key: ObjectKey,
    pub(crate) size: u64,
    /// Until when the repository surely has it, while no manifest needs it.
    pub(crate) due_at: Option<Timestamp>,
}

/// The state of a group of repositories at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Epoch {
    group: usize,
    count: u64,
}

/// A key that is looked up without being built.
#[derive(Hash)]
struct Pair<'a, T>(&'a RepositoryName, &'a T);

impl<T: Eq> Equivalent<(RepositoryName, T)> for Pair<'_, T> {
    fn equivalent(&self, key: &(RepositoryName, T)) -> bool {
        *self.0 == key.0 && *self.1 == key.1
    }
}

/// Weighs a manifest by the memory it takes.
#[derive(Clone)]
struct ManifestWeight;

impl Weighter<(RepositoryName, Reference), Arc<Manifest>> for ManifestWeight {
    fn weight(&self, _key: &(RepositoryName, Reference), manifest: &Arc<Manifest>) -> u64 {
        manifest.bytes.len() as u64 + 512
    }
}

type Manifests = Cache<(RepositoryName, Reference), Arc<Manifest>, ManifestWeight, DefaultHashBuilder>;

pub(crate) struct Remembered {
    allowed: bool,
    epochs: [AtomicU64; GROUPS],
    hasher: DefaultHashBuilder,
    manifests: Manifests,
    blobs: Cache<(RepositoryName, Digest), BlobPlace>,
    repositories: Cache<RepositoryName, Arc<Repository>>,
    tag_pages: Cache<(RepositoryName, PageKey), (Epoch, Arc<TagPage>)>,
}

/// Which page of a list: how many entries, behind which.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PageKey {
    pub(crate) limit: u32,
    pub(crate) after: Option<String>,
}

impl Remembered {
    pub(crate) fn new(manifest_bytes: u64, allowed: bool) -> Self {
        let hasher = DefaultHashBuilder::default();
        let most = usize::try_from(manifest_bytes / 2048).unwrap_or(usize::MAX).clamp(64, 1 << 20);
        Self {
            allowed,
            epochs: std::array::from_fn(|_| AtomicU64::new(0)),
            manifests: Cache::with(
                most,
                manifest_bytes,
                ManifestWeight,
                hasher.clone(),
                DefaultLifecycle::default(),
            ),
            blobs: Cache::new(BLOBS_MAX),
            repositories: Cache::new(REPOSITORIES_MAX),
            tag_pages: Cache::new(TAG_PAGES_MAX),
            hasher,
        }
    }

    pub(crate) fn epoch(&self, repository: &RepositoryName) -> Epoch {
        let group = self.group(repository);
        Epoch { group, count: self.epochs[group].load(Ordering::SeqCst) }
    }

    fn group(&self, repository: &RepositoryName) -> usize {
        self.hasher.hash_one(repository) as usize % GROUPS
    }

    fn is_now(&self, epoch: Epoch) -> bool {
        self.epochs[epoch.group].load(Ordering::SeqCst) == epoch.count
    }

    /// Says that something of the repository has changed in the catalog, before it is answered.
    pub(crate) fn changed(&self, repository: &RepositoryName) {
        self.epochs[self.group(repository)].fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Option<Arc<Manifest>> {
        self.manifests.get(&Pair(repository, reference))
    }

    pub(crate) fn keep_manifest(&self, epoch: Epoch, reference: &Reference, manifest: &Arc<Manifest>) {
        if self.allowed && self.is_now(epoch) {
            self.manifests.insert((manifest.repository.clone(), reference.clone()), manifest.clone());
            if !self.is_now(epoch) {
                self.manifests.remove(&Pair(&manifest.repository, reference));
            }
        }
    }

    /// Forgets one reference. Call [`Self::changed`] first.
    pub(crate) fn forget_manifest(&self, repository: &RepositoryName, reference: &Reference) {
        self.manifests.remove(&Pair(repository, reference));
    }

    pub(crate) fn blob(&self, repository: &RepositoryName, digest: &Digest) -> Option<BlobPlace> {
        self.blobs.get(&Pair(repository, digest))
    }

    pub(crate) fn keep_blob(
        &self,
        epoch: Epoch,
        repository: &RepositoryName,
        digest: &Digest,
        place: BlobPlace,
    ) {
        if self.allowed && self.is_now(epoch) {
            self.blobs.insert((repository.clone(), *digest), place);
            if !self.is_now(epoch) {
                self.blobs.remove(&Pair(repository, digest));
            }
        }
    }

    pub(crate) fn forget_blob(&self, repository: &RepositoryName, digest: &Digest) {
        self.blobs.remove(&Pair(repository, digest));
    }

    pub(crate) fn repository(&self, name: &RepositoryName) -> Option<Arc<Repository>> {
        self.repositories.get(name)
    }

    pub(crate) fn keep_repository(&self, epoch: Epoch, repository: &Arc<Repository>) {
        if self.allowed && self.is_now(epoch) {
            self.repositories.insert(repository.name.clone(), repository.clone());
            if !self.is_now(epoch) {
                self.repositories.remove(&repository.name);
            }
        }
    }

    /// A page of tags, if nothing of the repository has changed since it was read.
    pub(crate) fn tag_page(&self, repository: &RepositoryName, key: &PageKey) -> Option<Arc<TagPage>> {
        let (epoch, page) = self.tag_pages.get(&Pair(repository, key))?;
        self.is_now(epoch).then_some(page)
    }

    pub(crate) fn keep_tag_page(
        &self,
        epoch: Epoch,
        repository: &RepositoryName,
        key: PageKey,
        page: &Arc<TagPage>,
    ) {
        // Long pages are asked for seldom and would take the room of many short ones.
        if self.allowed && key.limit <= TAG_PAGE_LONGEST {
            self.tag_pages.insert((repository.clone(), key), (epoch, page.clone()));
        }
    }

    /// Forgets everything: a name may mean another repository now.
    pub(crate) fn forget_names(&self) {
        for epoch in &self.epochs {
            epoch.fetch_add(1, Ordering::SeqCst);
        }
        self.repositories.clear();
        self.manifests.clear();
        self.blobs.clear();
    }

    /// Forgets all of a repository, and whatever else is remembered: it happens rarely.
    pub(crate) fn forget_repository(&self, name: &RepositoryName) {
        self.changed(name);
        self.repositories.remove(name);
        self.manifests.clear();
        self.blobs.clear();
    }
}
