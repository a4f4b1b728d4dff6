//! Manifests: what a repository serves under a digest or a tag.
//!
//! Invariant: what a manifest refers to is in its repository when it is put, and its blobs stay while it is there.

use railhead_oci::{Digest, Reference, RepositoryName, Tag};

use crate::collection::{condemn, need};
use crate::sql::{Row, Sql, digest_list, params};
use crate::tags::remember;
use crate::usage::Ledger;
use crate::{Catalog, Error, Limit, NearQuota, OwnerId, RepositoryId, Result, Timestamp};

/// A manifest to be put. What may be missing, as a layer that is not distributed, is simply not listed.
#[derive(Clone, Debug)]
pub struct NewManifest {
    /// Where it goes.
    pub repository: RepositoryId,
    /// The digest of its bytes, verified.
    pub digest: Digest,
    /// The `Content-Type` it was pushed with.
    pub media_type: String,
    /// Its exact bytes.
    pub bytes: Vec<u8>,
    /// The manifest it is about, which may be missing.
    pub subject: Option<Digest>,
    /// What kind of artifact it is.
    pub artifact_type: Option<String>,
    /// Its annotations, a JSON object.
    pub annotations: Option<String>,
    /// Blobs that must be in the repository.
    pub blobs: Vec<Digest>,
    /// Manifests, or blobs, that must be in the repository.
    pub children: Vec<Digest>,
    /// Whether blobs and children may be missing; they are noted as references all the same.
    pub sparse: bool,
    /// Tags that are to name it.
    pub tags: Vec<Tag>,
    /// Those of the tags that must not move once they exist.
    pub frozen: Vec<Tag>,
    /// Who puts it.
    pub account: Option<OwnerId>,
    /// The server's default quota.
    pub quota: Limit,
}

/// What a put has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestPut {
    /// Whether the repository did not have it.
    pub created: bool,
    /// The tags that are new or named another manifest, with what they named.
    pub moved: Vec<(Tag, Option<Digest>)>,
    /// Set when the owner uses nearly all of its quota.
    pub near: Option<NearQuota>,
}

/// What a pull answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredManifest {
    /// The digest of the bytes.
    pub digest: Digest,
    /// The `Content-Type` it was pushed with.
    pub media_type: String,
    /// Its exact bytes.
    pub bytes: Vec<u8>,
    /// When it was last pushed.
    pub pushed_at: Timestamp,
}

/// A manifest without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestSummary {
    /// The digest of its bytes.
    pub digest: Digest,
    /// The `Content-Type` it was pushed with.
    pub media_type: String,
    /// Its size in bytes.
    pub size: u64,
    /// The manifest it is about.
    pub subject: Option<Digest>,
    /// What kind of artifact it is.
    pub artifact_type: Option<String>,
    /// When it was last pushed.
    pub pushed_at: Timestamp,
    /// When it was last pulled; see [`Catalog::touch_manifests`].
    pub pulled_at: Option<Timestamp>,
}

/// What a deletion has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestDeleted {
    /// The tags that named it, in order. They are gone too.
    pub tags: Vec<Tag>,
    /// The manifest it was about, whose referrers have changed.
    pub subject: Option<Digest>,
    /// Blobs that no manifest of the repository needs any more: they may go when their time comes.
    pub condemned: Vec<Digest>,
}

/// A manifest about another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referrer {
    /// The digest of its bytes.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Its size in bytes.
    pub size: u64,
    /// What kind of artifact it is.
    pub artifact_type: Option<String>,
    /// Its annotations, a JSON object.
    pub annotations: Option<String>,
}

/// The statements behind [`Catalog::manifest`].
pub(crate) const BY_TAG: &str = "SELECT m.digest, m.media_type, m.content, m.pushed_at FROM repository AS r
    JOIN tag AS t ON t.repository = r.id AND t.name = ?2
    JOIN manifest AS m ON m.repository = r.id AND m.digest = t.digest WHERE r.name = ?1";
