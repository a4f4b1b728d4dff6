//! Makes a backup.
//!
//! Order: the lock, a snapshot of the catalog into scratch files, the blobs that are not there yet, the parts, the manifest.
//! A stop before the manifest leaves blobs and parts that the next backup finds and does not copy again.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use railhead_blobs::{Error as StoreError, ObjectKey, Store};
use railhead_catalog::Catalog;
use serde::Serialize;
use tokio::task::JoinHandle;

use crate::format::{
    Absence, Counts, FORMAT, MissingBlob, PartKind, Seal, Snapshot, Source, base_of, blob_file, blob_place,
    part_file,
};
use crate::lock::{Lock, Purpose, Times};
use crate::scratch::{FilePieces, Scratch};
use crate::seal::{Recipient, sealed_size};
use crate::sign::SigningKey;
use crate::spool::{Spooled, Work, spool};
use crate::vault::Vault;
use crate::{Error, Result};

/// How long objects stay behind a backup that was killed.
const HOLD: Duration = Duration::from_hours(1);
/// How often that is renewed: a clock that leaps ahead ends it early, but not for longer than this.
const RENEW: Duration = Duration::from_mins(1);

/// How a backup is made.
pub struct Plan<'a> {
    /// Where it goes.
    pub vault: &'a Vault,
    /// What is backed up, for people.
    pub source: Source,
    /// A directory for scratch files; they may hold hashes of passwords.
    pub scratch: &'a Path,
    /// For whom it is sealed; nobody is in the clear.
    pub recipients: Vec<Recipient>,
    /// What signs it.
    pub sign: Option<&'a SigningKey>,
    /// Blobs on their way at the same time.
    pub parallel: usize,
    /// How locks behave.
    pub times: Times,
    /// What time it is, by a clock that may be wrong: it says when the backup was begun, and orders nothing.
    pub now: &'a (dyn Fn() -> Timestamp + Sync),
    /// Is told how far it got.
    pub watch: &'a (dyn Fn(&Progress) + Sync),
}

/// When a backup was begun.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun {
    time: Timestamp,
    moment: Instant,
}

impl Begun {
    /// Before the first look at what is backed up: what came later is not surely in it.
    pub(crate) fn now(plan: &Plan<'_>) -> Self {
        Self { time: (plan.now)(), moment: Instant::now() }
    }
}

/// How far something got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Blobs that were looked at.
    pub blobs: u64,
    /// Blobs there are.
    pub of: u64,
    /// Bytes that were moved.
    pub bytes: u64,
}

/// What a backup came to.
#[derive(Clone, Debug, Serialize)]
pub struct Made {
    /// Its name.
    pub id: String,
    /// When it was begun.
    pub time: Timestamp,
    /// How much it is.
    pub counts: Counts,
    /// Blobs that were not there yet.
    pub copied_blobs: u64,
    /// Their bytes.
    pub copied_bytes: u64,
    /// Bytes of the new parts: accounts, repositories, lists.
    pub part_bytes: u64,
    /// Whether it is sealed.
    pub sealed: bool,
    /// Whether it is signed.
    pub signed: bool,
    /// Blobs that it names and does not have.
    pub missing: Vec<MissingBlob>,
    /// How long it took.
    pub millis: u64,
}

impl Made {
    /// Whether something in it was damaged before it was backed up.
    pub fn has_damage(&self) -> bool {
        self.missing.iter().any(|blob| matches!(blob.why, Absence::Damaged { .. }))
    }
}

/// Where the bytes of blobs are.
pub(crate) trait Origin: Sync {
    /// Copies a blob to `file`; why not, when it is not to be had.
    fn copy(
        &self,
        vault: &Vault,
        file: &str,
        recipients: &[Recipient],
        work: &Work,
    ) -> impl Future<Output = Result<Option<Absence>>> + Send;
}

/// A catalog and its store.
struct Data<'a> {
    catalog: &'a Catalog,
    store: &'a Store,
}

