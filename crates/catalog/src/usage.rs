//! What an owner uses, and whether its quota allows more.
//!
//! Invariant: whoever changes what an owner uses holds its [`Ledger`], and so the lock on the owner's row, from
//! before it looks until the end of the transaction. The numbers are therefore exact.

use railhead_oci::Digest;

use crate::shares::{reserved_sum, used_sum};
use crate::sql::{Sql, digest_list, params};
use crate::{Catalog, Error, Limit, OwnerId, QuotaExceeded, RepositoryId, Result};

/// What an owner uses, in bytes, computed afresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The distinct blobs in the owner's repositories, and the manifests.
    pub used_bytes: u64,
    /// What the owner's unfinished uploads have reserved.
    pub reserved_bytes: u64,
}

/// An owner uses nearly all of its quota: nine tenths, or more. All numbers are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NearQuota {
    /// Whose quota.
    pub owner: OwnerId,
    /// The quota in force.
    pub limit: u64,
    /// What is used now.
    pub used: u64,
    /// Whether it is this change that brought it there.
    pub crossed: bool,
}

/// The locked row of an owner, seen from one of its repositories.
pub(crate) struct Ledger {
    pub(crate) owner: OwnerId,
    repository: RepositoryId,
    quota: Option<Limit>,
    used: u64,
    /// What was used when the row was locked.
    used_before: u64,
    reserved: u64,
    /// What the repository gains or loses.
    repository_change: i64,
}

impl Ledger {
    /// Locks the owner of `repository`. [`Error::NotFound`] when there is no such repository.
    pub(crate) fn lock(sql: &mut dyn Sql, repository: RepositoryId) -> Result<Self> {
        let missing = || Error::NotFound(format!("repository {repository}"));
        let mut row = sql
            .first(
                "SELECT id, quota, used_bytes, reserved_bytes FROM owner
                 WHERE id = (SELECT owner FROM repository WHERE id = ?1) /*postgres: FOR NO KEY UPDATE*/",
                params![repository],
            )?
            .ok_or_else(missing)?;
        // While this waited for the lock, the repository may have gone.
        if !sql.any("SELECT 1 FROM repository WHERE id = ?1", params![repository])? {
            return Err(missing());
        }
        let (owner, quota, used) = (row.take()?, row.take()?, row.take()?);
        let reserved = row.take()?;
        Ok(Self { owner, repository, quota, used, used_before: used, reserved, repository_change: 0 })
    }

    /// Whether the owner now uses nine tenths of its quota.
    pub(crate) fn nears(&self, default: Limit) -> Option<NearQuota> {
        let Limit::Bytes(limit) = self.quota.unwrap_or(default) else { return None };
        let mark = limit - limit / 10;
        let crossed = self.used_before < mark;
        (mark <= self.used).then_some(NearQuota { owner: self.owner, limit, used: self.used, crossed })
    }

    /// Whether `wanted` more bytes fit, under the owner's own quota or else the server's default.
    pub(crate) fn check(&self, wanted: u64, default: Limit) -> Result<(), QuotaExceeded> {
        let Limit::Bytes(limit) = self.quota.unwrap_or(default) else { return Ok(()) };
        let total = self.used.saturating_add(self.reserved).saturating_add(wanted);
        if wanted == 0 || total <= limit {
            return Ok(());
        }
        Err(QuotaExceeded { limit, used: self.used, reserved: self.reserved, wanted })
    }

    /// Reserves bytes for an upload.
    pub(crate) const fn reserve(&mut self, bytes: u64) {
        self.reserved += bytes;
    }

    /// Takes back what uploads had reserved.
    pub(crate) fn release(&mut self, bytes: u64) -> Result<()> {
        self.reserved = self.reserved.checked_sub(bytes).ok_or_else(|| self.wrong("reserved"))?;
        Ok(())
    }

    /// The repository has got a manifest.
    pub(crate) const fn add_manifest(&mut self, size: u64) {
        self.used += size;
        self.repository_change += size as i64;
    }

    /// The repository has lost a manifest.
    pub(crate) fn remove_manifest(&mut self, size: u64) -> Result<()> {
        self.repository_change -= size as i64;
        self.unuse(size)
    }

    /// The owner has lost `bytes` of what it used.
    pub(crate) fn unuse(&mut self, bytes: u64) -> Result<()> {
        self.used = self.used.checked_sub(bytes).ok_or_else(|| self.wrong("used"))?;
        Ok(())
    }

