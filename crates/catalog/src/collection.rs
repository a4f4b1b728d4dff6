//! Links that no manifest needs: how long they stay, and how they go.
//!
//! A repository's link to a blob has a time (`due_at`) as long as no manifest of the repository needs it: the end of
//! the last lease, or of the grace behind a deleted manifest. A commit and a mount give it; an answer that says the blob
//! is there moves it; a manifest that needs the blob takes it away; the deletion of the last such manifest gives it
//! anew. Collection looks at the links whose time has come, looks once more whether they may go, and takes them; with
//! its last link a blob goes, and its object is written down as forgotten.
//!
//! Invariant: between the look and the taking of a link nothing comes in between, as both are one statement, behind
//! the lock on the owner's row that every push into the repository takes as well.

use railhead_oci::{Digest, RepositoryName};

use crate::objects::forget;
use crate::sql::{Dialect, Row, Sql, Value, digest_list, params};
use crate::usage::Ledger;
use crate::{Catalog, Error, ForgottenObject, RepositoryId, Result, Timestamp};

/// When to look again at a link that something needs whose time in the trash is over, in milliseconds.
const TRASH_AGAIN: i64 = 10 * 60 * 1000;

/// A link whose time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueLink {
    /// The repository.
    pub repository: RepositoryId,
    /// Its name.
    pub name: RepositoryName,
    /// The blob.
    pub digest: Digest,
}

/// What became of links whose time had come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectedLinks {
    /// Blobs that the repository no longer has.
    pub removed: Vec<Digest>,
    /// Objects that no repository needs any more: the caller removes them.
    pub forgotten: Vec<ForgottenObject>,
    /// Whether another replica is at this repository, and nothing was done here.
    pub busy: bool,
}

/// Links or objects, and their size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What collection has before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectionOutlook {
    /// Links that no manifest needs, and whose time has not come.
    pub waiting: Amount,
    /// When the first of those is due.
    pub next_due: Option<Timestamp>,
    /// Links that a run would take now.
    pub due: Amount,
    /// Objects that would go with those, as nobody else links them.
    pub freeable: Amount,
    /// Objects that are forgotten and not removed yet.
    pub forgotten: Amount,
}

impl Catalog {
    /// Lets a link that no manifest needs stay until `until`. `false` when it stays longer anyway, is needed by a
    /// manifest, or is gone. Volatile.
    pub async fn renew_lease(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        until: Timestamp,
    ) -> Result<bool> {
        let (repository, digest) = (repository.clone(), *digest);
        self.write_volatile("renew a lease", move |sql| {
            let renewed = sql.execute(
                "UPDATE repository_blob SET due_at = ?3 WHERE digest = ?2 AND due_at < ?3
                 AND repository = (SELECT id FROM repository WHERE name = ?1)",
                params![&repository, &digest, until],
            )?;
            Ok(renewed == 1)
        })
        .await
    }

    /// Up to `limit` links whose time has come, those that wait longest first.
    pub async fn due_links(&self, now: Timestamp, limit: u32) -> Result<Vec<DueLink>> {
        self.read("look for links whose time has come", move |sql| {
            let rows = sql.query(
                "SELECT l.repository, r.name, l.digest FROM repository_blob AS l
                 JOIN repository AS r ON r.id = l.repository WHERE l.due_at <= ?1 ORDER BY l.due_at LIMIT ?2",
                params![now, limit],
            )?;
            let link = |mut row: Row| {
                Ok(DueLink { repository: row.take()?, name: row.take()?, digest: row.take()? })
            };
            rows.into_iter().map(link).collect()
        })
        .await
    }

    /// Takes those of these links whose time has come and that no manifest needs. What a manifest does need is not
    /// looked at again.
    pub async fn collect_links(
        &self,
        repository: RepositoryId,
        digests: Vec<Digest>,
        now: Timestamp,
    ) -> Result<CollectedLinks> {
        self.write("collect links", move |sql| collect(sql, repository, &digests, now)).await
    }

