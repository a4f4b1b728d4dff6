//! Makes a new catalog for a store whose catalog is lost, from a backup of any age.
//!
//! The store has content without names, and the backup names without the newest content. So what the backup names is bound to
//! the object that the store has, or else copied from the backup. What neither has is noted as damaged, so that a push or a
//! source of the scrub brings it. What the store has beyond that is kept for a while in a repository of its own, as nobody can
//! say any more whose it is.
//!
//! Order as for a restore, with a look through the store before it and the keeping of the rest behind it. A stop at any moment
//! leaves a catalog that nobody serves and that the same rebuild goes on with. Nothing is removed from the store.

use std::time::Instant;

use railhead_blobs::{ObjectKey, Store};
use railhead_catalog::{BlobLink, Catalog, RepositoryBatch, RepositoryRecord, Timestamp, Visibility};
use railhead_oci::{Digest, RepositoryName};
use serde::Serialize;

use super::objects::fresh_id;
use super::remains::{Present, Remains};
use super::strangers::{Looks, LostImage, look};
use super::{Restore, Restored, Run, begin};
use crate::format::Source;
use crate::verify::read_lock;
use crate::{Error, Result};

/// Links that are written in one transaction.
const BATCH: usize = 500;
/// The owner of what nobody knows; an organisation without members, so administrators alone see it.
const FOUND_OWNER: &str = "lost-and-found";
/// Where its content is.
pub(super) const FOUND: &str = "lost-and-found/objects";
/// How long it is kept, in days.
const KEPT_DAYS: i64 = 90;
/// The same in milliseconds.
pub(super) const KEPT: i64 = KEPT_DAYS * 24 * 3600 * 1000;
/// Lost images that are told of; the newest.
const TOLD: usize = 100;

/// What a rebuild came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Rebuilt {
    /// What was made of the backup. Its blobs are those that were copied from there.
    pub restored: Restored,
    /// Objects that the store has.
    pub objects: u64,
    /// Of these, what the backup names.
    pub bound: u64,
    /// Their bytes.
    pub bound_bytes: u64,
    /// Blobs that neither the store nor the backup has whole. What needs them is there; they are refused until somebody brings
    /// them.
    pub damaged: Vec<Quarantined>,
    /// Content that nobody knows.
    pub found: Found,
    /// Objects that are not what their names say, or cannot be read.
    pub wrong: Vec<String>,
    /// What neither the store nor the backup can tell.
    pub unknown: Vec<String>,
}

/// A blob that is noted as damaged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quarantined {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes, as it should be.
    pub size: u64,
    /// What the store has instead.
    pub found: String,
    /// Why the backup does not have it.
    pub why: String,
}

/// Content that nobody knows: it is kept for 90 days.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Found {
    /// How many objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those that the store wrote since the backup was begun. The others were waiting for collection, or uploaded and never
    /// used, or deleted.
    pub newer: u64,
    /// Those that look like configurations of images.
    pub configurations: u64,
    /// Those that look like layers.
    pub layers: u64,
    /// The repository that has all of them, when there are any.
    pub kept_in: Option<RepositoryName>,
    /// What the configurations tell, the newest first: up to a hundred.
    pub images: Vec<LostImage>,
}

/// A rebuild under way.
pub(super) struct Rebuilding {
    remains: Remains,
    /// Blobs that are not to be had, and why not from the backup: to be noted as damaged.
    pub(super) absent: Vec<(Digest, u64, String)>,
    rebuilt: Rebuilt,
}

