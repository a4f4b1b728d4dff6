//! All that a repository has, for who plans what of it may go; and when bytes came, for who looks ahead.
//!
//! This reads everything there is; it is for upkeep, and not for the way of a request.

use std::collections::BTreeMap;

use railhead_oci::{Digest, RepositoryName};

use crate::sql::{Value, digest_list, params};
use crate::tags::TagRecord;
use crate::{Catalog, ManifestSummary, RepositoryId, Result, Timestamp};

/// What a repository has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryContents {
    /// The repository.
    pub id: RepositoryId,
    /// Its name.
    pub name: RepositoryName,
    /// Its tags, by name.
    pub tags: Vec<TagRecord>,
    /// Its manifests, by digest.
    pub manifests: Vec<ManifestContents>,
}

/// A manifest and what it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestContents {
    /// The manifest.
    pub manifest: ManifestSummary,
    /// Its annotations, a JSON object.
    pub annotations: Option<String>,
    /// When a tag last left it.
    pub untagged_at: Option<Timestamp>,
    /// Manifests that it lists; also such as are not there.
    pub children: Vec<Digest>,
    /// Blobs that it needs and that the repository has, with their sizes.
    pub blobs: Vec<(Digest, u64)>,
}

/// What is held, and what of it came in some time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Growth {
    /// When the first of what is held came.
    pub first: Option<Timestamp>,
    /// Bytes held: every blob once, and every manifest.
    pub held: u64,
    /// Bytes of blobs that came in that time: what several owners have counts once, and when the first of them got it.
    pub new_bytes: u64,
    /// The same for each owner to whom something came, by name.
    pub owners: BTreeMap<String, u64>,
}

impl Catalog {
    /// All that a repository has, as of one moment, or nearly: what is changed meanwhile may be seen in part.
    pub async fn repository_contents(
        &self,
        repository: RepositoryId,
        name: &RepositoryName,
    ) -> Result<RepositoryContents> {
        let name = name.clone();
        self.read("read what a repository has", move |sql| {
            let statement =
                "SELECT m.id, m.digest, m.media_type, m.size, m.subject, m.artifact_type, m.pushed_at,
                   m.pulled_at, m.annotations,
                   (SELECT MAX(h.replaced_at) FROM tag_history AS h
                    WHERE h.repository = m.repository AND h.digest = m.digest)
                 FROM manifest AS m WHERE m.repository = ?1";
            let mut manifests: BTreeMap<i64, ManifestContents> = BTreeMap::new();
            for mut row in sql.query(statement, params![repository])? {
                let id = row.take()?;
                let manifest = ManifestSummary {
                    digest: row.take()?,
                    media_type: row.take()?,
                    size: row.take()?,
                    subject: row.take()?,
                    artifact_type: row.take()?,
                    pushed_at: row.take()?,
                    pulled_at: row.take()?,
                };
                let (annotations, untagged_at) = (row.take()?, row.take()?);
                let (children, blobs) = (Vec::new(), Vec::new());
                manifests
                    .insert(id, ManifestContents { manifest, annotations, untagged_at, children, blobs });
            }
            // What is no blob of the repository is a manifest, or is not there.
            let statement = "SELECT f.manifest, f.digest, b.size FROM manifest_reference AS f
                 LEFT JOIN repository_blob AS l ON l.repository = f.repository AND l.digest = f.digest
                 LEFT JOIN blob AS b ON b.digest = l.digest
                 WHERE f.repository = ?1 AND (f.child = 1 OR b.digest IS NOT NULL)";
            for mut row in sql.query(statement, params![repository])? {
                let (id, digest): (i64, Digest) = (row.take()?, row.take()?);
                let Some(manifest) = manifests.get_mut(&id) else { continue };
                match row.take::<Option<u64>>()? {
                    Some(size) => manifest.blobs.push((digest, size)),
                    None => manifest.children.push(digest),
                }
            }
            let statement =
                "SELECT name, digest, created_at, moved_at FROM tag WHERE repository = ?1 ORDER BY name";
            let mut rows = sql.query(statement, params![repository])?;
            let tags = rows.iter_mut().map(TagRecord::read).collect::<Result<_>>()?;
            let mut manifests: Vec<_> = manifests.into_values().collect();
            manifests.sort_by_key(|one| one.manifest.digest);
            Ok(RepositoryContents { id: repository, name: name.clone(), tags, manifests })
        })
        .await
    }

