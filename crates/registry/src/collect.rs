//! Collection, one step at a time; who calls it how often is `upkeep`'s business.
//!
//! Order: links whose time has come are taken out of the catalog ([`Registry::collect_links`]), and with its last link
//! a blob; then objects that the catalog has forgotten are removed from the store
//! ([`Registry::remove_forgotten_objects`]), unless somebody holds them.
//!
//! The promise: who was told that a repository has a blob finds it there for at least [`Settings::lease`] from then on,
//! unless somebody deletes it by name. For a blob that no manifest needs, the promise is the link's time, which is
//! moved when less than a lease is left of it; to two leases, so that this is seldom. For a blob that a manifest needs
//! nothing is written: should the manifest be deleted, its blobs stay for [`Settings::grace`], which is never less than a
//! lease.
//!
//! [`Settings::lease`]: crate::Settings::lease
//! [`Settings::grace`]: crate::Settings::grace

use std::collections::BTreeMap;
use std::time::Duration;

use railhead_blobs::ObjectKey;
use railhead_catalog::{ForgottenObject, RepositoryId, Timestamp};
use railhead_oci::{Digest, RepositoryName};

use crate::remembered::BlobPlace;
use crate::{Registry, Result};

/// Links that are looked for in one step.
const LINKS: u32 = 1000;
/// Links of one repository that are taken in one transaction, for which pushes of the same owner wait.
const TOGETHER: usize = 100;
/// Objects that are removed in one step.
const OBJECTS: u32 = 100;

/// What a step has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// How many, of links taken or objects removed.
    pub count: u64,
    /// The bytes of objects removed.
    pub bytes: u64,
    /// How many objects could not be removed; they are tried again.
    pub failed: u64,
    /// Whether another step would find more to do now.
    pub more: bool,
}

impl Registry {
    /// Takes links whose time has come, up to a thousand.
    pub async fn collect_links(&self, now: Timestamp) -> Result<Step> {
        let links = self.0.catalog.due_links(now, LINKS).await?;
        let full = links.len() == LINKS as usize;
        let mut step = Step::default();
        let mut looked_at = false;
        let mut by_repository: BTreeMap<RepositoryId, (RepositoryName, Vec<Digest>)> = BTreeMap::new();
        for link in links {
            let (_, digests) = by_repository.entry(link.repository).or_insert((link.name, Vec::new()));
            digests.push(link.digest);
        }
        for (repository, (name, digests)) in by_repository {
            for together in digests.chunks(TOGETHER) {
                let taken = self.0.catalog.collect_links(repository, together.to_vec(), now).await?;
                self.forget_links(&name, &taken.removed);
                looked_at |= !taken.busy;
                step.count += taken.removed.len() as u64;
            }
        }
        // When other replicas are at all of it, they do it.
        step.more = full && looked_at;
        Ok(step)
    }

    /// Removes objects that the catalog has forgotten, up to a hundred. While somebody holds objects, none.
    pub async fn remove_forgotten_objects(&self, now: Timestamp) -> Result<Step> {
        if self.0.catalog.is_held(now).await? {
            return Ok(Step::default());
        }
        let objects = self.0.catalog.forgotten_objects(now, OBJECTS).await?;
        // Once more, now that all of them are surely forgotten: a reader who took a hold in between may know them.
        if objects.is_empty() || self.0.catalog.is_held(now).await? {
            return Ok(Step::default());
        }
        let mut step = self.remove_objects(&objects).await?;
        step.more = objects.len() == OBJECTS as usize;
        Ok(step)
    }

    /// Removes objects that the catalog has just forgotten, so that the room is free at once. What cannot be removed
    /// now, as it failed or is held, collection comes back to.
    pub(crate) async fn remove_now(&self, objects: &[ForgottenObject], now: Timestamp) {
        if objects.is_empty() {
            return;
        }
        let removed = match self.0.catalog.is_held(now).await {
            Ok(true) => return,
            Ok(false) => self.remove_objects(objects).await.map(drop),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = removed {
            tracing::warn!(
                %error,
                "objects that are no longer needed could not be removed, or not be struck out; collection tries again"
            );
        }
    }

    async fn remove_objects(&self, objects: &[ForgottenObject]) -> Result<Step> {
        let (mut step, mut gone) = (Step::default(), Vec::with_capacity(objects.len()));
        for object in objects {
            let removed = match object.key.parse::<ObjectKey>() {
                Ok(key) => self.0.store.remove(&key).await.map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            match removed {
                Ok(()) => {
                    step.count += 1;
                    step.bytes += object.size;
                    gone.push(object.key.clone());
                }
                Err(error) => {
                    step.failed += 1;
                    tracing::warn!(
                        key = object.key,
                        error,
                        "an object that is no longer needed could not be removed; it is tried again"
                    );
                }
            }
        }
        if !gone.is_empty() {
            self.0.catalog.strike_objects(gone).await?;
        }
        Ok(step)
    }

    /// Forgets what was remembered of a repository's links that are gone, or whose time has changed.
    pub(crate) fn forget_links(&self, name: &RepositoryName, digests: &[Digest]) {
        if digests.is_empty() {
            return;
        }
        self.0.remembered.changed(name);
        for digest in digests {
            self.0.remembered.forget_blob(name, digest);
        }
    }

    /// Until when a link stays that somebody is told of now.
    pub(crate) fn leased_until(&self, now: Timestamp) -> Timestamp {
        now.plus_millis(millis(self.0.settings.lease).saturating_mul(2))
    }

    /// Until when a blob stays whose last manifest is deleted now.
    pub(crate) fn condemned_until(&self, now: Timestamp) -> Timestamp {
        now.plus_millis(millis(self.0.settings.grace.max(self.0.settings.lease)))
    }

    /// Whether saying that the blob is there would promise more than its link keeps.
    pub(crate) fn is_ending(&self, place: &BlobPlace, now: Timestamp) -> bool {
        place.due_at.is_some_and(|due| due < now.plus_millis(millis(self.0.settings.lease)))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
