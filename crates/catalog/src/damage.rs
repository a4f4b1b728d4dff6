//! Damage: blobs whose object is missing or not what the digest says, and who refers to them.
//!
//! Invariant: a blob that is marked as damaged has a row that says what was found, and no other blob has one. A push of
//! the same content takes mark and row away in the transaction that binds the new object.

use railhead_oci::{Digest, RepositoryName, Tag};

use crate::blobs::BlobRecord;
use crate::collection::Amount;
use crate::owners::changed;
use crate::sql::{Row, Sql, params, text_list};
use crate::{Catalog, OwnerId, RepositoryId, Result, Timestamp};

/// A damaged blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The blob.
    pub blob: BlobRecord,
    /// What was found instead, for people.
    pub found: String,
    /// When that was seen first.
    pub found_at: Timestamp,
}

/// A repository that has a blob, and what in it needs the blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobUse {
    /// The repository.
    pub repository: RepositoryName,
    /// Manifests that refer to the blob, itself or by what they list; not more than was asked for.
    pub manifests: Vec<Digest>,
    /// Tags that name one of all such manifests; not more than was asked for.
    pub tags: Vec<Tag>,
}

/// Which blobs are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobScope {
    /// All.
    All,
    /// Those of an owner's repositories.
    Owner(OwnerId),
    /// Those of a repository.
    Repository(RepositoryId),
}

impl Damage {
    fn read(mut row: Row) -> Result<Self> {
        Ok(Self { blob: BlobRecord::read(&mut row)?, found: row.take()?, found_at: row.take()? })
    }
}

const ALL: &str = "SELECT digest, size, object_key, damaged, created_at FROM blob
    WHERE digest > ?1 ORDER BY digest LIMIT ?2";
const OF_OWNER: &str = "SELECT b.digest, b.size, b.object_key, b.damaged, b.created_at FROM owner_blob AS o
    JOIN blob AS b ON b.digest = o.digest WHERE o.owner = ?3 AND o.repositories > 0 AND o.digest > ?1
    ORDER BY o.digest LIMIT ?2";
const OF_REPOSITORY: &str =
    "SELECT b.digest, b.size, b.object_key, b.damaged, b.created_at FROM repository_blob AS l
    JOIN blob AS b ON b.digest = l.digest WHERE l.repository = ?3 AND l.digest > ?1 ORDER BY l.digest LIMIT ?2";

/// What needs a blob in a repository: manifests that refer to it, and what lists those.
macro_rules! needing {
    ($select:literal) => {
        concat!(
            "WITH RECURSIVE needing (repository, digest) AS (
             SELECT m.repository, m.digest FROM manifest_reference AS f JOIN manifest AS m ON m.id = f.manifest
             WHERE f.repository = ?1 AND f.digest = ?2
             UNION
             SELECT m.repository, m.digest FROM needing AS n
             JOIN manifest_reference AS f ON f.repository = n.repository AND f.digest = n.digest
             JOIN manifest AS m ON m.id = f.manifest) ",
            $select
        )
    };
}

impl Catalog {
    /// Notes that a blob's object is missing or wrong, so that nobody is served it. [`crate::Error::NotFound`] when the
    /// blob is gone or has another object by now.
    pub async fn mark_damaged(&self, digest: &Digest, key: &str, found: &str, now: Timestamp) -> Result<()> {
        let (digest, key, found) = (*digest, key.to_owned(), found.to_owned());
        self.write("note that a blob is damaged", move |sql| {
            mark(sql, &digest, &key, true)?;
            sql.execute(
                "INSERT INTO damage (digest, found, found_at) VALUES (?1, ?2, ?3)
                 ON CONFLICT (digest) DO UPDATE SET found = excluded.found",
                params![&digest, &found, now],
            )?;
            Ok(())
        })
        .await
    }

    /// Notes that a blob's object is what it should be. [`crate::Error::NotFound`] as for [`Catalog::mark_damaged`].
    pub async fn mark_whole(&self, digest: &Digest, key: &str) -> Result<()> {
        let (digest, key) = (*digest, key.to_owned());
        self.write("note that a blob is whole", move |sql| {
            mark(sql, &digest, &key, false)?;
            healed(sql, &digest)
        })
        .await
    }

    /// What was found of a blob, if it is damaged.
    pub async fn damage(&self, digest: &Digest) -> Result<Option<Damage>> {
        let digest = *digest;
        self.read("look up what was found of a blob", move |sql| {
            let statement =
                "SELECT b.digest, b.size, b.object_key, b.damaged, b.created_at, d.found, d.found_at
                 FROM damage AS d JOIN blob AS b ON b.digest = d.digest WHERE d.digest = ?1";
            sql.first(statement, params![&digest])?.map(Damage::read).transpose()
        })
        .await
    }

    /// Up to `limit` damaged blobs behind the digest `after`, ordered by digest.
    pub async fn damages(&self, after: Option<&Digest>, limit: u32) -> Result<Vec<Damage>> {
        let after = after.map_or_else(String::new, ToString::to_string);
        self.read("list the damaged blobs", move |sql| {
            let rows = sql.query(
                "SELECT b.digest, b.size, b.object_key, b.damaged, b.created_at, d.found, d.found_at
                 FROM damage AS d JOIN blob AS b ON b.digest = d.digest WHERE d.digest > ?1
                 ORDER BY d.digest LIMIT ?2",
                params![&after, limit],
            )?;
            rows.into_iter().map(Damage::read).collect()
        })
        .await
    }