pub(crate) const BY_DIGEST: &str =
    "SELECT m.digest, m.media_type, m.content, m.pushed_at FROM repository AS r
    JOIN manifest AS m ON m.repository = r.id AND m.digest = ?2 WHERE r.name = ?1";

/// The statement behind [`Catalog::referrers`].
pub(crate) const REFERRERS: &str = "SELECT digest, media_type, size, artifact_type, annotations FROM manifest
    WHERE repository = ?1 AND subject = ?2 AND digest > ?3 AND (CAST(?4 AS TEXT) IS NULL OR artifact_type = ?4)
    ORDER BY digest LIMIT ?5";

impl Catalog {
    /// Puts a manifest and moves its tags, all at once; again changes nothing but the time and the media type.
    /// Fails with [`Error::MissingReferences`], [`Error::TagFrozen`], [`Error::QuotaExceeded`], or
    /// [`Error::NotFound`] when the repository is gone.
    pub async fn put_manifest(&self, new: NewManifest, now: Timestamp) -> Result<ManifestPut> {
        self.write("put a manifest", move |sql| {
            let mut ledger = Ledger::lock(sql, new.repository)?;
            let missing = if new.sparse { Vec::new() } else { missing(sql, &new)? };
            if !missing.is_empty() {
                return Err(Error::MissingReferences(missing));
            }
            let created = insert(sql, &new, now)?;
            if created {
                let size = new.bytes.len() as u64;
                ledger.check(size, new.quota)?;
                ledger.add_manifest(size);
            }
            let near = ledger.nears(new.quota);
            if created {
                ledger.store(sql)?;
            }
            let mut moved = Vec::new();
            for tag in &new.tags {
                let former = named(sql, new.repository, tag)?;
                if former != Some(new.digest) {
                    point(sql, &new, tag, former.as_ref(), now)?;
                    moved.push((tag.clone(), former));
                }
            }
            Ok(ManifestPut { created, moved, near })
        })
        .await
    }

    /// The manifest under a tag or a digest.
    pub async fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Option<StoredManifest>> {
        let repository = repository.clone();
        let (statement, reference) = match reference {
            Reference::Tag(tag) => (BY_TAG, tag.to_string()),
            Reference::Digest(digest) => (BY_DIGEST, digest.to_string()),
        };
        self.read("look up a manifest", move |sql| {
            let Some(mut row) = sql.first(statement, params![&repository, &reference])? else {
                return Ok(None);
            };
            Ok(Some(StoredManifest {
                digest: row.take()?,
                media_type: row.take()?,
                bytes: row.take()?,
                pushed_at: row.take()?,
            }))
        })
        .await
    }

    /// Whether the repository has a manifest.
    pub async fn manifest_exists(&self, repository: RepositoryId, digest: &Digest) -> Result<bool> {
        let digest = *digest;
        self.read("look up a manifest", move |sql| {
            let statement = "SELECT 1 FROM manifest WHERE repository = ?1 AND digest = ?2";
            Ok(sql.any(statement, params![repository, &digest])?)
        })
        .await
    }

    /// Deletes a manifest and the tags that name it. An index that lists it stays. Blobs that no other manifest of the
    /// repository needs may go when `due` comes.
    pub async fn delete_manifest(
        &self,
        repository: RepositoryId,
        digest: &Digest,
        account: Option<OwnerId>,
        due: Timestamp,
        now: Timestamp,
    ) -> Result<ManifestDeleted> {
        let digest = *digest;
        self.write("delete a manifest", move |sql| {
            let mut ledger = Ledger::lock(sql, repository)?;
            let needed = needed(sql, repository, &digest)?;
            let statement = "DELETE FROM tag WHERE repository = ?1 AND digest = ?2 RETURNING name";
            let rows = sql.query(statement, params![repository, &digest])?;
            let mut tags = rows.into_iter().map(|mut row| row.take()).collect::<Result<Vec<Tag>>>()?;
            tags.sort_unstable();
            for tag in &tags {
                remember(sql, repository, tag, &digest, account, now)?;
            }
            let statement =
                "DELETE FROM manifest WHERE repository = ?1 AND digest = ?2 RETURNING size, subject";
            let row = sql.first(statement, params![repository, &digest])?;
            let mut row = row.ok_or_else(|| Error::NotFound(format!("manifest {digest}")))?;
            ledger.remove_manifest(row.take()?)?;
            ledger.store(sql)?;
            let condemned = condemn(sql, repository, &needed, due)?;
            Ok(ManifestDeleted { tags, subject: row.take()?, condemned })
        })
        .await
    }

