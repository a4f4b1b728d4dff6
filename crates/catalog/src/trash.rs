//! The trash: what retention has taken out of repositories, and brings back when somebody asks for it in time.
//!
//! A run is one plan that was applied. What it takes is moved, row by row, to tables of its own: so nothing that
//! serves can see it. Its blobs stay linked, with the end of the trash as their time, and collection looks at the trash
//! once more before it takes a link. They count for the quota, as they take room; manifests in the trash do not.
//!
//! Invariant: what is taken from a repository is taken in one transaction, behind the lock on the owner's row that
//! every push into the repository takes as well, and only if all of it is still as the plan saw it.

use std::collections::{BTreeMap, BTreeSet};

use railhead_oci::{Digest, RepositoryName, Tag};

use crate::collection::{condemn, need};
use crate::sql::{FromValue, Row, Sql, Value, digest_list, params};
use crate::tags::remember;
use crate::usage::Ledger;
use crate::{Catalog, Error, OwnerId, RepositoryId, Result, Timestamp};

/// A run of retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

    /// Drops runs whose time is over; gives the number of manifests that went with them.
    pub async fn drop_expired_trash(&self, now: Timestamp) -> Result<u64> {
        let over = "SELECT 1 FROM trash_run WHERE expires_at <= ?1 LIMIT 1";
        if !self
            .read("look for trash whose time is over", move |sql| Ok(sql.any(over, params![now])?))
            .await?
        {
            return Ok(0);
        }
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