    /// How many blobs are damaged, and their size.
    pub async fn damage_amount(&self) -> Result<Amount> {
        self.read("count the damaged blobs", |sql| {
            let statement = "SELECT COUNT(*), CAST(COALESCE(SUM(b.size), 0) AS BIGINT)
                FROM damage AS d JOIN blob AS b ON b.digest = d.digest";
            amount(sql.first(statement, &[])?)
        })
        .await
    }

    /// How many blobs there are behind the digest `after`, and their size. Reads them all.
    pub async fn blob_amount(&self, after: Option<&Digest>) -> Result<Amount> {
        let after = after.map_or_else(String::new, ToString::to_string);
        self.read("count the blobs", move |sql| {
            let statement =
                "SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM blob WHERE digest > ?1";
            amount(sql.first(statement, params![&after])?)
        })
        .await
    }

    /// Up to `limit` blobs of a scope behind the digest `after`, ordered by digest.
    pub async fn blobs_of(
        &self,
        scope: BlobScope,
        after: Option<&Digest>,
        limit: u32,
    ) -> Result<Vec<BlobRecord>> {
        let after = after.map_or_else(String::new, ToString::to_string);
        self.read("list the blobs", move |sql| {
            let mut rows = match scope {
                BlobScope::All => sql.query(ALL, params![&after, limit])?,
                BlobScope::Owner(owner) => sql.query(OF_OWNER, params![&after, limit, owner])?,
                BlobScope::Repository(repository) => {
                    sql.query(OF_REPOSITORY, params![&after, limit, repository])?
                }
            };
            rows.iter_mut().map(BlobRecord::read).collect()
        })
        .await
    }

    /// Who refers to a blob: up to `most` repositories by name, with up to `most` manifests and tags of each.
    pub async fn blob_uses(&self, digest: &Digest, most: u32) -> Result<Vec<BlobUse>> {
        let digest = *digest;
        self.read("look up who refers to a blob", move |sql| {
            let rows = sql.query(
                "SELECT r.id, r.name FROM repository_blob AS l JOIN repository AS r ON r.id = l.repository
                 WHERE l.digest = ?1 ORDER BY r.name LIMIT ?2",
                params![&digest, most],
            )?;
            let mut uses = Vec::with_capacity(rows.len());
            for mut row in rows {
                let (id, repository): (RepositoryId, _) = (row.take()?, row.take()?);
                uses.push(BlobUse {
                    repository,
                    manifests: column(sql.query(
                        needing!("SELECT digest FROM needing ORDER BY digest LIMIT ?3"),
                        params![id, &digest, most],
                    )?)?,
                    tags: column(sql.query(
                        needing!(
                            "SELECT t.name FROM needing AS n JOIN tag AS t
                             ON t.repository = n.repository AND t.digest = n.digest ORDER BY t.name LIMIT ?3"
                        ),
                        params![id, &digest, most],
                    )?)?,
                });
            }
            Ok(uses)
        })
        .await
    }

    /// All repositories that have a blob, by name.
    pub async fn blob_repositories(&self, digest: &Digest) -> Result<Vec<RepositoryName>> {
        let digest = *digest;
        self.read("look up who has a blob", move |sql| {
            column(sql.query(
                "SELECT r.name FROM repository_blob AS l JOIN repository AS r ON r.id = l.repository
                 WHERE l.digest = ?1 ORDER BY r.name",
                params![&digest],
            )?)
        })
        .await
    }

    /// Which of these objects nobody knows: no blob has them, no upload is about to become a blob with them, and none
    /// is written down as forgotten. All that is asked of one moment, so an upload that ends meanwhile is no gap.
    pub async fn unknown_objects(&self, keys: Vec<String>) -> Result<Vec<String>> {
        self.read("look for objects that nobody knows", move |sql| {
            // A key ends with the id of the upload that brought it.
            let statement = "SELECT value FROM json_each(?1)
                WHERE NOT EXISTS (SELECT 1 FROM blob WHERE object_key = value)
                AND NOT EXISTS (SELECT 1 FROM forgotten_object WHERE object_key = value)
                AND NOT EXISTS (SELECT 1 FROM upload WHERE id = substr(value, length(value) - 31))";
            column(sql.query(statement, &[text_list(&keys)])?)
        })
        .await
    }
}

/// Takes away what is noted of a damaged blob. Part of the transaction that takes the mark away.
pub(crate) fn healed(sql: &mut dyn Sql, digest: &Digest) -> Result<()> {
    sql.execute("DELETE FROM damage WHERE digest = ?1", params![digest])?;
    Ok(())
}

fn mark(sql: &mut dyn Sql, digest: &Digest, key: &str, damaged: bool) -> Result<()> {
    let statement = "UPDATE blob SET damaged = ?3 WHERE digest = ?1 AND object_key = ?2";
    let rows = sql.execute(statement, params![digest, key, damaged])?;
    changed(rows, || format!("blob {digest} with object {key}"))
}

fn column<T: crate::sql::FromValue>(rows: Vec<Row>) -> Result<Vec<T>> {
    rows.into_iter().map(|mut row| row.take()).collect()
}

fn amount(row: Option<Row>) -> Result<Amount> {
    match row {
        Some(mut row) => Ok(Amount { count: row.take()?, bytes: row.take()? }),
        None => Ok(Amount::default()),
    }
}
