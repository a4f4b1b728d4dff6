//! What a run takes: each repository's loss in one transaction, and only if all of it is as the plan saw it.

use railhead_oci::{Digest, Tag};

use super::{Loss, TrashId, Trashed};
use crate::collection::condemn;
use crate::sql::{Sql, digest_list, params};
use crate::tags::remember;
use crate::usage::Ledger;
use crate::{Catalog, Error, OwnerId, RepositoryId, Result, Timestamp};

impl Catalog {
    /// Begins a run.
    pub async fn begin_trash(
        &self,
        plan: &str,
        account: Option<OwnerId>,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<TrashId> {
        let plan = plan.to_owned();
        self.write("begin a run of retention", move |sql| {
            let row = sql.first(
                "INSERT INTO trash_run (plan, account, applied_at, expires_at) VALUES (?1, ?2, ?3, ?4) RETURNING id",
                params![&plan, account, now, until],
            )?;
            row.ok_or_else(|| Error::Corrupt("a new row has no id".to_owned()))?.take()
        })
        .await
    }

    /// Moves what a repository loses to the trash, if all of it is as the plan saw it. Blobs that no manifest needs then
    /// may go when `due` comes.
    pub async fn trash(
        &self,
        run: TrashId,
        repository: RepositoryId,
        loss: Loss,
        account: Option<OwnerId>,
        due: Timestamp,
        now: Timestamp,
    ) -> Result<Trashed> {
        self.write("move what retention takes to the trash", move |sql| {
            let mut ledger = match Ledger::lock(sql, repository) {
                Err(Error::NotFound(_)) => return Ok(Trashed::Moved("the repository is gone".to_owned())),
                other => other?,
            };
            if let Some(what) = moved(sql, repository, &loss)? {
                return Ok(Trashed::Moved(what));
            }
            for (tag, digest) in &loss.tags {
                sql.execute(
                    "INSERT INTO trash_tag (run, repository, name, digest, created_at, moved_at)
                     SELECT CAST(?1 AS BIGINT), repository, name, digest, created_at, moved_at FROM tag
                     WHERE repository = ?2 AND name = ?3",
                    params![run, repository, tag],
                )?;
                sql.execute("DELETE FROM tag WHERE repository = ?1 AND name = ?2", params![repository, tag])?;
                remember(sql, repository, tag, digest, account, now)?;
            }
            let condemned = take_manifests(sql, run, repository, &loss, &mut ledger, due)?;
            ledger.store(sql)?;
            Ok(Trashed::Done { condemned })
        })
        .await
    }
}

/// What is not as the plan saw it, if anything.
fn moved(sql: &mut dyn Sql, repository: RepositoryId, loss: &Loss) -> Result<Option<String>> {
    for (tag, digest) in &loss.tags {
        let statement = "SELECT digest FROM tag WHERE repository = ?1 AND name = ?2 /*postgres: FOR UPDATE*/";
        let names = sql.first(statement, params![repository, tag])?.map(|mut row| row.take()).transpose()?;
        if names != Some(*digest) {
            return Ok(Some(format!("tag '{tag}' has moved or is gone")));
        }
    }
    for manifest in &loss.manifests {
        let statement = "SELECT pushed_at, pulled_at FROM manifest WHERE repository = ?1 AND digest = ?2";
        let Some(mut row) = sql.first(statement, params![repository, &manifest.digest])? else {
            return Ok(Some(format!("{} is gone", manifest.digest)));
        };
        let (pushed, pulled): (Timestamp, Option<Timestamp>) = (row.take()?, row.take()?);
        if pushed != manifest.pushed_at || pulled != manifest.pulled_at {
            return Ok(Some(format!("{} was pushed or pulled", manifest.digest)));
        }
    }
    let digests: Vec<_> = loss.manifests.iter().map(|manifest| manifest.digest).collect();
    let rows = sql.query(
        "SELECT name FROM tag WHERE repository = ?1 AND digest IN (SELECT value FROM json_each(?2))",
        &[repository.into(), digest_list(&digests)],
    )?;
    for mut row in rows {
        let tag: Tag = row.take()?;
        if !loss.tags.iter().any(|(lost, _)| *lost == tag) {
            return Ok(Some(format!("tag '{tag}' is new")));
        }
    }
    let user = sql.first(
        "SELECT m.digest FROM manifest AS m WHERE m.repository = ?1
         AND m.digest NOT IN (SELECT value FROM json_each(?2))
         AND (m.subject IN (SELECT value FROM json_each(?2)) OR m.id IN
           (SELECT f.manifest FROM manifest_reference AS f
            WHERE f.repository = ?1 AND f.digest IN (SELECT value FROM json_each(?2)))) LIMIT 1",
        &[repository.into(), digest_list(&digests)],
    )?;
    user.map(|mut row| Ok(format!("{} needs something of it", row.take::<Digest>()?))).transpose()
}

/// Moves manifests and what they refer to. Gives the blobs that nothing needs any more.
fn take_manifests(
    sql: &mut dyn Sql,
    run: TrashId,
    repository: RepositoryId,
    loss: &Loss,
    ledger: &mut Ledger,
    due: Timestamp,
) -> Result<Vec<Digest>> {
    let digests: Vec<_> = loss.manifests.iter().map(|manifest| manifest.digest).collect();
    if digests.is_empty() {
        return Ok(Vec::new());
    }
    let list = || digest_list(&digests);
    sql.execute(
        "INSERT INTO trash_manifest (run, repository, digest, media_type, size, subject, artifact_type, annotations,
           pushed_at, pulled_at, content)
         SELECT CAST(?1 AS BIGINT), repository, digest, media_type, size, subject, artifact_type, annotations,
           pushed_at, pulled_at, content
         FROM manifest WHERE repository = ?2 AND digest IN (SELECT value FROM json_each(?3))",
        &[run.into(), repository.into(), list()],
    )?;
    sql.execute(
        "INSERT INTO trash_reference (repository, digest, manifest, child)
         SELECT f.repository, f.digest, t.id, f.child FROM manifest_reference AS f
         JOIN manifest AS m ON m.id = f.manifest
         JOIN trash_manifest AS t ON t.repository = m.repository AND t.digest = m.digest AND t.run = ?1
         WHERE m.repository = ?2 AND m.digest IN (SELECT value FROM json_each(?3))",
        &[run.into(), repository.into(), list()],
    )?;
    let rows = sql.query(
        "SELECT DISTINCT f.digest FROM manifest_reference AS f JOIN manifest AS m ON m.id = f.manifest
         WHERE m.repository = ?1 AND m.digest IN (SELECT value FROM json_each(?2))",
        &[repository.into(), list()],
    )?;
    let needed = rows.into_iter().map(|mut row| row.take()).collect::<Result<Vec<Digest>>>()?;
    let rows = sql.query(
        "DELETE FROM manifest WHERE repository = ?1 AND digest IN (SELECT value FROM json_each(?2)) RETURNING size",
        &[repository.into(), list()],
    )?;
    for mut row in rows {
        ledger.remove_manifest(row.take()?)?;
    }
    condemn(sql, repository, &needed, due)
}
