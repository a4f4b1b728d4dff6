//! What a registry does: pull, push, mount, delete, referrers. No HTTP, and no question of who may.
//!
//! [`Registry`] is the one door. It joins the catalog, which decides what exists, with the store, which has the
//! bytes, and remembers hot answers as long as nobody else can change them.
//!
//! Order of a push: [`Registry::begin_upload`] → [`Registry::open_upload`] → [`UploadSession::write`]… →
//! [`UploadSession::finish`] for each blob, then [`Registry::put_manifest`].
//!
//! Invariants:
//! - Bytes are hashed once, on their way to their final object; they are never moved, and read again for a push only when
//!   the client names another algorithm than sha256 as late as at its end.
//! - An object is in the store, synced, before the catalog names it, and the catalog forgets it before it is removed.
//!   What a kill leaves between the two is an object that the catalog does not know, never the other way round.
//! - Who is told that a repository has a blob finds it there for a lease from then on (`collect`).
//! - What is remembered is forgotten before the change that outdates it is answered.

mod blobs;
mod collect;
mod damage;
mod error;
mod leftovers;
mod lists;
mod manifests;
mod remembered;
mod repositories;
mod sessions;
mod trash;
mod uploads;
mod verified;

use std::sync::Arc;
use std::time::Duration;

use railhead_blobs::Store;
use railhead_catalog::{Catalog, Limit};
use railhead_oci::{RepositoryName, Tag};

pub use blobs::{Blob, BlobBody};
pub use collect::Step;
pub use error::{Error, Result};
pub use lists::{ReferrerPage, RepositoryPage, TagPage};
pub use manifests::{Manifest, PutManifest, Stored};
pub use uploads::{UploadSession, UploadStatus};

use remembered::Remembered;
use sessions::Sessions;

/// Decides whether a tag of a repository must not move once it exists.
pub type FrozenTag = dyn Fn(&RepositoryName, &Tag) -> bool + Send + Sync;

/// How a registry behaves.
#[derive(Clone)]
pub struct Settings {
    /// Bytes that an owner without a quota of its own may have.
    pub quota: Limit,
    /// Largest blob, in bytes, for an owner without a limit of its own.
    pub layer_limit: Limit,
    /// Largest manifest, in bytes.
    pub manifest_max: usize,
    /// Whether a manifest may refer to blobs and manifests that the repository does not have.
    pub sparse: bool,
    /// Whether every full read of a blob is hashed again, and cut before its end when it is not what it should be.
    pub verify_reads: bool,
    /// Bytes of manifests to remember.
    pub remember_bytes: u64,
    /// How long a blob stays, at least, after somebody was told that it is there.
    pub lease: Duration,
    /// How long a blob stays after its last manifest was deleted; a lease, if that is longer.
    pub grace: Duration,
    /// Whether the visibility of a new repository follows a forge until somebody sets it.
    pub follows_forge: bool,
    /// Tags that must not be overwritten.
    pub frozen: Arc<FrozenTag>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            quota: Limit::None,
            layer_limit: Limit::None,
            manifest_max: 8 << 20,
            sparse: false,
            verify_reads: false,
            remember_bytes: 8 << 20,
            lease: Duration::from_hours(2),
            grace: Duration::from_hours(2),
            follows_forge: false,
            frozen: Arc::new(|_, _| false),
        }
    }
}

/// A registry. Cloning is cheap and gives the same registry.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    catalog: Catalog,
    store: Store,
    settings: Settings,
    remembered: Remembered,
    sessions: Sessions,
}

impl Registry {
    /// A registry on this catalog and this store.
    pub fn new(catalog: Catalog, store: Store, settings: Settings) -> Self {
        let remembered = Remembered::new(settings.remember_bytes, catalog.is_exclusive());
        Self(Arc::new(Inner { catalog, store, settings, remembered, sessions: Sessions::default() }))
    }

    /// The catalog it works on.
    pub fn catalog(&self) -> &Catalog {
        &self.0.catalog
    }

    /// The store it works on.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// How it behaves.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }
}
