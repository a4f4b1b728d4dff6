//! Makes a registry of a backup: its blobs into an empty store, its records into an empty catalog.
//!
//! Order: the mark that a restore is under way, blobs, accounts, the audit, repositories, the end of the mark. Owners that have
//! to be made come with the repositories, when every id that was ever given is known. A stop at any moment leaves a catalog
//! that nobody serves and that the same restore goes on with.
//!
//! What is damaged does not hinder the rest: a manifest is restored when all that it needs is, a tag when its manifest is, and
//! everything that is left out is named.

mod content;
mod objects;
mod rebuild;
mod remains;
mod strangers;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::time::Instant;

use railhead_blobs::Store;
use railhead_catalog::{Catalog, Error as CatalogError, OwnerId, Record, Timestamp};
use railhead_oci::{Digest, RepositoryName, Tag};
use serde::Serialize;

use crate::format::{Part, PartKind, Snapshot};
use crate::lock::Times;
use crate::scratch::{Lines, Scratch};
use crate::take::Progress;
use crate::vault::Vault;
use crate::verify::read_lock;
use crate::{Error, Result};

pub(crate) use content::needs;
use rebuild::Rebuilding;
pub use rebuild::{Found, Quarantined, Rebuilt, rebuild};
pub use strangers::LostImage;

/// Records written in one transaction.
const BATCH: usize = 1000;

/// How a backup is restored.
pub struct Restore<'a> {
    /// Where it is.
    pub vault: &'a Vault,
    /// Which one.
    pub snapshot: &'a Snapshot,
    /// What of it.
    pub only: Only,
    /// A directory for scratch files.
    pub scratch: &'a Path,
    /// Blobs on their way at the same time.
    pub parallel: usize,
    /// How locks behave.
    pub times: Times,
    /// Is told how far it got.
    pub watch: &'a (dyn Fn(&Progress) + Sync),
}

/// A part of a backup. Without any rule it is everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Only {
    /// These owners, with all of theirs.
    pub owners: Vec<String>,
    /// These repositories, with their owners.
    pub repositories: Vec<RepositoryName>,
}

impl Only {
    /// Whether it is everything.
    pub fn is_all(&self) -> bool {
        self.owners.is_empty() && self.repositories.is_empty()
    }

    fn owner(&self, name: &str) -> bool {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        self.is_all()
            || self.owners.iter().any(|owner| is(owner))
            || self.repositories.iter().any(|repository| is(repository.owner()))
    }

    pub(crate) fn repository(&self, name: &RepositoryName) -> bool {
        self.is_all()
            || self.owners.iter().any(|owner| name.owner().eq_ignore_ascii_case(owner))
            || self.repositories.contains(name)
    }
}

impl std::fmt::Display for Only {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.owners.iter().map(String::as_str);
        let names = names.chain(self.repositories.iter().map(RepositoryName::as_str));
        f.write_str(&names.collect::<Vec<_>>().join(", "))
    }
}

/// What a restore came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Restored {
    /// The backup.
    pub id: String,
    /// Whether an earlier attempt was gone on with.
    pub resumed: bool,
    /// Users and organisations.
    pub owners: u64,
    /// Repositories.
    pub repositories: u64,
    /// Manifests.
    pub manifests: u64,
    /// Tags.
    pub tags: u64,
    /// Manifests in the trash of retention, which can be brought back as long as they could before.
    pub trashed: u64,
    /// Blobs that were read from the backup.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What is left out.
    pub lost: Vec<Lost>,
    /// How long it took.
    pub millis: u64,
}