/// Rebuilds the catalog of `store` into the empty `catalog`. With `trust_names` an object whose name tells its digest is not
/// hashed; the scrub does that later. All of the backup is taken, whatever [`Restore::only`] says.
pub async fn rebuild(
    restore: &Restore<'_>,
    catalog: &Catalog,
    store: &Store,
    trust_names: bool,
) -> Result<Rebuilt> {
    let from = Instant::now();
    let lock = read_lock(restore.vault, false, restore.times).await?;
    let rebuilt = run(restore, catalog, store, trust_names).await;
    if let Some(lock) = lock {
        lock.release().await;
    }
    let mut rebuilt = rebuilt?;
    rebuilt.restored.millis = u64::try_from(from.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(rebuilt)
}

async fn run(restore: &Restore<'_>, catalog: &Catalog, store: &Store, trust_names: bool) -> Result<Rebuilt> {
    let resumed = begin(restore, catalog, "the catalog from ").await?;
    let mut run = Run::new(restore, catalog, store, resumed)?;
    let mut remains = Remains::of(store, trust_names, restore.watch).await?;
    let wrong = std::mem::take(&mut remains.wrong);
    let rebuilt = Rebuilt { objects: remains.objects, wrong, ..Rebuilt::default() };
    run.rebuilding = Some(Rebuilding { remains, absent: Vec::new(), rebuilt });
    run.restore().await?;
    run.keep_the_rest().await?;
    catalog.end_restore().await?;
    let mut rebuilt = run.rebuilding.map(|rebuilding| rebuilding.rebuilt).unwrap_or_default();
    rebuilt.unknown = unknown(restore, &rebuilt);
    rebuilt.restored = run.restored;
    Ok(rebuilt)
}

impl Run<'_> {
    /// The object that the store has of a blob.
    pub(super) fn take_present(&mut self, digest: &Digest, size: u64) -> Option<ObjectKey> {
        let Rebuilding { remains, rebuilt, .. } = self.rebuilding.as_mut()?;
        let present = remains.take(digest, size)?;
        rebuilt.bound += 1;
        rebuilt.bound_bytes += size;
        Some(present.key)
    }

    /// Notes blobs that are not to be had as damaged. What the store has instead stays where it is.
    pub(super) async fn quarantine(&mut self) -> Result<()> {
        let Some(Rebuilding { remains, absent, rebuilt }) = &mut self.rebuilding else { return Ok(()) };
        let now = Timestamp::now();
        for (digest, size, why) in absent.drain(..) {
            let (key, found) = match remains.take_suspect(&digest) {
                Some((present, found)) => (present.key, found),
                None => (self.store.key_of(&fresh_id()?, &digest), "missing".to_owned()),
            };
            let key = key.to_string();
            self.catalog.restore_objects(vec![(digest, size, key.clone())], now).await?;
            self.catalog.mark_damaged(&digest, &key, &found, now).await?;
            rebuilt.damaged.push(Quarantined { digest, size, found, why });
        }
        Ok(())
    }

    /// What nobody knows is given a place, so that no sweep removes it and an administrator can get at it; collection takes
    /// it when its time is over.
    async fn keep_the_rest(&mut self) -> Result<()> {
        let Some(rebuilding) = &mut self.rebuilding else { return Ok(()) };
        let mut kept = Vec::new();
        for (digest, present, damage) in rebuilding.remains.rest() {
            // The backup knows it, and another object has it.
            if self.catalog.blob(&digest).await?.is_none() {
                kept.push((digest, present, damage));
            }
        }
        if kept.is_empty() {
            return Ok(());
        }
        let found = tell(self.store, &kept, self.restore.snapshot.time).await?;
        let owner = self.ensure_owner(FOUND_OWNER).await?;
        let name: RepositoryName =
            FOUND.parse().map_err(|_| Error::NotThere(format!("valid name '{FOUND}'")))?;
        for part in kept.chunks(BATCH) {
            self.keep(&name, part).await?;
        }
        self.catalog.restore_usage(owner).await?;
        if let Some(rebuilding) = &mut self.rebuilding {
            rebuilding.rebuilt.found = Found { kept_in: Some(name), ..found };
        }
        Ok(())
    }

    async fn keep(&self, name: &RepositoryName, part: &[(Digest, Present, Option<String>)]) -> Result<()> {
        let now = Timestamp::now();
        let objects =
            part.iter().map(|(digest, present, _)| (*digest, present.size, present.key.to_string()));
        self.catalog.restore_objects(objects.collect(), now).await?;
        for (digest, present, damage) in part {
            if let Some(found) = damage {
                self.catalog.mark_damaged(digest, &present.key.to_string(), found, now).await?;
            }
        }
        let record = RepositoryRecord {
            name: name.clone(),
            visibility: Visibility::Private,
            created_at: now,
            follows_forge: false,
        };
        let mut batch = RepositoryBatch::empty(record, false);
        batch.blobs.extend(part.iter().map(|(digest, present, _)| BlobLink {
            digest: *digest,
            size: present.size,
            linked_at: now,
        }));
        Ok(self.catalog.restore_content(batch, now.plus_millis(KEPT)).await?)
    }
}

/// What there is to tell of content that nobody knows.
async fn tell(
    store: &Store,
    kept: &[(Digest, Present, Option<String>)],
    since: jiff::Timestamp,
) -> Result<Found> {
    // A bucket tells whole seconds.
    let since = since.as_second();
    let mut found = Found::default();
    for (digest, present, damage) in kept {
        found.objects += 1;
        found.bytes += present.size;
        let written = jiff::Timestamp::try_from(present.written).unwrap_or_default();
        found.newer += u64::from(written.as_second() >= since);
        if damage.is_some() {
            continue;
        }
        let (looks, image) = look(store, digest, present).await?;
        found.configurations += u64::from(looks == Looks::Configuration);
        found.layers += u64::from(looks == Looks::Layer);
        found.images.extend(image);
    }
    found.images.sort_by_key(|image| std::cmp::Reverse((image.written, image.digest)));
    found.images.truncate(TOLD);
    Ok(found)
}

/// What can be known of after the backup, and what cannot.
fn unknown(restore: &Restore<'_>, rebuilt: &Rebuilt) -> Vec<String> {
    let time = restore.snapshot.time;
    let when = time.round(jiff::Unit::Second).unwrap_or(time);
    let mut unknown = vec![
        format!(
            "images pushed since {when}: their layers may be in the store, but their manifests and tags are lost; push them again"
        ),
        format!("tags moved or deleted since {when}: they name what they named then"),
        format!("images, repositories and accounts deleted since {when}: they are there again"),
        format!(
            "accounts, tokens, roles, passwords, quotas and visibility changed since {when}: they are as they were then, and a token revoked since is good again"
        ),
        format!("what was done since {when}: it is not in the audit"),
        "uploads that were under way: clients begin again".to_owned(),
    ];
    if matches!(restore.snapshot.source, Source::Registry { .. }) {
        unknown.push("accounts: the backup was taken over the API of a registry and has none".to_owned());
    }
    if rebuilt.found.objects > 0 {
        unknown.push(format!(
            "whose the {} objects in {FOUND} are: they go in {KEPT_DAYS} days",
            rebuilt.found.objects
        ));
    }
    unknown
}
