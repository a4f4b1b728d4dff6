//! Blobs: content by digest. A blob is known once, whatever repositories link it; its bytes are an object of the
//! blob store, under a key that the catalog binds to the digest.
//!
//! Invariant: a blob is known while a repository links it. Whoever takes the last link is told the object to remove.

use railhead_oci::{Digest, RepositoryName};

use crate::collection::forget_unlinked;
use crate::damage::healed;
use crate::objects::forget;
use crate::sql::{Row, Sql, params};
use crate::usage::Ledger;
use crate::{
    BlobScope, Catalog, Error, ForgottenObject, Limit, NearQuota, RepositoryId, Result, Timestamp, UploadId,
};

/// What is known of a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobRecord {
    /// The digest of its content.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Where the blob store has it.
    pub key: String,
    /// Whether its object was found missing or wrong. A new push heals it.
    pub damaged: bool,
    /// When its object was bound to the digest.
    pub created_at: Timestamp,
}

/// A blob of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkedBlob {
    /// The blob.
    pub blob: BlobRecord,
    /// Until when the repository surely has it, while no manifest there needs it. `None` when one does.
    pub due_at: Option<Timestamp>,
}

/// A blob to be committed.
#[derive(Clone, Debug)]
pub struct NewBlob {
    /// The repository that was pushed to.
    pub repository: RepositoryId,
    /// The digest of the content, verified.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Where the blob store has it.
    pub key: String,
    /// The upload that brought it, which ends with the commit.
    pub upload: Option<UploadId>,
    /// Until when it stays, at least, without a manifest that needs it.
    pub leased_until: Timestamp,
    /// The server's default quota.
    pub quota: Limit,
}

/// What a commit has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobCommitted {
    /// The object that the digest was bound to before, when it was another one. It is forgotten: the caller removes it.
    pub former: Option<ForgottenObject>,
    /// Set when the owner uses nearly all of its quota.
    pub near: Option<NearQuota>,
}

/// What became of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unlinked {
    /// The repository does not have the blob.
    NotFound,
    /// It stays: this manifest of the repository, or of its trash, refers to it.
    InUse(Digest),
    /// The repository no longer has it.
    Removed {
        /// Its object when no other repository has it. It is forgotten: the caller removes it.
        free: Option<ForgottenObject>,
    },
}

impl BlobRecord {
    pub(crate) fn read(row: &mut Row) -> Result<Self> {
        Ok(Self {
            digest: row.take()?,
            size: row.take()?,
            key: row.take()?,
            damaged: row.take()?,
            created_at: row.take()?,
        })
    }
}

/// The statement behind [`Catalog::blob_in`].
pub(crate) const IN_REPOSITORY: &str =
    "SELECT b.digest, b.size, b.object_key, b.damaged, b.created_at, l.due_at
    FROM repository AS r JOIN repository_blob AS l ON l.repository = r.id AND l.digest = ?2
    JOIN blob AS b ON b.digest = l.digest WHERE r.name = ?1";

const LOCKED: &str = "SELECT digest, size, object_key, damaged, created_at FROM blob WHERE digest = ?1
    /*postgres: FOR UPDATE*/";

impl Catalog {
    /// The blob, when that repository has it.
    pub async fn blob_in(&self, repository: &RepositoryName, digest: &Digest) -> Result<Option<LinkedBlob>> {
        let (repository, digest) = (repository.clone(), *digest);
        self.read("look up a blob", move |sql| {
            let Some(mut row) = sql.first(IN_REPOSITORY, params![&repository, &digest])? else {
                return Ok(None);
            };
            Ok(Some(LinkedBlob { blob: BlobRecord::read(&mut row)?, due_at: row.take()? }))
        })
        .await
    }

    /// The blob, whatever repositories have it.
    pub async fn blob(&self, digest: &Digest) -> Result<Option<BlobRecord>> {
        let digest = *digest;
        self.read("look up a blob", move |sql| {
            let statement =
                "SELECT digest, size, object_key, damaged, created_at FROM blob WHERE digest = ?1";
            sql.first(statement, params![&digest])?.map(|mut row| BlobRecord::read(&mut row)).transpose()
        })
        .await
    }

    /// The blob whose bytes are the object with that key.
    pub async fn blob_by_key(&self, key: &str) -> Result<Option<BlobRecord>> {
        let key = key.to_owned();
        self.read("look up a blob by its object", move |sql| {
            let statement =
                "SELECT digest, size, object_key, damaged, created_at FROM blob WHERE object_key = ?1";
            sql.first(statement, params![&key])?.map(|mut row| BlobRecord::read(&mut row)).transpose()
        })
        .await
    }

    /// Up to `limit` blobs behind the digest `after`, ordered by digest.
    pub async fn blobs(&self, after: Option<&Digest>, limit: u32) -> Result<Vec<BlobRecord>> {
        self.blobs_of(BlobScope::All, after, limit).await
    }

    /// Binds a digest to its new object, links it to the repository and ends its upload, all at once. The last
    /// commit wins, so that a push heals what is damaged. [`Error::NotFound`] when the repository or the upload is
    /// gone; [`Error::QuotaExceeded`] when the owner has no room for it.
    pub async fn commit_blob(&self, new: NewBlob, now: Timestamp) -> Result<BlobCommitted> {
        self.write("commit a blob", move |sql| {
            let mut ledger = Ledger::lock(sql, new.repository)?;
            if let Some(upload) = &new.upload {
                let statement = "DELETE FROM upload WHERE id = ?1 AND repository = ?2 RETURNING reserved";
                let row = sql.first(statement, params![upload, new.repository])?;
                let mut row = row.ok_or_else(|| Error::NotFound(format!("upload {upload}")))?;
                ledger.release(row.take()?)?;
            }
            let former = bind(sql, &new, now)?;
            if link(sql, new.repository, &new.digest, new.leased_until, now)? {
                ledger.add_blob(sql, &new.digest, new.size, new.quota)?;
            }
            let near = ledger.nears(new.quota);
            ledger.store(sql)?;
            Ok(BlobCommitted { former, near })
        })
        .await
    }