/// Something that could not be restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "lost")]
pub enum Lost {
    /// A part of the backup, and so all that is in it.
    Part {
        /// The file.
        file: String,
        /// What is in it.
        kind: PartKind,
        /// Whose it is.
        owner: Option<String>,
        /// What is wrong with it.
        what: String,
    },
    /// A blob.
    Blob {
        /// Its digest.
        digest: Digest,
        /// Its file in the backup; none when the backup never had it.
        file: Option<String>,
        /// What is wrong with it.
        what: String,
    },
    /// A manifest.
    Manifest {
        /// Its repository.
        repository: RepositoryName,
        /// Its digest.
        digest: Digest,
        /// What it needs and is lost, or what is wrong with it.
        what: String,
    },
    /// A tag, whose manifest is lost.
    Tag {
        /// Its repository.
        repository: RepositoryName,
        /// Its name.
        tag: Tag,
        /// The manifest that it named.
        digest: Digest,
    },
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Part { file, kind, owner, what } => {
                let whose = owner.as_ref().map_or_else(String::new, |owner| format!(" '{owner}'"));
                write!(f, "{}{whose}: {file}: {what}", kind.words())
            }
            Self::Blob { digest, file: Some(file), what } => write!(f, "blob {digest}: {file}: {what}"),
            Self::Blob { digest, file: None, what } => write!(f, "blob {digest}: {what}"),
            Self::Manifest { repository, digest, what } => write!(f, "{repository}@{digest}: {what}"),
            Self::Tag { repository, tag, .. } => write!(f, "{repository}:{tag}: its manifest is lost"),
        }
    }
}

/// Restores into an empty catalog and store.
pub async fn restore(restore: &Restore<'_>, catalog: &Catalog, store: &Store) -> Result<Restored> {
    let from = Instant::now();
    let lock = read_lock(restore.vault, false, restore.times).await?;
    let restored = run(restore, catalog, store).await;
    if let Some(lock) = lock {
        lock.release().await;
    }
    let mut restored = restored?;
    restored.millis = from.elapsed().as_millis() as u64;
    Ok(restored)
}

/// A restore under way.
struct Run<'a> {
    restore: &'a Restore<'a>,
    catalog: &'a Catalog,
    store: &'a Store,
    scratch: Scratch,
    restored: Restored,
    /// Blobs that are not to be had.
    lost: HashSet<Digest>,
    /// Who of the owners is there.
    owners: BTreeMap<String, OwnerId>,
    /// What is known of a store whose catalog is rebuilt.
    rebuilding: Option<Rebuilding>,
}

/// What the catalog says that is being restored. Backups of two places may have one name, so the manifest counts too.
fn mark_of(restore: &Restore<'_>) -> String {
    let manifest = serde_json::to_vec(restore.snapshot).unwrap_or_default();
    let short = &Digest::sha256(&manifest).hex()[..8];
    let whole = format!("backup {} ({short})", restore.snapshot.id);
    if restore.only.is_all() { whole } else { format!("{} of {whole}", restore.only) }
}

async fn run(restore: &Restore<'_>, catalog: &Catalog, store: &Store) -> Result<Restored> {
    let resumed = begin(restore, catalog, "").await?;
    if !resumed && let Some(object) = store.list(None, 1).await?.first() {
        catalog.end_restore().await?;
        return Err(Error::NotEmpty { what: format!("an object {} in the store", object.key) });
    }
    let mut run = Run::new(restore, catalog, store, resumed)?;
    run.restore().await?;
    catalog.end_restore().await?;
    Ok(run.restored)
}

/// Marks that a restore is under way; whether an earlier attempt of the same goes on.
async fn begin(restore: &Restore<'_>, catalog: &Catalog, what: &str) -> Result<bool> {
    match catalog.begin_restore(&format!("{what}{}", mark_of(restore))).await {
        Ok(resumed) => Ok(resumed),
        Err(CatalogError::AlreadyExists(what)) => Err(Error::NotEmpty { what }),
        Err(error) => Err(error.into()),
    }
}

impl<'a> Run<'a> {
    fn new(restore: &'a Restore<'a>, catalog: &'a Catalog, store: &'a Store, resumed: bool) -> Result<Self> {
        Ok(Self {
            restore,
            catalog,
            store,
            scratch: Scratch::new(restore.scratch)?,
            restored: Restored { id: restore.snapshot.id.clone(), resumed, ..Restored::default() },
            lost: HashSet::new(),
            owners: BTreeMap::new(),
            rebuilding: None,
        })
    }