    /// Up to `limit` manifests about `subject`, which need not exist, with digests behind `after`, ordered by digest.
    pub async fn referrers(
        &self,
        repository: RepositoryId,
        subject: &Digest,
        artifact_type: Option<&str>,
        after: Option<&Digest>,
        limit: u32,
    ) -> Result<Vec<Referrer>> {
        let (subject, kind) = (*subject, artifact_type.map(str::to_owned));
        let after = after.map_or_else(String::new, ToString::to_string);
        self.read("list the referrers of a manifest", move |sql| {
            let parameters = params![repository, &subject, &after, kind.as_deref(), limit];
            let referrer = |mut row: Row| {
                Ok(Referrer {
                    digest: row.take()?,
                    media_type: row.take()?,
                    size: row.take()?,
                    artifact_type: row.take()?,
                    annotations: row.take()?,
                })
            };
            sql.query(REFERRERS, parameters)?.into_iter().map(referrer).collect()
        })
        .await
    }

    /// Up to `limit` manifests with digests behind `after`, ordered by digest.
    pub async fn manifests(
        &self,
        repository: RepositoryId,
        after: Option<&Digest>,
        limit: u32,
    ) -> Result<Vec<ManifestSummary>> {
        let after = after.map_or_else(String::new, ToString::to_string);
        self.read("list the manifests", move |sql| {
            let rows = sql.query(
                "SELECT digest, media_type, size, subject, artifact_type, pushed_at, pulled_at FROM manifest
                 WHERE repository = ?1 AND digest > ?2 ORDER BY digest LIMIT ?3",
                params![repository, &after, limit],
            )?;
            let summary = |mut row: Row| {
                Ok(ManifestSummary {
                    digest: row.take()?,
                    media_type: row.take()?,
                    size: row.take()?,
                    subject: row.take()?,
                    artifact_type: row.take()?,
                    pushed_at: row.take()?,
                    pulled_at: row.take()?,
                })
            };
            rows.into_iter().map(summary).collect()
        })
        .await
    }

    /// Notes when manifests were pulled. Volatile; a pull older than the one noted changes nothing.
    pub async fn touch_manifests(&self, pulls: Vec<(RepositoryId, Digest, Timestamp)>) -> Result<()> {
        self.write_volatile("note pulls", move |sql| {
            for (repository, digest, at) in &pulls {
                sql.execute(
                    "UPDATE manifest SET pulled_at = ?3
                     WHERE repository = ?1 AND digest = ?2 AND (pulled_at IS NULL OR pulled_at <= ?3)",
                    params![*repository, digest, *at],
                )?;
            }
            Ok(())
        })
        .await
    }
}

/// What a stored manifest refers to, each once.
fn needed(sql: &mut dyn Sql, repository: RepositoryId, digest: &Digest) -> Result<Vec<Digest>> {
    let rows = sql.query(
        "SELECT f.digest FROM manifest AS m JOIN manifest_reference AS f ON f.manifest = m.id
         WHERE m.repository = ?1 AND m.digest = ?2",
        params![repository, digest],
    )?;
    rows.into_iter().map(|mut row| row.take()).collect()
}