    /// What collection has before it. It reads every link that no manifest needs.
    pub async fn collection_outlook(&self, now: Timestamp) -> Result<CollectionOutlook> {
        self.read("look at what collection has before it", move |sql| {
            let waiting = "SELECT COUNT(*), CAST(COALESCE(SUM(b.size), 0) AS BIGINT), MIN(l.due_at)
                FROM repository_blob AS l JOIN blob AS b ON b.digest = l.digest WHERE l.due_at > ?1";
            let mut waiting = one(sql, waiting, params![now])?;
            let due = "SELECT COUNT(*), CAST(COALESCE(SUM(b.size), 0) AS BIGINT)
                FROM repository_blob AS l JOIN blob AS b ON b.digest = l.digest WHERE l.due_at <= ?1
                AND NOT EXISTS (SELECT 1 FROM manifest_reference AS f
                                WHERE f.repository = l.repository AND f.digest = l.digest)";
            let mut due = one(sql, due, params![now])?;
            // A blob goes when each of its links would be taken.
            let freeable = "SELECT COUNT(*), CAST(COALESCE(SUM(b.size), 0) AS BIGINT) FROM blob AS b
                WHERE b.digest IN (SELECT digest FROM repository_blob WHERE due_at <= ?1)
                AND NOT EXISTS (SELECT 1 FROM repository_blob AS l WHERE l.digest = b.digest
                  AND (l.due_at IS NULL OR l.due_at > ?1 OR EXISTS (SELECT 1 FROM manifest_reference AS f
                       WHERE f.repository = l.repository AND f.digest = l.digest)))";
            let mut freeable = one(sql, freeable, params![now])?;
            let forgotten = "SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM forgotten_object";
            let mut forgotten = one(sql, forgotten, &[])?;
            Ok(CollectionOutlook {
                waiting: amount(&mut waiting)?,
                next_due: waiting.take()?,
                due: amount(&mut due)?,
                freeable: amount(&mut freeable)?,
                forgotten: amount(&mut forgotten)?,
            })
        })
        .await
    }
}

fn one(sql: &mut dyn Sql, statement: &'static str, parameters: &[Value]) -> Result<Row> {
    let row = sql.first(statement, parameters)?;
    row.ok_or_else(|| Error::Corrupt("a count gives no row".to_owned()))
}

fn amount(row: &mut Row) -> Result<Amount> {
    Ok(Amount { count: row.take()?, bytes: row.take()? })
}

/// Whether this transaction has the repository's collection to itself. Replicas do not wait for each other.
fn claim(sql: &mut dyn Sql, repository: RepositoryId) -> Result<bool> {
    if sql.dialect() == Dialect::Sqlite {
        return Ok(true);
    }
    // Any number that others do not use, and the repository.
    let claim =
        "SELECT pg_try_advisory_xact_lock(724510628, CAST(CAST(?1 AS BIGINT) % 2147483647 AS INTEGER))";
    sql.first(claim, params![repository])?.map_or(Ok(false), |mut row| row.take())
}