    async fn restore(&mut self) -> Result<()> {
        self.blobs().await?;
        self.accounts().await?;
        self.audit().await?;
        self.contents().await
    }
}

impl Run<'_> {
    /// Fetches a part; one that is damaged is lost, and all that is in it.
    async fn fetch(&mut self, part: &Part) -> Result<Option<Lines>> {
        let Restore { vault, snapshot, .. } = self.restore;
        match Lines::fetch(vault, snapshot, part, &self.scratch).await {
            Ok(lines) => Ok(Some(lines)),
            Err(error) if error.is_damage() => {
                self.lose_part(part, &error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn lose_part(&mut self, part: &Part, error: &Error) {
        let lost = Lost::Part {
            file: self.restore.snapshot.part_file(part),
            kind: part.kind,
            owner: part.owner.clone(),
            what: what(error),
        };
        if !self.restored.lost.contains(&lost) {
            self.restored.lost.push(lost);
        }
    }

    /// Owners, members and tokens.
    async fn accounts(&mut self) -> Result<()> {
        let mut kept: BTreeSet<OwnerId> = BTreeSet::new();
        for part in self.parts(PartKind::Accounts) {
            let Some(mut lines) = self.fetch(&part).await? else { continue };
            let mut batch = Vec::new();
            while let Some(record) = lines.next_record()? {
                let wanted = match &record {
                    Record::Owner(owner) => self.restore.only.owner(&owner.name),
                    Record::Member(member) => {
                        kept.contains(&member.organisation) && kept.contains(&member.user)
                    }
                    Record::Token(token) => kept.contains(&token.user),
                    _ => false,
                };
                if !wanted {
                    continue;
                }
                if let Record::Owner(owner) = &record {
                    kept.insert(owner.id);
                    self.owners.insert(owner.name.to_ascii_lowercase(), owner.id);
                    self.restored.owners += 1;
                }
                batch.push(record);
                if batch.len() == BATCH {
                    self.catalog.restore_accounts(std::mem::take(&mut batch)).await?;
                }
            }
            self.catalog.restore_accounts(batch).await?;
        }
        Ok(())
    }

    /// Makes sure that an owner is there: a backup of what a registry serves has no accounts, and in a damaged one they are
    /// lost. Such an owner is an organisation without members.
    async fn ensure_owner(&mut self, name: &str) -> Result<OwnerId> {
        let key = name.to_ascii_lowercase();
        if let Some(id) = self.owners.get(&key) {
            return Ok(*id);
        }
        let id = if let Some(owner) = self.catalog.owner(name).await? {
            owner.id
        } else {
            self.restored.owners += 1;
            self.catalog.restore_ids().await?;
            self.catalog.create_organisation(name, Timestamp::now()).await?.id
        };
        self.owners.insert(key, id);
        Ok(id)
    }

    /// What was done; only with the whole, as it is about everything.
    async fn audit(&mut self) -> Result<()> {
        if !self.restore.only.is_all() {
            return Ok(());
        }
        for part in self.parts(PartKind::Audit) {
            let Some(mut lines) = self.fetch(&part).await? else { continue };
            let mut batch = Vec::new();
            while let Some(record) = lines.next_record()? {
                batch.push(record);
                if batch.len() == BATCH {
                    self.catalog.restore_audit(std::mem::take(&mut batch)).await?;
                }
            }
            self.catalog.restore_audit(batch).await?;
        }
        Ok(())
    }

    /// The parts of a kind that are wanted.
    fn parts(&self, kind: PartKind) -> Vec<Part> {
        let only = &self.restore.only;
        let wanted = |part: &&Part| part.owner.as_deref().is_none_or(|owner| only.owner(owner));
        self.restore.snapshot.of_kind(kind).filter(wanted).cloned().collect()
    }
}

/// What is wrong with a file, without its name.
pub(crate) fn what(error: &Error) -> String {
    match error {
        Error::Damaged { what, .. } => what.clone(),
        Error::Missing { .. } => "it is missing".to_owned(),
        other => other.to_string(),
    }
}