/// What the manifest needs and its repository does not have, each once.
fn missing(sql: &mut dyn Sql, new: &NewManifest) -> Result<Vec<Digest>> {
    let mut missing = Vec::new();
    let blobs = "SELECT DISTINCT value FROM json_each(?2) WHERE NOT EXISTS
        (SELECT 1 FROM repository_blob WHERE repository = ?1 AND digest = value)";
    let children = "SELECT DISTINCT value FROM json_each(?2) WHERE NOT EXISTS
        (SELECT 1 FROM manifest WHERE repository = ?1 AND digest = value) AND NOT EXISTS
        (SELECT 1 FROM repository_blob WHERE repository = ?1 AND digest = value)";
    for (statement, digests) in [(blobs, &new.blobs), (children, &new.children)] {
        if digests.is_empty() {
            continue;
        }
        for mut row in sql.query(statement, &[new.repository.into(), digest_list(digests)])? {
            missing.push(row.take()?);
        }
    }
    Ok(missing)
}

/// Stores a manifest and what it refers to; `false` when it was there.
fn insert(sql: &mut dyn Sql, new: &NewManifest, now: Timestamp) -> Result<bool> {
    let row = sql.first(
        "INSERT INTO manifest
         (repository, digest, media_type, size, subject, artifact_type, annotations, pushed_at, content)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (repository, digest) DO NOTHING RETURNING id",
        params![
            new.repository,
            &new.digest,
            &new.media_type,
            new.bytes.len() as u64,
            new.subject.as_ref(),
            new.artifact_type.as_deref(),
            new.annotations.as_deref(),
            now,
            &new.bytes[..]
        ],
    )?;
    let Some(mut row) = row else {
        sql.execute(
            "UPDATE manifest SET media_type = ?3, pushed_at = ?4 WHERE repository = ?1 AND digest = ?2",
            params![new.repository, &new.digest, &new.media_type, now],
        )?;
        return Ok(false);
    };
    refer(sql, new.repository, row.take()?, &new.children, &new.blobs)?;
    Ok(true)
}

/// Notes what the manifest with the id `manifest` refers to.
pub(crate) fn refer(
    sql: &mut dyn Sql,
    repository: RepositoryId,
    manifest: i64,
    children: &[Digest],
    blobs: &[Digest],
) -> Result<()> {
    for (child, digests) in [(true, children), (false, blobs)] {
        if digests.is_empty() {
            continue;
        }
        sql.execute(
            "INSERT INTO manifest_reference (repository, digest, manifest, child)
             SELECT CAST(?1 AS BIGINT), value, CAST(?2 AS BIGINT), CAST(?3 AS BIGINT) FROM json_each(?4) WHERE 1 = 1
             ON CONFLICT (repository, digest, manifest) DO NOTHING",
            &[repository.into(), manifest.into(), child.into(), digest_list(digests)],
        )?;
        need(sql, repository, digests)?;
    }
    Ok(())
}

/// What a tag names.
fn named(sql: &mut dyn Sql, repository: RepositoryId, tag: &Tag) -> Result<Option<Digest>> {
    let statement = "SELECT digest FROM tag WHERE repository = ?1 AND name = ?2 /*postgres: FOR UPDATE*/";
    sql.first(statement, params![repository, tag])?.map(|mut row| row.take()).transpose()
}

/// Makes a tag name the manifest instead of the `former` one.
fn point(
    sql: &mut dyn Sql,
    new: &NewManifest,
    tag: &Tag,
    former: Option<&Digest>,
    now: Timestamp,
) -> Result<()> {
    let Some(former) = former else {
        sql.execute(
            "INSERT INTO tag (repository, name, digest, created_at, moved_at) VALUES (?1, ?2, ?3, ?4, ?4)",
            params![new.repository, tag, &new.digest, now],
        )?;
        return Ok(());
    };
    if new.frozen.contains(tag) {
        return Err(Error::TagFrozen { tag: tag.clone(), digest: *former });
    }
    remember(sql, new.repository, tag, former, new.account, now)?;
    sql.execute(
        "UPDATE tag SET digest = ?3, moved_at = ?4 WHERE repository = ?1 AND name = ?2",
        params![new.repository, tag, &new.digest, now],
    )?;
    Ok(())
}
