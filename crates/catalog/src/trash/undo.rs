//! What is brought back: a manifest with what belongs to it, unless somebody has pushed it again, and a tag, unless
//! somebody has given it to another manifest.

use std::collections::{BTreeMap, BTreeSet};

use railhead_oci::{Digest, Tag};

use super::{TrashId, Undone, Untrash};
use crate::collection::need;
use crate::sql::{Row, Sql, digest_list, params};
use crate::usage::Ledger;
use crate::{Catalog, Error, RepositoryId, Result, Timestamp};

impl Catalog {
    /// Brings back what a run took of a repository. [`Error::NotFound`] when it is not in the trash any more;
    /// [`Error::MissingReferences`] when a blob of it is gone, and then nothing is changed.
    pub async fn untrash(
        &self,
        run: TrashId,
        repository: RepositoryId,
        what: Untrash,
        now: Timestamp,
    ) -> Result<Undone> {
        self.write("bring back what retention took", move |sql| {
            let mut ledger = Ledger::lock(sql, repository)?;
            let in_time = "SELECT 1 FROM trash_run WHERE id = ?1 AND expires_at > ?2";
            if !sql.any(in_time, params![run, now])? {
                return Err(Error::NotFound("run of retention that can still be undone".to_owned()));
            }
            let trash = Trash::read(sql, run, repository)?;
            let (tags, digests) = trash.wanted(&what)?;
            let missing = missing(sql, repository, &trash, &digests)?;
            if !missing.is_empty() {
                return Err(Error::MissingReferences(missing));
            }
            let mut undone = Undone::default();
            for digest in &digests {
                let Some(id) = trash.manifests.get(digest).map(|manifest| manifest.id) else { continue };
                bring_back(sql, repository, id, &mut ledger)?;
                undone.manifests.push(*digest);
            }
            for (tag, digest) in tags {
                if bring_back_tag(sql, run, repository, &tag, &digest)? {
                    undone.tags.push(tag);
                } else {
                    undone.taken.push(tag);
                }
            }
            ledger.store(sql)?;
            sql.execute(
                "DELETE FROM trash_run WHERE id = ?1
                 AND NOT EXISTS (SELECT 1 FROM trash_tag WHERE run = ?1)
                 AND NOT EXISTS (SELECT 1 FROM trash_manifest WHERE run = ?1)",
                params![run],
            )?;
            Ok(undone)
        })
        .await
    }
}

/// What a run took of a repository.
struct Trash {
    tags: Vec<(Tag, Digest)>,
    manifests: BTreeMap<Digest, TrashedManifest>,
}

/// Tags with what they name, and manifests.
type Wanted = (Vec<(Tag, Digest)>, BTreeSet<Digest>);

struct TrashedManifest {
    id: i64,
    subject: Option<Digest>,
    references: Vec<Digest>,
}

impl Trash {
    fn read(sql: &mut dyn Sql, run: TrashId, repository: RepositoryId) -> Result<Self> {
        let statement = "SELECT name, digest FROM trash_tag WHERE run = ?1 AND repository = ?2 ORDER BY name";
        let tag = |mut row: Row| Ok((row.take()?, row.take()?));
        let tags =
            sql.query(statement, params![run, repository])?.into_iter().map(tag).collect::<Result<_>>()?;
        let statement = "SELECT digest, id, subject FROM trash_manifest WHERE run = ?1 AND repository = ?2";
        let mut manifests = BTreeMap::new();
        for mut row in sql.query(statement, params![run, repository])? {
            let digest = row.take()?;
            let manifest = TrashedManifest { id: row.take()?, subject: row.take()?, references: Vec::new() };
            manifests.insert(digest, manifest);
        }
        let statement = "SELECT m.digest, t.digest FROM trash_reference AS t
             JOIN trash_manifest AS m ON m.id = t.manifest WHERE m.run = ?1 AND m.repository = ?2";
        for mut row in sql.query(statement, params![run, repository])? {
            let (manifest, digest): (Digest, Digest) = (row.take()?, row.take()?);
            if let Some(manifest) = manifests.get_mut(&manifest) {
                manifest.references.push(digest);
            }
        }
        Ok(Self { tags, manifests })
    }