    /// Links a blob that one repository has to another one. `None` when the first does not have it, or has it
    /// damaged. It stays there until `leased_until`, at least, without a manifest that needs it. `quota` is the server's
    /// default.
    pub async fn mount_blob(
        &self,
        from: RepositoryId,
        to: RepositoryId,
        digest: &Digest,
        quota: Limit,
        leased_until: Timestamp,
        now: Timestamp,
    ) -> Result<Option<BlobRecord>> {
        let digest = *digest;
        self.write("mount a blob", move |sql| {
            let mut ledger = Ledger::lock(sql, to)?;
            let Some(mut row) = sql.first(LOCKED, params![&digest])? else { return Ok(None) };
            let blob = BlobRecord::read(&mut row)?;
            let linked = "SELECT 1 FROM repository_blob WHERE repository = ?1 AND digest = ?2";
            if blob.damaged || !sql.any(linked, params![from, &digest])? {
                return Ok(None);
            }
            if link(sql, to, &digest, leased_until, now)? {
                ledger.add_blob(sql, &digest, blob.size, quota)?;
                ledger.store(sql)?;
            }
            Ok(Some(blob))
        })
        .await
    }

    /// Takes a blob out of a repository, unless a manifest there refers to it.
    pub async fn unlink_blob(
        &self,
        repository: RepositoryId,
        digest: &Digest,
        now: Timestamp,
    ) -> Result<Unlinked> {
        let digest = *digest;
        self.write("take a blob out of a repository", move |sql| unlink(sql, repository, &digest, now)).await
    }
}

/// Binds the digest to the new key, and answers with the former object when it was another.
fn bind(sql: &mut dyn Sql, new: &NewBlob, now: Timestamp) -> Result<Option<ForgottenObject>> {
    let insert = "INSERT INTO blob (digest, size, object_key, damaged, created_at) VALUES (?1, ?2, ?3, 0, ?4)
        ON CONFLICT (digest) DO NOTHING";
    let former = loop {
        if sql.execute(insert, params![&new.digest, new.size, &new.key, now])? == 1 {
            return Ok(None);
        }
        // Another transaction may take the last link, and with it the row, between the two statements.
        if let Some(mut row) = sql.first(LOCKED, params![&new.digest])? {
            break BlobRecord::read(&mut row)?;
        }
    };
    if former.size != new.size {
        let sizes = format!("{} bytes and {} bytes", former.size, new.size);
        return Err(Error::Corrupt(format!("blob {} cannot have both {sizes}", new.digest)));
    }
    sql.execute(
        "UPDATE blob SET object_key = ?2, damaged = 0, created_at = ?3 WHERE digest = ?1",
        params![&new.digest, &new.key, now],
    )?;
    if former.damaged {
        healed(sql, &new.digest)?;
    }
    if former.key == new.key {
        return Ok(None);
    }
    forget(sql, &former.key, former.size, now)?;
    Ok(Some(ForgottenObject { key: former.key, size: former.size }))
}

/// Links a blob until `due`; `false` when the repository had it. Then it stays at least as long.
fn link(
    sql: &mut dyn Sql,
    repository: RepositoryId,
    digest: &Digest,
    due: Timestamp,
    now: Timestamp,
) -> Result<bool> {
    let statement =
        "INSERT INTO repository_blob (repository, digest, linked_at, due_at) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (repository, digest) DO NOTHING";
    if sql.execute(statement, params![repository, digest, now, due])? == 1 {
        return Ok(true);
    }
    let statement =
        "UPDATE repository_blob SET due_at = ?3 WHERE repository = ?1 AND digest = ?2 AND due_at < ?3";
    sql.execute(statement, params![repository, digest, due])?;
    Ok(false)
}

fn unlink(sql: &mut dyn Sql, repository: RepositoryId, digest: &Digest, now: Timestamp) -> Result<Unlinked> {
    let mut ledger = Ledger::lock(sql, repository)?;
    let Some(mut row) = sql.first(LOCKED, params![digest])? else { return Ok(Unlinked::NotFound) };
    let blob = BlobRecord::read(&mut row)?;
    let user = sql.first(
        "SELECT m.digest FROM manifest_reference AS f JOIN manifest AS m ON m.id = f.manifest
         WHERE f.repository = ?1 AND f.digest = ?2 LIMIT 1",
        params![repository, digest],
    )?;
    if let Some(mut row) = user {
        return Ok(Unlinked::InUse(row.take()?));
    }
    // The trash promises to bring it back.
    let user = sql.first(
        "SELECT m.digest FROM trash_reference AS f JOIN trash_manifest AS m ON m.id = f.manifest
         JOIN trash_run AS t ON t.id = m.run
         WHERE f.repository = ?1 AND f.digest = ?2 AND t.expires_at > ?3 LIMIT 1",
        params![repository, digest, now],
    )?;
    if let Some(mut row) = user {
        return Ok(Unlinked::InUse(row.take()?));
    }
    let statement = "DELETE FROM repository_blob WHERE repository = ?1 AND digest = ?2";
    if sql.execute(statement, params![repository, digest])? == 0 {
        return Ok(Unlinked::NotFound);
    }
    ledger.remove_blob(sql, digest, blob.size)?;
    ledger.store(sql)?;
    let free = forget_unlinked(sql, &[*digest], now)?.pop();
    Ok(Unlinked::Removed { free })
}
