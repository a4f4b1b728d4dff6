//! Reads backups again, every byte, and names each file that is not what it was.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::time::Instant;

use railhead_catalog::Record;
use railhead_client::chain;
use railhead_oci::Digest;
use serde::Serialize;

use crate::format::{PartKind, Snapshot, blob_file, blob_place};
use crate::lock::{Lock, Purpose, Times};
use crate::merged::Merged;
use crate::pieces::Pieces as _;
use crate::scratch::{Lines, PartWriter, Scratch};
use crate::seal::sealed_size;
use crate::sign::VerifyingKey;
use crate::take::Progress;
use crate::vault::Vault;
use crate::{Error, Result};

/// How backups are read again.
pub struct Check<'a> {
    /// Where they are.
    pub vault: &'a Vault,
    /// Only this one.
    pub only: Option<String>,
    /// The key that has to have signed them.
    pub key: Option<&'a VerifyingKey>,
    /// A directory for scratch files: lists of blobs.
    pub scratch: &'a Path,
    /// Whether damaged blobs and parts are removed, so that the next backup writes them again.
    pub remove_damaged: bool,
    /// How locks behave.
    pub times: Times,
    /// Is told how far it got.
    pub watch: &'a (dyn Fn(&Progress) + Sync),
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verified {
    /// The backups that were looked at.
    pub backups: Vec<String>,
    /// Those without a signature.
    pub unsigned: Vec<String>,
    /// Files that were read, each once.
    pub files: u64,
    /// Their bytes, as content.
    pub bytes: u64,
    /// Files that only have the right size: they are sealed, and no identity was given.
    pub unread: u64,
    /// Blobs that backups say they do not have.
    pub absent: u64,
    /// What is wrong.
    pub damages: Vec<Damage>,
    /// How long it took.
    pub millis: u64,
}

/// A file that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// Its name at the place of the backups.
    pub file: String,
    /// How that shows.
    pub what: String,
    /// The backups that need it.
    pub backups: Vec<String>,
    /// Whether it was removed.
    pub removed: bool,
}

impl Verified {
    /// Whether every file was read and is what it was.
    pub fn is_whole(&self) -> bool {
        self.damages.is_empty() && self.unread == 0
    }
}

/// Reads backups again.
pub async fn verify(check: &Check<'_>) -> Result<Verified> {
    let from = Instant::now();
    let lock = read_lock(check.vault, check.remove_damaged, check.times).await?;
    let verified = run(check).await;
    if let Some(lock) = lock {
        lock.release().await;
    }
    let mut verified = verified?;
    verified.millis = from.elapsed().as_millis() as u64;
    Ok(verified)
}