    /// The tags and manifests to bring back.
    fn wanted(&self, what: &Untrash) -> Result<Wanted> {
        let missing = |what: String| Error::NotFound(format!("{what} in the trash"));
        let (tags, root): (Vec<_>, _) = match what {
            Untrash::All => return Ok((self.tags.clone(), self.manifests.keys().copied().collect())),
            Untrash::Tag(wanted) => {
                let tag = self.tags.iter().find(|(tag, _)| tag == wanted);
                let tag = tag.ok_or_else(|| missing(format!("tag '{wanted}'")))?;
                (vec![tag.clone()], tag.1)
            }
            Untrash::Manifest(digest) => {
                if !self.manifests.contains_key(digest) {
                    return Err(missing(format!("manifest {digest}")));
                }
                (self.tags.iter().filter(|(_, named)| named == digest).cloned().collect(), *digest)
            }
        };
        let (mut found, mut waiting) = (BTreeSet::new(), vec![root]);
        while let Some(digest) = waiting.pop() {
            let Some(manifest) = self.manifests.get(&digest) else { continue };
            if found.insert(digest) {
                waiting.extend(manifest.references.iter().copied());
                let about = self.manifests.iter().filter(|(_, other)| other.subject == Some(digest));
                waiting.extend(about.map(|(about, _)| *about));
            }
        }
        Ok((tags, found))
    }
}

/// What the manifests to be brought back need and the repository does not have.
fn missing(
    sql: &mut dyn Sql,
    repository: RepositoryId,
    trash: &Trash,
    digests: &BTreeSet<Digest>,
) -> Result<Vec<Digest>> {
    let needed: BTreeSet<_> = digests
        .iter()
        .filter_map(|digest| trash.manifests.get(digest))
        .flat_map(|manifest| manifest.references.iter().copied())
        .filter(|digest| !digests.contains(digest))
        .collect();
    // Only blobs: a list may have named manifests that were never there.
    let rows = sql.query(
        "SELECT DISTINCT t.digest FROM trash_reference AS t
         WHERE t.repository = ?1 AND t.child = 0 AND t.digest IN (SELECT value FROM json_each(?2))
         AND NOT EXISTS (SELECT 1 FROM repository_blob AS l WHERE l.repository = ?1 AND l.digest = t.digest)",
        &[repository.into(), digest_list(&needed)],
    )?;
    rows.into_iter().map(|mut row| row.take()).collect()
}

/// Moves a manifest back, unless somebody has pushed it again meanwhile.
fn bring_back(sql: &mut dyn Sql, repository: RepositoryId, trashed: i64, ledger: &mut Ledger) -> Result<()> {
    let row = sql.first(
        "INSERT INTO manifest
         (repository, digest, media_type, size, subject, artifact_type, annotations, pushed_at, pulled_at, content)
         SELECT repository, digest, media_type, size, subject, artifact_type, annotations, pushed_at, pulled_at, content
         FROM trash_manifest WHERE id = ?1 ON CONFLICT (repository, digest) DO NOTHING RETURNING id, size",
        params![trashed],
    )?;
    if let Some(mut row) = row {
        let (id, size): (i64, u64) = (row.take()?, row.take()?);
        ledger.add_manifest(size);
        sql.execute(
            "INSERT INTO manifest_reference (repository, digest, manifest, child)
             SELECT repository, digest, CAST(?2 AS BIGINT), child FROM trash_reference WHERE manifest = ?1",
            params![trashed, id],
        )?;
        let rows = sql.query("SELECT digest FROM trash_reference WHERE manifest = ?1", params![trashed])?;
        let needed = rows.into_iter().map(|mut row| row.take()).collect::<Result<Vec<Digest>>>()?;
        need(sql, repository, &needed)?;
    }
    sql.execute("DELETE FROM trash_manifest WHERE id = ?1", params![trashed])?;
    Ok(())
}

/// Moves a tag back; `false` when it names something else by now, or its manifest is not there.
fn bring_back_tag(
    sql: &mut dyn Sql,
    run: TrashId,
    repository: RepositoryId,
    tag: &Tag,
    digest: &Digest,
) -> Result<bool> {
    sql.execute(
        "INSERT INTO tag (repository, name, digest, created_at, moved_at)
         SELECT t.repository, t.name, t.digest, t.created_at, t.moved_at FROM trash_tag AS t
         JOIN manifest AS m ON m.repository = t.repository AND m.digest = t.digest
         WHERE t.run = ?1 AND t.repository = ?2 AND t.name = ?3 ON CONFLICT (repository, name) DO NOTHING",
        params![run, repository, tag],
    )?;
    let statement = "SELECT 1 FROM tag WHERE repository = ?1 AND name = ?2 AND digest = ?3";
    let back = sql.any(statement, params![repository, tag, digest])?;
    if back {
        let statement = "DELETE FROM trash_tag WHERE run = ?1 AND repository = ?2 AND name = ?3";
        sql.execute(statement, params![run, repository, tag])?;
    }
    Ok(back)
}
