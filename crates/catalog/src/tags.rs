//! Tags: names of manifests, which can move.

use railhead_oci::{Digest, Tag};

use crate::sql::{Dialect, Row, Sql, params};
use crate::{Catalog, OwnerId, RepositoryId, Result, Timestamp};

/// A tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagRecord {
    /// Its name.
    pub name: Tag,
    /// The manifest that it names.
    pub digest: Digest,
    /// When it was first put.
    pub created_at: Timestamp,
    /// Since when it names that manifest.
    pub moved_at: Timestamp,
}

/// One page of tags' names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagsPage {
    /// The names as a JSON array of strings, in bytewise order. It goes into an answer as it is.
    pub names: String,
    /// The last name of the page.
    pub last: Option<Tag>,
    /// Whether there are names behind it.
    pub more: bool,
}

/// What a tag named before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagHistory {
    /// The tag.
    pub tag: Tag,
    /// What it named.
    pub digest: Digest,
    /// Until when.
    pub replaced_at: Timestamp,
    /// Who moved or deleted it.
    pub account: Option<OwnerId>,
}

impl TagRecord {
    pub(crate) fn read(row: &mut Row) -> Result<Self> {
        Ok(Self { name: row.take()?, digest: row.take()?, created_at: row.take()?, moved_at: row.take()? })
    }
}

/// The statement behind [`Catalog::tags_json`]: the database writes the array, so that a page is one row.
pub(crate) const fn page_statement(dialect: Dialect) -> &'static str {
    dialect.pick(
        "WITH page AS MATERIALIZED
           (SELECT name FROM tag WHERE repository = ?1 AND name > ?2 ORDER BY name LIMIT ?3)
         SELECT json_group_array(name), MAX(name),
           EXISTS (SELECT 1 FROM tag WHERE repository = ?1 AND name > (SELECT MAX(name) FROM page)) FROM page",
        "WITH page AS MATERIALIZED
           (SELECT name FROM tag WHERE repository = ?1 AND name > ?2 ORDER BY name LIMIT ?3)
         SELECT '[' || COALESCE(string_agg('\"' || name || '\"', ',' ORDER BY name), '') || ']', MAX(name),
           EXISTS (SELECT 1 FROM tag WHERE repository = ?1 AND name > (SELECT MAX(name) FROM page)) FROM page",
    )
}

/// Notes what a tag named. Part of the transaction that moves or deletes it.
pub(crate) fn remember(
    sql: &mut dyn Sql,
    repository: RepositoryId,
    tag: &Tag,
    digest: &Digest,
    account: Option<OwnerId>,
    now: Timestamp,
) -> Result<()> {
    sql.execute(
        "INSERT INTO tag_history (repository, name, digest, replaced_at, account) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![repository, tag, digest, now, account],
    )?;
    Ok(())
}

impl Catalog {
    /// Up to `limit` names behind `after`, which need not exist nor be valid, in bytewise order.
    pub async fn tags_json(
        &self,
        repository: RepositoryId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<TagsPage> {
        let after = after.unwrap_or_default().to_owned();
        self.read("list the tags", move |sql| {
            let row = sql.first(page_statement(sql.dialect()), params![repository, &after, limit])?;
            let Some(mut row) = row else {
                return Ok(TagsPage { names: "[]".to_owned(), last: None, more: false });
            };
            Ok(TagsPage { names: row.take()?, last: row.take()?, more: row.take()? })
        })
        .await
    }

    /// The tag of that name.
    pub async fn tag(&self, repository: RepositoryId, tag: &Tag) -> Result<Option<TagRecord>> {
        let tag = tag.clone();
        self.read("look up a tag", move |sql| {
            let row = sql.first(
                "SELECT name, digest, created_at, moved_at FROM tag WHERE repository = ?1 AND name = ?2",
                params![repository, &tag],
            )?;
            row.map(|mut row| TagRecord::read(&mut row)).transpose()
        })
        .await
    }

    /// Up to `limit` tags behind the name `after`, in bytewise order.
    pub async fn tags(
        &self,
        repository: RepositoryId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<TagRecord>> {
        let after = after.unwrap_or_default().to_owned();
        self.read("list the tags", move |sql| {
            let mut rows = sql.query(
                "SELECT name, digest, created_at, moved_at FROM tag WHERE repository = ?1 AND name > ?2
                 ORDER BY name LIMIT ?3",
                params![repository, &after, limit],
            )?;
            rows.iter_mut().map(TagRecord::read).collect()
        })
        .await
    }

    /// Deletes a tag; its manifest stays. The answer is what it named, or `None` when it was not there.
    pub async fn delete_tag(
        &self,
        repository: RepositoryId,
        tag: &Tag,
        account: Option<OwnerId>,
        now: Timestamp,
    ) -> Result<Option<Digest>> {
        let tag = tag.clone();
        self.write("delete a tag", move |sql| {
            let statement = "DELETE FROM tag WHERE repository = ?1 AND name = ?2 RETURNING digest";
            let Some(mut row) = sql.first(statement, params![repository, &tag])? else { return Ok(None) };
            let digest = row.take()?;
            remember(sql, repository, &tag, &digest, account, now)?;
            Ok(Some(digest))
        })
        .await
    }

    /// Up to `limit` manifests that a tag named before, newest first.
    pub async fn tag_history(
        &self,
        repository: RepositoryId,
        tag: &Tag,
        limit: u32,
    ) -> Result<Vec<TagHistory>> {
        let tag = tag.clone();
        self.read("read the history of a tag", move |sql| {
            let rows = sql.query(
                "SELECT name, digest, replaced_at, account FROM tag_history WHERE repository = ?1 AND name = ?2
                 ORDER BY id DESC LIMIT ?3",
                params![repository, &tag, limit],
            )?;
            let entry = |mut row: Row| {
                Ok(TagHistory {
                    tag: row.take()?,
                    digest: row.take()?,
                    replaced_at: row.take()?,
                    account: row.take()?,
                })
            };
            rows.into_iter().map(entry).collect()
        })
        .await
    }
}
