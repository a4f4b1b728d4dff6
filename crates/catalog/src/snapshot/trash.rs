//! The trash in a snapshot: what retention took of a repository, and until when it can be brought back.

use railhead_oci::Manifest;

use super::records::{ManifestRecord, TagItem, TrashRunRecord, TrashedManifest, TrashedTag};
use crate::sql::{Row, Sql, digest_list, params};
use crate::{Error, RepositoryId, Result, Timestamp, TrashId};

/// What is in the trash of one repository.
#[derive(Clone, Debug, Default)]
pub struct TrashBatch {
    /// The runs that took it.
    pub runs: Vec<TrashRunRecord>,
    /// Manifests; their runs and blobs are there or in this batch.
    pub manifests: Vec<TrashedManifest>,
    /// Tags; their runs are there or in this batch.
    pub tags: Vec<TrashedTag>,
}

impl TrashBatch {
    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.manifests.is_empty() && self.tags.is_empty()
    }
}

/// The runs that took something of a repository.
pub(super) fn runs(sql: &mut dyn Sql, repository: RepositoryId) -> Result<Vec<TrashRunRecord>> {
    let rows = sql.query(
        "SELECT r.id, r.plan, r.account, r.applied_at, r.expires_at FROM trash_run AS r
         WHERE r.id IN (SELECT run FROM trash_manifest WHERE repository = ?1)
         OR r.id IN (SELECT run FROM trash_tag WHERE repository = ?1) ORDER BY r.id",
        params![repository],
    )?;
    let run = |mut row: Row| {
        Ok(TrashRunRecord {
            id: row.take()?,
            plan: row.take()?,
            account: row.take()?,
            applied_at: row.take()?,
            expires_at: row.take()?,
        })
    };
    rows.into_iter().map(run).collect()
}

/// Up to `limit` manifests that a run took of a repository, behind the one with the id `after`; with the last id.
pub(super) fn manifests(
    sql: &mut dyn Sql,
    run: TrashId,
    repository: RepositoryId,
    after: i64,
    limit: u32,
) -> Result<(Vec<TrashedManifest>, i64)> {
    let rows = sql.query(
        "SELECT id, digest, media_type, pushed_at, pulled_at, content FROM trash_manifest
         WHERE run = ?1 AND repository = ?2 AND id > ?3 ORDER BY id LIMIT ?4",
        params![run, repository, after, limit],
    )?;
    let mut last = after;
    let mut all = Vec::with_capacity(rows.len());
    for mut row in rows {
        last = row.take()?;
        all.push(TrashedManifest { run, manifest: ManifestRecord::read(&mut row)? });
    }
    Ok((all, last))
}

/// The tags that a run took of a repository.
pub(super) fn tags(sql: &mut dyn Sql, run: TrashId, repository: RepositoryId) -> Result<Vec<TrashedTag>> {
    let rows = sql.query(
        "SELECT name, digest, created_at, moved_at FROM trash_tag WHERE run = ?1 AND repository = ?2 ORDER BY name",
        params![run, repository],
    )?;
    let tag = |mut row: Row| {
        let tag = TagItem {
            name: row.take()?,
            digest: row.take()?,
            created_at: row.take()?,
            moved_at: row.take()?,
        };
        Ok(TrashedTag { run, tag })
    };
    rows.into_iter().map(tag).collect()
}

/// Writes what is in the trash of a repository, whose blobs are there. They stay as long as the trash keeps them.
pub(super) fn restore(sql: &mut dyn Sql, repository: RepositoryId, batch: &TrashBatch) -> Result<()> {
    for run in &batch.runs {
        sql.execute(
            "INSERT INTO trash_run (id, plan, account, applied_at, expires_at)
             /*postgres: OVERRIDING SYSTEM VALUE*/ VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id) DO NOTHING",
            params![run.id, &run.plan, run.account, run.applied_at, run.expires_at],
        )?;
    }
    for trashed in &batch.manifests {
        restore_manifest(sql, repository, trashed)?;
    }
    for TrashedTag { run, tag } in &batch.tags {
        sql.execute(
            "INSERT INTO trash_tag (run, repository, name, digest, created_at, moved_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (run, repository, name) DO NOTHING",
            params![*run, repository, &tag.name, &tag.digest, tag.created_at, tag.moved_at],
        )?;
    }
    Ok(())
}

fn restore_manifest(sql: &mut dyn Sql, repository: RepositoryId, trashed: &TrashedManifest) -> Result<()> {
    let TrashedManifest { run, manifest } = trashed;
    let bytes = manifest.content.as_bytes();
    let facts = Manifest::read(Some(&manifest.media_type), bytes)
        .map_err(|error| Error::Corrupt(format!("manifest {} cannot be read: {error}", manifest.digest)))?;
    let annotations = (!facts.annotations.is_empty()).then(|| facts.annotations_json());
    let row = sql.first(
        "INSERT INTO trash_manifest (run, repository, digest, media_type, size, subject, artifact_type, annotations,
           pushed_at, pulled_at, content)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT (repository, digest, run) DO NOTHING RETURNING id",
        params![
            *run,
            repository,
            &manifest.digest,
            &manifest.media_type,
            bytes.len() as u64,
            facts.subject.as_ref(),
            facts.artifact_type.as_deref(),
            annotations.as_deref(),
            manifest.pushed_at,
            manifest.pulled_at,
            bytes
        ],
    )?;
    let Some(mut row) = row else { return Ok(()) };
    let id: i64 = row.take()?;
    for (child, digests) in [(true, &facts.children), (false, &facts.blobs)] {
        sql.execute(
            "INSERT INTO trash_reference (repository, digest, manifest, child)
             SELECT CAST(?1 AS BIGINT), value, CAST(?2 AS BIGINT), CAST(?3 AS BIGINT) FROM json_each(?4) WHERE 1 = 1
             ON CONFLICT (repository, digest, manifest) DO NOTHING",
            &[repository.into(), id.into(), child.into(), digest_list(digests)],
        )?;
    }
    keep_blobs(sql, repository, *run, id)
}

/// What a manifest of the repository needs has no time, and what only the trash needs goes with it.
fn keep_blobs(sql: &mut dyn Sql, repository: RepositoryId, run: TrashId, manifest: i64) -> Result<()> {
    let row = sql.first("SELECT expires_at FROM trash_run WHERE id = ?1", params![run])?;
    let ends: Timestamp = row.ok_or_else(|| Error::NotFound("run of retention".to_owned()))?.take()?;
    sql.execute(
        "UPDATE repository_blob SET due_at = ?3 WHERE repository = ?1 AND due_at < ?3
         AND digest IN (SELECT digest FROM trash_reference WHERE manifest = ?2)",
        params![repository, manifest, ends],
    )?;
    Ok(())
}