/// The lock of one who reads; none where nothing can be written, as on a medium that is read only.
pub(crate) async fn read_lock(vault: &Vault, removes: bool, times: Times) -> Result<Option<Lock>> {
    let purpose = if removes { Purpose::Prune } else { Purpose::Read };
    match Lock::take(vault, purpose, times).await {
        Ok(lock) => Ok(Some(lock)),
        Err(error @ (Error::Target { .. } | Error::Full { .. })) if !removes => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the place of the backups takes no lock: it is read without one"
            );
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

async fn run(check: &Check<'_>) -> Result<Verified> {
    let mut verified = Verified::default();
    let scratch = Scratch::new(check.scratch)?;
    let ids = match &check.only {
        Some(only) => vec![check.vault.snapshot(Some(only), None).await?.id],
        None => check.vault.ids().await?,
    };
    if ids.is_empty() {
        return Err(Error::Nothing { place: check.vault.place() });
    }
    let mut snapshots = Vec::new();
    for id in ids {
        match manifest(check, &mut verified, &id).await {
            Ok(snapshot) => snapshots.push(snapshot),
            Err(error) => verified.damage(Snapshot::file(&id), &error, &[id.as_str()], false),
        }
        verified.backups.push(id);
    }
    let mut lists: BTreeMap<String, Vec<(usize, Lines)>> = BTreeMap::new();
    let mut seen: BTreeMap<String, Result<(), String>> = BTreeMap::new();
    for (at, snapshot) in snapshots.iter().enumerate() {
        parts(check, &mut verified, snapshot, &mut seen).await?;
        for part in snapshot.of_kind(PartKind::Blobs) {
            // A list that cannot be read was told of as a part; the repositories name the blobs as well.
            let lines = match Lines::fetch(check.vault, snapshot, part, &scratch).await {
                Ok(lines) => lines,
                Err(_) => list_again(check, snapshot, &scratch).await?,
            };
            lists.entry(snapshot.base()).or_default().push((at, lines));
        }
    }
    for (base, lists) in lists {
        blobs(check, &mut verified, &snapshots, &base, lists).await?;
    }
    Ok(verified)
}

/// Makes the list of a backup's blobs of what can be read of its repositories.
async fn list_again(check: &Check<'_>, snapshot: &Snapshot, scratch: &Scratch) -> Result<Lines> {
    let mut blobs = BTreeMap::new();
    for part in snapshot.of_kind(PartKind::Content) {
        let Ok(mut lines) = Lines::fetch(check.vault, snapshot, part, scratch).await else { continue };
        while let Ok(Some(record)) = lines.next_record() {
            if let Record::Blob(blob) = record {
                blobs.insert(blob.digest, blob.size);
            }
        }
    }
    let path = scratch.file(&format!("list-of-{}", snapshot.id));
    let mut list = PartWriter::create(path.clone(), PartKind::Blobs, None)?;
    for (digest, size) in blobs {
        list.line(format_args!("{digest} {size}"))?;
    }
    list.finish()?;
    Lines::open(&path, Snapshot::file(&snapshot.id))
}

async fn manifest(check: &Check<'_>, verified: &mut Verified, id: &str) -> Result<Snapshot> {
    let (snapshot, bytes) = check.vault.manifest(id).await?;
    verified.files += 1;
    verified.bytes += bytes.len() as u64;
    if let Some(key) = check.key {
        check.vault.check_signature(id, &bytes, key).await?;
    } else if !check.vault.is_signed(id).await? {
        verified.unsigned.push(id.to_owned());
    }
    verified.absent += snapshot.missing.len() as u64;
    Ok(snapshot)
}

impl Verified {
    /// Takes in what is wrong with a file.
    fn damage(&mut self, file: String, error: &Error, backups: &[&str], removed: bool) {
        let what = match error {
            Error::Damaged { what, .. } => what.clone(),
            Error::Missing { .. } => "it is missing".to_owned(),
            Error::Sealed { .. } => "none of the identities opens it".to_owned(),
            Error::Signature { what, .. } => format!("the backup {what}"),
            Error::Format { .. } => error.to_string(),
            _ => format!("it cannot be read: {}", chain(error)),
        };
        let backups = backups.iter().map(|id| (*id).to_owned()).collect();
        self.damages.push(Damage { file, what, backups, removed });
    }
}

async fn parts(
    check: &Check<'_>,
    verified: &mut Verified,
    snapshot: &Snapshot,
    seen: &mut BTreeMap<String, Result<(), String>>,
) -> Result<()> {
    for part in &snapshot.parts {
        let file = snapshot.part_file(part);
        match seen.get(&file) {
            Some(Ok(())) => continue,
            Some(Err(_)) => {
                let known = verified.damages.iter_mut().filter(|damage| damage.file == file);
                known.for_each(|damage| damage.backups.push(snapshot.id.clone()));
                continue;
            }
            None => {}
        }
        let seal = snapshot.sealed.as_ref().filter(|_| part.kind != PartKind::Blobs);
        let recipients = seal.map_or(0, |seal| seal.recipients.len());
        let read = read(check, verified, &file, &part.digest, part.size, recipients).await;
        seen.insert(file.clone(), read.as_ref().map_err(ToString::to_string).copied());
        if let Err(error) = read {
            let removed = remove(check, &file, &error).await?;
            verified.damage(file, &error, &[&snapshot.id], removed);
        }
    }
    Ok(())
}

/// Removes a damaged file where that was asked for.
async fn remove(check: &Check<'_>, file: &str, error: &Error) -> Result<bool> {
    let gone = matches!(error, Error::Missing { .. } | Error::Sealed { .. });
    if !check.remove_damaged || gone || !error.is_damage() {
        return Ok(false);
    }
    check.vault.target.remove(file).await?;
    Ok(true)
}

/// Reads a file to its end; `recipients` is how many it is sealed for.
async fn read(
    check: &Check<'_>,
    verified: &mut Verified,
    file: &str,
    digest: &Digest,
    size: u64,
    recipients: usize,
) -> Result<()> {
    if recipients > 0 && check.vault.identities.is_empty() {
        let expected = sealed_size(size, recipients);
        return match check.vault.target.size(file).await? {
            None => Err(Error::Missing { file: file.to_owned() }),
            Some(found) if found != expected => {
                Err(Error::damaged(file, format!("it has {found} bytes and not {expected}")))
            }
            Some(_) => {
                verified.unread += 1;
                Ok(())
            }
        };
    }
    let mut content = check.vault.read(file, digest, size, recipients > 0).await?;
    while content.next().await?.is_some() {}
    verified.files += 1;
    verified.bytes += size;
    Ok(())
}

async fn blobs(
    check: &Check<'_>,
    verified: &mut Verified,
    snapshots: &[Snapshot],
    base: &str,
    lists: Vec<(usize, Lines)>,
) -> Result<()> {
    let (at, lines): (Vec<usize>, Vec<Lines>) = lists.into_iter().unzip();
    let recipients =
        at.first().and_then(|at| snapshots[*at].sealed.as_ref()).map_or(0, |seal| seal.recipients.len());
    let absent: Vec<BTreeSet<Digest>> =
        at.iter().map(|at| snapshots[*at].missing.iter().map(|blob| blob.digest).collect()).collect();
    let mut progress = Progress {
        of: at.iter().map(|at| snapshots[*at].counts.blobs).max().unwrap_or(0),
        ..Progress::default()
    };
    let mut merged = Merged::new(lines)?;
    loop {
        let shard = merged.next_shard()?;
        let Some((first, _)) = shard.first_key_value() else { return Ok(()) };
        let (directory, _) = blob_place(base, first);
        let there: HashMap<String, u64> = check
            .vault
            .target
            .list(&directory)
            .await?
            .into_iter()
            .map(|item| (item.name, item.size))
            .collect();
        for (digest, named) in &shard {
            progress.blobs += 1;
            let needed: Vec<usize> =
                named.by.iter().copied().filter(|list| !absent[*list].contains(digest)).collect();
            if needed.is_empty() {
                continue;
            }
            let file = blob_file(base, digest);
            let read = if there.contains_key(&blob_place(base, digest).1) {
                read(check, verified, &file, digest, named.size, recipients).await
            } else {
                Err(Error::Missing { file: file.clone() })
            };
            progress.bytes += named.size;
            if let Err(error) = read {
                let backups: Vec<&str> = needed.iter().map(|list| snapshots[at[*list]].id.as_str()).collect();
                let removed = remove(check, &file, &error).await?;
                verified.damage(file, &error, &backups, removed);
            }
        }
        (check.watch)(&progress);
    }
}