/// Backs up a catalog and its store, which may be served meanwhile.
pub async fn backup(plan: &Plan<'_>, catalog: &Catalog, store: &Store) -> Result<Made> {
    let begun = Begun::now(plan);
    let lock = Lock::take(plan.vault, Purpose::Backup, plan.times).await?;
    let made = async {
        Scratch::clear(plan.scratch);
        let scratch = Scratch::new(plan.scratch)?;
        // Before the snapshot: whatever that names stays until the backup has it.
        let hold = Holding::take(catalog).await?;
        let made = async {
            let spooled = spool(catalog, &scratch).await?;
            write(plan, &lock, &spooled, &Data { catalog, store }, begun).await
        };
        let made = made.await;
        hold.release().await;
        made
    };
    let made = made.await;
    lock.release().await;
    made
}

/// Keeps the objects in the store as long as a backup reads them. One that is not released ends by itself.
struct Holding {
    catalog: Catalog,
    name: String,
    renewing: JoinHandle<()>,
}

impl Holding {
    async fn take(catalog: &Catalog) -> Result<Self> {
        let name = format!("backup-{}", crate::random_hex()?);
        catalog.hold(&name, held_until()).await?;
        let (renewed, renewed_name) = (catalog.clone(), name.clone());
        let renewing = tokio::spawn(async move {
            loop {
                tokio::time::sleep(RENEW).await;
                if let Err(error) = renewed.hold(&renewed_name, held_until()).await {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the hold on the registry's objects could not be renewed"
                    );
                }
            }
        });
        Ok(Self { catalog: catalog.clone(), name, renewing })
    }

    async fn release(self) {
        self.renewing.abort();
        if let Err(error) = self.catalog.release(&self.name).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the hold on the registry's objects could not be released; it ends by itself"
            );
        }
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

fn held_until() -> railhead_catalog::Timestamp {
    railhead_catalog::Timestamp::now().plus_millis(HOLD.as_millis() as i64)
}

/// Writes what was spooled: blobs, parts, manifest.
pub(crate) async fn write(
    plan: &Plan<'_>,
    lock: &Lock,
    spooled: &Spooled,
    origin: &impl Origin,
    begun: Begun,
) -> Result<Made> {
    let vault = plan.vault;
    let time = begun.time;
    let number = match vault.ids().await?.last() {
        Some(last) => last.split('-').next().and_then(|number| number.parse().ok()).unwrap_or(0) + 1,
        None => 1_u64,
    };
    let sealed = (!plan.recipients.is_empty()).then(|| Seal::of(&plan.recipients));
    let copied = copy_blobs(plan, sealed.as_ref(), spooled, origin).await?;
    let part_bytes = write_parts(plan, sealed.as_ref(), spooled).await?;
    let snapshot = Snapshot {
        format: FORMAT,
        id: Snapshot::id_of(number, time),
        number,
        time,
        railhead: env!("CARGO_PKG_VERSION").to_owned(),
        source: plan.source.clone(),
        sealed,
        parts: spooled.parts.iter().map(|(part, _)| part.clone()).collect(),
        counts: spooled.counts,
        missing: copied.missing,
    };
    lock.check()?;
    let bytes = serde_json::to_vec_pretty(&snapshot)
        .map_err(|error| Error::Target { act: "write the manifest".to_owned(), source: error.into() })?;
    if let Some(key) = plan.sign {
        let signature = serde_json::to_vec(&key.sign(&bytes))
            .map_err(|error| Error::Target { act: "write the signature".to_owned(), source: error.into() })?;
        vault.write_small(&Snapshot::signature_file(&snapshot.id), signature).await?;
    }
    vault.write_small(&Snapshot::file(&snapshot.id), bytes).await?;
    Ok(Made {
        id: snapshot.id,
        time,
        counts: snapshot.counts,
        copied_blobs: copied.blobs,
        copied_bytes: copied.bytes,
        part_bytes,
        sealed: snapshot.sealed.is_some(),
        signed: plan.sign.is_some(),
        missing: snapshot.missing,
        millis: begun.moment.elapsed().as_millis() as u64,
    })
}

#[derive(Default)]
struct Copied {
    blobs: u64,
    bytes: u64,
    missing: Vec<MissingBlob>,
}

