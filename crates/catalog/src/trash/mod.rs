//! The trash: what retention has taken out of repositories, and brings back when somebody asks for it in time.
//!
//! A run is one plan that was applied. What it takes is moved, row by row, to tables of its own: so nothing that
//! serves can see it. Its blobs stay linked, with the end of the trash as their time, and collection takes no link that
//! something in the trash needs: also not when its time is over by the clock, before the run was dropped. They count for the quota, as they take room; manifests in the trash do not.
//!
//! Invariant: what is taken from a repository is taken in one transaction, behind the lock on the owner's row that
//! every push into the repository takes as well, and only if all of it is still as the plan saw it.

mod take;
mod undo;

use std::time::Duration;

use railhead_oci::{Digest, RepositoryName, Tag};
use serde::{Deserialize, Serialize};

use crate::sql::{FromValue, Row, Value, params};
use crate::{Catalog, RepositoryId, Result, Timestamp};

/// A run of retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TrashId(pub i64);

/// What a repository is to lose, as the plan saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Tags, and what they name.
    pub tags: Vec<(Tag, Digest)>,
    /// Manifests.
    pub manifests: Vec<LostManifest>,
}

/// A manifest that is to be lost, as the plan saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostManifest {
    /// Its digest.
    pub digest: Digest,
    /// When it was last pushed.
    pub pushed_at: Timestamp,
    /// When it was last pulled.
    pub pulled_at: Option<Timestamp>,
}

/// What became of a loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trashed {
    /// It is in the trash. Blobs that no manifest of the repository needs any more may go when their time comes.
    Done {
        /// Those blobs.
        condemned: Vec<Digest>,
    },
    /// Something is not as the plan saw it, and nothing was taken.
    Moved(String),
}

/// A run that can be undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrashRun {
    /// Its id.
    pub id: TrashId,
    /// The hash of the plan.
    pub plan: String,
    /// When it was applied.
    pub applied_at: Timestamp,
    /// Until when it can be undone.
    pub expires_at: Timestamp,
    /// Tags in the trash.
    pub tags: u64,
    /// Manifests in the trash.
    pub manifests: u64,
}

/// Something in the trash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrashEntry {
    /// The run that took it.
    pub run: TrashId,
    /// The repository.
    pub repository: RepositoryId,
    /// Its name.
    pub name: RepositoryName,
    /// The tag; absent for a manifest that no tag named.
    pub tag: Option<Tag>,
    /// The manifest.
    pub digest: Digest,
}

/// What to bring back of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Untrash {
    /// All that a run took of it.
    All,
    /// This tag, and what belongs to its manifest.
    Tag(Tag),
    /// This manifest, and what belongs to it, with the tags that named it.
    Manifest(Digest),
}

/// What was brought back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undone {
    /// Tags.
    pub tags: Vec<Tag>,
    /// Manifests.
    pub manifests: Vec<Digest>,
    /// Tags that stay in the trash: meanwhile somebody has given them to another manifest.
    pub taken: Vec<Tag>,
}

/// What was emptied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Emptied {
    /// Manifests that cannot be brought back any more.
    pub manifests: u64,
    /// Links whose time comes earlier now.
    pub links: Vec<(RepositoryName, Digest)>,
}

impl FromValue for TrashId {
    fn from_value(value: Value) -> Result<Self> {
        i64::from_value(value).map(Self)
    }
}

impl From<TrashId> for Value {
    fn from(TrashId(number): TrashId) -> Self {
        Self::Int(number)
    }
}

impl Catalog {
    /// Runs that can still be undone, the last one first.
    pub async fn trash_runs(&self, now: Timestamp) -> Result<Vec<TrashRun>> {
        self.read("list the runs of retention", move |sql| {
            let rows = sql.query(
                "SELECT r.id, r.plan, r.applied_at, r.expires_at,
                   (SELECT COUNT(*) FROM trash_tag AS t WHERE t.run = r.id),
                   (SELECT COUNT(*) FROM trash_manifest AS m WHERE m.run = r.id)
                 FROM trash_run AS r WHERE r.expires_at > ?1 ORDER BY r.id DESC",
                params![now],
            )?;
            let run = |mut row: Row| {
                Ok(TrashRun {
                    id: row.take()?,
                    plan: row.take()?,
                    applied_at: row.take()?,
                    expires_at: row.take()?,
                    tags: row.take()?,
                    manifests: row.take()?,
                })
            };
            rows.into_iter().map(run).collect()
        })
        .await
    }