fn collect(
    sql: &mut dyn Sql,
    repository: RepositoryId,
    digests: &[Digest],
    now: Timestamp,
) -> Result<CollectedLinks> {
    if !claim(sql, repository)? {
        return Ok(CollectedLinks { busy: true, ..CollectedLinks::default() });
    }
    let mut ledger = match Ledger::lock(sql, repository) {
        // It was deleted, and its links with it.
        Err(Error::NotFound(_)) => return Ok(CollectedLinks::default()),
        other => other?,
    };
    // The rows of blobs are always locked in this order, so that nobody waits in a circle.
    let lock = "SELECT digest FROM blob WHERE digest IN (SELECT value FROM json_each(?1)) ORDER BY digest
        /*postgres: FOR UPDATE*/";
    sql.query(lock, &[digest_list(digests)])?;
    sql.execute(
        "UPDATE repository_blob SET due_at = NULL
         WHERE repository = ?1 AND digest IN (SELECT value FROM json_each(?2)) AND due_at IS NOT NULL
         AND EXISTS (SELECT 1 FROM manifest_reference AS f
                     WHERE f.repository = repository_blob.repository AND f.digest = repository_blob.digest)",
        &[repository.into(), digest_list(digests)],
    )?;
    // What is in the trash stays, also when it came there after the link had got its time. A run whose time is over is there
    // until somebody drops it, who doubts the clock more than collection does.
    sql.execute(
        "UPDATE repository_blob SET due_at = COALESCE(
           (SELECT MAX(m.expires_at) FROM trash_reference AS t JOIN trash_manifest AS x ON x.id = t.manifest
            JOIN trash_run AS m ON m.id = x.run
            WHERE t.repository = repository_blob.repository AND t.digest = repository_blob.digest
            AND m.expires_at > ?3), ?4)
         WHERE repository = ?1 AND digest IN (SELECT value FROM json_each(?2)) AND due_at <= ?3
         AND EXISTS (SELECT 1 FROM trash_reference AS t
            WHERE t.repository = repository_blob.repository AND t.digest = repository_blob.digest)",
        &[repository.into(), digest_list(digests), now.into(), now.plus_millis(TRASH_AGAIN).into()],
    )?;
    let rows = sql.query(
        "DELETE FROM repository_blob
         WHERE repository = ?1 AND digest IN (SELECT value FROM json_each(?2)) AND due_at <= ?3
         AND NOT EXISTS (SELECT 1 FROM manifest_reference AS f
                         WHERE f.repository = repository_blob.repository AND f.digest = repository_blob.digest)
         RETURNING digest",
        &[repository.into(), digest_list(digests), now.into()],
    )?;
    let removed = rows.into_iter().map(|mut row| row.take()).collect::<Result<Vec<Digest>>>()?;
    if removed.is_empty() {
        return Ok(CollectedLinks::default());
    }
    ledger.remove_blobs(sql, &removed)?;
    ledger.store(sql)?;
    let forgotten = forget_unlinked(sql, &removed, now)?;
    Ok(CollectedLinks { removed, forgotten, busy: false })
}

/// Takes the blobs that no repository links any more, and writes their objects down as forgotten. The rows of the
/// blobs are locked.
pub(crate) fn forget_unlinked(
    sql: &mut dyn Sql,
    digests: &[Digest],
    now: Timestamp,
) -> Result<Vec<ForgottenObject>> {
    let rows = sql.query(
        "DELETE FROM blob WHERE digest IN (SELECT value FROM json_each(?1))
         AND NOT EXISTS (SELECT 1 FROM repository_blob AS l WHERE l.digest = blob.digest)
         RETURNING object_key, size",
        &[digest_list(digests)],
    )?;
    let mut forgotten = Vec::with_capacity(rows.len());
    for mut row in rows {
        let object = ForgottenObject { key: row.take()?, size: row.take()? };
        forget(sql, &object.key, object.size, now)?;
        forgotten.push(object);
    }
    Ok(forgotten)
}

/// A manifest needs these blobs now: nobody has to look at their links.
pub(crate) fn need(sql: &mut dyn Sql, repository: RepositoryId, digests: &[Digest]) -> Result<()> {
    sql.execute(
        "UPDATE repository_blob SET due_at = NULL
         WHERE repository = ?1 AND digest IN (SELECT value FROM json_each(?2)) AND due_at IS NOT NULL",
        &[repository.into(), digest_list(digests)],
    )?;
    Ok(())
}

/// A manifest that needed these blobs is gone: the links that no other manifest needs may go when `due` comes.
/// Gives those.
pub(crate) fn condemn(
    sql: &mut dyn Sql,
    repository: RepositoryId,
    digests: &[Digest],
    due: Timestamp,
) -> Result<Vec<Digest>> {
    let rows = sql.query(
        "UPDATE repository_blob SET due_at = ?3
         WHERE repository = ?1 AND digest IN (SELECT value FROM json_each(?2)) AND due_at IS NULL
         AND NOT EXISTS (SELECT 1 FROM manifest_reference AS f
                         WHERE f.repository = repository_blob.repository AND f.digest = repository_blob.digest)
         RETURNING digest",
        &[repository.into(), digest_list(digests), due.into()],
    )?;
    rows.into_iter().map(|mut row| row.take()).collect()
}