/// Copies the blobs that are not there yet.
async fn copy_blobs(
    plan: &Plan<'_>,
    sealed: Option<&Seal>,
    spooled: &Spooled,
    origin: &impl Origin,
) -> Result<Copied> {
    let base = base_of(sealed);
    let recipients = sealed.map_or(0, |seal| seal.recipients.len());
    let mut copied = Copied::default();
    let mut progress = Progress { of: spooled.counts.blobs, ..Progress::default() };
    let mut shards = spooled.shards()?;
    loop {
        let shard = shards.next_shard()?;
        let Some(first) = shard.first() else { return Ok(copied) };
        let (directory, _) = blob_place(&base, &first.digest);
        let there: HashMap<String, u64> = plan
            .vault
            .target
            .list(&directory)
            .await?
            .into_iter()
            .map(|item| (item.name, item.size))
            .collect();
        let is_there = |work: &Work| {
            let size = if recipients == 0 { work.size } else { sealed_size(work.size, recipients) };
            there.get(&blob_place(&base, &work.digest).1) == Some(&size)
        };
        progress.blobs += shard.iter().filter(|work| is_there(work)).count() as u64;
        let todo = shard.into_iter().filter(|work| !is_there(work)).map(|work| {
            let file = blob_file(&base, &work.digest);
            async move {
                let absence = origin.copy(plan.vault, &file, &plan.recipients, &work).await?;
                Ok::<_, Error>((work, absence))
            }
        });
        let mut running = stream::iter(todo).buffer_unordered(plan.parallel.max(1));
        while let Some((Work { digest, size, .. }, absence)) = running.try_next().await? {
            progress.blobs += 1;
            match absence {
                None => {
                    copied.blobs += 1;
                    copied.bytes += size;
                    progress.bytes += size;
                }
                Some(why) => copied.missing.push(MissingBlob { digest, size, why }),
            }
            (plan.watch)(&progress);
        }
        (plan.watch)(&progress);
    }
}

async fn write_parts(plan: &Plan<'_>, sealed: Option<&Seal>, spooled: &Spooled) -> Result<u64> {
    let mut bytes = 0;
    for (part, path) in &spooled.parts {
        let seal = if part.kind == PartKind::Blobs { None } else { sealed };
        let file = part_file(seal, &part.digest);
        let size = seal.map_or(part.size, |seal| sealed_size(part.size, seal.recipients.len()));
        if plan.vault.target.size(&file).await? == Some(size) {
            continue;
        }
        let recipients = if seal.is_some() { plan.recipients.as_slice() } else { &[] };
        let mut content = FilePieces::open(path).await?;
        plan.vault.write(&file, recipients, &mut content, Some(&part.digest)).await?;
        bytes += part.size;
    }
    Ok(bytes)
}

impl Origin for Data<'_> {
    async fn copy(
        &self,
        vault: &Vault,
        file: &str,
        recipients: &[Recipient],
        work: &Work,
    ) -> Result<Option<Absence>> {
        let mut key = work.key.clone();
        loop {
            let Some(what) = self.try_copy(vault, file, recipients, work, &key).await? else {
                return Ok(None);
            };
            // It may have been deleted meanwhile, or pushed again and so be bound to another object.
            match self.catalog.blob(&work.digest).await? {
                None => return Ok(Some(Absence::Deleted)),
                Some(blob) if blob.key != key => key = blob.key,
                Some(_) => return Ok(Some(Absence::Damaged { what })),
            }
        }
    }
}

impl Data<'_> {
    /// What is wrong with the object, if something is.
    async fn try_copy(
        &self,
        vault: &Vault,
        file: &str,
        recipients: &[Recipient],
        work: &Work,
        key: &str,
    ) -> Result<Option<String>> {
        let Ok(key) = key.parse::<ObjectKey>() else {
            return Ok(Some("the catalog has no key for it".to_owned()));
        };
        let read = self.store.read(&key, 0..work.size, work.size).await;
        let copied = match read {
            Ok(mut reader) => vault.write(file, recipients, &mut reader, Some(&work.digest)).await.map(drop),
            Err(error) => Err(error.into()),
        };
        match copied {
            Ok(()) => Ok(None),
            Err(Error::Source { what, .. }) => Ok(Some(what)),
            Err(Error::Store(error @ (StoreError::Missing { .. } | StoreError::WrongSize { .. }))) => {
                Ok(Some(error.to_string()))
            }
            Err(Error::Store(StoreError::Io { act, source })) => Ok(Some(format!("cannot {act}: {source}"))),
            Err(error) => Err(error),
        }
    }
}