    /// How many tags these repositories have together.
    pub async fn count_tags(&self, repositories: Vec<RepositoryId>) -> Result<u64> {
        let list = repositories.iter().map(|id| id.0).collect::<Vec<_>>();
        self.read("count tags", move |sql| {
            let row = sql.first(
                "SELECT COUNT(*) FROM tag WHERE repository IN
                 (SELECT CAST(value AS BIGINT) FROM json_each(?1))",
                &[Value::Text(format!("{list:?}"))],
            )?;
            row.map_or(Ok(0), |mut row| row.take())
        })
        .await
    }

    /// In how many repositories a manifest needs each of these blobs; those that no manifest needs are left out.
    pub async fn blob_needs(&self, digests: Vec<Digest>) -> Result<BTreeMap<Digest, u64>> {
        self.read("count who needs blobs", move |sql| {
            let rows = sql.query(
                "SELECT l.digest, COUNT(*) FROM repository_blob AS l
                 WHERE l.digest IN (SELECT value FROM json_each(?1)) AND EXISTS
                   (SELECT 1 FROM manifest_reference AS f WHERE f.repository = l.repository AND f.digest = l.digest)
                 GROUP BY l.digest",
                &[digest_list(&digests)],
            )?;
            rows.into_iter().map(|mut row| Ok((row.take()?, row.take()?))).collect()
        })
        .await
    }

    /// What is held, and what of it came behind `begin` and not behind `end`.
    pub async fn growth(&self, begin: Timestamp, end: Timestamp) -> Result<Growth> {
        self.read("look when bytes came", move |sql| {
            let row = sql.first(
                "SELECT (SELECT MIN(linked_at) FROM repository_blob),
                   CAST((SELECT COALESCE(SUM(size), 0) FROM blob) + (SELECT COALESCE(SUM(size), 0) FROM manifest)
                     AS BIGINT),
                   (SELECT CAST(COALESCE(SUM(x.size), 0) AS BIGINT) FROM
                     (SELECT MAX(b.size) AS size FROM repository_blob AS l JOIN blob AS b ON b.digest = l.digest
                      GROUP BY l.digest HAVING MIN(l.linked_at) > ?1 AND MIN(l.linked_at) <= ?2) AS x)",
                params![begin, end],
            )?;
            let Some(mut row) = row else { return Ok(Growth::default()) };
            let (first, held, new_bytes) = (row.take()?, row.take()?, row.take()?);
            let rows = sql.query(
                "SELECT o.name, CAST(SUM(x.size) AS BIGINT) FROM
                   (SELECT r.owner, MAX(b.size) AS size FROM repository_blob AS l
                    JOIN repository AS r ON r.id = l.repository JOIN blob AS b ON b.digest = l.digest
                    GROUP BY r.owner, l.digest HAVING MIN(l.linked_at) > ?1 AND MIN(l.linked_at) <= ?2) AS x
                 JOIN owner AS o ON o.id = x.owner GROUP BY o.name",
                params![begin, end],
            )?;
            let owners = rows.into_iter().map(|mut row| Ok((row.take()?, row.take()?))).collect::<Result<_>>()?;
            Ok(Growth { first, held, new_bytes, owners })
        })
        .await
    }

    /// The newest time that the catalog has seen: of a push, a pull, a tag that moved, or an entry of the audit.
    pub async fn last_seen(&self) -> Result<Option<Timestamp>> {
        self.read("look when something happened last", |sql| {
            let row = sql.first(
                "SELECT MAX(at) FROM (SELECT MAX(pushed_at) AS at FROM manifest UNION ALL
                   SELECT MAX(pulled_at) FROM manifest UNION ALL SELECT MAX(moved_at) FROM tag UNION ALL
                   SELECT at FROM (SELECT at FROM audit ORDER BY id DESC LIMIT 1) AS newest) AS times",
                &[],
            )?;
            row.map_or(Ok(None), |mut row| row.take())
        })
        .await
    }
}