    /// The repository links a blob that it did not link; the owner may have it already. Checks the quota.
    pub(crate) fn add_blob(
        &mut self,
        sql: &mut dyn Sql,
        digest: &Digest,
        size: u64,
        default: Limit,
    ) -> Result<()> {
        let row = sql.first(
            "INSERT INTO owner_blob (owner, digest, repositories) VALUES (?1, ?2, 1)
             ON CONFLICT (owner, digest) DO UPDATE SET repositories = owner_blob.repositories + 1
             RETURNING repositories",
            params![self.owner, digest],
        )?;
        let repositories: i64 = row.ok_or_else(|| self.wrong("shared"))?.take()?;
        if repositories == 1 {
            self.check(size, default)?;
            self.used += size;
        }
        self.repository_change += size as i64;
        Ok(())
    }

    /// The repository has lost its link to a blob; the owner may have another one.
    pub(crate) fn remove_blob(&mut self, sql: &mut dyn Sql, digest: &Digest, size: u64) -> Result<()> {
        let row = sql.first(
            "UPDATE owner_blob SET repositories = repositories - 1 WHERE owner = ?1 AND digest = ?2
             RETURNING repositories",
            params![self.owner, digest],
        )?;
        let repositories: i64 = row.ok_or_else(|| self.wrong("shared"))?.take()?;
        if repositories == 0 {
            let statement = "DELETE FROM owner_blob WHERE owner = ?1 AND digest = ?2";
            sql.execute(statement, params![self.owner, digest])?;
            self.unuse(size)?;
        }
        self.repository_change -= size as i64;
        Ok(())
    }

    /// The repository has lost its links to these blobs, each named once; the owner may have others.
    pub(crate) fn remove_blobs(&mut self, sql: &mut dyn Sql, digests: &[Digest]) -> Result<()> {
        sql.execute(
            "UPDATE owner_blob SET repositories = repositories - 1
             WHERE owner = ?1 AND digest IN (SELECT value FROM json_each(?2))",
            &[self.owner.into(), digest_list(digests)],
        )?;
        let row = sql.first(
            "SELECT CAST(COALESCE(SUM(b.size), 0) AS BIGINT),
               CAST(COALESCE(SUM(CASE WHEN o.repositories = 0 THEN b.size ELSE 0 END), 0) AS BIGINT)
             FROM blob AS b JOIN owner_blob AS o ON o.owner = ?1 AND o.digest = b.digest
             WHERE b.digest IN (SELECT value FROM json_each(?2))",
            &[self.owner.into(), digest_list(digests)],
        )?;
        let mut row = row.ok_or_else(|| self.wrong("shared"))?;
        self.repository_change -= row.take::<i64>()?;
        self.unuse(row.take()?)?;
        sql.execute(
            "DELETE FROM owner_blob
             WHERE owner = ?1 AND repositories = 0 AND digest IN (SELECT value FROM json_each(?2))",
            &[self.owner.into(), digest_list(digests)],
        )?;
        Ok(())
    }

    /// Writes the numbers back.
    pub(crate) fn store(self, sql: &mut dyn Sql) -> Result<()> {
        sql.execute(
            "UPDATE owner SET used_bytes = ?2, reserved_bytes = ?3 WHERE id = ?1",
            params![self.owner, self.used, self.reserved],
        )?;
        if self.repository_change != 0 {
            sql.execute(
                "UPDATE repository SET bytes = bytes + ?2 WHERE id = ?1",
                params![self.repository, self.repository_change],
            )?;
        }
        Ok(())
    }

    fn wrong(&self, what: &str) -> Error {
        Error::Corrupt(format!("the {what} bytes of owner {} do not add up; recount them", self.owner))
    }
}

impl Catalog {
    /// Computes afresh what an owner uses, from the links and manifests themselves. It reads them all.
    pub async fn recount(&self, owner: OwnerId) -> Result<Usage> {
        self.read("recount what an owner uses", move |sql| {
            let row = sql.first(concat!("SELECT ", used_sum!(), ", ", reserved_sum!()), params![owner])?;
            let mut row = row.ok_or_else(|| Error::NotFound(format!("owner {owner}")))?;
            Ok(Usage { used_bytes: row.take()?, reserved_bytes: row.take()? })
        })
        .await
    }
}