    /// What can still be brought back, by repository and name, the last run first: of a run, or of all.
    pub async fn trash_entries(&self, run: Option<TrashId>, now: Timestamp) -> Result<Vec<TrashEntry>> {
        self.read("list what is in the trash", move |sql| {
            let rows = sql.query(
                "SELECT e.run, e.repository, p.name, e.tag, e.digest FROM
                   (SELECT run, repository, name AS tag, digest FROM trash_tag UNION ALL
                    SELECT m.run, m.repository, NULL, m.digest FROM trash_manifest AS m WHERE NOT EXISTS
                      (SELECT 1 FROM trash_tag AS t
                       WHERE t.run = m.run AND t.repository = m.repository AND t.digest = m.digest)) AS e
                 JOIN trash_run AS r ON r.id = e.run JOIN repository AS p ON p.id = e.repository
                 WHERE r.expires_at > ?1 AND (CAST(?2 AS BIGINT) IS NULL OR e.run = ?2)
                 ORDER BY p.name, e.run DESC, e.tag, e.digest",
                params![now, run],
            )?;
            let entry = |mut row: Row| {
                Ok(TrashEntry {
                    run: row.take()?,
                    repository: row.take()?,
                    name: row.take()?,
                    tag: row.take()?,
                    digest: row.take()?,
                })
            };
            rows.into_iter().map(entry).collect()
        })
        .await
    }

    /// The longest time that a run stays in the trash; none without a run.
    pub async fn longest_trash(&self) -> Result<Duration> {
        self.read("look how long the trash lasts", |sql| {
            let statement = "SELECT COALESCE(MAX(expires_at - applied_at), 0) FROM trash_run";
            let millis: i64 = sql.first(statement, &[])?.map_or(Ok(0), |mut row| row.take())?;
            Ok(Duration::from_millis(u64::try_from(millis).unwrap_or_default()))
        })
        .await
    }

    /// Whether there are runs whose time is over.
    pub async fn has_expired_trash(&self, now: Timestamp) -> Result<bool> {
        let over = "SELECT 1 FROM trash_run WHERE expires_at <= ?1 LIMIT 1";
        self.read("look for trash whose time is over", move |sql| Ok(sql.any(over, params![now])?)).await
    }

    /// Drops runs whose time is over; gives the number of manifests that went with them. Until then collection leaves
    /// alone what they need.
    pub async fn drop_expired_trash(&self, now: Timestamp) -> Result<u64> {
        self.write("drop trash whose time is over", move |sql| {
            let row = sql.first(
                "SELECT COUNT(*) FROM trash_manifest WHERE run IN (SELECT id FROM trash_run WHERE expires_at <= ?1)",
                params![now],
            )?;
            sql.execute("DELETE FROM trash_run WHERE expires_at <= ?1", params![now])?;
            row.map_or(Ok(0), |mut row| row.take())
        })
        .await
    }

    /// Empties the trash of all runs, before its time: what only it needs may go when `due` comes.
    pub async fn empty_trash(&self, due: Timestamp) -> Result<Emptied> {
        self.write("empty the trash", move |sql| {
            let links = sql.query(
                "UPDATE repository_blob SET due_at = ?1 WHERE due_at > ?1 AND EXISTS
                   (SELECT 1 FROM trash_reference AS t
                    WHERE t.repository = repository_blob.repository AND t.digest = repository_blob.digest)
                 RETURNING (SELECT name FROM repository WHERE id = repository_blob.repository), digest",
                params![due],
            )?;
            let link = |mut row: Row| Ok((row.take()?, row.take()?));
            let links = links.into_iter().map(link).collect::<Result<_>>()?;
            let row = sql.first("SELECT COUNT(*) FROM trash_manifest", &[])?;
            sql.execute("DELETE FROM trash_run", &[])?;
            Ok(Emptied { manifests: row.map_or(Ok(0), |mut row| row.take())?, links })
        })
        .await
    }
}
